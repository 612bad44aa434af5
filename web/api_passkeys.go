package web

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/people"
	"github.com/toldonce/toldonce/web/login"
)

// passkeyProblem turns a passkey that was not accepted into an answer.
func passkeyProblem(err error) error {
	if errors.Is(err, login.ErrPasskey) {
		return evidence.Refuse(evidence.ErrUnauthenticated, "passkey.refused", "The passkey was not accepted. Try again, or sign in with password and code.", "P38")
	}
	return err
}

func noPasskeys() error {
	return newProblem(http.StatusNotFound, "passkey.address", "Passkeys work under a name only. Open these pages by the server's name, not by its IP address.")
}

func (s *Server) beginPasskeySignIn(ctx context.Context, _ evidence.Actor, _ *nothing) (*answer[Ceremony], error) {
	if s.passkeys == nil {
		return nil, noPasskeys()
	}
	c, err := s.passkeys.BeginSignIn(ctx)
	if err != nil {
		return nil, err
	}
	return answerOf(Ceremony(c)), nil
}

func (s *Server) passkeySignIn(ctx context.Context, a evidence.Actor, in *passkeyAnswerInput) (*sessionOutput, error) {
	if s.passkeys == nil {
		return nil, noPasskeys()
	}
	raw, err := json.Marshal(in.Body.Answer)
	if err != nil {
		return nil, err
	}
	account, used, err := s.passkeys.FinishSignIn(ctx, in.Body.Token, raw, func(id evidence.ID) (people.Account, []people.Passkey, error) {
		return s.people.PasskeyHolder(ctx, id)
	})
	if err != nil {
		return nil, passkeyProblem(err)
	}
	if err := s.people.PasskeySignIn(ctx, account, used, a.Address); err != nil {
		if errors.Is(err, evidence.ErrUnauthenticated) {
			err = passkeyProblem(login.ErrPasskey)
		}
		return nil, err
	}
	return s.begin(ctx, account)
}

func (s *Server) listPasskeys(ctx context.Context, a evidence.Actor, _ *nothing) (*answer[list[Passkey]], error) {
	all, err := s.people.Passkeys(ctx, a)
	if err != nil {
		return nil, err
	}
	return answerOf(listOf(all, passkeyOf)), nil
}

func passkeyOf(p people.Passkey) Passkey {
	return Passkey{ID: base64.RawURLEncoding.EncodeToString(p.ID), Name: p.Name, CreatedAt: p.CreatedAt.Time(), UsedAt: when(p.UsedAt)}
}

// bySession refuses a bearer token: it lives for a day at most, and a passkey
// that it made would not.
func bySession(ctx context.Context) error {
	if callerOf(ctx).session == nil {
		return evidence.Refuse(evidence.ErrRefused, "passkey.by_token", "Sign in to make a passkey: a token cannot make one.", "P38")
	}
	return nil
}

func (s *Server) beginPasskey(ctx context.Context, a evidence.Actor, _ *nothing) (*answer[Ceremony], error) {
	if s.passkeys == nil {
		return nil, noPasskeys()
	}
	if err := bySession(ctx); err != nil {
		return nil, err
	}
	have, err := s.people.Passkeys(ctx, a)
	if err != nil {
		return nil, err
	}
	c, err := s.passkeys.BeginAdd(ctx, callerOf(ctx).account, have)
	if err != nil {
		return nil, err
	}
	return answerOf(Ceremony(c)), nil
}

func (s *Server) addPasskey(ctx context.Context, a evidence.Actor, in *addPasskeyInput) (*answer[Passkey], error) {
	if s.passkeys == nil {
		return nil, noPasskeys()
	}
	if err := bySession(ctx); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(in.Body.Answer)
	if err != nil {
		return nil, err
	}
	made, err := s.passkeys.FinishAdd(ctx, callerOf(ctx).account, in.Body.Token, raw)
	if errors.Is(err, login.ErrPasskey) {
		// Signed in she is: it is the answer that is not right.
		return nil, evidence.Refuse(evidence.ErrInvalid, "passkey.answer", "The device did not make a passkey that can be used here. Try again.", "")
	}
	if err != nil {
		return nil, err
	}
	made.Name = in.Body.Name
	if made, err = s.people.AddPasskey(ctx, a, made); err != nil {
		return nil, err
	}
	return answerOf(passkeyOf(made)), nil
}

func (s *Server) removePasskey(ctx context.Context, a evidence.Actor, in *passkeyPath) (*nothing, error) {
	id, err := base64.RawURLEncoding.DecodeString(in.Passkey)
	if err != nil {
		return nil, evidence.ErrNotFound
	}
	return &nothing{}, s.people.RemovePasskey(ctx, a, id)
}
