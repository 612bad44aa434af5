package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/recorder"
	"github.com/toldonce/toldonce/recorder/ingest"
)

// Length is how long a test recording runs.
const Length = 10 * time.Second

// KeptFor is when a rehearsal is forgotten at the latest, counted from when it was begun.
const KeptFor = 10 * time.Minute

// most bounds how many rehearsals are kept at the same time.
const most = 4

// sealWithin bounds how long the end of a recording may take.
const sealWithin = 30 * time.Second

// organisation stands in the certificate of the authority that seals rehearsals.
const organisation = "Test recording, not evidence"

// Config is what a [Service] is made of. All fields but Clock, Length and Logger must be set.
type Config struct {
	// Dir is a folder of the service's own; whatever is in it is removed.
	Dir string
	// Ingest is where sources arrive: that of the node's recorder.
	Ingest *ingest.Server
	// Finished is told what came of a test recording, once. An error is logged.
	Finished func(context.Context, Result) error
	// Software is as in recorder.Config.
	Software string
	Clock    evidence.Clock // default time.Now
	Length   time.Duration  // default [Length]
	Logger   *slog.Logger   // default: discards
}

// Place is the room in which somebody rehearses.
type Place struct {
	Room     evidence.ID
	Agency   evidence.ID
	TimeZone string // IANA name
}

// Result is what came of a test recording.
type Result struct {
	Room     evidence.ID
	Actor    evidence.Actor
	Holds    bool // it was verified: what was stored is what was sealed
	Segments int  // that were read for it
}

// State of a rehearsal.
type State string

// A rehearsal waits for its camera, records, is sealed and verified, and is done or failed.
const (
	Waiting   State = "waiting"
	Recording State = "recording"
	Sealing   State = "sealing"
	Done      State = "done"
	Failed    State = "failed"
)

// Take is how a rehearsal stands.
type Take struct {
	ID       evidence.ID
	Room     evidence.ID
	State    State
	Elapsed  evidence.Offset // since the start
	Until    evidence.Instant
	Segments int           // that were read to verify it
	Findings seal.Findings // once done
}

// Service makes test recordings. It is safe for concurrent use.
type Service struct {
	cfg Config

	mu     sync.Mutex
	takes  map[evidence.ID]*take
	closed bool
	tasks  sync.WaitGroup
}

// New removes what an earlier run left and returns a service that the caller ends with
// Close, before it closes the recorder whose Ingest it uses.
func New(cfg Config) (*Service, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Length == 0 {
		cfg.Length = Length
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.RemoveAll(cfg.Dir); err != nil {
		return nil, fmt.Errorf("removing earlier test recordings: %w", err)
	}
	if err := os.Mkdir(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of test recordings: %w", err)
	}
	return &Service{cfg: cfg, takes: map[evidence.ID]*take{}}, nil
}

// Close forgets every rehearsal.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	takes := s.takes
	s.takes = map[evidence.ID]*take{}
	s.mu.Unlock()
	var errs []error
	for _, t := range takes {
		errs = append(errs, t.end())
	}
	s.tasks.Wait()
	return errors.Join(append(errs, os.RemoveAll(s.cfg.Dir))...)
}

// Begin makes a rehearsal with one source, and returns it with the source and its bearer
// token, with which a camera publishes by WHIP. The actor was authorised before, and it
// is made sure that no interview is assigned to the room. A rehearsal that the same
// person has in the room ends; the error wraps [evidence.ErrConflict] if somebody else
// has one there, or [evidence.ErrUnavailable] if there are too many.
func (s *Service) Begin(ctx context.Context, actor evidence.Actor, at Place) (Take, evidence.Source, string, error) {
	t, err := s.make(ctx, actor, at)
	if err != nil {
		return Take{}, evidence.Source{}, "", fmt.Errorf("beginning a test recording: %w", err)
	}
	source, token, err := t.recorder.CreateSource(ctx, actor, t.interview, evidence.SourceCloseUp)
	if err == nil {
		t.source = source
		err = s.admit(t)
	}
	if err != nil {
		return Take{}, evidence.Source{}, "", errors.Join(err, t.end())
	}
	return t.status(), source, token, nil
}

// make opens a recorder for one rehearsal.
func (s *Service) make(ctx context.Context, actor evidence.Actor, at Place) (t *take, err error) {
	now := evidence.At(s.cfg.Clock())
	// The manifest's form asks for a case: this identifier is of none.
	iv := evidence.Interview{ID: evidence.NewID(), Agency: at.Agency, Case: evidence.NewID(), Recording: evidence.NewID(), Room: at.Room,
		Number: 1, State: evidence.StateReady, PlannedAt: now, Language: "en", Version: 1}
	t = &take{service: s, id: evidence.NewID(), room: at.Room, actor: actor, interview: iv.ID, recording: iv.Recording, store: newMemory(iv, at.TimeZone),
		state: Waiting, until: now + evidence.Instant(KeptFor.Microseconds())}
	t.dir = filepath.Join(s.cfg.Dir, string(t.id))
	if t.keys, err = newRing(); err != nil {
		return nil, err
	}
	if err := os.Mkdir(t.dir, 0o700); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(t.dir))
		}
	}()
	folder := filepath.Join(t.dir, "seal")
	if err := seal.Init(ctx, folder, seal.Config{Organisation: organisation, Keys: t.keys, Clock: s.cfg.Clock}); err != nil {
		return nil, err
	}
	if t.authority, err = seal.Open(ctx, folder, t.keys, s.cfg.Clock); err != nil {
		return nil, err
	}
	t.recorder, err = recorder.New(ctx, recorder.Config{
		Store: t.store, Objects: t.store, Keys: t.keys, Seal: t.authority, Gate: t.store, Facts: t.store, Clock: s.cfg.Clock,
		SpoolDir: filepath.Join(t.dir, "spool"), Ingest: s.cfg.Ingest, Software: s.cfg.Software + ", test recording", Logger: s.cfg.Logger,
	})
	return t, err
}

