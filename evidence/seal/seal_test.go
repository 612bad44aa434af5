package seal_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
)

// plainKeys stands in for a keyring: it binds to the purpose, but hides nothing.
type plainKeys struct{}

func (plainKeys) Wrap(_ context.Context, purpose string, plain []byte) ([]byte, error) {
	return append([]byte(purpose+"\x00"), plain...), nil
}

func (plainKeys) Unwrap(_ context.Context, purpose string, wrapped []byte) ([]byte, error) {
	plain, ok := bytes.CutPrefix(wrapped, []byte(purpose+"\x00"))
	if !ok {
		return nil, errors.New("wrapped for another purpose")
	}
	return plain, nil
}

func clock() time.Time { return time.Now() }

func newAuthority(t testing.TB, clock evidence.Clock) *seal.Authority {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "seal")
	if err := seal.Init(t.Context(), dir, seal.Config{Organisation: "Test Police", Keys: plainKeys{}, Clock: clock}); err != nil {
		t.Fatal(err)
	}
	a, err := seal.Open(t.Context(), dir, plainKeys{}, clock)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestInitMakesKeysOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "seal")
	cfg := seal.Config{Organisation: "Test Police", Keys: plainKeys{}, Clock: clock}
	if err := seal.Init(t.Context(), dir, cfg); err != nil {
		t.Fatal(err)
	}
	if err := seal.Init(t.Context(), dir, cfg); !errors.Is(err, evidence.ErrConflict) {
		t.Errorf("a second Init: got %v, want ErrConflict", err)
	}
	for _, name := range []string{"root", "signer", "tsa"} {
		info, err := os.Stat(filepath.Join(dir, name+".key.wrapped"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".seal-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestMissingKeysAreFatal(t *testing.T) {
	for _, name := range []string{"signer.key.wrapped", "tsa.key.wrapped", "trust/trust.json"} {
		dir := filepath.Join(t.TempDir(), "seal")
		if err := seal.Init(t.Context(), dir, seal.Config{Organisation: "Test Police", Keys: plainKeys{}, Clock: clock}); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.Open(t.Context(), dir, plainKeys{}, clock); !errors.Is(err, evidence.ErrMissingState) {
			t.Errorf("without %s: got %v, want ErrMissingState", name, err)
		}
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was made anew", name)
		}
	}
}

func TestKeysOfAnotherAgencyAreRefused(t *testing.T) {
	var dirs [2]string
	for i := range dirs {
		dirs[i] = filepath.Join(t.TempDir(), "seal")
		if err := seal.Init(t.Context(), dirs[i], seal.Config{Organisation: fmt.Sprint("Agency ", i), Keys: plainKeys{}, Clock: clock}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"signer.key.wrapped", "tsa.key.wrapped"} {
		other, err := os.ReadFile(filepath.Join(dirs[1], name))
		if err != nil {
			t.Fatal(err)
		}
		own, err := os.ReadFile(filepath.Join(dirs[0], name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dirs[0], name), other, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.Open(t.Context(), dirs[0], plainKeys{}, clock); !errors.Is(err, evidence.ErrMissingState) {
			t.Errorf("with the other agency's %s: got %v, want ErrMissingState", name, err)
		}
		if err := os.WriteFile(filepath.Join(dirs[0], name), own, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSealFileHolds(t *testing.T) {
	a := newAuthority(t, clock)
	content := []byte("a tag manifest\n")
	s, err := a.SealFile(t.Context(), "tagmanifest-sha256.txt", content, "https://example.org/test/v1", map[string]any{"version": 1})
	if err != nil {
		t.Fatal(err)
	}
	_, findings := seal.CheckBundle(seal.BundleInput{
		Check: "package", File: "b.json", Bundle: s.Bundle, Subject: "tagmanifest-sha256.txt", Digest: sha256.Sum256(content), Trust: a.Trust(),
	})
	for _, f := range findings {
		if f.Status != seal.Holds {
			t.Errorf("%+v", f)
		}
	}
	for _, check := range []string{"package.bundle", "package.statement", "package.signer", "package.signature", "package.timestamp"} {
		if findings.Of(check) != seal.Holds {
			t.Errorf("%s: %q", check, findings.Of(check))
		}
	}
}
