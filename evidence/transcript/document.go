package transcript

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
)

// TypeAbout is the type that the description of a transcript file names; its version
// is 1.
const TypeAbout = "toldonce/transcript"

// PredicateCertificate is the in-toto predicate type of a certificate. The
// statement's one subject is the WebVTT file, under its name [FileName].
const PredicateCertificate = "https://toldonce.org/transcript-certificate/v1"

// FileName is the name under which a certificate's statement knows its file.
const FileName = "transcript.vtt"

// About describes a transcript file that leaves the system.
type About struct {
	Type      string      `json:"type"`    // TypeAbout
	Version   int         `json:"version"` // 1
	ID        evidence.ID `json:"id"`
	Recording evidence.ID `json:"recording"`
	Interview evidence.ID `json:"interview"`
	Language  string      `json:"language"` // BCP 47
	Number    int         `json:"number"`   // of the language's versions, from 1
	Origin    Origin      `json:"origin"`
	// SHA256 is that of the file beside the description, lower-case hex.
	SHA256 string `json:"sha256"`
	Cues   int    `json:"cues"`
	// Whole is the SHA-256 of the version that the file is an extract of; empty if
	// the file is that version itself.
	Whole string `json:"whole"`
	// Redacted: cues of the extract say less than those of the version.
	Redacted  bool             `json:"redacted"`
	CreatedAt evidence.Instant `json:"createdAt"`
	// Certified: a certificate over the whole version came to be. It goes along
	// only with the whole version.
	Certified bool `json:"certified"`
}

// Certificate is the predicate of a certificate: who says, and when, that one
// version is a true transcript.
type Certificate struct {
	Version    int              `json:"version"` // 1
	Transcript evidence.ID      `json:"transcript"`
	Recording  evidence.ID      `json:"recording"`
	Interview  evidence.ID      `json:"interview"`
	Language   string           `json:"language"`
	Number     int              `json:"number"`
	Account    evidence.ID      `json:"account"` // of the person who certified
	At         evidence.Instant `json:"at"`
	// Name commits to her name and capacity as she gave them.
	Name evidence.Commitment `json:"name"`
}

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// AboutOf describes a version's own file.
func AboutOf(v Version) About {
	return About{Type: TypeAbout, Version: 1, ID: v.ID, Recording: v.Recording, Interview: v.Interview, Language: v.Language, Number: v.Number,
		Origin: v.Origin, SHA256: v.Plain.SHA256, Cues: v.Cues, CreatedAt: v.CreatedAt, Certified: v.Official()}
}

// Extract returns the cues of a version that are given as a file of their own, with
// its description. shift is subtracted from every time.
func Extract(v Version, cues []Cue, shift evidence.Offset, redacted bool) (About, []byte) {
	moved := make([]Cue, len(cues))
	for i, c := range cues {
		c.From, c.Until = c.From-shift, c.Until-shift
		moved[i] = c
	}
	file := Format(moved)
	about := AboutOf(v)
	about.Whole, about.Redacted, about.Cues = v.Plain.SHA256, redacted, len(cues)
	about.SHA256 = sum256(file)
	return about, file
}

// ParseAbout reads a description strictly. It returns an error that wraps
// [evidence.ErrUnknownFormat] for another type or version and [evidence.ErrInvalid]
// for all else.
func ParseAbout(data []byte) (About, error) {
	var a About
	if len(data) > 1<<16 {
		return a, fmt.Errorf("transcript: %w: description of %d bytes", evidence.ErrInvalid, len(data))
	}
	var head struct {
		Type    string `json:"type"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return a, fmt.Errorf("transcript: %w: %v", evidence.ErrInvalid, err)
	}
	if head.Type != TypeAbout || head.Version != 1 {
		return a, fmt.Errorf("transcript: %w: %.80q version %d", evidence.ErrUnknownFormat, head.Type, head.Version)
	}
	if err := evidence.DecodeCanonical(data, &a); err != nil {
		return About{}, err
	}
	if err := a.check(); err != nil {
		return About{}, fmt.Errorf("transcript: %w: %w", evidence.ErrInvalid, err)
	}
	return a, nil
}

func (a About) check() error {
	for name, id := range map[string]evidence.ID{"id": a.ID, "recording": a.Recording, "interview": a.Interview} {
		if _, err := evidence.ParseID(string(id)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	switch {
	case !languageForm.MatchString(a.Language):
		return fmt.Errorf("language %.40q", a.Language)
	case a.Number < 1 || a.Cues < 0 || a.Cues > MaxCues || a.CreatedAt <= 0:
		return fmt.Errorf("its numbers cannot be")
	case !slices.Contains([]Origin{Imported, Edited, Spoken}, a.Origin):
		return fmt.Errorf("origin %.40q", a.Origin)
	case !digestForm.MatchString(a.SHA256) || a.Whole != "" && !digestForm.MatchString(a.Whole):
		return fmt.Errorf("a digest is malformed")
	case a.Redacted && a.Whole == "":
		return fmt.Errorf("a redacted file is an extract")
	}
	return nil
}

// ParseFile reads a transcript file that left the system: it must be exactly as
// [Format] writes it.
func ParseFile(data []byte) ([]Cue, error) {
	cues, err := Parse(data)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(Format(cues), data) {
		return nil, fmt.Errorf("transcript: %w: it is not in its one form", evidence.ErrInvalid)
	}
	return cues, nil
}

// ParseCertificate reads the signed statement of a certificate. Errors are as those
// of [ParseAbout].
func ParseCertificate(statement []byte) (Certificate, error) {
	var head seal.FileStatement[struct {
		Version int `json:"version"`
	}]
	if err := json.Unmarshal(statement, &head); err != nil {
		return Certificate{}, fmt.Errorf("%w: %v", evidence.ErrInvalid, err)
	}
	if head.PredicateType != PredicateCertificate || head.Predicate.Version != 1 {
		return Certificate{}, fmt.Errorf("%w: %.80q version %d", evidence.ErrUnknownFormat, head.PredicateType, head.Predicate.Version)
	}
	var st seal.FileStatement[Certificate]
	if err := evidence.DecodeCanonical(statement, &st); err != nil {
		return Certificate{}, err
	}
	c := st.Predicate
	for _, id := range []evidence.ID{c.Transcript, c.Recording, c.Interview, c.Account} {
		if _, err := evidence.ParseID(string(id)); err != nil {
			return Certificate{}, err
		}
	}
	if c.At <= 0 || c.Number < 1 || !languageForm.MatchString(c.Language) || !digestForm.MatchString(string(c.Name)) {
		return Certificate{}, fmt.Errorf("%w: a field of the certificate is malformed", evidence.ErrInvalid)
	}
	return c, nil
}
