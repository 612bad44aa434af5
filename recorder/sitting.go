package recorder

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/recorder/media"
	"github.com/toldonce/toldonce/recorder/spool"
)

// sitting is one interview while it is ready or being recorded.
type sitting struct {
	r  *Recorder
	iv evidence.Interview // as it was loaded; its state is in phase

	// op is held by whoever starts, pauses, resumes, stops or recovers.
	op sync.Mutex

	mu      sync.Mutex // guards what follows, up to the next note
	phase   savedPhase
	origin  time.Duration // [Recorder.now] at interview time 0, valid from the start
	sources []*source
	tracks  []*track // declared ones, by number - 1
	parts   []evidence.Part
	events  []evidence.Event
	gaps    []evidence.Gap
	anchors map[int][]evidence.Anchor
	opened  []evidence.Opening
	alarms  map[Alarm]bool
	configs map[int][]savedConfig // of each track, in order
	lastAt  evidence.Offset       // newest interview time that was given out
	retired bool                  // the sitting is over: it is no longer in the recorder's map
	wallAt  evidence.Instant      // what the wall clock says at interview time 0, as it goes now
	checked precheck              // what was looked at before the start

	// structure is the journal's position of the last record that says what
	// segments belong to.
	structure atomic.Uint64

	// Set at the start or recovery, before any source records; then fixed.
	journal *spool.Interview
	keeper  *keeper
	clerk   *clerk
	lease   evidence.Lease

	stopping chan struct{} // closed when the final stop began
	finished chan struct{} // closed when it is sealed
	sealErr  error         // set before finished is closed; nil: sealed
}

func newSitting(r *Recorder, iv evidence.Interview) *sitting {
	return &sitting{
		r: r, iv: iv, phase: savedPhase{State: iv.State, StartedAt: iv.StartedAt},
		anchors: map[int][]evidence.Anchor{}, alarms: map[Alarm]bool{}, configs: map[int][]savedConfig{},
		stopping: make(chan struct{}), finished: make(chan struct{}),
	}
}

// offsetOf converts a time of the recorder's clock to interview time.
func (s *sitting) offsetOf(at time.Duration) evidence.Offset {
	s.mu.Lock()
	defer s.mu.Unlock()
	return evidence.OffsetOf(at - s.origin)
}

// elapsed is interview time now.
func (s *sitting) elapsed() evidence.Offset {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nowLocked()
}

// offsetIfStarted is [sitting.offsetOf], if interview time runs.
func (s *sitting) offsetIfStarted(at time.Duration) (evidence.Offset, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(evidence.OffsetOf(at-s.origin), 0), s.startedLocked()
}

// nowLocked is interview time now, with mu held. It never runs backwards, over
// restarts either.
func (s *sitting) nowLocked() evidence.Offset {
	s.lastAt = max(s.lastAt, evidence.OffsetOf(s.r.now()-s.origin))
	return s.lastAt
}

func (s *sitting) state() evidence.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase.State
}

// startedLocked reports whether interview time runs.
func (s *sitting) startedLocked() bool { return s.phase.StartedAt != 0 }

// over reports whether the sitting was let go of.
func (s *sitting) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.retired
}

// write appends a record to the journal, if there is one yet. A disk and a
// memory that are both full raise the spool's own alarm; the recording goes on.
func (s *sitting) write(kind byte, payload []byte) spool.Position {
	if s.journal == nil {
		return 0
	}
	at, err := s.journal.Append(kind, payload)
	if err != nil {
		if !errors.Is(err, spool.ErrBacklog) { // the spool's alarm says so, once
			s.r.log.Error("journal", "interview", s.iv.ID, "err", err)
		}
		s.r.metrics.journalErrors.Add(1)
	}
	switch kind {
	case recState, recConfig, recPart, recTrack, recSource, recReplaced:
		for old := s.structure.Load(); uint64(at) > old && !s.structure.CompareAndSwap(old, uint64(at)); old = s.structure.Load() {
		}
	}
	return at
}

func (s *sitting) journalFrame(f savedFrame) spool.Position {
	buf := s.r.buffers.Get().(*[]byte)
	*buf = f.appendTo((*buf)[:0])
	at := s.write(recFrame, *buf)
	s.r.buffers.Put(buf)
	return at
}

