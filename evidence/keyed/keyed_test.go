package keyed_test

import (
	"context"
	"errors"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/keyed"
	"github.com/toldonce/toldonce/internal/memstore"
	"github.com/toldonce/toldonce/internal/world"
)

var ctx = context.Background()

// TestVectors keeps search values as they are stored: another computation would
// find nothing again.
func TestVectors(t *testing.T) {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i)
	}
	x, err := keyed.New(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		parts []string
		want  string
	}{
		{[]string{"case.reference", "0197", "pp 2026/117"}, "f7eeac886b4c1cd18779105a163cbe52e43d5ff1269a9d88f3c297e580366028"},
		{[]string{"login.pair", "", ""}, "218b056038103a19b997fb825d79485ab33dd843b6667de57aa7f1db6125dc78"},
	} {
		if got := x.Of(v.parts[0], v.parts[1:]...); got != v.want {
			t.Errorf("%q: %s, want %s", v.parts, got, v.want)
		}
	}
}

func TestPartsAreKeptApart(t *testing.T) {
	x, err := keyed.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string][]string{}
	for _, parts := range [][]string{{"a"}, {"a", ""}, {"a", "b"}, {"a", "", "b"}, {"ab"}, {"a", "b", ""}, {"", "ab"}} {
		value := x.Of(parts[0], parts[1:]...)
		if other, ok := seen[value]; ok || len(value) != 64 {
			t.Errorf("%q and %q share %s", parts, other, value)
		}
		seen[value] = parts
	}
}

func TestTheKeyIsMadeOnceAndNeverAgain(t *testing.T) {
	s := memstore.New()
	if _, err := keyed.Open(ctx, s, world.Keys{}); !errors.Is(err, evidence.ErrMissingState) {
		t.Errorf("opened without a key: %v", err)
	}
	if err := keyed.Create(ctx, s, world.Keys{}); err != nil {
		t.Fatal(err)
	}
	if err := keyed.Create(ctx, s, world.Keys{}); !errors.Is(err, evidence.ErrConflict) {
		t.Errorf("made twice: %v", err)
	}
	a, err := keyed.Open(ctx, s, world.Keys{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := keyed.Open(ctx, s, world.Keys{})
	if err != nil || a.Of("x", "y") != b.Of("x", "y") {
		t.Errorf("opened twice, and not the same: %v", err)
	}
	if _, err := keyed.New(make([]byte, 31)); !errors.Is(err, evidence.ErrMissingState) {
		t.Errorf("a short key: %v", err)
	}
}
