package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/keyed"
	"github.com/toldonce/toldonce/evidence/people"
)

var (
	_ people.Store = (*Store)(nil)
	_ keyed.Store  = (*Store)(nil)
)

// once is evidence.ErrConflict unless exactly one row was changed.
func once(changed int64, err error) error {
	switch {
	case err != nil:
		return conflict(err)
	case changed != 1:
		return evidence.ErrConflict
	}
	return nil
}

// CreateIndexKey implements keyed.Store.
func (s *Store) CreateIndexKey(ctx context.Context, wrapped []byte) error {
	return s.quiet(ctx, func(tx *tx) error {
		return once(tx.exec(ctx, `INSERT INTO index_key (id, wrapped) VALUES (1, $1) ON CONFLICT DO NOTHING`, wrapped))
	})
}

// IndexKey implements keyed.Store.
func (s *Store) IndexKey(ctx context.Context) ([]byte, error) {
	var wrapped []byte
	err := s.row(ctx, `SELECT wrapped FROM index_key WHERE id = 1`).Scan(&wrapped)
	if errors.Is(err, evidence.ErrNotFound) {
		return nil, fmt.Errorf("index key: %w", evidence.ErrMissingState)
	}
	return wrapped, err
}

// CreateAgency implements people.Store.
func (s *Store) CreateAgency(ctx context.Context, a people.Agency, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error { return insertAgency(ctx, tx, a) })
}

func insertAgency(ctx context.Context, tx *tx, a people.Agency) error {
	return once(tx.exec(ctx, `INSERT INTO agency (id, name, kind, created_at) VALUES ($1, $2, $3, $4)`, a.ID, a.Name, a.Kind, a.CreatedAt))
}

const agencyColumns = `id, name, kind, created_at`

func scanAgency(scan func(...any) error) (a people.Agency, err error) {
	err = scan(&a.ID, &a.Name, &a.Kind, &a.CreatedAt)
	return a, err
}

// Agency implements people.Store.
func (s *Store) Agency(ctx context.Context, id evidence.ID) (people.Agency, error) {
	a, err := scanAgency(s.row(ctx, `SELECT `+agencyColumns+` FROM agency WHERE id = $1`, id).Scan)
	return a, notFound(err)
}

// Agencies implements people.Store.
func (s *Store) Agencies(ctx context.Context) ([]people.Agency, error) {
	rows, err := s.query(ctx, `SELECT `+agencyColumns+` FROM agency ORDER BY id`)
	return collect(rows, err, scanAgency)
}

