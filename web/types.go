package web

import (
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// AccountRef names an account where it is mentioned.
type AccountRef struct {
	ID   evidence.ID   `json:"id" doc:"Account." example:"0198f5a0-3c1e-7d3a-9c55-2f1b6a7d9e10"`
	Name string        `json:"name" doc:"The person's name; empty if it was erased."`
	Role evidence.Role `json:"role" doc:"The account's role."`
}

// NamedRef names an agency, a room or a case where it is mentioned.
type NamedRef struct {
	ID   evidence.ID `json:"id" doc:"Identifier."`
	Name string      `json:"name" doc:"Its name."`
}

// CaseRef names a case file where it is mentioned.
type CaseRef struct {
	ID        evidence.ID `json:"id" doc:"Case file."`
	Reference string      `json:"reference" doc:"The agency's case number (P9)." example:"PP-2026/0117"`
}

// PersonRef names a person on a case by pseudonym.
type PersonRef struct {
	ID        evidence.ID `json:"id" doc:"Person on the case."`
	Pseudonym string      `json:"pseudonym" doc:"The name that the system uses for her; empty for a role that need not know it." example:"Mira"`
}

// SourceRef names a source where it is mentioned.
type SourceRef struct {
	ID   evidence.ID         `json:"id" doc:"Source."`
	Name string              `json:"name" doc:"Unique in the interview." example:"close-up"`
	Role evidence.SourceRole `json:"role" doc:"What it shows or hears (P8, P17)." enum:"close-up,wide,room,child,interpreter"`
}

// Span is a half-open range of interview time.
type Span struct {
	From  evidence.Offset `json:"from" doc:"Start, inclusive, microseconds since the first start of the interview." minimum:"0" example:"0"`
	Until evidence.Offset `json:"until" doc:"End, exclusive, microseconds since the first start of the interview." minimum:"1" example:"120000000"`
}

func spanOf(r evidence.Range) Span { return Span{From: r.From, Until: r.Until} }

// when turns an instant into what JSON shows, or nothing if it is 0.
func when(i evidence.Instant) *time.Time {
	if i == 0 {
		return nil
	}
	t := i.Time()
	return &t
}

// IDPath is the input of an operation on one thing.
type IDPath struct {
	ID evidence.ID `path:"id" maxLength:"64" doc:"Identifier of the thing in the path."`
}

// Page is the input of a list that goes on.
type Page struct {
	After  int64 `query:"after" minimum:"-1" default:"-1" doc:"Show what comes after this position. Leave it out for the beginning."`
	Before int64 `query:"before" minimum:"0" doc:"Show what comes before this position. Leave it out, or 0, for no bound."`
	Newest bool  `query:"newest" doc:"Newest first."`
	Limit  int   `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"At most so many."`
}

// list is the body of every list.
type list[T any] struct {
	Items []T `json:"items" doc:"The list, newest first unless the operation says otherwise."`
}

// listOf maps a slice, and never yields null.
func listOf[A, B any](in []A, f func(A) B) list[B] {
	out := list[B]{Items: make([]B, 0, len(in))}
	for _, a := range in {
		out.Items = append(out.Items, f(a))
	}
	return out
}

// answer is the output of an operation with a JSON body.
type answer[T any] struct{ Body T }

func answerOf[T any](body T) *answer[T] { return &answer[T]{Body: body} }

// nothing is the input or output of an operation without one.
type nothing struct{}
