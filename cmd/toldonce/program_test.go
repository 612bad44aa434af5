package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/toldonce/toldonce/internal/testenv"
)

// patience bounds a wait for something that takes seconds at most, on a machine
// that is busy with other tests.
const patience = 2 * time.Minute

// setting is where the program under test keeps its state.
type setting struct {
	name string
	env  []string // of the stores
}

// settings are the pairs of stores on which the whole story must hold.
func settings(t *testing.T) []setting {
	t.Helper()
	s3 := testenv.VersityGW(t)
	return []setting{
		{name: "sqlite and a folder"},
		{name: "postgres and s3", env: []string{
			"TOLDONCE_DB=" + testenv.Postgres(t),
			fmt.Sprintf("TOLDONCE_OBJECTS=s3://%s?endpoint=%s&region=%s&ca=%s", s3.Bucket, s3.Endpoint, s3.Region, s3.CAFile),
			"AWS_ACCESS_KEY_ID=" + s3.AccessKey, "AWS_SECRET_ACCESS_KEY=" + s3.SecretKey,
		}},
	}
}

// runningServer is the program as a process of its own.
type runningServer struct {
	cmd  *exec.Cmd
	line []byte // the first that it printed
	log  *safeBuffer
	done chan error
}

// safeBuffer may be written and read at once.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// toldonce is a command that runs the program: this test binary, as testscript
// installed it on the path.
func toldonce(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("toldonce")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

// launch starts a server and waits for its first line.
func launch(t *testing.T, env []string, args ...string) *runningServer {
	t.Helper()
	p := &runningServer{cmd: toldonce(t, env, args...), log: &safeBuffer{}, done: make(chan error, 1)}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.kill(t)
		}
		if t.Failed() {
			t.Logf("log of %s:\n%s", strings.Join(args, " "), p.log)
		}
	})
	lines := make(chan []byte, 1)
	go func() {
		r := bufio.NewReader(out)
		line, _ := r.ReadBytes('\n')
		lines <- line
		rest, _ := io.ReadAll(r)
		if len(bytes.TrimSpace(rest)) > 0 {
			fmt.Fprintf(p.log, "printed more than one line: %s\n", rest)
		}
		p.done <- p.cmd.Wait()
	}()
	select {
	case p.line = <-lines:
	case <-time.After(patience):
		t.Fatalf("%s printed nothing", strings.Join(args, " "))
	}
	if len(p.line) == 0 {
		t.Fatalf("%s ended with %v", strings.Join(args, " "), <-p.done)
	}
	return p
}

// kill ends the server as a power cut would.
func (p *runningServer) kill(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGKILL)
}

// end asks the server to end and demands that it does so in order.
func (p *runningServer) end(t *testing.T) {
	t.Helper()
	if err := p.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("the server ended with %v", err)
	}
}

// stand makes the server stand still, or go on.
func (p *runningServer) stand(t *testing.T, s syscall.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Error(err)
	}
}

func (p *runningServer) signal(t *testing.T, s syscall.Signal) error {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	select {
	case err := <-p.done:
		return err
	case <-time.After(patience):
		t.Fatal("the server did not end")
		return nil
	}
}

// commandLine runs commands against a server as one person.
type commandLine struct{ url, token string }

// run executes a command and returns what it printed and its exit code.
func (c commandLine) run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := toldonce(t, []string{"TOLDONCE_URL=" + c.url, "TOLDONCE_TOKEN=" + c.token}, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// ok executes a command that must succeed, and decodes its --json.
func (c commandLine) ok(t *testing.T, into any, args ...string) {
	t.Helper()
	out, errs, code := c.run(t, append(args, "--json")...)
	if code != exitDone {
		t.Fatalf("toldonce %s: exit code %d: %s", strings.Join(args, " "), code, errs)
	}
	if strings.Count(out, "\n") != 1 {
		t.Errorf("toldonce %s --json printed %d lines", strings.Join(args, " "), strings.Count(out, "\n"))
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatalf("toldonce %s --json: %v: %s", strings.Join(args, " "), err, out)
	}
}

// fails executes a command that must end with an exit code, and returns what it
// said.
func (c commandLine) fails(t *testing.T, code int, args ...string) string {
	t.Helper()
	out, errs, got := c.run(t, args...)
	if got != code {
		t.Errorf("toldonce %s: exit code %d, want %d: %s", strings.Join(args, " "), got, code, errs)
	}
	if out != "" {
		t.Errorf("toldonce %s failed and printed a result: %s", strings.Join(args, " "), out)
	}
	return errs
}

// get fetches an address with the person's token.
func (c commandLine) get(t *testing.T, address string) (status int, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err = io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body
}

// verifier builds toldonce-verify once and returns its path.
var verifier = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "toldonce-verify-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "toldonce-verify")
	if out, err := exec.Command("go", "build", "-o", path, "../toldonce-verify").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building toldonce-verify: %w\n%s", err, out)
	}
	return path, nil
})

// verify runs the verifier and returns its exit code and what it said.
func verify(t *testing.T, args ...string) (int, string) {
	t.Helper()
	path, err := verifier()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit != nil {
		return exit.ExitCode(), string(out)
	}
	return 0, string(out)
}
