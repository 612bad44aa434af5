package disclosure

import (
	"bytes"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
)

// ClipProof is a line of a clip's proofs file: where the leaf of the same line
// stands in the recording's tree, and its audit path.
type ClipProof struct {
	Position int64    `json:"position"`
	Path     []string `json:"path"` // lower-case hex
}

// placedPieces returns the leaves of a clip with their positions.
func placedPieces(pieces []clip.Piece) []Placed {
	out := make([]Placed, len(pieces))
	for i, p := range pieces {
		out[i] = Placed{p.Segment.Leaf, p.Segment.Position}
	}
	return out
}

// clipFiles returns a clip's description, leaves and proofs as they lie in a
// package.
func clipFiles(c clip.Clip) (map[string][]byte, error) {
	document, err := evidence.Canonical(c.Document)
	if err != nil {
		return nil, err
	}
	var leaves, proofs bytes.Buffer
	for _, p := range c.Pieces {
		if err := writeLine(&leaves, p.Segment.Leaf); err != nil {
			return nil, err
		}
		if err := writeLine(&proofs, ClipProof{Position: p.Segment.Position, Path: p.Path}); err != nil {
			return nil, err
		}
	}
	return map[string][]byte{ClipFile: document, ClipLeavesFile: leaves.Bytes(), ClipProofsFile: proofs.Bytes()}, nil
}
