package seal

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
)

const (
	// BundleMediaType names the Sigstore bundle format that is written.
	BundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"
	// PayloadType is the DSSE payload type of an in-toto statement.
	PayloadType = "application/vnd.in-toto+json"
	// StatementType is the in-toto Statement v1 type.
	StatementType = "https://in-toto.io/Statement/v1"

	// AlgorithmECDSA is the algorithm id of ECDSA over P-256 with SHA-256.
	AlgorithmECDSA = "ecdsa-p256-sha256"

	maxBundle = 4 << 20 // a derivation names every segment that was read
)

// The bundle is written and read as the canonical JSON of these types, so that
// there is exactly one encoding of it; Sigstore's own readers accept it.
type bundleDoc struct {
	MediaType string   `json:"mediaType"`
	Envelope  envelope `json:"dsseEnvelope"`
	Material  material `json:"verificationMaterial"`
}

type envelope struct {
	Payload     []byte              `json:"payload"`
	PayloadType string              `json:"payloadType"`
	Signatures  []envelopeSignature `json:"signatures"`
}

type envelopeSignature struct {
	Sig []byte `json:"sig"`
}

type material struct {
	PublicKey  keyHint       `json:"publicKey"`
	Timestamps timestampData `json:"timestampVerificationData"`
}

type keyHint struct {
	Hint string `json:"hint"`
}

type timestampData struct {
	RFC3161 []signedTimestamp `json:"rfc3161Timestamps"`
}

type signedTimestamp struct {
	Response []byte `json:"signedTimestamp"`
}

// Sealed is a seal in the forms that tools read. One bundle carries one
// signature; a second one, by another algorithm, is a second Sealed over the
// same statement.
type Sealed struct {
	Statement      []byte           // canonical in-toto statement: the DSSE payload
	Signed         []byte           // the DSSE pre-authentication encoding: what the signature covers
	Bundle         []byte           // canonical Sigstore bundle v0.3
	Signature      []byte           // ASN.1 DER for AlgorithmECDSA
	TimestampToken []byte           // RFC 3161 TimeStampResp over Signature, DER
	Algorithm      string           // AlgorithmECDSA
	KeyID          string           // [KeyID] of the signer
	Time           evidence.Instant // as the timestamp says, whole seconds
}

// ParseBundle takes a bundle apart. It demands the canonical encoding, the one
// media type, one signature and at most one timestamp, and returns an error that
// wraps [evidence.ErrInvalid] otherwise. It checks no signature; Algorithm and
// Time are not set.
func ParseBundle(data []byte) (Sealed, error) {
	if len(data) > maxBundle {
		return Sealed{}, fmt.Errorf("%w: bundle of %d bytes", evidence.ErrInvalid, len(data))
	}
	var doc bundleDoc
	if err := evidence.DecodeCanonical(data, &doc); err != nil {
		return Sealed{}, err
	}
	switch {
	case doc.MediaType != BundleMediaType:
		return Sealed{}, fmt.Errorf("%w: media type %q", evidence.ErrInvalid, clip(doc.MediaType))
	case doc.Envelope.PayloadType != PayloadType:
		return Sealed{}, fmt.Errorf("%w: payload type %q", evidence.ErrInvalid, clip(doc.Envelope.PayloadType))
	case len(doc.Envelope.Signatures) != 1:
		return Sealed{}, fmt.Errorf("%w: %d signatures in one bundle", evidence.ErrInvalid, len(doc.Envelope.Signatures))
	case len(doc.Material.Timestamps.RFC3161) > 1:
		return Sealed{}, fmt.Errorf("%w: %d timestamps in one bundle", evidence.ErrInvalid, len(doc.Material.Timestamps.RFC3161))
	}
	s := Sealed{
		Statement: doc.Envelope.Payload,
		Signed:    PAE(doc.Envelope.Payload),
		Bundle:    data,
		Signature: doc.Envelope.Signatures[0].Sig,
		KeyID:     doc.Material.PublicKey.Hint,
	}
	if len(doc.Material.Timestamps.RFC3161) == 1 {
		s.TimestampToken = doc.Material.Timestamps.RFC3161[0].Response
	}
	return s, nil
}

func makeBundle(statement, signature []byte, keyID string, token []byte) ([]byte, error) {
	return evidence.Canonical(bundleDoc{
		MediaType: BundleMediaType,
		Envelope: envelope{
			Payload: statement, PayloadType: PayloadType,
			Signatures: []envelopeSignature{{Sig: signature}},
		},
		Material: material{
			PublicKey:  keyHint{Hint: keyID},
			Timestamps: timestampData{RFC3161: []signedTimestamp{{Response: token}}},
		},
	})
}

// PAE is DSSE's pre-authentication encoding of an in-toto statement: the bytes
// that are signed.
func PAE(statement []byte) []byte {
	return append(fmt.Appendf(nil, "DSSEv1 %d %s %d ", len(PayloadType), PayloadType, len(statement)), statement...)
}

// KeyID names a public key: base64 of the SHA-256 of its PKIX form. It is the
// key hint of a bundle.
func KeyID(key crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("%w: %v", evidence.ErrInvalid, err)
	}
	sum := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

// clip keeps what a hostile document says short enough to print.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

// unmarshalLoose reads JSON without demanding that every field is known.
func unmarshalLoose(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%w: %v", evidence.ErrInvalid, err)
	}
	return nil
}