// journalConfig notes the decoder configuration of a track's next frames, if it
// is not that of the frames before, and returns its number.
func (s *sitting) journalConfig(t *track, c media.Config) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.configs[t.number]
	init, err := c.Init()
	if err != nil {
		return len(known) // the segmenter meets the same error, and tells
	}
	if n := len(known); n > 0 && string(known[n-1].Init) == string(init) {
		return n
	}
	width, height := c.Size()
	saved := savedConfig{Track: t.number, Number: len(known) + 1, Codec: c.Codec(), Timescale: c.Timescale(), Width: width, Height: height, Init: init}
	s.configs[t.number] = append(known, saved)
	s.write(recConfig, encodeJSON(saved))
	if len(known) > 0 {
		s.eventLocked(evidence.Event{At: s.nowLocked(), Kind: evidence.EventInitChanged, Source: t.ev.Source, Track: t.ev.ID}, "")
	}
	return saved.Number
}

// eventLocked notes an event, with a note that is committed to.
func (s *sitting) eventLocked(e evidence.Event, note string) evidence.Event {
	e.Instant = evidence.At(s.r.cfg.Clock())
	if note != "" {
		c, opening := evidence.Commit("note", note)
		e.Note = c
		s.opened = append(s.opened, opening)
		s.write(recOpening, encodeJSON(opening))
	}
	s.events = append(s.events, e)
	s.write(recEvent, encodeJSON(e))
	return e
}

func (s *sitting) event(e evidence.Event, note string) evidence.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.At = s.nowLocked()
	return s.eventLocked(e, note)
}

// gap declares that a stretch of a track is not in the recording.
func (s *sitting) gap(g evidence.Gap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gaps = append(s.gaps, g)
	s.write(recGap, encodeJSON(g))
}

// gapOver reports whether a gap of the track touches the range.
func (s *sitting) gapOver(track evidence.ID, r evidence.Range) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.gaps, func(g evidence.Gap) bool {
		return g.Track == track && r.Overlaps(evidence.Range{From: g.Start, Until: max(g.End, g.Start+1)})
	})
}

func (s *sitting) anchor(t *track, a evidence.Anchor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.anchors[t.number] = append(s.anchors[t.number], a)
	s.write(recAnchor, encodeJSON(savedAnchor{Track: t.number, Anchor: a}))
}

// addTrack and declare make a track known: to the status, and once something of
// it is kept, to journal and database.
func (s *sitting) addTrack(t *track) {
	s.mu.Lock()
	t.source.all = append(t.source.all, t)
	slices.SortFunc(t.source.all, func(a, b *track) int { return strings.Compare(string(b.ev.Kind), string(a.ev.Kind)) }) // video first
	s.mu.Unlock()
	s.touch()
}

// shown are the source's tracks: once something was kept, those of which it was.
func (s *source) shown() []*track {
	s.sitting.mu.Lock()
	defer s.sitting.mu.Unlock()
	return slices.Clone(s.all)
}

func (s *sitting) declare(t *track) {
	s.mu.Lock()
	t.number = len(s.tracks) + 1
	s.tracks = append(s.tracks, t)
	s.write(recTrack, encodeJSON(t.saved()))
	s.mu.Unlock()
	ev := t.ev
	s.clerk.add(duty{Track: &ev})
	s.sourceJoined(t.source)
}

// seal hands a finished segment to be encrypted and stored.
func (s *sitting) seal(job sealJob) { s.keeper.add(job) }

// partLocked begins a part of the whole sitting, or of one source.
func (s *sitting) partLocked(cause string, at evidence.Offset) int {
	if n := len(s.parts); n > 0 {
		at = max(at, s.parts[n-1].Start)
	}
	p := evidence.Part{Number: len(s.parts) + 1, Start: max(at, 0), End: max(at, 0), Cause: cause}
	s.parts = append(s.parts, p)
	s.write(recPart, encodeJSON(p))
	return p.Number
}

// beginPartLocked begins a part for every source.
func (s *sitting) beginPartLocked(cause string, at evidence.Offset) {
	s.phase.Part = s.partLocked(cause, at)
	for _, src := range s.sources {
		src.ownPart = 0
	}
}

