package recorder

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/ingest"
	"github.com/toldonce/toldonce/recorder/media"
	"github.com/toldonce/toldonce/recorder/spool"
)

// Bounds of an open ledger page.
const (
	bookPageFor   = 30 * time.Second
	bookPageBytes = 1 << 20
)

// book writes a track's ledger (evidence/FORMAT.md): lines to the journal at once,
// pages of them into the recording's tree. It belongs to the source's goroutine.
type book struct {
	pages    int    // that are closed
	text     []byte // of the open page, with its first line; nil: none is open
	lines    int    // of it, without the first
	from, to evidence.Offset

	// What is noted once the track is recorded: the stream and its newest report.
	stream *evidence.LedgerStreamLine
	report *evidence.LedgerReportLine

	damaged int  // page of the first damaged frame since the last gap that says so; 0: none
	shut    bool // nothing is noted any more: the recording is being sealed
}

// noted is what a track's ledger holds, for a restart. Guarded by the track's mu.
type noted struct {
	lines     int // all, in every page
	sum       evidence.LedgerSum
	positions []spool.Position // in the journal, of those in no page yet
}

// note adds a line.
func (t *track) note(line any) {
	b := &t.book
	if t.number == 0 || b.shut {
		return
	}
	text, err := evidence.LedgerLine(line)
	if err != nil {
		panic(fmt.Sprintf("recorder: a line of its own types cannot be written: %v", err))
	}
	sum, err := evidence.ParseLedgerLine(text[:len(text)-1])
	if err != nil {
		panic(fmt.Sprintf("recorder: a line of its own cannot be read: %v", err))
	}
	s := t.source.sitting
	t.mu.Lock()
	at := s.write(recLine, savedLine{track: t.number, number: t.noted.lines, text: text}.bytes())
	t.noted.lines++
	t.noted.sum = t.noted.sum.Plus(sum)
	t.noted.positions = append(t.noted.positions, at)
	t.mu.Unlock()
	t.enter(text, s.offsetOf(s.r.now()))
}

// enter puts a line on the open page.
func (t *track) enter(text []byte, at evidence.Offset) {
	b := &t.book
	if b.text == nil {
		head, err := evidence.LedgerLine(evidence.LedgerPageLine{
			Kind: evidence.LedgerHeader, Type: evidence.TypeLedger, Version: 1,
			Recording: t.source.sitting.iv.Recording, Track: t.ev.ID, Page: b.pages + 1,
		})
		if err != nil {
			panic(fmt.Sprintf("recorder: a line of its own types cannot be written: %v", err))
		}
		b.text, b.lines, b.from, b.to = head, 0, max(at, 0), max(at, 0)
	}
	b.text = append(b.text, text...)
	b.lines++
	b.from, b.to = min(b.from, max(at, 0)), max(b.to, at)
	if len(b.text) >= bookPageBytes {
		t.closePage()
	}
}

// turnPage closes the page once it is old enough.
func (t *track) turnPage() {
	if b := &t.book; b.text != nil && b.to-b.from >= evidence.OffsetOf(bookPageFor) {
		t.closePage()
	}
}

// closePage puts the open page on its way into the tree.
func (t *track) closePage() {
	b := &t.book
	if b.text == nil {
		return
	}
	b.pages++
	job := sealJob{track: t, part: max(t.part, 1), start: b.from, end: b.to, ledger: b.pages,
		segment: media.Segment{Frames: b.lines, Data: b.text, Independent: true}}
	b.text = nil
	t.mu.Lock()
	job.positions = t.noted.positions
	t.noted.positions = nil
	t.source.sitting.seal(job)
	t.mu.Unlock()
}

// noteStream says that a stream begins.
func (t *track) noteStream(f *feed) {
	b := &t.book
	b.report = nil
	b.stream = &evidence.LedgerStreamLine{
		Kind: evidence.LedgerStream, SSRC: int64(f.stream.SSRC), MIME: f.stream.Format.MIME, Repairs: f.stream.Format.Repairs,
	}
	t.noteEarly()
}

// noteEarly notes what came before the track was recorded.
func (t *track) noteEarly() {
	b := &t.book
	if t.number == 0 || !t.source.recording {
		return
	}
	if b.stream != nil {
		b.stream.At = t.source.sitting.elapsed()
		t.note(*b.stream)
		b.stream = nil
	}
	if b.report != nil {
		t.note(*b.report)
		b.report = nil
	}
}

