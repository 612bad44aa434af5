// Package quality judges what a source sends while it is recorded: a picture that
// stands still or comes too seldom, sound that is dead or cut off, sound and picture
// that come apart. It has no clock and decides nothing: it says from when to when
// something held, and why. Interviews were lost to each of these and it was found
// only afterwards.
package quality

import (
	"slices"
	"time"
)

// Cause is what is wrong. Its text stands in manifests: it is never changed, and
// never used for something else.
type Cause string

// What can be wrong.
const (
	// Frozen: the picture stands still. A camera's noise alone makes frames differ.
	Frozen Cause = "picture-frozen"
	// Black: the picture is dark all over, or one flat colour. Only the page can see it.
	Black Cause = "picture-black"
	// Slow: less than [slowShare] of the frames a second that were reached before.
	Slow Cause = "picture-slow"
	// Silent: less is heard than in an empty room.
	Silent Cause = "sound-silent"
	// Clipping: the sound is louder than can be written down.
	Clipping Cause = "sound-clipping"
	// Apart: sound and picture come further apart than viewers accept.
	Apart Cause = "sync-apart"
)

// Causes lists every cause, in the order in which pages show them.
var Causes = []Cause{Frozen, Black, Slow, Silent, Clipping, Apart}

// Thresholds.
const (
	// stillBytes and stillPixels bound a frame in which nothing changed: a slice
	// header and a run of skipped blocks, which grows with the picture.
	stillBytes  = 48
	stillPixels = 6000 // for each byte more
	// stillShare: frames whose sizes differ by less than this part hold no picture of
	// a camera.
	stillShare = 50 // one in so many

	// slowShare is which part of the rate that was reached is too little, in percent.
	slowShare = 60
	// slowest is the rate below which no rate counts as reached.
	slowest = 8

	// deadLevel, dBov: an empty room and the microphone's own noise are louder.
	deadLevel = -75
	// loudLevel, dBov: the level of a sine that fills the range (RFC 6464 gives the
	// root mean square of a packet). loudSeconds of the last loudWindow make it matter.
	loudLevel   = -3
	loudSeconds = 3
	loudWindow  = 10
)

// Acceptable limits of ITU-R BT.1359-1 for sound against picture: sound that comes
// 90 ms early or 185 ms late is not accepted by viewers any more.
const (
	SoundEarly = 90 * time.Millisecond
	SoundLate  = 185 * time.Millisecond
)

// after is how long something must hold without a break before it is said, so that
// nobody is disturbed by what passes.
var after = map[Cause]time.Duration{
	Frozen: 5 * time.Second, Black: 5 * time.Second, Slow: 5 * time.Second,
	Silent: 10 * time.Second, Clipping: 0, Apart: 10 * time.Second,
}

// over is how long it must be well again.
const over = 3 * time.Second

// Second is what was measured about once a second.
type Second struct {
	// Picture and Sound say that packets of either arrived within the last second.
	Picture, Sound bool
	// Rate is how many frames a second arrive, over the last seconds; 0: not known.
	Rate int
	// Level is the loudest of the second, dBov; nil if the source does not send it.
	Level *int
	// Skew is by how much the picture comes later than its sound, by the source's own
	// reports; nil if not known.
	Skew *time.Duration
	// Seen is what the page at the source sees for itself.
	Seen []Cause
}

// Change says that something began or ended to hold.
type Change struct {
	Cause Cause
	Began bool
	At    time.Duration // since when
}

// Watch judges one source. It belongs to one goroutine.
type Watch struct {
	lively   time.Duration // last frame that differed from the one before
	previous int           // size of the last frame but key frames
	inter    bool          // there was one since the last reset
	reached  int
	loud     []bool
	holds    map[Cause]*hold
}

type hold struct {
	since time.Duration // of what it is now
	holds bool          // now
	said  bool
	began time.Duration
}

