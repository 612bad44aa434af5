package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/evidence/transcript"
)

// transcribe puts a certified transcript of a recording into every package of a world.
func transcribe(t *testing.T, w *testutil.World, r *testutil.Recording) transcript.Version {
	t.Helper()
	file := transcript.Format([]transcript.Cue{{From: 100_000, Until: 900_000, Speaker: "A", Text: "Një."}, {From: 1_000_000, Until: 1_800_000, Text: "Dy."}})
	sum := sha256.Sum256(file)
	v := transcript.Version{ID: evidence.NewID(), Recording: r.Manifest.Recording, Interview: r.Manifest.Interview, Language: "sq", Number: 2, Origin: transcript.Edited, Cues: 2,
		Plain: evidence.Digest{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(file))}, CreatedAt: 1, CertifiedBy: evidence.NewID(), CertifiedAt: 2}
	var name evidence.Commitment
	name, v.Certifier = evidence.Commit(transcript.FieldName, "A. B., sworn interpreter")
	sealed, err := w.Authority.SealFile(t.Context(), transcript.FileName, file, transcript.PredicateCertificate, transcript.Certificate{Version: 1, Transcript: v.ID,
		Recording: v.Recording, Interview: v.Interview, Language: v.Language, Number: v.Number, Account: v.CertifiedBy, At: v.CertifiedAt, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	v.Bundle = sealed.Bundle
	for _, action := range []string{transcript.ActionWrite, transcript.ActionCertify} {
		w.Log.Append(t, custody.Entry{Actor: evidence.System(w.Agency), Action: action, Agency: w.Agency, Case: evidence.NewID(), Interview: v.Interview, Subject: v.ID,
			Details: map[string]string{"sha256": v.Plain.SHA256}})
	}
	about, opening := canonical(t, transcript.AboutOf(v)), canonical(t, v.Certifier)
	w.Transcripts = map[string][]byte{"data/transcript/sq.vtt": file, "data/transcript/sq.json": about, "data/transcript/sq.sigstore.json": v.Bundle, "data/transcript/sq.certifier.json": opening}
	return v
}

func canonical(t *testing.T, v any) []byte {
	t.Helper()
	data, err := evidence.Canonical(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTranscripts(t *testing.T) {
	w := testutil.NewWorld(t)
	r := w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1})
	v := transcribe(t, w, r)
	good := w.Package(t, r)
	trust := w.Authority.Trust()
	report := judge(t, good, trust)
	if report.Verdict != Verified {
		t.Fatalf("%s: %+v", report.Verdict, report.Findings)
	}
	for _, check := range []string{"transcript.form", "transcript.signature", "transcript.certificate", "custody.transcript"} {
		if report.Findings.Of(check) != seal.Holds {
			t.Errorf("%s: %q", check, report.Findings.Of(check))
		}
	}
	about := func(change func(*transcript.About)) func(testutil.Files) {
		return func(f testutil.Files) {
			a, err := transcript.ParseAbout(f["data/transcript/sq.json"])
			if err != nil {
				t.Fatal(err)
			}
			change(&a)
			f["data/transcript/sq.json"] = canonical(t, a)
		}
	}
	other := transcript.Format([]transcript.Cue{{From: 100_000, Until: 900_000, Speaker: "A", Text: "Jo."}})
	for _, x := range []struct {
		name   string
		do     func(testutil.Files)
		checks []string
		status seal.Status
	}{
		{"a word changed", func(f testutil.Files) {
			f["data/transcript/sq.vtt"] = bytes.Replace(f["data/transcript/sq.vtt"], []byte("Dy."), []byte("Tre"), 1)
		}, []string{"transcript.form", "custody.transcript"}, seal.Fails},
		{"another text, described again", func(f testutil.Files) {
			f["data/transcript/sq.vtt"] = other
			about(func(a *transcript.About) { a.SHA256, a.Cues = sum256(other), 1 })(f)
		}, []string{"transcript.statement", "custody.transcript"}, seal.Fails},
		{"another text, the certificate left out", func(f testutil.Files) {
			f["data/transcript/sq.vtt"] = other
			about(func(a *transcript.About) { a.SHA256, a.Cues = sum256(other), 1 })(f)
			f["data/transcript/sq.sigstore.json"] = nil
		}, []string{"transcript.bundle"}, seal.Fails},
		{"called another version", about(func(a *transcript.About) { a.Number = 3 }), []string{"transcript.certificate"}, seal.Fails},
		{"called unofficial", about(func(a *transcript.About) { a.Certified = false }), []string{"transcript.certificate"}, seal.Fails},
		{"of another recording", about(func(a *transcript.About) { a.Recording = evidence.NewID() }), []string{"transcript.form"}, seal.Fails},
		{"called an extract", about(func(a *transcript.About) { a.Whole = a.SHA256 }), []string{"transcript.form"}, seal.Fails},
		{"another form of the same words", func(f testutil.Files) {
			f["data/transcript/sq.vtt"] = append(f["data/transcript/sq.vtt"], '\n')
		}, []string{"transcript.form"}, seal.Fails},
		{"another certifier's name", func(f testutil.Files) {
			_, o := evidence.Commit(transcript.FieldName, "C. D.")
			f["data/transcript/sq.certifier.json"] = canonical(t, o)
		}, []string{"transcript.certificate"}, seal.Fails},
		{"a later version of the description", func(f testutil.Files) {
			f["data/transcript/sq.json"] = bytes.Replace(f["data/transcript/sq.json"], []byte(`"version":1`), []byte(`"version":2`), 1)
		}, []string{"transcript.form"}, seal.CannotJudge},
		{"the text removed", func(f testutil.Files) { delete(f, "data/transcript/sq.vtt") }, []string{"transcript.form", "bag.complete"}, seal.Fails},
	} {
		t.Run(x.name, func(t *testing.T) {
			f := good.Clone()
			x.do(f)
			f.Relist()
			f.Reseal(t, w) // with the agency's own key: only what is signed apart can tell
			report := judge(t, f, trust)
			if report.Verdict == Verified {
				t.Error("it was verified")
			}
			for _, check := range x.checks {
				if got := report.Findings.Of(check); got != x.status {
					t.Errorf("%s: %q, want %q", check, got, x.status)
				}
			}
		})
	}

	// A clip carries the lines inside it, and no certificate.
	whole := w.Transcripts
	cues, err := transcript.ParseFile(whole["data/transcript/sq.vtt"])
	if err != nil {
		t.Fatal(err)
	}
	extract := func(cues []transcript.Cue) testutil.Files {
		a, file := transcript.Extract(v, cues, 0, false)
		w.Transcripts = map[string][]byte{"data/transcript/sq.vtt": file, "data/transcript/sq.json": canonical(t, a)}
		return w.Clip(t, r, clip.Asked{Range: evidence.Range{From: 0, Until: 1_000_000}, Outward: true})
	}
	report = judge(t, extract(cues[:1]), trust)
	if report.Verdict != Verified || report.Findings.Of("transcript.form") != seal.Holds {
		t.Errorf("clip: %s %+v", report.Verdict, report.Findings)
	}
	far := slices.Clone(cues)
	far[1].Until = 3_600_000_000
	if report := judge(t, extract(far), trust); report.Findings.Of("transcript.form") != seal.Fails {
		t.Errorf("a line beyond the clip: %+v", report.Findings)
	}
	w.Transcripts = whole
	if got, ok := disclosure.TranscriptLanguage("data/transcript/../sq.vtt"); ok {
		t.Errorf("a path that leads away names the language %q", got)
	}
}
