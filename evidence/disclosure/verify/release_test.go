package verify

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/seal"
)

// releaseFolder holds the vectors of version 2: two good packages, and every kind
// of tampering as the files that it changes, for programs in any language. It is
// described in FORMAT.md.
const releaseFolder = "../testdata/v2"

// tampered is one kind of tampering in vectors.json.
type tampered struct {
	Name    string   `json:"name"`
	Base    string   `json:"base"` // the good package's file
	Folder  string   `json:"folder"`
	Removed []string `json:"removed"` // files that are not there; those below Folder in tampered.tgz take the place of the good ones
	Verdict Verdict  `json:"verdict"`
	Exit    int      `json:"exit"`
	// Checks are those that must have Status, beside others.
	Checks []string    `json:"checks"`
	Status seal.Status `json:"status"`
}

func TestReleasedVectors(t *testing.T) {
	if *makeVectors {
		makeRelease(t)
	}
	trust, err := seal.LoadTrust(filepath.Join(releaseFolder, "trust.json"))
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]testutil.Files{}
	for _, name := range []string{"good.tar", "clip.tar"} {
		good[name] = testutil.Untar(t, bytes.NewReader(read(t, filepath.Join(releaseFolder, name))))
		if r := judge(t, good[name], trust); r.Verdict != Verified {
			t.Errorf("%s: %s %+v", name, r.Verdict, r.Findings)
		}
		if r := judge(t, good[name], nil); r.Verdict != Consistent {
			t.Errorf("%s without trust: %s", name, r.Verdict)
		}
	}
	other, err := seal.LoadTrust(filepath.Join(releaseFolder, "other-trust.json"))
	if err != nil {
		t.Fatal(err)
	}
	if r := judge(t, good["good.tar"], other); r.Verdict != SignerNotTrusted {
		t.Errorf("another agency's trust: %s", r.Verdict)
	}
	var all []tampered
	if err := json.Unmarshal(read(t, filepath.Join(releaseFolder, "vectors.json")), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("only %d kinds of tampering", len(all))
	}
	changes := untgz(t, read(t, filepath.Join(releaseFolder, "tampered.tgz")))
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			f := good[v.Base].Clone()
			for name, data := range changes {
				if rest, ok := strings.CutPrefix(name, v.Folder+"/"); ok {
					f[rest] = data
				}
			}
			for _, name := range v.Removed {
				delete(f, name)
			}
			r := judge(t, f, trust)
			if r.Verdict != v.Verdict || r.Verdict.ExitCode() != v.Exit {
				t.Errorf("got %q, exit %d; want %q, %d", r.Verdict, r.Verdict.ExitCode(), v.Verdict, v.Exit)
			}
			for _, check := range v.Checks {
				if got := r.Findings.Of(check); got != v.Status {
					t.Errorf("%s: got %q, want %q", check, got, v.Status)
				}
			}
		})
	}
}

// makeRelease writes the vectors anew, for a new version's folder.
func makeRelease(t *testing.T) {
	s := newScene(t)
	clipped := s.w.Clip(t, s.r, clip.Asked{Range: evidence.Range{From: 1_000_000, Until: 22_500_000}})
	write := func(name string, data []byte) {
		if err := errors.Join(os.MkdirAll(releaseFolder, 0o755), os.WriteFile(filepath.Join(releaseFolder, name), data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	write("trust.json", read(t, s.w.TrustFile))
	write("other-trust.json", read(t, s.other.TrustFile))
	write("good.tar", tarOf(t, s.good, "toldonce-vector/"))
	write("clip.tar", tarOf(t, clipped, "toldonce-vector/"))
	var all []tampered
	changes := testutil.Files{}
	for base, kinds := range map[string][]tampering{"good.tar": tamperings, "clip.tar": clipTamperings} {
		before := s.good
		if base == "clip.tar" {
			before = clipped
		}
		for _, x := range kinds {
			f := before.Clone()
			x.do(t, s, f)
			x.then(t, s, f)
			v := tampered{Name: x.name, Base: base, Folder: slug(x.name), Removed: []string{}, Verdict: x.verdict, Exit: x.verdict.ExitCode(), Checks: x.checks, Status: x.status}
			if v.Status == "" {
				v.Status = seal.Fails
			}
			for name, data := range f {
				if old, there := before[name]; !there || !bytes.Equal(old, data) {
					changes[v.Folder+"/"+name] = data
				}
			}
			for name := range before {
				if _, there := f[name]; !there {
					v.Removed = append(v.Removed, name)
				}
			}
			slices.Sort(v.Removed)
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b tampered) int { return strings.Compare(a.Folder, b.Folder) })
	doc, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	write("vectors.json", append(doc, '\n'))
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(tarOf(t, changes, "")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	write("tampered.tgz", packed.Bytes())
}

func slug(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name)), "-")
}

func tarOf(t *testing.T, files testutil.Files, folder string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range sorted(files) {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: folder + name, Size: int64(len(files[name])), Mode: 0o644, ModTime: time.Unix(0, 0)}
		if err := errors.Join(w.WriteHeader(h), second(w.Write(files[name]))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func untgz(t *testing.T, data []byte) testutil.Files {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	files := testutil.Files{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}
