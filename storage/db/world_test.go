package db_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/internal/testenv"
	"github.com/toldonce/toldonce/internal/world"
	"github.com/toldonce/toldonce/storage/db"
)

var databases = []string{"sqlite", "postgres"}

// openWorld sets up an agency at work on an empty database.
func openWorld(t testing.TB, database string) (*world.World, *db.Store) {
	t.Helper()
	return openWorldOn(t, worldDSN(t, database))
}

func worldDSN(t testing.TB, database string) string {
	if database == "postgres" {
		return testenv.Postgres(t)
	}
	return "sqlite:" + filepath.Join(t.TempDir(), "toldonce.db")
}

func openWorldOn(t testing.TB, dsn string) (*world.World, *db.Store) {
	t.Helper()
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, verifier, err := custody.GenerateKey("log.test")
	must(err)
	must(db.Init(ctx, dsn, db.InitConfig{Origin: "log.test", LogVerifier: verifier, LogKey: []byte(key)}))
	var now atomic.Int64 // microseconds; the log's first entry has the machine's time
	now.Store(time.Now().Add(time.Second).UnixMicro())
	s, err := db.Open(ctx, dsn, func() time.Time { return time.UnixMicro(now.Load()) })
	must(err)
	t.Cleanup(func() { s.Close() })
	w := world.NewQuick(t, s, func(d time.Duration) { now.Add(d.Microseconds()) })
	w.Record = func(iv evidence.Interview, tracks []world.Track) {
		must(record(ctx, s, iv, tracks, evidence.Segment{ObjectKey: "recordings/test"}))
	}
	w.Log = func(action string) []custody.Entry {
		entries, err := logged(ctx, s, action)
		must(err)
		return entries
	}
	return w, s
}

// record writes a recording as the recorder and the seal do. Every segment of it
// lies where object says.
func record(ctx context.Context, s *db.Store, iv evidence.Interview, tracks []world.Track, object evidence.Segment) error {
	entry := func(action string) custody.Entry {
		return custody.Entry{Actor: evidence.System(iv.Agency), Action: action, Interview: iv.ID}
	}
	now, err := s.Now(ctx)
	if err != nil {
		return err
	}
	if _, err := s.Transition(ctx, iv.ID, []evidence.State{evidence.StateReady}, evidence.StateRecording, now, entry("interview.start")); err != nil {
		return err
	}
	var sources []evidence.ID
	var segments []evidence.Segment
	for _, t := range tracks {
		if !slices.Contains(sources, t.Source.ID) {
			sources = append(sources, t.Source.ID)
			if _, err := s.SaveSource(ctx, t.Source, entry(access.SourceAdd)); err != nil {
				return err
			}
		}
		if err := s.SaveTrack(ctx, t.Track); err != nil {
			return err
		}
		for _, l := range t.Leaves {
			segments = append(segments, evidence.Segment{Leaf: l, Position: int64(len(segments)), ObjectKey: object.ObjectKey, ObjectVersion: object.ObjectVersion})
		}
	}
	if err := s.SaveSegments(ctx, iv.Recording, segments); err != nil {
		return err
	}
	if _, err := s.Transition(ctx, iv.ID, []evidence.State{evidence.StateRecording}, evidence.StateStopping, now, entry("interview.stop")); err != nil {
		return err
	}
	return s.SaveSealed(ctx, iv.ID, evidence.SealedRecording{Recording: iv.Recording, Interview: iv.ID, Manifest: []byte("m"), Statement: []byte("s"), Bundle: []byte("b"),
		Status: []byte("{}"), Pages: [][]byte{[]byte("p")}, SealedAt: now}, entry("interview.seal"))
}

// logged returns the entries of an action as they were written; all for an empty one.
func logged(ctx context.Context, s *db.Store, action string) ([]custody.Entry, error) {
	var out []custody.Entry
	var after *int64
	for {
		records, err := s.Entries(ctx, custody.Filter{Action: action, After: after, Limit: 1000})
		if err != nil || len(records) == 0 {
			return out, err
		}
		for _, r := range records {
			l := r.Leaf
			e := custody.Entry{Actor: evidence.Actor{Kind: l.Actor.Kind, Account: l.Actor.Account, Agency: l.Actor.Agency, Role: l.Actor.Role, Session: l.Actor.Session, MFA: l.Actor.MFA},
				Action: l.Action, Agency: l.Agency, Case: l.Case, Interview: l.Interview, Subject: l.Subject, Details: l.Details}
			e.Why, _ = r.Opened(custody.FieldWhy)
			e.Authority, _ = r.Opened(custody.FieldAuthority)
			out = append(out, e)
			after = &r.Position
		}
	}
}

func TestPeopleConformance(t *testing.T) {
	for _, database := range databases {
		t.Run(database, func(t *testing.T) {
			world.RunConformance(t, func(t testing.TB) *world.World {
				w, _ := openWorld(t, database)
				return w
			})
		})
	}
}

// TestRandomActs drives random acts on each database against a second opinion, and
// audits the log that they leave.
func TestRandomActs(t *testing.T) {
	for _, database := range databases {
		t.Run(database, func(t *testing.T) {
			w, s := openWorld(t, database)
			world.RunModel(w, 10, 400)
			there, err := s.Installation(context.Background())
			w.Must(err)
			verifier, err := custody.NewVerifier(there.LogVerifier)
			w.Must(err)
			report, err := custody.Audit(context.Background(), s, verifier)
			w.Must(err)
			if len(report.Faults) > 0 {
				t.Errorf("the log does not hold: %+v", report)
			}
		})
	}
}

// TestEventsTellHolders: a revocation and a withdrawal reach those who wait.
func TestEventsTellHolders(t *testing.T) {
	for _, database := range databases {
		t.Run(database, func(t *testing.T) {
			ctx := context.Background()
			w, s := openWorld(t, database)
			w.OpenCase()
			iv, _ := w.Sealed(w.Victim.ID, 20)
			now, err := s.Now(ctx)
			w.Must(err)
			prosecutor := w.Actors[evidence.RoleProsecutor]
			g, err := w.Access.RequestGrant(ctx, prosecutor, access.Request{Interview: iv.ID, Source: access.AllSources, To: prosecutor.Account, Asked: evidence.Range{Until: 10_000_000},
				NotAfter: now + 60_000_000, Purpose: "review", Basis: "CPC", RestsOn: access.OnLaw})
			w.Must(err)
			_, err = w.Access.ApproveGrant(ctx, w.Actors[evidence.RoleCustodian], g.ID)
			w.Must(err)
			last, err := s.LastEvent(ctx)
			w.Must(err)
			changed := s.Changed()
			_, err = w.Access.RevokeGrant(ctx, w.Actors[evidence.RoleCustodian], g.ID, "over")
			w.Must(err)
			select {
			case <-changed:
			case <-time.After(10 * time.Second):
				t.Fatal("nobody was woken")
			}
			events, err := s.EventsAfter(ctx, last, custody.EventFilter{Interview: iv.ID}, 10)
			if err != nil || len(events) != 1 || events[0].Kind != access.GrantRevoke || events[0].Subject != g.ID || events[0].Data["to"] != string(g.To) {
				t.Errorf("%+v, %v", events, err)
			}
		})
	}
}
