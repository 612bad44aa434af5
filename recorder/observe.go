package recorder

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/monitor"
)

const (
	// maxObservers is how many people may watch one interview.
	maxObservers = 40
	// decideEvery is how often it is decided again whether somebody may watch, beside
	// each event of the database.
	decideEvery = 4 * time.Second
	// decideAtMost bounds that for many events in a row.
	decideAtMost = 250 * time.Millisecond
	// admitFor is how long an admission is good for a first session, and for another
	// one after the last has ended.
	admitFor = time.Minute
)

// Observer is a person who may watch an interview.
type Observer struct {
	Actor evidence.Actor
	// Role on the case, by which she watches. It stands in the recording's events.
	Role evidence.Role
	// May says whether she still may: nil, a refusal or not being signed in, by which
	// observation ends, or any other error, by which it is withheld until May knows.
	// It is called from several goroutines.
	May func(ctx context.Context) error
}

// Admission lets an observer open WHEP sessions.
type Admission struct {
	Token     string           // bearer token, shown once
	ExpiresAt evidence.Instant // if no session is opened by then
}

// Presence is somebody who watches an interview now.
type Presence struct {
	Account evidence.ID      `json:"account"`
	Role    evidence.Role    `json:"role"`
	Since   evidence.Instant `json:"since"` // microseconds since the Unix epoch
	// Withheld: nothing is sent to her at the moment, because it cannot be decided
	// whether she may see it.
	Withheld bool `json:"withheld,omitempty"`
}

// BUG(recorder): if the program ends without a word while somebody watches an
// interview that is only ready, the custody log holds her joining without a leaving.
// From the start on the journal remembers, and the next run notes it.

// observation is who watches what on this node.
type observation struct {
	r      *Recorder
	server *monitor.Server

	joining sync.Mutex // serialises what is written when somebody joins

	mu      sync.Mutex // guards what follows; may be taken with a sitting's mu held, never the other way
	tickets map[[sha256.Size]byte]*ticket
	present map[evidence.ID][]*presence // by interview
	closed  bool
}

// ticket is an admission.
type ticket struct {
	interview evidence.ID
	observer  Observer
	expires   time.Duration // of the recorder's clock; without a session
	past      []evidence.ID // sessions that are over
	sessions  int
}

// presence is one person's watching of one interview, over all her sessions.
type presence struct {
	interview evidence.ID
	observer  Observer
	since     evidence.Instant

	noted bool // an event of the recording says that she is there; guarded by the sitting's mu

	// guarded by observation.mu
	views    []view
	holds    int // views, and those that are being opened
	gone     bool
	why      string // for the log, once gone
	withheld bool
	end      chan struct{} // closed when gone
}

// view is one session.
type view struct {
	source  evidence.ID
	session *monitor.Session
}

func newObservation(r *Recorder) *observation {
	return &observation{r: r, tickets: map[[sha256.Size]byte]*ticket{}, present: map[evidence.ID][]*presence{},
		server: &monitor.Server{Settings: func() (webrtc.SettingEngine, error) { return r.ingest.Settings() }}}
}

// AdmitObserver gives somebody a token to watch an interview with: see [Recorder.OpenView].
// The caller decided that she may.
func (r *Recorder) AdmitObserver(ctx context.Context, interview evidence.ID, o Observer) (Admission, error) {
	iv, err := r.cfg.Store.Interview(ctx, interview)
	if err != nil {
		return Admission{}, err
	}
	switch iv.State {
	case evidence.StateReady, evidence.StateRecording, evidence.StatePaused:
	default:
		return Admission{}, inState(iv.State)
	}
	token, _ := newToken()
	ob := r.observe
	ob.mu.Lock()
	defer ob.mu.Unlock()
	now := r.now()
	for key, t := range ob.tickets {
		if t.sessions == 0 && now >= t.expires {
			delete(ob.tickets, key)
		}
	}
	ob.tickets[sha256.Sum256([]byte(token))] = &ticket{interview: interview, observer: o, expires: now + admitFor}
	return Admission{Token: token, ExpiresAt: evidence.At(r.cfg.Clock().Add(admitFor))}, nil
}

var errNoTicket = evidence.Refuse(evidence.ErrUnauthenticated, "whep.token", "The observer's token is missing, wrong or no longer valid. Ask for a new one.", "")

// admitted returns the ticket of a token.
func (ob *observation) admitted(token string) (*ticket, error) {
	ob.mu.Lock()
	defer ob.mu.Unlock()
	t := ob.tickets[sha256.Sum256([]byte(token))]
	if t == nil || t.sessions == 0 && ob.r.now() >= t.expires {
		return nil, errNoTicket
	}
	return t, nil
}

