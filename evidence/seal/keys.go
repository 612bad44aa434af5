package seal

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/toldonce/toldonce/evidence"
)

// Wrapper keeps private keys unreadable on disk. Unwrap(purpose, Wrap(purpose, x))
// is x; another purpose must fail. Safe for concurrent use.
type Wrapper interface {
	Wrap(ctx context.Context, purpose string, plain []byte) ([]byte, error)
	Unwrap(ctx context.Context, purpose string, wrapped []byte) ([]byte, error)
}

// Config says what Init makes.
type Config struct {
	// Organisation is the agency's name as it stands in certificates and
	// reports: 1 to 64 characters. It is public and names no person.
	Organisation string
	// Keys wraps the private keys.
	Keys Wrapper
	// Clock dates the certificates.
	Clock evidence.Clock
	// LogKeys are the custody log's note verifier keys, to be named in the
	// trust file.
	LogKeys []string
}

// Names of the public files in the trust folder of an Init.
const (
	TrustFile       = "trust.json"        // what toldonce-verify --trust reads
	TrustedRootFile = "trusted_root.json" // what cosign --trusted-root reads
	SignerKeyFile   = "signer.pub"        // PEM
	SignerCertFile  = "signer.pem"
	RootFile        = "root.pem"      // root of the timestamp authority, for openssl ts -CAfile
	ChainFile       = "tsa-chain.pem" // the authority's chain, for openssl ts -untrusted

	trustFolder = "trust"
)

// Spans of validity. A certificate starts a day early, so that a clock which is
// set back a little does not stop a seal.
const (
	rootYears   = 25
	tsaYears    = 20
	signerYears = 10
	startsEarly = 24 * time.Hour
)

var wrappedKeys = []string{"root", "signer", "tsa"}

func keyFile(name string) string { return name + ".key.wrapped" }
func purpose(name string) string { return "seal/" + name }

// TrustPath is where the trust file of the seal folder dir lies.
func TrustPath(dir string) string { return filepath.Join(dir, trustFolder, TrustFile) }

// Init makes an agency's root authority, seal key and timestamp authority in the
// new folder dir: wrapped private keys, and under dir/trust the public files. It
// appears whole or not at all. It returns an error wrapping [evidence.ErrConflict]
// if dir exists: keys are never made twice.
func Init(ctx context.Context, dir string, cfg Config) error {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if n := utf8.RuneCountInString(cfg.Organisation); n < 1 || n > 64 || !utf8.ValidString(cfg.Organisation) || strings.ContainsFunc(cfg.Organisation, unprintable) {
		return fmt.Errorf("%w: the organisation's name needs 1 to 64 printable characters", evidence.ErrInvalid)
	}
	if _, err := os.Lstat(dir); err == nil {
		return fmt.Errorf("%w: %s exists; seal keys are made once", evidence.ErrConflict, dir)
	}
	files, err := create(ctx, cfg)
	if err != nil {
		return fmt.Errorf("making the seal's keys: %w", err)
	}
	staging, err := os.MkdirTemp(filepath.Dir(dir), ".seal-*")
	if err != nil {
		return fmt.Errorf("making the seal's keys: %w", err)
	}
	defer os.RemoveAll(staging)
	if err := os.Mkdir(filepath.Join(staging, trustFolder), 0o755); err != nil {
		return fmt.Errorf("making the seal's keys: %w", err)
	}
	for name, data := range files {
		mode := fs.FileMode(0o600)
		if filepath.Dir(name) == trustFolder {
			mode = 0o644
		}
		if err := writeFile(filepath.Join(staging, name), data, mode); err != nil {
			return fmt.Errorf("making the seal's keys: %w", err)
		}
	}
	for _, d := range []string{filepath.Join(staging, trustFolder), staging} {
		if err := syncDir(d); err != nil {
			return fmt.Errorf("making the seal's keys: %w", err)
		}
	}
	if err := os.Rename(staging, dir); err != nil {
		return fmt.Errorf("making the seal's keys: %w", err)
	}
	return syncDir(filepath.Dir(dir))
}

