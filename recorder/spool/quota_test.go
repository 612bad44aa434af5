package spool

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// A spool with a limit behaves as on a disk of that size, without the right to mount
// one: the reserve is used with an alarm, then memory, and all that was taken is
// there when the disk has room again.
func TestALimitIsAFullDisk(t *testing.T) {
	ctx := context.Background()
	st, led := newStore(), &ledger{}
	st.before = func(string) error { return errors.New("the store is down") }
	const limit, reserve = 34 << 20, 16 << 20
	c := Config{
		Dir: filepath.Join(t.TempDir(), "spool"), Keys: ring{}, Objects: st, Interval: time.Millisecond,
		FileSize: 256 << 10, Backlog: 1 << 20, Reserve: reserve, Limit: limit,
	}
	sp := openSpool(t, c)
	if s := sp.Space(); s.ReserveBytes != reserve || s.FreeBytes > limit-reserve || s.FreeBytes < limit-reserve-1<<20 {
		t.Fatalf("%+v", s)
	}
	iv, err := sp.Begin(ctx, evidence.NewID(), led.confirm)
	must(t, err)
	chunk := bytes.Repeat([]byte("picture "), 8192)
	n := 0
	record := func() error {
		_, err := iv.Append(5, chunk)
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
	if s := sp.Space(); s.ReserveBytes >= reserve || s.ReserveBytes == 0 || s.ReserveMinutes < 0 {
		t.Fatalf("%+v", s)
	}
	for !has(AlarmWrite) {
		if err := record(); err == nil {
			eventually(t, "written or refused", func() bool {
				st := iv.Status()
				return has(AlarmWrite) || st.Synced == st.Appended
			})
		}
	}
	if taken := int64(n * len(chunk)); taken < limit-1<<20 || taken > limit+1<<20 {
		t.Fatalf("the disk was full after %d bytes", taken)
	}
	if used, err := newQuota(sp.root, limit); err != nil || used.used > limit {
		t.Fatalf("%d bytes are used, %v", used.used, err)
	}
	released := n / 2
	iv.Release(Position(released))
	eventually(t, "the alarm is over", func() bool { return !has(AlarmWrite) })
	must(t, record())
	must(t, iv.Sync(ctx))
	must(t, iv.Close())
	must(t, sp.Close())

	sp = openSpool(t, c)
	ids, err := sp.Interviews()
	must(t, err)
	seen := released
	iv, rec, err := sp.Recover(ctx, ids[0], led.confirm, Replayer{Record: func(r Record) error { seen++; return nil }})
	must(t, err)
	if seen != n || len(rec.Capture.Gaps) != 0 {
		t.Fatalf("%d of %d records, %+v", seen, n, rec.Capture)
	}
	must(t, iv.Destroy())
	if s := sp.Space(); s.ReserveBytes != reserve || has(AlarmReserve) {
		t.Fatalf("the reserve is not whole again: %+v", s)
	}
	must(t, sp.Close())
}
