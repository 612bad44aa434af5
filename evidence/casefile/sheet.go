package casefile

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/toldonce/toldonce/evidence"
)

// SheetKind says what a sheet of the case file is about.
type SheetKind string

const (
	SheetIntake         SheetKind = "intake"         // who referred the case, and how
	SheetStage          SheetKind = "stage"          // the case moved on
	SheetIdentification SheetKind = "identification" // official identification
	SheetReflection     SheetKind = "reflection"     // a reflection period
	SheetService        SheetKind = "service"        // a referral to legal aid, medical or other help
	SheetDuty           SheetKind = "duty"           // something that somebody must do or decide
	SheetDocument       SheetKind = "document"       // a document, encrypted like media
	SheetContradiction  SheetKind = "contradiction"  // what two partners write of the same thing
	SheetAppointment    SheetKind = "appointment"    // a suspect is somewhere at a time
	SheetOutsider       SheetKind = "outsider"       // somebody without an account who belongs to a suspect
	SheetPresence       SheetKind = "presence"       // somebody at an interview
	SheetCompanion      SheetKind = "companion"      // a companion's place at an interview, or her exclusion
	SheetDanger         SheetKind = "danger"         // immediate danger was disclosed
	SheetRuling         SheetKind = "ruling"         // what a court decided about a recording
	SheetSupplement     SheetKind = "supplement"     // an interview that supplements an earlier one
)

// SheetKinds lists every kind, in the order in which pages show them.
var SheetKinds = []SheetKind{SheetIntake, SheetStage, SheetIdentification, SheetReflection, SheetService, SheetDuty, SheetDocument, SheetContradiction,
	SheetAppointment, SheetOutsider, SheetPresence, SheetCompanion, SheetDanger, SheetRuling, SheetSupplement}

// FieldSheet is the field under which the log commits to what stands in a sheet.
const FieldSheet = "sheet"

// Sheet is one thing that is written down in a case file: a stage, a referral, a
// duty, a document. What stands in it never changes; it is closed once, with what
// came of it, and a correction is another sheet.
type Sheet struct {
	ID         evidence.ID
	Agency     evidence.ID // of the case
	Case       evidence.ID
	Person     evidence.ID // whom it concerns; empty if nobody in particular
	Interview  evidence.ID // empty if it concerns no interview
	Kind       SheetKind
	Content    Content          // personal
	Salt       string           // under which the log commits to Content
	ForAccount evidence.ID      // whose duty it is; empty: of everyone on the case with ForRole
	ForRole    evidence.Role    // empty: nobody's duty
	Due        evidence.Instant // 0: no deadline
	By         evidence.ID
	At         evidence.Instant
	ClosedBy   evidence.ID
	ClosedAt   evidence.Instant // 0: open
	Outcome    string           // what came of it, personal
	Version    int64            // row version for optimistic concurrency
}

// Open reports whether nobody has closed the sheet.
func (s Sheet) Open() bool { return s.ClosedAt == 0 }

// Commitment is what the custody log holds in place of the content.
func (s Sheet) Commitment() (evidence.Commitment, error) {
	text, err := s.Content.text()
	return evidence.Opening{Field: FieldSheet, Salt: s.Salt, Value: text}.Commitment(), err
}

// SheetFilter chooses sheets. Empty fields choose any.
type SheetFilter struct {
	Case      evidence.ID
	Interview evidence.ID
	Kinds     []SheetKind
	OpenOnly  bool
}

// Content is what stands in a sheet: exactly one of its fields is set, that of the
// sheet's kind. Every text in it is personal data of at most 2000 bytes.
type Content struct {
	Intake         *Intake         `json:"intake,omitempty"`
	Stage          *StageStep      `json:"stage,omitempty"`
	Identification *Identified     `json:"identification,omitempty"`
	Reflection     *Reflection     `json:"reflection,omitempty"`
	Service        *ServiceRequest `json:"service,omitempty"`
	Duty           *Duty           `json:"duty,omitempty"`
	Document       *Document       `json:"document,omitempty"`
	Contradiction  *Contradiction  `json:"contradiction,omitempty"`
	Appointment    *Appointment    `json:"appointment,omitempty"`
	Outsider       *Outsider       `json:"outsider,omitempty"`
	Presence       *Attendance     `json:"presence,omitempty"`
	Companion      *Companion      `json:"companion,omitempty"`
	Danger         *Danger         `json:"danger,omitempty"`
	Ruling         *Ruling         `json:"ruling,omitempty"`
	Supplement     *Supplement     `json:"supplement,omitempty"`
}

