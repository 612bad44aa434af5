package consent

import (
	"context"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/people"
)

// Change is everything that one act of consent changes. The store applies it, with
// its custody entries, in one transaction or not at all.
type Change struct {
	Person evidence.ID
	// Insert adds an act; the earlier acts on its purposes become superseded, unless
	// it waits ([Record.Waits]). Its items' versions are the next ones.
	Insert *Record
	// Attest adds the second person to an act that has none. What the act could not
	// replace while it waited becomes superseded.
	Attest *Attestation
	// Withdraw ends purposes of acts.
	Withdraw []Withdrawn
	// Duties are what somebody must decide because of it.
	Duties []casefile.Sheet
	Effects
}

// Attestation is the second person's word.
type Attestation struct {
	Record evidence.ID
	By     evidence.ID
	At     evidence.Instant
}

// Withdrawn ends purposes of an act.
type Withdrawn struct {
	Record     evidence.ID
	Purposes   []Purpose
	By         Giver
	RecordedBy evidence.ID
	At         evidence.Instant
}

// Effects are what follows for the person's interviews and grants, worked out from
// Seen. The store refuses with evidence.ErrConflict if Seen is no longer so, and
// the act is worked out again.
type Effects struct {
	Ready     []evidence.ID // planned interviews that become ready
	NotReady  []evidence.ID // ready interviews that become planned again
	EndGrants []evidence.ID // grants that end with the consent that they rest on
	At        evidence.Instant
	Seen      Seen
}

// Seen is what effects were worked out from: the person's interviews that are
// planned, ready, recording or paused, and her grants on consent that are proposed
// or active, each with its row version.
type Seen struct {
	Interviews map[evidence.ID]int64
	Grants     map[evidence.ID]int64
}

// Grant is what consent needs to know of a grant that rests on it.
type Grant struct {
	ID        evidence.ID
	Interview evidence.ID
	To        evidence.ID
	Purpose   Purpose // of the consent that it rests on
	Version   int64
}

// Store keeps consents and tells what depends on them. Lookups return an error
// wrapping evidence.ErrNotFound when there is nothing. Safe for concurrent use by
// many processes.
type Store interface {
	// Now is the server time; evidence.ErrClockBehind while it is behind the log.
	Now(ctx context.Context) (evidence.Instant, error)
	Case(ctx context.Context, id evidence.ID) (casefile.Case, error)
	Person(ctx context.Context, id evidence.ID) (casefile.Person, error)
	Team(ctx context.Context, caseID evidence.ID) ([]casefile.Member, error)
	Plan(ctx context.Context, interview evidence.ID) (casefile.Plan, error)
	Room(ctx context.Context, id evidence.ID) (people.Room, error)
	Interview(ctx context.Context, id evidence.ID) (evidence.Interview, error)
	Sheets(ctx context.Context, f casefile.SheetFilter) ([]casefile.Sheet, error)
	InterviewsOfCase(ctx context.Context, caseID evidence.ID) ([]evidence.Interview, error)

	Consent(ctx context.Context, id evidence.ID) (Record, error)
	// Consents returns the acts of a person, the newest first.
	Consents(ctx context.Context, person evidence.ID) ([]Record, error)
	ConsentsOfCase(ctx context.Context, caseID evidence.ID) ([]Record, error)
	// SaveRepeat notes where on a recording a consent was repeated, with its entry;
	// evidence.ErrConflict if it is noted already for this interview.
	SaveRepeat(ctx context.Context, r Repeat, entry custody.Entry) error
	// Repeats returns those of a case, in order of noting.
	Repeats(ctx context.Context, caseID evidence.ID) ([]Repeat, error)
	// AppendEntry adds an entry that goes with no other change.
	AppendEntry(ctx context.Context, entry custody.Entry) error
	Agency(ctx context.Context, id evidence.ID) (people.Agency, error)
	// GrantsOnConsent returns the person's proposed and active grants that rest on consent.
	GrantsOnConsent(ctx context.Context, person evidence.ID) ([]Grant, error)
	// ApplyConsent applies a change with its entries in one transaction. It returns
	// an error wrapping evidence.ErrConflict, and has done nothing, if what the
	// change rests on is no longer so.
	ApplyConsent(ctx context.Context, c Change, entries []custody.Entry) error
}
