package media

import (
	"errors"
	"time"

	"github.com/pion/rtp"
)

// Limits of the ledger.
const (
	// Horizon is how long a missing packet is waited for, Patience how long from
	// a sender that repeats nothing.
	Horizon  = 2500 * time.Millisecond
	Patience = 400 * time.Millisecond

	reorderTolerance = 10 * time.Millisecond // before the first request
	maxTries         = 24
	minPace          = 20 * time.Millisecond
	maxPace          = 200 * time.Millisecond
	defaultRoundTrip = 50 * time.Millisecond

	minWindow = 256           // slots, a power of two
	maxWindow = 1 << 14       // slots: 2.5 s of 6500 packets a second
	maxJump   = maxWindow / 2 // between packets of one numbering

	// lead is how many packets before the first one that arrived are asked
	// for: if the first ones of a stream are lost, nothing else shows it.
	lead      = 32
	leadTries = 5
	// tail is how many packets after the last one are asked for when a stream
	// falls silent, for the same reason.
	tail      = 16
	tailTries = 5
)

// Counts of packets. A packet is counted once, where its place in the stream is
// decided; duplicates when they arrive.
type Counts struct {
	Received  int64 // distinct packets, those of Recovered included
	Recovered int64 // arrived after they were asked for
	Reordered int64 // arrived out of order without having been asked for
	Lost      int64 // given up
	Duplicate int64
	Padding   int64 // received, without media
	Late      int64 // arrived after they were given up; in Lost, not in Received
}

// ErrNotRTP is returned for bytes that are no RTP packet.
var ErrNotRTP = errors.New("not an RTP packet")

type slotState uint8

const (
	empty slotState = iota
	have
	missing
	probed // missing, but maybe never sent
)

type slot struct {
	packet Packet
	since  time.Duration // when it was found missing
	next   time.Duration // when to ask
	asked  time.Duration // when first asked
	tries  int
	state  slotState
}

type arrived struct {
	at  time.Duration
	seq uint16
	raw []byte
}

// Ledger accounts for every packet of one RTP stream: it restores order, finds
// what is missing, says what to ask for again and when, and gives up after
// [Horizon]. Retransmissions arrive in the stream itself (RFC 4585 generic
// NACK): with RTX they would not be seen here.
type Ledger struct {
	seq  seqUnwrapper
	time timeUnwrapper

	horizon time.Duration
	repairs bool

	slots []slot // ring, indexed by sequence number
	next  int64  // the next to be released
	high  int64  // the highest that arrived
	gap   int64  // packets given up since the last release

	broken bool // the numbering began anew since the last release

	dueAt   time.Duration // nothing is to be asked before, valid if open > 0
	open    int           // slots that are missing or probed
	leading bool          // nothing was released yet

	// A jump of the numbering is believed once a second packet follows it (RFC
	// 3550 appendix A.1); what came after it waits until all from before is
	// released.
	jump     []arrived
	believed bool

	lastAt    time.Duration
	longest   time.Duration // time between packets, a decaying maximum
	tailTries int
	tailAt    time.Duration

	rtt      time.Duration // as told; 0: unknown
	measured time.Duration // smoothed, from the first request for a packet to its arrival; 0: unknown
	counts   Counts
	dups     []int64 // numbers of duplicates since they were taken
	lates    []int64
	header   rtp.Header
	started  bool
}

// NewLedger returns a ledger for one stream (one SSRC). repairs says whether the
// sender repeats packets; if not, none are asked for.
func NewLedger(repairs bool) *Ledger {
	l := &Ledger{slots: make([]slot, minWindow), horizon: Horizon, repairs: true}
	if !repairs {
		l.horizon, l.repairs = Patience, false
	}
	return l
}

func (l *Ledger) slot(seq int64) *slot { return &l.slots[seq&int64(len(l.slots)-1)] }

// High is the highest sequence number that arrived, unwrapped; 0 before any.
func (l *Ledger) High() int64 { return l.high }

// Settled reports whether everything up to seq was released or given up.
func (l *Ledger) Settled(seq int64) bool { return !l.started || l.next > seq }

// Counts so far.
func (l *Ledger) Counts() Counts { return l.counts }

// SetRoundTrip tells a measurement from elsewhere, such as ICE.
func (l *Ledger) SetRoundTrip(rtt time.Duration) {
	if rtt > 0 {
		l.rtt = rtt
	}
}

// Push takes a packet, which it keeps. The header stays readable through
// [Ledger.Header] until the next Push. The error wraps [ErrNotRTP].
func (l *Ledger) Push(now time.Duration, raw []byte) error {
	payload, err := parse(&l.header, raw)
	if err != nil {
		return errors.Join(ErrNotRTP, err)
	}
	seq := l.seq.peek(l.header.SequenceNumber)
	if !l.started {
		l.begin(now, seq)
	} else if l.jumps(now, seq, raw) {
		return nil
	}
	l.place(now, seq, payload)
	return nil
}

