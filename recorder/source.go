package recorder

import (
	"sync"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/ingest"
	"github.com/toldonce/toldonce/recorder/media"
	"github.com/toldonce/toldonce/recorder/monitor"
	"github.com/toldonce/toldonce/recorder/quality"
)

// Timing of a source's goroutine.
const (
	keyFrameEvery = 2 * time.Second
	keyFrameAgain = 500 * time.Millisecond
	// soundAlone is how long sound waits for a picture to begin with.
	soundAlone = 5 * time.Second
	// drainFor is how long what is missing is waited for at a pause or stop.
	drainFor = 3 * time.Second
	tick     = time.Second // measurements that need no packet
)

// source is one source of a sitting. One goroutine (run) does all its media;
// fields without a note belong to it.
type source struct {
	sitting *sitting
	ev      evidence.Source
	in      *inbox
	done    chan struct{} // closed when run has returned
	live    *monitor.Channel

	// publishing serialises Publish, Unpublish and the replacement of a session.
	publishing sync.Mutex

	// guarded by sitting.mu
	session   *ingest.Session
	tokenHash []byte        // of the last Publish
	openedAt  time.Duration // of the session
	all       []*track
	ownPart   int  // after a reconnection; 0: that of the sitting
	joined    bool // an event says so

	account *account // what it says of its own frames

	watch  quality.Watch
	seen   []quality.Cause // what the page at the source sees
	seenAt time.Duration

	// guarded by sitting.mu
	levels bool  // it says how loud it is
	heard  int64 // seconds of the recording in which it could be heard

	clock     *sourceClock
	audio     *track
	video     *track
	recording bool          // frames are kept
	begunAt   time.Duration // since when
	halted    chan struct{} // closed when everything from before a halt is decided; nil: no halt
	haltBy    time.Duration // when waiting for it ends
	quiet     []chan struct{}
	ticked    time.Duration
	scratch   []uint16
}

func newSource(s *sitting, ev evidence.Source) *source {
	src := &source{sitting: s, ev: ev, in: newInbox(), done: make(chan struct{})}
	src.clock = src.newClock()
	src.live = monitor.NewChannel(src.keyFrameForObservers)
	src.account = newAccount(src)
	go src.run()
	return src
}

// tracks in a fixed order: the picture decides where the sound is cut.
func (s *source) tracks() [2]*track { return [2]*track{s.video, s.audio} }

// do runs fn on the source's goroutine and returns when it ran, or at once if
// the goroutine has ended.
func (s *source) do(fn func()) {
	ran := make(chan struct{})
	if !s.in.post(letter{act: func() { fn(); close(ran) }}) {
		return
	}
	select {
	case <-ran:
	case <-s.done:
	}
}

func (s *source) run() {
	defer close(s.done)
	defer s.live.Close()
	timer := time.NewTimer(tick)
	defer timer.Stop()
	for {
		select {
		case <-s.in.wake:
		case <-timer.C:
		}
		letters := s.in.take()
		now := s.sitting.r.now()
		for _, l := range letters {
			switch {
			case l.act != nil:
				l.act()
			case l.feed.track == nil || l.feed.track.feed != l.feed: // of a stream that was replaced
			case l.raw != nil:
				l.feed.track.packet(l.at, l.raw)
			case l.report != nil:
				l.feed.track.report(*l.report, l.at)
			}
		}
		s.in.give(letters)
		due := s.advance(now)
		if s.isOver() {
			return
		}
		timer.Reset(max(due-s.sitting.r.now(), time.Millisecond))
	}
}

func (s *source) isOver() bool {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	return s.in.closed && len(s.in.letters) == 0
}

// advance does what is due and returns when to come again.
func (s *source) advance(now time.Duration) time.Duration {
	next := now + tick
	ticking := now-s.ticked >= tick
	if ticking {
		s.ticked = now
		s.measureRoundTrip(now)
	}
	if s.audio != nil && s.audio.stream != nil && s.audio.stream.Holding() && now-s.begunAt > soundAlone {
		s.audio.stream.Release(0)
	}
	quiet := true
	for _, t := range s.tracks() {
		if t == nil || t.stream == nil {
			continue
		}
		t.drain(now)
		if t.stream == nil {
			continue
		}
		t.ask(now, &s.scratch)
		t.publish(now, ticking)
		if at, ok := t.due(now); ok {
			next = min(next, at)
		}
		quiet = quiet && t.stream.Quiet()
	}
	if ticking {
		s.measure(now)
	}
	if s.halted != nil && s.settled(now) {
		s.finishHalt()
	} else if s.halted != nil {
		next = min(next, s.haltBy)
	}
	if quiet && len(s.quiet) > 0 {
		for _, c := range s.quiet {
			close(c)
		}
		s.quiet = nil
	}
	if ticking {
		s.sitting.watchClock()
		s.sitting.touch()
	}
	return next
}

func (s *source) newClock() *sourceClock {
	return newSourceClock(func() int64 { return int64(s.sitting.offsetOf(0)) })
}

