package recorder

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/internal/testenv"
	"github.com/toldonce/toldonce/recorder/publish"
)

// probe returns what ffprobe says of a file's only stream.
func probe(t testing.TB, file []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.mp4")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(testenv.Tool(t, "ffprobe"), "-v", "error", "-count_frames", "-show_entries", "stream=codec_name,width,height,nb_read_frames", "-of", "csv=p=0", name).Output()
	if err != nil {
		t.Fatalf("ffprobe: %v", err)
	}
	return strings.TrimSpace(string(out))
}

func TestOtherCodecsAreRecordedBitForBit(t *testing.T) {
	for _, c := range []struct {
		name, codec, probe string
		encoder            []string
	}{
		{"VP9", "vp09.00.", "vp9,640,360,", vp9Like},
		{"AV1", "av01.0.", "av1,640,360,", av1Like},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clip := clipOf(t, "testsrc2=s=640x360:r=30:d=4", c.encoder, "-g", "30", "-b:v", "1000k")
			w := newWorld(t)
			cam := w.camera(evidence.SourceCloseUp)
			w.start()
			if _, err := cam.play(t.Context(), publish.Options{Clip: clip, Duration: 3500 * time.Millisecond, Impairment: publish.Impairment{Loss: 0.05, Delay: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Duplicate: 0.02, Seed: 9}}); err != nil {
				t.Fatal(err)
			}
			st := w.stop()
			m := w.manifest()
			files := w.recorded()
			video := w.of(files, cam, evidence.Video)
			if len(video) != 1 {
				t.Fatalf("%d files", len(video))
			}
			same(t, evidence.Video, video[0].frames, cam.sent[evidence.Video])
			plays(t, video[0].file)
			if got := probe(t, video[0].file); !strings.HasPrefix(got, c.probe) {
				t.Errorf("ffprobe: %s", got)
			}
			for _, ts := range st.Tracks {
				if ts.Kind == evidence.Video && (!strings.HasPrefix(ts.Codec, c.codec) || ts.Width != 640 || ts.Height != 360 || ts.Packets.Lost != 0 || ts.Packets.Recovered == 0) {
					t.Errorf("status %+v", ts)
				}
			}
			for _, mt := range m.Tracks {
				if mt.Kind == evidence.Video && (!strings.HasPrefix(mt.Codec, c.codec) || mt.Frames.Whole != int64(len(cam.sent[evidence.Video]))) {
					t.Errorf("manifest %+v", mt)
				}
			}
			for i, l := range video[0].leaves {
				if i > 0 && !l.Independent {
					t.Errorf("segment %d does not begin at a random access point", i)
				}
			}
		})
	}
}

// Of a sender of VP9 that repeats nothing, the picture ids say how many frames are
// missing, and no damaged one is in the samples.
func TestOtherCodecsAreWholeOrDeclared(t *testing.T) {
	for _, c := range []struct {
		name    string
		encoder []string
	}{{"VP9", vp9Like}, {"AV1", av1Like}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clip := clipOf(t, "testsrc2=s=640x360:r=30:d=4", c.encoder, "-g", "10", "-b:v", "900k")
			w := newWorld(t)
			cam := w.camera(evidence.SourceCloseUp)
			w.start()
			if _, err := cam.play(t.Context(), publish.Options{Clip: clip, Duration: 4 * time.Second, VideoOnly: true, PlainVideo: true, Impairment: publish.Impairment{Loss: 0.03, Jitter: 5 * time.Millisecond, Seed: 3}}); err != nil {
				t.Fatal(err)
			}
			w.stop()
			files := w.of(w.recorded(), cam, evidence.Video)
			frames := w.manifest().Tracks[0].Frames
			sent := cam.sent[evidence.Video]
			var got []sentFrame
			for _, f := range files {
				got = append(got, f.frames...)
			}
			from := slices.IndexFunc(sent, func(s sentFrame) bool { return s.time == got[0].time })
			to := slices.IndexFunc(sent, func(s sentFrame) bool { return s.time == got[len(got)-1].time })
			at := from
			for _, f := range got {
				for at < len(sent) && sent[at].time != f.time {
					at++
				}
				if at == len(sent) || string(sent[at].data) != string(f.data) {
					t.Fatalf("a frame at %d that was not sent like this", f.time)
				}
			}
			t.Logf("%+v of %d", frames, len(sent))
			if sum := frames.Whole + frames.Damaged + frames.Missing; frames.Damaged == 0 || frames.Uncertain != 0 || sum < int64(to-from+1) || sum > int64(len(sent)-from) {
				t.Errorf("%+v, but %d were sent, %d of them between the first and the last", frames, len(sent), to-from+1)
			}
		})
	}
}

// A camera that changes codec and size in the middle loses nothing: each time a new
// initialisation segment begins, in the same part of the same track.
func TestACodecOrSizeThatChangesLosesNothing(t *testing.T) {
	t.Parallel()
	clip := func(size string, encoder []string) *publish.Clip {
		return clipOf(t, "testsrc2=r=30:d=2:s="+size, encoder, "-g", "30", "-b:v", "600k")
	}
	first, again := clip("320x180", h264Like), clip("640x360", h264Like)
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	w.start()
	if _, err := cam.play(t.Context(), publish.Options{Clip: first, Duration: 6 * time.Second, Impairment: publish.Impairment{Loss: 0.05, Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond, Seed: 2}, Changes: []publish.Change{
		{At: 1200 * time.Millisecond, Clip: clip("320x180", vp9Like)},
		{At: 2400 * time.Millisecond, Clip: clip("320x180", av1Like)},
		{At: 3600 * time.Millisecond, Clip: again},
		{At: 4800 * time.Millisecond, Clip: first},
	}}); err != nil {
		t.Fatal(err)
	}
	w.stop()
	m := w.manifest()
	video := w.of(w.recorded(), cam, evidence.Video)
	var got []sentFrame
	var codecs []string
	for _, f := range video {
		got = append(got, f.frames...)
		plays(t, f.file)
		codecs = append(codecs, probe(t, f.file))
		if f.part != 1 {
			t.Errorf("init %d is in part %d", f.init, f.part)
		}
	}
	same(t, evidence.Video, got, cam.sent[evidence.Video])
	if len(video) != 5 {
		t.Errorf("%d files: %v", len(video), codecs)
	}
	for i, want := range []string{"h264,320,180", "vp9,320,180", "av1,320,180", "h264,640,360", "h264,320,180"} {
		if i >= len(codecs) || !strings.HasPrefix(codecs[i], want) {
			t.Errorf("files %v", codecs)
			break
		}
	}
	changes := 0
	for _, e := range m.Events {
		if e.Kind == evidence.EventInitChanged {
			changes++
		}
	}
	if changes != 4 {
		t.Errorf("%d events of a new init", changes)
	}
}
