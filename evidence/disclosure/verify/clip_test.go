package verify

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/seal"
)

// redescribe changes a clip's description, keeping its canonical form.
func redescribe(change func(*clip.Document)) func(testing.TB, *scene, testutil.Files) {
	return func(t testing.TB, _ *scene, f testutil.Files) {
		var d clip.Document
		if err := json.Unmarshal(f[disclosure.ClipFile], &d); err != nil {
			t.Fatal(err)
		}
		change(&d)
		data, err := evidence.Canonical(d)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(data, f[disclosure.ClipFile]) {
			t.Fatal("nothing was changed")
		}
		f[disclosure.ClipFile] = data
	}
}

// both changes the leaves and the proofs alike.
func both(change func([][]byte) [][]byte) func(testing.TB, *scene, testutil.Files) {
	return func(t testing.TB, s *scene, f testutil.Files) {
		lines(disclosure.ClipLeavesFile, change)(t, s, f)
		lines(disclosure.ClipProofsFile, change)(t, s, f)
	}
}

// clipTamperings are tried by somebody who can seal the package anew: of what
// concerns descent, the recording's own seal alone must catch him.
var clipTamperings = []tampering{
	{"clip: media byte changed", edit(videoFile, func(b []byte) []byte { b[len(b)-9] ^= 1; return b }), resealed, Failed, []string{"media.segments"}, ""},
	{"clip: nothing sealed anew", edit(videoFile, func(b []byte) []byte { b[len(b)-9] ^= 1; return b }), left, Failed, []string{"media.segments", "bag.digest"}, ""},
	{"clip: leaf changed", replace(disclosure.ClipLeavesFile, `"start":2000000`, `"start":2000001`), resealed, Failed, []string{"clip.inclusion"}, ""},
	{"clip: leaf of another recording", func(_ testing.TB, s *scene, f testutil.Files) {
		f[disclosure.ClipLeavesFile] = bytes.ReplaceAll(f[disclosure.ClipLeavesFile], []byte(s.r.Manifest.Recording), []byte(evidence.NewID()))
	}, resealed, Failed, []string{"clip.leaves", "clip.inclusion"}, ""},
	{"clip: leaf of a later version", lines(disclosure.ClipLeavesFile, func(l [][]byte) [][]byte {
		l[0] = bytes.Replace(l[0], []byte(`"version":1`), []byte(`"version":2`), 1)
		return l
	}), resealed, Failed, []string{"clip.inclusion"}, ""},
	{"clip: proofs swapped", lines(disclosure.ClipProofsFile, swap(0, 1)), resealed, Failed, []string{"clip.inclusion"}, ""},
	{"clip: proof of another position", replace(disclosure.ClipProofsFile, `"position":2}`, `"position":3}`), resealed, Failed, []string{"clip.inclusion"}, ""},
	{"clip: proof missing", lines(disclosure.ClipProofsFile, drop(0)), resealed, Failed, []string{"clip.inclusion"}, ""},
	{"clip: segment left out of the middle", both(drop(2)), resealed, Failed, []string{"clip.leaves"}, ""},
	{"clip: init left out", both(drop(0)), resealed, Failed, []string{"clip.leaves"}, ""},
	{"clip: description not canonical", replace(disclosure.ClipFile, `{"actual"`, `{ "actual"`), resealed, Failed, []string{"clip.form"}, ""},
	{"clip: description of a later version", replace(disclosure.ClipFile, `"version":1`, `"version":2`), resealed, Unjudged, []string{"clip.form"}, seal.CannotJudge},
	{"clip: root of another tree", redescribe(func(d *clip.Document) { d.Tree.Root = d.Manifest }), resealed, Failed, []string{"recording.outline", "clip.inclusion"}, ""},
	{"clip: size of another tree", redescribe(func(d *clip.Document) { d.Tree.Size++ }), resealed, Failed, []string{"recording.outline"}, ""},
	{"clip: manifest of another recording", redescribe(func(d *clip.Document) { d.Manifest = d.Tree.Root }), resealed, Failed, []string{"recording.statement"}, ""},
	{"clip: another recording named", redescribe(func(d *clip.Document) { d.Recording = evidence.NewID() }), resealed, Failed, []string{"recording.outline"}, ""},
	{"clip: true bounds misstated", redescribe(func(d *clip.Document) {
		for i := range d.Tracks {
			d.Tracks[i].Range.From += 1000
		}
		d.Actual.From += 1000
	}), resealed, Failed, []string{"clip.bounds"}, ""},
	{"clip: more than was asked for", redescribe(func(d *clip.Document) { d.Requested.Until = d.Actual.Until - 1 }), resealed, Failed, []string{"clip.form"}, ""},
	{"clip: fewer segments named than there are", redescribe(func(d *clip.Document) { d.Tracks[0].Last-- }), resealed, Failed, []string{"clip.leaves"}, ""},
	{"clip: a track hidden", redescribe(func(d *clip.Document) { d.Tracks = d.Tracks[:3] }), resealed, Failed, []string{"clip.leaves"}, ""},
	{"clip: seal of another recording", func(_ testing.TB, s *scene, f testutil.Files) {
		for name := range disclosure.SealFiles(disclosure.RecordingSeal, seal.Sealed{}) {
			f[name] = s.otherGood[name]
		}
		f[disclosure.StatementFile] = s.otherGood[disclosure.StatementFile]
	}, resealed, Failed, []string{"recording.statement", "recording.signer", "recording.outline"}, ""},
	{"clip: presented as a whole recording", repredicate(func(p *disclosure.Predicate) { p.Content = disclosure.WholeRecording }), left, Failed, []string{"recording.manifest"}, ""},
	{"clip: media file left out", func(_ testing.TB, _ *scene, f testutil.Files) { delete(f, audioFile) }, resealed, Failed, []string{"bag.complete", "media.segments"}, ""},
	{"clip: entry of the seal withheld", func(_ testing.TB, _ *scene, f testutil.Files) {
		f[disclosure.EntriesFile], f[disclosure.ProofsFile], f[disclosure.OpeningsFile] = nil, nil, nil
	}, resealed, Failed, []string{"custody.seal"}, ""},
}

