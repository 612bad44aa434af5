package spool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/internal/durable"
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

// flush makes all that was appended durable, then removes released files. After
// an error nothing is lost: the next call goes on.
func (j *journal) flush(closing bool) error {
	start := time.Now()
	j.mu.Lock()
	batch, release := j.pending, j.release
	j.pending = nil
	j.mu.Unlock()

	j.unsynced = append(j.unsynced, batch...)
	if j.starved && j.frees(release) {
		if err := j.makeRoom(release); err != nil {
			return err
		}
		batch = j.unsynced // what was encoded went with the file that was given up
	}
	note := release > j.noted && (len(batch) > 0 || closing || j.frees(release))
	if len(j.unsynced) == 0 && len(j.unwritten) == 0 && !note && !(closing && j.out != nil) {
		return nil
	}
	if j.out == nil {
		if err := j.nextFile(j.space.give); err != nil {
			return err
		}
		batch = j.unsynced // a new file holds all that is not synced
	}
	for _, e := range batch {
		j.unwritten = j.seq.append(j.unwritten, e.kind, e.payload)
	}
	if note {
		j.unwritten = j.seq.append(j.unwritten, kindRelease, binary.BigEndian.AppendUint64(nil, uint64(release)))
	}
	if !j.full && (closing || j.offset+int64(len(j.unwritten)) >= j.fileSize) {
		j.unwritten = j.seq.append(j.unwritten, kindEnd, nil)
		j.full = true
	}
	written := len(j.unwritten)
	if err := j.write(j.space.give); err != nil {
		return err
	}
	j.commit(j.unsynced)
	j.unsynced = nil
	j.synced(written, time.Since(start))
	if note {
		j.noted = release
	}
	return j.remove(release)
}

// makeRoom removes released files when there is no room to write anything. The
// release has to be written down first, but the current file is stuck in the
// middle of a group: it is given up, and the release begins the next one, in the
// room that is kept for that.
func (j *journal) makeRoom(release Position) error {
	j.abandonOpen()
	give := func(int64) bool { return j.space.giveLast() }
	if err := j.nextFile(give); err != nil {
		return err
	}
	j.unwritten = j.seq.append(j.unwritten, kindRelease, binary.BigEndian.AppendUint64(nil, uint64(release)))
	if err := j.write(give); err != nil {
		j.abandonOpen()
		return err
	}
	j.commit(nil)
	j.noted = release
	j.starved = false
	return j.remove(release)
}

// nextFile begins a file. Its header is written with the first group. So is the
// last release that was written down.
func (j *journal) nextFile(give func(int64) bool) error {
	j.mu.Lock()
	first := j.durable + 1
	j.mu.Unlock()
	h := fileHeader{stream: j.stream, id: j.id, number: j.number, first: first, prev: j.link}
	seq, header, err := begin(j.key, h)
	if err != nil {
		return err
	}
	name := j.stream.fileName(j.number)
	out, err := j.create(j.root, name)
	if isFull(err) && give(int64(headerSize)) {
		out, err = j.create(j.root, name)
	}
	if err != nil {
		j.starved = isFull(err)
		if errors.Is(err, fs.ErrExist) {
			j.number++ // left by a creation that failed late
		}
		return fmt.Errorf("beginning journal file %s: %w", name, err)
	}
	j.number++
	if j.noted > 0 {
		// Files go from the front: what they say of releases has to go on.
		header = seq.append(header, kindRelease, binary.BigEndian.AppendUint64(nil, uint64(j.noted)))
	}
	j.out, j.seq, j.offset, j.unwritten, j.full = out, seq, 0, header, false
	j.mu.Lock()
	j.files = append(j.files, journalFile{name: name, number: h.number, first: first, last: first - 1})
	j.mu.Unlock()
	return nil
}

// write brings unwritten to the disk and syncs it. When the disk is full, the
// bytes that were written stay and the rest follows later. After any other
// failure the kernel may have dropped what was written and still report the next
// sync a success, so the file is given up and all that was not synced is
// written again to another.
func (j *journal) write(give func(int64) bool) error {
	for len(j.unwritten) > 0 {
		n, err := j.out.WriteAt(j.unwritten, j.offset)
		j.offset += int64(n)
		j.unwritten = j.unwritten[n:]
		switch {
		case err == nil:
		case isFull(err) && give(int64(len(j.unwritten))):
		case isFull(err):
			j.starved = true
			return fmt.Errorf("writing the %s journal: %w", j.stream, err)
		default:
			j.abandon()
			return fmt.Errorf("writing the %s journal: %w", j.stream, err)
		}
	}
	err := j.out.Sync()
	if err == nil {
		err = j.syncName()
	}
	if err != nil {
		j.starved = isFull(err) && !give(0)
		j.abandon()
		return fmt.Errorf("syncing the %s journal: %w", j.stream, err)
	}
	return nil
}

// syncName makes the name of a new file durable, with its first group.
func (j *journal) syncName() error {
	j.mu.Lock()
	current := j.files[len(j.files)-1]
	fresh := current.last < current.first
	j.mu.Unlock()
	if !fresh {
		return nil
	}
	return durable.SyncDir(j.root, ".")
}

// abandonOpen is abandon, unless write has done so.
func (j *journal) abandonOpen() {
	if j.out != nil {
		j.abandon()
	}
}

func (j *journal) abandon() {
	j.out.Close()
	j.out, j.seq, j.unwritten, j.full = nil, nil, nil, false
}

// commit tells everybody that entries are durable, and all that was written with
// them.
func (j *journal) commit(entries []entry) {
	var bytes int64
	for _, e := range entries {
		bytes += int64(len(e.payload))
	}
	j.mu.Lock()
	j.durable += Position(len(entries))
	j.bytes -= bytes
	j.files[len(j.files)-1].last = j.durable
	close(j.changed)
	j.changed = make(chan struct{})
	j.mu.Unlock()
	j.link = j.seq.last
	if j.full {
		j.out.Close() // synced; nothing can be lost
		j.out, j.seq, j.full = nil, nil, false
	}
	if len(entries) > 0 {
		j.starved = false
		j.alarm(AlarmWrite, nil)
		j.alarm(AlarmBacklog, nil)
	}
}

// frees reports whether a release lets a whole file go.
func (j *journal) frees(release Position) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.files) > 0 && j.files[0].last <= release && (len(j.files) > 1 || j.out == nil)
}

// remove deletes every file of which no record is needed. The release is
// written down and synced before.
func (j *journal) remove(release Position) error {
	if j.noted < release {
		return nil
	}
	j.mu.Lock()
	var gone []string
	var kept []journalFile
	for i, f := range j.files {
		// Files go from the front only. The last one holds the note of the release.
		if len(kept) == 0 && f.last <= release && i < len(j.files)-1 {
			gone = append(gone, f.name)
		} else {
			kept = append(kept, f)
		}
	}
	j.files = kept
	j.mu.Unlock()
	for _, name := range gone {
		if err := j.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing journal file %s: %w", name, err)
		}
	}
	if len(gone) > 0 {
		j.space.refill()
	}
	return nil
}

// isFull reports whether an error means that there is no room on the disk.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
