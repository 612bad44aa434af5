package access

import (
	"context"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
)

// Clippable returns the grant in force under which the actor may have a clip of a
// range, and what may be in it. It takes the grant that reaches furthest into the
// range. It refuses, with the reason, if no grant in force allows clips there.
func (s *Service) Clippable(ctx context.Context, actor evidence.Actor, interview evidence.ID, r evidence.Range) (evidence.ID, map[evidence.ID]clip.Bounds, error) {
	_, live, err := s.live(ctx, actor, interview)
	if err != nil {
		return "", nil, err
	}
	var best *Grant
	reach := evidence.Offset(0)
	for i, g := range live {
		if over := min(r.Until, g.Bounds.Until) - max(r.From, g.Bounds.From); g.Clips && over > reach {
			best, reach = &live[i], over
		}
	}
	if best == nil {
		return "", nil, evidence.Refuse(evidence.ErrRefused, "clip.no_grant", "No grant of yours that allows clips reaches there. Ask for one, or ask a custodian.", "P28")
	}
	return best.ID, best.clipBounds(), nil
}

// ClipBounds returns what a grant allows in a clip, and refuses if it is not in
// force or allows none.
func (s *Service) ClipBounds(ctx context.Context, grant evidence.ID) (map[evidence.ID]clip.Bounds, error) {
	g, err := s.Store.Grant(ctx, grant)
	if err != nil {
		return nil, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return nil, err
	}
	over := evidence.Refuse(evidence.ErrConflict, "clip.grant_over", "The grant under which this clip was asked for is not in force any more.", "P28")
	if !g.Clips || g.StateAt(now) != Active || now < g.NotBefore {
		return nil, over
	}
	if err := s.checkConsent(ctx, g); err != nil {
		return nil, over
	}
	return g.clipBounds(), nil
}

// IncludesTranscript reports whether a grant includes the transcript.
func (s *Service) IncludesTranscript(ctx context.Context, grant evidence.ID) (bool, error) {
	g, err := s.Store.Grant(ctx, grant)
	return g.Transcript, err
}

// Downloadable reports whether who asked for a clip under a grant may fetch it
// herself once it is approved.
func (s *Service) Downloadable(ctx context.Context, grant evidence.ID) (bool, error) {
	g, err := s.Store.Grant(ctx, grant)
	return err == nil && g.Gives(CoverDownload), err
}

func (g Grant) clipBounds() map[evidence.ID]clip.Bounds {
	out := map[evidence.ID]clip.Bounds{}
	for _, b := range g.Tracks {
		out[b.Track] = clip.Bounds{First: b.FirstIndex, Last: b.LastIndex}
	}
	return out
}
