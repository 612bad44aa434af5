package verify

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/seal"
)

const (
	videoFile = "data/media/close-up-video-part01-init0.mp4"
	audioFile = "data/media/close-up-audio-part01-init0.mp4"
	widVideo  = "data/media/wide-1-video-part01-init0.mp4"
)

// Then: what a forger does afterwards.
var (
	left     = func(testing.TB, *scene, testutil.Files) {}                                     // nothing
	relisted = func(_ testing.TB, _ *scene, f testutil.Files) { f.Relist() }                   // new lists of files, no keys
	resealed = func(t testing.TB, s *scene, f testutil.Files) { f.Relist(); f.Reseal(t, s.w) } // with the agency's key
	logged   = func(t testing.TB, s *scene, f testutil.Files) { s.w.Relog(t, f, manifestOf(t, f).Interview) }
	resigned = func(t testing.TB, s *scene, f testutil.Files) { f.Relist(); f.Reseal(t, s.other) } // with keys of his own
)

// tampering is one kind.
type tampering struct {
	name    string
	do      func(testing.TB, *scene, testutil.Files)
	then    func(testing.TB, *scene, testutil.Files)
	verdict Verdict
	checks  []string
	status  seal.Status // of the checks; Fails if empty
}

// tamperings are the kinds of tampering that are caught by name: what is done,
// what the forger does then, and which checks must fail, and with which verdict.
var tamperings = []tampering{
	// Media.
	{"media byte changed", edit(videoFile, func(b []byte) []byte { b[len(b)-9] ^= 1; return b }), left, Failed, []string{"media.segments", "bag.digest"}, ""},
	{"media byte changed, lists renewed", edit(videoFile, func(b []byte) []byte { b[len(b)-9] ^= 1; return b }), relisted, Failed, []string{"media.segments", "package.statement"}, ""},
	{"media byte changed, package sealed again by the agency", edit(videoFile, func(b []byte) []byte { b[len(b)-9] ^= 1; return b }), resealed, Failed, []string{"media.segments"}, ""},
	{"last segment dropped", func(t testing.TB, s *scene, f testutil.Files) {
		at := s.offsets(t, videoFile)
		f[videoFile] = f[videoFile][:at[len(at)-2]]
	}, resealed, Failed, []string{"media.segments"}, ""},
	{"first segment dropped", func(t testing.TB, s *scene, f testutil.Files) {
		at := s.offsets(t, videoFile)
		f[videoFile] = slices.Delete(f[videoFile], at[1], at[2])
	}, resealed, Failed, []string{"media.segments"}, ""},
	{"segment added", func(t testing.TB, s *scene, f testutil.Files) {
		at := s.offsets(t, videoFile)
		f[videoFile] = append(f[videoFile], f[videoFile][at[1]:at[2]]...)
	}, resealed, Failed, []string{"media.segments"}, ""},
	{"two segments swapped", func(t testing.TB, s *scene, f testutil.Files) {
		at, b := s.offsets(t, videoFile), f[videoFile]
		f[videoFile] = slices.Concat(b[:at[1]], b[at[2]:at[3]], b[at[1]:at[2]], b[at[3]:])
	}, resealed, Failed, []string{"media.segments"}, ""},
	{"media of two cameras exchanged", func(_ testing.TB, _ *scene, f testutil.Files) {
		f[videoFile], f[widVideo] = f[widVideo], f[videoFile]
	}, resealed, Failed, []string{"media.segments"}, ""},
	{"media file removed", func(_ testing.TB, _ *scene, f testutil.Files) { delete(f, audioFile) }, left, Failed, []string{"bag.complete", "media.segments"}, ""},
	{"media file removed, package sealed again", func(_ testing.TB, _ *scene, f testutil.Files) { delete(f, audioFile) }, resealed, Failed, []string{"bag.complete", "media.segments"}, ""},
	{"media of another agency's recording", func(_ testing.TB, s *scene, f testutil.Files) { f[videoFile] = s.otherGood[videoFile] }, resealed, Failed, []string{"media.times"}, seal.Holds},

	// Files of the bag.
	{"file added", func(_ testing.TB, _ *scene, f testutil.Files) { f["data/extra.txt"] = []byte("x") }, left, Failed, []string{"bag.complete"}, ""},
	{"file added and listed", func(_ testing.TB, _ *scene, f testutil.Files) { f["data/extra.txt"] = []byte("x") }, relisted, Failed, []string{"bag.complete", "package.statement"}, ""},
	{"unused certificate added, package sealed again", func(_ testing.TB, s *scene, f testutil.Files) {
		f["data/certificates/other.pem"] = s.otherGood["data/certificates/root.pem"]
	}, resealed, Failed, []string{"bag.complete"}, ""},
	{"tag file added", func(_ testing.TB, _ *scene, f testutil.Files) { f["NOTE.txt"] = []byte("x") }, left, Failed, []string{"bag.complete"}, ""},
	{"explanation changed", replace(disclosure.ReadmeFile, "WHAT IT DOES NOT SHOW", "WHAT IT SHOWS TOO"), relisted, Failed, []string{"package.statement"}, ""},
	{"commands changed", replace(disclosure.CommandsFile, "--strict", ""), left, Failed, []string{"bag.digest"}, ""},
	{"older BagIt declared", replace(disclosure.BagItFile, "1.0", "0.9"), resealed, Failed, []string{"bag.form"}, ""},
	{"list in capitals", edit(disclosure.ManifestFile, bytes.ToUpper), left, Failed, []string{"bag.complete"}, ""},
	{"list out of order", lines(disclosure.ManifestFile, swap(0, 1)), left, Failed, []string{"bag.complete", "bag.digest"}, ""},
	{"list without its last line", lines(disclosure.ManifestFile, drop(0)), left, Failed, []string{"bag.complete"}, ""},
	{"list that names a path outside", replace(disclosure.ManifestFile, "  data/", "  data/../../"), left, Failed, []string{"bag.complete"}, ""},
	{"seal of the package missing", func(_ testing.TB, _ *scene, f testutil.Files) { delete(f, "seal/package.sigstore.json") }, left, Failed, []string{"package.bundle"}, ""},
	{"tag manifest missing", func(_ testing.TB, _ *scene, f testutil.Files) { delete(f, disclosure.TagManifestFile) }, left, Failed, []string{"bag.complete"}, ""},
	{"payload count wrong", replace(disclosure.BagInfoFile, "Payload-Oxum: ", "Payload-Oxum: 1"), left, Failed, []string{"bag.complete"}, ""},

	// Description of the recording.
	{"time of a segment changed", replace(disclosure.PageFile(0), `"start":2000000`, `"start":2000001`), relisted, Failed, []string{"recording.pages", "recording.tree"}, ""},
	{"leaf dropped", lines(disclosure.PageFile(0), drop(3)), relisted, Failed, []string{"recording.pages", "recording.tree", "recording.leaves"}, ""},
	{"leaves swapped", lines(disclosure.PageFile(0), swap(2, 3)), relisted, Failed, []string{"recording.pages", "recording.tree"}, ""},
	{"leaf not canonical", replace(disclosure.PageFile(0), `{"cipher"`, `{ "cipher"`), relisted, Failed, []string{"recording.leaves", "recording.tree"}, ""},
	{"page missing", func(_ testing.TB, _ *scene, f testutil.Files) { delete(f, disclosure.PageFile(0)) }, relisted, Failed, []string{"recording.pages", "recording.tree"}, ""},
	{"page added", func(_ testing.TB, _ *scene, f testutil.Files) { f[disclosure.PageFile(1)] = f[disclosure.PageFile(0)] }, resealed, Failed, []string{"recording.pages", "bag.complete"}, ""},
	{"stop time changed", func(t testing.TB, s *scene, f testutil.Files) {
		m := manifestOf(t, f)
		m.StoppedAt++
		f[disclosure.RecordingFile], _ = evidence.Canonical(m)
	}, relisted, Failed, []string{"recording.statement"}, ""},
	{"manifest not canonical", replace(disclosure.RecordingFile, `{"agency"`, `{ "agency"`), resealed, Failed, []string{"recording.manifest", "recording.statement"}, ""},
	{"manifest not canonical, but sealed", func(t testing.TB, s *scene, f testutil.Files) {
		sealRecording(t, s.w, f, bytes.Replace(f[disclosure.RecordingFile], []byte(`{"agency"`), []byte(`{ "agency"`), 1))
	}, left, Failed, []string{"recording.manifest"}, ""},
	{"manifest of a later version", remanifest(func(m *evidence.Manifest) { m.Version = 3 }), logged, Unjudged, []string{"recording.manifest"}, seal.CannotJudge},
	{"leaf of a later version", releaf(func(l []evidence.Leaf, _ *evidence.Manifest) []evidence.Leaf { l[3].Version = 3; return l }), logged, Unjudged, []string{"recording.leaves", "recording.times", "media.segments"}, seal.CannotJudge},
	{"outline of another recording", func(t testing.TB, s *scene, f testutil.Files) {
		m := manifestOf(t, f)
		m.StartedAt--
		sealed, err := s.w.Authority.SealFile(t.Context(), seal.ManifestName, f[disclosure.RecordingFile], evidence.PredicateRecording, seal.PredicateOf(m))
		if err != nil {
			t.Fatal(err)
		}
		f[disclosure.StatementFile] = sealed.Statement
		for name, data := range disclosure.SealFiles(disclosure.RecordingSeal, sealed) {
			f[name] = data
		}
	}, resealed, Failed, []string{"recording.outline"}, ""},
	{"hole that no gap names", releaf(func(l []evidence.Leaf, m *evidence.Manifest) []evidence.Leaf {
		x := leafAt(l, m, 1)
		x.Start, x.DecodeTime = x.Start+100_000, shift(x.DecodeTime, 9000)
		x.Duration -= 9000
		return l
	}), left, Failed, []string{"recording.gaps"}, ""},
	{"segments that overlap", releaf(func(l []evidence.Leaf, m *evidence.Manifest) []evidence.Leaf {
		x := leafAt(l, m, 1)
		x.Start, x.DecodeTime, x.Duration = x.Start-100_000, shift(x.DecodeTime, -9000), x.Duration+9000
		return l
	}), left, Failed, []string{"recording.times"}, ""},
	{"time that the anchor does not give", releaf(func(l []evidence.Leaf, m *evidence.Manifest) []evidence.Leaf {
		for i := range 3 {
			x := leafAt(l, m, i)
			x.Start, x.End = x.Start+500_000, x.End+500_000
		}
		m.Parts[0].End += 500_000
		return l
	}), left, Failed, []string{"recording.times"}, ""},
	{"segment outside its part", remanifest(func(m *evidence.Manifest) { m.Parts[0].End -= 1_000_000 }), left, Failed, []string{"recording.times"}, ""},
	{"decode time that the media contradicts", releaf(func(l []evidence.Leaf, m *evidence.Manifest) []evidence.Leaf {
		x := leafAt(l, m, 0)
		x.DecodeTime, x.Duration = shift(x.DecodeTime, 1), x.Duration-1
		return l
	}), left, Failed, []string{"media.times"}, ""},
	{"frame count that the media contradicts", releaf(func(l []evidence.Leaf, m *evidence.Manifest) []evidence.Leaf { leafAt(l, m, 0).Frames++; return l }), left, Failed, []string{"media.times"}, ""},
	{"segment number twice", releaf(func(l []evidence.Leaf, m *evidence.Manifest) []evidence.Leaf { leafAt(l, m, 1).Index = 0; return l }), left, Failed, []string{"recording.leaves"}, ""},
	{"leaf of another recording", releaf(func(l []evidence.Leaf, m *evidence.Manifest) []evidence.Leaf {
		leafAt(l, m, 1).Recording = evidence.NewID()
		return l
	}), left, Failed, []string{"recording.leaves"}, ""},
	{"salt used twice", releaf(func(l []evidence.Leaf, m *evidence.Manifest) []evidence.Leaf { l[1].Salt = l[0].Salt; return l }), left, Failed, []string{"recording.leaves"}, ""},
	{"tree of a size that is not there", remanifest(func(m *evidence.Manifest) { m.Tree.Size = 200 }), left, Failed, []string{"recording.tree", "recording.pages"}, ""},
	{"tree beyond all bounds", remanifest(func(m *evidence.Manifest) { m.Tree.Size = 1 << 50 }), left, Failed, []string{"recording.manifest"}, ""},

	// Seals and timestamps.
	{"signature of another seal", func(_ testing.TB, s *scene, f testutil.Files) {
		f["data/seal/recording.sig"] = s.otherGood["data/seal/recording.sig"]
	}, resealed, Failed, []string{"recording.parts"}, ""},
	{"statement file exchanged", func(_ testing.TB, s *scene, f testutil.Files) {
		f[disclosure.StatementFile] = s.otherGood[disclosure.StatementFile]
	}, resealed, Failed, []string{"recording.statement"}, ""},
	{"timestamp of another signature", bundle(disclosure.PackageSeal, func(d map[string]any) {}), func(t testing.TB, s *scene, f testutil.Files) {
		bundle(disclosure.PackageSeal, func(d map[string]any) {
			var rec map[string]any
			if err := json.Unmarshal(f[disclosure.RecordingSeal+".sigstore.json"], &rec); err != nil {
				t.Fatal(err)
			}
			inside(d, "verificationMaterial")["timestampVerificationData"] = inside(rec, "verificationMaterial")["timestampVerificationData"]
		})(t, s, f)
		f["seal/package.tsr"] = f["data/seal/recording.tsr"]
	}, Failed, []string{"package.timestamp"}, ""},
	{"timestamp removed", bundle(disclosure.PackageSeal, func(d map[string]any) {
		inside(d, "verificationMaterial", "timestampVerificationData")["rfc3161Timestamps"] = []any{}
	}), left, Failed, []string{"package.timestamp"}, ""},
	{"second signature in the bundle", bundle(disclosure.PackageSeal, func(d map[string]any) {
		e := inside(d, "dsseEnvelope")
		e["signatures"] = append(e["signatures"].([]any), e["signatures"].([]any)[0])
	}), left, Failed, []string{"package.bundle"}, ""},
	{"unknown field in the bundle", bundle(disclosure.PackageSeal, func(d map[string]any) { d["x"] = 1 }), left, Failed, []string{"package.bundle"}, ""},
	{"certificate put into the bundle", bundle(disclosure.PackageSeal, func(d map[string]any) {
		inside(d, "verificationMaterial")["certificate"] = map[string]any{"rawBytes": "AAAA"}
	}), left, Failed, []string{"package.bundle"}, ""},
	{"bundle of another media type", bundle(disclosure.PackageSeal, func(d map[string]any) { d["mediaType"] = "application/vnd.dev.sigstore.bundle.v0.2+json" }), left, Failed, []string{"package.bundle"}, ""},
	{"bundle with a space", replace("seal/package.sigstore.json", `,"mediaType"`, `, "mediaType"`), left, Failed, []string{"package.bundle"}, ""},
	{"swapped timestamp authority", func(t testing.TB, s *scene, f testutil.Files) { swapAuthority(t, s, f) }, left, Failed, []string{"package.timestamp"}, ""},
	{"seal of another package of the agency", func(t testing.TB, s *scene, f testutil.Files) {
		again := s.w.Package(t, s.r)
		for name := range disclosure.SealFiles(disclosure.PackageSeal, seal.Sealed{}) {
			f[name] = again[name]
		}
	}, left, Failed, []string{"package.statement"}, ""},
	{"package sealed for another recording", func(t testing.TB, s *scene, f testutil.Files) {
		another := s.w.Package(t, s.w.Record(t, testutil.Shape{Sources: 2, Parts: 2, Loops: 1}))
		for name := range disclosure.SealFiles(disclosure.PackageSeal, seal.Sealed{}) {
			f[name] = another[name]
		}
		st, err := seal.ParseBundle(another["seal/package.sigstore.json"])
		if err != nil {
			t.Fatal(err)
		}
		p, err := disclosure.ParseStatement(st.Statement)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := s.w.Authority.SealFile(t.Context(), disclosure.TagManifestFile, f[disclosure.TagManifestFile], disclosure.PredicatePackage, p)
		if err != nil {
			t.Fatal(err)
		}
		for name, data := range disclosure.SealFiles(disclosure.PackageSeal, sealed) {
			f[name] = data
		}
	}, left, Failed, []string{"package.outline"}, ""},
	{"package outline of a later version", func(t testing.TB, s *scene, f testutil.Files) {
		sealed, err := s.w.Authority.SealFile(t.Context(), disclosure.TagManifestFile, f[disclosure.TagManifestFile], disclosure.PredicatePackage, map[string]any{"version": 3, "new": true})
		if err != nil {
			t.Fatal(err)
		}
		for name, data := range disclosure.SealFiles(disclosure.PackageSeal, sealed) {
			f[name] = data
		}
	}, left, Unjudged, []string{"package.outline"}, seal.CannotJudge},
	{"older version presented as newer", repredicate(func(p *disclosure.Predicate) { p.Content, p.Documents = "", nil }), left, Failed, []string{"package.outline"}, ""},
	{"newer version presented as older", repredicate(func(p *disclosure.Predicate) { p.Version, p.Content, p.Documents = 1, "", nil }), left, Failed, []string{"bag.complete"}, ""},
	{"recording presented as a clip", repredicate(func(p *disclosure.Predicate) { p.Content = disclosure.ClipOfRecording }), left, Failed, []string{"clip.form"}, ""},
	{"a document that the outline does not name", func(t testing.TB, s *scene, f testutil.Files) {
		repredicate(func(p *disclosure.Predicate) {
			p.Documents = slices.DeleteFunc(p.Documents, func(n string) bool { return n == disclosure.PlayerFile })
		})(t, s, f)
	}, left, Failed, []string{"bag.complete"}, ""},
	{"a document that is named and missing", func(_ testing.TB, _ *scene, f testutil.Files) { delete(f, disclosure.CaseFile) }, resealed, Failed, []string{"bag.complete"}, ""},
	{"a document of no known name", repredicate(func(p *disclosure.Predicate) {
		p.Documents = append(p.Documents, "zz.html")
	}), left, Unjudged, []string{"package.outline"}, seal.CannotJudge},
	{"report changed", edit(disclosure.ReportFile("en"), func(b []byte) []byte { b[len(b)/2] ^= 1; return b }), relisted, Failed, []string{"package.statement"}, ""},

	// Other keys.
	{"whole package by other keys", func(_ testing.TB, s *scene, f testutil.Files) {
		clear(f)
		for name, data := range s.otherGood {
			f[name] = data
		}
	}, left, SignerNotTrusted, []string{"package.signer", "recording.signer", "package.timestamp", "custody.checkpoint"}, seal.NotTrusted},
	{"package sealed by other keys", func(testing.TB, *scene, testutil.Files) {}, resigned, Failed, []string{"package.signer"}, ""},
	{"package and certificates by other keys", func(_ testing.TB, s *scene, f testutil.Files) {
		for name, data := range s.otherGood {
			if strings.HasPrefix(name, disclosure.CertificatesFolder) {
				f[name] = data
			}
		}
	}, resigned, SignerNotTrusted, []string{"custody.checkpoint"}, seal.Holds},
	{"recording by other keys in the agency's package", func(_ testing.TB, s *scene, f testutil.Files) {
		for name, data := range s.otherGood {
			if strings.HasPrefix(name, "data/recording/") || strings.HasPrefix(name, "data/seal/") || strings.HasPrefix(name, "data/media/") {
				f[name] = data
			}
		}
	}, resealed, Failed, []string{"recording.signer", "custody.entries"}, ""},
	{"certificate of another key", func(_ testing.TB, s *scene, f testutil.Files) {
		f["data/certificates/signer.pem"] = s.otherGood["data/certificates/signer.pem"]
	}, resealed, Failed, []string{"certificates"}, ""},

	// Custody.
	{"custody entry changed", replace(disclosure.EntriesFile, `"interview.start"`, `"interview.pause"`), resealed, Failed, []string{"custody.inclusion"}, ""},
	{"custody entry dropped", lines(disclosure.EntriesFile, drop(1)), resealed, Failed, []string{"custody.inclusion"}, ""},
	{"custody entries swapped", lines(disclosure.EntriesFile, swap(0, 1)), resealed, Failed, []string{"custody.inclusion"}, ""},
	{"custody proofs swapped", lines(disclosure.ProofsFile, swap(0, 1)), resealed, Failed, []string{"custody.inclusion"}, ""},
	{"custody entry of another interview", func(t testing.TB, s *scene, f testutil.Files) {
		f[disclosure.EntriesFile] = bytes.ReplaceAll(f[disclosure.EntriesFile], []byte(`"interview":"`+string(s.r.Manifest.Interview)), []byte(`"interview":"`+string(evidence.NewID())))
	}, resealed, Failed, []string{"custody.entries", "custody.inclusion"}, ""},
	{"custody entry of a later version", lines(disclosure.EntriesFile, func(l [][]byte) [][]byte {
		l[0] = bytes.Replace(l[0], []byte(`"version":1`), []byte(`"version":2`), 1)
		return l
	}), resealed, Failed, []string{"custody.inclusion"}, ""},
	{"reason in the log changed", replace(disclosure.OpeningsFile, "because of interview.start", "because of interview.stop!"), resealed, Failed, []string{"custody.openings"}, ""},
	{"reason of another entry", replace(disclosure.OpeningsFile, `"position":1,`, `"position":3,`), resealed, Failed, []string{"custody.openings"}, ""},
	{"checkpoint of another log", func(_ testing.TB, s *scene, f testutil.Files) {
		f[disclosure.CheckpointFile] = s.otherGood[disclosure.CheckpointFile]
	}, resealed, Failed, []string{"custody.checkpoint"}, ""},
	{"another log with its key", func(_ testing.TB, s *scene, f testutil.Files) {
		for _, name := range []string{disclosure.CheckpointFile, disclosure.LogKeyFile} {
			f[name] = s.otherGood[name]
		}
	}, resealed, Failed, []string{"custody.checkpoint"}, ""},
	{"checkpoint of another size", edit(disclosure.CheckpointFile, func(b []byte) []byte { return bytes.Replace(b, []byte("\n8\n"), []byte("\n9\n"), 1) }), resealed, Failed, []string{"custody.checkpoint"}, ""},

	{"another recording sealed with the agency's key, which the log never saw", remanifest(func(m *evidence.Manifest) { m.Software = "another program" }), resealed, Failed, []string{"custody.seal"}, ""},
	{"entry of the seal withheld", func(t testing.TB, s *scene, f testutil.Files) {
		at := slices.IndexFunc(bytes.Split(f[disclosure.EntriesFile], []byte("\n")), func(l []byte) bool { return bytes.Contains(l, []byte(disclosure.EntrySealed)) })
		lines(disclosure.EntriesFile, drop(at))(t, s, f)
		lines(disclosure.ProofsFile, drop(at))(t, s, f)
		f[disclosure.OpeningsFile] = nil
	}, resealed, Failed, []string{"custody.seal"}, ""},

	// What breaks nothing.
	{"another program, by whose hand the recording was sealed and logged", remanifest(func(m *evidence.Manifest) { m.Software = "another program" }), logged, Verified, []string{"custody.seal"}, seal.Holds},
	{"reasons withheld", func(_ testing.TB, _ *scene, f testutil.Files) { f[disclosure.OpeningsFile] = nil }, resealed, Verified, []string{"custody.openings"}, seal.Holds},
	{"one reason erased", lines(disclosure.OpeningsFile, drop(2)), resealed, Verified, []string{"custody.openings"}, seal.Holds},
}

