package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// A court's witness and an installation, each a program of its own: cosignatures
// stand in checkpoints and packages; and a database that was restored from an older
// backup shows and shares nothing until two people have signed for it.
func TestWitnessStory(t *testing.T) {
	dir := t.TempDir()
	data, court := filepath.Join(dir, "demo"), filepath.Join(dir, "court")
	var made struct{ Key string }
	plain := commandLine{}
	plain.ok(t, &made, "witness", "init", "--dir", court, "--name", "witness.court.example")
	cosigner, err := custody.ParseCosigner(made.Key)
	if err != nil {
		t.Fatal(err)
	}
	plain.fails(t, exitUsage, "witness", "init", "--dir", court, "--name", "witness.court.example")

	var demo demoReady
	launchDemo := func() *runningServer {
		server := launch(t, nil, "demo", "--data", data, "--listen", "127.0.0.1:0", "--json")
		if err := json.Unmarshal(server.line, &demo); err != nil {
			t.Fatal(err)
		}
		return server
	}
	launchDemo().end(t)
	trust := filepath.Join(dir, "trust")
	var exported struct{}
	plain.ok(t, &exported, "trust", "export", "--data", data, "--out", filepath.Join(dir, "first"))
	logKey, err := os.ReadFile(filepath.Join(dir, "first", "log.vkey"))
	if err != nil {
		t.Fatal(err)
	}
	origin := strings.SplitN(string(logKey), "+", 2)[0]
	var listening struct{ Listen string }
	serveWitness := func(listen string) *runningServer {
		w := launch(t, nil, "witness", "serve", "--dir", court, "--log", strings.TrimSpace(string(logKey)), "--listen", listen, "--json")
		if err := json.Unmarshal(w.line, &listening); err != nil {
			t.Fatal(err)
		}
		return w
	}
	watching := serveWitness("127.0.0.1:0")
	plain.fails(t, exitConflict, "witness", "forget", "--dir", court, "--origin", origin) // it runs
	plain.fails(t, exitUsage, "log", "witness", "add", "--data", data, "--url", "http://witness.court.example/", "--key", made.Key)
	var added struct{ Name string }
	plain.ok(t, &added, "log", "witness", "add", "--data", data, "--url", listening.Listen, "--key", made.Key)
	plain.fails(t, exitConflict, "log", "witness", "add", "--data", data, "--url", listening.Listen, "--key", made.Key)
	plain.ok(t, &exported, "trust", "export", "--data", data, "--out", trust)

	server := launchDemo()
	auditor, custodian := demo.as(evidence.RoleAuditor), demo.as(evidence.RoleCustodian)
	cosigned := func() {
		t.Helper()
		var cp struct{ Checkpoint string }
		auditor.ok(t, &cp, "log", "checkpoint")
		if found, err := custody.Cosignatures([]byte(cp.Checkpoint), cosigner); err != nil || len(found) != 1 {
			t.Fatalf("%d cosignatures, %v: %s", len(found), err, cp.Checkpoint)
		}
	}
	cosigned()
	out := filepath.Join(dir, "package")
	var done struct{ Files int }
	custodian.ok(t, &done, "export", string(demo.Sealed), "--out", out, "--clear", "--reason", "hearing")
	if code, said := verify(t, out, "--trust", filepath.Join(trust, "trust.json")); code != 0 || !strings.Contains(said, "A witness outside the agency") {
		t.Fatalf("exit code %d: %s", code, said)
	}

	// A backup, then more, then the backup is restored.
	server.end(t)
	backup := copyDatabase(t, data, dir)
	server = launch(t, nil, "serve", "--data", data, "--listen", "127.0.0.1:0", "--json")
	auditor.url = urlOf(t, server)
	custodian.url = auditor.url
	custodian.fails(t, exitConflict, "log", "discontinuity", "propose", "--reason", "Nothing happened.")
	var st logStatus
	auditor.ok(t, &st, "log", "status")
	custodian.ok(t, &done, "export", string(demo.Sealed), "--out", filepath.Join(dir, "another"), "--clear", "--reason", "hearing")
	cosigned()
	server.end(t)
	for _, suffix := range []string{"-wal", "-shm"} {
		_ = os.Remove(filepath.Join(data, "toldonce.db"+suffix))
	}
	if err := os.Rename(backup, filepath.Join(data, "toldonce.db")); err != nil {
		t.Fatal(err)
	}
	server = launch(t, nil, "serve", "--data", data, "--listen", "127.0.0.1:0", "--json")
	auditor.url = urlOf(t, server)
	custodian.url = auditor.url
	printed, said, code := auditor.run(t, "log", "status")
	if code != exitFailed || !strings.Contains(printed, "Viewing and sharing are closed") || !strings.Contains(printed, "toldonce log discontinuity propose") {
		t.Fatalf("exit code %d: %s%s", code, printed, said)
	}
	if said := custodian.fails(t, exitRefused, "export", string(demo.Sealed), "--out", filepath.Join(dir, "third"), "--clear", "--reason", "hearing"); !strings.Contains(said, "two people have signed") {
		t.Fatal(said)
	}
	var gap struct {
		ID          string
		From, Until int64
	}
	custodian.ok(t, &gap, "log", "discontinuity", "propose", "--reason", "The disk broke. The backup of the night was restored.")
	custodian.fails(t, exitRefused, "log", "discontinuity", "approve", gap.ID, "--reason", "Once more.")
	auditor.ok(t, &gap, "log", "discontinuity", "approve", gap.ID, "--reason", "The disk and the backup were seen.")
	auditor.ok(t, &st, "log", "status")
	if st.Closed || len(st.Known) != 1 || st.Witnesses[0].State != custody.WitnessRefuses {
		t.Fatalf("%+v", st)
	}
	custodian.ok(t, &done, "export", string(demo.Sealed), "--out", filepath.Join(dir, "third"), "--clear", "--reason", "hearing")
	server.end(t)

	// The court accepts the explanation in its own time.
	watching.end(t)
	var kept struct{ Kept []string }
	plain.ok(t, &kept, "witness", "forget", "--dir", court, "--origin", origin)
	if len(kept.Kept) != 1 {
		t.Fatalf("%+v", kept)
	}
	serveWitness(strings.TrimPrefix(listening.Listen, "http://"))
	server = launch(t, nil, "serve", "--data", data, "--listen", "127.0.0.1:0", "--json")
	auditor.url = urlOf(t, server)
	cosigned()
	var audit struct{ Holds bool }
	auditor.ok(t, &audit, "audit")
	if !audit.Holds {
		t.Error("the log does not hold")
	}
}

func urlOf(t *testing.T, server *runningServer) string {
	t.Helper()
	var serving struct{ URL string }
	if err := json.Unmarshal(server.line, &serving); err != nil {
		t.Fatalf("%v: %s", err, server.line)
	}
	return serving.URL
}

// copyDatabase takes a backup of a database that nobody has open.
func copyDatabase(t *testing.T, data, dir string) string {
	t.Helper()
	backup := filepath.Join(dir, "backup.db")
	if wal, err := os.ReadFile(filepath.Join(data, "toldonce.db-wal")); err == nil && len(bytes.TrimSpace(wal)) > 0 {
		t.Fatal("the write-ahead log was not put away")
	}
	if out, err := exec.Command("cp", filepath.Join(data, "toldonce.db"), backup).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return backup
}