// place puts the packet of l.header where it belongs.
func (l *Ledger) place(now time.Duration, seq int64, payload []byte) {
	if seq < l.next {
		// Released already, or given up: which of them is no longer known once
		// its slot was used again.
		if s := l.slot(seq); s.state == empty && s.packet.Seq == -seq {
			s.packet.Seq = 0
			l.counts.Late++
			l.lates = odd(l.lates, seq)
		} else {
			l.counts.Duplicate++
			l.dups = odd(l.dups, seq)
		}
		return
	}
	l.reserve(seq)
	s := l.slot(seq)
	if s.state == have {
		l.counts.Duplicate++
		l.dups = odd(l.dups, seq)
		return
	}
	p := Packet{
		Seq: seq, Time: l.time.peek(l.header.Timestamp), Arrival: now,
		Marker: l.header.Marker, Type: l.header.PayloadType, Payload: payload,
		Again: s.tries > 0, Late: seq < l.high && s.tries == 0,
	}
	if s.state == missing || s.state == probed {
		l.open--
		if s.tries > 0 && s.tries <= 3 {
			l.measure(now - s.asked)
		}
	}
	if s.state == probed {
		l.extendLead(now, seq)
		s = l.slot(seq)
	}
	for m := l.high + 1; m < seq; m++ {
		*l.slot(m) = slot{state: missing, since: now, next: now + reorderTolerance}
		l.open++
		l.due(now + reorderTolerance)
	}
	*s = slot{state: have, packet: p}
	if seq > l.high {
		l.high = seq
		l.seq.note(seq)
		l.time.note(p.Time)
		l.pace(now)
	}
}

func odd(list []int64, seq int64) []int64 {
	if len(list) < maxOddities {
		list = append(list, seq)
	}
	return list
}

// takeOddities returns the numbers of the duplicates and of the packets that came
// too late, since it was last called.
func (l *Ledger) takeOddities() (dups, lates []int64) {
	dups, lates = l.dups, l.lates
	l.dups, l.lates = nil, nil
	return dups, lates
}

// Header is that of the last packet pushed.
func (l *Ledger) Header() *rtp.Header { return &l.header }

func (l *Ledger) begin(now time.Duration, seq int64) {
	l.started, l.leading = true, true
	l.seq.note(seq)
	l.high = seq - 1
	l.next, l.lastAt = seq, now
	if !l.repairs {
		return
	}
	l.next = seq - lead
	for m := l.next; m < seq; m++ {
		*l.slot(m) = slot{state: probed, since: now, next: now + reorderTolerance}
	}
	l.open = lead
	l.dueAt = now + reorderTolerance
}

// extendLead asks for more packets before the first, now that one was found
// near the edge of what was asked for.
func (l *Ledger) extendLead(now time.Duration, seq int64) {
	if !l.leading {
		return
	}
	// Everything between a packet that existed and the first is a real loss.
	for m := seq + 1; m < l.high; m++ {
		if s := l.slot(m); s.state == probed {
			s.state = missing
		}
	}
	from := seq - lead
	if from >= l.next || l.high-from >= maxWindow {
		return
	}
	old := l.next
	l.next = from
	l.reserve(l.high)
	for m := from; m < old; m++ {
		*l.slot(m) = slot{state: probed, since: now, next: now + reorderTolerance}
		l.open++
	}
	l.due(now + reorderTolerance)
}

// jumps reports whether the packet lies so far from the others that it is set
// aside: as a stray one, or as the beginning of a new numbering.
func (l *Ledger) jumps(now time.Duration, seq int64, raw []byte) bool {
	if d := seq - l.high; !l.believed && d < maxJump && d > -maxJump {
		l.jump = l.jump[:0]
		return false
	}
	a := arrived{at: now, seq: uint16(seq), raw: raw}
	switch {
	case l.believed:
		if len(l.jump) < maxWindow {
			l.jump = append(l.jump, a)
		}
	case len(l.jump) == 1 && a.seq == l.jump[0].seq+1:
		l.jump = append(l.jump, a)
		l.believed = true
		l.GiveUp()
	default:
		l.jump = append(l.jump[:0], a)
	}
	return true
}

// land starts the new numbering after everything of the old one was released.
func (l *Ledger) land() {
	waiting := l.jump
	l.jump, l.believed = nil, false
	l.seq = seqUnwrapper{last: l.high + maxWindow, started: true}
	first := l.seq.peek(waiting[0].seq)
	l.next, l.high = first, first-1
	l.broken = true
	for _, a := range waiting {
		if payload, err := parse(&l.header, a.raw); err == nil {
			l.place(a.at, l.seq.peek(a.seq), payload)
		}
	}
}

// reserve makes the window wide enough for seq.
func (l *Ledger) reserve(seq int64) {
	n := len(l.slots)
	for seq-l.next >= int64(n) && n < maxWindow {
		n *= 2
	}
	if n != len(l.slots) {
		old := l.slots
		l.slots = make([]slot, n)
		for m := max(l.next, l.high-int64(len(old))+1); m <= l.high; m++ {
			*l.slot(m) = old[m&int64(len(old)-1)]
		}
	}
	for seq-l.next >= int64(n) { // wider than allowed: the oldest are given up
		s := l.slot(l.next)
		if s.state == have {
			l.counts.Lost++
			l.gap++
			*s = slot{}
		} else {
			l.giveUp(s, l.next)
		}
		l.next++
	}
}

