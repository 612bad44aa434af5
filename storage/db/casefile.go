package db

import (
	"context"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
)

var _ casefile.Store = (*Store)(nil)

// CreateCase implements casefile.Store.
func (s *Store) CreateCase(ctx context.Context, c casefile.Case, manager casefile.Member, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		err := once(tx.exec(ctx, `INSERT INTO case_file (`+caseColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			c.ID, c.Agency, c.Reference.Value, c.Reference.Salt, c.ReferenceKey, c.Stage, c.OpenedBy, c.OpenedAt, c.Version))
		if err != nil {
			return err
		}
		return insertMember(ctx, tx, manager)
	})
}

const caseColumns = `id, agency, reference, reference_salt, reference_key, stage, opened_by, opened_at, version`

func scanCase(scan func(...any) error) (c casefile.Case, err error) {
	c.Reference.Field = casefile.FieldReference
	err = scan(&c.ID, &c.Agency, &c.Reference.Value, &c.Reference.Salt, &c.ReferenceKey, &c.Stage, &c.OpenedBy, &c.OpenedAt, &c.Version)
	return c, err
}

// Case implements casefile.Store.
func (s *Store) Case(ctx context.Context, id evidence.ID) (casefile.Case, error) {
	c, err := scanCase(s.row(ctx, `SELECT `+caseColumns+` FROM case_file WHERE id = $1`, id).Scan)
	return c, notFound(err)
}

// heldAt is the condition that a team_member m holds at the time of parameter $n.
const heldAt = `m.since <= %[1]s AND (m.until = 0 OR m.until > %[1]s) AND (m.ended_at = 0 OR m.ended_at > %[1]s)`

