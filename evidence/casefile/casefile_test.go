package casefile_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/internal/memstore"
)

var ctx = context.Background()

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var r *evidence.Refusal
	if !errors.As(err, &r) || r.Reasons[0].Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestOpeningACase(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	manager := w.Actors[evidence.RoleCaseManager]
	if !w.Case.Reference.Opens(w.Case.Commitment()) || w.Case.Reference.Value != "PP 2026/117" {
		t.Errorf("reference %+v", w.Case.Reference)
	}
	e := s.Log(access.CaseOpen)[0]
	if e.Details["reference"] != string(w.Case.Commitment()) || e.Case != w.Case.ID {
		t.Errorf("entry %+v", e)
	}
	_, err := w.Cases.Open(ctx, manager, " pp  2026/117 ")
	wantCode(t, err, "case.reference.taken")
	for _, bad := range []string{"", " ", strings.Repeat("9", 101), "\xff"} {
		_, err := w.Cases.Open(ctx, manager, bad)
		wantCode(t, err, "case.reference")
	}
	for _, role := range evidence.Roles {
		if _, err := w.Cases.Open(ctx, w.Actors[role], "PP 1"); role != evidence.RoleCaseManager && !errors.Is(err, evidence.ErrRefused) {
			t.Errorf("%s opened a case: %v", role, err)
		}
	}
}

func TestFindingACase(t *testing.T) {
	w, _ := memstore.World(t)
	w.OpenCase()
	for text, want := range map[string]int{"PP 2026/117": 1, "pp  2026/117": 1, "lulja": 1, " LULJA ": 1, "PP 2026": 0, "Lul": 0, "": 0} {
		for role, sees := range map[evidence.Role]bool{evidence.RoleCaseManager: true, evidence.RoleAdvocate: true, evidence.RoleCustodian: true, evidence.RoleAdmin: false} {
			got, err := w.Cases.Find(ctx, w.Actors[role], text)
			n := want
			if !sees {
				n = 0
			}
			if err != nil || len(got) != n {
				t.Errorf("%s finds %d by %q (%v), want %d", role, len(got), text, err, n)
			}
		}
		if got, err := w.Cases.Find(ctx, w.Second[evidence.RoleProsecutor], text); err != nil || len(got) != 0 {
			t.Errorf("a stranger finds %d by %q (%v)", len(got), text, err)
		}
	}
	list, err := w.Cases.Cases(ctx, w.Actors[evidence.RoleProsecutor])
	if err != nil || len(list) != 1 || list[0].Manager != w.Actors[evidence.RoleCaseManager].Account || list[0].People != 1 || list[0].Roles[0] != evidence.RoleProsecutor {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestTeam(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	manager := w.Actors[evidence.RoleCaseManager]
	now, _ := s.Now(ctx)
	add := func(account evidence.ID, role evidence.Role, from, until evidence.Instant) error {
		_, err := w.Cases.AddMember(ctx, manager, casefile.NewMember{Case: w.Case.ID, Account: account, Role: role, From: from, Until: until})
		return err
	}
	second := w.Second
	wantCode(t, add(second[evidence.RoleObserver].Account, evidence.RoleProsecutor, 0, 0), "team.role")
	wantCode(t, add(second[evidence.RoleAdmin].Account, evidence.RoleObserver, 0, 0), "team.role")
	wantCode(t, add(second[evidence.RoleAuditor].Account, evidence.RoleObserver, 0, 0), "team.role")
	wantCode(t, add(second[evidence.RoleCustodian].Account, evidence.RoleCustodian, 0, 0), "team.role")
	wantCode(t, add(evidence.NewID(), evidence.RoleObserver, 0, 0), "team.account")
	wantCode(t, add(second[evidence.RoleProsecutor].Account, evidence.RoleProsecutor, now, now), "team.times")
	wantCode(t, add(w.Actors[evidence.RoleProsecutor].Account, evidence.RoleProsecutor, 0, 0), "team.already")
	w.Must(add(second[evidence.RoleProsecutor].Account, evidence.RoleObserver, 0, 0))

	// A role begins and ends by the server's time.
	hour := evidence.Instant(time.Hour.Microseconds())
	w.Must(add(second[evidence.RoleAdvocate].Account, evidence.RoleAdvocate, now+hour, now+2*hour))
	knows := func(want bool) {
		t.Helper()
		_, err := w.Cases.Case(ctx, second[evidence.RoleAdvocate], w.Case.ID)
		if (err == nil) != want || !want && !errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("knows of the case: %v, want %v", err, want)
		}
	}
	knows(false)
	s.Advance(time.Hour)
	knows(true)
	s.Advance(time.Hour)
	knows(false)

	team, err := w.Cases.Team(ctx, manager, w.Case.ID)
	w.Must(err)
	for _, m := range team {
		err := w.Cases.RemoveMember(ctx, manager, w.Case.ID, m.ID, "done")
		switch {
		case m.Role == evidence.RoleCaseManager:
			wantCode(t, err, "team.last_manager")
		case err != nil:
			t.Errorf("removing a %s: %v", m.Role, err)
		case !errors.Is(w.Cases.RemoveMember(ctx, manager, w.Case.ID, m.ID, "again"), evidence.ErrConflict):
			t.Error("removed twice")
		}
	}
	if again, _ := w.Cases.Team(ctx, manager, w.Case.ID); len(again) != len(team) {
		t.Error("history was lost")
	}
	for _, role := range []evidence.Role{evidence.RoleInterviewer, evidence.RoleCustodian, evidence.RoleAuditor} {
		if _, err := w.Cases.AddMember(ctx, w.Actors[role], casefile.NewMember{Case: w.Case.ID, Account: w.Actors[role].Account, Role: evidence.RoleObserver}); err == nil {
			t.Errorf("%s changed the team", role)
		}
	}
}

func TestWhoBelongsToASuspectIsKeptApart(t *testing.T) {
	w, _ := memstore.World(t)
	w.OpenCase()
	manager, kin := w.Actors[evidence.RoleCaseManager], w.Actors[evidence.RoleAdvocate]
	suspect := w.AddPerson(casefile.NewPerson{Pseudonym: "Ujku", Kind: casefile.Suspect, Age: casefile.Adult, Language: "sq"})
	link := func(person evidence.ID, account evidence.ID) error {
		_, err := w.Cases.Link(ctx, manager, casefile.NewLink{Person: person, Account: account, Kind: casefile.LinkKin, Why: "sister"})
		return err
	}
	wantCode(t, link(w.Victim.ID, kin.Account), "link.person")
	wantCode(t, link(suspect.ID, manager.Account), "link.self")
	wantCode(t, link(suspect.ID, evidence.NewID()), "link.account")
	if _, err := w.Cases.Case(ctx, kin, w.Case.ID); err != nil {
		t.Fatal(err)
	}
	w.Must(link(suspect.ID, kin.Account))
	if _, err := w.Cases.Case(ctx, kin, w.Case.ID); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("she still knows of the case: %v", err)
	}
	_, err := w.Cases.AddMember(ctx, manager, casefile.NewMember{Case: w.Case.ID, Account: kin.Account, Role: evidence.RoleAdvocate})
	wantCode(t, err, "team.separated")
	if list, err := w.Cases.Cases(ctx, kin); err != nil || len(list) != 0 {
		t.Errorf("her list: %v, %v", list, err)
	}
}

