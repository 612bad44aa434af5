package recorder

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/claims"
	"github.com/toldonce/toldonce/recorder/backfill"
	"github.com/toldonce/toldonce/recorder/media"
	"github.com/toldonce/toldonce/recorder/spool"
)

// Actions in the custody log that concern devices and back-fill.
const (
	actionDeviceEnrol = "device.enrol"
	actionBackfill    = "source.backfill"
)

// Capture is what a source is told when it accounts for its frames.
type Capture struct {
	State   evidence.State  `json:"state"`
	Elapsed evidence.Offset `json:"elapsed_us"`
	// Settled says, for each session and kind, the RTP timestamp up to which every
	// frame is decided and durable: the device may forget it.
	Settled []Settled `json:"settled"`
	// Wanted are runs of frames that the device is to hand over, in order.
	Wanted []Wanted `json:"wanted"`
	// Next says which batch of the session comes next.
	Next Next `json:"next"`
	// Missing counts frames that are known to be missing.
	Missing int `json:"missing"`
}

// Settled is as in [Capture].
type Settled struct {
	Session   evidence.ID        `json:"session"`
	Kind      evidence.TrackKind `json:"kind"`
	Timestamp uint32             `json:"timestamp"`
}

// Wanted is a run from one frame to another, both included, by RTP timestamp.
type Wanted struct {
	Session evidence.ID        `json:"session"`
	Kind    evidence.TrackKind `json:"kind"`
	From    uint32             `json:"from"`
	To      uint32             `json:"to"`
	Frames  int                `json:"frames"`
}

// Next is the number of a batch and the SHA-256 of the one before, lower-case hex.
type Next struct {
	Session  evidence.ID `json:"session,omitempty"`
	Sequence uint32      `json:"sequence"`
	Previous string      `json:"previous"`
}

// CaptureKey is what a device keeps a source's frames under until they are safe.
type CaptureKey struct {
	State evidence.State
	// Key is a 256-bit key to keep frames under, in memory alone. Wrapped gives the
	// same key again; by itself it opens nothing.
	Key     []byte
	Wrapped []byte
	// Sessions say how far the device has accounted already: it goes on there.
	Sessions []Said
}

// Said is how far a device has accounted for a session: the next batch, and the
// RTP timestamps of the last frames that were named.
type Said struct {
	Next
	Video *uint32 `json:"video,omitempty"`
	Audio *uint32 `json:"audio,omitempty"`
}

// EnrolDevice makes a browser, by its public key, a device of an interview's room.
// The same key again returns the same device. The actor was authorised.
func (r *Recorder) EnrolDevice(ctx context.Context, actor evidence.Actor, interview evidence.ID, spki []byte) (evidence.Device, error) {
	key, err := claims.PublicKey(spki)
	if err != nil {
		return evidence.Device{}, evidence.Refuse(evidence.ErrInvalid, "device.key", "A device key is a P-256 public key in SubjectPublicKeyInfo form.", "")
	}
	id, err := claims.IDOf(key)
	if err != nil {
		return evidence.Device{}, err
	}
	iv, err := r.cfg.Store.Interview(ctx, interview)
	if err != nil {
		return evidence.Device{}, err
	}
	known, err := r.cfg.Store.Device(ctx, iv.Room, id.String())
	if err == nil && known.RevokedAt == 0 {
		return known, nil
	}
	if err == nil {
		return evidence.Device{}, revoked()
	}
	if !errors.Is(err, evidence.ErrNotFound) {
		return evidence.Device{}, err
	}
	d := evidence.Device{ID: evidence.NewID(), Agency: iv.Agency, Room: iv.Room, PublicKey: spki, KeyID: id.String(), EnrolledAt: evidence.At(r.cfg.Clock()), EnrolledBy: actor.Account}
	s := &sitting{iv: iv}
	return d, r.cfg.Store.SaveDevice(ctx, d, *s.entry(actor, actionDeviceEnrol, d.ID, map[string]string{"room": string(iv.Room), "key": d.KeyID}))
}

func revoked() error {
	return evidence.Refuse(evidence.ErrRefused, "device.unknown", "This device is not one of the interview's room.", "")
}

