package custody_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

func partial(t testing.TB, s *custody.RecordingSigner, recording evidence.ID, m *memory, after, size int64) []byte {
	t.Helper()
	root := func(n int64) custody.Hash {
		var f custody.Frontier
		for _, leaf := range m.leaves[:n] {
			f.Append(custody.LeafHash(leaf))
		}
		return f.Root()
	}
	signed, err := s.SignRecording(custody.RecordingCheckpoint{Checkpoint: custody.Checkpoint{Size: size, Root: root(size)},
		Recording: recording, At: 1_790_000_000_000_000, AfterSize: after, AfterRoot: root(after)})
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// A recording's checkpoint is signed under the recording's own name: nobody can pass
// it off as one of the custody log, of another recording, or of another log.
func TestRecordingCheckpointIsOfOneRecordingAndLog(t *testing.T) {
	signer, verifier := key(t, origin)
	otherSigner, otherVerifier := key(t, "other.example/log")
	s, err := custody.NewRecordingSigner(signer, verifier)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := custody.NewRecordingSigner(otherSigner, verifier); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("keys that are no pair: %v", err)
	}
	id := evidence.NewID()
	signed := partial(t, s, id, filled(t, 9), 4, 9)
	c, err := custody.OpenRecordingCheckpoint(signed, verifier)
	if err != nil || c.Recording != id || c.Size != 9 || c.AfterSize != 4 || c.At != 1_790_000_000_000_000 {
		t.Fatalf("%+v, %v", c, err)
	}
	if log, recording, ok := custody.ParseRecordingOrigin(c.Origin); !ok || log != origin || recording != id {
		t.Errorf("origin %q", c.Origin)
	}
	logs, err := custody.NewVerifier(verifier)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := custody.OpenCheckpoint(signed, logs); err == nil {
		t.Error("taken for a checkpoint of the custody log")
	}
	if _, err := custody.OpenRecordingCheckpoint(signed, otherVerifier); err == nil {
		t.Error("taken for another log's")
	}
	for name, change := range map[string][2]string{
		"size": {"\n9\n", "\n8\n"}, "time": {"time 179", "time 178"}, "recording": {string(id), string(evidence.NewID())},
		"one line more": {"\ntime", "\nmore\ntime"}, "zeros": {"after 4", "after 04"}, "backwards": {"after 4", "after 10"},
	} {
		changed := bytes.Replace(signed, []byte(change[0]), []byte(change[1]), 1)
		if _, err := custody.OpenRecordingCheckpoint(changed, verifier); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%s changed: %v", name, err)
		}
	}
	// A line in front of the log's own would be read as the log's by others.
	text, lines, _ := strings.Cut(string(signed), "\n\n")
	cosigner, _ := newWitness(t, "witness.court.example", verifier)
	line, err := cosigner.Add(t.Context(), custody.WitnessRequest{Checkpoint: partial(t, s, id, filled(t, 9), 0, 9)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := custody.OpenRecordingCheckpoint([]byte(text+"\n\n"+string(line)+lines), verifier); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("another signature first: %v", err)
	}
}

// local asks a witness with no network between.
type local struct{ *custody.Witness }

func (l local) Add(ctx context.Context, r custody.WitnessRequest) ([]byte, error) {
	again, err := custody.ParseWitnessRequest(r.Encode())
	if err != nil {
		return nil, err
	}
	return l.Witness.Add(ctx, again)
}

// A witness that watches a log cosigns its recordings as they grow, each only
// forwards, and finds its way after the asker forgot where it stood.
func TestWitnessFollowsARecording(t *testing.T) {
	signer, verifier := key(t, origin)
	s, err := custody.NewRecordingSigner(signer, verifier)
	if err != nil {
		t.Fatal(err)
	}
	w, _ := newWitness(t, "witness.court.example", verifier)
	id, m, forked := evidence.NewID(), filled(t, 9), filled(t, 9)
	forked.leaves[1] = []byte("another")
	ask := func(m *memory, after, size, old int64) (string, error) {
		return custody.CosignRecording(t.Context(), local{w}, partial(t, s, id, m, after, size), size, old, func(old int64) ([]custody.Hash, error) {
			if old == 0 || old == size {
				return nil, nil
			}
			return custody.ProveConsistency(old, size, m.nodes)
		})
	}
	for _, step := range []struct{ after, size, old int64 }{{0, 3, 0}, {3, 7, 3}, {7, 9, 0}} { // the last one forgot
		line, err := ask(m, step.after, step.size, step.old)
		if err != nil {
			t.Fatalf("%+v: %v", step, err)
		}
		cosigned := custody.Cosigned(partial(t, s, id, m, step.after, step.size), line)
		if good, err := custody.Cosignatures(cosigned, w.Cosigner()); err != nil || len(good) != 1 {
			t.Errorf("%+v: %v, %v", step, good, err)
		}
		newest, err := w.Newest(custody.RecordingOrigin(origin, id))
		if err != nil || !bytes.Equal(newest, cosigned) {
			t.Errorf("%+v: the newest is %q, %v", step, newest, err)
		}
	}
	var stale *custody.StaleError
	if _, err := ask(m, 3, 7, 3); !errors.As(err, &stale) || stale.Size != 9 {
		t.Errorf("backwards: %v", err)
	}
	if _, err := ask(forked, 7, 9, 9); !errors.As(err, &stale) {
		t.Errorf("a fork: %v", err)
	}
	if _, err := w.Newest(custody.RecordingOrigin("other.example/log", id)); !errors.Is(err, custody.ErrUnknownLog) {
		t.Errorf("of a log that it does not watch: %v", err)
	}
	mallory, _ := key(t, origin)
	other, err := note.NewSigner(mallory)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(partial(t, s, id, m, 7, 9)), "\n\n")
	unsigned, err := note.Sign(&note.Note{Text: text + "\n"}, other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Add(t.Context(), custody.WitnessRequest{Old: 9, Checkpoint: unsigned}); !errors.Is(err, custody.ErrNotSigned) {
		t.Errorf("signed by somebody else: %v", err)
	}
}

func FuzzReadRecordingCheckpoint(f *testing.F) {
	signer, verifier := key(f, origin)
	s, err := custody.NewRecordingSigner(signer, verifier)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(partial(f, s, evidence.NewID(), filled(f, 9), 4, 9))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := custody.ReadRecordingCheckpoint(data)
		if err != nil {
			if !errors.Is(err, evidence.ErrInvalid) {
				t.Errorf("%v", err)
			}
			return
		}
		if again, err := custody.ReadRecordingCheckpoint(c.Signed); err != nil || again.Size != c.Size || again.Root != c.Root {
			t.Errorf("%+v, %v", again, err)
		}
		_, _ = custody.OpenRecordingCheckpoint(data, verifier)
	})
}
