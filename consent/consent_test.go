package consent_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/internal/memstore"
	"github.com/toldonce/toldonce/internal/world"
)

var ctx = context.Background()

func codes(err error) string {
	var r *evidence.Refusal
	if !errors.As(err, &r) {
		if err != nil {
			return err.Error()
		}
		return ""
	}
	var out []string
	for _, reason := range r.Reasons {
		out = append(out, strings.TrimPrefix(reason.Code, "consent."))
	}
	return strings.Join(out, " ")
}

func wantCodes(t *testing.T, err error, want string) {
	t.Helper()
	if codes(err) != want {
		t.Errorf("got %q (%v), want %q", codes(err), err, want)
	}
}

// TestJudge is the law of consent as a table.
func TestJudge(t *testing.T) {
	const now = evidence.Instant(1000)
	adult := casefile.Person{Age: casefile.Adult}
	child := casefile.Person{Age: casefile.Child, Guardian: casefile.Guardian{Name: "Nëna"}}
	uncertain, alone, torn, unknown := child, child, child, child
	uncertain.Age = casefile.Uncertain
	alone.Unaccompanied, alone.Guardian = true, casefile.Guardian{}
	torn.Guardian.Conflict = true
	unknown.Guardian = casefile.Guardian{}
	rec := func(change func(*consent.Record)) consent.Record {
		r := consent.Record{Decision: consent.Given, Items: []consent.Item{{Purpose: consent.ToRecord, Version: 1}}, GivenBy: consent.BySelf,
			Form: consent.Written, Document: "form 12", GivenAt: 900}
		if change != nil {
			change(&r)
		}
		return r
	}
	forChild := func(by consent.Giver, view consent.View) consent.Record {
		return rec(func(r *consent.Record) { r.GivenBy, r.ChildView = by, view })
	}
	attested := func(second evidence.ID) consent.Record {
		return rec(func(r *consent.Record) { r.Form, r.RecordedBy, r.AttestedBy = consent.Attested, "a", second })
	}
	for _, c := range []struct {
		name   string
		person casefile.Person
		record consent.Record
		want   string
	}{
		{"an adult, in writing", adult, rec(nil), ""},
		{"by a scan's hash", adult, rec(func(r *consent.Record) { r.Document, r.DocumentSHA256 = "", "ab" }), ""},
		{"in writing without a form", adult, rec(func(r *consent.Record) { r.Document = "" }), "document"},
		{"attested by two", adult, attested("b"), ""},
		{"attested by one", adult, attested(""), "unattested"},
		{"attested twice by one", adult, attested("a"), "unattested"},
		{"spoken on the recording", adult, rec(func(r *consent.Record) { r.Form = "spoken" }), "form"},
		{"refused", adult, rec(func(r *consent.Record) { r.Decision = consent.Refused }), "refused"},
		{"withdrawn", adult, rec(func(r *consent.Record) { r.Items[0].WithdrawnAt = 950 }), "withdrawn"},
		{"for another purpose", adult, rec(func(r *consent.Record) { r.Items[0].Purpose = consent.ToTraining }), "record.missing"},
		{"dated in the future", adult, rec(func(r *consent.Record) { r.GivenAt = now + 1 }), "future"},
		{"run out", adult, rec(func(r *consent.Record) { r.ValidUntil = now }), "expired"},
		{"not yet run out", adult, rec(func(r *consent.Record) { r.ValidUntil = now + 1 }), ""},
		{"an adult by somebody else", adult, rec(func(r *consent.Record) { r.GivenBy = consent.ByGuardian }), "giver"},

		{"a child, guardian and child say yes", child, forChild(consent.ByGuardian, consent.ViewYes), ""},
		{"a child, authority and child say yes", child, forChild(consent.ByAuthority, consent.ViewYes), ""},
		{"a child's no beats the guardian (P41)", child, forChild(consent.ByGuardian, consent.ViewNo), "child_no"},
		{"a child's no beats the authority (P41)", alone, forChild(consent.ByAuthority, consent.ViewNo), "child_no"},
		{"a child that was not asked (P1)", child, forChild(consent.ByGuardian, consent.ViewNotAsked), "child_view"},
		{"a child whose view is not noted (P1)", child, forChild(consent.ByGuardian, ""), "child_view"},
		{"a child by herself", child, forChild(consent.BySelf, consent.ViewYes), "giver"},
		{"uncertain age is a child's (P6)", uncertain, rec(nil), "child_view giver"},
		{"uncertain age, represented", uncertain, forChild(consent.ByGuardian, consent.ViewYes), ""},
		{"unaccompanied, by somebody who says she is the guardian (P41)", alone, forChild(consent.ByGuardian, consent.ViewYes), "authority"},
		{"unaccompanied, by the authority (P41)", alone, forChild(consent.ByAuthority, consent.ViewYes), ""},
		{"a guardian with a conflict (P6, P41)", torn, forChild(consent.ByGuardian, consent.ViewYes), "guardian_conflict"},
		{"the authority in her place", torn, forChild(consent.ByAuthority, consent.ViewYes), ""},
		{"a guardian who is not on file", unknown, forChild(consent.ByGuardian, consent.ViewYes), "guardian"},
		{"several things at once", torn, rec(func(r *consent.Record) {
			r.GivenBy, r.ChildView, r.Document = consent.ByGuardian, consent.ViewNo, ""
		}), "document child_no guardian_conflict"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			if why := consent.Judge(c.person, []consent.Record{c.record}, consent.ToRecord, now); len(why) > 0 {
				err = &evidence.Refusal{Kind: evidence.ErrRefused, Reasons: why}
			}
			wantCodes(t, err, c.want)
		})
	}
	t.Run("the latest act alone counts", func(t *testing.T) {
		old, late := rec(nil), rec(func(r *consent.Record) { r.Decision, r.Items[0].Version = consent.Refused, 2 })
		for _, records := range [][]consent.Record{{old, late}, {late, old}} {
			if why := consent.Judge(adult, records, consent.ToRecord, now); len(why) != 1 || why[0].Code != "consent.refused" {
				t.Errorf("%v", why)
			}
		}
	})
	if why := consent.Judge(adult, nil, consent.ToRecord, now); len(why) != 1 || why[0].Practice != "P40" {
		t.Errorf("nothing at all: %v", why)
	}
}

