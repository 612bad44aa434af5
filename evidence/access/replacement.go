package access

import (
	"context"

	"github.com/toldonce/toldonce/evidence"
)

// A grant names segments of tracks that were received live. What its source handed
// over later, in place of what was lost of one, lies on a track of its own: a
// grant gives it as far as it lies within the range that it gives of the original.

// gives reports whether the bounds, of the track or of the one that it replaces,
// give a media leaf of the track.
func (b TrackBounds) gives(track evidence.Track, l evidence.Leaf) bool {
	if track.Replaces != "" {
		return b.Range.Contains(l.Range())
	}
	return l.Index >= b.FirstIndex && l.Index <= b.LastIndex
}

// boundReplacements widens the range of a grant's tracks to replacements that lie
// in what was asked for, beside the segments of the original.
func (s *Service) boundReplacements(ctx context.Context, g *Grant, tracks []evidence.Track, asked evidence.Range) error {
	for _, track := range tracks {
		if track.Replaces == "" {
			continue
		}
		for i := range g.Tracks {
			b := &g.Tracks[i]
			if b.Track != track.Replaces {
				continue
			}
			segments, err := s.Store.SegmentsOfTrack(ctx, track.ID, asked)
			if err != nil {
				return err
			}
			for _, segment := range segments {
				if r := segment.Leaf.Range(); segment.Leaf.Kind == evidence.LeafMedia && asked.Contains(r) {
					b.Range.From, b.Range.Until = min(b.Range.From, r.From), max(b.Range.Until, r.Until)
				}
			}
			g.Bounds.From, g.Bounds.Until = min(g.Bounds.From, b.Range.From), max(g.Bounds.Until, b.Range.Until)
		}
	}
	return nil
}

// original returns the track that a track replaces, or nothing if it was received
// live.
func (s *Service) original(ctx context.Context, grants []Grant, interview, track evidence.ID) (evidence.ID, error) {
	for _, g := range grants {
		if _, ok := g.bounds(track); ok {
			return "", nil
		}
	}
	tracks, err := s.Store.Tracks(ctx, interview)
	if err != nil {
		return "", err
	}
	for _, t := range tracks {
		if t.ID == track {
			return t.Replaces, nil
		}
	}
	return "", nil
}

// judgeReplacement decides on a segment, or an initialisation segment, of a track of
// replacements under one grant.
func (s *Service) judgeReplacement(ctx context.Context, actor evidence.Actor, v Viewing, interview evidence.ID, g Grant, original evidence.ID, segment evidence.Segment, now evidence.Instant) error {
	b, inTrack := g.bounds(original)
	l := segment.Leaf
	if inTrack && l.Kind == evidence.LeafMedia {
		inTrack = b.Range.Contains(l.Range())
	} else if inTrack {
		segments, err := s.Store.SegmentsOfTrack(ctx, l.Track, b.Range)
		if err != nil {
			return err
		}
		inTrack = false
		for _, one := range segments {
			inTrack = inTrack || one.Leaf.Kind == evidence.LeafMedia && one.Leaf.Init == l.Init && b.Range.Contains(one.Leaf.Range())
		}
	}
	// Its index is one of the track of replacements and says nothing of the
	// original's: that it lies within the range is what was asked.
	b.FirstIndex, b.LastIndex = l.Index, l.Index
	play := playFacts(g, b, inTrack, l.Index, v.Consents[g.Consent], v.Accepted[g.ID])
	return s.judge(ctx, actor, MediaPlay, evidence.Resource{Kind: KindInterview, ID: interview}, v.Standing, s.facts(actor, v.Standing, now), play)
}
