package clip_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/seal"
)

func TestEachPieceOfAClipProvesItsDescent(t *testing.T) {
	w := testutil.NewWorld(t)
	// More than one page, the last one not full.
	r := w.Record(t, testutil.Shape{Sources: 2, Parts: 2, Loops: 25})
	if len(r.Sealed.Pages) < 3 {
		t.Fatalf("only %d pages", len(r.Sealed.Pages))
	}
	for _, asked := range []clip.Asked{
		{Range: evidence.Range{From: 0, Until: 2_000_000}},
		{Range: evidence.Range{From: 1, Until: 5_999_999}},
		{Range: evidence.Range{From: 1, Until: 5_999_999}, Outward: true},
		{Range: evidence.Range{From: 140_000_000, Until: 170_000_000}}, // over a break
		{Range: evidence.Range{From: 0, Until: 1 << 40}},
		{Range: evidence.Range{From: 0, Until: 9_000_000}, Source: r.Manifest.Sources[1].ID},
		{Range: evidence.Range{From: 0, Until: 60_000_000}, Allowed: map[evidence.ID]clip.Bounds{r.Manifest.Tracks[0].ID: {First: 2, Last: 4}}},
	} {
		c, err := clip.Cut(t.Context(), r.Sealed.Manifest, r.Manifest, r, asked)
		if err != nil {
			t.Fatalf("%+v: %v", asked, err)
		}
		d := c.Document
		text, err := evidence.Canonical(d)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := clip.ParseDocument(text); err != nil {
			t.Errorf("%+v: its own description is refused: %v", asked, err)
		}
		for _, p := range c.Pieces {
			leaf, err := evidence.Canonical(p.Segment.Leaf)
			if err != nil {
				t.Fatal(err)
			}
			if err := seal.CheckInclusion(p.Path, r.Manifest.Tree.Size, r.Manifest.Tree.Root, p.Segment.Position, leaf); err != nil {
				t.Errorf("%+v: %v", asked, err)
			}
			if l := p.Segment.Leaf; l.Kind == evidence.LeafMedia && !asked.Outward && !asked.Range.Contains(l.Range()) {
				t.Errorf("%+v holds %v", asked, l.Range())
			}
			if b, ok := asked.Allowed[p.Segment.Leaf.Track]; asked.Allowed != nil && p.Segment.Leaf.Kind == evidence.LeafMedia && (!ok || p.Segment.Leaf.Index < b.First || p.Segment.Leaf.Index > b.Last) {
				t.Errorf("%+v holds segment %d", asked, p.Segment.Leaf.Index)
			}
		}
		if asked.Outward && !d.Actual.Contains(asked.Range) {
			t.Errorf("outward, yet %v lacks a part of %v", d.Actual, asked.Range)
		}
	}
	_, err := clip.Cut(t.Context(), r.Sealed.Manifest, r.Manifest, r, clip.Asked{Range: evidence.Range{From: 500_000, Until: 1_500_000}})
	if !errors.Is(err, clip.ErrNothing) {
		t.Errorf("inside one segment: %v", err)
	}
}

// The work of a cut grows with the clip, not with the recording: the same clip of a
// recording that is many times longer asks for hardly more.
func TestCuttingCostsWhatTheClipIsLong(t *testing.T) {
	w := testutil.NewWorld(t)
	asked := clip.Asked{Range: evidence.Range{From: 0, Until: 20_000_000}}
	read := map[int]int{}
	for _, loops := range []int{30, 480} {
		r := w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: loops})
		if _, err := clip.Cut(t.Context(), r.Sealed.Manifest, r.Manifest, r, asked); err != nil {
			t.Fatal(err)
		}
		read[loops] = r.Read
	}
	if grown := read[480] - read[30]; grown > 16 { // a few inner nodes
		t.Errorf("16 times the recording asks for %d reads instead of %d", read[480], read[30])
	}
}

// changed lends a recording whose sealed page differs.
type changed struct{ *testutil.Recording }

func (c changed) SealedPage(ctx context.Context, recording evidence.ID, page int) ([]byte, error) {
	data, err := c.Recording.SealedPage(ctx, recording, page)
	return []byte(strings.Replace(string(data), `"start":2000000`, `"start":2000001`, 1)), err
}

