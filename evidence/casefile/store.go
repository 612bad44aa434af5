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
	Account(ctx context.Context, id evidence.ID) (people.Account, error)
	Room(ctx context.Context, id evidence.ID) (people.Room, error)

	// CreateCase stores a case and its first manager; evidence.ErrConflict if the
	// agency has a case with this reference.
	CreateCase(ctx context.Context, c Case, manager Member, entry custody.Entry) error
	Case(ctx context.Context, id evidence.ID) (Case, error)
	// Cases lists those on which the account has a role now, and, with agency, all
	// that this agency opened; the newest first. key narrows the list to a case's
	// ReferenceKey or a person's PseudonymKey; empty for all.
	Cases(ctx context.Context, account, agency evidence.ID, key string, now evidence.Instant) ([]Summary, error)
	// SetStage changes the stage if the version is still c.Version.
	SetStage(ctx context.Context, c Case, stage Stage, entry custody.Entry) error

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
	// AddLink stores a link and ends the account's memberships on the case.
	AddLink(ctx context.Context, l Link, entry custody.Entry) error
	Links(ctx context.Context, caseID evidence.ID) ([]Link, error)

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
