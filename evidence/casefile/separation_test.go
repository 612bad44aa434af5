package casefile_test

import (
	"errors"
	"testing"
	"time"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/internal/memstore"
)

func hours(n int) evidence.Instant {
	return evidence.Instant((time.Duration(n) * time.Hour).Microseconds())
}

// A link that is found later freezes at once what the account was granted; it is
// decided within a deadline by somebody else, and a false one cannot stall a
// prosecution.
func TestALinkFreezesIsDecidedAndCannotStall(t *testing.T) {
	for _, c := range []struct {
		name   string
		kind   casefile.LinkKind
		decide casefile.LinkState
		wait   time.Duration
		plays  bool // afterwards
		member bool
	}{
		{"dismissed: all goes on", casefile.LinkKin, casefile.LinkDismissed, 0, true, true},
		{"upheld: it is over", casefile.LinkKin, casefile.LinkUpheld, 0, false, false},
		{"nobody decides on a relative", casefile.LinkKin, "", 73 * time.Hour, true, true},
		{"nobody decides on the suspect's own account", casefile.LinkSelf, "", 73 * time.Hour, false, true},
		{"nobody decides on his counsel", casefile.LinkCounsel, "", 73 * time.Hour, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, s := memstore.World(t)
			w.OpenCase()
			iv, tracks := w.Sealed(w.Victim.ID, 20)
			holder, manager, custodian := w.Actors[evidence.RoleProsecutor], w.Actors[evidence.RoleCaseManager], w.Actors[evidence.RoleCustodian]
			now, _ := s.Now(ctx)
			g, err := w.Access.RequestGrant(ctx, holder, access.Request{Interview: iv.ID, Source: "all", To: holder.Account, Asked: evidence.Range{Until: 20_000_000},
				NotAfter: now + hours(200), Purpose: "review", Basis: "CPC", RestsOn: access.OnLaw})
			w.Must(err)
			_, err = w.Access.ApproveGrant(ctx, custodian, g.ID)
			w.Must(err)
			play := func() error {
				_, err := w.Access.Deliver(ctx, holder, iv.ID, tracks[0].Track.ID, evidence.LeafMedia, 0)
				return err
			}
			w.Must(play())
			suspect := w.AddPerson(casefile.NewPerson{Pseudonym: "Ujku", Kind: casefile.Suspect, Age: casefile.Adult, Language: "sq"})
			l, err := w.Cases.Link(ctx, manager, casefile.NewLink{Person: suspect.ID, Account: holder.Account, Kind: c.kind, Why: "same name"})
			w.Must(err)
			if err := play(); !errors.Is(err, evidence.ErrNotFound) {
				t.Errorf("after the link: %v", err)
			}
			// The one manager said so herself: the custodian decides.
			duties, err := w.Cases.Duties(ctx, custodian)
			if err != nil || len(duties) != 1 || duties[0].Content.Duty.Code != "separation_conflict" || duties[0].Due != l.Due {
				t.Fatalf("%+v, %v", duties, err)
			}
			_, err = w.Cases.DecideLink(ctx, manager, casefile.LinkDecision{Link: l.ID, State: casefile.LinkDismissed, Why: "mistaken"})
			wantCode(t, err, "link.own")
			if c.decide != "" {
				_, err = w.Cases.DecideLink(ctx, custodian, casefile.LinkDecision{Link: l.ID, State: c.decide, Why: "asked the registry"})
				w.Must(err)
				if duties, _ := w.Cases.Duties(ctx, custodian); len(duties) != 0 {
					t.Errorf("still to be decided: %+v", duties)
				}
			}
			s.Advance(c.wait)
			if err := play(); (err == nil) != c.plays {
				t.Errorf("afterwards: %v, want %v", err, c.plays)
			}
			team, err := w.Cases.Team(ctx, manager, w.Case.ID)
			w.Must(err)
			held := false
			for _, m := range team {
				held = held || m.Account == holder.Account && m.EndedAt == 0
			}
			if held != c.member {
				t.Errorf("on the team: %v", held)
			}
		})
	}
}

