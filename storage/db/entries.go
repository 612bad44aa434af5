package db

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// where collects the conditions of a query with their arguments.
type where struct {
	conditions []string
	args       []any
}

// and adds a condition in which each $ stands for its argument.
func (w *where) and(condition string, args ...any) {
	for _, a := range args {
		w.args = append(w.args, a)
		condition = strings.Replace(condition, "$", "\x00"+strconv.Itoa(len(w.args)), 1)
	}
	w.conditions = append(w.conditions, strings.ReplaceAll(condition, "\x00", "$"))
}

// equal adds a condition unless the identifier is empty.
func (w *where) equal(column string, id evidence.ID) {
	if id != "" {
		w.and(column+" = $", id)
	}
}

func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

// Entries returns the committed records that the filter chooses, with the
// openings that were not erased.
func (s *Store) Entries(ctx context.Context, f custody.Filter) ([]custody.Record, error) {
	var w where
	w.equal("agency", f.Agency)
	w.equal("case_id", f.Case)
	w.equal("interview_id", f.Interview)
	w.equal("actor", f.Actor)
	w.equal("subject", f.Subject)
	switch {
	case strings.HasSuffix(f.Action, "."):
		w.and("action >= $ AND action < $", f.Action, strings.TrimSuffix(f.Action, ".")+"/") // '/' follows '.'
	case f.Action != "":
		w.and("action = $", f.Action)
	}
	if f.After != nil {
		w.and("position > $", *f.After)
	}
	if f.Before != nil {
		w.and("position < $", *f.Before)
	}
	order := " ORDER BY position"
	if f.Newest {
		order += " DESC"
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 100
	}
	limit = min(limit, 1000)
	var out []custody.Record
	err := s.read(ctx, func(q querier) error {
		rows, err := q.query(ctx, `SELECT position, leaf FROM custody_entry`+w.String()+order+` LIMIT `+strconv.Itoa(limit), w.args...)
		out, err = collect(rows, err, scanRecord)
		if err != nil || len(out) == 0 {
			return err
		}
		return addOpenings(ctx, q, out)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the custody log: %w", err)
	}
	return out, nil
}

// Entry returns the committed record at position, or an error wrapping
// [evidence.ErrNotFound].
func (s *Store) Entry(ctx context.Context, position int64) (custody.Record, error) {
	after, before := position-1, position+1
	out, err := s.Entries(ctx, custody.Filter{After: &after, Before: &before, Limit: 1})
	if err != nil {
		return custody.Record{}, err
	}
	if len(out) == 0 {
		return custody.Record{}, fmt.Errorf("custody entry %d: %w", position, evidence.ErrNotFound)
	}
	return out[0], nil
}

func scanRecord(scan func(...any) error) (custody.Record, error) {
	var r custody.Record
	if err := scan(&r.Position, &r.Raw); err != nil {
		return r, err
	}
	var err error
	if r.Leaf, err = custody.ParseLeaf(r.Raw); err != nil {
		return r, fmt.Errorf("position %d: %w", r.Position, err)
	}
	return r, nil
}

func addOpenings(ctx context.Context, q querier, records []custody.Record) error {
	at := make(map[int64]int, len(records))
	var w where
	marks := make([]string, len(records))
	for i, r := range records {
		at[r.Position] = i
		w.args = append(w.args, r.Position)
		marks[i] = "$" + strconv.Itoa(i+1)
	}
	type opening struct {
		position int64
		evidence.Opening
	}
	rows, err := q.query(ctx, `SELECT position, field, salt, value FROM custody_opening WHERE position IN (`+strings.Join(marks, ", ")+`) ORDER BY position, field`, w.args...)
	all, err := collect(rows, err, func(scan func(...any) error) (o opening, err error) {
		return o, scan(&o.position, &o.Field, &o.Salt, &o.Value)
	})
	if err != nil {
		return err
	}
	for _, o := range all {
		i := at[o.position]
		records[i].Openings = append(records[i].Openings, o.Opening)
	}
	return nil
}

// EraseOpening erases one personal text of the entry at position: the leaf, its
// hash and every proof stay. The erasure is an entry itself, with the details
// "position" and "field". It returns [evidence.ErrNotFound] if there is no such
// opening. On SQLite the text is gone from the database's files when it returns
// nil; an error wrapping [evidence.ErrUnavailable] from then on means that it was
// erased and a reader keeps it in the write-ahead log a little longer. On
// PostgreSQL the row's old version leaves the data files with the next vacuum.
// Archived write-ahead logs and backups that were kept still hold it on both.
func (s *Store) EraseOpening(ctx context.Context, position int64, field string, entry custody.Entry) error {
	err := s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		n, err := tx.exec(ctx, `DELETE FROM custody_opening WHERE position = $1 AND field = $2`, position, field)
		if err != nil {
			return err
		}
		if n == 0 {
			return evidence.ErrNotFound
		}
		tx.detail(0, "position", strconv.FormatInt(position, 10))
		tx.detail(0, "field", field)
		return nil
	})
	if err != nil {
		return fmt.Errorf("erasing %s of custody entry %d: %w", field, position, err)
	}
	if s.dialect == sqliteDialect {
		// The pages as they were before secure_delete still stand in the write-ahead log.
		var busy, pages, moved int
		err := s.w.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &moved)
		if err == nil && busy != 0 {
			err = evidence.ErrUnavailable
		}
		if err != nil {
			return fmt.Errorf("%s of custody entry %d was erased, but still stands in the write-ahead log: %w", field, position, err)
		}
	}
	return nil
}

// detail sets a detail of an entry of the unit of work on a copy of its map.
func (t *tx) detail(i int, key, value string) {
	details := make(map[string]string, len(t.entries[i].Details)+1)
	for k, v := range t.entries[i].Details {
		details[k] = v
	}
	details[key] = value
	t.entries[i].Details = details
}