// device returns a device of the interview's room that may sign for a source. One
// that was revoked may not, from that moment on; one that is known here may while
// the database does not answer.
func (r *Recorder) device(ctx context.Context, iv evidence.Interview, src *source, id claims.KeyID) (evidence.Device, error) {
	d, err := r.cfg.Store.Device(ctx, iv.Room, id.String())
	switch {
	case errors.Is(err, evidence.ErrNotFound) || err == nil && d.RevokedAt != 0:
		return d, revoked()
	case err != nil:
		src.account.mu.Lock()
		defer src.account.mu.Unlock()
		if known, ok := src.account.devices[id]; ok {
			return known, nil
		}
	}
	return d, err
}

// Standing is what a source may know of the interview: whether it is recorded. It
// tells nothing about anybody.
type Standing struct {
	State evidence.State `json:"state"`
	// Elapsed is interview time in microseconds; 0 before the start.
	Elapsed evidence.Offset `json:"elapsed_us"`
	Part    int             `json:"part"`
	// Arrives: something of this source arrived within the last second.
	Arrives bool `json:"arrives"`
}

// Standing returns how the recording stands, to whoever has the token of a source.
func (r *Recorder) Standing(ctx context.Context, source evidence.ID, token string) (Standing, error) {
	ev, err := r.authenticate(ctx, source, token)
	if err != nil {
		return Standing{}, err
	}
	st, err := r.Status(ctx, ev.Interview)
	if err != nil {
		return Standing{}, err
	}
	out := Standing{State: st.State, Elapsed: st.Elapsed, Part: st.Part}
	for _, t := range st.Tracks {
		out.Arrives = out.Arrives || t.SourceID == source && t.Live
	}
	return out, nil
}

// CheckToken reports whether a token is that of a source.
func (r *Recorder) CheckToken(ctx context.Context, source evidence.ID, token string) error {
	_, err := r.authenticate(ctx, source, token)
	return err
}

// keyPurpose separates the keys of what devices keep.
func keyPurpose(source evidence.ID) string { return "toldonce/capture/v1/" + string(source) }

// Admit lets a device, by the id of its key, account for the frames of a source,
// and gives it the key to keep them under: the one that wrapped holds, or a fresh
// one if wrapped is empty. The token must be that of the source.
func (r *Recorder) Admit(ctx context.Context, source evidence.ID, token string, key claims.KeyID, wrapped []byte) (CaptureKey, error) {
	ev, err := r.authenticate(ctx, source, token)
	if err != nil {
		return CaptureKey{}, err
	}
	out := CaptureKey{Wrapped: wrapped}
	if len(wrapped) > 0 {
		if out.Key, err = r.cfg.Keys.Unwrap(ctx, keyPurpose(source), wrapped); err != nil {
			return CaptureKey{}, err
		}
	} else {
		out.Key = make([]byte, 32)
		rand.Read(out.Key) // never fails: crypto/rand.Read ends the program instead
		if out.Wrapped, err = r.cfg.Keys.Wrap(ctx, keyPurpose(source), out.Key); err != nil {
			return CaptureKey{}, err
		}
	}
	s, err := r.sitting(ctx, ev.Interview)
	if err != nil {
		iv, reading := r.cfg.Store.Interview(ctx, ev.Interview)
		if reading == nil && iv.State == evidence.StateSealed {
			out.State = iv.State
			return out, nil
		}
		return CaptureKey{}, err
	}
	src := s.source(ev)
	d, err := r.device(ctx, s.iv, src, key)
	if err != nil {
		return CaptureKey{}, err
	}
	out.State = s.state()
	if err := src.account.enrol(d); err != nil {
		return CaptureKey{}, err
	}
	out.Sessions = src.account.said()
	return out, nil
}

func (a *account) said() []Said {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := []Said{}
	for _, id := range a.book.Sessions() {
		sequence, previous := a.book.Next(id)
		one := Said{Next: Next{id, sequence, hex.EncodeToString(previous[:])}}
		if ts, ok := a.book.Said(id, evidence.Video); ok {
			one.Video = &ts
		}
		if ts, ok := a.book.Said(id, evidence.Audio); ok {
			one.Audio = &ts
		}
		out = append(out, one)
	}
	return out
}

