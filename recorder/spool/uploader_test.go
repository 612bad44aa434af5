package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

func beginOne(t testing.TB, c Config, led *ledger) (*Spool, *Interview) {
	t.Helper()
	sp := openSpool(t, c)
	iv, err := sp.Begin(context.Background(), evidence.NewID(), led.confirm)
	must(t, err)
	t.Cleanup(func() {
		iv.Close()
		sp.Close()
	})
	return sp, iv
}

func alarmed(alarms []Alarm, code string) bool {
	return slices.ContainsFunc(alarms, func(a Alarm) bool { return a.Code == code && a.Raised && a.Text != "" })
}

// TestOutage: the store fails, or fails although it stored; nothing is lost,
// nothing is confirmed early, and the order stays.
func TestOutage(t *testing.T) { synctest.Test(t, outage) }

func outage(t *testing.T) {
	ctx := context.Background()
	down := errors.New("connection refused")
	st, led := newStore(), &ledger{}
	st.before = func(string) error { return down }
	var mu sync.Mutex
	var heard []Alarm
	c := testConfig(t, st)
	c.OnAlarm = func(a Alarm, _ error) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, a)
	}
	_, iv := beginOne(t, c, led)
	for i := range 20 {
		_, err := iv.Put(object(i))
		must(t, err)
	}
	eventually(t, "alarm", func() bool { return alarmed(iv.Status().Alarms, AlarmStore) })
	if s := iv.Status(); s.Durable != 0 || s.Pending != 20 || !errors.Is(s.Error, down) || s.PendingBytes == 0 {
		t.Fatalf("%+v", s)
	}
	var lost atomic.Int32
	st.hooks(nil, func(string) error { // stored, and the answer is lost, every other time
		if lost.Add(1)%2 == 1 {
			return down
		}
		return nil
	})
	must(t, iv.Drain(ctx))
	var want []string
	for i := range 20 {
		want = append(want, object(i).Key)
	}
	if !slices.Equal(led.keys(), want) {
		t.Fatalf("confirmed %v", led.keys())
	}
	eventually(t, "alarm ends", func() bool { return len(iv.Status().Alarms) == 0 })
	mu.Lock()
	defer mu.Unlock()
	if len(heard) < 2 || heard[0].Code != AlarmStore || !heard[0].Raised || heard[len(heard)-1].Raised {
		t.Fatalf("heard %v", heard)
	}
}

// TestConfirmIsOrderedThoughStoresAreNot lets later objects be stored first.
func TestConfirmIsOrderedThoughStoresAreNot(t *testing.T) {
	st, led := newStore(), &ledger{}
	first := make(chan struct{})
	slow := &slowStore{store: st, key: object(0).Key, wait: first}
	_, iv := beginOne(t, testConfig(t, slow), led)
	for i := range 5 {
		_, err := iv.Put(object(i))
		must(t, err)
	}
	eventually(t, "the others are stored", func() bool {
		st.mu.Lock()
		defer st.mu.Unlock()
		return len(st.order) == 4
	})
	if got := led.keys(); len(got) != 0 {
		t.Fatalf("confirmed %v before the first", got)
	}
	close(first)
	must(t, iv.Drain(context.Background()))
	if got := led.keys(); len(got) != 5 || got[0] != object(0).Key || !slices.IsSorted(got) {
		t.Fatalf("confirmed %v", got)
	}
}

type slowStore struct {
	*store
	key  string
	wait chan struct{}
}

