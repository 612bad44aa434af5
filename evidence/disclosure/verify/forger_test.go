package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/seal"
)

// scene is a good package, its agency, and another agency with its own.
type scene struct {
	w, other  *testutil.World
	r         *testutil.Recording
	good      testutil.Files
	otherGood testutil.Files
}

func newScene(t testing.TB) *scene {
	s := &scene{w: testutil.NewWorld(t), other: testutil.NewWorld(t)}
	shape := testutil.Shape{Sources: 2, Parts: 2, Loops: 1}
	s.r = s.w.Record(t, shape)
	s.good = s.w.Package(t, s.r, custody.FieldWhy, custody.FieldAuthority)
	s.otherGood = s.other.Package(t, s.other.Record(t, shape))
	return s
}

// offsets returns where each piece of a media file begins, and its end.
func (s *scene) offsets(t testing.TB, name string) []int {
	t.Helper()
	leaves := make([]evidence.Leaf, len(s.r.Segments))
	for i, x := range s.r.Segments {
		leaves[i] = x.Leaf
	}
	files, err := disclosure.MediaFiles(s.r.Manifest, leaves)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name == name {
			at := []int{0}
			for _, p := range f.Positions {
				at = append(at, at[len(at)-1]+int(leaves[p].Plain.Size))
			}
			return at
		}
	}
	t.Fatalf("no media file %s", name)
	return nil
}

// sealRecording seals a manifest whatever it says, as somebody with the keys
// and another program could.
func sealRecording(t testing.TB, w *testutil.World, f testutil.Files, manifest []byte) {
	t.Helper()
	var m evidence.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		t.Fatal(err)
	}
	sealed, err := w.Authority.SealFile(t.Context(), seal.ManifestName, manifest, evidence.PredicateRecording, seal.PredicateOf(m))
	if err != nil {
		t.Fatal(err)
	}
	f[disclosure.RecordingFile], f[disclosure.StatementFile] = manifest, sealed.Statement
	for name, data := range disclosure.SealFiles(disclosure.RecordingSeal, sealed) {
		f[name] = data
	}
	f.Reseal(t, w)
}

func manifestOf(t testing.TB, f testutil.Files) evidence.Manifest {
	t.Helper()
	var m evidence.Manifest
	if err := json.Unmarshal(f[disclosure.RecordingFile], &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// remanifest changes the manifest and seals everything anew.
func remanifest(change func(m *evidence.Manifest)) func(testing.TB, *scene, testutil.Files) {
	return func(t testing.TB, s *scene, f testutil.Files) {
		m := manifestOf(t, f)
		change(&m)
		data, err := evidence.Canonical(m)
		if err != nil {
			t.Fatal(err)
		}
		sealRecording(t, s.w, f, data)
	}
}

// releaf changes the leaves, rebuilds the tree and seals everything anew: what
// remains to be found is that the leaves tell another story than the media or the
// manifest.
func releaf(change func(leaves []evidence.Leaf, m *evidence.Manifest) []evidence.Leaf) func(testing.TB, *scene, testutil.Files) {
	return func(t testing.TB, s *scene, f testutil.Files) {
		m := manifestOf(t, f)
		var leaves []evidence.Leaf
		for i := range m.Tree.Pages {
			for line := range bytes.Lines(f[disclosure.PageFile(i)]) {
				var l evidence.Leaf
				if err := json.Unmarshal(line, &l); err != nil {
					t.Fatal(err)
				}
				leaves = append(leaves, l)
			}
			delete(f, disclosure.PageFile(i))
		}
		tree := seal.NewTree()
		for _, l := range change(leaves, &m) {
			if _, err := tree.Append(l); err != nil {
				t.Fatal(err)
			}
		}
		m.Tree = tree.Head()
		for i, page := range tree.Pages() {
			f[disclosure.PageFile(i)] = page
		}
		data, err := evidence.Canonical(m)
		if err != nil {
			t.Fatal(err)
		}
		sealRecording(t, s.w, f, data)
	}
}

// repredicate seals the package anew with another outline, as the agency could.
func repredicate(change func(*disclosure.Predicate)) func(testing.TB, *scene, testutil.Files) {
	return func(t testing.TB, s *scene, f testutil.Files) {
		old, err := seal.ParseBundle(f[disclosure.PackageSeal+".sigstore.json"])
		if err != nil {
			t.Fatal(err)
		}
		p, err := disclosure.ParseStatement(old.Statement)
		if err != nil {
			t.Fatal(err)
		}
		change(&p)
		sealed, err := s.w.Authority.SealFile(t.Context(), disclosure.TagManifestFile, f[disclosure.TagManifestFile], disclosure.PredicatePackage, p)
		if err != nil {
			t.Fatal(err)
		}
		for name, data := range disclosure.SealFiles(disclosure.PackageSeal, sealed) {
			f[name] = data
		}
	}
}

// leafAt finds a media leaf of the first video track.
func leafAt(leaves []evidence.Leaf, m *evidence.Manifest, index int) *evidence.Leaf {
	for i := range leaves {
		if leaves[i].Kind == evidence.LeafMedia && leaves[i].Index == index && leaves[i].Track == m.Tracks[0].ID {
			return &leaves[i]
		}
	}
	panic("no such leaf")
}

func edit(name string, change func([]byte) []byte) func(testing.TB, *scene, testutil.Files) {
	return func(t testing.TB, _ *scene, f testutil.Files) {
		before := slices.Clone(f[name])
		if f[name] = change(f[name]); bytes.Equal(before, f[name]) {
			t.Fatalf("%s was not changed", name)
		}
	}
}

func replace(name, old, with string) func(testing.TB, *scene, testutil.Files) {
	return edit(name, func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(with), 1) })
}