// Intake says who referred the case, and how.
type Intake struct {
	From string `json:"from" enum:"institution,law_enforcement,ngo,citizen" doc:"Who referred the case."`
	How  string `json:"how" enum:"in_person,telephone,letter,hotline,other" doc:"How."`
	Note string `json:"note,omitempty" maxLength:"2000" doc:"What was said. No real names."`
}

// StageStep says that the case moved on.
type StageStep struct {
	From      Stage  `json:"from" enum:"referral,identification,protection,assistance,proceedings,reintegration,closed" doc:"Where it stood."`
	To        Stage  `json:"to" enum:"referral,identification,protection,assistance,proceedings,reintegration,closed" doc:"Where it stands."`
	Why       string `json:"why" maxLength:"2000" doc:"Why."`
	Authority string `json:"authority,omitempty" maxLength:"2000" doc:"By what authority."`
	Next      string `json:"next,omitempty" maxLength:"2000" doc:"The next step."`
}

// Identified is the official identification of a victim. Only a police
// investigator, a prosecutor, a victims' advocate or a social worker makes it.
type Identified struct {
	Capacity string `json:"capacity" enum:"investigator,prosecutor,advocate,social_worker" doc:"In which capacity the identification was made; nobody else may make one."`
	Result   string `json:"result" enum:"victim,presumed,not_victim" doc:"What was found."`
	Note     string `json:"note,omitempty" maxLength:"2000" doc:"On what it rests."`
}

// Reflection is the time in which a victim recovers before she is asked to decide
// on cooperating. The safe accommodation that goes with it is noted as provided,
// never where.
type Reflection struct {
	From          evidence.Instant `json:"from" doc:"Start, microseconds since 1970 UTC."`
	Until         evidence.Instant `json:"until" doc:"End, exclusive, microseconds since 1970 UTC."`
	Accommodation bool             `json:"accommodation,omitempty" doc:"Safe accommodation is provided. Where is never written down."`
}

// ServiceRequest refers somebody to legal aid, medical or other help.
type ServiceRequest struct {
	Service string `json:"service" enum:"legal_aid,medical,psychological,social,education,interpreter,reintegration,other" doc:"What kind of help."`
	To      string `json:"to" maxLength:"2000" doc:"To which service. For safe accommodation never the place."`
	Note    string `json:"note,omitempty" maxLength:"2000" doc:"What is asked for."`
}

// Duty is something that somebody must do, or decide, by a time.
type Duty struct {
	// Code says what it is, for pages to put in words; "other": Text does.
	Code string `json:"code" enum:"other,consent_withdrawn,separation_conflict,reconcile,role_unfilled,danger" doc:"What it is about; other: the text says."`
	Text string `json:"text,omitempty" maxLength:"2000" doc:"In words."`
}

// Document is a file that is attached to the case. Its bytes lie in the object
// store, encrypted under a key of its own, which can be erased.
type Document struct {
	Name      string          `json:"name" maxLength:"200" doc:"What it is called."`
	MediaType string          `json:"media_type" maxLength:"100" doc:"Such as application/pdf."`
	Plain     evidence.Digest `json:"plain" doc:"Of the file."`
	Cipher    evidence.Digest `json:"cipher" doc:"Of the stored object."`
	Key       []byte          `json:"key" doc:"The file's data key, wrapped by its erasable key."`
	Object    string          `json:"object" doc:"Key in the object store."`
	Version   string          `json:"version,omitempty" doc:"Version there."`
}

// Contradiction is what two partners write of the same thing about the victim.
// Both versions stay; what is said to her is settled first.
type Contradiction struct {
	About string `json:"about" enum:"age,language,needs,identity,health,family,other" doc:"What they differ on."`
	One   string `json:"one" maxLength:"2000" doc:"What one partner writes, and who."`
	Other string `json:"other" maxLength:"2000" doc:"What another writes, and who."`
}

// Appointment says that a suspect is at a place for a time, so that no interview
// of a victim is planned near it.
type Appointment struct {
	Place string           `json:"place" maxLength:"200" doc:"The place as rooms name theirs: two rooms of one building have one place."`
	From  evidence.Instant `json:"from" doc:"Start, microseconds since 1970 UTC."`
	Until evidence.Instant `json:"until" doc:"End, exclusive, microseconds since 1970 UTC."`
}

// Outsider is somebody without an account who belongs to a suspect: she is no
// companion, interpreter or guardian on the case.
type Outsider struct {
	Name string   `json:"name" maxLength:"200" doc:"As the partners know her. Compared without letter case and spacing."`
	Kind LinkKind `json:"kind" enum:"kin,counsel,guardian,other" doc:"How she belongs to the suspect."`
	Why  string   `json:"why" maxLength:"2000" doc:"What this rests on."`
}

