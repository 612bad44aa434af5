package web

import (
	"context"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/observation"
)

// Call is what an observer asks of the interviewer.
type Call struct {
	ID        evidence.ID      `json:"id" doc:"Call."`
	Kind      string           `json:"kind" doc:"question: to be put to the person (P15). break: a team break is asked for (P14). distress: something is wrong." enum:"question,break,distress"`
	Text      string           `json:"text,omitempty" doc:"The question, or why a break is asked for."`
	By        AccountRef       `json:"by" doc:"Who asks."`
	At        evidence.Offset  `json:"at_us" doc:"Interview time, microseconds."`
	When      time.Time        `json:"when" doc:"The same by the server's clock."`
	Outcome   string           `json:"outcome" doc:"What came of it; open while nothing has." enum:"open,relayed,not-relayed,taken,not-taken,seen"`
	SettledBy *AccountRef      `json:"settled_by,omitempty" doc:"Who answered."`
	SettledAt *evidence.Offset `json:"settled_us,omitempty" doc:"Interview time of the answer, microseconds."`
}

// OwnNote is what somebody wrote for herself.
type OwnNote struct {
	ID   evidence.ID     `json:"id" doc:"Note."`
	Text string          `json:"text" doc:"What it says."`
	At   evidence.Offset `json:"at_us" doc:"Interview time, microseconds."`
	When time.Time       `json:"when" doc:"The same by the server's clock."`
}

type callInput struct {
	IDPath
	Body struct {
		Kind string `json:"kind" enum:"question,break,distress" doc:"What it is."`
		Text string `json:"text,omitempty" maxLength:"1000" doc:"The question; for a break, why. Not taken for a distress signal."`
	}
}

type settleInput struct {
	IDPath
	Call evidence.ID `path:"call" maxLength:"64" doc:"Call."`
	Body struct {
		Outcome string `json:"outcome" enum:"relayed,not-relayed,taken,not-taken,seen" doc:"What came of it: relayed or not-relayed for a question, taken or not-taken for a break, seen for a distress signal."`
	}
}

type noteInput struct {
	IDPath
	Body struct {
		Text string `json:"text" minLength:"1" maxLength:"1000" doc:"What you want to remember. Nobody else reads it."`
	}
}

// callEvents are the events of the recording that calls are noted as.
var callEvents = map[observation.Kind]string{
	observation.Question: evidence.EventQuestion, observation.Break: evidence.EventTeamBreak, observation.Distress: evidence.EventDistress,
}

func (s *Server) callOf(ctx context.Context, c observation.Call) (Call, error) {
	by, err := s.accountRef(ctx, c.By)
	out := Call{ID: c.ID, Kind: string(c.Kind), Text: c.Text, By: by, At: c.At, When: c.Instant.Time(), Outcome: "open"}
	if err != nil || c.Outcome == observation.Open {
		return out, err
	}
	out.Outcome, out.SettledAt = string(c.Outcome), &c.SettledAt
	out.SettledBy, err = s.accountRefOrNone(ctx, c.SettledBy)
	return out, err
}

func (s *Server) listCalls(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[list[Call]], error) {
	calls, err := s.observing.Calls(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	return listErr(calls, func(c observation.Call) (Call, error) { return s.callOf(ctx, c) })
}

func (s *Server) makeCall(ctx context.Context, a evidence.Actor, in *callInput) (*answer[Call], error) {
	c, err := s.observing.Propose(ctx, a, in.ID, observation.Kind(in.Body.Kind), in.Body.Text, s.elapsed(ctx, in.ID))
	if err != nil {
		return nil, err
	}
	s.remark(ctx, a, c, "proposed", c.Text)
	return answerErr(s.callOf(ctx, c))
}

func (s *Server) settleCall(ctx context.Context, a evidence.Actor, in *settleInput) (*answer[Call], error) {
	c, err := s.observing.Settle(ctx, a, in.Call, observation.Outcome(in.Body.Outcome), s.elapsed(ctx, in.ID))
	if err != nil {
		return nil, err
	}
	s.remark(ctx, a, c, in.Body.Outcome, "")
	return answerErr(s.callOf(ctx, c))
}

// remark notes a call in the recording too. The custody log has it already.
func (s *Server) remark(ctx context.Context, a evidence.Actor, c observation.Call, value, text string) {
	if err := s.recording.Remark(ctx, a, c.Interview, callEvents[c.Kind], value, text); err != nil {
		s.log.WarnContext(ctx, "a call is not in the recording", "interview", c.Interview, "request", requestID(ctx), "error", err)
	}
}

// elapsed is interview time now; 0 where it is not known, which whoever asks next
// finds out by a better error.
func (s *Server) elapsed(ctx context.Context, interview evidence.ID) evidence.Offset {
	st, err := s.recording.Status(ctx, interview)
	if err != nil {
		return 0
	}
	return st.Elapsed
}

func (s *Server) listNotes(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[list[OwnNote]], error) {
	notes, err := s.observing.Notes(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	return listErr(notes, func(n observation.Note) (OwnNote, error) { return noteOf(n), nil })
}

func (s *Server) writeNote(ctx context.Context, a evidence.Actor, in *noteInput) (*answer[OwnNote], error) {
	n, err := s.observing.Write(ctx, a, in.ID, in.Body.Text, s.elapsed(ctx, in.ID))
	return answerErr(noteOf(n), err)
}

func noteOf(n observation.Note) OwnNote {
	return OwnNote{ID: n.ID, Text: n.Text, At: n.At, When: n.Instant.Time()}
}
