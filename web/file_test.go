package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/casefile"
)

// TestTheCaseFileOverTheAPI: what is written down, whose duty it is, and who may
// not read of it.
func TestTheCaseFileOverTheAPI(t *testing.T) {
	h, _ := newRealHarness(t)
	h.OpenCase()
	file := "/cases/" + string(h.Case.ID) + "/file"
	suspect := h.AddPerson(casefile.NewPerson{Pseudonym: "Ujku", Kind: casefile.Suspect, Age: casefile.Adult, Language: "sq"})
	made := want[Sheet](h, h.as(evidence.RoleCaseManager, http.MethodPost, file, map[string]any{"content": map[string]any{"duty": map[string]any{"code": "other", "text": "call the school"}},
		"for_role": "advocate", "due_at": "2099-03-04T09:00:00Z"}), 201)
	duties := want[list[Sheet]](h, h.as(evidence.RoleAdvocate, http.MethodGet, "/duties", nil), 200).Items
	if len(duties) != 1 || duties[0].ID != made.ID || !duties[0].MayClose || duties[0].Content.Duty.Text != "call the school" {
		t.Errorf("%+v", duties)
	}
	closed := want[Sheet](h, h.as(evidence.RoleAdvocate, http.MethodPost, "/file/"+string(made.ID)+"/close", map[string]any{"outcome": "called"}), 200)
	if closed.ClosedAt == nil || closed.Outcome != "called" {
		t.Errorf("%+v", closed)
	}
	if w := h.as(evidence.RoleAdvocate, http.MethodPost, file, map[string]any{"content": map[string]any{"service": map[string]any{"service": "medical", "to": "x"}, "duty": map[string]any{"code": "other"}}}); w.Code != 403 && w.Code != 422 {
		t.Errorf("two things on one sheet: %d", w.Code)
	}

	// Where a suspect will be, and who is close to him, is not for the whole team.
	h.as(evidence.RoleProsecutor, http.MethodPost, file, map[string]any{"person_id": suspect.ID, "content": map[string]any{"outsider": map[string]any{"name": "Besnik-the-brother", "kind": "kin", "why": "register"}}})
	if w := h.as(evidence.RoleCaseManager, http.MethodPost, "/people/"+string(suspect.ID)+"/links", map[string]any{"account_id": h.Second[evidence.RoleObserver].Account, "kind": "kin", "reason": "register"}); w.Code != 204 {
		t.Fatal(describe(w))
	}
	for role, sees := range map[evidence.Role]bool{evidence.RoleCaseManager: true, evidence.RoleCustodian: true, evidence.RoleAuditor: true, evidence.RoleInterviewer: false, evidence.RoleAdvocate: false, evidence.RoleObserver: false} {
		if body := h.as(role, http.MethodGet, file, nil).Body.String(); strings.Contains(body, "Besnik") != sees {
			t.Errorf("%s reads %s", role, body)
		}
		if w := h.as(role, http.MethodGet, "/cases/"+string(h.Case.ID)+"/links", nil); (w.Code == 200) != sees {
			t.Errorf("%s: links %d", role, w.Code)
		}
		body := h.as(role, http.MethodGet, "/cases/"+string(h.Case.ID)+"/custody?action=file.", nil).Body.String()
		if strings.Contains(body, "outsider") != sees && role != evidence.RoleObserver {
			t.Errorf("%s reads in the log %s", role, body)
		}
	}
	links := want[list[Link]](h, h.as(evidence.RoleCustodian, http.MethodGet, "/cases/"+string(h.Case.ID)+"/links", nil), 200).Items
	if len(links) != 1 || !links[0].InForce || !links[0].MayDecide || links[0].Due == nil {
		t.Fatalf("%+v", links)
	}
	decided := want[Link](h, h.as(evidence.RoleCustodian, http.MethodPost, "/links/"+string(links[0].ID)+"/decision", map[string]any{"state": "dismissed", "reason": "another family"}), 200)
	if decided.InForce || decided.State != "dismissed" {
		t.Errorf("%+v", decided)
	}

	iv := h.Plan(h.PlanFor(h.Victim.ID))
	danger := want[Sheet](h, h.as(evidence.RoleObserver, http.MethodPost, "/interviews/"+string(iv.ID)+"/danger", map[string]any{}), 201)
	if danger.Content.Danger == nil || len(danger.Content.Danger.Recipients) != 3 {
		t.Errorf("%+v", danger)
	}
	room := want[RoomCheck](h, h.as(evidence.RoleInterviewer, http.MethodPost, "/rooms/"+string(h.Room.ID)+"/check",
		map[string]any{"private": true, "furniture": true, "sound": true, "whole_room": true, "no_symbols": true}), 201)
	if rooms := want[list[Room]](h, h.as(evidence.RoleCaseManager, http.MethodGet, "/rooms", nil), 200).Items; !room.Fit || rooms[0].Check == nil || !rooms[0].Check.Fit {
		t.Errorf("%+v %+v", room, rooms)
	}
	texts := want[ConsentTexts](h, h.as(evidence.RoleInterviewer, http.MethodGet, "/consent-texts", nil), 200)
	if texts.Texts["sq"].Purposes[consent.ToRecord].Child == "" {
		t.Errorf("%+v", texts)
	}
}
