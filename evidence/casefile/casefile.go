// Package casefile is the record that everything hangs on: the case and its
// reference, the team and its roles, the people on the case under pseudonyms, and
// the interviews that are planned with them. No real name of a victim, witness or
// suspect is ever stored.
package casefile

import (
	"slices"

	"github.com/toldonce/toldonce/evidence"
)

// Stage says how far a case has come, from referral to closing.
type Stage string

const (
	Referral       Stage = "referral"       // somebody referred it
	Identification Stage = "identification" // official identification
	Protection     Stage = "protection"     // first aid and protection
	Assistance     Stage = "assistance"     // assistance and social inclusion
	Proceedings    Stage = "proceedings"    // criminal and civil procedure
	Reintegration  Stage = "reintegration"  // return or reintegration
	Closed         Stage = "closed"
)

// Stages lists every stage, in the order in which pages show them.
var Stages = []Stage{Referral, Identification, Protection, Assistance, Proceedings, Reintegration, Closed}

// FieldReference is the field under which a case's reference is committed to.
const FieldReference = "caseReference"

// Case is a case file.
type Case struct {
	ID     evidence.ID
	Agency evidence.ID // that opened it; its custodians and auditors act on it
	// Reference is the agency's case number (P9), with the salt under which signed
	// documents commit to it. Personal data.
	Reference evidence.Opening
	// ReferenceKey finds the case by its reference; see package keyed.
	ReferenceKey string
	Stage        Stage
	OpenedBy     evidence.ID
	OpenedAt     evidence.Instant
	Version      int64 // row version for optimistic concurrency
}

// Commitment is what a signed document holds in place of the reference.
func (c Case) Commitment() evidence.Commitment { return c.Reference.Commitment() }

// Member is somebody's role on a case, for a time.
type Member struct {
	ID      evidence.ID
	Agency  evidence.ID // of the case
	Case    evidence.ID
	Account evidence.ID
	Role    evidence.Role    // one of TeamRoles
	From    evidence.Instant // inclusive
	Until   evidence.Instant // exclusive; 0: open
	AddedBy evidence.ID
	AddedAt evidence.Instant
	EndedBy evidence.ID      // who ended it early; empty if nobody
	EndedAt evidence.Instant // 0 if nobody did
}

// At reports whether the role is held at a time.
func (m Member) At(now evidence.Instant) bool {
	return now >= m.From && (m.Until == 0 || now < m.Until) && (m.EndedAt == 0 || now < m.EndedAt)
}

// TeamRoles are the roles that somebody can have on a case. A custodian and an
// auditor act for their agency, and an administrator has no part in any case.
var TeamRoles = []evidence.Role{evidence.RoleCaseManager, evidence.RoleInterviewer, evidence.RoleObserver, evidence.RoleProsecutor, evidence.RoleAdvocate}

// CanHold reports whether an account of one role can be given a role on a case:
// its own, or that of an observer. An account's role was approved by two people;
// one case manager alone cannot raise it.
func CanHold(account, onCase evidence.Role) bool {
	return slices.Contains(TeamRoles, account) && (onCase == account || onCase == evidence.RoleObserver)
}

// Summary is a case in a list.
type Summary struct {
	Case       Case
	Roles      []evidence.Role // the reader's, now
	Unfilled   []evidence.Role // that the stage needs and nobody holds; set by the service
	Manager    evidence.ID     // the account that has managed it longest; empty if none does
	People     int
	Interviews int // cancelled ones not counted
	Consents   int // acts of consent of which something is in force
	OpenGrants int // proposed or active
}
