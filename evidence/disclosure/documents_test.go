package disclosure_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/seal"
)

func TestReportsSayWhatHappened(t *testing.T) {
	w := testutil.NewWorld(t)
	r := w.Record(t, testutil.Shape{Sources: 1, Parts: 2, Loops: 1, Change: func(m *evidence.Manifest) {
		m.Events = append(m.Events, evidence.Event{At: 0, Instant: m.StartedAt, Kind: evidence.EventMarker, Value: "present-interpreter"},
			evidence.Event{At: 1_500_000, Instant: m.StartedAt + 1_500_000, Kind: evidence.EventPhase, Value: "rapport"})
		m.Gaps = append(m.Gaps, evidence.Gap{Track: m.Tracks[0].ID, Start: 6_000_000, End: 6_200_000, Cause: "packet-loss", Frames: 2})
	}})
	files := w.Package(t, r)
	for l, want := range map[string][]string{
		"en": {"P-17/2026", "PP-2026-0815", "Wren", "interpreter, from 0:00:00.000", "rapport", "packets lost", "close-up-video-part01-init0.mp4", r.Manifest.Tree.Root[:20],
			"in an edited version only (Court of Plover, K 12/26)", "without the name of the school", "supplements this one"},
		"sq": {"përkthyes", "Çfarë nuk tregon kjo"},
		"sr": {"prevodilac", "Šta ovo ne pokazuje"},
	} {
		text := testutil.PDFText(t, files[disclosure.ReportFile(l)])
		for _, s := range want {
			if !strings.Contains(text, s) {
				t.Errorf("%s lacks %q:\n%s", l, s, text)
			}
		}
		if !bytes.HasPrefix(files[disclosure.CertificateFile(l)], []byte("%PDF-")) {
			t.Errorf("no certificate in %s", l)
		}
	}
	certificate := testutil.PDFText(t, files[disclosure.CertificateFile("en")])
	for _, s := range []string{"certifies nothing until", "SHA-256", "Signature"} {
		if !strings.Contains(certificate, s) {
			t.Errorf("the certificate lacks %q", s)
		}
	}
}

// The case graph is JSON-LD in the shape of CASE/UCO: every node has a name of its
// own and a known type, every reference leads somewhere, and each type has what the
// ontology demands of it (P25).
func TestCaseGraphHasItsShape(t *testing.T) {
	w := testutil.NewWorld(t)
	r := w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1})
	files := w.Package(t, r, custody.FieldWhy, custody.FieldAuthority)
	var doc struct {
		Context map[string]string `json:"@context"`
		Graph   []map[string]any  `json:"@graph"`
	}
	if err := json.Unmarshal(files[disclosure.CaseFile], &doc); err != nil {
		t.Fatal(err)
	}
	required := map[string][]string{
		"case-investigation:Investigation":       {"case-investigation:investigationForm", "uco-core:object"},
		"case-investigation:InvestigativeAction": {"uco-core:name", "uco-action:startTime", "uco-action:endTime", "uco-action:performer", "uco-action:instrument", "uco-action:object"},
		"case-investigation:ProvenanceRecord":    {"case-investigation:exhibitNumber", "case-investigation:wasDerivedFrom", "uco-core:object"},
		"case-investigation:Authorization":       {"case-investigation:authorizationIdentifier"},
		"uco-observable:ObservableObject":        {"uco-core:hasFacet"},
		"uco-observable:FileFacet":               {"uco-observable:fileName", "uco-observable:sizeInBytes"},
		"uco-observable:ContentDataFacet":        {"uco-observable:hash"},
		"uco-identity:Identity":                  {"uco-core:description"},
		"uco-tool:Tool":                          {"uco-core:name", "uco-tool:version"},
		"uco-types:Hash":                         {"uco-types:hashMethod", "uco-types:hashValue"},
	}
	named, referred, types := map[string]bool{}, map[string]bool{}, map[string]int{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			id, kind := v["@id"], v["@type"]
			for key, x := range v {
				prefix, _, ok := strings.Cut(key, ":")
				if !strings.HasPrefix(key, "@") && (!ok || doc.Context[prefix] == "") {
					t.Errorf("%s is in no vocabulary", key)
				}
				walk(x)
			}
			if value, ok := v["@value"]; ok {
				text, _ := value.(string)
				switch kind {
				case "xsd:dateTime":
					if _, err := time.Parse(time.RFC3339Nano, text); err != nil {
						t.Errorf("%v is no time", value)
					}
				case "xsd:hexBinary":
					if raw, err := hex.DecodeString(text); err != nil || len(raw) != 32 {
						t.Errorf("%v is no SHA-256", value)
					}
				}
				return
			}
			if kind == nil {
				referred[id.(string)] = true
				return
			}
			if named[id.(string)] {
				t.Errorf("%s is there twice", id)
			}
			named[id.(string)] = true
			types[kind.(string)]++
			for _, property := range required[kind.(string)] {
				if v[property] == nil {
					t.Errorf("%s, of type %s, lacks %s", id, kind, property)
				}
			}
			if required[kind.(string)] == nil {
				t.Errorf("%s is of the unknown type %s", id, kind)
			}
		}
	}
	for _, n := range doc.Graph {
		walk(n)
	}
	for id := range referred {
		if !named[id] {
			t.Errorf("%s is referred to, and is not there", id)
		}
	}
	for kind := range required {
		if types[kind] == 0 {
			t.Errorf("no %s", kind)
		}
	}
	if n := types["case-investigation:InvestigativeAction"]; n != 4 {
		t.Errorf("%d actions for 4 custody entries", n)
	}
}

