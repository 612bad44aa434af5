package recorder

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/publish"
)

// Somebody sets the server's clock while a child speaks, back and then ahead.
// Interview time goes on, no frame is lost, and both steps are in the manifest.
func TestAClockThatIsSetMovesNoTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.close()
	var ahead atomic.Int64
	w.clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	w.open()
	cam := w.camera(evidence.SourceCloseUp)
	begun := time.Now()
	w.start()
	off := cam.onAir(publish.Options{})
	w.until("frames arrive", whole(10, 2))
	steps := []time.Duration{-3 * time.Hour, 8 * time.Hour}
	for i, step := range steps {
		ahead.Add(int64(step))
		w.until("the step is noted", func(Status) bool { return len(w.wallSteps()) == i+1 })
	}
	noted := w.wallSteps()
	at := w.until("frames go on", whole(40, 2))
	st := w.stop()
	off()
	if most := evidence.OffsetOf(time.Since(begun)); st.Elapsed < at.Elapsed || st.Elapsed > most {
		t.Errorf("interview time is %d µs after at most %d", st.Elapsed, most)
	}
	files := w.recorded()
	for _, kind := range []evidence.TrackKind{evidence.Video, evidence.Audio} {
		f := w.of(files, cam, kind)
		if len(f) != 1 {
			t.Fatalf("%s: %d files", kind, len(f))
		}
		contained(t, kind, f[0].frames, cam.sent[kind])
		for i, l := range f[0].leaves {
			if l.End <= l.Start || l.Start < 0 || i > 0 && l.Start != f[0].leaves[i-1].End {
				t.Errorf("%s: segment %d is from %d to %d", kind, i, l.Start, l.End)
			}
		}
	}
	var sealed []evidence.Event
	for _, e := range w.manifest().Events {
		if e.Kind == evidence.EventClockStep && e.Source == "" {
			sealed = append(sealed, e)
		}
	}
	if len(sealed) != len(noted) {
		t.Fatalf("the manifest has %d steps of the server's clock, not %d", len(sealed), len(noted))
	}
	for i, e := range sealed {
		step, err := time.ParseDuration(e.Value)
		if off := step - steps[i]; err != nil || off.Abs() > wallStep {
			t.Errorf("step %d is noted as %q: %v", i, e.Value, err)
		}
	}
}

func (w *world) wallSteps() (steps []evidence.Event) {
	s := w.rec.active(w.iv.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.Kind == evidence.EventClockStep && e.Source == "" {
			steps = append(steps, e)
		}
	}
	return steps
}
