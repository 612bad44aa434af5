package world

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
)

func checkViewings(t *testing.T, w *World) {
	s := w.Store
	w.OpenCase()
	iv, tracks := w.Sealed(w.Victim.ID, 20)
	g := w.sampleGrant(iv, tracks)
	g.State, g.Approvals = access.Active, []access.Approval{{By: "c", Role: evidence.RoleCustodian, At: 4}}
	g.Conditions = access.Conditions{Covers: []access.Cover{access.CoverAudio}, Terms: true, Viewings: 2, Blur: true, Return: true}
	w.Must(s.CreateGrant(bg, g, w.entry("x")))
	got, err := s.Grant(bg, g.ID)
	same(t, "grant with conditions", got, err, g)
	idle := evidence.Instant(access.ViewingIdle / time.Microsecond)
	begin := func(session evidence.ID, at evidence.Instant) (access.ViewingSession, error) {
		return s.OpenViewing(bg, access.ViewingSession{ID: evidence.NewID(), Agency: w.Agency, Interview: iv.ID, Grant: g.ID, Viewer: g.To, Session: session,
			Terms: "abc", AcceptedAt: at, LastAt: at}, g.Conditions.Viewings, w.entry("viewing.test"))
	}
	accepted := func(session evidence.ID, at evidence.Instant) bool {
		t.Helper()
		v, err := s.Viewing(bg, evidence.Actor{Account: g.To, Session: session}, iv.ID, at)
		w.Must(err)
		return v.Accepted[g.ID]
	}
	here, there := evidence.NewID(), evidence.NewID()
	const start = evidence.Instant(1_000_000_000_000)
	first, err := begin(here, start)
	w.Must(err)
	if !accepted(here, start+idle-1) || accepted(here, start+idle) || accepted(there, start) {
		t.Error("a viewing is open for 30 idle minutes in its own session")
	}
	again, err := begin(here, start+5)
	same(t, "accepted again", again, err, first)
	open := func(at evidence.Instant) {
		_, err := s.OpenWindow(bg, access.Window{ID: evidence.NewID(), Agency: w.Agency, Interview: iv.ID, Grant: g.ID, Viewer: g.To, Session: here,
			Range: evidence.Range{From: 10, Until: 50}, OpenedAt: at, ExpiresAt: at + 100}, evidence.Range{From: 10, Until: 20}, w.entry("x"))
		w.Must(err)
	}
	open(start + idle - 1)
	if !accepted(here, start+2*idle-2) || accepted(here, start+2*idle-1) {
		t.Error("a delivery keeps the viewing open for 30 minutes more")
	}
	open(start + 2*idle)
	if accepted(here, start+2*idle) {
		t.Error("a delivery opened a viewing that had ended")
	}
	// The last viewing is taken once, however many ask at once.
	var wg sync.WaitGroup
	var had, refused atomic.Int32
	for range 4 {
		wg.Go(func() {
			switch _, err := begin(evidence.NewID(), start+2*idle); {
			case err == nil:
				had.Add(1)
			case errors.Is(err, access.ErrViewingsUsed):
				refused.Add(1)
			default:
				t.Errorf("beginning a viewing: %v", err)
			}
		})
	}
	wg.Wait()
	if had.Load() != 1 || refused.Load() != 3 {
		t.Errorf("of two viewings, one used: %d more were begun, %d refused", had.Load(), refused.Load())
	}
	list, err := s.Viewings(bg, g.ID)
	if err != nil || len(list) != 2 || list[0].ID != first.ID || list[0].LastAt != start+idle-1 {
		t.Errorf("%+v, %v", list, err)
	}
	if n := len(w.Log("viewing.test")); n != 2 {
		t.Errorf("%d entries for two viewings", n)
	}
	g.State = access.Revoked
	w.Must(s.ChangeGrant(bg, g, w.entry("x")))
	_, err = begin(here, start+9*idle)
	wantErr(t, "a viewing under a revoked grant", err, evidence.ErrConflict)
}
