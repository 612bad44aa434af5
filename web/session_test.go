package web

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/internal/world"
	"github.com/toldonce/toldonce/web/login"
)

func TestSessionCookie(t *testing.T) {
	h := newHarness(t)
	c := h.signIn(h.Actors[evidence.RoleProsecutor])
	if c.Name != "__Host-toldonce" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie %+v", c)
	}
	for hash := range h.store.sessions {
		if strings.Contains(hash, c.Value) {
			t.Error("the token itself is stored")
		}
	}
	me := want[Me](h, h.do(call{method: "GET", path: "/api/v1/me", cookie: c}), 200)
	if me.Role != evidence.RoleProsecutor || !me.MFA || me.Session.Kind != "session" || me.Agency.Name != "Policia e Kosovës" {
		t.Errorf("me: %+v", me)
	}

	plain := newHarness(t, func(cfg *Config) { cfg.BaseURL = "http://localhost:8080" })
	if c := plain.signIn(plain.Actors[evidence.RoleAdmin]); c.Name != "toldonce" || c.Secure {
		t.Errorf("over plain HTTP: %+v", c)
	}
}

// P38: thirty minutes in which nothing is done lock the session. What pages do by
// themselves is nothing.
func TestSessionLock(t *testing.T) {
	h := newHarness(t)
	c := h.signIn(h.Actors[evidence.RoleInterviewer])
	get := func(path string) (int, string) {
		w := h.do(call{method: "GET", path: path, cookie: c})
		var p Problem
		if w.Code != 200 {
			p = want[Problem](h, w, w.Code)
		}
		return w.Code, p.Code
	}
	h.Advance(20 * time.Minute)
	if code, _ := get("/api/v1/cases"); code != 200 {
		t.Fatalf("after 20 minutes: %d", code)
	}
	h.Advance(20 * time.Minute) // 40 since the login, 20 since something was done
	if code, _ := get("/api/v1/me"); code != 200 {
		t.Fatalf("20 minutes after an act: %d", code)
	}
	h.Advance(10*time.Minute + time.Second) // /me was no act
	if code, problem := get("/api/v1/me"); code != 401 || problem != "session.locked" {
		t.Fatalf("30 minutes after an act: %d %s", code, problem)
	}
	if code, problem := get("/api/v1/cases"); code != 401 || problem != "session.locked" {
		t.Fatalf("a locked session let somebody in: %d %s", code, problem)
	}
	// Signing in again opens a new session and ends the locked one.
	again := h.signIn(h.Actors[evidence.RoleInterviewer])
	if again.Value == c.Value {
		t.Error("the token was used on")
	}
}

func TestSessionActivityAndEnd(t *testing.T) {
	h := newHarness(t)
	c := h.signIn(h.Actors[evidence.RoleInterviewer])
	active := func() int {
		return h.do(call{method: "POST", path: "/api/v1/session/activity", cookie: c, header: map[string]string{"Sec-Fetch-Site": "same-origin"}}).Code
	}
	for begun := time.Duration(0); begun < login.Lifetime-25*time.Minute; begun += 25 * time.Minute {
		if code := active(); code != 200 {
			t.Fatalf("after %v: %d", begun, code)
		}
		h.Advance(25 * time.Minute)
	}
	h.Advance(25 * time.Minute)
	w := h.do(call{method: "GET", path: "/api/v1/me", cookie: c})
	if p := want[Problem](h, w, 401); p.Code != "session.none" {
		t.Errorf("after 12 hours: %s", describe(w))
	}
}

func TestSignOut(t *testing.T) {
	h := newHarness(t)
	c := h.signIn(h.Actors[evidence.RoleAuditor])
	out := h.do(call{method: "DELETE", path: "/api/v1/session", cookie: c, header: map[string]string{"Sec-Fetch-Site": "same-origin"}})
	if out.Code != 204 || !strings.Contains(out.Header().Get("Set-Cookie"), "Max-Age=0") {
		t.Fatalf("%d %v", out.Code, out.Header())
	}
	if w := h.do(call{method: "GET", path: "/api/v1/me", cookie: c}); w.Code != 401 {
		t.Errorf("signed out and still in: %d", w.Code)
	}
}

// A request that runs while its person signs out must not revive the session.
func TestTouchRevivesNothing(t *testing.T) {
	h := newHarness(t)
	c := h.signIn(h.Actors[evidence.RoleAuditor])
	r, err := http.NewRequest("GET", origin+"/api/v1/cases", nil)
	h.Must(err)
	r.AddCookie(c)
	running, err := h.server.sessions.Find(context.Background(), r)
	h.Must(err)
	_, err = h.server.sessions.End(context.Background(), r)
	h.Must(err)
	h.Advance(2 * time.Minute)
	h.Must(h.server.sessions.Touch(&running))
	if _, err := h.server.sessions.Find(context.Background(), r); err == nil {
		t.Error("the session is back")
	}
}

