package envelope

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"filippo.io/age"

	"github.com/toldonce/toldonce/evidence"
)

// Sizes that allow an output buffer to be allocated once. They are hints: a
// wrong one costs a copy, nothing else.
const (
	headerHint = 1792 // header with one hybrid stanza, and the payload nonce
	chunkSize  = 64 << 10
	chunkTag   = 16
)

// Sealer encrypts objects of one recording to its recipient. It holds nothing
// secret and is safe for concurrent use.
type Sealer struct {
	recipient *age.HybridRecipient
	text      string
}

// NewSealer takes a hybrid recipient in text form (age1pq1…). It returns an
// error wrapping [evidence.ErrInvalid] for anything else, the classic age1…
// recipients included: a recording must stay closed to tomorrow's computers.
func NewSealer(recipient string) (*Sealer, error) {
	r, err := age.ParseHybridRecipient(recipient)
	if err != nil {
		return nil, fmt.Errorf("%w: not a hybrid age recipient", evidence.ErrInvalid)
	}
	return &Sealer{recipient: r, text: recipient}, nil
}

// Recipient returns the recipient in text form.
func (s *Sealer) Recipient() string { return s.text }

// Encrypt returns plain as an age file, and the digests of both. Plain is read
// once, in pieces of 64 KiB that are hashed and encrypted while in cache.
func (s *Sealer) Encrypt(plain []byte) (cipher []byte, plainSum, cipherSum evidence.Digest, err error) {
	var out bytes.Buffer
	out.Grow(headerHint + len(plain) + (len(plain)/chunkSize+1)*chunkTag)
	w, err := s.Writer(&out)
	if err != nil {
		return nil, evidence.Digest{}, evidence.Digest{}, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, evidence.Digest{}, evidence.Digest{}, err
	}
	if err := w.Close(); err != nil {
		return nil, evidence.Digest{}, evidence.Digest{}, err
	}
	return out.Bytes(), w.Plain(), w.Cipher(), nil
}

// Encrypt is [Sealer.Encrypt] for a single object.
func Encrypt(recipient string, plain []byte) (cipher []byte, plainSum, cipherSum evidence.Digest, err error) {
	s, err := NewSealer(recipient)
	if err != nil {
		return nil, evidence.Digest{}, evidence.Digest{}, err
	}
	return s.Encrypt(plain)
}

// Writer encrypts a stream and computes the digests of what goes in and of what
// comes out. It belongs to one goroutine.
type Writer struct {
	age    io.WriteCloser
	plain  digester
	cipher digester
	closed bool
}

// Writer starts an age file on dst. Close must be called and must succeed; dst
// is not closed by it.
func (s *Sealer) Writer(dst io.Writer) (*Writer, error) {
	w := &Writer{plain: newDigester(nil), cipher: newDigester(dst)}
	out, err := age.Encrypt(&w.cipher, s.recipient)
	if err != nil {
		return nil, fmt.Errorf("starting an encrypted object: %w", err)
	}
	w.age = out
	return w, nil
}

// Write encrypts p. It returns the error of the destination, if any.
func (w *Writer) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		piece := p[:min(len(p), chunkSize)]
		w.plain.Write(piece)
		written, err := w.age.Write(piece)
		n += written
		if err != nil {
			return n, fmt.Errorf("encrypting: %w", err)
		}
		p = p[len(piece):]
	}
	return n, nil
}

// Close writes what completes the file.
func (w *Writer) Close() error {
	if err := w.age.Close(); err != nil {
		return fmt.Errorf("completing an encrypted object: %w", err)
	}
	w.closed = true
	return nil
}

// Plain returns the digest of all that was written. Call it after Close.
func (w *Writer) Plain() evidence.Digest { return w.digest(&w.plain) }

// Cipher returns the digest of the age file. Call it after Close.
func (w *Writer) Cipher() evidence.Digest { return w.digest(&w.cipher) }

func (w *Writer) digest(d *digester) evidence.Digest {
	if !w.closed {
		return evidence.Digest{} // matches nothing
	}
	return d.sum()
}

// digester hashes and counts what passes through to dst, which may be nil.
type digester struct {
	dst  io.Writer
	hash hash.Hash
	size int64
}

func newDigester(dst io.Writer) digester { return digester{dst: dst, hash: sha256.New()} }

func (d *digester) Write(p []byte) (int, error) {
	n := len(p)
	var err error
	if d.dst != nil {
		n, err = d.dst.Write(p)
	}
	d.hash.Write(p[:n])
	d.size += int64(n)
	return n, err
}

func (d *digester) sum() evidence.Digest {
	return evidence.Digest{SHA256: hex.EncodeToString(d.hash.Sum(nil)), Size: d.size}
}

// Sum returns the digest of b.
func Sum(b []byte) evidence.Digest {
	sum := sha256.Sum256(b)
	return evidence.Digest{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(b))}
}
