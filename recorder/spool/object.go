package spool

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// Objects is the object store. The contract is that of package storage/objects:
// a key is written once, and putting the same content again is no error.
type Objects interface {
	// Put stores body under key until at least retainUntil (zero: no promise
	// asked for) and returns the version under which it is kept, empty if the
	// store has none. Once it returned nil the object survives a power loss.
	// The error wraps [evidence.ErrConflict] if key holds other content,
	// [evidence.ErrInvalid] if body does not have the digest sum; after any
	// other the caller tries again.
	Put(ctx context.Context, key string, body []byte, sum evidence.Digest, retainUntil time.Time) (version string, err error)
}

// Object is a ciphertext that is to be stored.
type Object struct {
	Key         string          // in the object store
	Sum         evidence.Digest // of Body
	RetainUntil time.Time       // whole microseconds count; zero: no promise asked for
	Meta        []byte          // the caller's: for example the canonical leaf
	Body        []byte          // kept, not copied: it must not be changed any more
}

// Stored is an object that is in the object store. Its Body is nil.
type Stored struct {
	Object
	Position Position // in the outbox
	Version  string   // in the object store; empty if that has no versions
}

// Confirm tells the caller that objects are in the object store, so that it can
// write down where. It is called for the objects of one interview one call at a
// time, in order of Put, and again with the same ones until it returns nil, also
// after a restart: it must be idempotent. Then the spool forgets them.
type Confirm func(ctx context.Context, stored []Stored) error

const (
	kindObject byte = 1

	maxKey  = 1024
	maxMeta = 1 << 20
)

// encodeHead is everything of an outbox record but the body. See FORMAT.md.
func encodeHead(o Object) ([]byte, error) {
	sum, err := hex.DecodeString(o.Sum.SHA256)
	switch {
	case err != nil || len(sum) != 32 || hex.EncodeToString(sum) != o.Sum.SHA256:
		return nil, fmt.Errorf("%w: object %s has no SHA-256", evidence.ErrInvalid, o.Key)
	case o.Sum.Size != int64(len(o.Body)):
		return nil, fmt.Errorf("%w: object %s has %d bytes and a digest of %d", evidence.ErrInvalid, o.Key, len(o.Body), o.Sum.Size)
	case o.Key == "" || len(o.Key) > maxKey || len(o.Meta) > maxMeta:
		return nil, fmt.Errorf("%w: object with a key of %d and a note of %d bytes", evidence.ErrInvalid, len(o.Key), len(o.Meta))
	}
	var until int64
	if !o.RetainUntil.IsZero() {
		if until = o.RetainUntil.UnixMicro(); until <= 0 {
			return nil, fmt.Errorf("%w: object %s retained until %v", evidence.ErrInvalid, o.Key, o.RetainUntil)
		}
	}
	b := make([]byte, 0, 2+len(o.Key)+32+8+4+len(o.Meta))
	b = binary.BigEndian.AppendUint16(b, uint16(len(o.Key)))
	b = append(b, o.Key...)
	b = append(b, sum...)
	b = binary.BigEndian.AppendUint64(b, uint64(until))
	b = binary.BigEndian.AppendUint32(b, uint32(len(o.Meta)))
	return append(b, o.Meta...), nil
}

// decodeObject is the inverse of encodeHead, followed by the body. Meta and Body
// share memory with b.
func decodeObject(b []byte) (Object, error) {
	bad := func(what string) (Object, error) {
		return Object{}, fmt.Errorf("%w: outbox record: %s", evidence.ErrInvalid, what)
	}
	if len(b) < 2 {
		return bad("too short")
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; n == 0 || n > maxKey || len(b) < n+32+8+4 {
		return bad("key")
	}
	o := Object{Key: string(b[:n])}
	b = b[n:]
	o.Sum.SHA256 = hex.EncodeToString(b[:32])
	until := int64(binary.BigEndian.Uint64(b[32:]))
	if until < 0 {
		return bad("retention")
	}
	if until > 0 {
		o.RetainUntil = time.UnixMicro(until).UTC()
	}
	m := int64(binary.BigEndian.Uint32(b[40:]))
	if b = b[44:]; m > maxMeta || int64(len(b)) < m {
		return bad("note")
	}
	o.Meta, o.Body = b[:m:m], b[m:]
	o.Sum.Size = int64(len(o.Body))
	return o, nil
}
