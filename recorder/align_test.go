package recorder

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/internal/testenv"
	"github.com/toldonce/toldonce/recorder/publish"
)

// testSignal is a film in which picture and sound begin at the same moments: each
// second, for a tenth of one, the picture flashes and the sound beeps.
func testSignal(t testing.TB) *publish.Clip {
	t.Helper()
	file := filepath.Join(t.TempDir(), "signal.mp4")
	out, err := exec.Command(testenv.Tool(t, "ffmpeg"), "-v", "error",
		"-f", "lavfi", "-i", `color=black:s=320x180:r=30:d=8,drawbox=c=white:t=fill:enable='lt(mod(t\,1)\,0.1)'`,
		"-f", "lavfi", "-i", `aevalsrc='if(lt(mod(t\,1)\,0.1)\,0.5*sin(2*PI*1000*t)\,0)':s=48000:d=8`,
		"-pix_fmt", "yuv420p", "-c:v", "libx264", "-profile:v", "baseline", "-bf", "0", "-g", "60", "-preset", "ultrafast",
		"-video_track_timescale", "90000", "-c:a", "libopus", "-ac", "2", file).CombinedOutput()
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

// onset is a moment at which a flash or a beep begins: the frame in which, and how
// long after the frame's beginning.
type onset struct {
	frame int
	after time.Duration
}

// onsets decodes a recorded file.
func onsets(t testing.TB, r *recorded) (out []onset) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.mp4")
	if err := os.WriteFile(name, r.file, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-v", "error", "-i", name, "-fps_mode", "passthrough", "-vf", "scale=1:1,format=gray", "-f", "rawvideo", "-"}
	if r.track.Kind == evidence.Audio {
		args = []string{"-v", "error", "-i", name, "-f", "s16le", "-ac", "1", "-ar", "48000", "-"}
	}
	raw, err := exec.Command(testenv.Tool(t, "ffmpeg"), args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	if r.track.Kind == evidence.Video {
		for i := 1; i < len(raw); i++ {
			if raw[i] > 128 && raw[i-1] < 64 {
				out = append(out, onset{frame: i})
			}
		}
		return out
	}
	const frame, quiet = 960, 48000 / 3
	silent := 0
	for i := 0; i+1 < len(raw); i += 2 {
		if v := int16(binary.LittleEndian.Uint16(raw[i:])); v < 2500 && v > -2500 {
			silent++
			continue
		}
		if silent > quiet {
			out = append(out, onset{frame: i / 2 / frame, after: time.Duration(i/2%frame) * time.Second / 48000})
		}
		silent = 0
	}
	return out
}

// at is the interview time of a moment in the file, by the leaves alone.
func (r *recorded) at(o onset) time.Duration {
	n := o.frame
	for _, l := range r.leaves {
		if n >= l.Frames {
			n -= l.Frames
			continue
		}
		first := r.frames[o.frame-n].time
		ticks := time.Duration(r.frames[o.frame].time - first)
		return l.Start.Duration() + ticks*time.Second/time.Duration(r.track.Timescale) + o.after
	}
	return -1
}

// Four sources on four devices, with clocks and links of their own: a flash or beep
// stands in each track at the interview time at which it was captured, to within 40 ms.
func TestCamerasAndMicrophonesAreAligned(t *testing.T) {
	clip := testSignal(t)
	w := newWorld(t)
	devices := []struct {
		role  evidence.SourceRole
		link  time.Duration
		clock time.Duration
		sound bool // a microphone alone
	}{
		{role: evidence.SourceCloseUp, link: time.Millisecond},
		{role: evidence.SourceWide, link: 60 * time.Millisecond, clock: 2 * time.Hour},
		{role: evidence.SourceChild, link: 25 * time.Millisecond, clock: -31 * time.Second},
		{role: evidence.SourceInterpreter, link: 40 * time.Millisecond, clock: 400 * time.Millisecond, sound: true},
	}
	var cams []*camera
	for _, d := range devices {
		cams = append(cams, w.camera(d.role))
	}
	w.start()
	var offs []func() publish.Result
	for i, d := range devices {
		offs = append(offs, cams[i].onAir(publish.Options{Clip: clip, AudioOnly: d.sound, Clock: d.clock, Impairment: publish.Impairment{Link: d.link, Jitter: 3 * time.Millisecond}}))
	}
	st := w.until("seven seconds", func(st Status) bool { return st.Elapsed > 7_000_000 })
	for _, ts := range st.Tracks {
		if ts.Aligned != methodOffset || ts.AlignedWithin <= 0 || ts.AlignedWithin > 150_000 {
			t.Errorf("%s is aligned by %q within %d µs", ts.Name, ts.Aligned, ts.AlignedWithin)
		}
	}
	w.stop()
	for _, off := range offs {
		off()
	}
	started := time.UnixMicro(int64(w.store.interviews[w.iv.ID].StartedAt))
	files := w.recorded()
	w.manifest()
	tracks := 0
	for i, cam := range cams {
		for _, kind := range []evidence.TrackKind{evidence.Video, evidence.Audio} {
			for _, f := range w.of(files, cam, kind) {
				tracks++
				sent := map[uint32]time.Time{}
				for _, s := range cam.sent[kind] {
					sent[s.time] = s.at
				}
				var off []time.Duration
				for _, o := range onsets(t, f) {
					truth := sent[f.frames[o.frame].time].Add(o.after).Sub(started)
					if at := f.at(o); truth > 2*time.Second { // measured by then
						off = append(off, at-truth)
					}
				}
				if len(off) < 3 {
					t.Errorf("%s %s: %d signals", devices[i].role, kind, len(off))
					continue
				}
				slices.Sort(off)
				t.Logf("%s %s: off by %v", devices[i].role, kind, off)
				if m := off[len(off)/2]; m < -20*time.Millisecond || m > 20*time.Millisecond { // any two tracks are then within 40
					t.Errorf("%s %s: put %s from where it was captured", devices[i].role, kind, m)
				}
			}
		}
	}
	if tracks != 7 {
		t.Errorf("%d tracks", tracks)
	}
}
