package world

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/people"
)

// RunConformance checks that a store keeps the promises of people.Store,
// casefile.Store, consent.Store and access.Store. open makes a world on an empty store.
func RunConformance(t *testing.T, open func(testing.TB) *World) {
	for name, check := range map[string]func(*testing.T, *World){
		"accounts": checkAccounts, "invitations": checkInvitations, "sign-in": checkSignIn, "tokens": checkTokens, "cases": checkCases, "team": checkTeam, "sheets": checkSheets,
		"people": checkPeople, "plans": checkPlans, "consents": checkConsents, "grants": checkGrants, "windows": checkWindows, "viewings": checkViewings, "refusals": checkRefusals,
		"standing": checkStanding, "observation": checkObservation, "transcripts": checkTranscripts, "one unit of work": checkUnit,
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			w.T = t
			check(t, w)
		})
	}
}

var bg = context.Background()

func (w *World) entry(action string) custody.Entry {
	return custody.Entry{Actor: evidence.System(w.Agency), Action: action}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func same(t *testing.T, what string, got any, err error, want any) {
	t.Helper()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %+v, %v; want %+v", what, got, err, want)
	}
}

func checkAccounts(t *testing.T, w *World) {
	s := w.Store
	a := people.Account{ID: evidence.NewID(), Agency: w.Agency, Login: "luan", Name: "Луан Љ", Role: evidence.RoleObserver, Language: "sr-Cyrl", State: people.Proposed,
		ProposedBy: w.Actors[evidence.RoleAdmin].Account, CreatedAt: 5, Version: 1}
	w.Must(s.CreateAccount(bg, a, w.entry("x")))
	got, err := s.Account(bg, a.ID)
	same(t, "account", got, err, a)
	got, err = s.AccountByLogin(bg, "luan")
	same(t, "by login", got, err, a)
	again := a
	again.ID = evidence.NewID()
	wantErr(t, "a login twice", s.CreateAccount(bg, again, w.entry("x")), evidence.ErrConflict)
	wantErr(t, "approval by the proposer", s.ApproveAccount(bg, a.ID, a.ProposedBy, 6, w.entry("x")), evidence.ErrConflict)
	w.Must(s.ApproveAccount(bg, a.ID, w.Second[evidence.RoleAdmin].Account, 6, w.entry("x")))
	wantErr(t, "approval twice", s.ApproveAccount(bg, a.ID, w.Second[evidence.RoleAdmin].Account, 6, w.entry("x")), evidence.ErrConflict)
	a.State, a.ApprovedBy, a.ApprovedAt, a.Version = people.Invited, w.Second[evidence.RoleAdmin].Account, 6, 2
	got, err = s.Account(bg, a.ID)
	same(t, "approved", got, err, a)
	wantErr(t, "recovery of an account that is not active", s.ProposeRecovery(bg, a.ID, a.ProposedBy, 7, w.entry("x")), evidence.ErrConflict)
	inv := people.Invitation{ID: evidence.NewID(), Account: a.ID, TokenHash: []byte("luan"), ExpiresAt: 100}
	accept := func() {
		w.Must(s.SaveInvitation(bg, inv, w.entry("x")))
		w.Must(s.AcceptInvitation(bg, inv.ID, people.Credentials{Account: a.ID, PasswordHash: "hash", TOTP: []byte("secret"), Counter: 5}, 7, w.entry("x")))
	}
	accept()
	second := w.Second[evidence.RoleAdmin].Account
	wantErr(t, "a recovery that nobody proposed", s.RecoverAccount(bg, a.ID, second, 8, w.entry("x")), evidence.ErrConflict)
	w.Must(s.ProposeRecovery(bg, a.ID, a.ProposedBy, 8, w.entry("x")))
	wantErr(t, "a recovery by one person", s.RecoverAccount(bg, a.ID, a.ProposedBy, 9, w.entry("x")), evidence.ErrConflict)
	w.Must(s.SignedIn(bg, a.ID, 6, "pair", "other", 9, w.entry("x")))
	wantErr(t, "a recovery after its holder signed in", s.RecoverAccount(bg, a.ID, second, 10, w.entry("x")), evidence.ErrConflict)
	w.Must(s.SaveToken(bg, people.Token{ID: evidence.NewID(), Account: a.ID, Name: "n", Hash: []byte("luan"), CreatedAt: 9, ExpiresAt: 100}, w.entry("x")))
	w.Must(s.ProposeRecovery(bg, a.ID, a.ProposedBy, 10, w.entry("x")))
	key := people.Passkey{ID: []byte{1, 2}, Account: a.ID, Name: "Tablet", Credential: []byte("one"), CreatedAt: 10}
	w.Must(s.SavePasskey(bg, key, w.entry("x")))
	wantErr(t, "a passkey twice", s.SavePasskey(bg, key, w.entry("x")), evidence.ErrConflict)
	key.Credential, key.UsedAt = []byte("two"), 11
	w.Must(s.PasskeySignedIn(bg, key, w.entry("x")))
	keys, err := s.Passkeys(bg, a.ID)
	same(t, "passkeys", keys, err, []people.Passkey{key})
	wantErr(t, "a recovery after its holder signed in with a passkey", s.RecoverAccount(bg, a.ID, second, 11, w.entry("x")), evidence.ErrConflict)
	wantErr(t, "another's passkey", s.DeletePasskey(bg, second, key.ID, w.entry("x")), evidence.ErrNotFound)
	w.Must(s.DeletePasskey(bg, a.ID, key.ID, w.entry("x")))
	wantErr(t, "a sign-in with a passkey that is gone", s.PasskeySignedIn(bg, key, w.entry("x")), evidence.ErrConflict)
	w.Must(s.SavePasskey(bg, key, w.entry("x")))
	w.Must(s.ProposeRecovery(bg, a.ID, a.ProposedBy, 11, w.entry("x")))
	w.Must(s.RecoverAccount(bg, a.ID, second, 11, w.entry("x")))
	_, err = s.Credentials(bg, a.ID)
	wantErr(t, "credentials after a recovery", err, evidence.ErrNotFound)
	keys, err = s.Passkeys(bg, a.ID)
	same(t, "passkeys after a recovery", len(keys), err, 0)
	token, err := s.TokenByHash(bg, []byte("luan"))
	same(t, "token after a recovery", token.RevokedAt, err, evidence.Instant(11))
	a.ActiveAt, a.Version = 7, 9
	got, err = s.Account(bg, a.ID)
	same(t, "recovered", got, err, a)
	inv.ID, inv.TokenHash = evidence.NewID(), []byte("luan again")
	accept()
	w.Must(s.DisableAccount(bg, a.ID, 7, w.entry("x")))
	wantErr(t, "disabling twice", s.DisableAccount(bg, a.ID, 8, w.entry("x")), evidence.ErrConflict)
	_, err = s.Account(bg, evidence.NewID())
	wantErr(t, "no account", err, evidence.ErrNotFound)
	_, err = s.AccountByLogin(bg, "nobody")
	wantErr(t, "no login", err, evidence.ErrNotFound)
	wantErr(t, "a second first account", s.CreateFirstAccount(bg, people.Agency{ID: evidence.NewID(), Name: "B", Kind: people.NGO}, again, people.Invitation{ID: evidence.NewID(), Account: again.ID, TokenHash: []byte("h")}, w.entry("x")), evidence.ErrConflict)

	agency := people.Agency{ID: evidence.NewID(), Name: "Prokuroria", Kind: people.Prosecution, CreatedAt: 9}
	w.Must(s.CreateAgency(bg, agency, w.entry("x")))
	gotAgency, err := s.Agency(bg, agency.ID)
	same(t, "agency", gotAgency, err, agency)
	room := people.Room{ID: evidence.NewID(), Agency: agency.ID, Name: "Dhoma", Place: "Pejë", TimeZone: "Europe/Belgrade", CreatedAt: 9}
	w.Must(s.CreateRoom(bg, room, w.entry("x")))
	gotRoom, err := s.Room(bg, room.ID)
	same(t, "room", gotRoom, err, room)
	for _, fit := range []bool{false, true} {
		c := people.RoomCheck{ID: evidence.NewID(), Agency: agency.ID, Room: room.ID, Private: fit, Furniture: true, Sound: true, WholeRoom: fit, NoSymbols: true, Note: "Ж", By: "a", At: 10}
		w.Must(s.SaveRoomCheck(bg, c, w.entry("x")))
		checks, err := s.RoomChecks(bg)
		same(t, "room check", checks, err, map[evidence.ID]people.RoomCheck{room.ID: c})
	}
	device := evidence.Device{ID: evidence.NewID(), Agency: agency.ID, Room: room.ID, PublicKey: []byte{1}, KeyID: "ab", EnrolledAt: 11, EnrolledBy: a.ID}
	w.Must(s.SaveDevice(bg, device, w.entry("x")))
	devices, err := s.Devices(bg, room.ID)
	same(t, "devices", devices, err, []evidence.Device{device})
	w.Must(s.RevokeDevice(bg, device.ID, 12, w.entry("x")))
	device.RevokedAt = 12
	devices, err = s.Devices(bg, room.ID)
	same(t, "revoked devices", devices, err, []evidence.Device{device})
	wantErr(t, "revoking twice", s.RevokeDevice(bg, device.ID, 13, w.entry("x")), evidence.ErrConflict)
	for _, holds := range []bool{false, true} {
		r := people.Rehearsal{ID: evidence.NewID(), Agency: agency.ID, Room: room.ID, Holds: holds, Segments: 12, By: "a", At: 11}
		w.Must(s.SaveRehearsal(bg, r, w.entry("x")))
		rehearsals, err := s.Rehearsals(bg)
		same(t, "rehearsal", rehearsals, err, map[evidence.ID]people.Rehearsal{room.ID: r})
	}
	assigned, err := s.RoomAssigned(bg, room.ID)
	same(t, "whether a room is assigned", assigned, err, false)
	room.ID = evidence.NewID()
	devices, err = s.Devices(bg, room.ID)
	same(t, "devices of a room without any", devices, err, []evidence.Device{})
	wantErr(t, "a room's name twice", s.CreateRoom(bg, room, w.entry("x")), evidence.ErrConflict)
	wantErr(t, "an index key twice", s.CreateIndexKey(bg, []byte("other")), evidence.ErrConflict)
}

