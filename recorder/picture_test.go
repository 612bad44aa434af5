package recorder

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/internal/testenv"
	"github.com/toldonce/toldonce/recorder/publish"
)

// A camera whose key frames do not come through cannot be recorded. Whoever
// interviews is told at once, and what only arrived is not said to be recorded.
func TestACameraWithoutAKeyFrameRaisesAnAlarm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	off := cam.onAir(publish.Options{Clip: withoutKeyFrames(t)})
	w.until("both tracks arrive", whole(10, 2))
	w.start()
	st := w.until("an alarm", func(st Status) bool {
		return slices.ContainsFunc(st.Alarms, func(a Alarm) bool { return a.Code == alarmSilent && a.Source == cam.source.ID })
	})
	if st.Elapsed.Duration() < pictureWithin {
		t.Errorf("the alarm came after %s, before a key frame was due", st.Elapsed.Duration())
	}
	w.until("the sound is recorded by itself", func(st Status) bool {
		return slices.ContainsFunc(st.Tracks, func(t TrackStatus) bool { return t.Kind == evidence.Audio && t.Frames.Whole > 0 })
	})
	st = w.stop()
	off()
	for _, ts := range st.Tracks {
		if ts.Kind == evidence.Video && (ts.Frames.Whole != 0 || ts.Packets.Received != 0) {
			t.Errorf("no picture was recorded, but %+v %+v are claimed", ts.Packets, ts.Frames)
		}
		if ts.Kind == evidence.Audio && ts.Frames.Whole == 0 {
			t.Error("the sound was lost with the picture")
		}
	}
	if m := w.manifest(); len(m.Tracks) != 1 || m.Tracks[0].Kind != evidence.Audio {
		t.Errorf("sealed tracks: %+v", m.Tracks)
	}
	if len(st.Alarms) != 0 {
		t.Errorf("alarms of a sealed recording: %+v", st.Alarms)
	}
}

// withoutKeyFrames is a clip whose only key frame is its first.
func withoutKeyFrames(t *testing.T) *publish.Clip {
	t.Helper()
	file := filepath.Join(t.TempDir(), "one-key-frame.mp4")
	out, err := exec.Command(testenv.Tool(t, "ffmpeg"), "-v", "error", "-i", "publish/clip.mp4",
		"-vf", "scale=320:180", "-c:v", "libx264", "-profile:v", "baseline", "-bf", "0", "-g", "9999", "-sc_threshold", "0", "-preset", "ultrafast",
		"-video_track_timescale", "90000", "-c:a", "copy", file).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	clip, err := publish.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	return clip
}
