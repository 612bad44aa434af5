package signers

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
)

// transit answers as the transit engine of Vault and OpenBao does to those who read a
// key and sign with it: GET /v1/transit/keys/NAME and PUT /v1/transit/sign/NAME/sha2-256
// of their API documentation. The servers themselves are not part of the tests.
type transit struct {
	*httptest.Server
	mu    sync.Mutex
	keys  map[string]*ecdsa.PrivateKey
	down  bool
	wrong bool // signs with a key of its own, as another version of the key would
}

func newTransit(t *testing.T) *transit {
	t.Helper()
	s := &transit{keys: map[string]*ecdsa.PrivateKey{}}
	for name, curve := range map[string]elliptic.Curve{"seal-1": elliptic.P256(), "seal-2": elliptic.P256(), "large": elliptic.P384()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		s.keys[name] = key
	}
	s.Server = httptest.NewServer(http.HandlerFunc(s.answer))
	t.Cleanup(s.Close)
	t.Setenv("VAULT_ADDR", s.URL)
	t.Setenv("VAULT_TOKEN", "s.test")
	t.Setenv("VAULT_MAX_RETRIES", "0")
	return s
}

func (s *transit) set(down, wrong bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down, s.wrong = down, wrong
}

func (s *transit) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	refuse := func(status int) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"errors": []string{"refused"}})
	}
	verb, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/transit/"), "/")
	name, hash, _ := strings.Cut(name, "/")
	key := s.keys[name]
	switch {
	case s.down:
		refuse(http.StatusServiceUnavailable)
	case r.Header.Get("X-Vault-Token") != "s.test":
		refuse(http.StatusForbidden)
	case key == nil:
		refuse(http.StatusNotFound)
	case verb == "keys" && r.Method == http.MethodGet:
		der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			refuse(http.StatusInternalServerError)
			return
		}
		public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"latest_version": 1, "type": "ecdsa-p256", "keys": map[string]any{"1": map[string]any{"name": "P-256", "public_key": public}}}})
	case verb == "sign" && hash == "sha2-256":
		var in struct {
			Input     string
			Prehashed bool
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			refuse(http.StatusBadRequest)
			return
		}
		digest, err := base64.StdEncoding.DecodeString(in.Input)
		if err != nil || !in.Prehashed || len(digest) != sha256.Size {
			refuse(http.StatusBadRequest)
			return
		}
		if s.wrong {
			key = s.keys["seal-2"]
		}
		sig, err := ecdsa.SignASN1(rand.Reader, key, digest)
		if err != nil {
			refuse(http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"signature": "vault:v1:" + base64.StdEncoding.EncodeToString(sig)}})
	default:
		refuse(http.StatusNotFound)
	}
}

// plain stands in for a key store.
type plain struct{}

func (plain) Wrap(_ context.Context, _ string, b []byte) ([]byte, error)   { return b, nil }
func (plain) Unwrap(_ context.Context, _ string, b []byte) ([]byte, error) { return b, nil }

// A seal by a key that lies in a service is one like any other, and what goes wrong
// with the service never becomes a seal that does not hold.
func TestASealKeyInTransit(t *testing.T) {
	s := newTransit(t)
	dir := filepath.Join(t.TempDir(), "seal")
	if err := seal.Init(t.Context(), dir, seal.Config{Organisation: "Test agency", Keys: plain{}, Clock: time.Now}); err != nil {
		t.Fatal(err)
	}
	rotate := func(uri string) (string, error) { return seal.RotateTo(t.Context(), dir, plain{}, time.Now, uri, Open) }
	for uri, want := range map[string]error{
		"hashivault://large":                evidence.ErrInvalid,     // not P-256
		"hashivault://absent":               evidence.ErrUnavailable, // no such key
		"awskms:///alias/x":                 evidence.ErrInvalid,     // not built in
		"hashivault://seal-1\nhashivault:x": evidence.ErrInvalid,
		"":                                  evidence.ErrInvalid,
	} {
		if _, err := rotate(uri); !errors.Is(err, want) {
			t.Errorf("%q: %v", uri, err)
		}
	}
	if a, err := seal.Open(t.Context(), dir, plain{}, time.Now); err != nil || a == nil {
		t.Fatalf("after rotations that were refused: %v", err)
	}
	id, err := rotate("hashivault://seal-1")
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "signer*.key.wrapped")); len(left) > 0 {
		t.Errorf("a local seal key is left: %v", left)
	}
	if _, err := seal.Open(t.Context(), dir, plain{}, time.Now); !errors.Is(err, evidence.ErrUnavailable) {
		t.Errorf("opened without the service: %v", err)
	}
	a, err := seal.OpenWith(t.Context(), dir, plain{}, time.Now, Open)
	if err != nil || a.KeyID() != id {
		t.Fatalf("%v", err)
	}
	content := []byte("what is sealed")
	sealed, err := a.SealFile(t.Context(), "file.txt", content, "https://toldonce.org/test", struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	// An expert judges it by the trust file alone; sigstore's own verifier is asked too.
	trust, err := seal.LoadTrust(seal.TrustPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	_, findings := seal.CheckBundle(seal.BundleInput{Check: "x", Bundle: sealed.Bundle, Subject: "file.txt", Digest: sha256.Sum256(content), Trust: trust})
	for _, f := range findings {
		if f.Status != seal.Holds {
			t.Errorf("%+v", f)
		}
	}
	for name, c := range map[string]struct{ down, wrong bool }{"the service is down": {down: true}, "the service signs with another key": {wrong: true}} {
		s.set(c.down, c.wrong)
		if _, err := a.SealFile(t.Context(), "file.txt", content, "https://toldonce.org/test", struct{}{}); !errors.Is(err, evidence.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.set(false, false)
	if _, err := rotate("hashivault://seal-1"); !errors.Is(err, evidence.ErrConflict) {
		t.Errorf("to the key that it is: %v", err)
	}
	// From one service's key to another, and back to a local one.
	if _, err := rotate("openbao://seal-2"); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "signer*.uri")); len(left) != 1 {
		t.Errorf("URIs: %v", left)
	}
	if _, err := seal.Rotate(t.Context(), dir, plain{}, time.Now); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Open(t.Context(), dir, plain{}, time.Now); err != nil {
		t.Errorf("with a local key again: %v", err)
	}
	// What sealed before and was taken out of use does not come back.
	if _, err := rotate("hashivault://seal-1"); !errors.Is(err, evidence.ErrConflict) {
		t.Errorf("to a key that sealed before: %v", err)
	}
}

// A key that was replaced in the service is noticed when the seal is opened.
func TestAReplacedKeyIsNotOpened(t *testing.T) {
	s := newTransit(t)
	dir := filepath.Join(t.TempDir(), "seal")
	if err := seal.Init(t.Context(), dir, seal.Config{Organisation: "Test agency", Keys: plain{}, Clock: time.Now}); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.RotateTo(t.Context(), dir, plain{}, time.Now, "hashivault://seal-1", Open); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.keys["seal-1"] = s.keys["seal-2"]
	s.mu.Unlock()
	if _, err := seal.OpenWith(t.Context(), dir, plain{}, time.Now, Open); !errors.Is(err, evidence.ErrMissingState) {
		t.Errorf("%v", err)
	}
}
