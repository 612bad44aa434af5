package db

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/people"
)

var _ access.Store = (*Store)(nil)

// errCovered rolls a unit of work back whose entry is not needed.
var errCovered = errors.New("covered by a committed entry")

// located is what a thing is, as far as a decision asks.
type located struct {
	caseID, interview, person evidence.ID
	agency                    evidence.ID // of a thing that belongs to no case
	own, recipient            bool
	forRole                   evidence.Role // whose duty a sheet is
	approvals                 string
}

// locate finds a thing by kind and id.
func locate(ctx context.Context, q querier, account evidence.ID, on evidence.Resource) (l located, err error) {
	var requester, recipient evidence.ID
	switch on.Kind {
	case access.KindSystem:
		return l, nil
	case access.KindAgency:
		err = q.row(ctx, `SELECT id FROM agency WHERE id = $1`, on.ID).Scan(&l.agency)
	case access.KindAccount:
		err = q.row(ctx, `SELECT agency, CASE WHEN recovery_by <> '' THEN recovery_by ELSE proposed_by END FROM account WHERE id = $1`, on.ID).Scan(&l.agency, &requester)
	case access.KindCase:
		err = q.row(ctx, `SELECT id FROM case_file WHERE id = $1`, on.ID).Scan(&l.caseID)
	case access.KindPerson:
		err = q.row(ctx, `SELECT case_id, id FROM person WHERE id = $1`, on.ID).Scan(&l.caseID, &l.person)
	case access.KindConsent:
		err = q.row(ctx, `SELECT case_id, person_id, recorded_by FROM consent WHERE id = $1`, on.ID).Scan(&l.caseID, &l.person, &requester)
	case access.KindInterview:
		err = q.row(ctx, `SELECT case_id, id, person_id FROM interview WHERE id = $1`, on.ID).Scan(&l.caseID, &l.interview, &l.person)
	case access.KindGrant:
		err = q.row(ctx, `SELECT g.case_id, g.interview_id, i.person_id, g.requested_by, g.recipient, g.approvals FROM access_grant g JOIN interview i ON i.id = g.interview_id WHERE g.id = $1`, on.ID).
			Scan(&l.caseID, &l.interview, &l.person, &requester, &recipient, &l.approvals)
	case access.KindExport:
		err = q.row(ctx, `SELECT i.case_id, i.id, i.person_id, e.requested_by FROM export e JOIN interview i ON i.id = e.interview_id WHERE e.id = $1`, on.ID).
			Scan(&l.caseID, &l.interview, &l.person, &requester)
	case access.KindHold:
		err = q.row(ctx, `SELECT case_id, interview_id, placed_by FROM legal_hold WHERE id = $1`, on.ID).Scan(&l.caseID, &l.interview, &requester)
	case access.KindErasure:
		err = q.row(ctx, `SELECT i.case_id, i.id, i.person_id, e.requested_by FROM erasure e JOIN interview i ON i.id = e.interview_id WHERE e.id = $1`, on.ID).
			Scan(&l.caseID, &l.interview, &l.person, &requester)
	case access.KindDerivative:
		err = q.row(ctx, `SELECT d.case_id, d.interview_id, i.person_id, d.requested_by FROM derivative d JOIN interview i ON i.id = d.interview_id WHERE d.id = $1`, on.ID).
			Scan(&l.caseID, &l.interview, &l.person, &requester)
	case access.KindSheet:
		err = q.row(ctx, `SELECT case_id, interview_id, person_id, written_by, for_account, for_role FROM sheet WHERE id = $1`, on.ID).
			Scan(&l.caseID, &l.interview, &l.person, &requester, &recipient, &l.forRole)
	default:
		return l, fmt.Errorf("kind %q: %w", on.Kind, evidence.ErrNotFound)
	}
	l.own, l.recipient = account != "" && requester == account, account != "" && recipient == account
	return l, notFound(err)
}

