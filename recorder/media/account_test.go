package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/avc"
)

// The account of a stream is checked against the sender's own list, over a
// network that is simulated packet by packet in simulated time.

// sentFrame is a frame on the sender's list.
type sentFrame struct {
	time    int64
	data    []byte
	packets []uint16 // its numbers
}

// wire is one packet on its way.
type wire struct {
	at  time.Duration
	raw []byte
}

// weather is what the network does.
type weather struct {
	loss      float64
	burst     int
	delay     time.Duration
	jitter    time.Duration
	duplicate float64
}

// sender sends frames of a codec and repeats what it is asked for, if it does.
type sender struct {
	rnd   *rand.Rand
	net   weather
	burst int

	kept   map[uint16][]byte // media only: padding is never repeated
	flying []wire
	sent   int64
	losing bool // as of now: nothing shows what is lost before the first and after the last packet
}

func (s *sender) send(now time.Duration, raw []byte) {
	s.sent++
	s.transmit(now, raw)
}

func (s *sender) transmit(now time.Duration, raw []byte) {
	if !s.losing {
		s.flying = append(s.flying, wire{at: now + s.net.delay, raw: bytes.Clone(raw)})
		return
	}
	if s.burst > 0 {
		s.burst--
		return
	}
	if s.rnd.Float64() < s.net.loss/float64(max(s.net.burst, 1)) {
		s.burst = max(s.net.burst, 1) - 1
		return
	}
	copies := 1
	if s.rnd.Float64() < s.net.duplicate {
		copies = 2
	}
	for range copies {
		at := now + s.net.delay
		if s.net.jitter > 0 {
			at += time.Duration(s.rnd.Int64N(int64(s.net.jitter)))
		}
		s.flying = append(s.flying, wire{at: at, raw: bytes.Clone(raw)})
	}
}

// h264Frames makes pictures of several packets with a proper frame_num: a random
// access point every 60.
func h264Frames(rnd *rand.Rand, n int) (payloads [][][]byte, samples [][]byte) {
	return h264FramesOf(testSPS, rnd, n)
}

// wideSPS is testSPS with a frame_num of 15 bits, as browsers write it.
var wideSPS = []byte{0x67, 0x42, 0xc0, 0x0a, 0b1_0001100, 0b011_010_0_0, 0b0100_011_1, 0b1_0_0_1_0000}

func wideFrames(rnd *rand.Rand, n int) (payloads [][][]byte, samples [][]byte) {
	return h264FramesOf(wideSPS, rnd, n)
}

func h264FramesOf(testSPS []byte, rnd *rand.Rand, n int) (payloads [][][]byte, samples [][]byte) {
	sps, err := avc.ParseSPSNALUnit(testSPS, false)
	if err != nil {
		panic(err)
	}
	numberBits := int(sps.Log2MaxFrameNumMinus4) + 4
	number := 0
	for i := range n {
		header, kind := "1"+"00110"+"1", byte(0x41) // P
		if i%60 == 0 {
			header, kind, number = "1"+"0001000"+"1", 0x65, 0
		}
		header += fmt.Sprintf("%0*b", numberBits, number%(1<<numberBits)) + "1"
		number++
		unit := []byte{kind}
		for len(header)%8 != 0 {
			header += "1"
		}
		for b := 0; b < len(header); b += 8 {
			var v byte
			for _, c := range header[b : b+8] {
				v = v<<1 | byte(c-'0')
			}
			unit = append(unit, v)
		}
		body := make([]byte, rnd.IntN(6)*900+40)
		for k := range body {
			body[k] = byte(rnd.IntN(255)) + 1 // no zero: nothing to escape
		}
		unit = append(unit, body...)
		var parts [][]byte
		units := [][]byte{unit}
		if i%60 == 0 {
			parts = append(parts, stapA(testSPS, testPPS))
			units = [][]byte{testSPS, testPPS, unit}
		}
		if len(unit) <= 900 {
			parts = append(parts, unit)
		} else {
			for at := 1; at < len(unit); at += 900 {
				parts = append(parts, fuA(unit, at == 1, at+900 >= len(unit), unit[at:min(at+900, len(unit))]))
			}
		}
		payloads, samples = append(payloads, parts), append(samples, lengthPrefixed(units))
	}
	return payloads, samples
}

// opusFrames makes packets of 20 ms.
func opusFrames(rnd *rand.Rand, n int) (payloads [][][]byte, samples [][]byte) {
	for range n {
		p := make([]byte, 60+rnd.IntN(80))
		for k := range p {
			p[k] = byte(rnd.IntN(256))
		}
		p[0] = 0xfc // CELT, 20 ms, one frame
		payloads, samples = append(payloads, [][]byte{p}), append(samples, p)
	}
	return payloads, samples
}

// account is one simulated stream.
type account struct {
	format   Format
	make     func(*rand.Rand, int) ([][][]byte, [][]byte)
	frames   int
	clock    int64
	every    int64   // ticks between frames
	uneven   float64 // share of every by which it differs at random
	padding  float64 // chance of a packet of padding behind a frame
	net      weather
	seed     uint64
	mayDoubt bool // the number that is missing need not be exact
}

