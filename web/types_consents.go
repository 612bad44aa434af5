package web

import (
	"time"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
)

// Consent is one act: what a person, or who represents her, decided on one
// occasion (P1, P36, P37, P40, P41). Its fields are those of ISO/IEC TS 27560.
type Consent struct {
	ID          evidence.ID   `json:"id" doc:"Consent."`
	Person      PersonRef     `json:"person" doc:"Whose consent it is."`
	State       string        `json:"state" doc:"pending: a second person must attest it. withdrawn: every purpose that a later act does not replace. superseded: every purpose has a later act." enum:"pending,given,refused,withdrawn,superseded"`
	Decision    string        `json:"decision" doc:"What was decided." enum:"given,refused"`
	Items       []ConsentItem `json:"items" doc:"Each purpose of the act."`
	GivenBy     string        `json:"given_by" doc:"Who decided (P41)." enum:"self,guardian,guardianship_authority"`
	Form        string        `json:"form" doc:"How it was given before the start (P40)." enum:"written,attested"`
	ChildView   string        `json:"child_view,omitempty" doc:"The child's own view (P1). A no blocks the start, whatever a guardian says (P41)." enum:"yes,no,not_asked"`
	ToldWho     bool          `json:"told_who" doc:"Whether she was told who may see the recording (P1)."`
	Signing     string        `json:"signing,omitempty" doc:"How a written consent was signed." enum:"paper,scan,screen"`
	Repeats     []Repeat      `json:"repeats" doc:"Where it was said again on a recording."`
	ChildWords  string        `json:"child_words,omitempty" doc:"What the child said; for those who speak with her and look after her."`
	Document    string        `json:"document,omitempty" doc:"Name of the signed form."`
	SHA256      string        `json:"document_sha256,omitempty" doc:"SHA-256 of the scanned form."`
	Language    string        `json:"language" doc:"Language in which it was explained, BCP 47."`
	Interpreter string        `json:"interpreter,omitempty" doc:"Through whom; as child_words."`
	TextVersion int           `json:"text_version" doc:"Version of the text that was explained."`
	TextSHA256  string        `json:"text_sha256,omitempty" doc:"SHA-256 of that text; absent if it was explained freely."`
	Basis       string        `json:"basis" doc:"What the processing rests on, apart from the consent itself (P37)." enum:"consent,law"`
	Law         string        `json:"law,omitempty" doc:"The provision."`
	GivenAt     time.Time     `json:"given_at" doc:"When it was decided."`
	ValidUntil  *time.Time    `json:"valid_until,omitempty" doc:"When it ends by itself; absent: until withdrawn."`
	RecordedBy  AccountRef    `json:"recorded_by" doc:"Who recorded it here, and attests as the first person."`
	RecordedAt  time.Time     `json:"recorded_at" doc:"When."`
	AttestedBy  *AccountRef   `json:"attested_by,omitempty" doc:"The second person, if it is not in writing (P40)."`
	AttestedAt  *time.Time    `json:"attested_at,omitempty" doc:"When."`
}

// ConsentItem is one purpose of an act of consent.
type ConsentItem struct {
	Purpose     string     `json:"purpose" doc:"What for." enum:"record,observe_live,share_prosecution,share_defence,share_court,share_advocate,share_ngo,training"`
	Version     int        `json:"version" doc:"Counts the person's acts on this purpose; the latest alone counts."`
	Valid       bool       `json:"valid" doc:"Whether this act makes the purpose valid now."`
	Problems    []Reason   `json:"problems" doc:"If it is the latest act and not valid: why."`
	Superseded  *time.Time `json:"superseded_at,omitempty" doc:"When a later act was recorded."`
	Withdrawn   *time.Time `json:"withdrawn_at,omitempty" doc:"When it was withdrawn."`
	WithdrawnBy string     `json:"withdrawn_by,omitempty" doc:"Who withdrew it." enum:"self,guardian,guardianship_authority"`
}

// Repeat is where on a recording a consent was said again. It opens no gate (P40).
type Repeat struct {
	Interview evidence.ID     `json:"interview_id" doc:"Interview."`
	At        evidence.Offset `json:"at" doc:"Interview time, microseconds."`
	NotedAt   time.Time       `json:"noted_at" doc:"When it was noted."`
}

