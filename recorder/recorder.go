package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/recorder/ingest"
	"github.com/toldonce/toldonce/recorder/relay"
	"github.com/toldonce/toldonce/recorder/spool"
)

// Recorder runs all recordings of one node. It is safe for concurrent use.
type Recorder struct {
	cfg      Config
	log      *slog.Logger
	base     time.Time // zero of now
	spool    *spool.Spool
	ingest   *ingest.Server
	observe  *observation
	relay    *relay.Server // nil: none
	watchers *watchers
	node     evidence.ID
	metrics  *counters
	buffers  sync.Pool // *[]byte, for frames on their way into the journal

	closing chan struct{}
	once    sync.Once
	tasks   sync.WaitGroup

	mu       sync.Mutex
	sittings map[evidence.ID]*sitting
}

// New opens the spool, recovers what an earlier run left in it, and starts to
// accept sources. ctx bounds the opening only. The caller ends it with Close.
// The recorder owns cfg.UDP and cfg.TCP from the call on.
func New(ctx context.Context, cfg Config) (*Recorder, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Recorder{
		cfg: cfg, log: cfg.Logger, base: time.Now(), closing: make(chan struct{}), metrics: &counters{},
		sittings: map[evidence.ID]*sitting{},
		buffers:  sync.Pool{New: func() any { b := make([]byte, 0, 16<<10); return &b }},
	}
	r.watchers = newWatchers(r)
	r.observe = newObservation(r)
	if err := r.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the recorder: %w", err), r.Close())
	}
	return r, nil
}

func (r *Recorder) open(ctx context.Context) error {
	var err error
	if r.cfg.Ingest != nil {
		r.ingest = r.cfg.Ingest
	} else if r.ingest, err = ingest.New(ingest.Config{UDP: r.cfg.UDP, TCP: r.cfg.TCP, PublicIPs: r.cfg.PublicIPs, Logger: r.log}); err != nil {
		return err
	}
	if r.cfg.RelayUDP != nil || r.cfg.RelayTCP != nil {
		if err := r.openRelay(); err != nil {
			return err
		}
	}
	r.spool, err = spool.Open(spool.Config{
		Dir: r.cfg.SpoolDir, Keys: r.cfg.Keys, Objects: r.cfg.Objects, Reserve: r.cfg.Reserve, Limit: r.cfg.Limit, Backlog: r.cfg.Backlog, Clock: r.cfg.Clock,
		OnAlarm: func(a spool.Alarm, cause error) {
			r.log.Warn("spool", "alarm", a.Code, "raised", a.Raised, "err", cause)
			r.watchers.touchAll()
		},
		OnSync: r.metrics.synced,
	})
	if err != nil {
		return err
	}
	if r.node, err = nodeOf(r.cfg.SpoolDir); err != nil {
		return err
	}
	left, err := r.spool.Interviews()
	if err != nil {
		return err
	}
	for _, id := range left {
		if err := r.recover(ctx, id); err != nil {
			return fmt.Errorf("recovering interview %s: %w", id, err)
		}
	}
	r.tasks.Go(r.watchConsent)
	r.tasks.Go(r.watchers.run)
	return nil
}

// Close stops without ending any recording: what was captured is synced, and
// the next New goes on.
func (r *Recorder) Close() error {
	var errs []error
	r.once.Do(func() {
		close(r.closing)
		r.observe.close()
		if r.relay != nil {
			errs = append(errs, r.relay.Close())
		}
		if r.ingest != nil && r.cfg.Ingest == nil {
			errs = append(errs, r.ingest.Close())
		}
		r.mu.Lock()
		sittings := r.sittings
		r.sittings = nil
		r.mu.Unlock()
		for _, s := range sittings {
			for _, src := range s.allSources() {
				src.leave()
			}
			if s.keeper != nil {
				s.keeper.close()
				s.clerk.close()
				<-s.clerk.done
				errs = append(errs, s.journal.Close())
			}
		}
		r.tasks.Wait()
		if r.spool != nil {
			errs = append(errs, r.spool.Close())
		}
	})
	return errors.Join(errs...)
}