// run simulates it and returns what the stream says against what was sent.
func (a account) run(t *testing.T) Tally {
	t.Helper()
	rnd := rand.New(rand.NewPCG(a.seed, 7))
	payloads, samples := a.make(rnd, a.frames)
	s, err := NewStream(a.format)
	if err != nil {
		t.Fatal(err)
	}
	s.Open()
	s.from = 0
	out := &sender{rnd: rnd, net: a.net, kept: map[uint16][]byte{}}
	first, stamp := uint16(rnd.IntN(1<<16)), rnd.Uint32()
	seq := first
	var list []sentFrame
	var got []Output
	var fates Fates
	now, next := time.Duration(0), time.Duration(0)
	i, ticks := 0, int64(0)
	type request struct {
		at  time.Duration
		seq uint16
	}
	var asked []request
	end := time.Duration(0)
	for end == 0 || now < end+4*time.Second {
		for ; i < a.frames && now >= next; i++ {
			f := sentFrame{time: ticks, data: samples[i]}
			for j, p := range payloads[i] {
				out.losing = i > 4 && i < a.frames-3
				raw := packet(seq, stamp+uint32(ticks), j == len(payloads[i])-1, p...)
				out.kept[seq] = raw
				f.packets = append(f.packets, seq)
				out.send(now, raw)
				seq++
			}
			list = append(list, f)
			if rnd.Float64() < a.padding && i < a.frames-3 {
				raw := packet(seq, stamp+uint32(ticks), false, bytes.Repeat([]byte{0}, 99)...)
				raw = append(raw, 100)
				raw[0] |= 0x20
				out.send(now, raw)
				seq++
			}
			step := a.every
			if a.uneven > 0 {
				step += int64((rnd.Float64()*2 - 1) * a.uneven * float64(a.every))
			}
			ticks += step
			next = time.Duration(ticks) * time.Second / time.Duration(a.clock)
		}
		if i == a.frames && end == 0 {
			end = now
		}
		slices.SortStableFunc(out.flying, func(a, b wire) int { return int(a.at - b.at) })
		for len(out.flying) > 0 && out.flying[0].at <= now {
			if err := s.Push(now, out.flying[0].raw); err != nil {
				t.Fatal(err)
			}
			out.flying = out.flying[1:]
			for {
				o, ok := s.Pop(now)
				if !ok {
					break
				}
				got = append(got, o)
			}
		}
		for {
			o, ok := s.Pop(now)
			if !ok {
				break
			}
			got = append(got, o)
		}
		for _, n := range s.Requests(now, nil) {
			if !a.format.Repairs {
				t.Fatal("a sender that repeats nothing was asked to")
			}
			asked = append(asked, request{now + a.net.delay, n})
		}
		for len(asked) > 0 && asked[0].at <= now {
			if raw := out.kept[asked[0].seq]; raw != nil {
				out.transmit(now, raw)
			}
			asked = asked[1:]
		}
		if now%time.Second == 0 {
			fates.append(s.TakeFates())
		}
		now += time.Millisecond
	}
	s.Shut()
	s.GiveUp(true)
	for {
		o, ok := s.Pop(now)
		if !ok {
			break
		}
		got = append(got, o)
	}
	k := s.Kept()
	fates.append(s.TakeFates())
	a.compare(t, list, got, int64(stamp)+Epoch, k)
	if n := fates.counts(); n.Received != k.Packets.Received || n.Recovered != k.Packets.Recovered || n.Reordered != k.Packets.Reordered || n.Lost != k.Packets.Lost || n.Padding != k.Packets.Padding {
		t.Errorf("the fates add up to %+v, the counts are %+v", n, k.Packets)
	}
	if n := k.Packets.Received + k.Packets.Lost; n != out.sent {
		t.Errorf("%d packets sent, %d accounted for: %+v", out.sent, n, k.Packets)
	}
	return k
}

