package db

import (
	"context"
	"fmt"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// previewAttempts is how often the previews of a recording are tried.
const previewAttempts = 5

// LogPreview implements access.Store.
func (s *Store) LogPreview(ctx context.Context, grant evidence.ID, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		var active bool
		if err := tx.row(ctx, `SELECT state = 'active' FROM access_grant WHERE id = $1`, grant).Scan(&active); err != nil {
			return err
		}
		if !active {
			return fmt.Errorf("grant %s: %w", grant, evidence.ErrConflict)
		}
		return nil
	})
}

// ClaimPreviews implements preview.Store. A claim whose node did not finish in
// time is given out again.
func (s *Store) ClaimPreviews(ctx context.Context, node evidence.ID, ttl time.Duration) (iv evidence.Interview, err error) {
	now := evidence.At(s.clock())
	query := `SELECT ` + interviewColumns + ` FROM interview WHERE state = 'sealed' AND NOT EXISTS (
			SELECT 1 FROM preview_set WHERE preview_set.recording_id = interview.recording_id AND (made_at > 0 OR lease_until > $1 OR attempts >= $2))
		ORDER BY sealed_at DESC LIMIT 1`
	// Looked for first without the writer's lock: mostly there is nothing to do.
	if _, err = scanInterview(s.row(ctx, query, now, previewAttempts).Scan); err != nil {
		return iv, fmt.Errorf("claiming previews: %w", notFound(err))
	}
	err = s.quiet(ctx, func(tx *tx) error {
		if iv, err = scanInterview(tx.row(ctx, query, now, previewAttempts).Scan); err != nil {
			return err
		}
		n, err := tx.exec(ctx, `INSERT INTO preview_set (recording_id, agency, node, lease_until, attempts, made_at) VALUES ($1, $2, $3, $4, 1, 0)
			ON CONFLICT (recording_id) DO UPDATE SET node = $3, lease_until = $4, attempts = preview_set.attempts + 1
			WHERE preview_set.made_at = 0 AND preview_set.lease_until <= $5`,
			iv.Recording, iv.Agency, node, now+evidence.Instant(ttl.Microseconds()), now)
		if err != nil {
			return err
		}
		return changed(n)
	})
	if err != nil {
		return evidence.Interview{}, fmt.Errorf("claiming previews: %w", err)
	}
	return iv, nil
}

// SavePreviews implements preview.Store.
func (s *Store) SavePreviews(ctx context.Context, node, interview evidence.ID, pages []evidence.PreviewPage, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		iv, err := interviewOf(ctx, tx, interview)
		if err != nil {
			return err
		}
		n, err := tx.exec(ctx, `UPDATE preview_set SET made_at = $3, lease_until = 0 WHERE recording_id = $1 AND node = $2 AND made_at = 0`, iv.Recording, node, tx.at)
		if err == nil {
			err = changed(n)
		}
		if err != nil {
			return fmt.Errorf("previews of interview %s: %w", interview, err)
		}
		for _, p := range pages {
			if p.Recording != iv.Recording {
				return fmt.Errorf("previews of interview %s: %w: of another recording", interview, evidence.ErrInvalid)
			}
			err := once(tx.exec(ctx, `INSERT INTO preview_page (recording_id, track_id, page, agency, kind, first_number, last_number, plain_sha256, plain_size, cipher_sha256, cipher_size, object_key, object_version)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
				p.Recording, p.Track, p.Page, iv.Agency, p.Kind, p.First, p.Last, p.Plain.SHA256, p.Plain.Size, p.Cipher.SHA256, p.Cipher.Size, p.ObjectKey, p.ObjectVersion))
			if err != nil {
				return fmt.Errorf("preview %d of track %s: %w", p.Page, p.Track, err)
			}
		}
		return nil
	})
}

// PreviewPages returns the previews of a track that may hold segments from first
// to last, in order; none if they were not made.
func (s *Store) PreviewPages(ctx context.Context, track evidence.ID, first, last int) ([]evidence.PreviewPage, error) {
	rows, err := s.query(ctx, `SELECT recording_id, track_id, page, kind, first_number, last_number, plain_sha256, plain_size, cipher_sha256, cipher_size, object_key, object_version
		FROM preview_page WHERE track_id = $1 AND first_number <= $3 AND last_number >= $2 ORDER BY page`, track, first, last)
	return collect(rows, err, func(scan func(...any) error) (p evidence.PreviewPage, err error) {
		err = scan(&p.Recording, &p.Track, &p.Page, &p.Kind, &p.First, &p.Last, &p.Plain.SHA256, &p.Plain.Size, &p.Cipher.SHA256, &p.Cipher.Size, &p.ObjectKey, &p.ObjectVersion)
		return p, err
	})
}
