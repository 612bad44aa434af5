// Package backfill compares what a source says that its encoders made (package
// evidence/claims) with what the recorder received of it, frame by frame, and says
// which runs of frames are to be handed over again. It is pure: times are given to
// it, and it keeps nothing on any disk.
package backfill

import (
	"slices"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/claims"
)

const (
	// patience is how long after it was claimed a frame may still arrive live.
	patience = 3 * time.Second
	// margin is how long settled frames are remembered, in microseconds of media:
	// runs begin before what is missing of them.
	margin = 20_000_000
	// edge is how near to a break or the stop a frame may be, in microseconds, that
	// was made before it and arrived after.
	edge = 100_000
	// MaxUnit bounds what is asked for at once: bytes, and microseconds of media.
	maxUnitBytes = 8 << 20
	maxUnitSpan  = 10_000_000
	// maxUnseen bounds the received frames of which no claim came yet.
	maxUnseen = 1 << 14
)

type state uint8

const (
	pending state = iota
	live
	mismatched
	missing
	filled
	outside // of what is recorded: before the start, during a break, or there twice
	lost    // missing, and there is no random access point to hand it over from
)

var words = map[state]string{
	live: evidence.FramesLive, mismatched: evidence.FramesMismatched, missing: evidence.FramesMissing, pending: evidence.FramesMissing,
	filled: evidence.FramesBackfilled, lost: evidence.FramesMissing,
}

type entry struct {
	time  int64 // media time: the RTP timestamp, unwrapped
	at    int64 // by the device's clock, microseconds
	heard time.Duration
	size  uint32
	key   bool
	state state
	sum   [32]byte
}

// Segment is a stored segment of a track that was received live, in media time and
// in interview time.
type Segment struct {
	Part        int
	Index       int
	From, Until int64
	Start, End  evidence.Offset
	Independent bool
}

// Unit is a run of frames that is to be handed over: from a random access point to
// the next one behind what is missing.
type Unit struct {
	Session evidence.ID
	Kind    evidence.TrackKind
	// From and To are the media times of its first and last frame, and Until that
	// of the frame after it, 0 if there is none.
	From, To, Until int64
	Frames          int
}

// Place is where a unit lies: from which moment on, and which moment it must not
// reach over (0: any). Part is that of the recording, or 0 if no frame of the
// session was received.
type Place struct {
	Start, Limit evidence.Offset
	Part         int
	// Frames are how many of the unit's, from its first, are to be kept: the later
	// session has the rest.
	Frames int
}

// Window is a stretch of interview time in which the recording runs; Until is 0
// while it does.
type Window struct{ From, Until evidence.Offset }

// frames are those of one kind of one session.
type frames struct {
	session *session
	kind    evidence.TrackKind
	scale   int64

	began   bool
	last    int64 // media time of the newest claim
	trimmed int64 // media time of the newest entry that was forgotten
	firstAt int64 // by the device's clock, of the first frame that was kept; 0: not known
	entries []entry

	seen   map[int64][32]byte // received, not claimed yet
	newest int64              // media time of the newest frame that was kept; 0: none
	open   []int64            // of those that are in no placed segment
	starts []start            // first kept frames of each part
	placed []Segment
	ranges []evidence.FrameRange
}

type start struct {
	Part int
	Time int64
	At   evidence.Offset
}

type session struct {
	id    evidence.ID
	next  uint32
	last  [32]byte
	ended bool
	// began is when the session was opened; -1: before the start.
	began evidence.Offset
	kinds [2]*frames
}

// Account is what one source says and what came of it. It is not safe for
// concurrent use.
type Account struct {
	sessions []*session
	// clock is the least of interview time minus the device's clock that any batch
	// showed, in microseconds: what has to be added to the device's time.
	clock     int64
	clocked   bool
	claimed   bool
	newestAt  int64 // device time of the newest batch
	unclaimed int64
}

// New returns an account without claims.
func New() *Account { return &Account{} }

func (a *Account) session(id evidence.ID) *session {
	if i := slices.IndexFunc(a.sessions, func(s *session) bool { return s.id == id }); i >= 0 {
		return a.sessions[i]
	}
	s := &session{id: id, began: 1 << 62}
	s.kinds[0] = &frames{session: s, kind: evidence.Video, scale: 90_000, seen: map[int64][32]byte{}}
	s.kinds[1] = &frames{session: s, kind: evidence.Audio, scale: 48_000, seen: map[int64][32]byte{}}
	a.sessions = append(a.sessions, s)
	return s
}

func (s *session) of(kind evidence.TrackKind) *frames {
	if kind == evidence.Audio {
		return s.kinds[1]
	}
	return s.kinds[0]
}

func (f *frames) micros(ticks int64) int64 {
	return ticks/f.scale*1_000_000 + ticks%f.scale*1_000_000/f.scale
}