// compare holds what came out against the sender's list, frame by frame.
func (a account) compare(t *testing.T, list []sentFrame, got []Output, base int64, k Tally) {
	t.Helper()
	at := 0
	var whole, damaged int64
	seen := map[int64]bool{} // damaged ones by time
	for _, o := range got {
		if o.Damaged != nil {
			seen[o.Damaged.Time-base] = true
			damaged++
			continue
		}
		from := at
		if o.Frame.Data != nil {
			at = from + slices.IndexFunc(list[from:], func(f sentFrame) bool { return f.time == o.Frame.Time-base })
			if at < from || !bytes.Equal(o.Frame.Data, list[at].data) {
				t.Fatalf("a frame at %d that was not sent like this", o.Frame.Time-base)
			}
			whole++
		} else {
			at = len(list)
		}
		h := Hole{}
		if o.Hole != nil {
			h = *o.Hole
			for _, f := range list[from:at] {
				if f.time < h.From-base-a.every || f.time >= h.Until-base {
					t.Errorf("frame at %d is not in the hole [%d, %d)", f.time, h.From-base, h.Until-base)
				}
			}
		}
		absent := int64(at - from)
		if declared := h.Damaged + h.Missing; absent < declared || absent > declared+h.Uncertain {
			t.Errorf("%d frames are not whole between %d and %d; declared %+v", absent, list[from].time, o.Frame.Time-base, h)
		}
		var inPart int64
		for _, f := range list[from:at] {
			if seen[f.time] {
				inPart++
			}
		}
		if inPart != h.Damaged {
			t.Errorf("%d damaged frames came out, the hole declares %d", inPart, h.Damaged)
		}
		at++
	}
	sent := int64(len(list))
	if k.Whole != whole || k.Damaged != damaged {
		t.Errorf("tally %+v, but %d whole and %d damaged came out", k, whole, damaged)
	}
	low := k.Whole + k.Damaged + k.Missing
	if sent < low || sent > low+k.Uncertain {
		t.Errorf("%d sent, tally %+v", sent, k)
	}
	if !a.mayDoubt && k.Uncertain > 0 {
		t.Errorf("the number is not exact: %+v", k)
	}
	if a.format.Repairs && a.padding == 0 && whole != sent {
		t.Errorf("%d of %d frames are whole though the sender repeats", whole, sent)
	}
}

func TestSentIsWholePlusDeclared(t *testing.T) {
	video := Format{MIME: "video/H264", Video: true}
	audio := Format{MIME: "audio/opus"}
	kinds := []account{
		{format: video, make: h264Frames, frames: 300, clock: 90000, every: 3000},
		{format: video, make: h264Frames, frames: 300, clock: 90000, every: 3000, uneven: 0.4, mayDoubt: true},
		{format: video, make: h264Frames, frames: 300, clock: 90000, every: 3000, uneven: 0.1, padding: 0.2, mayDoubt: true},
		{format: audio, make: opusFrames, frames: 500, clock: 48000, every: 960},
	}
	for _, net := range []weather{
		{},
		{loss: 0.01},
		{loss: 0.03, delay: 30 * time.Millisecond, jitter: 10 * time.Millisecond},
		{loss: 0.05, delay: 30 * time.Millisecond, jitter: 10 * time.Millisecond, duplicate: 0.05},
		{loss: 0.10, delay: 30 * time.Millisecond, jitter: 15 * time.Millisecond, duplicate: 0.02},
		{loss: 0.10, burst: 20, delay: 30 * time.Millisecond},
		{jitter: 25 * time.Millisecond, duplicate: 0.3},
		{loss: 0.4},
	} {
		for i, a := range kinds {
			for _, repairs := range []bool{true, false} {
				t.Run(fmt.Sprintf("%+v/%d/%v", net, i, repairs), func(t *testing.T) {
					var k Tally
					for seed := range uint64(3) {
						a.net, a.format.Repairs, a.seed = net, repairs, seed
						k = a.run(t)
					}
					t.Logf("%+v", k)
				})
			}
		}
	}
}

// Uneven cameras: the numbering inside H.264 tells what the spacing does not.
func TestTheNumberInTheCodecCountsWhatTheSpacingCannot(t *testing.T) {
	a := account{format: Format{MIME: "video/H264", Video: true}, make: wideFrames, frames: 600, clock: 90000, every: 3000, uneven: 0.6,
		net: weather{loss: 0.1, burst: 3}, mayDoubt: true}
	var doubt, missing int64
	for seed := range uint64(5) {
		a.seed = seed
		k := a.run(t)
		doubt += k.Uncertain
		missing += k.Missing
	}
	if missing < 20 || doubt > missing { // by spacing alone it would be some 800
		t.Errorf("%d are missing, %d more may be", missing, doubt)
	}
}

func TestFatesSurviveAStartInTheMiddle(t *testing.T) {
	var f Fates
	f.add(10, FateReceived, 5)
	f.add(15, FateLost, 2)
	f.add(17, FateRecovered, 1)
	f.add(100, FateReceivedPadding, 3)
	g := f.since(16)
	want := []Stretch{{First: 16, Runs: []Run{{FateLost, 1}, {FateRecovered, 1}}}, {First: 100, Runs: []Run{{FateReceivedPadding, 3}}}}
	if fmt.Sprint(g.Stretches) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", g.Stretches, want)
	}
	if c := f.counts(); c.Received != 9 || c.Lost != 2 || c.Recovered != 1 || c.Padding != 3 {
		t.Errorf("%+v", c)
	}
}

func TestHeaderBits(t *testing.T) {
	var buf [4]byte
	if got := unescape(buf[:0], []byte{0, 0, 3, 1, 0, 0, 3}); !bytes.Equal(got, []byte{0, 0, 1, 0}) {
		t.Errorf("%v", got)
	}
	r := bits{b: binary.BigEndian.AppendUint16(nil, 0b1_010_00110_0000000)}
	if a, b, c := r.ue(), r.ue(), r.ue(); a != 0 || b != 1 || c != 5 || r.short {
		t.Errorf("%d %d %d", a, b, c)
	}
	if r.ue(); !r.short {
		t.Error("read behind the end")
	}
}
