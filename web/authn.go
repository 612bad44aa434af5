package web

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/people"
	"github.com/toldonce/toldonce/web/login"
)

// caller is who sent a request. It reaches handlers as arguments; the context
// carries it only from the admission to the adapter in operation.go.
type caller struct {
	actor   evidence.Actor // before a login only Address is set
	account people.Account
	session *login.Session // nil for bearer tokens
	request *http.Request
}

type callerKey struct{}

func callerOf(ctx context.Context) *caller {
	if c, ok := ctx.Value(callerKey{}).(*caller); ok {
		return c
	}
	return &caller{}
}

// admit authenticates before anything of the input is looked at.
func (s *Server) admit(api huma.API, a admission) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		g := humagin.Unwrap(ctx)
		g.Set(routine, a == background)
		c, err := s.authenticate(g, a)
		if err != nil {
			writeProblem(g.Writer, g.Request, s.fail(g.Request.Context(), err))
			return
		}
		next(huma.WithValue(ctx, callerKey{}, c))
	}
}

// authenticate finds out who sends a request. An Authorization header decides
// alone: cookies beside it are not looked at. Requests without one come from
// pages, and are taken only from pages of this very origin, so that no other
// site can act with a cookie; that holds for signing in too.
func (s *Server) authenticate(g *gin.Context, a admission) (*caller, error) {
	return s.authenticateRequest(g.Request.Context(), g.Request, g.ClientIP(), a)
}

// authenticateRequest looks at the headers of a request alone, so that it can be
// asked again, long after the request, whether who sent it is still signed in.
func (s *Server) authenticateRequest(ctx context.Context, r *http.Request, address string, a admission) (*caller, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		token, ok := bearer(header)
		if !ok {
			return nil, unauthenticated("token.invalid", "Send Authorization: Bearer and a personal token.")
		}
		actor, account, err := s.people.ActorForToken(ctx, token)
		if errors.Is(err, evidence.ErrUnauthenticated) {
			return nil, unauthenticated("token.invalid", "The token is unknown, has ended, or its account is disabled.")
		}
		if err != nil {
			return nil, err
		}
		actor.Address = address
		return &caller{actor: actor, account: account, request: r}, nil
	}
	if err := s.origins.Check(r); err != nil {
		return nil, newProblem(http.StatusForbidden, "cross_origin", "Requests from another site's pages are not accepted.")
	}
	if a == anyone {
		return &caller{actor: evidence.Actor{Kind: evidence.ActorPerson, Address: address}, request: r}, nil
	}
	session, err := s.sessions.Find(ctx, r)
	switch {
	case errors.Is(err, login.ErrLocked):
		return nil, unauthenticated("session.locked", "The session is locked, because nothing was done for 30 minutes. Sign in again to go on; a recording that runs is not affected.")
	case errors.Is(err, login.ErrNone):
		return nil, unauthenticated("session.none", "Sign in first.")
	case err != nil:
		return nil, err
	}
	actor, account, err := s.people.ActorFor(ctx, session.Account, session.ID, session.MFA)
	if errors.Is(err, evidence.ErrUnauthenticated) {
		return nil, unauthenticated("session.none", "Sign in first.")
	}
	if err != nil {
		return nil, err
	}
	if a == signedIn {
		if err := s.sessions.Touch(&session); err != nil {
			return nil, err
		}
	}
	actor.Address = address
	return &caller{actor: actor, account: account, session: &session, request: r}, nil
}

func unauthenticated(code, detail string) *Problem {
	return newProblem(http.StatusUnauthorized, code, detail).with("WWW-Authenticate", `Bearer realm="toldonce"`)
}

// bearer returns the token of an Authorization header (RFC 6750 section 2.1).
func bearer(header string) (string, bool) {
	scheme, token, ok := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > 512 || strings.ContainsAny(token, " ,") {
		return "", false
	}
	return token, true
}
