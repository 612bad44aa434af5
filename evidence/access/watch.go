package access

import (
	"context"
	"errors"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/toldonce/toldonce/evidence"
)

// consentToWatch is the purpose of consent that live observation rests on.
const consentToWatch = "observe_live"

// watchRoles are those by which somebody may watch, in the order in which they say
// what she is there for.
var watchRoles = []evidence.Role{evidence.RoleAdvocate, evidence.RoleInterviewer, evidence.RoleObserver}

// Observe decides whether somebody may watch an interview live, now (P14), and
// returns the role on the case by which she does. It needs the permission, which is
// a role on the case, and the person's valid consent to be observed live. The error
// is a refusal, evidence.ErrNotFound for who may not know of the case, or that of a
// store: then the answer is not known, and nothing may be shown.
func (s *Service) Observe(ctx context.Context, actor evidence.Actor, interview evidence.ID) (evidence.Role, error) {
	on := evidence.Resource{Kind: KindInterview, ID: interview}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return "", err
	}
	if actor.Kind != evidence.ActorPerson || actor.Account == "" {
		return "", evidence.Refuse(evidence.ErrRefused, "access.not_a_person", "Only a person who is signed in can do this.", "")
	}
	st, err := s.Store.Standing(ctx, actor.Account, on, now)
	if err != nil {
		return "", hidden(err)
	}
	consented, err := s.Store.ConsentHolds(ctx, interview, consentToWatch)
	if err != nil {
		return "", hidden(err)
	}
	facts := s.facts(actor, st, now)
	if err := s.judge(ctx, actor, InterviewWatch, on, st, facts, cedar.RecordMap{"watchConsent": types.Boolean(consented)}); err != nil {
		return "", err
	}
	for _, role := range watchRoles {
		if holds(st.Roles, role) {
			return role, nil
		}
	}
	return evidence.RoleObserver, nil
}

// hidden makes what does not exist and what somebody may not know of one answer.
func hidden(err error) error {
	if errors.Is(err, evidence.ErrNotFound) {
		return errHidden
	}
	return err
}
