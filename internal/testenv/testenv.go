// Package testenv starts the outside programs that tests need: a private
// PostgreSQL, an S3 server with Object Lock over TLS, and command-line tools. It
// is imported by tests only.
//
// A program that is missing fails the test with a message saying what to
// install; nothing here skips. One server of a kind is shared by the tests of
// one process and each test gets a fresh database or bucket. A server ends with
// the process that started it, however that process ends.
package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"syscall"
	"testing"
	"time"
)

// install says, per program, how a developer gets it.
var install = map[string]string{
	"postgres":   "install PostgreSQL (Debian: apt-get install postgresql)",
	"initdb":     "install PostgreSQL (Debian: apt-get install postgresql)",
	"versitygw":  "run `make setup`",
	"age":        "run `make setup`",
	"age-keygen": "run `make setup`",
	"cosign":     "run `make setup`",
	"ffmpeg":     "install ffmpeg (Debian: apt-get install ffmpeg)",
	"ffprobe":    "install ffmpeg (Debian: apt-get install ffmpeg)",
	"openssl":    "install openssl (Debian: apt-get install openssl)",
	"chromium":   "install chromium (Debian: apt-get install chromium)",
}

// Tool returns the path of a program: from the folder that TOLDONCE_TOOLS names,
// else from the nearest .tools/bin above the working directory, else from PATH,
// else from the newest PostgreSQL of the distribution. It fails the test, saying
// what to install, if there is none.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := find(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func find(name string) (string, error) {
	dirs := []string{}
	if dir := os.Getenv("TOLDONCE_TOOLS"); dir != "" {
		dirs = append(dirs, dir)
	} else if wd, err := os.Getwd(); err == nil {
		for dir := wd; ; dir = filepath.Dir(dir) {
			dirs = append(dirs, filepath.Join(dir, ".tools", "bin"))
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	dirs = append(dirs, filepath.SplitList(os.Getenv("PATH"))...)
	newest, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	sort.Sort(sort.Reverse(sort.StringSlice(newest)))
	dirs = append(dirs, newest...)
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	hint := install[name]
	if hint == "" {
		hint = "install it"
	}
	return "", fmt.Errorf("the program %s was not found: %s", name, hint)
}

// watch runs the server; a second shell waits for the pipe from the test process
// to close, which the kernel does however that process ends, then ends the
// server and removes its folder.
const watch = `dir=$1; shift
"$@" </dev/null >"$dir/server.log" 2>&1 3<&- & server=$!
{ cat <&3; kill -QUIT $server; while kill -0 $server; do sleep 0.05; done; rm -rf "$dir"; } >/dev/null 2>&1 &
exec 3<&-
wait $server`

// server is a running child and the pipe that keeps it alive.
type server struct {
	dir  string
	pipe *os.File      // never read or written; closing it ends the server
	done chan struct{} // closed once the server ended
}

// start runs a server in dir, as another user if cred is not nil.
func start(dir string, cred *syscall.Credential, name string, args ...string) (*server, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", watch, "watch", dir, name}, args...)...)
	cmd.Dir = dir
	cmd.ExtraFiles = []*os.File{read}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Setpgid: true}
	if err := cmd.Start(); err != nil {
		write.Close()
		return nil, err
	}
	s := &server{dir: dir, pipe: write, done: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(s.done)
	}()
	return s, nil
}

// ready calls probe until it succeeds, the server ends or 30 s have passed.
func (s *server) ready(probe func() error) error {
	deadline := time.After(30 * time.Second)
	for {
		err := probe()
		if err == nil {
			return nil
		}
		select {
		case <-s.done:
			return fmt.Errorf("the server ended: %s", s.log())
		case <-deadline:
			return fmt.Errorf("the server did not answer in 30 s: %w: %s", err, s.log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *server) log() string {
	data, _ := os.ReadFile(filepath.Join(s.dir, "server.log"))
	return string(data[max(0, len(data)-4096):])
}

// Program returns the path of a program that the set-up installs, such as pg_dump. A
// missing one fails the test.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := find(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
