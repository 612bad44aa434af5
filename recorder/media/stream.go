package media

import (
	"fmt"
	"strings"
	"time"
)

// Format is what a stream was negotiated as.
type Format struct {
	MIME  string // "video/H264", "video/VP9", "video/AV1", "audio/opus"; case does not matter
	Video bool
	// ParameterSets are H.264 sets that were sent in the SDP, if any.
	SPS, PPS [][]byte
	// Repairs: the sender repeats packets that it is asked for (generic NACK).
	Repairs bool
	// LevelID is the negotiated id of the RFC 6464 header extension; 0: none.
	LevelID uint8
	// Codecs are all that were negotiated, if the sender may change between them
	// by payload type; MIME is then the one that it begins with.
	Codecs []Codec
}

// Codec is what packets of one payload type are.
type Codec struct {
	Type     uint8
	MIME     string
	SPS, PPS [][]byte // as of [Format]
}

// Tally is what a stream came to.
type Tally struct {
	Packets Counts
	Whole   int64
	Damaged int64
	Missing int64 // that many are missing for certain
	// Uncertain is how many more may be missing at most: see [Hole].
	Uncertain int64
	Bytes     int64 // of whole frames
}

// Output is what a stream yields: a whole frame, with the hole before it if
// frames are missing there; at the end maybe a hole alone, with a Frame that
// has no Data. A frame that was seen in part comes alone and before its hole.
type Output struct {
	Frame   Frame
	Hole    *Hole
	Damaged *Damaged
}

// Stream takes the packets of one RTP stream and yields its frames, from when
// it is opened to when it is shut. It measures all the time.
type Stream struct {
	format Format
	ledger *Ledger
	asm    assembler

	all  Tally // since the stream began
	kept Tally // since it was last opened

	gate     gate
	from, to int64 // sequence numbers: kept are frames that begin after from and end by to
	dup      int64 // duplicates and late ones when it was opened
	late     int64
	config   Config // the newest
	fresh    bool   // the next frame that is kept carries the configuration

	level   int // loudest since it was last read, dBov; -128: none
	queue   []Output
	pending Fates // of packets since the last frame was decided
	log     Fates // of packets that are in kept and were not taken by TakeFates
	final   bool  // the sender is gone: what is not there will not come
	aside   []aside
}

// maxAside bounds how many frames [Stream.Hold] sets aside: a minute of sound.
const maxAside = 3000

type aside struct {
	output output
	fates  Fates
}

type gate uint8

const (
	shut    gate = iota // measuring only
	held                // frames are set aside until it is known whether they are kept
	waiting             // for a frame to begin with
	open
	closing // what was sent before the end is still waited for
)

// NewStream returns a stream that is shut. The error says which codec it does
// not know.
func NewStream(f Format) (*Stream, error) {
	s := &Stream{format: f, ledger: NewLedger(f.Repairs), level: -128}
	if s.asm.codec = newDepacketiser(f.MIME, f.SPS, f.PPS); s.asm.codec == nil {
		return nil, fmt.Errorf("no depacketiser for %s", f.MIME)
	}
	for _, c := range f.Codecs {
		if s.asm.codecs == nil {
			s.asm.codecs = map[uint8]depacketiser{}
		}
		if d := newDepacketiser(c.MIME, c.SPS, c.PPS); d != nil && d.single() == s.asm.codec.single() {
			s.asm.codecs[c.Type] = d
		}
	}
	return s, nil
}

func newDepacketiser(mime string, sps, pps [][]byte) depacketiser {
	switch strings.ToLower(mime) {
	case "video/h264":
		return newH264(sps, pps)
	case "video/vp9":
		return &vp9{}
	case "video/av1":
		return &av1{}
	case "audio/opus":
		return &opusDepacketiser{}
	}
	return nil
}

// Open begins to keep frames: those that are sent from now on, for video from
// the next random access point.
func (s *Stream) Open() {
	if s.gate == open || s.gate == waiting {
		return
	}
	s.gate, s.from, s.fresh = waiting, s.ledger.High(), true
	s.kept, s.log = Tally{}, Fates{}
}

// Hold is [Stream.Open], but the frames are set aside until [Stream.Release]:
// sound begins with the picture of its source, which is known only later.
func (s *Stream) Hold() {
	if s.gate == shut {
		s.Open()
		s.gate = held
	}
}

