package web

import (
	"context"
	"net/http"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/people"
)

func (s *Server) signIn(ctx context.Context, a evidence.Actor, in *loginInput) (*sessionOutput, error) {
	account, err := s.people.Login(ctx, in.Body.Login, in.Body.Password, in.Body.Code, a.Address)
	if err != nil {
		return nil, err
	}
	return s.begin(ctx, account)
}

// begin makes a session for somebody who just proved who she is by password and
// second factor.
func (s *Server) begin(ctx context.Context, account people.Account) (*sessionOutput, error) {
	session, cookies, err := s.sessions.Begin(ctx, callerOf(ctx).request, account.ID, true)
	if err != nil {
		return nil, err
	}
	me, err := s.meOf(ctx, account, &caller{session: &session, actor: evidence.Actor{MFA: true}})
	if err != nil {
		return nil, err
	}
	return &sessionOutput{SetCookie: cookies, Body: me}, nil
}

func (s *Server) signOut(ctx context.Context, _ evidence.Actor, _ *nothing) (*logoutOutput, error) {
	c := callerOf(ctx)
	if c.session == nil {
		return nil, newProblem(http.StatusConflict, "session.token", "A bearer token has no session. End it with DELETE /tokens/{id}.")
	}
	cookies, err := s.sessions.End(ctx, c.request)
	if err != nil {
		return nil, err
	}
	return &logoutOutput{SetCookie: cookies}, nil
}

func (s *Server) me(ctx context.Context, _ evidence.Actor, _ *nothing) (*answer[Me], error) {
	c := callerOf(ctx)
	me, err := s.meOf(ctx, c.account, c)
	if err != nil {
		return nil, err
	}
	return answerOf(me), nil
}

func (s *Server) meOf(ctx context.Context, a people.Account, c *caller) (Me, error) {
	agency, err := s.agencyRef(ctx, a.Agency)
	if err != nil {
		return Me{}, err
	}
	me := Me{AccountID: a.ID, Login: a.Login, Name: a.Name, Role: a.Role, Agency: agency, Language: a.Language, MFA: c.actor.MFA,
		Session: MySession{Kind: "token"}}
	if c.session != nil {
		me.Session = MySession{Kind: "session", LocksAt: when(c.session.LocksAt()), EndsAt: when(c.session.EndsAt())}
	}
	return me, nil
}

func (s *Server) openInvitation(ctx context.Context, _ evidence.Actor, in *openInvitationInput) (*answer[Invitation], error) {
	o, err := s.people.OpenInvitation(ctx, in.Body.Token)
	if err != nil {
		return nil, err
	}
	return answerOf(Invitation{Login: o.Login, Name: o.Name, Language: o.Language, TOTPSecret: o.TOTPSecret, TOTPURI: o.TOTPURI}), nil
}

func (s *Server) acceptInvitation(ctx context.Context, a evidence.Actor, in *acceptInvitationInput) (*sessionOutput, error) {
	account, err := s.people.AcceptInvitation(ctx, in.Body.Token, in.Body.Password, in.Body.Code, a.Address)
	if err != nil {
		return nil, err
	}
	return s.begin(ctx, account)
}

func (s *Server) listTokens(ctx context.Context, a evidence.Actor, _ *nothing) (*answer[list[Token]], error) {
	tokens, err := s.people.Tokens(ctx, a)
	if err != nil {
		return nil, err
	}
	return answerOf(listOf(tokens, func(t people.Token) Token {
		return Token{ID: t.ID, Name: t.Name, CreatedAt: t.CreatedAt.Time(), ExpiresAt: t.ExpiresAt.Time(), EndedAt: when(t.RevokedAt)}
	})), nil
}

func (s *Server) createToken(ctx context.Context, a evidence.Actor, in *createTokenInput) (*answer[NewToken], error) {
	if callerOf(ctx).session == nil {
		// Else a token could renew itself for ever.
		return nil, evidence.Refuse(evidence.ErrRefused, "token.by_token", "Sign in to make a token: a token cannot make another one.", "P38")
	}
	t, secret, err := s.people.IssueToken(ctx, a, in.Body.Name, time.Duration(in.Body.Hours)*time.Hour)
	if err != nil {
		return nil, err
	}
	return answerOf(NewToken{ID: t.ID, Token: secret, ExpiresAt: t.ExpiresAt.Time()}), nil
}

func (s *Server) revokeToken(ctx context.Context, a evidence.Actor, in *IDPath) (*nothing, error) {
	return &nothing{}, s.people.RevokeToken(ctx, a, in.ID)
}
