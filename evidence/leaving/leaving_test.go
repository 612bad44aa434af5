package leaving

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence"
)

const (
	camera = evidence.ID("0198f5a0-0000-7000-8000-000000000001")
	sound  = evidence.ID("0198f5a0-0000-7000-8000-000000000002")
	video  = evidence.ID("0198f5a0-0000-7000-8000-000000000003")
)

const s = evidence.Offset(1_000_000)

func marker(value string) evidence.Event {
	return evidence.Event{Kind: evidence.EventMarker, Value: value}
}

// good is a recording of a minute of which nothing is to be said.
func good() evidence.Manifest {
	anchors := []evidence.Anchor{{Part: 1, DecodeTime: "0", Method: "clock-offset"}}
	return evidence.Manifest{
		Type: evidence.TypeManifest, Version: 2, Recording: "0198f5a0-0000-7000-8000-00000000000a", Interview: "0198f5a0-0000-7000-8000-00000000000b",
		Sources: []evidence.ManifestSource{{ID: camera, SourceManifest: evidence.SourceManifestVerified}},
		Tracks: []evidence.ManifestTrack{
			{ID: video, Source: camera, Kind: evidence.Video, Frames: evidence.Frames{Whole: 1800}, Anchors: anchors},
			{ID: sound, Source: camera, Kind: evidence.Audio, Frames: evidence.Frames{Whole: 3000}, Anchors: anchors},
		},
		Events: []evidence.Event{
			{Kind: evidence.EventStart}, marker("present-interviewer"), marker("present-person"), marker("introduced-interviewer"), marker("introduced-person"),
			{Kind: evidence.EventStop, At: 60 * s},
		},
	}
}

var voice = []Heard{{Source: camera, Seconds: 40}}

func quality(kind, cause string, at evidence.Offset) evidence.Event {
	return evidence.Event{Kind: kind, Source: camera, Value: cause, At: at}
}

func gap(cause string, from, until evidence.Offset) evidence.Gap {
	return evidence.Gap{Track: video, Cause: cause, Start: from, End: until}
}

func before(m *evidence.Manifest, events ...evidence.Event) {
	last := len(m.Events) - 1
	m.Events = append(append(m.Events[:last:last], events...), m.Events[last])
}

// One thing is changed in a recording of which nothing is to be said: exactly the line
// that is about it changes.
func TestJudge(t *testing.T) {
	began, ended := evidence.EventQualityBegan, evidence.EventQualityEnded
	for name, c := range map[string]struct {
		change func(m *evidence.Manifest)
		heard  []Heard
		code   string
		want   string
		value  int64 // -1: none
	}{
		"nobody is noted":                {func(m *evidence.Manifest) { m.Events = m.Events[5:] }, voice, Introduced, "unknown", -1},
		"one was not introduced":         {func(m *evidence.Manifest) { before(m, marker("present-advocate")) }, voice, Introduced, "look", 1},
		"a marker that begins otherwise": {func(m *evidence.Manifest) { before(m, marker("presently")) }, voice, Introduced, "good", 0},
		"stopped in a break":             {func(m *evidence.Manifest) { before(m, evidence.Event{Kind: evidence.EventPause}) }, voice, Breaks, "look", 1},
		"a break that ended": {func(m *evidence.Manifest) {
			before(m, evidence.Event{Kind: evidence.EventPause}, evidence.Event{Kind: evidence.EventResume})
		}, voice, Breaks, "good", 0},
		"no sound":                       {func(m *evidence.Manifest) { m.Tracks = m.Tracks[:1] }, voice, Tracks, "look", 1},
		"a source that recorded nothing": {func(m *evidence.Manifest) { m.Sources = append(m.Sources, evidence.ManifestSource{ID: sound}) }, voice, Tracks, "look", 2},
		"a moment is missing":            {func(m *evidence.Manifest) { m.Gaps = []evidence.Gap{gap("packet-loss", 10*s, 10*s+900_000)} }, voice, Whole, "good", 900},
		"two seconds are missing": {func(m *evidence.Manifest) {
			m.Gaps = []evidence.Gap{gap("packet-loss", 10*s, 11*s), gap("damaged", 10*s, 12*s)}
		}, voice, Whole, "look", 2000},
		"missing in a break": {func(m *evidence.Manifest) { m.Gaps = []evidence.Gap{gap("pause", 10*s, 30*s)} }, voice, Whole, "good", 0},
		"handed over later": {func(m *evidence.Manifest) {
			m.Gaps = []evidence.Gap{gap("source-away", 10*s, 30*s)}
			m.Replacements = []evidence.Replacement{{Track: video, Start: 9 * s, End: 20 * s}, {Track: video, Start: 20 * s, End: 29*s + 500_000}, {Track: sound, Start: 0, End: 60 * s}}
		}, voice, Whole, "good", 500},
		"handed over in part": {func(m *evidence.Manifest) {
			m.Gaps = []evidence.Gap{gap("source-away", 10*s, 30*s), gap("restart", 40*s, 41*s)}
			m.Replacements = []evidence.Replacement{{Track: video, Start: 12 * s, End: 25 * s}}
		}, voice, Whole, "look", 8000},
		"nobody was heard":    {nil, []Heard{{Source: camera}}, Speech, "look", 0},
		"no levels":           {nil, nil, Speech, "unknown", -1},
		"a pause of a minute": {func(m *evidence.Manifest) { before(m, quality(began, "sound-silent", 0)) }, voice, Silence, "look", 60},
		"a short silence": {func(m *evidence.Manifest) {
			before(m, quality(began, "sound-silent", 0), quality(ended, "sound-silent", 12*s))
		}, voice, Silence, "good", 12},
		"it stood still, dark": {func(m *evidence.Manifest) {
			before(m, quality(began, "picture-frozen", 10*s), quality(began, "picture-black", 12*s), quality(ended, "picture-frozen", 17*s), quality(ended, "picture-black", 18*s))
		}, voice, Still, "look", 8},
		"it was out of step": {func(m *evidence.Manifest) {
			before(m, quality(began, "sync-apart", 59*s), quality(ended, "sync-apart", 59*s+1))
		}, voice, Sync, "look", 1},
		"no reports of time": {func(m *evidence.Manifest) {
			for i := range m.Tracks {
				m.Tracks[i].Anchors = []evidence.Anchor{{Method: "arrival"}}
			}
		}, voice, Sync, "unknown", -1},
		"copies differ":      {func(m *evidence.Manifest) { m.Sources[0].SourceManifest = evidence.SourceManifestMismatched }, voice, Copies, "look", -1},
		"frames are missing": {func(m *evidence.Manifest) { m.Sources[0].SourceManifest = evidence.SourceManifestIncomplete }, voice, Copies, "look", -1},
		"no account":         {func(m *evidence.Manifest) { m.Sources[0].SourceManifest = evidence.SourceManifestNone }, voice, Copies, "unknown", -1},
	} {
		t.Run(name, func(t *testing.T) {
			m := good()
			if c.change != nil {
				c.change(&m)
			}
			found := false
			lines := Judge(m, c.heard)
			for _, l := range lines {
				value := int64(-1)
				if l.Value != nil {
					value = *l.Value
				}
				switch {
				case l.Source != "" && l.Source != camera:
				case l.Code == c.code:
					found = true
					if l.Verdict != c.want || value != c.value {
						t.Errorf("%s: %s, %d; want %s, %d", l.Code, l.Verdict, value, c.want, c.value)
					}
				case l.Verdict != evidence.CheckGood:
					t.Errorf("%s is %s too", l.Code, l.Verdict)
				}
			}
			if !found {
				t.Errorf("no line %s", c.code)
			}
			want := Complete
			if c.want == "look" {
				want = Look
			}
			if got := VerdictOf(lines); got != want {
				t.Errorf("verdict %s", got)
			}
		})
	}
}