func TestTheGateNamesEverythingThatIsMissing(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	iv := w.Plan(w.PlanFor(w.Victim.ID))
	wantCodes(t, w.Consent.Check(ctx, iv.ID), "record.missing")
	s.SetReference(w.Case.ID, "")
	wantCodes(t, w.Consent.Check(ctx, iv.ID), "case.reference.missing record.missing")
	s.SetReference(w.Case.ID, "PP 2026/117")
	w.Consents(w.WrittenConsent(w.Victim.ID, consent.ToRecord))
	w.Must(w.Consent.Check(ctx, iv.ID))
	_, err := w.Cases.SetStage(ctx, w.Actors[evidence.RoleCaseManager], w.Case.ID, casefile.StageChange{Stage: casefile.Closed, Why: "over"})
	w.Must(err)
	wantCodes(t, w.Consent.Check(ctx, iv.ID), "case.closed")
	if err := w.Consent.Check(ctx, evidence.NewID()); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("no interview: %v", err)
	}
	s.Advance(-time.Hour)
	if err := w.Consent.Check(ctx, iv.ID); !errors.Is(err, evidence.ErrClockBehind) {
		t.Errorf("clock behind: %v", err)
	}
}

func state(t *testing.T, w *world.World, id evidence.ID) evidence.State {
	t.Helper()
	iv, err := w.Store.Interview(ctx, id)
	w.Must(err)
	return iv.State
}

