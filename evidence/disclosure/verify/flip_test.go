package verify

import (
	"bytes"
	"crypto/sha256"
	"io"
	"runtime"
	"sort"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/seal"
)

// memory is a package that lies in memory.
func memory(files testutil.Files) *container {
	c := &container{sizes: map[string]int64{}, close: func() error { return nil }}
	for name, data := range files {
		c.sizes[name] = int64(len(data))
	}
	c.open = func(name string) (io.ReaderAt, io.Closer, error) {
		return bytes.NewReader(files[name]), io.NopCloser(nil), nil
	}
	return c
}

func judge(t testing.TB, files testutil.Files, trust *seal.Trust) *Report {
	t.Helper()
	r := &Report{Findings: seal.Findings{}, Missing: []string{}}
	examine(t.Context(), memory(files), trust, r)
	return r
}

// Every byte counts: whatever is flipped in whichever file, the package fails,
// and a finding names the file. Of each file a sample is flipped. The seal on the
// package, the one thing that no digest and no signature covers as a whole, is
// flipped byte by byte.
func TestAnyFlippedByteFails(t *testing.T) {
	w := testutil.NewWorld(t)
	files := w.Package(t, w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1}), "why")
	trust := w.Authority.Trust()
	if r := judge(t, files, trust); r.Verdict != Verified {
		t.Fatalf("unchanged: %s %+v", r.Verdict, r.Findings)
	}
	type flip struct {
		file string
		at   int
		mask byte
	}
	var flips []flip
	var names []string
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		data := files[name]
		samples := 8
		if strings.HasPrefix(name, disclosure.PackageSeal) {
			samples = 60
		}
		for i := 0; i < len(data); i += max(1, len(data)/samples) {
			flips = append(flips, flip{name, i, 1 << (i % 8)})
		}
		if len(data) > 0 {
			flips = append(flips, flip{name, len(data) - 1, 0x40})
		}
	}
	t.Logf("%d flips in %d files", len(flips), len(names))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, f := range flips {
		group.Go(func() error {
			changed := testutil.Files{}
			for name, data := range files {
				changed[name] = data
			}
			changed[f.file] = bytes.Clone(files[f.file])
			changed[f.file][f.at] ^= f.mask
			r := judge(t, changed, trust)
			if r.Verdict != Failed || r.Verdict.ExitCode() != 1 {
				t.Errorf("%s: byte %d ^ %#x: got %q", f.file, f.at, f.mask, r.Verdict)
				return nil
			}
			for _, x := range r.Findings {
				if x.Status == seal.Fails && x.File == f.file {
					return nil
				}
			}
			t.Errorf("%s: byte %d ^ %#x: no finding names the file", f.file, f.at, f.mask)
			return nil
		})
	}
	group.Wait()
}

func TestAnyFlippedByteOfThePackageSealFails(t *testing.T) {
	w := testutil.NewWorld(t)
	files := w.Package(t, w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1}))
	tags := files[disclosure.TagManifestFile]
	in := seal.BundleInput{Check: "package", Subject: disclosure.TagManifestFile, Digest: sha256.Sum256(tags), Trust: w.Authority.Trust()}
	good := files[disclosure.PackageSeal+".sigstore.json"]
	in.Bundle = good
	if _, f := seal.CheckBundle(in); f.Any(seal.Fails) {
		t.Fatalf("unchanged: %+v", f)
	}
	for i := range good {
		for _, mask := range []byte{1 << (i % 8), 0x20} { // 0x20: another letter case
			in.Bundle = bytes.Clone(good)
			in.Bundle[i] ^= mask
			if _, f := seal.CheckBundle(in); !f.Any(seal.Fails) {
				t.Errorf("byte %d ^ %#x: nothing fails: %+v", i, mask, f)
			}
		}
	}
}