// Under a protective order nothing in the whole package, and no name in it, holds a
// protected value: not the person, not the case number, not a reason, not an
// address, not a receipt's words (P32). PDFs are searched as text.
func TestAProtectedPackageHoldsNothingProtected(t *testing.T) {
	s := newStage(t)
	protected := []string{"Wren", "PP-2026-0815", "because of", "order 17", "192.0.2.7", "192.0.2.9", "guardian-of-wren", "Plover", "K 12/26", "the school", "X-9"}
	ask := func(profile disclosure.Profile, reasons bool) (disclosure.Export, error) {
		return s.Request(t.Context(), s.alone, s.Held.ID, disclosure.Request{Clear: true, Reason: "guardian-of-wren asked", Profile: profile, Reasons: reasons, Exhibit: "P-1"})
	}
	_, err := ask(disclosure.ProfileProtected, true)
	wantRefusal(t, err, evidence.ErrInvalid, "export.protected_reasons")
	found := map[disclosure.Profile][]string{}
	for _, profile := range []disclosure.Profile{disclosure.ProfileProtected, disclosure.ProfileFull} {
		e, err := ask(profile, profile == disclosure.ProfileFull)
		if err != nil {
			t.Fatal(err)
		}
		files, _ := s.hand(t, s.alone, e.ID)
		for name, data := range files {
			text := name + "\n" + string(data)
			if strings.HasSuffix(name, ".pdf") {
				text += testutil.PDFText(t, data)
			}
			for _, value := range protected {
				if strings.Contains(text, value) {
					found[profile] = append(found[profile], value)
				}
			}
			if profile == disclosure.ProfileProtected && regexp.MustCompile(`(?i)\.(jpe?g|png|webp)$`).MatchString(name) {
				t.Errorf("a still: %s", name)
			}
		}
		receipts := string(files[disclosure.ReceiptsFile])
		var x disclosure.Exhibit
		if err := json.Unmarshal(files[disclosure.ExhibitFile], &x); err != nil || len(x.Rulings) != 1 || x.Rulings[0].Outcome != "edited" || len(x.SupplementedBy) != 1 {
			t.Errorf("%s: %v %+v", profile, err, x)
		} else if committed := x.Rulings[0].Texts != "" && x.Rulings[0].Court == ""; committed != (profile == disclosure.ProfileProtected) {
			t.Errorf("%s: %+v", profile, x)
		}
		if committed := strings.Contains(receipts, `"receipt":"`) && !strings.Contains(receipts, "purposes"); committed != (profile == disclosure.ProfileProtected) {
			t.Errorf("%s: receipts %s", profile, receipts)
		}
		if r := judgeFiles(t, s, files); r.Verdict != "verified" || r.Profile != string(profile) {
			t.Errorf("%s: %s %+v", profile, r.Verdict, r.Findings)
		}
	}
	if len(found[disclosure.ProfileProtected]) > 0 {
		t.Errorf("a protected package holds %v", found[disclosure.ProfileProtected])
	}
	// The search itself finds what an open package holds, apart from addresses.
	for _, value := range protected {
		if open := slices.Contains(found[disclosure.ProfileFull], value); open == strings.HasPrefix(value, "192.") {
			t.Errorf("a full package: %q found %v", value, open)
		}
	}
}

func TestTheProsecutionIsNotToldWhatTheDefenceViewed(t *testing.T) {
	s := newStage(t)
	for _, role := range []evidence.Role{disclosure.RoleDefence, evidence.RoleProsecutor} {
		s.World.Log.Append(t, custody.Entry{Actor: evidence.Actor{Kind: evidence.ActorPerson, Account: evidence.NewID(), Agency: s.World.Agency, Role: role}, Action: "media.deliver", Interview: s.Held.ID})
	}
	for profile, want := range map[disclosure.Profile]bool{disclosure.ProfileProsecution: false, disclosure.ProfileFull: true, disclosure.ProfileDefence: true} {
		e, err := s.Request(t.Context(), s.alone, s.Held.ID, disclosure.Request{Clear: true, Reason: "x", Profile: profile})
		if err != nil {
			t.Fatal(err)
		}
		files, _ := s.hand(t, s.alone, e.ID)
		if got := strings.Contains(string(files[disclosure.EntriesFile]), `"role":"defence"`); got != want {
			t.Errorf("%s: told of the defence %v, want %v", profile, got, want)
		}
		if !strings.Contains(string(files[disclosure.EntriesFile]), `"role":"prosecutor"`) {
			t.Errorf("%s: the prosecutor's own viewing is missing", profile)
		}
		if strings.Contains(string(files[disclosure.CaseFile]), "person defence") != want {
			t.Errorf("%s: the case graph tells of the defence", profile)
		}
	}
}

