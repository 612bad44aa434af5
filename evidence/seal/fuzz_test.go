package seal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

type bareKeys struct{}

func (bareKeys) Wrap(_ context.Context, _ string, p []byte) ([]byte, error)   { return p, nil }
func (bareKeys) Unwrap(_ context.Context, _ string, w []byte) ([]byte, error) { return w, nil }

func fuzzAuthority(t testing.TB) *Authority {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "seal")
	if err := Init(t.Context(), dir, Config{Organisation: "Fuzz Police", Keys: bareKeys{}, Clock: time.Now}); err != nil {
		t.Fatal(err)
	}
	a, err := Open(t.Context(), dir, bareKeys{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Whatever a bundle holds, it is judged without a panic, and only the one that
// was made holds.
func FuzzCheckBundle(f *testing.F) {
	a := fuzzAuthority(f)
	content := []byte("content")
	s, err := a.SealFile(f.Context(), "file", content, "https://example.org/x/v1", map[string]any{"version": 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Bundle)
	f.Add(bytes.Replace(s.Bundle, []byte(`"rfc3161Timestamps":[{`), []byte(`"rfc3161Timestamps":[],"x":[{`), 1))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, findings := CheckBundle(BundleInput{Check: "x", Bundle: data, Subject: "file", Digest: sha256.Sum256(content), Trust: a.Trust()})
		good := !findings.Any(Fails) && !findings.Any(CannotJudge) && !findings.Any(NotTrusted)
		if good != bytes.Equal(data, s.Bundle) {
			t.Errorf("holds: %v for %q", good, data)
		}
	})
}

// Every byte of a timestamp counts: no change of one leaves it in order.
func FuzzCheckToken(f *testing.F) {
	a := fuzzAuthority(f)
	chain := a.Trust().Authorities[0].Chain
	token, err := a.Stamp([]byte("signature"))
	if err != nil {
		f.Fatal(err)
	}
	if err := checkToken(token, chain); err != nil {
		f.Fatal(err)
	}
	for i := range token {
		for _, mask := range []byte{1, 0x20, 0x80} {
			changed := bytes.Clone(token)
			changed[i] ^= mask
			if checkToken(changed, chain) == nil {
				if _, err := a.Trust().Authorities[0].verify(changed, []byte("signature")); err == nil {
					f.Errorf("byte %d ^ %#x: still in order", i, mask)
				}
			}
		}
	}
	f.Add(token)
	f.Add(append(bytes.Clone(token), 0))
	f.Add([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		if checkToken(data, chain) == nil && !bytes.Equal(data, token) {
			if _, err := a.Trust().Authorities[0].verify(data, []byte("signature")); err == nil {
				t.Errorf("another token is in order: %x", data)
			}
		}
	})
}

func FuzzParseManifest(f *testing.F) {
	data, err := os.ReadFile("testdata/recording.json")
	if err != nil {
		f.Fatal(err)
	}
	if _, err := ParseManifest(data); err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"type":"toldonce/manifest","version":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest(data)
		if err != nil {
			if !errors.Is(err, evidence.ErrInvalid) && !errors.Is(err, evidence.ErrUnknownFormat) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		if again, err := evidence.Canonical(m); err != nil || !bytes.Equal(again, data) {
			t.Errorf("accepted, but not in its one form: %q", data)
		}
	})
}

func FuzzParseLeaf(f *testing.F) {
	data, err := os.ReadFile("testdata/page.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if _, err := ParseLeaf(line); err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := ParseLeaf(data)
		if err != nil {
			return
		}
		if again, err := evidence.Canonical(l); err != nil || !bytes.Equal(again, data) {
			t.Errorf("accepted, but not in its one form: %q", data)
		}
	})
}

func FuzzParseTrust(f *testing.F) {
	good, err := fuzzAuthority(f).Trust().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"type":"toldonce/trust","version":1,"signers":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		trust, err := ParseTrust(data)
		if err != nil {
			return
		}
		if len(trust.Signers) == 0 || len(trust.Required) == 0 {
			t.Errorf("accepted without a signer: %q", data)
		}
		if _, err := trust.Files(); err != nil && len(trust.Authorities) > 0 {
			t.Errorf("cannot be written again: %v", err)
		}
	})
}
