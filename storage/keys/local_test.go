package keys_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/storage/keys"
)

func initialised(t *testing.T) (*keys.Local, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	if err := keys.Init(dir); err != nil {
		t.Fatal(err)
	}
	return open(t, dir), dir
}

func open(t *testing.T, dir string) *keys.Local {
	t.Helper()
	l, err := keys.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestInitIsExplicitAndOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if _, err := keys.Open(dir); !errors.Is(err, evidence.ErrMissingState) {
		t.Fatalf("open before init: %v, want ErrMissingState", err)
	}
	if err := keys.Init(dir); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Init(dir); !errors.Is(err, evidence.ErrConflict) {
		t.Fatalf("second init: %v, want ErrConflict", err)
	}
	after, err := os.ReadFile(filepath.Join(dir, "master.key"))
	if err != nil || !bytes.Equal(before, after) {
		t.Fatal("a second init changed the master key")
	}
	for _, name := range []string{"master.key", "."} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Fatalf("%s has mode %v, %v", name, info.Mode(), err)
		}
	}
}

func TestMissingPartsAreFatal(t *testing.T) {
	for _, part := range []string{"master.key", "erasable"} {
		t.Run(part, func(t *testing.T) {
			_, dir := initialised(t)
			if err := os.Remove(filepath.Join(dir, part)); err != nil {
				t.Fatal(err)
			}
			if _, err := keys.Open(dir); !errors.Is(err, evidence.ErrMissingState) {
				t.Fatalf("%v, want ErrMissingState", err)
			}
			if _, err := os.Stat(filepath.Join(dir, part)); !errors.Is(err, fs.ErrNotExist) {
				t.Fatal("it was made anew")
			}
		})
	}
}

func TestReadableByOthersIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		mode fs.FileMode
	}{{"master.key", 0o640}, {"master.key", 0o604}, {"master.key", 0o620}, {".", 0o750}, {"erasable", 0o755}} {
		t.Run(c.name+c.mode.String(), func(t *testing.T) {
			_, dir := initialised(t)
			if err := os.Chmod(filepath.Join(dir, c.name), c.mode); err != nil {
				t.Fatal(err)
			}
			_, err := keys.Open(dir)
			if !errors.Is(err, evidence.ErrRefused) || !strings.Contains(err.Error(), "chmod") {
				t.Fatalf("%v, want a refusal that says what to do", err)
			}
		})
	}
}

