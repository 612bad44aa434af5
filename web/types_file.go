package web

import (
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/casefile"
)

// Sheet is one thing that is written down in a case file. What stands in it never
// changes; it is closed once, with what came of it.
type Sheet struct {
	ID         evidence.ID      `json:"id" doc:"Sheet."`
	Case       CaseRef          `json:"case" doc:"Case file."`
	Person     *PersonRef       `json:"person,omitempty" doc:"Whom it concerns."`
	Interview  evidence.ID      `json:"interview_id,omitempty" doc:"Interview, if it concerns one."`
	Kind       string           `json:"kind" enum:"intake,stage,identification,reflection,service,duty,document,contradiction,appointment,outsider,presence,companion,danger,ruling,supplement" doc:"What it is about."`
	Content    casefile.Content `json:"content" doc:"What stands in it: the one member that the kind names. Of a document, neither its key nor where it lies."`
	ForAccount *AccountRef      `json:"for,omitempty" doc:"Whose duty it is, by name."`
	ForRole    evidence.Role    `json:"for_role,omitempty" doc:"Whose duty it is, by role on the case."`
	Due        *time.Time       `json:"due_at,omitempty" doc:"By when."`
	Overdue    bool             `json:"overdue" doc:"Whether it is open after its time."`
	By         AccountRef       `json:"written_by" doc:"Who wrote it."`
	At         time.Time        `json:"written_at" doc:"When."`
	ClosedBy   *AccountRef      `json:"closed_by,omitempty" doc:"Who closed it; absent while it is open."`
	ClosedAt   *time.Time       `json:"closed_at,omitempty" doc:"When."`
	Outcome    string           `json:"outcome,omitempty" doc:"What came of it."`
	MayClose   bool             `json:"may_close" doc:"Whether you may close it now."`
}

type listSheetsInput struct {
	IDPath
	Interview evidence.ID `query:"interview" maxLength:"64" doc:"Only those of this interview."`
}

type writeSheetInput struct {
	IDPath
	Body struct {
		PersonID    evidence.ID      `json:"person_id,omitempty" maxLength:"64" doc:"Whom it concerns; on this case."`
		InterviewID evidence.ID      `json:"interview_id,omitempty" maxLength:"64" doc:"Interview of this case that it concerns."`
		Content     casefile.Content `json:"content" doc:"Exactly one member. Stages, documents and danger have operations of their own."`
		ForAccount  evidence.ID      `json:"for,omitempty" maxLength:"64" doc:"Whose duty it is: somebody on the team."`
		ForRole     evidence.Role    `json:"for_role,omitempty" enum:"case_manager,interviewer,observer,prosecutor,advocate,custodian" doc:"Whose duty it is, by role."`
		Due         *time.Time       `json:"due_at,omitempty" doc:"By when."`
	}
}

type closeSheetInput struct {
	IDPath
	Body struct {
		Outcome string `json:"outcome" minLength:"1" maxLength:"2000" doc:"What came of it; for a contradiction, what is said to the victim."`
	}
}

// Link keeps an account apart from a case (P42). Only the case manager, the
// custodian and the auditor are told.
type Link struct {
	ID          evidence.ID `json:"id" doc:"Link."`
	Person      PersonRef   `json:"person" doc:"The suspect."`
	Account     AccountRef  `json:"account" doc:"Who is kept apart."`
	Kind        string      `json:"kind" enum:"self,kin,counsel,guardian,other" doc:"How the account belongs to the suspect."`
	State       string      `json:"state" enum:"claimed,upheld,dismissed" doc:"claimed: somebody said so; frozen until it is decided."`
	InForce     bool        `json:"in_force" doc:"Whether it keeps the account apart now."`
	Due         *time.Time  `json:"due_at,omitempty" doc:"By when a claim must be decided."`
	Lapses      bool        `json:"lapses" doc:"Whether it holds no longer if nobody decides in time."`
	By          AccountRef  `json:"said_by" doc:"Who said so."`
	At          time.Time   `json:"said_at" doc:"When."`
	DecidedBy   *AccountRef `json:"decided_by,omitempty" doc:"Who decided."`
	DecidedAt   *time.Time  `json:"decided_at,omitempty" doc:"When."`
	LiftedUntil *time.Time  `json:"lifted_until,omitempty" doc:"Until when a decision lifts it."`
	MayDecide   bool        `json:"may_decide" doc:"Whether you may decide on it."`
}

type decideLinkInput struct {
	IDPath
	Body struct {
		State       string     `json:"state" enum:"upheld,dismissed" doc:"Whether the account belongs to the suspect."`
		LiftedUntil *time.Time `json:"lifted_until,omitempty" doc:"With upheld: lifts the separation until then, at most 90 days."`
		Reason      string     `json:"reason" minLength:"1" maxLength:"2000" doc:"What this rests on."`
		Authority   string     `json:"authority,omitempty" maxLength:"2000" doc:"The decision or order; required to lift."`
	}
}

type attachInput struct {
	IDPath
	Body struct {
		PersonID  evidence.ID `json:"person_id,omitempty" maxLength:"64" doc:"Whom it concerns; on this case."`
		Name      string      `json:"name" minLength:"1" maxLength:"200" doc:"What it is called. No real names."`
		MediaType string      `json:"media_type,omitempty" maxLength:"100" doc:"Such as application/pdf."`
		Bytes     []byte      `json:"bytes" doc:"The file, base64."`
	}
}

type dangerInput struct {
	IDPath
	Body struct {
		Recipients []evidence.ID `json:"recipients,omitempty" maxItems:"20" uniqueItems:"true" doc:"Accounts on the team that are told; the case managers, prosecutors and advocates if left out."`
		Action     string        `json:"action,omitempty" maxLength:"2000" doc:"What is needed now, and nothing of what was said."`
		Minutes    int           `json:"minutes,omitempty" minimum:"1" maximum:"1440" doc:"How long they have to acknowledge; 15 if left out."`
	}
}

// RoomCheck is what somebody found who looked whether a room is fit for an
// interview, of a child especially.
type RoomCheck struct {
	Private   bool       `json:"private" doc:"Nobody outside sees or hears."`
	Furniture bool       `json:"furniture" doc:"The furniture fits those who are interviewed."`
	Sound     bool       `json:"sound" doc:"It is quiet, and microphones reach everyone."`
	WholeRoom bool       `json:"whole_room" doc:"The cameras show the whole room (P8)."`
	NoSymbols bool       `json:"no_symbols" doc:"No uniforms, weapons or signs of the police."`
	Note      string     `json:"note,omitempty" maxLength:"2000" doc:"What is missing."`
	Fit       bool       `json:"fit" doc:"Whether nothing is missing."`
	By        AccountRef `json:"by" doc:"Who looked."`
	At        time.Time  `json:"at" doc:"When."`
}

type checkRoomInput struct {
	IDPath
	Body struct {
		Private   bool   `json:"private" doc:"Nobody outside sees or hears."`
		Furniture bool   `json:"furniture" doc:"The furniture fits those who are interviewed."`
		Sound     bool   `json:"sound" doc:"It is quiet, and microphones reach everyone."`
		WholeRoom bool   `json:"whole_room" doc:"The cameras show the whole room (P8)."`
		NoSymbols bool   `json:"no_symbols" doc:"No uniforms, weapons or signs of the police."`
		Note      string `json:"note,omitempty" maxLength:"2000" doc:"What is missing."`
	}
}
