package db

import (
	"bytes"
	"errors"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// TestRewrapReachesEverySecret: all that the keyring wrapped is wrapped anew in one
// transaction with its entry, or nothing is.
func TestRewrapReachesEverySecret(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		in.raw(t, `INSERT INTO index_key (id, wrapped) VALUES (1, $1)`, []byte("old index"))
		entry := custody.Entry{Actor: evidence.System(""), Action: "keys.rotate", Details: map[string]string{}}
		var seen []string
		anew := func(purpose string, box []byte) ([]byte, error) {
			seen = append(seen, purpose)
			return bytes.Replace(box, []byte("old"), []byte("new"), 1), nil
		}
		n, err := in.Rewrap(t.Context(), anew, entry)
		if err != nil || n != 1 || len(seen) != 2 { // the log's key does not change
			t.Fatalf("%d changed of %v, %v", n, seen, err)
		}
		if box, err := in.IndexKey(t.Context()); err != nil || string(box) != "new index" {
			t.Errorf("%q, %v", box, err)
		}
		size := in.size(t)
		fails := errors.New("does not open")
		if _, err := in.Rewrap(t.Context(), func(purpose string, box []byte) ([]byte, error) {
			if purpose == LogKeyPurpose {
				return []byte("half"), nil
			}
			return nil, fails
		}, entry); !errors.Is(err, fails) {
			t.Errorf("a secret that does not open: %v", err)
		}
		if there, err := in.Installation(t.Context()); err != nil || string(there.LogKey) == "half" || in.size(t) != size {
			t.Errorf("half of it was done: %v", err)
		}
		in.interview(t, evidence.StateRecording)
		if _, err := in.Rewrap(t.Context(), anew, entry); !errors.Is(err, evidence.ErrConflict) {
			t.Errorf("while an interview is recorded: %v", err)
		}
		in.holds(t)
	})
}
