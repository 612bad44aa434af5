package db

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/derivative"
)

var _ derivative.Store = (*Store)(nil)

const derivativeColumns = `id, agency, case_id, interview_id, recording_id, state, plan, watermark, watermark_salt, reason, reason_salt, wrapped, recipient, progress,
	requested_by, requested_at, made_at, plain_sha256, plain_size, cipher_sha256, cipher_size, object_key, object_version, bundle, decided_by, decided_at, code, version`

func scanDerivative(scan func(...any) error) (d derivative.Derivative, err error) {
	var plan string
	d.Watermark.Field, d.Reason.Field = derivative.FieldWatermark, derivative.FieldReason
	err = scan(&d.ID, &d.Agency, &d.Case, &d.Interview, &d.Recording, &d.State, &plan, &d.Watermark.Value, &d.Watermark.Salt, &d.Reason.Value, &d.Reason.Salt, &d.Wrapped, &d.Recipient, &d.Progress,
		&d.RequestedBy, &d.RequestedAt, &d.MadeAt, &d.Plain.SHA256, &d.Plain.Size, &d.Cipher.SHA256, &d.Cipher.Size, &d.ObjectKey, &d.ObjectVersion, &d.Bundle, &d.DecidedBy, &d.DecidedAt, &d.Code, &d.Version)
	if err != nil {
		return d, err
	}
	if len(d.Bundle) == 0 {
		d.Bundle = nil
	}
	if err := json.Unmarshal([]byte(plan), &d.Plan); err != nil {
		return d, fmt.Errorf("plan of derivative %s: %w", d.ID, err)
	}
	return d, nil
}

// CreateDerivative implements [derivative.Store].
func (s *Store) CreateDerivative(ctx context.Context, d derivative.Derivative, job evidence.Job, entry custody.Entry) error {
	plan, err := json.Marshal(d.Plan)
	if err != nil {
		return err
	}
	payload, err := json.Marshal(job.Payload)
	if err != nil {
		return err
	}
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		var gone int
		if err := tx.row(ctx, `SELECT COUNT(*) FROM erasure WHERE interview_id = $1 AND state IN ('approved', 'provisional', 'final')`, d.Interview).Scan(&gone); err != nil {
			return err
		}
		if gone > 0 {
			return fmt.Errorf("interview %s is erased: %w", d.Interview, evidence.ErrConflict)
		}
		if err := once(tx.exec(ctx, `INSERT INTO derivative_key (derivative_id, agency, recording_id) VALUES ($1, $2, $3)`, d.ID, d.Agency, d.Recording)); err != nil {
			return err
		}
		err := once(tx.exec(ctx, `INSERT INTO derivative (`+derivativeColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)`,
			d.ID, d.Agency, d.Case, d.Interview, d.Recording, d.State, string(plan), d.Watermark.Value, d.Watermark.Salt, d.Reason.Value, d.Reason.Salt, d.Wrapped, d.Recipient, d.Progress,
			d.RequestedBy, d.RequestedAt, d.MadeAt, d.Plain.SHA256, d.Plain.Size, d.Cipher.SHA256, d.Cipher.Size, d.ObjectKey, d.ObjectVersion, append([]byte{}, d.Bundle...), d.DecidedBy, d.DecidedAt, d.Code, d.Version))
		if err != nil {
			return err
		}
		return insertJob(ctx, tx, job, string(payload))
	})
}

// Derivative implements [derivative.Store].
func (s *Store) Derivative(ctx context.Context, id evidence.ID) (derivative.Derivative, error) {
	d, err := scanDerivative(s.row(ctx, `SELECT `+derivativeColumns+` FROM derivative WHERE id = $1`, id).Scan)
	if err != nil {
		return d, fmt.Errorf("derivative %s: %w", id, notFound(err))
	}
	return d, nil
}

// DerivativesOf implements [derivative.Store].
func (s *Store) DerivativesOf(ctx context.Context, interview evidence.ID) ([]derivative.Derivative, error) {
	rows, err := s.query(ctx, `SELECT `+derivativeColumns+` FROM derivative WHERE interview_id = $1 ORDER BY id DESC`, interview)
	return collect(rows, err, scanDerivative)
}

// ChangeDerivative implements [derivative.Store].
func (s *Store) ChangeDerivative(ctx context.Context, d derivative.Derivative, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `UPDATE derivative SET state = $3, progress = $4, made_at = $5, plain_sha256 = $6, plain_size = $7, cipher_sha256 = $8, cipher_size = $9, object_key = $10,
			object_version = $11, bundle = $12, decided_by = $13, decided_at = $14, code = $15, version = version + 1 WHERE id = $1 AND version = $2`,
			d.ID, d.Version, d.State, d.Progress, d.MadeAt, d.Plain.SHA256, d.Plain.Size, d.Cipher.SHA256, d.Cipher.Size, d.ObjectKey, d.ObjectVersion, append([]byte{}, d.Bundle...), d.DecidedBy, d.DecidedAt, d.Code))
	})
}

// SaveProgress implements [derivative.Store].
func (s *Store) SaveProgress(ctx context.Context, id evidence.ID, percent int) error {
	return s.quiet(ctx, func(tx *tx) error {
		_, err := tx.exec(ctx, `UPDATE derivative SET progress = $2 WHERE id = $1 AND state = 'queued'`, id, percent)
		return err
	})
}

// LogOpened implements [derivative.Store].
func (s *Store) LogOpened(ctx context.Context, id, account evidence.ID, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		_, err := tx.exec(ctx, `INSERT INTO derivative_shown (derivative_id, account, agency) VALUES ($1, $2, $3) ON CONFLICT (derivative_id, account) DO NOTHING`, id, account, entry.Agency)
		return err
	})
}

// Opened implements [derivative.Store].
func (s *Store) Opened(ctx context.Context, id, account evidence.ID) (bool, error) {
	var n int
	err := s.row(ctx, `SELECT COUNT(*) FROM derivative_shown WHERE derivative_id = $1 AND account = $2`, id, account).Scan(&n)
	return n > 0, err
}