func checkInvitations(t *testing.T, w *World) {
	s := w.Store
	a := people.Account{ID: evidence.NewID(), Agency: w.Agency, Login: "luan", Name: "L", Role: evidence.RoleAuditor, Language: "sq", State: people.Invited, Version: 1}
	w.Must(s.CreateAccount(bg, a, w.entry("x")))
	inv := people.Invitation{ID: evidence.NewID(), Account: a.ID, TokenHash: []byte("first"), CreatedBy: w.Actors[evidence.RoleAdmin].Account, CreatedAt: 1, ExpiresAt: 100}
	w.Must(s.SaveInvitation(bg, inv, w.entry("x")))
	got, err := s.InvitationByHash(bg, inv.TokenHash)
	same(t, "invitation", got, err, inv)
	for _, secret := range []string{"one", "two"} {
		stored, err := s.SetInvitationTOTP(bg, inv.ID, []byte(secret))
		same(t, "secret", string(stored), err, "one")
	}
	next := inv
	next.ID, next.TokenHash = evidence.NewID(), []byte("second")
	w.Must(s.SaveInvitation(bg, next, w.entry("x")))
	_, err = s.InvitationByHash(bg, inv.TokenHash)
	wantErr(t, "a replaced invitation", err, evidence.ErrNotFound)
	cred := people.Credentials{Account: a.ID, PasswordHash: "$argon2id$", TOTP: []byte("wrapped"), Counter: 7}
	wantErr(t, "accepting a replaced one", s.AcceptInvitation(bg, inv.ID, cred, 50, w.entry("x")), evidence.ErrConflict)
	w.Must(s.AcceptInvitation(bg, next.ID, cred, 50, w.entry("x")))
	wantErr(t, "accepting twice", s.AcceptInvitation(bg, next.ID, cred, 51, w.entry("x")), evidence.ErrConflict)
	gotCred, err := s.Credentials(bg, a.ID)
	same(t, "credentials", gotCred, err, cred)
	if now, err := s.Account(bg, a.ID); err != nil || now.State != people.Active || now.ActiveAt != 50 {
		t.Errorf("%+v, %v", now, err)
	}
	_, err = s.Credentials(bg, evidence.NewID())
	wantErr(t, "no credentials", err, evidence.ErrNotFound)
}

