package people

import (
	"context"
	"errors"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

// maxPasskeys bounds the passkeys of one account.
const maxPasskeys = 10

// Passkey is a WebAuthn credential of an account. It holds no secret.
type Passkey struct {
	ID         []byte // the credential's identifier, chosen by the authenticator
	Account    evidence.ID
	Name       string // what the holder calls it
	Credential []byte // the public record, as package web/login writes it
	CreatedAt  evidence.Instant
	UsedAt     evidence.Instant // 0: never
}

// Passkeys lists the actor's own passkeys, oldest first.
func (s *Service) Passkeys(ctx context.Context, actor evidence.Actor) ([]Passkey, error) {
	if err := s.ownPasskeys(ctx, actor, access.PasskeyList); err != nil {
		return nil, err
	}
	return s.Store.Passkeys(ctx, actor.Account)
}

func (s *Service) ownPasskeys(ctx context.Context, actor evidence.Actor, action string) error {
	return s.Access.Authorize(ctx, actor, action, evidence.Resource{Kind: access.KindAccount, ID: actor.Account})
}

// AddPasskey stores a passkey that the actor's authenticator has just made for
// her and proved. At most ten are kept. One that is stored already, for her or
// another account, is evidence.ErrConflict.
func (s *Service) AddPasskey(ctx context.Context, actor evidence.Actor, p Passkey) (Passkey, error) {
	if err := s.ownPasskeys(ctx, actor, access.PasskeyAdd); err != nil {
		return Passkey{}, err
	}
	if p.Name = line(p.Name); p.Name == "" || len(p.Name) > maxText {
		return Passkey{}, evidence.Refuse(evidence.ErrInvalid, "passkey.name", "Give the passkey a name of at most 200 bytes, such as that of the device.", "")
	}
	have, err := s.Store.Passkeys(ctx, actor.Account)
	if err != nil {
		return Passkey{}, err
	}
	if len(have) >= maxPasskeys {
		return Passkey{}, evidence.Refuse(evidence.ErrConflict, "passkey.many", "Ten passkeys are kept at most. Remove one that you do not use.", "")
	}
	if p.CreatedAt, err = s.Store.Now(ctx); err != nil {
		return Passkey{}, err
	}
	p.Account, p.UsedAt = actor.Account, 0
	entry := custody.Entry{Actor: actor, Action: access.PasskeyAdd, Agency: actor.Agency, Subject: actor.Account}
	if err := s.Store.SavePasskey(ctx, p, entry); err != nil {
		if errors.Is(err, evidence.ErrConflict) {
			return Passkey{}, evidence.Refuse(evidence.ErrConflict, "passkey.known", "This passkey is known already.", "")
		}
		return Passkey{}, fmt.Errorf("saving a passkey of account %s: %w", actor.Account, err)
	}
	return p, nil
}

// RemovePasskey ends one of the actor's own passkeys. Password and second factor
// stay, so that nobody locks herself out.
func (s *Service) RemovePasskey(ctx context.Context, actor evidence.Actor, id []byte) error {
	if err := s.ownPasskeys(ctx, actor, access.PasskeyRemove); err != nil {
		return err
	}
	entry := custody.Entry{Actor: actor, Action: access.PasskeyRemove, Agency: actor.Agency, Subject: actor.Account}
	return s.Store.DeletePasskey(ctx, actor.Account, id, entry)
}

// PasskeyHolder returns the active account that an authenticator names, and its
// passkeys. Anything else is evidence.ErrUnauthenticated.
func (s *Service) PasskeyHolder(ctx context.Context, account evidence.ID) (Account, []Passkey, error) {
	a, err := s.Store.Account(ctx, account)
	if errors.Is(err, evidence.ErrNotFound) || err == nil && a.State != Active {
		return Account{}, nil, fmt.Errorf("passkey: %w", evidence.ErrUnauthenticated)
	}
	if err != nil {
		return Account{}, nil, err
	}
	all, err := s.Store.Passkeys(ctx, account)
	return a, all, err
}

// PasskeySignIn signs the holder in after package web/login verified what her
// authenticator signed, with user verification, which stands for both factors
// (P38). p holds the credential's record with its new counter. A passkey that
// was removed meanwhile is evidence.ErrUnauthenticated.
func (s *Service) PasskeySignIn(ctx context.Context, a Account, p Passkey, address string) error {
	var err error
	if p.UsedAt, err = s.Store.Now(ctx); err != nil {
		return err
	}
	actor := evidence.Actor{Kind: evidence.ActorPerson, Account: a.ID, Agency: a.Agency, Role: a.Role, MFA: true, Address: address}
	entry := custody.Entry{Actor: actor, Action: access.EntrySignIn, Agency: a.Agency, Subject: a.ID, Details: map[string]string{"by": "passkey"}}
	switch err := s.Store.PasskeySignedIn(ctx, p, entry); {
	case errors.Is(err, evidence.ErrConflict):
		return fmt.Errorf("passkey: %w", evidence.ErrUnauthenticated)
	case err != nil:
		return fmt.Errorf("signing in account %s: %w", a.ID, err)
	}
	return nil
}
