package recorder

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/internal/testenv"
	"github.com/toldonce/toldonce/recorder/publish"
)

// A camera that sends nothing for a while, and loses nothing: no packet is
// missing, and still the manifest has to say that there is no picture.
func TestAPictureThatStandsStillIsAGap(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "stalls.mp4")
	out, err := exec.Command(testenv.Tool(t, "ffmpeg"), "-v", "error", "-t", "8", "-i", "publish/clip.mp4",
		"-vf", "select='not(between(t,3,5.5))',scale=320:180", "-fps_mode", "vfr", "-c:v", "libx264", "-profile:v", "baseline", "-bf", "0", "-g", "30", "-preset", "ultrafast",
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
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	w.start()
	off := cam.onAir(publish.Options{Clip: clip})
	w.until("seven seconds", func(st Status) bool {
		return len(st.Tracks) == 2 && st.Elapsed > evidence.Offset(7*time.Second/time.Microsecond)
	})
	w.stop()
	off()
	m := w.manifest()
	var still evidence.Offset
	for _, g := range m.Gaps {
		for _, tr := range m.Tracks {
			if tr.ID == g.Track && tr.Kind == evidence.Video && g.Cause == causeStall {
				still += g.End - g.Start
			}
		}
	}
	if still < 2_000_000 || still > 3_000_000 {
		t.Errorf("the picture stood still for 2.5 s; the gaps say %d µs: %+v", still, m.Gaps)
	}
}
