package spool

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"github.com/toldonce/toldonce/internal/durable"
)

const (
	reserveFile = "reserve"
	// reserveStep is how much is given back at once: some seconds of recording.
	reserveStep = 8 << 20
	// slack is held beyond the reserve, always, for writing down what may be
	// removed when nothing else can be written.
	slack = 64 << 10
	// rateWindow is over how long the rate of writing is averaged.
	rateWindow = 30 * time.Second
)

// Space says how long recording can go on if nothing is uploaded.
type Space struct {
	FreeBytes      int64 // on the disk, without the reserve; -1: cannot be known
	ReserveBytes   int64 // still allocated
	ReserveTarget  int64 // as configured
	BytesPerSecond int64 // recently written to journals
	// Minutes until both are used up at that rate; -1: nothing is being written,
	// or the free space cannot be known. It counts what the journals write: an
	// object store on the same disk uses as much again.
	Minutes int64
	// ReserveMinutes is how long the reserve alone lasts; -1: nothing is being written.
	ReserveMinutes int64
}

// reserve is disk that was allocated while there was some.
type reserve struct {
	root   *os.Root
	target int64 // slack included
	quota  *quota
	free   func() (int64, error)
	clock  func() time.Time
	state  func(err error) // told whether the reserve is being used up

	mu     sync.Mutex
	file   *os.File
	size   int64
	rate   float64 // bytes a second, decaying
	since  time.Time
	ticked time.Time
}

// openReserve allocates the reserve, or as much of it as there is room for.
func openReserve(root *os.Root, target int64, limit *quota, clock func() time.Time, state func(error)) (*reserve, error) {
	f, err := root.OpenFile(reserveFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the reserve: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	now := clock()
	target += slack
	r := &reserve{root: root, target: target, quota: limit, clock: clock, state: state, file: f, size: info.Size(), since: now, ticked: now}
	r.free = func() (int64, error) {
		disk, err := freeBytes(f)
		if err != nil {
			return 0, err
		}
		return limit.free(disk)
	}
	if r.size > target {
		if err := f.Truncate(target); err != nil {
			return nil, errors.Join(fmt.Errorf("shrinking the reserve: %w", err), f.Close())
		}
		r.size = target
	}
	if r.size < target {
		r.grow(target)
	}
	r.tell()
	return r, errors.Join(f.Sync(), durable.SyncDir(root, "."))
}

// grow allocates towards a size in steps, until the disk is full.
func (r *reserve) grow(to int64) {
	for r.size < to {
		step := min(to-r.size, reserveStep)
		if err := r.quota.add(step, func() error { return allocate(r.file, r.size, step) }); err != nil {
			r.file.Truncate(r.size) // what a failed step left
			return
		}
		r.size += step
	}
}

// tell raises or ends the alarm.
func (r *reserve) tell() {
	if r.size < r.target {
		r.state(fmt.Errorf("%d of %d bytes of the reserve are left", r.size, r.target))
	} else {
		r.state(nil)
	}
}

// give frees at least n bytes of the reserve, if it has any. It reports whether
// it freed something.
func (r *reserve) give(n int64) bool { return r.shrink(max(n, reserveStep), slack) }

// giveLast frees what give leaves, a little at a time.
func (r *reserve) giveLast() bool { return r.shrink(slack/4, 0) }

func (r *reserve) shrink(n, floor int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size <= floor {
		return false
	}
	left := max(floor, r.size-n)
	if err := r.file.Truncate(left); err != nil {
		return false
	}
	r.size = left
	r.tell()
	return true
}

// refill takes back what was given, once there is room for all of it and as
// much again, so that it does not take what recording needs next. The slack
// comes back first.
func (r *reserve) refill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, target := range []int64{min(slack, r.target), r.target} {
		lack := target - r.size
		if lack <= 0 {
			continue
		}
		if free, err := r.free(); err != nil || free < 2*lack {
			break
		}
		r.grow(target)
	}
	r.tell()
}

// wrote counts bytes for the rate.
func (r *reserve) wrote(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.decay()
	r.rate += float64(n) / rateWindow.Seconds()
}

func (r *reserve) decay() {
	now := r.clock()
	r.rate *= math.Exp(-now.Sub(r.ticked).Seconds() / rateWindow.Seconds())
	r.ticked = now
}

func (r *reserve) space() Space {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.decay()
	// Soon after the start the average has not seen a whole window yet.
	seen := 1 - math.Exp(-r.ticked.Sub(r.since).Seconds()/rateWindow.Seconds())
	rate := int64(0)
	if seen > 0 {
		rate = int64(r.rate / seen)
	}
	left := max(0, r.size-slack)
	s := Space{FreeBytes: -1, ReserveBytes: left, ReserveTarget: r.target - slack, BytesPerSecond: rate, Minutes: -1, ReserveMinutes: -1}
	if free, err := r.free(); err == nil {
		s.FreeBytes = free
	}
	if rate > 0 {
		s.ReserveMinutes = left / rate / 60
		if s.FreeBytes >= 0 {
			s.Minutes = (s.FreeBytes + left) / rate / 60
		}
	}
	return s
}

func (r *reserve) close() error { return r.file.Close() }

// fillWithNoise allocates by writing, where the file system cannot allocate
// otherwise. Noise, because some file systems store no zeros.
func fillWithNoise(f *os.File, off, n int64) error {
	chunk := make([]byte, min(n, 1<<20))
	for done := int64(0); done < n; {
		rand.Read(chunk)
		w, err := f.WriteAt(chunk[:min(int64(len(chunk)), n-done)], off+done)
		done += int64(w)
		if err != nil {
			return err
		}
	}
	return f.Sync()
}

var _ spaceKeeper = (*reserve)(nil)
