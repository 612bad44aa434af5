package spool

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/toldonce/toldonce/evidence"
)

// How appending fails. Both wrap a sentinel of package evidence.
var (
	// ErrBacklog: the disk takes nothing and memory is full. The record was not
	// taken. It wraps [evidence.ErrUnavailable].
	ErrBacklog = fmt.Errorf("%w: the spool's disk takes nothing and its memory is full", evidence.ErrUnavailable)
	// ErrClosed: the interview's spool was closed. It wraps [evidence.ErrConflict].
	ErrClosed = fmt.Errorf("%w: the spool is closed", evidence.ErrConflict)
)

// file is what a journal asks of a file that it writes.
type file interface {
	WriteAt(p []byte, off int64) (int, error)
	Sync() error
	Close() error
}

// journalConfig is what both journals of an interview share.
type journalConfig struct {
	root     *os.Root
	key      journalKey
	id       uuid.UUID
	stream   stream
	interval time.Duration // from the first record of a group to its sync
	fileSize int64         // after which a file is completed
	backlog  int64         // bytes in memory after which Append refuses

	create func(root *os.Root, name string) (file, error)
	space  spaceKeeper
	alarm  func(code string, err error) // err nil: over
	synced func(bytes int, took time.Duration)
}

// spaceKeeper gives disk back when there is none left, and takes it again.
type spaceKeeper interface {
	give(n int64) bool // frees at least n bytes if it can
	giveLast() bool    // frees what is kept for writing down a release
	refill()
}

func createFile(root *os.Root, name string) (file, error) {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err // not a nil *os.File in an interface
	}
	return f, nil
}

// entry is a record that is not synced yet.
type entry struct {
	kind    byte
	payload []byte
}

// journal appends to one stream. Its methods are safe for concurrent use. One
// goroutine, run, encrypts, writes, syncs, and removes what is released.
type journal struct {
	journalConfig

	kick   chan struct{} // there is something to do
	urgent chan struct{} // do it now
	done   chan struct{} // run has ended

	mu       sync.Mutex
	pending  []entry
	bytes    int64 // payloads that are not synced
	next     Position
	durable  Position
	release  Position
	files    []journalFile // the last one may be open in out
	changed  chan struct{} // closed and replaced when durable moves or the journal closes
	closing  bool
	closeErr error

	// The rest belongs to run.
	out       file
	offset    int64 // where unwritten goes
	unwritten []byte
	spare     []byte  // memory of a group that was written, for the next
	unsynced  []entry // what is in unwritten or in out, but not synced
	seq       *sequence
	number    uint64   // of the next file
	link      tag      // of the last synced record
	noted     Position // last release that is written down
	full      bool     // the file in out is being completed
	starved   bool     // the last attempt found no room at all
}

// startJournal continues where replay ended; a new stream has the zero tail.
func startJournal(cfg journalConfig, t tail, released Position) *journal {
	j := &journal{
		journalConfig: cfg,
		kick:          make(chan struct{}, 1),
		urgent:        make(chan struct{}, 1),
		done:          make(chan struct{}),
		changed:       make(chan struct{}),
		next:          t.last + 1,
		durable:       t.last,
		release:       released,
		noted:         released,
		files:         t.files,
		number:        max(t.number, 1),
		link:          t.link,
	}
	go j.run()
	return j
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// append takes a record into memory. It never waits for a disk.
func (j *journal) append(kind byte, parts ...[]byte) (Position, error) {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	if kind == 0 || kind > kindMax || size > MaxPayload {
		return 0, fmt.Errorf("%w: record of kind %d and %d bytes", evidence.ErrInvalid, kind, size)
	}
	payload := make([]byte, 0, size)
	for _, p := range parts {
		payload = append(payload, p...)
	}
	j.mu.Lock()
	if j.closing {
		j.mu.Unlock()
		return 0, ErrClosed
	}
	if j.bytes+int64(size) > j.backlog {
		j.mu.Unlock()
		j.alarm(AlarmBacklog, ErrBacklog)
		return 0, ErrBacklog
	}
	at := j.next
	j.next++
	j.pending = append(j.pending, entry{kind, payload})
	j.bytes += int64(size)
	j.mu.Unlock()
	notify(j.kick)
	return at, nil
}

// wait returns once the record at a position is synced.
func (j *journal) wait(ctx context.Context, at Position) error {
	for {
		j.mu.Lock()
		durable, next, closed, changed := j.durable, j.next, j.isDone(), j.changed
		j.mu.Unlock()
		switch {
		case durable >= at:
			return nil
		case at >= next:
			return fmt.Errorf("%w: position %d was not given out yet", evidence.ErrInvalid, at)
		case closed:
			return fmt.Errorf("record %d is not durable: %w", at, ErrClosed)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (j *journal) isDone() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

// sync hurries the group that is being collected and waits for it.
func (j *journal) sync(ctx context.Context) error {
	j.mu.Lock()
	last := j.next - 1
	j.mu.Unlock()
	notify(j.urgent)
	return j.wait(ctx, last)
}

// releaseTo says that records up to a position are not needed any more. Files
// that hold no other are removed in the background.
func (j *journal) releaseTo(at Position) {
	j.mu.Lock()
	at = min(at, j.next-1)
	moved := at > j.release
	if moved {
		j.release = at
	}
	j.mu.Unlock()
	if moved {
		notify(j.kick)
	}
}

// read returns a synced record that is not released.
func (j *journal) read(at Position) (Record, error) {
	j.mu.Lock()
	var in *journalFile
	for i := range j.files {
		if f := &j.files[i]; f.first != 0 && f.first <= at && at <= f.last {
			in = &journalFile{name: f.name, number: f.number, first: f.first, last: f.last}
		}
	}
	j.mu.Unlock()
	if in == nil {
		return Record{}, fmt.Errorf("%w: record %d is not in the %s journal", evidence.ErrNotFound, at, j.stream)
	}
	return readRecord(j.root, j.key, *in, at)
}

// close writes what is in memory, completes the file and ends run. It returns
// an error if something could not be made durable.
func (j *journal) close() error {
	j.mu.Lock()
	j.closing = true
	j.mu.Unlock()
	notify(j.urgent)
	notify(j.kick)
	<-j.done
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.closeErr
}

func (j *journal) run() {
	defer func() {
		if j.out != nil {
			j.out.Close()
		}
		close(j.done)
		j.mu.Lock()
		close(j.changed)
		j.changed = make(chan struct{})
		j.mu.Unlock()
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	retry := false
	for {
		if !retry {
			<-j.kick
		}
		timer.Reset(j.interval)
		select {
		case <-timer.C:
		case <-j.urgent:
		}
		j.mu.Lock()
		closing := j.closing // before flush: then nothing can be appended after it
		j.mu.Unlock()
		err := j.flush(closing)
		if err != nil {
			j.alarm(AlarmWrite, err)
		}
		if closing {
			j.mu.Lock()
			if err != nil {
				j.closeErr = fmt.Errorf("closing the %s journal: %w", j.stream, err)
			}
			j.mu.Unlock()
			return
		}
		retry = err != nil
	}
}
