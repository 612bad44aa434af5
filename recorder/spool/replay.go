package spool

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Report says what one stream of a journal held.
type Report struct {
	Files   int // that are still there
	Records int // authentic and not released
	// Last is the position of the last authentic record; 0 if there is none.
	Last Position
	// Released is the position up to which records were no longer needed.
	Released Position
	// Torn: the last file ends in bytes that are no authentic record, as after
	// a crash or a power loss. CutBytes counts them, over all files.
	Torn     bool
	CutBytes int64
	// Closed: the last file was completed in an orderly way.
	Closed bool
	// Gaps lists records that are missing or not authentic and that no crash
	// explains. It is empty unless a disk failed or somebody interfered.
	Gaps []Gap
}

// Gap is a stretch of a stream that could not be read back.
type Gap struct {
	After  Position // the last authentic record before it; 0 if none
	Before Position // the first authentic record after it; 0 if none
	File   string   // where it was noticed
}

// journalFile is a file of a stream. last is the position of its last record that
// counts; for the file that is being written, of its last synced one.
type journalFile struct {
	name   string
	number uint64
	first  Position
	last   Position
}

func (s stream) fileName(number uint64) string {
	return fmt.Sprintf("%s-%010d.journal", s, number)
}

// listFiles returns a stream's files in order.
func listFiles(root *os.Root, s stream) ([]journalFile, error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	var files []journalFile
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), s.String()+"-")
		if !ok {
			continue
		}
		digits, ok := strings.CutSuffix(rest, ".journal")
		if !ok {
			continue
		}
		number, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || s.fileName(number) != e.Name() {
			continue
		}
		files = append(files, journalFile{name: e.Name(), number: number})
	}
	slices.SortFunc(files, func(a, b journalFile) int {
		if a.number < b.number {
			return -1
		}
		return 1
	})
	return files, nil
}

// tail is where a stream continues.
type tail struct {
	files  []journalFile
	number uint64   // of the next file
	last   Position // last record that counts
	link   tag      // of the record that the next file follows
}

// replay reads a stream. It goes through every file twice: once to learn what is
// authentic and what was released, once to call fn, unless fn is nil, with each
// record that is still needed, in order. An error of fn ends it.
func replay(root *os.Root, key journalKey, id uuid.UUID, s stream, fn func(Record) error) (Report, tail, error) {
	first := walker{root: root, key: key, id: id, stream: s}
	if err := first.walk(); err != nil {
		return Report{}, tail{}, err
	}
	if fn != nil {
		second := walker{root: root, key: key, id: id, stream: s, fn: fn, skip: first.report.Released}
		if err := second.walk(); err != nil {
			return Report{}, tail{}, err
		}
	}
	return first.report, first.tail, nil
}

type walker struct {
	root   *os.Root
	key    journalKey
	id     uuid.UUID
	stream stream
	fn     func(Record) error
	skip   Position // records up to here are not given to fn

	report Report
	tail   tail
	linked bool // a file was read, which the next one must follow
}

func (w *walker) walk() error {
	files, err := listFiles(w.root, w.stream)
	if err != nil {
		return err
	}
	w.tail.files = files
	headers := make([]*fileHeader, len(files))
	for i, f := range files {
		if headers[i], err = w.header(f); err != nil {
			return err
		}
		w.tail.number = f.number
	}
	w.tail.number++
	w.report.Files = len(files)

	var pending []Position // positions of records, to count those not released
	for i := range files {
		var next *fileHeader
		for _, h := range headers[i+1:] {
			if h != nil {
				next = h
				break
			}
		}
		counted, err := w.file(&files[i], headers[i], next, i == len(files)-1)
		if err != nil {
			return err
		}
		pending = append(pending, counted...)
	}
	for _, p := range pending {
		if p > w.report.Released {
			w.report.Records++
		}
	}
	w.report.Last = w.tail.last
	w.missingStart(headers)
	return nil
}

