package db

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/seal"
)

// However many of its pages the database got while it was recorded, a sealed
// recording has all its pages and nodes.
func TestPagesAreKeptWithTheirNodes(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		tree := seal.NewTree()
		for i := range 5*evidence.PageSize + 7 {
			if _, err := tree.AppendText([]byte(strconv.Itoa(i))); err != nil {
				t.Fatal(err)
			}
		}
		want, err := clip.UpperNodes(tree.Pages())
		if err != nil {
			t.Fatal(err)
		}
		numbers := make([]int64, len(want))
		for i := range numbers {
			numbers[i] = int64(i)
		}
		for name, before := range map[string][]int{
			"none before the seal": {},
			"some before":          {0, 1, 2},
			"one left out":         {0, 1, 3, 4},
			"all full ones":        {0, 1, 2, 3, 4},
		} {
			iv := in.interview(t, evidence.StateRecording)
			for _, i := range before {
				for range 2 { // a recorder that was restarted says it again
					if err := in.SavePage(t.Context(), iv.Recording, i, tree.Page(i), tree.NodesOf(i)); err != nil {
						t.Fatal(err)
					}
				}
				if err := in.SavePage(t.Context(), iv.Recording, i, []byte("another"), tree.NodesOf(i)); !errors.Is(err, evidence.ErrConflict) {
					t.Errorf("%s: another page %d: %v", name, i, err)
				}
			}
			in.moved(t, iv, evidence.StateStopping)
			sealed := evidence.SealedRecording{Recording: iv.Recording, Interview: iv.ID, Manifest: []byte(name), Statement: []byte("s"), Bundle: []byte("b"),
				Pages: tree.Pages(), Nodes: tree.UpperNodes(), Status: []byte("{}"), SealedAt: evidence.At(in.clock())}
			if err := in.SaveSealed(t.Context(), iv.ID, sealed, act("interview.seal")); err != nil {
				t.Fatal(err)
			}
			got, err := in.Sealed(t.Context(), iv.Recording)
			if err != nil || !slices.EqualFunc(got.Pages, tree.Pages(), bytes.Equal) {
				t.Errorf("%s: %d pages, %v", name, len(got.Pages), err)
			}
			// Not by SealedNodes, which would make what is missing.
			nodes, err := in.nodes(t.Context(), iv.Recording, numbers)
			if err != nil || !slices.EqualFunc(nodes, want, func(a, b tlog.Hash) bool { return a == b }) {
				t.Errorf("%s: other nodes: %v", name, err)
			}
		}
	})
}
