package access_test

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
	"github.com/toldonce/toldonce/internal/world"
)

var ctx = context.Background()

const second = evidence.Offset(1_000_000)

// scene is a world with a sealed interview of 60 s.
type scene struct {
	*world.World
	mem    *memstore.Store
	t      *testing.T
	iv     evidence.Interview
	tracks []world.Track
}

func newScene(t *testing.T) *scene {
	w, s := memstore.World(t)
	sc := &scene{World: w.OpenCase(), mem: s, t: t}
	sc.iv, sc.tracks = w.Sealed(w.Victim.ID, 60)
	return sc
}

func (s *scene) actor(role evidence.Role) evidence.Actor { return s.Actors[role] }

// ask is a request that lacks nothing: the prosecutor, for 10 s to 30 s of
// everything, for an hour.
func (s *scene) ask() access.Request {
	now, err := s.Store.Now(ctx)
	s.Must(err)
	return access.Request{Interview: s.iv.ID, Source: access.AllSources, To: s.actor(evidence.RoleProsecutor).Account,
		Asked: evidence.Range{From: 10 * second, Until: 30 * second}, NotBefore: now, NotAfter: now + evidence.Instant(time.Hour.Microseconds()),
		Purpose: "charging review", Basis: "CPC art. 123", RestsOn: access.OnLaw}
}

func (s *scene) grant() access.Grant {
	s.t.Helper()
	g, err := s.Access.RequestGrant(ctx, s.actor(evidence.RoleProsecutor), s.ask())
	s.Must(err)
	g, err = s.Access.ApproveGrant(ctx, s.actor(evidence.RoleCustodian), g.ID)
	s.Must(err)
	return g
}

func (s *scene) deliver(track, index int) error {
	_, err := s.Access.Deliver(ctx, s.actor(evidence.RoleProsecutor), s.iv.ID, s.tracks[track].Track.ID, evidence.LeafMedia, index)
	return err
}

