package web

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/casefile"
)

// sent is one server-sent event.
type sent struct {
	id, name string
	data     Event
}

// listen opens a stream and returns its events as they come. The channel is
// closed when the stream ends.
func (h *harness) listen(server *httptest.Server, path string, cookie *http.Cookie, last string) (<-chan sent, *http.Response) {
	h.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	h.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+apiPrefix+path, nil)
	h.Must(err)
	r.AddCookie(cookie)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	w, err := http.DefaultClient.Do(r)
	h.Must(err)
	out := make(chan sent, 100)
	go func() {
		defer close(out)
		defer w.Body.Close()
		var e sent
		lines := bufio.NewScanner(w.Body)
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				e.id = value
			case "event":
				e.name = value
			case "data":
				_ = json.Unmarshal([]byte(value), &e.data) // another event has other data
			case "":
				if e.name != "" {
					out <- e
				}
				e = sent{}
			}
		}
	}()
	return out, w
}

// next returns the next event, which must come.
func (h *harness) next(events <-chan sent) sent {
	h.Helper()
	select {
	case e, ok := <-events:
		if !ok {
			h.Fatal("the stream ended")
		}
		return e
	case <-time.After(10 * time.Second):
		h.Fatal("no event")
	}
	return sent{}
}

func newLocalHarness(t *testing.T) (*harness, *httptest.Server) {
	h := newHarness(t, func(c *Config) { c.BaseURL = "http://localhost" })
	server := httptest.NewServer(h.server)
	t.Cleanup(func() {
		h.server.close()
		server.Close()
	})
	return h, server
}

// One person's streams are bounded, and another person's are not held up by them.
func TestEventStreamsAreBounded(t *testing.T) {
	h, server := newLocalHarness(t)
	h.OpenCase()
	cookie := h.signIn(h.Actors[evidence.RoleCaseManager])
	for range maxStreams {
		events, w := h.listen(server, "/events", cookie, "")
		if w.StatusCode != 200 {
			t.Fatal(w.Status)
		}
		h.next(events)
	}
	if _, w := h.listen(server, "/events", cookie, ""); w.StatusCode != 429 {
		t.Errorf("one more: %s", w.Status)
	}
	if _, w := h.listen(server, "/events", h.signIn(h.Actors[evidence.RoleCustodian]), ""); w.StatusCode != 200 {
		t.Errorf("somebody else: %s", w.Status)
	}
}

// Everyone hears of what concerns her and of nothing else, and can go on where
// she was.
func TestEvents(t *testing.T) {
	h, server := newLocalHarness(t)
	h.OpenCase()
	manager, outsider := h.signIn(h.Actors[evidence.RoleCaseManager]), h.signIn(h.Second[evidence.RoleProsecutor])
	mine, w := h.listen(server, "/events", manager, "")
	if w.StatusCode != 200 || w.Header.Get("Content-Type") != "text/event-stream" || w.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", w.StatusCode, w.Header)
	}
	theirs, _ := h.listen(server, "/events", outsider, "")
	hello := h.next(mine)
	if hello.name != "hello" || hello.id == "" {
		t.Fatalf("first event: %+v", hello)
	}
	h.next(theirs)

	person := h.AddPerson(casefile.NewPerson{Pseudonym: "Dielli", Kind: casefile.Witness, Age: casefile.Adult, Language: "sq"})
	h.store.wake()
	added := h.next(mine)
	if added.name != "person.add" || added.data.Case != h.Case.ID || added.data.Subject != person.ID {
		t.Errorf("event %+v", added)
	}
	// The outsider's own case is the next thing that she hears of.
	c, err := h.Cases.Open(context.Background(), h.Second[evidence.RoleCaseManager], "PP 2026/200")
	h.Must(err)
	_, err = h.Cases.AddMember(context.Background(), h.Second[evidence.RoleCaseManager], casefile.NewMember{Case: c.ID, Account: h.Second[evidence.RoleProsecutor].Account, Role: evidence.RoleProsecutor})
	h.Must(err)
	h.store.wake()
	if e := h.next(theirs); e.data.Case != c.ID {
		t.Errorf("the outsider heard of %+v", e)
	}

	// A connection that broke goes on behind the last event that it had.
	again, _ := h.listen(server, "/events", manager, hello.id)
	if e := h.next(again); e.name != "hello" || e.id != hello.id {
		t.Errorf("resumed with %+v", e)
	}
	if e := h.next(again); e.id != added.id || e.name != added.name {
		t.Errorf("resumed at %+v, want %+v", e, added)
	}
	// An id that this log never gave out: start anew.
	ahead, _ := h.listen(server, "/events", manager, "999999999")
	if e := h.next(ahead); e.name != "hello" || e.id == "999999999" {
		t.Errorf("ahead of the log: %+v", e)
	}
	for _, bad := range []string{"-1", "x", "1e3", "007"} {
		r, err := http.NewRequest("GET", server.URL+"/api/v1/events", nil)
		h.Must(err)
		r.AddCookie(manager)
		r.Header.Set("Last-Event-ID", bad)
		w, err := http.DefaultClient.Do(r)
		h.Must(err)
		w.Body.Close()
		if w.StatusCode != 400 {
			t.Errorf("Last-Event-ID %q: %d", bad, w.StatusCode)
		}
	}
}

