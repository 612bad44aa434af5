package consent

import (
	"context"
	"errors"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
)

// file is everything about one person that consent decides by, as read at one
// moment, and the change that is being worked out.
type file struct {
	now        evidence.Instant
	kase       casefile.Case
	person     casefile.Person
	records    []Record
	interviews []sitting
	grants     []Grant
	recorded   bool // something was recorded of her
	change     Change
	entries    []custody.Entry
}

// sitting is an interview that is not over.
type sitting struct {
	evidence.Interview
	why []evidence.Reason // what, apart from consent, a start lacks
}

func (s *Service) load(ctx context.Context, person evidence.ID) (*file, error) {
	f := &file{change: Change{Person: person, Effects: Effects{Seen: Seen{Interviews: map[evidence.ID]int64{}, Grants: map[evidence.ID]int64{}}}}}
	var err error
	if f.now, err = s.Store.Now(ctx); err != nil {
		return nil, err
	}
	f.change.At = f.now
	if f.person, err = s.Store.Person(ctx, person); err != nil {
		return nil, err
	}
	if f.kase, err = s.Store.Case(ctx, f.person.Case); err != nil {
		return nil, err
	}
	if f.records, err = s.Store.Consents(ctx, person); err != nil {
		return nil, err
	}
	if f.grants, err = s.Store.GrantsOnConsent(ctx, person); err != nil {
		return nil, err
	}
	for _, g := range f.grants {
		f.change.Seen.Grants[g.ID] = g.Version
	}
	list, err := s.Store.InterviewsOfCase(ctx, f.person.Case)
	if err != nil {
		return nil, err
	}
	for _, iv := range list {
		if iv.Person != person {
			continue
		}
		f.recorded = f.recorded || iv.StartedAt != 0 || iv.State == evidence.StateSealed || iv.State == evidence.StateRecording || iv.State == evidence.StatePaused
		switch iv.State {
		case evidence.StatePlanned, evidence.StateReady, evidence.StateRecording, evidence.StatePaused:
			why, err := s.planned(ctx, iv, f.kase, f.person, f.now)
			if err != nil {
				return nil, err
			}
			f.interviews = append(f.interviews, sitting{iv, why})
			f.change.Seen.Interviews[iv.ID] = iv.Version
		}
	}
	return f, nil
}

// restWithin is how long the decision on what exists after a withdrawal may take.
const restWithin = 7 * 24 * time.Hour

// decideOnTheRest makes it the custodian's duty to decide on what exists after a
// withdrawal: recordings, and grants that rest on law. Nothing is deleted by itself
// (P34, P37).
func (f *file) decideOnTheRest(actor evidence.Actor, rec Record) {
	duty := casefile.NewSheet(f.kase, casefile.Content{Duty: &casefile.Duty{Code: "consent_withdrawn"}})
	duty.Person, duty.ForRole, duty.By, duty.At = rec.Person, evidence.RoleCustodian, actor.Account, f.now
	duty.Due = f.now + evidence.Instant(restWithin.Microseconds())
	entry, err := duty.Entry(evidence.System(f.person.Agency), access.EntryFile)
	if err != nil {
		return // a duty without words always has a canonical form
	}
	f.change.Duties = append(f.change.Duties, duty)
	f.entries = append(f.entries, entry)
}

// effects works out what follows from the records as they now are.
func (f *file) effects() {
	record := Judge(f.person, f.records, ToRecord, f.now)
	for _, iv := range f.interviews {
		ready := len(record) == 0 && len(iv.why) == 0
		switch {
		case iv.State == evidence.StatePlanned && ready:
			f.change.Ready = append(f.change.Ready, iv.ID)
			f.entry(access.EntryReady, iv.ID, iv.ID, nil)
		case iv.State == evidence.StateReady && !ready:
			f.change.NotReady = append(f.change.NotReady, iv.ID)
			reason := append(record, iv.why...)[0].Code
			f.entry(access.EntryNotReady, iv.ID, iv.ID, map[string]string{"reason": reason})
		case iv.State == evidence.StateRecording || iv.State == evidence.StatePaused:
			if len(Ends(f.person, f.records, ToRecord, f.now)) > 0 {
				f.entry(access.EntryConsentEnd, iv.ID, iv.ID, map[string]string{"purpose": string(ToRecord)})
			}
			if f.ended(ToObserveLive) {
				f.entry(access.EntryObserveEnd, iv.ID, iv.ID, map[string]string{"purpose": string(ToObserveLive)})
			}
		}
	}
	for _, g := range f.grants {
		if len(Judge(f.person, f.records, g.Purpose, f.now)) > 0 {
			f.change.EndGrants = append(f.change.EndGrants, g.ID)
			f.entry(access.EntryGrantEnd, g.Interview, g.ID, map[string]string{"to": string(g.To), "reason": "basis_ended"})
		}
	}
}

