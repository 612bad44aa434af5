package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/toldonce/toldonce/evidence"
)

func TestProblemOf(t *testing.T) {
	refusal := evidence.Refuse(evidence.ErrRefused, "consent.record.missing", "Consent is missing.", "P40")
	for _, c := range []struct {
		name   string
		err    error
		status int
		code   string
		detail string // in the detail; empty: any
		reason string
	}{
		{"not found", fmt.Errorf("case 7: %w", evidence.ErrNotFound), 404, "not_found", "", ""},
		{"hidden with reasons", evidence.Refuse(evidence.ErrNotFound, "secret", "The case exists.", ""), 404, "not_found", "", ""},
		{"refused", fmt.Errorf("starting: %w", refusal), 403, "refused", "Consent is missing.", "consent.record.missing"},
		{"invalid", fmt.Errorf("x: %w", evidence.ErrInvalid), 422, "invalid", "", ""},
		{"conflict", evidence.ErrConflict, 409, "conflict", "", ""},
		{"unavailable", evidence.ErrUnavailable, 503, "unavailable", "", ""},
		{"clock", evidence.ErrClockBehind, 503, "clock_behind", "", ""},
		{"unknown state", evidence.ErrUnknownState, 500, "unknown_state", "", ""},
		{"missing state", evidence.ErrMissingState, 500, "missing_state", "", ""},
		{"format", evidence.ErrUnknownFormat, 500, "unknown_format", "", ""},
		{"unauthenticated", evidence.ErrUnauthenticated, 401, "unauthenticated", "", ""},
		{"too many", evidence.ErrTooMany, 429, "too_many", "", ""},
		{"too large", fmt.Errorf("reading: %w", &http.MaxBytesError{Limit: 7}), 413, "too_large", "7 bytes", ""},
		{"anything else", errors.New("pq: password authentication failed for user bob"), 500, "internal", "", ""},
		{"fault that wraps a sentinel's text", fault(evidence.ErrNotFound), 500, "internal", "", ""},
		{"storage away", fault(fmt.Errorf("s3: %w", evidence.ErrUnavailable)), 503, "unavailable", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := ProblemOf(c.err)
			if p.Status != c.status || p.Code != c.code {
				t.Errorf("got %d %s, want %d %s", p.Status, p.Code, c.status, c.code)
			}
			if !strings.Contains(p.Detail, c.detail) || strings.Contains(p.Detail, "bob") || p.Detail == "" {
				t.Errorf("detail %q", p.Detail)
			}
			var reason string
			if len(p.Reasons) > 0 {
				reason = p.Reasons[0].Code
			}
			if reason != c.reason {
				t.Errorf("reason %q, want %q", reason, c.reason)
			}
		})
	}
}

// Validation must name the place and the rule, and never repeat the value.
func TestHumaErrorsDoNotEchoValues(t *testing.T) {
	err := humaError(422, "validation failed", &huma.ErrorDetail{Location: "body.password", Message: "expected length >= 12", Value: "hunter2"})
	w := httptest.NewRecorder()
	writeProblem(w, httptest.NewRequest("POST", "/", nil), err.(*Problem))
	if body := w.Body.String(); strings.Contains(body, "hunter2") || !strings.Contains(body, "body.password: expected length") {
		t.Errorf("body %s", body)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q", got)
	}
}