func checkSignIn(t *testing.T, w *World) {
	s := w.Store
	count := func(at evidence.Instant, want, wantOther int) {
		t.Helper()
		got, err := s.CountAttempt(bg, []string{"pair", "other"}, at, 100)
		if err != nil || len(got) != 2 || got[0].Count != want || got[1].Count != wantOther {
			t.Errorf("at %d: %+v, %v; want %d and %d", at, got, err, want, wantOther)
		}
	}
	count(1000, 1, 1)
	count(1050, 2, 2)
	count(1099, 3, 3)
	account := w.Actors[evidence.RoleAdvocate].Account
	cred, err := s.Credentials(bg, account)
	w.Must(err)
	wantErr(t, "an old code", s.SignedIn(bg, account, cred.Counter, "pair", "other", 1099, w.entry("x")), evidence.ErrConflict)
	w.Must(s.SignedIn(bg, account, cred.Counter+1, "pair", "other", 1099, w.entry("x")))
	wantErr(t, "a code twice", s.SignedIn(bg, account, cred.Counter+1, "pair", "other", 1099, w.entry("x")), evidence.ErrConflict)
	got, err := s.CountAttempt(bg, []string{"pair", "other"}, 1099, 100)
	if err != nil || got[0] != (people.Attempts{Count: 1, Since: 1000, LastSuccess: 1099}) || got[1] != (people.Attempts{Count: 3, Since: 1000}) {
		t.Errorf("after success: %+v, %v", got, err)
	}
	count(1100, 1, 1) // the window is over
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := s.CountAttempt(bg, []string{"crowd", "other"}, 2000, 100); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got, err := s.CountAttempt(bg, []string{"crowd"}, 2000, 100); err != nil || got[0].Count != 9 {
		t.Errorf("counted at the same time: %+v, %v", got, err)
	}
}

func checkTokens(t *testing.T, w *World) {
	s, account := w.Store, w.Actors[evidence.RoleAdvocate].Account
	tok := people.Token{ID: evidence.NewID(), Account: account, Name: "script", Hash: []byte("hash"), MFA: true, CreatedAt: 1, ExpiresAt: 9}
	w.Must(s.SaveToken(bg, tok, w.entry("x")))
	got, err := s.TokenByHash(bg, tok.Hash)
	same(t, "token", got, err, tok)
	wantErr(t, "somebody else's", s.RevokeToken(bg, evidence.NewID(), tok.ID, 5, w.entry("x")), evidence.ErrNotFound)
	w.Must(s.RevokeToken(bg, account, tok.ID, 5, w.entry("x")))
	wantErr(t, "twice", s.RevokeToken(bg, account, tok.ID, 6, w.entry("x")), evidence.ErrNotFound)
	tok.RevokedAt = 5
	list, err := s.Tokens(bg, account)
	same(t, "tokens", list, err, []people.Token{tok})
	live := people.Token{ID: evidence.NewID(), Account: account, Name: "n", Hash: []byte("hash 2"), ExpiresAt: 9}
	w.Must(s.SaveToken(bg, live, w.entry("x")))
	w.Must(s.DisableAccount(bg, account, 7, w.entry("x")))
	if got, err := s.TokenByHash(bg, live.Hash); err != nil || got.RevokedAt != 7 {
		t.Errorf("of a disabled account: %+v, %v", got, err)
	}
	_, err = s.TokenByHash(bg, []byte("none"))
	wantErr(t, "no token", err, evidence.ErrNotFound)
}

func checkCases(t *testing.T, w *World) {
	s := w.Store
	w.OpenCase()
	got, err := s.Case(bg, w.Case.ID)
	same(t, "case", got, err, w.Case)
	other := w.Case
	other.ID = evidence.NewID()
	wantErr(t, "a reference twice", s.CreateCase(bg, other, casefile.Member{ID: evidence.NewID(), Case: other.ID}, w.entry("x")), evidence.ErrConflict)
	step := casefile.Content{Stage: &casefile.StageStep{From: casefile.Referral, To: casefile.Assistance, Why: "x"}}
	w.Must(s.SetStage(bg, w.Case, casefile.Assistance, w.sheet(step), []custody.Entry{w.entry("x")}))
	wantErr(t, "an outdated stage", s.SetStage(bg, w.Case, casefile.Closed, w.sheet(step), []custody.Entry{w.entry("x")}), evidence.ErrConflict)
	w.Sealed(w.Victim.ID, 10)
	now, _ := s.Now(bg)
	list, err := s.Cases(bg, w.Actors[evidence.RoleAdvocate].Account, "", "", now)
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	w.Case.Stage, w.Case.Version = casefile.Assistance, 2
	same(t, "summary", list[0], nil, casefile.Summary{Case: w.Case, Roles: []evidence.Role{evidence.RoleAdvocate}, Manager: w.Actors[evidence.RoleCaseManager].Account, People: 1, Interviews: 1, Consents: 1})
	for key, want := range map[string]int{w.Case.ReferenceKey: 1, w.Victim.PseudonymKey: 1, "nonsense": 0} {
		if list, err := s.Cases(bg, w.Actors[evidence.RoleAdvocate].Account, "", key, now); err != nil || len(list) != want {
			t.Errorf("found %d by %s, %v", len(list), key, err)
		}
	}
	for _, c := range []struct {
		account, agency evidence.ID
		want            int
	}{{w.Second[evidence.RoleAdvocate].Account, "", 0}, {w.Actors[evidence.RoleAuditor].Account, w.Agency, 1}, {w.Actors[evidence.RoleAuditor].Account, evidence.NewID(), 0}} {
		if list, err := s.Cases(bg, c.account, c.agency, "", now); err != nil || len(list) != c.want {
			t.Errorf("%d cases, %v; want %d", len(list), err, c.want)
		}
	}
	_, err = s.Case(bg, evidence.NewID())
	wantErr(t, "no case", err, evidence.ErrNotFound)
}

