package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/internal/durable"
)

// Interview is the spool of one interview on this node. Its methods are safe for
// concurrent use.
type Interview struct {
	id    evidence.ID
	uuid  uuid.UUID
	spool *Spool
	root  *os.Root
	key   journalKey

	capture *journal
	outbox  *journal
	uploads *uploader

	end    sync.Once
	endErr error
}

// found is what replay learned of a stream.
type found struct {
	report Report
	tail   tail
}

// replay reads a stream back and makes it durable as it was read: what a process
// wrote just before it was killed may not be on the disk yet, and what follows
// is going to refer to it.
func (iv *Interview) replay(s stream, fn func(Record) error) (found, error) {
	report, t, err := replay(iv.root, iv.key, iv.uuid, s, fn)
	if err != nil {
		return found{}, err
	}
	for _, f := range t.files {
		file, err := iv.root.Open(f.name)
		if err != nil {
			return found{}, err
		}
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return found{}, err
		}
	}
	return found{report, t}, durable.SyncDir(iv.root, ".")
}

func (iv *Interview) start(confirm Confirm, cap, box found, pending []*upload) {
	iv.capture = startJournal(iv.journal(capture), cap.tail, cap.report.Released)
	iv.outbox = startJournal(iv.journal(outbox), box.tail, box.report.Released)
	iv.uploads = startUploader(&uploader{
		box: iv.outbox, objects: iv.spool.config.Objects, confirm: confirm, slots: iv.spool.slots,
		memory: iv.spool.config.UploadMemory, alarm: iv.alarm(string(iv.id)),
	}, pending, int64(box.report.Released))
}

func (iv *Interview) journal(s stream) journalConfig {
	c := iv.spool.config
	return journalConfig{
		root: iv.root, key: iv.key, id: iv.uuid, stream: s,
		interval: c.Interval, fileSize: c.FileSize, backlog: c.Backlog,
		create: c.create, space: iv.spool.reserve, alarm: iv.alarm(string(iv.id) + "/" + s.String()),
		synced: func(bytes int, took time.Duration) {
			iv.spool.reserve.wrote(bytes)
			if c.OnSync != nil {
				c.OnSync(s.String(), bytes, took)
			}
		},
	}
}

func (iv *Interview) alarm(place string) func(string, error) {
	return func(code string, err error) { iv.spool.alarms.set(code, place, err) }
}

// places are where this interview's alarms are raised.
func (iv *Interview) places() []string {
	id := string(iv.id)
	return []string{id, id + "/" + capture.String(), id + "/" + outbox.String()}
}

// ID returns the interview's id.
func (iv *Interview) ID() evidence.ID { return iv.id }

// Append takes a record into the capture journal and returns its position. It
// copies payload and waits for nothing. kind is 1 to 239 and means what the
// caller wants. The error wraps [ErrBacklog] if the record was not taken because
// disk and memory are full, [ErrClosed], or [evidence.ErrInvalid] for a kind or a
// size ([MaxPayload]) that is not possible.
func (iv *Interview) Append(kind byte, payload []byte) (Position, error) {
	return iv.capture.append(kind, payload)
}

// Wait returns once the captured record at a position survives a power loss, or
// ctx is done.
func (iv *Interview) Wait(ctx context.Context, at Position) error { return iv.capture.wait(ctx, at) }

// Sync makes all that was appended until now survive a power loss, at once.
func (iv *Interview) Sync(ctx context.Context) error { return iv.capture.sync(ctx) }

// Synced returns the position up to which captured records survive a power loss.
func (iv *Interview) Synced() Position {
	iv.capture.mu.Lock()
	defer iv.capture.mu.Unlock()
	return iv.capture.durable
}

// Release says that captured records up to a position are not needed any more,
// because what became of them is durable in the outbox or beyond. Their space is
// given back file by file. After a restart some of them may be seen again.
func (iv *Interview) Release(upTo Position) { iv.capture.releaseTo(upTo) }

