package recorder

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/recorder/publish"
)

func TestEveryFrameIsRecordedBitForBit(t *testing.T) {
	for _, c := range []struct {
		name string
		bad  publish.Impairment
	}{
		{name: "good network"},
		{name: "1 percent", bad: publish.Impairment{Loss: 0.01, Delay: 30 * time.Millisecond, Jitter: 10 * time.Millisecond, Seed: 1}},
		{name: "3 percent", bad: publish.Impairment{Loss: 0.03, Delay: 30 * time.Millisecond, Jitter: 10 * time.Millisecond, Duplicate: 0.01, Seed: 6}},
		{name: "5 percent", bad: publish.Impairment{Loss: 0.05, Delay: 30 * time.Millisecond, Jitter: 10 * time.Millisecond, Seed: 7}},
		{name: "10 percent", bad: publish.Impairment{Loss: 0.10, Delay: 30 * time.Millisecond, Jitter: 10 * time.Millisecond, Duplicate: 0.02, Seed: 3}},
		{name: "bursts of 20", bad: publish.Impairment{Loss: 0.2, Burst: 20, Delay: 30 * time.Millisecond, Seed: 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			cam := w.camera(evidence.SourceCloseUp)
			if _, err := w.rec.Start(t.Context(), w.actor, w.iv.ID); err != nil {
				t.Fatal(err)
			}
			result, err := cam.play(t.Context(), publish.Options{Duration: 4500 * time.Millisecond, Impairment: c.bad})
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			status, err := w.rec.Stop(t.Context(), w.actor, w.iv.ID)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("sent %+v; stop took %v", result, time.Since(begin).Round(time.Millisecond))
			m := w.manifest()
			files := w.recorded()
			if len(files) != 2 {
				t.Errorf("%d files, not one of each kind", len(files))
			}
			for _, kind := range []evidence.TrackKind{evidence.Video, evidence.Audio} {
				for _, f := range w.of(files, cam, kind) {
					same(t, kind, f.frames, cam.sent[kind])
					plays(t, f.file)
				}
			}
			for i, ts := range status.Tracks {
				sent := int64(len(cam.sent[ts.Kind]))
				packets := int64(result.VideoPackets)
				if ts.Kind == evidence.Audio {
					packets = int64(result.AudioPackets)
				}
				t.Logf("%s: %+v %+v", ts.Name, ts.Packets, ts.Frames)
				if ts.Frames.Whole != sent || ts.Frames.Damaged != 0 || ts.Frames.Missing != 0 || ts.Packets.Lost != 0 || ts.Packets.Received != packets {
					t.Errorf("%s: status %+v, but %d frames in %d packets were sent", ts.Name, ts, sent, packets)
				}
				if mt := m.Tracks[i]; mt.Frames.Whole != sent && m.Tracks[1-i].Frames.Whole != sent {
					t.Errorf("manifest: %+v", mt)
				}
			}
			for _, g := range m.Gaps {
				if g.Cause != causeAway || g.End != m.Parts[0].End { // between its end and the stop
					t.Errorf("gap %+v", g)
				}
			}
			if len(m.Parts) != 1 {
				t.Errorf("parts %+v", m.Parts)
			}
			if !status.Sealed || status.State != evidence.StateSealed {
				t.Errorf("status after stop: %+v", status)
			}
		})
	}
}

// plays fails the test unless ffmpeg decodes the whole file without a word.
func plays(t testing.TB, file []byte) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.mp4")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ffmpeg", "-v", "warning", "-i", name, "-f", "null", "-").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("ffmpeg: %v\n%s", err, out)
	}
}

func TestARecordingOnARealDatabase(t *testing.T) {
	t.Parallel()
	w := newRealWorld(t)
	cam := w.camera(evidence.SourceRoom)
	w.start()
	off := cam.onAir(publish.Options{})
	w.until("it records", whole(80, 2))
	if _, err := w.rec.Pause(t.Context(), w.actor, w.iv.ID, "a break"); err != nil {
		t.Fatal(err)
	}
	if iv, err := w.real.Interview(t.Context(), w.iv.ID); err != nil || iv.State != evidence.StatePaused {
		t.Errorf("%+v %v", iv, err)
	}
	if _, err := w.rec.Resume(t.Context(), w.actor, w.iv.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.rec.Mark(t.Context(), w.actor, w.iv.ID, evidence.EventPhase, "closure", "all was said"); err != nil {
		t.Fatal(err)
	}
	st := w.stop()
	off()
	iv, err := w.real.Interview(t.Context(), w.iv.ID)
	if err != nil || iv.State != evidence.StateSealed || iv.StartedAt == 0 || iv.StoppedAt < iv.StartedAt || iv.SealedAt < iv.StoppedAt {
		t.Errorf("%+v %v", iv, err)
	}
	segments, err := w.real.Segments(t.Context(), w.iv.Recording)
	if err != nil || len(segments) < 6 {
		t.Errorf("%d segments, %v", len(segments), err)
	}
	sealed, err := w.real.Sealed(t.Context(), w.iv.Recording)
	if err != nil {
		t.Fatal(err)
	}
	m, err := seal.ParseManifest(sealed.Manifest)
	if err != nil || m.Tree.Size != int64(len(segments)) || len(sealed.Pages) != 1 {
		t.Errorf("%v %+v", err, m.Tree)
	}
	again, err := w.rec.Status(t.Context(), w.iv.ID)
	if err != nil || !again.Sealed || len(again.Tracks) != len(st.Tracks) {
		t.Errorf("%+v %v", again, err)
	}
}

// The whole way: a withdrawal in the consent service ends the recording.
func TestAWithdrawalEndsTheRecordingThatRestsOnIt(t *testing.T) {
	t.Parallel()
	w := newRealWorld(t)
	cam := w.camera(evidence.SourceRoom)
	w.start()
	off := cam.onAir(publish.Options{})
	defer off()
	w.until("it records", whole(30, 2))
	if _, err := w.around.Consent.Withdraw(t.Context(), w.around.Actors[evidence.RoleAdvocate], w.consent.ID, consent.Withdrawal{Reason: "She wants to stop."}); err != nil {
		t.Fatal(err)
	}
	w.until("it is sealed", func(st Status) bool { return st.Sealed })
	sealed, err := w.real.Sealed(t.Context(), w.iv.Recording)
	if err != nil {
		t.Fatal(err)
	}
	m, err := seal.ParseManifest(sealed.Manifest)
	if err != nil || !slices.ContainsFunc(m.Events, func(e evidence.Event) bool { return e.Kind == evidence.EventConsentEnded }) {
		t.Errorf("%v %+v", err, m.Events)
	}
}