// Claim takes a signed batch of a source's account of its frames and returns once
// it is durable. The token must be that of the source, and the signature of a
// device of the interview's room. A batch that was taken before changes nothing;
// one that does not follow the last is refused with a conflict.
func (r *Recorder) Claim(ctx context.Context, source evidence.ID, token string, body []byte) (Capture, error) {
	ev, err := r.authenticate(ctx, source, token)
	if err != nil {
		return Capture{}, err
	}
	batch, err := claims.Parse(body)
	if err != nil {
		return Capture{}, fmt.Errorf("source %s: %w", source, err)
	}
	if batch.Source != source {
		return Capture{}, evidence.Refuse(evidence.ErrInvalid, "capture.source", "The batch is of another source.", "")
	}
	s, err := r.sitting(ctx, ev.Interview)
	if err != nil {
		return r.sealedCapture(ctx, ev, err)
	}
	src := s.source(ev)
	d, err := r.device(ctx, s.iv, src, batch.Key)
	if err != nil {
		return Capture{}, err
	}
	key, err := claims.PublicKey(d.PublicKey)
	if err != nil {
		return Capture{}, err
	}
	if !batch.Holds(key) {
		return Capture{}, evidence.Refuse(evidence.ErrInvalid, "capture.signature", "The batch is not signed by that device.", "")
	}
	if err := src.account.enrol(d); err != nil {
		return Capture{}, err
	}
	windows, state, now, at := s.windows(), s.state(), r.now(), s.offsetOf(r.now())
	if len(windows) == 0 || s.journal == nil {
		// Nothing is recorded yet, so nothing is kept of what is said about it.
		return Capture{State: state, Settled: all(batch), Wanted: []Wanted{}, Next: nextOf(batch)}, nil
	}
	a := src.account
	a.mu.Lock()
	a.heard = now
	var written spool.Position
	switch {
	case a.over, a.book.Known(batch):
	case !a.book.Follows(batch):
		out := a.captureLocked(state, at, batch.Session)
		a.mu.Unlock()
		return out, evidence.Refuse(evidence.ErrConflict, "capture.order", "A batch before this one is missing.", "")
	default:
		written = s.write(recClaims, batch.Bytes)
		if written == 0 {
			a.mu.Unlock()
			return Capture{}, fmt.Errorf("%w: the journal takes nothing", evidence.ErrUnavailable)
		}
		a.book.Claim(batch, now, at)
		a.queueLocked(batch)
	}
	if !a.over {
		a.book.Judge(now, windows, false)
	}
	out := a.captureLocked(state, at, batch.Session)
	a.mu.Unlock()
	// The journal is in order: once the batch is durable, so is each frame that was
	// settled before it.
	if written == 0 {
		written = s.journal.Status().Appended
	}
	wait, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	if err := s.journal.Wait(wait, written); err != nil {
		return Capture{}, fmt.Errorf("%w: the journal is not synced: %v", evidence.ErrUnavailable, err)
	}
	a.flush(false)
	return out, nil
}

// all settles what is not recorded.
func all(b claims.Signed) []Settled {
	out := []Settled{}
	for _, kind := range []evidence.TrackKind{evidence.Video, evidence.Audio} {
		for i := len(b.Entries) - 1; i >= 0; i-- {
			if b.Entries[i].Kind == kind {
				out = append(out, Settled{b.Session, kind, b.Entries[i].Timestamp})
				break
			}
		}
	}
	return out
}

func nextOf(b claims.Signed) Next {
	return Next{Session: b.Session, Sequence: b.Sequence + 1, Previous: hex.EncodeToString(b.Sum[:])}
}

