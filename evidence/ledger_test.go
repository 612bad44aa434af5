package evidence

import (
	"bytes"
	"errors"
	"os"
	"testing"
)

// The vector stays for ever: what was sealed once must read the same.
func TestLedgerVector(t *testing.T) {
	page, err := os.ReadFile("testdata/ledger.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	head, sum, lines, err := ParseLedgerPage(page)
	want := LedgerSum{Received: 427, Recovered: 3, Reordered: 2, Lost: 4, Padding: 3, Damaged: 1, Reports: 2}
	if err != nil || head.Page != 1 || head.Track != "01998c00-0000-7000-8000-000000000002" || sum != want || lines != 7 {
		t.Errorf("%+v %+v %d %v", head, sum, lines, err)
	}
	for _, c := range []struct {
		name, old, new string
		kind           error
	}{
		{"another version", `"version":1`, `"version":2`, ErrUnknownFormat},
		{"an unknown kind", `"kind":"report"`, `"kind":"raport"`, ErrUnknownFormat},
		{"an unknown field", `"kind":"stream"`, `"kind":"stream","live":true`, ErrInvalid},
		{"a fate without a count", `120r`, `r`, ErrInvalid},
		{"a count without a fate", `1l3R`, `1l3`, ErrInvalid},
		{"a count with a leading zero", `120r`, `020r`, ErrInvalid},
		{"an unknown fate", `120r`, `120x`, ErrInvalid},
		{"a negative count", `120r`, `-20r`, ErrInvalid},
		{"not canonical", `{"at":0`, `{ "at":0`, ErrInvalid},
	} {
		changed := bytes.Replace(page, []byte(c.old), []byte(c.new), 1)
		if bytes.Equal(changed, page) {
			t.Errorf("%s: the vector does not hold %s", c.name, c.old)
		}
		if _, _, _, err := ParseLedgerPage(changed); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, cut := range []int{0, 10, len(page) - 1} {
		if _, _, _, err := ParseLedgerPage(page[:cut]); !errors.Is(err, ErrInvalid) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

func FuzzParseLedgerPage(f *testing.F) {
	page, err := os.ReadFile("testdata/ledger.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(page)
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, sum, _, err := ParseLedgerPage(data)
		if err != nil && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrUnknownFormat) {
			t.Errorf("an error of no kind: %v", err)
		}
		if err == nil && (sum.Received < 0 || sum.Lost < 0 || sum.Padding > sum.Received || sum.Recovered > sum.Received) {
			t.Errorf("it adds up to %+v", sum)
		}
	})
}
