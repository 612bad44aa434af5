package casefile

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/people"
)

// NewEntry is a sheet to be written.
type NewEntry struct {
	Case       evidence.ID
	Person     evidence.ID // on the case; may be empty
	Interview  evidence.ID // of the case; may be empty
	Content    Content
	ForAccount evidence.ID // whose duty it is; may be empty
	ForRole    evidence.Role
	Due        evidence.Instant // 0: no deadline
}

// readAction is the action that reading a sheet is decided as: what partners write
// against each other, and who belongs to a suspect, is not for the whole team.
func readAction(kind SheetKind) string {
	switch kind {
	case SheetAppointment, SheetOutsider:
		return access.SeparationRead
	case SheetContradiction:
		return access.PersonWords
	}
	return access.FileRead
}

func writeAction(kind SheetKind) string {
	switch kind {
	case SheetAppointment, SheetOutsider:
		return access.SeparationWrite
	case SheetRuling:
		return access.RulingWrite
	case SheetIntake, SheetReflection, SheetDuty, SheetCompanion, SheetPresence, SheetSupplement:
		return access.FileManage
	}
	return access.FileWrite
}

// Write adds a sheet to a case file. Stages, documents and danger have methods of
// their own. A contradiction becomes a duty of the case manager at once: it is
// settled before anybody speaks with the victim again.
func (s *Service) Write(ctx context.Context, actor evidence.Actor, in NewEntry) (Sheet, error) {
	kind := in.Content.kind()
	on := onCase(in.Case)
	if kind == SheetPresence {
		on.Subject = in.Content.Presence.Account
	}
	if err := s.Access.Authorize(ctx, actor, writeAction(kind), on); err != nil {
		return Sheet{}, err
	}
	if kind == SheetStage || kind == SheetDocument || kind == SheetDanger {
		return Sheet{}, invalid("sheet.kind", "This is not written down by itself: it has an act of its own.", "")
	}
	if err := in.Content.check(); err != nil {
		return Sheet{}, err
	}
	c, err := s.Store.Case(ctx, in.Case)
	if err != nil {
		return Sheet{}, err
	}
	sheet, err := s.sheet(ctx, actor, c, in)
	if err != nil {
		return Sheet{}, err
	}
	sheets := []Sheet{sheet}
	switch kind {
	case SheetIdentification:
		if err := s.mayIdentify(ctx, actor, c.ID, in.Content.Identification.Capacity, sheet.At); err != nil {
			return Sheet{}, err
		}
	case SheetContradiction:
		duty := s.duty(sheet, Duty{Code: "reconcile"}, evidence.RoleCaseManager, sheet.At)
		duty.Person = in.Person
		sheets = append(sheets, duty)
	case SheetAppointment:
		if err := s.apartFromInterviews(ctx, c.ID, *in.Content.Appointment); err != nil {
			return Sheet{}, err
		}
	case SheetCompanion:
		if err := s.notAnOutsider(ctx, c.ID, in.Content.Companion.Name); err != nil && !in.Content.Companion.Excluded {
			return Sheet{}, err
		}
	case SheetPresence:
		if err := s.notAnOutsider(ctx, c.ID, in.Content.Presence.Name); err != nil {
			return Sheet{}, err
		}
	case SheetRuling, SheetSupplement:
		if err := s.ofExhibit(ctx, sheet); err != nil {
			return Sheet{}, err
		}
	}
	return sheet, s.save(ctx, actor, access.FileWrite, "", sheets...)
}

// ofExhibit checks what a ruling or a supplement is about: a recording that is
// sealed, or an earlier interview of the same person.
func (s *Service) ofExhibit(ctx context.Context, sheet Sheet) error {
	if sheet.Interview == "" {
		return invalid("sheet.interview", "Choose an interview of this case.", "")
	}
	iv, err := s.Store.Interview(ctx, sheet.Interview)
	if err != nil {
		return err
	}
	if r := sheet.Content.Ruling; r != nil {
		if iv.State != evidence.StateSealed || r.Decided > sheet.At {
			return invalid("sheet.ruling.sealed", "A court has decided, in the past, about a recording that is sealed.", "")
		}
		return nil
	}
	of, err := s.Store.Interview(ctx, sheet.Content.Supplement.Of)
	if err != nil || of.Case != iv.Case || of.Person != iv.Person || of.Number >= iv.Number {
		return invalid("sheet.supplement.of", "Choose an earlier interview of the same person.", "P3")
	}
	return nil
}