func TestDamagedMaster(t *testing.T) {
	_, dir := initialised(t)
	name := filepath.Join(dir, "master.key")
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Open(dir); !errors.Is(err, evidence.ErrInvalid) {
			t.Fatalf("byte %d flipped: %v, want ErrInvalid", i, err)
		} else if strings.Contains(err.Error(), string(good[30:60])) {
			t.Fatalf("the error repeats the key: %v", err)
		}
	}
	for n := range good {
		if err := os.WriteFile(name, good[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Open(dir); !errors.Is(err, evidence.ErrInvalid) {
			t.Fatalf("cut to %d bytes: %v, want ErrInvalid", n, err)
		}
	}
}

func TestRecordingKey(t *testing.T) {
	ctx := context.Background()
	l, dir := initialised(t)
	recording, other := evidence.NewID(), evidence.NewID()
	wrapped, recipient, err := l.NewRecordingKey(ctx, recording)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.NewRecordingKey(ctx, other); err != nil {
		t.Fatal(err)
	}
	key, err := open(t, dir).OpenRecordingKey(ctx, recording, wrapped) // after a restart
	if err != nil {
		t.Fatal(err)
	}
	if got, err := key.Recipient(); err != nil || got != recipient {
		t.Fatalf("recipient %q, %v", got, err)
	}
	if bytes.Contains(wrapped, key[:]) {
		t.Fatal("the wrapped key holds the key")
	}
	if _, err := l.OpenRecordingKey(ctx, other, wrapped); !errors.Is(err, evidence.ErrInvalid) {
		t.Fatalf("with another recording's key: %v", err)
	}

	// Its result may have been lost before it was saved: asked again, the first
	// wrapped key still opens.
	again, recipient2, err := l.NewRecordingKey(ctx, recording)
	if err != nil {
		t.Fatal(err)
	}
	if recipient2 == recipient {
		t.Fatal("the same data key twice")
	}
	for _, w := range [][]byte{wrapped, again} {
		if _, err := l.OpenRecordingKey(ctx, recording, w); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := l.NewRecordingKey(ctx, "../../etc/passwd"); !errors.Is(err, evidence.ErrInvalid) {
		t.Fatalf("path as id: %v", err)
	}
}

func TestErasedOpensNothing(t *testing.T) {
	ctx := context.Background()
	l, dir := initialised(t)
	recording, spared := evidence.NewID(), evidence.NewID()
	wrapped, recipient, err := l.NewRecordingKey(ctx, recording)
	if err != nil {
		t.Fatal(err)
	}
	kept, _, err := l.NewRecordingKey(ctx, spared)
	if err != nil {
		t.Fatal(err)
	}
	object, _, _, err := envelope.Encrypt(recipient, []byte("what was said"))
	if err != nil {
		t.Fatal(err)
	}
	backup := bytes.Clone(wrapped) // what a backup of the database holds
	keyFile := filepath.Join(dir, "erasable", string(recording)+".key")
	keyBackup, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}

	if err := l.EraseRecordingKey(ctx, recording); err != nil {
		t.Fatal(err)
	}
	if err := l.EraseRecordingKey(ctx, recording); err != nil {
		t.Fatal("erasing again:", err)
	}
	if _, err := os.Stat(keyFile); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the key file is still there: %v", err)
	}
	gone := func(l *keys.Local) {
		t.Helper()
		if _, err := l.OpenRecordingKey(ctx, recording, backup); !errors.Is(err, envelope.ErrErased) || !errors.Is(err, evidence.ErrNotFound) {
			t.Fatalf("opening after erasure: %v, want ErrErased", err)
		}
		if _, _, err := l.NewRecordingKey(ctx, recording); !errors.Is(err, envelope.ErrErased) {
			t.Fatalf("a new key after erasure: %v, want ErrErased", err)
		}
		if _, err := l.OpenRecordingKey(ctx, spared, kept); err != nil {
			t.Fatalf("another recording suffered: %v", err)
		}
	}
	gone(l)
	gone(open(t, dir))

	// A restored backup of the whole erasable store that is merged into the
	// directory brings the file back: it is destroyed again, not used.
	if err := os.WriteFile(keyFile, keyBackup, 0o600); err != nil {
		t.Fatal(err)
	}
	gone(l)
	gone(open(t, dir))
	if _, err := os.Stat(keyFile); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a restored key survived Open: %v", err)
	}

	// Nothing else that is left opens the object: neither the master, nor the
	// erasable keys of others.
	for id, w := range map[evidence.ID][]byte{spared: backup, recording: kept} {
		if key, err := l.OpenRecordingKey(ctx, id, w); err == nil {
			identity, _ := key.Identity()
			if _, err := envelope.Decrypt(identity, object); err == nil {
				t.Fatal("the object still opens")
			}
		}
	}
	if err := l.EraseRecordingKey(ctx, evidence.NewID()); !errors.Is(err, evidence.ErrNotFound) {
		t.Fatalf("erasing what never was: %v", err)
	}
}

func TestInterruptedErasureIsCompleted(t *testing.T) {
	ctx := context.Background()
	l, dir := initialised(t)
	recording := evidence.NewID()
	wrapped, _, err := l.NewRecordingKey(ctx, recording)
	if err != nil {
		t.Fatal(err)
	}
	// The note is written first; the process dies before the key is destroyed.
	note := filepath.Join(dir, "erasable", string(recording)+".erased")
	if err := os.WriteFile(note, []byte("toldonce erased key v1\nat 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	after := open(t, dir)
	if _, err := os.Stat(filepath.Join(dir, "erasable", string(recording)+".key")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the key survived: %v", err)
	}
	if _, err := after.OpenRecordingKey(ctx, recording, wrapped); !errors.Is(err, envelope.ErrErased) {
		t.Fatal(err)
	}
}

func TestLostKeyIsNotErasure(t *testing.T) {
	ctx := context.Background()
	l, dir := initialised(t)
	recording := evidence.NewID()
	wrapped, _, err := l.NewRecordingKey(ctx, recording)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "erasable", string(recording)+".key")); err != nil {
		t.Fatal(err)
	}
	_, err = l.OpenRecordingKey(ctx, recording, wrapped)
	if !errors.Is(err, evidence.ErrMissingState) || errors.Is(err, envelope.ErrErased) {
		t.Fatalf("%v, want ErrMissingState", err)
	}
}

