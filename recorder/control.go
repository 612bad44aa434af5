package recorder

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
)

// settleFor is how long an act waits for the database before it returns without
// it: the recording has obeyed already.
const settleFor = 2 * time.Second

func inState(state evidence.State) error {
	return evidence.Refuse(evidence.ErrConflict, "interview.state", "The interview is "+string(state)+"; this cannot be done now.", "")
}

// Start begins the recording: everything that a source sends from its first key
// frame on is kept, nothing from before. It asks the Gate, and needs the
// database. Started twice, the second call is refused with a conflict.
func (r *Recorder) Start(ctx context.Context, actor evidence.Actor, interview evidence.ID) (Status, error) {
	s, err := r.sitting(ctx, interview)
	if err != nil {
		return Status{}, err
	}
	s.op.Lock()
	defer s.op.Unlock()
	if s.over() {
		return Status{}, evidence.Refuse(evidence.ErrConflict, "interview.changed", "What the interview rests on has just changed. Look at it again.", "P40")
	}
	if err := s.start(ctx, actor); err != nil {
		return Status{}, fmt.Errorf("starting interview %s: %w", interview, err)
	}
	return r.Status(ctx, interview)
}

func (s *sitting) start(ctx context.Context, actor evidence.Actor) error {
	switch state := s.state(); state {
	case evidence.StatePlanned, evidence.StateReady:
	default:
		return inState(state)
	}
	if err := s.r.cfg.Gate.Check(ctx, s.iv.ID); err != nil {
		return err
	}
	// The interview may have changed since the source was connected.
	iv, err := s.r.cfg.Store.Interview(ctx, s.iv.ID)
	if err != nil {
		return err
	}
	if iv.State != evidence.StatePlanned && iv.State != evidence.StateReady {
		return inState(iv.State)
	}
	recipient, err := s.r.recordingKey(ctx, iv)
	if err != nil {
		return err
	}
	sealer, err := s.sealTo(recipient)
	if err != nil {
		return err
	}
	journal, err := s.r.spool.Begin(ctx, s.iv.ID, s.confirm)
	if err != nil {
		return err
	}
	if err := s.hold(ctx); err != nil {
		return errors.Join(err, journal.Destroy())
	}
	at := evidence.At(s.r.cfg.Clock())
	entry := s.entry(actor, actionStart, "", nil)
	ready := []evidence.State{evidence.StateReady}
	var again *duty
	iv, err = s.r.cfg.Store.Transition(ctx, s.iv.ID, ready, evidence.StateRecording, at, *entry)
	if err != nil && errors.Is(err, evidence.ErrUnknownState) {
		now, reading := s.r.cfg.Store.Interview(ctx, s.iv.ID)
		switch {
		case reading != nil:
			// The database went away in the middle. A recording that it may know of has
			// to exist: it is begun, and told again until it is known.
			iv, err = s.iv, nil
			iv.StartedAt = at
			again = &duty{From: ready, To: evidence.StateRecording, At: at, Entry: entry}
		case now.State == evidence.StateRecording:
			iv, err = now, nil
		}
	}
	if err != nil {
		s.giveBack(ctx)
		return errors.Join(err, journal.Destroy())
	}
	s.mu.Lock()
	s.journal = journal
	s.keeper = newKeeper(s, sealer, seal.NewTree(), map[evidence.ID]int{}, 0, 0)
	s.clerk = newClerk(s, nil, 1)
	s.origin, s.wallAt = s.r.now(), s.wallLocked()
	s.phase = savedPhase{State: evidence.StateRecording, StartedAt: iv.StartedAt}
	s.beginPartLocked("start", 0)
	s.eventLocked(evidence.Event{At: 0, Kind: evidence.EventStart, Actor: actor.Account}, "")
	s.noteCheckLocked(actor)
	if again != nil {
		s.clerk.add(*again)
	}
	s.observersPresentLocked()
	s.mu.Unlock()
	go s.renew()
	s.saveState()
	s.r.metrics.recordings.Add(1)
	for _, src := range s.allSources() {
		src.do(src.begin)
	}
	s.touch()
	return nil
}

// recordingKey returns the recipient of an interview's recording, making its key
// the first time.
func (r *Recorder) recordingKey(ctx context.Context, iv evidence.Interview) (string, error) {
	_, recipient, err := r.cfg.Store.RecordingKey(ctx, iv.Recording)
	if !errors.Is(err, evidence.ErrNotFound) {
		return recipient, err
	}
	wrapped, recipient, err := r.cfg.Keys.NewRecordingKey(ctx, iv.Recording)
	if err != nil {
		return "", err
	}
	return recipient, r.cfg.Store.SaveRecordingKey(ctx, iv.ID, wrapped, recipient)
}

