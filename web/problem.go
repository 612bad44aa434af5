package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/toldonce/toldonce/evidence"
)

// Problem is an error as a client sees it: RFC 9457 with a stable code and the
// reasons. It holds no internal detail, no identifier of the request and no
// time, so that two problems of one kind are the same bytes.
type Problem struct {
	Type    string   `json:"type" doc:"Always about:blank: code says which problem it is." example:"about:blank"`
	Title   string   `json:"title" doc:"The HTTP status in words." example:"Forbidden"`
	Status  int      `json:"status" doc:"The HTTP status code." example:"403"`
	Detail  string   `json:"detail" doc:"What went wrong and what to do, in English, for a person." example:"Consent to record has not been given."`
	Code    string   `json:"code" doc:"Stable, dotted, lower case. Translate by it." example:"refused"`
	Reasons []Reason `json:"reasons,omitempty" doc:"Each reason of a refusal, in the order in which to show them."`

	header http.Header
}

// Reason is one sentence of why something was refused or decided.
type Reason struct {
	Code     string `json:"code" doc:"Stable, dotted, lower case. Translate by it." example:"consent.record.missing"`
	Text     string `json:"text" doc:"The English sentence. It names no person." example:"Consent to record has not been given."`
	Practice string `json:"practice,omitempty" doc:"The practice number that asks for the rule." example:"P40"`
}

func reasonsOf(in []evidence.Reason) []Reason {
	out := make([]Reason, 0, len(in))
	for _, r := range in {
		out = append(out, Reason(r))
	}
	return out
}

// Error returns the English sentence.
func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status; huma asks for it.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders returns the headers that go with the problem, such as Retry-After.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType names the media type of RFC 9457 in place of plain JSON.
func (p *Problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

func newProblem(status int, code, detail string) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Code: code}
}

func (p *Problem) with(header, value string) *Problem {
	if p.header == nil {
		p.header = make(http.Header)
	}
	p.header.Set(header, value)
	return p
}

// errorTable is the one mapping from what the domain says to what HTTP says.
// The first entry that errors.Is finds wins.
var errorTable = []struct {
	is     error
	status int
	code   string
	detail string
}{
	{evidence.ErrNotFound, http.StatusNotFound, "not_found", "There is nothing here that you may know of."},
	{evidence.ErrUnauthenticated, http.StatusUnauthorized, "unauthenticated", "Sign in first."},
	{evidence.ErrTooMany, http.StatusTooManyRequests, "too_many", "Too many attempts. Try again later."},
	{evidence.ErrRefused, http.StatusForbidden, "refused", "This is not allowed."},
	{evidence.ErrInvalid, http.StatusUnprocessableEntity, "invalid", "The request cannot be accepted as it is."},
	{evidence.ErrConflict, http.StatusConflict, "conflict", "It has changed, exists already, or is in a state in which this makes no sense. Read it again first."},
	{evidence.ErrClockBehind, http.StatusServiceUnavailable, "clock_behind", "The server's clock is behind its custody log, so nothing can be judged. An operator must set it right."},
	{evidence.ErrUnavailable, http.StatusServiceUnavailable, "unavailable", "A part of the system does not answer. Try again in a moment."},
	{evidence.ErrUnknownState, http.StatusInternalServerError, "unknown_state", "It cannot be told whether this was done. Do not repeat it: look at the custody log first."},
	{evidence.ErrUnknownFormat, http.StatusInternalServerError, "unknown_format", "A stored document is of a form that this version cannot judge."},
	{evidence.ErrMissingState, http.StatusInternalServerError, "missing_state", "Something that the system needs is missing. An operator must look at it."},
}

// errFault marks an error as the server's own, whatever it wraps: a stored object
// that is damaged is not a mistake in the request that met it.
var errFault = errors.New("server fault")

// ProblemOf turns any error into what a client may see of it. An error that the
// table does not know becomes a bare 500. The caller logs err; only the text of
// a [evidence.Refusal] is meant for people and is passed on, and never on a 404.
func ProblemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return newProblem(http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("The body may hold at most %d bytes.", tooLarge.Limit))
	}
	for _, row := range errorTable {
		if !errors.Is(err, row.is) {
			continue
		}
		p := newProblem(row.status, row.code, row.detail)
		if row.status == http.StatusNotFound {
			return p
		}
		switch row.status {
		case http.StatusServiceUnavailable:
			p.with("Retry-After", "5")
		case http.StatusTooManyRequests:
			p.with("Retry-After", "60")
		}
		var refusal *evidence.Refusal
		if errors.As(err, &refusal) && len(refusal.Reasons) > 0 {
			p.Reasons = reasonsOf(refusal.Reasons)
			p.Detail = refusal.Reasons[0].Text
		}
		return p
	}
	return newProblem(http.StatusInternalServerError, "internal", "Something failed inside the server. It was logged.")
}

// notFound is the answer for what does not exist and for what one may not know.
func notFound() *Problem { return ProblemOf(evidence.ErrNotFound) }

// writeProblem writes a problem outside huma, as huma would.
func writeProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(p); err != nil {
		panic(err) // a Problem of strings and an int always encodes
	}
	h := w.Header()
	for name, values := range p.header {
		h[name] = values
	}
	h.Set("Content-Type", problemType)
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body.Bytes()) // the client is gone: nothing to tell anyone
	}
}

// humaError builds the problem for what huma itself finds wrong: a body that is
// not JSON, a field out of bounds. It repeats the place and the rule but never
// the value, which may be a password.
func humaError(status int, msg string, errs ...error) huma.StatusError {
	p := newProblem(status, codeOfStatus(status), msg)
	if status >= http.StatusInternalServerError {
		p.Detail = "Something failed inside the server. It was logged."
		return p
	}
	for _, err := range errs {
		if err == nil {
			continue
		}
		var known *Problem
		if errors.As(err, &known) {
			return known
		}
		reason := Reason{Code: "input.invalid", Text: "The value is not acceptable."}
		if d, ok := err.(huma.ErrorDetailer); ok {
			detail := d.ErrorDetail()
			reason.Text = detail.Message
			if detail.Location != "" {
				reason.Text = detail.Location + ": " + detail.Message
			}
		}
		p.Reasons = append(p.Reasons, reason)
	}
	return p
}

func codeOfStatus(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "bad_request"
	case http.StatusUnauthorized:
		return "unauthenticated"
	case http.StatusForbidden:
		return "refused"
	case http.StatusNotFound:
		return "not_found"
	case http.StatusRequestTimeout:
		return "timeout"
	case http.StatusRequestEntityTooLarge:
		return "too_large"
	case http.StatusUnsupportedMediaType:
		return "unsupported_media_type"
	case http.StatusNotAcceptable:
		return "not_acceptable"
	case http.StatusUnprocessableEntity:
		return "invalid"
	}
	return "error"
}

// huma is configured through package variables; nothing else in this module uses
// huma. Lists are never null in what this API writes.
func init() {
	gin.SetMode(gin.ReleaseMode) // its debug mode prints every route to stdout
	huma.NewError = humaError
	huma.DefaultArrayNullable = false
}
