package web

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder"
)

// publishing is a recorder's edge with one source ("cam", token "good") and one
// session ("s1").
type publishing struct{ err error }

func (p publishing) Publish(_ context.Context, source evidence.ID, token, offer string) (recorder.Session, error) {
	switch {
	case p.err != nil:
		return recorder.Session{}, p.err
	case token != "good" || source != "cam":
		return recorder.Session{}, evidence.ErrUnauthenticated
	case !strings.HasPrefix(offer, "v=0"):
		return recorder.Session{}, evidence.Refuse(evidence.ErrInvalid, "whip.offer", "This is no SDP.", "")
	}
	return recorder.Session{ID: "s1", Answer: "v=0 answer", ETag: `"ice1"`}, nil
}

func (p publishing) Trickle(_ context.Context, source evidence.ID, token string, session evidence.ID, match, fragment string) (string, string, error) {
	switch {
	case token != "good" || source != "cam":
		return "", "", evidence.ErrUnauthenticated
	case session != "s1":
		return "", "", evidence.ErrNotFound
	case match == "*":
		return "restarted", `"ice2"`, nil
	}
	return "", "", p.err
}

func (p publishing) Unpublish(_ context.Context, source evidence.ID, token string, session evidence.ID) error {
	_, _, err := p.Trickle(context.Background(), source, token, session, "", "")
	return err
}

func whipServer(p Publishing) http.Handler {
	s := &Server{recording: studio{}, log: slog.New(slog.NewTextHandler(io.Discard, nil)), metrics: newMetrics(prometheus.NewRegistry())}
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.Use(s.identify, s.observe, s.recoverPanic, s.securityHeaders, s.limit)
	whip{s, p, "/whip/", "this source"}.route(e)
	return e
}