func checkTeam(t *testing.T, w *World) {
	s := w.Store
	w.OpenCase()
	account := w.Second[evidence.RoleAdvocate].Account
	m := casefile.Member{ID: evidence.NewID(), Agency: w.Agency, Case: w.Case.ID, Account: account, Role: evidence.RoleAdvocate, From: 10, Until: 20, AddedBy: w.Actors[evidence.RoleCaseManager].Account, AddedAt: 9}
	w.Must(s.AddMember(bg, m, w.entry("x")))
	again := m
	again.ID, again.From, again.Until = evidence.NewID(), 15, 0
	wantErr(t, "a role twice", s.AddMember(bg, again, w.entry("x")), evidence.ErrConflict)
	again.From = 20
	w.Must(s.AddMember(bg, again, w.entry("x")))
	team, err := s.Team(bg, w.Case.ID)
	w.Must(err)
	same(t, "member", team[len(team)-2], nil, m)
	w.Must(s.EndMember(bg, again.ID, "", 30, w.entry("x")))
	wantErr(t, "ending twice", s.EndMember(bg, again.ID, "", 31, w.entry("x")), evidence.ErrConflict)

	suspect := w.AddPerson(casefile.NewPerson{Pseudonym: "Ujku", Kind: casefile.Suspect, Age: casefile.Adult, Language: "sq"})
	now, err := s.Now(bg)
	w.Must(err)
	l := casefile.Link{ID: evidence.NewID(), Agency: w.Agency, Case: w.Case.ID, Person: suspect.ID, Account: account, Kind: casefile.LinkKin, By: m.AddedBy, At: now,
		State: casefile.LinkClaimed, Due: now + 100, Lapses: true}
	duty := w.sheet(casefile.Content{Duty: &casefile.Duty{Code: "separation_conflict"}})
	w.Must(s.AddLink(bg, l, duty, []custody.Entry{w.entry("x"), w.entry("x")}))
	wantErr(t, "a link twice", s.AddLink(bg, casefile.Link{ID: evidence.NewID(), Agency: w.Agency, Case: w.Case.ID, Person: suspect.ID, Account: account, Kind: casefile.LinkOther, State: casefile.LinkClaimed},
		w.sheet(duty.Content), []custody.Entry{w.entry("x")}), evidence.ErrConflict)
	_, err = s.Sheet(bg, duty.ID)
	w.Must(err)
	links, err := s.Links(bg, w.Case.ID)
	same(t, "link", links, err, []casefile.Link{l})
	again.ID, again.From, again.AddedAt = evidence.NewID(), 50, now
	wantErr(t, "a member who is kept apart", s.AddMember(bg, again, w.entry("x")), evidence.ErrConflict)
	apart := func(what string, at evidence.Instant, linked, lifted bool) {
		t.Helper()
		st, err := s.Standing(bg, account, evidence.Resource{Kind: access.KindCase, ID: w.Case.ID}, at)
		if err != nil || st.Linked != linked || st.Lifted != lifted {
			t.Errorf("%s: linked %v, lifted %v, %v; want %v, %v", what, st.Linked, st.Lifted, err, linked, lifted)
		}
		if list, err := s.Cases(bg, account, w.Agency, "", at); err != nil || (len(list) == 0) != (linked && !lifted) {
			t.Errorf("%s: sees %d cases, %v", what, len(list), err)
		}
	}
	apart("claimed", now+99, true, false)
	apart("lapsed", now+100, false, false)
	decided := l
	decided.State, decided.DecidedBy, decided.DecidedAt, decided.LiftedUntil, decided.LiftedBy = casefile.LinkUpheld, "z", now+1, now+50, "z"
	review := w.sheet(duty.Content)
	w.Must(s.DecideLink(bg, l, decided, []casefile.Sheet{review}, []custody.Entry{w.entry("x")}))
	_, err = s.Sheet(bg, review.ID)
	w.Must(err)
	wantErr(t, "deciding what was decided meanwhile", s.DecideLink(bg, l, decided, nil, []custody.Entry{w.entry("x")}), evidence.ErrConflict)
	got, err := s.Link(bg, l.ID)
	same(t, "decided", got, err, decided)
	apart("lifted", now+49, true, true)
	apart("no longer lifted", now+50, true, false)
	member := again
	member.ID, member.From = evidence.NewID(), now+2
	member.AddedAt = now + 2
	w.Must(s.AddMember(bg, member, w.entry("x")))
	upheld := decided
	upheld.LiftedUntil, upheld.LiftedBy, upheld.DecidedAt = 0, "", now+3
	w.Must(s.DecideLink(bg, decided, upheld, nil, []custody.Entry{w.entry("x")}))
	apart("upheld", now+200, true, false)
	team, err = s.Team(bg, w.Case.ID)
	w.Must(err)
	for _, one := range team {
		if one.Account == account && one.EndedAt == 0 {
			t.Errorf("still in the team: %+v", one)
		}
	}
	dismissed := upheld
	dismissed.State, dismissed.DecidedAt = casefile.LinkDismissed, now+4
	w.Must(s.DecideLink(bg, upheld, dismissed, nil, []custody.Entry{w.entry("x")}))
	apart("dismissed", now+5, false, false)
}

// sheet is a sheet of the case that anybody could have written.
func (w *World) sheet(content casefile.Content) casefile.Sheet {
	sheet := casefile.NewSheet(w.Case, content)
	sheet.Person, sheet.ForRole, sheet.Due, sheet.By, sheet.At = w.Victim.ID, evidence.RoleCaseManager, 70, w.Actors[evidence.RoleAdvocate].Account, 60
	return sheet
}

func checkSheets(t *testing.T, w *World) {
	s := w.Store
	w.OpenCase()
	iv := w.Plan(w.PlanFor(w.Victim.ID))
	late, soon := w.sheet(casefile.Content{Duty: &casefile.Duty{Code: "other", Text: "Ndihmë Ж"}}), w.sheet(casefile.Content{Service: &casefile.ServiceRequest{Service: "medical", To: "QKUK"}})
	late.Due, soon.Due, soon.Interview = 90, 80, iv.ID
	mine := w.sheet(casefile.Content{Danger: &casefile.Danger{Recipients: []evidence.ID{"a", "b"}}})
	mine.ForAccount, mine.ForRole, mine.Due = w.Actors[evidence.RoleAdvocate].Account, "", 0
	w.Must(s.AddSheets(bg, []casefile.Sheet{late, soon, mine}, []custody.Entry{w.entry("sheets"), w.entry("sheets")}))
	wantErr(t, "a sheet twice", s.AddSheets(bg, []casefile.Sheet{w.sheet(late.Content), late}, []custody.Entry{w.entry("sheets")}), evidence.ErrConflict)
	if n := len(w.Log("sheets")); n != 2 {
		t.Errorf("%d entries", n)
	}
	got, err := s.Sheet(bg, soon.ID)
	same(t, "sheet", got, err, soon)
	_, err = s.Sheet(bg, evidence.NewID())
	wantErr(t, "no sheet", err, evidence.ErrNotFound)
	for _, c := range []struct {
		f    casefile.SheetFilter
		want []casefile.Sheet
	}{
		{casefile.SheetFilter{Case: w.Case.ID}, []casefile.Sheet{late, soon, mine}},
		{casefile.SheetFilter{Case: w.Case.ID, Kinds: []casefile.SheetKind{casefile.SheetDuty, casefile.SheetDanger}}, []casefile.Sheet{late, mine}},
		{casefile.SheetFilter{Interview: iv.ID}, []casefile.Sheet{soon}},
	} {
		list, err := s.Sheets(bg, c.f)
		same(t, "sheets", list, err, c.want)
	}
	now, err := s.Now(bg)
	w.Must(err)
	duties := func(what string, account, agency evidence.ID, want ...casefile.Sheet) {
		t.Helper()
		list, err := s.Duties(bg, account, agency, now)
		if err != nil || len(list) != len(want) {
			t.Fatalf("%s has %d duties, %v; want %d", what, len(list), err, len(want))
		}
		for i := range want {
			same(t, what, list[i], nil, want[i])
		}
	}
	duties("the case manager", w.Actors[evidence.RoleCaseManager].Account, "", soon, late)
	duties("the advocate", w.Actors[evidence.RoleAdvocate].Account, "", mine)
	duties("a case manager of another case", w.Second[evidence.RoleCaseManager].Account, "")
	duties("the custodian", w.Actors[evidence.RoleCustodian].Account, w.Agency)
	closed := soon
	closed.ClosedBy, closed.ClosedAt, closed.Outcome = "z", 85, "bërë"
	w.Must(s.CloseSheet(bg, closed, w.entry("x")))
	wantErr(t, "closing twice", s.CloseSheet(bg, closed, w.entry("x")), evidence.ErrConflict)
	closed.Version = 2
	got, err = s.Sheet(bg, soon.ID)
	same(t, "closed", got, err, closed)
	duties("the case manager, afterwards", w.Actors[evidence.RoleCaseManager].Account, "", late)
	open, err := s.Sheets(bg, casefile.SheetFilter{Case: w.Case.ID, OpenOnly: true})
	same(t, "open", open, err, []casefile.Sheet{late, mine})
	st, err := s.Standing(bg, w.Actors[evidence.RoleCaseManager].Account, evidence.Resource{Kind: access.KindSheet, ID: late.ID}, now)
	if err != nil || !st.Recipient || st.Own || st.Case != w.Case.ID {
		t.Errorf("%+v, %v", st, err)
	}
	st, err = s.Standing(bg, w.Second[evidence.RoleCaseManager].Account, evidence.Resource{Kind: access.KindSheet, ID: late.ID}, now)
	if err != nil || st.Recipient {
		t.Errorf("a stranger: %+v, %v", st, err)
	}
}

