package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/pquerna/otp/totp"
	"golang.org/x/sync/errgroup"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/people"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/recorder/publish"
)

// demoBuilder makes what the demonstration lacks, through the same services, policy
// and custody log as everything else. Nothing is written past them.
type demoBuilder struct {
	*server
	layout layout
	clock  evidence.Clock
	record demoRecord
	long   time.Duration             // of the synthetic interview; 0: none
	actors map[string]evidence.Actor // by login
}

// ready makes the demonstration whole and returns what to print.
func (b *demoBuilder) ready(ctx context.Context) (demoReady, error) {
	if !b.record.Complete {
		if err := b.build(ctx); err != nil {
			return demoReady{}, err
		}
	} else if err := b.signIn(ctx); err != nil {
		return demoReady{}, err
	}
	if b.long > 0 {
		if err := b.longRecording(ctx, b.long); err != nil {
			return demoReady{}, fmt.Errorf("making a long recording: %w", err)
		}
	}
	if err := b.nextInterview(ctx); err != nil {
		return demoReady{}, fmt.Errorf("planning the next interview: %w", err)
	}
	b.record.Version, b.record.Complete = demoVersion, true
	if err := b.layout.saveDemo(b.record); err != nil {
		return demoReady{}, err
	}
	return b.print(ctx)
}

// build makes accounts, room, case, and the interview that is recorded. Who is
// not needed for the recording gets an account while the clip plays.
func (b *demoBuilder) build(ctx context.Context) error {
	b.actors = map[string]evidence.Actor{}
	agencies, err := b.begin(ctx)
	if err != nil {
		return fmt.Errorf("making the first account: %w", err)
	}
	if err := b.makeAccounts(ctx, agencies, "admin2", "case_manager", "interviewer", "advocate"); err != nil {
		return err
	}
	if _, err := b.people.CreateRoom(ctx, b.actors["admin"], people.NewRoom{Agency: agencies[demoAgency], Name: demoRoom, Place: demoPlace, TimeZone: demoTimeZone}); err != nil {
		return err
	}
	c, err := b.cases.Open(ctx, b.actors["case_manager"], demoReference)
	if err != nil {
		return err
	}
	b.record.Case = c.ID
	if err := b.addToTeam(ctx, "interviewer", "advocate"); err != nil {
		return err
	}
	victim, err := b.addVictim(ctx, demoVictim)
	if err != nil {
		return err
	}
	if b.record.Sealed, err = b.plan(ctx, victim, demoNeeds); err != nil {
		return err
	}
	recorded := make(chan error, 1)
	interviewer, interview := b.actors["interviewer"], b.record.Sealed
	recording, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { recorded <- b.recordInterview(recording, interviewer, interview) }()
	err = b.makeAccounts(ctx, agencies, "observer", "prosecutor", "custodian", "auditor")
	if err == nil {
		err = b.addToTeam(ctx, "observer", "prosecutor")
	}
	if err != nil {
		cancel()
	}
	if err := errors.Join(err, <-recorded); err != nil {
		return fmt.Errorf("recording an interview: %w", err)
	}
	return b.grantInterviewer(ctx, interview)
}

// begin activates the first administrator and makes the other agencies. It
// returns all of them by name.
func (b *demoBuilder) begin(ctx context.Context) (map[string]evidence.ID, error) {
	first, token, ok, err := b.people.FirstInvitation(ctx)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%w: the demonstration has accounts that it does not know", evidence.ErrConflict)
	}
	if err := b.activate(ctx, demoPeople[0], first.ID, token); err != nil {
		return nil, err
	}
	agencies := map[string]evidence.ID{demoAgency: first.Agency}
	for name, kind := range map[string]people.AgencyKind{demoProsecution: people.Prosecution, demoAdvocates: people.Advocates} {
		a, err := b.people.CreateAgency(ctx, b.actors["admin"], people.NewAgency{Name: name, Kind: kind})
		if err != nil {
			return nil, err
		}
		agencies[name] = a.ID
	}
	return agencies, nil
}

// makeAccounts makes accounts as an installation does: proposed by one
// administrator, approved by another, activated by an invitation.
func (b *demoBuilder) makeAccounts(ctx context.Context, agencies map[string]evidence.ID, logins ...string) error {
	for _, login := range logins {
		p := demoPeople[slices.IndexFunc(demoPeople, func(p demoPerson) bool { return p.login == login })]
		if err := b.makeAccount(ctx, agencies[p.agency], p); err != nil {
			return fmt.Errorf("making the account %s: %w", login, err)
		}
	}
	return nil
}

