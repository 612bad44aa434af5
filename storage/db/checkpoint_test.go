package db

import (
	"slices"
	"testing"

	"github.com/toldonce/toldonce/evidence"
)

// Of one size the note with the most cosignatures stays.
func TestRecordingCheckpoints(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		iv := in.interview(t, evidence.StateReady)
		in.moved(t, iv, evidence.StateRecording)
		for _, c := range []struct {
			size   int64
			signed string
		}{{20, "b"}, {3, "a"}, {3, "a+cosigned"}, {3, "a"}, {20, "b"}} {
			if err := in.SaveRecordingCheckpoint(t.Context(), iv.Recording, c.size, c.signed); err != nil {
				t.Fatal(err)
			}
		}
		got, err := in.RecordingCheckpoints(t.Context(), iv.Recording)
		if want := []string{"a+cosigned", "b"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%q, %v", got, err)
		}
		if err := in.SaveRecordingCheckpoint(t.Context(), evidence.NewID(), 1, "x"); err == nil {
			t.Error("of no recording")
		}
		in.holds(t)
	})
}
