package recorder

import (
	"context"
	"fmt"
	"strings"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/leaving"
)

const actionLeaving = "interview.check"

// Leaving is the check before the child leaves: while it is recorded what it would be
// now, and from the seal on what was signed.
type Leaving struct {
	Record leaving.Record
	// File is the signed check; nil while the recording is not sealed.
	File []byte
	// Present are the people who were noted as present, and Introduced those who were
	// introduced on the recording, by the codes of their markers, in order.
	Present, Introduced []string
}

// Leaving looks at an interview that is being recorded or is sealed. The error wraps
// [evidence.ErrNotFound] for one that was sealed before there was such a check, and
// [evidence.ErrConflict] before the start.
func (r *Recorder) Leaving(ctx context.Context, interview evidence.ID) (Leaving, error) {
	if s := r.active(interview); s != nil {
		return s.leavingNow()
	}
	iv, err := r.cfg.Store.Interview(ctx, interview)
	if err != nil {
		return Leaving{}, err
	}
	if iv.State != evidence.StateSealed {
		return Leaving{}, inState(iv.State)
	}
	sealed, err := r.cfg.Store.SealedHead(ctx, iv.Recording)
	if err != nil {
		return Leaving{}, err
	}
	if len(sealed.Leaving) == 0 {
		return Leaving{}, fmt.Errorf("check of interview %s: %w", interview, evidence.ErrNotFound)
	}
	_, record, err := leaving.Parse(sealed.Leaving)
	return Leaving{Record: record, File: sealed.Leaving}, err
}

func (s *sitting) leavingNow() (Leaving, error) {
	s.mu.Lock()
	if !s.startedLocked() {
		s.mu.Unlock()
		return Leaving{}, inState(s.phase.State)
	}
	m, heard, before := s.outlineLocked(), s.heardLocked(), s.checked
	at := s.wallLocked()
	if m.StoppedAt == 0 { // what goes on now lasts until now
		m.Events = append(m.Events, evidence.Event{Kind: evidence.EventStop, At: s.nowLocked()})
	}
	s.mu.Unlock()
	record := leaving.Make(m, nil, before.Checks, before.Overruled, heard, at)
	for i := range record.After {
		// What the source made and what arrived are compared at the stop.
		if record.After[i].Code == leaving.Copies {
			record.After[i].Verdict = evidence.CheckUnknown
		}
	}
	record.Verdict = leaving.VerdictOf(record.After)
	out := Leaving{Record: record}
	for _, e := range m.Events {
		if e.Kind != evidence.EventMarker {
			continue
		}
		if who, ok := strings.CutPrefix(e.Value, leaving.PresentMarker); ok {
			out.Present = append(out.Present, who)
		}
		if who, ok := strings.CutPrefix(e.Value, leaving.IntroducedMarker); ok {
			out.Introduced = append(out.Introduced, who)
		}
	}
	return out, nil
}

func (s *sitting) heardLocked() []leaving.Heard {
	out := []leaving.Heard{}
	for _, src := range s.sources {
		if src.levels {
			out = append(out, leaving.Heard{Source: src.ev.ID, Seconds: src.heard})
		}
	}
	return out
}

// leaving makes the signed check of a manifest that is being sealed, puts it into the
// record, and returns its custody entry.
func (s *sitting) leaving(ctx context.Context, m evidence.Manifest, manifest []byte, record *evidence.SealedRecording) (*custody.Entry, error) {
	s.mu.Lock()
	heard, before := s.heardLocked(), s.checked
	s.mu.Unlock()
	check := leaving.Make(m, manifest, before.Checks, before.Overruled, heard, record.SealedAt)
	text, err := evidence.Canonical(check)
	if err != nil {
		return nil, err
	}
	sealed, err := s.r.cfg.Seal.SealFile(ctx, leaving.FileName, text, leaving.PredicateType, leaving.PredicateOf(check))
	if err != nil {
		return nil, fmt.Errorf("signing the check: %w", err)
	}
	if record.Leaving, err = leaving.Encode(text, sealed.Bundle); err != nil {
		return nil, err
	}
	return s.entry(s.stopper(), actionLeaving, s.iv.Recording, map[string]string{"verdict": check.Verdict, "sha256": envelope.Sum(record.Leaving).SHA256}), nil
}
