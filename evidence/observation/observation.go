// Package observation is what people in the observation room do while an interview
// is held: they propose questions, ask for a team break, say that something is wrong,
// and write notes for themselves (P12, P14, P15). The interviewer answers each call
// with what came of it, so that it can be shown later who put which question, whether
// it was asked, and when.
package observation

import (
	"context"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// Kind says what a call is.
type Kind string

const (
	Question Kind = "question" // a question to be asked (P15)
	Break    Kind = "break"    // a team break is asked for (P14)
	Distress Kind = "distress" // something is wrong; the interviewer alone is told, quietly
)

// Outcome is what came of a call.
type Outcome string

const (
	Open       Outcome = ""
	Relayed    Outcome = "relayed" // the question was put to the person
	NotRelayed Outcome = "not-relayed"
	Taken      Outcome = "taken" // there was a break
	NotTaken   Outcome = "not-taken"
	Seen       Outcome = "seen"
)

// outcomes are those that each kind can have.
var outcomes = map[Kind][]Outcome{Question: {Relayed, NotRelayed}, Break: {Taken, NotTaken}, Distress: {Seen}}

// Call is one thing that an observer asks of the interviewer.
type Call struct {
	ID        evidence.ID
	Agency    evidence.ID // of the case
	Case      evidence.ID
	Interview evidence.ID
	Kind      Kind
	Text      string // the question; personal. Empty for a distress signal, may be for a break
	By        evidence.ID
	Role      evidence.Role    // of the account
	At        evidence.Offset  // interview time
	Instant   evidence.Instant // the same by the clock
	Outcome   Outcome
	// SettledBy, SettledAt and SettledInstant say who gave the outcome, and when.
	SettledBy      evidence.ID
	SettledAt      evidence.Offset
	SettledInstant evidence.Instant
}

// Note is what somebody writes for herself during an interview. Nobody else reads it.
type Note struct {
	ID        evidence.ID
	Agency    evidence.ID
	Interview evidence.ID
	Author    evidence.ID
	Text      string // personal
	At        evidence.Offset
	Instant   evidence.Instant
}

// Store keeps calls and notes. Methods that take a custody entry commit both in one
// transaction and return after it is durable. Lookups return an error wrapping
// evidence.ErrNotFound when there is nothing. Safe for concurrent use by many
// processes.
type Store interface {
	// Now is the server time; evidence.ErrClockBehind while it is behind the log.
	Now(ctx context.Context) (evidence.Instant, error)
	Interview(ctx context.Context, id evidence.ID) (evidence.Interview, error)

	CreateCall(ctx context.Context, c Call, entry custody.Entry) error
	Call(ctx context.Context, id evidence.ID) (Call, error)
	// Calls returns an interview's calls, the oldest first.
	Calls(ctx context.Context, interview evidence.ID) ([]Call, error)
	// SettleCall stores outcome and who gave it; evidence.ErrConflict if there is one.
	SettleCall(ctx context.Context, c Call, entry custody.Entry) error

	CreateNote(ctx context.Context, n Note, entry custody.Entry) error
	// Notes returns what one person wrote in one interview, the oldest first.
	Notes(ctx context.Context, interview, author evidence.ID) ([]Note, error)
}
