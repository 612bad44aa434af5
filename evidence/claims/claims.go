// Package claims is a source's own account of what its encoder made: batches that
// name every encoded frame by its RTP timestamp and SHA-256, signed by the device
// before anything could be lost on the way (the source manifest), and the runs of
// frames in which it hands over again what the recorder lacks (back-fill). The
// formats are specified in FORMAT.md. Nothing here does I/O.
package claims

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"

	"github.com/toldonce/toldonce/evidence"
)

// Bounds of a batch.
const (
	Version = 1
	// MaxEntries is how many frames one batch may name: half a minute of a camera
	// with its microphone.
	MaxEntries = 4096

	magic         = "TOSM"
	headSize      = 4 + 1 + 32 + 16 + 16 + 4 + 32 + 8 + 2
	entrySize     = 1 + 4 + 4 + 4 + 32
	signatureSize = 64

	// MaxBatch is the size of the largest batch in bytes.
	MaxBatch = headSize + MaxEntries*entrySize + signatureSize
)

// Kinds and flags of an entry.
const (
	entryVideo = 1
	entryAudio = 2
	entryKey   = 0x80
)

// KeyID names a device's public key: the SHA-256 of its SubjectPublicKeyInfo.
type KeyID [32]byte

// String returns the id in lower-case hex.
func (k KeyID) String() string { return hex.EncodeToString(k[:]) }

// Entry is one frame as the encoder made it, before any packet of it was sent.
type Entry struct {
	Kind evidence.TrackKind
	Key  bool // a decoder can begin here; true for every packet of sound
	// Timestamp is that of its RTP packets (RFC 3550 section 5.1).
	Timestamp uint32
	Size      uint32 // of the sample, bytes; see [Sample]
	// Age is how long before the batch's SentAt the frame was made, in microseconds.
	Age uint32
	// Sum is the SHA-256 of the sample: the bytes that stand in the recording.
	Sum [32]byte
}

// Batch is a signed statement of a device about the frames of one session.
type Batch struct {
	Key    KeyID
	Source evidence.ID
	// Session is the WHIP session that the frames were sent in.
	Session evidence.ID
	// Sequence counts the session's batches from 0, and Previous is the SHA-256 of
	// the one before it, signature included (zeros for the first): none can be left
	// out unseen.
	Sequence uint32
	Previous [32]byte
	// SentAt is when the batch was signed, by the device's clock: microseconds since
	// the Unix epoch.
	SentAt  int64
	Entries []Entry
}

// Signed is a batch as it was received. Its signature is not checked by [Parse].
type Signed struct {
	Batch
	Sum   [32]byte // SHA-256 of Bytes
	Bytes []byte   // all of it; aliases what was parsed
}

// Sign returns the batch's bytes with their signature. The error wraps
// [evidence.ErrInvalid] if the batch does not fit the format.
func (b Batch) Sign(key *ecdsa.PrivateKey) ([]byte, error) {
	body, err := b.encode()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		return nil, fmt.Errorf("signing a batch: %w", err)
	}
	signature := make([]byte, signatureSize)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return append(body, signature...), nil
}

func (b Batch) encode() ([]byte, error) {
	source, err := binaryID(b.Source)
	if err != nil {
		return nil, err
	}
	session, err := binaryID(b.Session)
	if err != nil {
		return nil, err
	}
	if len(b.Entries) == 0 || len(b.Entries) > MaxEntries || b.SentAt <= 0 || b.SentAt > evidence.MaxInteger {
		return nil, fmt.Errorf("%w: a batch of %d frames, sent at %d", evidence.ErrInvalid, len(b.Entries), b.SentAt)
	}
	out := make([]byte, 0, headSize+len(b.Entries)*entrySize+signatureSize)
	out = append(append(out, magic...), Version)
	out = append(out, b.Key[:]...)
	out = append(out, source[:]...)
	out = append(out, session[:]...)
	out = binary.BigEndian.AppendUint32(out, b.Sequence)
	out = append(out, b.Previous[:]...)
	out = binary.BigEndian.AppendUint64(out, uint64(b.SentAt))
	out = binary.BigEndian.AppendUint16(out, uint16(len(b.Entries)))
	for _, e := range b.Entries {
		kind := byte(entryVideo)
		if e.Kind == evidence.Audio {
			kind = entryAudio
		}
		if e.Key {
			kind |= entryKey
		}
		out = append(out, kind)
		out = binary.BigEndian.AppendUint32(out, e.Timestamp)
		out = binary.BigEndian.AppendUint32(out, e.Size)
		out = binary.BigEndian.AppendUint32(out, e.Age)
		out = append(out, e.Sum[:]...)
	}
	return out, nil
}

