package recorder

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/ingest"
)

// device is a camera in simulated time: its clock, its encoder and its link.
type device struct {
	ahead   time.Duration // its clock
	ppm     float64       // by which it runs fast
	encode  time.Duration // from capture to sending
	link    time.Duration // one way, at least
	jitter  time.Duration // more, at random
	stepsAt time.Duration // when its clock is set; 0: never
	steps   time.Duration

	rnd   *rand.Rand
	clock trackClock
	place placement

	worst  time.Duration // how far a segment was put from where it was captured
	stalls int
	seen   int // of clock steps
}

// reads is what its clock says at a time.
func (d *device) reads(at time.Duration) time.Duration {
	t := 24*time.Hour + at + d.ahead + time.Duration(float64(at)*d.ppm/1e6)
	if d.stepsAt > 0 && at >= d.stepsAt {
		t += d.steps
	}
	return t
}

// media is the media time of what it captures at a time: by the same quartz, but
// never set.
func (d *device) media(at time.Duration) int64 {
	return 1<<32 + int64((at+time.Duration(float64(at)*d.ppm/1e6))*90/time.Millisecond)
}

func (d *device) wait() time.Duration {
	return d.link + time.Duration(d.rnd.Int64N(int64(d.jitter)+1))
}

// run sends frames and reports for a length; interview time begins at zero.
func (d *device) run(length time.Duration) {
	d.clock = trackClock{timescale: 90000, source: newSourceClock(func() int64 { return 0 })}
	type event struct {
		at  time.Duration
		act func()
	}
	var events []event
	add := func(at time.Duration, act func()) { events = append(events, event{at, act}) }
	const frame = 33 * time.Millisecond
	for at := 100 * time.Millisecond; at < length; at += frame {
		media, arrival := d.media(at), at+d.encode+d.wait()
		add(arrival, func() { d.clock.note(evidence.OffsetOf(arrival), media) })
	}
	for at := 50 * time.Millisecond; at < length; at += time.Second {
		wall, media, arrival := d.reads(at), d.media(at), at+d.wait()
		ntp := uint64(wall/time.Second+4_000_000_000)<<32 | uint64(wall%time.Second)<<32/uint64(time.Second)
		trip := d.wait() + d.wait()
		add(arrival, func() {
			d.clock.report(ingest.SenderReport{NTP: ntp, RTP: uint32(media)}, media)
			if d.clock.source.report(arrival, ntp) {
				d.seen++
			}
			d.clock.source.trip(arrival, trip)
		})
	}
	for at := 2 * time.Second; at+2*time.Second < length; at += 2 * time.Second {
		from, until := d.media(at), d.media(at+2*time.Second)
		closed := at + 2*time.Second + d.encode + d.link + d.jitter
		add(closed, func() {
			p := d.place.place(&d.clock, from, until, 1, 0, 1000)
			if p.stall.Valid() {
				d.stalls++
			}
			off := p.start.Duration() - at
			// The first seconds are there to measure in.
			if at > 10*time.Second && (d.stepsAt == 0 || at < d.stepsAt || at > d.stepsAt+40*time.Second) {
				d.worst = max(d.worst, off, -off)
			}
		})
	}
	// In order of time.
	for len(events) > 0 {
		first := 0
		for i := range events {
			if events[i].at < events[first].at {
				first = i
			}
		}
		events[first].act()
		events = append(events[:first], events[first+1:]...)
	}
}

// Sources of several devices are put where they were captured, whatever their clocks
// say, however slow their encoders and links are.
func TestDevicesAreAlignedByTheirClocks(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]*device{
		"at hand":             {link: time.Millisecond, jitter: 2 * time.Millisecond, encode: 10 * time.Millisecond},
		"hours ahead":         {ahead: 3 * time.Hour, link: 5 * time.Millisecond, jitter: 5 * time.Millisecond, encode: 40 * time.Millisecond},
		"behind, slow link":   {ahead: -40 * time.Second, link: 120 * time.Millisecond, jitter: 30 * time.Millisecond, encode: 80 * time.Millisecond},
		"runs fast":           {ppm: 100, link: 20 * time.Millisecond, jitter: 10 * time.Millisecond, encode: 150 * time.Millisecond},
		"runs slow":           {ppm: -100, link: 20 * time.Millisecond, jitter: 10 * time.Millisecond, encode: 20 * time.Millisecond},
		"its clock is put on": {link: 10 * time.Millisecond, jitter: 5 * time.Millisecond, encode: 20 * time.Millisecond, stepsAt: 70 * time.Second, steps: time.Hour},
		"its clock is put back": {link: 10 * time.Millisecond, jitter: 5 * time.Millisecond, encode: 20 * time.Millisecond, stepsAt: 70 * time.Second,
			steps: -time.Hour},
	} {
		d.rnd = rand.New(rand.NewPCG(1, 2))
		d.run(2 * time.Minute)
		if d.worst > 20*time.Millisecond { // two of them are then within 40
			t.Errorf("%s: put %s from where it was captured", name, d.worst)
		}
		if d.stalls > 0 {
			t.Errorf("%s: %d stalls of a capture that never stood still", name, d.stalls)
		}
		if want := d.steps < 0; (d.seen > 0) != want {
			t.Errorf("%s: %d steps back of its clock were seen", name, d.seen)
		}
		if _, within, ok := d.clock.source.offset(); !ok || time.Duration(within)*time.Microsecond > d.link+d.jitter {
			t.Errorf("%s: known within %d µs", name, within)
		}
	}
}

// Reports that do not fit what arrives are not believed.
func TestReportsThatCannotBeAreNotBelieved(t *testing.T) {
	for name, ntp := range map[string]time.Duration{"of a time to come": 10 * time.Second, "long after capture": -30 * time.Second} {
		c := trackClock{timescale: 90000, source: newSourceClock(func() int64 { return 0 })}
		for i := range 200 {
			at := time.Duration(i) * 33 * time.Millisecond
			media := int64(1<<32) + int64(at*90/time.Millisecond)
			if i%30 == 0 {
				// What the report says of its sending and of the frame do not go together.
				stamp := func(d time.Duration) uint64 {
					return uint64(d/time.Second+4_000_000_000)<<32 | uint64(d%time.Second)<<32/uint64(time.Second)
				}
				c.report(ingest.SenderReport{NTP: stamp(at + time.Hour), RTP: uint32(media + int64(ntp*90/time.Millisecond))}, media)
				c.source.report(at, stamp(at+time.Hour))
				c.source.trip(at, 2*time.Millisecond)
			}
			c.note(evidence.OffsetOf(at+5*time.Millisecond), media)
		}
		at, _, ok := c.at(int64(1<<32) + 90*6000)
		if off := at.Duration() - 6*time.Second; !ok || off < -captureMost || off > 10*time.Millisecond {
			t.Errorf("%s: %s off", name, off)
		}
	}
}
