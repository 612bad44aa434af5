package disclosure

import (
	"context"
	"errors"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/seal"
)

// errNoClip is the refusal for a range in which no whole segment lies.
func errNoClip() error {
	return evidence.Refuse(evidence.ErrInvalid, "clip.nothing", "No whole segment that you may have lies in this range. Ask for a longer one, or let the clip grow outward.", "P28")
}

// askClip completes an export with the clip that was asked for, and cuts it once,
// so that what cannot be cut is refused now.
func (s *Service) askClip(ctx context.Context, actor evidence.Actor, iv evidence.Interview, r ClipRequest, e *Export) error {
	e.Content, e.Asked, e.Outward = ClipOfRecording, r.Range, r.Outward
	allowed, err := s.allowed(ctx, actor, e)
	if err != nil {
		return err
	}
	head, err := s.Store.SealedHead(ctx, iv.Recording)
	if err != nil {
		return err
	}
	m, err := seal.ParseManifest(head.Manifest)
	if err != nil {
		return err
	}
	if r.Source != "" && r.Source != "all" {
		for _, source := range m.Sources {
			if r.Source == source.Name || r.Source == string(source.ID) {
				e.Source = source.ID
			}
		}
		if e.Source == "" {
			return evidence.Refuse(evidence.ErrInvalid, "clip.source", `The interview has no such source. Name one of its sources, or "all".`, "")
		}
	}
	_, err = s.cut(ctx, head.Manifest, m, *e, allowed)
	return err
}

// allowed says what may be in a clip that the actor asks for: a custodian's may hold
// all, anybody else's what a grant gives.
func (s *Service) allowed(ctx context.Context, actor evidence.Actor, e *Export) (map[evidence.ID]clip.Bounds, error) {
	if actor.Role == evidence.RoleCustodian {
		return nil, nil
	}
	grant, bounds, err := s.Grants.Clippable(ctx, actor, e.Interview, e.Asked)
	e.Grant = grant
	if errors.Is(err, evidence.ErrNotFound) {
		// She may know of the interview: that was decided before.
		err = evidence.Refuse(evidence.ErrRefused, "clip.no_grant", "No grant of yours that allows clips reaches there. Ask for one, or ask a custodian.", "P28")
	}
	return bounds, err
}

func (s *Service) cut(ctx context.Context, manifest []byte, m evidence.Manifest, e Export, allowed map[evidence.ID]clip.Bounds) (clip.Clip, error) {
	c, err := clip.Cut(ctx, manifest, m, s.Store, clip.Asked{Range: e.Asked, Outward: e.Outward, Allowed: allowed, Source: e.Source})
	if errors.Is(err, clip.ErrNothing) {
		return c, errNoClip()
	}
	if err != nil {
		return c, fmt.Errorf("cutting a clip of interview %s: %w", e.Interview, err)
	}
	return c, nil
}