// Parse reads one batch strictly: every byte is accounted for. The error wraps
// [evidence.ErrUnknownFormat] for another version, [evidence.ErrInvalid] for all
// else. It never panics, and is fuzzed.
func Parse(data []byte) (Signed, error) {
	invalid := func(what string) (Signed, error) {
		return Signed{}, fmt.Errorf("batch of a source manifest: %w: %s", evidence.ErrInvalid, what)
	}
	switch {
	case len(data) < headSize+entrySize+signatureSize || len(data) > MaxBatch:
		return invalid(fmt.Sprintf("%d bytes", len(data)))
	case string(data[:4]) != magic:
		return invalid("it is something else")
	case data[4] != Version:
		return Signed{}, fmt.Errorf("batch of a source manifest: %w: version %d", evidence.ErrUnknownFormat, data[4])
	}
	b := Batch{Key: KeyID(data[5:37]), Source: textID(data[37:53]), Session: textID(data[53:69]), Sequence: binary.BigEndian.Uint32(data[69:]),
		Previous: [32]byte(data[73:105]), SentAt: int64(binary.BigEndian.Uint64(data[105:]))}
	count := int(binary.BigEndian.Uint16(data[113:]))
	for _, id := range []evidence.ID{b.Source, b.Session} {
		if _, err := evidence.ParseID(string(id)); err != nil {
			return invalid("an id is malformed")
		}
	}
	if count == 0 || count > MaxEntries || len(data) != headSize+count*entrySize+signatureSize || b.SentAt <= 0 || b.SentAt > evidence.MaxInteger {
		return invalid("its length or time does not fit")
	}
	b.Entries = make([]Entry, count)
	for i := range b.Entries {
		at := data[headSize+i*entrySize:]
		e := Entry{Key: at[0]&entryKey != 0, Timestamp: binary.BigEndian.Uint32(at[1:]), Size: binary.BigEndian.Uint32(at[5:]),
			Age: binary.BigEndian.Uint32(at[9:]), Sum: [32]byte(at[13:45])}
		switch at[0] &^ entryKey {
		case entryVideo:
			e.Kind = evidence.Video
		case entryAudio:
			e.Kind = evidence.Audio
		default:
			return invalid("a frame is neither sound nor picture")
		}
		if e.Size == 0 || e.Size > MaxFrame {
			return invalid("a frame's size is out of range")
		}
		b.Entries[i] = e
	}
	return Signed{Batch: b, Sum: sha256.Sum256(data), Bytes: data}, nil
}

// Holds reports whether the signature is that of a public key. The batch's key id
// must name the same key.
func (s Signed) Holds(key *ecdsa.PublicKey) bool {
	id, err := IDOf(key)
	if err != nil || id != s.Key {
		return false
	}
	body, signature := s.Bytes[:len(s.Bytes)-signatureSize], s.Bytes[len(s.Bytes)-signatureSize:]
	sum := sha256.Sum256(body)
	return ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
}

// PublicKey reads a P-256 SubjectPublicKeyInfo in DER, as WebCrypto exports it.
// The error wraps [evidence.ErrInvalid].
func PublicKey(spki []byte) (*ecdsa.PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, fmt.Errorf("%w: not a public key", evidence.ErrInvalid)
	}
	public, ok := key.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: not a P-256 key", evidence.ErrInvalid)
	}
	return public, nil
}

// IDOf names a public key.
func IDOf(key *ecdsa.PublicKey) (KeyID, error) {
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return KeyID{}, fmt.Errorf("%w: not a P-256 key", evidence.ErrInvalid)
	}
	return sha256.Sum256(spki), nil
}

func binaryID(id evidence.ID) (out [16]byte, err error) {
	if _, err := evidence.ParseID(string(id)); err != nil {
		return out, err
	}
	if _, err := hex.Decode(out[:], []byte(strings.ReplaceAll(string(id), "-", ""))); err != nil {
		return out, fmt.Errorf("%w: id %q", evidence.ErrInvalid, id)
	}
	return out, nil
}

func textID(b []byte) evidence.ID {
	h := hex.EncodeToString(b)
	return evidence.ID(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:])
}
