package people_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/people"
	"github.com/toldonce/toldonce/internal/memstore"
	"github.com/toldonce/toldonce/internal/world"
)

var ctx = context.Background()

// refusedWith fails the test unless err is a refusal of a kind with a code.
func refusedWith(t *testing.T, err, kind error, code string) {
	t.Helper()
	var r *evidence.Refusal
	if !errors.As(err, &r) || !errors.Is(err, kind) || r.Reasons[0].Code != code {
		t.Fatalf("got %v, want %v with code %s", err, kind, code)
	}
}

func TestFirstAdministrator(t *testing.T) {
	w, _ := memstore.World(t)
	in := people.First{Agency: people.NewAgency{Name: "Another", Kind: people.NGO}, Login: "root2", Name: "R", Language: "en"}
	if _, _, err := w.People.Bootstrap(ctx, in); !errors.Is(err, evidence.ErrConflict) {
		t.Errorf("a second first administrator: %v", err)
	}
	if _, _, ok, err := w.People.FirstInvitation(ctx); ok || err != nil {
		t.Errorf("a new first invitation after somebody was active: %v, %v", ok, err)
	}
}

func TestFirstInvitationCanBeMadeAgainUntilUsed(t *testing.T) {
	w, _ := memstore.World(t) // only to borrow its parts
	s := memstore.New()
	c := w.People.Config
	c.Store, c.Access = s, w.Access
	p, err := people.New(c)
	if err != nil {
		t.Fatal(err)
	}
	_, first, err := p.Bootstrap(ctx, people.First{Agency: people.NewAgency{Name: "A", Kind: people.Police}, Login: "admin", Name: "A", Language: "en"})
	if err != nil {
		t.Fatal(err)
	}
	_, second, ok, err := p.FirstInvitation(ctx)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, err := p.OpenInvitation(ctx, first); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("the lost link still opens: %v", err)
	}
	if _, err := p.OpenInvitation(ctx, second); err != nil {
		t.Errorf("the new link: %v", err)
	}
}

func TestAnAccountThatReachesMediaIsMadeByTwo(t *testing.T) {
	w, _ := memstore.World(t)
	admin, second := w.Actors[evidence.RoleAdmin], w.Second[evidence.RoleAdmin]
	for _, role := range evidence.Roles {
		t.Run(string(role), func(t *testing.T) {
			a, err := w.People.Propose(ctx, admin, people.NewAccount{Agency: w.Agency, Login: "new." + strings.ReplaceAll(string(role), "_", ""), Name: "N", Role: role, Language: "en"})
			if err != nil {
				t.Fatal(err)
			}
			if role == evidence.RoleAdmin || role == evidence.RoleAuditor {
				if a.State != people.Invited {
					t.Fatalf("state %s", a.State)
				}
				return
			}
			if _, _, err := w.People.Invite(ctx, admin, a.ID); a.State != people.Proposed || !errors.Is(err, evidence.ErrConflict) {
				t.Fatalf("invited before approval: %s, %v", a.State, err)
			}
			_, err = w.People.Approve(ctx, admin, a.ID)
			refusedWith(t, err, evidence.ErrRefused, "account.own_proposal")
			for _, other := range []evidence.Role{evidence.RoleProsecutor, evidence.RoleAuditor, evidence.RoleCaseManager} {
				if _, err := w.People.Approve(ctx, w.Actors[other], a.ID); !errors.Is(err, evidence.ErrRefused) {
					t.Errorf("%s approved: %v", other, err)
				}
			}
			if got, err := w.People.Approve(ctx, second, a.ID); err != nil || got.State != people.Invited || got.ApprovedBy != second.Account {
				t.Fatalf("%+v, %v", got, err)
			}
			if _, err := w.People.Approve(ctx, w.Actors[evidence.RoleCustodian], a.ID); !errors.Is(err, evidence.ErrConflict) {
				t.Errorf("approved twice: %v", err)
			}
		})
	}
}

