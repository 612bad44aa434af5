package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
)

// MaxLeaves bounds a recording's tree: 2 s segments of four tracks for 145 hours.
// Readers refuse more, so that a hostile count cannot exhaust memory.
const MaxLeaves = 1 << 20

// Tree builds a recording's Merkle tree (RFC 6962 over the canonical bytes of
// each leaf) and its pages, one leaf at a time. Appending costs amortised
// constant time, the root logarithmic time; it holds 64 bytes of hashes and the
// canonical text of each leaf. A Tree is owned by one goroutine. The zero Tree is empty.
type Tree struct {
	size   int64
	stored hashes // in tlog's storage order
	pages  [][]byte
	sums   []string     // SHA-256 of each full page
	open   bytes.Buffer // the page that is not full yet
}

// NewTree returns an empty tree.
func NewTree() *Tree { return new(Tree) }

type hashes []tlog.Hash

// ReadHashes implements [tlog.HashReader].
func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x < 0 || x >= int64(len(h)) {
			return nil, fmt.Errorf("hash %d is not in the tree", x)
		}
		out[i] = h[x]
	}
	return out, nil
}

// Append adds a leaf and returns its position, from 0. On an error, which wraps
// [evidence.ErrInvalid], the tree is as before.
func (t *Tree) Append(leaf evidence.Leaf) (position int64, err error) {
	text, err := evidence.Canonical(leaf)
	if err != nil {
		return 0, fmt.Errorf("leaf %d: %w", t.size, err)
	}
	return t.AppendText(text)
}

// AppendText adds a leaf by its canonical bytes, which the caller answers for.
func (t *Tree) AppendText(text []byte) (position int64, err error) {
	if t.size >= MaxLeaves {
		return 0, fmt.Errorf("%w: a recording holds at most %d leaves", evidence.ErrInvalid, MaxLeaves)
	}
	stored, err := tlog.StoredHashes(t.size, text, t.stored)
	if err != nil {
		return 0, fmt.Errorf("leaf %d: %w", t.size, err)
	}
	t.stored = append(t.stored, stored...)
	t.open.Write(text)
	t.open.WriteByte('\n')
	t.size++
	if t.size%evidence.PageSize == 0 {
		t.pages = append(t.pages, bytes.Clone(t.open.Bytes()))
		sum := sha256.Sum256(t.open.Bytes())
		t.sums = append(t.sums, hex.EncodeToString(sum[:]))
		t.open.Reset()
	}
	return t.size - 1, nil
}

// Size is the number of leaves.
func (t *Tree) Size() int64 { return t.size }

// Root is the root hash of the tree as it is now, lower-case hex. That of the
// empty tree is the SHA-256 of nothing (RFC 6962 section 2.1).
func (t *Tree) Root() string {
	if t.size == 0 {
		sum := sha256.Sum256(nil)
		return hex.EncodeToString(sum[:])
	}
	root, err := tlog.TreeHash(t.size, t.stored)
	if err != nil {
		panic(fmt.Sprintf("seal: tree of %d leaves lacks its own hashes: %v", t.size, err))
	}
	return hex.EncodeToString(root[:])
}

// Pages returns the page files so far: canonical leaves, one a line, PageSize a
// page, the last one maybe shorter. The caller does not change them.
func (t *Tree) Pages() [][]byte {
	pages := append([][]byte(nil), t.pages...)
	if t.open.Len() > 0 {
		pages = append(pages, bytes.Clone(t.open.Bytes()))
	}
	return pages
}

// Page returns page i, or nil if there is none. A page that is not full yet
// grows with each leaf.
func (t *Tree) Page(i int) []byte {
	switch {
	case i < 0 || i > len(t.pages):
		return nil
	case i < len(t.pages):
		return t.pages[i]
	case t.open.Len() == 0:
		return nil
	}
	return bytes.Clone(t.open.Bytes())
}

// Head returns the head that a manifest carries: size, root and the pages' digests.
func (t *Tree) Head() evidence.Tree {
	head := evidence.Tree{Size: t.size, Root: t.Root(), Pages: append([]string{}, t.sums...)}
	if t.open.Len() > 0 {
		sum := sha256.Sum256(t.open.Bytes())
		head.Pages = append(head.Pages, hex.EncodeToString(sum[:]))
	}
	return head
}

