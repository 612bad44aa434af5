package envelope

import (
	"context"

	"github.com/toldonce/toldonce/evidence"
)

// Keyring keeps the keys that wrap others. Every method is safe for concurrent
// use, returns only after what it changed is durable, and returns an error
// wrapping [evidence.ErrUnavailable] if the keys cannot be reached now.
//
// The chain is: data key, wrapped by the recording's erasable key, which lives
// in a store of its own and is itself wrapped by the keyring's master. The
// wrapped data key alone, as it lies in the database and its backups, opens
// nothing once the erasable key is gone (P35).
type Keyring interface {
	// NewRecordingKey makes a data key for a recording and returns it wrapped,
	// with its public recipient. It may be called again for a recording whose
	// earlier result was never saved: the data key is fresh, the erasable key
	// the same. After erasure the error wraps [ErrErased].
	NewRecordingKey(ctx context.Context, recording evidence.ID) (wrapped []byte, recipient string, err error)
	// OpenRecordingKey returns the data key. The error wraps [ErrErased] after
	// erasure, [evidence.ErrMissingState] if the erasable key is absent without
	// having been erased, and [evidence.ErrInvalid] if wrapped is not of this
	// recording and keyring.
	OpenRecordingKey(ctx context.Context, recording evidence.ID, wrapped []byte) (DataKey, error)
	// EraseRecordingKey destroys the recording's erasable key for good. Once it
	// returned nil, nothing opens the recording. It may be repeated. The error
	// wraps [evidence.ErrNotFound] if the recording never had a key.
	EraseRecordingKey(ctx context.Context, recording evidence.ID) error
	// Wrap encrypts a small secret for one purpose, a domain-separated string
	// such as "toldonce/totp/v1/ACCOUNT". purpose is 1 to 255 bytes and no secret.
	Wrap(ctx context.Context, purpose string, plain []byte) ([]byte, error)
	// Unwrap is the inverse. The error wraps [evidence.ErrInvalid] if wrapped
	// was changed, or made for another purpose or by another keyring.
	Unwrap(ctx context.Context, purpose string, wrapped []byte) ([]byte, error)
}
