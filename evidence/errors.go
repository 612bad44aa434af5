package evidence

import (
	"errors"
	"strings"
)

// The handful of kinds of failure that the domain knows. Wrap them with %w; one
// table in package web maps them to HTTP statuses.
var (
	// ErrNotFound: there is no such thing, or the actor may not know of it.
	ErrNotFound = errors.New("not found")
	// ErrRefused: known, but not allowed; a [Refusal] carries the reasons.
	ErrRefused = errors.New("refused")
	// ErrUnauthenticated: who acts is not known: no credentials, or wrong,
	// used-up, expired or disabled ones. It never says which.
	ErrUnauthenticated = errors.New("not signed in")
	// ErrTooMany: too many attempts from one place; try again later.
	ErrTooMany = errors.New("too many attempts")
	// ErrInvalid: the input cannot be accepted as it is.
	ErrInvalid = errors.New("invalid input")
	// ErrConflict: the thing changed since it was read, or exists already, or
	// is in a state in which the act makes no sense.
	ErrConflict = errors.New("conflict")
	// ErrUnavailable: a part that is needed does not answer; try again later.
	ErrUnavailable = errors.New("unavailable")
	// ErrUnknownState: a commit may or may not have happened. Stop and recover;
	// do not retry.
	ErrUnknownState = errors.New("state unknown")
	// ErrClockBehind: the server's clock is behind the last custody entry, so no
	// access can be judged until it is set right.
	ErrClockBehind = errors.New("server clock is behind the custody log")
	// ErrMissingState: a key, log head or table that must exist does not. It is
	// fatal and never recreated silently.
	ErrMissingState = errors.New("required state is missing")
	// ErrUnknownFormat: a signed document names a type or version that this
	// program does not know. It cannot be judged: it neither holds nor fails.
	ErrUnknownFormat = errors.New("unknown type or version of document")
)

// Reason is one sentence of why something was refused or decided.
type Reason struct {
	// Code is stable, dotted, lower case ("consent.record.missing"); pages
	// translate by it.
	Code string `json:"code"`
	// Text is the English sentence, saying what to do. It names no person.
	Text string `json:"text"`
	// Practice is the practice number that asks for the rule ("P40"), or empty.
	Practice string `json:"practice,omitempty"`
}

// Refusal is an error with reasons that a person may be shown.
type Refusal struct {
	// Kind is one of the sentinels of this package; errors.Is finds it.
	Kind error
	// Reasons holds at least one.
	Reasons []Reason
}

// Refuse builds a Refusal of one reason. kind is one of the sentinels.
func Refuse(kind error, code, text, practice string) *Refusal {
	return &Refusal{Kind: kind, Reasons: []Reason{{Code: code, Text: text, Practice: practice}}}
}

// Error joins the English sentences.
func (r *Refusal) Error() string {
	texts := make([]string, len(r.Reasons))
	for i, reason := range r.Reasons {
		texts[i] = reason.Text
	}
	return r.Kind.Error() + ": " + strings.Join(texts, " ")
}

// Unwrap returns Kind.
func (r *Refusal) Unwrap() error { return r.Kind }
