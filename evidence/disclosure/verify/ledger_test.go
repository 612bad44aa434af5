package verify

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/seal"
)

// The ledger is compared with its leaf like media, and with what the manifest counts.
func TestLedgersAreJudged(t *testing.T) {
	vector, err := os.ReadFile("../../testdata/ledger.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	_, lines, _ := bytes.Cut(vector, []byte{'\n'})
	const file = "data/recording/ledger/close-up-video.jsonl"
	for _, c := range []struct {
		name    string
		lines   []byte
		change  func(*evidence.Manifest)
		edit    func([]byte) []byte
		verdict Verdict
		check   string
		status  seal.Status
	}{
		{name: "as it was made", verdict: Verified, check: "media.ledger", status: seal.Holds},
		{name: "a loss left out of the count", change: func(m *evidence.Manifest) { m.Tracks[0].Packets.Lost-- }, verdict: Failed, check: "media.ledger", status: seal.Fails},
		{name: "a damaged frame not counted", change: func(m *evidence.Manifest) { m.Tracks[1].Frames.Damaged-- }, verdict: Failed, check: "media.ledger", status: seal.Fails},
		{name: "a page fewer than there are", change: func(m *evidence.Manifest) { m.Tracks[0].Ledgers-- }, verdict: Failed, check: "recording.leaves", status: seal.Fails},
		{name: "a byte of it changed", edit: func(b []byte) []byte { b[len(b)-9] ^= 1; return b }, verdict: Failed, check: "media.segments", status: seal.Fails},
		{name: "cut short", edit: func(b []byte) []byte { return b[:len(b)-9] }, verdict: Failed, check: "media.segments", status: seal.Fails},
		{name: "a line of a later kind", lines: append(bytes.Clone(lines), []byte(`{"at":1,"kind":"weather"}`+"\n")...), verdict: Unjudged, check: "media.ledger", status: seal.CannotJudge},
		{name: "a line that is not canonical", lines: append(bytes.Clone(lines), []byte(`{"at":1, "first":1,"fates":"1r","kind":"packets"}`+"\n")...), verdict: Failed, check: "media.ledger", status: seal.Fails},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := testutil.NewWorld(t)
			if c.lines == nil {
				c.lines = lines
			}
			var out bytes.Buffer
			w.WritePackage(t, w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1, Ledger: c.lines, Change: c.change}), &out, "")
			f := testutil.Untar(t, &out)
			if f[file] == nil {
				t.Fatal("the package holds no ledger")
			}
			if c.edit != nil {
				f[file] = c.edit(f[file])
			}
			r := judge(t, f, w.Authority.Trust())
			if r.Verdict != c.verdict || r.Findings.Of(c.check) != c.status {
				t.Errorf("%q, %s %q; want %q, %q", r.Verdict, c.check, r.Findings.Of(c.check), c.verdict, c.status)
				for _, x := range r.Findings {
					if x.Status != seal.Holds && !strings.HasPrefix(x.Check, "bag.") {
						t.Log(x)
					}
				}
			}
		})
	}
}
