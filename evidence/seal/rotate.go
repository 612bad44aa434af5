package seal

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/toldonce/toldonce/evidence"
)

// OlderSignerFiles names the files of a key that sealed before the present one, in
// the trust folder and in a package: its PEM key and certificate.
func OlderSignerFiles(keyID string) (key, certificate string) {
	base := "signer-" + hexID(keyID)
	return base + ".pub", base + ".pem"
}

// hexID is the first 8 bytes of a [KeyID] in hex, or of what it decodes to.
func hexID(keyID string) string {
	raw, err := base64.StdEncoding.DecodeString(keyID)
	if err != nil || len(raw) < 8 {
		return "unknown"
	}
	return hex.EncodeToString(raw[:8])
}

func signerFile(keyID string) string { return "signer-" + hexID(keyID) + ".key.wrapped" }

// Rotate makes a new seal key in the folder dir, which nothing else may have
// open. From then on the new key seals; the old private key is destroyed, and its
// public half stays in the trust file with the time until which it sealed, so that
// what it sealed is verified as before. It returns the new key's [KeyID]. A
// rotation that a crash interrupted left either the old key or the new one.
func Rotate(ctx context.Context, dir string, keys Wrapper, clock evidence.Clock) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	return rotate(ctx, dir, keys, clock, &key.PublicKey, func(id string) error {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		wrapped, err := keys.Wrap(ctx, purpose("signer"), der)
		if err != nil {
			return fmt.Errorf("wrapping the new seal key: %w", err)
		}
		return writeFile(filepath.Join(dir, signerFile(id)), wrapped, 0o600)
	})
}

var uriForm = regexp.MustCompile(`^[a-z][a-z0-9]{1,19}:[!-~]{1,400}$`)

// RotateTo is [Rotate] to a key that lies in a key management service and never leaves
// it: an ECDSA key over P-256, which uri names and remote finds. The key must sign
// before anything changes. The URI, which holds no secret, is kept beside the trust
// folder; [OpenWith] asks the service from then on.
func RotateTo(ctx context.Context, dir string, keys Wrapper, clock evidence.Clock, uri string, remote Resolve) (string, error) {
	if !uriForm.MatchString(uri) {
		return "", fmt.Errorf("seal key: %w: %q is not the URI of a key", evidence.ErrInvalid, clip(uri))
	}
	s, err := remote(ctx, uri)
	if err != nil {
		return "", err
	}
	public, err := s.PublicKey()
	if err != nil {
		return "", err
	}
	key, ok := public.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return "", fmt.Errorf("seal key: %w: %s is not an ECDSA key over P-256", evidence.ErrInvalid, clip(uri))
	}
	probe := []byte("toldonce: does this key sign?")
	sig, err := s.SignMessage(bytes.NewReader(probe))
	if err != nil {
		return "", err
	}
	if sum := sha256.Sum256(probe); !ecdsa.VerifyASN1(key, sum[:], sig) {
		return "", fmt.Errorf("seal key: %w: what %s signs does not verify with its public key", evidence.ErrInvalid, clip(uri))
	}
	return rotate(ctx, dir, keys, clock, key, func(id string) error {
		path := filepath.Join(dir, remoteFile(id))
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a rotation that broke off
			return err
		}
		return writeFile(path, []byte(uri+"\n"), 0o600)
	})
}

// remoteFile holds the URI of a key that lies elsewhere.
func remoteFile(keyID string) string { return "signer-" + hexID(keyID) + ".uri" }

// rotate puts a key in the place of the present one, after keep made it available.
func rotate(ctx context.Context, dir string, keys Wrapper, clock evidence.Clock, key *ecdsa.PublicKey, keep func(id string) error) (string, error) {
	trust, err := LoadTrust(TrustPath(dir))
	if err != nil {
		return "", fmt.Errorf("%w: seal keys in %s: %w", evidence.ErrMissingState, dir, err)
	}
	id, err := KeyID(key)
	if err != nil {
		return "", err
	}
	if _, there := trust.Signer(id); there {
		return "", fmt.Errorf("seal key %s: %w: it is in the trust file already", id, evidence.ErrConflict)
	}
	root, err := openKey(ctx, dir, keyFile("root"), "root", keys)
	if err != nil {
		return "", err
	}
	rootCert := trust.Authorities[0].Chain[len(trust.Authorities[0].Chain)-1]
	if !root.PublicKey.Equal(rootCert.PublicKey) {
		return "", fmt.Errorf("%w: the root key in %s is not the one in its trust file", evidence.ErrMissingState, dir)
	}
	now := clock().UTC().Truncate(time.Second)
	cert, err := issue(&x509.Certificate{
		Subject:   pkix.Name{Organization: []string{trust.Organisation}, CommonName: "Evidence Seal"},
		NotBefore: now.Add(-startsEarly), NotAfter: now.AddDate(signerYears, 0, 0),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}, rootCert, key, root)
	if err != nil {
		return "", err
	}
	if err := keep(id); err != nil {
		return "", fmt.Errorf("keeping the new seal key: %w", err)
	}
	if err := syncDir(dir); err != nil {
		return "", err
	}
	old := trust.Signers[0]
	if now.Before(old.NotAfter) {
		old.NotAfter = now
	}
	next := *trust
	next.Signers = append([]Signer{{Name: cert.Subject.CommonName, Algorithm: AlgorithmECDSA, KeyID: id, Key: key, Certificate: cert,
		NotBefore: cert.NotBefore, NotAfter: cert.NotAfter}, old}, trust.Signers[1:]...)
	if err := publish(dir, &next); err != nil {
		return "", err
	}
	return id, clearOldKeys(dir, id)
}