// noteReport keeps a sender report verbatim: while recording all, before it the
// newest, which says how the clocks stood at the start.
func (t *track) noteReport(r ingest.SenderReport, at time.Duration) {
	line := evidence.LedgerReportLine{Kind: evidence.LedgerReport, RTCP: r.Raw}
	if started, ok := t.source.sitting.offsetIfStarted(at); ok {
		line.At = started
		if d, _, ok := t.clock.source.toInterview(); ok {
			toUnix := d + ntpEpoch
			line.Offset = &toUnix
		}
	}
	if t.number == 0 || !t.source.recording {
		t.book.report = &line
		return
	}
	t.noteEarly()
	t.note(line)
}

// ntpEpoch is 1970 on the clock of sender reports, in microseconds.
const ntpEpoch = 2_208_988_800 * 1_000_000

// noteDamaged keeps what arrived of a frame that is not whole.
func (t *track) noteDamaged(d media.Damaged) {
	line := evidence.LedgerDamagedLine{
		Kind: evidence.LedgerDamaged, At: t.source.sitting.elapsed(), Time: hexTime(d.Time), Packets: []evidence.LedgerDamagedPiece{}, Omitted: d.Omitted,
	}
	for _, p := range d.Packets {
		line.Packets = append(line.Packets, evidence.LedgerDamagedPiece{Seq: p.Seq, Marker: p.Marker, Payload: p.Payload})
	}
	if t.book.damaged == 0 {
		t.book.damaged = t.book.pages + 1
	}
	t.note(line)
}

// noteFates says what became of the packets since it was last called.
func (t *track) noteFates() {
	if t.number == 0 {
		return
	}
	f := t.stream.TakeFates()
	if f.Empty() {
		return
	}
	at := t.source.sitting.elapsed()
	lines := make([]evidence.LedgerPacketsLine, 0, 1)
	var text strings.Builder
	for _, s := range f.Stretches {
		text.Reset()
		for _, r := range s.Runs {
			fmt.Fprintf(&text, "%d%c", r.Count, r.Fate)
		}
		lines = append(lines, evidence.LedgerPacketsLine{Kind: evidence.LedgerPackets, At: at, First: s.First, Fates: text.String()})
	}
	if len(lines) == 0 {
		lines = append(lines, evidence.LedgerPacketsLine{Kind: evidence.LedgerPackets, At: at})
	}
	last := &lines[len(lines)-1]
	last.Duplicates, last.Late = f.Duplicate, f.Late
	for _, l := range lines {
		t.note(l)
	}
}

// closeBook notes the last and closes the last page: the recording is sealed next.
func (t *track) closeBook() {
	t.closePage()
	t.book.shut = true
}

// savedLine is a line of a track's ledger as it is journalled.
type savedLine struct {
	track  int
	number int // counts the lines of a track from 0
	text   []byte
}

func (l savedLine) bytes() []byte {
	b := make([]byte, 0, 6+len(l.text))
	b = binary.BigEndian.AppendUint16(b, uint16(l.track))
	b = binary.BigEndian.AppendUint32(b, uint32(l.number))
	return append(b, l.text...)
}

// parseLine is the inverse.
func parseLine(b []byte) (savedLine, error) {
	if len(b) < 8 || b[len(b)-1] != '\n' {
		return savedLine{}, fmt.Errorf("%w: ledger record of %d bytes", evidence.ErrInvalid, len(b))
	}
	return savedLine{track: int(binary.BigEndian.Uint16(b)), number: int(binary.BigEndian.Uint32(b[2:])), text: b[6:]}, nil
}

// reopenBook makes the ledger again: lines that no stored page holds become a page.
// It returns what the whole ledger adds up to.
func (t *track) reopenBook(lines []savedLine, end *leafEnd, saved savedLedger) evidence.LedgerSum {
	t.book.pages, t.noted.lines, t.noted.sum = end.pages, saved.Lines, saved.Noted
	for _, l := range lines {
		if l.number >= t.noted.lines {
			sum, err := evidence.ParseLedgerLine(l.text[:len(l.text)-1])
			if err != nil {
				continue // of a later version: nothing can be said of it
			}
			t.noted.lines = l.number + 1
			t.noted.sum = t.noted.sum.Plus(sum)
		}
		if l.number >= end.lines {
			var when struct {
				At evidence.Offset `json:"at"`
			}
			_ = json.Unmarshal(l.text, &when) // it was parsed when it was noted
			t.enter(l.text, when.At)
		}
	}
	t.closePage()
	return t.noted.sum
}