func TestAClipSaysThatItIsOne(t *testing.T) {
	s := newScene(t)
	r := judge(t, s.w.Clip(t, s.r, clip.Asked{Range: evidence.Range{From: 1, Until: 5_999_999}}), s.w.Authority.Trust())
	if r.Content != "clip" || r.Kind == "" || r.Clip.Requested != (evidence.Range{From: 1, Until: 5_999_999}) || r.Clip.Actual != (evidence.Range{From: 2_000_000, Until: 4_000_000}) {
		t.Errorf("got %q %q %+v", r.Content, r.Kind, r.Clip)
	}
	if r := judge(t, s.good, s.w.Authority.Trust()); r.Content != "recording" || r.Kind == "" || r.Clip != nil {
		t.Errorf("a recording: %q %q", r.Content, r.Kind)
	}
}

func TestDerivations(t *testing.T) {
	s := newScene(t)
	content := []byte("a file that was made")
	d := clip.Derivation{
		Version: 1, ID: evidence.NewID(), Recording: s.r.Manifest.Recording, Interview: s.r.Manifest.Interview, Kind: clip.Redacted, Range: evidence.Range{From: 0, Until: 6_000_000},
		CreatedAt: 1, Manifest: sum256(s.r.Sealed.Manifest), Sources: []clip.Source{{Name: "segment-1", SHA256: sum256(content)}},
		Tool: clip.Tool{Name: "ffmpeg", Version: "5.1.6"}, Parameters: []string{"-vf", "boxblur"}, Operator: evidence.NewID(), Reason: evidence.Commitment(sum256(content)),
	}
	sealed, err := s.w.Authority.SealFile(t.Context(), "made.mp4", content, clip.PredicateDerivation, d)
	if err != nil {
		t.Fatal(err)
	}
	d.Kind = "improved"
	wrong, err := s.w.Authority.SealFile(t.Context(), "made.mp4", content, clip.PredicateDerivation, d)
	if err != nil {
		t.Fatal(err)
	}
	trust, other := s.w.Authority.Trust(), s.other.Authority.Trust()
	for name, x := range map[string]struct {
		bundle, content []byte
		file            string
		trust           *seal.Trust
		want            Verdict
	}{
		"good":            {sealed.Bundle, content, "made.mp4", trust, Verified},
		"other content":   {sealed.Bundle, []byte("another file"), "made.mp4", trust, Failed},
		"other name":      {sealed.Bundle, content, "other.mp4", trust, Failed},
		"other agency":    {sealed.Bundle, content, "made.mp4", other, Failed},
		"no such kind":    {wrong.Bundle, content, "made.mp4", trust, Failed},
		"no derivation":   {s.good["seal/package.sigstore.json"], content, "made.mp4", trust, Failed},
		"no trust":        {sealed.Bundle, content, "made.mp4", nil, Failed}, // nothing came along that it could agree with
		"not even bundle": {[]byte("{}"), content, "made.mp4", trust, Failed},
	} {
		if r := judgeDerivation(x.bundle, x.file, [32]byte(hashBytes(x.content)), x.trust); r.Verdict != x.want || r.Kind == "" {
			t.Errorf("%s: got %s %+v", name, r.Verdict, r.Findings)
		}
	}
}
