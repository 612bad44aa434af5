package clip

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
)

// pageLevel is the level of the tree whose nodes are the roots of full pages.
const pageLevel = 8

// Nodes lends the tree of a sealed recording.
type Nodes interface {
	// SealedPage returns the canonical leaves of a page, one a line.
	SealedPage(ctx context.Context, recording evidence.ID, page int) ([]byte, error)
	// SealedNodes returns inner nodes of the tree over the roots of the full pages,
	// by their number in tlog's storage order (see [UpperNodes]).
	SealedNodes(ctx context.Context, recording evidence.ID, numbers []int64) ([]tlog.Hash, error)
}

// UpperNodes returns the nodes of the tree over the full pages of a recording, in
// tlog's storage order: the roots of the pages and every full inner node above
// them. Whoever keeps them can prove any leaf by reading one page and a
// logarithmic number of them.
func UpperNodes(pages [][]byte) ([]tlog.Hash, error) {
	var nodes nodeList
	n := int64(0)
	for i, page := range pages {
		leaves := leavesOf(page)
		if len(leaves) < evidence.PageSize {
			if i != len(pages)-1 {
				return nil, fmt.Errorf("%w: page %d has %d leaves", evidence.ErrInvalid, i, len(leaves))
			}
			break
		}
		low, err := newPageTree(page)
		if err != nil {
			return nil, err
		}
		root, err := tlog.TreeHash(evidence.PageSize, low)
		if err != nil {
			return nil, err
		}
		more, err := tlog.StoredHashesForRecordHash(n, root, nodes)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, more...)
		n++
	}
	return nodes, nil
}

type nodeList []tlog.Hash

// ReadHashes implements [tlog.HashReader].
func (l nodeList) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x < 0 || x >= int64(len(l)) {
			return nil, fmt.Errorf("%w: node %d of %d", evidence.ErrNotFound, x, len(l))
		}
		out[i] = l[x]
	}
	return out, nil
}

func leavesOf(page []byte) [][]byte {
	lines := bytes.Split(page, []byte{'\n'})
	return lines[:len(lines)-1]
}

// newPageTree returns the nodes of the tree over one page's leaves.
func newPageTree(page []byte) (nodeList, error) {
	var nodes nodeList
	for i, leaf := range leavesOf(page) {
		more, err := tlog.StoredHashes(int64(i), leaf, nodes)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, more...)
	}
	return nodes, nil
}

// prover proves leaves of one recording, remembering the pages that it read. It is
// owned by one goroutine.
type prover struct {
	nodes     Nodes
	recording evidence.ID
	size      int64
	pages     map[int64]nodeList
	texts     map[int64][][]byte
	upper     map[int64]tlog.Hash // by number
}

func newProver(nodes Nodes, recording evidence.ID, size int64) *prover {
	return &prover{nodes: nodes, recording: recording, size: size, pages: map[int64]nodeList{}, texts: map[int64][][]byte{}, upper: map[int64]tlog.Hash{}}
}

func (p *prover) page(ctx context.Context, n int64) (nodeList, error) {
	if tree, ok := p.pages[n]; ok {
		return tree, nil
	}
	data, err := p.nodes.SealedPage(ctx, p.recording, int(n))
	if err != nil {
		return nil, err
	}
	tree, err := newPageTree(data)
	if err != nil {
		return nil, err
	}
	p.pages[n], p.texts[n] = tree, leavesOf(data)
	return tree, nil
}

// prove returns the audit path of a segment. It refuses a segment whose leaf is not
// the one that was sealed at its position.
func (p *prover) prove(ctx context.Context, s evidence.Segment) ([]string, error) {
	leaf, err := evidence.Canonical(s.Leaf)
	if err != nil {
		return nil, err
	}
	page, at := s.Position/evidence.PageSize, s.Position%evidence.PageSize
	if _, err := p.page(ctx, page); err != nil {
		return nil, err
	}
	if texts := p.texts[page]; at >= int64(len(texts)) || !bytes.Equal(texts[at], leaf) {
		return nil, fmt.Errorf("%w: another leaf was sealed there", evidence.ErrConflict)
	}
	proof, err := tlog.ProveRecord(p.size, s.Position, tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) { return p.read(ctx, indexes) }))
	if err != nil {
		return nil, err
	}
	path := make([]string, len(proof))
	for i, h := range proof {
		path[i] = hex.EncodeToString(h[:])
	}
	return path, nil
}

// read answers with nodes of the whole tree: those inside a page from its leaves,
// those above from the store.
func (p *prover) read(ctx context.Context, indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	var asked []int64
	places := map[int64]int{}
	for i, x := range indexes {
		level, n := tlog.SplitStoredHashIndex(x)
		if level >= pageLevel {
			number := tlog.StoredHashIndex(level-pageLevel, n)
			places[number] = i
			if _, known := p.upper[number]; !known {
				asked = append(asked, number)
			}
			continue
		}
		page := n << level / evidence.PageSize
		tree, err := p.page(ctx, page)
		if err != nil {
			return nil, err
		}
		got, err := tree.ReadHashes([]int64{tlog.StoredHashIndex(level, n-page*evidence.PageSize>>level)})
		if err != nil {
			return nil, err
		}
		out[i] = got[0]
	}
	if len(asked) > 0 {
		hashes, err := p.nodes.SealedNodes(ctx, p.recording, asked)
		if err != nil {
			return nil, err
		}
		for i, number := range asked {
			p.upper[number] = hashes[i]
		}
	}
	for number, i := range places {
		out[i] = p.upper[number]
	}
	return out, nil
}
