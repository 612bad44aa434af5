package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
)

// LeavingCheck is the check before the child leaves.
type LeavingCheck struct {
	Verdict string `json:"verdict" doc:"complete: nothing that was measured has to be looked at; look: something has to be looked at first. What could not be measured keeps nobody. none: the recording was sealed before there was such a check." enum:"complete,look,none"`
	// Signed: see [recorder.Leaving].
	Signed     bool              `json:"signed" doc:"Whether it is the signed result, which changes no more. False while the recording is not sealed."`
	CheckedAt  *evidence.Instant `json:"checked_at_us,omitempty" doc:"When it was made, microseconds since 1970."`
	SHA256     string            `json:"sha256,omitempty" doc:"Of the signed file, as packages hold it."`
	Lines      []LeavingLine     `json:"lines" doc:"What was looked at."`
	Before     []CheckLine       `json:"before" doc:"What was looked at before the start."`
	Overruled  bool              `json:"overruled" doc:"The interview was started although a line said not to."`
	Present    []string          `json:"present" doc:"Codes of who was noted as present; while it is recorded."`
	Introduced []string          `json:"introduced" doc:"Codes of who was introduced on the recording; while it is recorded."`
}

// LeavingLine is one thing that was looked at before the child left.
type LeavingLine struct {
	Code    string      `json:"code" doc:"introduced (people who were not introduced), breaks (that were not ended), tracks (of which something is recorded), whole (ms that are missing), speech (seconds in which a voice was heard), silence (seconds), still (seconds for which the picture stood still or was dark), sync (seconds for which sound and picture were apart), copies (what the source made against what is recorded)." enum:"introduced,breaks,tracks,whole,speech,silence,still,sync,copies"`
	Verdict string      `json:"verdict" doc:"good, look or unknown." enum:"good,look,unknown"`
	Source  evidence.ID `json:"source,omitempty" doc:"The source concerned; absent for the whole recording."`
	Value   *int64      `json:"value,omitempty" doc:"What was measured, in the unit of the code."`
}

func (s *Server) leavingCheck(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[LeavingCheck], error) {
	if err := s.allow(ctx, a, access.InterviewRead, in.ID); err != nil {
		return nil, err
	}
	l, err := s.recording.Leaving(ctx, in.ID)
	if errors.Is(err, evidence.ErrNotFound) {
		l.Record.Verdict = "none" // the interview is there: it was decided on
	} else if err != nil {
		return nil, err
	}
	out := LeavingCheck{
		Verdict: l.Record.Verdict, Signed: l.File != nil, Overruled: l.Record.Overruled, Lines: []LeavingLine{}, Before: []CheckLine{},
		Present: append([]string{}, l.Present...), Introduced: append([]string{}, l.Introduced...),
	}
	if l.File != nil {
		sum := sha256.Sum256(l.File)
		out.SHA256, out.CheckedAt = hex.EncodeToString(sum[:]), &l.Record.CheckedAt
	}
	for _, c := range l.Record.After {
		out.Lines = append(out.Lines, LeavingLine(c))
	}
	for _, c := range l.Record.Before {
		out.Before = append(out.Before, CheckLine(c))
	}
	return answerErr(out, nil)
}
