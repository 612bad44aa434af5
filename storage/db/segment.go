package db

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
)

const segmentColumns = `position, leaf, object_key, object_version`

func scanSegment(scan func(...any) error) (seg evidence.Segment, err error) {
	var leaf []byte
	if err := scan(&seg.Position, &leaf, &seg.ObjectKey, &seg.ObjectVersion); err != nil {
		return seg, err
	}
	if seg.Leaf, err = parseLeaf(leaf); err != nil {
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
// changes nothing. Segments whose upload ended after the seal are accepted if the
// seal holds exactly them. The error wraps [evidence.ErrConflict], and nothing is
// written, if anything else is at one of their positions, if the interview is not
// being recorded, or if another recorder node has it.
func (s *Store) SaveSegments(ctx context.Context, recording evidence.ID, segments []evidence.Segment) error {
	return s.quiet(ctx, func(tx *tx) error {
		iv, err := scanInterview(tx.row(ctx, `SELECT `+interviewColumns+` FROM interview WHERE recording_id = $1`, recording).Scan)
		if err != nil {
			return fmt.Errorf("recording %s: %w", recording, err)
		}
		if err := tx.held(ctx, iv.ID); err != nil {
			return err
		}
		for _, seg := range segments {
			if err := saveSegment(ctx, tx, iv, seg); err != nil {
				return fmt.Errorf("segment %d of recording %s: %w", seg.Position, recording, err)
			}
		}
		return nil
	})
}

func saveSegment(ctx context.Context, tx *tx, iv evidence.Interview, seg evidence.Segment) error {
	l := seg.Leaf
	if l.Recording != iv.Recording {
		return fmt.Errorf("%w: it belongs to another recording", evidence.ErrInvalid)
	}
	if seg.Position < 0 {
		return fmt.Errorf("%w: no position", evidence.ErrInvalid)
	}
	leaf, err := evidence.Canonical(l)
	if err != nil {
		return err
	}
	switch iv.State {
	case evidence.StateRecording, evidence.StatePaused, evidence.StateStopping:
	case evidence.StateSealed:
		if err := inSeal(ctx, tx, seg, leaf); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%w: the interview is %s", evidence.ErrConflict, iv.State)
	}
	n, err := tx.exec(ctx, `INSERT INTO segment (recording_id, position, agency, track_id, kind, number, start_us, end_us, leaf, object_key, object_version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (recording_id, position) DO NOTHING`,
		iv.Recording, seg.Position, iv.Agency, l.Track, l.Kind, number(l), l.Start, l.End, leaf, seg.ObjectKey, seg.ObjectVersion)
	if err != nil || n == 1 {
		return err
	}
	var there []byte
	var key, version string
	err = tx.row(ctx, `SELECT leaf, object_key, object_version FROM segment WHERE recording_id = $1 AND position = $2`, iv.Recording, seg.Position).Scan(&there, &key, &version)
	if err == nil && (!bytes.Equal(there, leaf) || key != seg.ObjectKey || version != seg.ObjectVersion) {
		err = fmt.Errorf("%w: another is there", evidence.ErrConflict)
	}
	return err
}

// inSeal returns [evidence.ErrConflict] unless the sealed recording holds the leaf
// at the segment's position.
func inSeal(ctx context.Context, tx *tx, seg evidence.Segment, leaf []byte) error {
	var page []byte
	err := tx.row(ctx, `SELECT data FROM sealed_page WHERE recording_id = $1 AND page = $2`, seg.Leaf.Recording, seg.Position/evidence.PageSize).Scan(&page)
	if err != nil && !errors.Is(err, evidence.ErrNotFound) {
		return err
	}
	lines := bytes.Split(page, []byte("\n"))
	if at := seg.Position % evidence.PageSize; err != nil || at >= int64(len(lines)) || !bytes.Equal(lines[at], leaf) {
		return fmt.Errorf("%w: the sealed recording does not hold it", evidence.ErrConflict)
	}
	return nil
}

// Segments returns every segment of a recording by position.
func (s *Store) Segments(ctx context.Context, recording evidence.ID) ([]evidence.Segment, error) {
	rows, err := s.query(ctx, `SELECT `+segmentColumns+` FROM segment WHERE recording_id = $1 ORDER BY position`, recording)
	return collect(rows, err, scanSegment)
}

// SegmentsOfTrack returns the media segments of a track that share a moment with r,
// by index. The caller may keep the list and changes nothing in it.
func (s *Store) SegmentsOfTrack(ctx context.Context, track evidence.ID, r evidence.Range) ([]evidence.Segment, error) {
	all, err := s.mediaOf(ctx, track)
	if err != nil {
		return nil, err
	}
	out := make([]evidence.Segment, 0, len(all))
	for _, seg := range all {
		if seg.Leaf.Start < r.Until && seg.Leaf.End > r.From {
			out = append(out, seg)
		}
	}
	return out, nil
}

// mediaOf returns every media segment of a track by index. A written segment never
// changes, so a list that was read stands while no segment came or went; for long
// recordings, whose players ask for it all the time, it is kept.
func (s *Store) mediaOf(ctx context.Context, track evidence.ID) ([]evidence.Segment, error) {
	var state trackState
	err := s.row(ctx, `SELECT COUNT(*), COALESCE(MAX(number), -1) FROM segment WHERE track_id = $1 AND kind = 'media'`, track).Scan(&state.count, &state.last)
	if err != nil {
		return nil, err
	}
	if all, ok := s.kept.get(track, state); ok {
		return all, nil
	}
	rows, err := s.query(ctx, `SELECT `+segmentColumns+` FROM segment WHERE track_id = $1 AND kind = 'media' ORDER BY number`, track)
	all, err := collect(rows, err, scanSegment)
	if err == nil && len(all) == state.count {
		s.kept.put(track, state, all)
	}
	return all, err
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
