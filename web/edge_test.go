package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// Only pages of this very origin may act with the cookie, and only they may sign
// somebody in.
func TestCrossOrigin(t *testing.T) {
	h := newHarness(t)
	c := h.signIn(h.Actors[evidence.RoleCaseManager])
	for _, x := range []struct {
		name   string
		header map[string]string
		status int
	}{
		{"own page", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": origin}, 201},
		{"typed by hand", map[string]string{"Sec-Fetch-Site": "none"}, 201},
		{"another site", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403},
		{"a sibling host", map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "https://other.localhost:8443"}, 403},
		{"an old browser elsewhere", map[string]string{"Origin": "https://evil.example"}, 403},
		{"an old browser, another port", map[string]string{"Origin": "https://localhost:9443"}, 403},
		{"an opaque origin", map[string]string{"Origin": "null"}, 403},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := h.do(call{method: "POST", path: "/api/v1/cases", cookie: c, header: x.header, body: map[string]string{"reference": x.name}})
			if w.Code != x.status {
				t.Errorf("acting: %s", describe(w))
			}
			if w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Error("the API must never allow another origin")
			}
			in := h.do(call{method: "POST", path: "/api/v1/session", header: x.header, body: map[string]string{"login": "nobody", "password": "x", "code": "000000"}})
			if (in.Code == 403) != (x.status == 403) {
				t.Errorf("signing in: %s", describe(in))
			}
		})
	}
}

func TestSecurityHeaders(t *testing.T) {
	h := newHarness(t)
	for _, path := range []string{"/", "/cases", "/api/v1/me", "/api/openapi.json", "/healthz", "/nothing.js"} {
		w := h.do(call{method: "GET", path: path})
		for name, value := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store"} {
			if got := w.Header().Get(name); got != value {
				t.Errorf("%s: %s is %q, want %q", path, name, got, value)
			}
		}
		if _, err := evidence.ParseID(w.Header().Get("X-Request-Id")); err != nil {
			t.Errorf("%s: request id: %v", path, err)
		}
		if w.Header().Get("Server") != "" || w.Header().Get("X-Powered-By") != "" {
			t.Errorf("%s: says what it runs on", path)
		}
	}
	policy := h.do(call{method: "GET", path: "/"}).Header().Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "media-src blob:", "frame-ancestors 'none'", "base-uri 'none'",
		"form-action 'self'", "require-trusted-types-for 'script'", "trusted-types svelte-trusted-html toldonce"} {
		if !strings.Contains(policy+";", part+";") {
			t.Errorf("no %s in %s", part, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("unsafe: %s", policy)
	}
	// httptest pretends TLS for an https URL.
	if got := h.do(call{method: "GET", path: "/"}).Header().Get("Strict-Transport-Security"); got != "" {
		t.Errorf("localhost must not be bound to TLS for every program on it: %q", got)
	}
}

func TestPlainHTTPIsForThisMachine(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.BaseURL, c.TrustedProxies = "http://localhost:8080", []string{"192.0.2.50"} })
	for _, x := range []struct {
		name, from string
		header     map[string]string
		status     int
	}{
		{"loopback, by a name that another site made point here", "127.0.0.1:1", map[string]string{"Host": "site.example:8080"}, 421},
		{"loopback, by its address", "127.0.0.1:1", map[string]string{"Host": "127.0.0.1:8080"}, 200},
		{"loopback", "127.0.0.1:1", nil, 200},
		{"loopback, IPv6", "[::1]:1", nil, 200},
		{"another host", "198.51.100.7:1", nil, 403},
		{"another host that claims TLS", "198.51.100.7:1", map[string]string{"X-Forwarded-Proto": "https"}, 403},
		{"another host that claims loopback", "198.51.100.7:1", map[string]string{"X-Forwarded-For": "127.0.0.1"}, 403},
		{"trusted proxy with TLS", "192.0.2.50:1", map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7"}, 200},
		{"trusted proxy without", "192.0.2.50:1", map[string]string{"X-Forwarded-For": "198.51.100.7"}, 403},
	} {
		t.Run(x.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "http://localhost:8080/healthz", nil)
			r.RemoteAddr = x.from
			for k, v := range x.header {
				r.Header.Set(k, v)
			}
			if host := r.Header.Get("Host"); host != "" {
				r.Host = host
			}
			w := httptest.NewRecorder()
			h.server.ServeHTTP(w, r)
			if w.Code != x.status {
				t.Errorf("%s", describe(w))
			}
			if w.Code == 421 && !strings.Contains(w.Body.String(), "host.other") {
				t.Errorf("%s", w.Body)
			}
			if w.Code == 403 && !strings.Contains(w.Body.String(), "tls.required") {
				t.Errorf("not explained: %s", w.Body)
			}
		})
	}
}

