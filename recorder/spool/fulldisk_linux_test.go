package spool

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// TestFullDisk fills a real file system. It needs the right to mount one, as in a
// container's root; [TestFailingDisk] and [TestReserveIsUsedBeforeTheAlarm] ask
// the same of a disk that pretends.
func TestFullDisk(t *testing.T) {
	ctx := context.Background()
	mount := t.TempDir()
	const size = 8 << 20
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		if os.Geteuid() != 0 || errors.Is(err, syscall.EPERM) {
			t.Logf("no right to mount a small file system (%v): the pretended disk has to do", err)
			return
		}
		t.Fatal(err)
	}
	defer syscall.Unmount(mount, syscall.MNT_DETACH)
	st, led := newStore(), &ledger{}
	down := errors.New("the store is down")
	st.before = func(string) error { return down }
	c := Config{Dir: filepath.Join(mount, "spool"), Keys: ring{}, Objects: st, Interval: time.Millisecond, FileSize: 256 << 10, Backlog: 1 << 20, Reserve: 2 << 20}
	sp := openSpool(t, c)
	if s := sp.Space(); s.ReserveBytes != 2<<20 || s.FreeBytes > size-2<<20 {
		t.Fatalf("%+v", s)
	}
	iv, err := sp.Begin(ctx, evidence.NewID(), led.confirm)
	must(t, err)
	chunk := bytes.Repeat([]byte("picture "), 4096)
	n := 0
	record := func() error {
		_, err := iv.Append(5, binary.BigEndian.AppendUint32(bytes.Clone(chunk), uint32(n)))
		if err == nil {
			n++
		}
		return err
	}
	has := func(code string) bool {
		return slices.ContainsFunc(sp.Alarms(), func(a Alarm) bool { return a.Code == code })
	}
	for !has(AlarmReserve) {
		must(t, record())
		must(t, iv.Sync(ctx))
	}
	if s := sp.Space(); s.ReserveBytes >= 2<<20 || s.BytesPerSecond == 0 {
		t.Fatalf("%+v", s)
	}
	for err = record(); err == nil; err = record() {
		if !has(AlarmWrite) {
			time.Sleep(time.Millisecond) // as a source would
		}
	}
	if !errors.Is(err, ErrBacklog) || !has(AlarmWrite) || !has(AlarmBacklog) {
		t.Fatalf("%v, alarms %v", err, sp.Alarms())
	}
	if n*len(chunk) < size-1<<20 {
		t.Fatalf("refused after %d bytes of %d", n*len(chunk), size)
	}
	// Objects reach the store, their records are released, and all goes on.
	released := n / 2
	iv.Release(Position(released))
	eventually(t, "write alarm ends", func() bool { return !has(AlarmWrite) && !has(AlarmBacklog) })
	must(t, record())
	must(t, iv.Sync(ctx))
	must(t, iv.Close())
	must(t, sp.Close())

	sp = openSpool(t, c)
	ids, err := sp.Interviews()
	must(t, err)
	seen := released
	iv, rec, err := sp.Recover(ctx, ids[0], led.confirm, Replayer{Record: func(r Record) error {
		if int(r.Position) != seen+1 || binary.BigEndian.Uint32(r.Payload[len(chunk):]) != uint32(seen) {
			t.Fatalf("record %d follows %d", r.Position, seen)
		}
		seen++
		return nil
	}})
	must(t, err)
	if seen != n || len(rec.Capture.Gaps) != 0 {
		t.Fatalf("%d of %d records, %+v", seen, n, rec.Capture)
	}
	must(t, iv.Destroy())
	if s := sp.Space(); s.ReserveBytes != 2<<20 || has(AlarmReserve) {
		t.Fatalf("the reserve is not whole again: %+v", s)
	}
	must(t, sp.Close())
}