func TestApprovalByAnAccountThatTheProposerMadeIsMarked(t *testing.T) {
	w, s := memstore.World(t)
	var marked, plain int
	for _, e := range s.Log(access.AccountApprove) {
		if e.Details["approver_made_by_proposer"] == "true" {
			marked++
		} else {
			plain++
		}
	}
	if marked == 0 {
		t.Error("the second administrator was made by the first and no approval says so")
	}
	a, err := w.People.Propose(ctx, w.Second[evidence.RoleAdmin], people.NewAccount{Agency: w.Agency, Login: "other", Name: "N", Role: evidence.RoleObserver, Language: "en"})
	w.Must(err)
	_, err = w.People.Approve(ctx, w.Actors[evidence.RoleAdmin], a.ID)
	w.Must(err)
	if log := s.Log(access.AccountApprove); log[len(log)-1].Details["approver_made_by_proposer"] != "" {
		t.Error("an independent approval is marked")
	}
}

func TestInvitations(t *testing.T) {
	w, s := memstore.World(t)
	admin := w.Actors[evidence.RoleAdmin]
	propose := func(login string) people.Account {
		a, err := w.People.Propose(ctx, admin, people.NewAccount{Agency: w.Agency, Login: login, Name: "N", Role: evidence.RoleAuditor, Language: "en"})
		w.Must(err)
		return a
	}
	invite := func(a people.Account) string {
		token, inv, err := w.People.Invite(ctx, admin, a.ID)
		w.Must(err)
		if len(inv.TokenHash) != 32 || strings.Contains(string(inv.TokenHash), token) {
			t.Fatal("the token is stored")
		}
		return token
	}
	closed := func(t *testing.T, token string) {
		t.Helper()
		if _, err := w.People.OpenInvitation(ctx, token); !errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("opened: %v", err)
		}
		if _, err := w.People.AcceptInvitation(ctx, token, world.Password, "000000", "a"); !errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("accepted: %v", err)
		}
	}
	t.Run("works once", func(t *testing.T) {
		token := invite(propose("once"))
		w.Accept(token)
		closed(t, token)
	})
	t.Run("shows the same secret each time", func(t *testing.T) {
		token := invite(propose("same"))
		one, err := w.People.OpenInvitation(ctx, token)
		w.Must(err)
		two, err := w.People.OpenInvitation(ctx, token)
		w.Must(err)
		if one != two || !strings.HasPrefix(one.TOTPURI, "otpauth://totp/Told%20Once:same?") || !strings.Contains(one.TOTPURI, "issuer=Told%20Once") {
			t.Errorf("%+v then %+v", one, two)
		}
	})
	t.Run("expires", func(t *testing.T) {
		token := invite(propose("late"))
		s.Advance(people.InvitationLife - time.Microsecond)
		if _, err := w.People.OpenInvitation(ctx, token); err != nil {
			t.Fatal(err)
		}
		s.Advance(time.Microsecond)
		closed(t, token)
	})
	t.Run("ends with a newer one", func(t *testing.T) {
		a := propose("newer")
		old := invite(a)
		w.Accept(invite(a))
		closed(t, old)
	})
	t.Run("ends with the account", func(t *testing.T) {
		a := propose("gone")
		token := invite(a)
		_, err := w.People.Disable(ctx, admin, a.ID, "left the service")
		w.Must(err)
		closed(t, token)
	})
	t.Run("refuses a wrong code and a weak password, and stays open", func(t *testing.T) {
		token := invite(propose("wrong"))
		_, err := w.People.OpenInvitation(ctx, token)
		w.Must(err)
		_, err = w.People.AcceptInvitation(ctx, token, world.Password, "12345", "a")
		refusedWith(t, err, evidence.ErrInvalid, "login.code")
		_, err = w.People.AcceptInvitation(ctx, token, "too short", "123456", "a")
		refusedWith(t, err, evidence.ErrInvalid, "password.short")
		w.Accept(token)
	})
	t.Run("nonsense", func(t *testing.T) { closed(t, "nonsense"); closed(t, "") })
	t.Run("an active account has no invitation", func(t *testing.T) {
		_, _, err := w.People.Invite(ctx, admin, w.Actors[evidence.RoleProsecutor].Account)
		refusedWith(t, err, evidence.ErrConflict, "account.active")
	})
}