// ended reports whether there was a consent for a purpose on which something can
// run, and what runs on it must end.
func (f *file) ended(p Purpose) bool {
	_, _, ok := inForce(f.records, p)
	return ok && len(Ends(f.person, f.records, p, f.now)) > 0
}

func (f *file) entry(action string, interview, subject evidence.ID, details map[string]string) {
	f.entries = append(f.entries, custody.Entry{Actor: evidence.System(f.person.Agency), Action: action, Agency: f.person.Agency, Case: f.person.Case,
		Interview: interview, Subject: subject, Details: details})
}

// Check is the gate: it returns nil if everything that the rules ask for before a
// recording begins is there, and otherwise a *evidence.Refusal with a sentence for
// each thing that is missing (P1, P7, P9, P11, P40, P41). It is asked before the
// first packet and again at the start. Of an interview that is being recorded it
// says whether that may go on: a camera that reconnects, or the end of a break,
// needs no more than what already runs. See [Ends].
func (s *Service) Check(ctx context.Context, interview evidence.ID) error {
	iv, err := s.Store.Interview(ctx, interview)
	if err != nil {
		return err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return err
	}
	kase, err := s.Store.Case(ctx, iv.Case)
	if errors.Is(err, evidence.ErrNotFound) {
		return evidence.Refuse(evidence.ErrRefused, "case.missing", "The interview belongs to no case file. Nothing is recorded without a case number.", "P9")
	}
	if err != nil {
		return err
	}
	person, err := s.Store.Person(ctx, iv.Person)
	if errors.Is(err, evidence.ErrNotFound) {
		return evidence.Refuse(evidence.ErrRefused, "interview.person.missing", "It is not on file who is interviewed. Add the person to the case under a pseudonym.", "P10")
	}
	if err != nil {
		return err
	}
	records, err := s.Store.Consents(ctx, person.ID)
	if err != nil {
		return err
	}
	if iv.State == evidence.StateRecording || iv.State == evidence.StatePaused {
		if why := Ends(person, records, ToRecord, now); len(why) > 0 {
			return &evidence.Refusal{Kind: evidence.ErrRefused, Reasons: why}
		}
		return nil
	}
	why, err := s.planned(ctx, iv, kase, person, now)
	if err != nil {
		return err
	}
	if why = append(why, Judge(person, records, ToRecord, now)...); len(why) > 0 {
		return &evidence.Refusal{Kind: evidence.ErrRefused, Reasons: why}
	}
	return nil
}

// planned says what an interview lacks apart from consent.
func (s *Service) planned(ctx context.Context, iv evidence.Interview, kase casefile.Case, person casefile.Person, now evidence.Instant) ([]evidence.Reason, error) {
	var why []evidence.Reason
	add := func(code, text, practice string) {
		why = append(why, evidence.Reason{Code: code, Text: text, Practice: practice})
	}
	if kase.Reference.Value == "" {
		add("case.reference.missing", "The case file has no case number. Nothing is recorded without one.", "P9")
	}
	if kase.Stage == casefile.Closed {
		add("case.closed", "The case is closed.", "P9")
	}
	if person.Kind == casefile.Suspect {
		add("interview.suspect", "A suspect is not interviewed here.", "P42")
	}
	if _, err := s.Store.Room(ctx, iv.Room); errors.Is(err, evidence.ErrNotFound) {
		add("interview.room.missing", "No room is set for the interview.", "P11")
	} else if err != nil {
		return nil, err
	}
	plan, err := s.Store.Plan(ctx, iv.ID)
	if err != nil && !errors.Is(err, evidence.ErrNotFound) {
		return nil, err
	}
	if plan.Needs == "" {
		add("interview.needs.missing", "The person's needs are not written down.", "P7")
	}
	return why, nil
}