// Holding reports whether frames are set aside.
func (s *Stream) Holding() bool { return s.gate == held }

// Release keeps the frames set aside that arrived at or after from, and those
// that follow.
func (s *Stream) Release(from time.Duration) {
	if s.gate != held {
		return
	}
	s.gate = waiting
	later := s.pending
	for _, a := range s.aside {
		if s.gate == waiting && a.output.frame.Arrival < from {
			continue
		}
		s.pending = a.fates
		s.keep(a.output)
	}
	s.aside, s.pending = nil, later
}

// Shut ends keeping with what was sent until now. [Stream.Pop] still yields
// what is waited for; [Stream.Closed] says when that is over.
func (s *Stream) Shut() {
	switch s.gate {
	case waiting, held:
		s.gate, s.aside = shut, nil
	case open:
		s.gate, s.to = closing, s.ledger.High()
	}
}

// Closed reports whether nothing more will be kept.
func (s *Stream) Closed() bool { return s.gate == shut }

// Waiting reports whether the stream is open but no frame to begin with came.
func (s *Stream) Waiting() bool { return s.gate == waiting }

// Push takes a packet, which it keeps.
func (s *Stream) Push(now time.Duration, raw []byte) error {
	if err := s.ledger.Push(now, raw); err != nil {
		return err
	}
	if id := s.format.LevelID; id != 0 {
		// RFC 6464 section 3: one bit of voice activity, 7 bits of -dBov.
		if b := s.ledger.Header().GetExtension(id); len(b) > 0 {
			s.level = max(s.level, -int(b[0]&0x7f))
		}
	}
	return nil
}

// Level returns the loudest level since the last call, and whether any was sent.
func (s *Stream) Level() (dBov int, ok bool) {
	level := s.level
	s.level = -128
	return level, level > -128
}

// Pop returns the next frame that is kept. Call it until it returns false after
// every Push and whenever [Stream.Due] says so.
func (s *Stream) Pop(now time.Duration) (Output, bool) {
	for {
		if len(s.queue) > 0 {
			o := s.queue[0]
			s.queue = s.queue[1:]
			return o, true
		}
		s.queue = nil
		p, ok := s.ledger.Pop(now)
		if !ok {
			s.asm.idle(now)
			if s.collect(); len(s.queue) > 0 {
				continue
			}
			if s.gate == closing && s.ledger.Settled(s.to) {
				s.end()
				continue
			}
			return Output{}, false
		}
		if s.gate == closing && p.Seq > s.to {
			// Of what was given up before it, this much was sent before the end.
			if n := min(p.Gap, s.to-(p.Seq-p.Gap)+1); n > 0 {
				s.pending.add(p.Seq-p.Gap, FateLost, n)
				s.asm.cutOff(n)
				s.collect()
				p.Gap -= n
			}
			s.end()
		}
		s.take(p)
	}
}

func (s *Stream) take(p Packet) {
	// A packet that is a frame by itself is counted with that frame; any other
	// first decides the frame before it.
	if s.asm.codec.single() {
		s.pending.packet(p)
	}
	s.asm.push(p)
	s.collect()
	if !s.asm.codec.single() {
		s.pending.packet(p)
	}
}

// end decides what was sent before the end. A frame whose sending was under way
// at that moment is not part of it, unless the sender is gone and it is all that
// there will ever be.
func (s *Stream) end() {
	s.asm.flush(s.final)
	s.collect()
	if h := s.asm.leave(); h != nil {
		s.kept.hole(h)
		s.queue = append(s.queue, Output{Hole: h})
	}
	s.settle()
	s.gate = shut
}

// GiveUp stops waiting for what is missing. gone says that the sender is gone,
// so that a frame of which the end is not there is a damaged one.
func (s *Stream) GiveUp(gone bool) {
	s.ledger.GiveUp()
	if gone {
		s.final = true
		s.to = s.ledger.High()
	}
}

func (s *Stream) collect() {
	for _, o := range s.asm.out {
		s.account(o)
	}
	clear(s.asm.out)
	s.asm.out = s.asm.out[:0]
}