func TestLogin(t *testing.T) {
	w, s := memstore.World(t)
	account := w.Actors[evidence.RoleProsecutor].Account
	secret := w.Secrets[account]
	gone := w.Actors[evidence.RoleObserver]
	_, err := w.People.Disable(ctx, w.Actors[evidence.RoleAdmin], gone.Account, "left")
	w.Must(err)

	for i, c := range []struct{ name, login, password, code string }{
		{"wrong password", "prosecutor", "another long password", w.CodeOf(secret, 0)},
		{"wrong code", "prosecutor", world.Password, "000000"},
		{"no code", "prosecutor", world.Password, ""},
		{"a code of the past", "prosecutor", world.Password, w.CodeOf(secret, -2)},
		{"a code of the future", "prosecutor", world.Password, w.CodeOf(secret, 2)},
		{"a code that was used for the invitation", "prosecutor", world.Password, w.CodeOf(secret, -1)},
		{"unknown login", "nobody", world.Password, w.CodeOf(secret, 0)},
		{"disabled", "observer", world.Password, w.CodeOf(w.Secrets[gone.Account], 0)},
		{"empty", "", "", ""},
		{"a password of megabytes", "prosecutor", strings.Repeat("x", 3<<20), w.CodeOf(secret, 0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.People.Login(ctx, c.login, c.password, c.code, fmt.Sprintf("192.0.2.%d:5", i))
			refusedWith(t, err, evidence.ErrUnauthenticated, "login.failed")
		})
	}
	signIn := func(code string) error {
		_, err := w.People.Login(ctx, " Prosecutor ", world.Password, code, "192.0.2.99:1")
		return err
	}
	w.Must(signIn(w.CodeOf(secret, 0)))
	refusedWith(t, signIn(w.CodeOf(secret, 0)), evidence.ErrUnauthenticated, "login.failed")
	w.Must(signIn(w.CodeOf(secret, 1))) // a device whose clock is ahead
	s.Advance(30 * time.Second)
	refusedWith(t, signIn(w.CodeOf(secret, 0)), evidence.ErrUnauthenticated, "login.failed")
	s.Advance(30 * time.Second)
	w.Must(signIn(w.CodeOf(secret, 0)))
	if n := len(s.Log(access.EntrySignIn)); n != 3 {
		t.Errorf("%d sign-ins in the log, want 3", n)
	}

	s.Advance(-time.Hour)
	if err := signIn("123456"); !errors.Is(err, evidence.ErrClockBehind) {
		t.Errorf("with the clock behind the log: %v", err)
	}
}

