package world

import (
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/observation"
)

func checkObservation(t *testing.T, w *World) {
	s := w.Store
	w.OpenCase()
	iv := w.Plan(w.PlanFor(w.Victim.ID))
	c := observation.Call{ID: evidence.NewID(), Agency: iv.Agency, Case: iv.Case, Interview: iv.ID, Kind: observation.Question, Text: "Cila derë?",
		By: "a", Role: evidence.RoleObserver, At: 5, Instant: 6}
	w.Must(s.CreateCall(bg, c, w.entry("call.test")))
	next := c
	next.ID, next.Kind, next.Text = evidence.NewID(), observation.Break, ""
	w.Must(s.CreateCall(bg, next, w.entry("call.test")))
	other := c
	other.ID, other.Interview = evidence.NewID(), evidence.NewID()
	w.Must(s.CreateCall(bg, other, w.entry("call.test")))
	got, err := s.Call(bg, c.ID)
	same(t, "call", got, err, c)
	_, err = s.Call(bg, evidence.NewID())
	wantErr(t, "a call that is none", err, evidence.ErrNotFound)
	c.Outcome, c.SettledBy, c.SettledAt, c.SettledInstant = observation.Relayed, "b", 7, 8
	w.Must(s.SettleCall(bg, c, w.entry("call.test")))
	again := c
	again.Outcome = observation.NotRelayed
	wantErr(t, "an outcome twice", s.SettleCall(bg, again, w.entry("call.test")), evidence.ErrConflict)
	list, err := s.Calls(bg, iv.ID)
	same(t, "calls", list, err, []observation.Call{c, next})
	if n := len(w.Log("call.test")); n != 4 {
		t.Errorf("%d entries, want 4", n)
	}

	note := observation.Note{ID: evidence.NewID(), Agency: iv.Agency, Interview: iv.ID, Author: "a", Text: "Shënim", At: 9, Instant: 10}
	w.Must(s.CreateNote(bg, note, w.entry("note.test")))
	theirs := note
	theirs.ID, theirs.Author = evidence.NewID(), "b"
	w.Must(s.CreateNote(bg, theirs, w.entry("note.test")))
	notes, err := s.Notes(bg, iv.ID, "a")
	same(t, "notes", notes, err, []observation.Note{note})
}