type repeatInput struct {
	IDPath
	Body struct {
		Interview evidence.ID     `json:"interview_id" maxLength:"64" doc:"Interview of the same person, whose recording has begun."`
		At        evidence.Offset `json:"at" minimum:"0" doc:"Interview time at which it was said, microseconds."`
	}
}

type receiptInput struct {
	IDPath
	Body struct {
		Holder string `json:"holder,omitempty" enum:"self,guardian,guardianship_authority" default:"self" doc:"For whom. A guardian with a conflict holds none (P41)."`
	}
}

// ConsentReceipt is a signed receipt of a consent.
type ConsentReceipt struct {
	Code string `json:"code" doc:"Stands on the printed page; toldonce-verify prints it for the file."`
	File string `json:"file" doc:"The receipt: canonical JSON with the signed record, its Sigstore bundle and the openings of its personal fields. Keep its bytes as they are."`
}

// ConsentTexts are the texts that explain what is asked.
type ConsentTexts struct {
	Version int                     `json:"version" doc:"Their version."`
	Texts   map[string]consent.Text `json:"texts" doc:"By language, BCP 47."`
}

type recordConsentInput struct {
	IDPath
	Body struct {
		PersonID    evidence.ID `json:"person_id" maxLength:"64" doc:"Whose consent it is; a victim or a witness on the case."`
		Purposes    []string    `json:"purposes" minItems:"1" maxItems:"8" uniqueItems:"true" enum:"record,observe_live,share_prosecution,share_defence,share_court,share_advocate,share_ngo,training" doc:"What was decided on, each purpose once."`
		Decision    string      `json:"decision,omitempty" enum:"given,refused" default:"given" doc:"What was decided."`
		GivenBy     string      `json:"given_by" enum:"self,guardian,guardianship_authority" doc:"Who decided (P41)."`
		Form        string      `json:"form" enum:"written,attested" doc:"In writing; or by word of mouth, attested by you and by a second person with her own login (P40)."`
		ChildView   string      `json:"child_view,omitempty" enum:"yes,no,not_asked" doc:"For a child: her own view (P1)."`
		ToldWho     bool        `json:"told_who,omitempty" doc:"She was told, in words that she understands, who may see the recording (P1)."`
		Signing     string      `json:"signing,omitempty" enum:"paper,scan,screen" doc:"How a written consent was signed; paper if left out. A scan or a signature on the screen is attached to the case file first."`
		ChildWords  string      `json:"child_words,omitempty" maxLength:"2000" doc:"For a child: what she said."`
		Document    string      `json:"document,omitempty" maxLength:"2000" doc:"Name of the signed form; this or its SHA-256 for a written consent."`
		SHA256      string      `json:"document_sha256,omitempty" pattern:"^[0-9a-f]{64}$" doc:"SHA-256 of the scanned form."`
		Language    string      `json:"language" minLength:"2" maxLength:"35" doc:"Language in which it was explained, BCP 47."`
		Interpreter string      `json:"interpreter,omitempty" maxLength:"2000" doc:"Through whom."`
		Basis       string      `json:"basis,omitempty" enum:"consent,law" default:"consent" doc:"What the processing rests on, apart from the consent itself (P37)."`
		Law         string      `json:"law,omitempty" maxLength:"2000" doc:"The provision; required if the processing rests on law."`
		GivenAt     *time.Time  `json:"given_at,omitempty" doc:"When it was decided; now if left out."`
		ValidUntil  *time.Time  `json:"valid_until,omitempty" doc:"When it ends by itself; leave out for until withdrawn."`
	}
}

type withdrawInput struct {
	IDPath
	Body struct {
		Purposes []string `json:"purposes,omitempty" maxItems:"8" uniqueItems:"true" enum:"record,observe_live,share_prosecution,share_defence,share_court,share_advocate,share_ngo,training" doc:"Which purposes; all of the act if left out."`
		By       string   `json:"by,omitempty" enum:"self,guardian,guardianship_authority" default:"self" doc:"Who withdraws. A guardian with a conflict cannot (P41)."`
		Reason   string   `json:"reason,omitempty" maxLength:"2000" doc:"What was said. Nobody has to give a reason."`
	}
}