func TestTamperingIsCaughtByName(t *testing.T) {
	s := newScene(t)
	trust := s.w.Authority.Trust()
	if r := judge(t, s.good, trust); r.Verdict != Verified {
		t.Fatalf("the good package: %s %+v", r.Verdict, r.Findings)
	}
	for _, x := range tamperings {
		t.Run(x.name, func(t *testing.T) { x.try(t, s, s.good.Clone()) })
	}
}

func TestTamperingWithAClipIsCaughtByName(t *testing.T) {
	s := newScene(t)
	good := s.w.Clip(t, s.r, clip.Asked{Range: evidence.Range{From: 1_000_000, Until: 22_500_000}})
	r := judge(t, good, s.w.Authority.Trust())
	if r.Verdict != Verified || r.Clip == nil {
		t.Fatalf("the good clip: %s %+v", r.Verdict, r.Findings)
	}
	for _, x := range clipTamperings {
		t.Run(x.name, func(t *testing.T) { x.try(t, s, good.Clone()) })
	}
}

// try tampers with a package and looks what becomes of it.
func (x tampering) try(t *testing.T, s *scene, f testutil.Files) {
	x.do(t, s, f)
	x.then(t, s, f)
	r := judge(t, f, s.w.Authority.Trust())
	if r.Verdict != x.verdict {
		t.Errorf("verdict: got %q, want %q", r.Verdict, x.verdict)
	}
	want := x.status
	if want == "" {
		want = seal.Fails
	}
	for _, check := range x.checks {
		if got := r.Findings.Of(check); got != want {
			t.Errorf("%s: got %q, want %q", check, got, want)
		}
	}
	if t.Failed() {
		for _, f := range r.Findings {
			if f.Status != seal.Holds {
				t.Logf("%s %s %s: %.300s", f.Check, f.Status, f.File, f.Detail)
			}
		}
	}
}

func TestWithoutTrustTheBestIsConsistent(t *testing.T) {
	s := newScene(t)
	r := judge(t, s.good, nil)
	if r.Verdict != Consistent || r.Verdict.ExitCode() != 2 {
		t.Errorf("got %q", r.Verdict)
	}
	if len(r.Proved) != 0 {
		t.Errorf("proved without trust: %q", r.Proved)
	}
	f := s.good.Clone()
	f[videoFile][100] ^= 1
	if r := judge(t, f, nil); r.Verdict != Failed {
		t.Errorf("a changed package without trust: got %q", r.Verdict)
	}
	text := new(strings.Builder)
	if err := r.WriteText(text, "en", true); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(strings.ToLower(text.String()), "verified") {
		t.Errorf("the report says verified:\n%s", text)
	}
}