func encoded(t *testing.T, r Record) []byte {
	t.Helper()
	record, err := evidence.Canonical(r)
	if err != nil {
		t.Fatal(err)
	}
	data, err := Encode(record, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRecord(t *testing.T) {
	m := good()
	rate := int64(30)
	before := []evidence.Check{{Code: evidence.CheckPictureRate, Verdict: evidence.CheckGood, Source: camera, Value: &rate}}
	r := Make(m, []byte("manifest"), before, true, voice, 7)
	_, got, err := Parse(encoded(t, r))
	if err != nil || got.Verdict != Complete || !got.Judged(m, []byte("manifest")) {
		t.Fatalf("%v %+v", err, got)
	}
	if got.Judged(m, []byte("another")) {
		t.Error("it holds for another manifest")
	}
	m.Gaps = []evidence.Gap{gap("packet-loss", 0, 9*s)}
	if got.Judged(m, []byte("manifest")) {
		t.Error("it holds although seconds are missing")
	}
	for name, change := range map[string]func(r *Record){
		"a better verdict": func(r *Record) { r.After[0].Verdict = evidence.CheckLook },
		"no such verdict":  func(r *Record) { r.Before[0].Verdict = "fine" },
		"no lines":         func(r *Record) { r.After = nil },
		"no recording":     func(r *Record) { r.Recording = "x" },
		"no manifest":      func(r *Record) { r.Manifest = "abc" },
	} {
		bad := Make(good(), []byte("manifest"), before, false, voice, 7)
		change(&bad)
		if _, _, err := Parse(encoded(t, bad)); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	later := Make(good(), nil, nil, false, nil, 7)
	later.Version = 2
	if _, _, err := Parse(encoded(t, later)); !errors.Is(err, evidence.ErrUnknownFormat) {
		t.Errorf("a later version: %v", err)
	}
}

// The record of a version never changes: this one was written when it was released.
func TestVector(t *testing.T) {
	data, err := os.ReadFile("testdata/check-v1.json")
	if err != nil {
		t.Fatal(err)
	}
	f, r, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	m := good()
	before(&m, marker("present-advocate"))
	rate := int64(30)
	again := Make(m, []byte("manifest"), []evidence.Check{{Code: evidence.CheckPictureRate, Verdict: evidence.CheckGood, Source: camera, Value: &rate}}, true, voice, 1_760_000_000_000_000)
	record, err := evidence.Canonical(again)
	if err != nil || string(record) != f.Record {
		t.Errorf("%v\n%s\n%s", err, record, f.Record)
	}
	if r.Verdict != Look || !r.Judged(m, []byte("manifest")) {
		t.Errorf("%+v", r)
	}
}

func FuzzParse(f *testing.F) {
	data, err := os.ReadFile("testdata/check-v1.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(strings.Replace(string(data), "look", "good", 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, r, err := Parse(data)
		if err != nil {
			return
		}
		again, err := Encode([]byte(file.Record), []byte(file.Bundle))
		if err != nil || string(again) != string(data) {
			t.Errorf("read and written again: %v", err)
		}
		r.Judged(evidence.Manifest{}, nil)
	})
}

func ExampleJudge() {
	m := good()
	m.Events = append(m.Events[:1:1], m.Events[2:]...)
	before(&m, marker("present-guardian"))
	lines, _ := json.Marshal(Judge(m, voice)[0])
	fmt.Println(string(lines))
	// Output: {"code":"introduced","verdict":"look","value":1}
}