// UpperNodes returns the nodes over the full pages, in tlog's storage order: what
// clip.UpperNodes computes from the pages themselves, without hashing them again.
func (t *Tree) UpperNodes() [][sha256.Size]byte {
	var nodes [][sha256.Size]byte
	for page := range t.pages {
		nodes = append(nodes, t.NodesOf(page)...)
	}
	return nodes
}

// NodesOf returns those of [Tree.UpperNodes] that full page i completed: its root,
// and the roots above of which it is the last page. They begin at
// tlog.StoredHashCount(i). It panics if page i is not full.
func (t *Tree) NodesOf(i int) [][sha256.Size]byte {
	var nodes [][sha256.Size]byte
	for level, n := 0, int64(i); ; level, n = level+1, n>>1 {
		nodes = append(nodes, t.stored[tlog.StoredHashIndex(pageLevel+level, n)])
		if n&1 == 0 {
			return nodes
		}
	}
}

// pageLevel is the level of a full page's root above the leaves.
var pageLevel = bits.TrailingZeros(evidence.PageSize)

// Prove returns the proof that the leaf at position is in the tree as it is now.
func (t *Tree) Prove(position int64) ([]string, error) {
	if position < 0 || position >= t.size {
		return nil, fmt.Errorf("%w: no leaf %d in a tree of %d", evidence.ErrNotFound, position, t.size)
	}
	proof, err := tlog.ProveRecord(t.size, position, t.stored)
	if err != nil {
		return nil, fmt.Errorf("proving leaf %d: %w", position, err)
	}
	out := make([]string, len(proof))
	for i, h := range proof {
		out[i] = hex.EncodeToString(h[:])
	}
	return out, nil
}

// CheckInclusion returns nil if the proof shows that leaf, by its canonical
// bytes, stands at position in the tree of the given size and root.
func CheckInclusion(proof []string, size int64, root string, position int64, leaf []byte) error {
	if len(proof) > 63 {
		return fmt.Errorf("%w: proof of %d hashes", evidence.ErrInvalid, len(proof))
	}
	var th tlog.Hash
	if err := parseHash(root, &th); err != nil {
		return err
	}
	rp := make(tlog.RecordProof, len(proof))
	for i, text := range proof {
		if err := parseHash(text, &rp[i]); err != nil {
			return err
		}
	}
	if size < 1 || position < 0 || position >= size {
		return fmt.Errorf("%w: no leaf %d in a tree of %d", evidence.ErrInvalid, position, size)
	}
	if err := tlog.CheckRecord(rp, size, th, position, tlog.RecordHash(leaf)); err != nil {
		return fmt.Errorf("%w: leaf %d is not in the tree of %d leaves", evidence.ErrInvalid, position, size)
	}
	return nil
}

func parseHash(text string, into *tlog.Hash) error {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != tlog.HashSize || hex.EncodeToString(raw) != text {
		return fmt.Errorf("%w: not a SHA-256 in lower-case hex", evidence.ErrInvalid)
	}
	copy(into[:], raw)
	return nil
}

// RootAt is the root that the tree had when it was size leaves large. It returns an
// error wrapping [evidence.ErrNotFound] if it never was. It costs logarithmic time.
func (t *Tree) RootAt(size int64) (tlog.Hash, error) {
	if size < 0 || size > t.size {
		return tlog.Hash{}, fmt.Errorf("%w: no tree of %d leaves in one of %d", evidence.ErrNotFound, size, t.size)
	}
	if size == 0 {
		return sha256.Sum256(nil), nil
	}
	return tlog.TreeHash(size, t.stored)
}

// ProveExtends returns the proof that the tree of old leaves begins the one of size
// leaves (RFC 6962 section 2.1.2); it is empty from or to the empty tree.
func (t *Tree) ProveExtends(old, size int64) ([]tlog.Hash, error) {
	if old < 0 || old > size || size > t.size {
		return nil, fmt.Errorf("%w: no trees of %d and %d leaves in one of %d", evidence.ErrNotFound, old, size, t.size)
	}
	if old == 0 || old == size {
		return nil, nil
	}
	return tlog.ProveTree(size, old, t.stored)
}

// Lines returns the canonical leaves from a position on, one a line.
func (t *Tree) Lines(from int64) []byte {
	if from < 0 || from >= t.size {
		return nil
	}
	var out []byte
	for i := int(from / evidence.PageSize); i <= len(t.pages); i++ {
		page := t.Page(i)
		if skip := from - int64(i)*evidence.PageSize; skip > 0 {
			for range skip {
				page = page[bytes.IndexByte(page, '\n')+1:]
			}
		}
		out = append(out, page...)
	}
	return out
}
