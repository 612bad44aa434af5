package db

import (
	"context"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/disclosure"
)

const exportColumns = `id, agency, case_id, interview_id, state, recipient, reasons, reason, requested_by, requested_at,
	approved_by, approved_at, attempt, lease_until, delivered_at, digest, bytes, version`

func scanExport(scan func(...any) error) (disclosure.Export, error) {
	var e disclosure.Export
	err := scan(&e.ID, &e.Agency, &e.Case, &e.Interview, &e.State, &e.Recipient, &e.Reasons, &e.Reason, &e.RequestedBy, &e.RequestedAt,
		&e.ApprovedBy, &e.ApprovedAt, &e.Attempt, &e.LeaseUntil, &e.DeliveredAt, &e.Digest, &e.Bytes, &e.Version)
	return e, err
}

// CreateExport implements [disclosure.Store].
func (s *Store) CreateExport(ctx context.Context, e disclosure.Export, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		_, err := tx.exec(ctx, `INSERT INTO export (`+exportColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
			e.ID, e.Agency, e.Case, e.Interview, e.State, e.Recipient, e.Reasons, e.Reason, e.RequestedBy, e.RequestedAt,
			e.ApprovedBy, e.ApprovedAt, e.Attempt, e.LeaseUntil, e.DeliveredAt, e.Digest, e.Bytes, 1)
		if err != nil {
			return fmt.Errorf("storing export %s: %w", e.ID, conflict(err))
		}
		return nil
	})
}

// Export implements [disclosure.Store].
func (s *Store) Export(ctx context.Context, id evidence.ID) (disclosure.Export, error) {
	e, err := scanExport(s.row(ctx, `SELECT `+exportColumns+` FROM export WHERE id = $1`, id).Scan)
	if err != nil {
		return disclosure.Export{}, fmt.Errorf("export %s: %w", id, notFound(err))
	}
	return e, nil
}

// Exports implements [disclosure.Store].
func (s *Store) Exports(ctx context.Context, f disclosure.Filter) ([]disclosure.Export, error) {
	rows, err := s.query(ctx, `SELECT `+exportColumns+` FROM export
		WHERE ($1 = '' OR interview_id = $1) AND ($2 = '' OR case_id = $2) ORDER BY id DESC LIMIT 1000`, f.Interview, f.Case)
	list, err := collect(rows, err, scanExport)
	if err != nil {
		return nil, fmt.Errorf("listing exports: %w", err)
	}
	return list, nil
}

// ChangeExport implements [disclosure.Store].
func (s *Store) ChangeExport(ctx context.Context, e disclosure.Export, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		n, err := tx.exec(ctx, `UPDATE export SET state = $3, approved_by = $4, approved_at = $5, attempt = $6, lease_until = $7,
			delivered_at = $8, digest = $9, bytes = $10, version = version + 1 WHERE id = $1 AND version = $2`,
			e.ID, e.Version, e.State, e.ApprovedBy, e.ApprovedAt, e.Attempt, e.LeaseUntil, e.DeliveredAt, e.Digest, e.Bytes)
		if err != nil {
			return fmt.Errorf("changing export %s: %w", e.ID, err)
		}
		if n == 0 {
			return fmt.Errorf("export %s changed since it was read: %w", e.ID, evidence.ErrConflict)
		}
		return nil
	})
}

// RenewExport implements [disclosure.Store].
func (s *Store) RenewExport(ctx context.Context, id evidence.ID, attempt int, until evidence.Instant) error {
	return s.quiet(ctx, func(tx *tx) error {
		n, err := tx.exec(ctx, `UPDATE export SET lease_until = $3 WHERE id = $1 AND attempt = $2 AND lease_until > 0`, id, attempt, until)
		if err != nil {
			return fmt.Errorf("renewing the delivery of export %s: %w", id, err)
		}
		if n == 0 {
			return fmt.Errorf("the delivery of export %s was taken over: %w", id, evidence.ErrConflict)
		}
		return nil
	})
}