func codeOf(err error) string {
	var r *evidence.Refusal
	if errors.As(err, &r) {
		return r.Reasons[0].Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if codeOf(err) != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestAGrantIsSnappedAndSaysSo(t *testing.T) {
	s := newScene(t)
	in := s.ask()
	in.Asked = evidence.Range{From: 9_500_000, Until: 31 * second}
	g, err := s.Access.RequestGrant(ctx, s.actor(evidence.RoleProsecutor), in)
	s.Must(err)
	if g.State != access.Proposed || g.Needed != 1 || len(g.Tracks) != 4 || g.Asked != in.Asked {
		t.Fatalf("%+v", g)
	}
	// Sound lies 20 ms before the picture; the wide camera's segments 5, 8, 11 … depend on the one before.
	for i, want := range []struct{ first, last int }{{5, 14}, {5, 14}, {5, 14}, {6, 14}} {
		if b := g.Tracks[i]; b.FirstIndex != want.first || b.LastIndex != want.last || b.Track != s.tracks[i].Track.ID {
			t.Errorf("track %d: %+v, want %+v", i, b, want)
		}
	}
	if g.Bounds != (evidence.Range{From: 9_980_000, Until: 30 * second}) {
		t.Errorf("bounds %+v", g.Bounds)
	}
	log := s.mem.Log(access.GrantRequest)
	if len(log) != 1 || log[0].Why != "charging review" || log[0].Authority != "CPC art. 123" || log[0].Details["from"] != "9980000" || log[0].Subject != g.ID {
		t.Errorf("log %+v", log)
	}
	t.Run("one source, outward", func(t *testing.T) {
		in := s.ask()
		in.Source, in.Outward, in.Asked = "wide", true, evidence.Range{From: 11 * second, Until: 11*second + 1}
		g, err := s.Access.RequestGrant(ctx, s.actor(evidence.RoleProsecutor), in)
		s.Must(err)
		if len(g.Tracks) != 2 || g.Tracks[1].FirstIndex != 4 || g.Tracks[1].LastIndex != 5 || g.Source != string(s.tracks[2].Source.ID) {
			t.Errorf("%+v", g)
		}
	})
}

func TestRequestsThatAreRefused(t *testing.T) {
	s := newScene(t)
	planned := s.Plan(func() casefile.NewInterview { in := s.PlanFor(s.Victim.ID); in.Necessity = "new facts"; return in }())
	for _, c := range []struct {
		name   string
		change func(*access.Request)
		code   string
	}{
		{"nothing fits", func(r *access.Request) { r.Asked = evidence.Range{From: 10*second + 1, Until: 11 * second} }, "grant.nothing_fits"},
		{"after the end", func(r *access.Request) { r.Asked = evidence.Range{From: 99 * second, Until: 100 * second} }, "grant.nothing_fits"},
		{"empty range", func(r *access.Request) { r.Asked.Until = r.Asked.From }, "grant.range"},
		{"negative range", func(r *access.Request) { r.Asked.From = -1 }, "grant.range"},
		{"end before beginning", func(r *access.Request) { r.NotAfter = r.NotBefore }, "grant.times"},
		{"in the past", func(r *access.Request) { r.NotBefore, r.NotAfter = 1, 2 }, "grant.times.past"},
		{"no purpose", func(r *access.Request) { r.Purpose = "  " }, "grant.purpose"},
		{"no basis", func(r *access.Request) { r.Basis = "" }, "grant.basis"},
		{"endless purpose", func(r *access.Request) { r.Purpose = strings.Repeat("x", 501) }, "grant.purpose"},
		{"unknown source", func(r *access.Request) { r.Source = "attic" }, "grant.source"},
		{"recipient off the case", func(r *access.Request) { r.To = s.Second[evidence.RoleProsecutor].Account }, "grant.recipient"},
		{"custodian as recipient", func(r *access.Request) { r.To = s.actor(evidence.RoleCustodian).Account }, "grant.recipient"},
		{"nobody as recipient", func(r *access.Request) { r.To = evidence.NewID() }, "grant.recipient"},
		{"not sealed", func(r *access.Request) { r.Interview = planned.ID }, "grant.not_sealed"},
		{"on a consent that there is not", func(r *access.Request) { r.RestsOn = access.OnConsent }, "grant.consent.missing"},
		{"on consent, for somebody it never names", func(r *access.Request) {
			r.RestsOn, r.To = access.OnConsent, s.actor(evidence.RoleObserver).Account
		}, "grant.consent.purpose"},
		{"no foundation said, whatever the words", func(r *access.Request) { r.RestsOn, r.Basis = "", "consent of the victim" }, "grant.rests_on"},
		{"unknown foundation", func(r *access.Request) { r.RestsOn = "whim" }, "grant.rests_on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := s.ask()
			c.change(&in)
			_, err := s.Access.RequestGrant(ctx, s.actor(evidence.RoleProsecutor), in)
			wantCode(t, err, c.code)
		})
	}
	if n := len(s.mem.Log(access.GrantRequest)); n != 0 {
		t.Errorf("%d refused requests stand in the log", n)
	}
	for _, role := range []evidence.Role{evidence.RoleAdmin, evidence.RoleAuditor, evidence.RoleCustodian} {
		_, err := s.Access.RequestGrant(ctx, s.actor(role), s.ask())
		if err == nil {
			t.Errorf("%s asked for a grant", role)
		}
	}
}

// TestTheAnswerForACaseThatDoesNotExist: everything that somebody without a role in
// the case tries gets exactly the error of a thing that is not there.
func TestTheAnswerForACaseThatDoesNotExist(t *testing.T) {
	s := newScene(t)
	g := s.grant()
	nowhere := evidence.NewID()
	for _, stranger := range []evidence.Actor{s.Second[evidence.RoleProsecutor], s.Second[evidence.RoleInterviewer], s.actor(evidence.RoleAdmin)} {
		for kind, id := range map[string]evidence.ID{access.KindCase: s.Case.ID, access.KindInterview: s.iv.ID, access.KindGrant: g.ID, access.KindPerson: s.Victim.ID} {
			for _, action := range []string{access.CaseRead, access.InterviewRead, access.GrantRead, access.GrantApprove, access.PersonEdit, access.InterviewStart} {
				if !strings.HasPrefix(action, kind+".") {
					continue
				}
				is := s.Access.Authorize(ctx, stranger, action, evidence.Resource{Kind: kind, ID: id})
				isNot := s.Access.Authorize(ctx, stranger, action, evidence.Resource{Kind: kind, ID: nowhere})
				if is != isNot || !errors.Is(is, evidence.ErrNotFound) {
					t.Errorf("%s on %s: %v, and on nothing %v", action, kind, is, isNot)
				}
			}
		}
		_, is := s.Access.Deliver(ctx, stranger, s.iv.ID, s.tracks[0].Track.ID, evidence.LeafMedia, 6)
		_, isNot := s.Access.Deliver(ctx, stranger, nowhere, nowhere, evidence.LeafMedia, 6)
		if is != isNot || !errors.Is(is, evidence.ErrNotFound) {
			t.Errorf("media: %v, and of nothing %v", is, isNot)
		}
		_, is = s.Access.Playback(ctx, stranger, s.iv.ID)
		_, isNot = s.Access.Playback(ctx, stranger, nowhere)
		if is != isNot || !errors.Is(is, evidence.ErrNotFound) {
			t.Errorf("playback: %v, and of nothing %v", is, isNot)
		}
		_, is = s.Access.Grants(ctx, stranger, s.iv.ID, "")
		_, isNot = s.Access.Grants(ctx, stranger, nowhere, "")
		if is != isNot || !errors.Is(is, evidence.ErrNotFound) {
			t.Errorf("grants: %v, and of nothing %v", is, isNot)
		}
	}
	// She has a role on the case, may know of the interview, and has no grant.
	for _, role := range []evidence.Role{evidence.RoleAdvocate, evidence.RoleInterviewer, evidence.RoleCaseManager, evidence.RoleCustodian, evidence.RoleAuditor} {
		_, err := s.Access.Deliver(ctx, s.actor(role), s.iv.ID, s.tracks[0].Track.ID, evidence.LeafMedia, 6)
		if !errors.Is(err, evidence.ErrNotFound) || errors.Is(err, evidence.ErrRefused) {
			t.Errorf("media to a %s without a grant: %v", role, err)
		}
	}
}

func TestAProposedGrantIsNoGrant(t *testing.T) {
	s := newScene(t)
	g, err := s.Access.RequestGrant(ctx, s.actor(evidence.RoleProsecutor), s.ask())
	s.Must(err)
	if err := s.deliver(0, 6); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("proposed: %v", err)
	}
	_, err = s.Access.RejectGrant(ctx, s.actor(evidence.RoleCustodian), g.ID, "too wide")
	s.Must(err)
	if err := s.deliver(0, 6); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("rejected: %v", err)
	}
	_, err = s.Access.ApproveGrant(ctx, s.actor(evidence.RoleCustodian), g.ID)
	wantCode(t, err, "grant.not_proposed")
}