func (f *frames) ticks(micros int64) int64 {
	return micros/1_000_000*f.scale + micros%1_000_000*f.scale/1_000_000
}

// Known reports whether the batch was taken before.
func (a *Account) Known(b claims.Signed) bool {
	s := a.session(b.Session)
	return b.Sequence < s.next
}

// Follows reports whether the batch is the next of its session: nothing was left
// out before it. The first that is ever seen of a session may be any.
func (a *Account) Follows(b claims.Signed) bool {
	s := a.session(b.Session)
	return s.next == 0 || b.Sequence == s.next && b.Previous == s.last
}

// Next returns which batch of a session comes next, and the SHA-256 of the last.
func (a *Account) Next(id evidence.ID) (sequence uint32, previous [32]byte) {
	s := a.session(id)
	return s.next, s.last
}

// Said returns the RTP timestamp of the last frame that was claimed of a kind of a
// session, and false if none was.
func (a *Account) Said(id evidence.ID, kind evidence.TrackKind) (uint32, bool) {
	f := a.session(id).of(kind)
	return uint32(f.last), f.began
}

// Claim takes a batch whose signature holds. now is the recorder's clock, and at
// interview time, when it was received.
func (a *Account) Claim(b claims.Signed, now time.Duration, at evidence.Offset) {
	if d := int64(at) - b.SentAt; !a.clocked || d < a.clock {
		a.clock, a.clocked = d, true
	}
	a.claimed = true
	a.newestAt = max(a.newestAt, b.SentAt)
	s := a.session(b.Session)
	s.next, s.last = b.Sequence+1, b.Sum
	for _, e := range b.Entries {
		s.of(e.Kind).claim(e, b.SentAt-int64(e.Age), now)
	}
}

func (f *frames) claim(e claims.Entry, at int64, now time.Duration) {
	// The recorder unwraps in the same way: the first timestamp plus 2³².
	t := int64(e.Timestamp) + 1<<32
	switch {
	case f.began:
		t = f.last + int64(int32(e.Timestamp-uint32(f.last)))
	case f.newest != 0:
		t = f.newest + int64(int32(e.Timestamp-uint32(f.newest)))
	}
	if !f.began {
		f.began, f.last = true, t
	}
	if n := len(f.entries); n > 0 && t <= f.entries[n-1].time || t < f.last {
		return // said before
	}
	f.last = t
	n := entry{time: t, at: at, heard: now, size: e.Size, key: e.Key || f.kind == evidence.Audio, sum: e.Sum}
	f.date(n)
	if sum, ok := f.seen[t]; ok {
		n.compare(sum)
		delete(f.seen, t)
	}
	f.entries = append(f.entries, n)
}

// date notes when the first frame that was kept was made.
func (f *frames) date(e entry) {
	if len(f.starts) > 0 && f.starts[0].Time == e.time {
		f.firstAt = e.at
	}
}

func (e *entry) compare(sum [32]byte) {
	if e.state == filled {
		return
	}
	e.state = live
	if e.sum != sum {
		e.state = mismatched
	}
}

// Kept notes a frame that was received whole at a moment and is kept, in a part.
func (a *Account) Kept(id evidence.ID, kind evidence.TrackKind, part int, time int64, at evidence.Offset, sum [32]byte) {
	f := a.session(id).of(kind)
	if n := len(f.starts); n == 0 || f.starts[n-1].Part < part {
		f.starts = append(f.starts, start{part, time, at})
	}
	f.newest = max(f.newest, time)
	f.open = append(f.open, time)
	if i, ok := f.find(time); ok {
		f.date(f.entries[i])
		f.entries[i].compare(sum)
		return
	}
	if time <= f.trimmed {
		return // settled long ago
	}
	if len(f.seen) < maxUnseen {
		f.seen[time] = sum
		return
	}
	a.unclaimed++
}

func (f *frames) find(time int64) (int, bool) {
	return slices.BinarySearchFunc(f.entries, time, func(e entry, t int64) int {
		switch {
		case e.time < t:
			return -1
		case e.time > t:
			return 1
		}
		return 0
	})
}

// Placed notes a segment that holds what was kept.
func (a *Account) Placed(id evidence.ID, kind evidence.TrackKind, seg Segment) {
	f := a.session(id).of(kind)
	f.placed = append(f.placed, seg)
	f.open = slices.DeleteFunc(f.open, func(t int64) bool { return t < seg.Until })
}

// Began notes when a session was opened, in interview time; -1 is before the start.
// One of which it is not known counts as opened while recording ran.
func (a *Account) Began(id evidence.ID, at evidence.Offset) { a.session(id).began = at }

