package clip

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
)

// PredicateDerivation is the in-toto predicate type of a derivation. The
// statement's one subject is the file that was made.
const PredicateDerivation = "https://toldonce.org/derivation/v1"

// Ways in which a file descends from its source.
const (
	Trimmed    = "trimmed"    // cut to the frame, decoded and encoded again
	Redacted   = "redacted"   // parts of picture or sound are hidden
	Transcoded = "transcoded" // another format, nothing hidden
)

// Derivation says how a file was made from others. The agency's key signs it; the
// file holds no sealed bytes, so this word is all that ties it to its source.
type Derivation struct {
	Version   int              `json:"version"` // 1
	ID        evidence.ID      `json:"id"`
	Recording evidence.ID      `json:"recording"`
	Interview evidence.ID      `json:"interview"`
	Kind      string           `json:"kind"` // Trimmed, Redacted or Transcoded
	Range     evidence.Range   `json:"range"`
	CreatedAt evidence.Instant `json:"createdAt"`
	// Manifest is the SHA-256 of the sealed recording's manifest, Sources the
	// SHA-256 of every sealed segment's plaintext, or other file, that was read.
	Manifest string   `json:"manifest"`
	Sources  []Source `json:"sources"`
	Tool     Tool     `json:"tool"`
	// Parameters are the tool's arguments in order; they name no file of the
	// server and no person.
	Parameters []string    `json:"parameters"`
	Operator   evidence.ID `json:"operator"` // account
	// Reason commits to why, in words.
	Reason evidence.Commitment `json:"reason"`
}

// Source is a file that was read.
type Source struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // lower-case hex
}

// Tool is a program.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

const (
	maxSources    = 1 << 17
	maxParameters = 1000
)

// Check reports what is wrong with a derivation; the error wraps [evidence.ErrInvalid].
func (d Derivation) Check() error {
	if err := d.check(); err != nil {
		return fmt.Errorf("derivation: %w: %w", evidence.ErrInvalid, err)
	}
	return nil
}

func (d Derivation) check() error {
	for name, id := range map[string]evidence.ID{"id": d.ID, "recording": d.Recording, "interview": d.Interview, "operator": d.Operator} {
		if _, err := evidence.ParseID(string(id)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	switch {
	case d.Version != 1:
		return fmt.Errorf("version %d", d.Version)
	case d.Kind != Trimmed && d.Kind != Redacted && d.Kind != Transcoded:
		return fmt.Errorf("kind %.80q", d.Kind)
	case !d.Range.Valid() || d.CreatedAt <= 0:
		return fmt.Errorf("it has no range or time")
	case !digestForm.MatchString(d.Manifest) || !digestForm.MatchString(string(d.Reason)):
		return fmt.Errorf("a digest or commitment is malformed")
	case d.Tool.Name == "" || d.Tool.Version == "" || len(d.Tool.Name)+len(d.Tool.Version) > 500:
		return fmt.Errorf("the tool is not named")
	case len(d.Sources) == 0 || len(d.Sources) > maxSources || d.Parameters == nil || len(d.Parameters) > maxParameters:
		return fmt.Errorf("it has %d sources and %d parameters", len(d.Sources), len(d.Parameters))
	}
	for i, s := range d.Sources {
		if s.Name == "" || len(s.Name) > 200 || strings.ContainsAny(s.Name, "\\\x00\n") || strings.HasPrefix(s.Name, "/") || !digestForm.MatchString(s.SHA256) {
			return fmt.Errorf("source %d is malformed", i)
		}
	}
	return nil
}

// ParseDerivation reads the signed statement of a derivation. It returns an error
// that wraps [evidence.ErrUnknownFormat] for another type or version and
// [evidence.ErrInvalid] for all else.
func ParseDerivation(statement []byte) (Derivation, error) {
	var head seal.FileStatement[struct {
		Version int `json:"version"`
	}]
	if err := json.Unmarshal(statement, &head); err != nil {
		return Derivation{}, fmt.Errorf("%w: %v", evidence.ErrInvalid, err)
	}
	if head.PredicateType != PredicateDerivation || head.Predicate.Version != 1 {
		return Derivation{}, fmt.Errorf("%w: %.80q version %d", evidence.ErrUnknownFormat, head.PredicateType, head.Predicate.Version)
	}
	var st seal.FileStatement[Derivation]
	if err := evidence.DecodeCanonical(statement, &st); err != nil {
		return Derivation{}, err
	}
	return st.Predicate, st.Predicate.Check()
}