func TestNobodyDecidesOnHerOwn(t *testing.T) {
	s := newScene(t)
	// A custodian cannot ask; a case manager asks for the prosecutor, and neither approves.
	g, err := s.Access.RequestGrant(ctx, s.actor(evidence.RoleCaseManager), s.ask())
	s.Must(err)
	_, err = s.Access.ApproveGrant(ctx, s.actor(evidence.RoleCaseManager), g.ID)
	wantCode(t, err, "grant.own_request")
	_, err = s.Access.ApproveGrant(ctx, s.actor(evidence.RoleProsecutor), g.ID)
	wantCode(t, err, "grant.own_request")
	_, err = s.Access.ApproveGrant(ctx, s.actor(evidence.RoleAdvocate), g.ID)
	wantCode(t, err, "access.role")
	if _, err = s.Access.ApproveGrant(ctx, s.actor(evidence.RoleAdmin), g.ID); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("administrator: %v", err)
	}
	_, err = s.Access.ApproveGrant(ctx, s.actor(evidence.RoleAuditor), g.ID)
	wantCode(t, err, "access.no_media")
	g, err = s.Access.ApproveGrant(ctx, s.actor(evidence.RoleCustodian), g.ID)
	if err != nil || g.State != access.Active {
		t.Fatalf("%+v, %v", g, err)
	}
}

