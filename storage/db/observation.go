package db

import (
	"context"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/observation"
)

var _ observation.Store = (*Store)(nil)

const callColumns = `id, agency, case_id, interview_id, kind, text, called_by, role, at_us, at, outcome, settled_by, settled_us, settled_at`

func scanCall(scan func(...any) error) (c observation.Call, err error) {
	err = scan(&c.ID, &c.Agency, &c.Case, &c.Interview, &c.Kind, &c.Text, &c.By, &c.Role, &c.At, &c.Instant, &c.Outcome, &c.SettledBy, &c.SettledAt, &c.SettledInstant)
	return c, err
}

// CreateCall implements [observation.Store].
func (s *Store) CreateCall(ctx context.Context, c observation.Call, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `INSERT INTO observer_call (`+callColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
			c.ID, c.Agency, c.Case, c.Interview, c.Kind, c.Text, c.By, c.Role, c.At, c.Instant, c.Outcome, c.SettledBy, c.SettledAt, c.SettledInstant))
	})
}

// Call implements [observation.Store].
func (s *Store) Call(ctx context.Context, id evidence.ID) (observation.Call, error) {
	c, err := scanCall(s.row(ctx, `SELECT `+callColumns+` FROM observer_call WHERE id = $1`, id).Scan)
	if err != nil {
		return c, fmt.Errorf("call %s: %w", id, notFound(err))
	}
	return c, nil
}

// Calls implements [observation.Store].
func (s *Store) Calls(ctx context.Context, interview evidence.ID) ([]observation.Call, error) {
	rows, err := s.query(ctx, `SELECT `+callColumns+` FROM observer_call WHERE interview_id = $1 ORDER BY id`, interview)
	return collect(rows, err, scanCall)
}

// SettleCall implements [observation.Store].
func (s *Store) SettleCall(ctx context.Context, c observation.Call, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `UPDATE observer_call SET outcome = $2, settled_by = $3, settled_us = $4, settled_at = $5 WHERE id = $1 AND outcome = ''`,
			c.ID, c.Outcome, c.SettledBy, c.SettledAt, c.SettledInstant))
	})
}

// CreateNote implements [observation.Store].
func (s *Store) CreateNote(ctx context.Context, n observation.Note, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `INSERT INTO observer_note (id, agency, interview_id, author, text, at_us, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			n.ID, n.Agency, n.Interview, n.Author, n.Text, n.At, n.Instant))
	})
}

// Notes implements [observation.Store].
func (s *Store) Notes(ctx context.Context, interview, author evidence.ID) ([]observation.Note, error) {
	rows, err := s.query(ctx, `SELECT id, agency, interview_id, author, text, at_us, at FROM observer_note WHERE interview_id = $1 AND author = $2 ORDER BY id`, interview, author)
	return collect(rows, err, func(scan func(...any) error) (n observation.Note, err error) {
		err = scan(&n.ID, &n.Agency, &n.Interview, &n.Author, &n.Text, &n.At, &n.Instant)
		return n, err
	})
}
