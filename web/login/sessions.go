package login

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// Sessions lists the sessions of an account that have not ended, the newest first.
// They are locked or open; where somebody signed in from is not kept.
func (m *Manager) Sessions(ctx context.Context, account evidence.ID) ([]Session, error) {
	found, err := m.sessions(ctx, account)
	if err != nil {
		return nil, err
	}
	out := make([]Session, 0, len(found))
	for _, s := range found {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Session) int { return cmp.Or(cmp.Compare(b.Started, a.Started), cmp.Compare(b.ID, a.ID)) })
	return out, nil
}

// EndOf ends one session of an account by its ID, with the custody entry that says
// so. The next request of that session is refused. It returns an error wrapping
// [evidence.ErrNotFound] if the account has no such session.
func (m *Manager) EndOf(ctx context.Context, account, session evidence.ID, entry custody.Entry) error {
	found, err := m.sessions(ctx, account)
	if err != nil {
		return err
	}
	for hash, s := range found {
		if s.ID == session {
			return m.store.EndSession(ctx, hash, entry)
		}
	}
	return fmt.Errorf("session: %w", evidence.ErrNotFound)
}

// sessions reads an account's sessions that have not ended, by the hash of their token.
func (m *Manager) sessions(ctx context.Context, account evidence.ID) (map[string]Session, error) {
	all, err := m.store.SessionsOf(ctx, account)
	if err != nil {
		return nil, err
	}
	now := evidence.At(m.clock())
	out := make(map[string]Session, len(all))
	for hash, data := range all {
		var d stored
		if err := json.Unmarshal(data, &d); err != nil {
			return nil, fmt.Errorf("session data: %w", err)
		}
		started, err := parseInstant(d.Values[keyStarted])
		if err != nil {
			return nil, fmt.Errorf("session data: %w", err)
		}
		active, err := parseInstant(d.Values[keyActive])
		if err != nil {
			return nil, fmt.Errorf("session data: %w", err)
		}
		s := Session{ID: evidence.ID(d.Values[keyID]), Account: account, MFA: d.Values[keyMFA] == formatBool(true), Started: started, Active: active}
		if now < s.EndsAt() {
			out[hash] = s
		}
	}
	return out, nil
}
