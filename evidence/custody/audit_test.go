package custody_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// database is a log as a database holds it, for an insider to tamper with.
type database struct {
	rows        []custody.Row // nil Leaf and no nodes: gone
	head        custody.Head
	checkpoints [][]byte
	signer      string
	verifier    note.Verifier
}

func (d *database) LogHead(context.Context) (custody.Head, error) { return d.head, nil }

func (d *database) Checkpoints(context.Context) ([][]byte, error) {
	return slices.Clone(d.checkpoints), nil
}

func (d *database) AuditRows(_ context.Context, from int64, limit int) ([]custody.Row, error) {
	var out []custody.Row
	for n := from; n < min(from+int64(limit), int64(len(d.rows))); n++ {
		if row := d.rows[n]; row.Leaf != nil || len(row.Nodes) > 0 {
			out = append(out, row)
		}
	}
	return out, nil
}

// written is an honest log of n entries with a checkpoint at every seventh.
func written(t testing.TB, n int) *database {
	t.Helper()
	signer, verifier := key(t, "custody.example/log")
	v, err := custody.NewVerifier(verifier)
	if err != nil {
		t.Fatal(err)
	}
	d := &database{signer: signer, verifier: v, head: custody.Head{Root: custody.Frontier{}.Root()}}
	d.rebuild(t, 0, make([]custody.Entry, n))
	return d
}

// rebuild writes the log anew from position from on, as init and every later
// writer would have; entries without an action get one.
func (d *database) rebuild(t testing.TB, from int, entries []custody.Entry) {
	t.Helper()
	var f custody.Frontier
	d.rows = d.rows[:from]
	for i := range d.rows {
		f.Append(custody.LeafHash(d.rows[i].Leaf))
	}
	for i, e := range entries {
		if e.Action == "" {
			e = entry()
		}
		at := evidence.Instant(1_700_000_000_000_000 + int64(from+i))
		leaf, openings, err := e.Leaf(at, f.Root())
		if err != nil {
			t.Fatal(err)
		}
		row := custody.Row{Position: int64(from + i), Openings: openings, Nodes: map[int]custody.Hash{}}
		row.Leaf, err = leaf.Encode()
		if err != nil {
			t.Fatal(err)
		}
		row.Index = indexOf(leaf)
		for level, h := range f.Append(custody.LeafHash(row.Leaf)) {
			row.Nodes[level] = h
		}
		d.rows = append(d.rows, row)
		d.head = custody.Head{Size: f.Size(), Root: f.Root(), LastAt: max(at, d.head.LastAt)}
		if f.Size()%7 == 0 && from == 0 {
			d.checkpoints = append(d.checkpoints, signed(t, d.head, d.signer, ""))
		}
	}
}

// copy returns the log for one more tampering.
func (d *database) copy() *database {
	c := *d
	c.rows = slices.Clone(d.rows)
	for i := range c.rows {
		c.rows[i].Nodes = maps.Clone(c.rows[i].Nodes)
	}
	return &c
}

// sizes of logs in which every entry is rewritten in turn: with every shape of
// the tree's right edge.
var sizes = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17, 22, 32, 33}

func indexOf(l custody.Leaf) custody.Index {
	return custody.Index{ID: l.ID, At: l.At, Action: l.Action, Actor: l.Actor.Account, Agency: l.Agency, Case: l.Case, Interview: l.Interview, Subject: l.Subject}
}

// rewrite replaces an entry by one that says something else, with everything
// that one row holds: its hash, its index, its openings.
func (d *database) rewrite(t testing.TB, n int) {
	t.Helper()
	leaf, err := custody.ParseLeaf(d.rows[n].Leaf)
	if err != nil {
		t.Fatal(err)
	}
	leaf.Action, leaf.Details = "grant.rejected", nil
	row := &d.rows[n]
	if row.Leaf, err = leaf.Encode(); err != nil {
		t.Fatal(err)
	}
	row.Index = indexOf(leaf)
	row.Nodes = maps.Clone(row.Nodes)
	row.Nodes[0] = custody.LeafHash(row.Leaf)
}

