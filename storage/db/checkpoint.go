package db

import (
	"context"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
)

// SaveRecordingCheckpoint keeps a signed checkpoint of a recording's tree, by its
// size. Of one size the longest note stays, which is the one with the most
// cosignatures. The error wraps [evidence.ErrConflict] if another recorder node has
// the interview.
func (s *Store) SaveRecordingCheckpoint(ctx context.Context, recording evidence.ID, size int64, signed string) error {
	return s.quiet(ctx, func(tx *tx) error {
		iv, err := scanInterview(tx.row(ctx, `SELECT `+interviewColumns+` FROM interview WHERE recording_id = $1`, recording).Scan)
		if err != nil {
			return fmt.Errorf("recording %s: %w", recording, err)
		}
		if err := tx.held(ctx, iv.ID); err != nil {
			return err
		}
		_, err = tx.exec(ctx, `INSERT INTO recording_checkpoint (recording_id, size, agency, signed) VALUES ($1, $2, $3, $4)
			ON CONFLICT (recording_id, size) DO UPDATE SET signed = excluded.signed WHERE length(excluded.signed) > length(recording_checkpoint.signed)`,
			recording, size, iv.Agency, signed)
		return err
	})
}

// RecordingCheckpoints returns the signed checkpoints of a recording in order of
// size.
func (s *Store) RecordingCheckpoints(ctx context.Context, recording evidence.ID) ([]string, error) {
	rows, err := s.query(ctx, `SELECT signed FROM recording_checkpoint WHERE recording_id = $1 ORDER BY size`, recording)
	return collect(rows, err, func(scan func(...any) error) (signed string, err error) {
		err = scan(&signed)
		return signed, err
	})
}