// Standing implements access.Store.
func (s *Store) Standing(ctx context.Context, account evidence.ID, on evidence.Resource, now evidence.Instant) (st access.Standing, err error) {
	err = s.read(ctx, func(q querier) error {
		l, err := locate(ctx, q, account, on)
		if err != nil {
			return err
		}
		st = access.Standing{OwnedBy: l.agency, Case: l.caseID, Interview: l.interview, Own: l.own, Recipient: l.recipient}
		if l.approvals != "" {
			var approvals []access.Approval
			if err := json.Unmarshal([]byte(l.approvals), &approvals); err != nil {
				return fmt.Errorf("approvals of grant %s: %w", on.ID, err)
			}
			st.CustodianApproved = slices.ContainsFunc(approvals, func(a access.Approval) bool { return a.Role == evidence.RoleCustodian })
		}
		if err := stand(ctx, q, &st, account, l.person, now); err != nil || l.forRole == "" {
			return err
		}
		st.Recipient = st.Recipient || slices.Contains(st.Roles, l.forRole) || l.forRole == evidence.RoleCustodian && st.Role == l.forRole && st.Agency == st.OwnedBy
		return nil
	})
	return st, err
}

// stand fills in what an account is, and is on the case: a row for each role that
// it holds there, at least one.
func stand(ctx context.Context, q querier, st *access.Standing, account, person evidence.ID, now evidence.Instant) error {
	type fact struct {
		agency, owner evidence.ID
		role, held    evidence.Role
		state         people.AccountState
		age           casefile.Age
		apart         int
	}
	if st.Case == "" {
		var f fact
		err := q.row(ctx, `SELECT agency, role, state FROM account WHERE id = $1`, account).Scan(&f.agency, &f.role, &f.state)
		if err = notFound(err); errors.Is(err, evidence.ErrNotFound) {
			return nil
		}
		st.Agency, st.Role, st.Active = f.agency, f.role, f.state == people.Active
		return err
	}
	rows, err := q.query(ctx, `SELECT c.agency, COALESCE(a.agency, ''), COALESCE(a.role, ''), COALESCE(a.state, ''), COALESCE(p.age, ''),
		(SELECT COALESCE(MAX(CASE WHEN x.lifted_until > $4 THEN 1 ELSE 2 END), 0) FROM separation x WHERE x.case_id = c.id AND x.account = $2 AND `+inForce("$4")+`), COALESCE(m.role, '')
		FROM case_file c LEFT JOIN account a ON a.id = $2 LEFT JOIN person p ON p.id = $3
		LEFT JOIN team_member m ON m.case_id = c.id AND m.account = $2 AND `+fmt.Sprintf(heldAt, "$4")+`
		WHERE c.id = $1 ORDER BY m.id`, st.Case, account, person, now)
	facts, err := collect(rows, err, func(scan func(...any) error) (f fact, err error) {
		err = scan(&f.owner, &f.agency, &f.role, &f.state, &f.age, &f.apart, &f.held)
		return f, err
	})
	if err != nil {
		return err
	}
	if len(facts) == 0 {
		return fmt.Errorf("case: %w", evidence.ErrNotFound)
	}
	f := facts[0]
	st.OwnedBy, st.Agency, st.Role, st.Active = f.owner, f.agency, f.role, f.state == people.Active
	st.Linked, st.Lifted = f.apart > 0, f.apart == 1
	st.Child = person != "" && casefile.Person{Age: f.age}.TreatedAsChild()
	for _, f := range facts {
		if f.held != "" {
			st.Roles = append(st.Roles, f.held)
		}
	}
	return nil
}

