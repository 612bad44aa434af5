package db

import (
	"context"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// CreateSession stores a new session of package web/login.
func (s *Store) CreateSession(ctx context.Context, hash string, account evidence.ID, data []byte, expires evidence.Instant) error {
	return s.quiet(ctx, func(tx *tx) error {
		_, err := tx.exec(ctx, `INSERT INTO sessions (hash, account, data, expires) VALUES ($1, $2, $3, $4)`, hash, account, data, expires)
		if err != nil {
			return fmt.Errorf("storing a session: %w", conflict(err))
		}
		return nil
	})
}

// UpdateSession replaces the data of a session that is there; it does nothing if
// there is none.
func (s *Store) UpdateSession(ctx context.Context, hash string, data []byte, expires evidence.Instant) error {
	return s.quiet(ctx, func(tx *tx) error {
		_, err := tx.exec(ctx, `UPDATE sessions SET data = $2, expires = $3 WHERE hash = $1`, hash, data, expires)
		if err != nil {
			return fmt.Errorf("updating a session: %w", err)
		}
		return nil
	})
}

// Session returns the data of a session and when it ends, or an error wrapping
// evidence.ErrNotFound.
func (s *Store) Session(ctx context.Context, hash string) (data []byte, expires evidence.Instant, err error) {
	err = s.row(ctx, `SELECT data, expires FROM sessions WHERE hash = $1`, hash).Scan(&data, &expires)
	if err != nil {
		return nil, 0, fmt.Errorf("reading a session: %w", notFound(err))
	}
	return data, expires, nil
}

// DeleteSession removes a session; removing none is no error.
func (s *Store) DeleteSession(ctx context.Context, hash string) error {
	return s.quiet(ctx, func(tx *tx) error {
		if _, err := tx.exec(ctx, `DELETE FROM sessions WHERE hash = $1`, hash); err != nil {
			return fmt.Errorf("removing a session: %w", err)
		}
		return nil
	})
}

// SessionsOf returns the data of an account's sessions by their hash.
func (s *Store) SessionsOf(ctx context.Context, account evidence.ID) (map[string][]byte, error) {
	type row struct {
		hash string
		data []byte
	}
	rows, err := s.query(ctx, `SELECT hash, data FROM sessions WHERE account = $1`, account)
	found, err := collect(rows, err, func(scan func(...any) error) (r row, err error) {
		err = scan(&r.hash, &r.data)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("reading sessions: %w", err)
	}
	out := make(map[string][]byte, len(found))
	for _, r := range found {
		out[r.hash] = r.data
	}
	return out, nil
}

// EndSession removes a session with the custody entry that says so;
// evidence.ErrConflict if it is gone.
func (s *Store) EndSession(ctx context.Context, hash string, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `DELETE FROM sessions WHERE hash = $1`, hash))
	})
}

// DeleteExpiredSessions removes the sessions that ended before now.
func (s *Store) DeleteExpiredSessions(ctx context.Context, now evidence.Instant) error {
	return s.quiet(ctx, func(tx *tx) error {
		if _, err := tx.exec(ctx, `DELETE FROM sessions WHERE expires < $1`, now); err != nil {
			return fmt.Errorf("removing old sessions: %w", err)
		}
		return nil
	})
}
