package media

import (
	"bytes"
	"testing"
	"time"
)

// Parameter sets of a 64 by 48 picture, as x264 writes them.
var (
	testSPS = []byte{0x67, 0x42, 0xc0, 0x0a, 0xda, 0x11, 0xec, 0x04, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x0f, 0x03, 0xc4, 0x89, 0xa8}
	testPPS = []byte{0x68, 0xce, 0x0f, 0xc8}
	idr     = []byte{0x65, 0x88, 0x84, 0x00}
	slice   = []byte{0x41, 0x9a, 0x02}
)

func stapA(units ...[]byte) []byte {
	b := []byte{0x78}
	for _, u := range units {
		b = append(b, byte(len(u)>>8), byte(len(u)))
		b = append(b, u...)
	}
	return b
}

func fuA(unit []byte, first, last bool, part []byte) []byte {
	h := unit[0] & 31
	if first {
		h |= 0x80
	}
	if last {
		h |= 0x40
	}
	return append([]byte{unit[0]&0xe0 | 28, h}, part...)
}

func packets(payloads ...[]byte) []Packet {
	var out []Packet
	for i, p := range payloads {
		out = append(out, Packet{Seq: int64(i), Payload: p, Marker: i == len(payloads)-1})
	}
	return out
}

func TestPicturesAreAssembled(t *testing.T) {
	long := append(bytes.Clone(idr), bytes.Repeat([]byte{7}, 30)...)
	for _, c := range []struct {
		name string
		in   [][]byte
		want [][]byte // nil: damaged
		none bool     // in order, but no picture
	}{
		{name: "single NAL units", in: [][]byte{testSPS, testPPS, idr}, want: [][]byte{testSPS, testPPS, idr}},
		{name: "STAP-A", in: [][]byte{stapA(testSPS, testPPS, idr)}, want: [][]byte{testSPS, testPPS, idr}},
		{name: "STAP-A and FU-A", in: [][]byte{stapA(testSPS, testPPS), fuA(long, true, false, long[1:10]), fuA(long, false, false, long[10:20]), fuA(long, false, true, long[20:])},
			want: [][]byte{testSPS, testPPS, long}},
		{name: "parameter sets alone", in: [][]byte{stapA(testSPS, testPPS)}, none: true},
		{name: "FU-A without its start", in: [][]byte{fuA(long, false, true, long[20:])}},
		{name: "FU-A without its end", in: [][]byte{fuA(long, true, false, long[1:20])}},
		{name: "FU-A twice begun", in: [][]byte{fuA(long, true, false, long[1:10]), fuA(long, true, false, long[1:10]), fuA(long, false, true, long[10:])}},
		{name: "FU-A of another unit", in: [][]byte{fuA(long, true, false, long[1:10]), fuA(slice, false, true, long[10:])}},
		{name: "FU-A begun and ended at once", in: [][]byte{fuA(long, true, true, long[1:])}},
		{name: "something inside FU-A", in: [][]byte{fuA(long, true, false, long[1:10]), slice, fuA(long, false, true, long[10:])}},
		{name: "STAP-A cut short", in: [][]byte{stapA(testSPS, testPPS)[:20]}},
		{name: "empty STAP-A", in: [][]byte{{0x78}}},
		{name: "empty unit in STAP-A", in: [][]byte{{0x78, 0, 0}}},
		{name: "forbidden bit", in: [][]byte{{0xe5, 0x88}}},
		{name: "unknown type", in: [][]byte{{0x7d, 1, 2, 3}}},
		{name: "type 0", in: [][]byte{{0x60, 1}}},
	} {
		f, err := newH264(nil, nil).assemble(packets(c.in...))
		switch {
		case c.none:
			if err != errNotFrame {
				t.Errorf("%s: %v", c.name, err)
			}
		case c.want == nil:
			if err != errDamaged {
				t.Errorf("%s: %v", c.name, err)
			}
		case err != nil || !bytes.Equal(f.Data, lengthPrefixed(c.want)) || !f.Key:
			t.Errorf("%s: %v, %x", c.name, err, f.Data)
		}
	}
}

