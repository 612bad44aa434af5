package verify_test

import (
	"testing"

	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/disclosure/verify"
	"github.com/toldonce/toldonce/evidence/seal"
)

func TestGoodPackage(t *testing.T) {
	w := testutil.NewWorld(t)
	r := w.Record(t, testutil.Shape{Sources: 2, Parts: 2, Loops: 1})
	files := w.Package(t, r, "why")
	dir := files.WriteTo(t, t.TempDir())
	trust, err := seal.LoadTrust(w.TrustFile)
	if err != nil {
		t.Fatal(err)
	}
	rep, err := verify.Package(t.Context(), dir, trust)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range rep.Findings {
		t.Log(f)
	}
	if rep.Verdict != verify.Verified {
		t.Errorf("got %s", rep.Verdict)
	}
}
