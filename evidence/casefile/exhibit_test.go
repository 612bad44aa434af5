package casefile_test

import (
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/internal/memstore"
)

// What a court decided is written down of a sealed recording, by those who were
// told; a supplementary interview is tied to an earlier one of the same person.
func TestRulingsAndSupplementsBelongToAnExhibit(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	held, _ := w.Sealed(w.Victim.ID, 10)
	more := w.PlanFor(w.Victim.ID)
	more.Necessity = "she remembered the car"
	later := w.Plan(more)
	write := func(role evidence.Role, interview evidence.ID, content casefile.Content) error {
		_, err := w.Cases.Write(ctx, w.Actors[role], casefile.NewEntry{Case: w.Case.ID, Interview: interview, Content: content})
		return err
	}
	now, err := s.Now(ctx)
	w.Must(err)
	ruling := func(change func(*casefile.Ruling)) casefile.Content {
		r := &casefile.Ruling{Outcome: "edited", Court: "Basic court", Reference: "P 12/26", Decided: now, Terms: "without the school's name"}
		if change != nil {
			change(r)
		}
		return casefile.Content{Ruling: r}
	}
	w.Must(write(evidence.RoleProsecutor, held.ID, ruling(nil)))
	w.Must(write(evidence.RoleCaseManager, held.ID, ruling(func(r *casefile.Ruling) { r.Outcome, r.Terms = "admitted", "" })))
	for _, role := range []evidence.Role{evidence.RoleObserver, evidence.RoleAdvocate, evidence.RoleInterviewer} {
		if err := write(role, held.ID, ruling(nil)); err == nil {
			t.Errorf("%s wrote down a ruling", role)
		}
	}
	for code, err := range map[string]error{
		"sheet.interview":     write(evidence.RoleProsecutor, "", ruling(nil)),
		"sheet.ruling.sealed": write(evidence.RoleProsecutor, later.ID, ruling(nil)),
		"sheet.ruling.terms":  write(evidence.RoleProsecutor, held.ID, ruling(func(r *casefile.Ruling) { r.Terms = " " })),
		"sheet.ruling":        write(evidence.RoleProsecutor, held.ID, ruling(func(r *casefile.Ruling) { r.Outcome = "liked" })),
	} {
		wantCode(t, err, code)
	}
	wantCode(t, write(evidence.RoleProsecutor, held.ID, ruling(func(r *casefile.Ruling) { r.Decided = now + hours(1) })), "sheet.ruling.sealed")

	adds := func(of evidence.ID) casefile.Content {
		return casefile.Content{Supplement: &casefile.Supplement{Of: of, Why: "she remembered the car"}}
	}
	w.Must(write(evidence.RoleInterviewer, later.ID, adds(held.ID)))
	wantCode(t, write(evidence.RoleInterviewer, held.ID, adds(later.ID)), "sheet.supplement.of")
	wantCode(t, write(evidence.RoleInterviewer, later.ID, adds("nothing")), "sheet.supplement.of")
	wantCode(t, write(evidence.RoleInterviewer, later.ID, casefile.Content{Supplement: &casefile.Supplement{Of: held.ID}}), "sheet.supplement")
	if n := len(s.Log(access.FileWrite)); n != 3 {
		t.Errorf("%d entries", n)
	}
}