// captureLocked puts together what the device is told, with a.mu held.
func (a *account) captureLocked(state evidence.State, at evidence.Offset, session evidence.ID) Capture {
	out := Capture{State: state, Elapsed: at, Settled: []Settled{}, Wanted: []Wanted{}}
	for _, id := range a.book.Sessions() {
		for _, kind := range []evidence.TrackKind{evidence.Video, evidence.Audio} {
			if ts, ok := a.book.Settled(id, kind); ok {
				out.Settled = append(out.Settled, Settled{id, kind, ts})
			}
		}
	}
	if !a.over {
		for _, u := range a.book.Wanted(a.lastLocked(state)) {
			out.Wanted = append(out.Wanted, Wanted{u.Session, u.Kind, uint32(u.From), uint32(u.To), u.Frames})
			if len(out.Wanted) == maxWanted {
				break
			}
		}
		out.Missing = a.book.Missing()
	}
	if session != "" {
		sequence, previous := a.book.Next(session)
		out.Next = Next{session, sequence, hex.EncodeToString(previous[:])}
	}
	return out
}

// maxWanted bounds how many runs a device is told of at once.
const maxWanted = 32

// lastLocked reports whether what the device has said is all that there will be:
// the interview was stopped, and it has accounted for its frames until then.
func (a *account) lastLocked(state evidence.State) bool {
	return state == evidence.StateStopping && a.stopAt != 0 && a.book.ClaimedUntil() >= a.stopAt
}

// Backfill takes a run of frames that a source hands over again, and returns once
// it is durable. The token must be that of the source. Every frame must be the
// one that the source claimed; a run that is not wanted is refused with a conflict.
func (r *Recorder) Backfill(ctx context.Context, source evidence.ID, token string, body []byte) (Capture, error) {
	ev, err := r.authenticate(ctx, source, token)
	if err != nil {
		return Capture{}, err
	}
	run, err := claims.ParseRun(body)
	if err != nil {
		return Capture{}, fmt.Errorf("source %s: %w", source, err)
	}
	if run.Source != source {
		return Capture{}, evidence.Refuse(evidence.ErrInvalid, "capture.source", "The run is of another source.", "")
	}
	s := r.active(ev.Interview)
	if s == nil || s.journal == nil {
		return r.sealedCapture(ctx, ev, inState(evidence.StateSealed))
	}
	src := s.source(ev)
	a := src.account
	a.filling.Lock()
	defer a.filling.Unlock()
	if err := a.fill(s, run); err != nil {
		return Capture{}, err
	}
	windows, state, now, at := s.windows(), s.state(), r.now(), s.offsetOf(r.now())
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heard = now
	if !a.over {
		a.book.Judge(now, windows, false)
	}
	return a.captureLocked(state, at, run.Session), nil
}

// fill makes replacement segments of a run.
func (a *account) fill(s *sitting, run claims.Run) error {
	sums := make([][32]byte, len(run.Frames))
	for i, f := range run.Frames {
		sums[i] = sha256.Sum256(f.Sample)
	}
	original := s.original(a.src.ev.ID, run.Kind)
	if original == nil {
		return evidence.Refuse(evidence.ErrConflict, "capture.track", "Nothing of this track was received yet.", "")
	}
	state := s.state()
	a.mu.Lock()
	if a.over {
		a.mu.Unlock()
		return evidence.Refuse(evidence.ErrConflict, "capture.over", "The recording is being sealed.", "")
	}
	unit, times, err := a.book.Check(run, sums, a.lastLocked(state))
	var place backfill.Place
	if err == nil {
		place = a.book.Place(unit)
	}
	a.mu.Unlock()
	if err != nil {
		return refuseRun(err)
	}
	jobs, err := a.replacement(s, original, run, unit, times, place)
	if err != nil {
		return refuseRun(err)
	}
	done := make(chan spool.Position, 1)
	for _, job := range jobs {
		s.keeper.add(job)
	}
	s.keeper.add(sealJob{do: func(k *keeper) {
		k.mu.Lock()
		defer k.mu.Unlock()
		done <- k.lastPut
	}})
	// Not before it is durable: however long the disk takes.
	select {
	case at := <-done:
		if err := s.journal.WaitObject(context.Background(), at); err != nil {
			return fmt.Errorf("%w: keeping a replacement: %v", evidence.ErrUnavailable, err)
		}
	case <-s.r.closing:
		return fmt.Errorf("%w: shutting down", evidence.ErrUnavailable)
	}
	a.mu.Lock()
	if len(jobs) > 0 {
		a.book.Fill(unit.Session, unit.Kind, unit.From, unit.To)
	} else {
		a.book.Drop(unit.Session, unit.Kind, unit.From, unit.To)
	}
	a.mu.Unlock()
	if len(jobs) > 0 {
		s.event(evidence.Event{Kind: evidence.EventBackfilled, Source: a.src.ev.ID, Track: original.ev.ID}, "")
		s.touch()
	}
	return nil
}

