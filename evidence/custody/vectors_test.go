package custody_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// Vectors of a released version are never written anew; the flag made the first.
var write = flag.Bool("write-vectors", false, "write testdata/vectors.json if there is none")

const vectorsFile = "testdata/vectors.json"

type vectors struct {
	Verifier    string               `json:"verifier"`
	Leaves      []string             `json:"leaves"`
	Openings    [][]evidence.Opening `json:"openings"` // by position
	Roots       []custody.Hash       `json:"roots"`    // by size, from 0
	Inclusion   []inclusionVector    `json:"inclusion"`
	Consistency []consistencyVector  `json:"consistency"`
	Checkpoint  string               `json:"checkpoint"` // of the whole log
	Proof       string               `json:"proof"`      // a proof file
	ProofOf     int64                `json:"proofOf"`    // its position
	Refused     []refusedVector      `json:"refused"`
}

type inclusionVector struct {
	Position int64          `json:"position"`
	Size     int64          `json:"size"`
	Path     []custody.Hash `json:"path"`
}

type consistencyVector struct {
	Old  int64          `json:"old"`
	New  int64          `json:"new"`
	Path []custody.Hash `json:"path"`
}

type refusedVector struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"` // leaf, checkpoint, proof
	Data   string `json:"data"`
	Reason string `json:"reason"` // invalid, unknown
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	data, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVectors(t *testing.T) {
	if *write {
		writeVectors(t)
	}
	v := readVectors(t)
	verifier, err := custody.NewVerifier(v.Verifier)
	if err != nil {
		t.Fatal(err)
	}
	size := int64(len(v.Leaves))
	var f custody.Frontier
	for n, leaf := range v.Leaves {
		if f.Root() != v.Roots[n] {
			t.Errorf("root of %d leaves", n)
		}
		l, err := custody.ParseLeaf([]byte(leaf))
		if err != nil {
			t.Fatalf("leaf %d: %v", n, err)
		}
		if again, err := l.Encode(); err != nil || string(again) != leaf {
			t.Errorf("leaf %d is encoded as %s, %v", n, again, err)
		}
		if before := v.Roots[n]; l.Before != fmt.Sprintf("%x", before[:]) {
			t.Errorf("leaf %d was written after %s", n, l.Before)
		}
		for _, o := range v.Openings[n] {
			if !o.Opens(l.Commitment(o.Field)) {
				t.Errorf("opening of %q of leaf %d", o.Field, n)
			}
		}
		f.Append(custody.LeafHash([]byte(leaf)))
	}
	if f.Root() != v.Roots[size] {
		t.Errorf("root of %d leaves", size)
	}
	for _, c := range v.Inclusion {
		hash := rfc6962.DefaultHasher.HashLeaf([]byte(v.Leaves[c.Position]))
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(c.Position), uint64(c.Size), hash, bytesOf(c.Path), v.Roots[c.Size][:]); err != nil {
			t.Errorf("inclusion of %d in %d: %v", c.Position, c.Size, err)
		}
		if err := custody.VerifyInclusion([]byte(v.Leaves[c.Position]), c.Position, c.Path, custody.Checkpoint{Size: c.Size, Root: v.Roots[c.Size]}); err != nil {
			t.Error(err)
		}
	}
	for _, c := range v.Consistency {
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(c.Old), uint64(c.New), bytesOf(c.Path), v.Roots[c.Old][:], v.Roots[c.New][:]); err != nil {
			t.Errorf("consistency from %d to %d: %v", c.Old, c.New, err)
		}
		if err := custody.VerifyConsistency(custody.Checkpoint{Size: c.Old, Root: v.Roots[c.Old]}, custody.Checkpoint{Size: c.New, Root: v.Roots[c.New]}, c.Path); err != nil {
			t.Error(err)
		}
	}
	cp, err := custody.OpenCheckpoint([]byte(v.Checkpoint), verifier)
	if err != nil || cp.Size != size || cp.Root != v.Roots[size] {
		t.Errorf("checkpoint: %+v, %v", cp, err)
	}
	p, err := custody.ParseProof([]byte(v.Proof))
	if err != nil || p.Position != v.ProofOf {
		t.Fatalf("proof: %+v, %v", p, err)
	}
	if _, _, err := p.Verify([]byte(v.Leaves[p.Position]), v.Openings[p.Position], verifier); err != nil {
		t.Errorf("proof: %v", err)
	}
	for _, c := range v.Refused {
		switch c.Kind {
		case "leaf":
			_, err = custody.ParseLeaf([]byte(c.Data))
		case "checkpoint":
			_, err = custody.OpenCheckpoint([]byte(c.Data), verifier)
		case "proof":
			if p, err = custody.ParseProof([]byte(c.Data)); err == nil {
				_, _, err = p.Verify([]byte(v.Leaves[v.ProofOf]), nil, verifier)
			}
		default:
			t.Fatalf("vector of kind %q", c.Kind)
		}
		want := evidence.ErrInvalid
		if c.Reason == "unknown" {
			want = evidence.ErrUnknownFormat
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v", c.Name, err)
		}
	}
}

