package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/seal"
)

// maxSegment bounds one segment, in bytes: 4 s at 100 Mbit/s.
const maxSegment = 50 << 20

// mediaFiles cuts each media file at the sizes of its leaves, compares every
// piece with its leaf, and asks the media itself for its times.
func (e *examination) mediaFiles() {
	e.mediaSums = map[string]string{}
	if !e.planned {
		e.add("media.segments", seal.CannotJudge, "", "The media cannot be compared: the list of segments does not hold.")
		return
	}
	var (
		mu    sync.Mutex
		all   = make([]*mediaCheck, len(e.media))
		group errgroup.Group
	)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range e.media {
		if _, there := e.files.sizes[f.Name]; !there {
			e.add("media.segments", seal.Fails, f.Name, "The media file is missing.")
			continue
		}
		group.Go(func() error {
			m := &mediaCheck{e: e, file: f}
			err := m.run()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				m.findings.Add("media.segments", seal.Fails, f.Name, "The file cannot be read: %v.", err)
			} else {
				e.mediaSums[f.Name] = m.sum
			}
			all[i] = m
			return nil
		})
	}
	group.Wait() // the functions return nil
	segments, files, ledgers := 0, 0, 0
	for _, m := range all {
		if m == nil {
			continue
		}
		e.report.Findings = append(e.report.Findings, m.findings...)
		if m.file.Ledger {
			ledgers++
		} else {
			segments += m.good
			files++
		}
	}
	if e.report.Findings.Of("media.segments") == "" {
		e.add("media.segments", seal.Holds, "", "%d segments in %d media files are the sealed ones, in their order and complete.", segments, files)
	}
	if ledgers > 0 && e.report.Findings.Of("media.ledger") == "" {
		e.add("media.ledger", seal.Holds, "", "The fates of single packets and frames add up to the sealed counts of every track.")
	}
	if e.report.Findings.Of("media.times") == "" {
		e.add("media.times", seal.Holds, "", "Decode times, durations and frame counts inside the media are the sealed ones.")
	}
}

// mediaCheck is the check of one file, owned by one goroutine. While that
// hashes the file as a whole, a second one looks at the segment read before.
type mediaCheck struct {
	e        *examination
	file     disclosure.MediaFile
	findings seal.Findings
	sum      string // SHA-256 of the whole file
	good     int    // segments that match their leaves
	init     *track // what the file's init says; set before any media is looked at
	ledger   evidence.LedgerSum
	reported int
}

// pieceCheck is the check of one segment.
type pieceCheck struct {
	m        *mediaCheck
	findings seal.Findings
	good     bool
	done     chan struct{}
}

func (p *pieceCheck) fail(check, format string, args ...any) {
	p.findings.Add(check, seal.Fails, p.m.file.Name, format, args...)
}

func (m *mediaCheck) fail(check, format string, args ...any) {
	if m.reported++; m.reported <= maxReported {
		m.findings.Add(check, seal.Fails, m.file.Name, format, args...)
	}
}

// take adds what was found about a segment, in the order of the file.
func (m *mediaCheck) take(p *pieceCheck) {
	<-p.done
	if p.good {
		m.good++
	}
	for _, f := range p.findings {
		if m.reported++; m.reported <= maxReported {
			m.findings = append(m.findings, f)
		}
	}
}

// maxReported bounds the findings on one file.
const maxReported = 20

func (m *mediaCheck) run() error {
	size := m.e.files.sizes[m.file.Name]
	r, closer, err := m.e.files.open(m.file.Name)
	if err != nil {
		return err
	}
	defer closer.Close()
	whole := sha256.New()
	in := io.NewSectionReader(r, 0, size)
	left := size
	alone := runtime.GOMAXPROCS(0) == 1 && !hashedElsewhere
	var buffers [2][]byte
	var before *pieceCheck
	finish := func() {
		if before != nil {
			m.take(before)
			before = nil
		}
	}
	defer finish() // also on an error: nothing outlives the run
	for i, pos := range m.file.Positions {
		if err := m.e.ctx.Err(); err != nil {
			return err
		}
		leaf := m.e.leafAt(pos)
		if leaf.Plain.Size > left {
			finish()
			m.fail("media.segments", "%s is cut off: it has %d bytes, and %d are left of the file.", piece(leaf), leaf.Plain.Size, left)
			break
		}
		if leaf.Plain.Size > maxSegment {
			finish()
			m.fail("media.segments", "%s has %d bytes; at most %d are read.", piece(leaf), leaf.Plain.Size, maxSegment)
			break
		}
		if n := int(leaf.Plain.Size); cap(buffers[i%2]) < n {
			buffers[i%2] = make([]byte, n)
		}
		data := buffers[i%2][:leaf.Plain.Size]
		p := &pieceCheck{m: m, done: make(chan struct{})}
		if alone {
			err := readBoth(in, data, whole, p, leaf)
			close(p.done)
			m.take(p)
			if err != nil {
				return err
			}
			left -= leaf.Plain.Size
			continue
		}
		for rest := data; len(rest) > 0; {
			step := rest[:min(len(rest), readStep)]
			if _, err := io.ReadFull(in, step); err != nil {
				return err
			}
			whole.Write(step)
			rest = rest[len(step):]
		}
		left -= leaf.Plain.Size
		finish() // the other buffer is free from here on, and an init is known
		before = p
		go func() {
			defer close(p.done)
			p.judge(data, pieceSum(data), leaf)
		}()
	}
	finish()
	if n, err := io.Copy(whole, in); err != nil {
		return err
	} else if n != left {
		return io.ErrUnexpectedEOF
	} else if n > 0 && m.reported == 0 {
		m.fail("media.segments", "%d bytes follow the last sealed segment.", n)
	}
	m.sum = hex.EncodeToString(whole.Sum(nil))
	if m.file.Ledger && m.good == len(m.file.Positions) && len(m.findings) == 0 {
		m.balance()
	}
	return nil
}

