package derive

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/derivative"
	"github.com/toldonce/toldonce/recorder/ffmpeg"
)

func find(t *testing.T) *ffmpeg.Tool {
	t.Helper()
	tool, err := ffmpeg.Find(t.Context())
	if err != nil {
		t.Fatalf("%v: run scripts/setup", err)
	}
	return tool
}

const second = evidence.Offset(1_000_000)

// film is a recording of two cameras of one colour each, and a sound.
type film struct {
	bodies map[string][]byte
	tracks map[string]track
}

// shoot makes segments of two seconds each out of what lavfi draws.
func (f *film) shoot(t *testing.T, tool *ffmpeg.Tool, name string, kind evidence.TrackKind, timescale int64, args ...string) {
	t.Helper()
	args = append(append([]string{"-f", "lavfi", "-i"}, args...), "-movflags", "empty_moov+default_base_moof+frag_every_frame", "-f", "mp4", "pipe:1")
	if kind == evidence.Video {
		args[len(args)-4] = "empty_moov+default_base_moof+frag_keyframe"
	} else {
		args = append(args[:len(args)-5:len(args)-5], "-frag_duration", "2000000", "-movflags", "empty_moov+default_base_moof", "-f", "mp4", "pipe:1")
	}
	out, err := tool.Run(t.Context(), strings.NewReader(""), args...)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := mp4.DecodeFile(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	of := track{about: evidence.Track{ID: evidence.ID(name), Source: evidence.ID(name), Kind: kind, Timescale: timescale}, inits: map[int]evidence.Segment{}}
	keep := func(key string, box interface{ Encode(io.Writer) error }) {
		var b bytes.Buffer
		if err := box.Encode(&b); err != nil {
			t.Fatal(err)
		}
		f.bodies[key] = b.Bytes()
	}
	keep(name+"/init", parsed.Init)
	of.inits[0] = evidence.Segment{ObjectKey: name + "/init"}
	n := 0
	for _, s := range parsed.Segments {
		for _, fragment := range s.Fragments {
			key := fmt.Sprintf("%s/%d", name, n)
			keep(key, fragment)
			from := evidence.Offset(n) * 2 * second
			of.segments = append(of.segments, evidence.Segment{ObjectKey: key, Leaf: evidence.Leaf{Kind: evidence.LeafMedia, Index: n, Part: 1, Start: from, End: from + 2*second, Independent: true}})
			n++
		}
	}
	if n != 4 {
		t.Fatalf("%s has %d segments", name, n)
	}
	f.tracks[name] = of
}

func newFilm(t *testing.T, tool *ffmpeg.Tool) *film {
	t.Helper()
	f := &film{bodies: map[string][]byte{}, tracks: map[string]track{}}
	video := []string{"-c:v", "libx264", "-preset", "ultrafast", "-g", "20", "-keyint_min", "20", "-sc_threshold", "0", "-bf", "0", "-pix_fmt", "yuv420p"}
	f.shoot(t, tool, "face", evidence.Video, 90000, append([]string{"testsrc2=s=320x180:r=10:d=8,noise=alls=90"}, video...)...)
	f.shoot(t, tool, "wide", evidence.Video, 90000, append([]string{"testsrc=s=160x120:r=10:d=8"}, video...)...)
	f.shoot(t, tool, "voice", evidence.Audio, 48000, "sine=f=220:r=48000:d=8", "-c:a", "aac")
	return f
}

func (f *film) open(_ context.Context, s evidence.Segment) ([]byte, error) {
	b, ok := f.bodies[s.ObjectKey]
	if !ok {
		return nil, evidence.ErrNotFound
	}
	return b, nil
}

// cut narrows a track to what a range reads.
func (f *film) cut(name string, r evidence.Range) track {
	t := f.tracks[name]
	var kept []evidence.Segment
	for _, s := range t.segments {
		if s.Leaf.Range().Overlaps(r) {
			kept = append(kept, s)
		}
	}
	t.segments = kept
	return t
}

func (f *film) render(t *testing.T, tool *ffmpeg.Tool, p derivative.Plan) []byte {
	t.Helper()
	r := &render{tool: tool, open: f.open, plan: p, mark: "Gjykata Themelore · urdhri 12/2026", random: rand.New(rand.NewPCG(1, 2))}
	for _, c := range p.Cameras {
		r.cameras = append(r.cameras, f.cut(string(c), p.Range))
	}
	for _, s := range p.Sounds {
		r.sounds = append(r.sounds, f.cut(string(s), p.Range))
	}
	file, err := r.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// look decodes a file again: luma pictures and samples.
func look(t *testing.T, tool *ffmpeg.Tool, file []byte, w, h int) (pictures [][]byte, sound []float64) {
	t.Helper()
	raw, err := tool.Run(t.Context(), bytes.NewReader(file), "-i", "pipe:0", "-an", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1")
	if err != nil {
		t.Fatal(err)
	}
	for n := w * h; len(raw) >= n; raw = raw[n:] {
		pictures = append(pictures, raw[:n])
	}
	pcm, err := tool.Run(t.Context(), bytes.NewReader(file), "-i", "pipe:0", "-vn", "-f", "s16le", "-ac", "1", "-ar", "48000", "pipe:1")
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(pcm); i += 2 {
		sound = append(sound, float64(int16(uint16(pcm[i])|uint16(pcm[i+1])<<8))/32768)
	}
	return pictures, sound
}

func loud(samples []float64, from, until float64) float64 {
	sum, n := 0.0, 0
	for _, v := range samples[int(from*soundRate):min(len(samples), int(until*soundRate))] {
		sum, n = sum+v*v, n+1
	}
	return math.Sqrt(sum / float64(max(1, n)))
}

// rough is how many neighbours in a part of a picture differ, as a share.
func rough(p []byte, w, x, y, cw, ch int) float64 {
	sum := 0.0
	for row := y; row < y+ch; row++ {
		for col := x + 1; col < x+cw; col++ {
			if math.Abs(float64(p[row*w+col])-float64(p[row*w+col-1])) > 8 {
				sum++
			}
		}
	}
	return sum / float64(cw*ch)
}

func TestWhatIsHiddenIsNotInTheCopy(t *testing.T) {
	tool := find(t)
	f := newFilm(t, tool)
	box := &derivative.Box{X: 100, Y: 100, W: 400, H: 500}
	file := f.render(t, tool, derivative.Plan{
		Range: evidence.Range{From: second / 2, Until: 7 * second}, Cameras: []evidence.ID{"face"}, Layout: derivative.Single, Sounds: []evidence.ID{"voice"}, Height: 360,
		Redactions: []derivative.Redaction{
			{Kind: derivative.Blur, Range: evidence.Range{From: second, Until: 2 * second}, Camera: "face", From: box, To: box},
			{Kind: derivative.Mute, Range: evidence.Range{From: 2 * second, Until: 3 * second}},
			{Kind: derivative.Bleep, Range: evidence.Range{From: 3 * second, Until: 4 * second}},
			{Kind: derivative.Hide, Range: evidence.Range{From: 4 * second, Until: 5 * second}},
			{Kind: derivative.BlurAll, Range: evidence.Range{From: 6 * second, Until: 13 * second / 2}},
		},
	})
	w, h := 640, 360
	pictures, sound := look(t, tool, file, w, h)
	if n := len(pictures); n != 163 {
		t.Errorf("%d pictures of 6.5 s", n)
	}
	at := func(s float64) []byte { return pictures[int((s-0.5)*frameRate)] }
	inBox := func(p []byte) float64 { return rough(p, w, 70, 42, 250, 170) }
	if clear, blurred := inBox(at(0.7)), inBox(at(1.5)); blurred > clear/4 {
		t.Errorf("the box is as rough as before: %.3f, was %.3f", blurred, clear)
	}
	if clear, beside := rough(at(0.7), w, 400, 42, 200, 170), rough(at(1.5), w, 400, 42, 200, 170); beside < clear/2 {
		t.Errorf("beside the box: %.2f, was %.2f", beside, clear)
	}
	for _, s := range []float64{4.05, 4.5, 4.95} {
		for _, v := range at(s)[:w*h/2] {
			if v > 40 {
				t.Fatalf("at %.2f s something is seen: %d", s, v)
			}
		}
	}
	if all := rough(at(6.2), w, 10, 10, 600, 250); all > rough(at(0.7), w, 10, 10, 600, 250)/4 {
		t.Errorf("the blurred picture is rough: %.3f", all)
	}
	full := loud(sound, 0.6, 1.4)
	if muted := loud(sound, 1.53, 2.45); muted > full/1000 {
		t.Errorf("muted: %.5f of %.5f", muted, full)
	}
	if tone := loud(sound, 2.6, 3.4); math.Abs(tone-toneLoudness/math.Sqrt2) > 0.01 {
		t.Errorf("bleeped: %.4f", tone)
	}
	if hidden := loud(sound, 3.6, 4.4); hidden > full/1000 {
		t.Errorf("hidden: %.5f", hidden)
	}
	if after := loud(sound, 5, 5.9); math.Abs(after-full) > full/10 {
		t.Errorf("after: %.4f of %.4f", after, full)
	}
}

// A stock player begins to play what has its index first: H.264 and AAC, ftyp, moov, mdat.
func TestACopyPlaysAnywhere(t *testing.T) {
	tool := find(t)
	f := newFilm(t, tool)
	for _, layout := range []string{derivative.Side, derivative.Inset} {
		file := f.render(t, tool, derivative.Plan{Range: evidence.Range{From: 0, Until: 2 * second}, Cameras: []evidence.ID{"face", "wide"}, Layout: layout, Sounds: []evidence.ID{"voice"}, Height: 360})
		parsed, err := mp4.DecodeFile(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		for _, c := range parsed.Children {
			order = append(order, c.Type())
		}
		if got := strings.Join(order, " "); got != "ftyp moov mdat" {
			t.Errorf("%s: %s", layout, got)
		}
		var codecs []string
		for _, trak := range parsed.Moov.Traks {
			for _, c := range trak.Mdia.Minf.Stbl.Stsd.Children {
				codecs = append(codecs, c.Type())
			}
			if d := float64(trak.Tkhd.Duration) / float64(parsed.Moov.Mvhd.Timescale); d < 1.9 || d > 2.2 {
				t.Errorf("%s: a track of %.2f s", layout, d)
			}
		}
		if got := strings.Join(codecs, " "); got != "avc1 mp4a" {
			t.Errorf("%s: %s", layout, got)
		}
		h := 360
		if layout == derivative.Side {
			h = 180
		}
		pictures, _ := look(t, tool, file, 640, h)
		if len(pictures) != 2*frameRate {
			t.Errorf("%s: %d pictures", layout, len(pictures))
		}
	}
}

// periodic is how much a sound repeats itself at a lag: 1 for a tone of that period.
func periodic(samples []float64, lag int) float64 {
	var same, power float64
	for i := lag; i < len(samples); i++ {
		same, power = same+samples[i]*samples[i-lag], power+samples[i]*samples[i]
	}
	return same / max(power, 1e-12)
}

// The pitch of a voice is not moved but gone: nothing in the copy repeats with it.
func TestAnAlteredVoiceHasNoPitch(t *testing.T) {
	for _, hz := range []float64{110, 180, 240} {
		voice := make([]float64, 2*soundRate)
		for i := range voice {
			at := float64(i) / soundRate
			for k := 1; k <= 20; k++ { // a buzz as of vocal folds
				voice[i] += math.Sin(2*math.Pi*hz*float64(k)*at) / float64(k) * 0.2
			}
		}
		lag := int(soundRate / hz)
		if was := periodic(voice, lag); was < 0.9 {
			t.Fatalf("the voice at %v Hz has no pitch: %.2f", hz, was)
		}
		newDisguise(rand.New(rand.NewPCG(3, 4))).alter(voice)
		voice = voice[soundRate/2:]
		if loud(voice, 0, 1) < 0.01 {
			t.Errorf("at %v Hz nothing is heard", hz)
		}
		for by := 0.7; by < 1.4; by += 0.02 { // nor with any pitch near it
			if now := periodic(voice, int(float64(lag)*by)); now > 0.6 {
				t.Errorf("at %v Hz the copy repeats itself with %.2f of the period: %.2f", hz, by, now)
			}
		}
	}
}

func TestTheWatermarkIsSeen(t *testing.T) {
	p := newPicture(640, 360)
	m, err := newWatermark("Гjykata · Наредба Č Ë "+strings.Repeat("urdhri ", 20), 640, 360)
	if err != nil {
		t.Fatal(err)
	}
	m.lay(p, 360-m.h)
	bright := 0
	for _, v := range p.pix[:640*360] {
		if v > 200 {
			bright++
		}
	}
	if bright < 500 || m.h < 30 {
		t.Errorf("%d bright points in %d lines", bright, m.h)
	}
}