// Viewing implements access.Store.
func (s *Store) Viewing(ctx context.Context, actor evidence.Actor, interview evidence.ID, now evidence.Instant) (v access.Viewing, err error) {
	account := actor.Account
	err = s.read(ctx, func(q querier) error {
		v = access.Viewing{}
		var person evidence.ID
		err := q.row(ctx, `SELECT case_id, id, person_id, recording_id FROM interview WHERE id = $1`, interview).Scan(&v.Case, &v.Interview, &person, &v.Recording)
		if err != nil {
			return notFound(err)
		}
		if err := stand(ctx, q, &v.Standing, account, person, now); err != nil {
			return err
		}
		rows, err := q.query(ctx, `SELECT `+grantColumns+` FROM access_grant WHERE interview_id = $1 AND recipient = $2 AND state NOT IN ('proposed', 'rejected') ORDER BY id`, interview, account)
		grants, err := collect(rows, err, scanGrant)
		if err != nil {
			return err
		}
		v.Grants = slices.DeleteFunc(grants, func(g access.Grant) bool { return !g.WasActive() })
		if err := accepted(ctx, q, &v, actor, interview, now); err != nil {
			return err
		}
		return consentsFor(ctx, q, &v, person, now)
	})
	return v, err
}

// consentsFor judges the consents that grants rest on; nothing is read if none does.
func consentsFor(ctx context.Context, q querier, v *access.Viewing, person evidence.ID, now evidence.Instant) error {
	v.Consents = map[string]bool{}
	for _, g := range v.Grants {
		if _, known := v.Consents[g.Consent]; g.RestsOn != access.OnConsent || known {
			continue
		}
		valid, err := consentHolds(ctx, q, person, g.Consent, now)
		if err != nil {
			return err
		}
		v.Consents[g.Consent] = valid
	}
	return nil
}

func consentHolds(ctx context.Context, q querier, person evidence.ID, purpose string, now evidence.Instant) (bool, error) {
	p, err := personOf(ctx, q, person)
	if err != nil {
		return false, err
	}
	list, err := consents(ctx, q, "person_id", person)
	if err != nil {
		return false, err
	}
	return len(consent.Judge(p, list, consent.Purpose(purpose), now)) == 0, nil
}

// ConsentHolds implements access.Store.
func (s *Store) ConsentHolds(ctx context.Context, interview evidence.ID, purpose string) (valid bool, err error) {
	now, err := s.Now(ctx)
	if err != nil {
		return false, err
	}
	err = s.read(ctx, func(q querier) error {
		var person evidence.ID
		if err := q.row(ctx, `SELECT person_id FROM interview WHERE id = $1`, interview).Scan(&person); err != nil {
			return notFound(err)
		}
		valid, err = consentHolds(ctx, q, person, purpose, now)
		return err
	})
	return valid, err
}

const grantColumns = `id, agency, case_id, interview_id, source, recipient, asked_from, asked_until, bounds_from, bounds_until, tracks, not_before, not_after,
	purpose, basis, rests_on, consent, state, requested_by, requested_at, approvals, needed, ended_by, ended_at, version, clips, transcript,
	conditions, extends, attested, attested_at`

func scanGrant(scan func(...any) error) (g access.Grant, err error) {
	var tracks, approvals, conditions []byte
	err = scan(&g.ID, &g.Agency, &g.Case, &g.Interview, &g.Source, &g.To, &g.Asked.From, &g.Asked.Until, &g.Bounds.From, &g.Bounds.Until, &tracks, &g.NotBefore, &g.NotAfter,
		&g.Purpose, &g.Basis, &g.RestsOn, &g.Consent, &g.State, &g.RequestedBy, &g.RequestedAt, &approvals, &g.Needed, &g.EndedBy, &g.EndedAt, &g.Version, &g.Clips, &g.Transcript,
		&conditions, &g.Extends, &g.Attested, &g.AttestedAt)
	if err != nil {
		return g, err
	}
	if err := json.Unmarshal(conditions, &g.Conditions); err != nil {
		return g, fmt.Errorf("conditions of grant %s: %w", g.ID, err)
	}
	if err := json.Unmarshal(tracks, &g.Tracks); err != nil {
		return g, fmt.Errorf("tracks of grant %s: %w", g.ID, err)
	}
	if err := json.Unmarshal(approvals, &g.Approvals); err != nil {
		return g, fmt.Errorf("approvals of grant %s: %w", g.ID, err)
	}
	return g, nil
}