func TestWhatShowsAChildNeedsTwo(t *testing.T) {
	w, store := memstore.World(t)
	w.OpenCase()
	for _, age := range []casefile.Age{casefile.Child, casefile.Uncertain} {
		t.Run(string(age), func(t *testing.T) {
			child := w.AddPerson(casefile.NewPerson{Pseudonym: "Zogu " + string(age), Kind: casefile.Victim, Age: age, Language: "sq", Unaccompanied: true})
			iv := w.Plan(w.PlanFor(child.ID))
			w.Consents(consent.Statement{Person: child.ID, Purposes: []consent.Purpose{consent.ToRecord}, GivenBy: consent.ByAuthority, ChildView: consent.ViewYes,
				Form: consent.Written, Document: "form", Language: "sq"})
			tracks := world.Tracks(iv, 60)
			store.Record(iv, tracks)
			s := &scene{World: w, mem: store, t: t, iv: iv, tracks: tracks}
			request := func() access.Grant {
				g, err := w.Access.RequestGrant(ctx, s.actor(evidence.RoleProsecutor), s.ask())
				w.Must(err)
				if g.Needed != 2 {
					t.Fatalf("needs %d", g.Needed)
				}
				return g
			}
			g := request()
			_, err := w.Access.ApproveGrant(ctx, s.actor(evidence.RoleCaseManager), g.ID)
			wantCode(t, err, "access.role") // a custodian comes first
			g, err = w.Access.ApproveGrant(ctx, s.actor(evidence.RoleCustodian), g.ID)
			w.Must(err)
			if g.State != access.Proposed {
				t.Fatal("one approval made it active")
			}
			if err := s.deliver(0, 6); !errors.Is(err, evidence.ErrNotFound) {
				t.Errorf("plays with one approval: %v", err)
			}
			_, err = w.Access.ApproveGrant(ctx, s.actor(evidence.RoleCustodian), g.ID)
			wantCode(t, err, "grant.approved_by_you")
			g, err = w.Access.ApproveGrant(ctx, s.actor(evidence.RoleCaseManager), g.ID)
			if err != nil || g.State != access.Active {
				t.Fatalf("%+v, %v", g, err)
			}
			w.Must(s.deliver(0, 6))
			g = request()
			_, err = w.Access.ApproveGrant(ctx, w.Second[evidence.RoleCustodian], g.ID)
			w.Must(err)
			g, err = w.Access.ApproveGrant(ctx, s.actor(evidence.RoleCustodian), g.ID)
			if err != nil || g.State != access.Active {
				t.Fatalf("two custodians: %+v, %v", g, err)
			}
		})
	}
	t.Run("an age that became uncertain since", func(t *testing.T) {
		s := newScene(t)
		g, err := s.Access.RequestGrant(ctx, s.actor(evidence.RoleProsecutor), s.ask())
		s.Must(err)
		age := casefile.Uncertain
		_, err = s.Cases.ChangePerson(ctx, s.actor(evidence.RoleCaseManager), s.Victim.ID, casefile.PersonChange{Age: &age, Why: "a document came"})
		s.Must(err)
		g, err = s.Access.ApproveGrant(ctx, s.actor(evidence.RoleCustodian), g.ID)
		if err != nil || g.State != access.Proposed || g.Needed != 2 {
			t.Errorf("%+v, %v", g, err)
		}
	})
}

