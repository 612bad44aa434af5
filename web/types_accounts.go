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
