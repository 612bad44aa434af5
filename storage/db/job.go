package db

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// AddJob writes a job. While one of its kind and key is unfinished it does nothing.
func (s *Store) AddJob(ctx context.Context, j evidence.Job) error {
	payload, err := json.Marshal(j.Payload)
	if err != nil {
		return fmt.Errorf("job %s: %w", j.Kind, err)
	}
	return s.quiet(ctx, func(tx *tx) error { return insertJob(ctx, tx, j, string(payload)) })
}

func insertJob(ctx context.Context, tx *tx, j evidence.Job, payload string) error {
	_, err := tx.exec(ctx, `INSERT INTO job (id, agency, kind, key, payload, state, run_at, attempts, node, epoch, lease_until, error_code, version)
			VALUES ($1, $2, $3, $4, $5, 'waiting', $6, 0, '', 0, 0, '', 1) ON CONFLICT (kind, key) WHERE state = 'waiting' DO NOTHING`,
		j.ID, j.Agency, j.Kind, j.Key, payload, j.RunAt)
	if err != nil {
		return fmt.Errorf("job %s: %w", j.Kind, err)
	}
	return nil
}

// ClaimJob gives a node the job of one of the kinds that has been due longest and
// that nobody has, for ttl. It returns an error wrapping [evidence.ErrNotFound] if
// there is none. A job whose node did not finish in time is given out again with a
// new epoch: work that is done under a claim must bear being done twice.
func (s *Store) ClaimJob(ctx context.Context, node evidence.ID, ttl time.Duration, kinds ...string) (evidence.Job, error) {
	now := evidence.At(s.clock())
	until := now + evidence.Instant(ttl.Microseconds())
	var w where
	w.args = []any{node, until, now}
	w.and("kind IN ("+strings.TrimSuffix(strings.Repeat("$, ", len(kinds)), ", ")+")", anys(kinds)...)
	lock := ""
	if s.dialect == postgresDialect {
		lock = " FOR UPDATE SKIP LOCKED"
	}
	var j evidence.Job
	err := s.quiet(ctx, func(tx *tx) error {
		j = evidence.Job{}
		var payload string
		err := tx.row(ctx, `UPDATE job SET node = $1, lease_until = $2, epoch = epoch + 1, attempts = attempts + 1, version = version + 1
			WHERE id = (SELECT id FROM job`+w.String()+` AND state = 'waiting' AND run_at <= $3 AND lease_until <= $3 ORDER BY run_at, id LIMIT 1`+lock+`)
			RETURNING id, agency, kind, key, payload, run_at, attempts, epoch, lease_until`, w.args...).
			Scan(&j.ID, &j.Agency, &j.Kind, &j.Key, &payload, &j.RunAt, &j.Attempt, &j.Epoch, &j.Until)
		if err != nil {
			return err
		}
		return json.Unmarshal([]byte(payload), &j.Payload)
	})
	if errors.Is(err, evidence.ErrNotFound) {
		return evidence.Job{}, evidence.ErrNotFound
	}
	if err != nil {
		return evidence.Job{}, fmt.Errorf("claiming a job: %w", err)
	}
	return j, nil
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

// KeepJob extends a claim to ttl from now. It and the methods below return an
// error wrapping [evidence.ErrConflict] if the job was given to another node since
// or is finished.
func (s *Store) KeepJob(ctx context.Context, j evidence.Job, ttl time.Duration) (evidence.Job, error) {
	j.Until = evidence.At(s.clock()) + evidence.Instant(ttl.Microseconds())
	return j, s.moveJob(ctx, j, `lease_until = $3`, j.Until)
}

// FinishJob ends a job that was done.
func (s *Store) FinishJob(ctx context.Context, j evidence.Job) error {
	return s.moveJob(ctx, j, `state = 'done', node = '', error_code = '', lease_until = $3`, 0)
}

// RetryJob gives a job back to be done again, not before at. code says why, in a
// stable code.
func (s *Store) RetryJob(ctx context.Context, j evidence.Job, at evidence.Instant, code string) error {
	return s.moveJob(ctx, j, `run_at = $3, error_code = $4, node = '', lease_until = 0`, at, code)
}

// FailJob ends a job that cannot be done. It stays to be looked at.
func (s *Store) FailJob(ctx context.Context, j evidence.Job, code string) error {
	return s.moveJob(ctx, j, `state = 'failed', error_code = $3, node = ''`, code)
}

func (s *Store) moveJob(ctx context.Context, j evidence.Job, set string, args ...any) error {
	return s.quiet(ctx, func(tx *tx) error {
		n, err := tx.exec(ctx, `UPDATE job SET `+set+`, version = version + 1 WHERE id = $1 AND epoch = $2 AND state = 'waiting'`, append([]any{j.ID, j.Epoch}, args...)...)
		if err == nil {
			err = changed(n)
		}
		if err != nil {
			return fmt.Errorf("job %s: %w", j.ID, err)
		}
		return nil
	})
}
