package seal

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

const (
	// TypeTrust is the type named by a trust file. Its version is 1, or 2 if it
	// tells of a revocation, which a reader of version 1 would pass over.
	TypeTrust = "toldonce/trust"

	// AssertedByOperator marks a timestamp authority that the agency runs
	// itself: its times are the agency's own word.
	AssertedByOperator = "operator"
	// AssertedByThirdParty marks an authority that another body runs.
	AssertedByThirdParty = "third-party"

	maxTrust = 4 << 20
)

// Trust is what a verifier believes before it looks at anything: which keys
// seal, which authorities tell time, which keys sign the custody log. It is
// immutable once read and safe for concurrent use.
type Trust struct {
	Organisation string
	// Required names the algorithms of which a seal must carry a good signature.
	Required    []string
	Signers     []Signer
	Authorities []TimeAuthority
	Logs        []Log
	// Witnesses cosign the checkpoints of logs; none in an older trust file.
	Witnesses []custody.Cosigner
}

// Signer is a key that seals, with the span in which it may.
type Signer struct {
	Name        string
	Algorithm   string
	KeyID       string // [KeyID]
	Key         *ecdsa.PublicKey
	Certificate *x509.Certificate // nil if the trust file names a bare key
	NotBefore   time.Time
	NotAfter    time.Time
	// RevokedAt is when the key ceased to be the agency's alone; zero if it is.
	// What it signed and had timestamped from then on does not hold.
	RevokedAt     time.Time
	RevokedReason string
}

// TimeAuthority is an RFC 3161 authority.
type TimeAuthority struct {
	Name      string
	Assertion string              // AssertedByOperator or AssertedByThirdParty
	Chain     []*x509.Certificate // the authority's own first, the root last
	NotBefore time.Time
	NotAfter  time.Time
}

// Log is a custody log's checkpoint key.
type Log struct {
	Origin   string
	Key      string // the C2SP note verifier key
	Verifier note.Verifier
}

type trustDoc struct {
	Type         string             `json:"type"`
	Version      int                `json:"version"`
	Organisation string             `json:"organisation"`
	Required     []string           `json:"required"`
	Signers      []signerDoc        `json:"signers"`
	Authorities  []timeAuthorityDoc `json:"timestampAuthorities"`
	Logs         []logDoc           `json:"logs"`
	Witnesses    []witnessDoc       `json:"witnesses,omitempty"`
}

type signerDoc struct {
	Name        string    `json:"name"`
	Algorithm   string    `json:"algorithm"`
	KeyID       string    `json:"keyId"`
	PublicKey   string    `json:"publicKey"`
	Certificate string    `json:"certificate,omitempty"`
	NotBefore   time.Time `json:"notBefore"`
	NotAfter    time.Time `json:"notAfter"`
	// Version 2 only.
	RevokedAt     *time.Time `json:"revokedAt,omitempty"`
	RevokedReason string     `json:"revokedReason,omitempty"`
}