func TestReadyFollowsConsent(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	iv := w.Plan(w.PlanFor(w.Victim.ID))
	in := w.WrittenConsent(w.Victim.ID, consent.ToRecord, consent.ToShareProsecution)
	in.Form, in.Document = consent.Attested, ""
	rec := w.Consents(in)
	if rec.State() != consent.StatePending || state(t, w, iv.ID) != evidence.StatePlanned {
		t.Fatalf("one attestation: %s, %s", rec.State(), state(t, w, iv.ID))
	}
	wantCodes(t, w.Consent.Check(ctx, iv.ID), "unattested")
	_, err := w.Consent.Attest(ctx, w.Actors[evidence.RoleInterviewer], rec.ID)
	wantCodes(t, err, "own_attestation")
	rec, err = w.Consent.Attest(ctx, w.Actors[evidence.RoleAdvocate], rec.ID)
	w.Must(err)
	if rec.State() != consent.StateGiven || state(t, w, iv.ID) != evidence.StateReady || len(s.Log(access.EntryReady)) != 1 {
		t.Fatalf("two attestations: %s, %s", rec.State(), state(t, w, iv.ID))
	}
	_, err = w.Consent.Attest(ctx, w.Actors[evidence.RoleProsecutor], rec.ID)
	wantCodes(t, err, "not_pending")

	rec, err = w.Consent.Withdraw(ctx, w.Actors[evidence.RoleAdvocate], rec.ID, consent.Withdrawal{Purposes: []consent.Purpose{consent.ToRecord}, Reason: "I do not want it"})
	w.Must(err)
	if rec.State() != consent.StateGiven || state(t, w, iv.ID) != evidence.StatePlanned || len(s.Log(access.EntryNotReady)) != 1 {
		t.Errorf("after withdrawal of one purpose: %s, %s", rec.State(), state(t, w, iv.ID))
	}
	wantCodes(t, w.Consent.Check(ctx, iv.ID), "withdrawn")
	_, err = w.Consent.Withdraw(ctx, w.Actors[evidence.RoleAdvocate], rec.ID, consent.Withdrawal{Purposes: []consent.Purpose{consent.ToRecord}})
	wantCodes(t, err, "nothing_to_withdraw")
	rec, err = w.Consent.Withdraw(ctx, w.Actors[evidence.RoleAdvocate], rec.ID, consent.Withdrawal{})
	if err != nil || rec.State() != consent.StateWithdrawn {
		t.Errorf("%s, %v", rec.State(), err)
	}
	again := w.Consents(w.WrittenConsent(w.Victim.ID, consent.ToRecord))
	if state(t, w, iv.ID) != evidence.StateReady || again.Items[0].Version != 2 {
		t.Errorf("given anew: %s, %+v", state(t, w, iv.ID), again.Items)
	}
	first, err := w.Store.Consent(ctx, rec.ID)
	if err != nil || first.Items[0].SupersededAt == 0 || first.Items[0].WithdrawnBy != consent.BySelf {
		t.Errorf("%+v, %v", first.Items, err)
	}
}

func TestWithdrawalStopsWhatRunsOnConsentAndOnlyThat(t *testing.T) {
	for _, c := range []struct {
		name string
		law  string
		stop int
	}{{"on consent", "", 1}, {"on law (P37)", "CPC art. 127", 0}} {
		t.Run(c.name, func(t *testing.T) {
			w, s := memstore.World(t)
			w.OpenCase()
			iv := w.Plan(w.PlanFor(w.Victim.ID))
			in := w.WrittenConsent(w.Victim.ID, consent.ToRecord)
			if c.law != "" {
				in.Basis, in.Law = consent.OnLaw, c.law
			}
			rec := w.Consents(in)
			s.SetState(iv.ID, evidence.StateRecording)
			_, err := w.Consent.Withdraw(ctx, w.Actors[evidence.RoleInterviewer], rec.ID, consent.Withdrawal{Reason: "stop"})
			w.Must(err)
			if log := s.Log(access.EntryConsentEnd); len(log) != c.stop || c.stop == 1 && (log[0].Interview != iv.ID || log[0].Details["purpose"] != "record") {
				t.Errorf("the recorder was told %d times: %+v", len(log), log)
			}
			if state(t, w, iv.ID) != evidence.StateRecording {
				t.Error("the state belongs to the recorder")
			}
		})
	}
}

