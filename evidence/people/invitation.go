package people

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

// InvitationLife is how long an invitation can be used.
const InvitationLife = 7 * 24 * time.Hour

// newSecret returns 256 random bits as URL-safe text and their SHA-256.
func newSecret() (text string, hash []byte) {
	var raw [32]byte
	rand.Read(raw[:])
	text = base64.RawURLEncoding.EncodeToString(raw[:])
	return text, hashSecret(text)
}

func hashSecret(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// Invite makes the token with which an account's holder sets her password and
// second factor. It ends earlier invitations of the account. The token is
// returned once and stored only as a hash.
func (s *Service) Invite(ctx context.Context, actor evidence.Actor, account evidence.ID) (token string, inv Invitation, err error) {
	if err := s.Access.Authorize(ctx, actor, access.AccountInvite, evidence.Resource{Kind: access.KindAccount, ID: account}); err != nil {
		return "", Invitation{}, err
	}
	a, err := s.Store.Account(ctx, account)
	if err != nil {
		return "", Invitation{}, err
	}
	if err := invitable(a); err != nil {
		return "", Invitation{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return "", Invitation{}, err
	}
	token, inv = newInvitation(a.ID, actor.Account, now)
	entry := custody.Entry{Actor: actor, Action: access.AccountInvite, Agency: a.Agency, Subject: a.ID}
	if err := s.Store.SaveInvitation(ctx, inv, entry); err != nil {
		return "", Invitation{}, fmt.Errorf("inviting account %s: %w", a.ID, err)
	}
	return token, inv, nil
}

func newInvitation(account, by evidence.ID, now evidence.Instant) (string, Invitation) {
	token, hash := newSecret()
	return token, Invitation{ID: evidence.NewID(), Account: account, TokenHash: hash, CreatedBy: by, CreatedAt: now,
		ExpiresAt: now + evidence.Instant(InvitationLife.Microseconds())}
}

func invitable(a Account) error {
	switch a.State {
	case Invited:
		return nil
	case Proposed:
		return evidence.Refuse(evidence.ErrConflict, "account.unapproved", "A second person must approve this account before its holder can be invited.", "P38")
	case Active:
		return evidence.Refuse(evidence.ErrConflict, "account.active", "The holder of this account has set a password already.", "")
	default:
		return evidence.Refuse(evidence.ErrConflict, "account.disabled", "This account is disabled.", "")
	}
}

// Opened is what the holder of an invitation sees.
type Opened struct {
	Login      string
	Name       string
	Language   string
	TOTPSecret string // base32
	TOTPURI    string // otpauth://totp/…, for a QR code
}

// OpenInvitation shows the holder whose account it is, and the second factor's
// secret, the same each time until it is accepted. A token that is unknown, used
// or expired, and an account that is not approved, all give evidence.ErrNotFound.
func (s *Service) OpenInvitation(ctx context.Context, token string) (Opened, error) {
	inv, a, err := s.invitation(ctx, token)
	if err != nil {
		return Opened{}, err
	}
	secret, err := s.invitationSecret(ctx, inv)
	if err != nil {
		return Opened{}, err
	}
	return Opened{Login: a.Login, Name: a.Name, Language: a.Language, TOTPSecret: encodeSecret(secret), TOTPURI: totpURI(s.Issuer, a.Login, secret)}, nil
}

func (s *Service) invitation(ctx context.Context, token string) (Invitation, Account, error) {
	missing := fmt.Errorf("invitation: %w", evidence.ErrNotFound)
	inv, err := s.Store.InvitationByHash(ctx, hashSecret(token))
	if err != nil {
		return Invitation{}, Account{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Invitation{}, Account{}, err
	}
	if inv.UsedAt != 0 || now >= inv.ExpiresAt {
		return Invitation{}, Account{}, missing
	}
	a, err := s.Store.Account(ctx, inv.Account)
	if err != nil {
		return Invitation{}, Account{}, err
	}
	if a.State != Invited {
		return Invitation{}, Account{}, missing
	}
	return inv, a, nil
}

func (s *Service) invitationSecret(ctx context.Context, inv Invitation) ([]byte, error) {
	wrapped := inv.TOTP
	if wrapped == nil {
		fresh, err := s.Keys.Wrap(ctx, TOTPPurpose, newTOTPSecret())
		if err != nil {
			return nil, fmt.Errorf("wrapping the second factor: %w", err)
		}
		if wrapped, err = s.Store.SetInvitationTOTP(ctx, inv.ID, fresh); err != nil {
			return nil, err
		}
	}
	secret, err := s.Keys.Unwrap(ctx, TOTPPurpose, wrapped)
	if err != nil {
		return nil, fmt.Errorf("unwrapping the second factor: %w", err)
	}
	return secret, nil
}

// AcceptInvitation sets the account's password and second factor and makes it
// active. code must be a current code of the secret that OpenInvitation showed;
// it counts as used. address is where the holder is; it is only committed to.
func (s *Service) AcceptInvitation(ctx context.Context, token, password, code, address string) (Account, error) {
	inv, a, err := s.invitation(ctx, token)
	if err != nil {
		return Account{}, err
	}
	if err := checkPassword(password, a.Login, a.Name); err != nil {
		return Account{}, err
	}
	// Guessing codes here gains nothing that the token does not give, but each
	// attempt hashes a password: the same limit as for signing in holds.
	pair, other := s.attemptKeys("invitation/"+string(inv.ID), address)
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Account{}, err
	}
	if _, err := s.count(ctx, pair, other, now); err != nil {
		return Account{}, err
	}
	secret, err := s.invitationSecret(ctx, inv)
	if err != nil {
		return Account{}, err
	}
	counter, ok := matchTOTP(secret, code, now)
	if !ok {
		return Account{}, evidence.Refuse(evidence.ErrInvalid, "login.code", "The code does not match. Check the clock of the device that shows it, and try the next code.", "P38")
	}
	hash, err := s.hash(ctx, password)
	if err != nil {
		return Account{}, err
	}
	wrapped, err := s.Keys.Wrap(ctx, TOTPPurpose, secret)
	if err != nil {
		return Account{}, fmt.Errorf("wrapping the second factor: %w", err)
	}
	actor := evidence.Actor{Kind: evidence.ActorPerson, Account: a.ID, Agency: a.Agency, Role: a.Role, MFA: true, Address: address}
	entry := custody.Entry{Actor: actor, Action: access.EntryInvitationUse, Agency: a.Agency, Subject: a.ID}
	cred := Credentials{Account: a.ID, PasswordHash: hash, TOTP: wrapped, Counter: counter}
	if err := s.Store.AcceptInvitation(ctx, inv.ID, cred, now, entry); err != nil {
		return Account{}, fmt.Errorf("accepting an invitation of account %s: %w", a.ID, err)
	}
	return s.Store.Account(ctx, a.ID)
}

// First describes the first agency and administrator of an installation.
type First struct {
	Agency NewAgency
	Login  string
	Name   string
	// Language is one of Languages.
	Language string
}

// Bootstrap makes the first agency, its first administrator and the invitation
// whose token is printed once. It is refused (evidence.ErrConflict) as soon as
// any account exists.
func (s *Service) Bootstrap(ctx context.Context, in First) (Account, string, error) {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Account{}, "", err
	}
	agency, err := in.Agency.agency(now)
	if err != nil {
		return Account{}, "", err
	}
	a, err := NewAccount{Agency: agency.ID, Login: in.Login, Name: in.Name, Role: evidence.RoleAdmin, Language: in.Language}.account(now)
	if err != nil {
		return Account{}, "", err
	}
	token, inv := newInvitation(a.ID, "", now)
	entry := custody.Entry{Actor: evidence.System(agency.ID), Action: access.EntryInstall, Agency: agency.ID, Subject: a.ID}
	if err := s.Store.CreateFirstAccount(ctx, agency, a, inv, entry); err != nil {
		return Account{}, "", fmt.Errorf("making the first administrator: %w", err)
	}
	return a, token, nil
}

// FirstInvitation makes a new invitation for the first administrator while no
// account is active yet, so that a lost link does not end an installation. It is
// the operator's act on the server itself. ok is false once any account was active.
func (s *Service) FirstInvitation(ctx context.Context) (a Account, token string, ok bool, err error) {
	accounts, err := s.Store.Accounts(ctx)
	if err != nil {
		return Account{}, "", false, err
	}
	for _, one := range accounts {
		if one.ActiveAt != 0 {
			return Account{}, "", false, nil
		}
		if one.ProposedBy == "" && one.Role == evidence.RoleAdmin && one.State == Invited {
			a = one
		}
	}
	if a.ID == "" {
		return Account{}, "", false, nil
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Account{}, "", false, err
	}
	token, inv := newInvitation(a.ID, "", now)
	entry := custody.Entry{Actor: evidence.System(a.Agency), Action: access.AccountInvite, Agency: a.Agency, Subject: a.ID}
	if err := s.Store.SaveInvitation(ctx, inv, entry); err != nil {
		return Account{}, "", false, fmt.Errorf("inviting the first administrator: %w", err)
	}
	return a, token, true, nil
}