func (s *slowStore) Put(ctx context.Context, key string, body []byte, sum evidence.Digest, until time.Time) (string, error) {
	if key == s.key {
		select {
		case <-s.wait:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return s.store.Put(ctx, key, body, sum, until)
}

func TestConfirmFails(t *testing.T) { synctest.Test(t, confirmFails) }

func confirmFails(t *testing.T) {
	ctx := context.Background()
	st, led := newStore(), &ledger{fail: errors.New("the database is down")}
	sp, iv := beginOne(t, testConfig(t, st), led)
	_, err := iv.Put(object(1))
	must(t, err)
	eventually(t, "alarm", func() bool { return alarmed(sp.Alarms(), AlarmConfirm) })
	if s := iv.Status(); s.Pending != 1 || s.Error == nil {
		t.Fatalf("%+v", s)
	}
	led.setFail(nil)
	must(t, iv.Drain(ctx))
	if got := led.keys(); len(got) != 1 {
		t.Fatalf("confirmed %v", got)
	}
}

func TestConflictIsKeptAndShown(t *testing.T) { synctest.Test(t, conflictIsKeptAndShown) }

func conflictIsKeptAndShown(t *testing.T) {
	st, led := newStore(), &ledger{}
	st.objects[object(1).Key] = []byte("something else")
	_, iv := beginOne(t, testConfig(t, st), led)
	_, err := iv.Put(object(1))
	must(t, err)
	eventually(t, "alarm", func() bool { return alarmed(iv.Status().Alarms, AlarmConflict) })
	if err := iv.Destroy(); !errors.Is(err, evidence.ErrConflict) {
		t.Fatalf("destroyed: %v", err)
	}
	if string(st.objects[object(1).Key]) != "something else" {
		t.Fatal("overwritten")
	}
}

// TestMoreThanMemory uploads from the outbox what memory does not hold.
func TestMoreThanMemory(t *testing.T) { synctest.Test(t, moreThanMemory) }

func moreThanMemory(t *testing.T) {
	st, led := newStore(), &ledger{}
	st.before = func(string) error { return errors.New("down") }
	c := testConfig(t, st)
	c.UploadMemory = 2500
	_, iv := beginOne(t, c, led)
	for i := range 40 {
		_, err := iv.Put(object(i))
		must(t, err)
	}
	iv.uploads.mu.Lock()
	held := iv.uploads.held
	iv.uploads.mu.Unlock()
	if held > 2500 {
		t.Fatalf("%d bytes in memory", held)
	}
	st.hooks(nil, nil)
	must(t, iv.Drain(context.Background()))
	for i := range 40 {
		if !bytes.Equal(st.objects[object(i).Key], object(i).Body) {
			t.Fatalf("object %d is not what was put", i)
		}
	}
	iv.uploads.mu.Lock()
	defer iv.uploads.mu.Unlock()
	if iv.uploads.held != 0 || iv.uploads.pending != 0 {
		t.Fatalf("%d held, %d pending", iv.uploads.held, iv.uploads.pending)
	}
}

// TestUploadsAreBounded: no more at a time than configured, over all interviews.
func TestUploadsAreBounded(t *testing.T) {
	led := &ledger{}
	st := &countingStore{store: newStore()}
	c := testConfig(t, st)
	c.Uploads = 3
	sp := openSpool(t, c)
	var open []*Interview
	for range 4 {
		iv, err := sp.Begin(context.Background(), evidence.NewID(), led.confirm)
		must(t, err)
		open = append(open, iv)
		for i := range 20 {
			o := object(i)
			o.Key = fmt.Sprintf("%s/%d", iv.ID(), i)
			_, err := iv.Put(o)
			must(t, err)
		}
	}
	for _, iv := range open {
		must(t, iv.Drain(context.Background()))
		must(t, iv.Destroy())
	}
	if st.most.Load() > 3 {
		t.Fatalf("%d uploads at a time", st.most.Load())
	}
	must(t, sp.Close())
}

type countingStore struct {
	*store
	now, most atomic.Int32
}

func (s *countingStore) Put(ctx context.Context, key string, body []byte, sum evidence.Digest, until time.Time) (string, error) {
	now := s.now.Add(1)
	defer s.now.Add(-1)
	for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
	}
	return s.store.Put(ctx, key, body, sum, until)
}

func TestPutRefusesNonsense(t *testing.T) {
	_, iv := beginOne(t, testConfig(t, newStore()), &ledger{})
	good := object(1)
	for name, spoil := range map[string]func(*Object){
		"no key":        func(o *Object) { o.Key = "" },
		"long key":      func(o *Object) { o.Key = strings.Repeat("k", maxKey+1) },
		"no digest":     func(o *Object) { o.Sum.SHA256 = "" },
		"upper case":    func(o *Object) { o.Sum.SHA256 = strings.ToUpper(o.Sum.SHA256) },
		"wrong size":    func(o *Object) { o.Sum.Size++ },
		"too much meta": func(o *Object) { o.Meta = make([]byte, maxMeta+1) },
	} {
		o := good
		spoil(&o)
		if _, err := iv.Put(o); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, kind := range []byte{0, kindMax + 1, kindEnd, kindRelease, 255} {
		if _, err := iv.Append(kind, nil); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("kind %d: %v", kind, err)
		}
	}
	if _, err := iv.Append(1, make([]byte, MaxPayload+1)); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("large record: %v", err)
	}
}

