package evidence

import (
	"math/rand/v2"
	"testing"
)

// pictured makes media leaves of two seconds from a picture: I is a random access
// point, - depends on the one before, . is a missing index.
func pictured(picture string) []Leaf {
	var leaves []Leaf
	for i, r := range picture {
		if r != '.' {
			leaves = append(leaves, Leaf{Kind: LeafMedia, Index: i, Start: Offset(2 * i), End: Offset(2*i + 2), Independent: r == 'I'})
		}
	}
	return leaves
}

func TestWholeSegments(t *testing.T) {
	for _, c := range []struct {
		name        string
		picture     string
		from, until Offset
		outward     bool
		first, last int // -1: nothing fits
	}{
		{"exact", "IIIII", 2, 6, false, 1, 2},
		{"inward", "IIIII", 1, 7, false, 1, 2},
		{"everything", "IIIII", 0, 10, false, 0, 4},
		{"beyond the end", "IIIII", 7, 99, false, 4, 4},
		{"inside one segment", "IIIII", 2, 3, false, -1, -1},
		{"across a border", "IIIII", 3, 5, false, -1, -1},
		{"starts at a dependent one", "II-I", 4, 8, false, 3, 3},
		{"dependent ones with their head", "II--I", 2, 8, false, 1, 3},
		{"only dependent ones", "I---", 2, 8, false, -1, -1},
		{"dependent at the end", "II-", 2, 6, false, 1, 2},
		{"after the recording", "II", 4, 9, false, -1, -1},
		{"no segments", "", 0, 9, false, -1, -1},
		{"a missing one divides", "II.III", 0, 12, false, 3, 5},
		{"a dependent one after a missing one", "I.-I", 2, 8, false, 3, 3},
		{"outward", "IIIII", 3, 5, true, 1, 2},
		{"outward takes the head too", "II--I", 6, 7, true, 1, 3},
		{"outward on a border takes no neighbour", "III", 2, 4, true, 1, 1},
		{"outward without a head", ".-I", 2, 4, true, -1, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			first, last, ok := WholeSegments(pictured(c.picture), Range{From: c.from, Until: c.until}, c.outward)
			if !ok {
				first, last = -1, -1
			}
			if first != c.first || last != c.last {
				t.Errorf("got %d to %d, want %d to %d", first, last, c.first, c.last)
			}
		})
	}
}

// TestWholeSegmentsKeepsItsPromises tries random recordings and ranges.
func TestWholeSegmentsKeepsItsPromises(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var leaves []Leaf
		at := Offset(rng.IntN(5))
		for i := range rng.IntN(12) {
			end := at + 1 + Offset(rng.IntN(4))
			leaves = append(leaves, Leaf{Kind: LeafMedia, Index: i, Start: at, End: end, Independent: rng.IntN(3) > 0})
			at = end + Offset(rng.IntN(2)*rng.IntN(3))
		}
		asked := Range{From: Offset(rng.IntN(40)), Until: 0}
		asked.Until = asked.From + 1 + Offset(rng.IntN(30))
		first, last, ok := WholeSegments(leaves, asked, false)
		if !ok {
			for _, l := range leaves {
				if l.Independent && asked.Contains(l.Range()) {
					t.Fatalf("nothing fits %v, but segment %d does: %+v", asked, l.Index, leaves)
				}
			}
			continue
		}
		if !leaves[first].Independent || first > last {
			t.Fatalf("starts at a dependent segment: %v gives %d to %d of %+v", asked, first, last, leaves)
		}
		for i := first; i <= last; i++ {
			if !asked.Contains(leaves[i].Range()) {
				t.Fatalf("gives a segment outside %v: %+v", asked, leaves[i])
			}
		}
	}
}
