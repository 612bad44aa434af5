package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/lib/pq"
	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"github.com/toldonce/toldonce/evidence"
)

type dialect int

const (
	sqliteDialect dialect = iota
	postgresDialect
)

const (
	sqlitePrefix = "sqlite:"
	busyTimeout  = 15 * time.Second // how long one process waits for another on SQLite
	readers      = 16               // connections that read
	writers      = 16               // connections that write, on PostgreSQL; SQLite has one
)

// Store is an open, initialised database. It is safe for concurrent use, and
// several processes may have the same database open.
type Store struct {
	dialect dialect
	path    string  // of SQLite's file
	w       *sql.DB // writes; one connection on SQLite
	r       *sql.DB // reads, and the database refuses it to write
	clock   evidence.Clock
	wake    *wake
	stop    func() // ends listening; nil if nobody listens
	// prepared holds the statements of every append by their text; not changed
	// once the store is open.
	prepared map[string]*sql.Stmt
	queue    *queue

	kept trackCache // lists of segments

	mu     sync.Mutex
	leases map[evidence.ID]evidence.Lease // of interviews, acquired by this Store; guarded by mu
}

// Open opens a database that [Init] made, "sqlite:/path/file.db" or
// "postgres://…", and brings its tables to this program's version. It returns an
// error wrapping [evidence.ErrMissingState] if no installation is there or the
// log's head does not fit what is stored beside it: nothing is ever made anew
// here. clock gives the times of custody entries. The caller closes the Store.
func Open(ctx context.Context, dsn string, clock evidence.Clock) (*Store, error) {
	s, err := connect(ctx, dsn, clock)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing()
	}
	if err != nil {
		return nil, err
	}
	present, err := s.initialised(ctx)
	if err == nil && !present {
		err = missing()
	}
	for _, step := range []func(context.Context) error{s.migrate, s.checkHead, s.prepare} {
		if err == nil {
			err = step(ctx)
		}
	}
	if err == nil {
		err = s.listen(dsn)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func missing() error {
	return fmt.Errorf("database: %w: no installation is in it. `toldonce init` makes one; if there was one, restore its backup", evidence.ErrMissingState)
}

func connect(ctx context.Context, dsn string, clock evidence.Clock) (*Store, error) {
	s := &Store{clock: clock, wake: newWake(), queue: newQueue(), leases: map[evidence.ID]evidence.Lease{}}
	var err error
	if path, ok := strings.CutPrefix(dsn, sqlitePrefix); ok {
		err = s.connectSQLite(path)
	} else if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		err = s.connectPostgres(ctx, dsn)
	} else {
		err = fmt.Errorf("database: %w: say sqlite:/path/file.db or postgres://…", evidence.ErrInvalid)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) connectPostgres(ctx context.Context, dsn string) error {
	pool := func(most int, readOnly bool) (*sql.DB, error) {
		cfg, err := pq.NewConfig(dsn)
		if err != nil {
			// The driver's own error may hold the password.
			return nil, fmt.Errorf("database: %w: the PostgreSQL address cannot be read", evidence.ErrInvalid)
		}
		cfg.BinaryParameters = true // one round trip a statement
		if readOnly {
			if cfg.Runtime == nil {
				cfg.Runtime = map[string]string{}
			}
			cfg.Runtime["default_transaction_read_only"] = "on"
		}
		connector, err := pq.NewConnectorConfig(cfg)
		if err != nil {
			return nil, fmt.Errorf("database: %w: the PostgreSQL address cannot be used", evidence.ErrInvalid)
		}
		db := sql.OpenDB(connector)
		db.SetMaxOpenConns(most)
		db.SetMaxIdleConns(most)
		return db, nil
	}
	s.dialect = postgresDialect
	var err error
	if s.w, err = pool(writers, false); err != nil {
		return err
	}
	if s.r, err = pool(readers, true); err != nil {
		return err
	}
	for _, setting := range []string{"fsync", "synchronous_commit"} {
		var value string
		if err := s.w.QueryRowContext(ctx, "SHOW "+setting).Scan(&value); err != nil {
			return fmt.Errorf("database: %w: %w", evidence.ErrUnavailable, err)
		}
		if value == "off" {
			return fmt.Errorf("database: %w: PostgreSQL runs with %s=off, so that a power cut would lose custody entries; turn it on", evidence.ErrInvalid, setting)
		}
	}
	return nil
}

func (s *Store) connectSQLite(path string) (err error) {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("database: %w: the path of a SQLite file must be absolute", evidence.ErrInvalid)
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	s.dialect, s.path = sqliteDialect, path
	open := func(most int, options url.Values, pragmas ...string) (*sql.DB, error) {
		options["_pragma"] = append([]string{fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "foreign_keys(1)", "trusted_schema(0)"}, pragmas...)
		db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+options.Encode())
		if err != nil {
			return nil, fmt.Errorf("database: %w", err)
		}
		db.SetMaxOpenConns(most)
		db.SetMaxIdleConns(most)
		return db, nil
	}
	// What is erased is overwritten, so that no text survives on a free page.
	if s.w, err = open(1, url.Values{"mode": {"rw"}, "_txlock": {"immediate"}}, "journal_mode(WAL)", "synchronous(FULL)", "secure_delete(1)"); err != nil {
		return err
	}
	s.r, err = open(readers, url.Values{"mode": {"rw"}}, "query_only(1)")
	return err
}

// Close ends every connection. What was returned as durable stays so.
func (s *Store) Close() error {
	if s.stop != nil {
		s.stop()
	}
	var errs []error
	for _, db := range []*sql.DB{s.r, s.w} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// isSerialization reports whether a transaction lost against another and may be
// run again from its beginning.
func isSerialization(err error) bool {
	if refused := (*pq.Error)(nil); errors.As(err, &refused) {
		return refused.Code == "40001" || refused.Code == "40P01" // serialization failure, deadlock
	}
	return false
}

func isUnique(err error) bool {
	if refused := (*pq.Error)(nil); errors.As(err, &refused) {
		return refused.Code == "23505"
	}
	code := sqliteCode(err)
	return code == sqlitelib.SQLITE_CONSTRAINT_UNIQUE || code == sqlitelib.SQLITE_CONSTRAINT_PRIMARYKEY || code == sqlitelib.SQLITE_CONSTRAINT_ROWID
}

func isReference(err error) bool {
	if refused := (*pq.Error)(nil); errors.As(err, &refused) {
		return refused.Code == "23503"
	}
	return sqliteCode(err) == sqlitelib.SQLITE_CONSTRAINT_FOREIGNKEY
}

// isConnection reports whether no answer of the database but the way to it, or its
// being stopped, busy or full, caused the error.
func isConnection(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false // the caller's own; these would pass for network errors below
	}
	if refused := (*pq.Error)(nil); errors.As(err, &refused) {
		switch refused.Code.Class() {
		case "08", "53", "57", "58": // connection, resources, operator, system
			return refused.Code != "57014" // a statement that its caller cancelled
		}
		return false
	}
	switch sqliteCode(err) & 0xff {
	case sqlitelib.SQLITE_BUSY, sqlitelib.SQLITE_FULL, sqlitelib.SQLITE_IOERR, sqlitelib.SQLITE_CANTOPEN, sqlitelib.SQLITE_READONLY:
		return true
	}
	var network net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &network)
}

func sqliteCode(err error) int {
	if refused := (*sqlite.Error)(nil); errors.As(err, &refused) {
		return refused.Code()
	}
	return 0
}