// TestRandomLife does random things to a spool, restarts included, with a store
// and a database that fail at random, and checks after each restart that every
// object is confirmed exactly as often as it must be: at least once, in order.
func TestRandomLife(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { randomLife(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func randomLife(t *testing.T, r *rand.Rand) {
	ctx := context.Background()
	var mu sync.Mutex
	dice := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return r.IntN(n)
	}
	coin := func(n int) bool { return dice(n) == 0 }
	flaky := errors.New("flaky")
	st := newStore()
	st.hooks(func(string) error {
		if coin(6) {
			return flaky
		}
		return nil
	}, func(string) error {
		if coin(6) {
			return flaky
		}
		return nil
	})
	led := &ledger{}
	confirm := func(ctx context.Context, stored []Stored) error {
		if coin(8) {
			return flaky
		}
		return led.confirm(ctx, stored)
	}
	c := testConfig(t, st)
	c.UploadMemory = 3000
	id := evidence.NewID()
	put, appended, released := 0, 0, 0
	for round := range 4 {
		sp := openSpool(t, c)
		var iv *Interview
		var err error
		if round == 0 {
			iv, err = sp.Begin(ctx, id, confirm)
		} else {
			var seen []Position
			var rec Recovered
			iv, rec, err = sp.Recover(ctx, id, confirm, Replayer{Record: func(r Record) error { seen = append(seen, r.Position); return nil }})
			if len(rec.Capture.Gaps)+len(rec.Outbox.Gaps) != 0 || int(rec.Capture.Last) != appended || int(rec.Outbox.Last) != put {
				t.Fatalf("%+v, appended %d, put %d", rec, appended, put)
			}
			if n := len(seen); n > 0 && (int(seen[n-1]) != appended || int(seen[0]) > released+1) || n == 0 && released < appended {
				t.Fatalf("seen %v of %d, released %d", seen, appended, released)
			}
		}
		must(t, err)
		for range 10 + dice(30) {
			if coin(2) {
				_, err := iv.Append(5, payload(appended))
				must(t, err)
				appended++
			} else {
				_, err := iv.Put(object(put))
				must(t, err)
				put++
			}
			if coin(9) {
				released = max(released, appended-dice(appended+1))
				iv.Release(Position(released))
			}
		}
		if round == 3 {
			must(t, iv.Drain(ctx))
			must(t, iv.Destroy())
		} else {
			must(t, iv.Close())
		}
		must(t, sp.Close())
	}
	next := 0
	for _, key := range led.keys() {
		var i int
		_, err := fmt.Sscanf(key, "recordings/r/%d", &i)
		must(t, err)
		if i > next {
			t.Fatalf("object %d confirmed before %d", i, next)
		}
		next = max(next, i+1)
	}
	if next != put || len(st.objects) != put {
		t.Fatalf("%d put, %d stored, confirmed up to %d", put, len(st.objects), next)
	}
}

// TestDestroyEndsTheKey: once destroyed, what a copy of the directory without the
// key holds cannot be opened, and what a crash left is cleared at the next start.
func TestDestroyEndsTheKey(t *testing.T) {
	ctx := context.Background()
	c := testConfig(t, newStore())
	sp := openSpool(t, c)
	id := evidence.NewID()
	iv, err := sp.Begin(ctx, id, (&ledger{}).confirm)
	must(t, err)
	_, err = iv.Append(1, []byte("x"))
	must(t, err)
	must(t, iv.Close())
	dir := filepath.Join(c.Dir, string(id))

	must(t, os.Rename(filepath.Join(dir, keyName), filepath.Join(c.Dir, "aside")))
	if _, _, err := sp.Recover(ctx, id, (&ledger{}).confirm, Replayer{}); !errors.Is(err, evidence.ErrMissingState) {
		t.Fatalf("without key: %v", err)
	}
	must(t, os.Rename(filepath.Join(c.Dir, "aside"), filepath.Join(dir, keyName)))

	// A crash right after the interview was marked as done.
	must(t, os.Rename(dir, filepath.Join(c.Dir, donePrefix+string(id))))
	must(t, os.Mkdir(filepath.Join(c.Dir, newPrefix+string(id)), 0o700))
	must(t, sp.Close())
	sp = openSpool(t, c)
	entries, err := os.ReadDir(c.Dir)
	must(t, err)
	for _, e := range entries {
		if e.IsDir() {
			t.Fatalf("left behind: %s", e.Name())
		}
	}
	if _, _, err := sp.Recover(ctx, id, nil, Replayer{}); !errors.Is(err, evidence.ErrNotFound) {
		t.Fatalf("recovered what was destroyed: %v", err)
	}
	must(t, sp.Close())
}

func TestOneProcess(t *testing.T) {
	c := testConfig(t, newStore())
	sp := openSpool(t, c)
	if _, err := Open(c); !errors.Is(err, evidence.ErrConflict) {
		t.Fatalf("opened twice: %v", err)
	}
	must(t, sp.Close())
	must(t, openSpool(t, c).Close())
}

func TestReplayErrorChangesNothing(t *testing.T) {
	ctx := context.Background()
	c := testConfig(t, newStore())
	sp := openSpool(t, c)
	id := evidence.NewID()
	iv, err := sp.Begin(ctx, id, (&ledger{}).confirm)
	must(t, err)
	_, err = iv.Append(1, []byte("x"))
	must(t, err)
	must(t, iv.Close())
	stop := errors.New("stop")
	if _, _, err := sp.Recover(ctx, id, (&ledger{}).confirm, Replayer{Record: func(Record) error { return stop }}); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	iv, rec, err := sp.Recover(ctx, id, (&ledger{}).confirm, Replayer{})
	must(t, err)
	if rec.Capture.Records != 1 {
		t.Fatalf("%+v", rec)
	}
	must(t, iv.Destroy())
	must(t, sp.Close())
}

func TestSpaceRate(t *testing.T) {
	now := time.Unix(1e9, 0)
	root, err := os.OpenRoot(t.TempDir())
	must(t, err)
	defer root.Close()
	r, err := openReserve(root, 1<<20, nil, func() time.Time { return now }, func(error) {})
	must(t, err)
	defer r.close()
	r.free = func() (int64, error) { return 600_000_000, nil }
	if s := r.space(); s.Minutes != -1 || s.BytesPerSecond != 0 || s.ReserveMinutes != -1 {
		t.Fatalf("%+v", s)
	}
	for range 40 { // 1 MB/s, four times a second, for ten seconds
		now = now.Add(250 * time.Millisecond)
		r.wrote(250_000)
	}
	s := r.space()
	if s.BytesPerSecond < 900_000 || s.BytesPerSecond > 1_100_000 || s.Minutes < 9 || s.Minutes > 11 || s.ReserveBytes != 1<<20 || s.ReserveTarget != 1<<20 {
		t.Fatalf("%+v", s)
	}
	now = now.Add(10 * time.Minute)
	if s := r.space(); s.BytesPerSecond != 0 || s.Minutes != -1 {
		t.Fatalf("long after: %+v", s)
	}
}

func TestReserveComesBackInOrder(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	must(t, err)
	defer root.Close()
	var state error
	r, err := openReserve(root, 20<<20, nil, time.Now, func(err error) { state = err })
	must(t, err)
	defer r.close()
	if state != nil || !r.give(1) || state == nil {
		t.Fatalf("state %v", state)
	}
	for r.give(1) {
	}
	if s := r.space(); s.ReserveBytes != 0 || r.size != slack {
		t.Fatalf("%+v, %d left", s, r.size)
	}
	for r.giveLast() {
	}
	if r.size != 0 {
		t.Fatalf("%d left", r.size)
	}
	free := int64(3 * slack)
	r.free = func() (int64, error) { return free, nil }
	r.refill()
	if r.size != slack || state == nil {
		t.Fatalf("%d taken back with room for the slack only", r.size)
	}
	free = 1 << 30
	r.refill()
	if r.size != 20<<20+slack || state != nil {
		t.Fatalf("%d taken back, %v", r.size, state)
	}
}
