package db

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/toldonce/toldonce/evidence"
)

func canonicalLeaf(t testing.TB) []byte {
	l := evidence.Leaf{Type: evidence.TypeLeaf, Version: 1, Kind: evidence.LeafMedia, Salt: evidence.NewSalt(), Recording: evidence.NewID(), Track: evidence.NewID(), Part: 2, Init: 1, Index: 77,
		Start: 1_980_000, End: 3_980_000, DecodeTime: "1f00", Duration: 180_000, Frames: 60, Independent: true,
		Plain: evidence.Digest{SHA256: "ab", Size: 300_000}, Cipher: evidence.Digest{SHA256: "cd", Size: 301_000}}
	text, err := evidence.Canonical(l)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTheFastWayReadsCanonicalLeaves(t *testing.T) {
	text := canonicalLeaf(t)
	if n := testing.AllocsPerRun(10, func() { _, _ = parseLeaf(text) }); n > 2 {
		t.Errorf("%v allocations: it was read the slow way", n)
	}
}

// FuzzLeaf demands of the fast way what encoding/json says, whatever stands there.
func FuzzLeaf(f *testing.F) {
	f.Add(canonicalLeaf(f))
	f.Add([]byte(`{"cipher":{"sha256":"a","size":1},"decodeTime":"0","duration":0,"end":1,"frames":0,"independent":false,"index":0,"init":0,"kind":"init","part":1,"plain":{"sha256":"b","size":01},"recording":"r","salt":"s","start":1,"track":"t","type":"toldonce/segment","version":1}`))
	f.Add([]byte(`{"type":"toldonce/segment","version":2,"kind":"media","index":3}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := parseLeaf(text)
		var want evidence.Leaf
		if wantErr := json.Unmarshal(text, &want); wantErr != nil {
			// A canonical text that a disk damaged may be read: the digests are over the
			// stored text itself, so nothing rests on its being refused here.
			return
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, %v; want %+v", got, err, want)
		}
	})
}
