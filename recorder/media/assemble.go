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
	codec  depacketiser
	codecs map[uint8]depacketiser // by payload type; nil: codec has all of them
	kind   uint8                  // payload type of codec, where there are several
	chosen bool                   // kind is known
	turned bool                   // the codec changed, and no frame to begin with came since

	group  []Packet
	broken bool // packets of the group are missing, or its beginning is not known
	closed bool // its last packet was marked

	prevTime  int64 // of the last group, whole or damaged
	prevKnown bool
	ended     bool // the last group is known to be complete up to its last packet

	spacing spacing
	hole    Hole
	inHole  bool
	between int64 // packets lost since the last group, before this one
	outside int64 // of those of the hole, the ones that were between groups
	padding bool  // the sender has sent packets without media

	// The sender's own numbering of frames, believed once it was seen to count.
	order  order // of the last whole frame
	agreed int   // frames that followed one another by it
	wrong  bool  // it was seen not to count

	out []output
}

// believe is how many frames have to follow one another by a sender's numbering
// before it is believed.
const believe = 3

// maxDamaged bounds what is kept of a damaged frame, in bytes.
const maxDamaged = 1 << 20

// output is a whole frame, with the hole before it if there is one; or what is
// there of a damaged one.
type output struct {
	frame   Frame
	hole    *Hole
	damaged *Damaged
}

