package db

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/retention"
)

const holdColumns = `id, agency, case_id, interview_id, reason, authority, placed_by, placed_at, lifted_by, lifted_at, version`

func scanHold(scan func(...any) error) (h retention.Hold, err error) {
	err = scan(&h.ID, &h.Agency, &h.Case, &h.Interview, &h.Reason, &h.Authority, &h.PlacedBy, &h.PlacedAt, &h.LiftedBy, &h.LiftedAt, &h.Version)
	return h, err
}

func holdsOf(ctx context.Context, q querier, caseID evidence.ID) ([]retention.Hold, error) {
	rows, err := q.query(ctx, `SELECT `+holdColumns+` FROM legal_hold WHERE case_id = $1 ORDER BY id DESC`, caseID)
	return collect(rows, err, scanHold)
}

// PlaceHold implements [retention.Store].
func (s *Store) PlaceHold(ctx context.Context, h retention.Hold, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		var gone int
		err := tx.row(ctx, `SELECT COUNT(*) FROM erasure WHERE interview_id = $1 AND state IN ('approved', 'provisional', 'final')`, h.Interview).Scan(&gone)
		if err != nil {
			return err
		}
		if gone > 0 {
			return fmt.Errorf("interview %s is erased: %w", h.Interview, evidence.ErrConflict)
		}
		return once(tx.exec(ctx, `INSERT INTO legal_hold (`+holdColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			h.ID, h.Agency, h.Case, h.Interview, h.Reason, h.Authority, h.PlacedBy, h.PlacedAt, h.LiftedBy, h.LiftedAt, h.Version))
	})
}

// Hold implements [retention.Store].
func (s *Store) Hold(ctx context.Context, id evidence.ID) (retention.Hold, error) {
	h, err := scanHold(s.row(ctx, `SELECT `+holdColumns+` FROM legal_hold WHERE id = $1`, id).Scan)
	return h, notFound(err)
}

// LiftHold implements [retention.Store].
func (s *Store) LiftHold(ctx context.Context, h retention.Hold, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `UPDATE legal_hold SET lifted_by = $3, lifted_at = $4, version = version + 1 WHERE id = $1 AND version = $2 AND lifted_at = 0`, h.ID, h.Version, h.LiftedBy, h.LiftedAt))
	})
}

const erasureColumns = `id, agency, case_id, interview_id, recording_id, state, reason, reason_salt, order_text, order_salt, requested_by, requested_at,
	decided_by, decided_at, erased_at, attested_by, attested_at, certificate, bundle, final, final_bundle, version`

func scanErasure(scan func(...any) error) (e retention.Erasure, err error) {
	e.Reason.Field, e.Order.Field = retention.FieldReason, retention.FieldOrder
	err = scan(&e.ID, &e.Agency, &e.Case, &e.Interview, &e.Recording, &e.State, &e.Reason.Value, &e.Reason.Salt, &e.Order.Value, &e.Order.Salt, &e.RequestedBy, &e.RequestedAt,
		&e.DecidedBy, &e.DecidedAt, &e.ErasedAt, &e.AttestedBy, &e.AttestedAt, &e.Certificate, &e.Bundle, &e.Final, &e.FinalBundle, &e.Version)
	return e, err
}

