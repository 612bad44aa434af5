package access

import (
	"context"
	"slices"

	"github.com/toldonce/toldonce/evidence"
)

// Playback is what somebody may play of an interview now.
type Playback struct {
	Interview evidence.ID
	Recording evidence.ID
	Grants    []Grant          // those in force, the oldest first; without purpose and basis
	Until     evidence.Instant // when the last of them ends if nothing changes
	Tracks    []PlaybackTrack  // in the order of the interview's tracks
}

// PlaybackTrack is what may be played of one track.
type PlaybackTrack struct {
	Track    evidence.Track
	Segments []evidence.Segment // media, by index, each once
}

// Live reports until when, if nothing changes, something of the interview may be
// played by the actor. It refuses and hides as [Service.Deliver] does, and logs
// nothing: a player asks every second.
func (s *Service) Live(ctx context.Context, actor evidence.Actor, interview evidence.ID) (evidence.Instant, error) {
	_, live, err := s.live(ctx, actor, interview)
	return latest(live), err
}

// Playback returns exactly the segments that the actor may play now, under all
// grants in force; only of the sources named, if any is. It refuses and hides as [Service.Deliver] does. It tells where
// segments lie and delivers nothing; Deliver decides on each again.
func (s *Service) Playback(ctx context.Context, actor evidence.Actor, interview evidence.ID, sources ...evidence.ID) (Playback, error) {
	v, live, err := s.live(ctx, actor, interview)
	if err != nil {
		return Playback{}, err
	}
	p := Playback{Interview: interview, Recording: v.Recording, Grants: live, Until: latest(live)}
	tracks, err := s.Store.Tracks(ctx, interview)
	if err != nil {
		return Playback{}, err
	}
	for _, track := range tracks {
		if len(sources) > 0 && !slices.Contains(sources, track.Source) {
			continue
		}
		segments, err := s.granted(ctx, track, live)
		if err != nil {
			return Playback{}, err
		}
		if len(segments) > 0 {
			p.Tracks = append(p.Tracks, PlaybackTrack{Track: track, Segments: segments})
		}
	}
	return p, nil
}

func latest(grants []Grant) (until evidence.Instant) {
	for _, g := range grants {
		until = max(until, g.NotAfter)
	}
	return until
}

// live returns the grants under which the actor may play something now, or why
// there is none.
func (s *Service) live(ctx context.Context, actor evidence.Actor, interview evidence.ID) (Viewing, []Grant, error) {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Viewing{}, nil, err
	}
	v, err := s.viewing(ctx, actor, interview, now)
	if err != nil {
		return v, nil, err
	}
	var live []Grant
	var refusal error
	for _, g := range v.Grants {
		err := s.judgeGrant(ctx, actor, v, g, v.Accepted[g.ID], now)
		switch {
		case err == nil:
			live = append(live, g)
		case refusal == nil || g.StateAt(now) == Active:
			refusal = err
		}
	}
	if len(live) > 0 {
		refusal = nil
	}
	return v, live, refusal
}

// granted returns the union of what grants give of a track. Of a track of
// replacements they give what lies in the range that they give of the original.
func (s *Service) granted(ctx context.Context, track evidence.Track, grants []Grant) ([]evidence.Segment, error) {
	original := track.ID
	if track.Replaces != "" {
		original = track.Replaces
	}
	var reach evidence.Range
	var bounds []TrackBounds
	for _, g := range grants {
		b, ok := g.bounds(original)
		if !ok {
			continue
		}
		if len(bounds) == 0 {
			reach = b.Range
		}
		reach.From, reach.Until = min(reach.From, b.Range.From), max(reach.Until, b.Range.Until)
		bounds = append(bounds, b)
	}
	if len(bounds) == 0 {
		return nil, nil
	}
	all, err := s.Store.SegmentsOfTrack(ctx, track.ID, reach)
	if err != nil {
		return nil, err
	}
	var out []evidence.Segment
	for _, segment := range all {
		if segment.Leaf.Kind != evidence.LeafMedia {
			continue
		}
		for _, b := range bounds {
			if b.gives(track, segment.Leaf) {
				out = append(out, segment)
				break
			}
		}
	}
	return out, nil
}