func checkPeople(t *testing.T, w *World) {
	s := w.Store
	w.OpenCase()
	p := w.AddPerson(casefile.NewPerson{Pseudonym: "Zogu", Kind: casefile.Witness, Age: casefile.Uncertain, Language: "sr-Latn",
		Guardian: casefile.Guardian{Name: "Nëna", Relation: "mother", Conflict: true, ConflictNote: "lives with him"}})
	got, err := s.Person(bg, p.ID)
	same(t, "person", got, err, p)
	p.Age, p.Guardian, p.Unaccompanied = casefile.Child, casefile.Guardian{}, true
	w.Must(s.ChangePerson(bg, p, w.entry("x")))
	wantErr(t, "an outdated change", s.ChangePerson(bg, p, w.entry("x")), evidence.ErrConflict)
	p.Version++
	list, err := s.People(bg, w.Case.ID)
	same(t, "people", list, err, []casefile.Person{w.Victim, p})
	again := p
	again.ID = evidence.NewID()
	wantErr(t, "a pseudonym twice", s.AddPerson(bg, again, w.entry("x")), evidence.ErrConflict)
	_, err = s.Person(bg, evidence.NewID())
	wantErr(t, "no person", err, evidence.ErrNotFound)
}

func checkPlans(t *testing.T, w *World) {
	s := w.Store
	w.OpenCase()
	iv := w.Plan(w.PlanFor(w.Victim.ID))
	p, err := s.Plan(bg, iv.ID)
	same(t, "plan", p, err, casefile.Plan{Interview: iv.ID, Agency: w.Agency, Interviewer: w.Actors[evidence.RoleInterviewer].Account, Needs: "Needs breaks; a low chair.",
		SameSex: casefile.SameSexNotAsked, PlannedBy: w.Actors[evidence.RoleInterviewer].Account, PlannedAt: p.PlannedAt})
	next := iv
	next.ID, next.Recording = evidence.NewID(), evidence.NewID()
	plan := p
	plan.Interview = next.ID
	for _, earlier := range []int{0, 2} {
		_, err = s.PlanInterview(bg, next, plan, earlier, w.entry("x"))
		wantErr(t, "a plan from an outdated count", err, evidence.ErrConflict)
	}
	next, err = s.PlanInterview(bg, next, plan, 1, w.entry("x"))
	assigned, asking := s.RoomAssigned(bg, next.Room)
	same(t, "whether the room is assigned", assigned, asking, true)
	if err != nil || next.Number != 2 {
		t.Errorf("%+v, %v", next, err)
	}
	_, err = s.Plan(bg, evidence.NewID())
	wantErr(t, "no plan", err, evidence.ErrNotFound)
}