// The address in the custody log is that of the connection, unless a configured
// proxy says otherwise.
func TestSpoofedAddress(t *testing.T) {
	for _, x := range []struct {
		name, from, forwarded, want string
		proxies                     []string
	}{
		{"direct", "203.0.113.9:4000", "", "203.0.113.9", nil},
		{"spoofed", "203.0.113.9:4000", "10.0.0.1", "203.0.113.9", nil},
		{"by a proxy", "192.0.2.50:4000", "203.0.113.9", "203.0.113.9", []string{"192.0.2.0/24"}},
		{"spoofed through a proxy", "192.0.2.50:4000", "10.0.0.1, 203.0.113.9", "203.0.113.9", []string{"192.0.2.50"}},
		{"another proxy", "192.0.2.51:4000", "10.0.0.1", "192.0.2.51", []string{"192.0.2.50"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			h := newHarness(t, func(c *Config) { c.TrustedProxies = x.proxies })
			a := h.Actors[evidence.RoleCaseManager]
			header := map[string]string{"X-Forwarded-Proto": "https"}
			if x.forwarded != "" {
				header["X-Forwarded-For"], header["X-Real-Ip"], header["Forwarded"] = x.forwarded, "10.0.0.2", "for=10.0.0.3"
			}
			w := h.do(call{method: "POST", path: "/api/v1/session", from: x.from, header: header,
				body: map[string]string{"login": "case_manager", "password": "vjollca e kaltër 17", "code": h.CodeOf(h.Secrets[a.Account], 0)}})
			if w.Code != 200 {
				t.Fatal(describe(w))
			}
			entries := h.store.Log("account.sign_in")
			if got := entries[len(entries)-1].Actor.Address; got != x.want {
				t.Errorf("logged %q, want %q", got, x.want)
			}
		})
	}
}

func TestBodies(t *testing.T) {
	h := newHarness(t)
	c := h.signIn(h.Actors[evidence.RoleCaseManager])
	for _, x := range []struct {
		name, body, contentType string
		status                  int
		code                    string
	}{
		{"good", `{"reference":"PP 1"}`, "application/json", 201, ""},
		{"too large", `{"reference":"` + strings.Repeat("x", defaultBody) + `"}`, "application/json", 413, "too_large"},
		{"not JSON", `{"reference":`, "application/json", 400, "bad_request"},
		{"empty", ``, "application/json", 400, "bad_request"},
		{"another type", `reference=1`, "application/x-www-form-urlencoded", 415, "unsupported_media_type"},
		{"missing field", `{}`, "application/json", 422, "invalid"},
		{"unknown field", `{"reference":"PP 2","admin":true}`, "application/json", 422, "invalid"},
		{"wrong type", `{"reference":7}`, "application/json", 422, "invalid"},
		{"too long", `{"reference":"` + strings.Repeat("x", 101) + `"}`, "application/json", 422, "invalid"},
	} {
		t.Run(x.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", origin+"/api/v1/cases", strings.NewReader(x.body))
			r.RemoteAddr = "127.0.0.1:1"
			r.Header.Set("Content-Type", x.contentType)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			r.AddCookie(c)
			w := httptest.NewRecorder()
			h.server.ServeHTTP(w, r)
			if w.Code != x.status {
				t.Fatal(describe(w))
			}
			if x.code == "" {
				return
			}
			if p := want[Problem](h, w, x.status); p.Code != x.code || w.Header().Get("Content-Type") != problemType || p.Type != "about:blank" || p.Title == "" || p.Detail == "" {
				t.Errorf("%s %s", w.Header().Get("Content-Type"), describe(w))
			}
		})
	}
}

