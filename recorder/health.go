package recorder

import (
	"context"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/leaving"
	"github.com/toldonce/toldonce/recorder/quality"
)

// qualityAlarm is the code of the alarm for a cause.
func qualityAlarm(c quality.Cause) string {
	switch c {
	case quality.Frozen:
		return "quality.picture_frozen"
	case quality.Black:
		return "quality.picture_black"
	case quality.Slow:
		return "quality.picture_slow"
	case quality.Silent:
		return "quality.sound_silent"
	case quality.Clipping:
		return "quality.sound_clipping"
	}
	return "quality.sync_apart"
}

// seenFor is how long what a page said of its source holds without its saying so
// again.
const seenFor = 15 * time.Second

// ReportHealth takes what the page at a source sees of it: the causes that hold now.
// The token must be that of the source. A cause that is not known is refused. What is
// not said again within 15 s is taken as over.
func (r *Recorder) ReportHealth(ctx context.Context, source evidence.ID, token string, seen []quality.Cause) error {
	ev, err := r.authenticate(ctx, source, token)
	if err != nil {
		return err
	}
	if len(seen) > len(quality.Causes) {
		return evidence.Refuse(evidence.ErrInvalid, "health.cause", "That is not something that a source reports.", "")
	}
	for _, c := range seen {
		if !quality.Known(c) {
			return evidence.Refuse(evidence.ErrInvalid, "health.cause", "That is not something that a source reports.", "")
		}
	}
	s := r.active(ev.Interview)
	if s == nil {
		return nil // nothing is recorded, so nothing is said of it
	}
	src := s.source(ev)
	src.in.post(letter{act: func() { src.seen, src.seenAt = seen, r.now() }})
	return nil
}

// measure takes, once a second, what is known of a source's quality.
func (s *source) measure(now time.Duration) {
	sec := quality.Second{}
	for _, t := range s.tracks() {
		if t == nil || t.stream == nil {
			continue
		}
		t.meter.Count(now, t.stream.Measured().Whole)
		live := now-t.heard < time.Second
		if t.ev.Kind == evidence.Video {
			sec.Picture, sec.Rate = live, t.meter.Rate()
			sec.Skew = s.skew()
		} else {
			sec.Sound, sec.Level = live, t.level
		}
		t.mu.Lock()
		t.status.Rate, t.status.Skew = 0, nil
		if t.ev.Kind == evidence.Video {
			t.status.Rate = sec.Rate
			if sec.Skew != nil {
				micros := sec.Skew.Microseconds()
				t.status.Skew = &micros
			}
		}
		t.mu.Unlock()
	}
	if now-s.seenAt < seenFor {
		sec.Seen = s.seen
	}
	if !s.recording {
		return
	}
	if sec.Sound && sec.Level != nil {
		s.sitting.mu.Lock()
		s.levels = true
		if *sec.Level >= leaving.Audible {
			s.heard++
		}
		s.sitting.mu.Unlock()
	}
	s.qualityChanged(s.watch.Second(now, sec))
}

// skew is by how much the picture comes later than its sound, by what the source's own
// reports say of both; nil if not known.
func (s *source) skew() *time.Duration {
	if s.video == nil || s.audio == nil || s.video.stream == nil || s.audio.stream == nil {
		return nil
	}
	v, seen := s.video.lag.least()
	a, heard := s.audio.lag.least()
	if !seen || !heard {
		return nil
	}
	d := time.Duration(v-a) * time.Microsecond
	return &d
}

// endQuality ends what holds of a source that is not recorded any more.
func (s *source) endQuality(now time.Duration) { s.qualityChanged(s.watch.End(now)) }

// qualityChanged notes in the recording what began or ended, and says so to those who
// are in the room and in the monitor room.
func (s *source) qualityChanged(changes []quality.Change) {
	if len(changes) == 0 {
		return
	}
	it := s.sitting
	it.mu.Lock()
	for _, c := range changes {
		code := qualityAlarm(c.Cause)
		alarm := Alarm{Code: code, Text: alarmTexts[code], Source: s.ev.ID}
		at := min(max(evidence.OffsetOf(c.At-it.origin), 0), it.nowLocked())
		kind := evidence.EventQualityBegan
		if c.Began {
			it.alarms[alarm] = true
		} else {
			kind = evidence.EventQualityEnded
			at = min(at, it.stopOffsetLocked(at))
			delete(it.alarms, alarm)
		}
		it.eventLocked(evidence.Event{At: at, Kind: kind, Source: s.ev.ID, Value: string(c.Cause)}, "")
	}
	it.mu.Unlock()
	it.touch()
}

// stopOffsetLocked is the interview time of the stop, or else a time.
func (s *sitting) stopOffsetLocked(otherwise evidence.Offset) evidence.Offset {
	for i := len(s.events) - 1; i >= 0; i-- {
		if s.events[i].Kind == evidence.EventStop {
			return s.events[i].At
		}
	}
	return otherwise
}

// qualityLostLocked ends, after the program ended without a word, what held then:
// nobody knows for how long it went on.
func (s *sitting) qualityLostLocked(at evidence.Offset) {
	type key struct {
		source evidence.ID
		cause  string
	}
	holds := map[key]bool{}
	var order []key
	for _, e := range s.events {
		k := key{e.Source, e.Value}
		switch e.Kind {
		case evidence.EventQualityBegan:
			holds[k] = true
			order = append(order, k)
		case evidence.EventQualityEnded:
			delete(holds, k)
		}
	}
	for _, k := range order {
		if holds[k] {
			delete(holds, k)
			s.eventLocked(evidence.Event{At: at, Kind: evidence.EventQualityEnded, Source: k.source, Value: k.cause}, "")
		}
	}
}