// CreateRoom implements people.Store.
func (s *Store) CreateRoom(ctx context.Context, r people.Room, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `INSERT INTO room (id, agency, name, place, time_zone, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			r.ID, r.Agency, r.Name, r.Place, r.TimeZone, r.CreatedAt))
	})
}

const roomColumns = `id, agency, name, place, time_zone, created_at`

func scanRoom(scan func(...any) error) (r people.Room, err error) {
	err = scan(&r.ID, &r.Agency, &r.Name, &r.Place, &r.TimeZone, &r.CreatedAt)
	return r, err
}

// Room implements people.Store.
func (s *Store) Room(ctx context.Context, id evidence.ID) (people.Room, error) {
	r, err := scanRoom(s.row(ctx, `SELECT `+roomColumns+` FROM room WHERE id = $1`, id).Scan)
	return r, notFound(err)
}

// Rooms implements people.Store.
func (s *Store) Rooms(ctx context.Context) ([]people.Room, error) {
	rows, err := s.query(ctx, `SELECT `+roomColumns+` FROM room ORDER BY id`)
	return collect(rows, err, scanRoom)
}

// CreateAccount implements people.Store.
func (s *Store) CreateAccount(ctx context.Context, a people.Account, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error { return insertAccount(ctx, tx, a) })
}

const accountColumns = `id, agency, login, name, role, language, state, proposed_by, approved_by, created_at, approved_at, active_at, disabled_at, recovery_by, recovery_at, version`

func insertAccount(ctx context.Context, tx *tx, a people.Account) error {
	return once(tx.exec(ctx, `INSERT INTO account (`+accountColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		a.ID, a.Agency, a.Login, a.Name, a.Role, a.Language, a.State, a.ProposedBy, a.ApprovedBy, a.CreatedAt, a.ApprovedAt, a.ActiveAt, a.DisabledAt, a.RecoveryBy, a.RecoveryAt, a.Version))
}

func scanAccount(scan func(...any) error) (a people.Account, err error) {
	err = scan(&a.ID, &a.Agency, &a.Login, &a.Name, &a.Role, &a.Language, &a.State, &a.ProposedBy, &a.ApprovedBy, &a.CreatedAt, &a.ApprovedAt, &a.ActiveAt, &a.DisabledAt, &a.RecoveryBy, &a.RecoveryAt, &a.Version)
	return a, err
}

// CreateFirstAccount implements people.Store.
func (s *Store) CreateFirstAccount(ctx context.Context, agency people.Agency, a people.Account, inv people.Invitation, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		var accounts int
		if err := tx.row(ctx, `SELECT COUNT(*) FROM account`).Scan(&accounts); err != nil {
			return err
		}
		if accounts > 0 {
			return fmt.Errorf("there are accounts already: %w", evidence.ErrConflict)
		}
		if err := insertAgency(ctx, tx, agency); err != nil {
			return err
		}
		if err := insertAccount(ctx, tx, a); err != nil {
			return err
		}
		return insertInvitation(ctx, tx, inv)
	})
}

// Account implements people.Store.
func (s *Store) Account(ctx context.Context, id evidence.ID) (people.Account, error) {
	a, err := scanAccount(s.row(ctx, `SELECT `+accountColumns+` FROM account WHERE id = $1`, id).Scan)
	return a, notFound(err)
}

// AccountByLogin implements people.Store.
func (s *Store) AccountByLogin(ctx context.Context, login string) (people.Account, error) {
	a, err := scanAccount(s.row(ctx, `SELECT `+accountColumns+` FROM account WHERE login = $1`, login).Scan)
	return a, notFound(err)
}

// Accounts implements people.Store.
func (s *Store) Accounts(ctx context.Context) ([]people.Account, error) {
	rows, err := s.query(ctx, `SELECT `+accountColumns+` FROM account ORDER BY id`)
	return collect(rows, err, scanAccount)
}

// ApproveAccount implements people.Store.
func (s *Store) ApproveAccount(ctx context.Context, account, by evidence.ID, at evidence.Instant, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `UPDATE account SET state = 'invited', approved_by = $2, approved_at = $3, version = version + 1
			WHERE id = $1 AND state = 'proposed' AND proposed_by <> $2`, account, by, at))
	})
}

// DisableAccount implements people.Store.
func (s *Store) DisableAccount(ctx context.Context, account evidence.ID, at evidence.Instant, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		if err := once(tx.exec(ctx, `UPDATE account SET state = 'disabled', disabled_at = $2, version = version + 1 WHERE id = $1 AND state <> 'disabled'`, account, at)); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `UPDATE token SET revoked_at = $2 WHERE account = $1 AND revoked_at = 0`, account, at); err != nil {
			return err
		}
		return endInvitations(ctx, tx, account)
	})
}

// ProposeRecovery implements people.Store.
func (s *Store) ProposeRecovery(ctx context.Context, account, by evidence.ID, at evidence.Instant, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `UPDATE account SET recovery_by = $2, recovery_at = $3, version = version + 1 WHERE id = $1 AND state = 'active'`, account, by, at))
	})
}

// RecoverAccount implements people.Store.
func (s *Store) RecoverAccount(ctx context.Context, account, by evidence.ID, at evidence.Instant, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		err := once(tx.exec(ctx, `UPDATE account SET state = 'invited', recovery_by = '', recovery_at = 0, version = version + 1
			WHERE id = $1 AND state = 'active' AND recovery_by <> '' AND recovery_by <> $2`, account, by))
		if err != nil {
			return err
		}
		for _, statement := range []string{`DELETE FROM credential WHERE account = $1`, `DELETE FROM passkey WHERE account = $1`, `DELETE FROM sessions WHERE account = $1`} {
			if _, err := tx.exec(ctx, statement, account); err != nil {
				return err
			}
		}
		if _, err := tx.exec(ctx, `UPDATE token SET revoked_at = $2 WHERE account = $1 AND revoked_at = 0`, account, at); err != nil {
			return err
		}
		return endInvitations(ctx, tx, account)
	})
}

func endInvitations(ctx context.Context, tx *tx, account evidence.ID) error {
	_, err := tx.exec(ctx, `DELETE FROM invitation WHERE account = $1 AND used_at = 0`, account)
	return err
}

func insertInvitation(ctx context.Context, tx *tx, inv people.Invitation) error {
	return once(tx.exec(ctx, `INSERT INTO invitation (id, account, token_hash, totp, created_by, created_at, expires_at, used_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		inv.ID, inv.Account, inv.TokenHash, inv.TOTP, inv.CreatedBy, inv.CreatedAt, inv.ExpiresAt, inv.UsedAt))
}

