package access_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
)

func (s *scene) preview(track int, from, until evidence.Offset) ([]evidence.Segment, error) {
	return s.Access.Preview(ctx, s.actor(evidence.RoleProsecutor), s.iv.ID, s.tracks[track].Track.ID, evidence.PreviewPictures, evidence.Range{From: from, Until: until})
}

func TestPreviewsLieInsideTheGrantAlone(t *testing.T) {
	s := newScene(t)
	if _, err := s.preview(0, 0, 60*second); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("without any grant: %v", err)
	}
	g := s.grant()
	for i := range s.tracks {
		b := g.Tracks[i]
		segments, err := s.preview(i, 0, 60*second)
		if err != nil || len(segments) != b.LastIndex-b.FirstIndex+1 || segments[0].Leaf.Index != b.FirstIndex || segments[len(segments)-1].Leaf.Index != b.LastIndex {
			t.Errorf("track %d: %d segments, %v, want %d to %d", i, len(segments), err, b.FirstIndex, b.LastIndex)
		}
	}
	entries := s.mem.Log(access.EntryPreview)
	if len(entries) != len(s.tracks) {
		t.Fatalf("%d entries for %d tracks", len(entries), len(s.tracks))
	}
	e, b := entries[0], g.Tracks[0]
	if e.Subject != g.ID || e.Interview != s.iv.ID || e.Case != s.Case.ID || e.Details["track.0"] != string(b.Track) || e.Details["what"] != "pictures" ||
		e.Details["from"] != fmt.Sprint(int64(b.Range.From)) || e.Details["until"] != fmt.Sprint(int64(b.Range.Until)) {
		t.Errorf("entry %+v", e)
	}
	if _, err := s.preview(0, 0, 60*second); err != nil || len(s.mem.Log(access.EntryPreview)) != len(s.tracks) {
		t.Errorf("asked again at once: %v, %d entries", err, len(s.mem.Log(access.EntryPreview)))
	}
	s.mem.Advance(access.WindowLength)
	if _, err := s.preview(0, 0, 60*second); err != nil || len(s.mem.Log(access.EntryPreview)) != len(s.tracks)+1 {
		t.Errorf("asked again later: %v, %d entries", err, len(s.mem.Log(access.EntryPreview)))
	}
	if _, err := s.preview(0, 40*second, 60*second); codeOf(err) != "grant.outside" || len(s.mem.Log(access.EntryRefuse)) == 0 {
		t.Errorf("outside the grant: %v", err)
	}
	_, err := s.Access.RevokeGrant(ctx, s.actor(evidence.RoleCustodian), g.ID, "the need is over")
	s.Must(err)
	if _, err := s.preview(0, 0, 60*second); codeOf(err) != "grant.revoked" {
		t.Errorf("after revocation: %v", err)
	}
}

func TestNoPreviewBehindARevocationOrWithoutTheLog(t *testing.T) {
	s := newScene(t)
	g := s.grant()
	s.mem.FailBefore[access.EntryPreview] = true
	if segments, err := s.preview(0, 0, 60*second); err == nil || segments != nil {
		t.Errorf("without its entry: %d segments, %v", len(segments), err)
	}
	s.mem.FailBefore[access.EntryPreview] = false
	s.mem.BeforeWindow = func() {
		s.mem.BeforeWindow = nil
		_, err := s.Access.RevokeGrant(ctx, s.actor(evidence.RoleCustodian), g.ID, "the need is over")
		s.Must(err)
	}
	if _, err := s.preview(0, 0, 60*second); codeOf(err) != "grant.revoked" {
		t.Errorf("revoked in between: %v", err)
	}
	if n := len(s.mem.Log(access.EntryPreview)); n != 0 {
		t.Errorf("%d previews in the log", n)
	}
}
