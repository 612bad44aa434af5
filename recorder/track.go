package recorder

import (
	"sync"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/ingest"
	"github.com/toldonce/toldonce/recorder/media"
	"github.com/toldonce/toldonce/recorder/quality"
	"github.com/toldonce/toldonce/recorder/spool"
)

// track is one kind of a source, over all its sessions. It belongs to its
// source's goroutine but for what is guarded.
type track struct {
	source *source
	ev     evidence.Track
	number int // in the journal, from 1; 0 until its first frame is kept

	session evidence.ID   // the last WHIP session of which it was
	feed    *feed         // the stream now; nil while away
	stream  *media.Stream // likewise
	clock   trackClock

	segments *media.Segmenter
	place    placement
	config   media.Config // of the last frame that was kept
	configID int          // its number in the journal
	part     int          // of the open segment; 0: nothing was kept yet
	closed   evidenceCounts
	last     int64 // media time of the last frame that was kept

	lastKnown bool // last is of this stream
	broken    bool // what comes next does not continue what was recorded
	dropped   drops
	book      book

	keyAt   time.Duration // last random access point
	askedAt time.Duration // last time one was asked for
	rtt     time.Duration
	heard   time.Duration // last packet
	begunAt time.Duration // the stream, not the recording

	meter quality.Meter // of frames a second
	lag   leastDelay    // from capture, by the source's reports, to arrival
	level *int          // the loudest of the last second, dBov

	mu        sync.Mutex // guards what follows
	status    TrackStatus
	pictured  bool             // not a live camera of which no picture can be recorded
	counts    evidenceCounts   // as published
	positions []spool.Position // of the frames that are in no segment of the outbox
	noted     noted            // of the ledger
}

func newTrack(s *source, kind evidence.TrackKind) *track {
	t := &track{source: s, ev: evidence.Track{ID: evidence.NewID(), Source: s.ev.ID, Interview: s.sitting.iv.ID, Kind: kind}}
	t.init()
	return t
}

func (t *track) init() {
	s := t.source
	t.pictured = true
	t.status = TrackStatus{
		Track: t.ev.ID, SourceID: s.ev.ID, Source: s.ev.Name, Role: s.ev.Role,
		Name: s.ev.Name + " " + string(t.ev.Kind), Kind: t.ev.Kind, Codec: t.ev.Codec,
	}
	if t.segments == nil {
		t.segments = media.NewSegmenter(media.DefaultPolicy, t.ev.Kind == evidence.Video, 0, 0, nil)
	}
	s.sitting.addTrack(t)
}

func (t *track) begin(f *feed, stream *media.Stream) {
	t.feed, t.stream, t.session = f, stream, f.stream.Session
	timescale := int64(90000)
	if t.ev.Kind == evidence.Audio {
		timescale = 48000
	}
	t.clock = trackClock{timescale: timescale, source: t.source.clock}
	t.meter, t.lag, t.level = quality.Meter{}, leastDelay{}, nil
	t.keyAt, t.askedAt, t.lastKnown = 0, 0, false
	t.heard = t.source.sitting.r.now()
	t.begunAt = t.heard
	t.noteStream(f)
}

// endStream decides what is left of a stream that is over.
func (t *track) endStream(now time.Duration) {
	t.stream.Shut()
	t.stream.GiveUp(true)
	t.drain(now)
	t.flush()
	t.closeTally()
	t.publish(now, true)
	t.noteFates()
	t.feed, t.stream = nil, nil
	t.source.account.ended(t.session)
	t.broken = true
	t.mu.Lock()
	t.status.Live, t.status.Level, t.status.RoundTrip, t.status.Rate, t.status.Skew = false, nil, 0, 0, nil
	t.mu.Unlock()
}

// closeTally moves the counts of a stream that was shut into those of the track.
func (t *track) closeTally() {
	if t.stream.Closed() {
		t.closed = t.closed.add(t.stream.TakeKept())
	}
}

func (t *track) packet(at time.Duration, raw []byte) {
	t.heard = at
	if err := t.stream.Push(at, raw); err != nil {
		return // not RTP: SRTP authenticated it, so the sender made it
	}
	t.source.sitting.r.metrics.packet(len(raw))
	if newest, ok := t.stream.Newest(); ok && t.clock.reported {
		arrival := evidence.OffsetOf(at)
		t.lag.note(arrival, int64(arrival)-t.clock.senderTime(newest))
	}
	// Popping right away keeps the order of arrival between tracks.
	t.drain(at)
}

