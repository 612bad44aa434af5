// Package consent keeps what people agreed to, how they did, and its withdrawal,
// and says whether an interview may be recorded. Consent and the legal basis of
// processing are stored apart (P37): a record says of each act whether it rests on
// consent or on law, and withdrawal stops what rests on consent.
package consent

import (
	"slices"

	"github.com/toldonce/toldonce/evidence"
)

// Purpose is what somebody agrees to. Each is given, and withdrawn, on its own.
type Purpose string

const (
	ToRecord           Purpose = "record"
	ToObserveLive      Purpose = "observe_live"
	ToShareProsecution Purpose = "share_prosecution"
	ToShareDefence     Purpose = "share_defence"
	ToShareCourt       Purpose = "share_court"
	ToShareAdvocate    Purpose = "share_advocate"
	ToShareNGO         Purpose = "share_ngo"
	ToTraining         Purpose = "training"
)

// Purposes lists every purpose, in the order in which pages show them.
var Purposes = []Purpose{ToRecord, ToObserveLive, ToShareProsecution, ToShareDefence, ToShareCourt, ToShareAdvocate, ToShareNGO, ToTraining}

// Giver says who gave, or withdrew, a consent (P41).
type Giver string

const (
	BySelf      Giver = "self"
	ByGuardian  Giver = "guardian"
	ByAuthority Giver = "guardianship_authority"
)

// Decision is what was decided.
type Decision string

const (
	Given   Decision = "given"
	Refused Decision = "refused"
)

// Form says how it was given before the start (P40). The spoken repeat on the
// recording is no form: it never opens the gate.
type Form string

const (
	Written  Form = "written"  // a signed form
	Attested Form = "attested" // spoken, and attested by two different people
)

// Signing says how a written consent was signed.
type Signing string

const (
	OnPaper  Signing = "paper"  // a form that is kept elsewhere; Record.Document names it
	Scanned  Signing = "scan"   // a form that is attached to the case file
	OnScreen Signing = "screen" // drawn on the screen; the drawing is attached to the case file
)

// View is the child's own view, stored beside what her representative decided (P1).
type View string

const (
	ViewYes      View = "yes"
	ViewNo       View = "no" // blocks, whatever a guardian says (P41)
	ViewNotAsked View = "not_asked"
)

// Basis says what the processing rests on, apart from the consent itself (P37).
type Basis string

const (
	OnConsent Basis = "consent" // withdrawal stops it
	OnLaw     Basis = "law"     // Record.Law names the provision; withdrawal does not stop what runs
)

// SchemaVersion names the structure that a record's fields follow.
const SchemaVersion = "ISO/IEC TS 27560:2023"

// Record is one act: what a person, or who represents her, decided on one
// occasion. The fields of ISO/IEC TS 27560 are those here, the agency as controller
// and the person as principal.
type Record struct {
	ID       evidence.ID // record_id
	Agency   evidence.ID // of the case: the controller
	Case     evidence.ID
	Person   evidence.ID // the principal, under a pseudonym
	Decision Decision
	Items    []Item // one for each purpose, in the order of Purposes
	GivenBy  Giver
	Form     Form
	// ChildView is the child's own view and ChildWords what she said, personal.
	// Both are empty for an adult.
	ChildView  View
	ChildWords string
	// ToldWho: she was told, in words that she understands, who may see the recording
	// (P1).
	ToldWho bool
	// Signing says how a written consent was signed; empty for one that is attested.
	Signing Signing
	// Document names the signed form and DocumentSHA256 its scan, lower-case hex;
	// one of them for a written consent.
	Document       string
	DocumentSHA256 string
	// RecordedBy attests as the first person; AttestedBy, another, as the second.
	RecordedBy evidence.ID
	RecordedAt evidence.Instant
	AttestedBy evidence.ID      // empty until attested; stays empty in writing
	AttestedAt evidence.Instant // 0 until then
	Language   string           // in which it was explained, BCP 47
	// Interpreter says through whom; personal, may be empty.
	Interpreter  string
	TextVersion  int
	TextSHA256   string // of the text that was explained; empty if it was explained freely
	Basis        Basis
	Law          string // the provision that the processing rests on, or that asks for the consent; may be empty with OnConsent
	Jurisdiction string // ISO 3166 code of the law that applies
	GivenAt      evidence.Instant
	ValidUntil   evidence.Instant // exclusive; 0: until withdrawn
}

// Item is one purpose of an act.
type Item struct {
	Purpose Purpose
	Version int // counts the person's acts on this purpose from 1; the latest alone counts
	// SupersededAt is when a later act on the purpose was recorded; 0 if none was.
	SupersededAt evidence.Instant
	WithdrawnAt  evidence.Instant // 0 if not withdrawn
	WithdrawnBy  Giver            // who withdrew it
	RecordedBy   evidence.ID      // account that recorded the withdrawal
}

// Item returns the act's item for a purpose.
func (r Record) Item(p Purpose) (Item, bool) {
	i := slices.IndexFunc(r.Items, func(it Item) bool { return it.Purpose == p })
	if i < 0 {
		return Item{}, false
	}
	return r.Items[i], true
}

// State is where an act stands, as pages show it.
type State string

const (
	StatePending    State = "pending" // a second person must attest it
	StateGiven      State = "given"
	StateRefused    State = "refused"
	StateWithdrawn  State = "withdrawn"  // every purpose that a later act does not replace
	StateSuperseded State = "superseded" // every purpose has a later act
)

// State returns where the act stands. Whether it is valid is another question:
// see [Judge].
func (r Record) State() State {
	withdrawn, superseded := 0, 0
	for _, it := range r.Items {
		switch {
		case it.WithdrawnAt != 0:
			withdrawn++
		case it.SupersededAt != 0:
			superseded++
		}
	}
	switch {
	case superseded == len(r.Items):
		return StateSuperseded
	case withdrawn+superseded == len(r.Items):
		return StateWithdrawn
	case r.Decision == Refused:
		return StateRefused
	case r.Form == Attested && r.AttestedBy == "":
		return StatePending
	}
	return StateGiven
}
