package rehearsal

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/recorder"
)

// mostBytes bounds what one rehearsal keeps. Ten seconds of a camera are about 4 MB.
const mostBytes = 64 << 20

// memory is everything that a rehearsal's recorder keeps: database, object store, gate
// and facts, for one interview. Custody entries written to it are dropped: the log is
// of evidence, and tells of a rehearsal by entries of its own. Safe for concurrent use.
type memory struct {
	mu        sync.Mutex
	interview evidence.Interview
	zone      string
	sources   []evidence.Source
	tracks    []evidence.Track
	segments  map[int64]evidence.Segment
	devices   []evidence.Device
	manifests []evidence.StoredSourceManifest
	wrapped   []byte
	recipient string
	sealed    *evidence.SealedRecording
	objects   map[string][]byte
	size      int
	changed   chan struct{} // never closed: nothing happens here that anyone waits for
}

func newMemory(iv evidence.Interview, zone string) *memory {
	return &memory{interview: iv, zone: zone, segments: map[int64]evidence.Segment{}, objects: map[string][]byte{}, changed: make(chan struct{})}
}

// Interview implements recorder.Store.
func (m *memory) Interview(_ context.Context, id evidence.ID) (evidence.Interview, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if id != m.interview.ID {
		return evidence.Interview{}, evidence.ErrNotFound
	}
	return m.interview, nil
}

// Check implements recorder.Gate. It knows the rehearsal and nothing else.
func (m *memory) Check(ctx context.Context, interview evidence.ID) error {
	_, err := m.Interview(ctx, interview)
	return err
}

// RecordingFacts implements recorder.Facts. There is no case, so the commitment to its
// reference is to nothing.
func (m *memory) RecordingFacts(context.Context, evidence.ID) (recorder.RecordingFacts, error) {
	reference, _ := evidence.Commit("case.reference", "")
	return recorder.RecordingFacts{CaseReference: reference, TimeZone: m.zone}, nil
}

// AcquireLease implements recorder.Store: nobody else knows of the interview.
func (m *memory) AcquireLease(_ context.Context, interview, node evidence.ID, ttl time.Duration) (evidence.Lease, error) {
	return evidence.Lease{Interview: interview, Node: node, Epoch: 1, Until: evidence.At(time.Now().Add(ttl))}, nil
}

// RenewLease implements recorder.Store.
func (m *memory) RenewLease(_ context.Context, l evidence.Lease, ttl time.Duration) (evidence.Lease, error) {
	l.Until = evidence.At(time.Now().Add(ttl))
	return l, nil
}

// ReleaseLease implements recorder.Store.
func (m *memory) ReleaseLease(context.Context, evidence.Lease) error { return nil }

// Transition implements recorder.Store.
func (m *memory) Transition(_ context.Context, id evidence.ID, from []evidence.State, to evidence.State, at evidence.Instant, _ custody.Entry) (evidence.Interview, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if id != m.interview.ID {
		return evidence.Interview{}, evidence.ErrNotFound
	}
	if !slices.Contains(from, m.interview.State) {
		return m.interview, fmt.Errorf("%w: it is %s", evidence.ErrConflict, m.interview.State)
	}
	m.interview.State = to
	switch {
	case to == evidence.StateRecording && m.interview.StartedAt == 0:
		m.interview.StartedAt = at
	case to == evidence.StateStopping && m.interview.StoppedAt == 0:
		m.interview.StoppedAt = at
	}
	return m.interview, nil
}

// AppendEntry implements recorder.Store.
func (m *memory) AppendEntry(context.Context, custody.Entry) error { return nil }

// SaveSource implements recorder.Store.
func (m *memory) SaveSource(_ context.Context, s evidence.Source, _ custody.Entry) (evidence.Source, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Name = string(s.Role)
	m.sources = append(m.sources, s)
	return s, nil
}

// ReplaceSourceToken implements recorder.Store.
func (m *memory) ReplaceSourceToken(_ context.Context, id, _ evidence.ID, hash []byte, _ custody.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.sources {
		if m.sources[i].ID == id {
			m.sources[i].TokenHash = hash
			return nil
		}
	}
	return evidence.ErrNotFound
}

// SourceByToken implements recorder.Store.
func (m *memory) SourceByToken(_ context.Context, hash []byte) (evidence.Source, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.sources {
		if bytes.Equal(s.TokenHash, hash) {
			return s, nil
		}
	}
	return evidence.Source{}, evidence.ErrNotFound
}

// Sources implements recorder.Store.
func (m *memory) Sources(context.Context, evidence.ID) ([]evidence.Source, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.sources), nil
}

// SaveTrack implements recorder.Store.
func (m *memory) SaveTrack(_ context.Context, t evidence.Track) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.tracks, t) {
		m.tracks = append(m.tracks, t)
	}
	return nil
}

// Tracks implements recorder.Store.
func (m *memory) Tracks(context.Context, evidence.ID) ([]evidence.Track, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.tracks), nil
}

// SaveSegments implements recorder.Store.
func (m *memory) SaveSegments(_ context.Context, _ evidence.ID, segments []evidence.Segment) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range segments {
		if old, ok := m.segments[s.Position]; ok && old != s {
			return evidence.ErrConflict
		}
		m.segments[s.Position] = s
	}
	return nil
}

// Segments implements recorder.Store.
func (m *memory) Segments(context.Context, evidence.ID) ([]evidence.Segment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]evidence.Segment, 0, len(m.segments))
	for _, s := range m.segments {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b evidence.Segment) int { return int(a.Position - b.Position) })
	return out, nil
}