func (t *track) report(r ingest.SenderReport, at time.Duration) {
	if t.stream == nil {
		return
	}
	if near, ok := t.stream.Newest(); ok {
		t.clock.report(r, near)
	}
	if r.NTP != 0 && t.clock.source.report(at, r.NTP) && t.source.recording {
		t.source.sitting.event(evidence.Event{Kind: evidence.EventClockStep, Source: t.source.ev.ID}, "")
	}
	t.noteReport(r, at)
}

// drain takes what the stream has ready.
func (t *track) drain(now time.Duration) {
	for {
		o, ok := t.stream.Pop(now)
		if !ok {
			return
		}
		t.keep(o)
	}
}

// ask sends the requests that are due.
func (t *track) ask(now time.Duration, scratch *[]uint16) {
	if t.feed == nil {
		return
	}
	*scratch = t.stream.Requests(now, (*scratch)[:0])
	if len(*scratch) > 0 {
		t.must(t.feed.stream.Ask(*scratch))
	}
	if t.ev.Kind == evidence.Video && t.source.recording && now >= t.keyDue() {
		t.askKeyFrame(now)
	}
}

// must notes an error of sending feedback: the session is then ending, and says
// so itself.
func (t *track) must(err error) {
	if err != nil {
		t.source.sitting.r.log.Debug("sending feedback", "interview", t.source.sitting.iv.ID, "track", t.ev.ID, "err", err)
	}
}

func (t *track) keyDue() time.Duration {
	return max(t.keyAt+keyFrameEvery, t.askedAt+keyFrameAgain)
}

func (t *track) askKeyFrame(now time.Duration) {
	t.askedAt = now
	t.must(t.feed.stream.AskKeyFrame())
}

func (t *track) due(now time.Duration) (time.Duration, bool) {
	at, ok := t.stream.Due()
	if t.ev.Kind == evidence.Video && t.source.recording {
		if key := t.keyDue(); !ok || key < at {
			at, ok = key, true
		}
	}
	return at, ok
}

func (t *track) follow(on bool) { t.segments.Follow(on) }

// keep records a whole frame and the hole before it.
func (t *track) keep(o media.Output) {
	s := t.source.sitting
	if o.Damaged != nil {
		t.noteDamaged(*o.Damaged)
		return
	}
	if o.Hole != nil {
		t.hole(*o.Hole)
	}
	f := o.Frame
	if f.Data == nil {
		return
	}
	arrival := s.offsetOf(f.Arrival)
	t.clock.note(arrival, f.Time)
	if t.lastKnown && f.Time < t.last-t.clock.timescale {
		t.broken = true // the sender's media clock was set back
	}
	t.last, t.lastKnown = f.Time, true
	if f.Config != nil {
		t.config = f.Config
	}
	if t.number == 0 {
		t.declare(f.Config)
		t.noteEarly()
	}
	if part := t.source.nextPart(t, t.clockNow(f.Time, arrival)); part != t.part {
		t.flush()
		t.place.newPart()
		t.beginPart(part, f.Time)
		f.Config = t.config
	}
	if f.Config != nil {
		t.configID = s.journalConfig(t, f.Config)
	}
	if !t.journal(f, arrival) {
		t.drop(f)
		return
	}
	t.source.account.kept(t, f, arrival)
	if t.ev.Kind == evidence.Video && t.config != nil {
		width, height := t.config.Size()
		t.source.watch.Frame(f.Arrival, f.Key, len(f.Data), width*height)
	}
	if t.dropped.frames > 0 {
		t.declareDrops(f.Time)
		f.Config = t.config // that of a frame that was dropped may be new
	}
	if f.Key && t.ev.Kind == evidence.Video {
		t.keyAt = f.Arrival
		if a := t.source.audio; a != nil && a.stream != nil && a.stream.Holding() {
			a.stream.Release(f.Arrival - soundLead)
			a.drain(f.Arrival)
		}
	}
	segments, err := t.segments.Add(f)
	t.store(segments, err)
}

// soundLead is how much sound from before the arrival of the first picture is
// kept, so that no silence is between.
const soundLead = 20 * time.Millisecond

// clockNow maps a frame to interview time as well as is known now.
func (t *track) clockNow(mediaTime int64, arrival evidence.Offset) evidence.Offset {
	if at, _, ok := t.clock.at(mediaTime); ok {
		return at
	}
	return arrival
}

