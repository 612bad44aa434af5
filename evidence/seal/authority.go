package seal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/toldonce/toldonce/evidence"
)

// ManifestName is the name of a manifest as the subject of a seal's statement,
// and of its file.
const ManifestName = "recording.json"

// Authority seals for one agency: a signer and the built-in timestamp authority.
// It is safe for concurrent use.
type Authority struct {
	dir    string
	trust  *Trust
	clock  evidence.Clock
	keyID  string
	signer signature.SignerVerifier
	tsa    timestamper
}

// Trust is what others need to check this authority's seals.
func (a *Authority) Trust() *Trust { return a.trust }

// TrustFolder is the folder of public files that [Init] wrote.
func (a *Authority) TrustFolder() string { return filepath.Join(a.dir, trustFolder) }

// KeyID is the [KeyID] of the key that seals.
func (a *Authority) KeyID() string { return a.keyID }

// PredicateOf repeats a manifest's outline, as the statement carries it.
func PredicateOf(m evidence.Manifest) evidence.RecordingPredicate {
	return evidence.RecordingPredicate{
		Version: 1, Recording: m.Recording, Interview: m.Interview,
		StartedAt: m.StartedAt, StoppedAt: m.StoppedAt,
		TreeSize: m.Tree.Size, TreeRoot: m.Tree.Root,
	}
}

// Seal signs and timestamps a recording by its canonical manifest. It refuses,
// with an error that wraps [evidence.ErrInvalid], a manifest that a verifier would
// refuse and a predicate that does not repeat it. It takes constant time and
// touches no network and no disk; what it returns was verified before.
func (a *Authority) Seal(ctx context.Context, manifest []byte, predicate evidence.RecordingPredicate) (Sealed, error) {
	m, err := ParseManifest(manifest)
	if err != nil {
		return Sealed{}, fmt.Errorf("sealing a recording: %w", err)
	}
	if predicate != PredicateOf(m) {
		return Sealed{}, fmt.Errorf("sealing recording %s: %w: the predicate does not repeat the manifest", m.Recording, evidence.ErrInvalid)
	}
	statement, err := evidence.Canonical(evidence.Statement{
		Type: StatementType, Subject: subject(ManifestName, manifest),
		PredicateType: evidence.PredicateRecording, Predicate: predicate,
	})
	if err != nil {
		return Sealed{}, fmt.Errorf("sealing recording %s: %w", m.Recording, err)
	}
	s, err := a.sign(ctx, statement, ManifestName, manifest)
	if err != nil {
		return Sealed{}, fmt.Errorf("sealing recording %s: %w", m.Recording, err)
	}
	return s, nil
}

// SealFile signs and timestamps any file: a statement about content, under name,
// of the given in-toto predicate type. The predicate becomes canonical JSON.
func (a *Authority) SealFile(ctx context.Context, name string, content []byte, predicateType string, predicate any) (Sealed, error) {
	statement, err := evidence.Canonical(FileStatement[any]{
		Type: StatementType, Subject: subject(name, content), PredicateType: predicateType, Predicate: predicate,
	})
	if err != nil {
		return Sealed{}, fmt.Errorf("sealing %s: %w", name, err)
	}
	s, err := a.sign(ctx, statement, name, content)
	if err != nil {
		return Sealed{}, fmt.Errorf("sealing %s: %w", name, err)
	}
	return s, nil
}

// FileStatement is an in-toto Statement v1 with a predicate of type P.
type FileStatement[P any] struct {
	Type          string             `json:"_type"`
	Subject       []evidence.Subject `json:"subject"`
	PredicateType string             `json:"predicateType"`
	Predicate     P                  `json:"predicate"`
}

func subject(name string, content []byte) []evidence.Subject {
	sum := sha256.Sum256(content)
	return []evidence.Subject{{Name: name, Digest: map[string]string{"sha256": hex.EncodeToString(sum[:])}}}
}

func (a *Authority) sign(ctx context.Context, statement []byte, name string, content []byte) (Sealed, error) {
	if err := ctx.Err(); err != nil {
		return Sealed{}, err
	}
	signed := PAE(statement)
	sig, err := a.signer.SignMessage(bytes.NewReader(signed), options.WithContext(ctx))
	if err != nil {
		return Sealed{}, fmt.Errorf("%w: signing: %v", evidence.ErrUnavailable, err)
	}
	token, err := a.tsa.stamp(sig)
	if err != nil {
		return Sealed{}, fmt.Errorf("timestamp: %w", err)
	}
	data, err := makeBundle(statement, sig, a.keyID, token)
	if err != nil {
		return Sealed{}, err
	}
	// A seal that its own trust file would not accept, because the clock left a
	// certificate's validity, must not be stored.
	got, findings := CheckBundle(BundleInput{Check: "seal", Bundle: data, Subject: name, Digest: sha256.Sum256(content), Trust: a.trust})
	for _, f := range findings {
		if f.Status != Holds {
			return Sealed{}, fmt.Errorf("%w: the seal just made does not verify: %s", evidence.ErrUnavailable, f.Detail)
		}
	}
	return got, nil
}

// Stamp returns an RFC 3161 TimeStampResp over data by the built-in authority.
func (a *Authority) Stamp(data []byte) ([]byte, error) { return a.tsa.stamp(data) }