// SaveInvitation implements people.Store.
func (s *Store) SaveInvitation(ctx context.Context, inv people.Invitation, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		if err := endInvitations(ctx, tx, inv.Account); err != nil {
			return err
		}
		return insertInvitation(ctx, tx, inv)
	})
}

// InvitationByHash implements people.Store.
func (s *Store) InvitationByHash(ctx context.Context, hash []byte) (inv people.Invitation, err error) {
	err = s.row(ctx, `SELECT id, account, token_hash, totp, created_by, created_at, expires_at, used_at FROM invitation WHERE token_hash = $1`, hash).
		Scan(&inv.ID, &inv.Account, &inv.TokenHash, &inv.TOTP, &inv.CreatedBy, &inv.CreatedAt, &inv.ExpiresAt, &inv.UsedAt)
	return inv, notFound(err)
}

// SetInvitationTOTP implements people.Store.
func (s *Store) SetInvitationTOTP(ctx context.Context, invitation evidence.ID, wrapped []byte) (stored []byte, err error) {
	err = s.quiet(ctx, func(tx *tx) error {
		if _, err := tx.exec(ctx, `UPDATE invitation SET totp = $2 WHERE id = $1 AND totp IS NULL`, invitation, wrapped); err != nil {
			return err
		}
		return notFound(tx.row(ctx, `SELECT totp FROM invitation WHERE id = $1`, invitation).Scan(&stored))
	})
	return stored, err
}

// AcceptInvitation implements people.Store.
func (s *Store) AcceptInvitation(ctx context.Context, invitation evidence.ID, c people.Credentials, at evidence.Instant, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		if err := once(tx.exec(ctx, `UPDATE invitation SET used_at = $3 WHERE id = $1 AND account = $2 AND used_at = 0 AND expires_at > $3`, invitation, c.Account, at)); err != nil {
			return err
		}
		if err := once(tx.exec(ctx, `UPDATE account SET state = 'active', active_at = $2, version = version + 1 WHERE id = $1 AND state = 'invited'`, c.Account, at)); err != nil {
			return err
		}
		return once(tx.exec(ctx, `INSERT INTO credential (account, password_hash, totp, counter) VALUES ($1, $2, $3, $4)`, c.Account, c.PasswordHash, c.TOTP, c.Counter))
	})
}

// Credentials implements people.Store.
func (s *Store) Credentials(ctx context.Context, account evidence.ID) (c people.Credentials, err error) {
	err = s.row(ctx, `SELECT account, password_hash, totp, counter FROM credential WHERE account = $1`, account).Scan(&c.Account, &c.PasswordHash, &c.TOTP, &c.Counter)
	return c, notFound(err)
}

