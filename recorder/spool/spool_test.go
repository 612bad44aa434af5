package spool

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/envelope"
)

// ring is a keyring for tests: it wraps by binding the purpose in the clear.
type ring struct{ envelope.Keyring }

func (ring) Wrap(_ context.Context, purpose string, plain []byte) ([]byte, error) {
	return append([]byte(purpose+"\x00"), plain...), nil
}

func (ring) Unwrap(_ context.Context, purpose string, wrapped []byte) ([]byte, error) {
	plain, ok := bytes.CutPrefix(wrapped, []byte(purpose+"\x00"))
	if !ok {
		return nil, evidence.ErrInvalid
	}
	return plain, nil
}

// store is an object store in memory with failure hooks.
type store struct {
	mu      sync.Mutex
	objects map[string][]byte
	order   []string
	before  func(key string) error // refuses
	after   func(key string) error // stores and still fails
}

func newStore() *store { return &store{objects: map[string][]byte{}} }

func (s *store) hooks(before, after func(string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after = before, after
}

func (s *store) Put(_ context.Context, key string, body []byte, sum evidence.Digest, _ time.Time) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.before != nil {
		if err := s.before(key); err != nil {
			return "", err
		}
	}
	if digest(body) != sum {
		return "", fmt.Errorf("%w: wrong digest", evidence.ErrInvalid)
	}
	if old, ok := s.objects[key]; ok && !bytes.Equal(old, body) {
		return "", evidence.ErrConflict
	}
	s.objects[key] = bytes.Clone(body)
	s.order = append(s.order, key)
	if s.after != nil {
		if err := s.after(key); err != nil {
			return "", err
		}
	}
	return "v-" + key, nil
}

func digest(b []byte) evidence.Digest {
	sum := sha256.Sum256(b)
	return evidence.Digest{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(b))}
}

// ledger collects what was confirmed.
type ledger struct {
	mu     sync.Mutex
	stored []Stored
	fail   error
}

func (l *ledger) confirm(_ context.Context, stored []Stored) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	l.stored = append(l.stored, stored...)
	return nil
}

func (l *ledger) setFail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = err
}

func (l *ledger) keys() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var keys []string
	for _, s := range l.stored {
		keys = append(keys, s.Key)
	}
	return keys
}

func testConfig(t testing.TB, objects Objects) Config {
	return Config{Dir: filepath.Join(t.TempDir(), "spool"), Keys: ring{}, Objects: objects, Interval: time.Millisecond, FileSize: 4096}
}

func openSpool(t testing.TB, c Config) *Spool {
	t.Helper()
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func object(i int) Object {
	body := bytes.Repeat([]byte{byte(i)}, 900+i)
	return Object{Key: fmt.Sprintf("recordings/r/%04d", i), Sum: digest(body), Meta: fmt.Appendf(nil, "leaf %d", i), Body: body}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestInterviewLifetime(t *testing.T) {
	ctx := context.Background()
	st, led := newStore(), &ledger{}
	c := testConfig(t, st)
	sp := openSpool(t, c)
	id := evidence.NewID()
	iv, err := sp.Begin(ctx, id, led.confirm)
	must(t, err)
	if _, err := sp.Begin(ctx, id, led.confirm); !errors.Is(err, evidence.ErrConflict) {
		t.Fatalf("second begin: %v", err)
	}
	for i := range 100 {
		_, err := iv.Append(7, fmt.Appendf(nil, "frame %d", i))
		must(t, err)
		_, err = iv.Put(object(i))
		must(t, err)
	}
	must(t, iv.Sync(ctx))
	if got := iv.Synced(); got != 100 {
		t.Fatalf("synced %d", got)
	}
	must(t, iv.Drain(ctx))
	s := iv.Status()
	if s.Durable != 100 || s.Pending != 0 || s.PendingBytes != 0 || s.Appended != 100 || s.Error != nil || len(s.Alarms) != 0 {
		t.Fatalf("status %+v", s)
	}
	for i, key := range led.keys() {
		if key != object(i).Key {
			t.Fatalf("confirmed out of order at %d: %s", i, key)
		}
	}
	if led.stored[3].Version != "v-"+led.stored[3].Key || string(led.stored[3].Meta) != "leaf 3" || led.stored[3].Body != nil {
		t.Fatalf("%+v", led.stored[3])
	}
	must(t, iv.Destroy())
	if ids, err := sp.Interviews(); err != nil || len(ids) != 0 {
		t.Fatalf("left %v, %v", ids, err)
	}
	sp.removals.Wait()
	entries, err := os.ReadDir(c.Dir)
	must(t, err)
	for _, e := range entries {
		if e.IsDir() {
			t.Fatalf("left behind: %s", e.Name())
		}
	}
	if _, err := iv.Append(1, nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("append after the end: %v", err)
	}
	must(t, sp.Close())
}

func TestRestartResumesUploads(t *testing.T) {
	ctx := context.Background()
	st, led := newStore(), &ledger{}
	down := errors.New("down")
	st.before = func(string) error { return down }
	c := testConfig(t, st)
	sp := openSpool(t, c)
	id := evidence.NewID()
	iv, err := sp.Begin(ctx, id, led.confirm)
	must(t, err)
	for i := range 30 {
		_, err := iv.Append(3, fmt.Appendf(nil, "frame %d", i))
		must(t, err)
		_, err = iv.Put(object(i))
		must(t, err)
	}
	if err := iv.Destroy(); !errors.Is(err, evidence.ErrConflict) {
		t.Fatalf("destroyed with objects pending: %v", err)
	}
	must(t, iv.Close())
	must(t, sp.Close())

	st.hooks(nil, nil)
	sp = openSpool(t, c)
	ids, err := sp.Interviews()
	must(t, err)
	if len(ids) != 1 || ids[0] != id {
		t.Fatalf("interviews %v", ids)
	}
	var frames, metas []string
	iv, rec, err := sp.Recover(ctx, id, led.confirm, Replayer{
		Record: func(r Record) error { frames = append(frames, fmt.Sprint(r.Kind, " ", string(r.Payload))); return nil },
		Pending: func(o Object, p Position) error {
			metas = append(metas, fmt.Sprint(p, " ", string(o.Meta)))
			return nil
		},
	})
	must(t, err)
	if len(frames) != 30 || frames[29] != "3 frame 29" || len(metas) != 30 || metas[0] != "1 leaf 0" {
		t.Fatalf("%v %v", frames, metas)
	}
	if rec.Capture.Torn || !rec.Capture.Closed || len(rec.Capture.Gaps)+len(rec.Outbox.Gaps) != 0 || rec.Capture.Last != 30 {
		t.Fatalf("%+v", rec)
	}
	if _, _, err := sp.Recover(ctx, id, led.confirm, Replayer{}); !errors.Is(err, evidence.ErrConflict) {
		t.Fatalf("recovered twice: %v", err)
	}
	must(t, iv.Drain(ctx))
	if keys := led.keys(); len(keys) != 30 || keys[29] != object(29).Key {
		t.Fatalf("confirmed %v", keys)
	}
	if len(st.objects) != 30 || !bytes.Equal(st.objects[object(5).Key], object(5).Body) {
		t.Fatal("objects are not what was put")
	}
	must(t, iv.Destroy())
	must(t, sp.Close())
}
