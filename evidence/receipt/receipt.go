// Package receipt is the signed receipt of a consent: what a person, or who
// represents her, decided, in the fields of ISO/IEC TS 27560, for her to keep (P36).
// Whoever holds it checks it offline, with no server and no recording. The format is
// specified in FORMAT.md.
package receipt

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
)

const (
	// Type is the type that every receipt names.
	Type = "toldonce/consent-receipt"
	// FileName is the name under which a receipt's record is signed.
	FileName = "consent.json"
	// PredicateType names the in-toto predicate of the signature.
	PredicateType = "https://toldonce.org/consent-receipt/v1"
	// MaxSize bounds a receipt in bytes.
	MaxSize = 256 << 10
)

// Fields of a record that are commitments, and the names in their openings.
const (
	FieldPrincipal   = "pseudonym"
	FieldController  = "controllerName"
	FieldCase        = "caseReference"
	FieldLaw         = "law"
	FieldInterpreter = "interpreter"
	FieldDocument    = "document"
	FieldChildWords  = "childWords"
)

// Record is what is signed: the canonical JSON of this struct, version 1. Every
// personal field is a commitment; its opening goes with the receipt and can be
// withheld without breaking the signature. Instants are microseconds since 1970 UTC.
type Record struct {
	Type    string `json:"type"`
	Version int    `json:"version"`
	// SchemaVersion names the structure that the fields follow.
	SchemaVersion string           `json:"schemaVersion"`
	Receipt       evidence.ID      `json:"receipt"`
	IssuedAt      evidence.Instant `json:"issuedAt"`
	// Holder says for whom it was issued: self, guardian, guardianship_authority.
	Holder       string              `json:"holder"`
	RecordID     evidence.ID         `json:"recordId"`
	Controller   evidence.ID         `json:"piiController"`
	Principal    evidence.ID         `json:"piiPrincipal"`
	Case         evidence.ID         `json:"case"`
	Decision     string              `json:"decision"` // given or refused
	GivenBy      string              `json:"givenBy"`
	Form         string              `json:"form"`    // written or attested
	Signing      string              `json:"signing"` // paper, scan or screen; empty if attested
	ChildView    string              `json:"childView"`
	ToldWho      bool                `json:"toldWhoMaySee"`
	Language     string              `json:"language"`
	TextVersion  int                 `json:"noticeVersion"`
	TextSHA256   string              `json:"noticeSha256"` // empty if it was explained freely
	LegalBasis   string              `json:"lawfulBasis"`  // consent or law
	Jurisdiction string              `json:"jurisdiction"`
	Purposes     []Purpose           `json:"purposes"`
	GivenAt      evidence.Instant    `json:"givenAt"`
	RecordedAt   evidence.Instant    `json:"recordedAt"`
	AttestedAt   evidence.Instant    `json:"attestedAt"` // 0: not attested
	ValidUntil   evidence.Instant    `json:"validUntil"` // 0: until withdrawn
	FormSHA256   string              `json:"formSha256"` // of the signed form; empty if none
	Personal     map[string]Personal `json:"personal"`   // by field
}

// Personal commits to one personal field.
type Personal = evidence.Commitment

// Purpose is one thing that was decided on, and where it stood when the receipt was
// issued.
type Purpose struct {
	Purpose     string           `json:"purpose"`
	Version     int              `json:"version"`     // counts the person's acts on this purpose
	State       string           `json:"state"`       // given, refused, pending, withdrawn or superseded
	WithdrawnAt evidence.Instant `json:"withdrawnAt"` // 0: not withdrawn
}

// Receipt is the file that the person keeps.
type Receipt struct {
	Type    string `json:"type"`
	Version int    `json:"version"`
	// Record is the signed text, as a string so that its bytes are kept.
	Record string `json:"record"`
	// Bundle is the Sigstore bundle over Record, as a string for the same reason.
	Bundle   string             `json:"bundle"`
	Openings []evidence.Opening `json:"openings"`
}

// Code is what stands on the printed page and what the verifier prints: 80 bits of
// the record's SHA-256 in base 32, in four groups. Whoever has paper and file
// compares them; it proves nothing by itself.
func Code(record []byte) string {
	sum := sha256.Sum256(record)
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:10])
	return strings.Join([]string{text[:4], text[4:8], text[8:12], text[12:16]}, "-")
}

// Encode returns the receipt as a file.
func (r Receipt) Encode() ([]byte, error) { return evidence.Canonical(r) }