// list is the JSON of a list, never null.
func list[T any](of []T) (string, error) {
	if of == nil {
		of = []T{}
	}
	text, err := json.Marshal(of)
	return string(text), err
}

// CreateGrant implements access.Store.
func (s *Store) CreateGrant(ctx context.Context, g access.Grant, entry custody.Entry) error {
	tracks, err := list(g.Tracks)
	if err != nil {
		return err
	}
	approvals, err := list(g.Approvals)
	if err != nil {
		return err
	}
	conditions, err := json.Marshal(g.Conditions)
	if err != nil {
		return err
	}
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `INSERT INTO access_grant (`+grantColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31)`,
			g.ID, g.Agency, g.Case, g.Interview, g.Source, g.To, g.Asked.From, g.Asked.Until, g.Bounds.From, g.Bounds.Until, tracks, g.NotBefore, g.NotAfter,
			g.Purpose, g.Basis, g.RestsOn, g.Consent, g.State, g.RequestedBy, g.RequestedAt, approvals, g.Needed, g.EndedBy, g.EndedAt, g.Version, g.Clips, g.Transcript,
			string(conditions), g.Extends, g.Attested, g.AttestedAt))
	})
}

// Grant implements access.Store.
func (s *Store) Grant(ctx context.Context, id evidence.ID) (access.Grant, error) {
	g, err := scanGrant(s.row(ctx, `SELECT `+grantColumns+` FROM access_grant WHERE id = $1`, id).Scan)
	return g, notFound(err)
}

// Grants implements access.Store.
func (s *Store) Grants(ctx context.Context, f access.GrantFilter) ([]access.Grant, error) {
	limit := f.Limit
	if limit == 0 {
		limit = 500
	}
	rows, err := s.query(ctx, `SELECT `+grantColumns+` FROM access_grant g
		WHERE ($2 = '' OR g.interview_id = $2)
		AND (g.recipient = $1 OR g.requested_by = $1 OR ($3 <> '' AND g.agency = $3)
			OR EXISTS (SELECT 1 FROM team_member m WHERE m.account = $1 AND m.case_id = g.case_id AND `+fmt.Sprintf(heldAt, "$4")+`))
		ORDER BY g.id DESC LIMIT $5`, f.Account, f.Interview, f.OfAgency, f.Now, limit)
	return collect(rows, err, scanGrant)
}

// ChangeGrant implements access.Store.
func (s *Store) ChangeGrant(ctx context.Context, g access.Grant, entry custody.Entry) error {
	approvals, err := list(g.Approvals)
	if err != nil {
		return err
	}
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `UPDATE access_grant SET state = $3, approvals = $4, needed = $5, ended_by = $6, ended_at = $7, attested = $8, attested_at = $9, version = version + 1
			WHERE id = $1 AND version = $2`, g.ID, g.Version, g.State, approvals, g.Needed, g.EndedBy, g.EndedAt, g.Attested, g.AttestedAt))
	})
}

// Exposure implements access.Store.
func (s *Store) Exposure(ctx context.Context, interview evidence.ID) (e access.Exposure, err error) {
	err = s.read(ctx, func(q querier) error {
		e = access.Exposure{}
		rows, err := q.query(ctx, `SELECT approvals, needed FROM access_grant WHERE interview_id = $1 AND state NOT IN ('proposed', 'rejected')`, interview)
		_, err = collect(rows, err, func(scan func(...any) error) (none struct{}, err error) {
			var approvals []byte
			var g access.Grant
			if err := scan(&approvals, &g.Needed); err != nil {
				return none, err
			}
			if err := json.Unmarshal(approvals, &g.Approvals); err != nil {
				return none, err
			}
			if g.State = access.Active; g.WasActive() {
				e.Grants++
			}
			return none, nil
		})
		if err != nil {
			return err
		}
		return q.row(ctx, `SELECT COUNT(*), COALESCE(SUM(most), 0) FROM (
			SELECT MAX(total) AS most FROM (
				SELECT viewer, SUM(span) AS total FROM (
					SELECT DISTINCT viewer, track_id, number, end_us - start_us AS span FROM delivered_segment WHERE interview_id = $1
				) AS once GROUP BY viewer, track_id
			) AS per_track GROUP BY viewer
		) AS per_viewer`, interview).Scan(&e.Viewers, &e.Delivered)
	})
	return e, err
}

// OpenWindow implements access.Store.
func (s *Store) OpenWindow(ctx context.Context, w access.Window, need evidence.Range, entry custody.Entry) (access.Window, error) {
	opened := w
	err := s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		opened = w
		var active bool
		if err := tx.row(ctx, `SELECT state = 'active' FROM access_grant WHERE id = $1`, w.Grant).Scan(&active); err != nil {
			return err
		}
		if !active {
			return fmt.Errorf("grant %s: %w", w.Grant, evidence.ErrConflict)
		}
		query := `SELECT id, range_from, range_until, opened_at, expires_at FROM delivery_window
			WHERE grant_id = $1 AND viewer = $2 AND session = $3 AND opened_at <= $4 AND expires_at > $4 AND (range_from <= $5 AND range_until >= $6 OR $5 = $6) ORDER BY id DESC LIMIT 1`
		err := tx.row(ctx, query, w.Grant, w.Viewer, w.Session, w.OpenedAt, need.From, need.Until).
			Scan(&opened.ID, &opened.Range.From, &opened.Range.Until, &opened.OpenedAt, &opened.ExpiresAt)
		if err == nil {
			return errCovered
		}
		if err := notFound(err); !errors.Is(err, evidence.ErrNotFound) {
			return err
		}
		if err := touchViewing(ctx, tx, w); err != nil {
			return err
		}
		return once(tx.exec(ctx, `INSERT INTO delivery_window (id, agency, interview_id, grant_id, viewer, session, range_from, range_until, opened_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			w.ID, w.Agency, w.Interview, w.Grant, w.Viewer, w.Session, w.Range.From, w.Range.Until, w.OpenedAt, w.ExpiresAt))
	})
	if errors.Is(err, errCovered) {
		err = nil
	}
	return opened, err
}