// Attendance is somebody at an interview: who, as what, from when to when (P10).
type Attendance struct {
	Account  evidence.ID      `json:"account,omitempty" maxLength:"64" doc:"The account, if it is somebody with one."`
	Name     string           `json:"name,omitempty" maxLength:"200" doc:"Name or pseudonym, if not."`
	Role     string           `json:"role" enum:"person,interviewer,second_interviewer,observer,prosecutor,advocate,psychologist,interpreter,intermediary,companion,guardian,technician,other" doc:"As what."`
	Room     bool             `json:"room" doc:"In the interview room; otherwise she observes from elsewhere."`
	In       evidence.Instant `json:"in" doc:"Came, microseconds since 1970 UTC."`
	Out      evidence.Instant `json:"out,omitempty" doc:"Left, microseconds since 1970 UTC; absent while she is there."`
	Announce bool             `json:"announced,omitempty" doc:"Said aloud on the recording."`
}

// Companion says who accompanies the person at an interview, or the reasoned
// decision to exclude her (P5).
type Companion struct {
	Name     string `json:"name" maxLength:"200" doc:"Name or pseudonym of the companion."`
	Relation string `json:"relation,omitempty" maxLength:"200" doc:"What she is to the person."`
	Excluded bool   `json:"excluded,omitempty" doc:"She is excluded by a decision."`
	Reason   string `json:"reason,omitempty" maxLength:"2000" doc:"Why; required to exclude her (P5)."`
	By       string `json:"by,omitempty" maxLength:"200" doc:"Who decided; required to exclude her."`
}

// Danger is the one press when immediate danger is disclosed. It holds no media
// and repeats nothing that was said.
type Danger struct {
	Recipients []evidence.ID `json:"recipients" maxItems:"20" doc:"Accounts that are told and must acknowledge."`
	Action     string        `json:"action,omitempty" maxLength:"2000" doc:"What is needed now. Nothing of what was said."`
}

// Ruling is what a court decided about the recording of an interview. A later
// ruling does not take an earlier one back: both stand, each with its date.
type Ruling struct {
	Outcome   string           `json:"outcome" enum:"admitted,excluded,edited" doc:"admitted: as it is; excluded: not as evidence; edited: only as the order says."`
	Court     string           `json:"court" maxLength:"200" doc:"Which court."`
	Reference string           `json:"reference" maxLength:"200" doc:"Number of the decision."`
	Decided   evidence.Instant `json:"decided" doc:"When, microseconds since 1970 UTC."`
	Exhibit   string           `json:"exhibit,omitempty" maxLength:"40" doc:"The exhibit number that the court gave it."`
	Terms     string           `json:"terms,omitempty" maxLength:"2000" doc:"What is to be left out or changed; required for edited."`
}

// Supplement says that an interview was held to add to an earlier one of the same
// person, so that a court meets neither without the other.
type Supplement struct {
	Of  evidence.ID `json:"of" maxLength:"64" doc:"The earlier interview."`
	Why string      `json:"why" maxLength:"2000" doc:"What it adds."`
}

