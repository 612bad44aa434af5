package keys

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/internal/durable"
)

// writeVectors makes testdata/v1. It is for a new version's vectors: those of a
// released version stay as they are for ever.
var writeVectors = flag.Bool("write-vectors", false, "make testdata/v1 if it is not there")

type vectors struct {
	Secrets []struct {
		Purpose, Box, Plain string // hex; no plain: must fail
	}
	DataKeys []struct {
		Recording      evidence.ID
		Box, Plain     string // hex; no plain: must fail
		RecipientStart string
	}
}

// restore copies the vectors' store, because a repository keeps no file modes.
func restore(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS("testdata/v1/store")); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(p, 0o700)
		}
		return os.Chmod(p, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestVectors(t *testing.T) {
	if *writeVectors {
		makeVectors(t)
	}
	text, err := os.ReadFile("testdata/v1/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	l, err := Open(restore(t))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	check := func(what, plain string, got []byte, err error) {
		t.Helper()
		switch {
		case plain == "" && err == nil:
			t.Errorf("%s opened, and must not", what)
		case plain != "" && err != nil:
			t.Errorf("%s: %v", what, err)
		case plain != "" && hex.EncodeToString(got) != plain:
			t.Errorf("%s: got %x, want %s", what, got, plain)
		}
	}
	if len(v.Secrets) < 4 || len(v.DataKeys) < 3 {
		t.Fatal("vectors are missing")
	}
	for _, s := range v.Secrets {
		got, err := l.Unwrap(context.Background(), s.Purpose, unhex(t, s.Box))
		check("secret for "+s.Purpose, s.Plain, got, err)
	}
	for _, d := range v.DataKeys {
		got, err := l.OpenRecordingKey(context.Background(), d.Recording, unhex(t, d.Box))
		check("data key of "+string(d.Recording), d.Plain, got[:], err)
		if recipient, _ := got.Recipient(); err == nil && !strings.HasPrefix(recipient, d.RecipientStart) {
			t.Errorf("recipient %.40s…, want %s…", recipient, d.RecipientStart)
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func makeVectors(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	const store = "testdata/v1/store"
	if err := Init(store); err != nil {
		t.Fatal(err)
	}
	l, err := Open(store)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var v vectors
	secret := func(purpose string, box []byte, plain string) {
		v.Secrets = append(v.Secrets, struct{ Purpose, Box, Plain string }{purpose, hex.EncodeToString(box), plain})
	}
	box, _ := l.Wrap(ctx, "toldonce/vector/v1/a", []byte("told once"))
	secret("toldonce/vector/v1/a", box, hex.EncodeToString([]byte("told once")))
	secret("toldonce/vector/v1/b", box, "")
	flipped := bytes.Clone(box)
	flipped[len(flipped)-1] ^= 1
	secret("toldonce/vector/v1/a", flipped, "")
	later := bytes.Clone(box)
	later[0] = 2
	secret("toldonce/vector/v1/a", later, "")
	for _, erase := range []bool{false, true} {
		id := evidence.NewID()
		wrapped, _, err := l.NewRecordingKey(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		key, err := l.OpenRecordingKey(ctx, id, wrapped)
		if err != nil {
			t.Fatal(err)
		}
		recipient, _ := key.Recipient()
		plain := hex.EncodeToString(key[:])
		if erase {
			plain = ""
			if err := l.EraseRecordingKey(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		add := func(id evidence.ID, plain string) {
			v.DataKeys = append(v.DataKeys, struct {
				Recording      evidence.ID
				Box, Plain     string
				RecipientStart string
			}{id, hex.EncodeToString(wrapped), plain, recipient[:40]})
		}
		add(id, plain)
		if !erase {
			add(evidence.NewID(), "")
		}
	}
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot("testdata/v1")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := durable.Create(root, "vectors.json", 0o644, append(text, '\n')); err != nil {
		t.Fatal(err)
	}
}

func FuzzMaster(f *testing.F) {
	f.Add(encodeMaster(secret{1, 2, 3}))
	f.Add([]byte(masterTitle + "\nkey \nsum \n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := decodeMaster(text)
		if err != nil {
			if !errors.Is(err, evidence.ErrInvalid) {
				t.Fatalf("unexpected kind of error: %v", err)
			}
			return
		}
		if !bytes.Equal(encodeMaster(k), text) {
			t.Fatal("accepted an encoding that is not the only one")
		}
	})
}

func FuzzBox(f *testing.F) {
	k := secret{7}
	f.Add(k.seal("d", "w", []byte("secret")), "w")
	f.Add([]byte{1}, "")
	f.Fuzz(func(t *testing.T, box []byte, what string) {
		plain, err := k.open("d", what, box)
		if err == nil && (what != "w" || string(plain) != "secret") {
			t.Fatalf("opened a forged box: %q for %q", plain, what)
		}
		if err != nil && !errors.Is(err, evidence.ErrInvalid) {
			t.Fatalf("unexpected kind of error: %v", err)
		}
	})
}
