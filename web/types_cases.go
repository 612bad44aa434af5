package web

import (
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// Case is a case file.
type Case struct {
	ID        evidence.ID     `json:"id" doc:"Case file."`
	Reference string          `json:"reference" doc:"The agency's case number (P9)." example:"PP-2026/0117"`
	Stage     string          `json:"stage" doc:"How far the case has come." enum:"referral,identification,protection,assistance,proceedings,reintegration,closed"`
	Agency    NamedRef        `json:"agency" doc:"The agency that opened it."`
	OpenedAt  time.Time       `json:"opened_at" doc:"When it was opened."`
	Manager   *AccountRef     `json:"manager,omitempty" doc:"The case manager; absent if there is none, which needs attention."`
	Unfilled  []evidence.Role `json:"unfilled" doc:"Roles that the stage needs and nobody holds now."`
	MyRoles   []evidence.Role `json:"my_roles" doc:"Your roles on the case now."`
	Counts    CaseCounts      `json:"counts" doc:"How much is in it."`
}

// CaseCounts says how much a case file holds.
type CaseCounts struct {
	People     int `json:"people" doc:"People on the case."`
	Interviews int `json:"interviews" doc:"Interviews, planned ones included."`
	Consents   int `json:"consents" doc:"Acts of consent of which something is in force."`
	OpenGrants int `json:"open_grants" doc:"Grants that are proposed or active."`
}

type createCaseInput struct {
	Body struct {
		Reference string `json:"reference" minLength:"1" maxLength:"100" doc:"The agency's case number (P9)."`
	}
}

type findCasesInput struct {
	Body struct {
		Find string `json:"find" minLength:"1" maxLength:"100" doc:"The case number, or a pseudonym of somebody on the case; exactly this, letter case and spacing apart. There is no search by real names: none are stored."`
	}
}

type stageInput struct {
	IDPath
	Body struct {
		Stage     string     `json:"stage" enum:"referral,identification,protection,assistance,proceedings,reintegration,closed" doc:"The new stage."`
		Reason    string     `json:"reason" minLength:"1" maxLength:"2000" doc:"Why the case moves on."`
		Authority string     `json:"authority,omitempty" maxLength:"2000" doc:"By what authority."`
		Next      string     `json:"next,omitempty" maxLength:"2000" doc:"The next step, which is the case manager's duty."`
		Due       *time.Time `json:"due_at,omitempty" doc:"By when, with a next step."`
	}
}

// Member is somebody's role on a case, for a time.
type Member struct {
	ID      evidence.ID   `json:"id" doc:"Membership."`
	Account AccountRef    `json:"account" doc:"Who."`
	Role    evidence.Role `json:"role" doc:"The role on the case." enum:"case_manager,interviewer,observer,prosecutor,advocate"`
	From    time.Time     `json:"from" doc:"From when."`
	Until   *time.Time    `json:"until,omitempty" doc:"Until when; absent while open."`
	Current bool          `json:"current" doc:"Whether the role is held now."`
	AddedBy AccountRef    `json:"added_by" doc:"Who assigned it."`
	EndedBy *AccountRef   `json:"ended_by,omitempty" doc:"Who ended it early; absent if nobody did."`
	EndedAt *time.Time    `json:"ended_at,omitempty" doc:"When it was ended early."`
}

type addMemberInput struct {
	IDPath
	Body struct {
		AccountID evidence.ID   `json:"account_id" maxLength:"64" doc:"Who."`
		Role      evidence.Role `json:"role" enum:"case_manager,interviewer,observer,prosecutor,advocate" doc:"The role on the case: the account's own, or observer."`
		From      *time.Time    `json:"from,omitempty" doc:"From when; now if left out."`
		Until     *time.Time    `json:"until,omitempty" doc:"Until when; leave out for no end."`
	}
}

type memberPath struct {
	IDPath
	Member evidence.ID `path:"member" maxLength:"64" doc:"Membership."`
}

// Person is somebody on a case, known by a pseudonym.
type Person struct {
	ID            evidence.ID `json:"id" doc:"Person on the case."`
	Pseudonym     string      `json:"pseudonym" doc:"The name that the system uses for her."`
	Kind          string      `json:"kind" doc:"What she is on this case (P42)." enum:"victim,witness,suspect"`
	Age           string      `json:"age" doc:"Uncertain age is treated as a child (P6)." enum:"adult,child,uncertain"`
	Child         bool        `json:"child" doc:"Whether the rules for children apply."`
	Language      string      `json:"language" doc:"BCP 47."`
	Unaccompanied bool        `json:"unaccompanied" doc:"A child without parent or guardian here, whom the guardianship authority represents (P41)."`
	Guardian      *Guardian   `json:"guardian,omitempty" doc:"Who represents a child."`
	AddedBy       AccountRef  `json:"added_by" doc:"Who added her."`
	AddedAt       time.Time   `json:"added_at" doc:"When."`
}

// Guardian is who represents a child.
type Guardian struct {
	Name         string `json:"name" minLength:"1" maxLength:"2000" doc:"Pseudonym or name."`
	Relation     string `json:"relation,omitempty" maxLength:"2000" doc:"Such as mother, or legal guardian."`
	Conflict     bool   `json:"conflict,omitempty" doc:"Her interests conflict with the child's: she has no part in any consent (P6, P41)."`
	ConflictNote string `json:"conflict_note,omitempty" maxLength:"2000" doc:"Why; required with a conflict."`
}

type addPersonInput struct {
	IDPath
	Body struct {
		Pseudonym     string    `json:"pseudonym" minLength:"1" maxLength:"100" doc:"The name that the system uses for her. Never her real name."`
		Kind          string    `json:"kind" enum:"victim,witness,suspect" doc:"What she is on this case (P42)."`
		Age           string    `json:"age" enum:"adult,child,uncertain" doc:"Uncertain age is treated as a child (P6)."`
		Language      string    `json:"language" minLength:"2" maxLength:"35" doc:"BCP 47." example:"sq"`
		Unaccompanied bool      `json:"unaccompanied,omitempty" doc:"A child without parent or guardian here (P41)."`
		Guardian      *Guardian `json:"guardian,omitempty" doc:"Who represents a child."`
	}
}

type changePersonInput struct {
	IDPath
	Body struct {
		Age           *string   `json:"age,omitempty" enum:"adult,child,uncertain" doc:"New age category."`
		Language      *string   `json:"language,omitempty" minLength:"2" maxLength:"35" doc:"New language, BCP 47."`
		Unaccompanied *bool     `json:"unaccompanied,omitempty" doc:"New value."`
		Guardian      *Guardian `json:"guardian,omitempty" doc:"New guardian."`
		Reason        string    `json:"reason" minLength:"1" maxLength:"2000" doc:"Why this changes."`
	}
}

type linkInput struct {
	IDPath
	Body struct {
		AccountID evidence.ID `json:"account_id" maxLength:"64" doc:"The account to keep apart from the case."`
		Kind      string      `json:"kind" enum:"self,kin,counsel,guardian,other" doc:"How the account belongs to the suspect."`
		Reason    string      `json:"reason" minLength:"1" maxLength:"2000" doc:"What this rests on."`
	}
}
