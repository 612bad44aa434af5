package web

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/recorder/hostclock"
)

// Precheck is what the server says before an interview begins.
type Precheck struct {
	// Received and Answered are for telling two clocks apart, as in RFC 5905 section 8.
	Received int64       `json:"received_us" doc:"When the server received the request, microseconds since 1970 by its clock."`
	Answered int64       `json:"answered_us" doc:"When it answered."`
	Lines    []CheckLine `json:"lines" doc:"What was looked at."`
}

// CheckLine is one thing that was looked at.
type CheckLine struct {
	Code    string      `json:"code" doc:"What was looked at: picture-size (pixels high), picture-rate (frames a second), picture-moves (seconds for which it stands still), picture-light (mean brightness, percent), sound-level (loudest, dBFS), sound-clipping (samples in a million that are cut off), sound-noise (speech above noise, dB), received-rate (frames a second at the recorder), received-sound (dBov), sync (by how much the picture comes later than its sound, ms), device-clock (ahead of the server's, ms), server-clock (how far it may be off, ms), disk-minutes, object-store, database." enum:"picture-size,picture-rate,picture-moves,picture-light,sound-level,sound-clipping,sound-noise,received-rate,received-sound,sync,device-clock,server-clock,disk-minutes,object-store,database"`
	Verdict string      `json:"verdict" doc:"good; look: somebody has to look at it, and the interview may begin; stop: a reason not to begin; unknown: it could not be measured." enum:"good,look,stop,unknown"`
	Source  evidence.ID `json:"source,omitempty" doc:"The source concerned; absent for the server and the device."`
	Value   *int64      `json:"value,omitempty" doc:"What was measured, in the unit of the code."`
}

// measuredLine is a line that a page measured.
type measuredLine struct {
	Code    string      `json:"code" doc:"What the page looked at." enum:"picture-size,picture-rate,picture-moves,picture-light,sound-level,sound-clipping,sound-noise,device-clock"`
	Verdict string      `json:"verdict" doc:"As in the answer." enum:"good,look,stop,unknown"`
	Source  evidence.ID `json:"source,omitempty" maxLength:"64" doc:"The source concerned."`
	Value   *int64      `json:"value,omitempty" doc:"What was measured, in the unit of the code." minimum:"-9007199254740991" maximum:"9007199254740991"`
}

type precheckInput struct {
	IDPath
	Body struct {
		Lines     []measuredLine `json:"lines" maxItems:"40" doc:"What the page measured. What the server measures it adds itself."`
		Overruled bool           `json:"overruled,omitempty" doc:"Somebody starts although a line says not to."`
	}
}

// serverClockGood is how far the server's clock may be off against its time source
// before somebody has to look at it.
const serverClockGood = time.Second

func (s *Server) precheck(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Precheck], error) {
	received := s.clock()
	if err := s.allow(ctx, a, access.InterviewStart, in.ID); err != nil {
		return nil, err
	}
	return answerErr(s.shown(received, s.serverChecks(ctx, in.ID)), nil)
}

func (s *Server) notePrecheck(ctx context.Context, a evidence.Actor, in *precheckInput) (*answer[Precheck], error) {
	received := s.clock()
	if err := s.allow(ctx, a, access.InterviewStart, in.ID); err != nil {
		return nil, err
	}
	checks := make([]evidence.Check, 0, len(in.Body.Lines)+16)
	for _, l := range in.Body.Lines {
		checks = append(checks, evidence.Check(l))
	}
	checks = append(checks, s.serverChecks(ctx, in.ID)...)
	if err := s.recording.NoteCheck(ctx, in.ID, checks, in.Body.Overruled); err != nil {
		return nil, err
	}
	return answerErr(s.shown(received, checks), nil)
}

func (s *Server) shown(received time.Time, checks []evidence.Check) Precheck {
	out := Precheck{Received: received.UnixMicro(), Lines: make([]CheckLine, 0, len(checks))}
	for _, c := range checks {
		out.Lines = append(out.Lines, CheckLine(c))
	}
	out.Answered = s.clock().UnixMicro()
	return out
}

// serverChecks looks at what the server can say by itself.
func (s *Server) serverChecks(ctx context.Context, interview evidence.ID) []evidence.Check {
	out := s.recording.CheckSources(interview)
	out = append(out, clockCheck(hostclock.Read()), s.recording.CheckDisk())
	return append(out, s.reachable(ctx)...)
}

// clockCheck judges the server's clock.
func clockCheck(c hostclock.State) evidence.Check {
	out := evidence.Check{Code: evidence.CheckServerClock, Verdict: evidence.CheckUnknown}
	switch {
	case !c.Known:
	case !c.Synchronised:
		out.Verdict = evidence.CheckLook
	default:
		ms := c.MaxError.Milliseconds()
		out.Value, out.Verdict = &ms, evidence.CheckGood
		if c.MaxError > serverClockGood {
			out.Verdict = evidence.CheckLook
		}
	}
	return out
}

// reachable asks the stores. A recording that runs goes on without either; without
// the database none begins.
func (s *Server) reachable(ctx context.Context) []evidence.Check {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	stores := []struct{ probe, code, without string }{
		{"objects", evidence.CheckObjects, evidence.CheckLook},
		{"database", evidence.CheckDatabase, evidence.CheckStop},
	}
	out := make([]evidence.Check, len(stores))
	var wg sync.WaitGroup
	for i, store := range stores {
		out[i] = evidence.Check{Code: store.code, Verdict: evidence.CheckUnknown}
		at := slices.IndexFunc(s.probes, func(p Probe) bool { return p.Name == store.probe })
		if at < 0 {
			continue
		}
		wg.Go(func() {
			out[i].Verdict = evidence.CheckGood
			if err := s.probes[at].Check(ctx); err != nil {
				s.log.WarnContext(ctx, "not reachable", "probe", store.probe, "error", err)
				out[i].Verdict = store.without
			}
		})
	}
	wg.Wait()
	return out
}
