// Package world sets up an agency at work, for tests: accounts of every role that
// came to be as real ones do, a case file with its team, a victim, a room and a
// consent, on any store. It is for tests only.
package world

import (
	"bytes"
	"context"
	"encoding/base32"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/pquerna/otp/totp"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/keyed"
	"github.com/toldonce/toldonce/evidence/observation"
	"github.com/toldonce/toldonce/evidence/people"
	"github.com/toldonce/toldonce/evidence/transcript"
)

// Store is everything that the people's side keeps.
type Store interface {
	people.Store
	casefile.Store
	consent.Store
	access.Store
	keyed.Store
	observation.Store

	CreateTranscript(ctx context.Context, v transcript.Version, entry custody.Entry) error
	Transcript(ctx context.Context, id evidence.ID) (transcript.Version, error)
	Transcripts(ctx context.Context, interview evidence.ID) ([]transcript.Version, error)
	CertifyTranscript(ctx context.Context, v transcript.Version, entry custody.Entry) error
	// SaveDevice writes a new device of a room, as the recorder does.
	SaveDevice(ctx context.Context, d evidence.Device, entry custody.Entry) error
}

// World is an agency at work.
type World struct {
	T     testing.TB
	Store Store
	// Advance moves the store's clock.
	Advance func(time.Duration)
	// Record gives an interview that is ready a sealed recording.
	Record func(iv evidence.Interview, tracks []Track)
	// Log returns the custody entries of an action, in order.
	Log func(action string) []custody.Entry

	Access  *access.Service
	People  *people.Service
	Cases   *casefile.Service
	Consent *consent.Service

	Agency  evidence.ID
	Actors  map[evidence.Role]evidence.Actor
	Second  map[evidence.Role]evidence.Actor // another account of each role
	Secrets map[evidence.ID][]byte           // TOTP secrets by account
	Case    casefile.Case
	Room    people.Room
	Victim  casefile.Person // an adult
}

// Track is one track of a recording to be made.
type Track struct {
	Source evidence.Source
	Track  evidence.Track
	Leaves []evidence.Leaf
}

// Password is every account's.
const Password = "vjollca e kaltër 17"

// Keys wraps nothing, but binds to the purpose.
type Keys struct{}

// Wrap implements keyed.Wrapper.
func (Keys) Wrap(_ context.Context, purpose string, plain []byte) ([]byte, error) {
	return append([]byte(purpose+"\x00"), plain...), nil
}

// Unwrap implements keyed.Wrapper.
func (Keys) Unwrap(_ context.Context, purpose string, wrapped []byte) ([]byte, error) {
	plain, ok := bytes.CutPrefix(wrapped, []byte(purpose+"\x00"))
	if !ok {
		return nil, fmt.Errorf("wrapped for another purpose than %s", purpose)
	}
	return plain, nil
}

// New makes the services over an empty store and fills it with accounts, each of
// which came to be by proposal, approval and invitation.
func New(t testing.TB, store Store, advance func(time.Duration)) *World {
	t.Helper()
	return build(t, store, advance, (*World).Hire)
}

// NewQuick is New for stores that are slow to write: all accounts but those of the
// first administrator and of one advocate are written at once and cannot sign in.
func NewQuick(t testing.TB, store Store, advance func(time.Duration)) *World {
	t.Helper()
	return build(t, store, advance, func(w *World, login string, role evidence.Role) evidence.Actor {
		if login == string(evidence.RoleAdvocate) {
			return w.Hire(login, role)
		}
		a := people.Account{ID: evidence.NewID(), Agency: w.Agency, Login: login, Name: "Name of " + login, Role: role, Language: "sq", State: people.Active,
			ProposedBy: w.Actors[evidence.RoleAdmin].Account, ActiveAt: 1, Version: 1}
		w.Must(w.Store.CreateAccount(context.Background(), a, w.entry("test.account")))
		return w.Actor(a.ID)
	})
}

