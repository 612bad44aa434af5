package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/lib/pq"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

const (
	attempts    = 10               // of a unit of work after serialisation failures
	settleLimit = 10 * time.Second // for finding out what became of an ambiguous commit
)

// querier reads. It is all that a snapshot can do, and part of what a tx can.
type querier interface {
	query(ctx context.Context, statement string, args ...any) (*sql.Rows, error)
	row(ctx context.Context, statement string, args ...any) row
}

// row is a single result whose Scan says [evidence.ErrNotFound] if there is none.
type row struct{ *sql.Row }

// Scan is [sql.Row.Scan].
func (r row) Scan(into ...any) error { return notFound(r.Row.Scan(into...)) }

// tx is one unit of work. It is used by the goroutine that runs it only.
type tx struct {
	s    *Store
	conn *sql.Conn // held until the end: closing it earlier would wait for the transaction
	sql  *sql.Tx
	// at is when the entries happen by the server's clock, next the position that
	// the first gets. Both are zero in a quiet unit of work.
	at      evidence.Instant
	next    int64
	entries []custody.Entry // appended in order once the function returned; may be amended
	events  []custody.Event
	staged  staged      // what the units of work so far append
	first   evidence.ID // the first leaf that was appended
	// shared bounds the statements of a transaction that several callers share, so
	// that one who goes away does not end it for the others; nil in a quiet one.
	shared context.Context
	saved  bool // whether there is a savepoint
}

// bound is the context of a statement. It is an error that the caller went away.
func (t *tx) bound(ctx context.Context) (context.Context, error) {
	if t.shared == nil {
		return ctx, nil
	}
	return t.shared, ctx.Err()
}

// quiet runs fn in a transaction of its own, without the log. fn must be
// idempotent: after an ambiguous commit its caller may call again.
func (s *Store) quiet(ctx context.Context, fn func(*tx) error) error {
	for attempt := 1; ; attempt++ {
		err := func() error {
			t, err := s.begin(ctx)
			if err != nil {
				return err
			}
			defer t.end()
			if err := fn(t); err != nil {
				return err
			}
			if len(t.entries) > 0 || len(t.events) > 0 {
				return errors.New("a quiet unit of work wrote to the log")
			}
			return t.commit(ctx)
		}()
		if !isSerialization(err) || attempt == attempts {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// pause waits a moment that grows with each attempt.
func pause(ctx context.Context, attempt int) error {
	timer := time.NewTimer(time.Duration(attempt)*time.Millisecond + rand.N(time.Duration(attempt)*5*time.Millisecond))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// begin starts a transaction that only commit and end finish: a context that is
// cancelled stops a statement, never a commit half way.
func (s *Store) begin(ctx context.Context) (*tx, error) {
	for attempt := 1; ; attempt++ {
		conn, err := s.w.Conn(ctx) // waits for a free connection as long as ctx allows
		if err != nil {
			return nil, unavailable(err)
		}
		begun, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
		if err == nil {
			return &tx{s: s, conn: conn, sql: begun}, nil
		}
		conn.Close()
		// A pooled connection may have died since; nothing was asked on it yet.
		if s.dialect == sqliteDialect || !isConnection(err) || attempt > writers {
			return nil, unavailable(err)
		}
	}
}

// end rolls back unless the transaction was committed, and gives its connection
// back.
func (t *tx) end() {
	t.sql.Rollback()
	t.conn.Close()
}

func (t *tx) commit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err // nothing was committed
	}
	err := t.sql.Commit()
	if err == nil {
		return nil
	}
	// Nobody uses this connection again, and settle gets another: SQLite has one.
	_ = t.conn.Raw(func(any) error { return driver.ErrBadConn })
	var refused *pq.Error
	if errors.As(err, &refused) && refused.Code.Class() != "08" && refused.Code.Class() != "57" && refused.Code != "40003" {
		return fmt.Errorf("committing: %w", err) // the server says that it did not commit
	}
	if t.first == "" {
		return fmt.Errorf("committing: %w: %v", evidence.ErrUnknownState, err)
	}
	return t.s.settle(ctx, t.first, err)
}

// settle finds out whether the transaction that appended the leaf was committed
// although its commit failed with cause. It waits for the head row, which that
// transaction holds until it ends one way or the other.
func (s *Store) settle(ctx context.Context, leaf evidence.ID, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleLimit)
	defer cancel()
	unknown := func(err error) error {
		return fmt.Errorf("committing: %w: %v; asking again: %v", evidence.ErrUnknownState, cause, err)
	}
	t, err := s.begin(ctx)
	if err != nil {
		return unknown(err)
	}
	defer t.end()
	if _, err := t.lockHead(ctx); err != nil {
		return unknown(err)
	}
	var position int64
	err = t.row(ctx, `SELECT position FROM custody_entry WHERE entry_id = $1`, leaf).Scan(&position)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, evidence.ErrNotFound):
		return fmt.Errorf("committing: %w: nothing was written: %v", evidence.ErrUnavailable, cause)
	}
	return unknown(err)
}