func (d *database) audit(t testing.TB, outside ...[]byte) custody.Report {
	t.Helper()
	r, err := custody.Audit(t.Context(), d, d.verifier, outside...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// positions returns where faults of a code were found.
func positions(r custody.Report, code string) []int64 {
	out := []int64{}
	for _, f := range r.Faults {
		if f.Code == code {
			out = append(out, f.Position)
		}
	}
	return out
}

func TestHonestLogHolds(t *testing.T) {
	for n := range 40 {
		d := written(t, n)
		r := d.audit(t)
		if len(r.Faults) != 0 || len(r.Notices) != 0 || r.Size != int64(n) || r.Checkpoints != n/7 || r.Erased != 0 {
			t.Fatalf("%d entries: %+v", n, r)
		}
		if n > 0 && r.Root != d.head.Root {
			t.Fatalf("%d entries: root %v", n, r.Root)
		}
	}
}

// An insider who rewrites a row together with its stored hash is found at that
// row, whatever its place in the tree.
func TestRewrittenEntryIsNamedExactly(t *testing.T) {
	for _, size := range sizes {
		honest := written(t, size)
		for n := range size {
			d := honest.copy()
			d.rewrite(t, n)
			r := d.audit(t)
			if got := positions(r, custody.FaultAltered); !slices.Equal(got, []int64{int64(n)}) {
				t.Fatalf("entry %d of %d was rewritten and %v were named: %+v", n, size, got, r.Faults)
			}
			if size >= 7 && n < size/7*7 && len(positions(r, custody.FaultCheckpoint)) == 0 {
				t.Fatalf("entry %d of %d: no checkpoint contradicted it", n, size)
			}
			if r.Root == d.head.Root {
				t.Fatalf("entry %d of %d: the root did not change", n, size)
			}
		}
	}
}

// One who also rewrites every node above the row, and the head, is still found
// at the row: the next entry names the root that it was written after.
func TestRewrittenEntryWithEveryNodeAboveIsNamedExactly(t *testing.T) {
	for _, size := range sizes {
		honest := written(t, size)
		for n := range size - 1 {
			d := honest.copy()
			d.rewrite(t, n)
			var f custody.Frontier
			for i := range d.rows {
				for level, h := range f.Append(custody.LeafHash(d.rows[i].Leaf)) {
					d.rows[i].Nodes[level] = h
				}
			}
			d.head.Root = f.Root()
			r := d.audit(t)
			if got := positions(r, custody.FaultAltered); !slices.Equal(got, []int64{int64(n)}) {
				t.Fatalf("entry %d of %d was rewritten and %v were named: %+v", n, size, got, r.Faults)
			}
		}
	}
}

func TestSeveralRewrittenEntriesAreNamed(t *testing.T) {
	for _, pair := range [][]int{{0, 2}, {1, 5}, {2, 3, 9}, {4, 8, 12}, {5, 7, 20}, {0, 30}} {
		d := written(t, 33)
		for _, n := range pair {
			d.rewrite(t, n)
		}
		got := positions(d.audit(t), custody.FaultAltered)
		for _, n := range pair {
			// A neighbour may hide behind the one before it; the first is always named.
			if !slices.Contains(got, int64(n)) && !(n > 0 && slices.Contains(pair, n-1)) {
				t.Errorf("%v were rewritten and %v were named", pair, got)
			}
		}
		for _, n := range got {
			if !slices.Contains(pair, int(n)) {
				t.Errorf("%v were rewritten and %v were named", pair, got)
			}
		}
	}
}

func TestWhatElseAnInsiderCanDo(t *testing.T) {
	const size = 23
	for name, c := range map[string]struct {
		tamper   func(t *testing.T, d *database)
		code     string
		position int64
	}{
		"a row rewritten, its hash not": {func(t *testing.T, d *database) {
			own := d.rows[6].Nodes[0]
			d.rewrite(t, 6)
			d.rows[6].Nodes[0] = own
		}, custody.FaultAltered, 6},
		"a row removed": {func(t *testing.T, d *database) { d.rows[4].Leaf = nil }, custody.FaultMissing, 4},
		"a row removed with its nodes": {func(t *testing.T, d *database) {
			d.rows[5].Leaf, d.rows[5].Nodes = nil, nil
		}, custody.FaultMissing, 5},
		"a leaf that is no leaf": {func(t *testing.T, d *database) { d.rows[3].Leaf = []byte("{}") }, custody.FaultAltered, 3},
		"a leaf of a later version": {func(t *testing.T, d *database) {
			d.rows[3].Leaf = []byte(`{"type":"toldonce/custody","version":9}`)
			d.rows[3].Nodes[0] = custody.LeafHash(d.rows[3].Leaf)
		}, custody.FaultUnknown, 3},
		"a node changed": {func(t *testing.T, d *database) {
			h := d.rows[7].Nodes[2]
			h[0] ^= 1
			d.rows[7].Nodes[2] = h
		}, custody.FaultAltered, 7},
		"a node removed": {func(t *testing.T, d *database) { delete(d.rows[7].Nodes, 3) }, custody.FaultNode, 7},
		"two rows exchanged": {func(t *testing.T, d *database) {
			x, y := &d.rows[8], &d.rows[9]
			x.Leaf, y.Leaf = y.Leaf, x.Leaf
			x.Index, y.Index = y.Index, x.Index
			x.Openings, y.Openings = y.Openings, x.Openings
			x.Nodes[0], y.Nodes[0] = y.Nodes[0], x.Nodes[0]
		}, custody.FaultAltered, 8},
		"a row filed under another case": {func(t *testing.T, d *database) { d.rows[2].Index.Case = evidence.NewID() }, custody.FaultIndex, 2},
		"a row filed under another time": {func(t *testing.T, d *database) { d.rows[2].Index.At++ }, custody.FaultIndex, 2},
		"another reason":                 {func(t *testing.T, d *database) { d.rows[9].Openings[1].Value = "Routine" }, custody.FaultOpening, 9},
		"a reason where there was none": {func(t *testing.T, d *database) {
			d.rows[9].Openings = append(d.rows[9].Openings, evidence.Opening{Field: "note", Salt: evidence.NewSalt()})
		}, custody.FaultOpening, 9},
		"the last entries removed": {func(t *testing.T, d *database) {
			d.rows = d.rows[:20]
			d.rebuild(t, 20, nil)
			d.head = custody.Head{Size: 20, Root: rootOf(d, 20), LastAt: d.head.LastAt - 3}
		}, custody.FaultCheckpoint, 20},
		"the head's root": {func(t *testing.T, d *database) { d.head.Root[3] ^= 1 }, custody.FaultHead, -1},
		"the head's time": {func(t *testing.T, d *database) { d.head.LastAt -= 10 }, custody.FaultHead, -1},
		"a checkpoint by someone else": {func(t *testing.T, d *database) {
			other, _ := key(t, "custody.example/log")
			d.checkpoints[1] = signed(t, custody.Head{Size: 14, Root: rootOf(d, 14)}, other, "")
		}, custody.FaultCheckpoint, -1},
		"everything from an entry on rewritten": {func(t *testing.T, d *database) {
			d.rebuild(t, 13, make([]custody.Entry, size-13))
		}, custody.FaultCheckpoint, -1},
	} {
		t.Run(name, func(t *testing.T) {
			d := written(t, size)
			if name == "the last entries removed" {
				d.checkpoints = append(d.checkpoints, signed(t, d.head, d.signer, ""))
			}
			c.tamper(t, d)
			r := d.audit(t)
			if !slices.Contains(positions(r, c.code), c.position) {
				t.Fatalf("want %q at %d, got %+v", c.code, c.position, r.Faults)
			}
		})
	}
}

func rootOf(d *database, n int) custody.Hash {
	var f custody.Frontier
	for _, row := range d.rows[:n] {
		f.Append(custody.LeafHash(row.Leaf))
	}
	return f.Root()
}

// Whoever holds no key and has the database alone can rewrite all of it; a
// checkpoint that left the building still tells.
func TestCheckpointKeptElsewhere(t *testing.T) {
	d := written(t, 6)
	kept := signed(t, d.head, d.signer, "")
	d.rebuild(t, 2, make([]custody.Entry, 4))
	if r := d.audit(t); len(r.Faults) != 0 {
		t.Fatalf("a consistent forgery cannot be seen from inside: %+v", r.Faults)
	}
	if r := d.audit(t, kept); len(positions(r, custody.FaultCheckpoint)) != 1 {
		t.Fatalf("got %+v", r)
	}
}

func TestErasedTextsAreCountedAndBreakNothing(t *testing.T) {
	d := written(t, 9)
	d.rows[2].Openings = d.rows[2].Openings[:1]
	d.rows[5].Openings = nil
	if r := d.audit(t); len(r.Faults) != 0 || r.Erased != 5 {
		t.Fatalf("%+v", r)
	}
}

func TestClockThatRanBackwardsIsANotice(t *testing.T) {
	d := written(t, 3)
	e, f := entry(), custody.Frontier{}
	for _, row := range d.rows {
		f.Append(custody.LeafHash(row.Leaf))
	}
	leaf, openings, err := e.Leaf(d.head.LastAt-60_000_000, f.Root())
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := leaf.Encode()
	row := custody.Row{Position: 3, Leaf: raw, Index: indexOf(leaf), Openings: openings, Nodes: map[int]custody.Hash{}}
	for level, h := range f.Append(custody.LeafHash(raw)) {
		row.Nodes[level] = h
	}
	d.rows = append(d.rows, row)
	d.head.Size, d.head.Root = 4, f.Root()
	if r := d.audit(t); len(r.Faults) != 0 || len(r.Notices) != 1 || r.Notices[0].Position != 3 {
		t.Fatalf("%+v", r)
	}
}

func TestManyFaultsAreCounted(t *testing.T) {
	d := written(t, 520) // more than one batch
	for i := range d.rows {
		d.rows[i].Index.Action = "nothing"
	}
	if r := d.audit(t); len(r.Faults) != custody.MaxFaults || r.More != 520-custody.MaxFaults {
		t.Fatalf("%d faults and %d more", len(r.Faults), r.More)
	}
}

func TestAuditSaysThatItCouldNotRead(t *testing.T) {
	d := written(t, 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := custody.Audit(ctx, failing{d}, d.verifier); err == nil {
		t.Fatal("a log that could not be read was judged")
	}
}

type failing struct{ *database }

func (failing) AuditRows(ctx context.Context, _ int64, _ int) ([]custody.Row, error) {
	return nil, ctx.Err()
}

// The nodes that a leaf completes are those of tlog's storage order, which the
// database relies on.
func TestNodesOfALeaf(t *testing.T) {
	for n := range int64(64) {
		base := tlog.StoredHashIndex(0, n)
		for level := range bits.TrailingZeros64(^uint64(n)) + 1 {
			gotLevel, k := tlog.SplitStoredHashIndex(base + int64(level))
			if gotLevel != level || (k+1)<<level-1 != n {
				t.Fatalf("leaf %d level %d: %d, %d", n, level, gotLevel, k)
			}
		}
	}
}

// chain is a [custody.Log] for a Checkpointer.
type chain struct {
	*memory
	saved [][]byte
	fails error
}

func (c *chain) LogHead(context.Context) (custody.Head, error) { return c.head(), nil }

func (c *chain) ProveConsistency(_ context.Context, old, new int64) ([]custody.Hash, error) {
	return custody.ProveConsistency(old, new, c.nodes)
}

func (c *chain) LastCheckpoint(context.Context) ([]byte, error) {
	if len(c.saved) == 0 {
		return nil, fmt.Errorf("none: %w", evidence.ErrNotFound)
	}
	return c.saved[len(c.saved)-1], nil
}

func (c *chain) SaveCheckpoint(_ context.Context, _ int64, signed []byte) error {
	if c.fails != nil {
		return c.fails
	}
	c.saved = append(c.saved, bytes.Clone(signed))
	return nil
}
