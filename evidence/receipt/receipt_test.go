package receipt_test

import (
	"errors"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/receipt"
)

func TestParseIsStrict(t *testing.T) {
	for text, want := range map[string]error{
		"":   evidence.ErrInvalid,
		"[]": evidence.ErrInvalid,
		`{"type":"toldonce/manifest","version":1}`:                                                       evidence.ErrUnknownFormat,
		`{"type":"toldonce/consent-receipt","version":2}`:                                                evidence.ErrUnknownFormat,
		`{"type":"toldonce/consent-receipt","version":1}`:                                                evidence.ErrInvalid,
		`{"bundle":"","openings":[],"record":"{}","type":"toldonce/consent-receipt","version":1}`:        evidence.ErrUnknownFormat,
		`{ "bundle":"","openings":[],"record":"{}","type":"toldonce/consent-receipt","version":1}`:       evidence.ErrInvalid,
		`{"bundle":"","more":1,"openings":[],"record":"","type":"toldonce/consent-receipt","version":1}`: evidence.ErrInvalid,
	} {
		if _, _, err := receipt.Parse([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

// FuzzCheck: hostile receipts yield findings, never a panic.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"bundle":"","openings":[],"record":"{}","type":"toldonce/consent-receipt","version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, _, findings := receipt.Check(data, nil); len(findings) == 0 {
			t.Error("no findings")
		}
	})
}
