// Package keyed makes search values of personal data: a case reference, a
// pseudonym or a network address is found again by an HMAC under a secret key,
// so that the database holds nothing that can be guessed without that key.
package keyed

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
)

// Purpose binds the wrapped key to this use of the keyring.
const Purpose = "index"

// Store keeps the one wrapped index key of an installation.
type Store interface {
	// CreateIndexKey stores the wrapped key durably. It returns an error wrapping
	// evidence.ErrConflict if there is one already.
	CreateIndexKey(ctx context.Context, wrapped []byte) error
	// IndexKey returns it, or an error wrapping evidence.ErrMissingState.
	IndexKey(ctx context.Context) ([]byte, error)
}

// Wrapper encrypts small secrets under the installation's keys. Wrapping is
// bound to its purpose: what was wrapped for one cannot be unwrapped for another.
type Wrapper interface {
	Wrap(ctx context.Context, purpose string, plain []byte) ([]byte, error)
	Unwrap(ctx context.Context, purpose string, wrapped []byte) ([]byte, error)
}

// Index computes search values. Its zero value is not usable. Safe for
// concurrent use.
type Index struct{ key [32]byte }

// Create makes the installation's index key. It is called once, by
// initialisation, and refuses (evidence.ErrConflict) to replace a key.
func Create(ctx context.Context, store Store, keys Wrapper) error {
	var key [32]byte
	rand.Read(key[:])
	wrapped, err := keys.Wrap(ctx, Purpose, key[:])
	if err != nil {
		return fmt.Errorf("wrapping the index key: %w", err)
	}
	if err := store.CreateIndexKey(ctx, wrapped); err != nil {
		return fmt.Errorf("storing the index key: %w", err)
	}
	return nil
}

// Open loads the index key. A key that is absent, or that does not unwrap, is an
// error: it is never made anew here, because every search value would be lost.
func Open(ctx context.Context, store Store, keys Wrapper) (*Index, error) {
	wrapped, err := store.IndexKey(ctx)
	if err != nil {
		return nil, fmt.Errorf("loading the index key: %w", err)
	}
	key, err := keys.Unwrap(ctx, Purpose, wrapped)
	if err != nil {
		return nil, fmt.Errorf("unwrapping the index key: %w", err)
	}
	return New(key)
}

// New returns an index under a key of exactly 32 bytes.
func New(key []byte) (*Index, error) {
	x := &Index{}
	if len(key) != len(x.key) {
		return nil, fmt.Errorf("%w: the index key has %d bytes instead of %d", evidence.ErrMissingState, len(key), len(x.key))
	}
	copy(x.key[:], key)
	return x, nil
}

// Of returns the search value of parts in a domain ("case.reference"), 64
// lower-case hex digits. Parts are length-prefixed, so that no two lists of
// parts share a value. The caller normalises the parts.
func (x *Index) Of(domain string, parts ...string) string {
	mac := hmac.New(sha256.New, x.key[:])
	mac.Write([]byte("toldonce/index/v1\x00"))
	for _, part := range append([]string{domain}, parts...) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		mac.Write(size[:])
		mac.Write([]byte(part))
	}
	return hex.EncodeToString(mac.Sum(nil))
}