// Cases implements casefile.Store.
func (s *Store) Cases(ctx context.Context, account, agency evidence.ID, key string, now evidence.Instant) ([]casefile.Summary, error) {
	held := fmt.Sprintf(heldAt, "$4")
	var list []casefile.Summary
	err := s.read(ctx, func(q querier) error {
		rows, err := q.query(ctx, `SELECT `+caseColumns+`,
			COALESCE((SELECT m.account FROM team_member m WHERE m.case_id = c.id AND m.role = 'case_manager' AND `+held+` ORDER BY m.id LIMIT 1), ''),
			(SELECT COUNT(*) FROM person p WHERE p.case_id = c.id),
			(SELECT COUNT(*) FROM interview i WHERE i.case_id = c.id AND i.state <> 'cancelled'),
			(SELECT COUNT(*) FROM consent o WHERE o.case_id = c.id AND o.decision = 'given'
				AND EXISTS (SELECT 1 FROM consent_item t WHERE t.consent_id = o.id AND t.withdrawn_at = 0 AND t.superseded_at = 0)),
			(SELECT COUNT(*) FROM access_grant g WHERE g.case_id = c.id AND (g.state = 'proposed' OR g.state = 'active' AND g.not_after > $4))
			FROM case_file c
			WHERE (c.agency = $2 OR EXISTS (SELECT 1 FROM team_member m WHERE m.account = $1 AND m.case_id = c.id AND `+held+`))
			AND NOT EXISTS (SELECT 1 FROM separation x WHERE x.case_id = c.id AND x.account = $1 AND x.lifted_until <= $4 AND `+inForce("$4")+`)
			AND ($3 = '' OR c.reference_key = $3 OR EXISTS (SELECT 1 FROM person p WHERE p.case_id = c.id AND p.pseudonym_key = $3))
			ORDER BY c.id DESC`, account, agency, key, now)
		if list, err = collect(rows, err, scanSummary); err != nil {
			return err
		}
		for i := range list {
			if list[i].Roles, err = rolesOn(ctx, q, account, list[i].Case.ID, now); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

func scanSummary(scan func(...any) error) (u casefile.Summary, err error) {
	c := &u.Case
	c.Reference.Field = casefile.FieldReference
	err = scan(&c.ID, &c.Agency, &c.Reference.Value, &c.Reference.Salt, &c.ReferenceKey, &c.Stage, &c.OpenedBy, &c.OpenedAt, &c.Version,
		&u.Manager, &u.People, &u.Interviews, &u.Consents, &u.OpenGrants)
	return u, err
}

// rolesOn returns the roles that an account holds on a case at a time.
func rolesOn(ctx context.Context, q querier, account, caseID evidence.ID, now evidence.Instant) ([]evidence.Role, error) {
	rows, err := q.query(ctx, `SELECT m.role FROM team_member m WHERE m.account = $1 AND m.case_id = $2 AND `+fmt.Sprintf(heldAt, "$3")+` ORDER BY m.id`, account, caseID, now)
	return collect(rows, err, func(scan func(...any) error) (role evidence.Role, err error) {
		err = scan(&role)
		return role, err
	})
}

// SetStage implements casefile.Store.
func (s *Store) SetStage(ctx context.Context, c casefile.Case, stage casefile.Stage, sheet casefile.Sheet, entries []custody.Entry) error {
	return s.write(ctx, entries, func(tx *tx) error {
		err := once(tx.exec(ctx, `UPDATE case_file SET stage = $3, version = version + 1 WHERE id = $1 AND version = $2`, c.ID, c.Version, stage))
		if err != nil {
			return err
		}
		return insertSheet(ctx, tx, sheet)
	})
}

const memberColumns = `id, agency, case_id, account, role, since, until, added_by, added_at, ended_by, ended_at`

func insertMember(ctx context.Context, tx *tx, m casefile.Member) error {
	return once(tx.exec(ctx, `INSERT INTO team_member (`+memberColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		m.ID, m.Agency, m.Case, m.Account, m.Role, m.From, m.Until, m.AddedBy, m.AddedAt, m.EndedBy, m.EndedAt))
}

// AddMember implements casefile.Store.
func (s *Store) AddMember(ctx context.Context, m casefile.Member, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		var barred int
		err := tx.row(ctx, `SELECT (SELECT COUNT(*) FROM separation x WHERE x.case_id = $1 AND x.account = $2 AND x.lifted_until <= $5 AND `+inForce("$5")+`)
			+ (SELECT COUNT(*) FROM team_member WHERE case_id = $1 AND account = $2 AND role = $3 AND ended_at = 0 AND (until = 0 OR until > $4))`,
			m.Case, m.Account, m.Role, m.From, m.AddedAt).Scan(&barred)
		if err != nil {
			return err
		}
		if barred > 0 {
			return fmt.Errorf("team member: %w", evidence.ErrConflict)
		}
		return insertMember(ctx, tx, m)
	})
}

// Team implements casefile.Store.
func (s *Store) Team(ctx context.Context, caseID evidence.ID) ([]casefile.Member, error) {
	rows, err := s.query(ctx, `SELECT `+memberColumns+` FROM team_member WHERE case_id = $1 ORDER BY id`, caseID)
	return collect(rows, err, func(scan func(...any) error) (m casefile.Member, err error) {
		err = scan(&m.ID, &m.Agency, &m.Case, &m.Account, &m.Role, &m.From, &m.Until, &m.AddedBy, &m.AddedAt, &m.EndedBy, &m.EndedAt)
		return m, err
	})
}

// EndMember implements casefile.Store.
func (s *Store) EndMember(ctx context.Context, member, by evidence.ID, at evidence.Instant, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `UPDATE team_member SET ended_by = $2, ended_at = $3 WHERE id = $1 AND ended_at = 0`, member, by, at))
	})
}

const personColumns = `id, agency, case_id, pseudonym, pseudonym_key, kind, age, language, unaccompanied, guardian_name, guardian_relation, guardian_conflict, conflict_note, added_by, added_at, version`

// AddPerson implements casefile.Store.
func (s *Store) AddPerson(ctx context.Context, p casefile.Person, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `INSERT INTO person (`+personColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
			p.ID, p.Agency, p.Case, p.Pseudonym, p.PseudonymKey, p.Kind, p.Age, p.Language, p.Unaccompanied,
			p.Guardian.Name, p.Guardian.Relation, p.Guardian.Conflict, p.Guardian.ConflictNote, p.AddedBy, p.AddedAt, p.Version))
	})
}

