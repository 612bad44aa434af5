package custody_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// nodes keeps the stored nodes of a tree in memory, as a database would.
type nodes []custody.Hash

func (n nodes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x < 0 || x >= int64(len(n)) {
			return nil, fmt.Errorf("no node %d", x)
		}
		out[i] = n[x]
	}
	return out, nil
}

// memory is a log in memory: a [custody.Log] whose parts tests may break.
type memory struct {
	leaves   [][]byte
	nodes    nodes
	frontier custody.Frontier
}

func (m *memory) append(t testing.TB, e custody.Entry) custody.Leaf {
	t.Helper()
	leaf, _, err := e.Leaf(evidence.Instant(1_700_000_000_000_000+len(m.leaves)), m.frontier.Root())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := leaf.Encode()
	if err != nil {
		t.Fatal(err)
	}
	m.appendRaw(raw)
	return leaf
}

func (m *memory) appendRaw(raw []byte) {
	m.leaves = append(m.leaves, raw)
	m.nodes = append(m.nodes, m.frontier.Append(custody.LeafHash(raw))...)
}

func (m *memory) head() custody.Head {
	return custody.Head{Size: m.frontier.Size(), Root: m.frontier.Root()}
}

func filled(t testing.TB, n int) *memory {
	m := &memory{}
	for range n {
		m.append(t, entry())
	}
	return m
}

func entry() custody.Entry {
	return custody.Entry{
		Actor: evidence.Actor{Kind: evidence.ActorPerson, Account: evidence.NewID(), Agency: evidence.NewID(), Role: evidence.RoleCustodian,
			Session: evidence.NewID(), MFA: true, Address: "192.0.2.7"},
		Action: "grant.approved", Case: evidence.NewID(), Interview: evidence.NewID(), Subject: evidence.NewID(),
		Why: "Hearing of Ana Dëshmitare on Monday", Authority: "Order PP 12/2026",
		Details: map[string]string{"from": "0", "until": "12000000", "source": "close-up"},
	}
}

