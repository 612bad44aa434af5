package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

const viewingColumns = `id, agency, interview_id, grant_id, viewer, session, terms, accepted_at, last_at`

func scanViewing(scan func(...any) error) (v access.ViewingSession, err error) {
	err = scan(&v.ID, &v.Agency, &v.Interview, &v.Grant, &v.Viewer, &v.Session, &v.Terms, &v.AcceptedAt, &v.LastAt)
	return v, err
}

// accepted finds the open viewings of a session; nothing is read if no grant asks
// for terms.
func accepted(ctx context.Context, q querier, v *access.Viewing, actor evidence.Actor, interview evidence.ID, now evidence.Instant) error {
	v.Accepted = map[evidence.ID]bool{}
	asks := false
	for _, g := range v.Grants {
		asks = asks || g.Conditions.Terms
	}
	if !asks {
		return nil
	}
	rows, err := q.query(ctx, `SELECT grant_id FROM viewing_session WHERE interview_id = $1 AND viewer = $2 AND session = $3 AND last_at > $4`,
		interview, actor.Account, actor.Session, access.IdleSince(now))
	grants, err := collect(rows, err, func(scan func(...any) error) (id evidence.ID, err error) {
		err = scan(&id)
		return id, err
	})
	for _, id := range grants {
		v.Accepted[id] = true
	}
	return err
}

// touchViewing notes a window in the viewing that it was opened in, if there is one.
func touchViewing(ctx context.Context, tx *tx, w access.Window) error {
	_, err := tx.exec(ctx, `UPDATE viewing_session SET last_at = $5 WHERE interview_id = $1 AND viewer = $2 AND session = $3 AND last_at > $6 AND grant_id = $4`,
		w.Interview, w.Viewer, w.Session, w.Grant, w.OpenedAt, access.IdleSince(w.OpenedAt))
	return err
}

// OpenViewing implements access.Store.
func (s *Store) OpenViewing(ctx context.Context, v access.ViewingSession, most int, entry custody.Entry) (access.ViewingSession, error) {
	opened := v
	err := s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		opened = v
		// The row is locked, so that two sessions cannot both take the last viewing.
		changed, err := tx.exec(ctx, `UPDATE access_grant SET version = version WHERE id = $1 AND state = 'active'`, v.Grant)
		if err != nil {
			return err
		}
		if changed == 0 {
			return fmt.Errorf("grant %s: %w", v.Grant, evidence.ErrConflict)
		}
		opened, err = scanViewing(tx.row(ctx, `SELECT `+viewingColumns+` FROM viewing_session WHERE interview_id = $1 AND viewer = $2 AND session = $3 AND last_at > $4 AND grant_id = $5
			ORDER BY id DESC LIMIT 1`, v.Interview, v.Viewer, v.Session, access.IdleSince(v.AcceptedAt), v.Grant).Scan)
		if err == nil {
			return errCovered
		}
		if err := notFound(err); !errors.Is(err, evidence.ErrNotFound) {
			return err
		}
		opened = v
		var had int
		if err := tx.row(ctx, `SELECT COUNT(*) FROM viewing_session WHERE grant_id = $1`, v.Grant).Scan(&had); err != nil {
			return err
		}
		if most > 0 && had >= most {
			return fmt.Errorf("grant %s: %w", v.Grant, access.ErrViewingsUsed)
		}
		return once(tx.exec(ctx, `INSERT INTO viewing_session (`+viewingColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			v.ID, v.Agency, v.Interview, v.Grant, v.Viewer, v.Session, v.Terms, v.AcceptedAt, v.LastAt))
	})
	if errors.Is(err, errCovered) {
		err = nil
	}
	return opened, err
}

// Viewings implements access.Store.
func (s *Store) Viewings(ctx context.Context, grant evidence.ID) ([]access.ViewingSession, error) {
	rows, err := s.query(ctx, `SELECT `+viewingColumns+` FROM viewing_session WHERE grant_id = $1 ORDER BY id`, grant)
	return collect(rows, err, scanViewing)
}
