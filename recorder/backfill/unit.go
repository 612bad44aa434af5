package backfill

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/claims"
)

func hex(t int64) string { return strconv.FormatUint(uint64(t), 16) }

// Wanted returns what the source is to hand over, in order of time within a
// session: as much of it as is certain by now. final is as in [Account.Judge].
func (a *Account) Wanted(final bool) []Unit {
	var out []Unit
	for n, s := range a.sessions {
		for _, f := range s.kinds {
			out = append(out, f.wanted(a, n, final)...)
		}
	}
	return out
}

// Missing counts the frames that are known to be missing and may be handed over.
func (a *Account) Missing() int {
	n := 0
	for _, s := range a.sessions {
		for _, f := range s.kinds {
			for _, e := range f.entries {
				if e.state == missing {
					n++
				}
			}
		}
	}
	return n
}

// inside reports whether a run can begin or end at a media time without cutting a
// stored segment in two, or parting it from those it is decoded with.
func (f *frames) inside(t int64) bool {
	for i := range f.placed {
		s := &f.placed[i]
		if s.From < t && t < s.Until || s.From == t && !s.Independent {
			return true
		}
	}
	return false
}

// next is the beginning of what was received of the same kind in a later session.
type next struct {
	start evidence.Offset // of its first segment; 0: there is none
	at    int64           // when its first frame was made, by the device's clock
	waits bool            // something was received, and more has to be known of it
}

// later looks for the session after the n-th of which something was received.
func (a *Account) later(n int, kind evidence.TrackKind) next {
	for _, s := range a.sessions[n+1:] {
		f := s.of(kind)
		if f.newest == 0 {
			continue
		}
		out := next{at: f.firstAt, waits: len(f.placed) == 0 || f.firstAt == 0}
		for i, p := range f.placed {
			if i == 0 || p.Start < out.start {
				out.start = p.Start
			}
		}
		return out
	}
	return next{}
}

// twice reports whether the later session has the frame too: the device was
// sending twice for a moment. Its own clock tells, to the frame.
func (f *frames) twice(a *Account, i int, n next) bool {
	if n.at != 0 {
		return f.entries[i].at >= n.at
	}
	return n.start != 0 && f.offset(a, i) >= n.start
}

func (f *frames) wanted(a *Account, n int, final bool) []Unit {
	after := a.later(n, f.kind)
	if after.waits && !final {
		return nil
	}
	var out []Unit
	for i := 0; i < len(f.entries); {
		if f.entries[i].state != missing {
			i++
			continue
		}
		if f.twice(a, i, after) {
			f.entries[i].state = outside
			i++
			continue
		}
		u, next, ok := f.unit(i, final)
		if !ok {
			break
		}
		if u.Frames > 0 {
			out = append(out, u)
		}
		i = next
	}
	return out
}

// unit builds the unit that holds the missing entry i, and says where the next may
// begin. ok is false if it cannot be told yet where it ends. A unit without frames
// cannot be handed over.
func (f *frames) unit(i int, final bool) (u Unit, next int, ok bool) {
	begin := i
	for begin > 0 && (!f.entries[begin].key || f.inside(f.entries[begin].time)) && f.entries[begin-1].state != outside {
		begin--
	}
	if !f.entries[begin].key || f.inside(f.entries[begin].time) {
		f.entries[i].state = lost
		return Unit{}, i + 1, true
	}
	end, size := i+1, 0
	for ; end < len(f.entries); end++ {
		e := f.entries[end]
		size += int(e.size)
		if e.state == outside { // a break: nothing of it is asked for
			break
		}
		if !e.key || f.inside(e.time) {
			continue
		}
		if e.state != missing || size > maxUnitBytes || f.micros(e.time-f.entries[begin].time) >= maxUnitSpan {
			break
		}
	}
	over := f.session.ended || final
	if end == len(f.entries) && !over {
		return Unit{}, 0, false
	}
	u = Unit{Session: f.session.id, Kind: f.kind, From: f.entries[begin].time, To: f.entries[end-1].time, Frames: end - begin}
	if end < len(f.entries) {
		u.Until = f.entries[end].time
	}
	// What was received of it must be in a segment, so that its bounds are known.
	if slices.ContainsFunc(f.open, func(t int64) bool { return t <= u.To && t >= u.From }) {
		return Unit{}, 0, false
	}
	return u, end, true
}

