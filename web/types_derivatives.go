package web

import (
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// Derivative is a copy made of a sealed recording: redacted, trimmed, watermarked.
type Derivative struct {
	ID          evidence.ID    `json:"id" doc:"Derivative."`
	Interview   evidence.ID    `json:"interview_id" doc:"Interview."`
	State       string         `json:"state" doc:"Where it stands." enum:"queued,review,released,refused,failed"`
	Kind        string         `json:"kind" doc:"What the signed derivation calls it." enum:"trimmed,redacted"`
	Plan        DerivativePlan `json:"plan" doc:"What was asked for."`
	Watermark   string         `json:"watermark" doc:"What stands in the picture."`
	Reason      string         `json:"reason" doc:"What it is for."`
	Progress    int            `json:"progress" doc:"Percent, while it is made."`
	Bytes       int64          `json:"bytes" doc:"Size of the file; 0 until it is made."`
	SHA256      string         `json:"sha256,omitempty" doc:"Of the file, lower-case hex."`
	RequestedBy AccountRef     `json:"requested_by" doc:"Who asked."`
	RequestedAt time.Time      `json:"requested_at" doc:"When."`
	DecidedBy   *AccountRef    `json:"decided_by,omitempty" doc:"Who released or refused it."`
	DecidedAt   *time.Time     `json:"decided_at,omitempty" doc:"When."`
	MayDecide   bool           `json:"may_decide" doc:"Whether you may release or refuse it now, once you looked at it."`
	MayFetch    bool           `json:"may_fetch" doc:"Whether you may hand it over now."`
}

// Derivatives are an interview's copies and what you may do.
type Derivatives struct {
	Items      []Derivative `json:"items" doc:"Newest first."`
	MayRequest bool         `json:"may_request" doc:"Whether you may ask for one."`
}

// DerivativePlan says what a copy shows.
type DerivativePlan struct {
	Span
	Cameras    []evidence.ID `json:"cameras" minItems:"1" maxItems:"2" doc:"Sources with a picture."`
	Layout     string        `json:"layout" enum:"single,side,inset" doc:"One camera, two side by side, or the second in a corner of the first."`
	Sounds     []evidence.ID `json:"sounds" maxItems:"8" doc:"Sources whose sound is mixed."`
	Voice      bool          `json:"voice" doc:"Alter every voice: pitch and fine structure are gone for good; words and manner stay."`
	Height     int           `json:"height" enum:"360,540,720" doc:"Lines of the picture."`
	Redactions []Redaction   `json:"redactions" maxItems:"500" doc:"What is hidden."`
}

// Redaction hides something over a span, in every track and transcript.
type Redaction struct {
	Span
	Kind   string        `json:"kind" enum:"hide,black,mute,bleep,blur,blur-all" doc:"hide: picture and sound; black: the picture; mute and bleep: the sound; blur: a box of one camera; blur-all: the whole picture."`
	Camera evidence.ID   `json:"camera,omitempty" doc:"Of blur: the source."`
	Box    *RedactionBox `json:"box,omitempty" doc:"Of blur: where, at the start."`
	End    *RedactionBox `json:"box_end,omitempty" doc:"Of blur: where, at the end; it moves in a straight line. The same place if left out."`
}

// RedactionBox is a part of a picture, in thousandths of its width and height.
type RedactionBox struct {
	X int `json:"x" minimum:"0" maximum:"990" doc:"From the left."`
	Y int `json:"y" minimum:"0" maximum:"990" doc:"From the top."`
	W int `json:"w" minimum:"10" maximum:"1000" doc:"Width."`
	H int `json:"h" minimum:"10" maximum:"1000" doc:"Height."`
}

type requestDerivativeInput struct {
	IDPath
	Body struct {
		DerivativePlan
		Watermark string `json:"watermark" minLength:"1" maxLength:"120" doc:"Recipient, and order or grant: stands in the picture."`
		Reason    string `json:"reason" minLength:"1" maxLength:"500" doc:"What it is for."`
	}
}

type decideDerivativeInput struct {
	IDPath
	Body struct {
		Release bool   `json:"release" doc:"Yes or no."`
		Reason  string `json:"reason" minLength:"1" maxLength:"500" doc:"Why."`
	}
}

type fetchDerivativeInput struct {
	IDPath
	Body struct {
		To         string `json:"to,omitempty" maxLength:"4096" doc:"The recipient's age public key."`
		Passphrase string `json:"passphrase,omitempty" maxLength:"1000" doc:"Or a passphrase of at least 16 characters; it is kept nowhere."`
		Reason     string `json:"reason" minLength:"1" maxLength:"500" doc:"To whom it goes, and why."`
	}
}