func refuseRun(err error) error {
	switch {
	case errors.Is(err, evidence.ErrConflict):
		return evidence.Refuse(evidence.ErrConflict, "capture.unwanted", "These frames are not wanted (any more).", "")
	case errors.Is(err, evidence.ErrInvalid):
		return evidence.Refuse(evidence.ErrInvalid, "capture.frames", "These frames are not those that the source claimed.", "")
	}
	return err
}

// original returns the track of a source that is received live.
func (s *sitting) original(source evidence.ID, kind evidence.TrackKind) *track {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tracks {
		if t.ev.Source == source && t.ev.Kind == kind && t.ev.Replaces == "" {
			return t
		}
	}
	return nil
}

// replacement cuts a unit into segments of a track of replacements. Frames that
// the next session has too are left out; if that is all of them, it returns none.
func (a *account) replacement(s *sitting, original *track, run claims.Run, unit backfill.Unit, times []int64, place backfill.Place) ([]sealJob, error) {
	scale := original.ev.Timescale
	micros := func(ticks int64) evidence.Offset {
		return evidence.Offset(ticks/scale*1_000_000 + ticks%scale*1_000_000/scale)
	}
	until := unit.Until
	frames := make([]media.Frame, 0, len(times))
	for i, t := range times {
		if i == place.Frames {
			until = t
			break
		}
		f, err := media.SampleFrame(original.ev.Codec, t, run.Frames[i].Sample)
		if err != nil {
			return nil, err
		}
		frames = append(frames, f)
	}
	if len(frames) == 0 {
		return nil, nil
	}
	if !frames[0].Key || frames[0].Config == nil {
		return nil, fmt.Errorf("%w: a run that no decoder can begin with", evidence.ErrInvalid)
	}
	if place.Part == 0 {
		place.Part = s.partAt(place.Start)
	}
	place.Start = max(place.Start, s.partStart(place.Part))
	sh := a.shadow(s, original, unit.Session, place)
	var segments []media.Segment
	for _, f := range frames {
		some, err := sh.segments.Add(f)
		segments = append(segments, some...)
		if err != nil {
			return nil, err
		}
	}
	last, err := sh.segments.FlushAt(until)
	if err != nil {
		return nil, err
	}
	segments = append(segments, last...)
	jobs := make([]sealJob, 0, len(segments))
	out := evidence.Replacement{Track: original.ev.ID, By: sh.track.ev.ID, First: -1}
	for _, seg := range segments {
		job := sealJob{track: sh.track, part: place.Part, segment: seg, start: max(place.Start, sh.end), end: max(place.Start, sh.end)}
		if seg.Config == nil {
			job.start = max(place.Start+micros(seg.Time-unit.From), sh.end)
			job.end = place.Start + micros(seg.End()-unit.From)
			if place.Limit != 0 && job.end > place.Limit-replaceSlack {
				job.end = min(place.Limit, job.end+replaceSlack)
			}
			job.end = max(job.end, job.start+1)
			sh.end, sh.part = job.end, place.Part
			if out.First < 0 {
				out.First, out.Start = seg.Index, job.start
			}
			out.Last, out.End = seg.Index, job.end
			sh.track.count(seg)
		}
		jobs = append(jobs, job)
	}
	s.anchor(sh.track, evidence.Anchor{Part: place.Part, DecodeTime: hexTime(frames[0].Time), At: out.Start, Uncertainty: replaceUncertainty, Method: methodBackfill})
	s.partReaches(place.Part, out.End)
	r := replaced{Source: a.src.ev.ID, Session: unit.Session, Kind: unit.Kind, From: unit.From, To: unit.To, Replacement: out}
	a.mu.Lock()
	a.replacements = append(a.replacements, r)
	s.write(recReplaced, encodeJSON(r))
	a.mu.Unlock()
	return jobs, nil
}