// P42: a victim may be a suspect too. A reasoned decision with an authority lifts
// the separation for a time, and somebody must look at it again.
func TestALinkCanBeLiftedForATime(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	suspect := w.AddPerson(casefile.NewPerson{Pseudonym: "Ujku", Kind: casefile.Suspect, Age: casefile.Adult, Language: "sq"})
	advocate, custodian := w.Actors[evidence.RoleAdvocate], w.Actors[evidence.RoleCustodian]
	l, err := w.Cases.Link(ctx, w.Actors[evidence.RoleProsecutor], casefile.NewLink{Person: suspect.ID, Account: advocate.Account, Kind: casefile.LinkCounsel, Why: "represents her in both"})
	w.Must(err)
	now, _ := s.Now(ctx)
	lift := casefile.LinkDecision{Link: l.ID, State: casefile.LinkUpheld, LiftedUntil: now + hours(24), Why: "she is victim and suspect"}
	_, err = w.Cases.DecideLink(ctx, custodian, lift)
	wantCode(t, err, "link.lift.authority")
	lift.Authority = "decision 4/26"
	long := lift
	long.LiftedUntil = now + hours(24*91)
	_, err = w.Cases.DecideLink(ctx, custodian, long)
	wantCode(t, err, "link.lift")
	knows := func() bool {
		_, err := w.Cases.Case(ctx, advocate, w.Case.ID)
		return err == nil
	}
	if knows() {
		t.Error("she knows of the case before it is lifted")
	}
	_, err = w.Cases.DecideLink(ctx, custodian, lift)
	w.Must(err)
	duties, err := w.Cases.Duties(ctx, custodian)
	if !knows() || err != nil || len(duties) != 1 || duties[0].Due != lift.LiftedUntil {
		t.Errorf("lifted: knows %v, duties %+v, %v", knows(), duties, err)
	}
	s.Advance(24 * time.Hour)
	if knows() {
		t.Error("she knows of the case after the time")
	}
	for role, may := range map[evidence.Role]bool{evidence.RoleCaseManager: true, evidence.RoleCustodian: true, evidence.RoleAuditor: true,
		evidence.RoleInterviewer: false, evidence.RoleProsecutor: false, evidence.RoleObserver: false} {
		if _, err := w.Cases.Links(ctx, w.Actors[role], w.Case.ID); (err == nil) != may {
			t.Errorf("%s reads who is kept apart: %v", role, err)
		}
	}
}

