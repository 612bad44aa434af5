package db

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// Many writers in two processes share one log without gaps, and its times follow
// its positions.
func TestConcurrentActsMakeOneLog(t *testing.T) {
	const writers, each1 = 12, 8
	each(t, func(t *testing.T, in *installation) {
		iv := in.interview(t, evidence.StateReady)
		other := in.open(t)
		ticking := func() time.Time { in.now.Add(1); return in.clock() }
		in.Store.clock, other.clock = ticking, ticking
		var all sync.WaitGroup
		for w := range writers {
			s := []*Store{in.Store, other}[w%2]
			all.Go(func() {
				for range each1 {
					src := evidence.Source{ID: evidence.NewID(), Interview: iv.ID, Role: evidence.SourceWide, TokenHash: []byte(evidence.NewID())}
					if _, err := s.SaveSource(t.Context(), src, act("source.add")); err != nil {
						t.Errorf("a writer: %v", err)
						return
					}
				}
			})
		}
		all.Wait()
		report := in.holds(t)
		if report.Size != 1+writers*each1 || len(report.Notices) > 0 {
			t.Fatalf("%+v", report)
		}
		sources, err := in.Sources(t.Context(), iv.ID)
		if err != nil || len(sources) != writers*each1 {
			t.Fatalf("%d sources, %v", len(sources), err)
		}
		names := map[string]bool{}
		for _, s := range sources {
			names[s.Name] = true
		}
		if len(names) != len(sources) || !names["wide"] || !names[fmt.Sprintf("wide-%d", writers*each1)] {
			t.Fatalf("names given under concurrency: %v", names)
		}
	})
}

func TestNothingIsLeftOfAnActThatFails(t *testing.T) {
	broken := errors.New("broken")
	each(t, func(t *testing.T, in *installation) {
		cancelled, cancel := context.WithCancel(t.Context())
		for name, c := range map[string]struct {
			ctx   context.Context
			entry custody.Entry
			fn    func(*tx) error
			want  error
		}{
			"the act fails": {t.Context(), act("test.act"), func(*tx) error { return broken }, broken},
			"its entry must not be written": {t.Context(), custody.Entry{Actor: person, Action: "Not A Code"},
				func(*tx) error { return nil }, evidence.ErrInvalid},
			"the caller went away":     {cancelled, act("test.act"), func(*tx) error { cancel(); return nil }, context.Canceled},
			"an event cannot be coded": {t.Context(), act("test.act"), func(t *tx) error { t.entries[0].Details = map[string]string{"a b": "c"}; return nil }, evidence.ErrInvalid},
		} {
			err := in.write(c.ctx, []custody.Entry{c.entry}, func(tx *tx) error {
				if _, err := tx.exec(context.WithoutCancel(c.ctx), `INSERT INTO checkpoint (size, at, note) VALUES (7, 7, $1)`, []byte{1}); err != nil {
					return err
				}
				return c.fn(tx)
			})
			if !errors.Is(err, c.want) {
				t.Errorf("%s: got %v", name, err)
			}
			if count(t, in.r, "checkpoint") != 0 || in.size(t) != 1 || count(t, in.r, "event") != 1 || count(t, in.r, "custody_opening") != 0 {
				t.Errorf("%s: something was left", name)
			}
		}
		func() {
			defer func() { _ = recover() }()
			_ = in.write(t.Context(), []custody.Entry{act("test.act")}, func(*tx) error { panic("a bug") })
		}()
		if err := in.AppendEntry(t.Context(), act("test.act")); err != nil {
			t.Fatalf("after a panic: %v", err)
		}
		in.holds(t)
	})
}

func TestUnitOfWorkKnowsItsPlace(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		err := in.write(t.Context(), []custody.Entry{act("first.act")}, func(tx *tx) error {
			if tx.next != 1 || tx.at != evidence.At(in.clock()) {
				return fmt.Errorf("next %d, at %d", tx.next, tx.at)
			}
			tx.detail(0, "added", "x")
			tx.log(act("second.act"))
			tx.event(custody.Event{Kind: "bare.event", Interview: "i"})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		events, err := in.EventsAfter(t.Context(), 1, custody.EventFilter{}, 0)
		if err != nil || len(events) != 3 {
			t.Fatalf("%+v, %v", events, err)
		}
		for i, want := range []struct {
			kind     string
			position int64
		}{{"first.act", 1}, {"second.act", 2}, {"bare.event", -1}} {
			if e := events[i]; e.ID != int64(i+2) || e.Kind != want.kind || e.Position != want.position || e.At != evidence.At(in.clock()) {
				t.Errorf("event %d: %+v", i, e)
			}
		}
		if events[0].Data["added"] != "x" || events[0].Actor != person.Account {
			t.Errorf("%+v", events[0])
		}
		// A quiet unit of work may not touch the log.
		err = in.quiet(t.Context(), func(tx *tx) error { tx.log(act("third.act")); return nil })
		if err == nil || in.size(t) != 3 {
			t.Fatalf("a quiet entry: %v", err)
		}
	})
}

