package media

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	av1obu "github.com/Eyevinn/mp4ff/av1"
	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
	mcodecs "github.com/bluenviron/mediacommon/v2/pkg/formats/mp4/codecs"
	"github.com/pion/rtp/codecs"
)

// ivf reads the frames of an IVF file: as libvpx and libaom wrote them.
func ivf(t testing.TB, name string) (frames [][]byte) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for b = b[32:]; len(b) >= 12; {
		n := binary.LittleEndian.Uint32(b)
		frames = append(frames, b[12:12+n])
		b = b[12+n:]
	}
	return frames
}

// withoutDelimiter is the sample of an AV1 temporal unit.
func withoutDelimiter(t testing.TB, unit []byte) (out []byte) {
	t.Helper()
	obus, err := av1obu.SplitOBUs(unit)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range obus {
		if o.Header.Type != av1obu.OBUTemporalDelimiter {
			out = append(out, o.Encode()...)
		}
	}
	return out
}

type payloader interface {
	Payload(mtu uint16, payload []byte) [][]byte
}

// otherCodecs are the codecs beside H.264, with frames that a real encoder made and
// what they are as samples.
func otherCodecs(t testing.TB) map[string]struct {
	frames, samples [][]byte
	make            func() depacketiser
	payload         func() payloader
	codec           string
} {
	vp9Frames, av1Frames := ivf(t, "vp9.ivf"), ivf(t, "av1.ivf")
	var av1Samples [][]byte
	for _, f := range av1Frames {
		av1Samples = append(av1Samples, withoutDelimiter(t, f))
	}
	return map[string]struct {
		frames, samples [][]byte
		make            func() depacketiser
		payload         func() payloader
		codec           string
	}{
		"vp9":      {vp9Frames, vp9Frames, func() depacketiser { return &vp9{} }, func() payloader { return &codecs.VP9Payloader{} }, "vp09.00.10.08"},
		"vp9-flex": {vp9Frames, vp9Frames, func() depacketiser { return &vp9{} }, func() payloader { return &codecs.VP9Payloader{FlexibleMode: true} }, "vp09.00.10.08"},
		"av1":      {av1Frames, av1Samples, func() depacketiser { return &av1{} }, func() payloader { return &codecs.AV1Payloader{} }, "av01.0.00M.08.0.110.02.02.02.0"},
	}
}

func TestOtherCodecsAreAssembled(t *testing.T) {
	for name, c := range otherCodecs(t) {
		d, p := c.make(), c.payload()
		var config Config
		last := order{}
		for i, frame := range c.frames {
			in := packets(p.Payload(300, frame)...)
			f, err := d.assemble(in)
			if err != nil || !bytes.Equal(f.Data, c.samples[i]) || f.Key != (i == 0) || (f.Config != nil) != (i == 0) {
				t.Fatalf("%s: frame %d: %v; %d bytes of %d, key %v", name, i, err, len(f.Data), len(c.samples[i]), f.Key)
			}
			if f.Config != nil {
				config = f.Config
			}
			if strings.HasPrefix(name, "vp9") {
				if i > 0 && f.order.value != (last.value+1)%f.order.mod || !f.order.known {
					t.Errorf("%s: frame %d is number %+v after %+v", name, i, f.order, last)
				}
				last = f.order
			}
			// Without its first or last packet it is damaged; others leave a hole in the
			// numbers of its packets.
			for _, skip := range []int{0, len(in) - 1} {
				some := append(append([]Packet{}, in[:skip]...), in[skip+1:]...)
				if len(some) == 0 {
					continue
				}
				d := c.make()
				d.resume()
				starts := d.starts(some[0].Payload)
				if _, err := d.assemble(some); err == nil && starts {
					t.Errorf("%s: frame %d is whole without packet %d of %d", name, i, skip, len(in))
				}
			}
		}
		if w, h := config.Size(); w != 128 || h != 96 || config.Codec() != c.codec || !config.Equal(d.configuration()) {
			t.Errorf("%s: %s, %d by %d", name, config.Codec(), w, h)
		}
		if f, err := d.assemble(packets(p.Payload(300, c.frames[0])...)); err != nil || f.Config != nil || !f.Key {
			t.Errorf("%s: the same again is a new configuration: %v %+v", name, err, f.Config)
		}
	}
}

