package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/casefile"
)

// TestEachRoleSeesWhatItNeedsToKnow: an auditor checks what was done and never
// learns to whom; a child's words, her interpreter and why her guardian has no
// part are for those who speak with her and look after her.
func TestEachRoleSeesWhatItNeedsToKnow(t *testing.T) {
	h, _ := newRealHarness(t)
	h.OpenCase()
	child := h.AddPerson(casefile.NewPerson{Pseudonym: "Zogu", Kind: casefile.Victim, Age: casefile.Child, Language: "sq",
		Guardian: casefile.Guardian{Name: "Tezja", Conflict: true, ConflictNote: "owes-him-money"}})
	plan := h.PlanFor(child.ID)
	plan.Needs = "a-quiet-room"
	iv := h.Plan(plan)
	h.Consents(consent.Statement{Person: child.ID, Purposes: []consent.Purpose{consent.ToRecord}, GivenBy: consent.ByAuthority, Form: consent.Written,
		Document: "form-of-Zogu", Language: "sq", ChildView: consent.ViewYes, ChildWords: "dua-ta-tregoj", Interpreter: "Drita-who-translates"})
	paths := []string{"/cases/" + string(h.Case.ID) + "/consents", "/cases/" + string(h.Case.ID) + "/interviews", "/interviews/" + string(iv.ID), "/interviews",
		"/cases/" + string(h.Case.ID) + "/people"}
	hidden := map[evidence.Role][]string{
		evidence.RoleCaseManager: nil, evidence.RoleInterviewer: nil, evidence.RoleAdvocate: nil,
		evidence.RoleObserver:   {"dua-ta-tregoj", "Drita", "owes-him-money"},
		evidence.RoleProsecutor: {"dua-ta-tregoj", "Drita", "owes-him-money"},
		evidence.RoleCustodian:  {"dua-ta-tregoj", "Drita", "owes-him-money"},
		evidence.RoleAuditor:    {"dua-ta-tregoj", "Drita", "owes-him-money", "Zogu", "a-quiet-room"},
	}
	all := []string{"dua-ta-tregoj", "Drita", "owes-him-money", "Zogu", "a-quiet-room"}
	for role, not := range hidden {
		var seen strings.Builder
		for _, path := range paths {
			if w := h.as(role, http.MethodGet, path, nil); w.Code == http.StatusOK {
				seen.WriteString(w.Body.String())
			}
		}
		for _, word := range all {
			want := !strings.Contains(strings.Join(not, " "), word)
			if got := strings.Contains(seen.String(), word); got != want {
				t.Errorf("%s sees %s: %v, want %v", role, word, got, want)
			}
		}
	}
}
