package db

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// SaveDevice writes a new device of a room. The error wraps [evidence.ErrConflict]
// if the room has one with that key.
func (s *Store) SaveDevice(ctx context.Context, d evidence.Device, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `INSERT INTO device (`+deviceColumns+`, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1)`,
			d.ID, d.Agency, d.Room, d.PublicKey, d.KeyID, d.EnrolledAt, d.EnrolledBy, d.RevokedAt))
	})
}

const deviceColumns = `id, agency, room_id, public_key, key_id, enrolled_at, enrolled_by, revoked_at`

func scanDevice(scan func(...any) error) (d evidence.Device, err error) {
	err = scan(&d.ID, &d.Agency, &d.Room, &d.PublicKey, &d.KeyID, &d.EnrolledAt, &d.EnrolledBy, &d.RevokedAt)
	return d, err
}

// Devices implements people.Store.
func (s *Store) Devices(ctx context.Context, room evidence.ID) ([]evidence.Device, error) {
	rows, err := s.query(ctx, `SELECT `+deviceColumns+` FROM device WHERE room_id = $1 ORDER BY id`, room)
	return collect(rows, err, scanDevice)
}

// RevokeDevice implements people.Store.
func (s *Store) RevokeDevice(ctx context.Context, device evidence.ID, at evidence.Instant, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		if err := once(tx.exec(ctx, `UPDATE device SET revoked_at = $2, version = version + 1 WHERE id = $1 AND revoked_at = 0`, device, at)); err != nil {
			return fmt.Errorf("device %s: %w", device, err)
		}
		// What it asked for by its signature ends with it: nothing has the hash of noise.
		rows, err := tx.query(ctx, `SELECT `+sourceColumns+` FROM source WHERE token_device = $1`, device)
		sources, err := collect(rows, err, scanSource)
		for _, src := range sources {
			var noise [32]byte
			rand.Read(noise[:]) // never fails: crypto/rand.Read ends the program instead
			if err := once(tx.exec(ctx, `UPDATE source SET token_hash = $2, token_device = '', version = version + 1 WHERE id = $1`, src.ID, noise[:])); err != nil {
				return err
			}
		}
		return err
	})
}

// Device returns the device of a room with a key.
func (s *Store) Device(ctx context.Context, room evidence.ID, keyID string) (d evidence.Device, err error) {
	d, err = scanDevice(s.row(ctx, `SELECT `+deviceColumns+` FROM device WHERE room_id = $1 AND key_id = $2`, room, keyID).Scan)
	if err != nil {
		return evidence.Device{}, fmt.Errorf("device %s: %w", keyID, notFound(err))
	}
	return d, nil
}

// SaveSourceManifests writes where files of source manifests lie, in one
// transaction; the same again changes nothing. The error wraps
// [evidence.ErrConflict], and nothing is written, if another is in the place of
// one of them or another recorder node has the interview.
func (s *Store) SaveSourceManifests(ctx context.Context, recording evidence.ID, files []evidence.StoredSourceManifest) error {
	return s.quiet(ctx, func(tx *tx) error {
		iv, err := scanInterview(tx.row(ctx, `SELECT `+interviewColumns+` FROM interview WHERE recording_id = $1`, recording).Scan)
		if err != nil {
			return fmt.Errorf("recording %s: %w", recording, err)
		}
		if err := tx.held(ctx, iv.ID); err != nil {
			return err
		}
		for _, f := range files {
			file, err := evidence.Canonical(f.File)
			if err != nil {
				return err
			}
			n, err := tx.exec(ctx, `INSERT INTO source_manifest (source_id, number, agency, recording_id, file, object_key, object_version)
				VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (source_id, number) DO NOTHING`,
				f.File.Source, f.File.Number, iv.Agency, recording, file, f.ObjectKey, f.ObjectVersion)
			if err != nil {
				return err
			}
			if n == 1 {
				continue
			}
			var there []byte
			var key, version string
			err = tx.row(ctx, `SELECT file, object_key, object_version FROM source_manifest WHERE source_id = $1 AND number = $2`, f.File.Source, f.File.Number).Scan(&there, &key, &version)
			if err == nil && (!bytes.Equal(there, file) || key != f.ObjectKey || version != f.ObjectVersion) {
				err = fmt.Errorf("source manifest %d of source %s: %w: another is there", f.File.Number, f.File.Source, evidence.ErrConflict)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// SourceManifests returns where a recording's source manifests lie, by source and
// number.
func (s *Store) SourceManifests(ctx context.Context, recording evidence.ID) ([]evidence.StoredSourceManifest, error) {
	rows, err := s.query(ctx, `SELECT file, object_key, object_version FROM source_manifest WHERE recording_id = $1 ORDER BY source_id, number`, recording)
	return collect(rows, err, func(scan func(...any) error) (m evidence.StoredSourceManifest, err error) {
		var file []byte
		if err := scan(&file, &m.ObjectKey, &m.ObjectVersion); err != nil {
			return m, err
		}
		return m, json.Unmarshal(file, &m.File)
	})
}
