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

const sqlitePrefix = "sqlite:"

// Connections. PostgreSQL keeps one pool; SQLite one writer and a pool of readers.
const (
	postgresConnections = 32
	sqliteReaders       = 8
)

// Store is the database. It is safe for concurrent use.
type Store struct {
	dialect dialect
	path    string // of SQLite's file
	w, r    *sql.DB
	clock   evidence.Clock
	wake    *wake
	stop    func() // ends listening; nil if nobody listens
}

// Open opens a database that [Init] made, "sqlite:/path/file.db" or
// "postgres://…", and brings its tables to this program's version. It returns an
// error wrapping [evidence.ErrMissingState] if no installation is there or the
// log's head does not fit what is stored beside it: nothing is ever made anew
// here. The caller closes the Store.
func Open(ctx context.Context, dsn string, clock evidence.Clock) (*Store, error) {
	missing := func() error {
		return fmt.Errorf("database: %w: no installation is in it. `toldonce init` makes one; if there was one, restore its backup", evidence.ErrMissingState)
	}
	if path, ok := strings.CutPrefix(dsn, sqlitePrefix); ok {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, missing()
		}
	}
	s, err := connect(ctx, dsn, clock)
	if err != nil {
		return nil, err
	}
	present, err := s.initialised(ctx)
	if err == nil && !present {
		err = missing()
	}
	for _, step := range []func(context.Context) error{s.migrate, s.checkHead} {
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

func connect(ctx context.Context, dsn string, clock evidence.Clock) (*Store, error) {
	s := &Store{clock: clock, wake: newWake()}
	var err error
	if path, ok := strings.CutPrefix(dsn, sqlitePrefix); ok {
		err = s.connectSQLite(path)
	} else if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		err = s.connectPostgres(dsn)
	} else {
		err = fmt.Errorf("database: %w: say sqlite:/path/file.db or postgres://…", evidence.ErrInvalid)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.w.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("database: %w: %w", evidence.ErrUnavailable, err), s.Close())
	}
	return s, nil
}

func (s *Store) connectPostgres(dsn string) error {
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		// The driver's own error may hold the password.
		return fmt.Errorf("database: %w: the PostgreSQL address cannot be read", evidence.ErrInvalid)
	}
	db.SetMaxOpenConns(postgresConnections)
	db.SetMaxIdleConns(postgresConnections)
	s.dialect, s.w, s.r = postgresDialect, db, db
	return nil
}

func (s *Store) connectSQLite(path string) (err error) {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("database: %w: the path of a SQLite file must be absolute", evidence.ErrInvalid)
	}
	s.dialect, s.path = sqliteDialect, path
	open := func(most int, options url.Values) (*sql.DB, error) {
		for _, pragma := range []string{"busy_timeout(15000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "secure_delete(1)", "trusted_schema(0)"} {
			options.Add("_pragma", pragma)
		}
		db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+options.Encode())
		if err != nil {
			return nil, fmt.Errorf("database: %w", err)
		}
		db.SetMaxOpenConns(most)
		db.SetMaxIdleConns(most)
		return db, nil
	}
	if s.w, err = open(1, url.Values{"_txlock": {"immediate"}}); err != nil {
		return err
	}
	s.r, err = open(sqliteReaders, url.Values{"_pragma": {"query_only(1)"}})
	return err
}

// Close ends every connection.
func (s *Store) Close() error {
	if s.stop != nil {
		s.stop()
	}
	var errs []error
	if s.r != nil && s.r != s.w {
		errs = append(errs, s.r.Close())
	}
	if s.w != nil {
		errs = append(errs, s.w.Close())
	}
	return errors.Join(errs...)
}

// isSerialization reports whether a transaction lost against another and may be
// run again from its beginning.
func isSerialization(err error) bool {
	if refused := (*pq.Error)(nil); errors.As(err, &refused) {
		return refused.Code == "40001" || refused.Code == "40P01" // serialization failure, deadlock
	}
	return sqliteCode(err)&0xff == sqlitelib.SQLITE_BUSY
}

func isUnique(err error) bool {
	if refused := (*pq.Error)(nil); errors.As(err, &refused) {
		return refused.Code == "23505"
	}
	code := sqliteCode(err)
	return code == sqlitelib.SQLITE_CONSTRAINT_UNIQUE || code == sqlitelib.SQLITE_CONSTRAINT_PRIMARYKEY
}

func isReference(err error) bool {
	if refused := (*pq.Error)(nil); errors.As(err, &refused) {
		return refused.Code == "23503"
	}
	return sqliteCode(err) == sqlitelib.SQLITE_CONSTRAINT_FOREIGNKEY
}

// isConnection reports whether no answer of the database but the way to it, or its
// being stopped or full, caused the error.
func isConnection(err error) bool {
	if refused := (*pq.Error)(nil); errors.As(err, &refused) {
		switch refused.Code.Class() {
		case "08", "53", "57", "58": // connection, resources, operator, system
			return true
		}
		return false
	}
	switch sqliteCode(err) & 0xff {
	case sqlitelib.SQLITE_FULL, sqlitelib.SQLITE_IOERR, sqlitelib.SQLITE_CANTOPEN, sqlitelib.SQLITE_READONLY:
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
