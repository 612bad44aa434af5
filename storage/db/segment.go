package db

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
)

const segmentColumns = `position, leaf, object_key, object_version`

func scanSegment(scan func(...any) error) (seg evidence.Segment, err error) {
	var leaf []byte
	if err := scan(&seg.Position, &leaf, &seg.ObjectKey, &seg.ObjectVersion); err != nil {
		return seg, err
	}
	if err := json.Unmarshal(leaf, &seg.Leaf); err != nil {
		return seg, fmt.Errorf("leaf %d: %w", seg.Position, err)
	}
	return seg, nil
}

// number is what tells a track's leaves of one kind apart.
func number(l evidence.Leaf) int {
	if l.Kind == evidence.LeafInit {
		return l.Init
	}
	return l.Index
}

// SaveSegments writes segments of one recording in one transaction; the same again
// changes nothing. The error wraps [evidence.ErrConflict] if anything else is at
// one of their positions, and nothing is written then.
func (s *Store) SaveSegments(ctx context.Context, recording evidence.ID, segments []evidence.Segment) error {
	return s.quiet(ctx, func(tx *tx) error {
		var agency evidence.ID
		if err := tx.row(ctx, `SELECT agency FROM interview WHERE recording_id = $1`, recording).Scan(&agency); err != nil {
			return fmt.Errorf("recording %s: %w", recording, notFound(err))
		}
		for _, seg := range segments {
			if err := saveSegment(ctx, tx, recording, agency, seg); err != nil {
				return fmt.Errorf("segment %d of recording %s: %w", seg.Position, recording, err)
			}
		}
		return nil
	})
}

func saveSegment(ctx context.Context, tx *tx, recording, agency evidence.ID, seg evidence.Segment) error {
	l := seg.Leaf
	if l.Recording != recording {
		return fmt.Errorf("%w: it belongs to another recording", evidence.ErrInvalid)
	}
	leaf, err := evidence.Canonical(l)
	if err != nil {
		return err
	}
	n, err := tx.exec(ctx, `INSERT INTO segment (recording_id, position, agency, track_id, kind, number, start_us, end_us, leaf, object_key, object_version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (recording_id, position) DO NOTHING`,
		recording, seg.Position, agency, l.Track, l.Kind, number(l), l.Start, l.End, leaf, seg.ObjectKey, seg.ObjectVersion)
	if err != nil || n == 1 {
		return conflict(err)
	}
	var there []byte
	err = tx.row(ctx, `SELECT leaf FROM segment WHERE recording_id = $1 AND position = $2`, recording, seg.Position).Scan(&there)
	if err == nil && !bytes.Equal(there, leaf) {
		err = fmt.Errorf("%w: another is there", evidence.ErrConflict)
	}
	return err
}

// Segments returns every segment of a recording by position.
func (s *Store) Segments(ctx context.Context, recording evidence.ID) ([]evidence.Segment, error) {
	rows, err := s.query(ctx, `SELECT `+segmentColumns+` FROM segment WHERE recording_id = $1 ORDER BY position`, recording)
	return collect(rows, err, scanSegment)
}

// SegmentsOfTrack returns the media segments of a track that share a moment with r,
// by index.
func (s *Store) SegmentsOfTrack(ctx context.Context, track evidence.ID, r evidence.Range) ([]evidence.Segment, error) {
	rows, err := s.query(ctx, `SELECT `+segmentColumns+` FROM segment WHERE track_id = $1 AND kind = 'media' AND start_us < $3 AND end_us > $2 ORDER BY number`, track, r.From, r.Until)
	return collect(rows, err, scanSegment)
}

// SegmentAt returns the segment of a track with an index, or its initialisation
// segment with a number.
func (s *Store) SegmentAt(ctx context.Context, track evidence.ID, kind evidence.LeafKind, index int) (evidence.Segment, error) {
	seg, err := scanSegment(s.row(ctx, `SELECT `+segmentColumns+` FROM segment WHERE track_id = $1 AND kind = $2 AND number = $3`, track, kind, index).Scan)
	if err != nil {
		return evidence.Segment{}, fmt.Errorf("segment %d of track %s: %w", index, track, notFound(err))
	}
	return seg, nil
}