func lines(name string, change func([][]byte) [][]byte) func(testing.TB, *scene, testutil.Files) {
	return edit(name, func(b []byte) []byte {
		all := bytes.SplitAfter(b, []byte("\n"))
		return bytes.Join(change(all[:len(all)-1]), nil)
	})
}

func drop(i int) func([][]byte) [][]byte {
	return func(l [][]byte) [][]byte { return slices.Delete(slices.Clone(l), i, i+1) }
}

func swap(i, j int) func([][]byte) [][]byte {
	return func(l [][]byte) [][]byte { l[i], l[j] = l[j], l[i]; return l }
}

// bundle changes a bundle as a document, keeping its canonical form.
func bundle(name string, change func(map[string]any)) func(testing.TB, *scene, testutil.Files) {
	return func(t testing.TB, _ *scene, f testutil.Files) {
		var doc map[string]any
		if err := json.Unmarshal(f[name+".sigstore.json"], &doc); err != nil {
			t.Fatal(err)
		}
		change(doc)
		data, err := evidence.Canonical(doc)
		if err != nil {
			t.Fatal(err)
		}
		f[name+".sigstore.json"] = data
	}
}

func inside(doc map[string]any, path ...string) map[string]any {
	for _, p := range path {
		doc = doc[p].(map[string]any)
	}
	return doc
}

func shift(decode string, by int64) string {
	var v int64
	fmt.Sscanf(decode, "%x", &v)
	return fmt.Sprintf("%x", v+by)
}

// swapAuthority keeps the agency's signature and has another authority stamp it.
func swapAuthority(t testing.TB, s *scene, f testutil.Files) {
	t.Helper()
	own, err := seal.ParseBundle(f["seal/package.sigstore.json"])
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.other.Authority.Stamp(own.Signature)
	if err != nil {
		t.Fatal(err)
	}
	bundle(disclosure.PackageSeal, func(d map[string]any) {
		inside(d, "verificationMaterial", "timestampVerificationData")["rfc3161Timestamps"] = []any{map[string]any{"signedTimestamp": token}}
	})(t, s, f)
	f["seal/package.tsr"] = token
}

func hashBytes(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:]
}
