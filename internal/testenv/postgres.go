package testenv

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	_ "github.com/lib/pq" // the driver that creates and drops databases
)

// postgres starts the one server of this process, durable as in production.
var postgres = sync.OnceValues(func() (*server, error) {
	initdb, err := find("initdb")
	if err != nil {
		return nil, err
	}
	program, err := find("postgres")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "toldonce-postgres-")
	if err != nil {
		return nil, err
	}
	cred, err := unprivileged(dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	create := exec.Command(initdb, "--pgdata="+data, "--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
	create.Dir = dir
	create.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	if out, err := create.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	s, err := start(dir, cred, program, "-D", data, "-k", dir, "-c", "listen_addresses=",
		"-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "max_connections=200", "-c", "shared_buffers=32MB")
	if err != nil {
		return nil, err
	}
	return s, s.ready(func() error {
		db, err := sql.Open("postgres", dsn(s.dir, "postgres"))
		if err != nil {
			return err
		}
		defer db.Close()
		return db.Ping()
	})
})

// unprivileged gives dir to the user postgres and returns that user's
// credential when the tests run as root, under which PostgreSQL refuses to run.
// Otherwise it returns nil: the server runs as whoever runs the tests.
func unprivileged(dir string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("tests run as root and PostgreSQL must not: %w: %s", err, install["postgres"])
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, uid, gid)
}

func dsn(dir, database string) string {
	q := url.Values{"host": {dir}, "sslmode": {"disable"}, "user": {"postgres"}}
	return "postgres:///" + database + "?" + q.Encode()
}

// Postgres returns the data source name, "postgres://…", of a fresh and empty
// database on a private PostgreSQL that this process started and that listens on
// a Unix socket only. The database goes with the server: dropping each one would
// make every test wait for a checkpoint.
func Postgres(t testing.TB) string {
	t.Helper()
	s, err := postgres()
	if err != nil {
		t.Fatalf("starting PostgreSQL: %v", err)
	}
	name := "test_" + strings.ToLower(rand.Text())
	db, err := sql.Open("postgres", dsn(s.dir, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatalf("creating a database: %v: %s", err, s.log())
	}
	return dsn(s.dir, name)
}