func TestPeopleOnACase(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	for _, c := range []struct {
		in   casefile.NewPerson
		code string
	}{
		{casefile.NewPerson{Pseudonym: " LULJA", Kind: casefile.Victim, Age: casefile.Adult, Language: "sq"}, "person.pseudonym.taken"},
		{casefile.NewPerson{Pseudonym: "", Kind: casefile.Victim, Age: casefile.Adult, Language: "sq"}, "person.pseudonym"},
		{casefile.NewPerson{Pseudonym: "A", Kind: "judge", Age: casefile.Adult, Language: "sq"}, "person.kind"},
		{casefile.NewPerson{Pseudonym: "A", Kind: casefile.Victim, Age: "old", Language: "sq"}, "person.age"},
		{casefile.NewPerson{Pseudonym: "A", Kind: casefile.Victim, Age: casefile.Adult, Language: "??"}, "person.language"},
		{casefile.NewPerson{Pseudonym: "A", Kind: casefile.Victim, Age: casefile.Adult, Language: "sq", Unaccompanied: true}, "person.guardian.adult"},
		{casefile.NewPerson{Pseudonym: "A", Kind: casefile.Victim, Age: casefile.Child, Language: "sq", Unaccompanied: true, Guardian: casefile.Guardian{Name: "M"}}, "person.unaccompanied"},
		{casefile.NewPerson{Pseudonym: "A", Kind: casefile.Victim, Age: casefile.Child, Language: "sq", Guardian: casefile.Guardian{Relation: "mother"}}, "person.guardian.name"},
		{casefile.NewPerson{Pseudonym: "A", Kind: casefile.Victim, Age: casefile.Uncertain, Language: "sq", Guardian: casefile.Guardian{Name: "M", Conflict: true}}, "person.guardian.conflict"},
	} {
		c.in.Case = w.Case.ID
		_, err := w.Cases.AddPerson(ctx, w.Actors[evidence.RoleInterviewer], c.in)
		wantCode(t, err, c.code)
	}
	for age, child := range map[casefile.Age]bool{casefile.Child: true, casefile.Uncertain: true, casefile.Adult: false} {
		if (casefile.Person{Age: age}).TreatedAsChild() != child {
			t.Errorf("P6: %s", age)
		}
	}
	for _, e := range s.Log("") {
		for _, v := range e.Details {
			if strings.Contains(v, "Lulja") {
				t.Errorf("%s names a pseudonym", e.Action)
			}
		}
	}
}

