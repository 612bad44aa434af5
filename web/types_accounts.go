package web

import (
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// Account is a person who can sign in.
type Account struct {
	ID         evidence.ID   `json:"id" doc:"Account."`
	Login      string        `json:"login" doc:"Login name."`
	Name       string        `json:"name" doc:"The person's name."`
	Role       evidence.Role `json:"role" doc:"The account's role." enum:"admin,case_manager,interviewer,observer,prosecutor,advocate,custodian,auditor"`
	Agency     NamedRef      `json:"agency" doc:"The agency."`
	Language   string        `json:"language" doc:"Preferred language, BCP 47."`
	State      string        `json:"state" doc:"proposed: waits for a second person's approval; invited: may accept an invitation; active; disabled: ended for good." enum:"proposed,invited,active,disabled"`
	CreatedAt  time.Time     `json:"created_at" doc:"When it was made."`
	CreatedBy  *AccountRef   `json:"created_by,omitempty" doc:"Who made it; absent for the first administrator."`
	ApprovedBy *AccountRef   `json:"approved_by,omitempty" doc:"The second person, for roles that can reach media."`
	Recovery   *Recovery     `json:"recovery,omitempty" doc:"That the holder sets new credentials was proposed and waits for a second person."`
}

// Recovery is a proposal that an account's holder sets new credentials.
type Recovery struct {
	By    AccountRef `json:"by" doc:"Who proposed it, and so cannot approve it."`
	At    time.Time  `json:"at" doc:"When."`
	Until time.Time  `json:"until" doc:"It ends then, or when the holder signs in."`
}

type createAccountInput struct {
	Body struct {
		Login    string        `json:"login" minLength:"3" maxLength:"64" doc:"Login name: lower-case letters, digits, dot, dash and underscore, with a letter or digit at both ends."`
		Name     string        `json:"name" minLength:"1" maxLength:"200" doc:"The person's name."`
		Role     evidence.Role `json:"role" enum:"admin,case_manager,interviewer,observer,prosecutor,advocate,custodian,auditor" doc:"The account's role."`
		AgencyID evidence.ID   `json:"agency_id,omitempty" maxLength:"64" doc:"The agency; your own if left out."`
		Language string        `json:"language,omitempty" maxLength:"35" default:"en" doc:"Preferred language, BCP 47."`
	}
}

// InvitationLink lets a person set password and second factor, once.
type InvitationLink struct {
	Link      string    `json:"link" doc:"Give it to the person herself. It works once."`
	ExpiresAt time.Time `json:"expires_at" doc:"When it ends."`
}

// DirectoryEntry is an active account as colleagues see it.
type DirectoryEntry struct {
	ID     evidence.ID   `json:"id" doc:"Account."`
	Login  string        `json:"login" doc:"Login name."`
	Name   string        `json:"name" doc:"The person's name."`
	Role   evidence.Role `json:"role" doc:"The account's role."`
	Agency NamedRef      `json:"agency" doc:"The agency."`
}

// Agency is an institution whose members use the system.
type Agency struct {
	ID   evidence.ID `json:"id" doc:"Agency."`
	Name string      `json:"name" doc:"Its name."`
	Kind string      `json:"kind" doc:"What kind of institution it is." enum:"police,prosecution,advocates,social_work,ngo,court,defence"`
}

type createAgencyInput struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"200" doc:"Its name."`
		Kind string `json:"kind" enum:"police,prosecution,advocates,social_work,ngo,court,defence" doc:"What kind of institution it is."`
	}
}

// Room is a place where interviews are held.
type Room struct {
	ID       evidence.ID `json:"id" doc:"Room."`
	Name     string      `json:"name" doc:"Its name."`
	Agency   NamedRef    `json:"agency" doc:"The agency whose room it is."`
	Place    string      `json:"place" doc:"Its address, as the record of an interview states it (P11). May be empty."`
	TimeZone string      `json:"time_zone" doc:"IANA time zone (P11)." example:"Europe/Belgrade"`
	Check    *RoomCheck  `json:"check,omitempty" doc:"The latest look whether it is fit for an interview; absent if nobody has looked."`
	// Rehearsal is the latest test recording.
	Rehearsal *RoomRehearsal `json:"rehearsal,omitempty" doc:"The latest test recording; absent if none was made."`
}

// RoomRehearsal is what came of a test recording in a room.
type RoomRehearsal struct {
	Holds bool       `json:"holds" doc:"It was recorded, sealed and verified."`
	By    AccountRef `json:"by" doc:"Who made it."`
	At    time.Time  `json:"at" doc:"When."`
}

// Rehearsal is a test recording while it is made.
type Rehearsal struct {
	ID       evidence.ID      `json:"id" doc:"Test recording."`
	RoomID   evidence.ID      `json:"room_id" doc:"The room that is tried."`
	State    string           `json:"state" enum:"waiting,recording,sealing,done,failed" doc:"It waits for its camera, records, is sealed and verified, and is done or failed."`
	Elapsed  int64            `json:"elapsed_us" doc:"Microseconds since it was started; 0 before."`
	Length   int64            `json:"length_us" doc:"Microseconds after which it ends by itself."`
	Until    time.Time        `json:"until" doc:"When it is forgotten at the latest."`
	Evidence bool             `json:"evidence" doc:"Always false: a test recording can never be evidence."`
	Holds    bool             `json:"holds" doc:"Once it is done: what was stored is what was sealed."`
	Segments int              `json:"segments" doc:"Pieces of it that were read and verified."`
	Checks   []Check          `json:"checks" doc:"What verifying it found; empty until it is done."`
	Playlist string           `json:"playlist" doc:"HLS playlist, once it is done; for whoever made it."`
	Tracks   []InterviewTrack `json:"tracks" doc:"What was recorded, once it is done."`
}

// NewRehearsal is a test recording with where its camera sends to.
type NewRehearsal struct {
	Rehearsal Rehearsal `json:"rehearsal" doc:"The test recording."`
	Source    NewSource `json:"source" doc:"Where the camera sends to."`
}

type rehearsalFileInput struct {
	IDPath
	Track evidence.ID `path:"track" maxLength:"64" doc:"Track."`
	File  string      `path:"file" maxLength:"64" doc:"index.m3u8, init-N.mp4 or N.m4s."`
}

// RoomDevice is a browser of a room, as the room's administration shows it.
type RoomDevice struct {
	ID         evidence.ID `json:"id" doc:"Device."`
	KeyID      string      `json:"key_id" doc:"SHA-256 of its public key, lower-case hex: the browser itself knows it."`
	EnrolledAt time.Time   `json:"enrolled_at" doc:"When it was made known."`
	EnrolledBy *AccountRef `json:"enrolled_by,omitempty" doc:"By whom; absent for devices of before it was noted."`
	RevokedAt  *time.Time  `json:"revoked_at,omitempty" doc:"When it was revoked; absent while it is in force."`
}

type revokeDeviceInput struct {
	IDPath
	Device evidence.ID `path:"device" maxLength:"64" doc:"Device."`
	Body   struct {
		Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"Why. It goes into the custody log as a commitment."`
	}
}

type createRoomInput struct {
	Body struct {
		Name     string      `json:"name" minLength:"1" maxLength:"200" doc:"Its name."`
		AgencyID evidence.ID `json:"agency_id,omitempty" maxLength:"64" doc:"Whose room it is; your own agency's if left out."`
		Place    string      `json:"place,omitempty" maxLength:"200" doc:"Its address, as the record of an interview states it (P11)."`
		TimeZone string      `json:"time_zone" minLength:"1" maxLength:"64" doc:"IANA time zone (P11)." example:"Europe/Belgrade"`
	}
}
