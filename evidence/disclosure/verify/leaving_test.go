package verify

import (
	"bytes"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/disclosure/lang"
	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/leaving"
	"github.com/toldonce/toldonce/evidence/seal"
)

// signed is the check of a manifest as the recorder signs it, with what change makes
// of the record before.
func signed(t *testing.T, w *testutil.World, r *testutil.Recording, change func(*leaving.Record)) []byte {
	t.Helper()
	m, err := seal.ParseManifest(r.Sealed.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	record := leaving.Make(m, r.Sealed.Manifest, nil, false, nil, r.Sealed.SealedAt+1)
	if change != nil {
		change(&record)
	}
	text, err := evidence.Canonical(record)
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.Authority.SealFile(t.Context(), leaving.FileName, text, leaving.PredicateType, leaving.PredicateOf(record))
	if err != nil {
		t.Fatal(err)
	}
	data, err := leaving.Encode(text, s.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The check before the child left is judged by its seal and by the manifest that it is
// about, and the verifier says in each language what came of it.
func TestTheCheckBeforeTheChildLeft(t *testing.T) {
	w := testutil.NewWorld(t)
	shape := testutil.Shape{Sources: 1, Parts: 1, Loops: 1}
	other := w.Record(t, shape)
	for name, c := range map[string]struct {
		file    func(r *testutil.Recording) []byte
		edit    func(testutil.Files)
		verdict Verdict
		check   string
		status  seal.Status
		said    string
	}{
		"as it was made": {verdict: Verified, check: "leaving.check", status: seal.Holds, said: "Right after the stop"},
		"none":           {file: func(*testutil.Recording) []byte { return nil }, verdict: Verified, check: "leaving.form"},
		"of another recording": {file: func(*testutil.Recording) []byte { return signed(t, w, other, nil) },
			verdict: Failed, check: "leaving.check", status: seal.Fails},
		"a kinder verdict, signed": {file: func(r *testutil.Recording) []byte {
			return signed(t, w, r, func(x *leaving.Record) {
				for i := range x.After {
					x.After[i].Verdict = evidence.CheckGood
				}
				x.Verdict = leaving.Complete
			})
		}, verdict: Failed, check: "leaving.check", status: seal.Fails},
		"a word changed": {file: func(r *testutil.Recording) []byte {
			return bytes.Replace(signed(t, w, r, nil), []byte(`\"heard\":[]`), []byte(`\"heard\":[{\"seconds\":9,\"source\":\"0198f5a0-0000-7000-8000-000000000001\"}]`), 1)
		}, verdict: Failed, check: "leaving.statement", status: seal.Fails},
		"a later version": {file: func(r *testutil.Recording) []byte {
			return signed(t, w, r, func(x *leaving.Record) { x.Version = 2 })
		}, verdict: Unjudged, check: "leaving.form", status: seal.CannotJudge},
		"no check at all": {file: func(*testutil.Recording) []byte { return []byte("{}") }, verdict: Unjudged, check: "leaving.form", status: seal.CannotJudge},
		"taken away":      {edit: func(f testutil.Files) { delete(f, disclosure.LeavingFile) }, verdict: Failed, check: "bag.complete", status: seal.Fails},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.Record(t, shape)
			r.Sealed.Leaving = signed(t, w, r, nil)
			if c.file != nil {
				r.Sealed.Leaving = c.file(r)
			}
			f := w.Package(t, r)
			if c.edit != nil {
				c.edit(f)
			}
			got := judge(t, f, w.Authority.Trust())
			if got.Verdict != c.verdict || got.Findings.Of(c.check) != c.status {
				t.Errorf("%q, %s %q; want %q, %q", got.Verdict, c.check, got.Findings.Of(c.check), c.verdict, c.status)
			}
			if said := strings.Contains(strings.Join(got.Proved, "\n"), "before the child left"); said != (c.said != "") {
				t.Errorf("proved: %q", got.Proved)
			}
			if c.said == "" {
				return
			}
			for _, l := range lang.Languages {
				before := strings.Join(got.Proved, "\n")
				got.tell(lang.Language(l))
				if l != "en" && strings.Join(got.Proved, "\n") == before {
					t.Errorf("nothing is said in %s", l)
				}
				got.tell("en")
			}
		})
	}
}
