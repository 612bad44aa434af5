package db

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

func TestNothingIsEverCreatedByOpen(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			dsn := emptyDSN(t, database)
			if _, err := Open(t.Context(), dsn, time.Now); !errors.Is(err, evidence.ErrMissingState) || !strings.Contains(err.Error(), "toldonce init") {
				t.Fatalf("opening nothing: %v", err)
			}
			if path, ok := strings.CutPrefix(dsn, sqlitePrefix); ok {
				if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) > 0 {
					t.Fatalf("opening nothing left %v", left)
				}
				if err := os.WriteFile(path, nil, 0o600); err != nil { // a disk was mounted empty
					t.Fatal(err)
				}
				if _, err := Open(t.Context(), dsn, time.Now); !errors.Is(err, evidence.ErrMissingState) {
					t.Fatalf("opening an empty file: %v", err)
				}
			}
		})
	}
}

func TestInitHappensOnce(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		cfg, _ := config(t)
		before, err := in.Installation(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := Init(t.Context(), in.dsn, cfg); !errors.Is(err, evidence.ErrConflict) {
			t.Fatalf("a second init: %v", err)
		}
		after, err := in.Installation(t.Context())
		if err != nil || after.ID != before.ID || after.LogVerifier != before.LogVerifier || string(after.LogKey) != in.signer {
			t.Fatalf("%+v became %+v, %v", before, after, err)
		}
		first, err := in.Entry(t.Context(), 0)
		if err != nil || first.Leaf.Action != "log.created" || first.Leaf.Subject != before.ID {
			t.Fatalf("the log begins with %+v, %v", first.Leaf, err)
		}
		if in.dialect == sqliteDialect {
			info, err := os.Stat(in.path)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Fatalf("the file has mode %v, %v", info.Mode(), err)
			}
		}
		in.holds(t)
	})
}

func TestInitRefusesWhatIsNotItsOwn(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		cfg, _ := config(t)
		in.unlocked(t)
		// An installation whose identity was lost is not a fresh one.
		in.raw(t, `DELETE FROM installation`)
		if err := Init(t.Context(), in.dsn, cfg); !errors.Is(err, evidence.ErrConflict) {
			t.Errorf("over records without an identity: %v", err)
		}
		if _, err := Open(t.Context(), in.dsn, in.clock); !errors.Is(err, evidence.ErrMissingState) {
			t.Errorf("opening records without an identity: %v", err)
		}
		// An init that was cut short before the log began is finished by the next.
		for _, table := range []string{"custody_entry", "custody_hash", "log_head", "event"} {
			in.raw(t, `DELETE FROM `+table)
		}
		if err := Init(t.Context(), in.dsn, cfg); err != nil {
			t.Errorf("after an init that was cut short: %v", err)
		}
	})
	for _, database := range []string{"sqlite", "postgres"} {
		cfg, _ := config(t)
		dsn := emptyDSN(t, database)
		if path, ok := strings.CutPrefix(dsn, sqlitePrefix); ok {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := connect(t.Context(), dsn, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.w.ExecContext(t.Context(), `CREATE TABLE invoices (id TEXT)`); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := Init(t.Context(), dsn, cfg); !errors.Is(err, evidence.ErrConflict) {
			t.Errorf("%s with another program's tables: %v", database, err)
		}
		if err := Init(t.Context(), dsn, InitConfig{}); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%s without keys: %v", database, err)
		}
	}
}

func TestOneOfManyInitsWins(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			dsn := emptyDSN(t, database)
			cfg, _ := config(t)
			errs := make([]error, 4)
			var all sync.WaitGroup
			for i := range errs {
				all.Go(func() { errs[i] = Init(t.Context(), dsn, cfg) })
			}
			all.Wait()
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				} else if !errors.Is(err, evidence.ErrConflict) {
					t.Errorf("got %v", err)
				}
			}
			if won != 1 {
				t.Fatalf("%d inits succeeded", won)
			}
			for range 4 {
				all.Go(func() {
					s, err := Open(t.Context(), dsn, time.Now)
					if err != nil {
						t.Error(err)
						return
					}
					s.Close()
				})
			}
			all.Wait()
		})
	}
}

func TestDamagedHeadIsFatal(t *testing.T) {
	for name, statement := range map[string]string{
		"the head is gone":       `DELETE FROM log_head`,
		"the head is behind":     `UPDATE log_head SET size = 1`,
		"the root is another":    `UPDATE log_head SET root = frontier`,
		"the last entry is gone": `DELETE FROM custody_entry WHERE position = 4`,
		"the last event is gone": `DELETE FROM event WHERE id = 5`,
		"a node is gone":         `DELETE FROM custody_hash WHERE idx = 6`,
		"a node is another":      `UPDATE custody_hash SET hash = (SELECT hash FROM custody_hash WHERE idx = 0) WHERE idx = 7`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, in *installation) {
				for range 4 {
					if err := in.AppendEntry(t.Context(), act("test.act")); err != nil {
						t.Fatal(err)
					}
				}
				in.unlocked(t)
				in.raw(t, statement)
				if _, err := Open(t.Context(), in.dsn, in.clock); !errors.Is(err, evidence.ErrMissingState) {
					t.Fatalf("got %v", err)
				}
			})
		})
	}
}

func TestNewerTablesAreRefused(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		in.raw(t, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, TRUE)`)
		if _, err := Open(t.Context(), in.dsn, in.clock); err == nil || !strings.Contains(err.Error(), "newer program") {
			t.Fatalf("got %v", err)
		}
	})
}

func TestBothDatabasesHaveTheSameMigrations(t *testing.T) {
	lite, err := versions("sqlite")
	if err != nil {
		t.Fatal(err)
	}
	post, err := versions("postgres")
	if err != nil {
		t.Fatal(err)
	}
	if len(lite) == 0 || !slices.Equal(lite, post) {
		t.Fatalf("SQLite has %v and PostgreSQL %v", lite, post)
	}
}

func TestNamesThatCannotBeOpened(t *testing.T) {
	for _, dsn := range []string{"", "mysql://x", "sqlite:relative.db", "/a/path.db"} {
		if _, err := Open(t.Context(), dsn, time.Now); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%q: %v", dsn, err)
		}
	}
	const secret = "hunter2hunter2"
	for _, dsn := range []string{"postgres://u:" + secret + "@127.0.0.1:1/db", "postgres://u:" + secret + "@[::bad/db"} {
		if _, err := Open(t.Context(), dsn, time.Now); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("got %v", err)
		}
	}
}

// A pool of readers that could write would let a mistake go past the log.
func TestReadersCannotWrite(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		if _, err := in.r.ExecContext(t.Context(), `UPDATE log_head SET events = 0`); err == nil {
			t.Fatal("a reader wrote")
		}
		in.holds(t)
	})
}

// versions lists the numbers of a dialect's migrations.
func versions(dialect string) ([]int, error) {
	entries, err := fs.ReadDir(migrations, "migrations/"+dialect)
	if err != nil {
		return nil, err
	}
	var out []int
	for _, e := range entries {
		number, _, _ := strings.Cut(e.Name(), "_")
		n, err := strconv.Atoi(number)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}
