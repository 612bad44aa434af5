package db

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

var _ consent.Store = (*Store)(nil)

const consentColumns = `id, agency, case_id, person_id, decision, given_by, form, child_view, child_words, document, document_sha256, recorded_by, recorded_at,
	attested_by, attested_at, language, interpreter, text_version, basis, law, jurisdiction, given_at, valid_until, signing, told_who, text_sha256`

func scanConsent(scan func(...any) error) (r consent.Record, err error) {
	err = scan(&r.ID, &r.Agency, &r.Case, &r.Person, &r.Decision, &r.GivenBy, &r.Form, &r.ChildView, &r.ChildWords, &r.Document, &r.DocumentSHA256, &r.RecordedBy, &r.RecordedAt,
		&r.AttestedBy, &r.AttestedAt, &r.Language, &r.Interpreter, &r.TextVersion, &r.Basis, &r.Law, &r.Jurisdiction, &r.GivenAt, &r.ValidUntil, &r.Signing, &r.ToldWho, &r.TextSHA256)
	return r, err
}

// consents reads acts with their items; where names columns of consent.
func consents(ctx context.Context, q querier, where string, id evidence.ID) ([]consent.Record, error) {
	rows, err := q.query(ctx, `SELECT `+consentColumns+` FROM consent WHERE `+where+` = $1 ORDER BY id DESC`, id)
	list, err := collect(rows, err, scanConsent)
	if err != nil {
		return nil, err
	}
	for i := range list {
		rows, err := q.query(ctx, `SELECT purpose, version, superseded_at, withdrawn_at, withdrawn_by, withdrawal_recorded_by FROM consent_item WHERE consent_id = $1`, list[i].ID)
		items, err := collect(rows, err, func(scan func(...any) error) (it consent.Item, err error) {
			err = scan(&it.Purpose, &it.Version, &it.SupersededAt, &it.WithdrawnAt, &it.WithdrawnBy, &it.RecordedBy)
			return it, err
		})
		if err != nil {
			return nil, err
		}
		slices.SortFunc(items, func(a, b consent.Item) int {
			return slices.Index(consent.Purposes, a.Purpose) - slices.Index(consent.Purposes, b.Purpose)
		})
		list[i].Items = items
	}
	return list, nil
}

func (s *Store) readConsents(ctx context.Context, where string, id evidence.ID) (list []consent.Record, err error) {
	err = s.read(ctx, func(q querier) error {
		list, err = consents(ctx, q, where, id)
		return err
	})
	return list, err
}

// Consent implements consent.Store.
func (s *Store) Consent(ctx context.Context, id evidence.ID) (consent.Record, error) {
	list, err := s.readConsents(ctx, "id", id)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("consent: %w", evidence.ErrNotFound)
	}
	if err != nil {
		return consent.Record{}, err
	}
	return list[0], nil
}

// Consents implements consent.Store.
func (s *Store) Consents(ctx context.Context, person evidence.ID) ([]consent.Record, error) {
	return s.readConsents(ctx, "person_id", person)
}

// ConsentsOfCase implements consent.Store.
func (s *Store) ConsentsOfCase(ctx context.Context, caseID evidence.ID) ([]consent.Record, error) {
	return s.readConsents(ctx, "case_id", caseID)
}

// GrantsOnConsent implements consent.Store.
func (s *Store) GrantsOnConsent(ctx context.Context, person evidence.ID) (list []consent.Grant, err error) {
	err = s.read(ctx, func(q querier) error {
		list, err = grantsOnConsent(ctx, q, person)
		return err
	})
	return list, err
}

func grantsOnConsent(ctx context.Context, q querier, person evidence.ID) ([]consent.Grant, error) {
	rows, err := q.query(ctx, `SELECT g.id, g.interview_id, g.recipient, g.consent, g.version FROM access_grant g JOIN interview i ON i.id = g.interview_id
		WHERE i.person_id = $1 AND g.rests_on = 'consent' AND g.state IN ('proposed', 'active') ORDER BY g.id`, person)
	return collect(rows, err, func(scan func(...any) error) (g consent.Grant, err error) {
		err = scan(&g.ID, &g.Interview, &g.To, &g.Purpose, &g.Version)
		return g, err
	})
}

// ApplyConsent implements consent.Store.
func (s *Store) ApplyConsent(ctx context.Context, c consent.Change, entries []custody.Entry) error {
	return s.write(ctx, entries, func(tx *tx) error {
		if err := asSeen(ctx, tx, c); err != nil {
			return err
		}
		if c.Insert != nil {
			if err := insertConsent(ctx, tx, *c.Insert); err != nil {
				return err
			}
		}
		if a := c.Attest; a != nil {
			err := once(tx.exec(ctx, `UPDATE consent SET attested_by = $2, attested_at = $3 WHERE id = $1 AND form = 'attested' AND attested_by = '' AND recorded_by <> $2`, a.Record, a.By, a.At))
			if err != nil {
				return err
			}
			_, err = tx.exec(ctx, `UPDATE consent_item SET superseded_at = $2 WHERE superseded_at = 0 AND EXISTS (SELECT 1 FROM consent_item n
				WHERE n.consent_id = $1 AND n.person_id = consent_item.person_id AND n.purpose = consent_item.purpose AND n.version > consent_item.version)`, a.Record, a.At)
			if err != nil {
				return err
			}
		}
		for _, w := range c.Withdraw {
			for _, purpose := range w.Purposes {
				err := once(tx.exec(ctx, `UPDATE consent_item SET withdrawn_at = $3, withdrawn_by = $4, withdrawal_recorded_by = $5
					WHERE consent_id = $1 AND purpose = $2 AND withdrawn_at = 0 AND superseded_at = 0`, w.Record, purpose, w.At, w.By, w.RecordedBy))
				if err != nil {
					return err
				}
			}
		}
		for _, duty := range c.Duties {
			if err := insertSheet(ctx, tx, duty); err != nil {
				return err
			}
		}
		return applyEffects(ctx, tx, c)
	})
}