type timeAuthorityDoc struct {
	Name      string    `json:"name"`
	Assertion string    `json:"assertion"`
	Chain     string    `json:"chain"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
}

type witnessDoc struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

type logDoc struct {
	Origin string `json:"origin"`
	Key    string `json:"key"`
}

// LoadTrust reads a trust file. See [ParseTrust] for its errors.
func LoadTrust(file string) (*Trust, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("trust file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxTrust+1))
	if err != nil {
		return nil, fmt.Errorf("trust file: %w", err)
	}
	t, err := ParseTrust(data)
	if err != nil {
		return nil, fmt.Errorf("trust file: %w", err)
	}
	return t, nil
}

// ParseTrust reads a trust file's bytes strictly. It returns an error that wraps
// [evidence.ErrUnknownFormat] for another type or version, and [evidence.ErrInvalid] for
// whatever does not agree with itself.
func ParseTrust(data []byte) (*Trust, error) {
	if len(data) > maxTrust {
		return nil, fmt.Errorf("%w: more than %d bytes", evidence.ErrInvalid, maxTrust)
	}
	var head struct {
		Type    string `json:"type"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("%w: not JSON: %v", evidence.ErrInvalid, err)
	}
	if head.Type != TypeTrust || head.Version != 1 && head.Version != 2 {
		return nil, fmt.Errorf("%w: %q version %d", evidence.ErrUnknownFormat, clip(head.Type), head.Version)
	}
	var doc trustDoc
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("%w: %v", evidence.ErrInvalid, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: bytes after the document", evidence.ErrInvalid)
	}
	t := &Trust{Organisation: doc.Organisation, Required: doc.Required}
	for _, s := range doc.Signers {
		signer, err := s.parse()
		if err != nil {
			return nil, fmt.Errorf("signer %q: %w", clip(s.Name), err)
		}
		if head.Version == 1 && !signer.RevokedAt.IsZero() {
			return nil, fmt.Errorf("signer %q: %w: a revocation in version 1", clip(s.Name), evidence.ErrInvalid)
		}
		t.Signers = append(t.Signers, signer)
	}
	for _, a := range doc.Authorities {
		authority, err := a.parse()
		if err != nil {
			return nil, fmt.Errorf("timestamp authority %q: %w", clip(a.Name), err)
		}
		t.Authorities = append(t.Authorities, authority)
	}
	for _, l := range doc.Logs {
		log, err := ParseLog(l.Key)
		if err != nil {
			return nil, err
		}
		if log.Origin != l.Origin {
			return nil, fmt.Errorf("%w: log %q has a key of another name", evidence.ErrInvalid, clip(l.Origin))
		}
		t.Logs = append(t.Logs, log)
	}
	for _, d := range doc.Witnesses {
		w, err := custody.ParseCosigner(d.Key)
		if err != nil {
			return nil, err
		}
		if w.Name != d.Name || slices.ContainsFunc(t.Witnesses, func(have custody.Cosigner) bool { return have.Name == w.Name }) {
			return nil, fmt.Errorf("%w: witness %q has a key of another name, or is there twice", evidence.ErrInvalid, clip(d.Name))
		}
		t.Witnesses = append(t.Witnesses, w)
	}
	switch {
	case len(t.Signers) == 0:
		return nil, fmt.Errorf("%w: it names no signer", evidence.ErrInvalid)
	case len(t.Required) == 0:
		return nil, fmt.Errorf("%w: it requires no algorithm", evidence.ErrInvalid)
	}
	return t, nil
}

// Encode writes the trust file: indented JSON, meant to be read by people too.
func (t *Trust) Encode() ([]byte, error) {
	doc := trustDoc{
		Type: TypeTrust, Version: 1, Organisation: t.Organisation, Required: t.Required,
		Signers: []signerDoc{}, Authorities: []timeAuthorityDoc{}, Logs: []logDoc{},
	}
	for _, s := range t.Signers {
		key, err := publicPEM(s.Key)
		if err != nil {
			return nil, err
		}
		d := signerDoc{Name: s.Name, Algorithm: s.Algorithm, KeyID: s.KeyID, PublicKey: string(key), NotBefore: s.NotBefore.UTC(), NotAfter: s.NotAfter.UTC()}
		if s.Certificate != nil {
			d.Certificate = string(certificatesPEM(s.Certificate))
		}
		if !s.RevokedAt.IsZero() {
			at := s.RevokedAt.UTC()
			d.RevokedAt, d.RevokedReason, doc.Version = &at, s.RevokedReason, 2
		}
		doc.Signers = append(doc.Signers, d)
	}
	for _, a := range t.Authorities {
		doc.Authorities = append(doc.Authorities, timeAuthorityDoc{
			Name: a.Name, Assertion: a.Assertion, Chain: string(certificatesPEM(a.Chain...)),
			NotBefore: a.NotBefore.UTC(), NotAfter: a.NotAfter.UTC(),
		})
	}
	for _, l := range t.Logs {
		doc.Logs = append(doc.Logs, logDoc{Origin: l.Origin, Key: l.Key})
	}
	for _, w := range t.Witnesses {
		doc.Witnesses = append(doc.Witnesses, witnessDoc{Name: w.Name, Key: w.Key})
	}
	out, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("trust file: %w", err)
	}
	return append(out, '\n'), nil
}

