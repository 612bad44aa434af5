package db

import (
	"context"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/retention"
)

const shareColumns = `id, agency, recording_id, number, needed, total, holder, issued_at, returned_at`

// IssueShares notes shares that are about to be given out. The error wraps
// [evidence.ErrConflict] if the recording is being erased or is.
func (s *Store) IssueShares(ctx context.Context, shares []retention.Share, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		for _, x := range shares {
			var gone int
			err := tx.row(ctx, `SELECT COUNT(*) FROM erasure WHERE recording_id = $1 AND state IN ('approved', 'provisional', 'final')`, x.Recording).Scan(&gone)
			if err != nil {
				return err
			}
			if gone > 0 {
				return evidence.ErrConflict
			}
			err = once(tx.exec(ctx, `INSERT INTO escrow_share (`+shareColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
				x.ID, x.Agency, x.Recording, x.Number, x.Needed, x.Total, x.Holder, x.IssuedAt, x.ReturnedAt))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// ReturnShare notes that a share came back and was destroyed; [evidence.ErrConflict]
// if it is not out.
func (s *Store) ReturnShare(ctx context.Context, id evidence.ID, at evidence.Instant, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `UPDATE escrow_share SET returned_at = $2 WHERE id = $1 AND returned_at = 0`, id, at))
	})
}

// Shares implements [retention.Store]: those of a recording, or all if it is empty.
func (s *Store) Shares(ctx context.Context, recording evidence.ID) ([]retention.Share, error) {
	rows, err := s.query(ctx, `SELECT `+shareColumns+` FROM escrow_share WHERE ($1 = '' OR recording_id = $1) ORDER BY id`, recording)
	return collect(rows, err, func(scan func(...any) error) (x retention.Share, err error) {
		err = scan(&x.ID, &x.Agency, &x.Recording, &x.Number, &x.Needed, &x.Total, &x.Holder, &x.IssuedAt, &x.ReturnedAt)
		return x, err
	})
}