// OpenView answers a WHEP offer for one source of the interview that the token is
// for. It is decided first whether she may; then her joining is written to the
// custody log; and only then anything can be sent. She sees what is recorded, while
// it is recorded: nothing in a break. Whether she still may is decided again every
// four seconds and on each event.
func (r *Recorder) OpenView(ctx context.Context, from evidence.ID, token, offer string) (Session, error) {
	ob := r.observe
	t, err := ob.admitted(token)
	if err != nil {
		return Session{}, err
	}
	s := r.active(t.interview)
	if s == nil {
		return Session{}, evidence.Refuse(evidence.ErrConflict, "whep.nothing", "No camera is connected yet.", "")
	}
	sources := s.allSources()
	i := slices.IndexFunc(sources, func(x *source) bool { return x.ev.ID == from })
	if i < 0 {
		return Session{}, fmt.Errorf("source %s: %w", from, evidence.ErrNotFound)
	}
	if err := t.observer.May(ctx); err != nil {
		return Session{}, err
	}
	p, err := ob.join(ctx, s, t)
	if err != nil {
		return Session{}, err
	}
	session, answer, err := ob.server.Open(ctx, offer, sources[i].live)
	if err != nil {
		ob.left(s, p, t, nil)
		return Session{}, err
	}
	if !ob.opened(s, p, t, view{source: from, session: session}) {
		session.Close()
		ob.left(s, p, t, nil)
		return Session{}, evidence.Refuse(evidence.ErrRefused, "whep.ended", "You may not watch any more.", "P14")
	}
	return Session{ID: session.ID, Answer: answer, ETag: session.ETag()}, nil
}

// view returns a running session of a token.
func (ob *observation) view(from evidence.ID, token string, session evidence.ID) (*monitor.Session, error) {
	t, err := ob.admitted(token)
	if err != nil {
		return nil, err
	}
	ob.mu.Lock()
	defer ob.mu.Unlock()
	for _, p := range ob.present[t.interview] {
		if p.observer.Actor.Account != t.observer.Actor.Account {
			continue
		}
		for _, v := range p.views {
			if v.source == from && v.session.ID == session {
				return v.session, nil
			}
		}
	}
	return nil, fmt.Errorf("session %s: %w", session, evidence.ErrNotFound)
}

// was reports whether a session of the token's is over.
func (ob *observation) was(token string, session evidence.ID) bool {
	t, err := ob.admitted(token)
	if err != nil {
		return false
	}
	ob.mu.Lock()
	defer ob.mu.Unlock()
	return slices.Contains(t.past, session)
}

// maxPast bounds how many ended sessions a ticket remembers.
const maxPast = 64

// TrickleView takes an SDP fragment for an observer's session: see [Recorder.Trickle].
func (r *Recorder) TrickleView(ctx context.Context, from evidence.ID, token string, session evidence.ID, ifMatch, fragment string) (answer, etag string, err error) {
	running, err := r.observe.view(from, token, session)
	if err != nil {
		return "", "", err
	}
	return running.Trickle(ctx, ifMatch, fragment)
}

// CloseView ends an observer's session. One that is over already is no error.
func (r *Recorder) CloseView(_ context.Context, from evidence.ID, token string, session evidence.ID) error {
	running, err := r.observe.view(from, token, session)
	if errors.Is(err, evidence.ErrNotFound) && r.observe.was(token, session) {
		return nil // over already, which is what was wanted
	}
	if err != nil {
		return err
	}
	running.Close()
	return nil
}

