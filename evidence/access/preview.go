package access

import (
	"context"
	"errors"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// previewAgain is how long a committed entry stands for the same previews, or the
// same version of a transcript, asked for again by the same session.
const previewAgain = evidence.Instant(WindowLength / time.Microsecond)

// previewKey names what was given: previews of a track, or a version of a transcript.
type previewKey struct {
	viewer, session, grant, what evidence.ID
	r                            evidence.Range
}

// Preview decides, as [Service.Deliver] does and by the same rule, of which media
// segments of a track inside r the actor may be given small pictures or loudness,
// and returns them by index once a custody entry that names track and range is
// committed, one for each grant that gives something. Nothing inside r that is
// granted is a refusal like that of a segment outside a grant.
func (s *Service) Preview(ctx context.Context, actor evidence.Actor, interview, track evidence.ID, kind evidence.PreviewKind, r evidence.Range) ([]evidence.Segment, error) {
	segments, err := s.preview(ctx, actor, interview, track, kind, r)
	if errors.Is(err, errEnded) {
		// The grant ended between decision and entry: the decision says why.
		segments, err = s.preview(ctx, actor, interview, track, kind, r)
	}
	return segments, err
}

func (s *Service) preview(ctx context.Context, actor evidence.Actor, interview, track evidence.ID, kind evidence.PreviewKind, r evidence.Range) ([]evidence.Segment, error) {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return nil, err
	}
	v, live, err := s.live(ctx, actor, interview)
	if err != nil {
		return nil, s.refused(ctx, actor, v, interview, track, now, err)
	}
	var out []evidence.Segment
	seen := map[int]bool{}
	for _, g := range live {
		segments, err := s.granted(ctx, evidence.Track{ID: track}, []Grant{g})
		if err != nil {
			return nil, err
		}
		var given evidence.Range
		fresh := false
		for _, segment := range segments {
			l := segment.Leaf
			if !l.Range().Overlaps(r) || seen[l.Index] {
				continue
			}
			if seen[l.Index] = true; !fresh {
				given, fresh = l.Range(), true
			}
			given.From, given.Until = min(given.From, l.Start), max(given.Until, l.End)
			out = append(out, segment)
		}
		if !fresh {
			continue
		}
		if err := s.logPreview(ctx, actor, v, g, track, kind, given, now); err != nil {
			return nil, err
		}
	}
	if len(out) == 0 {
		outside := evidence.Refuse(evidence.ErrRefused, "grant.outside", "This lies outside what the grant gives.", "P28")
		return nil, s.refused(ctx, actor, v, interview, track, now, outside)
	}
	return out, nil
}

func (s *Service) logPreview(ctx context.Context, actor evidence.Actor, v Viewing, g Grant, track evidence.ID, kind evidence.PreviewKind, r evidence.Range, now evidence.Instant) error {
	entry := custody.Entry{Actor: actor, Action: EntryPreview, Agency: v.OwnedBy, Case: v.Case, Interview: g.Interview, Subject: g.ID,
		Details: map[string]string{"from": number(r.From), "until": number(r.Until), "track.0": string(track), "what": string(kind)}}
	return s.logOnce(ctx, previewKey{actor.Account, actor.Session, g.ID, track, r}, g, entry, now)
}
