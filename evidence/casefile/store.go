package casefile

import (
	"context"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/people"
)

// Store keeps case files. Methods that take a custody entry commit the change and
// the entry in one transaction and return after it is durable. Lookups return an
// error wrapping evidence.ErrNotFound when there is nothing; changes return one
// wrapping evidence.ErrConflict when what they rest on has changed. Safe for
// concurrent use by many processes.
type Store interface {
	// Now is the server time; evidence.ErrClockBehind while it is behind the log.
	Now(ctx context.Context) (evidence.Instant, error)
	// AppendEntry adds an entry that goes with no other change.
	AppendEntry(ctx context.Context, entry custody.Entry) error
	Account(ctx context.Context, id evidence.ID) (people.Account, error)
	Room(ctx context.Context, id evidence.ID) (people.Room, error)
	Agency(ctx context.Context, id evidence.ID) (people.Agency, error)

	// CreateCase stores a case and its first manager; evidence.ErrConflict if the
	// agency has a case with this reference.
	CreateCase(ctx context.Context, c Case, manager Member, entry custody.Entry) error
	Case(ctx context.Context, id evidence.ID) (Case, error)
	// Cases lists those on which the account has a role now, and, with agency, all
	// that this agency opened; the newest first. key narrows the list to a case's
	// ReferenceKey or a person's PseudonymKey; empty for all.
	Cases(ctx context.Context, account, agency evidence.ID, key string, now evidence.Instant) ([]Summary, error)
	// SetStage changes the stage if the version is still c.Version, and stores the
	// sheet that tells of it.
	SetStage(ctx context.Context, c Case, stage Stage, sheet Sheet, entries []custody.Entry) error

	// AddMember stores a membership, unless the account holds the role already or
	// is linked to a suspect on the case (evidence.ErrConflict).
	AddMember(ctx context.Context, m Member, entry custody.Entry) error
	Team(ctx context.Context, caseID evidence.ID) ([]Member, error)
	// EndMember ends a membership that has not ended; evidence.ErrConflict if it has.
	EndMember(ctx context.Context, member, by evidence.ID, at evidence.Instant, entry custody.Entry) error

	// AddPerson stores a person; evidence.ErrConflict if the pseudonym is taken.
	AddPerson(ctx context.Context, p Person, entry custody.Entry) error
	Person(ctx context.Context, id evidence.ID) (Person, error)
	People(ctx context.Context, caseID evidence.ID) ([]Person, error)
	// ChangePerson stores age, language and guardianship if the version is still p.Version.
	ChangePerson(ctx context.Context, p Person, entry custody.Entry) error
	// AddLink stores a link with the duty to decide on it; evidence.ErrConflict if
	// this account was linked to this suspect before.
	AddLink(ctx context.Context, l Link, duty Sheet, entries []custody.Entry) error
	Link(ctx context.Context, id evidence.ID) (Link, error)
	// DecideLink stores a decision on a link with the duties that follow from it, if
	// the link is still as before. One that is upheld and not lifted ends the
	// account's memberships and its proposed and active grants on the case.
	DecideLink(ctx context.Context, before, l Link, sheets []Sheet, entries []custody.Entry) error
	Links(ctx context.Context, caseID evidence.ID) ([]Link, error)

	// AddSheets stores sheets with their entries, all or none.
	AddSheets(ctx context.Context, sheets []Sheet, entries []custody.Entry) error
	Sheet(ctx context.Context, id evidence.ID) (Sheet, error)
	// Sheets returns those that the filter chooses, in order of writing.
	Sheets(ctx context.Context, f SheetFilter) ([]Sheet, error)
	// CloseSheet stores who closed it, when and with what outcome, if it is open and
	// its version is still sheet.Version; evidence.ErrConflict otherwise.
	CloseSheet(ctx context.Context, sheet Sheet, entry custody.Entry) error
	// Duties returns the open sheets that are the account's: those for it by name,
	// those for a role that it holds on the case now, and, with agency, those for the
	// custodian of cases that this agency opened. The earliest deadline comes first,
	// what has none last.
	Duties(ctx context.Context, account, agency evidence.ID, now evidence.Instant) ([]Sheet, error)

	// PlanInterview stores an interview with its plan. earlier is how many
	// interviews of the person the plan was made for; evidence.ErrConflict if that
	// has changed. It returns the interview with its number.
	PlanInterview(ctx context.Context, iv evidence.Interview, p Plan, earlier int, entry custody.Entry) (evidence.Interview, error)
	Plan(ctx context.Context, interview evidence.ID) (Plan, error)
	Interview(ctx context.Context, id evidence.ID) (evidence.Interview, error)
	InterviewsOfCase(ctx context.Context, caseID evidence.ID) ([]evidence.Interview, error)
	// Transition moves an interview from one of some states to another.
	Transition(ctx context.Context, id evidence.ID, from []evidence.State, to evidence.State, at evidence.Instant, entry custody.Entry) (evidence.Interview, error)
}
