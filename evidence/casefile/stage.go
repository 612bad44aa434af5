package casefile

import (
	"context"
	"fmt"
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

// StageChange moves a case on.
type StageChange struct {
	Stage     Stage
	Why       string
	Authority string           // by what authority; may be empty
	Next      string           // the next step; may be empty
	Due       evidence.Instant // by when, with Next; 0: no deadline
}

// SetStage moves a case on, with the reason and the authority for it, and writes
// that down. The next step is the case manager's duty.
func (s *Service) SetStage(ctx context.Context, actor evidence.Actor, id evidence.ID, in StageChange) (Case, error) {
	if err := s.Access.Authorize(ctx, actor, access.CaseStage, onCase(id)); err != nil {
		return Case{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Case{}, err
	}
	in.Why, in.Authority, in.Next = prose(in.Why), prose(in.Authority), prose(in.Next)
	switch {
	case !slices.Contains(Stages, in.Stage):
		return Case{}, invalid("case.stage", "Choose one of the stages of a case.", "")
	case in.Why == "" || tooLong(in.Why, in.Authority, in.Next):
		return Case{}, invalid("case.stage.reason", "Say why the case moves on, in at most 2000 bytes.", "P23")
	case in.Due != 0 && (in.Next == "" || in.Due <= now):
		return Case{}, invalid("case.stage.next", "A deadline lies in the future and belongs to a next step.", "")
	}
	c, err := s.Store.Case(ctx, id)
	if err != nil {
		return Case{}, err
	}
	entry := custody.Entry{Actor: actor, Action: access.CaseStage, Agency: c.Agency, Case: c.ID, Subject: c.ID, Why: in.Why, Authority: in.Authority,
		Details: map[string]string{"from": string(c.Stage), "to": string(in.Stage)}}
	sheet := NewSheet(c, Content{Stage: &StageStep{From: c.Stage, To: in.Stage, Why: in.Why, Authority: in.Authority, Next: in.Next}})
	sheet.By, sheet.At = actor.Account, now
	if in.Next != "" {
		sheet.ForRole, sheet.Due = evidence.RoleCaseManager, in.Due
	} else {
		sheet.ClosedBy, sheet.ClosedAt = actor.Account, now // nothing follows
	}
	written, err := sheet.Entry(actor, access.EntryFile)
	if err != nil {
		return Case{}, err
	}
	if err := s.Store.SetStage(ctx, c, in.Stage, sheet, []custody.Entry{written, entry}); err != nil {
		return Case{}, fmt.Errorf("moving case %s on: %w", id, err)
	}
	return s.Store.Case(ctx, id)
}

// needed are the roles that a stage cannot do without.
var needed = map[Stage][]evidence.Role{
	Referral:       {evidence.RoleCaseManager},
	Identification: {evidence.RoleCaseManager, evidence.RoleAdvocate},
	Protection:     {evidence.RoleCaseManager, evidence.RoleAdvocate},
	Assistance:     {evidence.RoleCaseManager, evidence.RoleAdvocate},
	Proceedings:    {evidence.RoleCaseManager, evidence.RoleAdvocate, evidence.RoleInterviewer, evidence.RoleProsecutor},
	Reintegration:  {evidence.RoleCaseManager, evidence.RoleAdvocate},
}

// Unfilled returns the roles that a stage needs and nobody on the team holds at a time.
func Unfilled(stage Stage, team []Member, now evidence.Instant) []evidence.Role {
	var out []evidence.Role
	for _, role := range needed[stage] {
		if !slices.ContainsFunc(team, func(m Member) bool { return m.Role == role && m.At(now) }) {
			out = append(out, role)
		}
	}
	return out
}
