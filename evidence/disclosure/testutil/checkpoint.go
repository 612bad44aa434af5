package testutil

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/prefix"
	"github.com/toldonce/toldonce/evidence/seal"
)

// RecordingSigner signs checkpoints of recordings with the world's log key.
func (w *World) RecordingSigner(t testing.TB) *custody.RecordingSigner {
	t.Helper()
	s, err := custody.NewRecordingSigner(w.logSigner, w.logVerifier)
	check(t, err)
	return s
}

// LogKey is the verifier key of the world's log.
func (w *World) LogKey() string { return w.logVerifier }

// Checkpointed signs, as a recorder would have, what a recording's tree was at each of
// the sizes, 10 s apart.
func (w *World) Checkpointed(t testing.TB, recording evidence.ID, tree *seal.Tree, at evidence.Instant, sizes ...int64) []string {
	t.Helper()
	s := w.RecordingSigner(t)
	var out []string
	before := int64(0)
	for i, size := range sizes {
		root, err := tree.RootAt(size)
		check(t, err)
		after, err := tree.RootAt(before)
		check(t, err)
		signed, err := s.SignRecording(custody.RecordingCheckpoint{
			Checkpoint: custody.Checkpoint{Size: size, Root: root}, Recording: recording,
			At: at + evidence.Instant(i)*10_000_000, AfterSize: before, AfterRoot: after,
		})
		check(t, err)
		out = append(out, string(signed))
		before = size
	}
	return out
}

// Prefix is what a destroyed recorder left in the object store.
func (w *World) Prefix(t testing.TB, r *Recording, notes []string) Files {
	t.Helper()
	tree := seal.NewTree()
	files := Files{}
	for _, s := range r.Segments {
		_, err := tree.Append(s.Leaf)
		check(t, err)
	}
	lines := bytes.SplitAfter(tree.Lines(0), []byte("\n"))
	for _, n := range notes {
		c, err := custody.ReadRecordingCheckpoint([]byte(n))
		check(t, err)
		file := prefix.Encode(bytes.Join(lines[c.AfterSize:c.Size], nil), []byte(n))
		name := prefix.Key(c.Recording, c.AfterSize, c.Size, file)
		files[name[len(prefix.Root(c.Recording)):]] = file
		for _, s := range r.Segments[c.AfterSize:c.Size] {
			files[fmt.Sprintf("%s/%s.age", s.Leaf.Track, s.ObjectKey)] = r.Cipher[s.Position]
		}
	}
	return files
}

// witness is one in memory.
type witness struct{ last map[string][]byte }

func (w witness) Last(origin string) ([]byte, error) {
	if n, ok := w.last[origin]; ok {
		return n, nil
	}
	return nil, evidence.ErrNotFound
}

func (w witness) Save(origin string, _ int64, signed []byte) error {
	w.last[origin] = signed
	return nil
}

// Cosign has a new witness of that name cosign a recording's checkpoint.
func (w *World) Cosign(t testing.TB, name, signed string) (custody.Cosigner, string) {
	t.Helper()
	key, _, err := custody.GenerateCosigner(name)
	check(t, err)
	one, err := custody.NewWitness(key, []string{w.logVerifier}, witness{map[string][]byte{}})
	check(t, err)
	line, err := one.Add(context.Background(), custody.WitnessRequest{Checkpoint: []byte(signed)})
	check(t, err)
	return one.Cosigner(), string(custody.Cosigned([]byte(signed), string(line)))
}

// CosignLog has a new witness of that name cosign a checkpoint of the world's custody
// log, alone.
func (w *World) CosignLog(t testing.TB, name string, signed []byte) (custody.Cosigner, []byte) {
	t.Helper()
	one, cosigned := w.Cosign(t, name, string(custody.Bare(signed)))
	return one, []byte(cosigned)
}
