package verify

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/seal"
)

const vectorFolder = "../testdata/v1"

// makeVectors writes the vectors anew. Released ones are never remade: programs
// must accept them for ever. It is for a new version's folder.
var makeVectors = flag.Bool("make-vectors", false, "write a new set of vectors")

// vector is one package by what was done to the good one.
type vector struct {
	Name    string   `json:"name"`
	Edits   []change `json:"edits"`
	Trust   string   `json:"trust"` // file name, or empty for none
	Verdict Verdict  `json:"verdict"`
	Exit    int      `json:"exit"`
	// Check is one that must have Status, beside others.
	Check  string      `json:"check"`
	Status seal.Status `json:"status"`
}

// change is one change: "xor" the byte at At with Mask, "replace" the first Old
// with New, "remove" the file, "add" it with New, or "swap" it with Other.
type change struct {
	Op    string `json:"op"`
	File  string `json:"file"`
	At    int    `json:"at,omitempty"`
	Mask  byte   `json:"mask,omitempty"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new,omitempty"`
	Other string `json:"other,omitempty"`
}

func (e change) apply(t *testing.T, f testutil.Files) {
	switch e.Op {
	case "xor":
		f[e.File][e.At] ^= e.Mask
	case "replace":
		changed := bytes.Replace(f[e.File], []byte(e.Old), []byte(e.New), 1)
		if bytes.Equal(changed, f[e.File]) {
			t.Errorf("%s does not hold %q", e.File, e.Old)
		}
		f[e.File] = changed
	case "remove":
		delete(f, e.File)
	case "add":
		f[e.File] = []byte(e.New)
	case "swap":
		f[e.File], f[e.Other] = f[e.Other], f[e.File]
	default:
		t.Errorf("unknown edit %q", e.Op)
	}
}

func TestVectors(t *testing.T) {
	if *makeVectors {
		w, other := testutil.NewWorld(t), testutil.NewWorld(t)
		var out bytes.Buffer
		w.WritePackage(t, w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1}), &out, "why")
		for name, data := range map[string][]byte{"good.tar": out.Bytes(), "trust.json": read(t, w.TrustFile), "other-trust.json": read(t, other.TrustFile)} {
			if err := os.WriteFile(filepath.Join(vectorFolder, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	good := testutil.Untar(t, bytes.NewReader(read(t, filepath.Join(vectorFolder, "good.tar"))))
	var vectors []vector
	if err := json.Unmarshal(read(t, filepath.Join(vectorFolder, "vectors.json")), &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 20 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			f := good.Clone()
			for _, e := range v.Edits {
				e.apply(t, f)
			}
			var trust *seal.Trust
			if v.Trust != "" {
				var err error
				if trust, err = seal.LoadTrust(filepath.Join(vectorFolder, v.Trust)); err != nil {
					t.Fatal(err)
				}
			}
			r := judge(t, f, trust)
			if r.Verdict != v.Verdict || r.Verdict.ExitCode() != v.Exit || r.Findings.Of(v.Check) != v.Status {
				t.Errorf("got %q, exit %d, %s %q; want %q, %d, %q", r.Verdict, r.Verdict.ExitCode(), v.Check, r.Findings.Of(v.Check), v.Verdict, v.Exit, v.Status)
			}
		})
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
