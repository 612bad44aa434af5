package seal_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
)

func leaf(i int) evidence.Leaf {
	return evidence.Leaf{
		Type: evidence.TypeLeaf, Version: 1, Kind: evidence.LeafMedia, Salt: strings.Repeat("0", 60) + hex.EncodeToString([]byte{byte(i >> 8), byte(i)}),
		Recording: "01998c00-0000-7000-8000-000000000001", Track: "01998c00-0000-7000-8000-000000000002", Part: 1, Index: i,
		Start: evidence.Offset(i) * 2_000_000, End: evidence.Offset(i+1) * 2_000_000, DecodeTime: "0", Duration: 180000, Frames: 60, Independent: true,
		Plain: evidence.Digest{SHA256: strings.Repeat("a", 64), Size: 1000}, Cipher: evidence.Digest{SHA256: strings.Repeat("b", 64), Size: 1200},
	}
}

// The tree is RFC 6962's: another implementation agrees on every root and proof.
func TestTreeAgreesWithAnotherImplementation(t *testing.T) {
	tree := seal.NewTree()
	var texts [][]byte
	hasher := rfc6962.DefaultHasher
	for i := range 600 {
		if pos, err := tree.Append(leaf(i)); err != nil || pos != int64(i) {
			t.Fatalf("leaf %d: %d, %v", i, pos, err)
		}
		text, err := evidence.Canonical(leaf(i))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
		if i%37 != 0 && i != 599 {
			continue
		}
		root, err := hex.DecodeString(tree.Root())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []int{0, i / 2, i} {
			path, err := tree.Prove(int64(p))
			if err != nil {
				t.Fatal(err)
			}
			raw := make([][]byte, len(path))
			for j := range path {
				if raw[j], err = hex.DecodeString(path[j]); err != nil {
					t.Fatal(err)
				}
			}
			if err := proof.VerifyInclusion(hasher, uint64(p), uint64(i+1), hasher.HashLeaf(texts[p]), raw, root); err != nil {
				t.Errorf("leaf %d of %d: %v", p, i+1, err)
			}
			if err := seal.CheckInclusion(path, int64(i+1), tree.Root(), int64(p), texts[p]); err != nil {
				t.Errorf("leaf %d of %d: %v", p, i+1, err)
			}
			if i > 0 && seal.CheckInclusion(path, int64(i+1), tree.Root(), int64(p), texts[(p+1)%(i+1)]) == nil {
				t.Errorf("leaf %d of %d: another leaf is accepted", p, i+1)
			}
		}
	}
	pages := tree.Pages()
	if len(pages) != 3 || string(pages[0])+string(pages[1])+string(pages[2]) != joinLines(texts) {
		t.Error("the pages do not hold the leaves")
	}
	for i := range pages {
		if string(tree.Page(i)) != string(pages[i]) {
			t.Errorf("page %d differs", i)
		}
	}
	if tree.Page(3) != nil || tree.Page(-1) != nil {
		t.Error("there are pages beyond the last")
	}
	if _, err := tree.Prove(600); err == nil {
		t.Error("a leaf that is not there was proved")
	}
}

func joinLines(texts [][]byte) string {
	var b strings.Builder
	for _, t := range texts {
		b.Write(t)
		b.WriteByte('\n')
	}
	return b.String()
}

// The vectors stay for ever: what was sealed once must hash the same.
func TestTreeVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/tree.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Size  int      `json:"size"`
		Root  string   `json:"root"`
		Proof []string `json:"proofOfFirst"`
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 5 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	for _, v := range vectors {
		tree := seal.NewTree()
		for i := range v.Size {
			if _, err := tree.Append(leaf(i)); err != nil {
				t.Fatal(err)
			}
		}
		if tree.Root() != v.Root {
			t.Errorf("%d leaves: root %s, want %s", v.Size, tree.Root(), v.Root)
		}
		if v.Size == 0 {
			continue
		}
		text, err := evidence.Canonical(leaf(0))
		if err != nil {
			t.Fatal(err)
		}
		if err := seal.CheckInclusion(v.Proof, int64(v.Size), v.Root, 0, text); err != nil {
			t.Errorf("%d leaves: %v", v.Size, err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	tree := seal.NewTree()
	for i := 0; b.Loop(); i++ {
		if tree.Size() == seal.MaxLeaves {
			tree = seal.NewTree()
		}
		if _, err := tree.Append(leaf(i % 60000)); err != nil {
			b.Fatal(err)
		}
	}
}