func TestRevoking(t *testing.T) {
	s := newScene(t)
	g := s.grant()
	s.Must(s.deliver(0, 6))
	for _, role := range []evidence.Role{evidence.RoleAdvocate, evidence.RoleInterviewer} {
		_, err := s.Access.RevokeGrant(ctx, s.actor(role), g.ID, "no")
		wantCode(t, err, "access.role")
	}
	_, err := s.Access.RevokeGrant(ctx, s.actor(evidence.RoleCustodian), g.ID, " ")
	wantCode(t, err, "grant.reason")
	g, err = s.Access.RevokeGrant(ctx, s.actor(evidence.RoleCustodian), g.ID, "the need is over")
	s.Must(err)
	wantCode(t, s.deliver(0, 6), "grant.revoked")
	wantCode(t, s.deliver(0, 7), "grant.revoked")
	_, err = s.Access.Playback(ctx, s.actor(evidence.RoleProsecutor), s.iv.ID)
	wantCode(t, err, "grant.revoked")
	_, err = s.Access.Live(ctx, s.actor(evidence.RoleProsecutor), s.iv.ID)
	wantCode(t, err, "grant.revoked")
	log := s.mem.Log(access.GrantRevoke)
	if len(log) != 1 || log[0].Subject != g.ID || log[0].Interview != s.iv.ID || log[0].Details["to"] != string(s.actor(evidence.RoleProsecutor).Account) {
		t.Errorf("the event says %+v", log)
	}
	_, err = s.Access.RevokeGrant(ctx, s.actor(evidence.RoleCustodian), g.ID, "again")
	wantCode(t, err, "grant.state")

	for name, role := range map[string]evidence.Role{"its holder": evidence.RoleProsecutor, "the case manager": evidence.RoleCaseManager} {
		g := s.grant()
		if _, err := s.Access.RevokeGrant(ctx, s.actor(role), g.ID, "done"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatEndsPlayingAtOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(s *scene, g access.Grant)
		code string // empty: the answer for what does not exist
	}{
		{"its time", func(s *scene, g access.Grant) { s.mem.Advance(time.Hour) }, "grant.over"},
		{"leaving the team", func(s *scene, g access.Grant) {
			team, err := s.Cases.Team(ctx, s.actor(evidence.RoleCaseManager), s.Case.ID)
			s.Must(err)
			for _, m := range team {
				if m.Account == g.To {
					s.Must(s.Cases.RemoveMember(ctx, s.actor(evidence.RoleCaseManager), s.Case.ID, m.ID, "moved"))
				}
			}
		}, ""},
		{"a link to a suspect", func(s *scene, g access.Grant) {
			suspect := s.AddPerson(casefile.NewPerson{Pseudonym: "Ujku", Kind: casefile.Suspect, Age: casefile.Adult, Language: "sq"})
			_, err := s.Cases.Link(ctx, s.actor(evidence.RoleCaseManager), casefile.NewLink{Person: suspect.ID, Account: g.To, Kind: casefile.LinkKin, Why: "sister"})
			s.Must(err)
		}, ""},
		{"a disabled account", func(s *scene, g access.Grant) {
			_, err := s.People.Disable(ctx, s.actor(evidence.RoleAdmin), g.To, "left")
			s.Must(err)
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			g := s.grant()
			s.Must(s.deliver(0, 6))
			c.do(s, g)
			err := s.deliver(0, 6)
			if c.code != "" {
				wantCode(t, err, c.code)
			} else if !errors.Is(err, evidence.ErrNotFound) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTwoDecisionsAtTheSameTime(t *testing.T) {
	s := newScene(t)
	g, err := s.Access.RequestGrant(ctx, s.actor(evidence.RoleProsecutor), s.ask())
	s.Must(err)
	stale := g
	_, err = s.Access.ApproveGrant(ctx, s.actor(evidence.RoleCustodian), g.ID)
	s.Must(err)
	stale.State = access.Rejected
	if err := s.Store.ChangeGrant(ctx, stale, s.mem.Log(access.GrantApprove)[0]); !errors.Is(err, evidence.ErrConflict) {
		t.Errorf("an outdated decision was stored: %v", err)
	}
}

func TestListsHoldWhatOneMayKnow(t *testing.T) {
	s := newScene(t)
	g := s.grant()
	s.Must(s.deliver(0, 6))
	pending, err := s.Access.RequestGrant(ctx, s.actor(evidence.RoleProsecutor), s.ask())
	s.Must(err)
	list := func(actor evidence.Actor, state access.GrantState) []access.GrantView {
		t.Helper()
		l, err := s.Access.Grants(ctx, actor, "", state)
		s.Must(err)
		return l
	}
	for role, want := range map[evidence.Role]int{evidence.RoleProsecutor: 2, evidence.RoleCustodian: 2, evidence.RoleAuditor: 2, evidence.RoleCaseManager: 2,
		evidence.RoleAdvocate: 2, evidence.RoleObserver: 0, evidence.RoleInterviewer: 0, evidence.RoleAdmin: 0} {
		if got := list(s.actor(role), ""); len(got) != want {
			t.Errorf("%s sees %d grants, want %d", role, len(got), want)
		}
		if got := list(s.Second[role], ""); role != evidence.RoleCustodian && role != evidence.RoleAuditor && len(got) != 0 {
			t.Errorf("a %s without the case sees %d grants", role, len(got))
		}
	}
	for _, v := range list(s.actor(evidence.RoleCustodian), "") {
		if v.MayApprove != (v.ID == pending.ID) || !v.MayRevoke || v.Exposure == nil || v.Exposure.Viewers != 1 || v.Exposure.Grants != 1 || v.Exposure.Delivered != 2*second {
			t.Errorf("custodian: %+v exposure %+v", v, v.Exposure)
		}
	}
	for _, v := range list(s.actor(evidence.RoleProsecutor), access.Active) {
		if v.ID != g.ID || v.MayApprove || !v.MayRevoke || v.Exposure != nil {
			t.Errorf("holder: %+v", v)
		}
	}
	s.mem.Advance(time.Hour)
	if got := list(s.actor(evidence.RoleCustodian), access.Expired); len(got) != 1 || got[0].ID != g.ID || got[0].StateNow != access.Expired || got[0].State != access.Active {
		t.Errorf("expired: %+v", got)
	}
}
