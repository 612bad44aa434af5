package people

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/keyed"
)

// Config is what a Service is made of. Every field but Hash is required.
type Config struct {
	Store  Store
	Access evidence.Authorizer
	Keys   keyed.Wrapper // wraps TOTP secrets, for purpose "totp"
	Index  *keyed.Index  // hides logins and addresses in the attempt counts
	Issuer string        // name of the installation in an authenticator app
	// Hash is the cost of password hashing; nil means 64 MiB, three passes and four
	// lanes: the second recommended option of RFC 9106 section 4.
	Hash *argon2id.Params
}

// Service makes agencies, rooms and accounts and proves who somebody is. Every
// method asks the policy before it acts and commits the custody entry with the
// act. Safe for concurrent use.
type Service struct {
	Config
	dummy string        // hash that unknown logins are compared with
	slots chan struct{} // bounds concurrent hashing: each takes Hash.Memory
}

// hashSlots bounds how many passwords are hashed at once.
const hashSlots = 4

// New returns a Service.
func New(c Config) (*Service, error) {
	if c.Hash == nil {
		c.Hash = &argon2id.Params{Memory: 64 << 10, Iterations: 3, Parallelism: 4, SaltLength: 16, KeyLength: 32}
	}
	dummy, err := argon2id.CreateHash(evidence.NewSalt(), c.Hash)
	if err != nil {
		return nil, fmt.Errorf("hashing a password: %w", err)
	}
	return &Service{Config: c, dummy: dummy, slots: make(chan struct{}, hashSlots)}, nil
}

// NewAgency describes an agency to be made.
type NewAgency struct {
	Name string
	Kind AgencyKind
}

