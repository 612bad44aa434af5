package world

import (
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/transcript"
)

func checkTranscripts(t *testing.T, w *World) {
	s := w.Store
	w.OpenCase()
	iv := w.Plan(w.PlanFor(w.Victim.ID))
	v := transcript.Version{ID: evidence.NewID(), Agency: iv.Agency, Case: iv.Case, Interview: iv.ID, Recording: iv.Recording, Language: "sq", Number: 1, Origin: transcript.Imported, Cues: 2,
		Range: evidence.Range{From: 1, Until: 9}, Plain: evidence.Digest{SHA256: "aa", Size: 1}, Cipher: evidence.Digest{SHA256: "bb", Size: 2}, ObjectKey: "k", ObjectVersion: "v", CreatedBy: "a", CreatedAt: 5}
	w.Must(s.CreateTranscript(bg, v, w.entry("transcript.test")))
	taken := v
	taken.ID = evidence.NewID()
	wantErr(t, "a number twice", s.CreateTranscript(bg, taken, w.entry("transcript.test")), evidence.ErrConflict)
	next := v
	next.ID, next.Number, next.Origin, next.Base = evidence.NewID(), 2, transcript.Edited, v.ID
	w.Must(s.CreateTranscript(bg, next, w.entry("transcript.test")))
	english := v
	english.ID, english.Language = evidence.NewID(), "en"
	w.Must(s.CreateTranscript(bg, english, w.entry("transcript.test")))
	again := w.PlanFor(w.Victim.ID)
	again.Necessity = "New facts."
	other := v
	other.ID, other.Interview = evidence.NewID(), w.Plan(again).ID
	w.Must(s.CreateTranscript(bg, other, w.entry("transcript.test")))

	next.CertifiedBy, next.CertifiedAt, next.Bundle = "b", 7, []byte("{}")
	_, next.Certifier = evidence.Commit(transcript.FieldName, "Përkthyese A. B.")
	w.Must(s.CertifyTranscript(bg, next, w.entry("transcript.test")))
	wantErr(t, "certified twice", s.CertifyTranscript(bg, next, w.entry("transcript.test")), evidence.ErrConflict)
	list, err := s.Transcripts(bg, iv.ID)
	same(t, "versions", list, err, []transcript.Version{english, v, next})
	got, err := s.Transcript(bg, next.ID)
	same(t, "version", got, err, next)
	_, err = s.Transcript(bg, evidence.NewID())
	wantErr(t, "a version that is none", err, evidence.ErrNotFound)
	if n := len(w.Log("transcript.test")); n != 5 {
		t.Errorf("%d entries, want 5", n)
	}
}