// What is run again after a serialisation failure starts from nothing.
func TestActIsRunAgain(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		runs := 0
		entries := []custody.Entry{act("test.act")}
		err := in.write(t.Context(), entries, func(tx *tx) error {
			runs++
			tx.detail(0, "run", strconv.Itoa(runs))
			tx.log(act("extra.act"))
			if runs < 3 {
				return &pq.Error{Code: "40001"}
			}
			return nil
		})
		if err != nil || runs != 3 || in.size(t) != 3 || len(entries[0].Details) != 1 {
			t.Fatalf("%d runs, %d entries, %v", runs, in.size(t), err)
		}
		runs = 0
		err = in.write(t.Context(), entries, func(*tx) error { runs++; return &pq.Error{Code: "40P01"} })
		if err == nil || runs != attempts || in.size(t) != 3 {
			t.Fatalf("%d runs, %v", runs, err)
		}
		in.holds(t)
	})
}

// The program itself cannot change the log, and who owns the database cannot do
// it unseen.
func TestRewrittenRowIsNamed(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		for range 12 {
			if err := in.AppendEntry(t.Context(), act("grant.approve")); err != nil {
				t.Fatal(err)
			}
		}
		in.holds(t)
		for _, statement := range []string{`UPDATE custody_entry SET action = 'x'`, `DELETE FROM custody_entry`, `UPDATE custody_hash SET idx = idx`, `DELETE FROM custody_hash`} {
			if _, err := in.w.ExecContext(t.Context(), statement); err == nil {
				t.Errorf("%s went through", statement)
			}
		}
		in.holds(t)
		in.unlocked(t)
		for _, position := range []int64{3, 8, 12} {
			record, err := in.Entry(t.Context(), position)
			if err != nil {
				t.Fatal(err)
			}
			forged := record.Leaf
			forged.Action = "grant.reject"
			raw, err := forged.Encode()
			if err != nil {
				t.Fatal(err)
			}
			hash := custody.LeafHash(raw)
			in.raw(t, `UPDATE custody_entry SET leaf = $1, action = 'grant.reject' WHERE position = $2`, raw, position)
			in.raw(t, `UPDATE custody_hash SET hash = $1 WHERE idx = $2`, hash[:], nodeOf(position))
			report, err := custody.Audit(t.Context(), in, in.verifier)
			if err != nil {
				t.Fatal(err)
			}
			var named []int64
			for _, f := range report.Faults {
				if f.Code == custody.FaultAltered {
					named = append(named, f.Position)
				}
			}
			if !slices.Equal(named, []int64{position}) {
				t.Errorf("position %d was rewritten: %+v", position, report.Faults)
			}
			original := custody.LeafHash(record.Raw)
			in.raw(t, `UPDATE custody_entry SET leaf = $1, action = 'grant.approve' WHERE position = $2`, record.Raw, position)
			in.raw(t, `UPDATE custody_hash SET hash = $1 WHERE idx = $2`, original[:], nodeOf(position))
			in.holds(t)
		}
		in.raw(t, `DELETE FROM custody_entry WHERE position = 5`)
		report, err := custody.Audit(t.Context(), in, in.verifier)
		if err != nil || len(report.Faults) == 0 || report.Faults[0].Code != custody.FaultMissing || report.Faults[0].Position != 5 {
			t.Fatalf("a removed row: %+v, %v", report.Faults, err)
		}
	})
}

func nodeOf(position int64) int64 {
	var index int64
	for n := position; n > 0; n >>= 1 {
		index += n
	}
	return index
}