func create(ctx context.Context, cfg Config) (map[string][]byte, error) {
	now := cfg.Clock().UTC().Truncate(time.Second)
	from := now.Add(-startsEarly)
	keys := map[string]*ecdsa.PrivateKey{}
	files := map[string][]byte{}
	for _, name := range wrappedKeys {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, err
		}
		if files[keyFile(name)], err = cfg.Keys.Wrap(ctx, purpose(name), der); err != nil {
			return nil, fmt.Errorf("wrapping the %s key: %w", name, err)
		}
		keys[name] = key
	}
	name := func(what string) pkix.Name {
		return pkix.Name{Organization: []string{cfg.Organisation}, CommonName: what}
	}
	root := &x509.Certificate{
		Subject: name("Evidence Root"), NotBefore: from, NotAfter: now.AddDate(rootYears, 0, 0),
		IsCA: true, BasicConstraintsValid: true, MaxPathLen: 1,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	rootCert, err := issue(root, root, &keys["root"].PublicKey, keys["root"])
	if err != nil {
		return nil, err
	}
	// RFC 3161 section 2.3 wants this one extended key usage, and critical;
	// x509 writes its own never so.
	timeStamping, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		return nil, err
	}
	tsaCert, err := issue(&x509.Certificate{
		Subject: name("Evidence Timestamps (operator's own clock)"), NotBefore: from, NotAfter: now.AddDate(tsaYears, 0, 0),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: timeStamping}},
	}, rootCert, &keys["tsa"].PublicKey, keys["root"])
	if err != nil {
		return nil, err
	}
	signerCert, err := issue(&x509.Certificate{
		Subject: name("Evidence Seal"), NotBefore: from, NotAfter: now.AddDate(signerYears, 0, 0),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}, rootCert, &keys["signer"].PublicKey, keys["root"])
	if err != nil {
		return nil, err
	}
	trust, err := newTrust(cfg, signerCert, []*x509.Certificate{tsaCert, rootCert})
	if err != nil {
		return nil, err
	}
	public, err := trust.Files()
	if err != nil {
		return nil, err
	}
	for file, data := range public {
		files[filepath.Join(trustFolder, file)] = data
	}
	return files, nil
}

func issue(template, parent *x509.Certificate, key *ecdsa.PublicKey, by *ecdsa.PrivateKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, by)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func newTrust(cfg Config, signer *x509.Certificate, chain []*x509.Certificate) (*Trust, error) {
	key := signer.PublicKey.(*ecdsa.PublicKey)
	id, err := KeyID(key)
	if err != nil {
		return nil, err
	}
	t := &Trust{
		Organisation: cfg.Organisation,
		Required:     []string{AlgorithmECDSA},
		Signers: []Signer{{
			Name: signer.Subject.CommonName, Algorithm: AlgorithmECDSA, KeyID: id, Key: key, Certificate: signer,
			NotBefore: signer.NotBefore, NotAfter: signer.NotAfter,
		}},
		Authorities: []TimeAuthority{{
			Name: chain[0].Subject.CommonName, Assertion: AssertedByOperator, Chain: chain,
			NotBefore: chain[0].NotBefore, NotAfter: chain[0].NotAfter,
		}},
	}
	for _, k := range cfg.LogKeys {
		log, err := ParseLog(k)
		if err != nil {
			return nil, err
		}
		t.Logs = append(t.Logs, log)
	}
	return t, nil
}

// Files returns the public files by name: the trust file, and the same trust in
// the forms that cosign and openssl read.
func (t *Trust) Files() (map[string][]byte, error) {
	trust, err := t.Encode()
	if err != nil {
		return nil, err
	}
	key, err := publicPEM(t.Signers[0].Key)
	if err != nil {
		return nil, err
	}
	sigstore, err := t.sigstoreRoot()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{TrustFile: trust, SignerKeyFile: key, TrustedRootFile: sigstore}
	files[RootFile], files[ChainFile] = t.openssl()
	if c := t.Signers[0].Certificate; c != nil {
		files[SignerCertFile] = certificatesPEM(c)
	}
	for _, a := range t.Authorities[min(1, len(t.Authorities)):] {
		root, chain := AuthorityFiles(a)
		files[root], files[chain] = certificatesPEM(a.Chain[len(a.Chain)-1]), certificatesPEM(a.Chain...)
	}
	for _, s := range t.Signers[1:] {
		keyName, certName := OlderSignerFiles(s.KeyID)
		if files[keyName], err = publicPEM(s.Key); err != nil {
			return nil, err
		}
		if s.Certificate != nil {
			files[certName] = certificatesPEM(s.Certificate)
		}
	}
	return files, nil
}