func TestWHIPStatuses(t *testing.T) {
	const endpoint, session = "/whip/cam", "/whip/cam/s1"
	sdp := map[string]string{"Authorization": "Bearer good", "Content-Type": "application/sdp"}
	frag := map[string]string{"Authorization": "Bearer good", "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": `"ice1"`}
	with := func(h map[string]string, kv ...string) map[string]string {
		out := map[string]string{}
		for k, v := range h {
			out[k] = v
		}
		for i := 0; i < len(kv); i += 2 {
			if out[kv[i]] = kv[i+1]; kv[i+1] == "" {
				delete(out, kv[i])
			}
		}
		return out
	}
	notReady := evidence.Refuse(evidence.ErrRefused, "consent.record.missing", "Consent is missing.", "P40")
	for _, c := range []struct {
		name         string
		method, path string
		header       map[string]string
		body         string
		err          error
		status       int
		want         map[string]string // headers
	}{
		{"created", "POST", endpoint, sdp, "v=0", nil, 201, map[string]string{"Location": session, "ETag": `"ice1"`, "Content-Type": "application/sdp", "Accept-Patch": typeFragment, "Access-Control-Allow-Origin": "*",
			"Link": `<turn:relay.example:3478?transport=udp>; rel="ice-server"; username="1:x"; credential="secret"; credential-type="password"`}},
		{"parameters of the type", "POST", endpoint, with(sdp, "Content-Type", "application/sdp; charset=utf-8"), "v=0", nil, 201, nil},
		{"accepts anything", "POST", endpoint, with(sdp, "Accept", "*/*"), "v=0", nil, 201, nil},
		{"accepts SDP", "POST", endpoint, with(sdp, "Accept", "text/html, application/sdp;q=0.5"), "v=0", nil, 201, nil},
		{"does not accept SDP", "POST", endpoint, with(sdp, "Accept", "text/html"), "v=0", nil, 406, nil},
		{"refuses SDP", "POST", endpoint, with(sdp, "Accept", "*/*, application/sdp;q=0"), "v=0", nil, 406, nil},
		{"no token", "POST", endpoint, with(sdp, "Authorization", ""), "v=0", nil, 401, map[string]string{"WWW-Authenticate": `Bearer realm="toldonce"`, "Access-Control-Allow-Origin": "*"}},
		{"a cookie is no token", "POST", endpoint, with(sdp, "Authorization", "", "Cookie", "toldonce=x; __Host-toldonce=x"), "v=0", nil, 401, nil},
		{"wrong token", "POST", endpoint, with(sdp, "Authorization", "Bearer bad"), "v=0", nil, 401, nil},
		{"token of another source", "POST", "/whip/other", sdp, "v=0", nil, 401, nil},
		{"basic", "POST", endpoint, with(sdp, "Authorization", "Basic Z29vZA=="), "v=0", nil, 401, nil},
		{"another type", "POST", endpoint, with(sdp, "Content-Type", "application/json"), "{}", nil, 415, map[string]string{"Accept-Post": typeSDP}},
		{"no type", "POST", endpoint, with(sdp, "Content-Type", ""), "v=0", nil, 415, nil},
		{"no SDP", "POST", endpoint, sdp, "hello", nil, 400, map[string]string{"Content-Type": "application/problem+json"}},
		{"empty", "POST", endpoint, sdp, "", nil, 400, nil},
		{"too large", "POST", endpoint, sdp, "v=0" + strings.Repeat("x", maxSDP), nil, 413, nil},
		{"not ready", "POST", endpoint, sdp, "v=0", notReady, 403, nil},
		{"publishing already", "POST", endpoint, sdp, "v=0", evidence.ErrConflict, 409, nil},
		{"busy", "POST", endpoint, sdp, "v=0", evidence.ErrUnavailable, 503, map[string]string{"Retry-After": "5"}},
		{"preflight", "OPTIONS", endpoint, map[string]string{"Origin": "https://elsewhere.example"}, "", nil, 204, map[string]string{"Accept-Post": typeSDP, "Access-Control-Allow-Methods": "POST, OPTIONS", "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match, ETag"}},
		{"preflight of a session", "OPTIONS", session, nil, "", nil, 204, map[string]string{"Access-Control-Allow-Methods": "PATCH, DELETE, OPTIONS"}},
		{"get", "GET", endpoint, sdp, "", nil, 405, map[string]string{"Allow": "POST, OPTIONS"}},
		{"put on a session", "PUT", session, sdp, "", nil, 405, map[string]string{"Allow": "PATCH, DELETE, OPTIONS"}},
		{"post on a session", "POST", session, sdp, "v=0", nil, 405, nil},

		{"trickle", "PATCH", session, frag, "a=candidate", nil, 204, nil},
		{"restart", "PATCH", session, with(frag, "If-Match", "*"), "a=ice-ufrag", nil, 200, map[string]string{"ETag": `"ice2"`, "Content-Type": typeFragment}},
		{"an entity tag as drafts had it", "PATCH", session, with(frag, "If-Match", "", "ETag", `"ice1"`), "a=candidate", nil, 204, nil},
		{"no If-Match", "PATCH", session, with(frag, "If-Match", ""), "a=", nil, 428, nil},
		{"weak tag", "PATCH", session, with(frag, "If-Match", `W/"ice1"`), "a=", nil, 412, nil},
		{"two tags", "PATCH", session, with(frag, "If-Match", `"a", "b"`), "a=", nil, 412, nil},
		{"old tag", "PATCH", session, frag, "a=", evidence.ErrConflict, 412, nil},
		{"another type", "PATCH", session, with(frag, "Content-Type", "application/sdp"), "v=0", nil, 415, map[string]string{"Accept-Patch": typeFragment}},
		{"unknown session", "PATCH", "/whip/cam/s2", frag, "a=", nil, 404, nil},
		{"unknown token", "PATCH", session, with(frag, "Authorization", "Bearer bad"), "a=", nil, 401, nil},

		{"end", "DELETE", session, sdp, "", nil, 200, nil},
		{"end of another", "DELETE", "/whip/cam/s2", sdp, "", nil, 404, nil},
		{"end without token", "DELETE", session, nil, "", nil, 401, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
			for k, v := range c.header {
				r.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			whipServer(publishing{c.err}).ServeHTTP(w, r)
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

func FuzzWHIPHeaders(f *testing.F) {
	f.Add("Bearer x", `"etag"`, "application/sdp;q=0.1, */*")
	f.Add("bearer  x y", `W/"etag"`, "*/*;q=")
	f.Fuzz(func(t *testing.T, authorization, match, accept string) {
		if token, ok := bearer(authorization); ok && (token == "" || strings.ContainsAny(token, " ,")) {
			t.Errorf("token %q of %q", token, authorization)
		}
		if validMatch(match) && match != "*" && !strings.HasPrefix(match, `"`) {
			t.Errorf("tag %q", match)
		}
		accepts(accept, typeSDP)
	})
}
