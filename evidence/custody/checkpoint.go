package custody

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
)

// ErrForked says that the log contradicts a checkpoint that was signed before, so that
// entries were changed or removed. Nothing is signed any more until a person has
// looked into it.
var ErrForked = errors.New("the custody log contradicts a checkpoint that was signed before")

// Checkpoint is a signed statement of the log's size and root (C2SP
// tlog-checkpoint). Whoever keeps one can show later that history was changed.
type Checkpoint struct {
	Origin string // names the log, such as "custody.police.example/log1"
	Size   int64
	Root   Hash
	Signed []byte // the signed note as it stands
}

// GenerateKey makes an Ed25519 key that signs the checkpoints of the log named
// origin. The signer's key is secret and separate from the key that seals
// recordings; the verifier's key is published. Both are in the text form of
// signed notes (C2SP signed-note). It returns [evidence.ErrInvalid] if origin is
// not a name: non-empty, without spaces and plus signs.
func GenerateKey(origin string) (signer, verifier string, err error) {
	signer, verifier, err = note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return "", "", fmt.Errorf("checkpoint key: %w: %v", evidence.ErrInvalid, err)
	}
	// Names are checked only when a key is parsed, so do that now.
	if _, err := note.NewVerifier(verifier); err != nil {
		return "", "", fmt.Errorf("checkpoint key: %w: %q cannot name a log", evidence.ErrInvalid, origin)
	}
	return signer, verifier, nil
}

// NewVerifier reads a verifier's key as [GenerateKey] returns it. The log's
// origin is the verifier's name.
func NewVerifier(key string) (note.Verifier, error) {
	v, err := note.NewVerifier(key)
	if err != nil {
		return nil, fmt.Errorf("log verifier key: %w: %v", evidence.ErrInvalid, err)
	}
	return v, nil
}

// OpenCheckpoint verifies a signed checkpoint of the log that v names. It
// returns [evidence.ErrInvalid] if the bytes are no checkpoint, if no signature
// by v is on it or one by v is wrong, if it is another log's, or if it has lines
// that this version does not know. Signatures by others are left unjudged.
func OpenCheckpoint(signed []byte, v note.Verifier) (Checkpoint, error) {
	cp, rest, _, err := log.ParseCheckpoint(signed, v.Name(), v)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w: %v", evidence.ErrInvalid, err)
	}
	if len(rest) > 0 || len(cp.Hash) != tlog.HashSize || cp.Size > math.MaxInt64 {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w: unknown lines, or a size or root out of range", evidence.ErrInvalid)
	}
	out := Checkpoint{Origin: cp.Origin, Size: int64(cp.Size), Signed: signed}
	copy(out.Root[:], cp.Hash)
	return out, nil
}

// sign signs the head as a checkpoint.
func sign(h Head, s note.Signer) ([]byte, error) {
	text := log.Checkpoint{Origin: s.Name(), Size: uint64(h.Size), Hash: h.Root[:]}.Marshal()
	return note.Sign(&note.Note{Text: string(text)}, s)
}

// Log is what a [Checkpointer] needs of the store.
type Log interface {
	// LogHead returns the committed head.
	LogHead(ctx context.Context) (Head, error)
	// ProveConsistency proves that the log of size old is a prefix of that of size new.
	ProveConsistency(ctx context.Context, old, new int64) ([]Hash, error)
	// LastCheckpoint returns the signed checkpoint with the largest size, or an
	// error wrapping [evidence.ErrNotFound] if none was ever saved.
	LastCheckpoint(ctx context.Context) ([]byte, error)
	// SaveCheckpoint keeps a signed checkpoint durably. Saving one of a size that
	// has one already does nothing.
	SaveCheckpoint(ctx context.Context, size int64, signed []byte) error
}

// Checkpointer signs the log's head, and only a head that extends every head it
// signed before.
type Checkpointer struct {
	log      Log
	signer   note.Signer
	verifier note.Verifier
	mu       sync.Mutex // one at a time, so that each extends the one before
}

// NewCheckpointer returns a Checkpointer that signs with the given signer's key,
// as [GenerateKey] returns it. The verifier's key must be its pair.
func NewCheckpointer(l Log, signer, verifier string) (*Checkpointer, error) {
	s, err := note.NewSigner(signer)
	if err != nil {
		return nil, fmt.Errorf("checkpoint signer: %w: %v", evidence.ErrInvalid, err)
	}
	v, err := NewVerifier(verifier)
	if err != nil {
		return nil, err
	}
	if s.Name() != v.Name() || s.KeyHash() != v.KeyHash() {
		return nil, fmt.Errorf("checkpoint signer: %w: the signer's and verifier's keys are not a pair", evidence.ErrInvalid)
	}
	return &Checkpointer{log: l, signer: s, verifier: v}, nil
}

// Verifier returns the public half, whose name is the log's origin.
func (c *Checkpointer) Verifier() note.Verifier { return c.verifier }

// Checkpoint returns a signed checkpoint of the log as it now stands, and keeps
// it. It returns [ErrForked] if the log does not extend the last one.
func (c *Checkpointer) Checkpoint(ctx context.Context) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	head, err := c.log.LogHead(ctx)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	signed, err := c.log.LastCheckpoint(ctx)
	switch {
	case errors.Is(err, evidence.ErrNotFound):
	case err != nil:
		return nil, fmt.Errorf("checkpoint: %w", err)
	default:
		last, err := OpenCheckpoint(signed, c.verifier)
		if err != nil {
			return nil, fmt.Errorf("%w: the stored one does not verify: %v", ErrForked, err)
		}
		if last.Size > head.Size {
			// The head may have been read before another node appended and signed.
			if head, err = c.log.LogHead(ctx); err != nil {
				return nil, fmt.Errorf("checkpoint: %w", err)
			}
		}
		if err := extends(ctx, c.log, last, head); err != nil {
			return nil, err
		}
		if last.Size == head.Size {
			return signed, nil
		}
	}
	signed, err = sign(head, c.signer)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if err := c.log.SaveCheckpoint(ctx, head.Size, signed); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return signed, nil
}

func extends(ctx context.Context, l Log, last Checkpoint, head Head) error {
	if last.Size > head.Size {
		return fmt.Errorf("%w: it has %d entries and %d were signed", ErrForked, head.Size, last.Size)
	}
	if last.Size == head.Size || last.Size == 0 {
		if last.Size == head.Size && last.Root != head.Root {
			return fmt.Errorf("%w: another root at %d entries", ErrForked, head.Size)
		}
		return nil
	}
	path, err := l.ProveConsistency(ctx, last.Size, head.Size)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := tlog.CheckTree(path, head.Size, head.Root, last.Size, last.Root); err != nil {
		return fmt.Errorf("%w: the first %d entries changed", ErrForked, last.Size)
	}
	return nil
}
