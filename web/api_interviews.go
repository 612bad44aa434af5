package web

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/casefile"
)

// listInterviews gathers those of every case that the actor may read, newest first.
func (s *Server) listInterviews(ctx context.Context, a evidence.Actor, _ *nothing) (*answer[list[Interview]], error) {
	cases, err := s.cases.Cases(ctx, a)
	if err != nil {
		return nil, err
	}
	var all []evidence.Interview
	for _, c := range cases {
		interviews, err := s.store.InterviewsOfCase(ctx, c.Case.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, interviews...)
	}
	slices.SortStableFunc(all, func(x, y evidence.Interview) int { return cmp.Compare(y.PlannedAt, x.PlannedAt) })
	return listErr(all, func(iv evidence.Interview) (Interview, error) { return s.interview(ctx, a, iv) })
}

func (s *Server) caseInterviews(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[list[Interview]], error) {
	interviews, err := s.cases.Interviews(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	return listErr(interviews, func(iv evidence.Interview) (Interview, error) { return s.interview(ctx, a, iv) })
}

func (s *Server) interview(ctx context.Context, a evidence.Actor, iv evidence.Interview) (out Interview, err error) {
	out = Interview{ID: iv.ID, Number: iv.Number, State: iv.State, Language: iv.Language, PlannedAt: iv.PlannedAt.Time(),
		StartedAt: when(iv.StartedAt), StoppedAt: when(iv.StoppedAt), SealedAt: when(iv.SealedAt), RecordingID: iv.Recording}
	if out.Case, err = s.caseRef(ctx, iv.Case); err != nil {
		return out, err
	}
	if out.Person, err = s.personRefFor(ctx, a, iv.Case, iv.Person); err != nil {
		return out, err
	}
	out.Room, err = s.roomRef(ctx, iv.Room)
	return out, err
}

func (s *Server) planInterview(ctx context.Context, a evidence.Actor, in *planInterviewInput) (*answer[Interview], error) {
	b := in.Body
	iv, err := s.cases.PlanInterview(ctx, a, casefile.NewInterview{Case: in.ID, Person: b.PersonID, Room: b.RoomID, PlannedAt: evidence.At(b.PlannedAt),
		Language: b.Language, Interviewer: b.Interviewer, Needs: b.Needs, Necessity: b.Necessity, Change: b.Change,
		Interpreter: b.Interpreter, SameSex: casefile.SameSex(b.SameSex), SameSexNote: b.SameSexNote, Reflection: b.Reflection, OwnRequest: b.OwnRequest})
	if err != nil {
		return nil, err
	}
	return answerErr(s.interview(ctx, a, iv))
}

func (s *Server) cancelInterview(ctx context.Context, a evidence.Actor, in *reasonInput) (*answer[Interview], error) {
	iv, err := s.cases.CancelInterview(ctx, a, in.ID, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return answerErr(s.interview(ctx, a, iv))
}

func (s *Server) getInterview(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[InterviewDetail], error) {
	iv, plan, err := s.cases.Interview(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	out := InterviewDetail{Missing: []Reason{}}
	if out.Interview, err = s.interview(ctx, a, iv); err != nil {
		return nil, err
	}
	if out.Plan, err = s.plan(ctx, a, iv, plan); err != nil {
		return nil, err
	}
	if out.Sources, err = s.sourcesOf(ctx, iv.ID); err != nil {
		return nil, err
	}
	if iv.State == evidence.StatePlanned || iv.State == evidence.StateReady {
		if out.Missing, err = s.missing(ctx, iv.ID); err != nil {
			return nil, err
		}
		out.Ready = len(out.Missing) == 0
	}
	if iv.State == evidence.StateSealed {
		sealed, err := s.store.SealedHead(ctx, iv.Recording)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(sealed.Manifest)
		out.Manifest = hex.EncodeToString(sum[:])
	}
	return answerOf(out), nil
}

// plan shows a plan; what it says of the person is for those who may know of her.
func (s *Server) plan(ctx context.Context, a evidence.Actor, iv evidence.Interview, p casefile.Plan) (out InterviewPlan, err error) {
	sees, err := s.seesOf(ctx, a, iv.Case)
	if err != nil {
		return out, err
	}
	out.SameSex, out.OwnRequest = cmp.Or(string(p.SameSex), string(casefile.SameSexNotAsked)), p.OwnRequest
	if sees.pseudonyms {
		out.Needs, out.Necessity, out.Change, out.Interpreter, out.SameSexNote, out.Reflection = p.Needs, p.Necessity, p.Change, p.Interpreter, p.SameSexNote, p.Reflection
	}
	if out.Interviewer, err = s.accountRef(ctx, p.Interviewer); err != nil {
		return out, err
	}
	out.PlannedBy, err = s.accountRef(ctx, p.PlannedBy)
	return out, err
}

// missing asks the gate what a start lacks.
func (s *Server) missing(ctx context.Context, interview evidence.ID) ([]Reason, error) {
	err := s.consents.Check(ctx, interview)
	var refusal *evidence.Refusal
	if errors.As(err, &refusal) {
		return reasonsOf(refusal.Reasons), nil
	}
	return []Reason{}, err
}
