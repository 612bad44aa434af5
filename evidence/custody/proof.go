package custody

import (
	"fmt"
	"math"

	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
)

// Proof shows, with nothing else but the log's verifier key, that a leaf is in
// the log: the leaf's position, its audit path (RFC 6962 section 2.1.1) and a
// signed checkpoint of the log that the path leads to.
type Proof struct {
	Position   int64
	Path       []Hash
	Checkpoint []byte // signed
}

// Encode returns the proof as a C2SP tlog-proof.
func (p Proof) Encode() []byte {
	out := proof.TLogProof{Index: uint64(p.Position), Hashes: make([][32]byte, len(p.Path)), Checkpoint: p.Checkpoint}
	for i, h := range p.Path {
		out.Hashes[i] = h
	}
	return out.Marshal()
}

// ParseProof reads a C2SP tlog-proof. It returns [evidence.ErrInvalid] for
// anything but the exact encoding, or if there is extra data, which this
// version never writes.
func ParseProof(data []byte) (Proof, error) {
	var in proof.TLogProof
	if err := in.Unmarshal(data); err != nil {
		return Proof{}, fmt.Errorf("inclusion proof: %w: %v", evidence.ErrInvalid, err)
	}
	if in.Index > math.MaxInt64 || len(in.Hashes) > 63 || len(in.ExtraData) > 0 {
		return Proof{}, fmt.Errorf("inclusion proof: %w: out of range", evidence.ErrInvalid)
	}
	p := Proof{Position: int64(in.Index), Path: make([]Hash, len(in.Hashes)), Checkpoint: in.Checkpoint}
	for i, h := range in.Hashes {
		p.Path[i] = h
	}
	if string(p.Encode()) != string(data) {
		return Proof{}, fmt.Errorf("inclusion proof: %w: not the exact encoding", evidence.ErrInvalid)
	}
	return p, nil
}

// Verify checks that leaf, the canonical bytes of an entry, is in the log that v
// names, and that every opening given reveals what the leaf commits to. It
// returns the leaf and the checkpoint it was found under. The error wraps
// [evidence.ErrUnknownFormat] if the leaf cannot be judged and
// [evidence.ErrInvalid] if anything does not hold.
func (p Proof) Verify(leaf []byte, openings []evidence.Opening, v note.Verifier) (Leaf, Checkpoint, error) {
	cp, err := OpenCheckpoint(p.Checkpoint, v)
	if err != nil {
		return Leaf{}, Checkpoint{}, err
	}
	if err := VerifyInclusion(leaf, p.Position, p.Path, cp); err != nil {
		return Leaf{}, Checkpoint{}, err
	}
	l, err := ParseLeaf(leaf)
	if err != nil {
		return Leaf{}, Checkpoint{}, err
	}
	for _, o := range openings {
		if c := l.Commitment(o.Field); c == "" || !o.Opens(c) {
			return Leaf{}, Checkpoint{}, fmt.Errorf("custody entry %s: %w: the text given for %q is not what was committed to", l.ID, evidence.ErrInvalid, o.Field)
		}
	}
	return l, cp, nil
}

// VerifyInclusion checks that leaf is the entry at position in the log of the
// checkpoint. It does not look into the leaf.
func VerifyInclusion(leaf []byte, position int64, path []Hash, cp Checkpoint) error {
	if err := tlog.CheckRecord(path, cp.Size, cp.Root, position, LeafHash(leaf)); err != nil {
		return fmt.Errorf("custody entry at %d: %w: not in the log of checkpoint %d: %v", position, evidence.ErrInvalid, cp.Size, err)
	}
	return nil
}

// VerifyConsistency checks that the log of the checkpoint old is a prefix of
// that of new: nothing before old was changed or removed (RFC 6962 section 2.1.2).
func VerifyConsistency(old, new Checkpoint, path []Hash) error {
	bad := func(why any) error {
		return fmt.Errorf("custody log from %d to %d entries: %w: not an extension: %v", old.Size, new.Size, evidence.ErrInvalid, why)
	}
	if old.Origin != new.Origin {
		return bad("checkpoints of different logs")
	}
	if old.Size == 0 || old.Size == new.Size {
		if len(path) != 0 || (old.Size == new.Size && old.Root != new.Root) || (old.Size == 0 && old.Root != Frontier{}.Root()) {
			return bad("roots or proof do not fit")
		}
		return nil
	}
	if err := tlog.CheckTree(path, new.Size, new.Root, old.Size, old.Root); err != nil {
		return bad(err)
	}
	return nil
}

// ProveInclusion makes the audit path of the leaf at position in the tree of
// size leaves from stored nodes. It returns [evidence.ErrInvalid] if there is no
// such position.
func ProveInclusion(position, size int64, r tlog.HashReader) ([]Hash, error) {
	if position < 0 || position >= size {
		return nil, fmt.Errorf("%w: no position %d in a log of %d entries", evidence.ErrInvalid, position, size)
	}
	path, err := tlog.ProveRecord(size, position, r)
	if err != nil {
		return nil, fmt.Errorf("proving entry %d: %w", position, err)
	}
	return path, nil
}

// ProveConsistency makes the proof that the tree of old leaves is a prefix of
// that of new leaves from stored nodes. It is empty if old is 0 or equals new.
// It returns [evidence.ErrInvalid] if old or new is negative or old is larger.
func ProveConsistency(old, new int64, r tlog.HashReader) ([]Hash, error) {
	if old < 0 || old > new {
		return nil, fmt.Errorf("%w: no consistency from %d to %d entries", evidence.ErrInvalid, old, new)
	}
	if old == 0 || old == new {
		return []Hash{}, nil
	}
	path, err := tlog.ProveTree(new, old, r)
	if err != nil {
		return nil, fmt.Errorf("proving consistency from %d to %d entries: %w", old, new, err)
	}
	return path, nil
}