func build(t testing.TB, store Store, advance func(time.Duration), hire func(*World, string, evidence.Role) evidence.Actor) *World {
	t.Helper()
	ctx := context.Background()
	w := &World{T: t, Store: store, Advance: advance, Actors: map[evidence.Role]evidence.Actor{}, Second: map[evidence.Role]evidence.Actor{}, Secrets: map[evidence.ID][]byte{}}
	w.Must(keyed.Create(ctx, store, Keys{}))
	index, err := keyed.Open(ctx, store, Keys{})
	w.Must(err)
	w.Access, err = access.New(access.Config{Store: store, Logger: slog.New(slog.DiscardHandler)})
	w.Must(err)
	w.Consent = consent.New(consent.Config{Store: store, Access: w.Access, Jurisdiction: "XK"})
	w.Cases = casefile.New(casefile.Config{Store: store, Access: w.Access, Index: index, Settle: w.Consent})
	w.People, err = people.New(people.Config{Store: store, Access: w.Access, Keys: Keys{}, Index: index, Issuer: "Told Once",
		Hash: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}})
	w.Must(err)

	admin, token, err := w.People.Bootstrap(ctx, people.First{Agency: people.NewAgency{Name: "Policia e Kosovës", Kind: people.Police}, Login: "admin", Name: "Arta Admin", Language: "en"})
	w.Must(err)
	w.Agency = admin.Agency
	w.Actors[evidence.RoleAdmin] = w.Accept(token)
	w.Second[evidence.RoleAdmin] = hire(w, "admin-2", evidence.RoleAdmin)
	for _, role := range evidence.Roles[1:] {
		w.Actors[role] = hire(w, string(role), role)
		w.Second[role] = hire(w, string(role)+"-2", role)
	}
	return w
}

// Must ends the test on an error.
func (w *World) Must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// Hire makes an account as two administrators do, and accepts its invitation.
func (w *World) Hire(login string, role evidence.Role) evidence.Actor {
	w.T.Helper()
	ctx := context.Background()
	a, err := w.People.Propose(ctx, w.Actors[evidence.RoleAdmin], people.NewAccount{Agency: w.Agency, Login: login, Name: "Name of " + login, Role: role, Language: "sq"})
	w.Must(err)
	if people.NeedsSecondPerson(role) {
		_, err = w.People.Approve(ctx, w.Second[evidence.RoleAdmin], a.ID)
		w.Must(err)
	}
	token, _, err := w.People.Invite(ctx, w.Actors[evidence.RoleAdmin], a.ID)
	w.Must(err)
	return w.Accept(token)
}

// Accept accepts an invitation with Password, using the code of the step before
// the present one, so that the present one can still be used.
func (w *World) Accept(token string) evidence.Actor {
	w.T.Helper()
	ctx := context.Background()
	opened, err := w.People.OpenInvitation(ctx, token)
	w.Must(err)
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(opened.TOTPSecret)
	w.Must(err)
	a, err := w.People.AcceptInvitation(ctx, token, Password, w.CodeOf(secret, -1), "127.0.0.1:9")
	w.Must(err)
	w.Secrets[a.ID] = secret
	return w.Actor(a.ID)
}

// Actor signs an account in without going through the door.
func (w *World) Actor(account evidence.ID) evidence.Actor {
	w.T.Helper()
	actor, _, err := w.People.ActorFor(context.Background(), account, evidence.NewID(), true)
	w.Must(err)
	return actor
}

// CodeOf returns a secret's TOTP code, steps away from the present one.
func (w *World) CodeOf(secret []byte, steps int) string {
	w.T.Helper()
	now, err := w.Store.Now(context.Background())
	w.Must(err)
	code, err := totp.GenerateCode(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret), now.Time().Add(time.Duration(steps)*30*time.Second))
	w.Must(err)
	return code
}

// OpenCase opens a case file with a team of one of each role, a victim and a room.
func (w *World) OpenCase() *World {
	w.T.Helper()
	ctx := context.Background()
	manager := w.Actors[evidence.RoleCaseManager]
	var err error
	w.Case, err = w.Cases.Open(ctx, manager, "PP 2026/117")
	w.Must(err)
	for _, role := range casefile.TeamRoles[1:] {
		_, err = w.Cases.AddMember(ctx, manager, casefile.NewMember{Case: w.Case.ID, Account: w.Actors[role].Account, Role: role})
		w.Must(err)
	}
	w.Room, err = w.People.CreateRoom(ctx, w.Actors[evidence.RoleAdmin], people.NewRoom{Agency: w.Agency, Name: "Dhoma 1", Place: "Prishtinë", TimeZone: "Europe/Belgrade"})
	w.Must(err)
	w.Victim = w.AddPerson(casefile.NewPerson{Pseudonym: "Lulja", Kind: casefile.Victim, Age: casefile.Adult, Language: "sq"})
	return w
}

// AddPerson adds somebody to the case.
func (w *World) AddPerson(in casefile.NewPerson) casefile.Person {
	w.T.Helper()
	in.Case = w.Case.ID
	p, err := w.Cases.AddPerson(context.Background(), w.Actors[evidence.RoleCaseManager], in)
	w.Must(err)
	return p
}

