package claims

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence"
)

func key(t testing.TB) (*ecdsa.PrivateKey, KeyID) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := IDOf(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return k, id
}

// fixed is the batch of the vectors, which the page's tests read too.
func fixed() Batch {
	b := Batch{Source: "0198f5a0-3c1e-7d3a-9c55-2f1b6a7d9e10", Session: "0198f5a0-3c1e-7d3a-9c55-2f1b6a7d9e11", Sequence: 7, SentAt: 1_795_522_858_123_456,
		Entries: []Entry{
			{Kind: evidence.Video, Key: true, Timestamp: 4_294_967_295, Size: 2622, Age: 480_000, Sum: sha256.Sum256([]byte("picture"))},
			{Kind: evidence.Audio, Key: true, Timestamp: 2_330_364_879, Size: 67, Age: 20_000, Sum: sha256.Sum256([]byte("sound"))},
			{Kind: evidence.Video, Timestamp: 2_704, Size: 114, Age: 0, Sum: sha256.Sum256([]byte("next"))},
		}}
	for i := range b.Key {
		b.Key[i], b.Previous[i] = byte(i), byte(255-i)
	}
	return b
}

func fixedRun() Run {
	return Run{Source: fixed().Source, Session: fixed().Session, Kind: evidence.Video, Frames: []Frame{
		{Timestamp: 4_294_967_295, Key: true, Sample: []byte{0, 0, 0, 2, 0x65, 0x88}}, {Timestamp: 2_704, Sample: []byte{0, 0, 0, 1, 0x61}},
	}}
}

func vector(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	out, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestVectors(t *testing.T) {
	body, err := fixed().encode()
	if err != nil {
		t.Fatal(err)
	}
	if want := vector(t, "batch-v1.hex"); !bytes.Equal(body, want) {
		t.Errorf("batch\n%x\nwant\n%x", body, want)
	}
	run, err := fixedRun().Encode()
	if err != nil {
		t.Fatal(err)
	}
	if want := vector(t, "run-v1.hex"); !bytes.Equal(run, want) {
		t.Errorf("run\n%x\nwant\n%x", run, want)
	}
}

func TestBatchGoesThereAndBack(t *testing.T) {
	private, id := key(t)
	b := fixed()
	b.Key = id
	signed, err := b.Sign(private)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	if got.Sequence != b.Sequence || got.Previous != b.Previous || got.Session != b.Session || got.SentAt != b.SentAt || len(got.Entries) != 3 || got.Entries[0] != b.Entries[0] || got.Entries[2] != b.Entries[2] {
		t.Errorf("%+v", got.Batch)
	}
	if !got.Holds(&private.PublicKey) {
		t.Error("its own signature does not hold")
	}
	other, _ := key(t)
	if got.Holds(&other.PublicKey) {
		t.Error("the signature holds for another key")
	}
	for i := range signed {
		forged := bytes.Clone(signed)
		forged[i] ^= 1
		if f, err := Parse(forged); err == nil && f.Holds(&private.PublicKey) {
			t.Errorf("a change of byte %d is not seen", i)
		}
	}
	newer := bytes.Clone(signed)
	newer[4] = 2
	if _, err := Parse(newer); !errors.Is(err, evidence.ErrUnknownFormat) {
		t.Errorf("another version: %v", err)
	}
	for cut := range len(signed) {
		if _, err := Parse(signed[:cut]); err == nil {
			t.Errorf("cut to %d bytes it is accepted", cut)
		}
	}
	file, err := ParseFile(File([][]byte{signed, signed}))
	if err != nil || len(file) != 2 || file[1].Sum != got.Sum {
		t.Errorf("file: %v", err)
	}
}

func TestRunGoesThereAndBack(t *testing.T) {
	data, err := fixedRun().Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseRun(data)
	if err != nil || len(got.Frames) != 2 || got.Kind != evidence.Video || !got.Frames[0].Key || got.Frames[1].Key || !bytes.Equal(got.Frames[1].Sample, fixedRun().Frames[1].Sample) {
		t.Errorf("%+v, %v", got, err)
	}
	for cut := range len(data) {
		if _, err := ParseRun(data[:cut]); err == nil {
			t.Errorf("cut to %d bytes it is accepted", cut)
		}
	}
	if _, err := ParseRun(append(data, 0)); err == nil {
		t.Error("a byte behind is accepted")
	}
}

func TestSample(t *testing.T) {
	for name, c := range map[string]struct{ in, want []byte }{
		"four-byte start codes":  {[]byte{0, 0, 0, 1, 7, 1, 0, 0, 0, 1, 8}, []byte{0, 0, 0, 2, 7, 1, 0, 0, 0, 1, 8}},
		"three-byte start codes": {[]byte{0, 0, 1, 7, 0, 0, 1, 8, 9}, []byte{0, 0, 0, 1, 7, 0, 0, 0, 2, 8, 9}},
		"emulation prevention":   {[]byte{0, 0, 0, 1, 5, 0, 0, 3, 1}, []byte{0, 0, 0, 5, 5, 0, 0, 3, 1}},
		"none":                   {[]byte{1, 2, 3}, nil},
	} {
		if got := Sample(c.in); !bytes.Equal(got, c.want) {
			t.Errorf("%s: %x", name, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	private, id := key(f)
	b := fixed()
	b.Key = id
	signed, err := b.Sign(private)
	if err != nil {
		f.Fatal(err)
	}
	run, err := fixedRun().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add(run)
	f.Add(File([][]byte{signed, signed}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := Parse(data); err == nil {
			again, err := s.encode()
			if err != nil || !bytes.Equal(again, data[:len(data)-signatureSize]) {
				t.Fatalf("a batch that was read is written otherwise: %v", err)
			}
		}
		if r, err := ParseRun(data); err == nil {
			if again, err := r.Encode(); err != nil || !bytes.Equal(again, data) {
				t.Fatalf("a run that was read is written otherwise: %v", err)
			}
		}
		if list, err := ParseFile(data); err == nil {
			var raw [][]byte
			for _, s := range list {
				raw = append(raw, s.Bytes)
			}
			if !bytes.Equal(File(raw), data) {
				t.Fatal("a file that was read is written otherwise")
			}
		}
		Sample(data)
	})
}
