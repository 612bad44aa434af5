package media

import (
	"bytes"
	"encoding/binary"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
)

var update = flag.Bool("update", false, "write the golden files again")

// golden compares bytes with a file that a person has looked at.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: the format changed", name)
	}
}

func testConfig(t testing.TB) Config {
	t.Helper()
	f, err := newH264(nil, nil).assemble(packets(stapA(testSPS, testPPS, idr)))
	if err != nil {
		t.Fatal(err)
	}
	return f.Config
}

// pictures are real ones, of 64 by 48, one second at 30 a second; the first is a
// key frame with its parameter sets.
func pictures(t testing.TB) (out [][]byte) {
	t.Helper()
	stream, err := os.ReadFile("testdata/small.h264")
	if err != nil {
		t.Fatal(err)
	}
	var units [][]byte
	for u := range bytes.SplitSeq(bytes.ReplaceAll(stream, []byte{0, 0, 0, 1}, []byte{0, 0, 1}), []byte{0, 0, 1}) {
		if len(u) == 0 {
			continue
		}
		units = append(units, u)
		if u[0]&31 <= nalIDR {
			out = append(out, lengthPrefixed(units))
			units = nil
		}
	}
	return out
}

func videoFrame(t testing.TB, at int64, key bool) Frame {
	all := pictures(t)
	f := Frame{Time: at, Key: key, Data: all[0]}
	if !key {
		f.Data = all[1+(at-Epoch)/3000%29]
	}
	return f
}