func checkConsents(t *testing.T, w *World) {
	s := w.Store
	w.OpenCase()
	iv := w.Plan(w.PlanFor(w.Victim.ID))
	r := consent.Record{ID: evidence.NewID(), Agency: w.Agency, Case: w.Case.ID, Person: w.Victim.ID, Decision: consent.Given,
		Items:   []consent.Item{{Purpose: consent.ToRecord, Version: 1}, {Purpose: consent.ToTraining, Version: 1}},
		GivenBy: consent.BySelf, Form: consent.Attested, Document: "d", DocumentSHA256: "ab", RecordedBy: "a", RecordedAt: 5, Language: "sq", Interpreter: "i", TextVersion: 1, Signing: "", ToldWho: true, TextSHA256: "cd",
		Basis: consent.OnLaw, Law: "CPC", Jurisdiction: "XK", GivenAt: 4, ValidUntil: 99}
	seen := func(version int64) consent.Effects {
		return consent.Effects{At: 6, Seen: consent.Seen{Interviews: map[evidence.ID]int64{iv.ID: version}, Grants: map[evidence.ID]int64{}}}
	}
	apply := func(c consent.Change, e consent.Effects) error {
		c.Person, c.Effects = w.Victim.ID, e
		return s.ApplyConsent(bg, c, []custody.Entry{w.entry("consent.test"), w.entry("consent.test")})
	}
	logged := func(want int) {
		t.Helper()
		if n := len(w.Log("consent.test")); n != want {
			t.Errorf("%d entries, want %d", n, want)
		}
	}
	wantErr(t, "an outdated interview", apply(consent.Change{Insert: &r}, seen(iv.Version+1)), evidence.ErrConflict)
	wantErr(t, "an interview that was not seen", apply(consent.Change{Insert: &r}, consent.Effects{}), evidence.ErrConflict)
	_, err := s.Consent(bg, r.ID)
	wantErr(t, "a refused change", err, evidence.ErrNotFound)
	logged(0)
	e := seen(iv.Version)
	e.Ready = []evidence.ID{iv.ID}
	w.Must(apply(consent.Change{Insert: &r}, e))
	logged(2)
	got, err := s.Consent(bg, r.ID)
	same(t, "consent", got, err, r)
	if now, err := s.Interview(bg, iv.ID); err != nil || now.State != evidence.StateReady || now.Version != iv.Version+1 {
		t.Errorf("%+v, %v", now, err)
	}
	iv.Version++
	wantErr(t, "attesting one's own", apply(consent.Change{Attest: &consent.Attestation{Record: r.ID, By: "a", At: 7}}, seen(iv.Version)), evidence.ErrConflict)
	w.Must(apply(consent.Change{Attest: &consent.Attestation{Record: r.ID, By: "b", At: 7}}, seen(iv.Version)))
	wantErr(t, "attesting again", apply(consent.Change{Attest: &consent.Attestation{Record: r.ID, By: "c", At: 8}}, seen(iv.Version)), evidence.ErrConflict)
	w.Must(apply(consent.Change{Withdraw: []consent.Withdrawn{{Record: r.ID, Purposes: []consent.Purpose{consent.ToTraining}, By: consent.BySelf, RecordedBy: "c", At: 9}}}, seen(iv.Version)))
	wantErr(t, "withdrawing twice", apply(consent.Change{Withdraw: []consent.Withdrawn{{Record: r.ID, Purposes: []consent.Purpose{consent.ToRecord, consent.ToTraining}, By: consent.BySelf, RecordedBy: "c", At: 9}}}, seen(iv.Version)), evidence.ErrConflict)
	next := r
	next.ID, next.Form, next.RecordedAt, next.Items = evidence.NewID(), consent.Written, 10, []consent.Item{{Purpose: consent.ToRecord, Version: 1}}
	wantErr(t, "a version twice", apply(consent.Change{Insert: &next}, seen(iv.Version)), evidence.ErrConflict)
	next.Items = []consent.Item{{Purpose: consent.ToRecord, Version: 2}}
	w.Must(apply(consent.Change{Insert: &next}, seen(iv.Version)))
	logged(8)
	// What waits replaces nothing until it is attested.
	waits := next
	waits.ID, waits.Form, waits.RecordedAt, waits.Items = evidence.NewID(), consent.Attested, 11, []consent.Item{{Purpose: consent.ToRecord, Version: 3}}
	w.Must(apply(consent.Change{Insert: &waits}, seen(iv.Version)))
	logged(10)
	r.AttestedBy, r.AttestedAt = "b", 7
	r.Items[0].SupersededAt = 10
	r.Items[1].WithdrawnAt, r.Items[1].WithdrawnBy, r.Items[1].RecordedBy = 9, consent.BySelf, "c"
	list, err := s.Consents(bg, w.Victim.ID)
	same(t, "acts", list, err, []consent.Record{waits, next, r})
	w.Must(apply(consent.Change{Attest: &consent.Attestation{Record: waits.ID, By: "b", At: 12}}, seen(iv.Version)))
	waits.AttestedBy, waits.AttestedAt, next.Items[0].SupersededAt = "b", 12, 12
	repeat := consent.Repeat{Consent: r.ID, Interview: iv.ID, At: 77, By: "a", NotedAt: 13}
	w.Must(s.SaveRepeat(bg, repeat, w.entry("x")))
	wantErr(t, "a repeat twice", s.SaveRepeat(bg, repeat, w.entry("x")), evidence.ErrConflict)
	repeats, err := s.Repeats(bg, w.Case.ID)
	same(t, "repeats", repeats, err, []consent.Repeat{repeat})
	list, err = s.ConsentsOfCase(bg, w.Case.ID)
	same(t, "acts of the case", list, err, []consent.Record{waits, next, r})
}

// sampleGrant is a proposed grant of an interview with every field set.
func (w *World) sampleGrant(iv evidence.Interview, tracks []Track) access.Grant {
	return access.Grant{ID: evidence.NewID(), Agency: w.Agency, Case: w.Case.ID, Interview: iv.ID, Source: access.AllSources, To: w.Actors[evidence.RoleProsecutor].Account,
		Asked: evidence.Range{From: 1, Until: 9_000_000}, Bounds: evidence.Range{From: 2, Until: 8_000_000},
		Tracks:    []access.TrackBounds{{Track: tracks[0].Track.ID, Source: tracks[0].Source.ID, Kind: evidence.Audio, Range: evidence.Range{From: 2, Until: 8_000_000}, FirstIndex: 1, LastIndex: 3}},
		NotBefore: 1, NotAfter: 1 << 60, Purpose: "qëllimi", Basis: "consent", RestsOn: access.OnConsent, Consent: "share_prosecution", State: access.Proposed,
		RequestedBy: w.Actors[evidence.RoleCaseManager].Account, RequestedAt: 3, Needed: 1, Version: 1}
}

