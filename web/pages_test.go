package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gin-gonic/gin"
)

func pagesServer(t *testing.T, files fstest.MapFS) http.Handler {
	t.Helper()
	p, err := newPages(files)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{}
	e := gin.New()
	e.Use(s.securityHeaders)
	e.NoRoute(p.serve)
	return e
}

func TestPages(t *testing.T) {
	script := strings.Repeat("export const told = 'once';\n", 100)
	files := fstest.MapFS{
		".keep":            {},
		"index.html":       {Data: []byte("<!doctype html><title>Told Once</title>")},
		"assets/app-1a.js": {Data: []byte(script)},
		"mark.svg":         {Data: []byte("<svg/>")},
	}
	const never, ever = "no-store", "public, max-age=31536000, immutable"
	for _, c := range []struct {
		method, path string
		status       int
		contentType  string
		cache        string
		body         string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8", never, "Told Once"},
		{"GET", "/cases/0198/interviews", 200, "text/html; charset=utf-8", never, "Told Once"},
		{"GET", "/welcome", 200, "text/html; charset=utf-8", never, "Told Once"},
		{"HEAD", "/", 200, "text/html; charset=utf-8", never, ""},
		{"GET", "/assets/app-1a.js", 200, "text/javascript; charset=utf-8", ever, "told"},
		{"GET", "/mark.svg", 200, "image/svg+xml", never, "<svg/>"},
		{"GET", "/assets/gone.js", 404, problemType, never, "not_found"},
		{"GET", "/.keep", 404, problemType, never, "not_found"},
		{"GET", "/../../etc/passwd.txt", 404, problemType, never, "not_found"},
		{"GET", "/api/v1/nothing", 404, problemType, never, "not_found"},
		{"POST", "/cases", 405, problemType, never, "method_not_allowed"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "/", nil)
			r.URL.Path = c.path
			w := httptest.NewRecorder()
			pagesServer(t, files).ServeHTTP(w, r)
			if w.Code != c.status || w.Header().Get("Content-Type") != c.contentType || w.Header().Get("Cache-Control") != c.cache || !strings.Contains(w.Body.String(), c.body) {
				t.Errorf("%d %q %q %.60s", w.Code, w.Header().Get("Content-Type"), w.Header().Get("Cache-Control"), w.Body)
			}
			if w.Header().Get("Content-Security-Policy") == "" {
				t.Error("no content security policy")
			}
		})
	}

	r := httptest.NewRequest("GET", "/assets/app-1a.js", nil)
	r.Header.Set("Accept-Encoding", "br, gzip;q=0.8")
	w := httptest.NewRecorder()
	pagesServer(t, files).ServeHTTP(w, r)
	if w.Header().Get("Content-Encoding") != "gzip" || w.Body.Len() >= len(script) {
		t.Errorf("not compressed: %v, %d bytes", w.Header(), w.Body.Len())
	}
	r.Header.Set("Accept-Encoding", "gzip;q=0")
	w = httptest.NewRecorder()
	pagesServer(t, files).ServeHTTP(w, r)
	if got, _ := io.ReadAll(w.Body); w.Header().Get("Content-Encoding") != "" || string(got) != script {
		t.Error("compressed for somebody who does not take it")
	}
}

// A program that was built without the interface says so.
func TestPagesNotBuilt(t *testing.T) {
	w := httptest.NewRecorder()
	pagesServer(t, fstest.MapFS{".keep": {}}).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "not built") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
