package db

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	sqlitelib "modernc.org/sqlite/lib"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

//go:embed migrations
var migrations embed.FS

// lockID is the PostgreSQL advisory lock under which tables are changed.
const lockID = 0x746f6c644f6e6365 // "toldOnce"

// InitConfig is what a new installation is born with.
type InitConfig struct {
	Origin      string // name of the custody log, as its checkpoints carry it
	LogVerifier string // public key of the checkpoints, from [custody.GenerateKey]
	LogKey      []byte // their signing key, wrapped by the key service
}

// Installation is what [Init] wrote.
type Installation struct {
	ID evidence.ID
	InitConfig
	CreatedAt evidence.Instant
}

// Init creates the tables and the custody log's head in an empty database, or,
// on SQLite, in a new file with mode 0600 whose folder exists. It is the only way
// that a log ever begins. It returns an error wrapping [evidence.ErrConflict] if
// an installation or tables of something else are there; an Init that was cut
// short before the log began may be run again.
func Init(ctx context.Context, dsn string, cfg InitConfig) error {
	if _, err := custody.NewVerifier(cfg.LogVerifier); err != nil || cfg.Origin == "" || len(cfg.LogKey) == 0 {
		return fmt.Errorf("initialising the database: %w: origin, verifier's and signer's key are needed", evidence.ErrInvalid)
	}
	if path, ok := strings.CutPrefix(dsn, sqlitePrefix); ok {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		switch {
		case errors.Is(err, fs.ErrExist):
		case err != nil:
			return fmt.Errorf("initialising the database: %w", err)
		default:
			if err := errors.Join(f.Close(), syncDir(filepath.Dir(path))); err != nil {
				return fmt.Errorf("initialising the database: %w", err)
			}
		}
	}
	s, err := connect(ctx, dsn, time.Now)
	if err != nil {
		return err
	}
	defer s.Close()
	present, err := s.initialised(ctx)
	if err != nil {
		return err
	}
	if present {
		return fmt.Errorf("initialising the database: %w: an installation is there already", evidence.ErrConflict)
	}
	if err := s.refuseForeign(ctx); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	return s.begins(ctx, cfg)
}

// begins writes the rows that exist for ever and the log's first entry.
func (s *Store) begins(ctx context.Context, cfg InitConfig) error {
	t, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer t.end()
	t.at = evidence.At(s.clock())
	id := evidence.NewID()
	_, err = t.exec(ctx, `INSERT INTO installation (id, installation_id, created_at, origin, log_verifier, log_key) VALUES (1, $1, $2, $3, $4, $5)`,
		id, t.at, cfg.Origin, cfg.LogVerifier, cfg.LogKey)
	if err != nil {
		return fmt.Errorf("initialising the database: %w", err)
	}
	root := custody.Frontier{}.Root()
	_, err = t.exec(ctx, `INSERT INTO log_head (id, size, root, frontier, last_at, events) VALUES (1, 0, $1, $2, 0, 0)`, root[:], []byte{})
	if err != nil {
		return fmt.Errorf("initialising the database: %w", err)
	}
	t.log(custody.Entry{Actor: evidence.System(""), Action: "log.created", Subject: id, Details: map[string]string{"installation": string(id)}})
	var h head
	if err := t.stage(&h); err != nil {
		return err
	}
	if err := t.flush(ctx, h); err != nil {
		return err
	}
	return t.commit(ctx)
}

// Installation returns what [Init] wrote: the log's name and keys.
func (s *Store) Installation(ctx context.Context) (Installation, error) {
	var i Installation
	err := s.row(ctx, `SELECT installation_id, created_at, origin, log_verifier, log_key FROM installation WHERE id = 1`).
		Scan(&i.ID, &i.CreatedAt, &i.Origin, &i.LogVerifier, &i.LogKey)
	if errors.Is(err, evidence.ErrNotFound) {
		err = evidence.ErrMissingState
	}
	if err != nil {
		return Installation{}, fmt.Errorf("reading the installation: %w", err)
	}
	return i, nil
}