func checkGrants(t *testing.T, w *World) {
	s := w.Store
	w.OpenCase()
	iv, tracks := w.Sealed(w.Victim.ID, 20)
	g := w.sampleGrant(iv, tracks)
	g.Approvals = []access.Approval{}
	w.Must(s.CreateGrant(bg, g, w.entry("x")))
	got, err := s.Grant(bg, g.ID)
	same(t, "grant", got, err, g)
	onConsent := func(want int) {
		t.Helper()
		list, err := s.GrantsOnConsent(bg, w.Victim.ID)
		if err != nil || len(list) != want || want == 1 && (list[0] != consent.Grant{ID: g.ID, Interview: iv.ID, To: g.To, Purpose: consent.ToShareProsecution, Version: g.Version}) {
			t.Errorf("on consent: %+v, %v", list, err)
		}
	}
	onConsent(1)
	now, _ := s.Now(bg)
	viewing := func(want int) access.Viewing {
		t.Helper()
		v, err := s.Viewing(bg, evidence.Actor{Account: g.To}, iv.ID, now)
		if err != nil || len(v.Grants) != want || v.Recording != iv.Recording || v.Interview != iv.ID || v.Case != w.Case.ID {
			t.Errorf("%+v, %v", v, err)
		}
		return v
	}
	viewing(0) // a proposed grant is none
	g.State, g.Approvals = access.Active, []access.Approval{{By: w.Actors[evidence.RoleCustodian].Account, Role: evidence.RoleCustodian, At: 4}}
	w.Must(s.ChangeGrant(bg, g, w.entry("x")))
	wantErr(t, "an outdated decision", s.ChangeGrant(bg, g, w.entry("x")), evidence.ErrConflict)
	g.Version++
	if v := viewing(1); v.Grants[0].To != g.To || v.Consents["share_prosecution"] {
		t.Errorf("%+v", v)
	}
	w.Consents(w.WrittenConsent(w.Victim.ID, consent.ToShareProsecution))
	if v := viewing(1); !v.Consents["share_prosecution"] {
		t.Error("the consent is not seen")
	}
	if ok, err := s.ConsentHolds(bg, iv.ID, "share_prosecution"); err != nil || !ok {
		t.Errorf("%v, %v", ok, err)
	}
	if ok, err := s.ConsentHolds(bg, iv.ID, "training"); err != nil || ok {
		t.Errorf("%v, %v", ok, err)
	}
	for _, c := range []struct {
		f    access.GrantFilter
		want int
	}{
		{access.GrantFilter{Account: g.To, Now: now}, 1},
		{access.GrantFilter{Account: g.To, Interview: iv.ID, Now: now}, 1},
		{access.GrantFilter{Account: g.To, Interview: evidence.NewID(), Now: now}, 0},
		{access.GrantFilter{Account: w.Actors[evidence.RoleObserver].Account, Now: now}, 1},
		{access.GrantFilter{Account: w.Second[evidence.RoleObserver].Account, Now: now}, 0},
		{access.GrantFilter{Account: w.Actors[evidence.RoleCustodian].Account, OfAgency: w.Agency, Now: now}, 1},
		{access.GrantFilter{Account: w.Actors[evidence.RoleCustodian].Account, OfAgency: evidence.NewID(), Now: now}, 0},
	} {
		if list, err := s.Grants(bg, c.f); err != nil || len(list) != c.want {
			t.Errorf("%+v: %d, %v", c.f, len(list), err)
		}
	}
	longer := g
	longer.ID, longer.Extends, longer.State, longer.Version = evidence.NewID(), g.ID, access.Proposed, 1
	w.Must(s.CreateGrant(bg, longer, w.entry("x")))
	again := longer
	again.ID = evidence.NewID()
	wantErr(t, "a second extension", s.CreateGrant(bg, again, w.entry("x")), evidence.ErrConflict)
	longer.State = access.Rejected
	w.Must(s.ChangeGrant(bg, longer, w.entry("x")))
	g.State, g.EndedBy, g.EndedAt = access.Revoked, w.Actors[evidence.RoleCustodian].Account, 5
	g.Attested, g.AttestedAt = access.Destroyed, 6
	w.Must(s.ChangeGrant(bg, g, w.entry("x")))
	g.Version++
	got, err = s.Grant(bg, g.ID)
	same(t, "revoked", got, err, g)
	onConsent(0)
	viewing(1)
	_, err = s.Grant(bg, evidence.NewID())
	wantErr(t, "no grant", err, evidence.ErrNotFound)
	_, err = s.Viewing(bg, evidence.Actor{Account: g.To}, evidence.NewID(), now)
	wantErr(t, "no interview", err, evidence.ErrNotFound)
}

func checkWindows(t *testing.T, w *World) {
	s := w.Store
	w.OpenCase()
	iv, tracks := w.Sealed(w.Victim.ID, 20)
	g := w.sampleGrant(iv, tracks)
	g.State, g.Approvals = access.Active, []access.Approval{{By: "c", Role: evidence.RoleCustodian, At: 4}}
	w.Must(s.CreateGrant(bg, g, w.entry("x")))
	viewer, session := g.To, evidence.NewID()
	open := func(session evidence.ID, from, until evidence.Offset, at evidence.Instant, need evidence.Range) access.Window {
		t.Helper()
		got, err := s.OpenWindow(bg, access.Window{ID: evidence.NewID(), Agency: w.Agency, Interview: iv.ID, Grant: g.ID, Viewer: viewer, Session: session,
			Range: evidence.Range{From: from, Until: until}, OpenedAt: at, ExpiresAt: at + 100}, need, w.entry("window.test"))
		w.Must(err)
		return got
	}
	first := open(session, 10, 50, 1000, evidence.Range{From: 10, Until: 20})
	for _, c := range []struct {
		what    string
		session evidence.ID
		at      evidence.Instant
		need    evidence.Range
		same    bool
	}{
		{"inside", session, 1050, evidence.Range{From: 40, Until: 50}, true},
		{"the last moment", session, 1099, evidence.Range{From: 10, Until: 11}, true},
		{"an init", session, 1050, evidence.Range{}, true},
		{"across the end", session, 1050, evidence.Range{From: 49, Until: 51}, false},
		{"before the start", session, 1050, evidence.Range{From: 9, Until: 12}, false},
		{"run out", session, 1100, evidence.Range{From: 10, Until: 20}, false},
		{"another session", evidence.NewID(), 1050, evidence.Range{From: 10, Until: 20}, false},
		{"before it was there", session, 999, evidence.Range{From: 10, Until: 20}, false},
	} {
		before := len(w.Log("window.test"))
		got := open(c.session, 1000, 1001, c.at, c.need)
		added := len(w.Log("window.test")) - before
		if c.same && (got != first || added != 0) || !c.same && (got.ID == first.ID || added != 1) {
			t.Errorf("%s: %+v with %d new entries", c.what, got, added)
		}
	}
	var wg sync.WaitGroup
	before := len(w.Log("window.test"))
	crowd := evidence.NewID()
	for range 6 {
		wg.Go(func() { open(crowd, 10, 50, 5000, evidence.Range{From: 10, Until: 20}) })
	}
	wg.Wait()
	if n := len(w.Log("window.test")) - before; n != 1 {
		t.Errorf("%d entries for requests of one moment", n)
	}

	save := func(track, index int, from, until evidence.Offset) {
		t.Helper()
		w.Must(s.SaveDelivered(bg, access.Delivered{Window: first.ID, Interview: iv.ID, Viewer: viewer, Track: tracks[track].Track.ID, Index: index, Range: evidence.Range{From: from, Until: until}}))
	}
	save(0, 1, 0, 10)
	save(0, 1, 0, 10)
	save(0, 2, 10, 15)
	save(1, 1, 0, 9)
	e, err := s.Exposure(bg, iv.ID)
	same(t, "exposure", e, err, access.Exposure{Viewers: 1, Delivered: 15, Grants: 1})
	// After the end of a grant no window is opened, whatever was decided before.
	g.State = access.Revoked
	w.Must(s.ChangeGrant(bg, g, w.entry("x")))
	before = len(w.Log("window.test"))
	_, err = s.OpenWindow(bg, access.Window{ID: evidence.NewID(), Agency: w.Agency, Interview: iv.ID, Grant: g.ID, Viewer: viewer, Session: session,
		Range: evidence.Range{From: 10, Until: 50}, OpenedAt: 9000, ExpiresAt: 9100}, evidence.Range{From: 10, Until: 20}, w.entry("window.test"))
	wantErr(t, "window of a revoked grant", err, evidence.ErrConflict)
	if n := len(w.Log("window.test")) - before; n != 0 {
		t.Errorf("%d entries of a delivery after the end of its grant", n)
	}
	e, err = s.Exposure(bg, evidence.NewID())
	same(t, "no exposure", e, err, access.Exposure{})
}

