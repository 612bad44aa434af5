package recorder

import (
	"context"
	"slices"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/quality"
)

// maxChecks bounds the lines of a check: four cameras, and what is one for all.
const maxChecks = 64

// precheck is what was looked at before the start.
type precheck struct {
	Checks []evidence.Check `json:"checks"`
	// Overruled: somebody started although a line said not to.
	Overruled bool `json:"overruled,omitempty"`
}

// NoteCheck keeps what was looked at before the start, in place of what was kept
// before. It becomes events of the recording when it starts. Lines of sources that
// this interview does not have are refused, and so is anything after the start.
func (r *Recorder) NoteCheck(ctx context.Context, interview evidence.ID, checks []evidence.Check, overruled bool) error {
	s, err := r.sitting(ctx, interview)
	if err != nil {
		return err
	}
	if len(checks) > maxChecks {
		return malformedCheck()
	}
	s.op.Lock()
	defer s.op.Unlock()
	if s.over() {
		return inState(s.state())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.startedLocked() {
		return inState(s.phase.State)
	}
	for _, c := range checks {
		known := c.Source == "" || slices.ContainsFunc(s.sources, func(src *source) bool { return src.ev.ID == c.Source })
		if evidence.CheckKind(c.Verdict) == "" || !slices.Contains(evidence.Prechecks, c.Code) || !known {
			return malformedCheck()
		}
		if c.Value != nil && (*c.Value > evidence.MaxInteger || *c.Value < -evidence.MaxInteger) {
			return malformedCheck()
		}
	}
	s.checked = precheck{Checks: slices.Clone(checks), Overruled: overruled}
	return nil
}

func malformedCheck() error {
	return evidence.Refuse(evidence.ErrInvalid, "check.form", "A line of the check names something that is not looked at, or a source that this interview does not have.", "")
}

// noteCheckLocked writes into the recording that begins what was looked at before.
func (s *sitting) noteCheckLocked(actor evidence.Actor) {
	c := s.checked
	for _, line := range c.Checks {
		s.eventLocked(evidence.Event{At: 0, Kind: evidence.CheckKind(line.Verdict), Source: line.Source, Value: line.Code}, "")
	}
	if c.Overruled {
		s.eventLocked(evidence.Event{At: 0, Kind: evidence.EventCheckOverruled, Actor: actor.Account}, "")
	}
	if len(c.Checks) > 0 {
		s.write(recChecked, encodeJSON(c))
	}
}

// Limits of what reaches the recorder before a start.
const (
	fewFrames  = 20 // a second; below it is to be looked at
	quietSound = -55
)

// CheckSources says of each source that is connected what of it reaches the recorder:
// frames a second, loudness, and how far sound and picture are apart.
func (r *Recorder) CheckSources(interview evidence.ID) []evidence.Check {
	out := []evidence.Check{}
	s := r.active(interview)
	if s == nil {
		return out
	}
	for _, t := range s.status().Tracks {
		if !t.Live {
			continue
		}
		line := func(code, verdict string, value *int64) {
			out = append(out, evidence.Check{Code: code, Verdict: verdict, Source: t.SourceID, Value: value})
		}
		if t.Kind == evidence.Audio {
			if t.Level == nil {
				line(evidence.CheckReceivedSound, evidence.CheckUnknown, nil)
				continue
			}
			level := int64(*t.Level)
			line(evidence.CheckReceivedSound, better(level >= quietSound), &level)
			continue
		}
		if t.Rate == 0 {
			line(evidence.CheckReceivedRate, evidence.CheckUnknown, nil)
		} else {
			rate := int64(t.Rate)
			line(evidence.CheckReceivedRate, better(rate >= fewFrames), &rate)
		}
		if t.Skew == nil {
			line(evidence.CheckSync, evidence.CheckUnknown, nil)
			continue
		}
		ms := *t.Skew / 1000
		line(evidence.CheckSync, better(!quality.TooFarApart(time.Duration(*t.Skew)*time.Microsecond)), &ms)
	}
	return out
}

func better(good bool) string {
	if good {
		return evidence.CheckGood
	}
	return evidence.CheckLook
}

// Limits of what the server's disk takes, minutes.
const (
	diskLow  = 60
	diskStop = 10
)

// CheckDisk says how many minutes of recording the server's disk takes if nothing is
// stored elsewhere.
func (r *Recorder) CheckDisk() evidence.Check {
	c := evidence.Check{Code: evidence.CheckDisk, Verdict: evidence.CheckUnknown}
	minutes := r.storage().FreeMinutes
	if minutes < 0 {
		return c
	}
	c.Value, c.Verdict = &minutes, evidence.CheckGood
	if minutes < diskLow {
		c.Verdict = evidence.CheckLook
	}
	if minutes < diskStop {
		c.Verdict = evidence.CheckStop
	}
	return c
}
