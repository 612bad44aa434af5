// Package memstore keeps everything in memory, for tests of the domain's rules. It
// implements the stores of people, casefile, consent and access with the same
// promises as storage/db, keeps the custody entries in order, and can be told to
// fail. It is for tests only.
package memstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/observation"
	"github.com/toldonce/toldonce/evidence/people"
	"github.com/toldonce/toldonce/evidence/transcript"
)

// ErrInjected is returned by a method that was told to fail.
var ErrInjected = errors.New("injected failure")

// Store is the memory. Its zero value is not usable; see New. Safe for concurrent use.
type Store struct {
	mu  sync.Mutex
	now evidence.Instant

	// FailBefore makes a write of this action fail and change nothing; FailAfter
	// makes it fail after it was done, as when a commit's answer is lost. Both are
	// keyed by custody action; "delivered" stands for SaveDelivered.
	FailBefore, FailAfter map[string]bool
	// BeforeWindow, if set, is called before a window is opened: what happens there
	// happens between a decision and its entry.
	BeforeWindow func()

	Entries []custody.Entry // in order
	at      evidence.Instant

	agencies    map[evidence.ID]people.Agency
	rooms       map[evidence.ID]people.Room
	accounts    map[evidence.ID]people.Account
	credentials map[evidence.ID]people.Credentials
	passkeys    []people.Passkey
	invitations map[evidence.ID]people.Invitation
	tokens      map[evidence.ID]people.Token
	attempts    map[string]people.Attempts
	indexKey    []byte

	cases      map[evidence.ID]casefile.Case
	team       []casefile.Member
	persons    map[evidence.ID]casefile.Person
	links      []casefile.Link
	sheets     map[evidence.ID]casefile.Sheet
	roomChecks map[evidence.ID]people.RoomCheck
	devices    []evidence.Device
	rehearsals map[evidence.ID]people.Rehearsal
	interviews map[evidence.ID]evidence.Interview
	plans      map[evidence.ID]casefile.Plan
	sources    map[evidence.ID][]evidence.Source
	tracks     map[evidence.ID][]evidence.Track
	segments   map[evidence.ID][]evidence.Segment // by track

	consents []consent.Record
	repeats  []consent.Repeat
	grants   map[evidence.ID]access.Grant
	windows  []access.Window
	viewings []access.ViewingSession
	gone     map[access.Delivered]bool
	refusals map[string]evidence.Instant
	calls    []observation.Call
	notes    []observation.Note

	transcripts []transcript.Version
	jobs        []evidence.Job
}

// Start is the server time of a new Store.
var Start = evidence.At(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))

// New returns an empty store whose clock stands at Start.
func New() *Store {
	return &Store{now: Start, FailBefore: map[string]bool{}, FailAfter: map[string]bool{},
		agencies: map[evidence.ID]people.Agency{}, rooms: map[evidence.ID]people.Room{}, accounts: map[evidence.ID]people.Account{},
		credentials: map[evidence.ID]people.Credentials{}, invitations: map[evidence.ID]people.Invitation{}, tokens: map[evidence.ID]people.Token{},
		attempts: map[string]people.Attempts{}, cases: map[evidence.ID]casefile.Case{}, persons: map[evidence.ID]casefile.Person{}, sheets: map[evidence.ID]casefile.Sheet{}, roomChecks: map[evidence.ID]people.RoomCheck{}, rehearsals: map[evidence.ID]people.Rehearsal{},
		interviews: map[evidence.ID]evidence.Interview{}, plans: map[evidence.ID]casefile.Plan{}, sources: map[evidence.ID][]evidence.Source{},
		tracks: map[evidence.ID][]evidence.Track{}, segments: map[evidence.ID][]evidence.Segment{}, grants: map[evidence.ID]access.Grant{},
		gone: map[access.Delivered]bool{}, refusals: map[string]evidence.Instant{}}
}

// Advance moves the clock; a negative duration turns it back.
func (s *Store) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now += evidence.Instant(d.Microseconds())
}

// Now implements the stores' server time.
func (s *Store) Now(context.Context) (evidence.Instant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now < s.at {
		return 0, evidence.ErrClockBehind
	}
	return s.now, nil
}

// Log returns the entries so far with an action; all for an empty one.
func (s *Store) Log(action string) []custody.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []custody.Entry
	for _, e := range s.Entries {
		if action == "" || e.Action == action {
			out = append(out, e)
		}
	}
	return out
}

// write does fn and appends the entries, or neither.
func (s *Store) write(entries []custody.Entry, fn func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		if s.FailBefore[e.Action] {
			return fmt.Errorf("%s: %w", e.Action, ErrInjected)
		}
		if _, _, err := e.Leaf(s.now, custody.Hash{}); err != nil {
			return err
		}
	}
	if err := fn(); err != nil {
		return err
	}
	s.Entries = append(s.Entries, entries...)
	if len(entries) > 0 {
		s.at = max(s.at, s.now)
	}
	for _, e := range entries {
		if s.FailAfter[e.Action] {
			return fmt.Errorf("%s: %w: %w", e.Action, evidence.ErrUnknownState, ErrInjected)
		}
	}
	return nil
}

func (s *Store) one(e custody.Entry, fn func() error) error { return s.write([]custody.Entry{e}, fn) }

// AppendEntry implements people.Store.
func (s *Store) AppendEntry(_ context.Context, e custody.Entry) error {
	return s.one(e, func() error { return nil })
}

func notFound(what string) error { return fmt.Errorf("%s: %w", what, evidence.ErrNotFound) }
func conflict(what string) error { return fmt.Errorf("%s: %w", what, evidence.ErrConflict) }

// get looks an id up.
func get[V any](s *Store, m map[evidence.ID]V, id evidence.ID, what string) (V, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := m[id]
	if !ok {
		return v, notFound(what)
	}
	return v, nil
}

func sorted[V any](m map[evidence.ID]V) []V {
	out := make([]V, 0, len(m))
	for _, id := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[id])
	}
	return out
}
