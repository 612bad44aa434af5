package casefile

import (
	"strings"

	"github.com/toldonce/toldonce/evidence"
)

// PersonKind says what somebody is on a case. Roles are per case: a victim who is
// also a suspect stands on it twice, under two pseudonyms (P42).
type PersonKind string

const (
	Victim  PersonKind = "victim"
	Witness PersonKind = "witness"
	Suspect PersonKind = "suspect"
)

// Age is the category that the rules ask for.
type Age string

const (
	Child     Age = "child"
	Adult     Age = "adult"
	Uncertain Age = "uncertain" // treated as a child (P6)
)

// Person is somebody on a case, known by a pseudonym.
type Person struct {
	ID           evidence.ID
	Agency       evidence.ID // of the case
	Case         evidence.ID
	Pseudonym    string // unique on the case; never the real name
	PseudonymKey string // finds the person by the pseudonym; see package keyed
	Kind         PersonKind
	Age          Age
	Language     string // BCP 47
	// Unaccompanied: a child without a parent or guardian here, whom the
	// guardianship authority represents (P41).
	Unaccompanied bool
	Guardian      Guardian
	AddedBy       evidence.ID
	AddedAt       evidence.Instant
	Version       int64 // row version for optimistic concurrency
}

// Guardian is who represents a child. Personal data.
type Guardian struct {
	Name     string // pseudonym or name; empty: none is known
	Relation string // "mother", "legal guardian"
	// Conflict: her interests conflict with the child's, so she has no part in any
	// consent (P6, P41). ConflictNote says why.
	Conflict     bool
	ConflictNote string
}

// TreatedAsChild reports whether the rules for children apply (P6).
func (p Person) TreatedAsChild() bool { return p.Age != Adult }

// Plan is what is settled before an interview, beside evidence.Interview. Its
// texts are personal data.
type Plan struct {
	Interview   evidence.ID
	Agency      evidence.ID // of the case
	Interviewer evidence.ID // account
	// Needs are the person's physical, social, cognitive and linguistic needs, and
	// what is done about them (P7).
	Needs string
	// Necessity says why one more interview is needed; empty for the first (P3).
	Necessity string
	// Interpreter says who interprets, empty if nobody does.
	Interpreter string
	// SameSex is what came of the question whether she wishes an interviewer of her
	// own sex, and SameSexNote why a wish was not met (P2).
	SameSex     SameSex
	SameSexNote string
	// Reflection says why the interview lies inside her reflection period, and
	// OwnRequest that she asked for it herself; both are needed then.
	Reflection string
	OwnRequest bool
	// Change says why the interviewer is not the same as last time; empty if she is (P4).
	Change    string
	PlannedBy evidence.ID
	PlannedAt evidence.Instant
}

// SameSex is what came of asking a person whether she wishes an interviewer of her
// own sex (P2).
type SameSex string

const (
	SameSexNotAsked SameSex = "not_asked"
	SameSexNoWish   SameSex = "no_wish"
	SameSexMet      SameSex = "met"
	SameSexNotMet   SameSex = "not_met" // Plan.SameSexNote says why
)

// normal is how references and pseudonyms are compared: without letter case and
// surrounding or doubled space.
func normal(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
