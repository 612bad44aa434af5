package testutil

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/seal"
)

// Store is a [disclosure.Store], the objects and the keys of one recording, in
// memory. Custody entries go to the log of the world.
type Store struct {
	T         testing.TB
	World     *World
	Held      evidence.Interview
	Recording *Recording
	Key       envelope.DataKey
	// Fail is asked before each method does anything.
	Fail func(method string) error
	// Clock tells the time; it moves only when a test moves it.
	Clock evidence.Instant

	mu      sync.Mutex
	exports []disclosure.Export
	Erased  bool // the recording's key was erased
}

// NewStore records an interview under a fresh key.
func NewStore(t testing.TB, w *World) *Store {
	t.Helper()
	s := &Store{T: t, World: w, Key: envelope.NewDataKey(), Clock: evidence.At(time.Now())}
	s.Held = evidence.Interview{ID: evidence.NewID(), Agency: w.Agency, Case: evidence.NewID(), Recording: evidence.NewID(), State: evidence.StateSealed}
	recipient, err := s.Key.Recipient()
	check(t, err)
	sealer, err := envelope.NewSealer(recipient)
	check(t, err)
	s.Recording = w.Record(t, Shape{Sources: 1, Parts: 1, Loops: 1, Of: s.Held, Encrypt: func(plain []byte) ([]byte, error) {
		cipher, _, _, err := sealer.Encrypt(plain)
		return cipher, err
	}})
	return s
}

func (s *Store) fail(method string) error {
	if s.Fail == nil {
		return nil
	}
	return s.Fail(method)
}

// Now implements [disclosure.Store].
func (s *Store) Now(context.Context) (evidence.Instant, error) { return s.Clock, s.fail("Now") }

// Interview implements [disclosure.Store].
func (s *Store) Interview(_ context.Context, id evidence.ID) (evidence.Interview, error) {
	if id != s.Held.ID {
		return evidence.Interview{}, evidence.ErrNotFound
	}
	return s.Held, s.fail("Interview")
}

// Sealed implements [disclosure.Store].
func (s *Store) Sealed(context.Context, evidence.ID) (evidence.SealedRecording, error) {
	return s.Recording.Sealed, s.fail("Sealed")
}

// SealedHead implements [disclosure.Store].
func (s *Store) SealedHead(context.Context, evidence.ID) (evidence.SealedRecording, error) {
	head := s.Recording.Sealed
	head.Pages = nil
	return head, s.fail("SealedHead")
}

// SegmentsOfTrack implements [disclosure.Store].
func (s *Store) SegmentsOfTrack(ctx context.Context, track evidence.ID, r evidence.Range) ([]evidence.Segment, error) {
	return s.Recording.SegmentsOfTrack(ctx, track, r)
}

// SegmentAt implements [disclosure.Store].
func (s *Store) SegmentAt(ctx context.Context, track evidence.ID, kind evidence.LeafKind, index int) (evidence.Segment, error) {
	return s.Recording.SegmentAt(ctx, track, kind, index)
}

// SealedPage implements [disclosure.Store].
func (s *Store) SealedPage(ctx context.Context, recording evidence.ID, page int) ([]byte, error) {
	return s.Recording.SealedPage(ctx, recording, page)
}

// SealedNodes implements [disclosure.Store].
func (s *Store) SealedNodes(ctx context.Context, recording evidence.ID, numbers []int64) ([]tlog.Hash, error) {
	return s.Recording.SealedNodes(ctx, recording, numbers)
}

// Facts implements [disclosure.Store].
func (s *Store) Facts(context.Context, evidence.ID) (disclosure.Facts, error) {
	f := s.Recording.Facts()
	f.Exhibit, f.Salt = "", nil
	return f, s.fail("Facts")
}

// Unreceived implements [disclosure.Store].
func (s *Store) Unreceived(_ context.Context, before evidence.Instant) ([]disclosure.Export, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []disclosure.Export
	for _, e := range s.exports {
		if e.State == disclosure.Delivered && e.AlarmedAt == 0 && e.DeliveredAt < before {
			out = append(out, e)
		}
	}
	return out, s.fail("Unreceived")
}

// Renewals implements [disclosure.Store].
func (s *Store) Renewals(context.Context, evidence.ID) ([]seal.Renewal, error) {
	return s.Recording.Renewals, s.fail("Renewals")
}

// RecordingCheckpoints implements [disclosure.Store].
func (s *Store) RecordingCheckpoints(context.Context, evidence.ID) ([]string, error) {
	return s.Recording.Checkpoints, s.fail("RecordingCheckpoints")
}

// SourceManifests implements [disclosure.Store].
func (s *Store) SourceManifests(context.Context, evidence.ID) ([]evidence.StoredSourceManifest, error) {
	return nil, nil
}

func (s *Store) Segments(context.Context, evidence.ID) ([]evidence.Segment, error) {
	return s.Recording.Segments, s.fail("Segments")
}

// RecordingKey implements [disclosure.Store].
func (s *Store) RecordingKey(context.Context, evidence.ID) ([]byte, string, error) {
	return s.Key[:], s.Recording.Manifest.Encryption.Recipient, s.fail("RecordingKey")
}

// OpenRecordingKey implements [disclosure.Keys].
func (s *Store) OpenRecordingKey(context.Context, evidence.ID, []byte) (envelope.DataKey, error) {
	if s.Erased {
		return envelope.DataKey{}, envelope.ErrErased
	}
	return s.Key, s.fail("OpenRecordingKey")
}

// Get implements [disclosure.Objects].
func (s *Store) Get(_ context.Context, key, _ string) ([]byte, error) {
	var position int
	if _, err := fmt.Sscanf(key, "object-%d", &position); err != nil {
		return nil, evidence.ErrNotFound
	}
	return s.Recording.Cipher[position], s.fail("Get")
}

// CreateExport implements [disclosure.Store].
func (s *Store) CreateExport(_ context.Context, e disclosure.Export, entry custody.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail("CreateExport"); err != nil {
		return err
	}
	s.World.Log.Append(s.T, entry)
	s.exports = append(s.exports, e)
	return nil
}

// Export implements [disclosure.Store].
func (s *Store) Export(_ context.Context, id evidence.ID) (disclosure.Export, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.exports {
		if e.ID == id {
			return e, nil
		}
	}
	return disclosure.Export{}, evidence.ErrNotFound
}

// Exports implements [disclosure.Store].
func (s *Store) Exports(context.Context, disclosure.Filter) ([]disclosure.Export, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.exports)
	slices.Reverse(out)
	return out, nil
}

// ChangeExport implements [disclosure.Store].
func (s *Store) ChangeExport(_ context.Context, e disclosure.Export, entry custody.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail("ChangeExport"); err != nil {
		return err
	}
	for i, old := range s.exports {
		if old.ID == e.ID && old.Version == e.Version {
			e.Version++
			s.exports[i] = e
			s.World.Log.Append(s.T, entry)
			return nil
		}
	}
	return evidence.ErrConflict
}

// RenewExport implements [disclosure.Store].
func (s *Store) RenewExport(_ context.Context, id evidence.ID, attempt int, until evidence.Instant) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, e := range s.exports {
		if e.ID == id && e.Attempt == attempt && e.LeaseUntil > 0 {
			s.exports[i].LeaseUntil = until
			return nil
		}
	}
	return evidence.ErrConflict
}

// Actions lists the actions in the log about an export, in order.
func (s *Store) Actions(export evidence.ID) []string {
	var out []string
	for _, r := range s.World.Log.records {
		if r.Leaf.Subject == export {
			out = append(out, r.Leaf.Action)
		}
	}
	return out
}