// sheet fills in a sheet and checks what it refers to.
func (s *Service) sheet(ctx context.Context, actor evidence.Actor, c Case, in NewEntry) (Sheet, error) {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Sheet{}, err
	}
	sheet := NewSheet(c, in.Content)
	sheet.Person, sheet.Interview, sheet.ForAccount, sheet.ForRole, sheet.Due = in.Person, in.Interview, in.ForAccount, in.ForRole, in.Due
	sheet.By, sheet.At = actor.Account, now
	if in.Person != "" {
		if p, err := s.Store.Person(ctx, in.Person); err != nil || p.Case != c.ID {
			return Sheet{}, invalid("sheet.person", "Choose a person on this case.", "")
		}
	}
	if in.Interview != "" {
		if iv, err := s.Store.Interview(ctx, in.Interview); err != nil || iv.Case != c.ID {
			return Sheet{}, invalid("sheet.interview", "Choose an interview of this case.", "")
		}
	}
	if in.ForRole != "" && in.ForRole != evidence.RoleCustodian && !slices.Contains(TeamRoles, in.ForRole) {
		return Sheet{}, invalid("sheet.role", "A duty is that of a role on the case, or of the custodian.", "")
	}
	if in.ForAccount != "" {
		team, err := s.Store.Team(ctx, c.ID)
		if err != nil {
			return Sheet{}, err
		}
		if !slices.ContainsFunc(team, func(m Member) bool { return m.Account == in.ForAccount && m.At(now) }) {
			return Sheet{}, invalid("sheet.account", "Choose somebody on the team.", "")
		}
	}
	return sheet, nil
}

// duty makes a duty that follows from another sheet.
func (s *Service) duty(from Sheet, d Duty, role evidence.Role, due evidence.Instant) Sheet {
	duty := NewSheet(Case{ID: from.Case, Agency: from.Agency}, Content{Duty: &d})
	duty.Interview, duty.ForRole, duty.Due, duty.By, duty.At = from.Interview, role, due, from.By, from.At
	return duty
}

// save stores sheets with the entries that commit to what stands in them.
func (s *Service) save(ctx context.Context, actor evidence.Actor, action, why string, sheets ...Sheet) error {
	entries := make([]custody.Entry, 0, len(sheets))
	for _, sheet := range sheets {
		entry, err := sheet.Entry(actor, action)
		if err != nil {
			return err
		}
		entry.Why = why
		entries = append(entries, entry)
	}
	if err := s.Store.AddSheets(ctx, sheets, entries); err != nil {
		return fmt.Errorf("writing in the file of case %s: %w", sheets[0].Case, err)
	}
	return nil
}

// Entry is the custody entry of writing the sheet: it commits to the content and
// says none of it.
func (s Sheet) Entry(actor evidence.Actor, action string) (custody.Entry, error) {
	commitment, err := s.Commitment()
	details := map[string]string{"kind": string(s.Kind), "content": string(commitment)}
	if s.Person != "" {
		details["person"] = string(s.Person)
	}
	if s.ForAccount != "" {
		details["for"] = string(s.ForAccount)
	}
	if s.ForRole != "" {
		details["for_role"] = string(s.ForRole)
	}
	if s.Due != 0 {
		details["due"] = strconv.FormatInt(int64(s.Due), 10)
	}
	if d := s.Content.Duty; d != nil {
		details["duty"] = d.Code
	}
	return custody.Entry{Actor: actor, Action: action, Agency: s.Agency, Case: s.Case, Interview: s.Interview, Subject: s.ID, Details: details}, err
}