// CreateAgency makes an agency.
func (s *Service) CreateAgency(ctx context.Context, actor evidence.Actor, in NewAgency) (Agency, error) {
	if err := s.Access.Authorize(ctx, actor, access.AgencyCreate, evidence.Resource{Kind: access.KindSystem}); err != nil {
		return Agency{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Agency{}, err
	}
	a, err := in.agency(now)
	if err != nil {
		return Agency{}, err
	}
	entry := custody.Entry{Actor: actor, Action: access.AgencyCreate, Agency: a.ID, Subject: a.ID, Details: map[string]string{"kind": string(a.Kind)}}
	if err := s.Store.CreateAgency(ctx, a, entry); err != nil {
		return Agency{}, fmt.Errorf("creating agency %s: %w", a.ID, err)
	}
	return a, nil
}

func (in NewAgency) agency(now evidence.Instant) (Agency, error) {
	a := Agency{ID: evidence.NewID(), Name: line(in.Name), Kind: in.Kind, CreatedAt: now}
	switch {
	case a.Name == "" || len(a.Name) > maxText:
		return Agency{}, evidence.Refuse(evidence.ErrInvalid, "agency.name", "Give the agency a name of at most 200 bytes.", "")
	case !slices.Contains(AgencyKinds, a.Kind):
		return Agency{}, evidence.Refuse(evidence.ErrInvalid, "agency.kind", "Choose what the agency is: police, prosecution, advocates, social_work, ngo, court or defence.", "")
	}
	return a, nil
}

// Agencies lists every agency.
func (s *Service) Agencies(ctx context.Context, actor evidence.Actor) ([]Agency, error) {
	if err := s.Access.Authorize(ctx, actor, access.AgencyList, evidence.Resource{Kind: access.KindSystem}); err != nil {
		return nil, err
	}
	return s.Store.Agencies(ctx)
}

// Agency returns one agency. Its name is known to everyone who is signed in.
func (s *Service) Agency(ctx context.Context, actor evidence.Actor, id evidence.ID) (Agency, error) {
	if err := s.Access.Authorize(ctx, actor, access.AgencyList, evidence.Resource{Kind: access.KindSystem}); err != nil {
		return Agency{}, err
	}
	return s.Store.Agency(ctx, id)
}

// NewRoom describes an interview room to be made.
type NewRoom struct {
	Agency   evidence.ID
	Name     string
	Place    string
	TimeZone string // IANA name
}

// CreateRoom makes an interview room.
func (s *Service) CreateRoom(ctx context.Context, actor evidence.Actor, in NewRoom) (Room, error) {
	if err := s.Access.Authorize(ctx, actor, access.RoomCreate, evidence.Resource{Kind: access.KindAgency, ID: in.Agency}); err != nil {
		return Room{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Room{}, err
	}
	r := Room{ID: evidence.NewID(), Agency: in.Agency, Name: line(in.Name), Place: line(in.Place), TimeZone: in.TimeZone, CreatedAt: now}
	if r.Name == "" || len(r.Name) > maxText || len(r.Place) > maxText {
		return Room{}, evidence.Refuse(evidence.ErrInvalid, "room.name", "Give the room a name; name and place have at most 200 bytes each.", "P11")
	}
	if _, err := time.LoadLocation(r.TimeZone); err != nil || r.TimeZone == "" || r.TimeZone == "Local" {
		return Room{}, evidence.Refuse(evidence.ErrInvalid, "room.time_zone", "Give the room's time zone by its IANA name, such as Europe/Belgrade.", "P11")
	}
	entry := custody.Entry{Actor: actor, Action: access.RoomCreate, Agency: r.Agency, Subject: r.ID}
	if err := s.Store.CreateRoom(ctx, r, entry); err != nil {
		return Room{}, fmt.Errorf("creating room %s: %w", r.ID, err)
	}
	return r, nil
}

// Rooms lists every room.
func (s *Service) Rooms(ctx context.Context, actor evidence.Actor) ([]Room, error) {
	if err := s.Access.Authorize(ctx, actor, access.RoomList, evidence.Resource{Kind: access.KindSystem}); err != nil {
		return nil, err
	}
	return s.Store.Rooms(ctx)
}

// CheckRoom notes whether a room is fit for an interview.
func (s *Service) CheckRoom(ctx context.Context, actor evidence.Actor, in RoomCheck) (RoomCheck, error) {
	if err := s.Access.Authorize(ctx, actor, access.RoomCheck, evidence.Resource{Kind: access.KindSystem}); err != nil {
		return RoomCheck{}, err
	}
	room, err := s.Store.Room(ctx, in.Room)
	if err != nil {
		return RoomCheck{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return RoomCheck{}, err
	}
	in.ID, in.Agency, in.Note, in.By, in.At = evidence.NewID(), room.Agency, line(in.Note), actor.Account, now
	if len(in.Note) > 2000 {
		return RoomCheck{}, evidence.Refuse(evidence.ErrInvalid, "room.check", "The note has at most 2000 bytes.", "")
	}
	entry := custody.Entry{Actor: actor, Action: access.RoomCheck, Agency: room.Agency, Subject: room.ID, Details: map[string]string{"fit": strconv.FormatBool(in.Fit())}}
	if err := s.Store.SaveRoomCheck(ctx, in, entry); err != nil {
		return RoomCheck{}, fmt.Errorf("checking room %s: %w", room.ID, err)
	}
	return in, nil
}

// RoomChecks returns the latest check of each room that has one.
func (s *Service) RoomChecks(ctx context.Context, actor evidence.Actor) (map[evidence.ID]RoomCheck, error) {
	if err := s.Access.Authorize(ctx, actor, access.RoomList, evidence.Resource{Kind: access.KindSystem}); err != nil {
		return nil, err
	}
	return s.Store.RoomChecks(ctx)
}

// actionRehearsed is what stands in the custody log when a test recording has ended.
const actionRehearsed = "room.rehearsed"

// Rehearse begins a test recording in a room: it decides whether the actor may, and
// whether the room is free of interviews, and notes it in the custody log. A room to
// which an interview is assigned is refused: a test recording has no gate of consent,
// and nobody who is to be interviewed may be in it (P9, P40).
func (s *Service) Rehearse(ctx context.Context, actor evidence.Actor, id evidence.ID) (Room, error) {
	room, err := s.Store.Room(ctx, id)
	if err != nil {
		return Room{}, err
	}
	if err := s.Access.Authorize(ctx, actor, access.RoomRehearse, evidence.Resource{Kind: access.KindAgency, ID: room.Agency}); err != nil {
		return Room{}, err
	}
	assigned, err := s.Store.RoomAssigned(ctx, id)
	if err != nil {
		return Room{}, err
	}
	if assigned {
		return Room{}, evidence.Refuse(evidence.ErrConflict, "rehearsal.assigned", "An interview is assigned to this room. A test recording is made only in a room to which none is.", "P9")
	}
	return room, s.Store.AppendEntry(ctx, custody.Entry{Actor: actor, Action: access.RoomRehearse, Agency: room.Agency, Subject: room.ID})
}

// Rehearsed notes what came of a test recording that [Service.Rehearse] began.
func (s *Service) Rehearsed(ctx context.Context, actor evidence.Actor, id evidence.ID, holds bool, segments int) error {
	room, err := s.Store.Room(ctx, id)
	if err != nil {
		return err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return err
	}
	r := Rehearsal{ID: evidence.NewID(), Agency: room.Agency, Room: room.ID, Holds: holds, Segments: segments, By: actor.Account, At: now}
	entry := custody.Entry{Actor: actor, Action: actionRehearsed, Agency: room.Agency, Subject: room.ID,
		Details: map[string]string{"holds": strconv.FormatBool(holds), "segments": strconv.Itoa(segments)}}
	if err := s.Store.SaveRehearsal(ctx, r, entry); err != nil {
		return fmt.Errorf("noting a test recording in room %s: %w", room.ID, err)
	}
	return nil
}

// Rehearsals returns the latest test recording of each room that has one.
func (s *Service) Rehearsals(ctx context.Context, actor evidence.Actor) (map[evidence.ID]Rehearsal, error) {
	if err := s.Access.Authorize(ctx, actor, access.RoomList, evidence.Resource{Kind: access.KindSystem}); err != nil {
		return nil, err
	}
	return s.Store.Rehearsals(ctx)
}