// long is a recording of three hours with two cameras, whose media is made when it
// is asked for: 21 600 segments of 190 kB, 4 GB.
func TestALongPackageIsNeverHeldInMemory(t *testing.T) {
	const size = 190_000
	w := testutil.NewWorld(t)
	r := w.Record(t, testutil.Shape{Sources: 2, Parts: 1, Loops: 1})
	m := r.Manifest
	tree := seal.NewTree()
	var segments []evidence.Segment
	filler := bytes.Repeat([]byte{7}, size)
	add := func(l evidence.Leaf, plain []byte) {
		l.Salt, l.Plain = evidence.NewSalt(), evidence.Digest{SHA256: hex.EncodeToString(make([]byte, 32)), Size: int64(len(plain))}
		pos, err := tree.Append(l)
		if err != nil {
			t.Fatal(err)
		}
		segments = append(segments, evidence.Segment{Leaf: l, Position: pos})
	}
	for i := range m.Tracks {
		first := -1
		for j, s := range r.Segments {
			if s.Leaf.Track == m.Tracks[i].ID && s.Leaf.Kind == evidence.LeafMedia {
				first = j
				break
			}
		}
		add(r.Segments[first-1].Leaf, r.Plain[first-1])
		for n := range 5400 {
			l := r.Segments[first].Leaf
			l.Index, l.Start, l.End = n, evidence.Offset(n)*2_000_000, evidence.Offset(n+1)*2_000_000
			add(l, filler)
		}
		m.Tracks[i].Segments = 5400
	}
	m.Tree = tree.Head()
	w.Seal(t, r, m, tree)
	excerpt, err := disclosure.NewExcerpt(t.Context(), w.Log, w.Checkpoints, m.Interview, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var peak, told int64
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	p := disclosure.Package{
		Export: evidence.NewID(), CreatedAt: evidence.At(time.Now()), Software: "toldonce test", Profile: disclosure.ProfileFull, Recording: r.Sealed, Segments: segments,
		Excerpt: excerpt, Sealer: w.Authority, Facts: r.Facts(),
		Plaintext: func(_ context.Context, s evidence.Segment) ([]byte, error) {
			return make([]byte, s.Leaf.Plain.Size), nil
		},
		Progress: func(done, _ int64) {
			if done-told > 256<<20 {
				told = done
				var now runtime.MemStats
				runtime.ReadMemStats(&now)
				peak = max(peak, int64(now.HeapInuse)-int64(before.HeapInuse))
			}
		},
	}
	written, err := p.Write(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes, at most %d kB more in memory", written.Bytes, peak>>10)
	if written.Bytes < 4e9 || told == 0 || peak > 100<<20 {
		t.Errorf("%d bytes written, %d kB more in memory", written.Bytes, peak>>10)
	}
}

// The commands printed in a clip's package are run as they stand there.
func TestPrintedCommandsHoldForAClip(t *testing.T) {
	path := toolPath(t, "cosign", "openssl", "ffmpeg")
	w := testutil.NewWorld(t)
	r := w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 2})
	files := w.Clip(t, r, clip.Asked{Range: evidence.Range{From: 2_000_000, Until: 9_000_000}})
	dir := files.WriteTo(t, t.TempDir())
	for _, line := range commandLines(files[disclosure.CommandsFile]) {
		out, err := offline(t, dir, line, path, "TRUST="+w.TrustFolder)
		if err != nil {
			t.Errorf("%s\n%s: %v", line, out, err)
		}
		if strings.HasPrefix(line, "ffmpeg") && out != "" {
			t.Errorf("%s\nprinted %q", line, out)
		}
	}
	other := w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 2})
	swapped := w.Clip(t, other, clip.Asked{Range: evidence.Range{From: 2_000_000, Until: 9_000_000}})
	files[disclosure.ClipFile] = swapped[disclosure.ClipFile]
	dir = filepath.Join(t.TempDir(), "other")
	files.WriteTo(t, dir)
	if _, err := offline(t, dir, "sh -e COMMANDS.txt", path); err == nil {
		t.Error("a clip's description of another recording passes every command")
	}
}