// CreateErasure implements [retention.Store].
func (s *Store) CreateErasure(ctx context.Context, e retention.Erasure, entry custody.Entry) error {
	none := []byte{}
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `INSERT INTO erasure (`+erasureColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`,
			e.ID, e.Agency, e.Case, e.Interview, e.Recording, e.State, e.Reason.Value, e.Reason.Salt, e.Order.Value, e.Order.Salt, e.RequestedBy, e.RequestedAt,
			e.DecidedBy, e.DecidedAt, e.ErasedAt, e.AttestedBy, e.AttestedAt, none, none, none, none, e.Version))
	})
}

// Erasure implements [retention.Store].
func (s *Store) Erasure(ctx context.Context, id evidence.ID) (retention.Erasure, error) {
	e, err := scanErasure(s.row(ctx, `SELECT `+erasureColumns+` FROM erasure WHERE id = $1`, id).Scan)
	return e, notFound(err)
}

// Erasures implements [retention.Store].
func (s *Store) Erasures(ctx context.Context, agency evidence.ID, states ...retention.ErasureState) ([]retention.Erasure, error) {
	if len(states) == 0 {
		states = []retention.ErasureState{retention.ErasureProposed, retention.ErasureRejected, retention.ErasureApproved, retention.ErasureProvisional, retention.ErasureFinal}
	}
	names := make([]string, len(states))
	for i, state := range states {
		names[i] = string(state)
	}
	var w where
	w.and("state IN ("+strings.TrimSuffix(strings.Repeat("$, ", len(states)), ", ")+")", anys(names)...)
	w.equal("agency", agency)
	rows, err := s.query(ctx, `SELECT `+erasureColumns+` FROM erasure`+w.String()+` ORDER BY id DESC`, w.args...)
	return collect(rows, err, scanErasure)
}

// DecideErasure implements [retention.Store].
func (s *Store) DecideErasure(ctx context.Context, e retention.Erasure, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		if e.State == retention.ErasureApproved {
			holds, err := holdsOf(ctx, tx, e.Case)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(holds, func(h retention.Hold) bool { return h.Covers(e.Interview) }) {
				return fmt.Errorf("interview %s is held: %w", e.Interview, evidence.ErrConflict)
			}
		}
		return once(tx.exec(ctx, `UPDATE erasure SET state = $3, decided_by = $4, decided_at = $5, version = version + 1 WHERE id = $1 AND version = $2 AND state = 'proposed'`,
			e.ID, e.Version, e.State, e.DecidedBy, e.DecidedAt))
	})
}

// FinishErasure implements [retention.Store].
func (s *Store) FinishErasure(ctx context.Context, e retention.Erasure, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		err := once(tx.exec(ctx, `UPDATE erasure SET state = $3, erased_at = $4, certificate = $5, bundle = $6, version = version + 1 WHERE id = $1 AND version = $2 AND state = 'approved'`,
			e.ID, e.Version, e.State, e.ErasedAt, e.Certificate, e.Bundle))
		if err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `UPDATE recording_key SET wrapped = $2, version = version + 1 WHERE recording_id = $1`, e.Recording, []byte{}); err != nil {
			return err
		}
		rows, err := tx.query(ctx, `SELECT `+grantColumns+` FROM access_grant WHERE interview_id = $1 AND state IN ('proposed', 'active') ORDER BY id`, e.Interview)
		grants, err := collect(rows, err, scanGrant)
		if err != nil {
			return err
		}
		for _, g := range grants {
			if err := once(tx.exec(ctx, `UPDATE access_grant SET state = 'ended', ended_at = $2, version = version + 1 WHERE id = $1`, g.ID, tx.at)); err != nil {
				return err
			}
			tx.log(custody.Entry{Actor: evidence.System(g.Agency), Action: access.EntryGrantEnd, Agency: g.Agency, Case: g.Case, Interview: g.Interview, Subject: g.ID,
				Details: map[string]string{"to": string(g.To), "reason": "erased"}})
		}
		return nil
	})
}

// AttestErasure implements [retention.Store].
func (s *Store) AttestErasure(ctx context.Context, e retention.Erasure, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `UPDATE erasure SET state = $3, attested_by = $4, attested_at = $5, final = $6, final_bundle = $7, version = version + 1
			WHERE id = $1 AND version = $2 AND state = 'provisional'`, e.ID, e.Version, e.State, e.AttestedBy, e.AttestedAt, e.Final, e.FinalBundle))
	})
}

// Derivatives implements [retention.Store].
func (s *Store) Derivatives(ctx context.Context, recording evidence.ID) ([]evidence.ID, error) {
	rows, err := s.query(ctx, `SELECT derivative_id FROM derivative_key WHERE recording_id = $1 ORDER BY derivative_id`, recording)
	return collect(rows, err, scanID)
}
