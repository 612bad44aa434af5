package db

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/internal/testenv"
)

// installation is one empty installation under test, with a clock that stands
// still until it is set.
type installation struct {
	dsn      string
	now      atomic.Int64 // microseconds
	signer   string
	verifier note.Verifier
	*Store
}

// each runs a test on an installation of its own on both databases: the one
// conformance suite of this package.
func each(t *testing.T, test func(t *testing.T, in *installation)) {
	t.Helper()
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel() // they wait for disks more than they compute
			test(t, install(t, database))
		})
	}
}

func emptyDSN(t testing.TB, database string) string {
	if database == "postgres" {
		return testenv.Postgres(t)
	}
	return sqlitePrefix + filepath.Join(t.TempDir(), "a b%3f.db") // a name that needs escaping
}

func install(t testing.TB, database string) *installation {
	t.Helper()
	in := &installation{dsn: emptyDSN(t, database)}
	cfg, verifier := config(t)
	in.signer, in.verifier = string(cfg.LogKey), verifier
	if err := Init(t.Context(), in.dsn, cfg); err != nil {
		t.Fatal(err)
	}
	in.now.Store(time.Now().Add(time.Second).UnixMicro()) // the first entry has the machine's time
	in.Store = in.open(t)
	return in
}

func config(t testing.TB) (InitConfig, note.Verifier) {
	t.Helper()
	signer, key, err := custody.GenerateKey("custody.test/log")
	if err != nil {
		t.Fatal(err)
	}
	v, err := custody.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	return InitConfig{Origin: v.Name(), LogVerifier: key, LogKey: []byte(signer)}, v
}

// open opens the installation once more, as another process would.
func (in *installation) open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.Context(), in.dsn, in.clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !isConnection(err) { // a dead connection cannot be closed well
			t.Errorf("closing: %v", err)
		}
	})
	return s
}

func (in *installation) clock() time.Time { return time.UnixMicro(in.now.Load()) }

func (in *installation) pass(d time.Duration) { in.now.Add(d.Microseconds()) }

// holds fails the test unless an audit finds nothing and events and entries are
// without gaps. It is the invariant that every test ends with.
func (in *installation) holds(t testing.TB) custody.Report {
	t.Helper()
	report, err := custody.Audit(context.WithoutCancel(t.Context()), in, in.verifier)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Faults) > 0 {
		t.Fatalf("the log does not hold: %+v", report.Faults)
	}
	var entries, events, last, withEntry int64
	err = in.row(t.Context(), `SELECT (SELECT COUNT(*) FROM custody_entry), COUNT(*), COALESCE(MAX(id), 0), COUNT(DISTINCT CASE WHEN position >= 0 THEN position END) FROM event`).
		Scan(&entries, &events, &last, &withEntry)
	if err != nil {
		t.Fatal(err)
	}
	if entries != report.Size || events != last || withEntry != entries {
		t.Fatalf("%d entries in a log of %d, %d events up to number %d, %d of entries", entries, report.Size, events, last, withEntry)
	}
	return report
}

// raw changes the database behind the program's back.
func (in *installation) raw(t testing.TB, statement string, args ...any) {
	t.Helper()
	if _, err := in.w.ExecContext(t.Context(), in.rebind(statement), args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// unlocked drops the triggers that keep the log, as whoever owns the database can.
func (in *installation) unlocked(t testing.TB) {
	t.Helper()
	for _, table := range []string{"custody_entry", "custody_hash"} {
		for _, name := range []string{"kept", "held"} {
			statement := fmt.Sprintf(`DROP TRIGGER %s_%s`, table, name)
			if in.dialect == postgresDialect {
				statement += ` ON ` + table
			}
			in.raw(t, statement)
		}
	}
}

func (in *installation) size(t testing.TB) int64 {
	t.Helper()
	h, err := in.LogHead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h.Size
}

var person = evidence.Actor{Kind: evidence.ActorPerson, Account: evidence.NewID(), Agency: evidence.NewID(), Role: evidence.RoleInterviewer, Session: evidence.NewID(), MFA: true, Address: "192.0.2.14"}

func act(action string) custody.Entry {
	return custody.Entry{Actor: person, Action: action, Subject: evidence.NewID(), Why: "Because of " + action, Authority: "Order 7/2026", Details: map[string]string{"n": "1"}}
}

// interview plans an interview, as the case file does, in a state.
func (in *installation) interview(t testing.TB, state evidence.State) evidence.Interview {
	t.Helper()
	iv := evidence.Interview{ID: evidence.NewID(), Agency: person.Agency, Case: evidence.NewID(), Recording: evidence.NewID(), Person: evidence.NewID(), Room: evidence.NewID(),
		Number: 1, State: state, PlannedAt: evidence.At(in.clock()), Language: "sq", Version: 1}
	in.raw(t, `INSERT INTO interview (`+interviewColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		iv.ID, iv.Agency, iv.Case, iv.Recording, iv.Person, iv.Room, iv.Number, iv.State, iv.PlannedAt, iv.Language, iv.StartedAt, iv.StoppedAt, iv.SealedAt, iv.Version)
	return iv
}

func count(t testing.TB, db *sql.DB, table string) (n int64) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
