package db

import (
	"context"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/seal"
)

var _ seal.RenewalStore = (*Store)(nil)

// SaveRenewal implements [seal.RenewalStore].
func (s *Store) SaveRenewal(ctx context.Context, r seal.Renewal, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `INSERT INTO seal_renewal (recording_id, number, agency, authority, assertion, token, at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			r.Recording, r.Number, entry.Agency, r.Authority, r.Assertion, r.Token, r.At, r.Expires))
	})
}

// Renewals implements [seal.RenewalStore].
func (s *Store) Renewals(ctx context.Context, recording evidence.ID) ([]seal.Renewal, error) {
	return renewals(ctx, s, recording)
}

func renewals(ctx context.Context, q querier, recording evidence.ID) ([]seal.Renewal, error) {
	rows, err := q.query(ctx, `SELECT recording_id, number, authority, assertion, token, at, expires_at FROM seal_renewal WHERE recording_id = $1 ORDER BY number`, recording)
	return collect(rows, err, func(scan func(...any) error) (r seal.Renewal, err error) {
		err = scan(&r.Recording, &r.Number, &r.Authority, &r.Assertion, &r.Token, &r.At, &r.Expires)
		return r, err
	})
}

// Unstamped implements [seal.RenewalStore].
func (s *Store) Unstamped(ctx context.Context, outside bool, expires, builtIn evidence.Instant, limit int) (list []seal.Stamped, err error) {
	err = s.read(ctx, func(q querier) error {
		rows, err := q.query(ctx, `SELECT r.agency, i.case_id, r.interview_id, r.recording_id, r.bundle FROM sealed_recording r JOIN interview i ON i.id = r.interview_id
			WHERE ($1 AND NOT EXISTS (SELECT 1 FROM seal_renewal t WHERE t.recording_id = r.recording_id AND t.assertion = 'third-party'))
			OR COALESCE((SELECT t.expires_at FROM seal_renewal t WHERE t.recording_id = r.recording_id ORDER BY t.number DESC LIMIT 1), $3) < $2
			ORDER BY r.recording_id LIMIT $4`, outside, expires, builtIn, limit)
		list, err = collect(rows, err, func(scan func(...any) error) (x seal.Stamped, err error) {
			err = scan(&x.Agency, &x.Case, &x.Interview, &x.Recording, &x.Bundle)
			return x, err
		})
		for i := range list {
			if err == nil {
				list[i].Renewals, err = renewals(ctx, q, list[i].Recording)
			}
		}
		return err
	})
	return list, err
}