// Revoke says that a key may not have sealed from a time on: what it sealed and
// timestamped before still holds, all else fails. The present key must be
// rotated first. A key whose thief holds the built-in timestamp authority's too
// could be dated back: only outside timestamps and the custody log tell then.
func Revoke(dir, keyID string, from time.Time, reason string) error {
	trust, err := LoadTrust(TrustPath(dir))
	if err != nil {
		return fmt.Errorf("%w: seal keys in %s: %w", evidence.ErrMissingState, dir, err)
	}
	if reason = strings.TrimSpace(reason); reason == "" || len(reason) > 200 || !utf8.ValidString(reason) {
		return fmt.Errorf("%w: say in at most 200 bytes why the key is revoked; it is published", evidence.ErrInvalid)
	}
	next := *trust
	next.Signers = append([]Signer{}, trust.Signers...)
	for i := range next.Signers {
		s := &next.Signers[i]
		if s.KeyID != keyID {
			continue
		}
		if i == 0 {
			return fmt.Errorf("%w: this key seals at present. Rotate it first", evidence.ErrConflict)
		}
		if s.RevokedAt.IsZero() || from.Before(s.RevokedAt) {
			s.RevokedAt, s.RevokedReason = from.UTC().Truncate(time.Second), reason
		}
		return publish(dir, &next)
	}
	return fmt.Errorf("seal key %s: %w", clip(keyID), evidence.ErrNotFound)
}

// publish replaces the trust file, and then the files that are made from it.
func publish(dir string, t *Trust) error {
	files, err := t.Files()
	if err != nil {
		return err
	}
	names := []string{TrustFile} // first: it alone decides
	for name := range files {
		if name != TrustFile {
			names = append(names, name)
		}
	}
	for _, name := range names {
		path := filepath.Join(dir, trustFolder, name)
		temp := path + ".new"
		if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := writeFile(temp, files[name], 0o644); err != nil {
			return fmt.Errorf("publishing the trust file: %w", err)
		}
		if err := os.Rename(temp, path); err != nil {
			return fmt.Errorf("publishing the trust file: %w", err)
		}
	}
	return syncDir(filepath.Join(dir, trustFolder))
}

// clearOldKeys removes private seal keys but for the one of keep. They are wrapped;
// nothing can seal with them once they are gone.
func clearOldKeys(dir, keep string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		old := strings.HasSuffix(name, ".key.wrapped") && name != signerFile(keep) || strings.HasSuffix(name, ".uri") && name != remoteFile(keep)
		if strings.HasPrefix(name, "signer") && old {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return syncDir(dir)
}

// Rewrap wraps the private keys in the folder dir anew: rewrap returns a box with
// the same content, or the same box. It returns how many changed.
func Rewrap(dir string, rewrap func(purpose string, box []byte) ([]byte, error)) (int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	changed := 0
	for _, e := range entries {
		base, ok := strings.CutSuffix(e.Name(), ".key.wrapped")
		if !ok {
			continue
		}
		what, _, _ := strings.Cut(base, "-")
		path := filepath.Join(dir, e.Name())
		box, err := os.ReadFile(path)
		if err != nil {
			return changed, err
		}
		again, err := rewrap(purpose(what), box)
		if err != nil {
			return changed, fmt.Errorf("the %s key of the seal: %w", what, err)
		}
		if string(again) == string(box) {
			continue
		}
		temp := path + ".new"
		if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return changed, err
		}
		if err := writeFile(temp, again, 0o600); err != nil {
			return changed, err
		}
		if err := os.Rename(temp, path); err != nil {
			return changed, err
		}
		changed++
	}
	return changed, syncDir(dir)
}

// AddAuthority names an outside timestamp authority in the trust file: its chain,
// its own certificate first and the root last. The error wraps
// [evidence.ErrConflict] if it is named already.
func AddAuthority(dir, name string, chainPEM []byte) error {
	trust, err := LoadTrust(TrustPath(dir))
	if err != nil {
		return fmt.Errorf("%w: seal keys in %s: %w", evidence.ErrMissingState, dir, err)
	}
	if name = strings.TrimSpace(name); name == "" || len(name) > 200 || !utf8.ValidString(name) {
		return fmt.Errorf("%w: name the authority in at most 200 bytes", evidence.ErrInvalid)
	}
	chain, err := ParseCertificates(chainPEM)
	if err != nil {
		return err
	}
	a := TimeAuthority{Name: name, Assertion: AssertedByThirdParty, Chain: chain, NotBefore: chain[0].NotBefore, NotAfter: chain[0].NotAfter}
	if err := a.checkChain(); err != nil {
		return err
	}
	for _, there := range trust.Authorities {
		if there.Chain[0].Equal(chain[0]) {
			return fmt.Errorf("%w: the trust file names this authority", evidence.ErrConflict)
		}
	}
	next := *trust
	next.Authorities = append(append([]TimeAuthority{}, trust.Authorities...), a)
	return publish(dir, &next)
}

// Own is the trust without outside authorities: what a package's own seal rests on.
func (t *Trust) Own() *Trust {
	own := *t
	own.Authorities = t.Authorities[:min(1, len(t.Authorities))]
	return &own
}

// AuthorityFiles names the files of an outside authority in the trust folder, as
// openssl takes them: its root and its chain.
func AuthorityFiles(a TimeAuthority) (root, chain string) {
	sum := sha256.Sum256(a.Chain[0].Raw)
	base := "authority-" + hex.EncodeToString(sum[:8])
	return base + "-root.pem", base + "-chain.pem"
}
