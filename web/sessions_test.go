package web

import (
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
)

func TestSessionsOfAnAccount(t *testing.T) {
	h := newHarness(t)
	advocate := h.Actors[evidence.RoleAdvocate]
	path := "/accounts/" + string(advocate.Account) + "/sessions"
	elsewhere := h.signIn(advocate)
	h.Advance(30 * time.Second) // a code is used once
	mine := want[list[AccountSession]](h, h.as(evidence.RoleAdvocate, "GET", path, nil), 200).Items
	if len(mine) != 2 || !mine[0].This || mine[1].This || mine[1].Locked {
		t.Fatalf("%+v", mine)
	}
	if w := h.as(evidence.RoleCustodian, "GET", path, nil); w.Code != 403 {
		t.Errorf("somebody else's: %s", describe(w))
	}
	if w := h.as(evidence.RoleCustodian, "DELETE", path+"/"+string(mine[1].ID), nil); w.Code != 403 {
		t.Errorf("ending somebody else's: %s", describe(w))
	}
	if w := h.as(evidence.RoleAdvocate, "DELETE", path+"/"+string(mine[1].ID), nil); w.Code != 204 {
		t.Errorf("ending one's own: %s", describe(w))
	}
	if w := h.do(call{method: "GET", path: apiPrefix + "/me", cookie: elsewhere}); w.Code != 401 {
		t.Errorf("an ended session: %s", describe(w))
	}
	if w := h.as(evidence.RoleAdvocate, "DELETE", path+"/"+string(mine[1].ID), nil); w.Code != 404 {
		t.Errorf("ended twice: %s", describe(w))
	}
	// An administrator ends what is left, and learns no more than that it was there.
	left := want[list[AccountSession]](h, h.as(evidence.RoleAdmin, "GET", path, nil), 200).Items
	if len(left) != 1 || left[0].This {
		t.Fatalf("%+v", left)
	}
	if w := h.as(evidence.RoleAdmin, "DELETE", path+"/"+string(left[0].ID), nil); w.Code != 204 {
		t.Errorf("by an administrator: %s", describe(w))
	}
	if w := h.as(evidence.RoleAdvocate, "GET", "/me", nil); w.Code != 401 {
		t.Errorf("ended by an administrator: %s", describe(w))
	}
	ended := h.store.ended
	if len(ended) != 2 || ended[0].Actor.Account != advocate.Account || ended[1].Actor.Role != evidence.RoleAdmin || ended[1].Subject != advocate.Account ||
		ended[1].Action != access.SessionEnd || ended[1].Details["session"] != string(left[0].ID) {
		t.Errorf("%+v", ended)
	}
}