// join makes somebody present, once her joining is in the custody log. Each call that
// succeeds is undone by one of left.
func (ob *observation) join(ctx context.Context, s *sitting, t *ticket) (*presence, error) {
	ob.joining.Lock()
	defer ob.joining.Unlock()
	account := t.observer.Actor.Account
	ob.mu.Lock()
	for _, p := range ob.present[t.interview] {
		if p.observer.Actor.Account == account {
			p.holds++
			t.sessions++
			ob.mu.Unlock()
			return p, nil
		}
	}
	n := len(ob.present[t.interview])
	ob.mu.Unlock()
	if n >= maxObservers {
		return nil, evidence.Refuse(evidence.ErrConflict, "whep.full", "As many people watch this interview as can.", "P14")
	}
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	if err := ob.r.cfg.Store.AppendEntry(ctx, *s.entry(t.observer.Actor, actionObserveJoin, account, map[string]string{"role": string(t.observer.Role)})); err != nil {
		return nil, err
	}
	p := &presence{interview: t.interview, observer: t.observer, since: evidence.At(ob.r.cfg.Clock()), holds: 1, end: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	ob.mu.Lock()
	defer ob.mu.Unlock()
	switch s.phase.State {
	case evidence.StatePlanned, evidence.StateReady, evidence.StateRecording, evidence.StatePaused:
	default:
		p.gone = true
	}
	if p.gone || s.retired || ob.closed {
		p.why = "over"
		s.leaveLocked(p)
		return nil, inState(s.phase.State)
	}
	t.sessions++
	ob.present[t.interview] = append(ob.present[t.interview], p)
	s.joinedLocked(p)
	ob.r.tasks.Go(func() { ob.watch(s, p) })
	s.touch()
	return p, nil
}

// opened adds a view to a presence; false if it is over.
func (ob *observation) opened(s *sitting, p *presence, t *ticket, v view) bool {
	ob.mu.Lock()
	defer ob.mu.Unlock()
	if p.gone || ob.closed {
		return false
	}
	v.session.Hold(p.withheld)
	p.views = append(p.views, v)
	ob.r.tasks.Go(func() {
		<-v.session.Done()
		ob.left(s, p, t, v.session)
	})
	return true
}

// left undoes one join. With the last one the person is gone.
func (ob *observation) left(s *sitting, p *presence, t *ticket, session *monitor.Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ob.mu.Lock()
	p.views = slices.DeleteFunc(p.views, func(v view) bool { return v.session == session })
	if t.sessions--; session != nil {
		t.past = append(t.past, session.ID)
		t.past = t.past[max(len(t.past)-maxPast, 0):]
	}
	t.expires = ob.r.now() + admitFor
	p.holds--
	over := p.holds == 0 && !p.gone
	if over {
		ob.goneLocked(p, "left")
	}
	ob.mu.Unlock()
	if over {
		s.leaveLocked(p)
		s.touch()
	}
}

// goneLocked takes a presence off the list, with mu held.
func (ob *observation) goneLocked(p *presence, why string) {
	p.gone, p.why = true, why
	close(p.end)
	list := slices.DeleteFunc(ob.present[p.interview], func(x *presence) bool { return x == p })
	if ob.present[p.interview] = list; len(list) == 0 {
		delete(ob.present, p.interview)
	}
}

// watch decides again and again whether somebody may watch, until she is gone.
func (ob *observation) watch(s *sitting, p *presence) {
	ticker := time.NewTicker(decideEvery)
	defer ticker.Stop()
	for {
		changed := ob.r.cfg.Store.Changed()
		ctx, cancel := context.WithTimeout(context.Background(), settleFor)
		err := p.observer.May(ctx)
		cancel()
		switch {
		case err == nil:
			ob.withhold(s, p, false)
		case ends(err):
			ob.expel(s, p)
			return
		default: // viewing fails closed
			ob.withhold(s, p, true)
		}
		select {
		case <-p.end:
			return
		case <-ob.r.closing:
			return
		case <-ticker.C:
			continue
		case <-changed:
		}
		select { // many events in a row are one
		case <-p.end:
			return
		case <-ob.r.closing:
			return
		case <-time.After(decideAtMost):
		}
	}
}

// ends reports whether an answer of Observer.May is a no, and not a failure.
func ends(err error) bool {
	for _, no := range []error{evidence.ErrRefused, evidence.ErrNotFound, evidence.ErrUnauthenticated} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}

func (ob *observation) withhold(s *sitting, p *presence, on bool) {
	ob.mu.Lock()
	changed := p.withheld != on
	p.withheld = on
	for _, v := range p.views {
		v.session.Hold(on)
	}
	ob.mu.Unlock()
	if changed {
		s.touch()
	}
}

// expel ends a presence because it is not allowed any more.
func (ob *observation) expel(s *sitting, p *presence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ob.mu.Lock()
	over := !p.gone
	if over {
		ob.goneLocked(p, "not-allowed")
	}
	views := slices.Clone(p.views)
	ob.mu.Unlock()
	for _, v := range views {
		go v.session.Close()
	}
	if over {
		s.leaveLocked(p)
		s.touch()
	}
}

// close ends every presence. The recordings go on at the next start.
func (ob *observation) close() {
	ob.mu.Lock()
	ob.closed = true
	var all []*presence
	for _, list := range ob.present {
		all = append(all, list...)
	}
	ob.mu.Unlock()
	for _, p := range all {
		if s := ob.r.active(p.interview); s != nil {
			s.mu.Lock()
			s.dismissLocked("restart")
			s.mu.Unlock()
		}
	}
}

// joinedLocked notes in the recording, once there is one, that somebody watches.
func (s *sitting) joinedLocked(p *presence) {
	if s.journal == nil || p.noted {
		return
	}
	p.noted = true
	s.eventLocked(evidence.Event{At: s.nowLocked(), Kind: evidence.EventObserverJoined, Actor: p.observer.Actor.Account, Value: string(p.observer.Role)}, "")
}

// leaveLocked notes that somebody who is gone does not watch any more.
func (s *sitting) leaveLocked(p *presence) {
	account := p.observer.Actor.Account
	if p.noted {
		s.eventLocked(evidence.Event{At: s.nowLocked(), Kind: evidence.EventObserverLeft, Actor: account, Value: p.why}, "")
	}
	entry := s.entry(p.observer.Actor, actionObserveLeave, account, map[string]string{"why": p.why})
	if s.clerk != nil {
		s.clerk.add(duty{Entry: entry})
		return
	}
	s.r.tasks.Go(func() { // nothing is recorded: there is no journal to remember it
		for wait := backOffFirst; ; wait = min(2*wait, backOffLast) {
			ctx, cancel := context.WithTimeout(context.Background(), settleFor)
			err := s.r.cfg.Store.AppendEntry(ctx, *entry)
			cancel()
			if err == nil {
				return
			}
			s.r.log.Warn("an observer's leaving is not in the log yet", "interview", s.iv.ID, "err", err)
			select {
			case <-time.After(wait):
			case <-s.r.closing:
				return
			}
		}
	})
}

// observersPresentLocked notes at the start who watches already.
func (s *sitting) observersPresentLocked() {
	for _, p := range s.observers() {
		s.joinedLocked(p)
	}
}

// dismissLocked ends every presence of the sitting.
func (s *sitting) dismissLocked(why string) {
	ob := s.r.observe
	for _, p := range s.observers() {
		ob.mu.Lock()
		over := !p.gone
		if over {
			ob.goneLocked(p, why)
		}
		views := slices.Clone(p.views)
		ob.mu.Unlock()
		for _, v := range views {
			go v.session.Close()
		}
		if over {
			s.leaveLocked(p)
		}
	}
}

// observersLostLocked notes, after the program ended without a word, that nobody
// watches who did then.
func (s *sitting) observersLostLocked(at evidence.Offset) {
	watching := map[evidence.ID]bool{}
	var order []evidence.ID
	for _, e := range s.events {
		switch e.Kind {
		case evidence.EventObserverJoined:
			watching[e.Actor] = true
			order = append(order, e.Actor)
		case evidence.EventObserverLeft:
			delete(watching, e.Actor)
		}
	}
	for _, account := range order {
		if !watching[account] {
			continue
		}
		delete(watching, account)
		s.eventLocked(evidence.Event{At: at, Kind: evidence.EventObserverLeft, Actor: account, Value: "restart"}, "")
		s.clerk.add(duty{Entry: s.entry(evidence.System(s.iv.Agency), actionObserveLeave, account, map[string]string{"why": "restart"})})
	}
}

func (s *sitting) observers() []*presence {
	ob := s.r.observe
	ob.mu.Lock()
	defer ob.mu.Unlock()
	return slices.Clone(ob.present[s.iv.ID])
}

// presences lists who watches, in order of joining.
func (s *sitting) presences() []Presence {
	ob := s.r.observe
	ob.mu.Lock()
	defer ob.mu.Unlock()
	out := []Presence{}
	for _, p := range ob.present[s.iv.ID] {
		out = append(out, Presence{Account: p.observer.Actor.Account, Role: p.observer.Role, Since: p.since, Withheld: p.withheld})
	}
	return out
}

// keyFrameForObservers asks the source for a key frame, unless one came or was asked
// for just now: the recorder's own requests count for observers too.
func (s *source) keyFrameForObservers() {
	s.in.post(letter{act: func() {
		now := s.sitting.r.now()
		if t := s.video; s.recording && t != nil && t.feed != nil && now >= max(t.keyAt+keyFrameEvery/2, t.askedAt+keyFrameAgain) {
			t.askKeyFrame(now)
		}
	}})
}

// Remark notes in a running recording what was asked from the observation room:
// kind is [evidence.EventQuestion], EventTeamBreak or EventDistress, value what came of
// it, note the question, personal data. Its custody entry is the caller's.
func (r *Recorder) Remark(ctx context.Context, actor evidence.Actor, interview evidence.ID, kind, value, note string) error {
	s, err := r.running(ctx, interview)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase.State != evidence.StateRecording && s.phase.State != evidence.StatePaused {
		return inState(s.phase.State)
	}
	s.eventLocked(evidence.Event{At: s.nowLocked(), Kind: kind, Actor: actor.Account, Value: value}, note)
	return nil
}