// replaceSlack is how far the end of a replacement is stretched or cut to meet what
// follows it: a frame and the drift of a clock.
const replaceSlack evidence.Offset = 60_000

// replaceUncertainty is that of the time at which a replacement lies, microseconds:
// where nothing of its session was received around it, the device's clock says.
const replaceUncertainty = 250_000

// methodBackfill is that of anchors that rest on the segments around.
const methodBackfill = "back-fill"

func (t *track) count(seg media.Segment) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Whole += int64(seg.Frames)
	t.counts.Bytes += int64(len(seg.Data))
}

// partAt is the last part that began by a moment.
func (s *sitting) partAt(at evidence.Offset) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.parts) - 1; i > 0; i-- {
		if s.parts[i].Start <= at {
			return s.parts[i].Number
		}
	}
	return 1
}

// shadow returns a track of replacements that a unit can go to the end of.
func (a *account) shadow(s *sitting, original *track, session evidence.ID, place backfill.Place) *shadow {
	for _, sh := range a.shadows {
		if sh.session == session && sh.track.ev.Replaces == original.ev.ID && sh.part <= place.Part && sh.end <= place.Start {
			return sh
		}
	}
	ev := original.ev
	ev.ID, ev.Replaces = evidence.NewID(), original.ev.ID
	t := &track{source: a.src, ev: ev}
	sh := &shadow{track: t, session: session, segments: media.NewSegmenter(media.DefaultPolicy, ev.Kind == evidence.Video, 0, 0, nil)}
	s.mu.Lock()
	t.number = len(s.tracks) + 1
	s.tracks = append(s.tracks, t)
	s.write(recTrack, encodeJSON(t.saved()))
	s.mu.Unlock()
	s.clerk.add(duty{Track: &ev})
	a.shadows = append(a.shadows, sh)
	s.clerk.add(duty{Entry: s.entry(deviceActor(s.iv.Agency, a.src.ev.ID), actionBackfill, ev.ID, nil)})
	return sh
}

// sealedCapture answers a source whose interview is over.
func (r *Recorder) sealedCapture(ctx context.Context, ev evidence.Source, err error) (Capture, error) {
	iv, reading := r.cfg.Store.Interview(ctx, ev.Interview)
	if reading != nil || iv.State != evidence.StateSealed {
		return Capture{}, err
	}
	return Capture{State: iv.State, Settled: []Settled{}, Wanted: []Wanted{}}, nil
}

// drainBackfill waits for what the devices still have to say and to hand over, at
// the final stop: three seconds at most, and not for a device that is away.
func (s *sitting) drainBackfill(ctx context.Context) {
	at := s.stopOffset()
	for _, src := range s.allSources() {
		src.account.mu.Lock()
		src.account.stopAt = max(at, 1)
		src.account.mu.Unlock()
	}
	until := s.r.now() + drainFor
	timer := time.NewTicker(20 * time.Millisecond)
	defer timer.Stop()
	for s.r.now() < until && s.backfillGoesOn() {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
	windows := s.windows()
	for _, src := range s.allSources() {
		// A run that is being taken is finished.
		src.account.filling.Lock()
		src.account.conclude(s.r.now(), windows)
		src.account.filling.Unlock()
		src.account.flush(true)
	}
}

// awayAfter is how long a device that accounts for its frames may be silent before
// nothing is waited for.
const awayAfter = 5 * time.Second

func (s *sitting) backfillGoesOn() bool {
	windows := s.windows()
	for _, src := range s.allSources() {
		a := src.account
		a.mu.Lock()
		if a.book.Claimed() && s.r.now()-a.heard < awayAfter {
			a.book.Judge(s.r.now(), windows, false)
			if a.book.ClaimedUntil() < a.stopAt || a.book.Missing() > 0 || a.book.Pending() > 0 {
				a.mu.Unlock()
				return true
			}
		}
		a.mu.Unlock()
	}
	return false
}