// Other programs read what is written of the other codecs.
func TestFilesOfOtherCodecsAreRead(t *testing.T) {
	for name, c := range otherCodecs(t) {
		d, p := c.make(), c.payload()
		s := NewSegmenter(DefaultPolicy, true, 0, 0, nil)
		var file []byte
		keep := func(segments []Segment, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			for _, seg := range segments {
				file = append(file, seg.Data...)
			}
		}
		for i, frame := range c.frames {
			f, err := d.assemble(packets(p.Payload(300, frame)...))
			if err != nil {
				t.Fatal(err)
			}
			f.Time = Epoch + int64(i)*3000
			keep(s.Add(f))
		}
		keep(s.Flush())
		parsed, err := mp4.DecodeFile(bytes.NewReader(file))
		if err != nil || len(parsed.Segments) != 1 || parsed.Segments[0].Fragments[0].Moof.Traf.Trun.SampleCount() != uint32(len(c.frames)) {
			t.Errorf("%s: mp4ff: %v", name, err)
		}
		var other fmp4.Init
		if err := other.Unmarshal(bytes.NewReader(file)); err != nil || len(other.Tracks) != 1 || other.Tracks[0].TimeScale != 90000 {
			t.Errorf("%s: mediacommon: %v", name, err)
		} else {
			switch got := other.Tracks[0].Codec.(type) {
			case *mcodecs.VP9:
				if got.Width != 128 || got.Height != 96 || got.Profile != 0 || got.BitDepth != 8 {
					t.Errorf("%s: mediacommon: %+v", name, got)
				}
			case *mcodecs.AV1:
				if len(got.SequenceHeader) == 0 {
					t.Errorf("%s: mediacommon: no sequence header", name)
				}
			default:
				t.Errorf("%s: mediacommon: %T", name, got)
			}
		}
		path := filepath.Join(t.TempDir(), "x.mp4")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("ffmpeg", "-v", "warning", "-i", path, "-f", "null", "-").CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: ffmpeg: %v %s", name, err, out)
		}
	}
}

func TestVP9Descriptors(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		ok   bool
		want vp9Descriptor
	}{
		{"begin and end", []byte{0x0c, 1}, true, vp9Descriptor{begins: true, ends: true, data: []byte{1}}},
		{"short picture id", []byte{0x88, 0x11, 1}, true, vp9Descriptor{begins: true, picture: order{known: true, value: 0x11, mod: 128}, data: []byte{1}}},
		{"long picture id", []byte{0x84, 0x91, 0x22, 1}, true, vp9Descriptor{ends: true, picture: order{known: true, value: 0x1122, mod: 1 << 15}, data: []byte{1}}},
		{"layer with TL0PICIDX", []byte{0x20, 0x04, 0x07, 1}, true, vp9Descriptor{layer: 2, data: []byte{1}}},
		{"layer, flexible", []byte{0x30, 0x02, 1}, true, vp9Descriptor{layer: 1, data: []byte{1}}},
		{"two references", []byte{0x50, 0x03, 0x04, 1}, true, vp9Descriptor{data: []byte{1}}},
		{"structure with two sizes and a group", []byte{0x02, 0x38, 0, 64, 0, 48, 0, 128, 0, 96, 2, 0x04, 9, 0x00, 1}, true, vp9Descriptor{data: []byte{1}}},
		{"four references", []byte{0x50, 3, 3, 3, 3, 2, 1}, false, vp9Descriptor{}},
		{"nothing behind it", []byte{0x0c}, false, vp9Descriptor{}},
		{"cut in the picture id", []byte{0x80, 0x80}, false, vp9Descriptor{}},
		{"cut in the structure", []byte{0x02, 0x38, 0, 64}, false, vp9Descriptor{}},
		{"empty", nil, false, vp9Descriptor{}},
	} {
		d, ok := parseVP9(c.in)
		if ok != c.ok || ok && (d.begins != c.want.begins || d.ends != c.want.ends || d.layer != c.want.layer || d.picture != c.want.picture || !bytes.Equal(d.data, c.want.data)) {
			t.Errorf("%s: %v %+v, want %+v", c.name, ok, d, c.want)
		}
	}
}