// PlanFor is a plan for an interview of a person that lacks nothing.
func (w *World) PlanFor(person evidence.ID) casefile.NewInterview {
	return casefile.NewInterview{Case: w.Case.ID, Person: person, Room: w.Room.ID, PlannedAt: evidence.At(time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC)), Language: "sq",
		Needs: "Needs breaks; a low chair."}
}

// Plan plans an interview, by the interviewer.
func (w *World) Plan(in casefile.NewInterview) evidence.Interview {
	w.T.Helper()
	iv, err := w.Cases.PlanInterview(context.Background(), w.Actors[evidence.RoleInterviewer], in)
	w.Must(err)
	return iv
}

// WrittenConsent is an adult's statement in writing.
func (w *World) WrittenConsent(person evidence.ID, purposes ...consent.Purpose) consent.Statement {
	return consent.Statement{Person: person, Purposes: purposes, GivenBy: consent.BySelf, Form: consent.Written, Document: "form 12", Language: "sq"}
}

// Consents records a statement, by the interviewer.
func (w *World) Consents(in consent.Statement) consent.Record {
	w.T.Helper()
	r, err := w.Consent.Record(context.Background(), w.Actors[evidence.RoleInterviewer], in)
	w.Must(err)
	return r
}

// Sealed plans, consents to and records an interview: two cameras with sound,
// seconds long, in segments of two seconds of which every third picture segment of
// the second camera depends on the one before.
func (w *World) Sealed(person evidence.ID, seconds int) (evidence.Interview, []Track) {
	w.T.Helper()
	iv := w.Plan(w.PlanFor(person))
	if iv.State != evidence.StateReady {
		w.Consents(w.WrittenConsent(person, consent.ToRecord))
		var err error
		iv, err = w.Store.Interview(context.Background(), iv.ID)
		w.Must(err)
	}
	if iv.State != evidence.StateReady {
		w.T.Fatalf("the interview is %s with consent and plan", iv.State)
	}
	tracks := Tracks(iv, seconds)
	w.Record(iv, tracks)
	iv, err := w.Store.Interview(context.Background(), iv.ID)
	w.Must(err)
	return iv, tracks
}

// Tracks describes the recording that Sealed makes.
func Tracks(iv evidence.Interview, seconds int) []Track {
	var tracks []Track
	for i, role := range []evidence.SourceRole{evidence.SourceCloseUp, evidence.SourceWide} {
		source := evidence.Source{ID: evidence.NewID(), Interview: iv.ID, Role: role, Name: string(role), TokenHash: fmt.Appendf(nil, "%-32s", iv.ID[4:36])}
		source.TokenHash[0] = byte(i)
		for _, kind := range []evidence.TrackKind{evidence.Audio, evidence.Video} {
			track := evidence.Track{ID: evidence.NewID(), Source: source.ID, Interview: iv.ID, Kind: kind, Codec: "opus", Timescale: 48000}
			if kind == evidence.Video {
				track.Codec, track.Timescale = "avc1.42e01f", 90000
			}
			leaf := evidence.Leaf{Type: evidence.TypeLeaf, Version: 1, Kind: evidence.LeafInit, Recording: iv.Recording, Track: track.ID, Part: 1, DecodeTime: "0", Independent: true}
			leaves := []evidence.Leaf{leaf}
			for n := range seconds / 2 {
				l := leaf
				l.Kind, l.Index = evidence.LeafMedia, n
				l.Start = evidence.Offset(n) * 2_000_000
				l.End = l.Start + 2_000_000
				if kind == evidence.Audio { // sound is never cut where picture is
					l.Start, l.End = max(0, l.Start-20_000), l.End-20_000
				}
				l.Duration, l.Frames = 2*track.Timescale, 60
				l.Independent = kind == evidence.Audio || role == evidence.SourceCloseUp || n%3 != 2
				l.DecodeTime = fmt.Sprintf("%x", int64(n)*2*track.Timescale)
				leaves = append(leaves, l)
			}
			for i := range leaves {
				leaves[i].Salt = evidence.NewSalt()
				leaves[i].Plain = evidence.Digest{SHA256: evidence.NewSalt(), Size: 1000}
				leaves[i].Cipher = evidence.Digest{SHA256: evidence.NewSalt(), Size: 1200}
			}
			tracks = append(tracks, Track{Source: source, Track: track, Leaves: leaves})
		}
	}
	return tracks
}
