package access

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// ViewingIdle ends a viewing: so long after the last delivery window was opened in
// it, which is at most [WindowLength] before the last delivery.
const ViewingIdle = 30 * time.Minute

// ViewingSession is one viewing: a session in which the holder of a grant accepted
// the terms (P28).
type ViewingSession struct {
	ID         evidence.ID
	Agency     evidence.ID
	Interview  evidence.ID
	Grant      evidence.ID
	Viewer     evidence.ID // account
	Session    evidence.ID // login session or token
	Terms      string      // SHA-256 of the terms that were accepted, lower-case hex
	AcceptedAt evidence.Instant
	LastAt     evidence.Instant // when a window was last opened in it; at first AcceptedAt
}

// Open reports whether the viewing goes on at a time.
func (v ViewingSession) Open(now evidence.Instant) bool { return v.LastAt > IdleSince(now) }

// IdleSince is the time after which something must have been delivered in a viewing
// that is open now.
func IdleSince(now evidence.Instant) evidence.Instant {
	return now - evidence.Instant(ViewingIdle/time.Microsecond)
}

// ErrViewingsUsed says that a grant allows no further viewing.
var ErrViewingsUsed = errors.New("the grant's viewings are used up")

// AcceptTerms begins a viewing under a grant, or returns the one that is open in
// the actor's session. terms is the SHA-256 of the terms that she was shown. It
// refuses whoever could not play anything under the grant now, and the next viewing
// beyond the grant's number.
func (s *Service) AcceptTerms(ctx context.Context, actor evidence.Actor, grant evidence.ID, terms string) (ViewingSession, error) {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return ViewingSession{}, err
	}
	if _, err := s.authorize(ctx, actor, GrantAccept, evidence.Resource{Kind: KindGrant, ID: grant}, now); err != nil {
		return ViewingSession{}, err
	}
	language := knownTerms(terms)
	if language == "" {
		return ViewingSession{}, evidence.Refuse(evidence.ErrInvalid, "grant.terms.other", "These are not the present terms. Read them again.", "P28")
	}
	g, err := s.Store.Grant(ctx, grant)
	if err != nil {
		return ViewingSession{}, err
	}
	v, err := s.viewing(ctx, actor, g.Interview, now)
	if err != nil {
		return ViewingSession{}, err
	}
	// Whether something could be played once they are accepted.
	if err := s.judgeGrant(ctx, actor, v, g, true, now); err != nil {
		return ViewingSession{}, err
	}
	one := ViewingSession{ID: evidence.NewID(), Agency: g.Agency, Interview: g.Interview, Grant: g.ID, Viewer: actor.Account, Session: actor.Session,
		Terms: terms, AcceptedAt: now, LastAt: now}
	entry := custody.Entry{Actor: actor, Action: GrantAccept, Agency: g.Agency, Case: g.Case, Interview: g.Interview, Subject: g.ID,
		Details: map[string]string{"viewing": string(one.ID), "terms": terms, "terms_version": strconv.Itoa(TermsVersion), "language": language, "most": strconv.Itoa(g.Conditions.Viewings)}}
	one, err = s.Store.OpenViewing(ctx, one, g.Conditions.Viewings, entry)
	switch {
	case errors.Is(err, ErrViewingsUsed):
		return ViewingSession{}, evidence.Refuse(evidence.ErrRefused, "grant.viewings_used", "The viewings that this grant allows were used. Ask for an extension if the need goes on.", "P28")
	case errors.Is(err, evidence.ErrConflict):
		return ViewingSession{}, evidence.Refuse(evidence.ErrConflict, "grant.changed", "Somebody else decided on this grant at the same time. Look at it again.", "")
	case err != nil:
		return ViewingSession{}, fmt.Errorf("beginning a viewing under grant %s: %w", g.ID, err)
	}
	return one, nil
}

// judgeGrant decides whether anything could be delivered under a grant now.
func (s *Service) judgeGrant(ctx context.Context, actor evidence.Actor, v Viewing, g Grant, accepted bool, now evidence.Instant) error {
	play := playFacts(g, TrackBounds{}, true, 0, v.Consents[g.Consent], accepted)
	return s.judge(ctx, actor, MediaPlay, evidence.Resource{Kind: KindInterview, ID: g.Interview}, v.Standing, s.facts(actor, v.Standing, now), play)
}
