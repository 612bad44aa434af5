//go:build !js

package seal

import (
	"crypto"
	"fmt"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
)

type oneSeal struct {
	*root.BaseTrustedMaterial
	authority root.TimestampingAuthority
	signer    Signer
}

func (o oneSeal) TimestampingAuthorities() []root.TimestampingAuthority {
	return []root.TimestampingAuthority{o.authority}
}

func (o oneSeal) PublicKeyVerifier(hint string) (root.TimeConstrainedVerifier, error) {
	if hint != o.signer.KeyID {
		return nil, fmt.Errorf("no key %q", clip(hint))
	}
	v, err := signature.LoadVerifier(o.signer.Key, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return root.NewExpiringKey(v, o.signer.NotBefore, o.signer.NotAfter), nil
}

func sigstoreVerify(in BundleInput, signer Signer, authority TimeAuthority) error {
	var b bundle.Bundle
	if err := b.UnmarshalJSON(in.Bundle); err != nil {
		return err
	}
	v, err := verify.NewVerifier(oneSeal{authority: authority.sigstore(authorityURI(0)), signer: signer}, verify.WithSignedTimestamps(1))
	if err != nil {
		return err
	}
	_, err = v.Verify(&b, verify.NewPolicy(verify.WithArtifactDigest("sha256", in.Digest[:]), verify.WithKey()))
	return err
}

// sigstore returns the authority as sigstore-go verifies by it.
func (a TimeAuthority) sigstore(uri string) *root.SigstoreTimestampingAuthority {
	last := len(a.Chain) - 1
	return &root.SigstoreTimestampingAuthority{
		Root: a.Chain[last], Intermediates: a.Chain[1:last], Leaf: a.Chain[0],
		ValidityPeriodStart: a.NotBefore, ValidityPeriodEnd: a.NotAfter, URI: uri,
	}
}
