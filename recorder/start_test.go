package recorder

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/publish"
)

// The database goes away while the start is being committed, and nobody knows
// whether it was. The child speaks meanwhile: it is recorded, and the database is
// told when it answers, also after a crash.
func TestAStartWhoseCommitIsUnknownRecords(t *testing.T) {
	t.Parallel()
	for _, committed := range []bool{true, false} {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprintf("committed=%v,restarted=%v", committed, restarted), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				cam := w.camera(evidence.SourceCloseUp)
				off := cam.onAir(publish.Options{})
				w.until("frames arrive", whole(5, 2))
				w.store.mu.Lock()
				w.store.torn, w.store.untorn = true, !committed
				w.store.mu.Unlock()
				w.start()
				w.until("it records", whole(20, 2))
				off()
				if restarted {
					w.close()
					w.store.setDown(false)
					w.open()
				}
				w.store.setDown(false)
				if st := w.stop(); !st.Sealed || st.Tracks[0].Frames.Whole < 20 {
					t.Errorf("%+v", st)
				}
				starts := slices.DeleteFunc(w.store.actions(), func(a string) bool { return a != actionStart })
				if len(starts) != 1 {
					t.Errorf("%d entries of the start", len(starts))
				}
				again, err := w.rec.Stop(t.Context(), w.actor, w.iv.ID)
				if err != nil || !again.Sealed {
					t.Errorf("asked again: %v", err)
				}
			})
		}
	}
}

// An interview that another node records is not started here, and what it was is
// left as it is.
func TestAnInterviewOfAnotherNodeIsNotStarted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.store.AcquireLease(t.Context(), w.iv.ID, evidence.NewID(), time.Hour); err != nil {
		t.Fatal(err)
	}
	_, err := w.rec.Start(t.Context(), w.actor, w.iv.ID)
	var refusal *evidence.Refusal
	if !errors.As(err, &refusal) || refusal.Reasons[0].Code != "interview.elsewhere" {
		t.Fatalf("started: %v", err)
	}
	if left, err := w.rec.spool.Interviews(); err != nil || len(left) > 0 {
		t.Errorf("a journal was left: %v, %v", left, err)
	}
	w.store.mu.Lock()
	w.store.lease.Until = 0
	w.store.mu.Unlock()
	w.start()
	w.stop()
	if err := w.rec.Close(); err != nil { // it waits for what follows a seal
		t.Fatal(err)
	}
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	if w.store.lease.Until != 0 {
		t.Error("the lease runs on after the seal")
	}
}

// Sound that waits for a picture is kept when the recording ends before the
// picture comes.
func TestSoundIsKeptWhenItsPictureNeverCame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	off := cam.onAir(publish.Options{Clip: withoutKeyFrames(t)})
	w.until("both tracks arrive", whole(10, 2))
	w.start()
	w.until("a second passes", func(st Status) bool { return st.Elapsed > 1_000_000 })
	w.stop()
	off()
	m := w.manifest()
	if len(m.Tracks) != 1 || m.Tracks[0].Kind != evidence.Audio || m.Tracks[0].Frames.Whole < 40 {
		t.Fatalf("sealed tracks %+v", m.Tracks)
	}
	for _, f := range w.recorded() {
		contained(t, f.track.Kind, f.frames, cam.sent[f.track.Kind])
	}
}
