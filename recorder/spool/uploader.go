package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

const (
	uploadsEach  = 2                      // uploads of one interview at a time
	confirmBatch = 64                     // objects of one Confirm
	backoffFirst = 250 * time.Millisecond // before the second attempt
	backoffMost  = 5 * time.Second
	attemptLimit = 60 * time.Second // of one Put or Confirm
)

// upload is one object on its way. Its fields belong to the uploader's mutex,
// but for object and position.
type upload struct {
	object   Object // Body nil: read it from the outbox
	position Position
	size     int64
	taken    bool
	stored   bool
	version  string
}

// uploader brings the objects of one interview to the object store: several at a
// time, begun and confirmed in order. Its queue is bounded by the disk that holds
// the outbox; of the bodies at most memory bytes are kept in memory.
type uploader struct {
	box     *journal
	objects Objects
	confirm Confirm
	slots   chan struct{} // shared by all interviews of the node
	memory  int64
	alarm   func(code string, err error)

	stop context.CancelFunc
	wg   sync.WaitGroup

	mu      sync.Mutex
	queue   []*upload // in order; the head is the oldest that is not confirmed
	held    int64     // bytes of bodies in queue
	pending int64     // bytes of objects in queue
	done    int64     // objects confirmed
	failing map[*upload]error
	failed  error         // of the last Confirm; nil after a good one
	changed chan struct{} // closed and replaced at each change
}

// startUploader takes over what is pending from an earlier run.
func startUploader(u *uploader, pending []*upload, done int64) *uploader {
	u.queue, u.done = pending, done
	for _, p := range pending {
		u.pending += p.size
	}
	u.failing = map[*upload]error{}
	u.changed = make(chan struct{})
	ctx, stop := context.WithCancel(context.Background())
	u.stop = stop
	for range uploadsEach {
		u.wg.Go(func() { u.work(ctx) })
	}
	u.wg.Go(func() { u.confirmAll(ctx) })
	return u
}

// change runs fn under the mutex and wakes whoever waits.
func (u *uploader) change(fn func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	fn()
	close(u.changed)
	u.changed = make(chan struct{})
}

// put hands an object over. It never waits for a disk or the network.
func (u *uploader) put(o Object) (Position, error) {
	head, err := encodeHead(o)
	if err != nil {
		return 0, err
	}
	o.Meta = bytes.Clone(o.Meta)
	var at Position
	u.change(func() { // so that the queue has the order of the outbox
		if at, err = u.box.append(kindObject, head, o.Body); err != nil {
			return
		}
		up := &upload{object: o, position: at, size: int64(len(o.Body))}
		if u.held+up.size > u.memory {
			up.object.Body = nil
		} else {
			u.held += up.size
		}
		u.pending += up.size
		u.queue = append(u.queue, up)
	})
	return at, err
}

// await returns what find finds, waiting for changes until it does; false once
// ctx is done.
func (u *uploader) await(ctx context.Context, find func() bool) bool {
	for {
		u.mu.Lock()
		found, changed := find(), u.changed
		u.mu.Unlock()
		if found {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

func (u *uploader) work(ctx context.Context) {
	for {
		var next *upload
		ok := u.await(ctx, func() bool {
			for _, up := range u.queue {
				if !up.taken {
					up.taken, next = true, up
					return true
				}
			}
			return false
		})
		if !ok {
			return
		}
		u.store(ctx, next)
	}
}

// store tries until the object is stored or ctx is done.
func (u *uploader) store(ctx context.Context, up *upload) {
	for attempt := 0; ; attempt++ {
		version, err := u.attempt(ctx, up)
		if ctx.Err() != nil && err != nil {
			return
		}
		u.change(func() {
			if err != nil {
				u.failing[up] = err
				return
			}
			delete(u.failing, up)
			up.stored, up.version = true, version
			if up.object.Body != nil {
				u.held -= up.size
				up.object.Body = nil
			}
		})
		u.alarmUploads()
		if err == nil || !pause(ctx, attempt) {
			return
		}
	}
}

func (u *uploader) attempt(ctx context.Context, up *upload) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	select {
	case u.slots <- struct{}{}:
		defer func() { <-u.slots }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	body := up.object.Body
	if body == nil {
		if err := u.box.wait(ctx, up.position); err != nil {
			return "", err
		}
		record, err := u.box.read(up.position)
		if err != nil {
			return "", err
		}
		o, err := decodeObject(record.Payload)
		if err != nil {
			return "", err
		}
		body = o.Body
	}
	version, err := u.objects.Put(ctx, up.object.Key, body, up.object.Sum, up.object.RetainUntil)
	if err != nil {
		return "", fmt.Errorf("storing %s: %w", up.object.Key, err)
	}
	return version, nil
}

// alarmUploads raises or ends the alarms that the failing uploads call for.
func (u *uploader) alarmUploads() {
	var store, conflict error
	u.mu.Lock()
	for _, err := range u.failing {
		if errors.Is(err, evidence.ErrConflict) || errors.Is(err, evidence.ErrInvalid) {
			conflict = err
		} else {
			store = err
		}
	}
	u.mu.Unlock()
	u.alarm(AlarmStore, store)
	u.alarm(AlarmConflict, conflict)
}

// confirmAll confirms what is stored, in order, and lets the outbox release it.
func (u *uploader) confirmAll(ctx context.Context) {
	for {
		var batch []Stored
		ok := u.await(ctx, func() bool {
			for _, up := range u.queue {
				if !up.stored || len(batch) == confirmBatch {
					break
				}
				batch = append(batch, Stored{Object: up.object, Position: up.position, Version: up.version})
			}
			return len(batch) > 0
		})
		if !ok {
			return
		}
		for attempt := 0; ; attempt++ {
			err := u.confirmOnce(ctx, batch)
			if ctx.Err() != nil && err != nil {
				return
			}
			u.alarm(AlarmConfirm, err)
			if err == nil {
				break
			}
			u.change(func() { u.failed = err })
			if !pause(ctx, attempt) {
				return
			}
		}
		u.box.releaseTo(batch[len(batch)-1].Position)
		u.change(func() {
			for _, up := range u.queue[:len(batch)] {
				u.pending -= up.size
			}
			u.queue = u.queue[len(batch):]
			u.done += int64(len(batch))
			u.failed = nil
		})
	}
}

func (u *uploader) confirmOnce(ctx context.Context, batch []Stored) error {
	ctx, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	return u.confirm(ctx, batch)
}

// pause waits before the next attempt: twice as long each time, give or take a
// quarter, so that nodes do not come back all at once.
func pause(ctx context.Context, attempt int) bool {
	d := min(backoffFirst<<min(attempt, 10), backoffMost)
	d += time.Duration(rand.Int64N(int64(d/2))) - d/4
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// drain waits until nothing is pending.
func (u *uploader) drain(ctx context.Context) error {
	if !u.await(ctx, func() bool { return len(u.queue) == 0 }) {
		return ctx.Err()
	}
	return nil
}

// lastError is why something is pending for longer than it should; nil if all is well.
func (u *uploader) lastError() error {
	if u.failed != nil {
		return u.failed
	}
	for _, err := range u.failing {
		return err
	}
	return nil
}

func (u *uploader) close() {
	u.stop()
	u.wg.Wait()
}