// tables returns the names of the tables that are there, in PostgreSQL's case
// in the schema in which this program would make its own.
func (s *Store) tables(ctx context.Context) (map[string]bool, error) {
	statement := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	if s.dialect == postgresDialect {
		statement = `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()`
	}
	var names []string
	err := patiently(ctx, func() error {
		rows, err := s.w.QueryContext(ctx, statement)
		names, err = collect(rows, err, func(scan func(...any) error) (name string, err error) { return name, scan(&name) })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking into the database: %w", unavailable(err))
	}
	out := make(map[string]bool, len(names))
	for _, n := range names {
		out[n] = true
	}
	return out, nil
}

// patiently asks again for as long as SQLite waits for a lock elsewhere: while
// another process turns a new file into a log-structured one, it does not wait.
func patiently(ctx context.Context, ask func() error) error {
	for until := time.Now().Add(busyTimeout); ; {
		err := ask()
		if err == nil || sqliteCode(err)&0xff != sqlitelib.SQLITE_BUSY || time.Now().After(until) {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// initialised says whether [Init] finished here.
func (s *Store) initialised(ctx context.Context) (bool, error) {
	tables, err := s.tables(ctx)
	if err != nil || !tables["installation"] {
		return false, err
	}
	var n int64
	if err := patiently(ctx, func() error { return s.w.QueryRowContext(ctx, `SELECT COUNT(*) FROM installation`).Scan(&n) }); err != nil {
		return false, fmt.Errorf("looking into the database: %w", unavailable(err))
	}
	return n == 1, nil
}

// refuseForeign returns [evidence.ErrConflict] if the database holds tables that
// no migration of this program made, or an installation whose row was lost.
func (s *Store) refuseForeign(ctx context.Context) error {
	tables, err := s.tables(ctx)
	if err != nil {
		return err
	}
	if len(tables) > 0 && !tables["goose_db_version"] {
		return fmt.Errorf("initialising the database: %w: it holds the tables of another program", evidence.ErrConflict)
	}
	for _, table := range []string{"custody_entry", "log_head", "interview"} {
		if !tables[table] {
			continue
		}
		var n int64
		if err := s.w.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+table).Scan(&n); err != nil {
			return fmt.Errorf("looking into the database: %w", unavailable(err))
		}
		if n > 0 {
			return fmt.Errorf("initialising the database: %w: it holds records of an installation whose identity is missing; restore the backup", evidence.ErrConflict)
		}
	}
	return nil
}

// migrate brings the tables to this program's version under a lock that keeps
// other processes out. It refuses tables of a newer program.
func (s *Store) migrate(ctx context.Context) error {
	name, dialect := "sqlite", goose.DialectSQLite3
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger())}
	if s.dialect == postgresDialect {
		name, dialect = "postgres", goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(lockID), lock.WithLockTimeout(1, 300))
		if err != nil {
			return fmt.Errorf("preparing the tables: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	} else {
		unlock, err := lockFile(ctx, s.path+".lock")
		if err != nil {
			return fmt.Errorf("preparing the tables: %w", err)
		}
		defer unlock()
	}
	files, err := fs.Sub(migrations, "migrations/"+name)
	if err != nil {
		return fmt.Errorf("preparing the tables: %w", err)
	}
	provider, err := goose.NewProvider(dialect, s.w, files, options...)
	if err != nil {
		return fmt.Errorf("preparing the tables: %w", err)
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("preparing the tables: %w", unavailable(err))
	}
	if current > target {
		return fmt.Errorf("preparing the tables: %w: the database is at version %d and this program knows %d; use the newer program", evidence.ErrInvalid, current, target)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("preparing the tables: %w", unavailable(err))
	}
	return nil
}

// lockFile takes an exclusive lock on a file of its own. SQLite's file cannot
// serve: closing any handle of it would drop SQLite's own locks.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if err == syscall.EWOULDBLOCK {
			err = pause(ctx, min(attempt, 20))
		}
		if err != nil {
			f.Close()
			return nil, err
		}
	}
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// LogKey returns the wrapped key that signs the log's checkpoints, and its public
// half.
func (s *Store) LogKey(ctx context.Context) (wrapped []byte, verifier string, err error) {
	i, err := s.Installation(ctx)
	return i.LogKey, i.LogVerifier, err
}
