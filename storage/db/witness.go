package db

import (
	"context"
	"fmt"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// Cosignatures implements [custody.PublisherStore].
func (s *Store) Cosignatures(ctx context.Context, size int64) ([]custody.Cosignature, error) {
	rows, err := s.query(ctx, `SELECT witness, at, line FROM cosignature WHERE size = $1 ORDER BY witness`, size)
	out, err := collect(rows, err, func(scan func(...any) error) (c custody.Cosignature, err error) {
		var at int64
		if err := scan(&c.Witness, &at, &c.Line); err != nil {
			return c, err
		}
		c.At = time.Unix(at, 0).UTC()
		return c, nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading cosignatures: %w", err)
	}
	return out, nil
}

// SaveCosignature implements [custody.PublisherStore].
func (s *Store) SaveCosignature(ctx context.Context, size int64, c custody.Cosignature) error {
	return s.quiet(ctx, func(tx *tx) error {
		_, err := tx.exec(ctx, `INSERT INTO cosignature (size, witness, at, line) VALUES ($1, $2, $3, $4) ON CONFLICT (size, witness) DO NOTHING`,
			size, c.Witness, c.At.Unix(), c.Line)
		if err != nil {
			return fmt.Errorf("saving a cosignature: %w", err)
		}
		return nil
	})
}

const discontinuityColumns = `id, from_size, until_size, root, source, proposed_by, proposed_at, approved_by, approved_at, version`

// Discontinuities implements [custody.PublisherStore].
func (s *Store) Discontinuities(ctx context.Context) ([]custody.Discontinuity, error) {
	rows, err := s.query(ctx, `SELECT `+discontinuityColumns+` FROM discontinuity ORDER BY id`)
	out, err := collect(rows, err, func(scan func(...any) error) (d custody.Discontinuity, err error) {
		return d, scan(&d.ID, &d.From, &d.Until, &d.Root, &d.Source, &d.ProposedBy, &d.ProposedAt, &d.ApprovedBy, &d.ApprovedAt, &d.Version)
	})
	if err != nil {
		return nil, fmt.Errorf("reading discontinuities: %w", err)
	}
	return out, nil
}

// ProposeDiscontinuity implements [custody.PublisherStore].
func (s *Store) ProposeDiscontinuity(ctx context.Context, d custody.Discontinuity, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		_, err := tx.exec(ctx, `INSERT INTO discontinuity (`+discontinuityColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, '', 0, 1)`,
			d.ID, d.From, d.Until, d.Root, d.Source, d.ProposedBy, d.ProposedAt)
		if err != nil {
			return fmt.Errorf("proposing a discontinuity: %w", err)
		}
		return nil
	})
}

// ApproveDiscontinuity implements [custody.PublisherStore]. Checkpoints of what is
// given up are kept, but the log no longer answers for them.
func (s *Store) ApproveDiscontinuity(ctx context.Context, d custody.Discontinuity, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		n, err := tx.exec(ctx, `UPDATE discontinuity SET approved_by = $3, approved_at = $4, version = version + 1
			WHERE id = $1 AND version = $2 AND approved_by = '' AND proposed_by <> $3`, d.ID, d.Version, d.ApprovedBy, d.ApprovedAt)
		if err == nil && n == 0 {
			err = evidence.ErrConflict
		}
		if err == nil {
			_, err = tx.exec(ctx, `UPDATE checkpoint SET abandoned = 1 WHERE size > $1`, d.From)
		}
		if err == nil {
			_, err = tx.exec(ctx, `DELETE FROM cosignature WHERE size > $1`, d.From)
		}
		if err != nil {
			return fmt.Errorf("approving discontinuity %s: %w", d.ID, err)
		}
		return nil
	})
}