// kind is the kind of the one field that is set; empty if it is not exactly one.
func (c Content) kind() SheetKind {
	var kinds []SheetKind
	for kind, set := range map[SheetKind]bool{SheetIntake: c.Intake != nil, SheetStage: c.Stage != nil, SheetIdentification: c.Identification != nil,
		SheetReflection: c.Reflection != nil, SheetService: c.Service != nil, SheetDuty: c.Duty != nil, SheetDocument: c.Document != nil,
		SheetContradiction: c.Contradiction != nil, SheetAppointment: c.Appointment != nil, SheetOutsider: c.Outsider != nil,
		SheetPresence: c.Presence != nil, SheetCompanion: c.Companion != nil, SheetDanger: c.Danger != nil,
		SheetRuling: c.Ruling != nil, SheetSupplement: c.Supplement != nil} {
		if set {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) != 1 {
		return ""
	}
	return kinds[0]
}

// text is the content as it is stored and committed to.
func (c Content) text() (string, error) {
	out, err := evidence.Canonical(c)
	return string(out), err
}

// NewSheet makes a sheet of a case with the content's kind. By and At are set by
// whoever stores it.
func NewSheet(c Case, content Content) Sheet {
	return Sheet{ID: evidence.NewID(), Agency: c.Agency, Case: c.ID, Kind: content.kind(), Content: content, Salt: evidence.NewSalt(), Version: 1}
}

// EncodeContent returns the content as a database keeps it.
func EncodeContent(c Content) (string, error) { return c.text() }

// DecodeContent reads what EncodeContent wrote. The error wraps evidence.ErrInvalid.
func DecodeContent(text string) (c Content, err error) {
	if err := json.Unmarshal([]byte(text), &c); err != nil || c.kind() == "" {
		return Content{}, fmt.Errorf("content of a sheet: %w: %v", evidence.ErrInvalid, err)
	}
	return c, nil
}

// check says what is wrong with a content; nil if nothing is.
func (c Content) check() error {
	bad := func(code, text, practice string) error { return invalid("sheet."+code, text, practice) }
	one := func(value string, of ...string) bool { return slices.Contains(of, value) }
	text, err := c.text()
	if err != nil || len(text) > 16<<10 {
		return bad("long", "This is too long for one sheet.", "")
	}
	switch c.kind() {
	case SheetIntake:
		if !one(c.Intake.From, "institution", "law_enforcement", "ngo", "citizen") || c.Intake.How == "" {
			return bad("intake", "Say who referred the case, and how.", "")
		}
	case SheetIdentification:
		if i := c.Identification; !one(i.Capacity, "investigator", "prosecutor", "advocate", "social_worker") || !one(i.Result, "victim", "presumed", "not_victim") {
			return bad("identification", "Only a police investigator, a prosecutor, a victims' advocate or a social worker identifies a victim. Say which, and what was found.", "")
		}
	case SheetReflection:
		if c.Reflection.From <= 0 || c.Reflection.Until <= c.Reflection.From {
			return bad("reflection", "A reflection period has a start and a later end.", "")
		}
	case SheetService:
		if c.Service.Service == "" || line(c.Service.To) == "" {
			return bad("service", "Say what help is asked for, and of whom.", "")
		}
	case SheetDuty:
		if c.Duty.Code == "" || c.Duty.Code == "other" && prose(c.Duty.Text) == "" {
			return bad("duty", "Say what is to be done.", "")
		}
	case SheetDocument:
		if line(c.Document.Name) == "" {
			return bad("document", "Give the document a name.", "")
		}
	case SheetContradiction:
		if d := c.Contradiction; d.About == "" || prose(d.One) == "" || prose(d.Other) == "" {
			return bad("contradiction", "Say what the partners differ on, and what each of them writes.", "")
		}
	case SheetAppointment:
		if a := c.Appointment; line(a.Place) == "" || a.From <= 0 || a.Until <= a.From {
			return bad("appointment", "Say where the suspect will be, from when until when.", "P42")
		}
	case SheetOutsider:
		if o := c.Outsider; line(o.Name) == "" || !one(string(o.Kind), "kin", "counsel", "guardian", "other") || prose(o.Why) == "" {
			return bad("outsider", "Say who belongs to the suspect, how, and what this rests on.", "P42")
		}
	case SheetPresence:
		if p := c.Presence; (p.Account == "") == (line(p.Name) == "") || p.Role == "" || p.In <= 0 || p.Out != 0 && p.Out < p.In {
			return bad("presence", "Say who was there, as what, and from when: an account, or a name or pseudonym.", "P10")
		}
	case SheetCompanion:
		switch k := c.Companion; {
		case line(k.Name) == "":
			return bad("companion", "Say who the companion is.", "P5")
		case k.Excluded && (prose(k.Reason) == "" || line(k.By) == ""):
			return bad("companion.excluded", "A companion is excluded only by a reasoned decision. Say who decided, and why.", "P5")
		}
	case SheetDanger:
		if len(c.Danger.Recipients) == 0 {
			return bad("danger", "Name who is to be told.", "")
		}
	case SheetRuling:
		switch r := c.Ruling; {
		case !one(r.Outcome, "admitted", "excluded", "edited") || line(r.Court) == "" || line(r.Reference) == "" || r.Decided <= 0:
			return bad("ruling", "Say what which court decided, when, and under which number.", "")
		case r.Outcome == "edited" && prose(r.Terms) == "":
			return bad("ruling.terms", "Say what the order leaves out or changes.", "")
		}
	case SheetSupplement:
		if c.Supplement.Of == "" || prose(c.Supplement.Why) == "" {
			return bad("supplement", "Choose the earlier interview, and say what this one adds.", "")
		}
	case SheetStage:
	default:
		return bad("kind", "A sheet is about exactly one thing.", "")
	}
	return nil
}
