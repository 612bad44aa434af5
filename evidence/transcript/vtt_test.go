package transcript

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence"
)

const ms = millisecond

func TestAToolsFileIsRead(t *testing.T) {
	data, err := os.ReadFile("testdata/tool.vtt")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(data)
	want := []Cue{{From: 1000 * ms, Until: 2500 * ms, Speaker: "Interviewer", Text: "Si e ke emrin & moshën?"}, {From: 3250 * ms, Until: 4000 * ms, Text: "Mira.\nNjëmbëdhjetë <vjeç>."}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %v", got, err)
	}
	// The one form of version 1. It never changes: certificates are about these bytes.
	golden, err := os.ReadFile("testdata/form.vtt")
	if err != nil {
		t.Fatal(err)
	}
	if form := Format(got); !bytes.Equal(form, golden) {
		t.Errorf("the form changed:\n%s", form)
	}
	if again, err := ParseFile(golden); err != nil || !reflect.DeepEqual(again, want) {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := ParseFile(data); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("another form was taken for the one form: %v", err)
	}
}

func TestWhatIsNoTranscriptIsRefused(t *testing.T) {
	const head = "WEBVTT\n\n"
	for name, file := range map[string]string{
		"empty":                  "",
		"another format":         "1\n00:00:01,000 --> 00:00:02,000\nsubtitles\n",
		"another word":           "WEBVTTX\n",
		"no UTF-8":               head + "00:01.000 --> 00:02.000\n\xff\n",
		"a zero byte":            head + "00:01.000 --> 00:02.000\na\x00b\n",
		"a cue without times":    head + "one\ntwo\n",
		"times that are none":    head + "00:01 --> 00:02.000\nx\n",
		"sixty seconds":          head + "00:60.000 --> 01:01.000\nx\n",
		"an end before a start":  head + "00:02.000 --> 00:01.000\nx\n",
		"an empty span":          head + "00:02.000 --> 00:02.000\nx\n",
		"a hundred hours":        head + "100:00:00.000 --> 100:00:01.000\nx\n",
		"a cue inside another":   head + "00:01.000 --> 00:02.000\nx\n00:03.000 --> 00:04.000\ny\n",
		"a long text":            head + "00:01.000 --> 00:02.000\n" + strings.Repeat("x", MaxText+1) + "\n",
		"a long name":            head + "00:01.000 --> 00:02.000\n<v " + strings.Repeat("x", MaxSpeaker+1) + ">y\n",
		"a control character":    head + "00:01.000 --> 00:02.000\na\x1bb\n",
		"too many cues":          head + strings.Repeat("00:01.000 --> 00:02.000\nx\n\n", MaxCues+1),
		"too large":              head + strings.Repeat("NOTE x\n\n", MaxFile/8),
		"an identifier, the end": head + "one",
	} {
		if cues, err := Parse([]byte(file)); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%s: %d cues, %v", name, len(cues), err)
		}
	}
}

func TestOnlyWholeLinesAreGiven(t *testing.T) {
	cues := []Cue{{From: 0, Until: 10, Text: "a"}, {From: 10, Until: 20, Text: "b"}, {From: 18, Until: 25, Text: "c"}, {From: 30, Until: 40, Text: "d"}}
	var got string
	for _, c := range Within(cues, Merge([]evidence.Range{{From: 20, Until: 40}, {From: 10, Until: 20}})) {
		got += c.Text
	}
	if got != "bcd" {
		t.Errorf("touching ranges: %q", got)
	}
	if n := len(Within(cues, []evidence.Range{{From: 1, Until: 24}})); n != 1 {
		t.Errorf("%d lines", n)
	}
}

func TestWhatLeavesIsTheNewestCertified(t *testing.T) {
	all := []Version{{Language: "sq", Number: 1, CertifiedBy: "a"}, {Language: "sq", Number: 2}, {Language: "en", Number: 1}, {Language: "en", Number: 2}, {Language: "sq", Number: 3, CertifiedBy: "b"}, {Language: "sq", Number: 4}}
	got := Chosen(all)
	if len(got) != 2 || got[0].Language != "en" || got[0].Number != 2 || got[1].Number != 3 {
		t.Errorf("%+v", got)
	}
}

// FuzzParse: whatever is taken has one form, which is read back as it was, and lies
// within the bounds.
func FuzzParse(f *testing.F) {
	tool, err := os.ReadFile("testdata/tool.vtt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tool)
	f.Add([]byte("WEBVTT\n\n00:01.000 --> 00:02.000\n<v A&amp;lt;>x --> <c>y\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cues, err := Parse(data)
		if err != nil {
			if !errors.Is(err, evidence.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		kept, err := Clean(cues)
		if err != nil || len(kept) != len(cues) {
			t.Fatalf("what was read cannot be kept: %v", err)
		}
		form := Format(kept)
		again, err := ParseFile(form)
		if err != nil || len(again) != len(kept) || len(kept) > 0 && !reflect.DeepEqual(again, kept) {
			t.Fatalf("%q: %v\n%+v\n%+v", form, err, again, kept)
		}
	})
}
