package recorder

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/ingest"
)

// Kinds of refusals that concern WHIP alone; the others are those of package
// evidence. All are kinds of [*evidence.Refusal].
var (
	ErrMalformed            = ingest.ErrMalformed     // 400: bad SDP
	ErrNotAcceptable        = ingest.ErrNotAcceptable // 406: nothing offered that is recorded
	ErrPreconditionFailed   = ingest.ErrStale         // 412: If-Match names an older ICE session
	ErrPreconditionRequired = ingest.ErrUnconditional // 428: no If-Match
)

// staleAfter is how long a session that sends nothing keeps its source's place
// from another.
const staleAfter = 2 * time.Second

// connectWithin is how long a new session may take until it sends.
const connectWithin = 10 * time.Second

// hushFor is how long the end of a session is put off for packets that are
// still missing.
const hushFor = time.Second

// Session is a publishing source's WHIP session.
type Session struct {
	ID     evidence.ID
	Answer string // SDP
	ETag   string // strong entity tag with its quotes: the ICE session
}

func newToken() (token string, hash []byte) {
	var raw [32]byte
	rand.Read(raw[:]) // never fails: crypto/rand.Read ends the program instead
	token = base64.RawURLEncoding.EncodeToString(raw[:])
	sum := sha256.Sum256([]byte(token))
	return token, sum[:]
}

// CreateSource adds a source to an interview that is not over and returns it
// with its bearer token, which is shown once: only its hash is kept.
func (r *Recorder) CreateSource(ctx context.Context, actor evidence.Actor, interview evidence.ID, role evidence.SourceRole) (evidence.Source, string, error) {
	if !slices.Contains(evidence.SourceRoles, role) {
		return evidence.Source{}, "", evidence.Refuse(evidence.ErrInvalid, "source.role", "There is no such role of a source.", "P8")
	}
	iv, err := r.cfg.Store.Interview(ctx, interview)
	if err != nil {
		return evidence.Source{}, "", err
	}
	switch iv.State {
	case evidence.StatePlanned, evidence.StateReady, evidence.StateRecording, evidence.StatePaused:
	default:
		return evidence.Source{}, "", inState(iv.State)
	}
	token, hash := newToken()
	source := evidence.Source{ID: evidence.NewID(), Interview: interview, Role: role, TokenHash: hash}
	s := &sitting{iv: iv}
	source, err = r.cfg.Store.SaveSource(ctx, source, *s.entry(actor, actionSourceAdd, source.ID, map[string]string{"role": string(role)}))
	if err != nil {
		return evidence.Source{}, "", err
	}
	return source, token, nil
}

// RenewSource gives a source a new token; the old one ends at once. A session
// that was begun with the old one goes on.
func (r *Recorder) RenewSource(ctx context.Context, actor evidence.Actor, source evidence.Source) (string, error) {
	return r.renewSource(ctx, actor, source, "")
}

// renewSource is RenewSource for a person, or for a device that is named.
func (r *Recorder) renewSource(ctx context.Context, actor evidence.Actor, source evidence.Source, device evidence.ID) (string, error) {
	iv, err := r.cfg.Store.Interview(ctx, source.Interview)
	if err != nil {
		return "", err
	}
	token, hash := newToken()
	s := &sitting{iv: iv}
	if err := r.cfg.Store.ReplaceSourceToken(ctx, source.ID, device, hash, *s.entry(actor, actionSourceToken, source.ID, nil)); err != nil {
		return "", err
	}
	return token, nil
}

// authenticate returns the source whose token it is. Any other is refused as
// unauthenticated, without saying why.
func (r *Recorder) authenticate(ctx context.Context, source evidence.ID, token string) (evidence.Source, error) {
	refused := evidence.Refuse(evidence.ErrUnauthenticated, "whip.token", "The source's token is missing, wrong or no longer valid.", "")
	if token == "" {
		return evidence.Source{}, refused
	}
	sum := sha256.Sum256([]byte(token))
	// A token is 32 random bytes and is looked up by its hash: what a search
	// takes longer for says nothing about another token.
	found, err := r.cfg.Store.SourceByToken(ctx, sum[:])
	switch {
	case errors.Is(err, evidence.ErrNotFound):
		return evidence.Source{}, refused
	case err != nil:
		if known, ok := r.known(source, sum[:]); ok {
			return known, nil // the database does not answer, but a running recording knows its sources
		}
		return evidence.Source{}, err
	case found.ID != source:
		return evidence.Source{}, refused
	}
	return found, nil
}

// known looks for a source among those that are connected or were.
func (r *Recorder) known(source evidence.ID, hash []byte) (evidence.Source, bool) {
	r.mu.Lock()
	sittings := make([]*sitting, 0, len(r.sittings))
	for _, s := range r.sittings {
		sittings = append(sittings, s)
	}
	r.mu.Unlock()
	for _, s := range sittings {
		s.mu.Lock()
		for _, src := range s.sources {
			if src.ev.ID == source && len(src.tokenHash) > 0 && slices.Equal(src.tokenHash, hash) {
				s.mu.Unlock()
				known := src.ev
				known.TokenHash = hash
				return known, true
			}
		}
		s.mu.Unlock()
	}
	return evidence.Source{}, false
}