// A holder hears of the revocation at once, and that it is hers.
func TestRevocationIsPushed(t *testing.T) {
	h, server := newLocalHarness(t)
	iv, _ := h.record(t)
	g := h.grantRange(iv.ID, "all", 0, 6_500_000)
	holder, _ := h.listen(server, "/events", h.cookies[evidence.RoleProsecutor], "")
	other, _ := h.listen(server, "/events", h.signIn(h.Actors[evidence.RoleCaseManager]), "")
	h.next(holder)
	h.next(other)
	_, err := h.Access.RevokeGrant(context.Background(), h.Actors[evidence.RoleCustodian], g.ID, "Order lifted.")
	h.Must(err)
	h.store.wake()
	if e := h.next(holder); e.name != "grant.revoke" || e.data.Grant != g.ID || e.data.Interview != iv.ID || !e.data.Yours {
		t.Errorf("the holder heard %+v", e)
	}
	if e := h.next(other); e.name == "grant.revoke" && e.data.Yours {
		t.Errorf("another heard that it is hers: %+v", e)
	}
}

// A stream does not outlive its session.
func TestStreamEndsWithSession(t *testing.T) {
	h, server := newLocalHarness(t)
	h.OpenCase()
	cookie := h.signIn(h.Actors[evidence.RoleCaseManager])
	events, _ := h.listen(server, "/events", cookie, "")
	h.next(events)
	if w := h.do(call{method: "DELETE", path: "/api/v1/session", cookie: cookie, header: map[string]string{"Sec-Fetch-Site": "same-origin"}}); w.Code != 204 {
		t.Fatal(describe(w))
	}
	h.AddPerson(casefile.NewPerson{Pseudonym: "Hëna", Kind: casefile.Witness, Age: casefile.Adult, Language: "sq"})
	h.store.wake()
	if e := h.next(events); e.name != "session" {
		t.Errorf("after signing out: %+v", e)
	}
	if _, open := <-events; open {
		t.Error("the stream goes on")
	}
}

func TestStatusStream(t *testing.T) {
	h, server := newLocalHarness(t)
	h.OpenCase()
	iv := h.Plan(h.PlanFor(h.Victim.ID))
	events, _ := h.listen(server, "/interviews/"+string(iv.ID)+"/status/events", h.signIn(h.Actors[evidence.RoleInterviewer]), "")
	for range 3 {
		if e := h.next(events); e.name != "status" || e.data.Interview != iv.ID {
			t.Fatalf("event %+v", e)
		}
		h.studio.changed <- struct{}{}
	}
	// Who leaves the team hears no more.
	h.next(events)
	team, err := h.Cases.Team(context.Background(), h.Actors[evidence.RoleCaseManager], h.Case.ID)
	h.Must(err)
	for _, m := range team {
		if m.Account == h.Actors[evidence.RoleInterviewer].Account {
			h.Must(h.Cases.RemoveMember(context.Background(), h.Actors[evidence.RoleCaseManager], h.Case.ID, m.ID, "Moved."))
		}
	}
	h.studio.changed <- struct{}{}
	if e, open := <-events; open {
		t.Errorf("heard %+v", e)
	}
}

// Run ends streams at once when the server stops.
func TestRunEndsStreams(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.BaseURL = "http://localhost" })
	ln, err := newListener()
	h.Must(err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- h.server.Run(ctx, ln) }()
	events, _ := h.listen(&httptest.Server{URL: "http://" + ln.Addr().String()}, "/events", h.signIn(h.Actors[evidence.RoleAdmin]), "")
	h.next(events)
	cancel()
	if _, open := <-events; open {
		t.Error("an event after the end")
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
