package spool

import (
	"bufio"
	"bytes"
	"context"
	"fmt"

	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// TestMain lets the test binary play the process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("TOLDONCE_SPOOL_CHILD"); dir != "" {
		child(dir, evidence.ID(os.Getenv("TOLDONCE_SPOOL_INTERVIEW")))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fileStore is an object store that survives the process.
type fileStore struct{ dir string }

func (f fileStore) Put(_ context.Context, key string, body []byte, sum evidence.Digest, _ time.Time) (string, error) {
	if digest(body) != sum {
		return "", evidence.ErrInvalid
	}
	name := filepath.Join(f.dir, strings.ReplaceAll(key, "/", "_"))
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, body) {
		return "", nil
	}
	if err := os.WriteFile(name+".tmp", body, 0o600); err != nil {
		return "", err
	}
	return "", os.Rename(name+".tmp", name)
}

// child records and puts until it is killed, and prints a line for each position
// that was acknowledged as durable and each object that was confirmed.
func child(dir string, id evidence.ID) {
	ctx := context.Background()
	confirm := func(_ context.Context, stored []Stored) error {
		for _, s := range stored {
			fmt.Printf("stored %s\n", s.Meta)
		}
		return nil
	}
	sp, err := Open(Config{Dir: filepath.Join(dir, "spool"), Keys: ring{}, Objects: fileStore{filepath.Join(dir, "objects")}, Interval: time.Millisecond, FileSize: 20_000})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	var iv *Interview
	next := 1
	if ids, _ := sp.Interviews(); len(ids) == 0 {
		iv, err = sp.Begin(ctx, id, confirm)
	} else {
		var r Recovered
		iv, r, err = sp.Recover(ctx, id, confirm, Replayer{})
		next = int(r.Capture.Last) + 1
		if len(r.Capture.Gaps)+len(r.Outbox.Gaps) > 0 {
			fmt.Println("error gaps", r.Capture.Gaps, r.Outbox.Gaps)
			return
		}
	}
	if err != nil {
		fmt.Println("error", err)
		return
	}
	for i := next; ; i++ {
		at, err := iv.Append(5, payload(i))
		if err != nil || int(at) != i {
			fmt.Println("error", at, err)
			return
		}
		if i%8 == 0 {
			o := object(i)
			box, err := iv.Put(o)
			if err == nil {
				err = iv.WaitObject(ctx, box)
			}
			if err != nil {
				fmt.Println("error", err)
				return
			}
			fmt.Printf("boxed %s\n", o.Meta)
			iv.Release(Position(max(0, i-40)))
		}
		if i%3 == 0 {
			if err := iv.Wait(ctx, at); err != nil {
				fmt.Println("error", err)
				return
			}
			fmt.Printf("durable %d\n", at)
		}
	}
}

// TestKilled kills a recording process again and again, at points that its own
// progress chooses, and each time holds the journals to every promise that the
// process printed.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "objects"), 0o700))
	id := evidence.NewID()
	var durable Position
	boxed, stored := map[string]bool{}, map[string]bool{}
	for round := range 16 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "TOLDONCE_SPOOL_CHILD="+dir, "TOLDONCE_SPOOL_INTERVIEW="+string(id))
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			line := lines.Text()
			switch {
			case strings.HasPrefix(line, "error"):
				t.Errorf("round %d: %s", round, line)
			case strings.HasPrefix(line, "boxed "):
				boxed[strings.TrimPrefix(line, "boxed ")] = true
			case strings.HasPrefix(line, "stored "):
				stored[strings.TrimPrefix(line, "stored ")] = true
			default:
				if _, err := fmt.Sscanf(line, "durable %d", &durable); err != nil {
					t.Errorf("round %d: %s", round, line)
				}
			}
			if n == 3+11*round {
				must(t, cmd.Process.Signal(syscall.SIGKILL))
			}
		}
		cmd.Wait()
		if t.Failed() {
			return
		}
		checkKilled(t, dir, id, durable, boxed, stored)
	}
	if durable < 100 || len(stored) < 10 {
		t.Fatalf("the process got no further than record %d and %d objects", durable, len(stored))
	}
}

func checkKilled(t *testing.T, dir string, id evidence.ID, durable Position, boxed, stored map[string]bool) {
	t.Helper()
	objects := filepath.Join(dir, "objects")
	// A copy, so that what is checked does not help the next round.
	copied := t.TempDir()
	must(t, os.CopyFS(filepath.Join(copied, "spool"), os.DirFS(filepath.Join(dir, "spool"))))
	sp := openSpool(t, Config{Dir: filepath.Join(copied, "spool"), Keys: ring{}, Objects: fileStore{objects}, Interval: time.Millisecond})
	var got []Position
	var led ledger
	iv, rec, err := sp.Recover(context.Background(), id, led.confirm, Replayer{Record: func(r Record) error {
		if !bytes.Equal(r.Payload, payload(int(r.Position))) {
			t.Errorf("record %d is %q", r.Position, r.Payload)
		}
		got = append(got, r.Position)
		return nil
	}})
	must(t, err)
	if rec.Capture.Last < durable || len(rec.Capture.Gaps)+len(rec.Outbox.Gaps) != 0 {
		t.Fatalf("durable up to %d, found %+v", durable, rec)
	}
	for i, p := range got {
		if i > 0 && p != got[i-1]+1 {
			t.Fatalf("a hole after %d: %d", got[i-1], p)
		}
	}
	if len(got) > 0 && got[0] != rec.Capture.Released+1 {
		t.Fatalf("the first record is %d, released are %d", got[0], rec.Capture.Released)
	}
	must(t, iv.Drain(context.Background()))
	for meta := range boxed {
		var i int
		if _, err := fmt.Sscanf(meta, "leaf %d", &i); err != nil {
			t.Fatal(err)
		}
		body, err := os.ReadFile(filepath.Join(objects, strings.ReplaceAll(object(i).Key, "/", "_")))
		if err != nil || !bytes.Equal(body, object(i).Body) {
			t.Fatalf("%s was in the outbox and is not in the store: %v", meta, err)
		}
		if !stored[meta] && !slices.ContainsFunc(led.stored, func(s Stored) bool { return string(s.Meta) == meta }) {
			t.Fatalf("%s was never confirmed", meta)
		}
	}
	must(t, iv.Destroy())
	must(t, sp.Close())
}
