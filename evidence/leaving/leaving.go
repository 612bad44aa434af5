// Package leaving is the check before the child leaves: whether what was told is
// whole, audible and in step, looked at within seconds of the stop, while somebody can
// still be asked. Its result is signed and goes with the recording. Whoever holds both
// judges it again: it follows from the manifest and from what is stated beside it. The
// format is specified in FORMAT.md.
package leaving

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
)

const (
	// Type is the type that every check names.
	Type = "toldonce/leaving-check"
	// FileName is the name under which a check's record is signed.
	FileName = "leaving-check.json"
	// PredicateType names the in-toto predicate of the signature.
	PredicateType = "https://toldonce.org/leaving-check/v1"
	// MaxSize bounds a check in bytes.
	MaxSize = 1 << 20
)

// Verdicts of a record.
const (
	Complete = "complete" // nothing is missing: the child may go
	Look     = "look"     // something has to be looked at first
)

// Heard says in how many seconds of a source's recording a voice could be heard: the
// loudest packet had at least [Audible] dBov (RFC 6464).
type Heard struct {
	Source  evidence.ID `json:"source"`
	Seconds int64       `json:"seconds"`
}

// Audible is the level, dBov, from which on a second counts as heard.
const Audible = -50

// Record is what is signed: the canonical JSON of this struct, version 1. It names
// nobody.
type Record struct {
	Type      string      `json:"type"`
	Version   int         `json:"version"`
	Recording evidence.ID `json:"recording"`
	Interview evidence.ID `json:"interview"`
	// Manifest is the SHA-256 of the recording's manifest, lower-case hex.
	Manifest string `json:"manifest"`
	// CheckedAt is microseconds since 1970 UTC.
	CheckedAt evidence.Instant `json:"checkedAt"`
	Verdict   string           `json:"verdict"`
	// Before is what was looked at before the start, with what was measured; Overruled:
	// the actor of the event started although a line said not to.
	Before    []evidence.Check `json:"before"`
	Overruled bool             `json:"overruled,omitempty"`
	// Heard are the sources that say how loud they are.
	Heard []Heard `json:"heard"`
	// After is what [Judge] makes of the manifest and Heard.
	After []evidence.Check `json:"after"`
}

// File is a check as it is kept: the signed text and its seal, as strings so that their
// bytes are kept.
type File struct {
	Type    string `json:"type"`
	Version int    `json:"version"`
	Record  string `json:"record"`
	Bundle  string `json:"bundle"`
}

// Predicate repeats what a reader of the seal wants without opening the record.
type Predicate struct {
	Version   int         `json:"version"` // 1
	Recording evidence.ID `json:"recording"`
	Interview evidence.ID `json:"interview"`
	Manifest  string      `json:"manifest"`
	Verdict   string      `json:"verdict"`
}

// PredicateOf returns the predicate of a record's seal.
func PredicateOf(r Record) Predicate {
	return Predicate{Version: 1, Recording: r.Recording, Interview: r.Interview, Manifest: r.Manifest, Verdict: r.Verdict}
}

// Make judges a sealed manifest, of which m is what was parsed.
func Make(m evidence.Manifest, manifest []byte, before []evidence.Check, overruled bool, heard []Heard, at evidence.Instant) Record {
	sum := sha256.Sum256(manifest)
	r := Record{
		Type: Type, Version: 1, Recording: m.Recording, Interview: m.Interview, Manifest: hex.EncodeToString(sum[:]), CheckedAt: at,
		Before: append([]evidence.Check{}, before...), Overruled: overruled, Heard: append([]Heard{}, heard...), After: Judge(m, heard),
	}
	r.Verdict = VerdictOf(r.After)
	return r
}

// VerdictOf sums lines up: what could not be measured keeps nobody.
func VerdictOf(lines []evidence.Check) string {
	if slices.ContainsFunc(lines, func(c evidence.Check) bool { return c.Verdict == evidence.CheckLook }) {
		return Look
	}
	return Complete
}

// Encode returns the check as a file. The record is canonical.
func Encode(record, bundle []byte) ([]byte, error) {
	return evidence.Canonical(File{Type: Type, Version: 1, Record: string(record), Bundle: string(bundle)})
}

// Parse reads a check strictly. The error wraps [evidence.ErrUnknownFormat] for another
// type or version, and [evidence.ErrInvalid] for all else. It checks no signature, never
// panics, and is fuzzed.
func Parse(data []byte) (File, Record, error) {
	var f File
	var r Record
	if len(data) > MaxSize {
		return f, r, fmt.Errorf("leaving check: %w: %d bytes", evidence.ErrInvalid, len(data))
	}
	if err := decode(data, &f); err != nil {
		return File{}, Record{}, err
	}
	if err := decode([]byte(f.Record), &r); err != nil {
		return File{}, Record{}, err
	}
	if err := r.check(); err != nil {
		return File{}, Record{}, fmt.Errorf("leaving check: %w: %w", evidence.ErrInvalid, err)
	}
	return f, r, nil
}

func decode(data []byte, into any) error {
	var head struct {
		Type    string `json:"type"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return fmt.Errorf("leaving check: %w: %v", evidence.ErrInvalid, err)
	}
	if head.Type != Type || head.Version != 1 {
		return fmt.Errorf("leaving check: %w: %.80q version %d", evidence.ErrUnknownFormat, head.Type, head.Version)
	}
	if err := evidence.DecodeCanonical(data, into); err != nil {
		return fmt.Errorf("leaving check: %w", err)
	}
	return nil
}

func (r Record) check() error {
	for _, id := range []evidence.ID{r.Recording, r.Interview} {
		if _, err := evidence.ParseID(string(id)); err != nil {
			return errors.New("an identifier is malformed")
		}
	}
	if sum, err := hex.DecodeString(r.Manifest); err != nil || len(sum) != sha256.Size {
		return errors.New("the manifest's digest is malformed")
	}
	if r.Before == nil || r.Heard == nil || r.After == nil {
		return errors.New("a list is null; an empty one is []")
	}
	if r.CheckedAt <= 0 || r.Verdict != VerdictOf(r.After) {
		return errors.New("its verdict is not that of its lines, or it has no time")
	}
	for _, c := range slices.Concat(r.Before, r.After) {
		if evidence.CheckKind(c.Verdict) == "" || c.Code == "" {
			return errors.New("a line is malformed")
		}
	}
	return nil
}

// Judged reports whether a record says what follows from a manifest, given as its
// bytes and what was parsed of them.
func (r Record) Judged(m evidence.Manifest, manifest []byte) bool {
	again := Make(m, manifest, r.Before, r.Overruled, r.Heard, r.CheckedAt)
	a, errA := evidence.Canonical(again)
	b, errB := evidence.Canonical(r)
	return errA == nil && errB == nil && string(a) == string(b)
}

// Bundle returns the findings on the seal of a check, under the name of a check
// ("leaving"): see [seal.CheckBundle].
func Bundle(f File, trust, claimed *seal.Trust, file string) (seal.Sealed, seal.Findings) {
	return seal.CheckBundle(seal.BundleInput{Check: "leaving", File: file, Bundle: []byte(f.Bundle), Subject: FileName, SubjectFile: file,
		Digest: sha256.Sum256([]byte(f.Record)), Trust: trust, Claimed: claimed})
}
