package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// head is the log's head row.
type head struct {
	frontier custody.Frontier
	root     custody.Hash
	lastAt   evidence.Instant
	events   int64
}

const headColumns = `SELECT size, root, frontier, last_at, events FROM log_head WHERE id = 1`

// lockedHead is headColumns under a lock. On SQLite the transaction is one.
func (s *Store) lockedHead() string {
	if s.dialect == postgresDialect {
		return headColumns + ` FOR UPDATE`
	}
	return headColumns
}

func scanHead(r row) (head, error) {
	var h head
	var size int64
	var root, frontier []byte
	if err := r.Scan(&size, &root, &frontier, &h.lastAt, &h.events); errors.Is(err, evidence.ErrNotFound) {
		return head{}, fmt.Errorf("%w: the custody log has no head; restore the backup", evidence.ErrMissingState)
	} else if err != nil {
		return head{}, fmt.Errorf("reading the custody log's head: %w", err)
	}
	var err error
	if h.frontier, err = custody.ParseFrontier(size, frontier); err != nil {
		return head{}, fmt.Errorf("%w: the custody log's head is damaged: %v", evidence.ErrMissingState, err)
	}
	if h.root = h.frontier.Root(); string(h.root[:]) != string(root) {
		return head{}, fmt.Errorf("%w: the custody log's head is damaged: its root does not fit", evidence.ErrMissingState)
	}
	return h, nil
}

// lockHead reads the head and keeps every other writer out until the
// transaction ends. On SQLite the transaction itself does that.
func (t *tx) lockHead(ctx context.Context) (head, error) {
	return scanHead(t.row(ctx, t.s.lockedHead()))
}

// checkHead returns [evidence.ErrMissingState] if the log's head is gone or does
// not fit what is stored beside it. It reads a handful of rows; only an audit
// reads them all.
func (s *Store) checkHead(ctx context.Context) error {
	return s.read(ctx, func(q querier) error {
		h, err := scanHead(q.row(ctx, headColumns))
		if err != nil {
			return err
		}
		var last, events sql.NullInt64
		if err := q.row(ctx, `SELECT (SELECT MAX(position) FROM custody_entry), (SELECT MAX(id) FROM event)`).Scan(&last, &events); err != nil {
			return fmt.Errorf("checking the custody log's head: %w", err)
		}
		size := int64(0)
		if last.Valid {
			size = last.Int64 + 1
		}
		if size != h.frontier.Size() || events.Int64 != h.events {
			return fmt.Errorf("%w: the custody log's head says %d entries and %d events, and there are %d and %d; restore the backup",
				evidence.ErrMissingState, h.frontier.Size(), h.events, size, events.Int64)
		}
		root, err := tlog.TreeHash(size, hashReader(ctx, q))
		if err != nil || root != h.root {
			return fmt.Errorf("%w: the custody log's head does not fit its stored nodes (%v); run an audit of the backup and restore it", evidence.ErrMissingState, err)
		}
		return nil
	})
}

// LogHead returns the committed head of the custody log.
func (s *Store) LogHead(ctx context.Context) (custody.Head, error) {
	h, err := scanHead(s.row(ctx, headColumns))
	if err != nil {
		return custody.Head{}, err
	}
	return custody.Head{Size: h.frontier.Size(), Root: h.root, LastAt: h.lastAt}, nil
}

// Now is the server's time for a decision about access: the clock, read after
// the log's latest time. It returns an error wrapping [evidence.ErrClockBehind]
// while the clock is behind that, when nothing may be decided. It costs one read
// of one row.
func (s *Store) Now(ctx context.Context) (evidence.Instant, error) {
	var last evidence.Instant
	if err := s.row(ctx, `SELECT last_at FROM log_head WHERE id = 1`).Scan(&last); errors.Is(err, evidence.ErrNotFound) {
		return 0, fmt.Errorf("%w: the custody log has no head", evidence.ErrMissingState)
	} else if err != nil {
		return 0, fmt.Errorf("reading the time of the custody log: %w", err)
	}
	now := evidence.At(s.clock())
	if now < last {
		return 0, fmt.Errorf("%w by %v", evidence.ErrClockBehind, last.Time().Sub(now.Time()))
	}
	return now, nil
}

// hashReader reads stored nodes of the log through q.
func hashReader(ctx context.Context, q querier) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		if len(indexes) == 0 {
			return nil, nil
		}
		args := make([]any, len(indexes))
		at := make(map[int64]int, len(indexes))
		for i, x := range indexes {
			args[i], at[x] = x, i
		}
		rows, err := q.query(ctx, `SELECT idx, hash FROM custody_hash WHERE idx IN `+tuples(1, len(indexes)), args...)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		out, found := make([]tlog.Hash, len(indexes)), 0
		for rows.Next() {
			var x int64
			var hash []byte
			if err := rows.Scan(&x, &hash); err != nil {
				return nil, err
			}
			i, ok := at[x]
			if !ok || len(hash) != tlog.HashSize {
				return nil, fmt.Errorf("%w: node %d of the custody log is damaged", evidence.ErrMissingState, x)
			}
			copy(out[i][:], hash)
			found++
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
		if found != len(at) {
			return nil, fmt.Errorf("%w: %d of %d nodes of the custody log are there", evidence.ErrMissingState, found, len(at))
		}
		return out, nil
	})
}

// ProveInclusion proves that the entry at position is in the log of size
// entries (RFC 6962 section 2.1.1). It returns [evidence.ErrInvalid] for a
// position or size that the log does not have.
func (s *Store) ProveInclusion(ctx context.Context, position, size int64) ([]custody.Hash, error) {
	if err := s.within(ctx, size); err != nil {
		return nil, err
	}
	return custody.ProveInclusion(position, size, hashReader(ctx, s))
}

// ProveConsistency proves that the log of old entries is a prefix of that of
// new ones (RFC 6962 section 2.1.2). It returns [evidence.ErrInvalid] for sizes
// that the log does not have.
func (s *Store) ProveConsistency(ctx context.Context, old, new int64) ([]custody.Hash, error) {
	if err := s.within(ctx, new); err != nil {
		return nil, err
	}
	return custody.ProveConsistency(old, new, hashReader(ctx, s))
}

func (s *Store) within(ctx context.Context, size int64) error {
	h, err := s.LogHead(ctx)
	if err != nil {
		return err
	}
	if size > h.Size {
		return fmt.Errorf("%w: the custody log has %d entries, not %d", evidence.ErrInvalid, h.Size, size)
	}
	return nil
}
