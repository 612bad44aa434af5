package casefile

import (
	"context"
	"slices"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
)

// acknowledgeWithin is how long those who are told of immediate danger have to
// acknowledge, unless whoever raises it says otherwise.
const acknowledgeWithin = 15 * time.Minute

// NewDanger says that immediate danger was disclosed.
type NewDanger struct {
	Interview evidence.ID
	// Recipients are accounts on the team; empty: the case managers, the prosecutors
	// and the advocates of the case.
	Recipients []evidence.ID
	Action     string        // what is needed now, and nothing of what was said; may be empty
	Within     time.Duration // to acknowledge; 0: 15 minutes, at most a day
}

// RaiseDanger tells named people at once that a person at an interview is in
// danger. Each of them has a duty to acknowledge with a deadline. It needs no media
// and reveals none: no grant follows from it.
func (s *Service) RaiseDanger(ctx context.Context, actor evidence.Actor, in NewDanger) (Sheet, error) {
	if err := s.Access.Authorize(ctx, actor, access.DangerRaise, evidence.Resource{Kind: access.KindInterview, ID: in.Interview}); err != nil {
		return Sheet{}, err
	}
	iv, err := s.Store.Interview(ctx, in.Interview)
	if err != nil {
		return Sheet{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Sheet{}, err
	}
	if in.Within == 0 {
		in.Within = acknowledgeWithin
	}
	if in.Within < time.Minute || in.Within > 24*time.Hour || tooLong(in.Action) {
		return Sheet{}, invalid("danger.within", "Give those who are told between a minute and a day to acknowledge.", "")
	}
	team, err := s.Store.Team(ctx, iv.Case)
	if err != nil {
		return Sheet{}, err
	}
	tells := []evidence.Role{evidence.RoleCaseManager, evidence.RoleProsecutor, evidence.RoleAdvocate}
	var recipients []evidence.ID
	for _, m := range team {
		named := slices.Contains(in.Recipients, m.Account) || len(in.Recipients) == 0 && slices.Contains(tells, m.Role)
		if named && m.At(now) && !slices.Contains(recipients, m.Account) {
			recipients = append(recipients, m.Account)
		}
	}
	if len(recipients) == 0 || len(in.Recipients) > 0 && len(recipients) != len(in.Recipients) {
		return Sheet{}, invalid("danger.recipients", "Name people on the team, each once.", "")
	}
	c := Case{ID: iv.Case, Agency: iv.Agency}
	sheets := []Sheet{NewSheet(c, Content{Danger: &Danger{Recipients: recipients, Action: prose(in.Action)}})}
	for _, to := range recipients {
		duty := NewSheet(c, Content{Duty: &Duty{Code: "danger", Text: prose(in.Action)}})
		duty.ForAccount = to
		sheets = append(sheets, duty)
	}
	for i := range sheets {
		sheets[i].Person, sheets[i].Interview, sheets[i].Due = iv.Person, iv.ID, now+micros(in.Within)
		sheets[i].By, sheets[i].At = actor.Account, now
	}
	sheets[0].Due = 0
	return sheets[0], s.save(ctx, actor, access.DangerRaise, "", sheets...)
}