func TestWrapIsBoundToItsPurpose(t *testing.T) {
	ctx := context.Background()
	l, _ := initialised(t)
	stranger, _ := initialised(t)
	secret := []byte("a small secret")
	wrapped, err := l.Wrap(ctx, "toldonce/test/v1/a", secret)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := l.Unwrap(ctx, "toldonce/test/v1/a", wrapped); err != nil || !bytes.Equal(got, secret) {
		t.Fatalf("%q, %v", got, err)
	}
	if other, _ := l.Wrap(ctx, "toldonce/test/v1/a", secret); bytes.Equal(other, wrapped) {
		t.Fatal("wrapping is deterministic")
	}
	refuse := func(what string, k *keys.Local, purpose string, box []byte) {
		t.Helper()
		if got, err := k.Unwrap(ctx, purpose, box); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%s: %q, %v, want ErrInvalid", what, got, err)
		}
	}
	refuse("another purpose", l, "toldonce/test/v1/b", wrapped)
	refuse("another keyring", stranger, "toldonce/test/v1/a", wrapped)
	refuse("no purpose", l, "", wrapped)
	for i := range wrapped {
		bad := bytes.Clone(wrapped)
		bad[i] ^= 0x80
		refuse("flipped byte", l, "toldonce/test/v1/a", bad)
		refuse("cut", l, "toldonce/test/v1/a", wrapped[:i])
	}
	if _, err := l.Wrap(ctx, strings.Repeat("x", 256), nil); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("long purpose: %v", err)
	}
	// A data key's box is no secret of a purpose, and the other way round.
	recording := evidence.NewID()
	dataKey, _, err := l.NewRecordingKey(ctx, recording)
	if err != nil {
		t.Fatal(err)
	}
	refuse("a data key", l, string(recording), dataKey)
	if _, err := l.OpenRecordingKey(ctx, recording, wrapped); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("a secret as data key: %v", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	ctx := context.Background()
	a, dir := initialised(t)
	b := open(t, dir)
	recording := evidence.NewID()
	var wg sync.WaitGroup
	for i := range 16 {
		l := []*keys.Local{a, b}[i%2]
		wg.Go(func() {
			wrapped, _, err := l.NewRecordingKey(ctx, recording)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := l.OpenRecordingKey(ctx, recording, wrapped); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestBackupIsNotedAndOpens: a copy of the key store opens what was not erased when
// it was made, and the store remembers when that was (P35).
func TestBackupIsNotedAndOpens(t *testing.T) {
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "keys")
	if err := keys.Init(dir); err != nil {
		t.Fatal(err)
	}
	l, err := keys.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if at, err := l.LastBackup(ctx); at != 0 || err != nil {
		t.Errorf("a backup was noted that nobody made: %d, %v", at, err)
	}
	kept, erased := evidence.NewID(), evidence.NewID()
	wrapped, _, err := l.NewRecordingKey(ctx, kept)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.NewRecordingKey(ctx, erased); err != nil {
		t.Fatal(err)
	}
	if err := l.EraseRecordingKey(ctx, erased); err != nil {
		t.Fatal(err)
	}
	before := evidence.At(time.Now())
	to := filepath.Join(t.TempDir(), "copy")
	if err := l.Backup(ctx, to); err != nil {
		t.Fatal(err)
	}
	if at, err := l.LastBackup(ctx); at < before || err != nil {
		t.Errorf("the backup is noted for %d, made after %d, %v", at, before, err)
	}
	if err := l.NoteBackup(ctx, before-1); err != nil {
		t.Fatal(err)
	}
	if at, err := l.LastBackup(ctx); at < before || err != nil {
		t.Errorf("an older note hid a newer one: %d, %v", at, err)
	}
	if err := l.Backup(ctx, to); err == nil {
		t.Error("a backup went over another")
	}
	back, err := keys.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if _, err := back.OpenRecordingKey(ctx, kept, wrapped); err != nil {
		t.Errorf("the copy does not open a recording: %v", err)
	}
	if _, err := back.OpenRecordingKey(ctx, erased, wrapped); !errors.Is(err, envelope.ErrErased) {
		t.Errorf("the copy forgot an erasure: %v", err)
	}
}