// header returns nil for a file whose header is not authentic.
func (w *walker) header(f journalFile) (*fileHeader, error) {
	file, err := w.root.Open(f.name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r, err := readHeader(w.key, file)
	if errors.Is(err, errCut) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	h := r.header
	if h.stream != w.stream || h.id != w.id || h.number != f.number || h.first == 0 {
		return nil, nil // authentic, but of another place: spliced in
	}
	return &h, nil
}

// file reads the records of one file up to the record that the next file
// follows, and returns the positions that it gave.
func (w *walker) file(f *journalFile, h, next *fileHeader, newest bool) ([]Position, error) {
	file, err := w.root.Open(f.name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if h != nil && next != nil && next.first == h.first && next.prev == h.prev {
		// Nothing in it was ever synced: it was given up and written again.
		w.report.CutBytes += info.Size()
		f.last = w.tail.last // goes when the file before it does
		return nil, nil
	}
	if h == nil {
		w.report.CutBytes += info.Size()
		f.last = w.tail.last
		w.report.Torn = newest && info.Size() > 0
		// No crash leaves records behind a header that is not authentic.
		if info.Size() > int64(headerSize) {
			w.gap(f.name, next)
		}
		return nil, nil
	}
	r, err := readHeader(w.key, bufio.NewReaderSize(file, 64<<10))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	if w.linked {
		w.checkLink(f.name, h)
	}
	w.linked = true
	f.first, f.last = h.first, h.first-1
	var counted []Position
	ended := false
	for next == nil || r.seq.last != next.prev {
		kind, payload, err := r.next()
		if err == io.EOF || errors.Is(err, errCut) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		ended = kind == kindEnd
		switch {
		case kind == kindRelease && len(payload) == 8:
			w.report.Released = max(w.report.Released, Position(binary.BigEndian.Uint64(payload)))
		case kind > 0 && kind <= kindMax:
			f.last++
			counted = append(counted, f.last)
			if w.fn != nil && f.last > w.skip {
				if err := w.fn(Record{Position: f.last, Kind: kind, Payload: payload}); err != nil {
					return nil, err
				}
			}
		}
	}
	w.tail.last, w.tail.link = f.last, r.seq.last
	w.report.CutBytes += info.Size() - r.good
	if newest {
		w.report.Torn, w.report.Closed = r.good < info.Size(), ended
	}
	return counted, nil
}

// checkLink demands that a file follows the record that was read last.
func (w *walker) checkLink(name string, h *fileHeader) {
	if h.prev == w.tail.link && h.first == w.tail.last+1 {
		return
	}
	w.report.Gaps = append(w.report.Gaps, Gap{After: w.tail.last, Before: h.first, File: name})
}

func (w *walker) gap(name string, next *fileHeader) {
	if next != nil {
		return // the link of the next file tells
	}
	w.report.Gaps = append(w.report.Gaps, Gap{After: w.tail.last, File: name})
}

// missingStart demands that what is missing before the first file was released.
func (w *walker) missingStart(headers []*fileHeader) {
	for i, h := range headers {
		if h == nil {
			continue
		}
		if h.first > 1 && w.report.Released < h.first-1 {
			w.report.Gaps = slices.Insert(w.report.Gaps, 0, Gap{Before: h.first, File: w.tail.files[i].name})
		}
		return
	}
}

// readRecord returns one record of a file.
func readRecord(root *os.Root, key journalKey, f journalFile, want Position) (Record, error) {
	file, err := root.Open(f.name)
	if err != nil {
		return Record{}, err
	}
	defer file.Close()
	r, err := readHeader(key, bufio.NewReaderSize(file, 64<<10))
	if err != nil {
		return Record{}, fmt.Errorf("%s: %w", f.name, err)
	}
	at := r.header.first
	for {
		kind, payload, err := r.next()
		if err != nil {
			return Record{}, fmt.Errorf("%s: reading record %d: %w", f.name, want, err)
		}
		if kind == 0 || kind > kindMax {
			continue
		}
		if at == want {
			return Record{Position: at, Kind: kind, Payload: payload}, nil
		}
		at++
	}
}
