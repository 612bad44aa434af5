// Package signers opens seal keys that lie in a key management service, by URI, through
// sigstore's interface to such services. Only the service ever holds the private key.
package signers

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms"
	// Registers hashivault:// and openbao://, the transit engine of either.
	_ "github.com/sigstore/sigstore/pkg/signature/kms/hashivault"

	"github.com/toldonce/toldonce/evidence"
)

// patience bounds one question to a service, retries included.
const patience = 20 * time.Second

// known are the services that this program is built with.
var known = []string{"hashivault://", "openbao://"}

// Open returns the signer that a URI names: hashivault://KEY or openbao://KEY, a key
// of type ecdsa-p256 in the transit engine. The server's address and token come from
// VAULT_ADDR and VAULT_TOKEN, or BAO_ADDR and BAO_TOKEN, and the engine's path, if it is
// not "transit", from TRANSIT_SECRET_ENGINE_PATH. The error wraps [evidence.ErrInvalid]
// for another URI and [evidence.ErrUnavailable] if the service cannot be asked. What it
// returns is safe for concurrent use.
func Open(ctx context.Context, uri string) (signature.SignerVerifier, error) {
	supported := false
	for _, scheme := range known {
		supported = supported || strings.HasPrefix(uri, scheme)
	}
	if !supported {
		return nil, fmt.Errorf("seal key: %w: this program knows keys by %s, such as hashivault://toldonce-seal", evidence.ErrInvalid, strings.Join(known, " and "))
	}
	s, err := kms.Get(ctx, uri, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("seal key %s: %w: %v", uri, evidence.ErrUnavailable, err)
	}
	return bounded{s, uri}, nil
}

// bounded gives each question an end: the services' clients take no context.
type bounded struct {
	signature.SignerVerifier
	uri string
}

func ask[T any](uri string, do func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	got := make(chan answer, 1)
	go func() {
		v, err := do()
		got <- answer{v, err}
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	var none T
	select {
	case a := <-got:
		if a.err != nil {
			return none, fmt.Errorf("seal key %s: %w: %v", uri, evidence.ErrUnavailable, a.err)
		}
		return a.value, nil
	case <-timer.C:
		return none, fmt.Errorf("seal key %s: %w: the service did not answer within %s", uri, evidence.ErrUnavailable, patience)
	}
}

// SignMessage implements [signature.Signer].
func (b bounded) SignMessage(message io.Reader, opts ...signature.SignOption) ([]byte, error) {
	return ask(b.uri, func() ([]byte, error) { return b.SignerVerifier.SignMessage(message, opts...) })
}

// PublicKey implements [signature.PublicKeyProvider].
func (b bounded) PublicKey(opts ...signature.PublicKeyOption) (crypto.PublicKey, error) {
	return ask(b.uri, func() (crypto.PublicKey, error) { return b.SignerVerifier.PublicKey(opts...) })
}
