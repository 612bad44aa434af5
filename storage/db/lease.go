package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// AcquireLease gives an interview to a node for ttl, and from now on this Store
// writes its recording under the lease. It returns an error wrapping
// [evidence.ErrConflict] while another node's lease runs. A node that has it gets
// it anew with a new epoch.
func (s *Store) AcquireLease(ctx context.Context, interview, node evidence.ID, ttl time.Duration) (evidence.Lease, error) {
	var l evidence.Lease
	err := s.quiet(ctx, func(tx *tx) error {
		iv, err := interviewOf(ctx, tx, interview)
		if err != nil {
			return err
		}
		now := evidence.At(s.clock())
		l = evidence.Lease{Interview: interview, Node: node, Until: now + evidence.Instant(ttl.Microseconds())}
		// One statement, so that of two nodes one wins without a lock of its own.
		err = tx.row(ctx, `INSERT INTO interview_lease (interview_id, agency, node, epoch, until) VALUES ($1, $2, $3, 1, $4)
			ON CONFLICT (interview_id) DO UPDATE SET node = $3, epoch = interview_lease.epoch + 1, until = $4
			WHERE interview_lease.node = $3 OR interview_lease.until <= $5 RETURNING epoch`, interview, iv.Agency, node, l.Until, now).Scan(&l.Epoch)
		if errors.Is(err, evidence.ErrNotFound) {
			return fmt.Errorf("%w: another recorder has it", evidence.ErrConflict)
		}
		return err
	})
	if err != nil {
		return evidence.Lease{}, fmt.Errorf("lease of interview %s: %w", interview, err)
	}
	s.mu.Lock()
	s.leases[interview] = l
	s.mu.Unlock()
	return l, nil
}

// RenewLease extends a lease to ttl from now. It returns an error wrapping
// [evidence.ErrConflict] if another node took the interview since.
func (s *Store) RenewLease(ctx context.Context, l evidence.Lease, ttl time.Duration) (evidence.Lease, error) {
	renewed := l
	err := s.quiet(ctx, func(tx *tx) error {
		renewed.Until = evidence.At(s.clock()) + evidence.Instant(ttl.Microseconds())
		n, err := tx.exec(ctx, `UPDATE interview_lease SET until = $4 WHERE interview_id = $1 AND node = $2 AND epoch = $3`,
			l.Interview, l.Node, l.Epoch, renewed.Until)
		if err != nil {
			return err
		}
		return changed(n)
	})
	if err != nil {
		return l, fmt.Errorf("lease of interview %s: %w", l.Interview, err)
	}
	return renewed, nil
}

// ReleaseLease ends a lease at once. A lease that another node took since is left
// alone.
func (s *Store) ReleaseLease(ctx context.Context, l evidence.Lease) error {
	s.mu.Lock()
	if s.leases[l.Interview].Epoch == l.Epoch {
		delete(s.leases, l.Interview)
	}
	s.mu.Unlock()
	return s.quiet(ctx, func(tx *tx) error {
		_, err := tx.exec(ctx, `UPDATE interview_lease SET until = 0 WHERE interview_id = $1 AND node = $2 AND epoch = $3`, l.Interview, l.Node, l.Epoch)
		if err != nil {
			return fmt.Errorf("lease of interview %s: %w", l.Interview, err)
		}
		return nil
	})
}

// held returns [evidence.ErrConflict] if this Store may not write the recording
// of an interview: another node's lease runs, or took the place of its own. The
// row stays as it is until the unit of work ends.
func (t *tx) held(ctx context.Context, interview evidence.ID) error {
	t.s.mu.Lock()
	own, has := t.s.leases[interview]
	t.s.mu.Unlock()
	statement := `SELECT epoch, until FROM interview_lease WHERE interview_id = $1`
	if t.s.dialect == postgresDialect {
		statement += ` FOR SHARE`
	}
	var epoch int64
	var until evidence.Instant
	err := t.row(ctx, statement, interview).Scan(&epoch, &until)
	switch {
	case errors.Is(err, evidence.ErrNotFound):
		return nil // nobody ever recorded it under a lease
	case err != nil:
		return fmt.Errorf("lease of interview %s: %w", interview, err)
	case has && own.Epoch == epoch, !has && until <= evidence.At(t.s.clock()):
		return nil
	}
	return fmt.Errorf("interview %s: %w: another recorder has it", interview, evidence.ErrConflict)
}
