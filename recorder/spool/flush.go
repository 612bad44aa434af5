package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"github.com/toldonce/toldonce/internal/durable"
)

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
	j.reserve(batch)
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
	written, group := len(j.unwritten), j.unwritten
	if err := j.write(j.space.give); err != nil {
		return err
	}
	j.commit(j.unsynced)
	j.unsynced = nil
	if j.spare = nil; cap(group) <= spareMost {
		j.spare, j.unwritten = group[:0], nil
	}
	j.synced(written, time.Since(start))
	if note {
		j.noted = release
	}
	return j.remove(release)
}

// spareMost bounds the memory that is kept for the next group, in bytes.
const spareMost = 1 << 20

// reserve makes unwritten long enough for a batch at once, in the memory of the
// group before if that suffices.
func (j *journal) reserve(batch []entry) {
	size := len(j.unwritten) + 3*(frameSize+1+tagSize+8) // a release and an end
	for _, e := range batch {
		size += frameSize + 1 + len(e.payload) + tagSize
	}
	if size <= cap(j.unwritten) {
		return
	}
	room := j.spare
	j.spare = nil
	if cap(room) < size {
		room = make([]byte, 0, size)
	}
	j.unwritten = append(room[:0], j.unwritten...)
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
