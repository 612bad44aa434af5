package recorder

import (
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/ingest"
)

// Limits of the mapping from media time to interview time.
const (
	delayWindow = 4 * time.Second  // over which the least delay is taken
	delayCells  = 8                // of the window
	clockWindow = 32 * time.Second // over which a source's clock is compared with ours
	clockStep   = time.Second      // by which reports must be late, several in a row, to mean that its clock was set back
	clockSteps  = 3
	captureMost = 2 * time.Second        // from capture to arrival, else reports are not believed
	slew        = 10 * time.Millisecond  // correction per segment at most
	stallAfter  = 200 * time.Millisecond // a step of the mapping that is a stall of the capture
	anchorStep  = 5 * time.Millisecond   // correction since the last anchor that is worth a new one
	anchorEvery = 5 * time.Minute
)

// leastDelay is a moving minimum: the delay of the packets that waited nowhere.
// Values are what has to be added to a source's time to get interview time, in
// microseconds.
type leastDelay struct {
	cells [delayCells]int64
	used  [delayCells]bool
	cell  int64 // number of the newest cell
	began bool
	width int64 // of a cell, in microseconds; 0: that of delayWindow
}

// note takes an observation made at interview time at.
func (l *leastDelay) note(at evidence.Offset, value int64) {
	if l.width == 0 {
		l.width = int64(delayWindow / delayCells / time.Microsecond)
	}
	cell := int64(at) / l.width
	if !l.began || cell-l.cell >= delayCells {
		*l = leastDelay{cell: cell, began: true, width: l.width}
	}
	for l.cell < cell {
		l.cell++
		l.used[l.cell%delayCells] = false
	}
	if i := cell % delayCells; cell > l.cell-delayCells && (!l.used[i] || value < l.cells[i]) {
		l.cells[i], l.used[i] = value, true
	}
}

// least returns the minimum over the window.
func (l *leastDelay) least() (int64, bool) {
	var min int64
	found := false
	for i, used := range l.used {
		if used && (!found || l.cells[i] < min) {
			min, found = l.cells[i], true
		}
	}
	return min, found
}

// full reports whether the window holds observations from its whole length.
func (l *leastDelay) full() bool {
	for _, used := range l.used {
		if !used {
			return false
		}
	}
	return true
}

// sourceClock relates the clock of one source's sender reports to interview
// time. All tracks of a session share it: that is what aligns them (RFC 3550
// section 6.4.1). What aligns sources is how far each one's clock is from ours: a
// report says what its clock read when it was sent, and half of the time there and
// back, which connectivity checks measure, is what it took to get here.
type sourceClock struct {
	delay leastDelay // of frames, from capture

	// In time of the recorder's clock; shift makes interview time of it.
	reports leastDelay // of sender reports
	trips   leastDelay // there and back
	late    int        // reports in a row that came much too late
	shift   func() int64
}

func newSourceClock(shift func() int64) *sourceClock {
	const width = int64(clockWindow / delayCells / time.Microsecond)
	return &sourceClock{reports: leastDelay{width: width}, trips: leastDelay{width: width}, shift: shift}
}

// ntpMicros is a report's time in microseconds since 1900.
func ntpMicros(ntp uint64) int64 {
	return int64(ntp>>32)*1_000_000 + int64(ntp&0xffffffff)*1_000_000>>32
}

// report takes the arrival of a sender report. It reports whether the source's
// clock was set back, so that what was known of it is void.
func (s *sourceClock) report(at time.Duration, ntp uint64) (stepped bool) {
	now := evidence.OffsetOf(at)
	value := int64(now) - ntpMicros(ntp)
	if least, ok := s.reports.least(); ok && value-least > int64(clockStep/time.Microsecond) {
		if s.late++; s.late >= clockSteps {
			s.reports, s.delay, s.late = leastDelay{width: s.reports.width}, leastDelay{}, 0
			stepped = true
		}
	} else {
		s.late = 0
	}
	s.reports.note(now, value)
	return stepped
}

// trip takes a measured time there and back.
func (s *sourceClock) trip(at, rtt time.Duration) {
	if rtt > 0 {
		s.trips.note(evidence.OffsetOf(at), rtt.Microseconds())
	}
}

// offset returns what has to be added to the source's time to get interview time,
// and how far off that can be: the way here takes between nothing and the whole of
// the time there and back.
func (s *sourceClock) offset() (add, within int64, ok bool) {
	report, reported := s.reports.least()
	trip, measured := s.trips.least()
	if !reported || !measured || s.shift == nil {
		return 0, 0, false
	}
	add = report - trip/2 + s.shift()
	// Nothing arrives before it was captured, nor long after.
	if d, ok := s.delay.least(); ok {
		if d-add > int64(captureMost/time.Microsecond) {
			return 0, 0, false
		}
		add = min(add, d)
	}
	return add, trip / 2, true
}

// toInterview is offset, or else as well as the frames themselves tell.
func (s *sourceClock) toInterview() (add int64, method string, ok bool) {
	if add, _, ok := s.offset(); ok {
		return add, methodOffset, true
	}
	add, ok = s.delay.least()
	return add, methodReport, ok
}

// trackClock maps a track's media time, of one session, to interview time.
type trackClock struct {
	timescale int64
	source    *sourceClock
	arrival   leastDelay

	// The last sender report: NTP in microseconds, and the media time it names.
	reported      bool
	ntp           int64
	reportedMedia int64
}

