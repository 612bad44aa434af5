package access

import (
	"context"
	"errors"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// TranscriptRanges returns the stretches of an interview whose transcript the actor
// may read now, by the rule under which media plays: those of her grants in force
// that include the transcript. It refuses, with the reason, if there is none. It
// commits nothing: see [Service.Transcript] for a delivery.
func (s *Service) TranscriptRanges(ctx context.Context, actor evidence.Actor, interview evidence.ID) ([]evidence.Range, error) {
	_, live, err := s.transcribed(ctx, actor, interview)
	if err != nil {
		return nil, err
	}
	ranges := make([]evidence.Range, len(live))
	for i, g := range live {
		if ranges[i], err = s.spoken(ctx, g); err != nil {
			return nil, err
		}
	}
	return ranges, nil
}

// afterEnd is how far the last line of a transcript may reach beyond the last segment.
const afterEnd = 5_000_000

// spoken is what a grant gives of a transcript: its bounds, and beyond them where
// there is nothing more of the recording that a line could be about.
func (s *Service) spoken(ctx context.Context, g Grant) (evidence.Range, error) {
	r, first, last := g.Bounds, len(g.Tracks) > 0, len(g.Tracks) > 0
	for _, b := range g.Tracks {
		first = first && b.FirstIndex == 0
		_, err := s.Store.SegmentAt(ctx, b.Track, evidence.LeafMedia, b.LastIndex+1)
		if err != nil && !errors.Is(err, evidence.ErrNotFound) {
			return r, err
		}
		last = last && err != nil
	}
	if first {
		r.From = 0
	}
	if last {
		r.Until += afterEnd
	}
	return r, nil
}

// Transcript does what [Service.TranscriptRanges] does for the delivery of a version,
// and returns once the custody entries that name stretch and version are committed,
// one for each grant.
func (s *Service) Transcript(ctx context.Context, actor evidence.Actor, interview, version evidence.ID) ([]evidence.Range, error) {
	ranges, err := s.transcript(ctx, actor, interview, version)
	if errors.Is(err, errEnded) {
		// The grant ended between decision and entry: the decision says why.
		ranges, err = s.transcript(ctx, actor, interview, version)
	}
	return ranges, err
}

func (s *Service) transcript(ctx context.Context, actor evidence.Actor, interview, version evidence.ID) ([]evidence.Range, error) {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return nil, err
	}
	v, live, err := s.transcribed(ctx, actor, interview)
	if err != nil {
		return nil, s.refused(ctx, actor, v, interview, "", now, err)
	}
	var ranges []evidence.Range
	for _, g := range live {
		entry := custody.Entry{Actor: actor, Action: EntryTranscript, Agency: v.OwnedBy, Case: v.Case, Interview: interview, Subject: g.ID,
			Details: map[string]string{"from": number(g.Bounds.From), "until": number(g.Bounds.Until), "transcript": string(version)}}
		if err := s.logOnce(ctx, previewKey{actor.Account, actor.Session, g.ID, version, g.Bounds}, g, entry, now); err != nil {
			return nil, err
		}
		r, err := s.spoken(ctx, g)
		if err != nil {
			return nil, err
		}
		ranges = append(ranges, r)
	}
	return ranges, nil
}

// transcribed returns the grants in force that include the transcript.
func (s *Service) transcribed(ctx context.Context, actor evidence.Actor, interview evidence.ID) (Viewing, []Grant, error) {
	v, live, err := s.live(ctx, actor, interview)
	if err != nil {
		return v, nil, err
	}
	var out []Grant
	for _, g := range live {
		if g.Transcript {
			out = append(out, g)
		}
	}
	if len(out) == 0 {
		return v, nil, evidence.Refuse(evidence.ErrRefused, "transcript.no_grant", "No grant of yours includes the transcript. Ask for one that does.", "P28")
	}
	return v, out, nil
}

// logOnce commits the entry of a delivery under a grant, unless the same was
// committed for the same session a moment ago.
func (s *Service) logOnce(ctx context.Context, key previewKey, g Grant, entry custody.Entry, now evidence.Instant) error {
	s.mu.Lock()
	for k, at := range s.previews {
		if now-at >= previewAgain || now < at {
			delete(s.previews, k)
		}
	}
	_, committed := s.previews[key]
	s.mu.Unlock()
	if committed {
		return nil
	}
	err := s.Store.LogPreview(ctx, g.ID, entry)
	if errors.Is(err, evidence.ErrConflict) {
		return fmt.Errorf("%w: %w", errEnded, err)
	}
	if err != nil {
		return fmt.Errorf("logging %s of interview %s: %w", entry.Action, g.Interview, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.previews[key] = now
	return nil
}
