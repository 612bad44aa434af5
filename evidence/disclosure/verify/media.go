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
		e.add("media.segments", seal.Holds, "", "%s in %s are the sealed ones, in their order and complete.", plural(segments, "segment"), plural(files, "media file"))
	}
	if ledgers > 0 && e.report.Findings.Of("media.ledger") == "" {
		e.add("media.ledger", seal.Holds, "", "The fates of single packets and frames add up to the sealed counts of every track.")
	}
	if e.report.Findings.Of("media.times") == "" {
		e.add("media.times", seal.Holds, "", "Decode times, durations and frame counts inside the media are the sealed ones.")
	}
}

// mediaCheck is the check of one file, owned by one goroutine.
type mediaCheck struct {
	e        *examination
	file     disclosure.MediaFile
	findings seal.Findings
	sum      string // SHA-256 of the whole file
	good     int    // segments that match their leaves
	init     *track
	ledger   evidence.LedgerSum
	buf      []byte
	reported int
}

func (m *mediaCheck) fail(check, format string, args ...any) {
	if m.reported++; m.reported <= 20 {
		m.findings.Add(check, seal.Fails, m.file.Name, format, args...)
	}
}

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
	for _, pos := range m.file.Positions {
		if err := m.e.ctx.Err(); err != nil {
			return err
		}
		leaf := m.e.recording.Leaves[pos]
		if leaf.Plain.Size > left {
			m.fail("media.segments", "%s is cut off: it has %d bytes, and %d are left of the file.", piece(leaf), leaf.Plain.Size, left)
			break
		}
		if leaf.Plain.Size > maxSegment {
			m.fail("media.segments", "%s has %d bytes; at most %d are read.", piece(leaf), leaf.Plain.Size, maxSegment)
			break
		}
		if err := m.segment(in, whole, leaf); err != nil {
			return err
		}
		left -= leaf.Plain.Size
	}
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

// page reads a page of the ledger.
func (m *mediaCheck) page(data []byte, leaf evidence.Leaf) {
	const check = "media.ledger"
	head, sum, lines, err := evidence.ParseLedgerPage(data)
	switch {
	case errors.Is(err, evidence.ErrUnknownFormat):
		m.findings.Add(check, seal.CannotJudge, m.file.Name, "Page %d of the ledger cannot be judged: %v.", leaf.Index, err)
	case err != nil:
		m.fail(check, "Page %d of the ledger cannot be read: %v.", leaf.Index, err)
	case head.Recording != leaf.Recording || head.Track != leaf.Track || head.Page != leaf.Index || lines != leaf.Frames:
		m.fail(check, "Page %d of the ledger is not the one that its leaf says.", leaf.Index)
	}
	m.ledger = m.ledger.Plus(sum)
}

// balance compares what the ledger adds up to with the manifest's counts.
func (m *mediaCheck) balance() {
	p, f := m.file.Track.Packets, m.file.Track.Frames
	want := evidence.LedgerSum{Received: p.Received, Recovered: p.Recovered, Reordered: p.Reordered, Lost: p.Lost, Padding: p.Padding, Damaged: f.Damaged, Reports: m.ledger.Reports}
	if m.ledger != want {
		m.fail("media.ledger", "The ledger adds up to %+v; the manifest counts %+v.", m.ledger, want)
	}
}

// segment reads one piece, adds it to the whole and compares it with its leaf.
func (m *mediaCheck) segment(in io.Reader, whole hash.Hash, leaf evidence.Leaf) error {
	if n := int(leaf.Plain.Size); cap(m.buf) < n {
		m.buf = make([]byte, n)
	}
	data := m.buf[:leaf.Plain.Size]
	own := sha256.New()
	// Small steps, so that what was read is still in the cache for both hashes.
	for rest := data; len(rest) > 0; {
		step := rest[:min(len(rest), 128<<10)]
		if _, err := io.ReadFull(in, step); err != nil {
			return err
		}
		whole.Write(step)
		own.Write(step)
		rest = rest[len(step):]
	}
	if hex.EncodeToString(own.Sum(nil)) != leaf.Plain.SHA256 {
		m.fail("media.segments", "%s is not the sealed one: its SHA-256 differs.", piece(leaf))
		return nil
	}
	m.good++
	if leaf.Kind == evidence.LeafLedger {
		m.page(data, leaf)
	} else {
		m.times(data, leaf)
	}
	return nil
}

// times compares what the media says of itself with its leaf.
func (m *mediaCheck) times(data []byte, leaf evidence.Leaf) {
	const check = "media.times"
	if leaf.Kind == evidence.LeafInit {
		t, err := parseInit(data)
		if err != nil {
			m.fail(check, "%s is no initialisation segment of one track: %v.", piece(leaf), err)
			return
		}
		m.init = &t
		handler := map[evidence.TrackKind]string{evidence.Video: "vide", evidence.Audio: "soun"}[m.file.Track.Kind]
		switch {
		case int64(t.timescale) != m.file.Track.Timescale:
			m.fail(check, "%s counts %d units a second; the manifest says %d.", piece(leaf), t.timescale, m.file.Track.Timescale)
		case t.handler != handler:
			m.fail(check, "%s is not of a track of kind %q.", piece(leaf), m.file.Track.Kind)
		}
		if codec, _, _ := strings.Cut(m.file.Track.Codec, "."); leaf.Init == 0 && !strings.EqualFold(codec, t.codec) {
			m.fail(check, "%s is for the codec %q; the manifest says %q.", piece(leaf), shown(t.codec), m.file.Track.Codec)
		}
		return
	}
	if m.init == nil {
		return // reported already
	}
	got, err := parseMedia(data, *m.init)
	if err != nil {
		m.fail(check, "%s is no media segment: %v.", piece(leaf), err)
		return
	}
	switch {
	case fmt.Sprintf("%x", got.decodeTime) != leaf.DecodeTime:
		m.fail(check, "%s is decoded at %x; the leaf says %s.", piece(leaf), got.decodeTime, leaf.DecodeTime)
	case got.duration != uint64(leaf.Duration):
		m.fail(check, "%s lasts %d units; the leaf says %d.", piece(leaf), got.duration, leaf.Duration)
	case got.frames != uint64(leaf.Frames):
		m.fail(check, "%s has %d frames; the leaf says %d.", piece(leaf), got.frames, leaf.Frames)
	case leaf.Independent && !got.sync:
		m.fail(check, "%s does not begin at a random access point, as the leaf says.", piece(leaf))
	}
}

func piece(l evidence.Leaf) string {
	if l.Kind == evidence.LeafInit {
		return fmt.Sprintf("Init %d", l.Init)
	}
	if l.Kind == evidence.LeafLedger {
		return fmt.Sprintf("Page %d of the ledger", l.Index)
	}
	return fmt.Sprintf("Segment %d", l.Index)
}
