package prefix

import (
	"fmt"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/seal"
)

// BenchmarkFigureCheckpoint makes a checkpoint of ten new leaves, as it costs the
// recorder, of a short and of a long recording.
func BenchmarkFigureCheckpoint(b *testing.B) {
	key, verifier, err := custody.GenerateKey("custody.example/log")
	if err != nil {
		b.Fatal(err)
	}
	signer, err := custody.NewRecordingSigner(key, verifier)
	if err != nil {
		b.Fatal(err)
	}
	id := evidence.NewID()
	for _, size := range []int64{100, 10_000, 100_000} {
		tree := seal.NewTree()
		for i := range size {
			if _, err := tree.AppendText(fmt.Appendf(nil, "%0700d", i)); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprintf("%d", size), func(b *testing.B) {
			for b.Loop() {
				c := custody.RecordingCheckpoint{Recording: id, At: 1, AfterSize: size - 10, Checkpoint: custody.Checkpoint{Size: size}}
				if c.Root, err = tree.RootAt(size); err != nil {
					b.Fatal(err)
				}
				if c.AfterRoot, err = tree.RootAt(size - 10); err != nil {
					b.Fatal(err)
				}
				signed, err := signer.SignRecording(c)
				if err != nil {
					b.Fatal(err)
				}
				Key(id, size-10, size, Encode(tree.Lines(size-10), signed))
			}
		})
	}
}
