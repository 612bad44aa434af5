package envelope

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"strings"

	"filippo.io/age"
)

// Scheme names this encryption in a manifest.
const Scheme = "age-v1"

// DataKeySize is the length of a recording's data key, in bytes.
const DataKeySize = 32

// seedDomain separates the derivation of the age seed from every other use of
// a data key.
const seedDomain = "toldonce/age-hybrid-seed/v1"

// identityPrefix is the human-readable part of a hybrid age identity.
const identityPrefix = "age-secret-key-pq-"

// DataKey is the secret of one recording: whoever holds it can read every
// segment. It prints as a placeholder, never as itself.
type DataKey [DataKeySize]byte

// NewDataKey returns a fresh random key. Safe for concurrent use.
func NewDataKey() DataKey {
	var k DataKey
	rand.Read(k[:]) // never fails: crypto/rand.Read ends the program instead
	return k
}

// Identity returns the age identity that opens the recording's objects.
func (k DataKey) Identity() (*age.HybridIdentity, error) {
	id, err := age.ParseHybridIdentity(k.IdentityString())
	if err != nil {
		return nil, fmt.Errorf("data key as age identity: %w", err)
	}
	return id, nil
}

// IdentityString returns the identity in the form that age's -i option reads,
// beginning with AGE-SECRET-KEY-PQ-1. It is as secret as the key.
func (k DataKey) IdentityString() string {
	seed, err := hkdf.Key(sha256.New, k[:], nil, seedDomain, 32)
	if err != nil {
		panic(err) // only for an output longer than 255 hashes
	}
	return strings.ToUpper(encodeBech32(identityPrefix, seed))
}

// Recipient returns the public recipient to which the recording is encrypted,
// beginning with age1pq1.
func (k DataKey) Recipient() (string, error) {
	id, err := k.Identity()
	if err != nil {
		return "", err
	}
	return id.Recipient().String(), nil
}

// String hides the key.
func (DataKey) String() string { return "DataKey(hidden)" }

// GoString hides the key from %#v.
func (DataKey) GoString() string { return "DataKey(hidden)" }

// Format hides the key from every verb, %x included.
func (k DataKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// LogValue hides the key from slog.
func (k DataKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText refuses: a data key leaves this program wrapped, or as an
// identity that was asked for by name.
func (DataKey) MarshalText() ([]byte, error) {
	return nil, fmt.Errorf("a data key is never written as text")
}
