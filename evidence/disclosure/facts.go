package disclosure

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"github.com/toldonce/toldonce/evidence"
)

// Facts are what a package tells beside the recording. All of it is personal data
// or may be.
type Facts struct {
	// Exhibit is the number under which a court knows the recording; may be empty.
	Exhibit string
	// Person is the pseudonym of who was interviewed.
	Person string
	// Reference opens the manifest's commitment to the case number.
	Reference evidence.Opening
	// Receipts are the consent records of the person, the oldest first.
	Receipts []Receipt
	// Rulings are what courts decided about the recording, in any order.
	Rulings []Ruling
	// Supplements are the earlier interviews that this one adds to, SupplementedBy
	// the later ones that add to it.
	Supplements, SupplementedBy []evidence.ID
	// Salt makes a salt for a commitment that the agency, and nobody else, can
	// open later. See [ReceiptSalt].
	Salt func(label string) string
}

// TypeReceipt is the type of a consent receipt; its version is 1.
const TypeReceipt = "toldonce/consent-receipt"

// Receipt is a consent record as it is handed over (P36), with the fields of
// ISO/IEC TS 27560. It names nobody: words and names of the record are left out.
type Receipt struct {
	Type         string           `json:"type"`
	Version      int              `json:"version"`
	Record       evidence.ID      `json:"record"`
	Controller   evidence.ID      `json:"controller"` // agency
	Interview    evidence.ID      `json:"interview"`
	Decision     string           `json:"decision"`
	Purposes     []ReceiptPurpose `json:"purposes"`
	GivenBy      string           `json:"givenBy"`
	Form         string           `json:"form"`
	ChildView    string           `json:"childView,omitempty"`
	Basis        string           `json:"basis"`
	Jurisdiction string           `json:"jurisdiction,omitempty"`
	Language     string           `json:"language"`
	TextVersion  int              `json:"textVersion"`
	GivenAt      evidence.Instant `json:"givenAt"`
	RecordedAt   evidence.Instant `json:"recordedAt"`
	AttestedAt   evidence.Instant `json:"attestedAt,omitempty"`
	ValidUntil   evidence.Instant `json:"validUntil,omitempty"` // exclusive
	// DocumentSHA256 is the scan of a signed form.
	DocumentSHA256 string `json:"documentSHA256,omitempty"`
}

// ReceiptPurpose is one purpose of a receipt.
type ReceiptPurpose struct {
	Purpose     string           `json:"purpose"`
	Version     int              `json:"version"`
	WithdrawnAt evidence.Instant `json:"withdrawnAt,omitempty"`
}

// CommittedReceipt stands in a package under a protective order in the place of a
// receipt.
type CommittedReceipt struct {
	Type    string              `json:"type"`
	Version int                 `json:"version"`
	Receipt evidence.Commitment `json:"receipt"` // to the receipt's canonical bytes, as the field "receipt"
}

// ReceiptSalt derives the salt of a commitment from a recording's secret, so that
// the agency can open it as long as the recording is not erased, and nobody else.
func ReceiptSalt(secret []byte, label string) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("toldonce/receipt-salt/v1\x00" + label))
	return hex.EncodeToString(mac.Sum(nil))
}

// receipts returns the file of receipts, or nil if there are none.
func (p Package) receipts() ([]byte, error) {
	if len(p.Facts.Receipts) == 0 {
		return nil, nil
	}
	var out bytes.Buffer
	for _, r := range p.Facts.Receipts {
		r.Type, r.Version = TypeReceipt, 1
		if p.Profile != ProfileProtected {
			if err := writeLine(&out, r); err != nil {
				return nil, err
			}
			continue
		}
		text, err := evidence.Canonical(r)
		if err != nil {
			return nil, err
		}
		o := evidence.Opening{Field: "receipt", Salt: p.Facts.Salt(string(r.Record)), Value: string(text)}
		if err := writeLine(&out, CommittedReceipt{Type: TypeReceipt + "-commitment", Version: 1, Receipt: o.Commitment()}); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// person is the name under which the package speaks of who was interviewed.
func (p Package) person() string {
	if p.Profile == ProfileProtected || p.Facts.Person == "" {
		return "P1"
	}
	return p.Facts.Person
}

// reference is the case number, or empty where it stays a commitment.
func (p Package) reference() string {
	if p.Profile == ProfileProtected {
		return ""
	}
	return p.Facts.Reference.Value
}
