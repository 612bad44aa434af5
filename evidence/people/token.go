package people

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

// TokenLife is the longest, and the default, life of a personal bearer token.
const TokenLife = 24 * time.Hour

// tokenPrefix lets scanners find a token that leaked into a file.
const tokenPrefix = "toldonce_"

// IssueToken makes a personal bearer token for the actor herself. life 0 means
// TokenLife; more is refused. The text is returned once and stored as a hash.
func (s *Service) IssueToken(ctx context.Context, actor evidence.Actor, name string, life time.Duration) (Token, string, error) {
	if err := s.Access.Authorize(ctx, actor, access.TokenIssue, evidence.Resource{Kind: access.KindAccount, ID: actor.Account}); err != nil {
		return Token{}, "", err
	}
	name = line(name)
	if life == 0 {
		life = TokenLife
	}
	if name == "" || len(name) > maxText {
		return Token{}, "", evidence.Refuse(evidence.ErrInvalid, "token.name", "Give the token a name of at most 200 bytes.", "")
	}
	if life < time.Minute || life > TokenLife {
		return Token{}, "", evidence.Refuse(evidence.ErrInvalid, "token.life", "A token lives between one minute and 24 hours.", "P38")
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Token{}, "", err
	}
	secret, _ := newSecret()
	text := tokenPrefix + secret
	t := Token{ID: evidence.NewID(), Account: actor.Account, Name: name, Hash: hashSecret(text), MFA: actor.MFA, CreatedAt: now,
		ExpiresAt: now + evidence.Instant(life.Microseconds())}
	entry := custody.Entry{Actor: actor, Action: access.TokenIssue, Agency: actor.Agency, Subject: t.ID}
	if err := s.Store.SaveToken(ctx, t, entry); err != nil {
		return Token{}, "", fmt.Errorf("saving token %s: %w", t.ID, err)
	}
	return t, text, nil
}

// ActorForToken is the actor behind a bearer token. A token that is unknown,
// expired or revoked, or whose account is not active, is evidence.ErrUnauthenticated.
func (s *Service) ActorForToken(ctx context.Context, bearer string) (evidence.Actor, Account, error) {
	wrong := fmt.Errorf("bearer token: %w", evidence.ErrUnauthenticated)
	if !strings.HasPrefix(bearer, tokenPrefix) {
		return evidence.Actor{}, Account{}, wrong
	}
	t, err := s.Store.TokenByHash(ctx, hashSecret(bearer))
	if errors.Is(err, evidence.ErrNotFound) {
		return evidence.Actor{}, Account{}, wrong
	}
	if err != nil {
		return evidence.Actor{}, Account{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return evidence.Actor{}, Account{}, err
	}
	if t.RevokedAt != 0 || now >= t.ExpiresAt {
		return evidence.Actor{}, Account{}, wrong
	}
	return s.ActorFor(ctx, t.Account, t.ID, t.MFA)
}

// Tokens lists the actor's own tokens, newest first, without their hashes.
func (s *Service) Tokens(ctx context.Context, actor evidence.Actor) ([]Token, error) {
	if err := s.Access.Authorize(ctx, actor, access.TokenList, evidence.Resource{Kind: access.KindAccount, ID: actor.Account}); err != nil {
		return nil, err
	}
	list, err := s.Store.Tokens(ctx, actor.Account)
	for i := range list {
		list[i].Hash = nil
	}
	return list, err
}

// RevokeToken ends one of the actor's own tokens at once.
func (s *Service) RevokeToken(ctx context.Context, actor evidence.Actor, token evidence.ID) error {
	if err := s.Access.Authorize(ctx, actor, access.TokenRevoke, evidence.Resource{Kind: access.KindAccount, ID: actor.Account}); err != nil {
		return err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return err
	}
	entry := custody.Entry{Actor: actor, Action: access.TokenRevoke, Agency: actor.Agency, Subject: token}
	return s.Store.RevokeToken(ctx, actor.Account, token, now, entry)
}
