package people

import (
	"context"
	"fmt"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

// RecoveryLife is how long a proposed recovery waits for its second person.
const RecoveryLife = 7 * 24 * time.Hour

// RecoveryPending reports whether a recovery of the account waits for a second
// person at a time.
func (a Account) RecoveryPending(now evidence.Instant) bool {
	return a.State == Active && a.RecoveryBy != "" && now < a.RecoveryAt+evidence.Instant(RecoveryLife.Microseconds())
}

// ProposeRecovery says that the holder of an active account lost password or
// second factor (P38). Nothing changes until another person approves within
// [RecoveryLife], and the holder's next sign-in ends the proposal: then nothing
// was lost. reason is free text and needed. A proposal that is there already is
// replaced.
func (s *Service) ProposeRecovery(ctx context.Context, actor evidence.Actor, account evidence.ID, reason string) (Account, error) {
	if err := s.Access.Authorize(ctx, actor, access.AccountRecover, evidence.Resource{Kind: access.KindAccount, ID: account}); err != nil {
		return Account{}, err
	}
	if reason = line(reason); reason == "" {
		return Account{}, evidence.Refuse(evidence.ErrInvalid, "account.recover.reason", "Say what the holder lost, and how you made sure that it is she who asks.", "P38")
	}
	a, err := s.Store.Account(ctx, account)
	if err != nil {
		return Account{}, err
	}
	if a.State != Active {
		return Account{}, evidence.Refuse(evidence.ErrConflict, "account.recover.state", "Only an account that its holder has set up can be recovered.", "")
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Account{}, err
	}
	entry := custody.Entry{Actor: actor, Action: access.AccountRecover, Agency: a.Agency, Subject: a.ID, Why: reason}
	if err := s.Store.ProposeRecovery(ctx, a.ID, actor.Account, now, entry); err != nil {
		return Account{}, fmt.Errorf("proposing the recovery of account %s: %w", a.ID, err)
	}
	return s.Store.Account(ctx, a.ID)
}

// ApproveRecovery is the second person's yes. The account's password, second
// factor, passkeys, tokens and sessions end at once, and its holder can be
// invited anew. The policy refuses whoever proposed it.
func (s *Service) ApproveRecovery(ctx context.Context, actor evidence.Actor, account evidence.ID) (Account, error) {
	if err := s.Access.Authorize(ctx, actor, access.AccountRecoverApprove, evidence.Resource{Kind: access.KindAccount, ID: account}); err != nil {
		return Account{}, err
	}
	a, err := s.Store.Account(ctx, account)
	if err != nil {
		return Account{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Account{}, err
	}
	if !a.RecoveryPending(now) {
		return Account{}, evidence.Refuse(evidence.ErrConflict, "account.recover.none", "No recovery of this account waits for approval. The holder may have signed in meanwhile.", "P38")
	}
	details := map[string]string{"proposer": string(a.RecoveryBy)}
	if err := s.markMadeBy(ctx, actor.Account, a.RecoveryBy, details); err != nil {
		return Account{}, err
	}
	entry := custody.Entry{Actor: actor, Action: access.AccountRecoverApprove, Agency: a.Agency, Subject: a.ID, Details: details}
	if err := s.Store.RecoverAccount(ctx, a.ID, actor.Account, now, entry); err != nil {
		return Account{}, fmt.Errorf("recovering account %s: %w", a.ID, err)
	}
	return s.Store.Account(ctx, a.ID)
}

// markMadeBy notes in an entry's details that the approver's account was made by
// the one who proposed: one person could make an administrator's account for
// herself and approve with it. What cannot be prevented here is shown to the auditor.
func (s *Service) markMadeBy(ctx context.Context, approver, proposer evidence.ID, details map[string]string) error {
	a, err := s.Store.Account(ctx, approver)
	if err != nil {
		return err
	}
	if a.ProposedBy == proposer {
		details["approver_made_by_proposer"] = "true"
	}
	return nil
}