// declare gives the track its number and makes it known.
func (t *track) declare(config media.Config) {
	t.ev.Codec, t.ev.Timescale = config.Codec(), int64(config.Timescale())
	t.source.sitting.declare(t)
}

// beginPart notes the gap between what was recorded before and a new part.
func (t *track) beginPart(part int, mediaTime int64) {
	s := t.source.sitting
	before := t.part
	t.part = part
	if before == 0 {
		return
	}
	cause := s.partCause(part)
	start := max(t.place.offset(&t.clock, mediaTime), s.partStart(part))
	if start > t.place.end {
		s.gap(evidence.Gap{Track: t.ev.ID, Start: t.place.end, End: start, Cause: cause, Frames: -1})
	}
}

// hole declares frames that are not whole.
func (t *track) hole(h media.Hole) {
	s := t.source.sitting
	start, end := t.place.offset(&t.clock, h.From), t.place.offset(&t.clock, h.Until)
	start = max(start, 0)
	end = max(end, start)
	if h.Missing > 0 || h.Uncertain > 0 {
		s.gap(evidence.Gap{Track: t.ev.ID, Start: start, End: end, Cause: causeLoss, Frames: h.Missing, Uncertain: h.Uncertain})
	}
	if h.Damaged != 0 {
		s.gap(evidence.Gap{Track: t.ev.ID, Start: start, End: end, Cause: causeDamaged, Frames: h.Damaged, Ledger: t.book.damaged})
		t.book.damaged = 0
	}
	if t.feed != nil && t.ev.Kind == evidence.Video {
		t.askKeyFrame(s.r.now())
	}
}

// silenceAllowed is how far two segments of a part may lie apart without a gap
// that says why: a frame at 25 a second. Verifiers hold the manifest to it.
const silenceAllowed evidence.Offset = 40_000

// Causes of gaps.
const (
	causeLoss    = "packet-loss"
	causeDamaged = "damaged"
	causeStall   = "capture-stall"
	causeAway    = "source-away"
	causePause   = "pause"
	causeRestart = "restart"
	causeFull    = "storage-full"
)

// journal makes the frame survive a crash. It reports false if disk and memory
// are both full.
func (t *track) journal(f media.Frame, arrival evidence.Offset) bool {
	// Under the lock from before it is in the journal, so that a checkpoint sees
	// every frame that is not in a segment yet.
	t.mu.Lock()
	defer t.mu.Unlock()
	at := t.source.sitting.journalFrame(savedFrame{
		track: t.number, config: t.configID, part: t.part, key: f.Key, time: f.Time, arrival: arrival, length: f.Length, data: f.Data,
	})
	if at == 0 {
		return false
	}
	t.positions = append(t.positions, at)
	return true
}

// drops are whole frames that neither disk nor memory took.
type drops struct {
	frames, bytes int64
	from, until   int64 // media time
}

// drop gives a frame up that the journal did not take. Only so are the segments
// that wait for the disk bounded: none holds a frame that the journal does not.
func (t *track) drop(f media.Frame) {
	d := &t.dropped
	if d.frames == 0 {
		d.from = f.Time
	}
	d.frames++
	d.bytes += int64(len(f.Data))
	d.until = f.Time + int64(f.Length)
}

// declareDrops notes that frames were given up, until a media time.
func (t *track) declareDrops(until int64) {
	d := t.dropped
	if d.frames == 0 {
		return
	}
	t.dropped = drops{}
	t.closed.Whole -= d.frames
	t.closed.Bytes -= d.bytes
	t.closed.Missing += d.frames
	start := max(t.place.offset(&t.clock, d.from), 0)
	end := max(t.place.offset(&t.clock, max(until, d.until)), start)
	t.source.sitting.gap(evidence.Gap{Track: t.ev.ID, Start: start, End: end, Cause: causeFull, Frames: d.frames})
}

// flush closes the open segment.
func (t *track) flush() {
	t.declareDrops(t.dropped.until)
	segments, err := t.segments.Flush()
	t.store(segments, err)
}