func TestADamagedPictureLeavesNoTrace(t *testing.T) {
	h := newH264(nil, nil)
	long := append(bytes.Clone(slice), bytes.Repeat([]byte{9}, 30)...)
	if _, err := h.assemble(packets(stapA(testSPS, testPPS, idr))); err != nil {
		t.Fatal(err)
	}
	if _, err := h.assemble(packets(fuA(long, true, false, long[1:20]))); err != errDamaged {
		t.Fatal(err)
	}
	f, err := h.assemble(packets(slice))
	if err != nil || !bytes.Equal(f.Data, lengthPrefixed([][]byte{slice})) {
		t.Errorf("%v %x", err, f.Data)
	}
}

func TestNewParameterSetsAreANewConfiguration(t *testing.T) {
	h := newH264(nil, nil)
	f, err := h.assemble(packets(stapA(testSPS, testPPS, idr)))
	if err != nil || f.Config == nil || f.Config.Codec() != "avc1.42C00A" {
		t.Fatalf("%v %+v", err, f.Config)
	}
	if f, _ = h.assemble(packets(stapA(testSPS, testPPS, idr))); f.Config != nil {
		t.Error("the same parameter sets are a new configuration")
	}
	other := append(bytes.Clone(testPPS), 0x80)
	if f, _ = h.assemble(packets(stapA(testSPS, other, idr))); f.Config == nil {
		t.Error("other parameter sets are no new configuration")
	}
	// A PPS of another identifier (1) that comes alone is an addition, used from the
	// next random access point on.
	added := []byte{0x68, 0x5e, 0x0f, 0xc8}
	if f, _ = h.assemble(packets(added, slice)); f.Config != nil {
		t.Error("a new configuration where no decoder can begin")
	}
	f, _ = h.assemble(packets(idr))
	if c, ok := f.Config.(*h264Config); !ok || len(c.pps) != 2 {
		t.Errorf("%+v", f.Config)
	}
	if _, err := f.Config.Init(); err != nil {
		t.Error(err)
	}
}

func TestPicturesAreWholeOrDeclared(t *testing.T) {
	key := stapA(testSPS, testPPS, idr)
	long := append(bytes.Clone(slice), bytes.Repeat([]byte{9}, 30)...)
	type in struct {
		seq    uint16
		stamp  uint32
		marker bool
		data   []byte
	}
	stream := func(skip ...uint16) (s []in) {
		seq := uint16(0)
		for i := range uint32(20) {
			parts := [][]byte{fuA(long, true, false, long[1:10]), fuA(long, false, false, long[10:20]), fuA(long, false, true, long[20:])}
			if i == 0 {
				parts = [][]byte{key}
			}
			for j, p := range parts {
				s = append(s, in{seq, i * 3000, j == len(parts)-1, p})
				seq++
			}
		}
		out := s[:0]
		for _, x := range s {
			keep := true
			for _, n := range skip {
				keep = keep && x.seq != n
			}
			if keep {
				out = append(out, x)
			}
		}
		return out
	}
	for _, c := range []struct {
		name                    string
		skip                    []uint16
		whole, damaged, missing int64
	}{
		{"all", nil, 20, 0, 0},
		{"a middle", []uint16{30}, 19, 1, 0},
		{"an end", []uint16{33}, 19, 1, 0},
		{"a beginning", []uint16{31}, 19, 1, 0},
		{"one whole picture", []uint16{31, 32, 33}, 19, 0, 1},
		{"three whole pictures", []uint16{31, 32, 33, 34, 35, 36, 37, 38, 39}, 17, 0, 3},
		{"end, whole, beginning", []uint16{30, 31, 32, 33, 34}, 17, 2, 1},
		{"two in places", []uint16{20, 45}, 18, 2, 0},
	} {
		s, err := NewStream(Format{MIME: "video/H264", Video: true})
		if err != nil {
			t.Fatal(err)
		}
		s.Open()
		s.from = 0
		now := time.Duration(0)
		whole := int64(0)
		var holes []Hole
		pop := func() {
			for {
				o, ok := s.Pop(now)
				if !ok {
					return
				}
				if o.Frame.Data != nil {
					whole++
				}
				if o.Hole != nil {
					holes = append(holes, *o.Hole)
				}
			}
		}
		for _, x := range stream(c.skip...) {
			if err := s.Push(now, packet(x.seq, x.stamp, x.marker, x.data...)); err != nil {
				t.Fatal(err)
			}
			pop()
			now += 10 * ms
		}
		now += Patience
		pop()
		s.Shut()
		s.GiveUp(true)
		pop()
		k := s.Kept()
		if k.Whole != c.whole || k.Damaged != c.damaged || k.Missing != c.missing || k.Uncertain != 0 || whole != k.Whole {
			t.Errorf("%s: %d whole (%d came out), %d damaged, %d missing, uncertain %d", c.name, k.Whole, whole, k.Damaged, k.Missing, k.Uncertain)
		}
		if k.Packets.Lost != int64(len(c.skip)) || k.Packets.Received != int64(1+19*3-len(c.skip)) {
			t.Errorf("%s: packets %+v", c.name, k.Packets)
		}
		var declared int64
		for _, h := range holes {
			declared += h.Damaged + h.Missing
			if h.From >= h.Until {
				t.Errorf("%s: hole %+v", c.name, h)
			}
		}
		if declared != c.damaged+c.missing {
			t.Errorf("%s: holes %+v", c.name, holes)
		}
	}
}

