package db

import (
	"context"
	"fmt"
	"strings"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
)

const sheetColumns = `id, agency, case_id, person_id, interview_id, kind, content, salt, for_account, for_role, due_at, written_by, written_at, closed_by, closed_at, outcome, version`

func insertSheet(ctx context.Context, tx *tx, s casefile.Sheet) error {
	content, err := casefile.EncodeContent(s.Content)
	if err != nil {
		return err
	}
	return once(tx.exec(ctx, `INSERT INTO sheet (`+sheetColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		s.ID, s.Agency, s.Case, s.Person, s.Interview, s.Kind, content, s.Salt, s.ForAccount, s.ForRole, s.Due, s.By, s.At, s.ClosedBy, s.ClosedAt, s.Outcome, s.Version))
}

func scanSheet(scan func(...any) error) (s casefile.Sheet, err error) {
	var content string
	err = scan(&s.ID, &s.Agency, &s.Case, &s.Person, &s.Interview, &s.Kind, &content, &s.Salt, &s.ForAccount, &s.ForRole, &s.Due, &s.By, &s.At, &s.ClosedBy, &s.ClosedAt, &s.Outcome, &s.Version)
	if err != nil {
		return s, err
	}
	s.Content, err = casefile.DecodeContent(content)
	return s, err
}

// AddSheets implements casefile.Store.
func (s *Store) AddSheets(ctx context.Context, sheets []casefile.Sheet, entries []custody.Entry) error {
	return s.write(ctx, entries, func(tx *tx) error {
		for _, sheet := range sheets {
			if err := insertSheet(ctx, tx, sheet); err != nil {
				return err
			}
		}
		return nil
	})
}

// Sheet implements casefile.Store.
func (s *Store) Sheet(ctx context.Context, id evidence.ID) (casefile.Sheet, error) {
	sheet, err := scanSheet(s.row(ctx, `SELECT `+sheetColumns+` FROM sheet WHERE id = $1`, id).Scan)
	return sheet, notFound(err)
}

// Sheets implements casefile.Store.
func (s *Store) Sheets(ctx context.Context, f casefile.SheetFilter) ([]casefile.Sheet, error) {
	var w where
	w.equal("case_id", f.Case)
	w.equal("interview_id", f.Interview)
	if len(f.Kinds) > 0 {
		kinds := make([]any, len(f.Kinds))
		for i, kind := range f.Kinds {
			kinds[i] = kind
		}
		w.and("kind IN ("+strings.TrimSuffix(strings.Repeat("$, ", len(f.Kinds)), ", ")+")", kinds...)
	}
	if f.OpenOnly {
		w.and("closed_at = 0")
	}
	rows, err := s.query(ctx, `SELECT `+sheetColumns+` FROM sheet`+w.String()+` ORDER BY id`, w.args...)
	return collect(rows, err, scanSheet)
}

// CloseSheet implements casefile.Store.
func (s *Store) CloseSheet(ctx context.Context, sheet casefile.Sheet, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `UPDATE sheet SET closed_by = $3, closed_at = $4, outcome = $5, version = version + 1 WHERE id = $1 AND version = $2 AND closed_at = 0`,
			sheet.ID, sheet.Version, sheet.ClosedBy, sheet.ClosedAt, sheet.Outcome))
	})
}

// Duties implements casefile.Store.
func (s *Store) Duties(ctx context.Context, account, agency evidence.ID, now evidence.Instant) ([]casefile.Sheet, error) {
	rows, err := s.query(ctx, `SELECT `+sheetColumns+` FROM sheet s WHERE closed_at = 0 AND (for_account = $1 OR for_account = '' AND for_role <> ''
		AND (EXISTS (SELECT 1 FROM team_member m WHERE m.case_id = s.case_id AND m.account = $1 AND m.role = s.for_role AND `+fmt.Sprintf(heldAt, "$3")+`)
			OR for_role = 'custodian' AND agency = $2))
		ORDER BY CASE WHEN due_at = 0 THEN 1 ELSE 0 END, due_at, id`, account, agency, now)
	return collect(rows, err, scanSheet)
}
