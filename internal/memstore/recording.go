package memstore

import (
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/internal/world"
)

// Record seals a recording of the given tracks, as world.World asks for it.
func (s *Store) Record(iv evidence.Interview, tracks []world.Track) {
	var position int64
	for _, t := range tracks {
		segments := make([]evidence.Segment, len(t.Leaves))
		for i, l := range t.Leaves {
			segments[i] = evidence.Segment{Leaf: l, Position: position, ObjectKey: string(l.Track)}
			position++
		}
		s.AddTrack(t.Source, t.Track, segments)
	}
	s.SetState(iv.ID, evidence.StateSealed)
}

// World sets up an agency at work on a new store.
func World(t testing.TB) (*world.World, *Store) {
	t.Helper()
	s := New()
	w := world.New(t, s, s.Advance)
	w.Record, w.Log = s.Record, s.Log
	return w, s
}