func scanPerson(scan func(...any) error) (p casefile.Person, err error) {
	g := &p.Guardian
	err = scan(&p.ID, &p.Agency, &p.Case, &p.Pseudonym, &p.PseudonymKey, &p.Kind, &p.Age, &p.Language, &p.Unaccompanied,
		&g.Name, &g.Relation, &g.Conflict, &g.ConflictNote, &p.AddedBy, &p.AddedAt, &p.Version)
	return p, err
}

func personOf(ctx context.Context, q querier, id evidence.ID) (casefile.Person, error) {
	p, err := scanPerson(q.row(ctx, `SELECT `+personColumns+` FROM person WHERE id = $1`, id).Scan)
	return p, notFound(err)
}

// Person implements casefile.Store.
func (s *Store) Person(ctx context.Context, id evidence.ID) (casefile.Person, error) {
	p, err := scanPerson(s.row(ctx, `SELECT `+personColumns+` FROM person WHERE id = $1`, id).Scan)
	return p, notFound(err)
}

// People implements casefile.Store.
func (s *Store) People(ctx context.Context, caseID evidence.ID) ([]casefile.Person, error) {
	rows, err := s.query(ctx, `SELECT `+personColumns+` FROM person WHERE case_id = $1 ORDER BY id`, caseID)
	return collect(rows, err, scanPerson)
}

// ChangePerson implements casefile.Store.
func (s *Store) ChangePerson(ctx context.Context, p casefile.Person, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `UPDATE person SET age = $3, language = $4, unaccompanied = $5, guardian_name = $6, guardian_relation = $7, guardian_conflict = $8,
			conflict_note = $9, version = version + 1 WHERE id = $1 AND version = $2`, p.ID, p.Version, p.Age, p.Language, p.Unaccompanied,
			p.Guardian.Name, p.Guardian.Relation, p.Guardian.Conflict, p.Guardian.ConflictNote))
	})
}

// PlanInterview implements casefile.Store.
func (s *Store) PlanInterview(ctx context.Context, iv evidence.Interview, p casefile.Plan, earlier int, entry custody.Entry) (evidence.Interview, error) {
	err := s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		var have, last int
		err := tx.row(ctx, `SELECT COUNT(CASE WHEN state <> 'cancelled' THEN 1 END), COALESCE(MAX(number), 0) FROM interview WHERE case_id = $1 AND person_id = $2`, iv.Case, iv.Person).
			Scan(&have, &last)
		if err != nil {
			return err
		}
		if have != earlier {
			return fmt.Errorf("interviews of this person: %w", evidence.ErrConflict)
		}
		iv.Number = last + 1
		err = once(tx.exec(ctx, `INSERT INTO interview (id, agency, case_id, recording_id, person_id, room_id, number, state, planned_at, language, started_at, stopped_at, sealed_at, version)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, 0, $11)`,
			iv.ID, iv.Agency, iv.Case, iv.Recording, iv.Person, iv.Room, iv.Number, iv.State, iv.PlannedAt, iv.Language, iv.Version))
		if err != nil {
			return err
		}
		return once(tx.exec(ctx, `INSERT INTO interview_plan (interview_id, agency, interviewer, needs, necessity, change, planned_by, planned_at, interpreter, same_sex, same_sex_note, reflection, own_request)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			p.Interview, p.Agency, p.Interviewer, p.Needs, p.Necessity, p.Change, p.PlannedBy, p.PlannedAt, p.Interpreter, p.SameSex, p.SameSexNote, p.Reflection, p.OwnRequest))
	})
	return iv, err
}

// Plan implements casefile.Store.
func (s *Store) Plan(ctx context.Context, interview evidence.ID) (p casefile.Plan, err error) {
	err = s.row(ctx, `SELECT interview_id, agency, interviewer, needs, necessity, change, planned_by, planned_at, interpreter, same_sex, same_sex_note, reflection, own_request FROM interview_plan WHERE interview_id = $1`, interview).
		Scan(&p.Interview, &p.Agency, &p.Interviewer, &p.Needs, &p.Necessity, &p.Change, &p.PlannedBy, &p.PlannedAt, &p.Interpreter, &p.SameSex, &p.SameSexNote, &p.Reflection, &p.OwnRequest)
	return p, notFound(err)
}