func (s *Stream) account(o output) {
	if o.damaged != nil {
		if s.gate == open || s.gate == closing {
			s.queue = append(s.queue, Output{Damaged: o.damaged})
		}
		return
	}
	f := o.frame
	if f.Config != nil {
		s.config = f.Config
	}
	s.all.frame(o)
	if s.gate == held {
		if f.First > s.from && len(s.aside) < maxAside {
			s.aside = append(s.aside, aside{output: o, fates: s.pending})
		}
		s.pending = Fates{}
		return
	}
	s.keep(o)
}

// keep passes a frame on if it is of what is kept.
func (s *Stream) keep(o output) {
	f := o.frame
	begins := f.First > s.from && f.Key && s.config != nil
	if s.gate == waiting && begins {
		s.gate = open
		s.dup, s.late = s.ledger.Counts().Duplicate, s.ledger.Counts().Late
		s.ledger.takeOddities()
		o.hole = nil
		// Those between it and the frame before are of neither.
		s.pending = s.pending.since(f.First)
	}
	if s.gate != open && s.gate != closing {
		s.pending = Fates{}
		return
	}
	if s.fresh {
		f.Config, s.fresh = s.config, false
	}
	s.settle()
	s.kept.frame(o)
	out := Output{Frame: f}
	if h := o.hole; h != nil && (h.Damaged > 0 || h.Missing > 0 || h.Uncertain > 0) {
		out.Hole = h
	}
	s.queue = append(s.queue, out)
}

// settle adds the packets since the last frame to what is kept.
func (s *Stream) settle() {
	k := &s.kept.Packets
	n := s.pending.counts()
	k.Received += n.Received
	k.Recovered += n.Recovered
	k.Reordered += n.Reordered
	k.Lost += n.Lost
	k.Padding += n.Padding
	c := s.ledger.Counts()
	k.Duplicate, k.Late = c.Duplicate-s.dup, c.Late-s.late
	s.log.append(s.pending)
	s.pending.reset()
}

// TakeFates returns what became of the packets that are counted in what is kept,
// since it was last called.
func (s *Stream) TakeFates() Fates {
	f := s.log
	s.log = Fates{}
	if s.gate == open || s.gate == closing {
		f.Duplicate, f.Late = s.ledger.takeOddities()
	}
	return f
}

func (t *Tally) frame(o output) {
	t.Whole++
	t.Bytes += int64(len(o.frame.Data))
	if o.hole != nil {
		t.hole(o.hole)
	}
}

func (t *Tally) hole(h *Hole) {
	t.Damaged += h.Damaged
	t.Missing += h.Missing
	t.Uncertain += h.Uncertain
}

// Measured returns the tally since the stream began.
func (s *Stream) Measured() Tally {
	t := s.all
	t.Packets = s.ledger.Counts()
	return t
}

// Kept returns the tally since the stream was last opened.
func (s *Stream) Kept() Tally {
	if s.gate == open || s.gate == closing {
		s.settle()
	}
	return s.kept
}

// Config is the newest decoder configuration; nil before any.
func (s *Stream) Config() Config { return s.config }

// Requests appends the sequence numbers to ask for again now.
func (s *Stream) Requests(now time.Duration, dst []uint16) []uint16 {
	return s.ledger.Requests(now, dst)
}

// SetRoundTrip tells the time to the sender and back.
func (s *Stream) SetRoundTrip(rtt time.Duration) { s.ledger.SetRoundTrip(rtt) }

// Due returns when Pop or Requests may have something new without a further
// packet, and false if never.
func (s *Stream) Due() (time.Duration, bool) {
	at, ok := s.ledger.Due()
	if idle, also := s.asm.due(); also && (!ok || idle < at) {
		at, ok = idle, true
	}
	return at, ok
}

// Quiet reports whether nothing is waited for and the sender has been silent
// long enough to show that nothing more was sent.
func (s *Stream) Quiet() bool { return s.ledger.quiet() }

// TakeKept returns what was kept since the stream was opened, and forgets it.
func (s *Stream) TakeKept() Tally {
	t := s.Kept()
	s.kept = Tally{}
	return t
}

// Newest returns the media time of the newest packet, and false before any.
func (s *Stream) Newest() (int64, bool) { return s.ledger.time.last, s.ledger.time.started }
