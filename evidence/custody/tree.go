package custody

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
)

// Hash is a node of the tree: SHA-256 with the domain separation of RFC 6962
// section 2.1. It prints and marshals as base64.
type Hash = tlog.Hash

// LeafHash is the tree's hash of a leaf's canonical bytes.
func LeafHash(leaf []byte) Hash { return tlog.RecordHash(leaf) }

// Frontier is all of a tree that is needed to append to it and to know its
// root: the roots of its complete subtrees, the largest first, at most 63. Its
// zero value is the empty tree. It is a value; copies of it are independent once
// one is appended to. Not safe for concurrent use.
type Frontier struct {
	size int64
	subs []Hash // one per 1 bit of size
}

// Size is how many leaves the tree has.
func (f Frontier) Size() int64 { return f.size }

// Root is the tree's root; for the empty tree the SHA-256 of nothing.
func (f Frontier) Root() Hash {
	if f.size == 0 {
		root, _ := tlog.TreeHash(0, nil)
		return root
	}
	root := f.subs[len(f.subs)-1]
	for i := len(f.subs) - 2; i >= 0; i-- {
		root = tlog.NodeHash(f.subs[i], root)
	}
	return root
}

// Append adds a leaf by its hash. It returns the nodes that the leaf completes,
// the leaf itself first: they are stored at [tlog.StoredHashIndex](0, size) and on.
func (f *Frontier) Append(leaf Hash) []Hash {
	nodes := []Hash{leaf}
	subs := append([]Hash(nil), f.subs...)
	for n := f.size; n&1 == 1; n >>= 1 {
		last := len(subs) - 1
		nodes = append(nodes, tlog.NodeHash(subs[last], nodes[len(nodes)-1]))
		subs = subs[:last]
	}
	f.subs = append(subs, nodes[len(nodes)-1])
	f.size++
	return nodes
}

// Bytes is the frontier's stored form: its hashes, one after another.
func (f Frontier) Bytes() []byte {
	out := make([]byte, 0, len(f.subs)*tlog.HashSize)
	for _, h := range f.subs {
		out = append(out, h[:]...)
	}
	return out
}

// ParseFrontier reads what [Frontier.Bytes] wrote for a tree of size leaves. It
// returns [evidence.ErrInvalid] if the number of hashes does not fit the size.
func ParseFrontier(size int64, data []byte) (Frontier, error) {
	ones := 0
	for n := size; n > 0; n &= n - 1 {
		ones++
	}
	if size < 0 || len(data) != ones*tlog.HashSize {
		return Frontier{}, fmt.Errorf("%w: a frontier of %d bytes does not fit a tree of %d leaves", evidence.ErrInvalid, len(data), size)
	}
	f := Frontier{size: size, subs: make([]Hash, ones)}
	for i := range f.subs {
		copy(f.subs[i][:], data[i*tlog.HashSize:])
	}
	return f, nil
}
