package spool

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// disk is a directory whose files fail on command.
type disk struct {
	mu    sync.Mutex
	room  int64 // bytes that can be written; -1: any number
	write error // of every write but those that run out of room
	sync  error // of every sync
	make  error // of every creation
	tear  bool  // a failing write leaves half of it
	given int64 // freed by give
	left  int64 // that give may free
	last  int64 // that giveLast may free
}

func (d *disk) create(root *os.Root, name string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.make != nil {
		return nil, d.make
	}
	f, err := createFile(root, name)
	if err != nil {
		return nil, err
	}
	return &diskFile{d, f}, nil
}

func (d *disk) give(n int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left == 0 {
		return false
	}
	n = min(d.left, max(n, 1000))
	d.left -= n
	d.given += n
	d.room += n
	return true
}

func (d *disk) giveLast() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == 0 {
		return false
	}
	d.room += d.last
	d.last = 0
	return true
}

func (d *disk) refill() {}

func (d *disk) set(fn func(*disk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fn(d)
}

type diskFile struct {
	d *disk
	file
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.write != nil {
		if f.d.tear {
			n, _ := f.file.WriteAt(p[:len(p)/2], off)
			return n, f.d.write
		}
		return 0, f.d.write
	}
	if f.d.room >= 0 && int64(len(p)) > f.d.room {
		n, _ := f.file.WriteAt(p[:f.d.room], off)
		f.d.room -= int64(n)
		return n, &fs.PathError{Op: "write", Err: syscall.ENOSPC}
	}
	n, err := f.file.WriteAt(p, off)
	if f.d.room >= 0 {
		f.d.room -= int64(n)
	}
	return n, err
}

func (f *diskFile) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.sync != nil {
		return f.d.sync
	}
	return f.file.Sync()
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestFailingDisk lets the disk fail in every way, then recover: everything that
// was appended is there in the end, nothing was acknowledged before it was
// durable, and the stream has no gap.
func TestFailingDisk(t *testing.T) {
	broken := errors.New("input/output error")
	for name, c := range map[string]struct {
		fail, mend func(*disk)
	}{
		"write fails":            {func(d *disk) { d.write = broken }, func(d *disk) { d.write = nil }},
		"write fails half way":   {func(d *disk) { d.write, d.tear = broken, true }, func(d *disk) { d.write = nil }},
		"sync fails":             {func(d *disk) { d.sync = broken }, func(d *disk) { d.sync = nil }},
		"creation fails":         {func(d *disk) { d.sync, d.make = broken, broken }, func(d *disk) { d.sync, d.make = nil, nil }},
		"disk full":              {func(d *disk) { d.room = 0 }, func(d *disk) { d.room = -1 }},
		"disk full after a part": {func(d *disk) { d.room = 100 }, func(d *disk) { d.room = -1 }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			d := &disk{room: -1}
			b.cfg.create, b.cfg.space = d.create, d
			j := b.open()
			b.fill(j, 1, 7)
			d.set(c.fail)
			var at Position
			for i := 8; i <= 19; i++ {
				var err error
				at, err = j.append(5, payload(i))
				must(t, err)
			}
			eventually(t, "alarm", func() bool { return b.raised(AlarmWrite) != nil })
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			if err := j.wait(ctx, at); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("acknowledged on a broken disk: %v", err)
			}
			d.set(c.mend)
			must(t, j.wait(context.Background(), at))
			b.fill(j, 20, 25)
			if err := b.raised(AlarmWrite); err != nil {
				t.Fatalf("the alarm is still raised: %v", err)
			}
			must(t, j.close())
			report, _, got := b.read()
			if !slices.Equal(got, upTo(25)) || len(report.Gaps) != 0 || report.Torn {
				t.Fatalf("%v %+v", got, report)
			}
		})
	}
}

// TestKilledOnABrokenDisk: a crash while the disk fails loses what was not
// acknowledged, and nothing else.
func TestKilledOnABrokenDisk(t *testing.T) {
	b := newBench(t)
	d := &disk{room: -1}
	b.cfg.create, b.cfg.space = d.create, d
	j := b.open()
	b.fill(j, 1, 9)
	d.set(func(d *disk) { d.sync = errors.New("input/output error") })
	for i := 10; i <= 15; i++ {
		_, err := j.append(5, payload(i))
		must(t, err)
	}
	eventually(t, "several files given up", func() bool { return len(b.files()) > 4 })
	if err := j.close(); err == nil {
		t.Fatal("close hides that records are not durable")
	}
	report, tl, got := b.read()
	if len(got) < 9 || !slices.Equal(got, upTo(len(got))) || len(report.Gaps) != 0 {
		t.Fatalf("%v %+v", got, report)
	}
	d.set(func(d *disk) { d.sync = nil })
	j = startJournal(b.cfg, tl, report.Released)
	b.fill(j, len(got)+1, len(got)+5)
	must(t, j.close())
	if report, _, again := b.read(); !slices.Equal(again, upTo(len(got)+5)) || len(report.Gaps) != 0 {
		t.Fatalf("%v %+v", again, report)
	}
}

func TestReserveIsUsedBeforeTheAlarm(t *testing.T) {
	b := newBench(t)
	d := &disk{room: 2000, left: 3000}
	b.cfg.create, b.cfg.space, b.cfg.backlog = d.create, d, 2000
	j := b.open()
	n := 0
	for b.raised(AlarmWrite) == nil {
		n++
		_, err := j.append(5, payload(n))
		must(t, err)
		sync, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		if err := j.sync(sync); err != nil {
			eventually(t, "alarm", func() bool { return b.raised(AlarmWrite) != nil })
		}
		cancel()
	}
	if d.left != 0 || d.given != 3000 {
		t.Fatalf("reserve left %d, given %d", d.left, d.given)
	}
	// Now memory fills up, and then, and only then, a record is refused.
	var refused error
	for refused == nil {
		n++
		_, refused = j.append(5, payload(n))
	}
	n--
	if !errors.Is(refused, ErrBacklog) || b.raised(AlarmBacklog) == nil {
		t.Fatalf("%v", refused)
	}
	d.set(func(d *disk) { d.room = -1 })
	must(t, j.sync(context.Background()))
	must(t, j.close())
	report, _, got := b.read()
	if !slices.Equal(got, upTo(n)) || len(report.Gaps) != 0 || b.raised(AlarmBacklog) != nil {
		t.Fatalf("%d of %d records, %+v", len(got), n, report)
	}
}
