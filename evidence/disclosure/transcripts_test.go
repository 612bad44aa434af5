package disclosure_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/transcript"
)

// spoken is one unofficial transcript.
type spoken struct{ v transcript.Version }

var spokenFile = transcript.Format([]transcript.Cue{{From: 0, Until: 500_000, Speaker: "Wren", Text: "Po."}, {From: 600_000, Until: 90_000_000, Text: "Later."}})

func (s spoken) Leaving(context.Context, evidence.ID) ([]transcript.Version, error) {
	return []transcript.Version{s.v}, nil
}

func (s spoken) Text(context.Context, transcript.Version) ([]byte, []transcript.Cue, error) {
	cues, err := transcript.ParseFile(spokenFile)
	return spokenFile, cues, err
}

func TestTranscriptsLeaveUnderNoProtectiveOrder(t *testing.T) {
	s := newStage(t)
	sum := sha256.Sum256(spokenFile)
	v := transcript.Version{ID: evidence.NewID(), Recording: s.Held.Recording, Interview: s.Held.ID, Language: "sq", Number: 1, Origin: transcript.Imported, Cues: 2, CreatedAt: 1,
		Plain: evidence.Digest{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(spokenFile))}}
	s.Service.Transcripts = spoken{v}
	s.World.Log.Append(t, custody.Entry{Actor: evidence.System(s.Held.Agency), Action: transcript.ActionWrite, Agency: s.Held.Agency, Case: s.Held.Case, Interview: s.Held.ID, Subject: v.ID,
		Details: map[string]string{"sha256": v.Plain.SHA256}})
	for _, x := range []struct {
		profile disclosure.Profile
		lines   string
	}{
		{disclosure.ProfileFull, "Po.|Later."},
		{disclosure.ProfileDefence, "Po.|Later."},
		{disclosure.ProfileProtected, ""},
	} {
		e, err := s.Request(t.Context(), s.alone, s.Held.ID, disclosure.Request{Clear: true, Reason: "asked", Profile: x.profile})
		if err != nil {
			t.Fatal(err)
		}
		files, _ := s.hand(t, s.alone, e.ID)
		var lines []string
		if file, ok := files[disclosure.TranscriptFile("sq")]; ok {
			cues, err := transcript.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range cues {
				lines = append(lines, c.Text)
			}
		}
		if got := strings.Join(lines, "|"); got != x.lines {
			t.Errorf("%s: %q, want %q", x.profile, got, x.lines)
		}
		if r := judgeFiles(t, s, files); r.Verdict != "verified" {
			t.Errorf("%s: %s %+v", x.profile, r.Verdict, r.Findings)
		}
		for name, data := range files {
			if x.profile == disclosure.ProfileProtected && bytes.Contains(data, []byte("Wren")) {
				t.Errorf("%s names her", name)
			}
		}
	}
}