// exec changes rows and returns how many.
func (t *tx) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	var result sql.Result
	ctx, err := t.bound(ctx)
	if err != nil {
		return 0, err
	}
	if prepared, ok := t.s.prepared[statement]; ok {
		result, err = t.sql.StmtContext(ctx, prepared).ExecContext(ctx, args...)
	} else {
		result, err = t.sql.ExecContext(ctx, t.s.rebind(statement), args...)
	}
	if err != nil {
		return 0, conflict(unavailable(err))
	}
	return result.RowsAffected()
}

func (t *tx) query(ctx context.Context, statement string, args ...any) (*sql.Rows, error) {
	ctx, err := t.bound(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := t.sql.QueryContext(ctx, t.s.rebind(statement), args...)
	return rows, unavailable(err)
}

func (t *tx) row(ctx context.Context, statement string, args ...any) row {
	if live, err := t.bound(ctx); err == nil {
		ctx = live // of a caller who went away, the statement fails by itself
	}
	if prepared, ok := t.s.prepared[statement]; ok {
		return row{t.sql.StmtContext(ctx, prepared).QueryRowContext(ctx, args...)}
	}
	return row{t.sql.QueryRowContext(ctx, t.s.rebind(statement), args...)}
}

// log adds an entry to the unit of work.
func (t *tx) log(e custody.Entry) { t.entries = append(t.entries, e) }

// event adds an event that belongs to no entry. Its number, time and position
// are set when it is written.
func (t *tx) event(e custody.Event) { t.events = append(t.events, e) }

func (s *Store) query(ctx context.Context, statement string, args ...any) (*sql.Rows, error) {
	rows, err := s.r.QueryContext(ctx, s.rebind(statement), args...)
	return rows, unavailable(err)
}

func (s *Store) row(ctx context.Context, statement string, args ...any) row {
	return row{s.r.QueryRowContext(ctx, s.rebind(statement), args...)}
}

type snapshot struct {
	s  *Store
	tx *sql.Tx
}

func (p snapshot) query(ctx context.Context, statement string, args ...any) (*sql.Rows, error) {
	rows, err := p.tx.QueryContext(ctx, p.s.rebind(statement), args...)
	return rows, unavailable(err)
}

func (p snapshot) row(ctx context.Context, statement string, args ...any) row {
	return row{p.tx.QueryRowContext(ctx, p.s.rebind(statement), args...)}
}

// read runs fn on one consistent snapshot, which sees no write that commits
// after it began.
func (s *Store) read(ctx context.Context, fn func(querier) error) error {
	var options *sql.TxOptions // SQLite: a deferred transaction is a snapshot
	if s.dialect == postgresDialect {
		options = &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	}
	tx, err := s.r.BeginTx(ctx, options)
	if err != nil {
		return unavailable(err)
	}
	defer tx.Rollback()
	return fn(snapshot{s, tx})
}

// collect reads all rows through scan and closes them.
func collect[T any](rows *sql.Rows, err error, scan func(scan func(...any) error) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		v, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, unavailable(rows.Err())
}

// changed is nil if rows were changed and [evidence.ErrConflict] if none was.
func changed(rows int64) error {
	if rows == 0 {
		return fmt.Errorf("%w: it changed since it was read", evidence.ErrConflict)
	}
	return nil
}

// notFound turns the absence of a row into [evidence.ErrNotFound].
func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return evidence.ErrNotFound
	}
	return unavailable(err)
}

// conflict turns a broken unique or reference constraint into [evidence.ErrConflict].
func conflict(err error) error {
	if (isUnique(err) || isReference(err)) && !errors.Is(err, evidence.ErrConflict) {
		return fmt.Errorf("%w: %w", evidence.ErrConflict, err)
	}
	return err
}

// unavailable marks an error that no answer of the database but a connection
// caused as [evidence.ErrUnavailable].
func unavailable(err error) error {
	if err == nil || errors.Is(err, evidence.ErrUnavailable) || !isConnection(err) {
		return err
	}
	return fmt.Errorf("%w: %w", evidence.ErrUnavailable, err)
}

var rebound sync.Map // statement with $1 -> statement with ?1

// rebind writes $N as ?N for SQLite: there $N is a name that is numbered by its
// first use, ?N is the number itself.
func (s *Store) rebind(statement string) string {
	if s.dialect != sqliteDialect {
		return statement
	}
	if done, ok := rebound.Load(statement); ok {
		return done.(string)
	}
	var b strings.Builder
	for i := range len(statement) {
		c := statement[i]
		if c == '$' && i+1 < len(statement) && statement[i+1] >= '1' && statement[i+1] <= '9' {
			c = '?'
		}
		b.WriteByte(c)
	}
	rebound.Store(statement, b.String())
	return b.String()
}