func TestWithdrawalEndsGrantsThatRestOnIt(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	iv, tracks := w.Sealed(w.Victim.ID, 60)
	rec := w.Consents(w.WrittenConsent(w.Victim.ID, consent.ToShareProsecution, consent.ToShareAdvocate))
	now, _ := s.Now(ctx)
	grant := func(to evidence.Role, rests access.Foundation, approve bool) access.Grant {
		g, err := w.Access.RequestGrant(ctx, w.Actors[to], access.Request{Interview: iv.ID, Source: "all", To: w.Actors[to].Account, Asked: evidence.Range{Until: 20_000_000},
			NotAfter: now + evidence.Instant(time.Hour.Microseconds()), Purpose: "review", Basis: "decision 12", RestsOn: rests})
		w.Must(err)
		if approve {
			g, err = w.Access.ApproveGrant(ctx, w.Actors[evidence.RoleCustodian], g.ID)
			w.Must(err)
		}
		return g
	}
	onConsent := grant(evidence.RoleProsecutor, access.OnConsent, true)
	waiting := grant(evidence.RoleProsecutor, access.OnConsent, false)
	other := grant(evidence.RoleAdvocate, access.OnConsent, true)
	onLaw := grant(evidence.RoleProsecutor, access.OnLaw, true)

	_, err := w.Consent.Withdraw(ctx, w.Actors[evidence.RoleAdvocate], rec.ID, consent.Withdrawal{Purposes: []consent.Purpose{consent.ToShareProsecution}, Reason: "too many have seen it"})
	w.Must(err)
	for id, want := range map[evidence.ID]access.GrantState{onConsent.ID: access.Ended, waiting.ID: access.Ended, other.ID: access.Active, onLaw.ID: access.Active} {
		if g, err := s.Grant(ctx, id); err != nil || g.State != want {
			t.Errorf("%s, want %s (%v)", g.State, want, err)
		}
	}
	log := s.Log(access.EntryGrantEnd)
	if len(log) != 2 || log[0].Actor.Kind != evidence.ActorSystem || log[0].Details["reason"] != "basis_ended" || log[0].Why != "" {
		t.Errorf("holders are told %+v", log)
	}
	if all := s.Log(""); all[len(all)-4].Action != access.ConsentWithdraw {
		t.Error("the entries are not those of one transaction")
	}
	// What exists is decided on by a person, with a deadline (P34, P37).
	duties, err := w.Cases.Duties(ctx, w.Actors[evidence.RoleCustodian])
	if err != nil || len(duties) != 1 || duties[0].Content.Duty.Code != "consent_withdrawn" || duties[0].Person != w.Victim.ID || duties[0].Due <= now {
		t.Errorf("the custodian must decide on the rest: %+v, %v", duties, err)
	}
	_, err = w.Access.Deliver(ctx, w.Actors[evidence.RoleProsecutor], iv.ID, tracks[0].Track.ID, evidence.LeafMedia, 0)
	w.Must(err) // by law
	_, err = w.Access.RevokeGrant(ctx, w.Actors[evidence.RoleCustodian], onLaw.ID, "over")
	w.Must(err)
	_, err = w.Access.Deliver(ctx, w.Actors[evidence.RoleProsecutor], iv.ID, tracks[0].Track.ID, evidence.LeafMedia, 0)
	if !errors.Is(err, evidence.ErrRefused) {
		t.Errorf("%v", err)
	}
}

// TestAGrantOnConsentAsksForItEachTime: even if the grant itself were still active.
func TestAGrantOnConsentAsksForItEachTime(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	iv, tracks := w.Sealed(w.Victim.ID, 60)
	in := w.WrittenConsent(w.Victim.ID, consent.ToShareProsecution)
	now, _ := s.Now(ctx)
	in.ValidUntil = now + evidence.Instant(time.Minute.Microseconds())
	w.Consents(in)
	g, err := w.Access.RequestGrant(ctx, w.Actors[evidence.RoleProsecutor], access.Request{Interview: iv.ID, Source: "all", To: w.Actors[evidence.RoleProsecutor].Account,
		Asked: evidence.Range{Until: 20_000_000}, NotAfter: now + evidence.Instant(time.Hour.Microseconds()), Purpose: "review", Basis: "decision 12", RestsOn: access.OnConsent})
	w.Must(err)
	_, err = w.Access.ApproveGrant(ctx, w.Actors[evidence.RoleCustodian], g.ID)
	w.Must(err)
	play := func() error {
		_, err := w.Access.Deliver(ctx, w.Actors[evidence.RoleProsecutor], iv.ID, tracks[0].Track.ID, evidence.LeafMedia, 0)
		return err
	}
	w.Must(play())
	s.Advance(time.Minute)
	wantCodes(t, play(), "grant.basis_ended")
}

