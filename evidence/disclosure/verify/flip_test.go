package verify

import (
	"bytes"
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
// and a finding names the file. What the signature does not reach, the seal on
// the package and what openssl reads of it, is flipped byte by byte; of the
// others, which one digest each covers, a sample.
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
		apart := strings.HasPrefix(name, disclosure.PackageSeal)
		step := 1
		if !apart {
			step = max(1, len(data)/40)
		}
		for i := 0; i < len(data); i += step {
			flips = append(flips, flip{name, i, 1 << (i % 8)})
			if apart && i%7 == 0 {
				flips = append(flips, flip{name, i, 0x20}) // another letter case
			}
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