func key(t testing.TB, origin string) (signer, verifier string) {
	t.Helper()
	s, v, err := custody.GenerateKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

func signed(t testing.TB, h custody.Head, signer string, extra string) []byte {
	t.Helper()
	s, err := note.NewSigner(signer)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%s\n%d\n%s\n%s", s.Name(), h.Size, h.Root.String(), extra)
	out, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestLeafHoldsNothingPersonal(t *testing.T) {
	e := entry()
	leaf, openings, err := e.Leaf(42, custody.Frontier{}.Root())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := leaf.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, personal := range []string{e.Why, e.Authority, e.Actor.Address, "Ana", "PP 12"} {
		if strings.Contains(string(raw), personal) {
			t.Errorf("the leaf holds %q", personal)
		}
	}
	again, err := custody.ParseLeaf(raw)
	if err != nil {
		t.Fatal(err)
	}
	record := custody.Record{Leaf: again, Openings: openings}
	for field, want := range map[string]string{custody.FieldWhere: e.Actor.Address, custody.FieldWhy: e.Why, custody.FieldAuthority: e.Authority} {
		if got, known := record.Opened(field); !known || got != want {
			t.Errorf("%s opens to %q, %v", field, got, known)
		}
	}
	openings[1].Value += "!"
	if _, known := (custody.Record{Leaf: again, Openings: openings}).Opened(custody.FieldWhy); known {
		t.Error("an opening that does not open the commitment was believed")
	}
	second, _, err := e.Leaf(42, custody.Frontier{}.Root())
	if err != nil {
		t.Fatal(err)
	}
	if second.Why == leaf.Why || second.Salt == leaf.Salt || second.ID == leaf.ID {
		t.Error("two entries of one act can be linked by their commitments, salt or id")
	}
}

func TestLeafFallsBackToTheActorsAgency(t *testing.T) {
	e := entry()
	leaf, _, err := e.Leaf(1, custody.Hash{})
	if err != nil || leaf.Agency != e.Actor.Agency {
		t.Fatalf("agency %q, %v", leaf.Agency, err)
	}
	e.Agency = evidence.NewID()
	if leaf, _, _ = e.Leaf(1, custody.Hash{}); leaf.Agency != e.Agency {
		t.Fatalf("agency %q", leaf.Agency)
	}
}

func TestEntryThatMustNotBeWritten(t *testing.T) {
	many := map[string]string{}
	for i := range custody.MaxDetails + 1 {
		many[fmt.Sprintf("k%d", i)] = "1"
	}
	for name, spoil := range map[string]func(*custody.Entry){
		"no action":             func(e *custody.Entry) { e.Action = "" },
		"words for an action":   func(e *custody.Entry) { e.Action = "approved the grant" },
		"upper case action":     func(e *custody.Entry) { e.Action = "Grant.approved" },
		"unknown actor":         func(e *custody.Entry) { e.Actor.Kind = "ghost" },
		"case is a name":        func(e *custody.Entry) { e.Case = "Ana" },
		"account is a login":    func(e *custody.Entry) { e.Actor.Account = "ana.d" },
		"words in a detail":     func(e *custody.Entry) { e.Details = map[string]string{"reason": "she is afraid"} },
		"an address in detail":  func(e *custody.Entry) { e.Details = map[string]string{"to": "ana@example.org"} },
		"a name in a key":       func(e *custody.Entry) { e.Details = map[string]string{"Ana Dëshmitare": "1"} },
		"a long detail":         func(e *custody.Entry) { e.Details = map[string]string{"k": strings.Repeat("1", custody.MaxDetail+1)} },
		"a line break":          func(e *custody.Entry) { e.Details = map[string]string{"k": "1\n"} },
		"too many details":      func(e *custody.Entry) { e.Details = many },
		"why is not UTF-8":      func(e *custody.Entry) { e.Why = "\xff" },
		"why holds NUL":         func(e *custody.Entry) { e.Why = "a\x00b" },
		"why is a book":         func(e *custody.Entry) { e.Why = strings.Repeat("x", custody.MaxText+1) },
		"time out of range":     nil,
		"role is not a code":    func(e *custody.Entry) { e.Actor.Role = "Chief of police" },
		"session is not an id":  func(e *custody.Entry) { e.Actor.Session = "cookie" },
		"action ends with junk": func(e *custody.Entry) { e.Action = "grant.approved\n" },
	} {
		e, at := entry(), evidence.Instant(1)
		if spoil == nil {
			at = evidence.MaxInteger + 1
		} else {
			spoil(&e)
		}
		leaf, _, err := e.Leaf(at, custody.Hash{})
		if err == nil {
			_, err = leaf.Encode()
		}
		if !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestFrontierAgreesWithTwoOtherTrees(t *testing.T) {
	var f custody.Frontier
	var stored nodes
	for n := int64(0); n < 300; n++ {
		root, err := tlog.TreeHash(n, stored)
		if err != nil || f.Root() != root || f.Size() != n {
			t.Fatalf("size %d: root %v, tlog %v, %v", n, f.Root(), root, err)
		}
		again, err := custody.ParseFrontier(n, f.Bytes())
		if err != nil || again.Root() != root {
			t.Fatalf("size %d: stored frontier: %v", n, err)
		}
		leaf := fmt.Appendf(nil, "leaf %d", n)
		want, err := tlog.StoredHashes(n, leaf, stored)
		if err != nil {
			t.Fatal(err)
		}
		before := f
		got := f.Append(custody.LeafHash(leaf))
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("leaf %d completes %v, tlog %v", n, got, want)
		}
		if before.Root() != root {
			t.Fatal("appending changed a copy")
		}
		stored = append(stored, got...)
	}
	for position := range uint64(300) {
		path, err := custody.ProveInclusion(int64(position), 300, stored)
		if err != nil {
			t.Fatal(err)
		}
		root := f.Root()
		leaf := rfc6962.DefaultHasher.HashLeaf(fmt.Appendf(nil, "leaf %d", position))
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, position, 300, leaf, bytesOf(path), root[:]); err != nil {
			t.Fatalf("inclusion of %d: %v", position, err)
		}
	}
	for old := uint64(1); old <= 300; old++ {
		oldRoot, err := tlog.TreeHash(int64(old), stored)
		if err != nil {
			t.Fatal(err)
		}
		path, err := custody.ProveConsistency(int64(old), 300, stored)
		if err != nil {
			t.Fatal(err)
		}
		root := f.Root()
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, old, 300, bytesOf(path), oldRoot[:], root[:]); err != nil {
			t.Fatalf("consistency from %d: %v", old, err)
		}
	}
}

func bytesOf(path []custody.Hash) [][]byte {
	out := make([][]byte, len(path))
	for i := range path {
		out[i] = path[i][:]
	}
	return out
}

func TestFrontierThatDoesNotFitItsSize(t *testing.T) {
	for _, c := range []struct {
		size  int64
		bytes int
	}{{0, 32}, {1, 0}, {1, 31}, {1, 64}, {3, 32}, {4, 64}, {-1, 0}, {-1, 64 * 32}} {
		if _, err := custody.ParseFrontier(c.size, make([]byte, c.bytes)); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("size %d with %d bytes: got %v", c.size, c.bytes, err)
		}
	}
}

func TestProofsThatCannotBe(t *testing.T) {
	m := filled(t, 5)
	for _, c := range [][2]int64{{-1, 5}, {5, 5}, {0, 0}, {3, 2}} {
		if _, err := custody.ProveInclusion(c[0], c[1], m.nodes); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("inclusion %v: %v", c, err)
		}
	}
	for _, c := range [][2]int64{{-1, 5}, {5, 4}, {0, -1}} {
		if _, err := custody.ProveConsistency(c[0], c[1], m.nodes); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("consistency %v: %v", c, err)
		}
	}
}

