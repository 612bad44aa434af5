package envelope_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/envelope"
)

// TestEscrow: any three of five shares yield the key, two yield nothing, and a wrong
// one is noticed.
func TestEscrow(t *testing.T) {
	key, recording := envelope.NewDataKey(), evidence.NewID()
	shares, err := envelope.SplitKey(recording, key, 3, 5)
	if err != nil || len(shares) != 5 {
		t.Fatal(err)
	}
	for i := range shares { // through paper and back
		if shares[i], err = envelope.ParseEscrowShare(shares[i].Encode()); err != nil {
			t.Fatal(err)
		}
	}
	for a := range 5 {
		for b := range a {
			for c := range b {
				got, err := envelope.CombineKey([]envelope.EscrowShare{shares[a], shares[b], shares[c]})
				if err != nil || got != key {
					t.Errorf("shares %d, %d, %d: %v", a, b, c, err)
				}
			}
			if _, err := envelope.CombineKey([]envelope.EscrowShare{shares[a], shares[b], shares[a]}); !errors.Is(err, evidence.ErrInvalid) {
				t.Errorf("two shares: %v", err)
			}
		}
	}
	other, err := envelope.SplitKey(recording, key, 3, 5)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := envelope.CombineKey([]envelope.EscrowShare{shares[0], shares[1], other[2]}); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("shares of two escrows: %v", err)
	}
	if _, err := envelope.CombineKey(nil); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("no shares: %v", err)
	}
	text := string(shares[0].Encode())
	for _, wrong := range []string{"", text + "\n", text[:len(text)-1], strings.Replace(text, "v1", "v2", 1), strings.Replace(text, "share 1", "share 2", 1), strings.Replace(text, "3 needed", "2 needed", 1)} {
		if _, err := envelope.ParseEscrowShare([]byte(wrong)); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	for _, n := range [][2]int{{1, 3}, {3, 2}, {2, 17}} {
		if _, err := envelope.SplitKey(recording, key, n[0], n[1]); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%d of %d: %v", n[0], n[1], err)
		}
	}
}

func FuzzEscrowShare(f *testing.F) {
	shares, err := envelope.SplitKey(evidence.NewID(), envelope.NewDataKey(), 2, 3)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(shares[0].Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := envelope.ParseEscrowShare(data)
		if err == nil && string(s.Encode()) != string(data) {
			t.Errorf("%q is read as another share", data)
		}
	})
}
