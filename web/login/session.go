// Package login keeps the sessions of people who signed in with a browser.
//
// The cookie holds a random token; the store holds its SHA-256. A session locks
// when its person has done nothing for [Idle] (P38) and ends after [Lifetime],
// whatever is done. Locked is not ended: the page says so and asks for password
// and code again. Nothing here ever stops a recording.
package login

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

const (
	// Idle is how long a session stays open in which its person does nothing (P38).
	Idle = 30 * time.Minute
	// Lifetime is how long a session lasts at most: a long working day.
	Lifetime = 12 * time.Hour
	// touchEvery bounds how often activity is written down. A session may lock
	// so much earlier than Idle after the last act, and never later.
	touchEvery = time.Minute
)

var (
	// ErrNone: there is no session: no cookie, or one that is unknown or ended.
	ErrNone = fmt.Errorf("no session: %w", evidence.ErrUnauthenticated)
	// ErrLocked: there is a session, and it is locked.
	ErrLocked = fmt.Errorf("session locked: %w", evidence.ErrUnauthenticated)
)

// Store keeps sessions by the hash of their token. A write is durable when it
// returns. Safe for concurrent use.
type Store interface {
	// CreateSession stores a new session.
	CreateSession(ctx context.Context, hash string, account evidence.ID, data []byte, expires evidence.Instant) error
	// UpdateSession replaces the data of a session that is there, and does nothing
	// if it is not: a request that runs while its person signs out revives nothing.
	UpdateSession(ctx context.Context, hash string, data []byte, expires evidence.Instant) error
	// Session returns a session's data, or an error wrapping evidence.ErrNotFound.
	Session(ctx context.Context, hash string) (data []byte, expires evidence.Instant, err error)
	// DeleteSession removes a session; removing none is no error.
	DeleteSession(ctx context.Context, hash string) error
	// SessionsOf returns the data of an account's sessions by their hash.
	SessionsOf(ctx context.Context, account evidence.ID) (map[string][]byte, error)
	// EndSession removes a session with the custody entry that says so; an error
	// wrapping evidence.ErrConflict if it is gone.
	EndSession(ctx context.Context, hash string, entry custody.Entry) error
	// DeleteExpiredSessions removes those that expired before now.
	DeleteExpiredSessions(ctx context.Context, now evidence.Instant) error
}

// Session is somebody signed in.
type Session struct {
	ID      evidence.ID // names the session in the custody log; it is not the token
	Account evidence.ID
	MFA     bool
	Started evidence.Instant
	Active  evidence.Instant // when the person last did something, to within a minute

	ctx context.Context // holds scs's copy of the session
}

// LocksAt is when the session locks if nothing is done.
func (s Session) LocksAt() evidence.Instant { return s.Active + evidence.Instant(Idle.Microseconds()) }

// EndsAt is when the session ends.
func (s Session) EndsAt() evidence.Instant {
	return s.Started + evidence.Instant(Lifetime.Microseconds())
}

// Manager begins, finds and ends sessions. Safe for concurrent use.
type Manager struct {
	scs   *scs.SessionManager
	store Store
	clock evidence.Clock
}

// New returns a Manager. secure says that pages are served over TLS, so that the
// cookie is Secure and bound to this host by its __Host- name.
func New(store Store, clock evidence.Clock, secure bool) *Manager {
	m := scs.New()
	m.Store = adapter{store: store, clock: clock}
	m.Codec = codec{}
	m.Lifetime = Lifetime
	m.HashTokenInStore = true
	m.Cookie.Name = "toldonce"
	if secure {
		m.Cookie.Name = "__Host-toldonce"
	}
	m.Cookie.Secure = secure
	m.Cookie.HttpOnly = true
	m.Cookie.SameSite = http.SameSiteStrictMode
	m.Cookie.Path = "/"
	m.Cookie.Persist = false
	return &Manager{scs: m, store: store, clock: clock}
}