// CountAttempt implements people.Store.
func (s *Store) CountAttempt(ctx context.Context, keys []string, at evidence.Instant, window int64) ([]people.Attempts, error) {
	counts := make([]people.Attempts, len(keys))
	err := s.quiet(ctx, func(tx *tx) error {
		// What is forgotten here would begin anew anyway; guessed logins leave no rows.
		if _, err := tx.exec(ctx, `DELETE FROM sign_in_attempt WHERE last_success = 0 AND since <= $1`, int64(at)-window); err != nil {
			return err
		}
		for i, key := range keys {
			row := tx.row(ctx, `INSERT INTO sign_in_attempt (key, count, since, last_success) VALUES ($1, 1, $2, 0)
				ON CONFLICT (key) DO UPDATE SET
					count = CASE WHEN $2 - sign_in_attempt.since >= $3 THEN 1 ELSE sign_in_attempt.count + 1 END,
					since = CASE WHEN $2 - sign_in_attempt.since >= $3 THEN $2 ELSE sign_in_attempt.since END
				RETURNING count, since, last_success`, key, at, window)
			if err := row.Scan(&counts[i].Count, &counts[i].Since, &counts[i].LastSuccess); err != nil {
				return err
			}
		}
		return nil
	})
	return counts, err
}

// SignedIn implements people.Store.
func (s *Store) SignedIn(ctx context.Context, account evidence.ID, counter int64, pair, other string, at evidence.Instant, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		if err := once(tx.exec(ctx, `UPDATE credential SET counter = $2 WHERE account = $1 AND counter < $2
			AND EXISTS (SELECT 1 FROM account WHERE id = $1 AND state = 'active')`, account, counter)); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `UPDATE sign_in_attempt SET count = 0, last_success = $2 WHERE key = $1`, pair, at); err != nil {
			return err
		}
		if err := endRecovery(ctx, tx, account); err != nil {
			return err
		}
		_, err := tx.exec(ctx, `UPDATE sign_in_attempt SET count = count - 1 WHERE key = $1 AND count > 0`, other)
		return err
	})
}

// SaveToken implements people.Store.
func (s *Store) SaveToken(ctx context.Context, t people.Token, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `INSERT INTO token (`+tokenColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			t.ID, t.Account, t.Name, t.Hash, t.MFA, t.CreatedAt, t.ExpiresAt, t.RevokedAt))
	})
}

const tokenColumns = `id, account, name, hash, mfa, created_at, expires_at, revoked_at`

func scanToken(scan func(...any) error) (t people.Token, err error) {
	err = scan(&t.ID, &t.Account, &t.Name, &t.Hash, &t.MFA, &t.CreatedAt, &t.ExpiresAt, &t.RevokedAt)
	return t, err
}

// TokenByHash implements people.Store.
func (s *Store) TokenByHash(ctx context.Context, hash []byte) (people.Token, error) {
	t, err := scanToken(s.row(ctx, `SELECT `+tokenColumns+` FROM token WHERE hash = $1`, hash).Scan)
	return t, notFound(err)
}

// Tokens implements people.Store.
func (s *Store) Tokens(ctx context.Context, account evidence.ID) ([]people.Token, error) {
	rows, err := s.query(ctx, `SELECT `+tokenColumns+` FROM token WHERE account = $1 ORDER BY id DESC`, account)
	return collect(rows, err, scanToken)
}

// RevokeToken implements people.Store.
func (s *Store) RevokeToken(ctx context.Context, account, token evidence.ID, at evidence.Instant, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		changed, err := tx.exec(ctx, `UPDATE token SET revoked_at = $3 WHERE account = $1 AND id = $2 AND revoked_at = 0`, account, token, at)
		if err == nil && changed != 1 {
			err = fmt.Errorf("token: %w", evidence.ErrNotFound)
		}
		return err
	})
}
