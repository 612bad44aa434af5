package web

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
)

// WHEP answers as WHIP does, at its own address.
func TestWHEPStatuses(t *testing.T) {
	h := newHarness(t)
	sdp := map[string]string{"Authorization": "Bearer nobody", "Content-Type": "application/sdp"}
	for _, c := range []struct {
		name, method, path string
		header             map[string]string
		status             int
		want               map[string]string
	}{
		{"no token", "POST", "/whep/cam", map[string]string{"Content-Type": "application/sdp"}, 401, map[string]string{"WWW-Authenticate": `Bearer realm="toldonce"`}},
		{"wrong token", "POST", "/whep/cam", sdp, 401, nil},
		{"a cookie is no token", "POST", "/whep/cam", map[string]string{"Content-Type": "application/sdp", "Cookie": "toldonce=x"}, 401, nil},
		{"preflight", "OPTIONS", "/whep/cam", map[string]string{"Origin": "https://elsewhere.example"}, 204, map[string]string{"Accept-Post": typeSDP, "Access-Control-Allow-Origin": "*"}},
		{"preflight of a session", "OPTIONS", "/whep/cam/s1", nil, 204, map[string]string{"Accept-Patch": typeFragment}},
		{"get", "GET", "/whep/cam", sdp, 405, map[string]string{"Allow": "POST, OPTIONS"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.path, strings.NewReader("v=0"))
			r.RemoteAddr, r.Host = "127.0.0.1:5000", "localhost"
			for k, v := range c.header {
				r.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			h.server.ServeHTTP(w, r)
			if w.Code != c.status {
				t.Fatalf("status %d, want %d: %s", w.Code, c.status, w.Body)
			}
			for k, v := range c.want {
				if got := w.Header().Get(k); got != v {
					t.Errorf("%s: %q, want %q", k, got, v)
				}
			}
			if w.Header().Get("Access-Control-Allow-Credentials") != "" {
				t.Error("credentials must never be allowed")
			}
		})
	}
}

// Watching needs the permission and the person's consent to exactly that, at the
// moment at which it is asked for.
func TestWatchingRestsOnConsent(t *testing.T) {
	h, _ := newRealHarness(t)
	h.OpenCase()
	iv := h.Plan(h.PlanFor(h.Victim.ID))
	path := "/interviews/" + string(iv.ID) + "/observation"
	if w := h.asRaw(evidence.RoleObserver, "POST", path, ""); w.Code != 403 || !strings.Contains(w.Body.String(), "watch.no_consent") {
		t.Errorf("without consent: %s", describe(w))
	}
	c := h.Consents(h.WrittenConsent(h.Victim.ID, "observe_live"))
	if w := h.asRaw(evidence.RoleObserver, "POST", path, ""); w.Code != 201 || !strings.Contains(w.Body.String(), `"role":"observer"`) {
		t.Errorf("with consent: %s", describe(w))
	}
	if w := h.asRaw(evidence.RoleProsecutor, "POST", path, ""); w.Code != 403 || strings.Contains(w.Body.String(), "watch.no_consent") {
		t.Errorf("a prosecutor who is no observer: %s", describe(w))
	}
	if _, err := h.Consent.Withdraw(t.Context(), h.Actors[evidence.RoleInterviewer], c.ID, consent.Withdrawal{}); err != nil {
		t.Fatal(err)
	}
	if w := h.asRaw(evidence.RoleObserver, "POST", path, ""); w.Code != 403 {
		t.Errorf("after withdrawal: %s", describe(w))
	}
}
