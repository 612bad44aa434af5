package web

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/recorder/ingest"
	"github.com/toldonce/toldonce/recorder/publish"
	"github.com/toldonce/toldonce/recorder/rehearsal"
)

// A test recording is made by administrators and interviewers of the room's agency, in
// a room to which no interview is assigned, is seen by whoever made it alone, and
// leaves two entries and a note.
func TestRehearsal(t *testing.T) {
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	in, err := ingest.New(ingest.Config{UDP: udp})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	ended := make(chan rehearsal.Result, 1)
	h, r := newRealHarness(t, func(c *Config) {
		stage, err := rehearsal.New(rehearsal.Config{Dir: filepath.Join(t.TempDir(), "rehearsals"), Ingest: in, Software: "test", Length: 3 * time.Second,
			Finished: func(ctx context.Context, r rehearsal.Result) error {
				defer func() { ended <- r }()
				return c.People.Rehearsed(ctx, r.Actor, r.Room, r.Holds, r.Segments)
			}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stage.Close() })
		c.Rehearsals = stage
	})
	server := httptest.NewServer(h.server)
	t.Cleanup(server.Close)
	h.OpenCase()
	begin := "/rooms/" + string(h.Room.ID) + "/rehearsals"

	for role, code := range map[evidence.Role]int{evidence.RoleCaseManager: 403, evidence.RoleCustodian: 403, evidence.RoleProsecutor: 403, evidence.RoleAdvocate: 403} {
		if w := h.as(role, http.MethodPost, begin, nil); w.Code != code {
			t.Errorf("%s: %s", role, describe(w))
		}
	}
	made := want[NewRehearsal](h, h.as(evidence.RoleAdmin, http.MethodPost, begin, nil), 201)
	if made.Rehearsal.Evidence || made.Rehearsal.State != "waiting" {
		t.Errorf("%+v", made.Rehearsal)
	}
	path := "/rehearsals/" + string(made.Rehearsal.ID)
	for _, at := range []string{path, path + "/hls/main.m3u8", path + "/hls/x/0.m4s"} {
		if w := h.as(evidence.RoleInterviewer, http.MethodGet, at, nil); w.Code != 404 {
			t.Errorf("somebody else's %s: %s", at, describe(w))
		}
	}
	if w := h.as(evidence.RoleAdmin, http.MethodGet, path+"/hls/main.m3u8", nil); w.Code != 409 {
		t.Errorf("played before it is done: %s", describe(w))
	}

	connected := make(chan struct{})
	playing, stop := context.WithCancel(t.Context())
	defer stop()
	endpoint := server.URL + made.Source.WHIP[strings.Index(made.Source.WHIP, "/rehearsals/"):]
	played := make(chan error, 1)
	go func() {
		_, err := publish.Run(playing, publish.Options{Signal: publish.WHIP(nil, endpoint, made.Source.Token), Duration: time.Minute, Connected: func() { close(connected) }})
		played <- err
	}()
	select {
	case <-connected:
	case err := <-played:
		t.Fatal(err)
	}
	want[Rehearsal](h, h.as(evidence.RoleAdmin, http.MethodPost, path+"/start", nil), 200)
	if result := <-ended; !result.Holds {
		t.Fatalf("%+v", result)
	}
	stop()
	done := want[Rehearsal](h, h.as(evidence.RoleAdmin, http.MethodGet, path, nil), 200)
	if done.State != "done" || !done.Holds || len(done.Checks) == 0 || done.Segments == 0 || len(done.Tracks) == 0 {
		t.Errorf("%+v", done)
	}
	main := h.as(evidence.RoleAdmin, http.MethodGet, strings.TrimPrefix(done.Playlist, apiPrefix), nil)
	if main.Code != 200 || main.Header().Get("Cache-Control") != "no-store" {
		t.Fatal(describe(main))
	}
	for _, track := range done.Tracks {
		list := h.as(evidence.RoleAdmin, http.MethodGet, path+"/hls/"+string(track.ID)+"/index.m3u8", nil)
		if !strings.Contains(list.Body.String(), "#EXT-X-ENDLIST") {
			t.Fatal(describe(list))
		}
		for line := range strings.Lines(list.Body.String()) {
			if line = strings.TrimSpace(line); strings.HasSuffix(line, ".m4s") {
				if w := h.as(evidence.RoleAdmin, http.MethodGet, path+"/hls/"+string(track.ID)+"/"+line, nil); w.Code != 200 || w.Body.Len() < 8 {
					t.Errorf("%s: %s", line, describe(w))
				}
			}
		}
	}
	for _, room := range want[list[Room]](h, h.as(evidence.RoleInterviewer, http.MethodGet, "/rooms", nil), 200).Items {
		if room.ID == h.Room.ID && (room.Rehearsal == nil || !room.Rehearsal.Holds || room.Rehearsal.By.ID != h.Actors[evidence.RoleAdmin].Account) {
			t.Errorf("the room's note: %+v", room.Rehearsal)
		}
	}
	// The database knows of no interview, and the log of the acts alone.
	for action, n := range map[string]int{access.RoomRehearse: 1, "room.rehearsed": 1, "interview.start": 0, "source.add": 0} {
		if entries, err := r.db.Entries(t.Context(), custody.Filter{Action: action, Limit: 10}); err != nil || len(entries) != n {
			t.Errorf("%d entries of %s, %v", len(entries), action, err)
		}
	}
	if w := h.as(evidence.RoleAdmin, http.MethodDelete, path, nil); w.Code != 204 {
		t.Error(describe(w))
	}
	if w := h.as(evidence.RoleAdmin, http.MethodGet, path, nil); w.Code != 404 {
		t.Errorf("after it was forgotten: %s", describe(w))
	}

	// An interview is assigned to the room: no more (P9, P40).
	h.Plan(h.PlanFor(h.Victim.ID))
	if w := h.as(evidence.RoleAdmin, http.MethodPost, begin, nil); w.Code != 409 || !strings.Contains(w.Body.String(), "rehearsal.assigned") {
		t.Errorf("in a room with an interview: %s", describe(w))
	}
}