func checkRefusals(t *testing.T, w *World) {
	s := w.Store
	account, interview := w.Actors[evidence.RoleProsecutor].Account, evidence.NewID()
	log := func(interview evidence.ID, code string, want int) {
		t.Helper()
		now, err := s.Now(bg)
		w.Must(err)
		w.Must(s.LogRefusal(bg, account, interview, code, now-evidence.Instant(30*time.Second/time.Microsecond), w.entry("refusal.test")))
		if n := len(w.Log("refusal.test")); n != want {
			t.Errorf("%d entries, want %d", n, want)
		}
	}
	log(interview, "a", 1)
	log(interview, "a", 1)
	log(interview, "b", 2)
	log("", "a", 3)
	w.Advance(30*time.Second - time.Microsecond)
	log(interview, "a", 3)
	w.Advance(time.Microsecond)
	log(interview, "a", 4)
	log(interview, "a", 4)
}

func checkStanding(t *testing.T, w *World) {
	s := w.Store
	w.OpenCase()
	iv, tracks := w.Sealed(w.Victim.ID, 20)
	g := w.sampleGrant(iv, tracks)
	g.RestsOn, g.Consent = access.OnLaw, ""
	w.Must(s.CreateGrant(bg, g, w.entry("x")))
	acts, err := s.Consents(bg, w.Victim.ID)
	w.Must(err)
	now, _ := s.Now(bg)
	prosecutor, manager, admin := w.Actors[evidence.RoleProsecutor].Account, w.Actors[evidence.RoleCaseManager].Account, w.Actors[evidence.RoleAdmin].Account
	onCase := func(change func(*access.Standing)) access.Standing {
		st := access.Standing{Active: true, Agency: w.Agency, Role: evidence.RoleProsecutor, OwnedBy: w.Agency, Case: w.Case.ID, Roles: []evidence.Role{evidence.RoleProsecutor}}
		if change != nil {
			change(&st)
		}
		return st
	}
	for _, c := range []struct {
		account evidence.ID
		on      evidence.Resource
		want    access.Standing
	}{
		{prosecutor, evidence.Resource{Kind: access.KindSystem}, access.Standing{Active: true, Agency: w.Agency, Role: evidence.RoleProsecutor}},
		{prosecutor, evidence.Resource{Kind: access.KindAgency, ID: w.Agency}, access.Standing{Active: true, Agency: w.Agency, Role: evidence.RoleProsecutor, OwnedBy: w.Agency}},
		{admin, evidence.Resource{Kind: access.KindAccount, ID: manager}, access.Standing{Active: true, Agency: w.Agency, Role: evidence.RoleAdmin, OwnedBy: w.Agency, Own: true}},
		{prosecutor, evidence.Resource{Kind: access.KindCase, ID: w.Case.ID}, onCase(nil)},
		{prosecutor, evidence.Resource{Kind: access.KindPerson, ID: w.Victim.ID}, onCase(nil)},
		{prosecutor, evidence.Resource{Kind: access.KindConsent, ID: acts[0].ID}, onCase(nil)},
		{prosecutor, evidence.Resource{Kind: access.KindInterview, ID: iv.ID}, onCase(func(st *access.Standing) { st.Interview = iv.ID })},
		{prosecutor, evidence.Resource{Kind: access.KindGrant, ID: g.ID}, onCase(func(st *access.Standing) { st.Interview, st.Recipient = iv.ID, true })},
		{manager, evidence.Resource{Kind: access.KindGrant, ID: g.ID}, onCase(func(st *access.Standing) {
			st.Interview, st.Own, st.Role, st.Roles = iv.ID, true, evidence.RoleCaseManager, []evidence.Role{evidence.RoleCaseManager}
		})},
		{evidence.NewID(), evidence.Resource{Kind: access.KindCase, ID: w.Case.ID}, access.Standing{OwnedBy: w.Agency, Case: w.Case.ID}},
	} {
		got, err := s.Standing(bg, c.account, c.on, now)
		if len(got.Roles) == 0 {
			got.Roles = nil
		}
		same(t, "standing on "+c.on.Kind, got, err, c.want)
		if c.on.Kind != access.KindSystem {
			_, err = s.Standing(bg, c.account, evidence.Resource{Kind: c.on.Kind, ID: evidence.NewID()}, now)
			wantErr(t, "standing on no "+c.on.Kind, err, evidence.ErrNotFound)
		}
	}
	_, err = s.Standing(bg, admin, evidence.Resource{Kind: "spaceship", ID: evidence.NewID()}, now)
	wantErr(t, "an unknown kind", err, evidence.ErrNotFound)

	age := casefile.Uncertain
	_, err = w.Cases.ChangePerson(bg, w.Actors[evidence.RoleCaseManager], w.Victim.ID, casefile.PersonChange{Age: &age, Why: "w"})
	w.Must(err)
	g.Approvals = []access.Approval{{By: "c", Role: evidence.RoleCustodian, At: 1}}
	w.Must(s.ChangeGrant(bg, g, w.entry("x")))
	st, err := s.Standing(bg, prosecutor, evidence.Resource{Kind: access.KindGrant, ID: g.ID}, now)
	if err != nil || !st.Child || !st.CustodianApproved {
		t.Errorf("a child's grant: %+v, %v", st, err)
	}
}

// checkUnit: a change whose entry cannot be written is not made.
func checkUnit(t *testing.T, w *World) {
	a := people.Agency{ID: evidence.NewID(), Name: "A", Kind: people.NGO}
	bad := w.entry("x")
	bad.Details = map[string]string{"name": "Words That A Person Chose"}
	wantErr(t, "an entry that must not be written", w.Store.CreateAgency(bg, a, bad), evidence.ErrInvalid)
	_, err := w.Store.Agency(bg, a.ID)
	wantErr(t, "its change", err, evidence.ErrNotFound)
	before := len(w.Log(""))
	if err := w.Store.CreateAgency(bg, people.Agency{ID: w.Agency, Name: "again", Kind: people.NGO}, w.entry("x")); err == nil {
		t.Error("the same agency twice")
	}
	if len(w.Log("")) != before {
		t.Error("an entry without its change")
	}
	w.Advance(-time.Hour)
	_, err = w.Store.Now(bg)
	wantErr(t, "the clock behind the log", err, evidence.ErrClockBehind)
}
