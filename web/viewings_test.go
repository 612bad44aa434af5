package web

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
)

// termed gives the prosecutor everything of an interview under conditions.
func (h *harness) termed(interview evidence.ID, more map[string]any) Grant {
	h.Helper()
	body := map[string]any{"source": "all", "to": "prosecutor", "from": 0, "until": 8_000_000,
		"not_after": "2099-03-04T09:00:00Z", "purpose": "Charging review.", "basis": "CPC art. 212", "rests_on": "law"}
	for k, v := range more {
		body[k] = v
	}
	g := want[Grant](h, h.as(evidence.RoleProsecutor, "POST", "/interviews/"+string(interview)+"/grants", body), 201)
	return want[Grant](h, h.as(evidence.RoleCustodian, "POST", "/grants/"+string(g.ID)+"/approve", nil), 200)
}

func code(h *harness, w *httptest.ResponseRecorder, status int) string {
	h.Helper()
	p := want[Problem](h, w, status)
	if len(p.Reasons) == 0 {
		return ""
	}
	return p.Reasons[0].Code
}

func TestNoByteBeforeTheTerms(t *testing.T) {
	h, _ := newRealHarness(t)
	h.OpenCase()
	iv, tracks := h.Sealed(h.Victim.ID, 8)
	g := h.termed(iv.ID, map[string]any{"viewings": 1, "covers": []string{"audio", "clip"}})
	if !g.Terms || g.Most != 1 || !slices.Equal(g.Covers, []access.Cover{access.CoverAudio, access.CoverClip}) || g.Accepted || g.Viewings != 0 {
		t.Errorf("%+v", g)
	}
	base := "/interviews/" + string(iv.ID)
	sound, picture := base+"/hls/"+string(tracks[0].Track.ID), base+"/hls/"+string(tracks[1].Track.ID)
	for _, path := range []string{base + "/playback", base + "/hls/main.m3u8", sound + "/index.m3u8", sound + "/init-0.mp4", sound + "/0.m4s", sound + "/gap.m4s", base + "/tracks/" + string(tracks[0].Track.ID) + "/levels"} {
		if got := code(h, h.as(evidence.RoleProsecutor, "GET", path, nil), 403); got != "grant.terms" {
			t.Errorf("%s before the terms: %s", path, got)
		}
	}
	terms := want[Terms](h, h.as(evidence.RoleProsecutor, "GET", "/terms?language=sr-Latn", nil), 200)
	if got := code(h, h.as(evidence.RoleCustodian, "POST", "/grants/"+string(g.ID)+"/viewings", map[string]any{"terms_sha256": terms.SHA256}), 403); got != "access.role" {
		t.Errorf("accepted for somebody else: %s", got)
	}
	g = want[Grant](h, h.as(evidence.RoleProsecutor, "POST", "/grants/"+string(g.ID)+"/viewings", map[string]any{"terms_sha256": terms.SHA256}), 200)
	if !g.Accepted || g.Viewings != 1 {
		t.Errorf("%+v", g)
	}
	if w := h.as(evidence.RoleProsecutor, "GET", sound+"/index.m3u8", nil); w.Code != 200 {
		t.Errorf("after the terms: %s", describe(w))
	}
	// Sound alone: the playlists name no picture, and no byte of one is sent.
	main := h.as(evidence.RoleProsecutor, "GET", base+"/hls/main.m3u8", nil)
	if main.Code != 200 || strings.Contains(main.Body.String(), string(tracks[1].Track.ID)) {
		t.Errorf("%s", describe(main))
	}
	for _, path := range []string{picture + "/init-0.mp4", picture + "/0.m4s"} {
		if got := code(h, h.as(evidence.RoleProsecutor, "GET", path, nil), 403); got != "grant.outside" {
			t.Errorf("%s: %s", path, got)
		}
	}
	// Another session is another viewing, and there was one.
	delete(h.cookies, evidence.RoleProsecutor)
	h.Advance(30 * time.Second) // a code is used once
	if got := code(h, h.as(evidence.RoleProsecutor, "GET", base+"/playback", nil), 403); got != "grant.terms" {
		t.Errorf("in another session: %s", got)
	}
	if got := code(h, h.as(evidence.RoleProsecutor, "POST", "/grants/"+string(g.ID)+"/viewings", map[string]any{"terms_sha256": terms.SHA256}), 403); got != "grant.viewings_used" {
		t.Errorf("a second viewing of one: %s", got)
	}
	longer := want[Grant](h, h.as(evidence.RoleProsecutor, "POST", "/grants/"+string(g.ID)+"/extension", nil), 201)
	if longer.State != "proposed" || longer.Extends == nil || *longer.Extends != g.ID || longer.Most != 1 || !longer.NotBefore.Equal(g.NotAfter) {
		t.Errorf("%+v", longer)
	}
	e := want[InterviewExposure](h, h.as(evidence.RoleProsecutor, "GET", base+"/exposure", nil), 200)
	if e.Interviews != 1 || e.Grants != 1 || len(e.Proposals) != 5 || e.Proposals[0].Need != access.NeedWords {
		t.Errorf("%+v", e)
	}
	want[Grant](h, h.as(evidence.RoleCustodian, "POST", "/grants/"+string(g.ID)+"/revoke", map[string]any{"reason": "Over."}), 200)
	// Clips were allowed, so she says what became of them, once.
	said := want[Grant](h, h.as(evidence.RoleProsecutor, "POST", "/grants/"+string(g.ID)+"/copies", map[string]any{"copies": "returned"}), 200)
	if said.Attested != "returned" || said.Owes {
		t.Errorf("%+v", said)
	}
	if got := code(h, h.as(evidence.RoleProsecutor, "POST", "/grants/"+string(g.ID)+"/copies", map[string]any{"copies": "destroyed"}), 409); got != "grant.attestation.none" {
		t.Errorf("said twice: %s", got)
	}
}
