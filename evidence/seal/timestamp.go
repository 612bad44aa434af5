package seal

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/sigstore/timestamp-authority/v2/pkg/verification"

	"github.com/toldonce/toldonce/evidence"
)

// timestampPolicy is the policy of the built-in authority's tokens. It lies in
// the example arc (X.660): the tokens claim no registered policy.
var timestampPolicy = asn1.ObjectIdentifier{2, 999, 1}

// timestamper is the built-in RFC 3161 authority: a key of its own and the
// server's clock. What it says is the operator's word, and reports say so.
type timestamper struct {
	key   *ecdsa.PrivateKey
	cert  *x509.Certificate
	clock evidence.Clock
}

// stamp returns a TimeStampResp over data. Times are whole seconds, rounded
// down, with an accuracy of one second.
func (t timestamper) stamp(data []byte) ([]byte, error) {
	sum := sha256.Sum256(data)
	ts := timestamp.Timestamp{
		HashAlgorithm:     crypto.SHA256,
		HashedMessage:     sum[:],
		Time:              t.clock().UTC().Truncate(time.Second),
		Accuracy:          time.Second,
		Policy:            timestampPolicy,
		AddTSACertificate: true,
	}
	out, err := ts.CreateResponseWithOpts(t.cert, t.key, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("making a timestamp: %w", err)
	}
	return out, nil
}

// The parts of a TimeStampResp (RFC 3161, RFC 5652) that are not under the
// token's signature. Go's asn1 skips what follows the fields that it knows, so
// each level is encoded again and compared.
type (
	tspResponse struct {
		Status struct{ Status int }
		Token  asn1.RawValue
	}
	cmsContent struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue // [0] EXPLICIT
	}
	cmsSignedData struct {
		Version      int
		Digests      []cmsAlgorithm `asn1:"set"`
		Content      cmsContent
		Certificates asn1.RawValue   // [0] IMPLICIT
		Signers      []cmsSignerInfo `asn1:"set"`
	}
	cmsSignerInfo struct {
		Version   int
		Issuer    cmsIssuer
		Digest    cmsAlgorithm
		Attrs     asn1.RawValue // [0] IMPLICIT
		Algorithm cmsAlgorithm
		Signature []byte
	}
	cmsIssuer struct {
		Name   asn1.RawValue
		Serial asn1.RawValue
	}
	cmsAlgorithm struct {
		ID     asn1.ObjectIdentifier
		Params asn1.RawValue `asn1:"optional"`
	}
)

var (
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidTSTInfo    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}

	// What a signer's digest and signature algorithms may be, together.
	cmsAlgorithms = []struct {
		digest, signature asn1.ObjectIdentifier
		x509              x509.SignatureAlgorithm
	}{
		{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, x509.ECDSAWithSHA256},
		{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}, x509.ECDSAWithSHA384},
		{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}, x509.ECDSAWithSHA512},
		{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, x509.SHA256WithRSA},
		{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, x509.SHA384WithRSA},
		{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, x509.SHA512WithRSA},
	}
)

// unmarshalExact reads one DER value that is exactly what v encodes to.
func unmarshalExact(der []byte, v any) error {
	rest, err := asn1.Unmarshal(der, v)
	if err != nil {
		return fmt.Errorf("%w: %v", evidence.ErrInvalid, err)
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: bytes after the value", evidence.ErrInvalid)
	}
	return nil
}

func sameEncoding(der []byte, v any) error {
	again, err := asn1.Marshal(v)
	if err != nil || !bytes.Equal(again, der) {
		return fmt.Errorf("%w: holds more than a plain timestamp does", evidence.ErrInvalid)
	}
	return nil
}

