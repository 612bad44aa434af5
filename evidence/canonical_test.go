package evidence

import (
	"errors"
	"strings"
	"testing"
)

func TestCanonicalRefusesNumbersThatReadersRound(t *testing.T) {
	for name, v := range map[string]any{
		"float":       map[string]any{"a": 1.5},
		"beyond":      map[string]any{"a": int64(MaxInteger) + 1},
		"far below":   map[string]any{"a": -int64(MaxInteger) - 1},
		"in an array": []any{1, []any{uint64(1) << 63}},
	} {
		if _, err := Canonical(v); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	got, err := Canonical(map[string]any{"b": int64(MaxInteger), "a": []any{true, nil, "é\u2028"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "{\"a\":[true,null,\"é\u2028\"],\"b\":9007199254740991}"; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDecodeCanonicalDemandsTheOneEncoding(t *testing.T) {
	good := `{"sha256":"ab","size":7}`
	var d Digest
	if err := DecodeCanonical([]byte(good), &d); err != nil || d != (Digest{SHA256: "ab", Size: 7}) {
		t.Fatalf("got %+v, %v", d, err)
	}
	for name, text := range map[string]string{
		"space":          `{"sha256": "ab","size":7}`,
		"order":          `{"size":7,"sha256":"ab"}`,
		"unknown field":  `{"sha256":"ab","size":7,"x":1}`,
		"missing field":  `{"sha256":"ab"}`,
		"duplicate":      `{"sha256":"ab","sha256":"ab","size":7}`,
		"case folding":   `{"SHA256":"ab","size":7}`,
		"trailing bytes": good + "\n",
		"second value":   good + good,
		"exponent":       `{"sha256":"ab","size":7e0}`,
		"escaped":        `{"sha256":"\u0061b","size":7}`,
		"empty":          ``,
		"null":           `null`,
	} {
		var d Digest
		if err := DecodeCanonical([]byte(text), &d); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
}

func FuzzDecodeCanonical(f *testing.F) {
	f.Add([]byte(`{"sha256":"ab","size":7}`))
	f.Add([]byte(`{"sha256":"ab","size":7e0}`))
	f.Add([]byte(strings.Repeat(`[`, 10000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		var d Digest
		if DecodeCanonical(data, &d) != nil {
			return
		}
		again, err := Canonical(d)
		if err != nil || string(again) != string(data) {
			t.Fatalf("accepted %q, which encodes as %q (%v)", data, again, err)
		}
	})
}