// running returns the sitting of an interview that was started.
func (r *Recorder) running(ctx context.Context, interview evidence.ID) (*sitting, error) {
	s, err := r.sitting(ctx, interview)
	if err != nil {
		return nil, err
	}
	if state := s.state(); state == evidence.StatePlanned || state == evidence.StateReady {
		return nil, inState(state)
	}
	return s, nil
}

// Pause interrupts the recording for a break (P12): what arrives until Resume is
// not kept. reason is free text, personal data; it may be empty.
func (r *Recorder) Pause(ctx context.Context, actor evidence.Actor, interview evidence.ID, reason string) (Status, error) {
	s, err := r.running(ctx, interview)
	if err != nil {
		return Status{}, err
	}
	s.op.Lock()
	defer s.op.Unlock()
	if state := s.state(); state != evidence.StateRecording {
		return Status{}, inState(state)
	}
	s.mu.Lock()
	s.phase.State = evidence.StatePaused
	at := s.nowLocked()
	s.eventLocked(evidence.Event{At: at, Kind: evidence.EventPause, Actor: actor.Account}, reason)
	s.endPartsLocked(at)
	s.phaseLocked()
	entry := s.entry(actor, actionPause, "", nil)
	entry.Why = reason
	s.clerk.add(duty{From: []evidence.State{evidence.StateRecording}, To: evidence.StatePaused, At: s.wallLocked(), Entry: entry})
	s.mu.Unlock()
	s.halt()
	s.settle(ctx)
	return r.Status(ctx, interview)
}

// Resume goes on after a break, in a new part.
func (r *Recorder) Resume(ctx context.Context, actor evidence.Actor, interview evidence.ID) (Status, error) {
	s, err := r.running(ctx, interview)
	if err != nil {
		return Status{}, err
	}
	s.op.Lock()
	defer s.op.Unlock()
	if state := s.state(); state != evidence.StatePaused {
		return Status{}, inState(state)
	}
	if err := r.consentHolds(ctx, interview); err != nil {
		return Status{}, err
	}
	s.mu.Lock()
	s.phase.State = evidence.StateRecording
	at := s.nowLocked()
	s.beginPartLocked("resume", at)
	s.eventLocked(evidence.Event{At: at, Kind: evidence.EventResume, Actor: actor.Account}, "")
	s.phaseLocked()
	s.clerk.add(duty{From: []evidence.State{evidence.StatePaused}, To: evidence.StateRecording, At: s.wallLocked(), Entry: s.entry(actor, actionResume, "", nil)})
	s.mu.Unlock()
	for _, src := range s.allSources() {
		src.do(src.begin)
	}
	s.settle(ctx)
	return r.Status(ctx, interview)
}

// consentHolds asks the gate again. Only a refusal counts: a database that does
// not answer keeps nobody from going on with what was allowed.
func (r *Recorder) consentHolds(ctx context.Context, interview evidence.ID) error {
	err := r.cfg.Gate.Check(ctx, interview)
	var refusal *evidence.Refusal
	if errors.As(err, &refusal) {
		return err
	}
	return nil
}

// Stop ends the recording and returns when it is sealed. If ctx ends first, the
// sealing goes on by itself; Stop may be called again to wait for it. Of an
// interview that is sealed it returns the status, so that a caller who lost the
// answer may ask again.
func (r *Recorder) Stop(ctx context.Context, actor evidence.Actor, interview evidence.ID) (Status, error) {
	s, err := r.running(ctx, interview)
	if errors.Is(err, evidence.ErrConflict) {
		if st, reading := r.Status(ctx, interview); reading == nil && st.Sealed {
			return st, nil
		}
	}
	if err != nil {
		return Status{}, err
	}
	if s.state() == evidence.StateSealed {
		return r.Status(ctx, interview)
	}
	s.op.Lock()
	s.stop(actor, actionStop)
	s.op.Unlock()
	select {
	case <-s.finished:
		if s.sealErr != nil {
			return Status{}, s.sealErr
		}
		return r.Status(ctx, interview)
	case <-ctx.Done():
		return Status{}, ctx.Err()
	}
}