// mayIdentify: an official identification is made only in one of four capacities,
// and by somebody who holds it on the case.
func (s *Service) mayIdentify(ctx context.Context, actor evidence.Actor, caseID evidence.ID, capacity string, now evidence.Instant) error {
	team, err := s.Store.Team(ctx, caseID)
	if err != nil {
		return err
	}
	role := map[string]evidence.Role{"investigator": evidence.RoleInterviewer, "prosecutor": evidence.RoleProsecutor, "advocate": evidence.RoleAdvocate,
		"social_worker": evidence.RoleObserver}[capacity]
	holds := slices.ContainsFunc(team, func(m Member) bool { return m.Account == actor.Account && m.Role == role && m.At(now) })
	if holds && capacity == "social_worker" {
		a, err := s.Store.Agency(ctx, actor.Agency)
		if err != nil {
			return err
		}
		holds = a.Kind == people.SocialWork
	}
	if !holds {
		return evidence.Refuse(evidence.ErrRefused, "sheet.identification.capacity", "A victim is identified only by a police investigator, a prosecutor, a victims' advocate or a social worker, who says so herself.", "")
	}
	return nil
}

// Sheets lists what stands in a case file, in order of writing, as far as the
// actor may read it. kinds is empty for every kind; interview for any.
func (s *Service) Sheets(ctx context.Context, actor evidence.Actor, caseID, interview evidence.ID, kinds ...SheetKind) ([]Sheet, error) {
	if err := s.Access.Authorize(ctx, actor, access.CaseRead, onCase(caseID)); err != nil {
		return nil, err
	}
	may := map[string]bool{}
	for _, action := range []string{access.FileRead, access.PersonWords, access.SeparationRead} {
		err := s.Access.Authorize(ctx, actor, action, onCase(caseID))
		may[action] = err == nil
	}
	list, err := s.Store.Sheets(ctx, SheetFilter{Case: caseID, Interview: interview, Kinds: kinds})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(sheet Sheet) bool {
		mine := sheet.By == actor.Account || sheet.ForAccount == actor.Account
		return !may[readAction(sheet.Kind)] && !mine
	}), nil
}

// Close closes a sheet with what came of it: a duty that was done, a referral with
// its outcome, a contradiction with what is said to the victim.
func (s *Service) Close(ctx context.Context, actor evidence.Actor, id evidence.ID, outcome string) (Sheet, error) {
	if err := s.Access.Authorize(ctx, actor, access.FileClose, evidence.Resource{Kind: access.KindSheet, ID: id}); err != nil {
		return Sheet{}, err
	}
	sheet, err := s.Store.Sheet(ctx, id)
	if err != nil {
		return Sheet{}, err
	}
	outcome = prose(outcome)
	switch {
	case outcome == "" || tooLong(outcome):
		return Sheet{}, invalid("sheet.outcome", "Say what came of it, in at most 2000 bytes.", "P23")
	case !sheet.Open():
		return Sheet{}, evidence.Refuse(evidence.ErrConflict, "sheet.closed", "This is closed already.", "")
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Sheet{}, err
	}
	sheet.ClosedBy, sheet.ClosedAt, sheet.Outcome = actor.Account, now, outcome
	details := map[string]string{"kind": string(sheet.Kind), "late": strconv.FormatBool(sheet.Due != 0 && now > sheet.Due)}
	if d := sheet.Content.Duty; d != nil {
		details["duty"] = d.Code
	}
	entry := custody.Entry{Actor: actor, Action: access.FileClose, Agency: sheet.Agency, Case: sheet.Case, Interview: sheet.Interview, Subject: sheet.ID, Why: outcome,
		Details: details}
	if err := s.Store.CloseSheet(ctx, sheet, entry); err != nil {
		return Sheet{}, fmt.Errorf("closing sheet %s: %w", id, err)
	}
	return s.Store.Sheet(ctx, id)
}

// Duties lists the open sheets that are the actor's to deal with, the most urgent
// first.
func (s *Service) Duties(ctx context.Context, actor evidence.Actor) ([]Sheet, error) {
	if err := s.Access.Authorize(ctx, actor, access.CaseList, evidence.Resource{Kind: access.KindSystem}); err != nil {
		return nil, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return nil, err
	}
	var agency evidence.ID
	if actor.Role == evidence.RoleCustodian {
		agency = actor.Agency
	}
	list, err := s.Store.Duties(ctx, actor.Account, agency, now)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(sheet Sheet) bool {
		return s.Access.Authorize(ctx, actor, access.CaseRead, onCase(sheet.Case)) != nil
	}), nil
}