// hold keeps [Recorder.Close] waiting until tasks.Done, unless it has begun.
func (r *Recorder) hold() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sittings == nil {
		return false
	}
	r.tasks.Add(1)
	return true
}

// Ingest is where sources arrive, for another recorder that takes some of its own by
// the same addresses. It ends with this recorder.
func (r *Recorder) Ingest() *ingest.Server { return r.ingest }

// now is the recorder's monotonic clock: time since it was opened. A wall clock
// that is set does not move it.
func (r *Recorder) now() time.Duration { return time.Since(r.base) }

// sitting returns the interview's sitting, making one if the interview is not
// over. The error wraps [evidence.ErrNotFound], or is a refusal for an interview
// that is over.
func (r *Recorder) sitting(ctx context.Context, interview evidence.ID) (*sitting, error) {
	r.mu.Lock()
	s := r.sittings[interview]
	r.mu.Unlock()
	if s != nil {
		return s, nil
	}
	iv, err := r.cfg.Store.Interview(ctx, interview)
	if err != nil {
		return nil, err
	}
	switch iv.State {
	case evidence.StatePlanned, evidence.StateReady:
	case evidence.StateRecording, evidence.StatePaused, evidence.StateStopping:
		// Its journal is on another node, or lost.
		return nil, elsewhere()
	default:
		return nil, inState(iv.State)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sittings == nil {
		return nil, fmt.Errorf("%w: shutting down", evidence.ErrUnavailable)
	}
	if s := r.sittings[interview]; s != nil {
		return s, nil
	}
	s = newSitting(r, iv)
	r.sittings[interview] = s
	return s, nil
}

// active returns the sitting only if there is one.
func (r *Recorder) active(interview evidence.ID) *sitting {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sittings[interview]
}

// Kinds of events by which an interview loses what it rests on.
const (
	eventConsentEnded = "interview.consent_ended" // what is being recorded stops
	eventNotReady     = "interview.not_ready"     // what is connected in readiness is let go
	eventCancel       = "interview.cancel"        // likewise
)

// watchConsent stops recordings whose consent ended, and lets go of sources that
// were connected in readiness. A database that does not answer stops nothing; the
// events are read when it does.
func (r *Recorder) watchConsent() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var after int64
	for wait := backOffFirst; ; {
		changed := r.cfg.Store.Changed()
		events, err := r.cfg.Store.EventsAfter(ctx, after, custody.EventFilter{Kinds: []string{eventConsentEnded, eventNotReady, eventCancel}}, 100)
		if err != nil {
			r.log.Warn("reading events", "err", err)
			select {
			case <-time.After(wait):
			case <-r.closing:
				return
			}
			wait = min(2*wait, backOffLast)
			continue
		}
		wait = backOffFirst
		for _, e := range events {
			after = e.ID
			// Apart, because an act on one interview may hold up none of another.
			r.tasks.Go(func() { r.consentEnded(ctx, e) })
		}
		if len(events) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-r.closing:
			return
		}
	}
}

func (r *Recorder) consentEnded(ctx context.Context, e custody.Event) {
	s := r.active(e.Interview)
	if s == nil {
		return
	}
	// A start that has begun is over before its state is looked at: it would go on
	// with an interview that was let go of.
	s.op.Lock()
	defer s.op.Unlock()
	if e.Kind != eventCancel {
		ctx, cancel := context.WithTimeout(ctx, settleFor)
		defer cancel()
		if err := r.cfg.Gate.Check(ctx, e.Interview); err == nil {
			return // given again meanwhile
		}
	}
	switch s.state() {
	case evidence.StatePlanned, evidence.StateReady:
		// Nothing is received any more without consent, in memory neither.
		s.retire()
	case evidence.StateRecording, evidence.StatePaused:
		if e.Kind == eventConsentEnded {
			s.stop(evidence.System(s.iv.Agency), actionConsentStop)
		}
	}
}