func TestUnknownRoutes(t *testing.T) {
	h := newHarness(t)
	for _, x := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/api/v1/nothing", 404}, {"GET", "/api/", 404}, {"DELETE", "/api/v1/cases", 405}, {"PUT", "/api/v1/me", 405}, {"GET", "/whip/", 404},
		{"GET", "/api/v1/me/", 404},
	} {
		w := h.do(call{method: x.method, path: x.path})
		if w.Code != x.status || w.Header().Get("Content-Type") != problemType {
			t.Errorf("%s %s: %s %s", x.method, x.path, w.Header().Get("Content-Type"), describe(w))
		}
		if x.status == 405 && w.Header().Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", x.method, x.path)
		}
	}
	if w := h.as(evidence.RoleAuditor, "GET", "/cases?nonsense=1", nil); w.Code != 422 {
		t.Errorf("an unknown query parameter: %s", describe(w))
	}
}

func TestReadiness(t *testing.T) {
	broken := errors.New("dial tcp 10.1.2.3:5432: refused")
	var failing error
	h := newHarness(t, func(c *Config) {
		c.Probes = []Probe{{"database", func(context.Context) error { return failing }}, {"objects", func(context.Context) error { return nil }}}
	})
	if w := h.do(call{method: "GET", path: "/healthz"}); w.Code != 200 || w.Body.String() != "ok\n" {
		t.Errorf("healthz: %s", describe(w))
	}
	got := want[readiness](h, h.do(call{method: "GET", path: "/readyz"}), 200)
	if !got.Ready || len(got.Checks) != 4 {
		t.Errorf("ready: %+v", got)
	}
	failing = broken
	w := h.do(call{method: "GET", path: "/readyz"})
	got = want[readiness](h, w, 503)
	if got.Ready || got.Checks[2].OK || !got.Checks[3].OK || strings.Contains(w.Body.String(), "10.1.2.3") {
		t.Errorf("not ready: %s", describe(w))
	}
	failing = nil
	h.Advance(-24 * time.Hour)
	if got = want[readiness](h, h.do(call{method: "GET", path: "/readyz"}), 503); got.Checks[1].Name != "clock" || got.Checks[1].OK {
		t.Errorf("with a clock that went back: %+v", got)
	}
}

func TestMetrics(t *testing.T) {
	h := newHarness(t)
	h.OpenCase()
	h.as(evidence.RoleCaseManager, "GET", "/cases/"+string(h.Case.ID)+"?x="+string(h.Case.ID), nil)
	w := h.do(call{method: "GET", path: "/metrics"})
	body := w.Body.String()
	if w.Code != 200 || !strings.Contains(body, `toldonce_http_requests_total{method="GET",route="/api/v1/cases/:id"`) {
		t.Fatalf("%d %.300s", w.Code, body)
	}
	for _, secret := range []string{string(h.Case.ID), "case_manager", "127.0.0.1"} {
		if strings.Contains(body, secret) {
			t.Errorf("metrics name %s", secret)
		}
	}
	for name, c := range map[string]call{
		"from elsewhere":  {method: "GET", path: "/metrics", from: "198.51.100.7:1"},
		"through a proxy": {method: "GET", path: "/metrics", header: map[string]string{"X-Forwarded-For": "198.51.100.7"}},
	} {
		if w := h.do(c); w.Code != 404 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}

	guarded := newHarness(t, func(c *Config) { c.MetricsToken = "scrape" })
	for token, status := range map[string]int{"": 404, "Bearer wrong": 404, "Bearer scrape": 200} {
		if w := guarded.do(call{method: "GET", path: "/metrics", from: "198.51.100.7:1", header: map[string]string{"Authorization": token}}); w.Code != status {
			t.Errorf("%q: %d", token, w.Code)
		}
	}
}