func TestChildren(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	child := w.AddPerson(casefile.NewPerson{Pseudonym: "Zogu", Kind: casefile.Victim, Age: casefile.Uncertain, Language: "sq", Guardian: casefile.Guardian{Name: "Nëna", Relation: "mother"}})
	iv := w.Plan(w.PlanFor(child.ID))
	in := consent.Statement{Person: child.ID, Purposes: []consent.Purpose{consent.ToRecord}, GivenBy: consent.ByGuardian, Form: consent.Written, Document: "form", Language: "sq", ChildView: consent.ViewYes}
	record := func(change func(*consent.Statement)) error {
		c := in
		change(&c)
		_, err := w.Consent.Record(ctx, w.Actors[evidence.RoleInterviewer], c)
		return err
	}
	wantCodes(t, record(func(c *consent.Statement) { c.ChildView = consent.ViewNotAsked }), "child_view")
	wantCodes(t, record(func(c *consent.Statement) { c.ChildView = "" }), "child_view")
	wantCodes(t, record(func(c *consent.Statement) { c.GivenBy = consent.BySelf }), "giver")
	w.Must(record(func(*consent.Statement) {}))
	if state(t, w, iv.ID) != evidence.StateReady {
		t.Fatal("not ready")
	}
	w.Must(record(func(c *consent.Statement) { c.ChildView, c.ChildWords = consent.ViewNo, "nuk dua" }))
	if state(t, w, iv.ID) != evidence.StatePlanned {
		t.Fatal("ready against the child's no")
	}
	wantCodes(t, w.Consent.Check(ctx, iv.ID), "child_no")
	w.Must(record(func(*consent.Statement) {}))

	// The guardian turns out to have a conflict while the interview runs.
	s.SetState(iv.ID, evidence.StateRecording)
	torn := casefile.Guardian{Name: "Nëna", Relation: "mother", Conflict: true, ConflictNote: "lives with the suspect"}
	_, err := w.Cases.ChangePerson(ctx, w.Actors[evidence.RoleCaseManager], child.ID, casefile.PersonChange{Guardian: &torn, Why: "reported today"})
	w.Must(err)
	if len(s.Log(access.EntryConsentEnd)) != 1 {
		t.Error("the recorder was not told")
	}
	wantCodes(t, w.Consent.Check(ctx, iv.ID), "guardian_conflict")
	wantCodes(t, record(func(*consent.Statement) {}), "guardian_conflict")
	list, err := w.Consent.Consents(ctx, w.Actors[evidence.RoleAdvocate], w.Case.ID)
	w.Must(err)
	if len(list) != 3 || list[0].ID == list[2].ID || !slices.IsSortedFunc(list, func(a, b consent.Record) int { return int(b.RecordedAt - a.RecordedAt) }) {
		t.Errorf("%d acts", len(list))
	}
	for by, code := range map[consent.Giver]string{consent.ByGuardian: "guardian_conflict", "aunt": "withdraw.giver"} {
		_, err = w.Consent.Withdraw(ctx, w.Actors[evidence.RoleAdvocate], list[0].ID, consent.Withdrawal{By: by})
		wantCodes(t, err, code)
	}
	_, err = w.Consent.Withdraw(ctx, w.Actors[evidence.RoleAdvocate], list[0].ID, consent.Withdrawal{By: consent.ByAuthority})
	w.Must(err)
}

// An act that waits for its second person takes nothing away: a recording that runs
// on an earlier one goes on, and stops once the child says no.
func TestWhatWaitsReplacesNothing(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	child := w.AddPerson(casefile.NewPerson{Pseudonym: "Zogu", Kind: casefile.Victim, Age: casefile.Child, Language: "sq", Guardian: casefile.Guardian{Name: "Nëna"}})
	iv := w.Plan(w.PlanFor(child.ID))
	in := consent.Statement{Person: child.ID, Purposes: []consent.Purpose{consent.ToRecord}, GivenBy: consent.ByGuardian, Form: consent.Written, Document: "form", Language: "sq", ChildView: consent.ViewYes}
	first := w.Consents(in)
	s.SetState(iv.ID, evidence.StateRecording)
	in.Form, in.Document = consent.Attested, ""
	second := w.Consents(in)
	if n := len(s.Log(access.EntryConsentEnd)); n != 0 || second.State() != consent.StatePending {
		t.Fatalf("the recorder was told %d times; the act is %s", n, second.State())
	}
	w.Must(w.Consent.Check(ctx, iv.ID))
	if first, _ = w.Store.Consent(ctx, first.ID); first.State() != consent.StateGiven {
		t.Errorf("the first act is %s", first.State())
	}
	second, err := w.Consent.Attest(ctx, w.Actors[evidence.RoleAdvocate], second.ID)
	w.Must(err)
	if first, _ = w.Store.Consent(ctx, first.ID); first.State() != consent.StateSuperseded || second.State() != consent.StateGiven {
		t.Errorf("attested: %s, %s", first.State(), second.State())
	}

	// Withdrawn while another waits: that one must not take effect afterwards.
	third := w.Consents(in)
	_, err = w.Consent.Withdraw(ctx, w.Actors[evidence.RoleAdvocate], second.ID, consent.Withdrawal{})
	w.Must(err)
	if n := len(s.Log(access.EntryConsentEnd)); n != 1 {
		t.Errorf("the recorder was told %d times", n)
	}
	_, err = w.Consent.Attest(ctx, w.Actors[evidence.RoleAdvocate], third.ID)
	wantCodes(t, err, "not_pending")
	wantCodes(t, w.Consent.Check(ctx, iv.ID), "withdrawn")

	// A child's no waits for nobody.
	in.ChildView = consent.ViewNo
	if no := w.Consents(in); no.Waits() || no.Items[0].Version != 4 {
		t.Errorf("%+v", no)
	}
	wantCodes(t, w.Consent.Check(ctx, iv.ID), "unattested child_no")
}

