package observation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

const (
	maxText = 1000 // bytes of a question or a note
	// maxOpen is how many calls of one person may wait for an answer.
	maxOpen = 10
)

// Service takes calls and notes. Every method asks the policy before it acts and
// commits the custody entry with the act. Safe for concurrent use.
type Service struct {
	Store  Store
	Access evidence.Authorizer
}

func on(interview evidence.ID) evidence.Resource {
	return evidence.Resource{Kind: access.KindInterview, ID: interview}
}

func (s *Service) entry(actor evidence.Actor, action string, iv evidence.Interview, subject evidence.ID, details map[string]string) custody.Entry {
	return custody.Entry{Actor: actor, Action: action, Agency: iv.Agency, Case: iv.Case, Interview: iv.ID, Subject: subject, Details: details}
}

// running returns the interview if it is being recorded or in a break.
func (s *Service) running(ctx context.Context, interview evidence.ID) (evidence.Interview, evidence.Instant, error) {
	iv, err := s.Store.Interview(ctx, interview)
	if err != nil {
		return iv, 0, err
	}
	if iv.State != evidence.StateRecording && iv.State != evidence.StatePaused {
		return iv, 0, evidence.Refuse(evidence.ErrConflict, "interview.state", "The interview is "+string(iv.State)+"; this cannot be done now.", "")
	}
	now, err := s.Store.Now(ctx)
	return iv, now, err
}

// clean checks a text and takes what is not text out of it.
func clean(text string, needed bool) (string, error) {
	text = strings.TrimSpace(text)
	switch {
	case needed && text == "":
		return "", evidence.Refuse(evidence.ErrInvalid, "observation.text", "Write what it is about.", "P15")
	case len(text) > maxText || !utf8.ValidString(text):
		return "", evidence.Refuse(evidence.ErrInvalid, "observation.text", "The text is too long: at most 1000 bytes.", "P15")
	}
	return text, nil
}

// Propose notes what somebody in the observation room asks of the interviewer, at an
// interview time. text is the question, may be empty for a break, and is not taken for
// a distress signal.
func (s *Service) Propose(ctx context.Context, actor evidence.Actor, interview evidence.ID, kind Kind, text string, at evidence.Offset) (Call, error) {
	if err := s.Access.Authorize(ctx, actor, access.InterviewPropose, on(interview)); err != nil {
		return Call{}, err
	}
	if outcomes[kind] == nil {
		return Call{}, evidence.Refuse(evidence.ErrInvalid, "observation.kind", "A call is a question, a break or a distress signal.", "P15")
	}
	text, err := clean(text, kind == Question)
	if err != nil {
		return Call{}, err
	}
	if kind == Distress {
		text = ""
	}
	iv, now, err := s.running(ctx, interview)
	if err != nil {
		return Call{}, err
	}
	calls, err := s.Store.Calls(ctx, interview)
	if err != nil {
		return Call{}, err
	}
	open := 0
	for _, c := range calls {
		if c.By == actor.Account && c.Outcome == Open {
			open++
		}
	}
	if open >= maxOpen {
		return Call{}, evidence.Refuse(evidence.ErrConflict, "observation.many", "Ten of your calls wait for an answer already.", "P15")
	}
	c := Call{ID: evidence.NewID(), Agency: iv.Agency, Case: iv.Case, Interview: iv.ID, Kind: kind, Text: text, By: actor.Account, Role: actor.Role, At: at, Instant: now}
	entry := s.entry(actor, access.InterviewPropose, iv, c.ID, map[string]string{"kind": string(kind), "at_us": strconv.FormatInt(int64(at), 10)})
	entry.Why = text
	if err := s.Store.CreateCall(ctx, c, entry); err != nil {
		return Call{}, fmt.Errorf("a call in interview %s: %w", interview, err)
	}
	return c, nil
}

// Settle says what came of a call, at an interview time; once and for all.
func (s *Service) Settle(ctx context.Context, actor evidence.Actor, call evidence.ID, outcome Outcome, at evidence.Offset) (Call, error) {
	c, err := s.Store.Call(ctx, call)
	if err != nil {
		return Call{}, err
	}
	if err := s.Access.Authorize(ctx, actor, access.InterviewSettle, on(c.Interview)); err != nil {
		return Call{}, err
	}
	if !slices.Contains(outcomes[c.Kind], outcome) {
		return Call{}, evidence.Refuse(evidence.ErrInvalid, "observation.outcome", "A call of this kind does not end like that.", "P15")
	}
	iv, now, err := s.running(ctx, c.Interview)
	if err != nil {
		return Call{}, err
	}
	c.Outcome, c.SettledBy, c.SettledAt, c.SettledInstant = outcome, actor.Account, at, now
	details := map[string]string{"kind": string(c.Kind), "outcome": string(outcome), "at_us": strconv.FormatInt(int64(at), 10)}
	err = s.Store.SettleCall(ctx, c, s.entry(actor, access.InterviewSettle, iv, c.ID, details))
	if errors.Is(err, evidence.ErrConflict) {
		return Call{}, evidence.Refuse(evidence.ErrConflict, "observation.settled", "Somebody else answered this already.", "P15")
	}
	if err != nil {
		return Call{}, fmt.Errorf("call %s: %w", call, err)
	}
	return c, nil
}

// Calls returns an interview's calls, the oldest first.
func (s *Service) Calls(ctx context.Context, actor evidence.Actor, interview evidence.ID) ([]Call, error) {
	if err := s.Access.Authorize(ctx, actor, access.InterviewCalls, on(interview)); err != nil {
		return nil, err
	}
	return s.Store.Calls(ctx, interview)
}

// Write keeps a note for its author.
func (s *Service) Write(ctx context.Context, actor evidence.Actor, interview evidence.ID, text string, at evidence.Offset) (Note, error) {
	if err := s.Access.Authorize(ctx, actor, access.InterviewNote, on(interview)); err != nil {
		return Note{}, err
	}
	text, err := clean(text, true)
	if err != nil {
		return Note{}, err
	}
	iv, now, err := s.running(ctx, interview)
	if err != nil {
		return Note{}, err
	}
	n := Note{ID: evidence.NewID(), Agency: iv.Agency, Interview: iv.ID, Author: actor.Account, Text: text, At: at, Instant: now}
	// That there is a note is no secret; what it says stands in no log.
	entry := s.entry(actor, access.InterviewNote, iv, n.ID, map[string]string{"at_us": strconv.FormatInt(int64(at), 10)})
	if err := s.Store.CreateNote(ctx, n, entry); err != nil {
		return Note{}, fmt.Errorf("a note in interview %s: %w", interview, err)
	}
	return n, nil
}

// Notes returns the actor's own notes, the oldest first.
func (s *Service) Notes(ctx context.Context, actor evidence.Actor, interview evidence.ID) ([]Note, error) {
	if err := s.Access.Authorize(ctx, actor, access.InterviewNote, on(interview)); err != nil {
		return nil, err
	}
	return s.Store.Notes(ctx, interview, actor.Account)
}