// Frame takes a video frame that is recorded. pixels is the picture's size.
func (w *Watch) Frame(at time.Duration, key bool, size, pixels int) {
	if key {
		if !w.inter {
			w.lively = at
		}
		return
	}
	differs := size-w.previous > w.previous/stillShare || w.previous-size > w.previous/stillShare
	if !w.inter || size > stillBytes+pixels/stillPixels && differs {
		w.lively = at
	}
	w.inter, w.previous = true, size
}

// Second takes a second's measurements and returns what changed, in the order of
// [Causes].
func (w *Watch) Second(now time.Duration, s Second) []Change {
	if s.Picture {
		w.reached = max(w.reached, s.Rate)
	}
	w.loud = append(w.loud, s.Sound && s.Level != nil && *s.Level >= loudLevel)
	w.loud = w.loud[max(len(w.loud)-loudWindow, 0):]
	loud := 0
	for _, l := range w.loud {
		if l {
			loud++
		}
	}
	holds := map[Cause]bool{
		Frozen:   s.Picture && w.inter && now-w.lively > time.Second,
		Slow:     s.Picture && w.reached >= slowest && s.Rate*100 < w.reached*slowShare,
		Silent:   s.Sound && s.Level != nil && *s.Level < deadLevel,
		Clipping: s.Sound && loud >= loudSeconds,
		Apart:    s.Picture && s.Sound && s.Skew != nil && TooFarApart(*s.Skew),
	}
	for _, c := range s.Seen {
		holds[c] = true
	}
	var out []Change
	for _, c := range Causes {
		out = w.judge(out, now, c, holds[c])
	}
	return out
}

// TooFarApart reports whether viewers would not accept that the picture comes so
// much later than its sound.
func TooFarApart(skew time.Duration) bool { return skew > SoundEarly || skew < -SoundLate }

func (w *Watch) judge(out []Change, now time.Duration, c Cause, holds bool) []Change {
	if w.holds == nil {
		w.holds = map[Cause]*hold{}
	}
	h := w.holds[c]
	if h == nil {
		h = &hold{since: now}
		w.holds[c] = h
	}
	if holds != h.holds {
		h.holds, h.since = holds, now
	}
	switch lasted := now - h.since; {
	case holds && !h.said && lasted >= after[c]:
		h.said, h.began = true, h.since
		return append(out, Change{Cause: c, Began: true, At: h.since})
	case !holds && h.said && lasted >= over:
		h.said = false
		return append(out, Change{Cause: c, At: h.since})
	}
	return out
}

// End ends what holds, because nothing is recorded any more, and forgets what is not
// of a source: its frames begin anew.
func (w *Watch) End(now time.Duration) []Change {
	var out []Change
	for _, c := range Causes {
		if h := w.holds[c]; h != nil && h.said {
			out = append(out, Change{Cause: c, At: max(now, h.began)})
		}
	}
	*w = Watch{reached: w.reached}
	return out
}

// Known reports whether a cause is one of [Causes].
func Known(c Cause) bool { return slices.Contains(Causes, c) }

// Meter counts frames a second over the last seconds.
type Meter struct {
	at     [meterSeconds + 1]time.Duration
	frames [meterSeconds + 1]int64
	n      int
}

const meterSeconds = 5

// Count takes how many frames there were so far, about once a second. A count that
// fell begins anew.
func (m *Meter) Count(at time.Duration, frames int64) {
	if m.n > 0 && frames < m.frames[m.n-1] {
		m.n = 0
	}
	if m.n == len(m.at) {
		copy(m.at[:], m.at[1:])
		copy(m.frames[:], m.frames[1:])
		m.n--
	}
	m.at[m.n], m.frames[m.n] = at, frames
	m.n++
}

// Rate is the frames a second, rounded; 0 until two seconds were counted.
func (m *Meter) Rate() int {
	if m.n < 3 {
		return 0
	}
	span := m.at[m.n-1] - m.at[0]
	if span <= 0 {
		return 0
	}
	return int((time.Duration(m.frames[m.n-1]-m.frames[0])*time.Second + span/2) / span)
}
