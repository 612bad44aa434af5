package people

import (
	"strings"

	"github.com/toldonce/toldonce/evidence"
)

// AgencyKind says what an agency is to a case.
type AgencyKind string

const (
	Police      AgencyKind = "police"
	Prosecution AgencyKind = "prosecution"
	Advocates   AgencyKind = "advocates"
	SocialWork  AgencyKind = "social_work"
	NGO         AgencyKind = "ngo"
	Court       AgencyKind = "court"
	Defence     AgencyKind = "defence"
)

// AgencyKinds lists every kind, in the order in which pages show them.
var AgencyKinds = []AgencyKind{Police, Prosecution, Advocates, SocialWork, NGO, Court, Defence}

// Agency is an institution with accounts of its own.
type Agency struct {
	ID        evidence.ID
	Name      string // 1 to 200 characters
	Kind      AgencyKind
	CreatedAt evidence.Instant
}

// Room is an interview room of an agency (P11).
type Room struct {
	ID        evidence.ID
	Agency    evidence.ID
	Name      string // 1 to 200 characters, unique in the agency
	Place     string // address as stated in the record of the interview; may be empty
	TimeZone  string // IANA name, such as "Europe/Belgrade"
	CreatedAt evidence.Instant
}

// RoomCheck is what somebody found who looked whether a room is fit for an
// interview, of a child especially.
type RoomCheck struct {
	ID        evidence.ID
	Agency    evidence.ID // of the room
	Room      evidence.ID
	Private   bool   // nobody outside sees or hears
	Furniture bool   // it fits those who are interviewed
	Sound     bool   // quiet, and microphones reach everyone
	WholeRoom bool   // the cameras show the whole room (P8)
	NoSymbols bool   // no uniforms, weapons or signs of the police
	Note      string // what is missing; may be empty
	By        evidence.ID
	At        evidence.Instant
}

// Fit reports whether nothing is missing.
func (c RoomCheck) Fit() bool {
	return c.Private && c.Furniture && c.Sound && c.WholeRoom && c.NoSymbols
}

// Languages of the interface and of texts: English, Albanian, Serbian in both scripts.
var Languages = []string{"en", "sq", "sr-Latn", "sr-Cyrl"}

// maxText bounds every short text that a person types, in bytes.
const maxText = 200

// line normalises a short text: no surrounding space, no control characters.
func line(s string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)), " ")
}

// Rehearsal is what came of a test recording in a room: that its camera, microphone
// and this server record what can be played and verified. The recording itself is of
// no case (P9) and was forgotten.
type Rehearsal struct {
	ID       evidence.ID
	Agency   evidence.ID
	Room     evidence.ID
	Holds    bool // what was stored is what was sealed
	Segments int  // that were recorded
	By       evidence.ID
	At       evidence.Instant
}