func TestClockBehindTheLog(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		if err := in.AppendEntry(t.Context(), act("test.act")); err != nil {
			t.Fatal(err)
		}
		if now, err := in.Now(t.Context()); err != nil || now != evidence.At(in.clock()) {
			t.Fatalf("at the time of the last entry: %d, %v", now, err)
		}
		in.pass(-time.Microsecond)
		if _, err := in.Now(t.Context()); !errors.Is(err, evidence.ErrClockBehind) {
			t.Fatalf("a microsecond behind: %v", err)
		}
		// What happens is written all the same, with the time that the clock told,
		// and does not move the mark back.
		in.pass(-time.Hour)
		if err := in.AppendEntry(t.Context(), act("interview.stop")); err != nil {
			t.Fatal(err)
		}
		if _, err := in.Now(t.Context()); !errors.Is(err, evidence.ErrClockBehind) {
			t.Fatalf("after an entry an hour behind: %v", err)
		}
		if report := in.holds(t); len(report.Notices) != 1 || report.Notices[0].Position != 2 {
			t.Fatalf("%+v", report.Notices)
		}
		in.pass(time.Hour + time.Microsecond)
		if _, err := in.Now(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestErasedTextIsGoneAndNothingBreaks(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		secret := "Ana Dëshmitare was afraid of her uncle"
		e := act("consent.withdraw")
		e.Why = secret
		if err := in.AppendEntry(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		before, err := in.Entry(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if text, known := before.Opened(custody.FieldWhy); !known || text != secret || len(before.Openings) != 3 {
			t.Fatalf("%q, %v", text, known)
		}
		if err := in.EraseOpening(t.Context(), 1, custody.FieldWhy, act("log.erase")); err != nil {
			t.Fatal(err)
		}
		after, err := in.Entry(t.Context(), 1)
		if err != nil || !bytes.Equal(after.Raw, before.Raw) {
			t.Fatalf("the leaf changed: %v", err)
		}
		if _, known := after.Opened(custody.FieldWhy); known || len(after.Openings) != 2 {
			t.Fatal("the text is still there")
		}
		if report := in.holds(t); report.Erased != 1 {
			t.Fatalf("%d erased", report.Erased)
		}
		last, err := in.Entry(t.Context(), 2)
		if err != nil || last.Leaf.Action != "log.erase" || last.Leaf.Details["position"] != "1" || last.Leaf.Details["field"] != "why" {
			t.Fatalf("%+v, %v", last.Leaf, err)
		}
		if err := in.EraseOpening(t.Context(), 1, custody.FieldWhy, act("log.erase")); !errors.Is(err, evidence.ErrNotFound) || in.size(t) != 3 {
			t.Fatalf("a second time: %v", err)
		}
		if in.dialect == sqliteDialect {
			for _, suffix := range []string{"", "-wal"} {
				data, err := os.ReadFile(in.path + suffix)
				if err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
				if bytes.Contains(data, []byte("afraid of her uncle")) {
					t.Errorf("the erased text still stands in the database's file %q", suffix)
				}
			}
		}
	})
}

func TestProofsAndCheckpoints(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		cp, err := custody.NewCheckpointer(in, in.signer, mustInstallation(t, in).LogVerifier)
		if err != nil {
			t.Fatal(err)
		}
		first, err := cp.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 9 {
			if err := in.AppendEntry(t.Context(), act("test.act")); err != nil {
				t.Fatal(err)
			}
		}
		signed, err := cp.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if again, err := cp.Checkpoint(t.Context()); err != nil || !bytes.Equal(again, signed) {
			t.Fatalf("signed anew: %v", err)
		}
		for position := range int64(10) {
			path, err := in.ProveInclusion(t.Context(), position, 10)
			if err != nil {
				t.Fatal(err)
			}
			record, err := in.Entry(t.Context(), position)
			if err != nil {
				t.Fatal(err)
			}
			proof := custody.Proof{Position: position, Path: path, Checkpoint: signed}
			if _, _, err := proof.Verify(record.Raw, record.Openings, in.verifier); err != nil {
				t.Errorf("entry %d: %v", position, err)
			}
		}
		old, err := custody.OpenCheckpoint(first, in.verifier)
		if err != nil {
			t.Fatal(err)
		}
		latest, err := custody.OpenCheckpoint(signed, in.verifier)
		if err != nil {
			t.Fatal(err)
		}
		path, err := in.ProveConsistency(t.Context(), old.Size, latest.Size)
		if err != nil {
			t.Fatal(err)
		}
		if err := custody.VerifyConsistency(old, latest, path); err != nil {
			t.Error(err)
		}
		for _, c := range [][2]int64{{0, 11}, {10, 10}, {-1, 5}} {
			if _, err := in.ProveInclusion(t.Context(), c[0], c[1]); !errors.Is(err, evidence.ErrInvalid) {
				t.Errorf("inclusion %v: %v", c, err)
			}
		}
		if _, err := in.ProveConsistency(t.Context(), 3, 11); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("consistency: %v", err)
		}
		if report := in.holds(t); report.Checkpoints != 2 {
			t.Fatalf("%d checkpoints", report.Checkpoints)
		}
	})
}