// endPartsLocked ends the parts that are running: that of the sitting and those
// of sources that reconnected.
func (s *sitting) endPartsLocked(at evidence.Offset) {
	running := map[int]bool{s.phase.Part: true}
	for _, src := range s.sources {
		running[src.ownPart] = true
	}
	for i := range s.parts {
		if p := &s.parts[i]; running[p.Number] {
			p.End = max(at, p.Start, p.End)
			s.write(recPart, encodeJSON(*p))
		}
	}
}

// partReaches makes a part no shorter than what is recorded of it: a frame lasts
// a little longer than to the moment at which it was the last.
func (s *sitting) partReaches(number int, end evidence.Offset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &s.parts[number-1]
	p.End = max(p.End, end)
}

func (s *sitting) currentPart(src *source) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if src.ownPart != 0 {
		return src.ownPart
	}
	return s.phase.Part
}

// reconnected begins a part for one source.
func (s *sitting) reconnected(src *source, at evidence.Offset) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := src.ownPart; old != 0 {
		p := &s.parts[old-1]
		p.End = max(at, p.Start, p.End)
		s.write(recPart, encodeJSON(*p))
	}
	src.ownPart = s.partLocked("reconnect", at)
	s.write(recSource, encodeJSON(src.saved()))
	return src.ownPart
}

func (s *source) saved() savedSource {
	return savedSource{ID: s.ev.ID, Role: s.ev.Role, Name: s.ev.Name, Part: s.ownPart}
}

func (s *sitting) partStart(number int) evidence.Offset {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.parts[number-1].Start
}

// partCause is the gap's cause that goes with the beginning of a part.
func (s *sitting) partCause(number int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.parts[number-1].Cause {
	case "resume":
		return causePause
	case "restart":
		return causeRestart
	}
	return causeAway
}

// sourceJoined and sourceLeft note that a source came or went while recording.
func (s *sitting) sourceJoined(src *source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if src.joined || s.journal == nil {
		return
	}
	src.joined = true
	s.write(recSource, encodeJSON(src.saved()))
	s.eventLocked(evidence.Event{At: s.nowLocked(), Kind: evidence.EventSourceJoined, Source: src.ev.ID, Value: string(src.ev.Role)}, "")
	s.clerk.add(duty{Entry: s.entry(deviceActor(s.iv.Agency, src.ev.ID), actionSourceJoined, src.ev.ID, nil)})
}

func (s *sitting) sourceLeft(src *source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !src.joined || s.journal == nil {
		return
	}
	src.joined = false
	s.eventLocked(evidence.Event{At: s.nowLocked(), Kind: evidence.EventSourceLeft, Source: src.ev.ID, Value: string(src.ev.Role)}, "")
	s.clerk.add(duty{Entry: s.entry(deviceActor(s.iv.Agency, src.ev.ID), actionSourceLeft, src.ev.ID, nil)})
}

// source returns the sitting's source, making it if need be.
func (s *sitting) source(ev evidence.Source) *source {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.sources, func(x *source) bool { return x.ev.ID == ev.ID }); i >= 0 {
		return s.sources[i]
	}
	src := newSource(s, ev)
	s.sources = append(s.sources, src)
	if s.phase.State == evidence.StateRecording {
		src.in.post(letter{act: src.begin})
	}
	return src
}

func (s *sitting) allSources() []*source {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sources)
}

// raise and clear switch an alarm of this sitting.
func (s *sitting) raise(code string, source evidence.ID) {
	s.mu.Lock()
	s.alarms[Alarm{Code: code, Text: alarmTexts[code], Source: source}] = true
	s.mu.Unlock()
	s.touch()
}

func (s *sitting) clear(code string, source evidence.ID) {
	s.mu.Lock()
	delete(s.alarms, Alarm{Code: code, Text: alarmTexts[code], Source: source})
	s.mu.Unlock()
	s.touch()
}

// touch tells watchers that something changed.
func (s *sitting) touch() { s.r.watchers.touch(s.iv.ID) }

// sealTo sets what segments are encrypted to.
func (s *sitting) sealTo(recipient string) (*envelope.Sealer, error) {
	return envelope.NewSealer(recipient)
}