func TestProofHoldsForItsEntryAlone(t *testing.T) {
	m := &memory{}
	var openings [][]evidence.Opening
	for range 7 {
		leaf, o, err := entry().Leaf(5, m.frontier.Root())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := leaf.Encode()
		if err != nil {
			t.Fatal(err)
		}
		m.appendRaw(raw)
		openings = append(openings, o)
	}
	signer, verifier := key(t, "custody.example/log")
	v, err := custody.NewVerifier(verifier)
	if err != nil {
		t.Fatal(err)
	}
	path, err := custody.ProveInclusion(3, 7, m.nodes)
	if err != nil {
		t.Fatal(err)
	}
	good := custody.Proof{Position: 3, Path: path, Checkpoint: signed(t, m.head(), signer, "")}
	again, err := custody.ParseProof(good.Encode())
	if err != nil {
		t.Fatal(err)
	}
	leaf, cp, err := again.Verify(m.leaves[3], openings[3], v)
	if err != nil || leaf.Why == "" || cp.Size != 7 || cp.Origin != "custody.example/log" {
		t.Fatalf("%+v, %+v, %v", leaf, cp, err)
	}
	_, otherVerifier := key(t, "custody.example/log")
	other, err := custody.NewVerifier(otherVerifier)
	if err != nil {
		t.Fatal(err)
	}
	flip := func(b []byte, i int) []byte {
		out := append([]byte(nil), b...)
		out[i] ^= 1
		return out
	}
	wrongPath := append([]custody.Hash(nil), path...)
	wrongPath[0][0] ^= 1
	for name, c := range map[string]struct {
		p    custody.Proof
		leaf []byte
		o    []evidence.Opening
		v    note.Verifier
	}{
		"another entry's leaf":        {good, m.leaves[2], nil, v},
		"a changed leaf":              {good, flip(m.leaves[3], 20), nil, v},
		"another position":            {custody.Proof{Position: 2, Path: path, Checkpoint: good.Checkpoint}, m.leaves[3], nil, v},
		"a position beyond":           {custody.Proof{Position: 7, Path: path, Checkpoint: good.Checkpoint}, m.leaves[3], nil, v},
		"a changed path":              {custody.Proof{Position: 3, Path: wrongPath, Checkpoint: good.Checkpoint}, m.leaves[3], nil, v},
		"a longer path":               {custody.Proof{Position: 3, Path: append(path[:3:3], path[0]), Checkpoint: good.Checkpoint}, m.leaves[3], nil, v},
		"a key of another log":        {good, m.leaves[3], nil, other},
		"another entry's text":        {good, m.leaves[3], openings[2], v},
		"text for a field it has not": {good, m.leaves[3], []evidence.Opening{{Field: "name", Salt: evidence.NewSalt(), Value: "x"}}, v},
		"a changed checkpoint":        {custody.Proof{Position: 3, Path: path, Checkpoint: flip(good.Checkpoint, 21)}, m.leaves[3], nil, v},
	} {
		if _, _, err := c.p.Verify(c.leaf, c.o, c.v); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A leaf of a later version is in the log, but this program cannot say what it means.
func TestLaterVersionCannotBeJudged(t *testing.T) {
	m := &memory{}
	m.appendRaw([]byte(`{"type":"toldonce/custody","version":2}`))
	signer, verifier := key(t, "custody.example/log")
	v, _ := custody.NewVerifier(verifier)
	p := custody.Proof{Position: 0, Checkpoint: signed(t, m.head(), signer, "")}
	if _, _, err := p.Verify(m.leaves[0], nil, v); !errors.Is(err, evidence.ErrUnknownFormat) || errors.Is(err, evidence.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
}

func TestConsistencyBetweenCheckpoints(t *testing.T) {
	m := filled(t, 11)
	signer, verifier := key(t, "custody.example/log")
	v, _ := custody.NewVerifier(verifier)
	at := func(n int64) custody.Checkpoint {
		root, err := tlog.TreeHash(n, m.nodes)
		if err != nil {
			t.Fatal(err)
		}
		cp, err := custody.OpenCheckpoint(signed(t, custody.Head{Size: n, Root: root}, signer, ""), v)
		if err != nil {
			t.Fatal(err)
		}
		return cp
	}
	for old := range int64(12) {
		path, err := custody.ProveConsistency(old, 11, m.nodes)
		if err != nil {
			t.Fatal(err)
		}
		if err := custody.VerifyConsistency(at(old), at(11), path); err != nil {
			t.Errorf("from %d: %v", old, err)
		}
		forged := at(old)
		forged.Root[5] ^= 1
		if err := custody.VerifyConsistency(forged, at(11), path); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("from a forged %d: %v", old, err)
		}
	}
	path, _ := custody.ProveConsistency(4, 11, m.nodes)
	foreign := at(4)
	foreign.Origin = "another.example/log"
	if err := custody.VerifyConsistency(foreign, at(11), path); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("from another log: %v", err)
	}
	if err := custody.VerifyConsistency(at(11), at(4), path); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("backwards: %v", err)
	}
}
