package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/people"
)

// ceremonyLife is how long a person has to touch her authenticator.
const ceremonyLife = 5 * time.Minute

// ErrPasskey says that what an authenticator answered does not hold. It wraps
// evidence.ErrUnauthenticated and says nothing more to whoever tries.
var ErrPasskey = fmt.Errorf("the passkey was not accepted: %w", evidence.ErrUnauthenticated)

// Ceremonies keeps challenges between a ceremony's two requests, each for one
// answer. A write is durable when it returns. Safe for concurrent use.
type Ceremonies interface {
	SaveCeremony(ctx context.Context, hash string, data []byte, now, expires evidence.Instant) error
	// TakeCeremony returns what was saved and removes it; evidence.ErrNotFound if
	// it was taken, expired, or never was.
	TakeCeremony(ctx context.Context, hash string, now evidence.Instant) ([]byte, error)
}

// Passkeys makes and checks WebAuthn credentials (W3C Web Authentication Level 3)
// that are discoverable and verify their user. Safe for concurrent use.
type Passkeys struct {
	web   *webauthn.WebAuthn
	store Ceremonies
	clock evidence.Clock
}

// NewPasskeys returns nil, and no error, if the pages are served under a bare
// address: WebAuthn binds credentials to names (use https://localhost there).
func NewPasskeys(store Ceremonies, clock evidence.Clock, baseURL, issuer string) (*Passkeys, error) {
	base, err := url.Parse(baseURL)
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w: the pages' address", evidence.ErrInvalid)
	}
	host := base.Hostname()
	if host == "" || net.ParseIP(host) != nil {
		return nil, nil
	}
	web, err := webauthn.New(&webauthn.Config{
		RPID: host, RPDisplayName: issuer, RPOrigins: []string{base.Scheme + "://" + base.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w: %v", evidence.ErrInvalid, err)
	}
	return &Passkeys{web: web, store: store, clock: clock}, nil
}

// Challenge begins a ceremony: Options go to navigator.credentials, Token comes
// back with the answer.
type Challenge struct {
	Token   string
	Options any
}

// user is an account as WebAuthn wants it.
type user struct {
	account people.Account
	keys    []webauthn.Credential
}

func (u user) WebAuthnID() []byte                         { return []byte(u.account.ID) }
func (u user) WebAuthnName() string                       { return u.account.Login }
func (u user) WebAuthnDisplayName() string                { return u.account.Name }
func (u user) WebAuthnCredentials() []webauthn.Credential { return u.keys }

func userOf(a people.Account, all []people.Passkey) (user, error) {
	u := user{account: a}
	for _, p := range all {
		var c webauthn.Credential
		if err := json.Unmarshal(p.Credential, &c); err != nil {
			return u, fmt.Errorf("passkey of account %s: %w", a.ID, err)
		}
		u.keys = append(u.keys, c)
	}
	return u, nil
}

// BeginAdd begins to make a passkey for an account that has some already.
func (p *Passkeys) BeginAdd(ctx context.Context, a people.Account, have []people.Passkey) (Challenge, error) {
	u, err := userOf(a, have)
	if err != nil {
		return Challenge{}, err
	}
	exclude := make([]protocol.CredentialDescriptor, 0, len(u.keys))
	for _, c := range u.keys {
		exclude = append(exclude, c.Descriptor())
	}
	options, session, err := p.web.BeginRegistration(u, webauthn.WithExclusions(exclude))
	if err != nil {
		return Challenge{}, fmt.Errorf("beginning a passkey: %w", err)
	}
	token, err := p.keep(ctx, session)
	return Challenge{Token: token, Options: options}, err
}

// FinishAdd checks the authenticator's answer for the same account and returns
// the passkey to be stored, without a name.
func (p *Passkeys) FinishAdd(ctx context.Context, a people.Account, token string, answer []byte) (people.Passkey, error) {
	session, err := p.take(ctx, token)
	if err != nil {
		return people.Passkey{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return people.Passkey{}, ErrPasskey
	}
	made, err := p.web.CreateCredential(user{account: a}, session, parsed)
	if err != nil {
		return people.Passkey{}, ErrPasskey
	}
	record, err := json.Marshal(made)
	if err != nil {
		return people.Passkey{}, fmt.Errorf("writing a passkey: %w", err)
	}
	return people.Passkey{ID: made.ID, Credential: record}, nil
}

// BeginSignIn begins a sign-in of whoever the authenticator knows.
func (p *Passkeys) BeginSignIn(ctx context.Context) (Challenge, error) {
	options, session, err := p.web.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return Challenge{}, fmt.Errorf("beginning a sign-in: %w", err)
	}
	token, err := p.keep(ctx, session)
	return Challenge{Token: token, Options: options}, err
}

// FinishSignIn checks the authenticator's answer. holder finds the account that
// it names and its passkeys. A passkey whose counter ran backwards is refused:
// there are two of it.
func (p *Passkeys) FinishSignIn(ctx context.Context, token string, answer []byte, holder func(evidence.ID) (people.Account, []people.Passkey, error)) (people.Account, people.Passkey, error) {
	session, err := p.take(ctx, token)
	if err != nil {
		return people.Account{}, people.Passkey{}, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return people.Account{}, people.Passkey{}, ErrPasskey
	}
	var found user
	var failed error // of the store: not the caller's fault
	_, used, err := p.web.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		id, err := evidence.ParseID(string(handle))
		if err != nil {
			return nil, err
		}
		a, keys, err := holder(id)
		if err == nil {
			found, err = userOf(a, keys)
		}
		if err != nil && !errors.Is(err, evidence.ErrUnauthenticated) {
			failed = err
		}
		return found, err
	}, session, parsed)
	if failed != nil {
		return people.Account{}, people.Passkey{}, failed
	}
	if err != nil || used.Authenticator.CloneWarning {
		return people.Account{}, people.Passkey{}, ErrPasskey
	}
	record, err := json.Marshal(used)
	if err != nil {
		return people.Account{}, people.Passkey{}, fmt.Errorf("writing a passkey: %w", err)
	}
	return found.account, people.Passkey{ID: used.ID, Account: found.account.ID, Credential: record}, nil
}

func (p *Passkeys) keep(ctx context.Context, session *webauthn.SessionData) (string, error) {
	data, err := json.Marshal(session)
	if err != nil {
		return "", fmt.Errorf("writing a ceremony: %w", err)
	}
	token := rand.Text()
	now := evidence.At(p.clock())
	if err := p.store.SaveCeremony(ctx, hashOf(token), data, now, now+evidence.Instant(ceremonyLife.Microseconds())); err != nil {
		return "", fmt.Errorf("keeping a ceremony: %w", err)
	}
	return token, nil
}

func (p *Passkeys) take(ctx context.Context, token string) (session webauthn.SessionData, err error) {
	data, err := p.store.TakeCeremony(ctx, hashOf(token), evidence.At(p.clock()))
	if errors.Is(err, evidence.ErrNotFound) {
		return session, ErrPasskey
	}
	if err == nil {
		err = json.Unmarshal(data, &session)
	}
	if err != nil {
		return session, fmt.Errorf("reading a ceremony: %w", err)
	}
	return session, nil
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