func mustInstallation(t testing.TB, in *installation) Installation {
	t.Helper()
	i, err := in.Installation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestEntriesAreFound(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		caseA, caseB, subject := evidence.NewID(), evidence.NewID(), evidence.NewID()
		for _, e := range []custody.Entry{
			{Actor: person, Action: "grant.request", Case: caseA},                         // 1
			{Actor: person, Action: "grant.approve", Case: caseA, Subject: subject},       // 2
			{Actor: evidence.System(person.Agency), Action: "granted.other", Case: caseB}, // 3
			{Actor: person, Action: "interview.start", Case: caseB, Interview: subject},   // 4
			{Actor: person, Action: "grant", Case: caseA, Agency: evidence.NewID()},       // 5
		} {
			if err := in.AppendEntry(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		at := func(n int64) *int64 { return &n }
		for name, c := range map[string]struct {
			f    custody.Filter
			want []int64
		}{
			"all":               {custody.Filter{}, []int64{0, 1, 2, 3, 4, 5}},
			"a case":            {custody.Filter{Case: caseA}, []int64{1, 2, 5}},
			"an agency":         {custody.Filter{Agency: person.Agency}, []int64{1, 2, 3, 4}},
			"an actor":          {custody.Filter{Actor: person.Account}, []int64{1, 2, 4, 5}},
			"a subject":         {custody.Filter{Subject: subject}, []int64{2}},
			"an interview":      {custody.Filter{Interview: subject}, []int64{4}},
			"an action":         {custody.Filter{Action: "grant"}, []int64{5}},
			"a group of acts":   {custody.Filter{Action: "grant."}, []int64{1, 2}},
			"a page":            {custody.Filter{Case: caseA, After: at(1), Limit: 1}, []int64{2}},
			"before":            {custody.Filter{Before: at(2)}, []int64{0, 1}},
			"the newest":        {custody.Filter{Newest: true, Limit: 2}, []int64{5, 4}},
			"nothing":           {custody.Filter{Case: "x' OR '1'='1"}, nil},
			"a wildcard is not": {custody.Filter{Action: "%."}, nil},
		} {
			records, err := in.Entries(t.Context(), c.f)
			var got []int64
			for _, r := range records {
				got = append(got, r.Position)
			}
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
		if _, err := in.Entry(t.Context(), 6); !errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("beyond the end: %v", err)
		}
	})
}

func TestEventsWakeEveryProcess(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		waiting := in.Changed()
		select {
		case <-waiting:
			t.Fatal("woken by nothing")
		default:
		}
		writer := in.Store
		if in.dialect == postgresDialect {
			writer = in.open(t) // another process
		}
		e := act("grant.revoke")
		e.Case, e.Interview = evidence.NewID(), evidence.NewID()
		if err := writer.AppendEntry(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		select {
		case <-waiting:
		case <-time.After(30 * time.Second):
			t.Fatal("never woken")
		}
		for name, c := range map[string]struct {
			f    custody.EventFilter
			want int
		}{
			"its case":      {custody.EventFilter{Case: e.Case}, 1},
			"its interview": {custody.EventFilter{Interview: e.Interview, Agency: person.Agency}, 1},
			"its kind":      {custody.EventFilter{Kinds: []string{"x", "grant.revoke", "y"}}, 1},
			"another":       {custody.EventFilter{Case: evidence.NewID()}, 0},
			"another kind":  {custody.EventFilter{Kinds: []string{"grant"}}, 0},
		} {
			events, err := in.EventsAfter(t.Context(), 0, c.f, 10)
			if err != nil || len(events) != c.want {
				t.Errorf("%s: %+v, %v", name, events, err)
			}
		}
		if last, err := in.LastEvent(t.Context()); err != nil || last != 2 {
			t.Errorf("last event %d, %v", last, err)
		}
		if strings.Contains(fmt.Sprint(in.EventsAfter(t.Context(), 0, custody.EventFilter{}, 10)), e.Why) {
			t.Error("an event holds a personal text")
		}
	})
}