// SaveDevice implements recorder.Store.
func (m *memory) SaveDevice(_ context.Context, d evidence.Device, _ custody.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.devices = append(m.devices, d)
	return nil
}

// Device implements recorder.Store.
func (m *memory) Device(_ context.Context, room evidence.ID, key string) (evidence.Device, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.devices {
		if d.Room == room && d.KeyID == key {
			return d, nil
		}
	}
	return evidence.Device{}, evidence.ErrNotFound
}

// SaveSourceManifests implements recorder.Store.
func (m *memory) SaveSourceManifests(_ context.Context, _ evidence.ID, files []evidence.StoredSourceManifest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range files {
		if !slices.Contains(m.manifests, f) {
			m.manifests = append(m.manifests, f)
		}
	}
	return nil
}

// SourceManifests implements recorder.Store.
func (m *memory) SourceManifests(context.Context, evidence.ID) ([]evidence.StoredSourceManifest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.manifests), nil
}

// SaveRecordingKey implements recorder.Store.
func (m *memory) SaveRecordingKey(_ context.Context, _ evidence.ID, wrapped []byte, recipient string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wrapped, m.recipient = wrapped, recipient
	return nil
}

// RecordingKey implements recorder.Store.
func (m *memory) RecordingKey(context.Context, evidence.ID) ([]byte, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.wrapped == nil {
		return nil, "", evidence.ErrNotFound
	}
	return m.wrapped, m.recipient, nil
}

// SavePage implements recorder.Store: the seal brings all pages.
func (m *memory) SavePage(context.Context, evidence.ID, int, []byte, [][32]byte) error { return nil }

// SaveRecordingCheckpoint implements recorder.Store: a rehearsal has no signer of them.
func (m *memory) SaveRecordingCheckpoint(context.Context, evidence.ID, int64, string) error {
	return nil
}

// SaveSealed implements recorder.Store.
func (m *memory) SaveSealed(_ context.Context, _ evidence.ID, sealed evidence.SealedRecording, _ ...custody.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.interview.State != evidence.StateStopping {
		return fmt.Errorf("%w: it is %s", evidence.ErrConflict, m.interview.State)
	}
	m.interview.State, m.interview.SealedAt, m.sealed = evidence.StateSealed, sealed.SealedAt, &sealed
	return nil
}

// Sealed implements recorder.Store.
func (m *memory) SealedHead(context.Context, evidence.ID) (evidence.SealedRecording, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sealed == nil {
		return evidence.SealedRecording{}, evidence.ErrNotFound
	}
	return *m.sealed, nil
}

// EventsAfter implements recorder.Store: nothing happens to a rehearsal.
func (m *memory) EventsAfter(context.Context, int64, custody.EventFilter, int) ([]custody.Event, error) {
	return nil, nil
}

// Changed implements recorder.Store.
func (m *memory) Changed() <-chan struct{} { return m.changed }

// Put implements recorder.Objects.
func (m *memory) Put(_ context.Context, key string, body []byte, _ evidence.Digest, _ time.Time) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.objects[key]; ok {
		return "", nil
	}
	if m.size += len(body); m.size > mostBytes {
		return "", fmt.Errorf("%w: a test recording keeps at most %d bytes", evidence.ErrInvalid, mostBytes)
	}
	m.objects[key] = bytes.Clone(body)
	return "", nil
}

func (m *memory) object(key string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	body, ok := m.objects[key]
	return body, ok
}

// ring is a keyring that lives as long as a rehearsal. Safe for concurrent use.
type ring struct {
	aead cipher.AEAD
	data envelope.DataKey
}

func newRing() (*ring, error) {
	var key [32]byte
	rand.Read(key[:]) // never fails: crypto/rand.Read ends the program instead
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &ring{aead: aead, data: envelope.NewDataKey()}, err
}

// NewRecordingKey implements envelope.Keyring: the one key there is.
func (r *ring) NewRecordingKey(ctx context.Context, recording evidence.ID) ([]byte, string, error) {
	recipient, err := r.data.Recipient()
	if err != nil {
		return nil, "", err
	}
	wrapped, err := r.Wrap(ctx, "rehearsal/"+string(recording), r.data[:])
	return wrapped, recipient, err
}

// OpenRecordingKey implements envelope.Keyring.
func (r *ring) OpenRecordingKey(ctx context.Context, recording evidence.ID, wrapped []byte) (key envelope.DataKey, err error) {
	plain, err := r.Unwrap(ctx, "rehearsal/"+string(recording), wrapped)
	copy(key[:], plain)
	return key, err
}

// EraseRecordingKey implements envelope.Keyring. A rehearsal ends as a whole.
func (r *ring) EraseRecordingKey(context.Context, evidence.ID) error { return nil }

// Wrap implements envelope.Keyring.
func (r *ring) Wrap(_ context.Context, purpose string, plain []byte) ([]byte, error) {
	return r.aead.Seal(nil, nil, plain, []byte(purpose)), nil
}

// Unwrap implements envelope.Keyring.
func (r *ring) Unwrap(_ context.Context, purpose string, wrapped []byte) ([]byte, error) {
	plain, err := r.aead.Open(nil, nil, wrapped, []byte(purpose))
	if err != nil {
		return nil, fmt.Errorf("%w: a secret of the rehearsal", evidence.ErrInvalid)
	}
	return plain, nil
}
