package evidence

import (
	"strings"
	"testing"
)

func TestCommitmentVector(t *testing.T) {
	o := Opening{Field: "why", Salt: strings.Repeat("00", 31) + "01", Value: "charging decision"}
	// Computed apart from this code: the domain tag, a zero byte, the salt, the field, a zero byte, the value.
	const want = "71d2ed64f6bfbf9a688dce80e64b851acc893af0018a2589056bf0db12c5a6c6"
	if got := o.Commitment(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCommitmentBindsFieldSaltAndValue(t *testing.T) {
	c, o := Commit("why", "charging decision")
	if !o.Opens(c) {
		t.Fatal("the opening does not open its own commitment")
	}
	for name, change := range map[string]func(*Opening){
		"field":      func(o *Opening) { o.Field = "authority" },
		"value":      func(o *Opening) { o.Value += " " },
		"salt":       func(o *Opening) { o.Salt = NewSalt() },
		"short salt": func(o *Opening) { o.Salt = o.Salt[2:] },
		"upper case": func(o *Opening) { o.Salt = strings.ToUpper("ab" + o.Salt[2:]) },
		"no salt":    func(o *Opening) { o.Salt = "" },
		"zero byte":  func(o *Opening) { o.Field += "\x00" },
	} {
		changed := o
		change(&changed)
		if changed.Opens(c) {
			t.Errorf("%s: a changed opening still opens the commitment", name)
		}
	}
	border := Opening{Field: "a", Salt: o.Salt, Value: "b\x00c"}
	moved := Opening{Field: "a\x00b", Salt: o.Salt, Value: "c"}
	if moved.Opens(border.Commitment()) {
		t.Error("the border between field and value can be moved")
	}
	if (Opening{}).Opens("") {
		t.Error("an empty opening opens an empty commitment")
	}
}
