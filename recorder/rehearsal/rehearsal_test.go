package rehearsal_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/recorder/ingest"
	"github.com/toldonce/toldonce/recorder/publish"
	"github.com/toldonce/toldonce/recorder/rehearsal"
)

var (
	me    = evidence.Actor{Kind: evidence.ActorPerson, Account: evidence.NewID(), Agency: evidence.NewID(), Role: evidence.RoleAdmin, MFA: true}
	other = evidence.Actor{Kind: evidence.ActorPerson, Account: evidence.NewID(), Agency: me.Agency, Role: evidence.RoleAdmin, MFA: true}
	place = rehearsal.Place{Room: evidence.NewID(), Agency: me.Agency, TimeZone: "Europe/Belgrade"}
)

type stage struct {
	*rehearsal.Service
	dir      string
	finished chan rehearsal.Result
}

func newStage(t *testing.T, length time.Duration) stage {
	t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	in, err := ingest.New(ingest.Config{UDP: udp})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	s := stage{dir: filepath.Join(t.TempDir(), "rehearsals"), finished: make(chan rehearsal.Result, 1)}
	if err := os.MkdirAll(filepath.Join(s.dir, "left"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.Service, err = rehearsal.New(rehearsal.Config{Dir: s.dir, Ingest: in, Software: "test", Length: length,
		Finished: func(_ context.Context, r rehearsal.Result) error { s.finished <- r; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if left, err := os.ReadDir(s.dir); err != nil || len(left) != 0 {
		t.Errorf("what an earlier run left is still there: %v, %v", left, err)
	}
	return s
}

// A camera is recorded, sealed, verified and forgotten, and nothing of it stays on disk.
func TestRehearsal(t *testing.T) {
	s := newStage(t, 4*time.Second)
	ctx := t.Context()
	take, source, token, err := s.Begin(ctx, me, place)
	if err != nil {
		t.Fatal(err)
	}
	if take.State != rehearsal.Waiting {
		t.Errorf("it is %s before the start", take.State)
	}
	connected := make(chan struct{})
	playing, stop := context.WithCancel(ctx)
	played := make(chan error, 1)
	go func() {
		_, err := publish.Run(playing, publish.Options{Signal: signal(s, source, token), Duration: time.Minute, Connected: func() { close(connected) }})
		played <- err
	}()
	select {
	case <-connected:
	case err := <-played:
		t.Fatal(err)
	}
	if _, err := s.Start(ctx, me, take.ID); err != nil {
		t.Fatal(err)
	}
	result := <-s.finished
	stop()
	if err := <-played; err != nil {
		t.Log("the camera was let go of:", err)
	}
	if !result.Holds || result.Segments == 0 || result.Room != place.Room || result.Actor.Account != me.Account {
		t.Errorf("what came of it: %+v", result)
	}
	if left, err := os.ReadDir(s.dir); err != nil || len(left) != 0 {
		t.Errorf("it left files: %v, %v", left, err)
	}
	if take, err = s.Take(me, take.ID); err != nil || take.State != rehearsal.Done || take.Findings.Any(seal.Fails) {
		t.Fatalf("it is %+v, %v", take, err)
	}
	m, err := s.Media(ctx, me, take.ID)
	if err != nil || len(m.Tracks) != 2 {
		t.Fatalf("%d tracks, %v", len(m.Tracks), err)
	}
	for _, segment := range m.Segments {
		if _, err := m.Open(segment); err != nil {
			t.Error(err)
		}
	}

	// Nobody else knows of it.
	_, asked := s.Take(other, take.ID)
	_, played2 := s.Media(ctx, other, take.ID)
	for what, err := range map[string]error{"take": asked, "media": played2, "forget": s.Forget(other, take.ID)} {
		if !errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("%s by somebody else: %v", what, err)
		}
	}
	if _, _, _, err := s.Begin(ctx, other, place); !errors.Is(err, evidence.ErrConflict) {
		t.Errorf("another rehearsal in the room: %v", err)
	}
	if err := s.Forget(me, take.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Take(me, take.ID); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("after it was forgotten: %v", err)
	}
}

// A rehearsal's camera reaches nothing but it, and only by its own token.
func TestRehearsalTokens(t *testing.T) {
	s := newStage(t, time.Second)
	ctx := t.Context()
	_, source, token, err := s.Begin(ctx, me, place)
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"another source": publishing(s, evidence.NewID(), token),
		"another token":  publishing(s, source.ID, "wrong"),
	} {
		if !errors.Is(err, evidence.ErrUnauthenticated) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// The same person begins anew: the earlier one ends.
	if _, _, _, err := s.Begin(ctx, me, place); err != nil {
		t.Fatal(err)
	}
	if err := publishing(s, source.ID, token); !errors.Is(err, evidence.ErrUnauthenticated) {
		t.Errorf("the camera of the earlier one: %v", err)
	}
}

// A test recording of which nothing arrived does not hold.
func TestRehearsalWithoutCamera(t *testing.T) {
	s := newStage(t, 10*time.Millisecond)
	take, _, _, err := s.Begin(t.Context(), me, place)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Media(t.Context(), me, take.ID); !errors.Is(err, evidence.ErrConflict) {
		t.Errorf("played before it is done: %v", err)
	}
	if _, err := s.Start(t.Context(), me, take.ID); err != nil {
		t.Fatal(err)
	}
	if r := <-s.finished; r.Holds || r.Segments != 0 {
		t.Errorf("what came of nothing: %+v", r)
	}
}

func publishing(s stage, source evidence.ID, token string) error {
	_, err := s.Publish(context.Background(), source, token, "v=0")
	return err
}

func signal(s stage, source evidence.Source, token string) publish.Signal {
	return func(ctx context.Context, offer string) (string, func(context.Context) error, error) {
		session, err := s.Publish(ctx, source.ID, token, offer)
		return session.Answer, func(ctx context.Context) error { return s.Unpublish(ctx, source.ID, token, session.ID) }, err
	}
}
