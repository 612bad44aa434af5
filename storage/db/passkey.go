package db

import (
	"context"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/people"
)

// maxCeremonies bounds what strangers can make this store keep.
const maxCeremonies = 10_000

// SaveCeremony keeps what a passkey ceremony of package web/login began with,
// until it is taken or expires. It returns an error wrapping [evidence.ErrTooMany]
// while 10,000 are open.
func (s *Store) SaveCeremony(ctx context.Context, hash string, data []byte, now, expires evidence.Instant) error {
	return s.quiet(ctx, func(tx *tx) error {
		if _, err := tx.exec(ctx, `DELETE FROM ceremony WHERE expires <= $1`, now); err != nil {
			return fmt.Errorf("removing old ceremonies: %w", err)
		}
		var open int
		if err := tx.row(ctx, `SELECT COUNT(*) FROM ceremony`).Scan(&open); err != nil {
			return err
		}
		if open >= maxCeremonies {
			return fmt.Errorf("%w: ceremonies are open", evidence.ErrTooMany)
		}
		return once(tx.exec(ctx, `INSERT INTO ceremony (hash, data, expires) VALUES ($1, $2, $3)`, hash, data, expires))
	})
}

// TakeCeremony returns it, once; or an error wrapping [evidence.ErrNotFound].
func (s *Store) TakeCeremony(ctx context.Context, hash string, now evidence.Instant) (data []byte, err error) {
	err = s.quiet(ctx, func(tx *tx) error {
		return notFound(tx.row(ctx, `DELETE FROM ceremony WHERE hash = $1 AND expires > $2 RETURNING data`, hash, now).Scan(&data))
	})
	return data, err
}

const passkeyColumns = `id, account, name, credential, created_at, used_at`

func scanPasskey(scan func(...any) error) (p people.Passkey, err error) {
	err = scan(&p.ID, &p.Account, &p.Name, &p.Credential, &p.CreatedAt, &p.UsedAt)
	return p, err
}

// SavePasskey implements people.Store.
func (s *Store) SavePasskey(ctx context.Context, p people.Passkey, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `INSERT INTO passkey (`+passkeyColumns+`) VALUES ($1, $2, $3, $4, $5, $6)`, p.ID, p.Account, p.Name, p.Credential, p.CreatedAt, p.UsedAt))
	})
}

// Passkeys implements people.Store.
func (s *Store) Passkeys(ctx context.Context, account evidence.ID) ([]people.Passkey, error) {
	rows, err := s.query(ctx, `SELECT `+passkeyColumns+` FROM passkey WHERE account = $1 ORDER BY created_at, id`, account)
	return collect(rows, err, scanPasskey)
}

// DeletePasskey implements people.Store.
func (s *Store) DeletePasskey(ctx context.Context, account evidence.ID, id []byte, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		n, err := tx.exec(ctx, `DELETE FROM passkey WHERE account = $1 AND id = $2`, account, id)
		if err == nil && n != 1 {
			err = fmt.Errorf("passkey: %w", evidence.ErrNotFound)
		}
		return err
	})
}

// PasskeySignedIn implements people.Store.
func (s *Store) PasskeySignedIn(ctx context.Context, p people.Passkey, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		err := once(tx.exec(ctx, `UPDATE passkey SET credential = $3, used_at = $4 WHERE account = $1 AND id = $2
			AND EXISTS (SELECT 1 FROM account WHERE id = $1 AND state = 'active')`, p.Account, p.ID, p.Credential, p.UsedAt))
		if err != nil {
			return err
		}
		return endRecovery(ctx, tx, p.Account)
	})
}

// endRecovery ends a proposed recovery: whoever signs in lost nothing.
func endRecovery(ctx context.Context, tx *tx, account evidence.ID) error {
	_, err := tx.exec(ctx, `UPDATE account SET recovery_by = '', recovery_at = 0, version = version + 1 WHERE id = $1 AND recovery_by <> ''`, account)
	return err
}
