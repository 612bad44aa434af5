package people

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

// NewAccount describes an account to be made.
type NewAccount struct {
	Agency   evidence.ID
	Login    string // see ValidLogin; letter case is dropped
	Name     string
	Role     evidence.Role
	Language string // one of Languages
}

// Propose makes an account. One that can reach media waits for [Service.Approve]
// by a second person; any other can be invited at once.
func (s *Service) Propose(ctx context.Context, actor evidence.Actor, in NewAccount) (Account, error) {
	if err := s.Access.Authorize(ctx, actor, access.AccountPropose, evidence.Resource{Kind: access.KindAgency, ID: in.Agency}); err != nil {
		return Account{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Account{}, err
	}
	a, err := in.account(now)
	if err != nil {
		return Account{}, err
	}
	a.ProposedBy = actor.Account
	entry := custody.Entry{Actor: actor, Action: access.AccountPropose, Agency: a.Agency, Subject: a.ID, Details: map[string]string{
		"role": string(a.Role), "state": string(a.State)}}
	if err := s.Store.CreateAccount(ctx, a, entry); err != nil {
		if errors.Is(err, evidence.ErrConflict) {
			return Account{}, evidence.Refuse(evidence.ErrConflict, "account.login.taken", "This login is taken; choose another.", "")
		}
		return Account{}, fmt.Errorf("creating account %s: %w", a.ID, err)
	}
	return a, nil
}

func (in NewAccount) account(now evidence.Instant) (Account, error) {
	a := Account{ID: evidence.NewID(), Agency: in.Agency, Login: NormalLogin(in.Login), Name: line(in.Name), Role: in.Role, Language: in.Language,
		State: Invited, CreatedAt: now, Version: 1}
	if NeedsSecondPerson(a.Role) {
		a.State = Proposed
	}
	switch {
	case !ValidLogin(a.Login):
		return a, evidence.Refuse(evidence.ErrInvalid, "account.login", "A login has 3 to 64 letters a-z, digits, dots, dashes and underscores, and begins and ends with a letter or digit.", "")
	case a.Name == "" || len(a.Name) > maxText:
		return a, evidence.Refuse(evidence.ErrInvalid, "account.name", "Give the person's name, of at most 200 bytes.", "")
	case !slices.Contains(evidence.Roles, a.Role):
		return a, evidence.Refuse(evidence.ErrInvalid, "account.role", "Choose one of the roles.", "")
	case !validLanguage(a.Language):
		return a, evidence.Refuse(evidence.ErrInvalid, "account.language", "Choose a language: en, sq, sr-Latn or sr-Cyrl.", "")
	}
	return a, nil
}

// Approve is the second person's yes to a proposed account. The policy refuses
// whoever proposed it.
func (s *Service) Approve(ctx context.Context, actor evidence.Actor, account evidence.ID) (Account, error) {
	if err := s.Access.Authorize(ctx, actor, access.AccountApprove, evidence.Resource{Kind: access.KindAccount, ID: account}); err != nil {
		return Account{}, err
	}
	a, err := s.Store.Account(ctx, account)
	if err != nil {
		return Account{}, err
	}
	if a.State != Proposed {
		return Account{}, evidence.Refuse(evidence.ErrConflict, "account.not_proposed", "This account does not wait for approval.", "")
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Account{}, err
	}
	details := map[string]string{"role": string(a.Role), "proposer": string(a.ProposedBy)}
	if err := s.markMadeBy(ctx, actor.Account, a.ProposedBy, details); err != nil {
		return Account{}, err
	}
	entry := custody.Entry{Actor: actor, Action: access.AccountApprove, Agency: a.Agency, Subject: a.ID, Details: details}
	if err := s.Store.ApproveAccount(ctx, a.ID, actor.Account, now, entry); err != nil {
		return Account{}, fmt.Errorf("approving account %s: %w", a.ID, err)
	}
	return s.Store.Account(ctx, a.ID)
}

// Disable ends an account for good, with its tokens and invitations. Its
// sessions end at their next request, because every request loads the account.
func (s *Service) Disable(ctx context.Context, actor evidence.Actor, account evidence.ID, reason string) (Account, error) {
	if err := s.Access.Authorize(ctx, actor, access.AccountDisable, evidence.Resource{Kind: access.KindAccount, ID: account}); err != nil {
		return Account{}, err
	}
	reason = line(reason)
	if reason == "" {
		return Account{}, evidence.Refuse(evidence.ErrInvalid, "account.disable.reason", "Say why the account is disabled.", "P23")
	}
	a, err := s.Store.Account(ctx, account)
	if err != nil {
		return Account{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Account{}, err
	}
	entry := custody.Entry{Actor: actor, Action: access.AccountDisable, Agency: a.Agency, Subject: a.ID, Why: reason}
	if err := s.Store.DisableAccount(ctx, a.ID, now, entry); err != nil {
		return Account{}, fmt.Errorf("disabling account %s: %w", a.ID, err)
	}
	return s.Store.Account(ctx, a.ID)
}

// Accounts lists every account, for those who may see the list.
func (s *Service) Accounts(ctx context.Context, actor evidence.Actor) ([]Account, error) {
	if err := s.Access.Authorize(ctx, actor, access.AccountList, evidence.Resource{Kind: access.KindSystem}); err != nil {
		return nil, err
	}
	return s.Store.Accounts(ctx)
}

// ByLogin finds the account that a colleague named, for a team or a grant. An
// unknown or disabled login is evidence.ErrNotFound.
func (s *Service) ByLogin(ctx context.Context, actor evidence.Actor, login string) (Account, error) {
	if err := s.Access.Authorize(ctx, actor, access.AccountList, evidence.Resource{Kind: access.KindSystem}); err != nil {
		return Account{}, err
	}
	a, err := s.Store.AccountByLogin(ctx, NormalLogin(login))
	if err != nil {
		return Account{}, err
	}
	if a.State == Disabled {
		return Account{}, fmt.Errorf("account by login: %w", evidence.ErrNotFound)
	}
	return a, nil
}

// Names returns the names of accounts, to be shown where an id stands. Unknown
// ids are absent.
func (s *Service) Names(ctx context.Context, ids []evidence.ID) (map[evidence.ID]string, error) {
	names := make(map[evidence.ID]string, len(ids))
	for _, id := range ids {
		if _, done := names[id]; done || id == "" {
			continue
		}
		a, err := s.Store.Account(ctx, id)
		if errors.Is(err, evidence.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		names[id] = a.Name
	}
	return names, nil
}
