package casefile

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/text/language"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

// NewInterview plans an interview.
type NewInterview struct {
	Case        evidence.ID
	Person      evidence.ID // a victim or witness on the case
	Room        evidence.ID
	PlannedAt   evidence.Instant
	Language    string      // BCP 47
	Interviewer evidence.ID // account with the role on the case; empty: the actor
	Needs       string      // P7, required
	Necessity   string      // P3, required from the second interview on
	Change      string      // P4, required if the interviewer is not the same as last time
	Interpreter string      // who interprets; may be empty
	SameSex     SameSex     // P2; empty: not asked
	SameSexNote string      // why the wish was not met
	Reflection  string      // why inside the reflection period
	OwnRequest  bool        // she asked for it herself
}

// PlanInterview plans an interview. The number of earlier interviews of the person
// is counted on the case; one more needs a written reason (P3), a different
// interviewer another (P4). The interview becomes ready as soon as everything that
// a start needs is there.
func (s *Service) PlanInterview(ctx context.Context, actor evidence.Actor, in NewInterview) (evidence.Interview, error) {
	on := onCase(in.Case)
	on.Subject = in.Interviewer
	if err := s.Access.Authorize(ctx, actor, access.InterviewPlan, on); err != nil {
		return evidence.Interview{}, err
	}
	c, err := s.Store.Case(ctx, in.Case)
	if err != nil {
		return evidence.Interview{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return evidence.Interview{}, err
	}
	iv := evidence.Interview{ID: evidence.NewID(), Agency: c.Agency, Case: c.ID, Recording: evidence.NewID(), Person: in.Person, Room: in.Room,
		State: evidence.StatePlanned, PlannedAt: in.PlannedAt, Language: in.Language, Version: 1}
	p := Plan{Interview: iv.ID, Agency: c.Agency, Interviewer: in.Interviewer, Needs: prose(in.Needs), Necessity: prose(in.Necessity), Change: prose(in.Change),
		Interpreter: line(in.Interpreter), SameSex: in.SameSex, SameSexNote: prose(in.SameSexNote), Reflection: prose(in.Reflection), OwnRequest: in.OwnRequest,
		PlannedBy: actor.Account, PlannedAt: now}
	if p.SameSex == "" {
		p.SameSex = SameSexNotAsked
	}
	if p.Interviewer == "" {
		p.Interviewer = actor.Account
	}
	if c.Stage == Closed {
		return evidence.Interview{}, evidence.Refuse(evidence.ErrConflict, "case.closed", "The case is closed; no interview can be planned.", "")
	}
	if err := s.checkPlan(ctx, iv, p, now); err != nil {
		return evidence.Interview{}, err
	}
	if err := s.checkWishes(ctx, iv, p); err != nil {
		return evidence.Interview{}, err
	}
	earlier, err := s.checkEarlier(ctx, iv, p)
	if err != nil {
		return evidence.Interview{}, err
	}
	entry := custody.Entry{Actor: actor, Action: access.InterviewPlan, Agency: c.Agency, Case: c.ID, Interview: iv.ID, Subject: iv.ID, Why: p.Necessity,
		Details: map[string]string{"person": string(iv.Person), "room": string(iv.Room), "interviewer": string(p.Interviewer), "earlier": fmt.Sprint(earlier),
			"interviewer_changed": fmt.Sprint(p.Change != ""), "same_sex": string(p.SameSex), "in_reflection": fmt.Sprint(p.Reflection != "")}}
	iv, err = s.Store.PlanInterview(ctx, iv, p, earlier, entry)
	if err != nil {
		return evidence.Interview{}, fmt.Errorf("planning an interview on case %s: %w", c.ID, err)
	}
	if err := s.Settle.Settle(ctx, iv.Person); err != nil {
		return evidence.Interview{}, fmt.Errorf("judging whether interview %s is ready: %w", iv.ID, err)
	}
	return s.Store.Interview(ctx, iv.ID)
}

func (s *Service) checkPlan(ctx context.Context, iv evidence.Interview, p Plan, now evidence.Instant) error {
	if _, err := language.Parse(iv.Language); err != nil {
		return invalid("interview.language", "Name the language of the interview by its BCP 47 tag, such as sq or sr-Latn.", "P7")
	}
	switch {
	case iv.PlannedAt <= 0:
		return invalid("interview.planned_at", "Say when the interview is planned for.", "P11")
	case p.Needs == "" || tooLong(p.Needs):
		return invalid("interview.needs", "Write down the person's physical, social, cognitive and linguistic needs, in at most 2000 bytes. If there are none, say how you know.", "P7")
	case tooLong(p.Necessity, p.Change, p.Interpreter, p.SameSexNote, p.Reflection):
		return invalid("interview.reasons", "Reasons have at most 2000 bytes each.", "")
	}
	person, err := s.Store.Person(ctx, iv.Person)
	if err != nil || person.Case != iv.Case {
		return invalid("interview.person", "Choose a person on this case.", "P9")
	}
	if person.Kind == Suspect {
		return invalid("interview.suspect", "A suspect is not interviewed here. Choose a victim or a witness.", "P42")
	}
	room, err := s.Store.Room(ctx, iv.Room)
	if err != nil {
		return invalid("interview.room", "Choose a room.", "P11")
	}
	if err := s.apartFromSuspects(ctx, iv.Case, room, iv.PlannedAt); err != nil {
		return err
	}
	team, err := s.Store.Team(ctx, iv.Case)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(team, func(m Member) bool {
		return m.Account == p.Interviewer && m.Role == evidence.RoleInterviewer && m.At(now)
	}) {
		return invalid("interview.interviewer", "Choose an interviewer from the case's team.", "")
	}
	return nil
}

// checkWishes demands what the person's own wishes ask for: the wish for an
// interviewer of her own sex has an outcome (P2), nobody who belongs to a suspect
// interprets, and an interview inside her reflection period needs a reason and her
// own request.
func (s *Service) checkWishes(ctx context.Context, iv evidence.Interview, p Plan) error {
	switch p.SameSex {
	case SameSexNotAsked, SameSexNoWish, SameSexMet:
	case SameSexNotMet:
		if p.SameSexNote == "" {
			return invalid("interview.same_sex", "Say why her wish for an interviewer of her own sex cannot be met.", "P2")
		}
	default:
		return invalid("interview.same_sex", "Say what came of asking whether she wishes an interviewer of her own sex.", "P2")
	}
	if err := s.notAnOutsider(ctx, iv.Case, p.Interpreter); err != nil {
		return err
	}
	list, err := s.Store.Sheets(ctx, SheetFilter{Case: iv.Case, Kinds: []SheetKind{SheetReflection}, OpenOnly: true})
	if err != nil {
		return err
	}
	for _, sheet := range list {
		r := sheet.Content.Reflection
		if (sheet.Person == "" || sheet.Person == iv.Person) && iv.PlannedAt >= r.From && iv.PlannedAt < r.Until && (p.Reflection == "" || !p.OwnRequest) {
			return invalid("interview.reflection", "This lies inside her reflection period. It needs a reason, and that she asked for it herself.", "")
		}
	}
	return nil
}

// checkEarlier counts the person's earlier interviews and demands the reasons that
// one more, or another interviewer, needs.
func (s *Service) checkEarlier(ctx context.Context, iv evidence.Interview, p Plan) (int, error) {
	list, err := s.Store.InterviewsOfCase(ctx, iv.Case)
	if err != nil {
		return 0, err
	}
	var last evidence.Interview
	earlier := 0
	for _, one := range list {
		if one.Person != iv.Person || one.State == evidence.StateCancelled {
			continue
		}
		earlier++
		if one.Number > last.Number {
			last = one
		}
	}
	if earlier == 0 {
		return 0, nil
	}
	if p.Necessity == "" {
		text := fmt.Sprintf("This person has %d interview(s) on this case already. Write down why one more is necessary.", earlier)
		return 0, invalid("interview.necessity", text, "P3")
	}
	before, err := s.Store.Plan(ctx, last.ID)
	if err != nil {
		return 0, err
	}
	if before.Interviewer != p.Interviewer && p.Change == "" {
		return 0, invalid("interview.change", "The interviewer is not the same as last time. Write down why.", "P4")
	}
	return earlier, nil
}

// CancelInterview ends an interview that has not begun, with a reason.
func (s *Service) CancelInterview(ctx context.Context, actor evidence.Actor, id evidence.ID, reason string) (evidence.Interview, error) {
	if err := s.Access.Authorize(ctx, actor, access.InterviewCancel, evidence.Resource{Kind: access.KindInterview, ID: id}); err != nil {
		return evidence.Interview{}, err
	}
	reason = prose(reason)
	if reason == "" || tooLong(reason) {
		return evidence.Interview{}, invalid("interview.cancel.reason", "Say why the interview is cancelled, in at most 2000 bytes.", "P23")
	}
	iv, err := s.Store.Interview(ctx, id)
	if err != nil {
		return evidence.Interview{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return evidence.Interview{}, err
	}
	entry := custody.Entry{Actor: actor, Action: access.InterviewCancel, Agency: iv.Agency, Case: iv.Case, Interview: id, Subject: id, Why: reason}
	return s.Store.Transition(ctx, id, []evidence.State{evidence.StatePlanned, evidence.StateReady}, evidence.StateCancelled, now, entry)
}

// Interview returns an interview and its plan.
func (s *Service) Interview(ctx context.Context, actor evidence.Actor, id evidence.ID) (evidence.Interview, Plan, error) {
	if err := s.Access.Authorize(ctx, actor, access.InterviewRead, evidence.Resource{Kind: access.KindInterview, ID: id}); err != nil {
		return evidence.Interview{}, Plan{}, err
	}
	iv, err := s.Store.Interview(ctx, id)
	if err != nil {
		return evidence.Interview{}, Plan{}, err
	}
	p, err := s.Store.Plan(ctx, id)
	return iv, p, err
}

// Interviews lists the interviews of a case, in order of planning.
func (s *Service) Interviews(ctx context.Context, actor evidence.Actor, caseID evidence.ID) ([]evidence.Interview, error) {
	if err := s.Access.Authorize(ctx, actor, access.CaseRead, onCase(caseID)); err != nil {
		return nil, err
	}
	return s.Store.InterviewsOfCase(ctx, caseID)
}
