package media

import (
	"slices"
	"time"
)

// settle is how long a frame whose last packet is marked waits for more packets
// of its time: some senders mark every slice.
const settle = 60 * time.Millisecond

// assembler groups packets in order into frames. A group is the packets of one
// timestamp; it is a frame if nothing is missing inside, its first packet is
// known to be the first, its last to be the last, and the codec agrees.
type assembler struct {
	codec depacketiser

	group  []Packet
	broken bool // packets of the group are missing, or its beginning is not known
	closed bool // its last packet was marked

	prevTime  int64 // of the last group, whole or damaged
	prevKnown bool
	ended     bool // the last group is known to be complete up to its last packet

	spacing spacing
	hole    Hole
	inHole  bool

	out []output
}

// output is a whole frame, with the hole before it if there is one.
type output struct {
	frame Frame
	hole  *Hole
}

func (a *assembler) push(p Packet) {
	if p.Gap > 0 || p.Break {
		a.lost(p)
	}
	if len(p.Payload) == 0 {
		return // padding is in the way of nothing
	}
	if len(a.group) > 0 && (p.Time != a.group[0].Time || a.codec.single()) {
		// The next frame began right behind it, so it was the last packet even
		// without a mark.
		a.finish()
	}
	if len(a.group) == 0 {
		a.broken = !a.ended && !(a.codec.single() || a.codec.starts(p.Payload))
	}
	a.group = append(a.group, p)
	a.closed = p.Marker
	if a.codec.single() {
		a.closed = true
		a.finish()
	}
}

// lost handles the packets that were given up before p.
func (a *assembler) lost(p Packet) {
	if len(a.group) > 0 {
		switch {
		case p.Time == a.group[0].Time:
			a.broken = true // inside the frame
		case a.closed:
			a.finish()
		default:
			a.broken = true // its end is lost
			a.finish()
		}
	}
	a.codec.resume()
	a.ended = false
	a.openHole(p.Gap)
}

func (a *assembler) openHole(packets int64) {
	if !a.inHole {
		a.inHole = true
		a.hole = Hole{}
	}
	a.hole.Packets += packets
}

// finish decides the group that is open.
func (a *assembler) finish() {
	group := a.group
	a.group = a.group[:0]
	if len(group) == 0 {
		return
	}
	a.ended = true
	time := group[0].Time
	if !a.broken {
		frame, err := a.codec.assemble(group)
		switch err {
		case nil:
			frame.Time = time
			frame.First, frame.Last = group[0].Seq, group[len(group)-1].Seq
			frame.Arrival = group[0].Arrival
			for _, p := range group {
				frame.Arrival = min(frame.Arrival, p.Arrival)
			}
			a.whole(frame)
			return
		case errNotFrame:
			return
		}
	}
	// Seen in part.
	a.openHole(0)
	a.skipped(time)
	a.hole.Damaged++
	if a.hole.From == 0 {
		a.hole.From = time
	}
	a.prevTime, a.prevKnown = time, true
}

func (a *assembler) whole(f Frame) {
	o := output{frame: f}
	if a.inHole {
		a.skipped(f.Time)
		hole := a.hole
		hole.Until = f.Time
		if hole.From == 0 {
			hole.From = f.Time
		}
		o.hole = &hole
		a.inHole = false
	} else if a.prevKnown {
		a.spacing.note(f.Time - a.prevTime)
	}
	if f.Length > 0 {
		a.spacing.exact(f.Length)
	}
	a.prevTime, a.prevKnown = f.Time, true
	a.out = append(a.out, o)
}

// skipped counts the frames that are missing between the last group and one at
// time, now that packets were lost between them.
func (a *assembler) skipped(time int64) {
	if !a.prevKnown || a.hole.Packets == 0 {
		return
	}
	n, known := a.spacing.between(a.prevTime, time)
	if a.hole.From == 0 && (n > 0 || !known) {
		a.hole.From = a.prevTime + a.spacing.typical()
	}
	switch {
	case !known || a.hole.Missing < 0:
		a.hole.Missing = -1
	default:
		a.hole.Missing += min(n, a.hole.Packets)
	}
}

// flush decides what is open at an end. A frame of which the end is not there is
// damaged if nothing more will come, and left alone otherwise.
func (a *assembler) flush(final bool) {
	if len(a.group) > 0 && !a.closed {
		if !final {
			return
		}
		a.broken = true
	}
	a.finish()
}

// leave ends the hole that is open, if frames are known to be in it.
func (a *assembler) leave() *Hole {
	if !a.inHole || a.hole.Damaged == 0 && a.hole.Missing == 0 {
		return nil
	}
	a.inHole = false
	hole := a.hole
	hole.Until = max(a.prevTime+a.spacing.typical(), hole.From)
	return &hole
}

// idle decides a marked group that got no more packets.
func (a *assembler) idle(now time.Duration) {
	if at, ok := a.due(); ok && now >= at {
		a.finish()
	}
}

// due says when idle has something to do.
func (a *assembler) due() (time.Duration, bool) {
	if len(a.group) == 0 || !a.closed || a.broken {
		return 0, false
	}
	return a.group[len(a.group)-1].Arrival + settle, true
}

// spacing is what is known of the time between frames of a stream.
type spacing struct {
	recent [9]int64
	n      int
	length int64
}

func (s *spacing) note(d int64) {
	if d > 0 {
		s.recent[s.n%len(s.recent)] = d
		s.n++
	}
}

func (s *spacing) exact(d int64) { s.length = d }

func (s *spacing) typical() int64 {
	if s.length > 0 {
		return s.length
	}
	n := min(s.n, len(s.recent))
	if n == 0 {
		return 0
	}
	sorted := s.recent
	slices.Sort(sorted[:n])
	return sorted[n/2]
}

// between counts the frames that fit between two times, and whether the spacing
// is regular enough to say.
func (s *spacing) between(from, until int64) (int64, bool) {
	d := s.typical()
	if d == 0 || until <= from {
		return 0, until == from
	}
	if s.length == 0 {
		for _, r := range s.recent[:min(s.n, len(s.recent))] {
			if r < d*3/4 || r > d*5/4 {
				return 0, false
			}
		}
	}
	frames := (until - from + d/2) / d
	if off := until - from - frames*d; off > d/4 || off < -d/4 {
		return 0, false
	}
	return max(frames-1, 0), true
}