func (b *demoBuilder) makeAccount(ctx context.Context, agency evidence.ID, p demoPerson) error {
	a, err := b.people.Propose(ctx, b.actors["admin"], people.NewAccount{Agency: agency, Login: p.login, Name: p.name, Role: p.role, Language: "en"})
	if err != nil {
		return err
	}
	if a.State == people.Proposed {
		if _, err := b.people.Approve(ctx, b.actors["admin2"], a.ID); err != nil {
			return err
		}
	}
	token, _, err := b.people.Invite(ctx, b.actors["admin"], a.ID)
	if err != nil {
		return err
	}
	return b.activate(ctx, p, a.ID, token)
}

func (b *demoBuilder) addToTeam(ctx context.Context, logins ...string) error {
	for _, login := range logins {
		member := casefile.NewMember{Case: b.record.Case, Account: b.actors[login].Account, Role: b.actors[login].Role}
		if _, err := b.cases.AddMember(ctx, b.actors["case_manager"], member); err != nil {
			return fmt.Errorf("adding the %s to the team: %w", login, err)
		}
	}
	return nil
}

// activate accepts an invitation with a random password. It spends the code of
// the step before this one: each is accepted once, and whoever reads the printed
// secret must be able to sign in at once.
func (b *demoBuilder) activate(ctx context.Context, p demoPerson, id evidence.ID, token string) error {
	opened, err := b.people.OpenInvitation(ctx, token)
	if err != nil {
		return err
	}
	code, err := totp.GenerateCode(opened.TOTPSecret, b.clock().Add(-30*time.Second))
	if err != nil {
		return err
	}
	password := demoPassword()
	// Attempts are counted by address. These shall not count against a visitor.
	if _, err := b.people.AcceptInvitation(ctx, token, password, code, "demonstration"); err != nil {
		return err
	}
	b.record.Accounts = append(b.record.Accounts, demoAccount{Role: p.role, Login: p.login, Name: p.name, Password: password, TOTP: opened.TOTPSecret, ID: id})
	return b.act(ctx, p.login, id)
}

// demoPassword returns a random password that can be typed: 80 bits.
func demoPassword() string {
	t := rand.Text()
	return t[0:4] + "-" + t[4:8] + "-" + t[8:12] + "-" + t[12:16]
}

// act makes b act for somebody, as if she had signed in with her second factor on
// this machine.
func (b *demoBuilder) act(ctx context.Context, login string, id evidence.ID) error {
	actor, _, err := b.people.ActorFor(ctx, id, "", true)
	if err != nil {
		return err
	}
	actor.Address = "127.0.0.1"
	b.actors[login] = actor
	return nil
}

func (b *demoBuilder) signIn(ctx context.Context) error {
	b.actors = map[string]evidence.Actor{}
	for _, a := range b.record.Accounts {
		if err := b.act(ctx, a.Login, a.ID); err != nil {
			return fmt.Errorf("%s: %w", a.Login, err)
		}
	}
	return nil
}

// addVictim adds somebody to the case with her consent, attested by two people.
func (b *demoBuilder) addVictim(ctx context.Context, pseudonym string) (evidence.ID, error) {
	p, err := b.cases.AddPerson(ctx, b.actors["case_manager"], casefile.NewPerson{
		Case: b.record.Case, Pseudonym: pseudonym, Kind: casefile.Victim, Age: casefile.Adult, Language: "sq"})
	if err != nil {
		return "", err
	}
	rec, err := b.consent.Record(ctx, b.actors["interviewer"], consent.Statement{
		Person: p.ID, Purposes: []consent.Purpose{consent.ToRecord, consent.ToObserveLive, consent.ToShareProsecution},
		GivenBy: consent.BySelf, Form: consent.Attested, Language: "sq", Law: demoLaw})
	if err != nil {
		return "", err
	}
	_, err = b.consent.Attest(ctx, b.actors["advocate"], rec.ID)
	return p.ID, err
}

// plan plans an interview, which is ready at once if the consent is there.
func (b *demoBuilder) plan(ctx context.Context, person evidence.ID, needs string) (evidence.ID, error) {
	rooms, err := b.people.Rooms(ctx, b.actors["interviewer"])
	if err != nil {
		return "", err
	}
	if len(rooms) == 0 {
		return "", fmt.Errorf("%w: the demonstration's room", evidence.ErrMissingState)
	}
	iv, err := b.cases.PlanInterview(ctx, b.actors["interviewer"], casefile.NewInterview{
		Case: b.record.Case, Person: person, Room: rooms[0].ID, PlannedAt: evidence.At(b.clock()), Language: "sq", Needs: needs})
	if err != nil {
		return "", err
	}
	if iv.State != evidence.StateReady {
		return "", fmt.Errorf("interview %s is %s instead of ready: %w", iv.ID, iv.State, b.consent.Check(ctx, iv.ID))
	}
	return iv.ID, nil
}

var demoSources = []evidence.SourceRole{evidence.SourceCloseUp, evidence.SourceWide}