func (s *source) measureRoundTrip(now time.Duration) {
	s.sitting.mu.Lock()
	session := s.session
	s.sitting.mu.Unlock()
	if session == nil {
		return
	}
	rtt := session.RoundTrip()
	s.clock.trip(now, rtt)
	for _, t := range s.tracks() {
		if t != nil && t.stream != nil {
			t.stream.SetRoundTrip(rtt)
			t.rtt = rtt
		}
	}
}

// streamBegan connects a new stream to the track of its kind.
func (s *source) streamBegan(f *feed) {
	slot := &s.audio
	if f.stream.Kind == evidence.Video {
		slot = &s.video
	}
	stream, err := media.NewStream(f.stream.Format)
	if err != nil { // not negotiated, so not sent by anything that keeps to its answer
		s.sitting.r.log.Warn("a stream cannot be recorded", "interview", s.sitting.iv.ID, "source", s.ev.ID, "err", err)
		return
	}
	if *slot == nil {
		*slot = newTrack(s, f.stream.Kind)
	}
	t := *slot
	if t.stream != nil {
		t.endStream(s.sitting.r.now())
	}
	f.track = t
	t.begin(f, stream)
	if s.audio != nil {
		s.audio.follow(s.video != nil && s.video.stream != nil)
	}
	if s.recording {
		stream.Open()
		s.askKeyFrame(s.sitting.r.now())
	}
	s.sitting.touch()
}

func (s *source) streamEnded(f *feed) {
	t := f.track
	if t == nil || t.feed != f {
		return
	}
	t.endStream(s.sitting.r.now())
	if s.audio != nil {
		s.audio.follow(s.video != nil && s.video.stream != nil)
	}
	s.sitting.touch()
}

// sessionEnded notes that the source is away.
func (s *source) sessionEnded() {
	s.clock = s.newClock()
	if s.recording {
		s.endQuality(s.sitting.r.now())
		s.sitting.sourceLeft(s)
	}
	s.sitting.touch()
}

// begin starts to keep what is sent from now on, nothing from before.
func (s *source) begin() {
	if s.recording {
		return
	}
	now := s.sitting.r.now()
	s.recording, s.begunAt = true, now
	s.live.SetOn(true) // observers see what is recorded and nothing else
	pictured := s.video != nil && s.video.stream != nil
	for _, t := range s.tracks() {
		if t == nil || t.stream == nil {
			continue
		}
		if t.ev.Kind == evidence.Audio && pictured {
			// Sound begins with the picture, so that both can be played together.
			t.stream.Hold()
		} else {
			t.stream.Open()
		}
		t.publish(now, false) // whoever started it never sees the counts from before
	}
	s.askKeyFrame(now)
}

func (s *source) askKeyFrame(now time.Duration) {
	if s.video != nil && s.video.feed != nil {
		s.video.askKeyFrame(now)
	}
}

// halt ends keeping with what was sent until now, and returns a channel that is
// closed when all of that is decided.
func (s *source) halt() <-chan struct{} {
	if s.halted != nil {
		return s.halted
	}
	s.halted = make(chan struct{})
	s.live.SetOn(false)
	now := s.sitting.r.now()
	s.haltBy = now + drainFor
	if s.recording {
		s.endQuality(now)
	}
	s.recording = false
	if s.audio != nil && s.audio.stream != nil {
		s.audio.stream.Release(0) // the picture it was held for never came
	}
	for _, t := range s.tracks() {
		if t != nil && t.stream != nil {
			t.stream.Shut()
		}
	}
	return s.halted
}

// settled reports whether everything from before a halt is decided, and makes
// it so when its time is over.
func (s *source) settled(now time.Duration) bool {
	over := now >= s.haltBy
	for _, t := range s.tracks() {
		if t == nil || t.stream == nil || t.stream.Closed() {
			continue
		}
		if !over {
			return false
		}
		t.stream.GiveUp(false)
		t.drain(now)
	}
	return true
}

func (s *source) finishHalt() {
	for _, t := range s.tracks() {
		if t == nil {
			continue
		}
		t.flush()
		if t.stream != nil {
			t.closeTally()
			t.publish(s.sitting.r.now(), false)
			t.noteFates()
		}
	}
	close(s.halted)
	s.halted = nil
}

// nextPart is the part to which a track's frame at an interview time belongs: a
// new one if the track does not continue what was recorded of it in this one. The
// source's other track follows into it with its next frame.
func (s *source) nextPart(t *track, at evidence.Offset) int {
	part := s.sitting.currentPart(s)
	if t.broken && t.part == part {
		part = s.sitting.reconnected(s, at)
	}
	t.broken = false
	return part
}

// hush returns a channel that is closed once nothing of the source is waited
// for any more.
func (s *source) hush() <-chan struct{} {
	c := make(chan struct{})
	if !s.in.post(letter{act: func() { s.quiet = append(s.quiet, c) }}) {
		close(c)
	}
	return c
}