// A consent that runs out begins nothing any more, and ends nothing that runs: a
// child that is cut off would have to tell it again.
func TestRunningOutStopsNoRecording(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	iv, next := w.Plan(w.PlanFor(w.Victim.ID)), w.PlanFor(w.Victim.ID)
	next.Necessity = "new facts"
	later := w.Plan(next)
	now, _ := s.Now(ctx)
	in := w.WrittenConsent(w.Victim.ID, consent.ToRecord)
	in.ValidUntil = now + evidence.Instant(time.Minute.Microseconds())
	rec := w.Consents(in)
	s.SetState(iv.ID, evidence.StateRecording)
	s.Advance(time.Minute)
	w.Must(w.Consent.Check(ctx, iv.ID)) // a camera that reconnects
	wantCodes(t, w.Consent.Check(ctx, later.ID), "expired")
	w.Must(w.Consent.Settle(ctx, w.Victim.ID))
	if n := len(s.Log(access.EntryConsentEnd)); n != 0 || state(t, w, later.ID) != evidence.StatePlanned {
		t.Errorf("the recorder was told %d times; the next interview is %s", n, state(t, w, later.ID))
	}
	_, err := w.Consent.Withdraw(ctx, w.Actors[evidence.RoleAdvocate], rec.ID, consent.Withdrawal{})
	w.Must(err)
	if n := len(s.Log(access.EntryConsentEnd)); n != 1 {
		t.Errorf("after withdrawal the recorder was told %d times", n)
	}
}

func TestStatementsThatAreRefused(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	now, _ := s.Now(ctx)
	suspect := w.AddPerson(casefile.NewPerson{Pseudonym: "Ujku", Kind: casefile.Suspect, Age: casefile.Adult, Language: "sq"})
	for _, c := range []struct {
		change func(*consent.Statement)
		code   string
	}{
		{func(c *consent.Statement) { c.Purposes = nil }, "purposes"},
		{func(c *consent.Statement) { c.Purposes = []consent.Purpose{"sell"} }, "purposes"},
		{func(c *consent.Statement) { c.Purposes = []consent.Purpose{consent.ToRecord, consent.ToRecord} }, "purposes"},
		{func(c *consent.Statement) { c.Decision = "perhaps" }, "decision"},
		{func(c *consent.Statement) { c.GivenBy = "aunt" }, "giver"},
		{func(c *consent.Statement) { c.GivenBy = consent.ByGuardian }, "giver"},
		{func(c *consent.Statement) { c.Form = "spoken" }, "form"},
		{func(c *consent.Statement) { c.Document = " " }, "document"},
		{func(c *consent.Statement) { c.DocumentSHA256 = "AB" }, "document"},
		{func(c *consent.Statement) { c.ChildView = consent.ViewYes }, "child_view"},
		{func(c *consent.Statement) { c.Language = "" }, "language"},
		{func(c *consent.Statement) { c.Basis = "whim" }, "basis"},
		{func(c *consent.Statement) { c.Basis = consent.OnLaw }, "law"},
		{func(c *consent.Statement) { c.GivenAt = now + 1 }, "future"},
		{func(c *consent.Statement) { c.ValidUntil = now }, "until"},
		{func(c *consent.Statement) { c.Interpreter = strings.Repeat("x", 2001) }, "text"},
		{func(c *consent.Statement) { c.Person = suspect.ID }, "suspect"},
	} {
		in := w.WrittenConsent(w.Victim.ID, consent.ToRecord)
		c.change(&in)
		_, err := w.Consent.Record(ctx, w.Actors[evidence.RoleInterviewer], in)
		wantCodes(t, err, c.code)
	}
	if n := len(s.Log(access.ConsentRecord)); n != 0 {
		t.Errorf("%d refused statements stand in the log", n)
	}
	for _, role := range []evidence.Role{evidence.RoleObserver, evidence.RoleProsecutor, evidence.RoleCustodian, evidence.RoleAuditor, evidence.RoleAdmin} {
		if _, err := w.Consent.Record(ctx, w.Actors[role], w.WrittenConsent(w.Victim.ID, consent.ToRecord)); err == nil {
			t.Errorf("%s recorded a consent", role)
		}
	}
}