// Check compares a run with what the source claimed, and says whether it is a unit
// that is wanted: every frame of it, in order, with the hash that was signed. The
// error wraps [evidence.ErrConflict] for a run that is not wanted any more, and
// [evidence.ErrInvalid] for one that is not what was claimed.
func (a *Account) Check(r claims.Run, sums [][32]byte, final bool) (Unit, []int64, error) {
	n := slices.IndexFunc(a.sessions, func(s *session) bool { return s.id == r.Session })
	if n < 0 {
		return Unit{}, nil, fmt.Errorf("%w: no such session", evidence.ErrConflict)
	}
	f := a.sessions[n].of(r.Kind)
	for _, u := range f.wanted(a, n, final) {
		if uint32(u.From) != r.Frames[0].Timestamp || u.Frames != len(r.Frames) {
			continue
		}
		at, ok := f.find(u.From)
		if !ok {
			break
		}
		times := make([]int64, len(r.Frames))
		for i, frame := range r.Frames {
			e := f.entries[at+i]
			if uint32(e.time) != frame.Timestamp || e.size != uint32(len(frame.Sample)) || e.sum != sums[i] {
				return Unit{}, nil, fmt.Errorf("%w: frame %d of the run is not the one that was claimed", evidence.ErrInvalid, i)
			}
			times[i] = e.time
		}
		return u, times, nil
	}
	return Unit{}, nil, fmt.Errorf("%w: the run is not wanted", evidence.ErrConflict)
}

// Place says where a unit lies in interview time.
func (a *Account) Place(u Unit) Place {
	n := slices.IndexFunc(a.sessions, func(s *session) bool { return s.id == u.Session })
	f := a.sessions[n].of(u.Kind)
	at, _ := f.find(u.From)
	p := Place{Start: max(f.offset(a, at), 0)}
	after := a.later(n, u.Kind)
	p.Limit = after.start
	for i := at; i < at+u.Frames && !f.twice(a, i, after); i++ {
		p.Frames++
	}
	for _, s := range f.placed {
		if s.From <= u.From && s.Part > p.Part {
			p.Part = s.Part
		}
		if s.From > u.To && (p.Limit == 0 || s.Start < p.Limit) {
			p.Limit = s.Start
		}
	}
	if p.Part == 0 && len(f.starts) > 0 {
		p.Part = f.starts[0].Part
	}
	return p
}

// Fill notes that the frames of a session from one media time to another were
// handed over and are kept.
func (a *Account) Fill(id evidence.ID, kind evidence.TrackKind, from, to int64) {
	f := a.session(id).of(kind)
	for i := range f.entries {
		if e := &f.entries[i]; e.time >= from && e.time <= to && (e.state == missing || e.state == pending || e.state == lost) {
			e.state = filled
		}
	}
}

// Drop takes frames of a session from one media time on out of what is expected:
// the next session has them.
func (a *Account) Drop(id evidence.ID, kind evidence.TrackKind, from, to int64) {
	f := a.session(id).of(kind)
	for i := range f.entries {
		if e := &f.entries[i]; e.time >= from && e.time <= to && e.state == missing {
			e.state = outside
		}
	}
}

// Ranges returns what became of the frames of one kind, by session, once
// everything is judged with final set.
func (a *Account) Ranges(kind evidence.TrackKind) []evidence.FrameRange {
	var out []evidence.FrameRange
	for _, s := range a.sessions {
		f := s.of(kind)
		out = append(out, f.ranges...)
		left := make([]int64, 0, len(f.seen))
		for t := range f.seen {
			left = append(left, t)
		}
		slices.Sort(left)
		var unclaimed []evidence.FrameRange
		for _, t := range left {
			unclaimed = appendFrame(unclaimed, s.id, evidence.FramesUnclaimed, t)
		}
		out = append(out, unclaimed...)
	}
	return out
}

// Outcome is what the account comes to, one of the SourceManifest constants, once
// everything is judged with final set.
func (a *Account) Outcome() string {
	if !a.claimed {
		return evidence.SourceManifestNone
	}
	outcome := evidence.SourceManifestVerified
	if a.unclaimed > 0 {
		outcome = evidence.SourceManifestIncomplete
	}
	for _, kind := range []evidence.TrackKind{evidence.Video, evidence.Audio} {
		for _, r := range a.Ranges(kind) {
			switch r.State {
			case evidence.FramesMismatched:
				return evidence.SourceManifestMismatched
			case evidence.FramesMissing, evidence.FramesUnclaimed:
				outcome = evidence.SourceManifestIncomplete
			}
		}
	}
	return outcome
}

// Settled returns, for a session, the timestamp up to which every frame of a kind
// is decided and safe, so that the device may forget it, and false if none is.
func (a *Account) Settled(id evidence.ID, kind evidence.TrackKind) (uint32, bool) {
	f := a.session(id).of(kind)
	var last int64
	for _, e := range f.entries {
		if e.state == pending || e.state == missing {
			break
		}
		last = e.time
	}
	if last == 0 && len(f.ranges) > 0 && f.began && len(f.entries) == 0 {
		last = f.last
	}
	return uint32(last), last != 0
}