// micros converts media time to microseconds.
func (c *trackClock) micros(media int64) int64 {
	return media/c.timescale*1_000_000 + media%c.timescale*1_000_000/c.timescale
}

// report takes a sender report. near is any media time of the track not more
// than half the 32-bit range away.
func (c *trackClock) report(r ingest.SenderReport, near int64) {
	if r.NTP == 0 {
		return
	}
	c.ntp = ntpMicros(r.NTP)
	c.reportedMedia = near + int64(int32(r.RTP-uint32(near)))
	c.reported = true
}

// senderTime is when the sender's clock says that a media time was captured.
func (c *trackClock) senderTime(media int64) int64 { return c.ntp + c.micros(media-c.reportedMedia) }

// note takes the arrival of a frame.
func (c *trackClock) note(arrival evidence.Offset, media int64) {
	c.arrival.note(arrival, int64(arrival)-c.micros(media))
	if c.reported {
		c.source.delay.note(arrival, int64(arrival)-c.senderTime(media))
	}
}

// at maps a media time, and says how.
func (c *trackClock) at(media int64) (at evidence.Offset, method string, ok bool) {
	if c.reported {
		if d, method, ok := c.source.toInterview(); ok {
			return evidence.Offset(c.senderTime(media) + d), method, true
		}
	}
	d, ok := c.arrival.least()
	return evidence.Offset(c.micros(media) + d), methodArrival, ok
}

const (
	methodArrival = "arrival"
	methodReport  = "sender-report"
	methodOffset  = "clock-offset"
)

// placement puts the segments of a track onto interview time: without overlap,
// without steps but for stalls, corrected a little at a time.
type placement struct {
	started  bool
	media    int64           // where the last segment ended, in media time
	end      evidence.Offset // and in interview time
	anchored bool
	anchor   evidence.Anchor
	anchorAt int64  // media time of the anchor
	method   string // of the last mapping
}

// placed is where a segment lies.
type placed struct {
	start, end evidence.Offset
	anchor     *evidence.Anchor // a new one, if worth it
	stall      evidence.Range   // what the capture stood still before it; empty if not
}

// place puts a segment [from, until) of media time. floor is the earliest
// possible start: that of the part. part is its number.
func (p *placement) place(c *trackClock, from, until int64, part int, floor evidence.Offset, uncertainty int64) placed {
	length := c.micros(until) - c.micros(from)
	wanted, method, ok := c.at(from)
	if !ok {
		wanted, method = max(p.end, floor), methodArrival
	}
	var out placed
	switch {
	case p.started && from == p.media:
		step := int64(wanted - p.end)
		if step > int64(stallAfter/time.Microsecond) && c.arrival.full() && method == p.method {
			out.stall = evidence.Range{From: p.end, Until: wanted}
			out.start = wanted
		} else {
			out.start = p.end
		}
	default:
		out.start = max(wanted, p.end, floor)
	}
	out.end = out.start + evidence.Offset(length)
	if out.stall == (evidence.Range{}) && ok && p.started && from == p.media {
		// Drift of the source's clock is taken into the segment's length.
		limit := int64(slew / time.Microsecond)
		step := min(max(int64(wanted-out.start), -limit), limit)
		out.end = max(out.end+evidence.Offset(step), out.start+1)
	}
	if p.worthAnchor(c, from, out.start, part) {
		out.anchor = &evidence.Anchor{Part: part, DecodeTime: hexTime(from), At: out.start, Uncertainty: uncertainty, Method: method}
		p.anchored, p.anchor, p.anchorAt = true, *out.anchor, from
	}
	p.started, p.media, p.end, p.method = true, until, out.end, method
	return out
}

// worthAnchor reports whether running on from the last anchor would be wrong.
func (p *placement) worthAnchor(c *trackClock, from int64, start evidence.Offset, part int) bool {
	if !p.anchored || p.anchor.Part != part {
		return true
	}
	run := c.micros(from) - c.micros(p.anchorAt)
	off := int64(start-p.anchor.At) - run
	return off > int64(anchorStep/time.Microsecond) || off < -int64(anchorStep/time.Microsecond) || run > int64(anchorEvery/time.Microsecond)
}

// newPart forgets where media time stood, but not interview time.
func (p *placement) newPart() { p.started = false }

// offset maps a media time at or behind the last segment's end.
func (p *placement) offset(c *trackClock, media int64) evidence.Offset {
	if p.started {
		return p.end + evidence.Offset(c.micros(media)-c.micros(p.media))
	}
	if at, _, ok := c.at(media); ok {
		return max(at, p.end)
	}
	return p.end
}

// ticks converts microseconds to media time.
func (c *trackClock) ticks(micros int64) int64 {
	return micros/1_000_000*c.timescale + micros%1_000_000*c.timescale/1_000_000
}

// media is the inverse of at.
func (c *trackClock) media(at evidence.Offset) (int64, bool) {
	if c.reported {
		if d, _, ok := c.source.toInterview(); ok {
			return c.reportedMedia + c.ticks(int64(at)-d-c.ntp), true
		}
	}
	d, ok := c.arrival.least()
	return c.ticks(int64(at) - d), ok
}