// Spatial layers of one picture become one superframe of the size of the largest.
func TestLayersOfAPictureAreOneSample(t *testing.T) {
	frames := ivf(t, "vp9.ivf")
	structure := []byte{0x38, 0, 64, 0, 48, 0, 128, 0, 96, 0} // two layers, an empty group
	head := append([]byte{0xae, 0x05, 0x00, 0x07}, structure...)
	first := append(bytes.Clone(head), frames[0]...)
	second := append([]byte{0xec, 0x05, 0x02, 0x07}, frames[1]...)
	f, err := (&vp9{}).assemble(packets(first, second))
	if err != nil || !f.Key {
		t.Fatalf("%v %v", err, f.Key)
	}
	if w, h := f.Config.Size(); w != 128 || h != 96 {
		t.Errorf("%d by %d", w, h)
	}
	body := len(frames[0]) + len(frames[1])
	index := f.Data[body:]
	if len(index) != 10 || index[0] != 0xd9 || index[9] != 0xd9 || binary.LittleEndian.Uint32(index[1:]) != uint32(len(frames[0])) || binary.LittleEndian.Uint32(index[5:]) != uint32(len(frames[1])) {
		t.Errorf("index %x", index)
	}
	for name, in := range map[string][][]byte{"the second before the first": {second, first}, "the first twice": {first, first}} {
		if _, err := (&vp9{}).assemble(packets(in...)); err != errDamaged {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAV1PacketsThatDoNotFit(t *testing.T) {
	frame := []byte{0x30, 1, 2, 3} // OBU_FRAME without a size
	for name, in := range map[string][][]byte{
		"a fragment that nothing began":    {append([]byte{0x90}, frame...)},
		"a fragment that does not end":     {append([]byte{0x50}, frame...)},
		"something else inside a fragment": {append([]byte{0x50}, frame...), append([]byte{0x10}, frame...)},
		"fewer elements than it says":      {append([]byte{0x20, 4}, frame...)},
		"an element longer than the rest":  {{0x00, 9, 0x30, 1}},
		"no element":                       {{0x10}},
		"forbidden bit":                    {{0x10, 0xb0, 1}},
		"a size that is not its own":       {{0x10, 0x32, 9, 1}},
	} {
		if _, err := (&av1{}).assemble(packets(in...)); err != errDamaged {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A key frame without its sequence header is whole only if nothing was lost before it.
	unit := ivf(t, "av1.ivf")[0]
	obus, err := av1obu.SplitOBUs(unit)
	if err != nil {
		t.Fatal(err)
	}
	a := &av1{}
	if _, err := a.assemble(packets((&codecs.AV1Payloader{}).Payload(60000, unit)...)); err != nil {
		t.Fatal(err)
	}
	bare := obus[len(obus)-1].Encode()
	in := packets((&codecs.AV1Payloader{}).Payload(60000, bare)...)
	if f, err := a.assemble(in); err != nil || f.Key {
		t.Errorf("%v %v", err, f.Key)
	}
	a.resume()
	if _, err := a.assemble(in); err != errDamaged {
		t.Errorf("%v", err)
	}
}

func fuzzDepacketiser(f *testing.F, make func() depacketiser, payload payloader, file string) {
	for _, frame := range ivf(f, file) {
		parts := payload.Payload(300, frame)
		for len(parts) < 3 {
			parts = append(parts, nil)
		}
		f.Add(parts[0], parts[1], parts[2])
	}
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		d := make()
		var in []Packet
		for _, p := range [][]byte{a, b, c} {
			if len(p) > 0 {
				d.starts(p)
				in = append(in, Packet{Payload: p})
			}
		}
		if len(in) == 0 {
			return
		}
		d.resume()
		frame, err := d.assemble(in)
		if err == nil && len(frame.Data) == 0 {
			t.Error("a frame of no bytes")
		}
		if frame.Config != nil {
			frame.Config.Codec()
			_, _ = frame.Config.Init() // an error is an answer
		}
	})
}

func FuzzVP9(f *testing.F) {
	fuzzDepacketiser(f, func() depacketiser { return &vp9{} }, &codecs.VP9Payloader{}, "vp9.ivf")
}

func FuzzAV1(f *testing.F) {
	fuzzDepacketiser(f, func() depacketiser { return &av1{} }, &codecs.AV1Payloader{}, "av1.ivf")
}

// vp9Frames repeats the clip as a stream of many packets for the account.
func vp9Frames(rnd *rand.Rand, n int) (payloads [][][]byte, samples [][]byte) {
	clip, err := os.ReadFile("testdata/vp9.ivf")
	if err != nil {
		panic(err)
	}
	var frames [][]byte
	for b := clip[32:]; len(b) >= 12; {
		size := binary.LittleEndian.Uint32(b)
		frames = append(frames, b[12:12+size])
		b = b[12+size:]
	}
	p := &codecs.VP9Payloader{FlexibleMode: true}
	for i := range n {
		frame := frames[i%len(frames)]
		payloads, samples = append(payloads, p.Payload(uint16(200+rnd.IntN(200)), frame)), append(samples, frame)
	}
	return payloads, samples
}

func TestPictureIDsCountWhatTheSpacingCannot(t *testing.T) {
	a := account{format: Format{MIME: "video/VP9", Video: true}, make: vp9Frames, frames: 600, clock: 90000, every: 3000, uneven: 0.6, padding: 0.1, net: weather{loss: 0.1, burst: 4}}
	var missing int64
	for seed := range uint64(5) {
		a.seed = seed
		missing += a.run(t).Missing
	}
	if missing < 20 {
		t.Errorf("%d are missing", missing)
	}
}