// TestNobodyWhoBelongsToASuspectHasAPart is the table of parts that somebody could
// be given.
func TestNobodyWhoBelongsToASuspectHasAPart(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	iv, _ := w.Sealed(w.Victim.ID, 20)
	suspect := w.AddPerson(casefile.NewPerson{Pseudonym: "Ujku", Kind: casefile.Suspect, Age: casefile.Adult, Language: "sq"})
	child := w.AddPerson(casefile.NewPerson{Pseudonym: "Zogu", Kind: casefile.Victim, Age: casefile.Child, Language: "sq", Guardian: casefile.Guardian{Name: "Nëna"}})
	manager, interviewer := w.Actors[evidence.RoleCaseManager], w.Actors[evidence.RoleInterviewer]
	kin := w.Second[evidence.RoleInterviewer]
	_, err := w.Cases.AddMember(ctx, manager, casefile.NewMember{Case: w.Case.ID, Account: kin.Account, Role: evidence.RoleInterviewer})
	w.Must(err)
	_, err = w.Cases.Link(ctx, manager, casefile.NewLink{Person: suspect.ID, Account: kin.Account, Kind: casefile.LinkKin, Why: "cousin"})
	w.Must(err)
	write := func(content casefile.Content) error {
		_, err := w.Cases.Write(ctx, manager, casefile.NewEntry{Case: w.Case.ID, Person: suspect.ID, Content: content})
		return err
	}
	w.Must(write(casefile.Content{Outsider: &casefile.Outsider{Name: "Besnik  B.", Kind: casefile.LinkKin, Why: "brother"}}))
	now, _ := s.Now(ctx)
	presence := func(p casefile.Attendance) error {
		p.Role, p.In = "interpreter", now
		_, err := w.Cases.Write(ctx, interviewer, casefile.NewEntry{Case: w.Case.ID, Interview: iv.ID, Content: casefile.Content{Presence: &p}})
		return err
	}
	guardian := casefile.Guardian{Name: "BESNIK B."}
	for name, c := range map[string]struct {
		code string
		act  func() error
	}{
		"a second role on the team": {"team.separated", func() error {
			_, err := w.Cases.AddMember(ctx, manager, casefile.NewMember{Case: w.Case.ID, Account: kin.Account, Role: evidence.RoleObserver})
			return err
		}},
		"interviewer": {"interview.interviewer", func() error {
			in := w.PlanFor(child.ID)
			in.Interviewer = kin.Account
			_, err := w.Cases.PlanInterview(ctx, interviewer, in)
			return err
		}},
		"grantee": {"grant.recipient", func() error {
			_, err := w.Access.RequestGrant(ctx, w.Actors[evidence.RoleProsecutor], access.Request{Interview: iv.ID, Source: "all", To: kin.Account, Asked: evidence.Range{Until: 20_000_000},
				NotAfter: now + hours(1), Purpose: "review", Basis: "CPC", RestsOn: access.OnLaw})
			return err
		}},
		"present at an interview": {"sheet.presence.apart", func() error { return presence(casefile.Attendance{Account: kin.Account}) }},
		"present under a name":    {"sheet.presence.apart", func() error { return presence(casefile.Attendance{Name: "besnik b."}) }},
		"companion": {"sheet.presence.apart", func() error {
			return write(casefile.Content{Companion: &casefile.Companion{Name: " Besnik B."}})
		}},
		"interpreter of a consent": {"sheet.presence.apart", func() error {
			in := w.WrittenConsent(w.Victim.ID, consent.ToTraining)
			in.Interpreter = "Besnik B."
			_, err := w.Consent.Record(ctx, interviewer, in)
			return err
		}},
		"guardian": {"person.guardian.apart", func() error {
			_, err := w.Cases.ChangePerson(ctx, manager, child.ID, casefile.PersonChange{Guardian: &guardian, Why: "x"})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, c.act(), c.code) })
	}
	torn := guardian
	torn.Conflict, torn.ConflictNote = true, "his brother"
	_, err = w.Cases.ChangePerson(ctx, manager, child.ID, casefile.PersonChange{Guardian: &torn, Why: "on file, with no part"})
	w.Must(err)
	w.Must(write(casefile.Content{Companion: &casefile.Companion{Name: "Besnik B.", Excluded: true, Reason: "belongs to the suspect", By: "case manager"}}))
}

func TestVictimAndSuspectShareNoPlace(t *testing.T) {
	w, _ := memstore.World(t)
	w.OpenCase()
	suspect := w.AddPerson(casefile.NewPerson{Pseudonym: "Ujku", Kind: casefile.Suspect, Age: casefile.Adult, Language: "sq"})
	at := w.PlanFor(w.Victim.ID).PlannedAt
	appoint := func(place string, from, until evidence.Instant) error {
		_, err := w.Cases.Write(ctx, w.Actors[evidence.RoleProsecutor], casefile.NewEntry{Case: w.Case.ID, Person: suspect.ID,
			Content: casefile.Content{Appointment: &casefile.Appointment{Place: place, From: from, Until: until}}})
		return err
	}
	w.Must(appoint("prishtinë ", at+hours(4), at+hours(6)))
	in := w.PlanFor(w.Victim.ID)
	_, err := w.Cases.PlanInterview(ctx, w.Actors[evidence.RoleInterviewer], in)
	wantCode(t, err, "interview.place")
	in.PlannedAt = at - hours(1)
	w.Plan(in) // it ends two hours before
	wantCode(t, appoint("Prishtinë", at-hours(4), at-hours(2)), "separation.place")
	w.Must(appoint("Prishtinë", at-hours(8), at-hours(3)))
	w.Must(appoint("Pejë", at, at+hours(2)))
}
