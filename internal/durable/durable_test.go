package durable_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/toldonce/toldonce/internal/durable"
)

func open(t *testing.T) (*os.Root, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, dir
}

func noTemp(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if strings.HasPrefix(filepath.Base(p), durable.TempPrefix) {
			t.Errorf("left behind: %s", p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCreateOnce(t *testing.T) {
	root, dir := open(t)
	if err := durable.MkdirAll(root, "a/b"); err != nil {
		t.Fatal(err)
	}
	if err := durable.MkdirAll(root, "a/b"); err != nil {
		t.Fatal("again:", err)
	}
	if err := durable.Create(root, "a/b/f", 0o400, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := durable.Create(root, "a/b/f", 0o400, []byte("second")); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("second create: %v, want ErrExist", err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "a/b/f"))
	if err != nil || string(got) != "first" {
		t.Fatalf("content %q, %v", got, err)
	}
	info, err := os.Stat(filepath.Join(dir, "a/b/f"))
	if err != nil || info.Mode().Perm() != 0o400 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	noTemp(t, dir)
}

func TestCreateRace(t *testing.T) {
	root, dir := open(t)
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			switch err := durable.Create(root, "f", 0o600, []byte("x")); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d creations succeeded, want 1", won.Load())
	}
	noTemp(t, dir)
}

func TestNoEscape(t *testing.T) {
	root, dir := open(t)
	outside := filepath.Join(filepath.Dir(dir), "outside")
	if err := durable.Create(root, "../outside", 0o600, nil); err == nil {
		t.Fatal("wrote outside the root")
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := durable.Create(root, "link", 0o600, []byte("x")); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("over a symlink: %v, want ErrExist", err)
	}
	if err := durable.Destroy(root, "link"); err == nil {
		t.Fatal("destroyed through a symlink that leads out")
	}
	if _, err := os.Lstat(outside); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a file appeared outside: %v", err)
	}
}

func TestDestroyOverwrites(t *testing.T) {
	root, dir := open(t)
	secret := bytes.Repeat([]byte("secret"), 10)
	if err := durable.Create(root, "f", 0o600, secret); err != nil {
		t.Fatal(err)
	}
	// A second name for the same bytes shows what is left of them.
	if err := os.Link(filepath.Join(dir, "f"), filepath.Join(dir, "shadow")); err != nil {
		t.Fatal(err)
	}
	if err := durable.Destroy(root, "f"); err != nil {
		t.Fatal(err)
	}
	if _, err := root.Stat("f"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("still there: %v", err)
	}
	left, err := os.ReadFile(filepath.Join(dir, "shadow"))
	if err != nil || len(left) != len(secret) || bytes.Contains(left, []byte("secret")) {
		t.Fatalf("bytes not overwritten: %q, %v", left, err)
	}
}
