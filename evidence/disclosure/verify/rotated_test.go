package verify

import (
	"testing"

	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/seal"
)

// TestAnOlderKeysRecordingIsHandedOver: a recording that was sealed before the seal
// key was rotated can be packaged, and holds.
func TestAnOlderKeysRecordingIsHandedOver(t *testing.T) {
	w := testutil.NewWorld(t)
	r := w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1})
	w.Rotate(t)
	files := w.Package(t, r)
	trust, err := seal.LoadTrust(w.TrustFile)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := seal.ParseBundle(r.Sealed.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	older := disclosure.OlderSigner(sealed.KeyID)
	judge := func(f testutil.Files, trust *seal.Trust) *Report {
		t.Helper()
		report, err := Package(t.Context(), f.WriteTo(t, t.TempDir()), trust)
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	if got := judge(files, trust); got.Verdict != Verified {
		t.Errorf("with trust: %s %+v", got.Verdict, got.Findings)
	}
	if got := judge(files, nil); got.Verdict != Consistent {
		t.Errorf("without trust: %s %+v", got.Verdict, got.Findings)
	}
	for _, name := range older {
		without := files.Clone()
		delete(without, disclosure.CertificatesFolder+name)
		if got := judge(without, trust); got.Verdict != Failed {
			t.Errorf("without %s: %s", name, got.Verdict)
		}
		relisted := without.Clone()
		relisted.Relist()
		relisted.Reseal(t, w)
		if got := judge(relisted, nil); got.Verdict != Failed {
			t.Errorf("without %s, listed and sealed anew: %s", name, got.Verdict)
		}
	}
	// A stranger's key beside a recording that the present key sealed is no part of it.
	w2 := testutil.NewWorld(t)
	plain := w2.Package(t, w2.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1}))
	for _, name := range older {
		plain[disclosure.CertificatesFolder+name] = files[disclosure.CertificatesFolder+name]
	}
	plain.Relist()
	plain.Reseal(t, w2)
	if got := judge(plain, nil); got.Verdict != Failed {
		t.Errorf("an unused certificate: %s", got.Verdict)
	}
}