func (l *Ledger) giveUp(s *slot, seq int64) {
	switch s.state {
	case missing:
		l.open--
		l.gap++
		l.counts.Lost++
	case probed:
		l.open--
	}
	*s = slot{packet: Packet{Seq: -seq}} // remembered for Late
}

func (l *Ledger) due(at time.Duration) {
	if l.open == 1 || at < l.dueAt {
		l.dueAt = at
	}
}

func (l *Ledger) measure(d time.Duration) {
	if l.measured == 0 {
		l.measured = d
	} else {
		l.measured += (d - l.measured) / 8
	}
}

// pace notes that the stream is alive, and when its silence would be odd.
func (l *Ledger) pace(now time.Duration) {
	l.longest = max(min(now-l.lastAt, 500*time.Millisecond), l.longest-l.longest/64)
	l.lastAt = now
	l.tailTries = 0
	l.tailAt = now + 50*time.Millisecond + l.longest*3/2
}

// Pop returns the next packet in order. It returns false while the next one is
// missing and still waited for.
func (l *Ledger) Pop(now time.Duration) (Packet, bool) {
	for l.started {
		if l.next > l.high {
			if !l.believed {
				break
			}
			l.land()
			continue
		}
		s := l.slot(l.next)
		switch s.state {
		case have:
			p := s.packet
			p.Gap, l.gap = l.gap, 0
			p.Break, l.broken = l.broken, false
			*s = slot{}
			l.next++
			l.leading = false
			l.count(p)
			return p, true
		case missing:
			if now-s.since < l.horizon {
				return Packet{}, false
			}
		case probed:
			if (s.tries < leadTries || now < s.next) && now-s.since < l.horizon {
				return Packet{}, false
			}
		}
		l.giveUp(s, l.next)
		l.next++
	}
	return Packet{}, false
}

func (l *Ledger) count(p Packet) {
	l.counts.Received++
	switch {
	case p.Again:
		l.counts.Recovered++
	case p.Late:
		l.counts.Reordered++
	}
	if len(p.Payload) == 0 {
		l.counts.Padding++
	}
}

// GiveUp stops waiting for everything that is missing, so that Pop returns all
// that is there. Use it at the end of a stream.
func (l *Ledger) GiveUp() {
	for m := l.next; l.started && m <= l.high; m++ {
		if s := l.slot(m); s.state == missing || s.state == probed {
			s.since = -Horizon << 10
			s.tries = maxTries
			s.next = 0
		}
	}
}

// Requests appends to dst the sequence numbers to ask for now.
func (l *Ledger) Requests(now time.Duration, dst []uint16) []uint16 {
	dst = l.tailRequests(now, dst)
	if l.open == 0 || now < l.dueAt {
		return dst
	}
	l.dueAt = now + l.horizon
	for m := l.next; m <= l.high; m++ {
		s := l.slot(m)
		if s.state != missing && s.state != probed {
			continue
		}
		limit := maxTries
		if s.state == probed {
			limit = leadTries
		}
		if !l.repairs {
			limit = 0
		}
		if now >= s.next && s.tries < limit {
			if s.tries++; s.tries == 1 {
				s.asked = now
			}
			s.next = now + l.wait(s.tries)
			dst = append(dst, uint16(m))
		}
		at := s.since + l.horizon
		if s.tries < limit || s.state == probed {
			at = min(at, s.next)
		}
		l.dueAt = min(l.dueAt, at)
	}
	return dst
}

// wait is how long after the n-th request the next one may follow: a round trip
// at least, more and more of it, so that the tries last over an outage.
func (l *Ledger) wait(n int) time.Duration {
	// Media may take longer than the checks of ICE, and repairs longer than both.
	rtt := max(l.rtt, l.measured)
	if rtt == 0 {
		rtt = defaultRoundTrip
	}
	d := max(minPace, rtt+rtt/8+5*time.Millisecond)
	if n > 6 {
		d += d * time.Duration(n-6) / 4
	}
	return min(d, max(maxPace, rtt*3/2))
}

func (l *Ledger) tailRequests(now time.Duration, dst []uint16) []uint16 {
	if !l.started || !l.repairs || l.tailTries >= tailTries || now < l.tailAt {
		return dst
	}
	l.tailTries++
	l.tailAt = now + l.wait(l.tailTries)*time.Duration(l.tailTries)
	for m := l.high + 1; m <= l.high+tail; m++ {
		dst = append(dst, uint16(m))
	}
	return dst
}

// Due returns when Requests or Pop may have something new without a further
// packet, and false if never.
func (l *Ledger) Due() (time.Duration, bool) {
	at, ok := l.dueAt, l.open > 0
	if l.started && l.repairs && l.tailTries < tailTries && (!ok || l.tailAt < at) {
		at, ok = l.tailAt, true
	}
	return at, ok
}

// quiet reports whether nothing is missing and asking for what may have come
// last brought nothing.
func (l *Ledger) quiet() bool {
	return !l.started || l.open == 0 && l.next > l.high && (l.tailTries >= 2 || !l.repairs)
}
