package notes

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/toldonce/toldonce/evidence"
)

func TestNewestIsKept(t *testing.T) {
	dir := t.TempDir()
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const log, other = "custody.example/log", "../custody.example/log"
	if _, err := f.Last(log); !errors.Is(err, evidence.ErrNotFound) {
		t.Fatalf("an empty folder: %v", err)
	}
	for _, c := range []struct {
		size int64
		note string
	}{{9, "nine"}, {10, "ten"}, {10, "ten again"}, {4, "four, after a discontinuity"}, {1 << 40, "many"}} {
		if err := f.Save(log, c.size, []byte(c.note)); err != nil {
			t.Fatal(err)
		}
		if got, err := f.Last(log); err != nil || string(got) != c.note {
			t.Fatalf("after %q: %q, %v", c.note, got, err)
		}
	}
	if err := f.Save(other, 3, []byte("another log")); err != nil {
		t.Fatal(err)
	}
	// Cut short between writing the new one and removing the old.
	if err := os.WriteFile(filepath.Join(dir, of(log), "00000000000000000007.note"), []byte("left over"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Last(log); err != nil || string(got) != "many" {
		t.Fatalf("beside a smaller one: %q, %v", got, err)
	}
	aside, err := f.Forget(log)
	if err != nil || len(aside) != 2 {
		t.Fatalf("%v, %v", aside, err)
	}
	for _, name := range aside {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("what was forgotten is gone: %v", err)
		}
	}
	if _, err := f.Last(log); !errors.Is(err, evidence.ErrNotFound) {
		t.Fatalf("after forgetting: %v", err)
	}
	if got, err := f.Last(other); err != nil || string(got) != "another log" {
		t.Fatalf("the other log: %q, %v", got, err)
	}
	if _, err := Open(filepath.Join(dir, "absent")); !errors.Is(err, evidence.ErrMissingState) {
		t.Fatalf("an absent folder: %v", err)
	}
}
