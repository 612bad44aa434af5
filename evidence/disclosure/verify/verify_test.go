package verify_test

import (
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/disclosure/verify"
	"github.com/toldonce/toldonce/evidence/seal"
)

// Recordings of every shape make packages in which every check holds.
func TestGoodPackages(t *testing.T) {
	w := testutil.NewWorld(t)
	trust, err := seal.LoadTrust(w.TrustFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		shape testutil.Shape
		media int
	}{
		"one camera":                        {testutil.Shape{Sources: 1, Parts: 1, Loops: 1}, 2},
		"two cameras, a break":              {testutil.Shape{Sources: 2, Parts: 2, Loops: 1}, 8},
		"more than a page":                  {testutil.Shape{Sources: 2, Parts: 1, Loops: 30}, 4},
		"an init that nothing needs":        {testutil.Shape{Sources: 1, Parts: 1, Loops: 1, Spare: true}, 2},
		"started and stopped, nothing came": {testutil.Shape{Sources: 0, Parts: 1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			files := w.Package(t, w.Record(t, test.shape), "why")
			media := 0
			for name := range files {
				if strings.HasPrefix(name, "data/media/") {
					media++
				}
			}
			if media != test.media {
				t.Errorf("%d media files, want %d", media, test.media)
			}
			r, err := verify.Package(t.Context(), files.WriteTo(t, t.TempDir()), trust)
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != verify.Verified || len(r.Missing) > 0 || len(r.Proved) != 4 {
				t.Errorf("got %s, missing %v, proved %q", r.Verdict, r.Missing, r.Proved)
			}
			for _, f := range r.Findings {
				if f.Status != seal.Holds {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}
