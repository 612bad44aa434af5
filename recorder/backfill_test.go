package recorder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/publish"
)

// line hands an account to the world's recorder.
type line struct {
	w    *world
	cam  *camera
	down atomic.Bool // the network is cut
}

func answerOf(c Capture, err error) (publish.Answer, error) {
	var a publish.Answer
	if err != nil {
		return a, err
	}
	b, err := json.Marshal(c)
	return a, errors.Join(err, json.Unmarshal(b, &a))
}

func (l *line) Claim(ctx context.Context, batch []byte) (publish.Answer, error) {
	if l.down.Load() {
		return publish.Answer{}, evidence.ErrUnavailable
	}
	return answerOf(l.w.rec.Claim(ctx, l.cam.source.ID, l.cam.token, batch))
}

func (l *line) Backfill(ctx context.Context, run []byte) (publish.Answer, error) {
	if l.down.Load() {
		return publish.Answer{}, evidence.ErrUnavailable
	}
	return answerOf(l.w.rec.Backfill(ctx, l.cam.source.ID, l.cam.token, run))
}

// accounting is a camera that accounts for its frames, every 200 ms.
type accounting struct {
	*camera
	line  *line
	books *publish.Accountant
	end   chan struct{}
	ended chan struct{}
}

func (w *world) accounting(role evidence.SourceRole) *accounting {
	w.t.Helper()
	a := &accounting{camera: w.camera(role), end: make(chan struct{}), ended: make(chan struct{})}
	a.line = &line{w: w, cam: a.camera}
	var err error
	if a.books, err = publish.NewAccountant(a.source.ID, a.line); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.rec.EnrolDevice(w.t.Context(), w.actor, w.iv.ID, a.books.PublicKey()); err != nil {
		w.t.Fatal(err)
	}
	a.admit()
	go a.run()
	w.t.Cleanup(a.close)
	return a
}

func (a *accounting) admit() {
	a.w.t.Helper()
	if _, err := a.w.rec.Admit(a.w.t.Context(), a.source.ID, a.token, a.books.KeyID(), nil); err != nil {
		a.w.t.Fatal(err)
	}
}

func (a *accounting) run() {
	defer close(a.ended)
	timer := time.NewTicker(200 * time.Millisecond)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if _, err := a.books.Flush(context.Background()); err != nil && !errors.Is(err, evidence.ErrUnavailable) {
				a.w.t.Log("account:", err)
			}
		case <-a.end:
			return
		}
	}
}

func (a *accounting) close() {
	select {
	case <-a.end:
	default:
		close(a.end)
	}
	<-a.ended
}