func writeVectors(t *testing.T) {
	if _, err := os.Stat(vectorsFile); err == nil {
		t.Fatal("there are vectors already")
	}
	signer, verifier := key(t, "custody.police.example/log1")
	v := vectors{Verifier: verifier, ProofOf: 2, Roots: []custody.Hash{{}}}
	m := &memory{}
	v.Roots[0] = m.frontier.Root()
	for i, e := range []custody.Entry{
		{Actor: evidence.System(evidence.NewID()), Action: "log.created"},
		entry(),
		{Actor: evidence.Actor{Kind: evidence.ActorDevice, Account: evidence.NewID(), Agency: evidence.NewID(), Address: "2001:db8::7"}, Action: "source.join", Interview: evidence.NewID()},
		{Actor: evidence.Actor{Kind: evidence.ActorPerson, Account: evidence.NewID(), Role: evidence.RoleAdvocate}, Action: "consent.withdraw", Case: evidence.NewID(),
			Why: "“Nuk dua më”, tha ajo — \u0001 <&> 𝄞"},
		entry(),
	} {
		leaf, openings, err := e.Leaf(evidence.Instant(1_790_000_000_000_000+i*1_000_000), m.frontier.Root())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := leaf.Encode()
		if err != nil {
			t.Fatal(err)
		}
		m.appendRaw(raw)
		if openings == nil {
			openings = []evidence.Opening{}
		}
		v.Leaves, v.Openings, v.Roots = append(v.Leaves, string(raw)), append(v.Openings, openings), append(v.Roots, m.frontier.Root())
	}
	size := int64(len(v.Leaves))
	for n := int64(1); n <= size; n++ {
		for position := range n {
			path, err := custody.ProveInclusion(position, n, m.nodes)
			if err != nil {
				t.Fatal(err)
			}
			v.Inclusion = append(v.Inclusion, inclusionVector{position, n, path})
		}
		for old := int64(1); old <= n; old++ {
			path, err := custody.ProveConsistency(old, n, m.nodes)
			if err != nil {
				t.Fatal(err)
			}
			v.Consistency = append(v.Consistency, consistencyVector{old, n, path})
		}
	}
	v.Checkpoint = string(signed(t, m.head(), signer, ""))
	path, err := custody.ProveInclusion(v.ProofOf, size, m.nodes)
	if err != nil {
		t.Fatal(err)
	}
	good := custody.Proof{Position: v.ProofOf, Path: path, Checkpoint: []byte(v.Checkpoint)}
	v.Proof = string(good.Encode())
	leaf := v.Leaves[1]
	refuse := func(name, kind, data, reason string) {
		if data == leaf || data == v.Checkpoint || data == v.Proof {
			t.Fatalf("%s changes nothing", name)
		}
		v.Refused = append(v.Refused, refusedVector{name, kind, data, reason})
	}
	refuse("a later version", "leaf", strings.Replace(leaf, `"version":1`, `"version":2`, 1), "unknown")
	refuse("another type", "leaf", strings.Replace(leaf, `toldonce/custody`, `toldonce/segment`, 1), "unknown")
	refuse("a line break after it", "leaf", leaf+"\n", "invalid")
	refuse("a space", "leaf", strings.Replace(leaf, `:`, `: `, 1), "invalid")
	refuse("an unknown field", "leaf", strings.Replace(leaf, `{"action"`, `{"a":1,"action"`, 1), "invalid")
	refuse("a field twice", "leaf", strings.Replace(leaf, `{"action":"grant.approved"`, `{"action":"grant.approved","action":"grant.approved"`, 1), "invalid")
	refuse("another order", "leaf", strings.Replace(leaf, `{"action":"grant.approved",`, `{`, 1)[:len(leaf)-len(`"action":"grant.approved",`)-1]+`,"action":"grant.approved"}`, "invalid")
	refuse("a float", "leaf", strings.Replace(leaf, `"at":1790000001000000`, `"at":1790000001000000.0`, 1), "invalid")
	refuse("an exponent", "leaf", strings.Replace(leaf, `"at":1790000001000000`, `"at":179e7`, 1), "invalid")
	refuse("a time that JSON cannot hold", "leaf", strings.Replace(leaf, `"at":1790000001000000`, `"at":9007199254740992`, 1), "invalid")
	refuse("an upper-case digit in the salt", "leaf", upperHex(leaf), "invalid")
	refuse("words in a detail", "leaf", strings.Replace(leaf, `"source":"close-up"`, `"source":"close up"`, 1), "invalid")
	refuse("an empty optional field", "leaf", strings.Replace(leaf, `"mfa":true,`, `"mfa":false,`, 1), "invalid")
	refuse("an escaped letter", "leaf", strings.Replace(leaf, `grant.approved`, `gr\u0061nt.approved`, 1), "invalid")
	refuse("another size", "checkpoint", strings.Replace(v.Checkpoint, "\n5\n", "\n6\n", 1), "invalid")
	refuse("a leading zero", "checkpoint", strings.Replace(v.Checkpoint, "\n5\n", "\n05\n", 1), "invalid")
	refuse("a further line", "checkpoint", string(signed(t, m.head(), signer, "extension\n")), "invalid")
	other, _ := key(t, "custody.police.example/log1")
	refuse("another key of the same name", "checkpoint", string(signed(t, m.head(), other, "")), "invalid")
	otherLog, _ := key(t, "custody.court.example/log1")
	refuse("another log", "checkpoint", string(signed(t, m.head(), otherLog, "")), "invalid")
	refuse("no signature", "checkpoint", strings.SplitAfter(v.Checkpoint, "\n\n")[0], "invalid")
	wrong := good
	wrong.Position = 3
	refuse("another position", "proof", string(wrong.Encode()), "invalid")
	wrong = good
	wrong.Path = append([]custody.Hash{}, path...)
	wrong.Path[1] = tlog.RecordHash([]byte("x"))
	refuse("another path", "proof", string(wrong.Encode()), "invalid")
	wrong = good
	wrong.Path = path[:2]
	refuse("a shorter path", "proof", string(wrong.Encode()), "invalid")
	refuse("a carriage return", "proof", strings.Replace(v.Proof, "\n", "\r\n", 1), "invalid")
	refuse("extra data", "proof", strings.Replace(v.Proof, "\nindex", "\nextra aGk=\nindex", 1), "invalid")
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorsFile, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// upperHex writes the first letter digit of the salt in upper case.
func upperHex(leaf string) string {
	i := strings.Index(leaf, `"salt":"`) + len(`"salt":"`)
	j := strings.IndexAny(leaf[i:], "abcdef")
	return leaf[:i+j] + strings.ToUpper(leaf[i+j:i+j+1]) + leaf[i+j+1:]
}

func FuzzParseLeaf(f *testing.F) {
	v := readVectors(f)
	for _, leaf := range v.Leaves {
		f.Add([]byte(leaf))
	}
	for _, c := range v.Refused {
		f.Add([]byte(c.Data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := custody.ParseLeaf(data)
		if err != nil {
			if !errors.Is(err, evidence.ErrInvalid) && !errors.Is(err, evidence.ErrUnknownFormat) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		again, err := l.Encode()
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("two encodings of one leaf: %s and %s, %v", data, again, err)
		}
	})
}

func FuzzOpenCheckpoint(f *testing.F) {
	v := readVectors(f)
	verifier, err := custody.NewVerifier(v.Verifier)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(v.Checkpoint))
	for _, c := range v.Refused {
		f.Add([]byte(c.Data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cp, err := custody.OpenCheckpoint(data, verifier)
		if err != nil {
			if !errors.Is(err, evidence.ErrInvalid) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		// Nobody but the key's holder makes one that opens: it says what the vector says.
		if cp.Size != int64(len(v.Leaves)) || cp.Root != v.Roots[len(v.Leaves)] {
			t.Fatalf("a forged checkpoint: %q", data)
		}
	})
}

func FuzzParseProof(f *testing.F) {
	v := readVectors(f)
	verifier, err := custody.NewVerifier(v.Verifier)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(v.Proof))
	for _, c := range v.Refused {
		f.Add([]byte(c.Data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := custody.ParseProof(data)
		if err != nil {
			if !errors.Is(err, evidence.ErrInvalid) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if !bytes.Equal(p.Encode(), data) {
			t.Fatalf("two encodings of one proof: %q", data)
		}
		for n, leaf := range v.Leaves {
			if _, _, err := p.Verify([]byte(leaf), nil, verifier); err == nil && int64(n) != p.Position {
				t.Fatalf("entry %d was proved at %d", n, p.Position)
			}
		}
	})
}

func FuzzParseFrontier(f *testing.F) {
	var tree custody.Frontier
	for range 6 {
		f.Add(tree.Size(), tree.Bytes())
		tree.Append(custody.LeafHash([]byte("leaf")))
	}
	f.Fuzz(func(t *testing.T, size int64, data []byte) {
		parsed, err := custody.ParseFrontier(size, data)
		if err != nil {
			return
		}
		if parsed.Size() != size || !bytes.Equal(parsed.Bytes(), data) {
			t.Fatal("a frontier changed in reading")
		}
		if size < 1<<62 {
			parsed.Append(parsed.Root())
			_ = parsed.Root()
		}
	})
}
