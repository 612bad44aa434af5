package verify

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
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

// keptFolder holds the vectors of what is added to a package of version 2 after its
// release: timestamps that renew a seal, cosignatures of a witness, checkpoints.
const keptFolder = "../testdata/v2-kept"

func TestKeptVectors(t *testing.T) {
	if *makeVectors {
		makeKept(t)
	}
	trust, err := seal.LoadTrust(filepath.Join(keptFolder, "trust.json"))
	if err != nil {
		t.Fatal(err)
	}
	good := testutil.Untar(t, bytes.NewReader(read(t, filepath.Join(keptFolder, "good.tar"))))
	r := judge(t, good, trust)
	if r.Verdict != Verified || r.Findings.Of("recording.renewal") != seal.Holds || r.Findings.Of("custody.witness") != seal.Holds || r.Findings.Of("recording.checkpoints") != seal.Holds {
		t.Errorf("%s %+v", r.Verdict, r.Findings)
	}
	if !slices.ContainsFunc(r.Proved, func(s string) bool { return strings.Contains(s, "by the word of an outside timestamp authority") }) {
		t.Errorf("the outside authority is not told: %q", r.Proved)
	}
	if blind := judge(t, good, nil); blind.Verdict != Consistent {
		t.Errorf("without trust: %s %+v", blind.Verdict, blind.Findings)
	}
	var all []tampered
	if err := json.Unmarshal(read(t, filepath.Join(keptFolder, "vectors.json")), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 8 {
		t.Fatalf("only %d kinds of tampering", len(all))
	}
	changes := untgz(t, read(t, filepath.Join(keptFolder, "tampered.tgz")))
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			f := good.Clone()
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
				t.Errorf("got %q, exit %d; want %q, %d: %+v", r.Verdict, r.Verdict.ExitCode(), v.Verdict, v.Exit, r.Findings)
			}
			for _, check := range v.Checks {
				if got := r.Findings.Of(check); got != v.Status {
					t.Errorf("%s: got %q, want %q", check, got, v.Status)
				}
			}
		})
	}
}

// makeKept writes them. Every change is made by somebody who has the agency's keys and
// seals the package again: only what is checked here can tell.
func makeKept(t *testing.T) {
	w, outside, stranger := testutil.NewWorld(t), testutil.NewWorld(t), testutil.NewWorld(t)
	authority := outside.Authority.Trust().Authorities[0]
	authority.Name, authority.Assertion = "Time of the Notaries", seal.AssertedByThirdParty
	r := w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1})
	tree := seal.NewTree()
	for _, s := range r.Segments {
		if _, err := tree.Append(s.Leaf); err != nil {
			t.Fatal(err)
		}
	}
	r.Checkpoints = w.Checkpointed(t, r.Manifest.Recording, tree, r.Manifest.StartedAt, 3, tree.Size())
	stamp := func(by *testutil.World, bundle []byte, earlier ...seal.Renewal) seal.Renewal {
		token, err := by.Authority.Stamp(seal.Covered(bundle, earlier))
		if err != nil {
			t.Fatal(err)
		}
		return seal.Renewal{Token: token}
	}
	bundle := r.Sealed.Bundle
	first := stamp(outside, bundle)
	r.Renewals = []seal.Renewal{first, stamp(w, bundle, first)}
	good := w.Package(t, r, "why")
	court, cosigned := w.CosignLog(t, "witness.court.example", good[disclosure.CheckpointFile])
	_, swapped := w.CosignLog(t, "witness.court.example", good[disclosure.CheckpointFile])
	good[disclosure.CheckpointFile] = cosigned
	good.Reseal(t, w)
	trust := *w.Authority.Trust()
	trust.Authorities = append(slices.Clone(trust.Authorities), authority)
	trust.Witnesses = []custody.Cosigner{court}
	text, err := trust.Encode()
	if err != nil {
		t.Fatal(err)
	}
	one, two := disclosure.RenewalFile(1), disclosure.RenewalFile(2)
	other := w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1})
	var all []tampered
	changes := testutil.Files{}
	add := func(name string, verdict Verdict, check string, status seal.Status, do func(testutil.Files)) {
		f := good.Clone()
		do(f)
		f.Reseal(t, w)
		v := tampered{Name: name, Base: "good.tar", Folder: slug(name), Removed: []string{}, Verdict: verdict, Exit: verdict.ExitCode(), Checks: []string{check}, Status: status}
		for file, data := range f {
			if !bytes.Equal(good[file], data) {
				changes[v.Folder+"/"+file] = data
			}
		}
		for file := range good {
			if _, there := f[file]; !there {
				v.Removed = append(v.Removed, file)
			}
		}
		slices.Sort(v.Removed)
		all = append(all, v)
	}
	add("swapped witness", Failed, "custody.witness", seal.Fails, func(f testutil.Files) { f[disclosure.CheckpointFile] = swapped })
	add("cosignature changed", Failed, "custody.witness", seal.Fails, func(f testutil.Files) {
		f[disclosure.CheckpointFile] = append(bytes.Clone(cosigned[:len(cosigned)-12]), "AAAA"+string(cosigned[len(cosigned)-8:])...)
	})
	add("witness left out", Verified, "custody.witness", seal.NotGiven, func(f testutil.Files) { f[disclosure.CheckpointFile] = custody.Bare(cosigned) })
	add("added timestamp of another seal", Failed, "recording.renewal", seal.Fails, func(f testutil.Files) { f[one] = stamp(outside, other.Sealed.Bundle).Token })
	add("added timestamp over an earlier state", Failed, "recording.renewal", seal.Fails, func(f testutil.Files) { f[two] = stamp(w, bundle).Token })
	add("added timestamps in another order", Failed, "recording.renewal", seal.Fails, func(f testutil.Files) { f[one], f[two] = f[two], f[one] })
	add("added timestamp by an unknown authority", Failed, "recording.renewal", seal.Fails, func(f testutil.Files) { f[one] = stamp(stranger, bundle).Token })
	add("newest added timestamp by an unknown authority", Verified, "recording.renewal", seal.NotGiven, func(f testutil.Files) { f[two] = stamp(stranger, bundle, first).Token })
	add("added timestamp missing", Failed, "recording.renewal", seal.Fails, func(f testutil.Files) { delete(f, one) })
	add("checkpoint that contradicts the seal", Failed, "recording.checkpoints", seal.Fails, func(f testutil.Files) {
		forked := seal.NewTree()
		for _, s := range other.Segments {
			if _, err := forked.Append(s.Leaf); err != nil {
				t.Fatal(err)
			}
		}
		line, err := evidence.Canonical(disclosure.CheckpointLine{Note: w.Checkpointed(t, r.Manifest.Recording, forked, r.Manifest.StartedAt, 3)[0]})
		if err != nil {
			t.Fatal(err)
		}
		f[disclosure.CheckpointsFile] = append(line, '\n')
	})
	slices.SortFunc(all, func(a, b tampered) int { return strings.Compare(a.Folder, b.Folder) })
	doc, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if err := errors.Join(second(z.Write(tarOf(t, changes, ""))), z.Close(), os.MkdirAll(keptFolder, 0o755)); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"good.tar": tarOf(t, good, "toldonce-vector/"), "trust.json": text, "vectors.json": append(doc, '\n'), "tampered.tgz": packed.Bytes()} {
		if err := os.WriteFile(filepath.Join(keptFolder, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
