package db

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/keyed"
	"github.com/toldonce/toldonce/evidence/people"
)

// LogKeyPurpose binds the wrapped key that signs the custody log's checkpoints.
const LogKeyPurpose = "log/signer"

// wrapped lists every column that holds a secret which the keyring wrapped for a
// purpose. A new one belongs in here, or a rotation of the master key loses it. The
// data keys of recordings hang on their erasable keys and stay as they are.
var wrapped = []struct{ table, key, column, purpose string }{
	{"installation", "id", "log_key", LogKeyPurpose},
	{"index_key", "id", "wrapped", keyed.Purpose},
	{"credential", "account", "totp", people.TOTPPurpose},
	{"invitation", "id", "totp", people.TOTPPurpose},
}

// Rewrap wraps every secret in the database anew: rewrap returns a box with the
// same content, or the same box. All of it and the entry are committed at once;
// the entry's details say how many changed. It refuses, with an error wrapping
// [evidence.ErrConflict], while an interview is being recorded.
func (s *Store) Rewrap(ctx context.Context, rewrap func(purpose string, box []byte) ([]byte, error), entry custody.Entry) (changed int, err error) {
	err = s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		changed = 0
		var running int
		if err := tx.row(ctx, `SELECT COUNT(*) FROM interview WHERE state IN ('recording', 'paused', 'stopping')`).Scan(&running); err != nil {
			return err
		}
		if running > 0 {
			return fmt.Errorf("%w: an interview is being recorded; seal it first", evidence.ErrConflict)
		}
		for _, w := range wrapped {
			n, err := rewrapColumn(ctx, tx, w.table, w.key, w.column, func(box []byte) ([]byte, error) { return rewrap(w.purpose, box) })
			if err != nil {
				return fmt.Errorf("secrets in %s: %w", w.table, err)
			}
			changed += n
		}
		tx.entries[0].Details["secrets"] = strconv.Itoa(changed)
		return nil
	})
	return changed, err
}

func rewrapColumn(ctx context.Context, tx *tx, table, key, column string, rewrap func([]byte) ([]byte, error)) (int, error) {
	type row struct {
		id  any
		box []byte
	}
	rows, err := tx.query(ctx, `SELECT `+key+`, `+column+` FROM `+table+` WHERE `+column+` IS NOT NULL`)
	list, err := collect(rows, err, func(scan func(...any) error) (r row, err error) {
		err = scan(&r.id, &r.box)
		return r, err
	})
	if err != nil {
		return 0, err
	}
	changed := 0
	for _, r := range list {
		again, err := rewrap(r.box)
		if err != nil {
			return 0, err
		}
		if bytes.Equal(again, r.box) {
			continue
		}
		if err := once(tx.exec(ctx, `UPDATE `+table+` SET `+column+` = $2 WHERE `+key+` = $1`, r.id, again)); err != nil {
			return 0, err
		}
		changed++
	}
	return changed, nil
}
