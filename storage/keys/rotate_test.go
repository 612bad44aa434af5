package keys_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/storage/keys"
)

// TestRotation: a new master opens everything that the old one did, the wrapped
// data keys stay as they are, and nothing is lost wherever a crash strikes.
func TestRotation(t *testing.T) {
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, crash := range []string{"none", "after the copy", "after the switch", "before the end"} {
		t.Run(crash, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			must(keys.Init(dir))
			l, err := keys.Open(dir)
			must(err)
			recording, erased := evidence.NewID(), evidence.NewID()
			wrapped, _, err := l.NewRecordingKey(ctx, recording)
			must(err)
			gone, _, err := l.NewRecordingKey(ctx, erased)
			must(err)
			must(l.EraseRecordingKey(ctx, erased))
			want, err := l.OpenRecordingKey(ctx, recording, wrapped)
			must(err)
			box, err := l.Wrap(ctx, "totp", []byte("secret"))
			must(err)
			master, err := os.ReadFile(filepath.Join(dir, "master.key"))
			must(err)
			key, err := os.ReadFile(filepath.Join(dir, "erasable", string(recording)+".key"))
			must(err)

			from, to, err := l.Rotate(ctx)
			must(err)
			if from == to {
				t.Fatalf("rotated from %s to itself", from)
			}
			switch crash { // puts back what was not done yet
			case "after the copy":
				must(os.WriteFile(filepath.Join(dir, "master.key"), master, 0o600))
				must(os.WriteFile(filepath.Join(dir, "erasable", string(recording)+".key"), key, 0o600))
			case "after the switch":
				must(os.WriteFile(filepath.Join(dir, "erasable", string(recording)+".key"), key, 0o600))
			}
			if crash != "none" {
				must(l.Close())
				l, err = keys.Open(dir)
				must(err)
				if got, err := l.OpenRecordingKey(ctx, recording, wrapped); err != nil || got != want {
					t.Fatalf("half rotated: %v", err)
				}
				if plain, err := l.Unwrap(ctx, "totp", box); err != nil || string(plain) != "secret" {
					t.Fatalf("half rotated: %q, %v", plain, err)
				}
				_, _, err = l.Rotate(ctx)
				must(err)
			}
			again, err := l.Rewrap("totp", box)
			must(err)
			if same, err := l.Rewrap("totp", again); err != nil || !bytes.Equal(same, again) || bytes.Equal(again, box) {
				t.Errorf("wrapped anew twice: %v", err)
			}
			if _, err := l.Rewrap("other", box); !errors.Is(err, evidence.ErrInvalid) {
				t.Errorf("wrapped anew for another purpose: %v", err)
			}
			must(l.FinishRotation(ctx))
			must(l.Close())

			l, err = keys.Open(dir)
			must(err)
			defer l.Close()
			if got, err := l.OpenRecordingKey(ctx, recording, wrapped); err != nil || got != want {
				t.Errorf("the same wrapped data key does not open: %v", err)
			}
			if _, err := l.OpenRecordingKey(ctx, erased, gone); !errors.Is(err, envelope.ErrErased) {
				t.Errorf("an erasure was forgotten: %v", err)
			}
			if plain, err := l.Unwrap(ctx, "totp", again); err != nil || string(plain) != "secret" {
				t.Errorf("%q, %v", plain, err)
			}
			if _, err := l.Unwrap(ctx, "totp", box); !errors.Is(err, evidence.ErrInvalid) {
				t.Errorf("a box under the destroyed master opens: %v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "retired", "*")); len(left) > 0 {
				t.Errorf("old master keys are left: %v", left)
			}
		})
	}
}