// asSeen makes sure that what a change was worked out from is still so.
func asSeen(ctx context.Context, tx *tx, c consent.Change) error {
	rows, err := tx.query(ctx, `SELECT id, version FROM interview WHERE person_id = $1 AND state IN ('planned', 'ready', 'recording', 'paused')`, c.Person)
	type seen struct {
		id      evidence.ID
		version int64
	}
	list, err := collect(rows, err, func(scan func(...any) error) (v seen, err error) {
		err = scan(&v.id, &v.version)
		return v, err
	})
	if err != nil {
		return err
	}
	interviews := map[evidence.ID]int64{}
	for _, v := range list {
		interviews[v.id] = v.version
	}
	grants := map[evidence.ID]int64{}
	open, err := grantsOnConsent(ctx, tx, c.Person)
	if err != nil {
		return err
	}
	for _, g := range open {
		grants[g.ID] = g.Version
	}
	if !maps.Equal(interviews, c.Seen.Interviews) || !maps.Equal(grants, c.Seen.Grants) {
		return fmt.Errorf("interviews and grants of this person: %w", evidence.ErrConflict)
	}
	return nil
}

func insertConsent(ctx context.Context, tx *tx, r consent.Record) error {
	err := once(tx.exec(ctx, `INSERT INTO consent (`+consentColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)`,
		r.ID, r.Agency, r.Case, r.Person, r.Decision, r.GivenBy, r.Form, r.ChildView, r.ChildWords, r.Document, r.DocumentSHA256, r.RecordedBy, r.RecordedAt,
		r.AttestedBy, r.AttestedAt, r.Language, r.Interpreter, r.TextVersion, r.Basis, r.Law, r.Jurisdiction, r.GivenAt, r.ValidUntil, r.Signing, r.ToldWho, r.TextSHA256))
	if err != nil {
		return err
	}
	for _, it := range r.Items {
		if !r.Waits() {
			if _, err := tx.exec(ctx, `UPDATE consent_item SET superseded_at = $3 WHERE person_id = $1 AND purpose = $2 AND superseded_at = 0`, r.Person, it.Purpose, r.RecordedAt); err != nil {
				return err
			}
		}
		var last int
		if err := tx.row(ctx, `SELECT COALESCE(MAX(version), 0) FROM consent_item WHERE person_id = $1 AND purpose = $2`, r.Person, it.Purpose).Scan(&last); err != nil {
			return err
		}
		if it.Version != last+1 {
			return fmt.Errorf("version of a consent: %w", evidence.ErrConflict)
		}
		err := once(tx.exec(ctx, `INSERT INTO consent_item (consent_id, person_id, purpose, version, superseded_at, withdrawn_at, withdrawn_by, withdrawal_recorded_by)
			VALUES ($1, $2, $3, $4, 0, 0, '', '')`, r.ID, r.Person, it.Purpose, it.Version))
		if err != nil {
			return err
		}
	}
	return nil
}

func applyEffects(ctx context.Context, tx *tx, c consent.Change) error {
	for _, move := range []struct {
		ids      []evidence.ID
		from, to evidence.State
	}{{c.Ready, evidence.StatePlanned, evidence.StateReady}, {c.NotReady, evidence.StateReady, evidence.StatePlanned}} {
		for _, id := range move.ids {
			if err := once(tx.exec(ctx, `UPDATE interview SET state = $3, version = version + 1 WHERE id = $1 AND state = $2`, id, move.from, move.to)); err != nil {
				return err
			}
		}
	}
	for _, id := range c.EndGrants {
		err := once(tx.exec(ctx, `UPDATE access_grant SET state = 'ended', ended_at = $2, version = version + 1 WHERE id = $1 AND state IN ('proposed', 'active')`, id, c.At))
		if err != nil {
			return err
		}
	}
	return nil
}

// SaveRepeat implements consent.Store.
func (s *Store) SaveRepeat(ctx context.Context, r consent.Repeat, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `INSERT INTO consent_repeat (consent_id, interview_id, at, noted_by, noted_at) VALUES ($1, $2, $3, $4, $5)`, r.Consent, r.Interview, r.At, r.By, r.NotedAt))
	})
}

// Repeats implements consent.Store.
func (s *Store) Repeats(ctx context.Context, caseID evidence.ID) ([]consent.Repeat, error) {
	rows, err := s.query(ctx, `SELECT r.consent_id, r.interview_id, r.at, r.noted_by, r.noted_at FROM consent_repeat r JOIN consent c ON c.id = r.consent_id
		WHERE c.case_id = $1 ORDER BY r.noted_at, r.consent_id, r.interview_id`, caseID)
	return collect(rows, err, func(scan func(...any) error) (r consent.Repeat, err error) {
		err = scan(&r.Consent, &r.Interview, &r.At, &r.By, &r.NotedAt)
		return r, err
	})
}
