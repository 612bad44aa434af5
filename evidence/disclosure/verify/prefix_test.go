package verify

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/seal"
)

// prefixFolder holds what recorders that were destroyed left, whole and tampered with,
// for programs in any language. It is described in FORMAT.md.
const prefixFolder = "../testdata/prefix-v1"

// leftover is one of them, a folder of cases.tgz.
type leftover struct {
	Name    string      `json:"name"`
	Verdict Verdict     `json:"verdict"`
	Exit    int         `json:"exit"`
	Check   string      `json:"check"` // must have Status, beside others
	Status  seal.Status `json:"status"`

	files testutil.Files
}

func TestPrefixVectors(t *testing.T) {
	if *makeVectors {
		makeLeftovers(t)
	}
	trust, err := seal.LoadTrust(filepath.Join(prefixFolder, "trust.json"))
	if err != nil {
		t.Fatal(err)
	}
	cases := foldersOf(t, filepath.Join(prefixFolder, "cases.tgz"))
	var list []leftover
	if err := json.Unmarshal(read(t, filepath.Join(prefixFolder, "vectors.json")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) < 14 || len(list) != len(cases) {
		t.Fatalf("%d vectors, %d folders", len(list), len(cases))
	}
	for _, v := range list {
		t.Run(v.Name, func(t *testing.T) {
			r := judge(t, cases[v.Name], trust)
			if r.Verdict != v.Verdict || r.Verdict.ExitCode() != v.Exit || r.Findings.Of(v.Check) != v.Status {
				t.Errorf("got %q, %s %q; want %q, %q: %+v", r.Verdict, v.Check, r.Findings.Of(v.Check), v.Verdict, v.Status, r.Findings)
			}
			if r.Content != unsealed || !strings.Contains(r.Kind, "not sealed") || !slices.ContainsFunc(r.NotProved, func(s string) bool { return strings.Contains(s, "ever ended or sealed") }) {
				t.Errorf("it does not say what it is: %q, %q", r.Kind, r.NotProved)
			}
			if blind := judge(t, cases[v.Name], nil); blind.Verdict == Verified {
				t.Error("verified without a trust file")
			}
		})
	}
}

// foldersOf unpacks an archive of folders.
func foldersOf(t *testing.T, file string) map[string]testutil.Files {
	t.Helper()
	packed, err := gzip.NewReader(bytes.NewReader(read(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]testutil.Files{}
	whole := bytes.Buffer{}
	if _, err := whole.ReadFrom(packed); err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(&whole)
	for {
		h, err := r.Next()
		if err != nil {
			return out
		}
		folder, name, _ := strings.Cut(h.Name, "/")
		var data bytes.Buffer
		if _, err := data.ReadFrom(r); err != nil {
			t.Fatal(err)
		}
		if out[folder] == nil {
			out[folder] = testutil.Files{}
		}
		out[folder][name] = data.Bytes()
	}
}

func makeLeftovers(t *testing.T) {
	w, other := testutil.NewWorld(t), testutil.NewWorld(t)
	of := evidence.Interview{ID: evidence.NewID(), Recording: evidence.NewID(), Case: evidence.NewID()}
	short := func(plain []byte) ([]byte, error) { sum := sha256.Sum256(plain); return sum[:], nil }
	r := w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1, Of: of, Encrypt: short})
	fork := w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1, Of: of, Encrypt: short})
	tree, forked := seal.NewTree(), seal.NewTree()
	for i := range r.Segments {
		if _, err := tree.Append(r.Segments[i].Leaf); err != nil {
			t.Fatal(err)
		}
		if _, err := forked.Append(fork.Segments[i].Leaf); err != nil {
			t.Fatal(err)
		}
	}
	const at = evidence.Instant(1_790_000_000_000_000)
	notes := w.Checkpointed(t, of.Recording, tree, at, 3, 5, 8)
	good := w.Prefix(t, r, notes)
	names := []string{}
	for name := range good {
		if strings.HasPrefix(name, "checkpoints/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	first, last := names[0], names[2]
	court, cosigned := w.Cosign(t, "witness.court.example", notes[1])
	_, impostor := w.Cosign(t, "witness.court.example", notes[1])
	trust := *w.Authority.Trust()
	trust.Witnesses = []custody.Cosigner{court}
	text, err := trust.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var cases []leftover
	add := func(name string, verdict Verdict, check string, status seal.Status, change func(testutil.Files) testutil.Files) {
		cases = append(cases, leftover{Name: name, Verdict: verdict, Exit: verdict.ExitCode(), Check: check, Status: status, files: change(good.Clone())})
	}
	with := func(name string, data []byte) func(testutil.Files) testutil.Files {
		return func(f testutil.Files) testutil.Files { f[name] = data; return f }
	}
	without := func(name string) func(testutil.Files) testutil.Files {
		return func(f testutil.Files) testutil.Files { delete(f, name); return f }
	}
	replaced := func(name, old, new string) func(testutil.Files) testutil.Files {
		return func(f testutil.Files) testutil.Files {
			changed := bytes.Replace(f[name], []byte(old), []byte(new), 1)
			if bytes.Equal(changed, f[name]) {
				t.Fatalf("%s does not hold %q", name, old)
			}
			f[name] = changed
			return f
		}
	}
	object := ""
	for name := range good {
		if strings.HasSuffix(name, ".age") && name > object {
			object = name
		}
	}
	add("good", Verified, "prefix.tree", seal.Holds, func(f testutil.Files) testutil.Files { return f })
	add("good-witnessed", Verified, "prefix.rollback", seal.Holds, with(WitnessedFile, []byte(cosigned)))
	add("good-object-missing", Verified, "prefix.objects", seal.NotGiven, without(object))
	add("tampered-leaf", Failed, "prefix.tree", seal.Fails, replaced(first, `"salt":"`, `"salt":"0`))
	add("tampered-leaf-same-length", Failed, "prefix.tree", seal.Fails, replaced(last, `"part":1`, `"part":2`))
	add("swapped-leaves", Failed, "prefix.tree", seal.Fails, func(f testutil.Files) testutil.Files {
		lines := bytes.SplitAfter(f[first], []byte("\n"))
		lines[0], lines[1] = lines[1], lines[0]
		f[first] = bytes.Join(lines, nil)
		return f
	})
	add("forked-checkpoint", Failed, "prefix.history", seal.Fails, func(f testutil.Files) testutil.Files {
		for name, data := range w.Prefix(t, fork, w.Checkpointed(t, of.Recording, forked, at, 3)) {
			f[name] = data
		}
		return f
	})
	add("forked-later", Failed, "prefix.history", seal.Fails, func(f testutil.Files) testutil.Files {
		delete(f, last)
		all := w.Prefix(t, fork, w.Checkpointed(t, of.Recording, forked, at, 5, 8))
		for name, data := range all {
			if strings.HasPrefix(name, "checkpoints/00000005-") {
				f[name] = data
			}
		}
		return f
	})
	add("rolled-back", Failed, "prefix.rollback", seal.Fails, func(f testutil.Files) testutil.Files {
		delete(f, last)
		delete(f, names[1])
		f[WitnessedFile] = []byte(cosigned)
		return f
	})
	add("checkpoint-removed-in-between", Failed, "prefix.tree", seal.Fails, without(names[1]))
	add("checkpoint-of-another-key", Failed, "prefix.signer", seal.Fails, func(f testutil.Files) testutil.Files {
		notes := other.Checkpointed(t, of.Recording, tree, at, 3, 5, 8)
		return other.Prefix(t, r, notes)
	})
	add("swapped-witness", Failed, "prefix.witness", seal.Fails, with(WitnessedFile, []byte(impostor)))
	add("forged-cosignature", Failed, "prefix.witness", seal.Fails, with(WitnessedFile, []byte(cosigned[:len(cosigned)-12]+"AAAA"+cosigned[len(cosigned)-8:])))
	add("changed-object", Failed, "prefix.objects", seal.Fails, func(f testutil.Files) testutil.Files { f[object][3] ^= 1; return f })
	add("changed-size", Failed, "prefix.signer", seal.Fails, replaced(last, "\n8\n", "\n9\n"))
	add("later-leaf-version", Failed, "prefix.tree", seal.Fails, replaced(last, `"version":1`, `"version":9`))
	add("not-canonical", Failed, "prefix.form", seal.Fails, replaced(last, "\ntime 1", "\ntime 01"))
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	out := tar.NewWriter(z)
	for _, c := range cases {
		for _, name := range sorted(c.files) {
			if err := out.WriteHeader(&tar.Header{Name: c.Name + "/" + name, Mode: 0o644, Size: int64(len(c.files[name]))}); err != nil {
				t.Fatal(err)
			}
			if _, err := out.Write(c.files[name]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	list, err := json.MarshalIndent(cases, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(prefixFolder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"cases.tgz": packed.Bytes(), "trust.json": text, "vectors.json": append(list, '\n')} {
		if err := os.WriteFile(filepath.Join(prefixFolder, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// What was signed while a recording was made must agree with what was sealed.
func TestCheckpointsOfAPackage(t *testing.T) {
	w, other := testutil.NewWorld(t), testutil.NewWorld(t)
	r := w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1})
	tree, forked := seal.NewTree(), seal.NewTree()
	for _, s := range r.Segments {
		l := s.Leaf
		if _, err := tree.Append(l); err != nil {
			t.Fatal(err)
		}
		l.Salt = evidence.NewSalt()
		if _, err := forked.Append(l); err != nil {
			t.Fatal(err)
		}
	}
	id, at := r.Manifest.Recording, r.Manifest.StartedAt
	trust := w.Authority.Trust()
	for name, c := range map[string]struct {
		notes  []string
		trust  *seal.Trust
		status seal.Status
		want   Verdict
	}{
		"they agree":         {w.Checkpointed(t, id, tree, at, 2, 5, tree.Size()), trust, seal.Holds, Verified},
		"without trust":      {w.Checkpointed(t, id, tree, at, 2), nil, seal.NotGiven, Consistent},
		"another history":    {w.Checkpointed(t, id, forked, at, 2), trust, seal.Fails, Failed},
		"another recording":  {w.Checkpointed(t, evidence.NewID(), tree, at, 2), trust, seal.Fails, Failed},
		"another log's key":  {other.Checkpointed(t, id, tree, at, 2), trust, seal.Fails, Failed},
		"of more than there": {slices.Concat(w.Checkpointed(t, id, tree, at, 2), w.Checkpointed(t, id, longer(t, tree), at, tree.Size()+1)), trust, seal.Fails, Failed},
	} {
		t.Run(name, func(t *testing.T) {
			mine := *r
			mine.Checkpoints = c.notes
			files := w.Package(t, &mine, "why")
			report := judge(t, files, c.trust)
			if report.Verdict != c.want || report.Findings.Of("recording.checkpoints") != c.status {
				t.Errorf("%s, %s: %+v", report.Verdict, report.Findings.Of("recording.checkpoints"), report.Findings)
			}
			delete(files, disclosure.CheckpointsFile)
			if report := judge(t, files, c.trust); report.Verdict != Failed {
				t.Errorf("without the file that its seal names: %s", report.Verdict)
			}
		})
	}
}

func longer(t *testing.T, tree *seal.Tree) *seal.Tree {
	t.Helper()
	out := seal.NewTree()
	for text := range bytes.Lines(tree.Lines(0)) {
		if _, err := out.AppendText(bytes.TrimSuffix(text, []byte("\n"))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := out.AppendText([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	return out
}