// store gives segments their place in interview time and hands them on.
func (t *track) store(segments []media.Segment, err error) {
	s := t.source.sitting
	if err != nil {
		// Only a decoder configuration that cannot be written down fails.
		s.r.log.Error("a segment could not be written", "interview", s.iv.ID, "track", t.ev.ID, "err", err)
		s.raise(alarmSegment, t.source.ev.ID)
	}
	for _, seg := range segments {
		job := sealJob{track: t, part: t.part, segment: seg}
		if seg.Config != nil {
			job.start = max(t.place.end, s.partStart(t.part))
			job.end = job.start
			s.seal(job)
			continue
		}
		running, before := t.place.started, t.place.end
		p := t.place.place(&t.clock, seg.Time, seg.End(), t.part, s.partStart(t.part), t.uncertainty())
		job.start, job.end = p.start, p.end
		// Nothing was lost, and yet there is nothing: the source sent nothing.
		if silent := (evidence.Range{From: before, Until: p.start}); running && silent.Until-silent.From > silenceAllowed && !s.gapOver(t.ev.ID, silent) {
			p.stall = silent
		}
		if p.stall.Valid() {
			s.gap(evidence.Gap{Track: t.ev.ID, Start: p.stall.From, End: p.stall.Until, Cause: causeStall, Frames: -1})
		}
		if p.anchor != nil {
			s.anchor(t, *p.anchor)
		}
		t.source.account.placed(t, seg, p.start, p.end)
		t.mu.Lock()
		n := min(seg.Frames, len(t.positions))
		job.positions = append(job.positions, t.positions[:n]...)
		t.positions = append(t.positions[:0], t.positions[n:]...)
		s.seal(job)
		t.mu.Unlock()
		s.partReaches(t.part, p.end)
		if a := t.source.audio; t.ev.Kind == evidence.Video && a != nil && a.part == t.part {
			a.cut(p.end)
		}
	}
}

// cut ends the sound's segment where the picture's ended.
func (t *track) cut(at evidence.Offset) {
	mediaTime, ok := t.clock.media(at)
	if t.place.started {
		mediaTime, ok = t.place.media+t.clock.ticks(int64(at-t.place.end)), true
	}
	if ok {
		segments, err := t.segments.Cut(mediaTime)
		t.store(segments, err)
	}
}

// uncertainty of an anchor: half the way there and back, and the jitter of the
// clock that stamps arrivals, in microseconds.
func (t *track) uncertainty() int64 {
	if _, within, ok := t.clock.source.offset(); ok {
		return within + 1000
	}
	return t.rtt.Microseconds()/2 + 1000
}

// pictureWithin is how long after the start a camera may go without a random
// access point before an alarm says so: two requests for one, and its sending.
const pictureWithin = 4 * time.Second

// publish makes the counts visible to others.
func (t *track) publish(now time.Duration, ticking bool) {
	defer t.journalLedger(ticking)
	measured, kept := t.stream.Measured(), t.stream.Kept()
	aligned, within := "", int64(0)
	if _, method, ok := t.clock.at(t.last); ok && t.lastKnown {
		aligned, within = method, t.uncertainty()
	}
	counts := t.closed.add(kept)
	config := t.stream.Config()
	level, hasLevel := 0, false
	if ticking && t.ev.Kind == evidence.Audio {
		level, hasLevel = t.stream.Level()
		t.level = nil
		if hasLevel {
			t.level = &level
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	st := &t.status
	if t.number == 0 && t.source.begunAt == 0 { // before the start: what arrives
		counts = evidenceCounts{}.add(measured)
	}
	t.counts = counts
	st.Packets, st.Frames, st.Bytes = counts.packets(), counts.frames(), counts.Bytes
	if config != nil {
		st.Codec = config.Codec()
		st.Width, st.Height = config.Size()
	}
	st.Live = now-t.heard < time.Second
	t.pictured = t.ev.Kind != evidence.Video || !t.source.recording || !st.Live || t.keyAt != 0 ||
		now-max(t.begunAt, t.source.begunAt) < pictureWithin
	st.RoundTrip = t.rtt.Microseconds()
	st.Aligned, st.AlignedWithin = aligned, within
	if hasLevel {
		st.Level = &level
	} else if ticking {
		st.Level = nil
	}
}

// journalLedger notes the counts now and then, so that a crash loses little of
// them.
func (t *track) journalLedger(ticking bool) {
	if ticking && t.number != 0 && t.source.recording {
		t.noteFates()
		t.mu.Lock()
		saved := t.savedLocked()
		t.mu.Unlock()
		t.source.sitting.write(recLedger, encodeJSON(saved))
		t.turnPage()
	}
}

// savedLocked is what a restart has to know of the track's counts, with mu held.
func (t *track) savedLocked() savedLedger {
	return savedLedger{Track: t.number, Counts: t.counts, Lines: t.noted.lines, Noted: t.noted.sum}
}