// recordInterview plays the embedded clip as two cameras through the real WHIP
// endpoint, WebRTC and recorder, and seals what came of it.
func (b *demoBuilder) recordInterview(ctx context.Context, interviewer evidence.Actor, interview evidence.ID) error {
	cameras, playing := errgroup.WithContext(ctx)
	connected, started := make(chan struct{}, len(demoSources)), make(chan struct{})
	for _, role := range demoSources {
		source, token, err := b.recorder.CreateSource(ctx, interviewer, interview, role)
		if err != nil {
			return err
		}
		cameras.Go(func() error {
			_, err := publish.Run(playing, publish.Options{
				Signal: publish.WHIP(nil, b.whip(source.ID), token),
				// The clip begins with the recording: its first frame is a key frame.
				Connected: func() {
					connected <- struct{}{}
					select {
					case <-started:
					case <-playing.Done():
					}
				},
			})
			return err
		})
	}
	cameras.Go(func() error {
		for range demoSources {
			select {
			case <-connected:
			case <-playing.Done():
				return playing.Err()
			}
		}
		if _, err := b.recorder.Start(playing, interviewer, interview); err != nil {
			return err
		}
		close(started)
		return nil
	})
	if err := cameras.Wait(); err != nil {
		return err
	}
	_, err := b.recorder.Stop(ctx, interviewer, interview)
	return err
}

// whip is the endpoint of a source.
func (b *demoBuilder) whip(source evidence.ID) string { return b.url + "/whip/" + string(source) }

// grantInterviewer lets the interviewer watch what was recorded. Nobody else can:
// the prosecutor asks first.
func (b *demoBuilder) grantInterviewer(ctx context.Context, interview evidence.ID) error {
	iv, err := b.db.Interview(ctx, interview)
	if err != nil {
		return err
	}
	length := evidence.Offset(iv.StoppedAt - iv.StartedAt)
	g, err := b.access.RequestGrant(ctx, b.actors["interviewer"], access.Request{
		Interview: interview, Source: access.AllSources, To: b.actors["interviewer"].Account, Asked: evidence.Range{From: 0, Until: length},
		NotAfter: evidence.At(b.clock().AddDate(0, 1, 0)),
		Purpose:  "Check the recording and write the report", Basis: demoLaw, RestsOn: access.OnLaw})
	if err != nil {
		return err
	}
	_, err = b.access.ApproveGrant(ctx, b.actors["custodian"], g.ID)
	return err
}

// nextInterview makes sure that there is an interview which can be started. One
// that is going on, or was interrupted, is left as it is.
func (b *demoBuilder) nextInterview(ctx context.Context) error {
	person := evidence.ID("")
	if b.record.Interview != "" {
		iv, err := b.db.Interview(ctx, b.record.Interview)
		if err != nil {
			return err
		}
		if iv.State != evidence.StateSealed && iv.State != evidence.StateCancelled {
			return nil
		}
	}
	name := demoNext
	for n := 2; person == ""; n++ {
		var err error
		person, err = b.addVictim(ctx, name)
		if errors.Is(err, evidence.ErrConflict) { // the pseudonym is taken by an earlier one
			name = fmt.Sprintf("%s %d", demoNext, n)
			continue
		}
		if err != nil {
			return err
		}
	}
	interview, err := b.plan(ctx, person, demoNeedsOfNext)
	if err != nil {
		return err
	}
	b.record.Interview = interview
	for _, role := range demoSources {
		if _, _, err := b.recorder.CreateSource(ctx, b.actors["interviewer"], interview, role); err != nil {
			return err
		}
	}
	return nil
}

// print gathers what is printed: tokens and source tokens are made anew each
// time, since only their hashes are kept.
func (b *demoBuilder) print(ctx context.Context) (demoReady, error) {
	trust, err := filepath.Abs(seal.TrustPath(b.layout.seal()))
	if err != nil {
		return demoReady{}, err
	}
	r := demoReady{URL: b.url, Accounts: b.record.Accounts, Tokens: map[evidence.Role]string{}, Case: b.record.Case,
		Interview: b.record.Interview, Sealed: b.record.Sealed, Long: b.record.Long, Trust: trust}
	for _, a := range b.record.Accounts {
		if r.Tokens[a.Role] != "" {
			continue
		}
		if _, r.Tokens[a.Role], err = b.people.IssueToken(ctx, b.actors[a.Login], "demonstration", people.TokenLife); err != nil {
			return demoReady{}, err
		}
	}
	sources, err := b.db.Sources(ctx, b.record.Interview)
	if err != nil {
		return demoReady{}, err
	}
	for _, s := range sources {
		token, err := b.recorder.RenewSource(ctx, b.actors["interviewer"], s)
		if err != nil {
			return demoReady{}, err
		}
		r.Tracks = append(r.Tracks, demoTrack{Role: s.Role, Name: s.Name, WHIP: b.whip(s.ID), Token: token})
	}
	return r, nil
}
