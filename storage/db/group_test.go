package db

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// together lets units of work wait until all are there, so that they share one
// commit, and returns their errors in the order in which they came.
func together(t *testing.T, s *Store, units ...func() error) []error {
	t.Helper()
	s.queue.turn <- struct{}{} // nobody leads yet
	errs := make([]error, len(units))
	var all sync.WaitGroup
	for i, unit := range units {
		all.Go(func() { errs[i] = unit() })
		for waiting := 0; waiting <= i; runtime.Gosched() {
			s.queue.mu.Lock()
			waiting = len(s.queue.waiting)
			s.queue.mu.Unlock()
		}
	}
	<-s.queue.turn
	all.Wait()
	return errs
}

// One unit of work that fails, in whatever way, takes nothing of the others with
// it, and leaves nothing of itself.
func TestOneOfAGroupFails(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		iv := in.interview(t, evidence.StateReady)
		taken := evidence.NewID()
		source := func(id evidence.ID) func() error {
			return func() error {
				_, err := in.SaveSource(t.Context(), evidence.Source{ID: id, Interview: iv.ID, Role: evidence.SourceRoom, Name: string(evidence.NewID()), TokenHash: []byte(evidence.NewID())}, act("source.add"))
				return err
			}
		}
		gone, leave := context.WithCancel(t.Context())
		errs := together(t, in.Store,
			source(taken),
			source(taken), // a broken constraint: PostgreSQL refuses everything after it
			func() error { return in.AppendEntry(t.Context(), custody.Entry{Actor: person, Action: "Not A Code"}) },
			source(evidence.NewID()),
			func() error {
				return in.write(t.Context(), []custody.Entry{act("test.act")}, func(tx *tx) error {
					_, _ = tx.exec(t.Context(), `DELETE FROM source`) // as if it never was
					return evidence.ErrConflict
				})
			},
			func() error {
				return in.write(gone, []custody.Entry{act("test.act")}, func(tx *tx) error {
					leave()
					_, err := tx.exec(gone, `DELETE FROM source`)
					return err
				})
			},
			func() (err error) {
				defer func() { err = fmt.Errorf("panic: %v", recover()) }()
				return in.write(t.Context(), []custody.Entry{act("test.act")}, func(*tx) error { panic("a bug") })
			},
			func() error { return in.AppendEntry(t.Context(), act("test.act")) },
		)
		for i, want := range []error{nil, evidence.ErrConflict, evidence.ErrInvalid, nil, evidence.ErrConflict, context.Canceled, nil, nil} {
			if i == 6 {
				if errs[i].Error() != "panic: a bug" {
					t.Errorf("the one that panicked: %v", errs[i])
				}
			} else if !errors.Is(errs[i], want) || (want == nil) != (errs[i] == nil) {
				t.Errorf("unit %d: got %v", i, errs[i])
			}
		}
		if n := count(t, in.r, "source"); n != 2 || in.size(t) != 4 {
			t.Errorf("%d sources, %d entries", n, in.size(t))
		}
		if in.dialect == postgresDialect {
			var commits int
			if err := in.row(t.Context(), `SELECT COUNT(DISTINCT xmin::text) FROM custody_entry WHERE position > 0`).Scan(&commits); err != nil || commits != 1 {
				t.Errorf("%d commits, %v", commits, err)
			}
		}
		in.holds(t)
	})
}

// A first member that fails spoils the transaction, and the others begin again.
func TestTheFirstOfAGroupFails(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		append1 := func() error { return in.AppendEntry(t.Context(), act("test.act")) }
		errs := together(t, in.Store, func() error {
			return in.write(t.Context(), []custody.Entry{act("bad.act")}, func(tx *tx) error {
				_, err := tx.exec(t.Context(), `INSERT INTO no_such_table (x) VALUES (1)`)
				return err
			})
		}, append1, append1)
		if errs[0] == nil || errs[1] != nil || errs[2] != nil || in.size(t) != 3 {
			t.Fatalf("%v, %d entries", errs, in.size(t))
		}
		in.holds(t)
	})
}

// What the database refuses of a whole group is tried one by one, so that the
// others are kept.
func TestAGroupThatCannotBeWrittenIsTakenApart(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		if in.dialect == sqliteDialect {
			in.raw(t, `CREATE TRIGGER refuse BEFORE INSERT ON custody_entry WHEN NEW.action = 'bad.act' BEGIN SELECT RAISE(ABORT, 'refused'); END`)
		} else {
			in.raw(t, `ALTER TABLE custody_entry ADD CHECK (action <> 'bad.act')`)
		}
		unit := func(action string) func() error {
			return func() error { return in.AppendEntry(t.Context(), act(action)) }
		}
		errs := together(t, in.Store, unit("test.act"), unit("bad.act"), unit("test.act"))
		if errs[0] != nil || errs[1] == nil || errs[2] != nil || in.size(t) != 3 {
			t.Fatalf("%v, %d entries", errs, in.size(t))
		}
		in.holds(t)
	})
}

// Who goes away before its work began has left nothing; the others do not notice.
func TestWithdrawnBeforeItBegan(t *testing.T) {
	in := install(t, "sqlite")
	ctx, cancel := context.WithCancel(t.Context())
	in.queue.turn <- struct{}{}
	left, stays := make(chan error), make(chan error)
	go func() { left <- in.AppendEntry(ctx, act("test.act")) }()
	go func() { stays <- in.AppendEntry(t.Context(), act("test.act")) }()
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who went away: %v", err)
	}
	<-in.queue.turn
	if err := <-stays; err != nil || in.size(t) != 2 {
		t.Fatalf("who stayed: %v, %d entries", err, in.size(t))
	}
	in.holds(t)
}

// All members of a group whose COMMIT lost its answer are told the same truth.
func TestAmbiguousCommitOfAGroup(t *testing.T) {
	for _, c := range []struct {
		name  string
		mode  int32
		want  error
		grown int64
	}{
		{"it never arrived", cutBefore, evidence.ErrUnavailable, 0},
		{"it happened", cutAfter, nil, 3},
		{"nobody can tell", cutForever, evidence.ErrUnknownState, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := install(t, "postgres")
			dsn, l := cuttable(t, in.dsn)
			s, err := Open(t.Context(), dsn, in.clock)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			l.mode.Store(c.mode)
			unit := func() error { return s.AppendEntry(t.Context(), act("test.act")) }
			for i, err := range together(t, s, unit, unit, unit) {
				if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
					t.Errorf("member %d: %v", i, err)
				}
			}
			if got := in.size(t) - 1; got != c.grown || l.cuts.Load() != 1 {
				t.Errorf("the log grew by %d, %d cuts", got, l.cuts.Load())
			}
			l.down.Store(false)
			if err := unit(); err != nil {
				t.Errorf("once the line is back: %v", err)
			}
			in.holds(t)
		})
	}
}
