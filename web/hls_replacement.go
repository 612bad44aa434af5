package web

import (
	"cmp"
	"context"
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/seal"
)

// replaced puts what sources handed over later in place of what it replaces, as
// the sealed manifest says: each track plays as one.
func (s *Server) replaced(ctx context.Context, p access.Playback) ([]access.PlaybackTrack, error) {
	if !slices.ContainsFunc(p.Tracks, func(t access.PlaybackTrack) bool { return t.Track.Replaces != "" }) {
		return p.Tracks, nil
	}
	sealed, err := s.store.SealedHead(ctx, p.Recording)
	if err != nil {
		return nil, err
	}
	m, err := seal.ParseManifest(sealed.Manifest)
	if err != nil {
		return nil, err
	}
	return playedTracks(p.Tracks, m.Replacements), nil
}

// playedTracks returns the tracks that were received live, each with the segments
// that play. Only where a replacement may be played is the original left out.
func playedTracks(tracks []access.PlaybackTrack, replacements []evidence.Replacement) []access.PlaybackTrack {
	by := map[evidence.ID][]evidence.Segment{}
	for _, t := range tracks {
		if t.Track.Replaces != "" {
			by[t.Track.ID] = t.Segments
		}
	}
	out := make([]access.PlaybackTrack, 0, len(tracks))
	for _, t := range tracks {
		if t.Track.Replaces != "" {
			continue
		}
		segments := slices.Clone(t.Segments)
		for _, r := range replacements {
			if r.Track != t.Track.ID {
				continue
			}
			var put []evidence.Segment
			for _, seg := range by[r.By] {
				if seg.Leaf.Index >= r.First && seg.Leaf.Index <= r.Last {
					put = append(put, seg)
				}
			}
			if len(put) == 0 {
				continue
			}
			segments = slices.DeleteFunc(segments, func(seg evidence.Segment) bool {
				return seg.Leaf.Track == t.Track.ID && r.Instead(seg.Leaf)
			})
			segments = append(segments, put...)
		}
		slices.SortStableFunc(segments, func(a, b evidence.Segment) int {
			return cmp.Or(a.Leaf.Part-b.Leaf.Part, cmp.Compare(a.Leaf.Start, b.Leaf.Start))
		})
		t.Segments = segments
		out = append(out, t)
	}
	return out
}