// Put takes an object into the outbox, from where it is uploaded, and returns its
// position there. It waits for nothing. The error is as for Append.
func (iv *Interview) Put(o Object) (Position, error) { return iv.uploads.put(o) }

// WaitObject returns once the object at a position of the outbox survives a power
// loss on this node. It may not be in the object store yet.
func (iv *Interview) WaitObject(ctx context.Context, at Position) error {
	return iv.outbox.wait(ctx, at)
}

// Drain returns once every object is stored and confirmed, or ctx is done.
func (iv *Interview) Drain(ctx context.Context) error {
	return iv.uploads.drain(ctx)
}

// Status is how an interview's spool is doing.
type Status struct {
	Appended     Position // last captured record
	Synced       Position // last captured record that survives a power loss
	Backlog      int64    // bytes of both journals in memory only
	Durable      int64    // objects stored and confirmed, earlier runs included
	Pending      int64    // objects that are not
	PendingBytes int64
	// Error is why objects are pending for longer than they should, for a log;
	// nil if all is well. Pages show Alarms.
	Error  error
	Alarms []Alarm
}

// Status returns how the spool is doing.
func (iv *Interview) Status() Status {
	var s Status
	iv.capture.mu.Lock()
	s.Appended, s.Synced, s.Backlog = iv.capture.next-1, iv.capture.durable, iv.capture.bytes
	iv.capture.mu.Unlock()
	iv.outbox.mu.Lock()
	s.Backlog += iv.outbox.bytes
	iv.outbox.mu.Unlock()
	iv.uploads.mu.Lock()
	s.Durable, s.Pending, s.PendingBytes, s.Error = iv.uploads.done, int64(len(iv.uploads.queue)), iv.uploads.pending, iv.uploads.lastError()
	iv.uploads.mu.Unlock()
	s.Alarms = iv.spool.alarms.list(iv.places()...)
	return s
}

// Close stops uploading, makes what was appended durable, and closes the
// journals. They stay on disk, to be recovered. The error says what could not be
// made durable.
func (iv *Interview) Close() error {
	iv.end.Do(func() {
		iv.endErr = iv.shut()
	})
	return iv.endErr
}

func (iv *Interview) shut() error {
	iv.uploads.close()
	err := errors.Join(iv.capture.close(), iv.outbox.close(), iv.root.Close())
	for _, place := range iv.places() {
		iv.spool.alarms.forget(place)
	}
	iv.spool.mu.Lock()
	delete(iv.spool.open, iv.id)
	iv.spool.mu.Unlock()
	return err
}

// Destroy closes the journals and destroys their key: from then on nothing can
// read them. Their files, as large as the interview was long, are removed after
// it has returned, and at the next [Open] if that fails. While objects are pending
// nothing is destroyed and the error wraps [evidence.ErrConflict].
func (iv *Interview) Destroy() error {
	if err := iv.nothingPending(); err != nil {
		return err
	}
	// All objects are stored and confirmed: what the journals could not write any
	// more is of no use, and their removal makes room.
	_ = iv.Close()
	if err := iv.nothingPending(); err != nil { // put in between
		return err
	}
	// Of its own name: an interview that is begun anew may be destroyed again before
	// the first one is removed.
	done := donePrefix + string(evidence.NewID())
	if err := iv.spool.root.Rename(string(iv.id), done); err != nil {
		return fmt.Errorf("destroying the journal of interview %s: %w", iv.id, err)
	}
	if err := durable.SyncDir(iv.spool.root, "."); err != nil {
		return fmt.Errorf("destroying the journal of interview %s: %w", iv.id, err)
	}
	if err := iv.spool.destroyKey(done); err != nil {
		return err
	}
	iv.spool.removals.Go(func() { _ = iv.spool.remove(done) })
	return nil
}

func (iv *Interview) nothingPending() error {
	iv.uploads.mu.Lock()
	defer iv.uploads.mu.Unlock()
	if n := len(iv.uploads.queue); n > 0 {
		return fmt.Errorf("%w: %d objects of interview %s are not stored yet", evidence.ErrConflict, n, iv.id)
	}
	return nil
}
