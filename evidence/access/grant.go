package access

import (
	"github.com/toldonce/toldonce/evidence"
)

// GrantState is where a grant stands in its life.
type GrantState string

const (
	Proposed GrantState = "proposed" // asked for; waits for approval
	Active   GrantState = "active"   // in force between NotBefore and NotAfter
	Rejected GrantState = "rejected" // never was in force
	Revoked  GrantState = "revoked"  // ended by a person
	Ended    GrantState = "ended"    // ended with what it rested on
	// Expired is never stored: an active grant is expired from NotAfter on, by
	// the server's time. See [Grant.StateAt].
	Expired GrantState = "expired"
)

// Attestation is what the holder of a grant says became of copies at its end (P30).
type Attestation string

const (
	NothingKept Attestation = "nothing_kept" // there never was a copy
	Returned    Attestation = "returned"
	Destroyed   Attestation = "destroyed"
)

// Foundation says what kind of basis a grant rests on (P37).
type Foundation string

const (
	OnLaw     Foundation = "law"     // a provision of law, a decision or an order
	OnConsent Foundation = "consent" // the person's consent, and only while it is valid
)

// AllSources is the Source of a grant that gives every source of the interview.
const AllSources = "all"

// Grant is who may see which range of what, for which purpose, on which basis,
// from when until when (P28).
type Grant struct {
	ID        evidence.ID
	Agency    evidence.ID // of the case
	Case      evidence.ID
	Interview evidence.ID
	Source    string         // AllSources, or the ID of one source
	To        evidence.ID    // account
	Asked     evidence.Range // as requested
	Bounds    evidence.Range // what Tracks truly span
	Tracks    []TrackBounds
	NotBefore evidence.Instant // inclusive, server time
	NotAfter  evidence.Instant // exclusive, server time
	Clips     bool             // its holder may have clips of it, which leave as packages (P19)
	// Transcript: its holder may read the transcript of Bounds.
	Transcript bool
	// Conditions say what it covers of its range, and how it may be used.
	Conditions Conditions
	// Extends is the grant that this one goes on from, if it is an extension.
	Extends evidence.ID
	Purpose string // in words; personal
	Basis   string // the provision, decision, order or consent, in words; personal
	RestsOn Foundation
	Consent string // with OnConsent: the purpose of consent that must hold, such as "share_prosecution"
	State   GrantState
	// RequestedBy is an account; Approvals are in order, by different accounts.
	RequestedBy evidence.ID
	RequestedAt evidence.Instant
	Approvals   []Approval
	Needed      int // approvals that make it active: 1, or 2 for what shows a child
	// EndedBy and EndedAt say who ended or rejected it, and when; the account is
	// empty when it ended with what it rested on.
	EndedBy evidence.ID
	EndedAt evidence.Instant
	// Attested is what its holder said became of copies, and AttestedAt when; empty and
	// 0 before (P30).
	Attested   Attestation
	AttestedAt evidence.Instant
	Version    int64 // row version for optimistic concurrency
}

// Approval is one person's yes to a grant.
type Approval struct {
	By   evidence.ID      `json:"by"`
	Role evidence.Role    `json:"role"` // the account's role: RoleCustodian, or another for a second approval
	At   evidence.Instant `json:"at"`
}

// TrackBounds is what a grant gives of one track: whole segments only.
type TrackBounds struct {
	Track      evidence.ID        `json:"track"`
	Source     evidence.ID        `json:"source"`
	Kind       evidence.TrackKind `json:"kind"`
	Range      evidence.Range     `json:"range"`      // from the first segment's start to the last one's end
	FirstIndex int                `json:"firstIndex"` // inclusive; always a random access point
	LastIndex  int                `json:"lastIndex"`  // inclusive
}

// StateAt returns the state by server time: an active grant whose time is over
// is Expired.
func (g Grant) StateAt(now evidence.Instant) GrantState {
	if g.State == Active && now >= g.NotAfter {
		return Expired
	}
	return g.State
}

// Owes reports whether its holder has yet to say what became of copies: the grant is
// over and asks for it.
func (g Grant) Owes(now evidence.Instant) bool {
	if !g.Conditions.Return || g.Attested != "" || !g.WasActive() {
		return false
	}
	state := g.StateAt(now)
	return state == Expired || state == Revoked || state == Ended
}

// WasActive reports whether the grant has ever been in force.
func (g Grant) WasActive() bool {
	return g.State != Proposed && g.State != Rejected && len(g.Approvals) >= g.Needed
}

func (g Grant) bounds(track evidence.ID) (TrackBounds, bool) {
	for _, b := range g.Tracks {
		if b.Track == track {
			return b, true
		}
	}
	return TrackBounds{}, false
}