func TestPlanningAnInterview(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	suspect := w.AddPerson(casefile.NewPerson{Pseudonym: "Ujku", Kind: casefile.Suspect, Age: casefile.Adult, Language: "sq"})
	interviewer := w.Actors[evidence.RoleInterviewer]
	plan := func(change func(*casefile.NewInterview)) (evidence.Interview, error) {
		in := w.PlanFor(w.Victim.ID)
		change(&in)
		return w.Cases.PlanInterview(ctx, interviewer, in)
	}
	for code, change := range map[string]func(*casefile.NewInterview){
		"interview.needs":       func(in *casefile.NewInterview) { in.Needs = "\n " },
		"interview.language":    func(in *casefile.NewInterview) { in.Language = "" },
		"interview.planned_at":  func(in *casefile.NewInterview) { in.PlannedAt = 0 },
		"interview.person":      func(in *casefile.NewInterview) { in.Person = evidence.NewID() },
		"interview.suspect":     func(in *casefile.NewInterview) { in.Person = suspect.ID },
		"interview.room":        func(in *casefile.NewInterview) { in.Room = evidence.NewID() },
		"interview.interviewer": func(in *casefile.NewInterview) { in.Interviewer = w.Actors[evidence.RoleProsecutor].Account },
	} {
		_, err := plan(change)
		wantCode(t, err, code)
	}
	first, err := plan(func(*casefile.NewInterview) {})
	if err != nil || first.Number != 1 || first.State != evidence.StatePlanned || first.Recording == "" {
		t.Fatalf("%+v, %v", first, err)
	}
	t.Run("one more needs a reason (P3)", func(t *testing.T) {
		_, err := plan(func(*casefile.NewInterview) {})
		wantCode(t, err, "interview.necessity")
		iv, err := plan(func(in *casefile.NewInterview) { in.Necessity = "new facts" })
		if err != nil || iv.Number != 2 {
			t.Fatalf("%+v, %v", iv, err)
		}
		if log := s.Log(access.InterviewPlan); log[len(log)-1].Why != "new facts" {
			t.Error("the reason is not in the log")
		}
	})
	t.Run("another interviewer needs one too (P4)", func(t *testing.T) {
		other := w.Second[evidence.RoleInterviewer]
		_, err := w.Cases.AddMember(ctx, w.Actors[evidence.RoleCaseManager], casefile.NewMember{Case: w.Case.ID, Account: other.Account, Role: evidence.RoleInterviewer})
		w.Must(err)
		_, err = plan(func(in *casefile.NewInterview) { in.Necessity, in.Interviewer = "new facts", other.Account })
		wantCode(t, err, "interview.change")
		iv, err := plan(func(in *casefile.NewInterview) {
			in.Necessity, in.Interviewer, in.Change = "new facts", other.Account, "the first one is ill"
		})
		w.Must(err)
		_, p, err := w.Cases.Interview(ctx, interviewer, iv.ID)
		if err != nil || p.Change != "the first one is ill" || p.Interviewer != other.Account {
			t.Errorf("%+v, %v", p, err)
		}
	})
	t.Run("a cancelled one does not count", func(t *testing.T) {
		p := w.AddPerson(casefile.NewPerson{Pseudonym: "Dëshmitari", Kind: casefile.Witness, Age: casefile.Adult, Language: "sq"})
		iv, err := plan(func(in *casefile.NewInterview) { in.Person = p.ID })
		w.Must(err)
		_, err = w.Cases.CancelInterview(ctx, interviewer, iv.ID, "")
		wantCode(t, err, "interview.cancel.reason")
		iv, err = w.Cases.CancelInterview(ctx, interviewer, iv.ID, "she is ill")
		if err != nil || iv.State != evidence.StateCancelled {
			t.Fatalf("%+v, %v", iv, err)
		}
		if iv, err = plan(func(in *casefile.NewInterview) { in.Person = p.ID }); err != nil || iv.Number != 2 {
			t.Errorf("%+v, %v", iv, err)
		}
	})
	t.Run("a running one is not cancelled", func(t *testing.T) {
		s.SetState(first.ID, evidence.StateRecording)
		if _, err := w.Cases.CancelInterview(ctx, interviewer, first.ID, "no"); !errors.Is(err, evidence.ErrConflict) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a closed case has no more", func(t *testing.T) {
		_, err := w.Cases.SetStage(ctx, w.Actors[evidence.RoleCaseManager], w.Case.ID, casefile.StageChange{Stage: casefile.Closed, Why: "the court has decided", Authority: "P 12/2026"})
		w.Must(err)
		_, err = plan(func(in *casefile.NewInterview) { in.Necessity = "new facts" })
		wantCode(t, err, "case.closed")
	})
}

func TestAPlanBecomesReadyWhenConsentWasThereBefore(t *testing.T) {
	w, _ := memstore.World(t)
	w.OpenCase()
	w.Consents(w.WrittenConsent(w.Victim.ID, consent.ToRecord))
	if iv := w.Plan(w.PlanFor(w.Victim.ID)); iv.State != evidence.StateReady {
		t.Errorf("%s", iv.State)
	}
}
