package testenv

import (
	"database/sql"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestPostgresGivesAFreshDatabase(t *testing.T) {
	for range 2 {
		db, err := sql.Open("postgres", Postgres(t))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec("CREATE TABLE once (id BIGINT PRIMARY KEY)"); err != nil {
			t.Fatal(err)
		}
		var fsync string
		if err := db.QueryRow("SHOW fsync").Scan(&fsync); err != nil || fsync != "on" {
			t.Fatalf("fsync is %q, %v", fsync, err)
		}
	}
}

func TestVersityGWGivesFreshBuckets(t *testing.T) {
	locked, unlocked := VersityGW(t), VersityGWUnlocked(t)
	if locked.Bucket == unlocked.Bucket || !strings.HasPrefix(locked.Endpoint, "https://127.0.0.1:") {
		t.Fatalf("%+v, %+v", locked, unlocked)
	}
	if _, err := os.Stat(locked.CAFile); err != nil {
		t.Fatal(err)
	}
}

func TestMissingToolSaysWhatToInstall(t *testing.T) {
	t.Setenv("TOLDONCE_TOOLS", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	_, err := find("versitygw")
	if err == nil || !strings.Contains(err.Error(), "make setup") {
		t.Fatalf("got %v", err)
	}
}

// A test process that is killed must not leave its servers behind.
func TestServerEndsWithItsProcess(t *testing.T) {
	if os.Getenv("TESTENV_CHILD") != "" {
		VersityGW(t)
		g, _ := versitygw()
		os.Stdout.WriteString("dir=" + g.dir + "\n")
		p, _ := os.FindProcess(os.Getpid())
		p.Kill()
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestServerEndsWithItsProcess$")
	cmd.Env = append(os.Environ(), "TESTENV_CHILD=1")
	out, _ := cmd.Output() // ends by a kill
	_, rest, found := strings.Cut(string(out), "dir=")
	dir, _, _ := strings.Cut(rest, "\n")
	if !found || dir == "" {
		t.Fatalf("the child did not start its server: %s", out)
	}
	s := &server{dir: dir, done: make(chan struct{})}
	err := s.ready(func() error {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			return nil
		}
		return os.ErrExist
	})
	if err != nil {
		t.Fatal(err)
	}
}