func TestASegmentThatWasNotSealedIsNotCut(t *testing.T) {
	w := testutil.NewWorld(t)
	r := w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1})
	_, err := clip.Cut(t.Context(), r.Sealed.Manifest, r.Manifest, changed{r}, clip.Asked{Range: evidence.Range{From: 0, Until: 6_000_000}})
	if !errors.Is(err, evidence.ErrConflict) {
		t.Errorf("got %v", err)
	}
}

func derivation() clip.Derivation {
	sum := strings.Repeat("ab", 32)
	return clip.Derivation{
		Version: 1, ID: evidence.NewID(), Recording: evidence.NewID(), Interview: evidence.NewID(), Kind: clip.Trimmed, Range: evidence.Range{From: 1, Until: 2},
		CreatedAt: 1, Manifest: sum, Sources: []clip.Source{{Name: "segment-1", SHA256: sum}}, Tool: clip.Tool{Name: "ffmpeg", Version: "5.1"},
		Parameters: []string{"-ss", "1"}, Operator: evidence.NewID(), Reason: evidence.Commitment(sum),
	}
}

func TestDerivationsAreReadStrictly(t *testing.T) {
	statement := func(d any) []byte {
		out, err := evidence.Canonical(seal.FileStatement[any]{Type: seal.StatementType, Subject: []evidence.Subject{}, PredicateType: clip.PredicateDerivation, Predicate: d})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if _, err := clip.ParseDerivation(statement(derivation())); err != nil {
		t.Errorf("a good one: %v", err)
	}
	for name, spoil := range map[string]func(*clip.Derivation){
		"kind":       func(d *clip.Derivation) { d.Kind = "improved" },
		"range":      func(d *clip.Derivation) { d.Range.Until = 1 },
		"source":     func(d *clip.Derivation) { d.Sources[0].Name = "/etc/passwd" },
		"no sources": func(d *clip.Derivation) { d.Sources = []clip.Source{} },
		"tool":       func(d *clip.Derivation) { d.Tool.Version = "" },
		"operator":   func(d *clip.Derivation) { d.Operator = "somebody" },
		"reason":     func(d *clip.Derivation) { d.Reason = "because" },
	} {
		d := derivation()
		spoil(&d)
		if _, err := clip.ParseDerivation(statement(d)); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := clip.ParseDerivation(statement(map[string]any{"version": 2})); !errors.Is(err, evidence.ErrUnknownFormat) {
		t.Errorf("a later version: %v", err)
	}
}

func FuzzParseDocument(f *testing.F) {
	f.Add([]byte(`{"type":"toldonce/clip","version":1}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if d, err := clip.ParseDocument(data); err == nil {
			if again, err := evidence.Canonical(d); err != nil || string(again) != string(data) {
				panic("accepted what is not its canonical encoding")
			}
		}
	})
}

func FuzzParseDerivation(f *testing.F) {
	f.Add([]byte(`{"_type":"https://in-toto.io/Statement/v1","predicate":{"version":1},"predicateType":"https://toldonce.org/derivation/v1","subject":[]}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if d, err := clip.ParseDerivation(data); err == nil && d.Check() != nil {
			panic("accepted what it refuses")
		}
	})
}

// What the recorder's tree keeps of itself is what the pages give.
func TestTheTreeKnowsItsUpperNodes(t *testing.T) {
	tree := seal.NewTree()
	for i := range 3*evidence.PageSize + 1 {
		if _, err := tree.AppendText([]byte{'0' + byte(i%10)}); err != nil {
			t.Fatal(err)
		}
		if at := i + 1; at%evidence.PageSize > 1 && at != 1 {
			continue
		}
		want, err := clip.UpperNodes(tree.Pages())
		if err != nil {
			t.Fatal(err)
		}
		got := tree.UpperNodes()
		if len(got) != len(want) {
			t.Fatalf("%d leaves: %d nodes, the pages have %d", i+1, len(got), len(want))
		}
		for n := range want {
			if got[n] != want[n] {
				t.Errorf("%d leaves: node %d is another one", i+1, n)
			}
		}
	}
}