// SaveDelivered implements access.Store.
func (s *Store) SaveDelivered(ctx context.Context, d access.Delivered) error {
	return s.quiet(ctx, func(tx *tx) error {
		_, err := tx.exec(ctx, `INSERT INTO delivered_segment (window_id, track_id, number, interview_id, viewer, start_us, end_us) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
			d.Window, d.Track, d.Index, d.Interview, d.Viewer, d.Range.From, d.Range.Until)
		return err
	})
}

// LogRefusal implements access.Store.
func (s *Store) LogRefusal(ctx context.Context, account, interview evidence.ID, code string, since evidence.Instant, entry custody.Entry) error {
	var last evidence.Instant
	query := `SELECT at FROM media_refusal WHERE account = $1 AND interview_id = $2 AND code = $3`
	err := notFound(s.row(ctx, query, account, interview, code).Scan(&last))
	if err == nil && last > since {
		return nil // the common case of a flood, without the writer's lock
	}
	if err != nil && !errors.Is(err, evidence.ErrNotFound) {
		return err
	}
	err = s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		changed, err := tx.exec(ctx, `INSERT INTO media_refusal (account, interview_id, code, at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (account, interview_id, code) DO UPDATE SET at = $4 WHERE media_refusal.at <= $5`, account, interview, code, tx.at, since)
		if err == nil && changed == 0 {
			err = errCovered
		}
		return err
	})
	if errors.Is(err, errCovered) {
		err = nil
	}
	return err
}
