package seal_test

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
)

// TestRotatedKeysStillVerify: what a key sealed before it was rotated holds, until
// it is revoked from an earlier time on; and nothing seals with it any more.
func TestRotatedKeysStillVerify(t *testing.T) {
	ctx := t.Context()
	now := time.Now()
	clock := func() time.Time { return now }
	dir := filepath.Join(t.TempDir(), "seal")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(seal.Init(ctx, dir, seal.Config{Organisation: "Test Police", Keys: plainKeys{}, Clock: clock}))
	content := []byte("x")
	sealNow := func() (seal.Sealed, string) {
		t.Helper()
		a, err := seal.Open(ctx, dir, plainKeys{}, clock)
		must(err)
		s, err := a.SealFile(ctx, "f", content, "https://example.org/test/v1", map[string]any{"version": 1})
		must(err)
		return s, a.KeyID()
	}
	judge := func(s seal.Sealed) seal.Findings {
		t.Helper()
		trust, err := seal.LoadTrust(seal.TrustPath(dir))
		must(err)
		_, findings := seal.CheckBundle(seal.BundleInput{Check: "f", Bundle: s.Bundle, Subject: "f", Digest: sha256.Sum256(content), Trust: trust})
		return findings
	}
	before, first := sealNow()
	now = now.Add(time.Hour)
	early := now
	now = now.Add(time.Hour)
	later, _ := sealNow()
	now = now.Add(time.Hour)
	if err := seal.Revoke(dir, first, now, "x"); !errors.Is(err, evidence.ErrConflict) {
		t.Errorf("the present key was revoked: %v", err)
	}
	id, err := seal.Rotate(ctx, dir, plainKeys{}, clock)
	must(err)
	after, second := sealNow()
	if id != second || first == second {
		t.Fatalf("rotated to %s, sealing with %s, before with %s", id, second, first)
	}
	for name, s := range map[string]seal.Sealed{"before": before, "later": later, "after": after} {
		if f := judge(s); f.Any(seal.Fails) || f.Of("f.signer") != seal.Holds || f.Of("f.signature") != seal.Holds {
			t.Errorf("sealed %s the rotation: %+v", name, f)
		}
	}
	if kept, _ := filepath.Glob(filepath.Join(dir, "signer*.key.wrapped")); len(kept) != 1 {
		t.Errorf("private seal keys: %v", kept)
	}
	keyName, certName := seal.OlderSignerFiles(first)
	for _, name := range []string{keyName, certName} {
		if _, err := os.Stat(filepath.Join(dir, "trust", name)); err != nil {
			t.Error(err)
		}
	}

	must(seal.Revoke(dir, first, early, "The key store was copied."))
	text, err := os.ReadFile(seal.TrustPath(dir))
	must(err)
	if !strings.Contains(string(text), `"version": 2`) {
		t.Error("a trust file with a revocation must not be taken for one without")
	}
	if f := judge(before); f.Any(seal.Fails) {
		t.Errorf("sealed before the revocation: %+v", f)
	}
	if f := judge(later); f.Of("f.signature") != seal.Fails {
		t.Errorf("sealed after the revocation: %+v", f)
	}
	if f := judge(after); f.Any(seal.Fails) {
		t.Errorf("sealed with the new key: %+v", f)
	}
	must(seal.Revoke(dir, first, now, "Later."))
	if f := judge(later); f.Of("f.signature") != seal.Fails {
		t.Error("a revocation was moved to a later time")
	}
	if _, err := seal.ParseTrust([]byte(strings.Replace(string(text), `"version": 2`, `"version": 1`, 1))); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("a revocation in version 1: %v", err)
	}
	// A second rotation, and one that broke off before it was published.
	must(os.WriteFile(filepath.Join(dir, "signer-0011223344556677.key.wrapped"), []byte("left"), 0o600))
	_, err = seal.Rotate(ctx, dir, plainKeys{}, clock)
	must(err)
	third, _ := sealNow()
	for _, s := range []seal.Sealed{before, after, third} {
		if f := judge(s); f.Any(seal.Fails) {
			t.Errorf("after the second rotation: %+v", f)
		}
	}
	if n, err := seal.Rewrap(dir, func(purpose string, box []byte) ([]byte, error) {
		plain, err := plainKeys{}.Unwrap(ctx, purpose, box)
		return append([]byte(purpose+"\x00"), plain...), err
	}); n != 0 || err != nil {
		t.Errorf("wrapped anew: %d, %v", n, err)
	}
}