// onAir publishes and accounts. While lost is set, no media arrives.
func (a *accounting) onAir(o publish.Options) (off func() publish.Result) {
	w := a.w
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	up := make(chan struct{})
	o.Connected = func() { close(up) }
	if o.Duration == 0 {
		o.Duration = time.Hour
	}
	o.Signal = func(ctx context.Context, offer string) (string, func(context.Context) error, error) {
		rec := a.w.rec
		s, err := rec.Publish(ctx, a.source.ID, a.token, offer)
		if err != nil {
			return "", nil, err
		}
		a.books.Begin(s.ID)
		return s.Answer, func(ctx context.Context) error {
			if err := rec.Unpublish(ctx, a.source.ID, a.token, s.ID); err != nil && !errors.Is(err, evidence.ErrNotFound) {
				return err
			}
			return nil
		}, nil
	}
	o.Sent = func(f publish.Frame) {
		a.books.Frame(f)
		data := f.Data
		if f.Kind == evidence.Video {
			data = lengthPrefixed(f.Data)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.sent[f.Kind] = append(a.sent[f.Kind], sentFrame{time: f.Timestamp, key: f.Key, data: data})
	}
	done := make(chan publish.Result, 1)
	go func() {
		r, err := publish.Run(ctx, o)
		if err != nil {
			w.t.Log("publishing:", err)
		}
		done <- r
	}()
	select {
	case <-up:
	case <-time.After(20 * time.Second):
		w.t.Fatal("no connection")
	}
	return func() publish.Result {
		cancel()
		return <-done
	}
}

// played returns the frames of a kind that play, by the manifest: replacements in
// place of what they replace.
func (w *world) played(m evidence.Manifest, c *camera, kind evidence.TrackKind) []sentFrame {
	w.t.Helper()
	type piece struct {
		at     evidence.Offset
		frames []sentFrame
	}
	var pieces []piece
	for _, file := range w.of(w.recorded(), c, kind) {
		rest := file.frames
		for _, l := range file.leaves {
			frames := rest[:l.Frames]
			rest = rest[l.Frames:]
			plays := file.track.Replaces == ""
			for _, r := range m.Replacements {
				switch {
				case r.By == file.track.ID && l.Index >= r.First && l.Index <= r.Last:
					plays = true
				case r.Instead(l):
					plays = false
				}
			}
			if plays {
				pieces = append(pieces, piece{l.Start, frames})
			}
		}
	}
	slices.SortStableFunc(pieces, func(a, b piece) int { return int(a.at - b.at) })
	var out []sentFrame
	for _, p := range pieces {
		out = append(out, p.frames...)
	}
	return out
}

// complete fails the test unless what plays is all that was sent from the first
// frame that was recorded on, until the stop, and the manifest says so.
func (a *accounting) complete(m evidence.Manifest) {
	t := a.w.t
	t.Helper()
	for _, s := range m.Sources {
		if s.SourceManifest != evidence.SourceManifestVerified {
			t.Errorf("source manifest: %s", s.SourceManifest)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, kind := range []evidence.TrackKind{evidence.Video, evidence.Audio} {
		contained(t, kind, a.w.played(m, a.camera, kind), a.sent[kind])
		for _, mt := range m.Tracks {
			if mt.Kind == kind {
				t.Logf("%s %.8s replaces %q: %d segments, frames %+v, ranges %v", kind, mt.ID, mt.Replaces, mt.Segments, mt.Frames, states(mt.Ranges))
			}
		}
	}
	t.Logf("parts %+v", m.Parts)
	for _, r := range m.Replacements {
		t.Logf("replacement %d to %d by segments %d to %d", r.Start, r.End, r.First, r.Last)
	}
}

func states(ranges []evidence.FrameRange) map[string]int64 {
	out := map[string]int64{}
	for _, r := range ranges {
		out[r.State] += r.Frames
	}
	return out
}

// severed loses every packet while it is on, and each of them for good.
type severed struct {
	on atomic.Bool

	mu   sync.Mutex
	lost map[string]bool // by SSRC and sequence number
}

func (c *severed) loses(packet []byte) bool {
	id := string(packet[2:4]) + string(packet[8:12])
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.on.Load() {
		if c.lost == nil {
			c.lost = map[string]bool{}
		}
		c.lost[id] = true
	}
	return c.lost[id]
}

func TestEveryFrameIsVerifiedAgainstItsSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.accounting(evidence.SourceCloseUp)
	off := cam.onAir(publish.Options{Impairment: publish.Impairment{Loss: 0.03, Seed: 1}})
	w.until("frames are measured", whole(20, 2))
	w.start()
	w.until("frames are recorded", whole(150, 2))
	w.stop()
	off()
	m := w.manifest()
	cam.complete(m)
	if m.Version != 2 || len(m.Sources[0].Keys) != 1 || len(m.Sources[0].Files) == 0 || len(w.store.manifests) != len(m.Sources[0].Files) {
		t.Errorf("version %d, %+v", m.Version, m.Sources[0])
	}
	if len(m.Replacements) != 0 {
		t.Errorf("nothing was lost: %+v", m.Replacements)
	}
	for _, mt := range m.Tracks {
		if got := states(mt.Ranges); got[evidence.FramesLive] != mt.Frames.Whole || len(got) != 1 {
			t.Errorf("%s: %v of %d frames", mt.Kind, got, mt.Frames.Whole)
		}
	}
}

func TestWhatACutTookIsHandedOverAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.accounting(evidence.SourceCloseUp)
	cut := &severed{}
	off := cam.onAir(publish.Options{Impairment: publish.Impairment{Cut: cut.loses}})
	w.start()
	w.until("frames are recorded", whole(60, 2))
	// The network is gone altogether, and comes back in the same session.
	cut.on.Store(true)
	cam.line.down.Store(true)
	cam.mu.Lock()
	before := len(cam.sent[evidence.Video])
	cam.mu.Unlock()
	w.until("the camera sent for a while", func(Status) bool {
		cam.mu.Lock()
		defer cam.mu.Unlock()
		return len(cam.sent[evidence.Video]) > before+100
	})
	cut.on.Store(false)
	cam.line.down.Store(false)
	w.until("frames are recorded again", whole(200, 2))
	w.stop()
	off()
	m := w.manifest()
	cam.complete(m)
	if len(m.Replacements) == 0 || !slices.ContainsFunc(m.Events, func(e evidence.Event) bool { return e.Kind == evidence.EventBackfilled }) {
		t.Errorf("replacements %+v, events %+v", m.Replacements, m.Events)
	}
}

func TestAForgedAccountIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	books, err := publish.NewAccountant(cam.source.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	var sent []byte
	books.Line(spy(func(b []byte) { sent = bytes.Clone(b) }))
	books.Begin(evidence.NewID())
	books.Frame(publish.Frame{Kind: evidence.Audio, Timestamp: 1, Key: true, Data: []byte{1, 2}})
	if _, err := books.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.rec.Claim(t.Context(), cam.source.ID, cam.token, sent); !errors.Is(err, evidence.ErrRefused) {
		t.Errorf("of a device that is not enrolled: %v", err)
	}
	if _, err := w.rec.EnrolDevice(t.Context(), w.actor, w.iv.ID, books.PublicKey()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.rec.Claim(t.Context(), cam.source.ID, "another token", sent); !errors.Is(err, evidence.ErrUnauthenticated) {
		t.Errorf("with a wrong token: %v", err)
	}
	forged := bytes.Clone(sent)
	forged[len(forged)-70]++
	if _, err := w.rec.Claim(t.Context(), cam.source.ID, cam.token, forged); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("changed: %v", err)
	}
	if _, err := w.rec.Claim(t.Context(), cam.source.ID, cam.token, sent); err != nil {
		t.Errorf("as it was signed: %v", err)
	}
}

type spy func([]byte)

func (s spy) Claim(_ context.Context, b []byte) (publish.Answer, error) {
	s(b)
	return publish.Answer{}, nil
}

func (s spy) Backfill(context.Context, []byte) (publish.Answer, error) { return publish.Answer{}, nil }

func TestCutKillAndReloadInOneInterview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.accounting(evidence.SourceCloseUp)
	gone := &severed{}
	off := cam.onAir(publish.Options{Impairment: publish.Impairment{Cut: gone.loses}})
	w.start()
	w.until("frames are recorded", whole(60, 2))
	sent := func(n int) func(Status) bool {
		cam.mu.Lock()
		defer cam.mu.Unlock()
		until := len(cam.sent[evidence.Video]) + n
		return func(Status) bool {
			cam.mu.Lock()
			defer cam.mu.Unlock()
			return len(cam.sent[evidence.Video]) > until
		}
	}
	// A cut; then the page is loaded again, before anything was handed over.
	gone.on.Store(true)
	cam.line.down.Store(true)
	w.until("the camera sent into the cut", sent(70))
	off()
	cam.line.down.Store(false)
	off = cam.onAir(publish.Options{})
	w.until("frames are recorded after the cut", whole(150, 2))
	// Killed: what was in memory is gone, and what the camera sends goes nowhere.
	cam.line.down.Store(true)
	after := w.crash()
	cam.close()
	w.until("the camera sent to nobody", sent(20))
	off()
	cam.line = &line{w: after, cam: cam.camera}
	cam.books.Line(cam.line)
	cam.w, cam.end, cam.ended = after, make(chan struct{}), make(chan struct{})
	go cam.run()
	off = cam.onAir(publish.Options{})
	st, err := after.rec.Status(t.Context(), w.iv.ID)
	if err != nil {
		t.Fatal(err)
	}
	after.until("frames are recorded after the restart", whole(st.Tracks[0].Frames.Whole+60, 2))
	after.stop()
	off()
	m := after.manifest()
	cam.complete(m)
	var kinds []string
	for _, e := range m.Events {
		kinds = append(kinds, e.Kind)
	}
	t.Log(kinds)
	for _, want := range []string{evidence.EventSourceLeft, evidence.EventRestart, evidence.EventBackfilled} {
		if !slices.Contains(kinds, want) {
			t.Errorf("no event %s: %v", want, kinds)
		}
	}
}