// Publish accepts an offer (RFC 9725 section 4.2). The token must be that of
// the source. While the interview is ready, what arrives is measured and not
// kept; without consent nothing is accepted (P40). A source that publishes
// already is refused with a conflict, unless it fell silent.
func (r *Recorder) Publish(ctx context.Context, source evidence.ID, token, offer string) (Session, error) {
	ev, err := r.authenticate(ctx, source, token)
	if err != nil {
		return Session{}, err
	}
	s, err := r.sitting(ctx, ev.Interview)
	if err != nil {
		return Session{}, err
	}
	switch state := s.state(); state {
	case evidence.StatePlanned, evidence.StateReady:
		if err := r.cfg.Gate.Check(ctx, ev.Interview); err != nil {
			return Session{}, err
		}
	case evidence.StateRecording, evidence.StatePaused:
		if err := r.consentHolds(ctx, ev.Interview); err != nil {
			return Session{}, err
		}
	default:
		return Session{}, inState(state)
	}
	src := s.source(ev)
	src.publishing.Lock()
	defer src.publishing.Unlock()
	if err := src.makeRoom(); err != nil {
		return Session{}, err
	}
	session, answer, err := r.ingest.Open(ctx, offer, &sink{source: src})
	if err != nil {
		return Session{}, err
	}
	s.mu.Lock()
	if s.retired {
		s.mu.Unlock()
		session.Close()
		src.in.close() // it may be newer than the end of the sitting
		return Session{}, inState(s.state())
	}
	src.tokenHash = ev.TokenHash // it may be a new one
	src.session, src.openedAt = session, r.now()
	opened := evidence.Offset(-1)
	if s.startedLocked() && s.journal != nil {
		opened = s.nowLocked()
	}
	src.account.began(session.ID, opened)
	s.mu.Unlock()
	r.metrics.sessionsTotal.Add(1)
	return Session{ID: session.ID, Answer: answer, ETag: session.ETag()}, nil
}

// makeRoom ends a session that fell silent, and refuses a second publisher.
func (s *source) makeRoom() error {
	s.sitting.mu.Lock()
	session, opened := s.session, s.openedAt
	s.sitting.mu.Unlock()
	if session == nil {
		return nil
	}
	now := s.sitting.r.now()
	var heard time.Duration
	s.do(func() {
		for _, t := range s.tracks() {
			if t != nil && t.feed != nil {
				heard = max(heard, t.heard)
			}
		}
	})
	select {
	case <-session.Done():
		return nil
	default:
	}
	if heard == 0 && now-opened < connectWithin || heard != 0 && now-heard < staleAfter {
		return evidence.Refuse(evidence.ErrConflict, "whip.source.busy", "This source is being published already.", "")
	}
	session.Close()
	return nil
}

// find returns the running session of a source.
func (r *Recorder) find(ctx context.Context, source evidence.ID, token string, session evidence.ID) (*source, *ingest.Session, error) {
	ev, err := r.authenticate(ctx, source, token)
	if err != nil {
		return nil, nil, err
	}
	if s := r.active(ev.Interview); s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, src := range s.sources {
			if src.ev.ID != source || src.session == nil || src.session.ID != session {
				continue
			}
			select {
			case <-src.session.Done():
			default:
				return src, src.session, nil
			}
		}
	}
	return nil, nil, fmt.Errorf("session of source %s: %w", source, evidence.ErrNotFound)
}

// Trickle takes an SDP fragment (RFC 8840) for a session: more candidates, or
// with ifMatch `*` an ICE restart, which returns the server's fragment and the
// new entity tag. Fragment and tag are empty where nothing is returned: answer
// 204 then, and 200 otherwise.
func (r *Recorder) Trickle(ctx context.Context, source evidence.ID, token string, session evidence.ID, ifMatch, fragment string) (answer, etag string, err error) {
	_, running, err := r.find(ctx, source, token, session)
	if err != nil {
		return "", "", err
	}
	return running.Trickle(ctx, ifMatch, fragment)
}

// Unpublish ends a session (RFC 9725 section 4.2, DELETE), after what is still
// missing of it was asked for once more.
func (r *Recorder) Unpublish(ctx context.Context, source evidence.ID, token string, session evidence.ID) error {
	src, running, err := r.find(ctx, source, token, session)
	if err != nil {
		return err
	}
	timer := time.NewTimer(hushFor)
	defer timer.Stop()
	select {
	case <-src.hush():
	case <-timer.C:
	case <-running.Done():
	case <-ctx.Done():
	}
	running.Close()
	return nil
}

// Sources returns the interview's sources in order of creation.
func (r *Recorder) Sources(ctx context.Context, interview evidence.ID) ([]evidence.Source, error) {
	return r.cfg.Store.Sources(ctx, interview)
}