func TestACodeWorksForOneOfManyRequests(t *testing.T) {
	w, _ := memstore.World(t)
	code := w.CodeOf(w.Secrets[w.Actors[evidence.RoleCustodian].Account], 0)
	var mu sync.Mutex
	var wg sync.WaitGroup
	in := 0
	for i := range 4 {
		wg.Go(func() {
			if _, err := w.People.Login(ctx, "custodian", world.Password, code, fmt.Sprintf("198.51.100.%d", i)); err == nil {
				mu.Lock()
				in++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if in != 1 {
		t.Errorf("one code signed in %d times", in)
	}
}

func TestLockOutIsOfOneLoginFromOneAddress(t *testing.T) {
	w, s := memstore.World(t)
	try := func(login, password, address string) error {
		code := "000000"
		if a, err := s.AccountByLogin(ctx, login); err == nil {
			code = w.CodeOf(w.Secrets[a.ID], 0)
		}
		_, err := w.People.Login(ctx, login, password, code, address)
		return err
	}
	for range people.PairAttempts {
		refusedWith(t, try("advocate", "wrong wrong wrong", "203.0.113.5:1000"), evidence.ErrUnauthenticated, "login.failed")
	}
	refusedWith(t, try("advocate", world.Password, "203.0.113.5:1001"), evidence.ErrTooMany, "login.too_many")
	refusedWith(t, try("advocate", world.Password, "203.0.113.5:1002"), evidence.ErrTooMany, "login.too_many")
	if log := s.Log(access.EntrySignInLocked); len(log) != 1 || log[0].Subject != w.Actors[evidence.RoleAdvocate].Account {
		t.Errorf("the lock stands in the log %d times", len(log))
	}
	w.Must(try("advocate", world.Password, "203.0.113.6:1"))   // from anywhere else
	w.Must(try("prosecutor", world.Password, "203.0.113.5:1")) // and anybody else from there
	s.Advance(people.AttemptWindow)
	w.Must(try("advocate", world.Password, "203.0.113.5:1"))

	t.Run("an unknown login locks alike", func(t *testing.T) {
		for range people.PairAttempts {
			refusedWith(t, try("nobody", "wrong wrong wrong", "203.0.113.7"), evidence.ErrUnauthenticated, "login.failed")
		}
		refusedWith(t, try("nobody", "wrong wrong wrong", "203.0.113.7"), evidence.ErrTooMany, "login.too_many")
	})
	t.Run("an IPv6 network counts as one place", func(t *testing.T) {
		for i := range people.PairAttempts {
			refusedWith(t, try("auditor", "wrong wrong wrong", fmt.Sprintf("[2001:db8:1:1::%x]:9", i)), evidence.ErrUnauthenticated, "login.failed")
		}
		refusedWith(t, try("auditor", world.Password, "[2001:db8:1:1::ffff]:9"), evidence.ErrTooMany, "login.too_many")
		w.Must(try("auditor", world.Password, "[2001:db8:1:2::1]:9"))
	})
}

func TestAnAttackerInTheBuildingLocksNobodyOutWhoWorksThere(t *testing.T) {
	w, s := memstore.World(t)
	login := func(name string) error {
		a, err := s.AccountByLogin(ctx, name)
		w.Must(err)
		_, err = w.People.Login(ctx, name, world.Password, w.CodeOf(w.Secrets[a.ID], 0), "192.0.2.1:1")
		return err
	}
	w.Must(login("advocate"))
	for i := range people.AddressAttempts + 1 {
		_, err := w.People.Login(ctx, fmt.Sprintf("guess-%d", i), "wrong wrong wrong", "000000", "192.0.2.1:2")
		if err == nil {
			t.Fatal("signed in")
		}
	}
	refusedWith(t, login("prosecutor"), evidence.ErrTooMany, "login.too_many")
	s.Advance(time.Minute)
	w.Must(login("advocate"))
}

func TestGuessesAtTheSameTimeAreCountedBeforeTheyAreChecked(t *testing.T) {
	w, _ := memstore.World(t)
	var mu sync.Mutex
	var wg sync.WaitGroup
	checked := 0
	for range 40 {
		wg.Go(func() {
			_, err := w.People.Login(ctx, "advocate", "wrong wrong wrong", "000000", "192.0.2.1:2")
			if errors.Is(err, evidence.ErrUnauthenticated) {
				mu.Lock()
				checked++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if checked != people.PairAttempts {
		t.Errorf("%d guesses were checked, want %d", checked, people.PairAttempts)
	}
}

func TestTokens(t *testing.T) {
	w, s := memstore.World(t)
	actor := w.Actors[evidence.RoleInterviewer]
	issue := func(life time.Duration) (people.Token, string) {
		tok, text, err := w.People.IssueToken(ctx, actor, "camera script", life)
		w.Must(err)
		return tok, text
	}
	use := func(text string) error {
		got, a, err := w.People.ActorForToken(ctx, text)
		if err == nil && (got.Account != actor.Account || a.ID != actor.Account || got.Session == "" || !got.MFA || got.Role != evidence.RoleInterviewer) {
			t.Errorf("actor %+v", got)
		}
		return err
	}
	tok, text := issue(0)
	w.Must(use(text))
	list, err := w.People.Tokens(ctx, actor)
	if err != nil || len(list) != 1 || list[0].ID != tok.ID || list[0].Hash != nil {
		t.Errorf("%+v, %v", list, err)
	}
	if err := w.People.RevokeToken(ctx, w.Actors[evidence.RoleProsecutor], tok.ID); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("somebody else revoked it: %v", err)
	}
	w.Must(w.People.RevokeToken(ctx, actor, tok.ID))
	for _, bad := range []string{text, "", "toldonce_", "toldonce_x", strings.TrimPrefix(text, "toldonce_")} {
		if err := use(bad); !errors.Is(err, evidence.ErrUnauthenticated) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	_, text = issue(time.Hour)
	s.Advance(time.Hour - time.Microsecond)
	w.Must(use(text))
	s.Advance(time.Microsecond)
	if err := use(text); !errors.Is(err, evidence.ErrUnauthenticated) {
		t.Errorf("expired: %v", err)
	}
	_, text = issue(0)
	_, err = w.People.Disable(ctx, w.Actors[evidence.RoleAdmin], actor.Account, "left")
	w.Must(err)
	if err := use(text); !errors.Is(err, evidence.ErrUnauthenticated) {
		t.Errorf("of a disabled account: %v", err)
	}
	for _, life := range []time.Duration{people.TokenLife + 1, time.Second, -time.Hour} {
		_, _, err := w.People.IssueToken(ctx, w.Actors[evidence.RoleProsecutor], "x", life)
		refusedWith(t, err, evidence.ErrInvalid, "token.life")
	}
	weak := w.Actors[evidence.RoleProsecutor]
	weak.MFA = false
	_, _, err = w.People.IssueToken(ctx, weak, "x", 0)
	refusedWith(t, err, evidence.ErrRefused, "access.second_factor")
}

func TestWhatIsRefusedOnFormAlone(t *testing.T) {
	w, _ := memstore.World(t)
	admin := w.Actors[evidence.RoleAdmin]
	for _, c := range []struct {
		in   people.NewAccount
		code string
	}{
		{people.NewAccount{Login: "a", Name: "N", Role: evidence.RoleAuditor, Language: "en"}, "account.login"},
		{people.NewAccount{Login: "-dash", Name: "N", Role: evidence.RoleAuditor, Language: "en"}, "account.login"},
		{people.NewAccount{Login: "with space", Name: "N", Role: evidence.RoleAuditor, Language: "en"}, "account.login"},
		{people.NewAccount{Login: "лозинка", Name: "N", Role: evidence.RoleAuditor, Language: "en"}, "account.login"},
		{people.NewAccount{Login: "fine", Name: " \t", Role: evidence.RoleAuditor, Language: "en"}, "account.name"},
		{people.NewAccount{Login: "fine", Name: strings.Repeat("n", 201), Role: evidence.RoleAuditor, Language: "en"}, "account.name"},
		{people.NewAccount{Login: "fine", Name: "N", Role: "root", Language: "en"}, "account.role"},
		{people.NewAccount{Login: "fine", Name: "N", Role: evidence.RoleAuditor, Language: "xx"}, "account.language"},
	} {
		c.in.Agency = w.Agency
		_, err := w.People.Propose(ctx, admin, c.in)
		refusedWith(t, err, evidence.ErrInvalid, c.code)
	}
	_, err := w.People.Propose(ctx, admin, people.NewAccount{Agency: w.Agency, Login: "ADMIN", Name: "N", Role: evidence.RoleAuditor, Language: "en"})
	refusedWith(t, err, evidence.ErrConflict, "account.login.taken")
	_, err = w.People.CreateAgency(ctx, admin, people.NewAgency{Name: "A", Kind: "secret"})
	refusedWith(t, err, evidence.ErrInvalid, "agency.kind")
	for _, zone := range []string{"", "Local", "Mars/Olympus", "../etc/passwd"} {
		_, err = w.People.CreateRoom(ctx, admin, people.NewRoom{Agency: w.Agency, Name: "R", TimeZone: zone})
		refusedWith(t, err, evidence.ErrInvalid, "room.time_zone")
	}
	if _, err := w.People.CreateRoom(ctx, w.Actors[evidence.RoleCaseManager], people.NewRoom{Agency: w.Agency, Name: "R", TimeZone: "UTC"}); !errors.Is(err, evidence.ErrRefused) {
		t.Errorf("a case manager made a room: %v", err)
	}
}

func TestNobodyIsNamedInTheLog(t *testing.T) {
	w, s := memstore.World(t)
	_, err := w.People.Login(ctx, "prosecutor", world.Password, w.CodeOf(w.Secrets[w.Actors[evidence.RoleProsecutor].Account], 0), "192.0.2.77")
	w.Must(err)
	for _, e := range s.Log("") {
		for key, value := range e.Details {
			if strings.Contains(value, "Name of") || strings.Contains(value, "192.0.2") {
				t.Errorf("%s: detail %s holds %q", e.Action, key, value)
			}
		}
	}
}

// TestAnUnknownLoginCostsAsMuchAsAWrongPassword: each attempt comes to the point
// where a password is hashed, whoever is named. Time that tells logins apart is
// spent there or nowhere.
func TestAnUnknownLoginCostsAsMuchAsAWrongPassword(t *testing.T) {
	w, _ := memstore.World(t)
	_, err := w.People.Disable(ctx, w.Actors[evidence.RoleAdmin], w.Actors[evidence.RoleObserver].Account, "left")
	w.Must(err)
	release := w.People.TakeSlots()
	defer release()
	for i, login := range []string{"prosecutor", "nobody", "observer", "", strings.Repeat("x", 1000)} {
		short, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := w.People.Login(short, login, world.Password, "123456", fmt.Sprintf("192.0.2.%d", i)); !errors.Is(err, context.Canceled) {
			t.Errorf("%.20q did not come to hashing: %v", login, err)
		}
	}
}