// Signer finds the signer of a key id.
func (t *Trust) Signer(keyID string) (Signer, bool) {
	for _, s := range t.Signers {
		if s.KeyID == keyID {
			return s, true
		}
	}
	return Signer{}, false
}

// Log finds the log of an origin.
func (t *Trust) Log(origin string) (Log, bool) {
	for _, l := range t.Logs {
		if l.Origin == origin {
			return l, true
		}
	}
	return Log{}, false
}

// openssl returns the files root.pem and tsa-chain.pem of the first
// authority, as openssl wants them.
func (t *Trust) openssl() (root, chain []byte) {
	if len(t.Authorities) == 0 {
		return nil, nil
	}
	c := t.Authorities[0].Chain
	return certificatesPEM(c[len(c)-1]), certificatesPEM(c...)
}

func (d signerDoc) parse() (Signer, error) {
	s := Signer{Name: d.Name, Algorithm: d.Algorithm, KeyID: d.KeyID, NotBefore: d.NotBefore, NotAfter: d.NotAfter}
	if d.RevokedAt != nil {
		s.RevokedAt, s.RevokedReason = *d.RevokedAt, d.RevokedReason
	}
	if d.Algorithm != AlgorithmECDSA {
		return Signer{}, fmt.Errorf("%w: algorithm %q", evidence.ErrUnknownFormat, clip(d.Algorithm))
	}
	key, err := ParsePublicKey([]byte(d.PublicKey))
	if err != nil {
		return Signer{}, err
	}
	s.Key = key
	if id, err := KeyID(key); err != nil || id != d.KeyID {
		return Signer{}, fmt.Errorf("%w: key id does not belong to the key", evidence.ErrInvalid)
	}
	if d.Certificate != "" {
		certs, err := ParseCertificates([]byte(d.Certificate))
		if err != nil {
			return Signer{}, err
		}
		if len(certs) != 1 || !key.Equal(certs[0].PublicKey) {
			return Signer{}, fmt.Errorf("%w: certificate is of another key", evidence.ErrInvalid)
		}
		s.Certificate = certs[0]
	}
	if !s.NotAfter.After(s.NotBefore) {
		return Signer{}, fmt.Errorf("%w: it is never valid", evidence.ErrInvalid)
	}
	return s, nil
}

func (d timeAuthorityDoc) parse() (TimeAuthority, error) {
	if d.Assertion != AssertedByOperator && d.Assertion != AssertedByThirdParty {
		return TimeAuthority{}, fmt.Errorf("%w: assertion %q", evidence.ErrInvalid, clip(d.Assertion))
	}
	chain, err := ParseCertificates([]byte(d.Chain))
	if err != nil {
		return TimeAuthority{}, err
	}
	if !d.NotAfter.After(d.NotBefore) {
		return TimeAuthority{}, fmt.Errorf("%w: it is never valid", evidence.ErrInvalid)
	}
	a := TimeAuthority{Name: d.Name, Assertion: d.Assertion, Chain: chain, NotBefore: d.NotBefore, NotAfter: d.NotAfter}
	if err := a.checkChain(); err != nil {
		return TimeAuthority{}, err
	}
	return a, nil
}

func (a TimeAuthority) checkChain() error {
	if len(a.Chain) < 2 || len(a.Chain) > 5 {
		return fmt.Errorf("%w: chain of %d certificates", evidence.ErrInvalid, len(a.Chain))
	}
	for i, c := range a.Chain[:len(a.Chain)-1] {
		if err := c.CheckSignatureFrom(a.Chain[i+1]); err != nil {
			return fmt.Errorf("%w: chain is broken at %d: %v", evidence.ErrInvalid, i, err)
		}
	}
	return nil
}