func (a *assembler) push(p Packet) {
	if p.Gap > 0 || p.Break {
		a.lost(p)
	}
	if len(p.Payload) == 0 {
		a.padding = true
		return // it is in the way of nothing
	}
	if a.codecs != nil && (!a.chosen || p.Type != a.kind) && !a.turn(p.Type) {
		return
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

// turn changes to the codec of a payload type, and reports whether there is one.
func (a *assembler) turn(kind uint8) bool {
	codec := a.codecs[kind]
	if codec == nil {
		return false // nothing that was negotiated
	}
	a.finish() // the frame of the codec before ended here, marked or not
	a.turned = a.chosen
	a.codec, a.kind, a.chosen = codec, kind, true
	a.order = order{}
	return true
}

// lost handles the packets that were given up before p.
func (a *assembler) lost(p Packet) {
	inside := false
	if len(a.group) > 0 {
		switch {
		case p.Time == a.group[0].Time && !p.Break:
			a.broken, inside = true, true
		case a.closed:
			a.finish()
		default:
			a.broken = true // its end is lost
			a.finish()
		}
	}
	a.codec.resume()
	a.ended = false
	if p.Break {
		a.order = order{}
	}
	a.openHole(p.Gap)
	if !inside {
		a.between += p.Gap
	}
}

func (a *assembler) openHole(packets int64) {
	if !a.inHole {
		a.inHole = true
		a.hole = Hole{}
		a.outside = 0
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
		if err == nil && a.turned {
			if !frame.Key {
				err = errDamaged // nothing can decode it
			} else if a.turned = false; frame.Config == nil {
				frame.Config = a.codec.configuration()
			}
		}
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
	a.out = append(a.out, output{damaged: damagedOf(group)})
}

func damagedOf(group []Packet) *Damaged {
	d := &Damaged{Time: group[0].Time}
	size := 0
	for _, p := range group {
		if size += len(p.Payload); size > maxDamaged {
			d.Omitted = len(group) - len(d.Packets)
			break
		}
		d.Packets = append(d.Packets, p)
	}
	return d
}

func (a *assembler) whole(f Frame) {
	o := output{frame: f}
	if a.inHole {
		a.skipped(f.Time)
		a.countByOrder(f)
		hole := a.hole
		hole.Until = f.Time
		if hole.From == 0 {
			hole.From = f.Time
		}
		o.hole = &hole
		a.inHole = false
	} else if a.prevKnown {
		a.spacing.note(f.Time - a.prevTime)
		a.watchOrder(f.order)
	}
	if f.Length > 0 {
		a.spacing.exact(f.Length)
	}
	a.prevTime, a.prevKnown = f.Time, true
	a.order = f.order
	a.out = append(a.out, o)
}

// watchOrder compares the numbering with that of the frame before, where nothing
// is missing between.
func (a *assembler) watchOrder(o order) {
	switch {
	case !o.known || !a.order.known || o.restarts:
	case o.value == (a.order.value+1)%o.mod:
		a.agreed++
	default:
		a.wrong = true
	}
}

// countByOrder replaces what the spacing told of the hole before f by what the
// sender's own numbering does.
func (a *assembler) countByOrder(f Frame) {
	o, last := f.order, a.order
	if !o.known || !last.known || o.restarts || o.mod != last.mod || a.wrong || a.agreed < believe {
		return
	}
	// missing + damaged + 1 is the distance by number, but for multiples of mod.
	m := (o.value - last.value - 1 - a.hole.Damaged) % o.mod
	if m < 0 {
		m += o.mod
	}
	if m > a.outside {
		return // every missing frame had a packet
	}
	low, high := m, m+(a.outside-m)/o.mod*o.mod
	if a.codec.restarts() && o.value <= a.outside+a.hole.Damaged {
		// A frame at which the numbering begins anew may be among the missing.
		low, high = min(low, max(o.value-a.hole.Damaged, 0)), a.outside
	}
	if low == high {
		a.hole.Missing, a.hole.Uncertain = low, 0
		return
	}
	// The spacing may tell which of several it is.
	if from, to := max(low, a.hole.Missing), min(high, a.hole.Missing+a.hole.Uncertain); from <= to {
		a.hole.Missing, a.hole.Uncertain = from, to-from
	}
}

// skipped counts the frames that are missing between the last group and one at
// time, now that packets were lost between them.
func (a *assembler) skipped(time int64) {
	lost := a.between
	a.between = 0
	a.outside += lost
	if !a.prevKnown || lost == 0 {
		return
	}
	low, high, known := a.spacing.between(a.prevTime, time)
	switch {
	case known:
		low, high = min(low, lost), min(high, lost)
	case a.codec.single() && !a.padding:
		low, high = lost, lost
	default:
		low, high = 0, lost
	}
	if a.hole.From == 0 && high > 0 {
		a.hole.From = min(a.prevTime+max(a.spacing.typical(), 1), time)
	}
	a.hole.Missing += low
	a.hole.Uncertain += high - low
}

// cutOff ends the frames with packets that were lost, behind which nothing more
// is looked at.
func (a *assembler) cutOff(packets int64) {
	if len(a.group) > 0 {
		a.broken = a.broken || !a.closed
		a.finish()
	}
	a.openHole(packets)
	a.outside += packets
	if !a.prevKnown {
		return
	}
	if a.hole.From == 0 {
		a.hole.From = a.prevTime + max(a.spacing.typical(), 1)
	}
	if a.codec.single() && !a.padding {
		a.hole.Missing += packets
	} else {
		a.hole.Uncertain += packets
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
	if !a.inHole || a.hole.Damaged == 0 && a.hole.Missing == 0 && a.hole.Uncertain == 0 {
		return nil
	}
	a.inHole = false
	hole := a.hole
	hole.Until = max(a.prevTime, hole.From) + max(a.spacing.typical(), 1)
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
	recent [16]int64
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

// How many distances have to be known before others are judged by them: where
// they are all but the same, and where not.
const (
	enough       = 4
	enoughUneven = 10
)

// between bounds the number of frames that fit between two times, and says
// whether the spacing tells: at least and at most, if they lie about as far apart
// as those before did. What those differed by is allowed for twice over.
func (s *spacing) between(from, until int64) (low, high int64, known bool) {
	t := until - from
	if t <= 0 {
		return 0, 0, t == 0
	}
	shortest, longest := s.length, s.length
	if s.length == 0 {
		n := min(s.n, len(s.recent))
		if n < enough {
			return 0, 0, false
		}
		shortest, longest = slices.Min(s.recent[:n]), slices.Max(s.recent[:n])
		off := longest - shortest + 1 // a tick of rounding
		if off > longest/20 && n < enoughUneven {
			return 0, 0, false
		}
		shortest, longest = shortest-off, longest+off
	}
	if shortest <= 0 {
		return 0, 0, false
	}
	low, high = max((t+longest-1)/longest, 1), t/shortest
	return low - 1, high - 1, low <= high
}