// checkToken demands that every byte of a TimeStampResp is either under the
// signature of cert or the one value that it may have. Nothing can then be
// changed or added without the timestamp failing. It returns the certificates
// inside. Checking the chain and the time is left to the caller.
func checkToken(response []byte, chain []*x509.Certificate) error {
	var resp tspResponse
	if err := unmarshalExact(response, &resp); err != nil {
		return err
	}
	if err := sameEncoding(response, resp); err != nil {
		return err
	}
	if resp.Status.Status != 0 {
		return fmt.Errorf("%w: status is not \"granted\"", evidence.ErrInvalid)
	}
	var outer cmsContent
	if err := unmarshalExact(resp.Token.FullBytes, &outer); err != nil {
		return err
	}
	if err := sameEncoding(resp.Token.FullBytes, outer); err != nil {
		return err
	}
	if !outer.Type.Equal(oidSignedData) || !isContext0(outer.Content) {
		return fmt.Errorf("%w: not signed data", evidence.ErrInvalid)
	}
	var sd cmsSignedData
	if err := unmarshalExact(outer.Content.Bytes, &sd); err != nil {
		return err
	}
	if err := sameEncoding(outer.Content.Bytes, sd); err != nil {
		return err
	}
	if sd.Version != 3 || len(sd.Digests) != 1 || len(sd.Signers) != 1 || !sd.Content.Type.Equal(oidTSTInfo) || !isContext0(sd.Content.Content) || !isContext0(sd.Certificates) {
		return fmt.Errorf("%w: not a timestamp by one signer", evidence.ErrInvalid)
	}
	var info []byte
	if err := unmarshalExact(sd.Content.Content.Bytes, &info); err != nil {
		return err
	}
	if err := sameEncoding(sd.Content.Content.Bytes, info); err != nil {
		return err
	}
	certs := sd.Certificates.Bytes
	for i := 0; len(certs) > 0; i++ {
		if i == len(chain) || !bytes.HasPrefix(certs, chain[i].Raw) {
			return fmt.Errorf("%w: holds a certificate that is not of the authority's chain", evidence.ErrInvalid)
		}
		certs = certs[len(chain[i].Raw):]
	}
	if len(sd.Certificates.Bytes) == 0 {
		return fmt.Errorf("%w: holds no certificate", evidence.ErrInvalid)
	}
	return checkSigner(sd.Signers[0], sd.Digests[0], chain[0])
}

func checkSigner(si cmsSignerInfo, digest cmsAlgorithm, cert *x509.Certificate) error {
	serial, err := asn1.Marshal(cert.SerialNumber)
	if err != nil {
		return fmt.Errorf("%w: %v", evidence.ErrInvalid, err)
	}
	if si.Version != 1 || !bytes.Equal(si.Issuer.Name.FullBytes, cert.RawIssuer) || !bytes.Equal(si.Issuer.Serial.FullBytes, serial) {
		return fmt.Errorf("%w: names another signer than its certificate", evidence.ErrInvalid)
	}
	if !isContext0(si.Attrs) || len(si.Attrs.Bytes) == 0 {
		return fmt.Errorf("%w: no signed attributes", evidence.ErrInvalid)
	}
	for _, a := range []cmsAlgorithm{si.Digest, si.Algorithm, digest} {
		if p := a.Params.FullBytes; len(p) > 0 && !bytes.Equal(p, asn1.NullBytes) {
			return fmt.Errorf("%w: algorithm parameters", evidence.ErrInvalid)
		}
	}
	for _, known := range cmsAlgorithms {
		if si.Digest.ID.Equal(known.digest) && digest.ID.Equal(known.digest) && si.Algorithm.ID.Equal(known.signature) {
			// RFC 5652 section 5.4: the attributes are signed as a SET.
			attrs := bytes.Clone(si.Attrs.FullBytes)
			attrs[0] = asn1.TagSet | 0x20
			if err := cert.CheckSignature(known.x509, attrs, si.Signature); err != nil {
				return fmt.Errorf("%w: the authority's signature does not verify", evidence.ErrInvalid)
			}
			return nil
		}
	}
	return fmt.Errorf("%w: its algorithms are none that are accepted", evidence.ErrInvalid)
}

func isContext0(v asn1.RawValue) bool {
	return v.Class == asn1.ClassContextSpecific && v.Tag == 0 && v.IsCompound
}

// verify checks a token over data against the authority's chain, by the library
// that Sigstore checks it with, and returns its time in UTC.
func (a TimeAuthority) verify(token, data []byte) (time.Time, error) {
	last := len(a.Chain) - 1
	ts, err := verification.VerifyTimestampResponse(token, bytes.NewReader(data), verification.VerifyOpts{
		Roots: a.Chain[last:], Intermediates: a.Chain[1:last], TSACertificate: a.Chain[0],
	})
	switch {
	case err != nil:
		return time.Time{}, err
	case ts.Time.Before(a.NotBefore) || ts.Time.After(a.NotAfter):
		return time.Time{}, fmt.Errorf("%w: the authority may not tell the time at %s", evidence.ErrInvalid, ts.Time.UTC().Format(time.RFC3339))
	}
	return ts.Time.UTC(), nil
}

// tokenCertificate finds the certificate of a token's signer without judging it.
func tokenCertificate(response []byte) (*x509.Certificate, error) {
	ts, err := timestamp.ParseResponse(response)
	if err != nil {
		return nil, fmt.Errorf("%w: not a timestamp: %v", evidence.ErrInvalid, err)
	}
	if len(ts.Certificates) == 0 {
		return nil, fmt.Errorf("%w: holds no certificate", evidence.ErrInvalid)
	}
	return ts.Certificates[0], nil
}