// Ended notes that a session is over: nothing more of it arrives live.
func (a *Account) Ended(id evidence.ID) { a.session(id).ended = true }

// Claimed reports whether any batch was taken.
func (a *Account) Claimed() bool { return a.claimed }

// ClaimedUntil is the interview time up to which the device has accounted for its
// frames.
func (a *Account) ClaimedUntil() evidence.Offset { return evidence.Offset(a.newestAt + a.clock) }

// offset maps a media time to interview time: by the segments around it, else by
// the device's clock.
func (f *frames) offset(a *Account, i int) evidence.Offset {
	t := f.entries[i].time
	var before, after *Segment
	for k := range f.placed {
		s := &f.placed[k]
		if s.From <= t && (before == nil || s.From >= before.From) {
			before = s
		}
		if s.From > t && (after == nil || s.From < after.From) {
			after = s
		}
	}
	switch {
	case before != nil && t < before.Until:
		return before.Start + evidence.Offset(f.micros(t-before.From))
	case before != nil:
		return before.End + evidence.Offset(f.micros(t-before.Until))
	case after != nil:
		return after.Start - evidence.Offset(f.micros(after.From-t))
	}
	return evidence.Offset(f.entries[i].at + a.clock)
}

// Judge decides on every frame that is still open, as of now, and forgets what was
// settled long ago. final says that nothing more will arrive live.
func (a *Account) Judge(now time.Duration, windows []Window, final bool) {
	for _, s := range a.sessions {
		for _, f := range s.kinds {
			f.judge(a, now, windows, final)
			f.trim(final)
		}
	}
}

func (f *frames) judge(a *Account, now time.Duration, windows []Window, final bool) {
	for i := range f.entries {
		e := &f.entries[i]
		if e.state != pending {
			continue
		}
		over := f.session.ended || final || f.newest > e.time || now-e.heard > patience
		if !over {
			continue
		}
		e.state = outside
		if f.expected(a, i, windows) {
			e.state = missing
		}
	}
}

// expected reports whether a claimed frame belongs to the recording.
func (f *frames) expected(a *Account, i int, windows []Window) bool {
	at := f.offset(a, i)
	w := slices.IndexFunc(windows, func(w Window) bool { return at >= w.From && (w.Until == 0 || at < w.Until-edge) })
	if w < 0 {
		return false
	}
	from := windows[w].From
	// A session that began while recording ran is recorded from its first frame.
	if f.session.began > from {
		return true
	}
	// One that ran already, from the first random access point that came.
	for _, s := range f.starts {
		if s.At >= from-edge && (windows[w].Until == 0 || s.At < windows[w].Until) {
			return f.entries[i].time >= s.Time
		}
	}
	for k := range f.entries[:i+1] {
		if f.entries[k].key && f.offset(a, k) >= from {
			return true
		}
	}
	return false
}

// trim moves settled frames that are older than the margin into the ranges.
func (f *frames) trim(final bool) {
	n := len(f.entries)
	keep := 0
	if !final {
		for keep < n {
			s := f.entries[keep].state
			if s == pending || s == missing || f.last-f.entries[keep].time < f.ticks(margin) {
				break
			}
			keep++
		}
		if keep < n/4 || keep == 0 {
			return // moving what is left costs more than it frees
		}
	} else {
		keep = n
	}
	for _, e := range f.entries[:keep] {
		f.ranges = appendFrame(f.ranges, f.session.id, words[e.state], e.time)
	}
	if keep > 0 {
		f.trimmed = f.entries[keep-1].time
	}
	rest := copy(f.entries, f.entries[keep:])
	f.entries = f.entries[:rest]
	if rest > 0 && len(f.placed) > 64 {
		old := f.entries[0].time
		f.placed = slices.DeleteFunc(f.placed, func(s Segment) bool { return s.Until < old })
	}
}

func appendFrame(ranges []evidence.FrameRange, session evidence.ID, word string, time int64) []evidence.FrameRange {
	if word == "" {
		return ranges
	}
	n := len(ranges)
	if n == 0 || ranges[n-1].State != word {
		return append(ranges, evidence.FrameRange{Session: session, State: word, From: hex(time), To: hex(time), Frames: 1})
	}
	ranges[n-1].To = hex(time)
	ranges[n-1].Frames++
	return ranges
}

// Sessions returns the sessions of which anything is known, in order.
func (a *Account) Sessions() []evidence.ID {
	out := make([]evidence.ID, len(a.sessions))
	for i, s := range a.sessions {
		out[i] = s.id
	}
	return out
}

// Pending counts the frames on which nothing is decided yet.
func (a *Account) Pending() int {
	n := 0
	for _, s := range a.sessions {
		for _, f := range s.kinds {
			for _, e := range f.entries {
				if e.state == pending {
					n++
				}
			}
		}
	}
	return n
}