// stop begins the final stop, unless it has begun. The caller holds op.
func (s *sitting) stop(actor evidence.Actor, action string) {
	select {
	case <-s.stopping:
		return
	default:
	}
	s.mu.Lock()
	from := s.phase.State
	s.phase.State = evidence.StateStopping
	s.phase.StoppedAt = max(s.wallLocked(), s.phase.StartedAt)
	s.phase.StoppedBy = evidence.Actor{Kind: actor.Kind, Account: actor.Account, Agency: actor.Agency, Role: actor.Role}
	at := s.nowLocked()
	if action == actionConsentStop {
		s.eventLocked(evidence.Event{At: at, Kind: evidence.EventConsentEnded}, "")
	}
	s.dismissLocked("stop")
	s.eventLocked(evidence.Event{At: at, Kind: evidence.EventStop, Actor: actor.Account}, "")
	if from == evidence.StateRecording {
		s.endPartsLocked(at)
	}
	s.phaseLocked()
	s.clerk.add(duty{
		From: []evidence.State{evidence.StateRecording, evidence.StatePaused}, To: evidence.StateStopping,
		At: s.phase.StoppedAt, Entry: s.entry(actor, action, "", nil),
	})
	close(s.stopping)
	s.mu.Unlock()
	s.touch()
	go s.finish()
}

// halt ends keeping at every source, and returns when what was sent before is
// decided, after three seconds at most.
func (s *sitting) halt() {
	var waiting []<-chan struct{}
	for _, src := range s.allSources() {
		src.do(func() { waiting = append(waiting, src.halt()) })
	}
	for _, c := range waiting {
		select {
		case <-c:
		case <-s.r.closing:
			return
		}
	}
}

// phaseLocked journals where the interview stands.
func (s *sitting) phaseLocked() {
	p := s.phase
	p.At = s.nowLocked()
	s.write(recPhase, encodeJSON(p))
}

// wallStep is how far the wall clock has to leave the monotonic one to have been
// set: what keeps a clock in step slews it by at most 500 µs a second.
const wallStep = 500 * time.Millisecond

// watchClock notes when this server's wall clock was set during a recording.
// Interview time does not move; what is said in wall time from then on does.
func (s *sitting) watchClock() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.startedLocked() || s.phase.StoppedAt != 0 {
		return
	}
	now := s.nowLocked()
	zero := s.wallLocked() - evidence.Instant(now)
	if step := time.Duration(zero-s.wallAt) * time.Microsecond; step.Abs() > wallStep {
		s.wallAt = zero
		s.eventLocked(evidence.Event{At: now, Kind: evidence.EventClockStep, Value: step.Round(time.Millisecond).String()}, "")
	}
}

func (s *sitting) wallLocked() evidence.Instant { return evidence.At(s.r.cfg.Clock()) }

// settle waits a little for the database to know.
func (s *sitting) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	if err := s.clerk.flush(ctx); err != nil {
		s.r.log.Warn("going on before the database knows", "interview", s.iv.ID, "err", err)
	}
	s.touch()
}

var markForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

// Mark notes an event of kind [evidence.EventMarker] or [evidence.EventPhase]
// (P16). value is a code of lower-case letters, digits and hyphens; note is free
// text, personal data, and may be empty.
func (r *Recorder) Mark(ctx context.Context, actor evidence.Actor, interview evidence.ID, kind, value, note string) (evidence.Event, error) {
	if kind != evidence.EventMarker && kind != evidence.EventPhase || !markForm.MatchString(value) {
		return evidence.Event{}, evidence.Refuse(evidence.ErrInvalid, "marker.form", "A marker is of kind marker or phase and has a short code.", "P16")
	}
	if len(note) > 4096 {
		return evidence.Event{}, evidence.Refuse(evidence.ErrInvalid, "marker.note", "The note is too long.", "")
	}
	s, err := r.running(ctx, interview)
	if err != nil {
		return evidence.Event{}, err
	}
	s.op.Lock()
	defer s.op.Unlock()
	switch state := s.state(); state {
	case evidence.StateRecording, evidence.StatePaused:
	default:
		return evidence.Event{}, inState(state)
	}
	e := s.event(evidence.Event{Kind: kind, Actor: actor.Account, Value: value}, note)
	entry := s.entry(actor, actionMark, "", map[string]string{"kind": kind, "value": value, "at_us": strconv.FormatInt(int64(e.At), 10)})
	entry.Why = note
	s.clerk.add(duty{Entry: entry})
	s.settle(ctx)
	return e, nil
}
