package verify

import (
	"context"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/seal"
)

type noState struct{}

func (noState) Last(string) ([]byte, error)      { return nil, evidence.ErrNotFound }
func (noState) Save(string, int64, []byte) error { return nil }

// emptyLog is a log without an entry.
type emptyLog struct{}

func (emptyLog) LogHead(context.Context) (custody.Head, error) {
	return custody.Head{Root: custody.Frontier{}.Root()}, nil
}
func (emptyLog) ProveConsistency(context.Context, int64, int64) ([]custody.Hash, error) {
	return nil, nil
}
func (emptyLog) LastCheckpoint(context.Context) ([]byte, error)      { return nil, evidence.ErrNotFound }
func (emptyLog) SaveCheckpoint(context.Context, int64, []byte) error { return nil }

// Cosignatures are judged by the witnesses of the trust file alone: one that was
// swapped for another of its name fails, one that nobody named proves nothing.
func TestCosignaturesOfAPackage(t *testing.T) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	signer, verifier, err := custody.GenerateKey("custody.example/log")
	must(err)
	cp, err := custody.NewCheckpointer(emptyLog{}, signer, verifier)
	must(err)
	signed, err := cp.Checkpoint(t.Context())
	must(err)
	witness := func(name string) (custody.Cosigner, string) {
		key, _, err := custody.GenerateCosigner(name)
		must(err)
		w, err := custody.NewWitness(key, []string{verifier}, noState{})
		must(err)
		line, err := w.Add(t.Context(), custody.WitnessRequest{Checkpoint: signed})
		must(err)
		return w.Cosigner(), string(line)
	}
	court, courtLine := witness("witness.court.example")
	bar, barLine := witness("witness.bar.example")
	_, swapped := witness("witness.court.example")
	broken := courtLine[:len(courtLine)-12] + "AAAA" + courtLine[len(courtLine)-8:]
	for name, c := range map[string]struct {
		note    []byte
		trusted []custody.Cosigner
		want    seal.Status
	}{
		"both":                         {custody.Cosigned(signed, courtLine, barLine), []custody.Cosigner{court, bar}, seal.Holds},
		"one of two":                   {custody.Cosigned(signed, barLine), []custody.Cosigner{court, bar}, seal.Holds},
		"one that is not named":        {custody.Cosigned(signed, courtLine, barLine), []custody.Cosigner{court}, seal.NotGiven},
		"none of those named":          {signed, []custody.Cosigner{court}, seal.NotGiven},
		"nobody is named":              {custody.Cosigned(signed, courtLine), nil, seal.NotGiven},
		"nobody is named and none did": {signed, nil, ""},
		"swapped witness":              {custody.Cosigned(signed, swapped), []custody.Cosigner{court}, seal.Fails},
		"swapped beside the true one":  {custody.Cosigned(signed, courtLine, swapped), []custody.Cosigner{court}, seal.Fails},
		"broken signature":             {custody.Cosigned(signed, broken), []custody.Cosigner{court}, seal.Fails},
	} {
		e := &examination{report: &Report{}, trust: &seal.Trust{Witnesses: c.trusted}}
		e.witnesses(c.note)
		if got := e.report.Findings.Of("custody.witness"); got != c.want {
			t.Errorf("%s: %q, not %q: %+v", name, got, c.want, e.report.Findings)
		}
	}
}