// Lost padding between pictures must not cost a picture.
func TestLostPaddingCostsNothing(t *testing.T) {
	s, err := NewStream(Format{MIME: "video/H264", Video: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Open()
	s.from = 0
	seq := uint16(10)
	now := time.Duration(0)
	for i := range uint32(30) {
		data := slice
		if i == 0 {
			data = stapA(testSPS, testPPS, idr)
		}
		if err := s.Push(now, packet(seq, i*3000, true, data...)); err != nil {
			t.Fatal(err)
		}
		if seq++; i%7 == 3 {
			seq++ // padding that was lost
		}
		now += 33 * ms
		for ok := true; ok; {
			_, ok = s.Pop(now)
		}
	}
	s.Shut()
	s.GiveUp(true)
	for {
		if _, ok := s.Pop(now); !ok {
			break
		}
	}
	if k := s.Kept(); k.Whole != 30 || k.Damaged != 0 || k.Missing != 0 || k.Packets.Lost != 4 {
		t.Errorf("%+v", k)
	}
}

func FuzzH264(f *testing.F) {
	f.Add(stapA(testSPS, testPPS, idr), fuA(idr, true, false, idr[1:]), fuA(idr, false, true, idr[1:]))
	f.Add(slice, slice, []byte{0x78, 0, 1})
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		h := newH264(nil, nil)
		var in []Packet
		for _, p := range [][]byte{a, b, c} {
			if len(p) > 0 {
				h.starts(p)
				in = append(in, Packet{Payload: p})
			}
		}
		if len(in) == 0 {
			return
		}
		frame, err := h.assemble(in)
		if err == nil && len(frame.Data) < 5 {
			t.Errorf("a frame of %d bytes", len(frame.Data))
		}
		if frame.Config != nil {
			_, _ = frame.Config.Init() // an error is an answer
		}
	})
}

func FuzzOpus(f *testing.F) {
	f.Add([]byte{0xfc, 1, 2})
	f.Fuzz(func(t *testing.T, p []byte) {
		if n, ok := opusLength(p); ok && (n <= 0 || n > 5760) {
			t.Errorf("%d samples", n)
		}
	})
}

func TestOpusLengths(t *testing.T) {
	for _, c := range []struct {
		packet []byte
		want   int64 // 0: not well formed
	}{
		{[]byte{0xfc, 1}, 960},        // CELT 20 ms
		{[]byte{0x78, 1}, 960},        // hybrid 20 ms
		{[]byte{0x18, 1}, 2880},       // SILK 60 ms
		{[]byte{0xe0, 1}, 120},        // CELT 2.5 ms
		{[]byte{0xfd, 1, 2}, 1920},    // two of one size
		{[]byte{0xfd, 1, 2, 3}, 0},    // which cannot be
		{[]byte{0xfe, 1, 2, 3}, 1920}, // two of any size
		{[]byte{0xff, 6}, 5760}, {[]byte{0xff, 7}, 0}, {[]byte{0xff}, 0}, {nil, 0},
	} {
		if n, ok := opusLength(c.packet); ok != (c.want > 0) || ok && n != c.want {
			t.Errorf("%x: %d %v", c.packet, n, ok)
		}
	}
}