// Parse reads a receipt strictly. The error wraps evidence.ErrUnknownFormat for
// another type or version, and evidence.ErrInvalid for all else. It checks no
// signature, never panics, and is fuzzed.
func Parse(data []byte) (Receipt, Record, error) {
	var r Receipt
	var rec Record
	if len(data) > MaxSize {
		return r, rec, fmt.Errorf("receipt: %w: %d bytes", evidence.ErrInvalid, len(data))
	}
	if err := head(data); err != nil {
		return r, rec, err
	}
	if err := evidence.DecodeCanonical(data, &r); err != nil {
		return Receipt{}, rec, fmt.Errorf("receipt: %w", err)
	}
	if err := head([]byte(r.Record)); err != nil {
		return Receipt{}, rec, err
	}
	if err := evidence.DecodeCanonical([]byte(r.Record), &rec); err != nil {
		return Receipt{}, Record{}, fmt.Errorf("receipt's record: %w", err)
	}
	for name, id := range map[string]evidence.ID{"receipt": rec.Receipt, "recordId": rec.RecordID, "piiController": rec.Controller, "piiPrincipal": rec.Principal, "case": rec.Case} {
		if _, err := evidence.ParseID(string(id)); err != nil {
			return Receipt{}, Record{}, fmt.Errorf("receipt's record: %w: %s is no identifier", evidence.ErrInvalid, name)
		}
	}
	if len(rec.Purposes) == 0 || len(rec.Purposes) > 64 || r.Openings == nil {
		return Receipt{}, Record{}, fmt.Errorf("receipt's record: %w: no purposes, or no list of openings", evidence.ErrInvalid)
	}
	return r, rec, nil
}

func head(data []byte) error {
	var h struct {
		Type    string `json:"type"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(data, &h); err != nil {
		return fmt.Errorf("receipt: %w: %v", evidence.ErrInvalid, err)
	}
	if h.Type != Type || h.Version != 1 {
		return fmt.Errorf("receipt: %w: %.80q version %d", evidence.ErrUnknownFormat, h.Type, h.Version)
	}
	return nil
}

// IsReceipt reports whether a file says that it is a receipt.
func IsReceipt(data []byte) bool {
	var h struct {
		Type string `json:"type"`
	}
	return json.Unmarshal(data, &h) == nil && h.Type == Type
}

// Check judges a receipt offline by a trust file that came by another way; nil if
// there is none. Hostile bytes yield findings, never a panic.
func Check(data []byte, trust *seal.Trust) (Record, []evidence.Opening, seal.Findings) {
	var out seal.Findings
	r, rec, err := Parse(data)
	if err != nil {
		status := seal.Fails
		if errors.Is(err, evidence.ErrUnknownFormat) {
			status = seal.CannotJudge
		}
		out.Add("receipt.form", status, "", "The receipt cannot be read: %v.", err)
		return Record{}, nil, out
	}
	out.Add("receipt.form", seal.Holds, "", "It is a consent receipt of version 1 in its canonical form.")
	if found := signer([]byte(r.Bundle), trust); len(found) > 0 {
		out = append(out, found...)
	} else {
		_, found := seal.CheckBundle(seal.BundleInput{Check: "receipt", File: "bundle", Bundle: []byte(r.Bundle), Subject: FileName, SubjectFile: "record",
			Digest: sha256.Sum256([]byte(r.Record)), Trust: trust})
		out = append(out, found...)
	}
	opened := openings(r, rec, &out)
	return rec, opened, out
}

// signer says what keeps the signature from being judged; nothing if it can be.
func signer(bundle []byte, trust *seal.Trust) (out seal.Findings) {
	if trust == nil {
		out.Add("receipt.signer", seal.NotGiven, "", "No trust file was given, so nobody can say who signed this receipt.")
		return out
	}
	sealed, err := seal.ParseBundle(bundle)
	if err != nil {
		return nil // the check of the bundle says so
	}
	if _, known := trust.Signer(sealed.KeyID); !known {
		out.Add("receipt.signer", seal.NotTrusted, "", "Signer not trusted: the key that signed this receipt is not in the trust file.")
	}
	return out
}

// openings returns the openings that open what was signed.
func openings(r Receipt, rec Record, out *seal.Findings) (opened []evidence.Opening) {
	for _, o := range r.Openings {
		c, known := rec.Personal[o.Field]
		if !known || !o.Opens(c) || slices.ContainsFunc(opened, func(have evidence.Opening) bool { return have.Field == o.Field }) {
			out.Add("receipt.openings", seal.Fails, "", "What is shown as %.40q is not what was signed.", o.Field)
			continue
		}
		opened = append(opened, o)
	}
	if out.Of("receipt.openings") != seal.Fails {
		out.Add("receipt.openings", seal.Holds, "", "%d of %d personal fields are shown, and each is what was signed.", len(opened), len(rec.Personal))
	}
	return opened
}
