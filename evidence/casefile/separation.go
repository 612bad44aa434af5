package casefile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/people"
)

const (
	// decideWithin is how long a claim that somebody belongs to a suspect may stand
	// undecided.
	decideWithin = 72 * time.Hour
	// apart is how far an interview of a victim and a suspect's appointment at the
	// same place must lie from each other.
	apart = 2 * time.Hour
	// sitting is how long an interview that is planned is taken to last.
	sitting = 3 * time.Hour
	// maxLift bounds how long a decision can lift a separation before it is reviewed.
	maxLift = 90 * 24 * time.Hour
)

// dutySeparation is the code of the duty to decide whether somebody is kept apart.
const dutySeparation = "separation_conflict"

// OfSeparation reports whether a custody entry tells of who belongs to a suspect, or
// of where he is: only the case manager, the custodian and the auditor read it (P42).
func OfSeparation(action string, details map[string]string) bool {
	switch action {
	case access.PersonLink, access.SeparationDecide:
		return true
	case access.FileWrite, access.FileClose, access.EntryFile:
		kind := SheetKind(details["kind"])
		return kind == SheetAppointment || kind == SheetOutsider || details["duty"] == dutySeparation
	}
	return false
}

func micros(d time.Duration) evidence.Instant { return evidence.Instant(d.Microseconds()) }

// LinkKind says how an account belongs to a suspect.
type LinkKind string

const (
	LinkSelf     LinkKind = "self"     // the account is the suspect's own
	LinkKin      LinkKind = "kin"      // family or household
	LinkCounsel  LinkKind = "counsel"  // defends or represents the suspect
	LinkGuardian LinkKind = "guardian" // represents a suspect who is a child
	LinkOther    LinkKind = "other"    // close in another way
)

// LinkState says how far it is decided that somebody belongs to a suspect.
type LinkState string

const (
	LinkClaimed   LinkState = "claimed"   // somebody said so: frozen until it is decided
	LinkUpheld    LinkState = "upheld"    // so it is: her roles and grants on the case have ended
	LinkDismissed LinkState = "dismissed" // it is not so
)

// Link keeps an account apart from a case: it belongs to, or is close to, a
// suspect. Only the case manager, the custodian and the auditor learn of it.
type Link struct {
	ID      evidence.ID
	Agency  evidence.ID // of the case
	Case    evidence.ID
	Person  evidence.ID // the suspect
	Account evidence.ID
	Kind    LinkKind
	By      evidence.ID
	At      evidence.Instant
	State   LinkState
	Due     evidence.Instant // by when a claim must be decided
	// Lapses: a claim that nobody decided in time holds no longer, so that a false
	// one cannot stall a prosecution. The suspect's own account and who defends him
	// stay apart all the same.
	Lapses      bool
	DecidedBy   evidence.ID
	DecidedAt   evidence.Instant // 0: not decided
	LiftedUntil evidence.Instant // exclusive; a decision lifts the separation until then (P42)
	LiftedBy    evidence.ID
}

// InForce reports whether the link keeps the account apart, unless it is lifted.
func (l Link) InForce(now evidence.Instant) bool {
	return l.State == LinkUpheld || l.State == LinkClaimed && !(l.Lapses && l.Due <= now)
}

// Lifted reports whether a decision lifts the separation.
func (l Link) Lifted(now evidence.Instant) bool { return l.LiftedUntil > now }

// NewLink says that an account belongs to, or is close to, a suspect.
type NewLink struct {
	Person  evidence.ID // the suspect
	Account evidence.ID
	Kind    LinkKind
	Why     string
}