// Begin makes a session for account, replaces the one that r carries, if any,
// and returns the cookies to set. A token that was there before the login is
// never used on.
func (m *Manager) Begin(ctx context.Context, r *http.Request, account evidence.ID, mfa bool) (Session, []http.Cookie, error) {
	if _, err := m.End(ctx, r); err != nil {
		return Session{}, nil, err
	}
	now := evidence.At(m.clock())
	if err := m.store.DeleteExpiredSessions(ctx, now); err != nil {
		return Session{}, nil, fmt.Errorf("removing old sessions: %w", err)
	}
	ctx, err := m.scs.Load(context.WithValue(ctx, beginning{}, true), "")
	if err != nil {
		return Session{}, nil, fmt.Errorf("beginning a session: %w", err)
	}
	s := Session{ID: evidence.NewID(), Account: account, MFA: mfa, Started: now, Active: now, ctx: ctx}
	m.put(s)
	token, _, err := m.scs.Commit(ctx)
	if err != nil {
		return Session{}, nil, fmt.Errorf("storing a session: %w", err)
	}
	return s, []http.Cookie{m.cookie(token, 0)}, nil
}

// Find returns the session of a request, [ErrNone] or [ErrLocked].
func (m *Manager) Find(ctx context.Context, r *http.Request) (Session, error) {
	c, err := r.Cookie(m.scs.Cookie.Name)
	if err != nil || c.Value == "" {
		return Session{}, ErrNone
	}
	ctx, err = m.scs.Load(ctx, c.Value)
	if err != nil {
		return Session{}, fmt.Errorf("reading a session: %w", err)
	}
	s, ok := m.get(ctx)
	now := evidence.At(m.clock())
	switch {
	case !ok || now >= s.EndsAt():
		return Session{}, ErrNone
	case now >= s.LocksAt():
		return Session{}, ErrLocked
	}
	return s, nil
}

// Touch notes that the person did something now.
func (m *Manager) Touch(s *Session) error {
	now := evidence.At(m.clock())
	if now-s.Active < evidence.Instant(touchEvery.Microseconds()) {
		return nil
	}
	s.Active = now
	m.put(*s)
	if _, _, err := m.scs.Commit(s.ctx); err != nil {
		return fmt.Errorf("noting activity: %w", err)
	}
	return nil
}

// End removes the session of a request, if it carries one, locked or not, and
// returns the cookies to set.
func (m *Manager) End(ctx context.Context, r *http.Request) ([]http.Cookie, error) {
	gone := []http.Cookie{m.cookie("", -1)}
	c, err := r.Cookie(m.scs.Cookie.Name)
	if err != nil || c.Value == "" {
		return gone, nil
	}
	ctx, err = m.scs.Load(ctx, c.Value)
	if err != nil {
		return nil, fmt.Errorf("reading a session: %w", err)
	}
	if _, ok := m.get(ctx); !ok {
		return gone, nil
	}
	if err := m.scs.Destroy(ctx); err != nil {
		return nil, fmt.Errorf("ending a session: %w", err)
	}
	return gone, nil
}

func (m *Manager) cookie(value string, maxAge int) http.Cookie {
	c := m.scs.Cookie
	return http.Cookie{Name: c.Name, Value: value, Path: c.Path, MaxAge: maxAge, Secure: c.Secure, HttpOnly: c.HttpOnly, SameSite: c.SameSite}
}

func (m *Manager) put(s Session) {
	m.scs.Put(s.ctx, keyID, string(s.ID))
	m.scs.Put(s.ctx, keyAccount, string(s.Account))
	m.scs.Put(s.ctx, keyMFA, formatBool(s.MFA))
	m.scs.Put(s.ctx, keyStarted, formatInstant(s.Started))
	m.scs.Put(s.ctx, keyActive, formatInstant(s.Active))
}

func (m *Manager) get(ctx context.Context) (Session, bool) {
	started, err1 := parseInstant(m.scs.GetString(ctx, keyStarted))
	active, err2 := parseInstant(m.scs.GetString(ctx, keyActive))
	if errors.Join(err1, err2) != nil {
		return Session{}, false // a fresh, empty session: the token is unknown
	}
	return Session{
		ID:      evidence.ID(m.scs.GetString(ctx, keyID)),
		Account: evidence.ID(m.scs.GetString(ctx, keyAccount)),
		MFA:     m.scs.GetString(ctx, keyMFA) == formatBool(true),
		Started: started, Active: active, ctx: ctx,
	}, true
}
