package recorder

import (
	"context"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/seal"
)

// Store is what the recorder asks of the database. Every method is safe for
// concurrent use. A write returns after it is durable, together with its custody
// entry in one transaction; an error wrapping [evidence.ErrUnknownState] means
// that it may or may not have been written. Nothing here is called from the
// path that media takes.
type Store interface {
	// Interview returns the interview, or an error wrapping [evidence.ErrNotFound].
	Interview(ctx context.Context, interview evidence.ID) (evidence.Interview, error)
	// AcquireLease gives the interview to a recorder node for ttl: from then on the
	// recording is written under the lease. The error wraps [evidence.ErrConflict]
	// while another node's lease runs.
	AcquireLease(ctx context.Context, interview, node evidence.ID, ttl time.Duration) (evidence.Lease, error)
	// RenewLease extends it to ttl from now. The error wraps [evidence.ErrConflict]
	// if another node took the interview since.
	RenewLease(ctx context.Context, lease evidence.Lease, ttl time.Duration) (evidence.Lease, error)
	// ReleaseLease ends it at once.
	ReleaseLease(ctx context.Context, lease evidence.Lease) error
	// Transition moves the interview to a state if it is in one of from, and
	// sets StartedAt, StoppedAt to at where they are not set yet. The error
	// wraps [evidence.ErrConflict] if it is in another state.
	Transition(ctx context.Context, interview evidence.ID, from []evidence.State, to evidence.State, at evidence.Instant, entry custody.Entry) (evidence.Interview, error)
	// AppendEntry writes a custody entry that goes with no change of a table.
	AppendEntry(ctx context.Context, entry custody.Entry) error

	// SaveSource writes a new source and returns it with the name it was given.
	SaveSource(ctx context.Context, source evidence.Source, entry custody.Entry) (evidence.Source, error)
	// ReplaceSourceToken gives an existing source a new token. device is the one that
	// asked for it by its signature, empty if a person did; the error wraps
	// [evidence.ErrConflict] if it was revoked meanwhile.
	ReplaceSourceToken(ctx context.Context, source, device evidence.ID, tokenHash []byte, entry custody.Entry) error
	// SourceByToken returns the source whose token has this SHA-256.
	SourceByToken(ctx context.Context, tokenHash []byte) (evidence.Source, error)
	// Sources returns the interview's sources in order of creation.
	Sources(ctx context.Context, interview evidence.ID) ([]evidence.Source, error)
	// SaveTrack writes a track; the same one again changes nothing.
	SaveTrack(ctx context.Context, track evidence.Track) error
	// Tracks returns the interview's tracks in order of creation.
	Tracks(ctx context.Context, interview evidence.ID) ([]evidence.Track, error)

	// SaveSegments writes segments; the same again changes nothing, others at a
	// position that is taken are an error wrapping [evidence.ErrConflict].
	SaveSegments(ctx context.Context, recording evidence.ID, segments []evidence.Segment) error
	// Segments returns every segment of the recording by position.
	Segments(ctx context.Context, recording evidence.ID) ([]evidence.Segment, error)

	// SaveDevice writes a new device of a room. The error wraps
	// [evidence.ErrConflict] if the room has one with that key.
	SaveDevice(ctx context.Context, device evidence.Device, entry custody.Entry) error
	// Device returns the device of a room with a key, or an error wrapping
	// [evidence.ErrNotFound].
	Device(ctx context.Context, room evidence.ID, keyID string) (evidence.Device, error)
	// SaveSourceManifests writes where files of source manifests lie; the same
	// again changes nothing.
	SaveSourceManifests(ctx context.Context, recording evidence.ID, files []evidence.StoredSourceManifest) error
	// SourceManifests returns them by source and number.
	SourceManifests(ctx context.Context, recording evidence.ID) ([]evidence.StoredSourceManifest, error)

	// SaveRecordingKey keeps the wrapped data key and the public recipient.
	SaveRecordingKey(ctx context.Context, interview evidence.ID, wrapped []byte, recipient string) error
	// RecordingKey returns them, or an error wrapping [evidence.ErrNotFound].
	RecordingKey(ctx context.Context, recording evidence.ID) (wrapped []byte, recipient string, err error)

	// SavePage writes a full page of the manifest, with the nodes that it completed
	// ([seal.Tree.NodesOf]); the same again changes nothing. Pages are written in
	// order.
	SavePage(ctx context.Context, recording evidence.ID, page int, data []byte, nodes [][32]byte) error
	// SaveRecordingCheckpoint keeps a signed checkpoint of the tree, by its size; of
	// one size the note with the most signatures stays.
	SaveRecordingCheckpoint(ctx context.Context, recording evidence.ID, size int64, signed string) error
	// SaveSealed writes what the seal consists of, but for the pages that are
	// there already, and moves the interview from stopping to sealed.
	SaveSealed(ctx context.Context, interview evidence.ID, sealed evidence.SealedRecording, entries ...custody.Entry) error
	// SealedHead returns it without Pages and Nodes, or an error wrapping [evidence.ErrNotFound].
	SealedHead(ctx context.Context, recording evidence.ID) (evidence.SealedRecording, error)

	// EventsAfter returns events newer than an id, oldest first.
	EventsAfter(ctx context.Context, after int64, filter custody.EventFilter, limit int) ([]custody.Event, error)
	// Changed returns a channel that is closed at the next event. Take it
	// before reading events.
	Changed() <-chan struct{}
}

// Objects keeps ciphertext. A key is written once; the same content again is
// not an error.
type Objects interface {
	// Put stores body under key until at least retainUntil and returns the
	// version under which it is kept, empty if the store has none.
	Put(ctx context.Context, key string, body []byte, sum evidence.Digest, retainUntil time.Time) (version string, err error)
}

// Sealer signs and timestamps manifests.
type Sealer interface {
	// Seal returns the seal over a canonical manifest.
	Seal(ctx context.Context, manifest []byte, predicate evidence.RecordingPredicate) (seal.Sealed, error)
	// SealFile returns the seal over any file, under a name: see [seal.Authority.SealFile].
	SealFile(ctx context.Context, name string, content []byte, predicateType string, predicate any) (seal.Sealed, error)
}

// Gate says whether an interview may be recorded now (P9, P40, P41).
type Gate interface {
	// Check returns nil if it may, and a [*evidence.Refusal] with every reason
	// if it may not. Any other error means that it cannot be told now.
	Check(ctx context.Context, interview evidence.ID) error
}

// Facts tells what a manifest repeats of the case file and the room.
type Facts interface {
	// RecordingFacts returns them for an interview.
	RecordingFacts(ctx context.Context, interview evidence.ID) (RecordingFacts, error)
}

// RecordingFacts stand in the manifest.
type RecordingFacts struct {
	CaseReference evidence.Commitment // to the agency's case number (P9)
	TimeZone      string              // IANA name of the room's zone (P11)
}
