package envelope

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"github.com/toldonce/toldonce/evidence"
)

// How opening an object fails. All wrap [evidence.ErrInvalid], but for ErrErased.
var (
	// ErrWrongKey: the object is encrypted to another key.
	ErrWrongKey = fmt.Errorf("%w: the key does not open this object", evidence.ErrInvalid)
	// ErrDamaged: the object is not what was encrypted: changed, cut short, or
	// no age file at all.
	ErrDamaged = fmt.Errorf("%w: the encrypted object is damaged", evidence.ErrInvalid)
	// ErrErased: the recording's erasable key was destroyed, so nothing opens it
	// any more (P35). It wraps [evidence.ErrNotFound].
	ErrErased = fmt.Errorf("%w: the recording's key was erased", evidence.ErrNotFound)
)

// Decrypt returns the content of an age file. The error wraps [ErrWrongKey] or
// [ErrDamaged]. It never panics on hostile input, and is fuzzed. What it returns
// is authentic only to the key: see [OpenLeaf].
func Decrypt(id age.Identity, cipher []byte) ([]byte, error) {
	r, err := NewReader(id, bytes.NewReader(cipher))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Grow(len(cipher))
	if _, err := out.ReadFrom(r); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// OpenLeaf returns the content of a stored object after checking that the
// ciphertext is the one that leaf commits to, and that so is the content. The
// error wraps [ErrDamaged] or [ErrWrongKey].
func OpenLeaf(id age.Identity, cipher []byte, leaf evidence.Leaf) ([]byte, error) {
	if Sum(cipher) != leaf.Cipher {
		return nil, fmt.Errorf("%w: it is not the object of its manifest entry", ErrDamaged)
	}
	plain, err := Decrypt(id, cipher)
	if err != nil {
		return nil, err
	}
	if Sum(plain) != leaf.Plain {
		return nil, fmt.Errorf("%w: its content is not that of its manifest entry", ErrDamaged)
	}
	return plain, nil
}

// NewReader decrypts a stream. Each piece that Read returns is authentic to the
// key, but the whole is complete only if Read ends with io.EOF; any other error
// wraps [ErrDamaged] or is that of src.
func NewReader(id age.Identity, src io.Reader) (io.Reader, error) {
	in := &source{r: src}
	r, err := age.Decrypt(in, id)
	if err != nil {
		return nil, in.classify(err)
	}
	return &reader{r: r, in: in}, nil
}

type reader struct {
	r  io.Reader
	in *source
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		err = r.in.classify(err)
	}
	return n, err
}

// source remembers the error of the underlying stream, so that a failing disk
// or network is not reported as a damaged object.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (s *source) classify(err error) error {
	var noMatch *age.NoIdentityMatchError
	switch {
	case s.err != nil:
		return fmt.Errorf("reading an encrypted object: %w", s.err)
	case errors.As(err, &noMatch):
		return ErrWrongKey
	default:
		return fmt.Errorf("%w: %v", ErrDamaged, err)
	}
}
