package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/retention"
)

var _ retention.Store = (*Store)(nil)

// CreateClass implements [retention.Store].
func (s *Store) CreateClass(ctx context.Context, c retention.Class, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		err := once(tx.exec(ctx, `INSERT INTO retention_class (id, agency, name, created_at) VALUES ($1, $2, $3, $4)`, c.ID, c.Agency, c.Name, c.Versions[0].SetAt))
		if err != nil {
			return err
		}
		return insertClassVersion(ctx, tx, c.ID, c.Versions[0])
	})
}

func insertClassVersion(ctx context.Context, tx *tx, class evidence.ID, v retention.ClassVersion) error {
	return once(tx.exec(ctx, `INSERT INTO retention_class_version (class_id, number, days, counts_from, decide_days, basis, set_by, set_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		class, v.Number, v.Days, v.From, v.DecideDays, v.Basis, v.SetBy, v.SetAt))
}

// AddClassVersion implements [retention.Store].
func (s *Store) AddClassVersion(ctx context.Context, class evidence.ID, v retention.ClassVersion, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error { return insertClassVersion(ctx, tx, class, v) })
}

// classesWhere reads classes, each with its versions, by name.
func classesWhere(ctx context.Context, q querier, condition string, arg evidence.ID) ([]retention.Class, error) {
	type line struct {
		class retention.Class
		v     retention.ClassVersion
	}
	rows, err := q.query(ctx, `SELECT c.id, c.agency, c.name, v.number, v.days, v.counts_from, v.decide_days, v.basis, v.set_by, v.set_at
		FROM retention_class c JOIN retention_class_version v ON v.class_id = c.id WHERE `+condition+` ORDER BY c.name, c.id, v.number`, arg)
	lines, err := collect(rows, err, func(scan func(...any) error) (l line, err error) {
		err = scan(&l.class.ID, &l.class.Agency, &l.class.Name, &l.v.Number, &l.v.Days, &l.v.From, &l.v.DecideDays, &l.v.Basis, &l.v.SetBy, &l.v.SetAt)
		return l, err
	})
	out := []retention.Class{}
	for _, l := range lines {
		if len(out) == 0 || out[len(out)-1].ID != l.class.ID {
			out = append(out, l.class)
		}
		c := &out[len(out)-1]
		c.Versions = append(c.Versions, l.v)
	}
	return out, err
}

// Class implements [retention.Store].
func (s *Store) Class(ctx context.Context, id evidence.ID) (retention.Class, error) {
	list, err := classesWhere(ctx, s, `c.id = $1`, id)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("retention class: %w", evidence.ErrNotFound)
	}
	if err != nil {
		return retention.Class{}, err
	}
	return list[0], nil
}

// Classes implements [retention.Store].
func (s *Store) Classes(ctx context.Context, agency evidence.ID) ([]retention.Class, error) {
	return classesWhere(ctx, s, `c.agency = $1`, agency)
}

const ruleColumns = `id, agency, case_id, class_id, class_version, until_at, reason, set_by, set_at`

// AddRule implements [retention.Store].
func (s *Store) AddRule(ctx context.Context, r retention.Rule, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `INSERT INTO retention_rule (`+ruleColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			r.ID, r.Agency, r.Case, r.Class, r.Version, r.Until, r.Reason, r.SetBy, r.SetAt))
	})
}

// RetentionCases implements [retention.Store].
func (s *Store) RetentionCases(ctx context.Context, agency evidence.ID) ([]evidence.ID, error) {
	rows, err := s.query(ctx, `SELECT c.id FROM case_file c WHERE ($1 = '' OR c.agency = $1) AND (
		EXISTS (SELECT 1 FROM interview i WHERE i.case_id = c.id AND i.state = 'sealed')
		OR EXISTS (SELECT 1 FROM retention_rule r WHERE r.case_id = c.id)
		OR EXISTS (SELECT 1 FROM legal_hold h WHERE h.case_id = c.id)) ORDER BY c.id`, agency)
	return collect(rows, err, scanID)
}

func scanID(scan func(...any) error) (id evidence.ID, err error) {
	err = scan(&id)
	return id, err
}

// RetentionFile implements [retention.Store].
func (s *Store) RetentionFile(ctx context.Context, caseID evidence.ID) (f retention.File, err error) {
	err = s.read(ctx, func(q querier) error {
		f = retention.File{Classes: map[evidence.ID]retention.Class{}}
		if f.Case, err = scanCase(q.row(ctx, `SELECT `+caseColumns+` FROM case_file WHERE id = $1`, caseID).Scan); err != nil {
			return notFound(err)
		}
		if f.Case.Stage == casefile.Closed { // the last change of stage is the one that closed it
			err := q.row(ctx, `SELECT COALESCE(MAX(at), 0) FROM custody_entry WHERE case_id = $1 AND action = $2`, caseID, access.CaseStage).Scan(&f.ClosedAt)
			if err != nil {
				return err
			}
		}
		rows, err := q.query(ctx, `SELECT `+ruleColumns+` FROM retention_rule WHERE case_id = $1 ORDER BY id`, caseID)
		f.Rules, err = collect(rows, err, func(scan func(...any) error) (r retention.Rule, err error) {
			err = scan(&r.ID, &r.Agency, &r.Case, &r.Class, &r.Version, &r.Until, &r.Reason, &r.SetBy, &r.SetAt)
			return r, err
		})
		if err != nil {
			return err
		}
		classes, err := classesWhere(ctx, q, `c.id IN (SELECT class_id FROM retention_rule WHERE case_id = $1)`, caseID)
		if err != nil {
			return err
		}
		for _, c := range classes {
			f.Classes[c.ID] = c
		}
		if f.Holds, err = holdsOf(ctx, q, caseID); err != nil {
			return err
		}
		if f.Recordings, err = recordedOn(ctx, q, caseID); err != nil {
			return err
		}
		rows, err = q.query(ctx, `SELECT `+erasureColumns+` FROM erasure WHERE case_id = $1 ORDER BY id DESC`, caseID)
		if f.Erasures, err = collect(rows, err, scanErasure); err != nil {
			return err
		}
		return q.row(ctx, `SELECT COALESCE(MAX(until_at), 0) FROM retention_due WHERE case_id = $1`, caseID).Scan(&f.Raised)
	})
	if err != nil {
		return retention.File{}, fmt.Errorf("retention of case %s: %w", caseID, err)
	}
	return f, nil
}

func recordedOn(ctx context.Context, q querier, caseID evidence.ID) ([]retention.Recorded, error) {
	rows, err := q.query(ctx, `SELECT i.id, i.recording_id, i.number, i.person_id, i.agency, i.sealed_at, COALESCE(o.until_at, 0), COALESCE(o.held, $2), COALESCE(o.objects, 0), COALESCE(o.applied_at, 0)
		FROM interview i LEFT JOIN object_lock o ON o.recording_id = i.recording_id WHERE i.case_id = $1 AND i.state = 'sealed' ORDER BY i.id`, caseID, false)
	return collect(rows, err, func(scan func(...any) error) (r retention.Recorded, err error) {
		err = scan(&r.Interview, &r.Recording, &r.Number, &r.Person, &r.Lock.Agency, &r.SealedAt, &r.Lock.Until, &r.Lock.Held, &r.Lock.Objects, &r.Lock.AppliedAt)
		r.Lock.Recording = r.Recording
		return r, err
	})
}

// RaiseDue implements [retention.Store].
func (s *Store) RaiseDue(ctx context.Context, caseID evidence.ID, until evidence.Instant, entry custody.Entry) error {
	err := s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		n, err := tx.exec(ctx, `INSERT INTO retention_due (case_id, until_at, raised_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, caseID, until, tx.at)
		if err == nil && n == 0 {
			err = errCovered
		}
		return err
	})
	if errors.Is(err, errCovered) {
		err = nil
	}
	return err
}

// SaveLock implements [retention.Store].
func (s *Store) SaveLock(ctx context.Context, l retention.Lock, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `INSERT INTO object_lock (recording_id, agency, until_at, held, objects, applied_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (recording_id) DO UPDATE SET until_at = $3, held = $4, objects = $5, applied_at = $6`, l.Recording, l.Agency, l.Until, l.Held, l.Objects, l.AppliedAt))
	})
}
