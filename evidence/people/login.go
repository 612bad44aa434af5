package people

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

// Limits of sign-in attempts. A lock holds for one login from one address (or
// one IPv6 /64 network), so that nobody can be locked out from everywhere. The
// limit of an address bounds how many logins can be tried from it; it does not
// hold for a login that has signed in from there before, so that an attacker in
// the same building cannot lock out the people who work there.
const (
	AttemptWindow   = 15 * time.Minute
	PairAttempts    = 5
	AddressAttempts = 100
	knownFor        = 90 * 24 * time.Hour
)

func failed() error {
	return evidence.Refuse(evidence.ErrUnauthenticated, "login.failed", "Login, password and code do not fit together. A code can be used once only.", "P38")
}

// Login signs a person in with password and TOTP code. It takes the same steps
// for an unknown login as for a wrong password, and says the same. It returns
// an error wrapping evidence.ErrUnauthenticated for anything that does not fit,
// and evidence.ErrTooMany while the attempts from address are used up. address
// is the network address, with or without port.
func (s *Service) Login(ctx context.Context, login, password, code, address string) (Account, error) {
	login = NormalLogin(login)
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Account{}, err
	}
	a, cred, err := s.credentials(ctx, login)
	if err != nil {
		return Account{}, err
	}
	pair, other := s.attemptKeys(login, address)
	locked, err := s.count(ctx, pair, other, now)
	if locked && a.ID != "" {
		entry := custody.Entry{Actor: evidence.Actor{Kind: evidence.ActorSystem, Agency: a.Agency, Address: address},
			Action: access.EntrySignInLocked, Agency: a.Agency, Subject: a.ID}
		if err := s.Store.AppendEntry(ctx, entry); err != nil {
			return Account{}, fmt.Errorf("logging a locked sign-in: %w", err)
		}
	}
	if err != nil {
		return Account{}, err
	}

	right, err := s.matches(ctx, password, cred.PasswordHash)
	if err != nil {
		return Account{}, err
	}
	secret := make([]byte, totpSize)
	if a.ID != "" {
		if secret, err = s.Keys.Unwrap(ctx, TOTPPurpose, cred.TOTP); err != nil {
			return Account{}, fmt.Errorf("unwrapping the second factor of account %s: %w", a.ID, err)
		}
	}
	counter, fits := matchTOTP(secret, code, now)
	if !right || !fits || a.ID == "" || counter <= cred.Counter {
		return Account{}, failed()
	}
	actor := evidence.Actor{Kind: evidence.ActorPerson, Account: a.ID, Agency: a.Agency, Role: a.Role, MFA: true, Address: address}
	entry := custody.Entry{Actor: actor, Action: access.EntrySignIn, Agency: a.Agency, Subject: a.ID}
	switch err := s.Store.SignedIn(ctx, a.ID, counter, pair, other, now, entry); {
	case errors.Is(err, evidence.ErrConflict):
		return Account{}, failed() // the same code was used by another request
	case err != nil:
		return Account{}, fmt.Errorf("signing in account %s: %w", a.ID, err)
	}
	return a, nil
}

// credentials returns an active account and its credentials, or an empty account
// and credentials that match nothing.
func (s *Service) credentials(ctx context.Context, login string) (Account, Credentials, error) {
	nobody := Credentials{PasswordHash: s.dummy}
	a, err := s.Store.AccountByLogin(ctx, login)
	if errors.Is(err, evidence.ErrNotFound) || err == nil && a.State != Active {
		return Account{}, nobody, nil
	}
	if err != nil {
		return Account{}, nobody, err
	}
	cred, err := s.Store.Credentials(ctx, a.ID)
	if err != nil {
		return Account{}, nobody, fmt.Errorf("credentials of account %s: %w", a.ID, err)
	}
	return a, cred, nil
}

// attemptKeys names the two counts of an attempt without naming anyone.
func (s *Service) attemptKeys(login, address string) (pair, other string) {
	place := placeOf(address)
	return s.Index.Of("login.pair", login, place), s.Index.Of("login.address", place)
}

// placeOf reduces an address to what one attacker can be told by: the IPv4
// address, or the IPv6 /64 network.
func placeOf(address string) string {
	if ap, err := netip.ParseAddrPort(address); err == nil {
		address = ap.Addr().String()
	}
	addr, err := netip.ParseAddr(strings.Trim(address, "[]"))
	if err != nil {
		return address
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if prefix, err := addr.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return addr.String()
}

// count counts an attempt and refuses it when too many were made. locked is true
// for the one attempt that used up the pair's limit.
func (s *Service) count(ctx context.Context, pair, other string, now evidence.Instant) (locked bool, err error) {
	got, err := s.Store.CountAttempt(ctx, []string{pair, other}, now, AttemptWindow.Microseconds())
	if err != nil {
		return false, fmt.Errorf("counting a sign-in attempt: %w", err)
	}
	p, o := got[0], got[1]
	known := p.LastSuccess != 0 && now-p.LastSuccess < evidence.Instant(knownFor.Microseconds())
	since := p.Since
	switch {
	case p.Count > PairAttempts:
	case o.Count > AddressAttempts && !known:
		since = o.Since
	default:
		return false, nil
	}
	wait := AttemptWindow - time.Duration(now-since)*time.Microsecond
	minutes := max(1, int((wait+time.Minute-1)/time.Minute))
	text := fmt.Sprintf("Too many attempts from this address. Try again in %d minutes, or from another place.", minutes)
	return p.Count == PairAttempts+1, evidence.Refuse(evidence.ErrTooMany, "login.too_many", text, "P38")
}

// ActorFor is the actor of a session's account, loaded afresh for each request:
// a disabled account, or one that is not active, is evidence.ErrUnauthenticated.
func (s *Service) ActorFor(ctx context.Context, account, session evidence.ID, mfa bool) (evidence.Actor, Account, error) {
	a, err := s.Store.Account(ctx, account)
	if errors.Is(err, evidence.ErrNotFound) || err == nil && a.State != Active {
		return evidence.Actor{}, Account{}, fmt.Errorf("session: %w", evidence.ErrUnauthenticated)
	}
	if err != nil {
		return evidence.Actor{}, Account{}, err
	}
	return evidence.Actor{Kind: evidence.ActorPerson, Account: a.ID, Agency: a.Agency, Role: a.Role, Session: session, MFA: mfa}, a, nil
}
