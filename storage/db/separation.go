package db

import (
	"context"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
)

// inForce is the condition that a separation x keeps somebody apart at the time of
// a parameter, unless it is lifted; see casefile.Link.InForce.
func inForce(now string) string {
	return `(x.state = 'upheld' OR x.state = 'claimed' AND NOT (x.lapses AND x.due_at <= ` + now + `))`
}

const linkColumns = `id, agency, case_id, person_id, account, kind, said_by, said_at, state, due_at, lapses, decided_by, decided_at, lifted_until, lifted_by`

func scanLink(scan func(...any) error) (l casefile.Link, err error) {
	err = scan(&l.ID, &l.Agency, &l.Case, &l.Person, &l.Account, &l.Kind, &l.By, &l.At, &l.State, &l.Due, &l.Lapses, &l.DecidedBy, &l.DecidedAt, &l.LiftedUntil, &l.LiftedBy)
	return l, err
}

// AddLink implements casefile.Store.
func (s *Store) AddLink(ctx context.Context, l casefile.Link, duty casefile.Sheet, entries []custody.Entry) error {
	return s.write(ctx, entries, func(tx *tx) error {
		err := once(tx.exec(ctx, `INSERT INTO separation (`+linkColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
			l.ID, l.Agency, l.Case, l.Person, l.Account, l.Kind, l.By, l.At, l.State, l.Due, l.Lapses, l.DecidedBy, l.DecidedAt, l.LiftedUntil, l.LiftedBy))
		if err != nil {
			return err
		}
		return insertSheet(ctx, tx, duty)
	})
}

// Link implements casefile.Store.
func (s *Store) Link(ctx context.Context, id evidence.ID) (casefile.Link, error) {
	l, err := scanLink(s.row(ctx, `SELECT `+linkColumns+` FROM separation WHERE id = $1`, id).Scan)
	return l, notFound(err)
}

// Links implements casefile.Store.
func (s *Store) Links(ctx context.Context, caseID evidence.ID) ([]casefile.Link, error) {
	rows, err := s.query(ctx, `SELECT `+linkColumns+` FROM separation WHERE case_id = $1 ORDER BY id`, caseID)
	return collect(rows, err, scanLink)
}

// DecideLink implements casefile.Store.
func (s *Store) DecideLink(ctx context.Context, before, l casefile.Link, sheets []casefile.Sheet, entries []custody.Entry) error {
	return s.write(ctx, entries, func(tx *tx) error {
		err := once(tx.exec(ctx, `UPDATE separation SET state = $2, decided_by = $3, decided_at = $4, lifted_until = $5, lifted_by = $6
			WHERE id = $1 AND state = $7 AND decided_at = $8 AND lifted_until = $9`,
			l.ID, l.State, l.DecidedBy, l.DecidedAt, l.LiftedUntil, l.LiftedBy, before.State, before.DecidedAt, before.LiftedUntil))
		if err != nil {
			return err
		}
		for _, sheet := range sheets {
			if err := insertSheet(ctx, tx, sheet); err != nil {
				return err
			}
		}
		if l.State != casefile.LinkUpheld || l.LiftedUntil != 0 {
			return nil
		}
		if _, err := tx.exec(ctx, `UPDATE team_member SET ended_by = $3, ended_at = $4 WHERE case_id = $1 AND account = $2 AND ended_at = 0`, l.Case, l.Account, l.DecidedBy, l.DecidedAt); err != nil {
			return err
		}
		_, err = tx.exec(ctx, `UPDATE access_grant SET state = 'ended', ended_at = $3, version = version + 1 WHERE case_id = $1 AND recipient = $2 AND state IN ('proposed', 'active')`, l.Case, l.Account, l.DecidedAt)
		return err
	})
}