// A device of the room goes on by its own signature; one that was revoked does
// nothing any more, from that moment on.
func TestARevokedDeviceIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.accounting(evidence.SourceCloseUp)
	off := cam.onAir(publish.Options{})
	defer off()
	w.start()
	w.until("frames are recorded", whole(30, 2))
	ask := func() (string, error) {
		challenge := w.rec.Challenge(cam.source.ID)
		signature, err := cam.books.Sign(append([]byte(deviceChallenge), challenge...))
		if err != nil {
			t.Fatal(err)
		}
		return w.rec.DeviceToken(t.Context(), w.iv.ID, cam.source.ID, cam.books.KeyID(), challenge, signature)
	}
	cam.close() // what it says from now on, the test says
	token, err := ask()
	if err != nil {
		t.Fatal(err)
	}
	if device := w.store.tokenDevices[cam.source.ID]; device == "" {
		t.Error("the store does not know whose token it is")
	}
	if st, err := w.rec.Standing(t.Context(), cam.source.ID, token); err != nil || st.State != evidence.StateRecording || !st.Arrives || st.Elapsed == 0 || st.Part != 1 {
		t.Errorf("%+v, %v", st, err)
	}
	cam.token = token
	if _, err := cam.books.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.store.revokeDevices()
	if _, err := ask(); !errors.Is(err, evidence.ErrUnauthenticated) {
		t.Errorf("a token by signature: %v", err)
	}
	if _, err := w.rec.Standing(t.Context(), cam.source.ID, token); !errors.Is(err, evidence.ErrUnauthenticated) {
		t.Errorf("the token that it had: %v", err)
	}
	// Nor with a token that a person asked for.
	if cam.token, err = w.rec.RenewSource(t.Context(), w.actor, cam.source); err != nil {
		t.Fatal(err)
	}
	if _, err := w.rec.Admit(t.Context(), cam.source.ID, cam.token, cam.books.KeyID(), nil); !errors.Is(err, evidence.ErrRefused) {
		t.Errorf("admission: %v", err)
	}
	cam.mu.Lock()
	before := len(cam.sent[evidence.Video])
	cam.mu.Unlock()
	w.until("more is sent", func(Status) bool {
		cam.mu.Lock()
		defer cam.mu.Unlock()
		return len(cam.sent[evidence.Video]) > before
	})
	if _, err := cam.books.Flush(t.Context()); !errors.Is(err, evidence.ErrRefused) {
		t.Errorf("a batch: %v", err)
	}
	// What is on the air is recorded on.
	st, err := w.rec.Status(t.Context(), w.iv.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.until("it is recorded on", whole(st.Tracks[0].Frames.Whole+30, 2))
	w.stop()
}