func TestDisabledAccountIsOut(t *testing.T) {
	h := newHarness(t)
	c := h.signIn(h.Actors[evidence.RoleObserver])
	_, err := h.People.Disable(context.Background(), h.Actors[evidence.RoleAdmin], h.Actors[evidence.RoleObserver].Account, "left the agency")
	h.Must(err)
	if w := h.do(call{method: "GET", path: "/api/v1/me", cookie: c}); w.Code != 401 {
		t.Errorf("disabled and still in: %s", describe(w))
	}
}

// The door says one thing for everything that is wrong, and the code only once.
func TestSignInFailures(t *testing.T) {
	h := newHarness(t)
	a := h.Actors[evidence.RoleAdvocate]
	code := h.CodeOf(h.Secrets[a.Account], 0)
	try := func(login, password, code string) string {
		return describe(h.do(call{method: "POST", path: "/api/v1/session", from: "192.0.2.1:99", body: map[string]string{"login": login, "password": password, "code": code}}))
	}
	wrong := try("nobody", world.Password, code)
	if !strings.HasPrefix(wrong, "401") {
		t.Fatal(wrong)
	}
	if got := try("advocate", "not the password", code); got != wrong {
		t.Errorf("a wrong password is told: %s", got)
	}
	if got := try("advocate", world.Password, "000000"); got != wrong {
		t.Errorf("a wrong code is told: %s", got)
	}
	if got := try("advocate", world.Password, code); !strings.HasPrefix(got, "200") {
		t.Fatal(got)
	}
	if got := try("advocate", world.Password, code); got != wrong {
		t.Errorf("a code was accepted twice: %s", got)
	}
	for range 5 {
		try("advocate", "guess", "000000")
	}
	if got := try("advocate", world.Password, code); !strings.HasPrefix(got, "429") {
		t.Errorf("after many attempts: %s", got)
	}
	if strings.Contains(h.logs.String(), "192.0.2.1") || strings.Contains(h.logs.String(), "advocate") {
		t.Error("the server's log names an address or a login")
	}
}

func TestTokens(t *testing.T) {
	h := newHarness(t)
	role := evidence.RoleCustodian
	made := want[NewToken](h, h.as(role, "POST", "/tokens", map[string]any{"name": "script", "hours": 2}), 201)
	auth := map[string]string{"Authorization": "Bearer " + made.Token}
	me := want[Me](h, h.do(call{method: "GET", path: "/api/v1/me", header: auth}), 200)
	if me.Session.Kind != "token" || me.Role != role {
		t.Errorf("me: %+v", me)
	}
	// No page of any origin can send the header by itself: it needs no further check.
	if w := h.do(call{method: "POST", path: "/api/v1/session/activity", header: map[string]string{"Authorization": auth["Authorization"], "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}}); w.Code != 200 {
		t.Errorf("with a token: %s", describe(w))
	}
	if w := h.do(call{method: "POST", path: "/api/v1/tokens", header: auth, body: map[string]any{"name": "child"}}); w.Code != 403 {
		t.Errorf("a token made a token: %s", describe(w))
	}
	// An Authorization header decides alone: a good cookie beside a bad token is nothing.
	if w := h.do(call{method: "GET", path: "/api/v1/me", header: map[string]string{"Authorization": "Bearer toldonce_wrong"}, cookie: h.cookies[role]}); w.Code != 401 {
		t.Errorf("bad token, good cookie: %s", describe(w))
	}
	if w := h.do(call{method: "GET", path: "/api/v1/me", header: map[string]string{"Authorization": "Basic eDp5"}, cookie: h.cookies[role]}); w.Code != 401 {
		t.Errorf("basic, good cookie: %s", describe(w))
	}
	if w := h.as(role, "POST", "/tokens", map[string]any{"name": "long", "hours": 25}); w.Code != 422 {
		t.Errorf("25 hours: %s", describe(w))
	}
	if w := h.as(role, "DELETE", "/tokens/"+string(made.ID), nil); w.Code != 204 {
		t.Fatalf("revoking: %s", describe(w))
	}
	if w := h.do(call{method: "GET", path: "/api/v1/me", header: auth}); w.Code != 401 {
		t.Errorf("a revoked token: %s", describe(w))
	}
}
