//go:build browser

// Package e2e runs the browser's journeys (Playwright, in this folder) against
// the real program on each pair of stores. It is behind a build tag because it
// needs bin/toldonce, npm's packages and Chromium: scripts/e2e brings them.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/toldonce/toldonce/internal/testenv"
)

func TestStory(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { journeys(t) })
	t.Run("postgres", func(t *testing.T) {
		s3 := testenv.VersityGW(t)
		journeys(t,
			"TOLDONCE_DB="+testenv.Postgres(t),
			fmt.Sprintf("TOLDONCE_OBJECTS=s3://%s?endpoint=%s&region=%s&ca=%s", s3.Bucket, s3.Endpoint, s3.Region, s3.CAFile),
			"AWS_ACCESS_KEY_ID="+s3.AccessKey, "AWS_SECRET_ACCESS_KEY="+s3.SecretKey)
	})
}

// journeys starts a demonstration and runs every journey against it.
func journeys(t *testing.T, stores ...string) {
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	line := demonstration(t, filepath.Join(bin, "toldonce"), stores)
	var demo struct{ URL string }
	if err := json.Unmarshal(line, &demo); err != nil {
		t.Fatalf("what the demonstration printed is not JSON: %v", err)
	}
	file := filepath.Join(t.TempDir(), "demo.json")
	if err := os.WriteFile(file, line, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "npm", append([]string{"test", "--"}, flag.Args()...)...)
	cmd.Env = append(os.Environ(), append(stores, "TOLDONCE_DEMO_JSON="+file, "BASE_URL="+demo.URL, "TOLDONCE_BIN="+bin)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("the journeys failed: %v", err)
	}
}

// demonstration starts the program, waits until it is ready and returns its line.
func demonstration(t *testing.T, program string, stores []string) []byte {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	cmd := exec.CommandContext(ctx, program, "demo", "--data", filepath.Join(t.TempDir(), "data"), "--listen", "127.0.0.1:0", "--json")
	if os.Getenv("TOLDONCE_BENCH") != "" {
		cmd.Args = append(cmd.Args, "--long", "3h")
	}
	cmd.Env = append(os.Environ(), stores...)
	var log bytes.Buffer // read once the process has ended
	cmd.Stderr = &log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting the demonstration: %v. Run `make build` first", err)
	}
	t.Cleanup(func() {
		cancel()
		if err := cmd.Wait(); err != nil && ctx.Err() == nil {
			t.Errorf("the server ended with: %v", err)
		}
		if t.Failed() {
			t.Logf("its log:\n%s", &log)
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the demonstration did not get ready: %v", err)
	}
	return line
}
