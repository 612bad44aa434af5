package web

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

const threeLines = "WEBVTT\n\n00:00.000 --> 00:02.000\n<v Interviewer>Si e ke emrin?\n\n00:02.500 --> 00:04.000\nMira.\n\n00:09.000 --> 00:10.000\nThe man next door.\n"

// transcriptGrant gives the prosecutor a stretch with its transcript.
func (h *harness) transcriptGrant(interview evidence.ID, from, until evidence.Offset) Grant {
	h.Helper()
	now, err := h.store.Now(context.Background())
	h.Must(err)
	g := want[Grant](h, h.as(evidence.RoleProsecutor, "POST", "/interviews/"+string(interview)+"/grants", map[string]any{"source": "all", "to": "prosecutor", "from": from, "until": until,
		"not_after": now.Time().Add(time.Hour), "purpose": "Charging review.", "basis": "CPC art. 212", "rests_on": "law", "transcript": true}), 201)
	if !g.Transcript {
		h.Fatal("the grant does not include the transcript")
	}
	return want[Grant](h, h.as(evidence.RoleCustodian, "POST", "/grants/"+string(g.ID)+"/approve", nil), 200)
}

func lines(t TranscriptText) string {
	var out []string
	for _, l := range t.Lines {
		out = append(out, l.Text)
	}
	return strings.Join(out, "|")
}

func TestATranscriptFromImportToCertificate(t *testing.T) {
	h := newHarness(t)
	iv, _ := h.record(t)
	base := "/interviews/" + string(iv.ID) + "/transcripts"
	if w := h.as(evidence.RoleInterviewer, "POST", base, map[string]any{"vtt": "WEBVTT\n\nno times\nhere\n"}); w.Code != 422 || !strings.Contains(w.Body.String(), "transcript.file") {
		t.Errorf("no WebVTT: %s", describe(w))
	}
	if w := h.as(evidence.RoleInterviewer, "POST", base, map[string]any{"vtt": threeLines, "shift_us": 3_600_000_000}); w.Code != 422 || !strings.Contains(w.Body.String(), "transcript.beyond") {
		t.Errorf("beyond the end: %s", describe(w))
	}
	first := want[Transcript](h, h.as(evidence.RoleInterviewer, "POST", base, map[string]any{"vtt": threeLines}), 201)
	if first.Language != iv.Language || first.Number != 1 || first.Official || first.Cues != 3 || first.Origin != "import" {
		t.Fatalf("%+v", first)
	}
	for key, cipher := range h.store.objects {
		if strings.HasPrefix(key, "transcripts/") && (strings.Contains(string(cipher), "Mira") || !strings.HasPrefix(string(cipher), "age-encryption.org/")) {
			t.Error("it is stored in the clear")
		}
	}
	one := "/transcripts/" + string(first.ID)
	if w := h.as(evidence.RoleProsecutor, "GET", one, nil); w.Code != 404 {
		t.Errorf("without any grant: %s", describe(w))
	}
	plain := h.grantRange(iv.ID, "close-up", 0, 12_500_000)
	if w := h.as(evidence.RoleProsecutor, "GET", one, nil); w.Code != 403 || !strings.Contains(w.Body.String(), "transcript.no_grant") {
		t.Errorf("a grant without the transcript: %s", describe(w))
	}
	g := h.transcriptGrant(iv.ID, 0, 6_500_000)
	got := want[TranscriptText](h, h.as(evidence.RoleProsecutor, "GET", one, nil), 200)
	if lines(got) != "Si e ke emrin?|Mira." || got.Lines[0].Speaker != "Interviewer" || got.Ranges[0].Until > 6_500_000 {
		t.Errorf("%+v", got)
	}
	if log := h.store.Log("transcript.deliver"); len(log) != 1 || log[0].Subject != g.ID || log[0].Details["transcript"] != string(first.ID) {
		t.Errorf("the log has %+v", log)
	}

	// She corrects what she can read; what she cannot read stays.
	change := got.Lines
	change[1].Text = "Mirë."
	if w := h.as(evidence.RoleProsecutor, "POST", one+"/versions", map[string]any{"lines": append(change, TranscriptCue{From: 9_000_000, Until: 9_500_000, Text: "I guess."})}); w.Code != 403 {
		t.Errorf("a line outside the grant: %s", describe(w))
	}
	second := want[Transcript](h, h.as(evidence.RoleProsecutor, "POST", one+"/versions", map[string]any{"lines": change}), 201)
	if second.Number != 2 || second.Base != first.ID || second.Cues != 3 || second.SHA256 == first.SHA256 {
		t.Errorf("%+v", second)
	}
	two := "/transcripts/" + string(second.ID)
	if w := h.as(evidence.RoleProsecutor, "POST", two+"/certify", map[string]any{"name": "P. Q."}); w.Code != 403 || !strings.Contains(w.Body.String(), "transcript.not_whole") {
		t.Errorf("certified without being read: %s", describe(w))
	}
	whole := h.transcriptGrant(iv.ID, 0, 70_000_000)
	if got := want[TranscriptText](h, h.as(evidence.RoleProsecutor, "GET", two, nil), 200); lines(got) != "Si e ke emrin?|Mirë.|The man next door." {
		t.Errorf("%+v", got)
	}
	official := want[Transcript](h, h.as(evidence.RoleProsecutor, "POST", two+"/certify", map[string]any{"name": " P. Q.,  prosecutor "}), 200)
	if !official.Official || official.Certifier != "P. Q., prosecutor" || official.CertifiedAt == nil {
		t.Errorf("%+v", official)
	}
	if e := h.store.Log("transcript.certify"); len(e) != 1 || e[0].Details["sha256"] != second.SHA256 || strings.Contains(e[0].Details["name"], "P. Q.") {
		t.Errorf("the log has %+v", e)
	}
	if w := h.as(evidence.RoleProsecutor, "POST", two+"/certify", map[string]any{"name": "P. Q."}); w.Code != 409 {
		t.Errorf("certified twice: %s", describe(w))
	}
	list := want[Transcripts](h, h.as(evidence.RoleObserver, "GET", base, nil), 200)
	if len(list.Items) != 2 || list.Items[0].Official || !list.Items[1].Official || list.MayWrite || list.MayCertify {
		t.Errorf("%+v", list)
	}
	for _, id := range []evidence.ID{plain.ID, g.ID, whole.ID} {
		h.as(evidence.RoleCustodian, "POST", "/grants/"+string(id)+"/revoke", map[string]any{"reason": "Over."})
	}
	if w := h.as(evidence.RoleProsecutor, "GET", two, nil); w.Code != 403 || !strings.Contains(w.Body.String(), "grant.revoked") {
		t.Errorf("revoked: %s", describe(w))
	}
}
