package casefile

import (
	"context"
	"errors"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/people"
)

// NewMember gives somebody a role on a case.
type NewMember struct {
	Case    evidence.ID
	Account evidence.ID
	Role    evidence.Role    // one of TeamRoles
	From    evidence.Instant // 0: now
	Until   evidence.Instant // exclusive; 0: open
}

// AddMember assigns a role on a case. An account that belongs to, or is close to,
// a suspect on the case is refused.
func (s *Service) AddMember(ctx context.Context, actor evidence.Actor, in NewMember) (Member, error) {
	on := onCase(in.Case)
	on.Subject = in.Account
	if err := s.Access.Authorize(ctx, actor, access.TeamAdd, on); err != nil {
		return Member{}, err
	}
	c, err := s.Store.Case(ctx, in.Case)
	if err != nil {
		return Member{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Member{}, err
	}
	a, err := s.Store.Account(ctx, in.Account)
	if errors.Is(err, evidence.ErrNotFound) || err == nil && a.State != people.Active && a.State != people.Invited {
		return Member{}, invalid("team.account", "There is no such account, or it is not in use.", "")
	}
	if err != nil {
		return Member{}, err
	}
	m := Member{ID: evidence.NewID(), Agency: c.Agency, Case: c.ID, Account: a.ID, Role: in.Role, From: in.From, Until: in.Until, AddedBy: actor.Account, AddedAt: now}
	if m.From == 0 {
		m.From = now
	}
	switch {
	case !CanHold(a.Role, m.Role):
		return Member{}, invalid("team.role", "An account can be given its own role on a case, or that of an observer. Administrators, custodians and auditors have no place in a team.", "")
	case m.Until != 0 && (m.Until <= m.From || m.Until <= now):
		return Member{}, invalid("team.times", "The end of the role must lie in the future and after its beginning.", "")
	}
	entry := custody.Entry{Actor: actor, Action: access.TeamAdd, Agency: c.Agency, Case: c.ID, Subject: m.ID, Details: map[string]string{
		"account": string(a.ID), "role": string(m.Role), "from": fmt.Sprint(int64(m.From)), "until": fmt.Sprint(int64(m.Until))}}
	if err := s.Store.AddMember(ctx, m, entry); err != nil {
		if errors.Is(err, evidence.ErrConflict) {
			return Member{}, evidence.Refuse(evidence.ErrConflict, "team.already", "This account has this role on the case already.", "")
		}
		return Member{}, fmt.Errorf("adding a member to case %s: %w", c.ID, err)
	}
	return m, nil
}

// Team lists everyone who has or had a role on a case, in order of joining.
func (s *Service) Team(ctx context.Context, actor evidence.Actor, id evidence.ID) ([]Member, error) {
	if err := s.Access.Authorize(ctx, actor, access.CaseRead, onCase(id)); err != nil {
		return nil, err
	}
	return s.Store.Team(ctx, id)
}

// RemoveMember ends a role on a case. What the account was granted stops at once,
// because it can be played only by somebody with a role on the case. The last
// case manager cannot be removed: name another first.
func (s *Service) RemoveMember(ctx context.Context, actor evidence.Actor, id, member evidence.ID, reason string) error {
	if err := s.Access.Authorize(ctx, actor, access.TeamRemove, onCase(id)); err != nil {
		return err
	}
	if reason = prose(reason); tooLong(reason) {
		return invalid("team.reason", "The reason has at most 2000 bytes.", "P23")
	}
	team, err := s.Store.Team(ctx, id)
	if err != nil {
		return err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return err
	}
	var gone Member
	managers := 0
	for _, m := range team {
		if m.ID == member {
			gone = m
		} else if m.Role == evidence.RoleCaseManager && m.At(now) {
			managers++
		}
	}
	switch {
	case gone.ID == "":
		return fmt.Errorf("member of case %s: %w", id, evidence.ErrNotFound)
	case gone.Role == evidence.RoleCaseManager && managers == 0:
		return evidence.Refuse(evidence.ErrConflict, "team.last_manager", "A case needs a manager. Name another before this one leaves.", "")
	}
	entry := custody.Entry{Actor: actor, Action: access.TeamRemove, Agency: gone.Agency, Case: id, Subject: gone.ID, Why: reason,
		Details: map[string]string{"account": string(gone.Account), "role": string(gone.Role)}}
	if err := s.Store.EndMember(ctx, gone.ID, actor.Account, now, entry); err != nil {
		return fmt.Errorf("ending a role on case %s: %w", id, err)
	}
	return nil
}