// Link keeps an account apart from the suspect's case: what it may do and what it
// was granted there is frozen at once, it cannot be given a part, and it gets for
// everything in the case the answer for a case that does not exist. The case
// manager, or the custodian if it was she who said so, has three days to decide;
// see [Service.DecideLink].
func (s *Service) Link(ctx context.Context, actor evidence.Actor, in NewLink) (Link, error) {
	if err := s.Access.Authorize(ctx, actor, access.PersonLink, evidence.Resource{Kind: access.KindPerson, ID: in.Person}); err != nil {
		return Link{}, err
	}
	p, err := s.Store.Person(ctx, in.Person)
	if err != nil {
		return Link{}, err
	}
	why := prose(in.Why)
	switch {
	case p.Kind != Suspect:
		return Link{}, invalid("link.person", "Only a suspect keeps accounts apart from a case.", "P42")
	case !slices.Contains([]LinkKind{LinkSelf, LinkKin, LinkCounsel, LinkGuardian, LinkOther}, in.Kind):
		return Link{}, invalid("link.kind", "Say how the account belongs to the suspect: self, kin, counsel, guardian or other.", "P42")
	case why == "" || tooLong(why):
		return Link{}, invalid("link.reason", "Say what this rests on, in at most 2000 bytes.", "P42")
	case in.Account == actor.Account:
		return Link{}, invalid("link.self", "Somebody else must say this of you.", "P42")
	}
	a, err := s.Store.Account(ctx, in.Account)
	if errors.Is(err, evidence.ErrNotFound) || err == nil && a.State == people.Disabled {
		return Link{}, invalid("link.account", "There is no such account, or it is not in use.", "")
	}
	if err != nil {
		return Link{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Link{}, err
	}
	l := Link{ID: evidence.NewID(), Agency: p.Agency, Case: p.Case, Person: p.ID, Account: a.ID, Kind: in.Kind, By: actor.Account, At: now,
		State: LinkClaimed, Due: now + micros(decideWithin), Lapses: in.Kind == LinkKin || in.Kind == LinkOther}
	decides := evidence.RoleCaseManager
	team, err := s.Store.Team(ctx, l.Case)
	if err != nil {
		return Link{}, err
	}
	if !slices.ContainsFunc(team, func(m Member) bool {
		return m.Role == decides && m.At(now) && m.Account != l.By && m.Account != l.Account
	}) {
		decides = evidence.RoleCustodian // who said it does not decide it, nor does of whom it was said
	}
	duty := NewSheet(Case{ID: l.Case, Agency: l.Agency}, Content{Duty: &Duty{Code: dutySeparation}})
	duty.Person, duty.ForRole, duty.Due, duty.By, duty.At = p.ID, decides, l.Due, l.By, now
	entry := custody.Entry{Actor: actor, Action: access.PersonLink, Agency: p.Agency, Case: p.Case, Subject: p.ID, Why: why,
		Details: map[string]string{"link": string(l.ID), "account": string(a.ID), "kind": string(l.Kind), "due": fmt.Sprint(int64(l.Due))}}
	written, err := duty.Entry(evidence.System(l.Agency), access.EntryFile)
	if err != nil {
		return Link{}, err
	}
	if err := s.Store.AddLink(ctx, l, duty, []custody.Entry{entry, written}); err != nil {
		if errors.Is(err, evidence.ErrConflict) {
			return Link{}, evidence.Refuse(evidence.ErrConflict, "link.twice", "This was said before. Decide on it, or ask for another decision.", "P42")
		}
		return Link{}, fmt.Errorf("linking an account to person %s: %w", p.ID, err)
	}
	return l, nil
}

// Links lists who is, or was said to be, kept apart from a case.
func (s *Service) Links(ctx context.Context, actor evidence.Actor, caseID evidence.ID) ([]Link, error) {
	if err := s.Access.Authorize(ctx, actor, access.SeparationRead, onCase(caseID)); err != nil {
		return nil, err
	}
	return s.Store.Links(ctx, caseID)
}

// LinkDecision decides whether somebody belongs to a suspect.
type LinkDecision struct {
	Link  evidence.ID
	State LinkState // LinkUpheld or LinkDismissed
	// LiftedUntil, with LinkUpheld, lifts the separation until then (P42): at most 90
	// days, after which it holds again unless it is lifted anew. 0: it holds.
	LiftedUntil evidence.Instant
	Why         string
	Authority   string // the decision or order; required to lift
}

// DecideLink decides a claim, or decides on it anew. Upheld, it ends the account's
// roles and grants on the case; dismissed, everything that was frozen goes on;
// lifted, it does so for a time, and the custodian reviews it before that ends.
// Neither who said so nor of whom it is said decides.
func (s *Service) DecideLink(ctx context.Context, actor evidence.Actor, in LinkDecision) (Link, error) {
	l, err := s.Store.Link(ctx, in.Link)
	if err != nil {
		return Link{}, err
	}
	if err := s.Access.Authorize(ctx, actor, access.SeparationDecide, onCase(l.Case)); err != nil {
		return Link{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Link{}, err
	}
	why, authority := prose(in.Why), prose(in.Authority)
	switch {
	case l.By == actor.Account || l.Account == actor.Account:
		return Link{}, evidence.Refuse(evidence.ErrRefused, "link.own", "You said this, or it is said of you. Somebody else must decide.", "P42")
	case in.State != LinkUpheld && in.State != LinkDismissed:
		return Link{}, invalid("link.state", "Uphold or dismiss it.", "P42")
	case why == "" || tooLong(why, authority):
		return Link{}, invalid("link.reason", "Say what this rests on, in at most 2000 bytes.", "P42")
	case in.LiftedUntil != 0 && (in.State != LinkUpheld || in.LiftedUntil <= now || in.LiftedUntil > now+micros(maxLift)):
		return Link{}, invalid("link.lift", "A separation that is upheld can be lifted for at most 90 days.", "P42")
	case in.LiftedUntil != 0 && authority == "":
		return Link{}, invalid("link.lift.authority", "Name the decision or order that lifts the separation.", "P42")
	}
	before := l
	l.State, l.DecidedBy, l.DecidedAt, l.LiftedUntil, l.LiftedBy = in.State, actor.Account, now, in.LiftedUntil, ""
	var sheets []Sheet
	entries := []custody.Entry{{Actor: actor, Action: access.SeparationDecide, Agency: l.Agency, Case: l.Case, Subject: l.Person, Why: why, Authority: authority,
		Details: map[string]string{"link": string(l.ID), "account": string(l.Account), "state": string(l.State), "lifted_until": fmt.Sprint(int64(l.LiftedUntil))}}}
	if l.LiftedUntil != 0 {
		l.LiftedBy = actor.Account
		duty := NewSheet(Case{ID: l.Case, Agency: l.Agency}, Content{Duty: &Duty{Code: dutySeparation}})
		duty.Person, duty.ForRole, duty.Due, duty.By, duty.At = l.Person, evidence.RoleCustodian, l.LiftedUntil, actor.Account, now
		written, err := duty.Entry(evidence.System(l.Agency), access.EntryFile)
		if err != nil {
			return Link{}, err
		}
		sheets, entries = append(sheets, duty), append(entries, written)
	}
	if err := s.Store.DecideLink(ctx, before, l, sheets, entries); err != nil {
		return Link{}, fmt.Errorf("deciding link %s: %w", l.ID, err)
	}
	return l, s.closeConflict(ctx, actor, l, why)
}

// closeConflict closes the duties to decide that a decision has done.
func (s *Service) closeConflict(ctx context.Context, actor evidence.Actor, l Link, outcome string) error {
	open, err := s.Store.Sheets(ctx, SheetFilter{Case: l.Case, Kinds: []SheetKind{SheetDuty}, OpenOnly: true})
	if err != nil {
		return err
	}
	for _, duty := range open {
		if duty.Content.Duty.Code != dutySeparation || duty.Person != l.Person || l.LiftedUntil != 0 && duty.Due == l.LiftedUntil {
			continue
		}
		duty.ClosedBy, duty.ClosedAt, duty.Outcome = actor.Account, l.DecidedAt, outcome
		entry := custody.Entry{Actor: actor, Action: access.FileClose, Agency: l.Agency, Case: l.Case, Subject: duty.ID,
			Details: map[string]string{"kind": string(SheetDuty), "duty": dutySeparation}}
		if err := s.Store.CloseSheet(ctx, duty, entry); err != nil && !errors.Is(err, evidence.ErrConflict) {
			return err
		}
	}
	return nil
}

// errApart names no reason: it is shown to people who need not know it.
func errApart() error {
	return evidence.Refuse(evidence.ErrRefused, "sheet.presence.apart", "This person cannot take part in this case.", "P42")
}

// NotAnOutsider refuses a name under which somebody who belongs to a suspect is
// known on the case: she is no companion, interpreter or guardian there.
func NotAnOutsider(ctx context.Context, store interface {
	Sheets(ctx context.Context, f SheetFilter) ([]Sheet, error)
}, caseID evidence.ID, name string) error {
	if normal(name) == "" {
		return nil
	}
	list, err := store.Sheets(ctx, SheetFilter{Case: caseID, Kinds: []SheetKind{SheetOutsider}, OpenOnly: true})
	if err != nil {
		return err
	}
	for _, sheet := range list {
		if normal(sheet.Content.Outsider.Name) == normal(name) {
			return errApart()
		}
	}
	return nil
}

func (s *Service) notAnOutsider(ctx context.Context, caseID evidence.ID, name string) error {
	return NotAnOutsider(ctx, s.Store, caseID, name)
}

// near reports whether an interview planned for a time comes too near a stretch.
func near(planned, from, until evidence.Instant) bool {
	return planned-micros(apart) < until && from < planned+micros(sitting)+micros(apart)
}

// apartFromInterviews refuses a suspect's appointment that comes near an interview
// which is planned at the same place.
func (s *Service) apartFromInterviews(ctx context.Context, caseID evidence.ID, a Appointment) error {
	list, err := s.Store.InterviewsOfCase(ctx, caseID)
	if err != nil {
		return err
	}
	for _, iv := range list {
		if iv.State != evidence.StatePlanned && iv.State != evidence.StateReady || !near(iv.PlannedAt, a.From, a.Until) {
			continue
		}
		room, err := s.Store.Room(ctx, iv.Room)
		if err != nil {
			return err
		}
		if normal(room.Place) == normal(a.Place) {
			return evidence.Refuse(evidence.ErrConflict, "separation.place", "An interview is planned at this place within two hours. Choose another time or place: victim and suspect never meet.", "P42")
		}
	}
	return nil
}

// apartFromSuspects refuses an interview at a place and time to which a suspect of
// the case comes near. Who plans it need not know why.
func (s *Service) apartFromSuspects(ctx context.Context, caseID evidence.ID, room people.Room, planned evidence.Instant) error {
	list, err := s.Store.Sheets(ctx, SheetFilter{Case: caseID, Kinds: []SheetKind{SheetAppointment}, OpenOnly: true})
	if err != nil {
		return err
	}
	for _, sheet := range list {
		a := sheet.Content.Appointment
		if normal(a.Place) == normal(room.Place) && near(planned, a.From, a.Until) {
			return evidence.Refuse(evidence.ErrConflict, "interview.place", "This room cannot be used at that time. Choose another time or place, or ask the case manager.", "P42")
		}
	}
	return nil
}
