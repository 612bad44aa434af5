package web

import (
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// RetentionClass is a retention class of an agency, as it stands now.
type RetentionClass struct {
	ID        evidence.ID             `json:"id" doc:"Class."`
	Name      string                  `json:"name" doc:"Its name." example:"Criminal case, child"`
	Now       RetentionClassVersion   `json:"now" doc:"The version in force for cases that are put into it now."`
	Versions  []RetentionClassVersion `json:"versions" doc:"Every version, the first one first. A case keeps the longest of those since it came into the class."`
	MayChange bool                    `json:"may_change" doc:"Whether you may change it."`
}

// RetentionClassVersion is a class as it stood from one day on.
type RetentionClassVersion struct {
	Number     int        `json:"number" doc:"From 1."`
	Days       int        `json:"days" doc:"Length of the term."`
	From       string     `json:"from" doc:"From when it counts: the closing of the case, or the last seal on it." enum:"closed,sealed"`
	DecideDays int        `json:"decide_days" doc:"How many days people have to decide at its end (P34)."`
	Basis      string     `json:"basis" doc:"The law or rule that it rests on."`
	SetBy      AccountRef `json:"set_by" doc:"Who set it."`
	SetAt      time.Time  `json:"set_at" doc:"When."`
}

// ClassRule is a class's rule as somebody sets it.
type ClassRule struct {
	Days       int    `json:"days" minimum:"1" maximum:"54800" doc:"Length of the term, in days."`
	From       string `json:"from" enum:"closed,sealed" doc:"From when it counts: the closing of the case, or the last seal on it."`
	DecideDays int    `json:"decide_days,omitempty" minimum:"1" maximum:"365" doc:"How many days people have to decide at its end; 30 if left out."`
	Basis      string `json:"basis" minLength:"1" maxLength:"2000" doc:"The law or rule that it rests on."`
}

type createClassInput struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"100" doc:"Its name, new in the agency."`
		ClassRule
	}
}

type changeClassInput struct {
	IDPath
	Body ClassRule
}

// Retention is how long the recordings of a case are kept, and why.
type Retention struct {
	Case       CaseRef             `json:"case" doc:"Case file."`
	Stage      string              `json:"stage" doc:"How far the case has come."`
	ClosedAt   *time.Time          `json:"closed_at,omitempty" doc:"When it was closed."`
	Term       string              `json:"term" doc:"Where the term stands: no_rule and not_begun mean that it is kept without an end so far; ended means that people must decide. Nothing is ever deleted by itself (P34)." enum:"no_rule,not_begun,running,ended"`
	Until      *time.Time          `json:"until,omitempty" doc:"When the term ends."`
	Decide     *time.Time          `json:"decide,omitempty" doc:"When people must have decided."`
	Class      *NamedRef           `json:"class,omitempty" doc:"The class that gives the term: the longest of all that ever applied."`
	Due        bool                `json:"due" doc:"Whether people must decide now: keep it until another day, or erase."`
	Overdue    bool                `json:"overdue" doc:"Whether the deadline has passed."`
	Held       bool                `json:"held" doc:"Whether a hold stands on the case or an interview of it. A hold beats every term."`
	Rules      []RetentionRule     `json:"rules" doc:"What was decided for the case, in order."`
	Holds      []Hold              `json:"holds" doc:"Holds, lifted ones included, the newest first."`
	Recordings []RetainedRecording `json:"recordings" doc:"Sealed recordings, by interview."`
	MaySet     bool                `json:"may_set" doc:"Whether you may put the case into a class or keep it on."`
	MayHold    bool                `json:"may_hold" doc:"Whether you may place a hold."`
}

// RetentionRule is one decision on how long a case is kept.
type RetentionRule struct {
	ID     evidence.ID `json:"id" doc:"Decision."`
	Class  *NamedRef   `json:"class,omitempty" doc:"The class that the case was put into."`
	Until  *time.Time  `json:"until,omitempty" doc:"The day until which it was decided to keep it."`
	Reason string      `json:"reason,omitempty" doc:"Why."`
	SetBy  AccountRef  `json:"set_by" doc:"Who decided."`
	SetAt  time.Time   `json:"set_at" doc:"When."`
}

// Hold keeps a case, or one interview of it, until it is lifted.
type Hold struct {
	ID        evidence.ID `json:"id" doc:"Hold."`
	Interview evidence.ID `json:"interview_id,omitempty" doc:"The interview; absent: the whole case."`
	Reason    string      `json:"reason" doc:"Why."`
	Authority string      `json:"authority,omitempty" doc:"By what order or request."`
	PlacedBy  AccountRef  `json:"placed_by" doc:"Who placed it."`
	PlacedAt  time.Time   `json:"placed_at" doc:"When."`
	LiftedBy  *AccountRef `json:"lifted_by,omitempty" doc:"Who lifted it; absent while it holds."`
	LiftedAt  *time.Time  `json:"lifted_at,omitempty" doc:"When it was lifted."`
	MayLift   bool        `json:"may_lift" doc:"Whether you may lift it."`
}

// RetainedRecording is a sealed recording and how the object store keeps it.
type RetainedRecording struct {
	Interview evidence.ID `json:"interview_id" doc:"Interview."`
	Number    int         `json:"number" doc:"Of this person's interviews on the case."`
	Person    PersonRef   `json:"person" doc:"Who was interviewed."`
	SealedAt  time.Time   `json:"sealed_at" doc:"When it was sealed."`
	ErasedAt  *time.Time  `json:"erased_at,omitempty" doc:"When its keys were destroyed."`
	Lock      ObjectLock  `json:"lock" doc:"What the object store was told."`
	Erasure   *Erasure    `json:"erasure,omitempty" doc:"Its erasure, asked for or done; absent if nobody asked, or if it was rejected."`
	MayErase  bool        `json:"may_erase" doc:"Whether you may ask for its erasure."`
}

// ObjectLock is what the object store was last told to keep a recording by.
type ObjectLock struct {
	Until     *time.Time `json:"until,omitempty" doc:"COMPLIANCE retention of every object; only an object store with Object Lock enforces it."`
	Held      bool       `json:"held" doc:"Legal hold on every object."`
	Objects   int64      `json:"objects" doc:"How many objects."`
	AppliedAt *time.Time `json:"applied_at,omitempty" doc:"When it was told; absent: not yet."`
	Pending   bool       `json:"pending" doc:"Whether something is still to be told; it is tried again until it succeeds."`
}

type ruleInput struct {
	IDPath
	Body struct {
		Class  evidence.ID `json:"class_id,omitempty" doc:"Put the case into this class. Give this or until."`
		Until  *time.Time  `json:"until,omitempty" doc:"Keep the case until this day at least."`
		Reason string      `json:"reason,omitempty" maxLength:"2000" doc:"Why; required with until."`
	}
}

type holdInput struct {
	IDPath
	Body struct {
		Interview evidence.ID `json:"interview_id,omitempty" doc:"Hold this interview alone; the whole case if left out."`
		Reason    string      `json:"reason" minLength:"1" maxLength:"2000" doc:"Why it must be kept."`
		Authority string      `json:"authority,omitempty" maxLength:"2000" doc:"By what order or request."`
	}
}

// Erasure is one recording on its way out, and what remains of it as paper.
type Erasure struct {
	ID          evidence.ID  `json:"id" doc:"Erasure."`
	Interview   evidence.ID  `json:"interview_id" doc:"Interview."`
	Case        CaseRef      `json:"case" doc:"Case file."`
	State       string       `json:"state" doc:"Where it stands. provisional: the keys are destroyed, and what that does not reach is not attested yet." enum:"proposed,rejected,approved,provisional,final"`
	Reason      string       `json:"reason" doc:"Why."`
	Order       string       `json:"order,omitempty" doc:"The order to erase before the term."`
	RequestedBy AccountRef   `json:"requested_by" doc:"Who asked."`
	RequestedAt time.Time    `json:"requested_at" doc:"When."`
	DecidedBy   *AccountRef  `json:"decided_by,omitempty" doc:"Who approved or rejected: always another person."`
	DecidedAt   *time.Time   `json:"decided_at,omitempty" doc:"When."`
	ErasedAt    *time.Time   `json:"erased_at,omitempty" doc:"When the keys were gone."`
	AttestedBy  *AccountRef  `json:"attested_by,omitempty" doc:"Who attested what the erasure did not reach."`
	AttestedAt  *time.Time   `json:"attested_at,omitempty" doc:"When."`
	NotReached  []NotReached `json:"not_reached" doc:"What the erasure does not reach by itself, as its certificate lists it."`
	MayDecide   bool         `json:"may_decide" doc:"Whether you may approve or reject it now."`
	MayAttest   bool         `json:"may_attest" doc:"Whether you may attest it now."`
}

// NotReached is something that the destruction of keys does not reach.
type NotReached struct {
	Item       string     `json:"item" doc:"backup: the key store's last backup; copy:ID: a package that was handed over; share:ID: an escrow share that is out." example:"backup"`
	At         *time.Time `json:"at,omitempty" doc:"When it was made or left; absent if nobody noted."`
	Digest     string     `json:"digest,omitempty" doc:"SHA-256 of a copy's tag manifest."`
	Clear      bool       `json:"clear,omitempty" doc:"A copy that is not encrypted."`
	Unreturned bool       `json:"unreturned,omitempty" doc:"Attested as out of reach for good."`
}

type eraseInput struct {
	IDPath
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"2000" doc:"Why it shall be erased."`
		Order  string `json:"order,omitempty" maxLength:"2000" doc:"The order of a court or authority; needed while the term is not over."`
	}
}

type decideErasureInput struct {
	IDPath
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"2000" doc:"Why."`
	}
}

type attestErasureInput struct {
	IDPath
	Body struct {
		Items []AttestedItem `json:"items" minItems:"1" maxItems:"1000" doc:"One for each thing that the certificate lists."`
	}
}

// AttestedItem is what somebody vouches for.
type AttestedItem struct {
	Item string `json:"item" maxLength:"100" doc:"As the certificate names it."`
	Said string `json:"said" minLength:"1" maxLength:"300" doc:"What became of it. The one word unreturned says that nobody can vouch for it."`
}

// ErasureCertificates are the signed certificates of an erasure.
type ErasureCertificates struct {
	Provisional SignedDocument  `json:"provisional" doc:"What was destroyed and what that did not reach."`
	Final       *SignedDocument `json:"final,omitempty" doc:"With what was attested; absent before."`
}

// SignedDocument is a file and the seal over it.
type SignedDocument struct {
	Name     string `json:"name" doc:"The file's name, as the seal names it." example:"erasure.json"`
	Document string `json:"document" doc:"The file's exact bytes: canonical JSON."`
	Bundle   string `json:"bundle" doc:"A Sigstore bundle v0.3 with signature and timestamp."`
}