// The server's own log holds nothing that leads to a person or a case.
func TestLogsArePseudonymous(t *testing.T) {
	h := newHarness(t)
	h.OpenCase()
	h.as(evidence.RoleCaseManager, "GET", "/cases?find=Lulja", nil) // an older client, or a mistake
	found := want[list[Case]](h, h.as(evidence.RoleCaseManager, "POST", "/cases/find", map[string]any{"find": "lulja"}), 200)
	if len(found.Items) != 1 || found.Items[0].ID != h.Case.ID {
		t.Errorf("found %+v", found)
	}
	h.as(evidence.RoleCaseManager, "GET", "/cases/"+string(h.Case.ID)+"/people", nil)
	h.do(call{method: "GET", path: "/welcome?token=secret-in-the-query", from: "203.0.113.9:1"})
	h.do(call{method: "GET", path: "/api/v1/nothing/Lulja"})
	logs := h.logs.String()
	for _, secret := range []string{"Lulja", string(h.Case.ID), "secret-in-the-query", "203.0.113.9", "127.0.0.1", "PP 2026", string(h.Actors[evidence.RoleCaseManager].Account)} {
		if strings.Contains(logs, secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
	for line := range strings.Lines(logs) {
		var entry struct{ Msg, Route, Request string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Msg == "" {
			t.Errorf("not structured: %s", line)
		}
	}
}

// A fault is logged with its cause and the request's id, and told without.
func TestFaultsStayInside(t *testing.T) {
	h := newHarness(t)
	h.store.FailBefore["case.open"] = true
	w := h.as(evidence.RoleCaseManager, "POST", "/cases", map[string]string{"reference": "PP 9"})
	if p := want[Problem](h, w, 500); p.Code != "internal" || strings.Contains(w.Body.String(), "injected") {
		t.Errorf("told: %s", w.Body)
	}
	if !strings.Contains(h.logs.String(), "injected failure") || !strings.Contains(h.logs.String(), w.Header().Get("X-Request-Id")) {
		t.Error("not logged")
	}
	delete(h.store.FailBefore, "case.open")
	h.store.FailAfter["case.open"] = true
	if p := want[Problem](h, h.as(evidence.RoleCaseManager, "POST", "/cases", map[string]string{"reference": "PP 10"}), 500); p.Code != "unknown_state" {
		t.Errorf("a lost commit: %+v", p)
	}
	h.Advance(-1 << 40)
	if p := want[Problem](h, h.do(call{method: "GET", path: "/api/v1/cases", cookie: h.cookies[evidence.RoleCaseManager]}), 503); p.Code != "clock_behind" {
		t.Errorf("a clock that went back: %+v", p)
	}
}

func TestPanicsAreFaults(t *testing.T) {
	h := newHarness(t)
	h.server.people = nil
	w := h.do(call{method: "POST", path: "/api/v1/invitations/open", body: map[string]string{"token": strings.Repeat("x", 20)}})
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "nil pointer") {
		t.Errorf("%s", describe(w))
	}
	if !strings.Contains(h.logs.String(), "nil pointer") {
		t.Error("not logged")
	}
}

// Over TLS both versions of HTTP are spoken, and plain HTTP is told so.
func TestRunOverTLS(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	if err := InitLocalAuthority(dir, nil, time.Now); err != nil {
		t.Fatal(err)
	}
	cfg, err := LocalTLS(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	h := newHarness(t, func(c *Config) { c.TLS = cfg })
	ln, err := newListener()
	h.Must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.server.Run(ctx, ln) }()
	pem, err := os.ReadFile(filepath.Join(dir, LocalRootFile))
	h.Must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	url := "https://" + ln.Addr().String()
	for proto, transport := range map[string]*http.Transport{
		"HTTP/1.1": {TLSClientConfig: &tls.Config{RootCAs: roots, NextProtos: []string{"http/1.1"}}},
		"HTTP/2.0": {TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true},
	} {
		r, err := (&http.Client{Transport: transport}).Get(url + "/healthz")
		h.Must(err)
		r.Body.Close()
		if r.Proto != proto || r.StatusCode != 200 {
			t.Errorf("%s: %s %d", proto, r.Proto, r.StatusCode)
		}
		transport.CloseIdleConnections()
	}
	r, err := http.Get("http://" + ln.Addr().String() + "/healthz")
	h.Must(err)
	body, err := io.ReadAll(r.Body)
	h.Must(err)
	r.Body.Close()
	if r.StatusCode != 400 || !strings.Contains(string(body), "HTTPS") {
		t.Errorf("plain HTTP: %d %s", r.StatusCode, body)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