func mustAdd(t testing.TB, s *Segmenter, f Frame) []Segment {
	t.Helper()
	out, err := s.Add(f)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSegmentsAreCutAtKeyFrames(t *testing.T) {
	s := NewSegmenter(DefaultPolicy, true, 0, 0, nil)
	var out []Segment
	for i := range int64(300) { // 10 s at 30 frames a second, keys every second, none between 4 and 9 s
		f := videoFrame(t, Epoch+i*3000, i%30 == 0 && (i < 120 || i >= 270))
		if i == 0 {
			f.Config = testConfig(t)
		}
		out = append(out, mustAdd(t, s, f)...)
	}
	last, err := s.Flush()
	if err != nil {
		t.Fatal(err)
	}
	out = append(out, last...)
	if out[0].Config == nil || out[0].Init != 0 {
		t.Fatalf("the first is no init: %+v", out[0])
	}
	type cut struct {
		frames      int
		independent bool
	}
	var cuts []cut
	end := int64(Epoch)
	for i, seg := range out[1:] {
		if seg.Index != i || seg.Time != end || seg.Init != 0 {
			t.Errorf("segment %d: index %d, begins at %d, not %d", i, seg.Index, seg.Time, end)
		}
		end = seg.End()
		cuts = append(cuts, cut{seg.Frames, seg.Independent})
	}
	if want := []cut{{60, true}, {120, true}, {90, false}, {30, true}}; !slices.Equal(cuts, want) {
		t.Errorf("cuts %v, want %v", cuts, want)
	}
	if end != Epoch+300*3000 {
		t.Errorf("ends at %d", end-Epoch)
	}
	golden(t, "h264-init.mp4", out[0].Data)
	golden(t, "h264-fragment.m4s", out[1].Data)
}

func TestAudioIsCutWithThePicture(t *testing.T) {
	s := NewSegmenter(DefaultPolicy, false, 0, 0, nil)
	s.Follow(true)
	o := &opusDepacketiser{}
	frame := func(i int64) Frame {
		f, err := o.assemble([]Packet{{Payload: []byte{0xfc, byte(i)}}})
		if err != nil {
			t.Fatal(err)
		}
		f.Time = Epoch + i*960
		return f
	}
	var out []Segment
	for i := range int64(150) {
		out = append(out, mustAdd(t, s, frame(i))...)
	}
	if len(out) != 1 || out[0].Config == nil {
		t.Fatalf("%d segments before a cut", len(out))
	}
	back, err := s.Cut(Epoch + 99*960 + 100) // a moment that passed
	if err != nil || len(back) != 1 || back[0].Frames != 100 {
		t.Fatalf("%v %+v", err, back)
	}
	ahead, err := s.Cut(Epoch + 200*960)
	if err != nil || len(ahead) != 0 {
		t.Fatalf("%v %+v", err, ahead)
	}
	var next []Segment
	for i := int64(150); i < 500; i++ {
		next = append(next, mustAdd(t, s, frame(i))...)
	}
	if len(next) != 2 || next[0].Frames != 100 || next[1].Frames != 200 { // by Cut, then by Max
		t.Errorf("%+v", next)
	}
	golden(t, "opus-init.mp4", out[0].Data)
	golden(t, "opus-fragment.m4s", back[0].Data)
}

// Pictures may be sent in another order than they are shown.
func TestReorderedPicturesKeepBothOrders(t *testing.T) {
	s := NewSegmenter(DefaultPolicy, true, 0, 0, nil)
	order := []int64{0, 3, 1, 2, 6, 4, 5, 9, 7, 8}
	for i, n := range order {
		f := videoFrame(t, Epoch+n*3000, i == 0)
		if i == 0 {
			f.Config = testConfig(t)
		}
		mustAdd(t, s, f)
	}
	out, err := s.Flush()
	if err != nil {
		t.Fatal(err)
	}
	f, err := ParseFragment(out[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	at := int64(f.DecodeTime)
	for i, smp := range f.Samples {
		if shown := at + int64(smp.Shift); shown != Epoch+order[i]*3000 {
			t.Errorf("sample %d is shown at %d, not %d", i, shown-Epoch, order[i]*3000)
		}
		if smp.Duration == 0 {
			t.Errorf("sample %d lasts no time", i)
		}
		at += int64(smp.Duration)
	}
}

func TestALeapIsNotStretchedOver(t *testing.T) {
	s := NewSegmenter(DefaultPolicy, true, 0, 0, nil)
	f := videoFrame(t, Epoch, true)
	f.Config = testConfig(t)
	mustAdd(t, s, f)
	mustAdd(t, s, videoFrame(t, Epoch+3000, false))
	out := mustAdd(t, s, videoFrame(t, Epoch+900_000, false))
	if len(out) != 1 || out[0].Duration != 6000 {
		t.Fatalf("%+v", out)
	}
	rest, _ := s.Flush()
	if rest[0].Time != Epoch+900_000 || rest[0].Independent {
		t.Errorf("%+v", rest[0])
	}
}

func TestAConfigurationThatWasStoredIsNotANewOne(t *testing.T) {
	c := testConfig(t)
	init, err := c.Init()
	if err != nil {
		t.Fatal(err)
	}
	w, h := c.Size()
	stored := StoredConfig(c.Codec(), c.Timescale(), w, h, init)
	s := NewSegmenter(DefaultPolicy, true, 3, 7, stored)
	f := videoFrame(t, Epoch, true)
	f.Config = c
	if out := mustAdd(t, s, f); len(out) != 0 {
		t.Errorf("%+v", out)
	}
	out, _ := s.Flush()
	if out[0].Init != 2 || out[0].Index != 7 {
		t.Errorf("%+v", out[0])
	}
}

func TestRebaseChangesNothingButTheTime(t *testing.T) {
	original, err := os.ReadFile("testdata/h264-fragment.m4s")
	if err != nil {
		t.Fatal(err)
	}
	kept := bytes.Clone(original)
	moved, err := Rebase(original, 12345)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(original, kept) {
		t.Error("the original was changed")
	}
	a, err := ParseFragment(original)
	if err != nil {
		t.Fatal(err)
	}
	b, err := ParseFragment(moved)
	if err != nil || b.DecodeTime != 12345 {
		t.Fatalf("%v %d", err, b.DecodeTime)
	}
	back, err := Rebase(moved, a.DecodeTime)
	if err != nil || !bytes.Equal(back, original) {
		t.Errorf("%v: not the same again", err)
	}
}

// Other people's readers agree with what was written.
func TestOthersReadTheFiles(t *testing.T) {
	for _, kind := range []string{"h264", "opus"} {
		init, err := os.ReadFile("testdata/" + kind + "-init.mp4")
		if err != nil {
			t.Fatal(err)
		}
		fragment, err := os.ReadFile("testdata/" + kind + "-fragment.m4s")
		if err != nil {
			t.Fatal(err)
		}
		own, err := ParseFragment(fragment)
		if err != nil {
			t.Fatal(err)
		}
		file, err := mp4.DecodeFile(bytes.NewReader(append(bytes.Clone(init), fragment...)))
		if err != nil {
			t.Fatal(kind, err)
		}
		samples, err := file.Segments[0].Fragments[0].GetFullSamples(file.Init.Moov.Mvex.Trex)
		if err != nil || len(samples) != len(own.Samples) {
			t.Errorf("%s: mp4ff reads %d samples, %v", kind, len(samples), err)
		}
		for i, s := range samples {
			if !bytes.Equal(s.Data, own.Samples[i].Data) {
				t.Errorf("%s: mp4ff reads sample %d otherwise", kind, i)
			}
		}
		var other fmp4.Init
		if err := other.Unmarshal(bytes.NewReader(init)); err != nil || len(other.Tracks) != 1 || other.Tracks[0].TimeScale != timescale(kind) {
			t.Errorf("%s: mediacommon: %v %+v", kind, err, other)
		}
		var parts fmp4.Parts
		if err := parts.Unmarshal(fragment); err != nil || len(parts) != 1 || len(parts[0].Tracks[0].Samples) != len(own.Samples) || parts[0].Tracks[0].BaseTime != own.DecodeTime {
			t.Errorf("%s: mediacommon: %v", kind, err)
		}
		name := filepath.Join(t.TempDir(), "x.mp4")
		if err := os.WriteFile(name, append(init, fragment...), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("ffprobe", "-v", "error", "-count_packets", "-show_entries", "stream=codec_name,nb_read_packets", "-of", "csv=p=0", name).CombinedOutput()
		if want := map[string]string{"h264": "h264,60\n", "opus": "opus,100\n"}[kind]; err != nil || string(out) != want {
			t.Errorf("%s: ffprobe: %v %q", kind, err, out)
		}
	}
}

func timescale(kind string) uint32 {
	if kind == "h264" {
		return 90000
	}
	return 48000
}

func FuzzParseFragment(f *testing.F) {
	for _, name := range []string{"h264-fragment.m4s", "opus-fragment.m4s"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
		wrong := bytes.Clone(b)
		binary.BigEndian.PutUint32(wrong, 1<<31)
		f.Add(wrong)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frag, err := ParseFragment(b)
		moved, rebased := Rebase(b, 1)
		if err != nil {
			return
		}
		if rebased != nil {
			t.Errorf("parsed, but not rebased: %v", rebased)
			return
		}
		again, err := ParseFragment(moved)
		if err != nil || again.DecodeTime != 1 || len(again.Samples) != len(frag.Samples) {
			t.Errorf("rebased: %v", err)
		}
	})
}

func FuzzStream(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8}, stapA(testSPS, testPPS, idr))
	f.Fuzz(func(t *testing.T, script, payload []byte) {
		s, err := NewStream(Format{MIME: "video/H264", Video: true, Repairs: true, LevelID: 1})
		if err != nil {
			t.Fatal(err)
		}
		s.Open()
		seg := NewSegmenter(DefaultPolicy, true, 0, 0, nil)
		now := 0 * ms
		var whole int64
		for i, op := range script {
			if i > 200 {
				break
			}
			raw := packet(uint16(i)+uint16(op)<<4, uint32(i/2)*3000*uint32(op%5), op%3 == 0, payload[:min(len(payload), int(op))]...)
			_ = s.Push(now, raw) // an error is an answer
			s.Requests(now, nil)
			if op == 255 {
				s.Shut()
				s.GiveUp(op%2 == 0)
			}
			for {
				o, ok := s.Pop(now)
				if !ok {
					break
				}
				if o.Frame.Data == nil {
					continue
				}
				whole++
				if _, err := seg.Add(o.Frame); err != nil {
					return // parameter sets that cannot be written down
				}
			}
			now += 40 * ms
		}
		if k := s.Kept(); k.Whole != whole {
			t.Errorf("%d whole, %d came out", k.Whole, whole)
		}
		if _, err := seg.Flush(); err != nil {
			t.Error(err)
		}
	})
}