// admit makes a rehearsal known, unless there is no place for it.
func (s *Service) admit(t *take) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("%w: shutting down", evidence.ErrUnavailable)
	}
	for id, other := range s.takes {
		if other.room != t.room {
			continue
		}
		if other.actor.Account != t.actor.Account {
			return evidence.Refuse(evidence.ErrConflict, "rehearsal.busy", "Somebody else makes a test recording in this room.", "")
		}
		delete(s.takes, id)
		s.tasks.Go(func() { s.logged(other.end()) })
	}
	if len(s.takes) >= most {
		return evidence.Refuse(evidence.ErrConflict, "rehearsal.many", "Others make test recordings now. Try again in a few minutes.", "")
	}
	s.takes[t.id] = t
	t.expiry = time.AfterFunc(KeptFor, func() { s.forget(t) })
	return nil
}

func (s *Service) finish(t *take) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.tasks.Add(1)
	s.mu.Unlock()
	defer s.tasks.Done()
	t.finish()
}

func (s *Service) logged(err error) {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.cfg.Logger.Warn("ending a test recording", "err", err)
	}
}

func (s *Service) forget(t *take) {
	s.mu.Lock()
	if s.takes[t.id] == t {
		delete(s.takes, t.id)
	}
	s.mu.Unlock()
	s.logged(t.end())
}

// of returns a rehearsal to the person who began it; to anyone else there is none.
func (s *Service) of(actor evidence.Actor, id evidence.ID) (*take, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.takes[id]
	if t == nil || t.actor.Account != actor.Account {
		return nil, evidence.ErrNotFound
	}
	return t, nil
}

// Start begins the recording, which ends by itself after Length.
func (s *Service) Start(ctx context.Context, actor evidence.Actor, id evidence.ID) (Take, error) {
	t, err := s.of(actor, id)
	if err != nil {
		return Take{}, err
	}
	if _, err := t.recorder.Start(ctx, actor, t.interview); err != nil {
		return Take{}, fmt.Errorf("starting a test recording: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state, t.startedAt = Recording, evidence.At(s.cfg.Clock())
	t.stop = time.AfterFunc(s.cfg.Length, func() { s.finish(t) })
	return t.statusLocked(), nil
}

// Take says how a rehearsal stands.
func (s *Service) Take(actor evidence.Actor, id evidence.ID) (Take, error) {
	t, err := s.of(actor, id)
	if err != nil {
		return Take{}, err
	}
	return t.status(), nil
}

// Forget ends a rehearsal and everything that is of it.
func (s *Service) Forget(actor evidence.Actor, id evidence.ID) error {
	t, err := s.of(actor, id)
	if err != nil {
		return err
	}
	s.forget(t)
	return nil
}

// Media is what a rehearsal recorded. Nothing of it is kept anywhere else.
type Media struct {
	Source   evidence.Source
	Tracks   []evidence.Track
	Segments []evidence.Segment
	// Open reads one of the segments, and checks both its digests.
	Open func(evidence.Segment) ([]byte, error)
}

// Media returns what was recorded, once that is done. The error wraps
// [evidence.ErrConflict] before.
func (s *Service) Media(ctx context.Context, actor evidence.Actor, id evidence.ID) (Media, error) {
	t, err := s.of(actor, id)
	if err != nil {
		return Media{}, err
	}
	if t.status().State != Done {
		return Media{}, evidence.Refuse(evidence.ErrConflict, "rehearsal.state", "The test recording is not ready yet.", "")
	}
	m := Media{Source: t.source, Open: t.open}
	if m.Tracks, err = t.store.Tracks(ctx, t.interview); err == nil {
		m.Segments, err = t.store.Segments(ctx, t.recording)
	}
	return m, err
}

// publisher returns the rehearsal of a source.
func (s *Service) publisher(source evidence.ID) (*recorder.Recorder, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.takes {
		if t.source.ID == source {
			return t.recorder, nil
		}
	}
	return nil, evidence.ErrUnauthenticated
}

// Publish is [recorder.Recorder.Publish] for the source of a rehearsal.
func (s *Service) Publish(ctx context.Context, source evidence.ID, token, offer string) (recorder.Session, error) {
	r, err := s.publisher(source)
	if err != nil {
		return recorder.Session{}, err
	}
	return r.Publish(ctx, source, token, offer)
}

// Trickle is [recorder.Recorder.Trickle] for the source of a rehearsal.
func (s *Service) Trickle(ctx context.Context, source evidence.ID, token string, session evidence.ID, ifMatch, fragment string) (answer, etag string, err error) {
	r, err := s.publisher(source)
	if err != nil {
		return "", "", err
	}
	return r.Trickle(ctx, source, token, session, ifMatch, fragment)
}

// Unpublish is [recorder.Recorder.Unpublish] for the source of a rehearsal.
func (s *Service) Unpublish(ctx context.Context, source evidence.ID, token string, session evidence.ID) error {
	r, err := s.publisher(source)
	if err != nil {
		return err
	}
	return r.Unpublish(ctx, source, token, session)
}

var _ envelope.Keyring = (*ring)(nil)