// sigstoreRoot writes what `cosign trusted-root create --tsa` writes: a Sigstore
// trusted root that knows timestamp authorities and nothing else.
func (t *Trust) sigstoreRoot() ([]byte, error) {
	type rawCert struct {
		RawBytes string `json:"rawBytes"`
	}
	type authority struct {
		Subject   map[string]string    `json:"subject"`
		URI       string               `json:"uri"`
		CertChain map[string][]rawCert `json:"certChain"`
		ValidFor  map[string]time.Time `json:"validFor"`
	}
	doc := struct {
		MediaType   string      `json:"mediaType"`
		Authorities []authority `json:"timestampAuthorities"`
	}{MediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}
	for i, a := range t.Authorities {
		var certs []rawCert
		for _, c := range a.Chain {
			certs = append(certs, rawCert{base64.StdEncoding.EncodeToString(c.Raw)})
		}
		doc.Authorities = append(doc.Authorities, authority{
			Subject:   map[string]string{"organization": t.Organisation, "commonName": a.Chain[0].Subject.CommonName},
			URI:       authorityURI(i),
			CertChain: map[string][]rawCert{"certificates": certs},
			ValidFor:  map[string]time.Time{"start": a.NotBefore.UTC(), "end": a.NotAfter.UTC()},
		})
	}
	out, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(out, '\n'), nil
}

func authorityURI(i int) string { return fmt.Sprintf("urn:toldonce:timestamp-authority:%d", i) }

// Open opens the keys that [Init] made. It returns an error that wraps
// [evidence.ErrMissingState] if any file is missing or does not belong to the
// others; nothing is ever made anew here.
func Open(ctx context.Context, dir string, keys Wrapper, clock evidence.Clock) (*Authority, error) {
	return OpenWith(ctx, dir, keys, clock, nil)
}

// Resolve returns the signer that a URI names. Safe for concurrent use.
type Resolve func(ctx context.Context, uri string) (signature.SignerVerifier, error)

// OpenWith is [Open] for a seal key that may lie in a key management service; see
// [RotateTo]. remote finds it; nil: there is none.
func OpenWith(ctx context.Context, dir string, keys Wrapper, clock evidence.Clock, remote Resolve) (*Authority, error) {
	trust, err := LoadTrust(TrustPath(dir))
	if err != nil {
		return nil, fmt.Errorf("%w: seal keys in %s: %w", evidence.ErrMissingState, dir, err)
	}
	signer, err := openSigner(ctx, dir, trust.Signers[0].KeyID, keys, remote)
	if err != nil {
		return nil, err
	}
	tsa, err := openKey(ctx, dir, keyFile("tsa"), "tsa", keys)
	if err != nil {
		return nil, err
	}
	a := &Authority{dir: dir, trust: trust, clock: clock, signer: signer}
	public, err := signer.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("seal key: %w", err)
	}
	if id, err := KeyID(public); err != nil || id != trust.Signers[0].KeyID {
		return nil, fmt.Errorf("%w: the seal key of %s is not the one in its trust file", evidence.ErrMissingState, dir)
	}
	if len(trust.Authorities) == 0 || !tsa.PublicKey.Equal(trust.Authorities[0].Chain[0].PublicKey) {
		return nil, fmt.Errorf("%w: the timestamp key in %s is not the one in its trust file", evidence.ErrMissingState, dir)
	}
	a.keyID = trust.Signers[0].KeyID
	a.tsa = timestamper{key: tsa, cert: trust.Authorities[0].Chain[0], clock: clock}
	return a, nil
}

// openSigner opens the key that seals at present: by its URI, if it lies elsewhere.
func openSigner(ctx context.Context, dir, keyID string, keys Wrapper, remote Resolve) (signature.SignerVerifier, error) {
	uri, err := os.ReadFile(filepath.Join(dir, remoteFile(keyID)))
	if err == nil {
		if remote == nil {
			return nil, fmt.Errorf("%w: the seal key lies in a key management service, which this command does not ask", evidence.ErrUnavailable)
		}
		return remote(ctx, strings.TrimSuffix(string(uri), "\n"))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("seal key: %w", err)
	}
	file := signerFile(keyID)
	if _, err := os.Stat(filepath.Join(dir, file)); errors.Is(err, fs.ErrNotExist) {
		file = keyFile("signer") // as Init made it
	}
	key, err := openKey(ctx, dir, file, "signer", keys)
	if err != nil {
		return nil, err
	}
	s, err := signature.LoadSignerVerifier(key, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("seal key: %w", err)
	}
	return s, nil
}

func openKey(ctx context.Context, dir, file, name string, keys Wrapper) (*ecdsa.PrivateKey, error) {
	wrapped, err := os.ReadFile(filepath.Join(dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s; restore it from a backup, it cannot be made anew", evidence.ErrMissingState, filepath.Join(dir, file))
	}
	if err != nil {
		return nil, fmt.Errorf("%s key: %w", name, err)
	}
	der, err := keys.Unwrap(ctx, purpose(name), wrapped)
	if err != nil {
		return nil, fmt.Errorf("unwrapping the %s key: %w", name, err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%s key: %w: %v", name, evidence.ErrInvalid, err)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s key: %w: not an ECDSA key", name, evidence.ErrInvalid)
	}
	return ec, nil
}

func writeFile(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