// balance compares what the ledger adds up to with the manifest's counts.
func (m *mediaCheck) balance() {
	p, f := m.file.Track.Packets, m.file.Track.Frames
	want := evidence.LedgerSum{Received: p.Received, Recovered: p.Recovered, Reordered: p.Reordered, Lost: p.Lost, Padding: p.Padding, Damaged: f.Damaged, Reports: m.ledger.Reports}
	if m.ledger != want {
		m.fail("media.ledger", "The ledger adds up to %+v; the manifest counts %+v.", m.ledger, want)
	}
}

// page reads a page of the ledger.
func (p *pieceCheck) page(data []byte, leaf evidence.Leaf) {
	const check = "media.ledger"
	head, sum, lines, err := evidence.ParseLedgerPage(data)
	switch {
	case errors.Is(err, evidence.ErrUnknownFormat):
		p.findings.Add(check, seal.CannotJudge, p.m.file.Name, "Page %d of the ledger cannot be judged: %v.", leaf.Index, err)
	case err != nil:
		p.fail(check, "Page %d of the ledger cannot be read: %v.", leaf.Index, err)
	case head.Recording != leaf.Recording || head.Track != leaf.Track || head.Page != leaf.Index || lines != leaf.Frames:
		p.fail(check, "Page %d of the ledger is not the one that its leaf says.", leaf.Index)
	}
	p.m.ledger = p.m.ledger.Plus(sum)
}

// readStep is small, so that on one core what was read is still in the cache for
// the second hash.
const readStep = 128 << 10

// readBoth reads one piece, adds it to the whole and judges it, on one core.
func readBoth(in io.Reader, data []byte, whole hash.Hash, p *pieceCheck, leaf evidence.Leaf) error {
	own := sha256.New()
	for rest := data; len(rest) > 0; {
		step := rest[:min(len(rest), readStep)]
		if _, err := io.ReadFull(in, step); err != nil {
			return err
		}
		whole.Write(step)
		own.Write(step)
		rest = rest[len(step):]
	}
	p.judge(data, hex.EncodeToString(own.Sum(nil)), leaf)
	return nil
}

// judge compares one piece, whose SHA-256 is sum, with its leaf.
func (p *pieceCheck) judge(data []byte, sum string, leaf evidence.Leaf) {
	if sum != leaf.Plain.SHA256 {
		p.fail("media.segments", "%s is not the sealed one: its SHA-256 differs.", piece(leaf))
		return
	}
	p.good = true
	if leaf.Kind == evidence.LeafLedger {
		p.page(data, leaf)
	} else {
		p.times(data, leaf)
	}
}

// times compares what the media says of itself with its leaf.
func (p *pieceCheck) times(data []byte, leaf evidence.Leaf) {
	m := p.m
	const check = "media.times"
	if leaf.Kind == evidence.LeafInit {
		t, err := parseInit(data)
		if err != nil {
			p.fail(check, "%s is no initialisation segment of one track: %v.", piece(leaf), err)
			return
		}
		m.init = &t
		handler := map[evidence.TrackKind]string{evidence.Video: "vide", evidence.Audio: "soun"}[m.file.Track.Kind]
		switch {
		case int64(t.timescale) != m.file.Track.Timescale:
			p.fail(check, "%s counts %d units a second; the manifest says %d.", piece(leaf), t.timescale, m.file.Track.Timescale)
		case t.handler != handler:
			p.fail(check, "%s is not of a track of kind %q.", piece(leaf), m.file.Track.Kind)
		}
		if codec, _, _ := strings.Cut(m.file.Track.Codec, "."); leaf.Init == 0 && !strings.EqualFold(codec, t.codec) {
			p.fail(check, "%s is for the codec %q; the manifest says %q.", piece(leaf), shown(t.codec), m.file.Track.Codec)
		}
		return
	}
	if m.init == nil {
		return // reported already
	}
	got, err := parseMedia(data, *m.init)
	if err != nil {
		p.fail(check, "%s is no media segment: %v.", piece(leaf), err)
		return
	}
	m.frames(data, got)
	switch {
	case fmt.Sprintf("%x", got.decodeTime) != leaf.DecodeTime:
		p.fail(check, "%s is decoded at %x; the leaf says %s.", piece(leaf), got.decodeTime, leaf.DecodeTime)
	case got.duration != uint64(leaf.Duration):
		p.fail(check, "%s lasts %d units; the leaf says %d.", piece(leaf), got.duration, leaf.Duration)
	case got.frames != uint64(leaf.Frames):
		p.fail(check, "%s has %d frames; the leaf says %d.", piece(leaf), got.frames, leaf.Frames)
	case leaf.Independent && !got.sync:
		p.fail(check, "%s does not begin at a random access point, as the leaf says.", piece(leaf))
	}
}

func piece(l evidence.Leaf) seal.Term {
	switch l.Kind {
	case evidence.LeafInit:
		return seal.Term{Format: "Init %d", Args: []any{l.Init}}
	case evidence.LeafLedger:
		return seal.Term{Format: "Page %d of the ledger", Args: []any{l.Index}}
	}
	return seal.Term{Format: "Segment %d", Args: []any{l.Index}}
}

// leafAt returns the leaf at a position of the recording's tree, which media names.
func (e *examination) leafAt(position int64) evidence.Leaf { return e.leaves[position] }