// ParseLog reads a C2SP note verifier key.
func ParseLog(vkey string) (Log, error) {
	if len(vkey) > 1024 {
		return Log{}, fmt.Errorf("%w: log key of %d bytes", evidence.ErrInvalid, len(vkey))
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return Log{}, fmt.Errorf("%w: log key: %v", evidence.ErrInvalid, err)
	}
	return Log{Origin: v.Name(), Key: vkey, Verifier: v}, nil
}

// ParsePublicKey reads one PEM block with a P-256 key in PKIX form and nothing else.
func ParsePublicKey(data []byte) (*ecdsa.PublicKey, error) {
	block, rest := pem.Decode(data)
	if block == nil || block.Type != "PUBLIC KEY" || len(block.Headers) > 0 || strings.TrimSpace(string(rest)) != "" {
		return nil, fmt.Errorf("%w: not one PEM public key", evidence.ErrInvalid)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", evidence.ErrInvalid, err)
	}
	ec, ok := key.(*ecdsa.PublicKey)
	if !ok || ec.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: not an ECDSA P-256 key", evidence.ErrInvalid)
	}
	return ec, nil
}

// ParseCertificates reads 1 to 8 PEM certificates and nothing else.
func ParseCertificates(data []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for strings.TrimSpace(string(data)) != "" {
		block, rest := pem.Decode(data)
		if block == nil || block.Type != "CERTIFICATE" || len(block.Headers) > 0 || len(out) == 8 {
			return nil, fmt.Errorf("%w: not a list of PEM certificates", evidence.ErrInvalid)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: %v", evidence.ErrInvalid, err)
		}
		out, data = append(out, cert), rest
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: no certificate", evidence.ErrInvalid)
	}
	return out, nil
}

func publicPEM(key *ecdsa.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", evidence.ErrInvalid, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

func certificatesPEM(certs ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// Claimed builds what a package says of itself from its own certificate files:
// the key that sealed and its certificate, the timestamp authority's chain and
// the log's key. Nothing of it may be trusted; see [BundleInput].
func Claimed(signerKey, signerCert, chain []byte, logKey string) (*Trust, error) {
	return ClaimedWith(signerKey, signerCert, chain, logKey, nil, nil)
}

// ClaimedWith is [Claimed] with the key, and its certificate, that sealed the
// recording inside where that is an older one. Both may be nil.
func ClaimedWith(signerKey, signerCert, chain []byte, logKey string, olderKey, olderCert []byte) (*Trust, error) {
	t, err := claimed(signerKey, signerCert, chain, logKey)
	if err != nil || olderKey == nil {
		return t, err
	}
	older, err := claimed(olderKey, olderCert, chain, logKey)
	if err != nil {
		return nil, err
	}
	if older.Organisation != t.Organisation || older.Signers[0].KeyID == t.Signers[0].KeyID {
		return nil, fmt.Errorf("%w: the older signer's certificate is of another organisation, or of the same key", evidence.ErrInvalid)
	}
	t.Signers = append(t.Signers, older.Signers[0])
	return t, nil
}

func claimed(signerKey, signerCert, chain []byte, logKey string) (*Trust, error) {
	key, err := ParsePublicKey(signerKey)
	if err != nil {
		return nil, err
	}
	certs, err := ParseCertificates(signerCert)
	if err != nil {
		return nil, err
	}
	authority, err := ParseCertificates(chain)
	if err != nil {
		return nil, err
	}
	if len(certs) != 1 || !key.Equal(certs[0].PublicKey) || len(certs[0].Subject.Organization) != 1 {
		return nil, fmt.Errorf("%w: the signer's certificate is of another key", evidence.ErrInvalid)
	}
	t, err := newTrust(Config{Organisation: certs[0].Subject.Organization[0], LogKeys: []string{logKey}}, certs[0], authority)
	if err != nil {
		return nil, err
	}
	return t, t.Authorities[0].checkChain()
}
