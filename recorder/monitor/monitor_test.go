package monitor

import (
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

func TestWhereAPictureStarts(t *testing.T) {
	for _, c := range []struct {
		name, mime string
		payload    []byte
		want       bool
	}{
		{"nothing", webrtc.MimeTypeH264, nil, false},
		{"parameter set", webrtc.MimeTypeH264, []byte{0x67, 1}, true},
		{"IDR slice", webrtc.MimeTypeH264, []byte{0x65, 1}, true},
		{"another slice", webrtc.MimeTypeH264, []byte{0x41, 1}, false},
		{"aggregate with a parameter set", webrtc.MimeTypeH264, []byte{0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 1}, true},
		{"aggregate without", webrtc.MimeTypeH264, []byte{0x78, 0, 2, 0x41, 1}, false},
		{"torn aggregate", webrtc.MimeTypeH264, []byte{0x78, 0, 9, 0x67}, false},
		{"first fragment of an IDR slice", webrtc.MimeTypeH264, []byte{0x7c, 0x85, 1}, true},
		{"later fragment of it", webrtc.MimeTypeH264, []byte{0x7c, 0x05, 1}, false},
		{"VP9 key frame", webrtc.MimeTypeVP9, []byte{0x88, 0x01, 0}, true},
		{"VP9 key frame, long number", webrtc.MimeTypeVP9, []byte{0xa8, 0x81, 0x01, 0x00}, true},
		{"VP9 predicted", webrtc.MimeTypeVP9, []byte{0xc8, 0x01, 0}, false},
		{"VP9 later packet", webrtc.MimeTypeVP9, []byte{0x80, 0x01, 0}, false},
		{"VP9 upper layer", webrtc.MimeTypeVP9, []byte{0xa8, 0x01, 0x02}, false},
		{"AV1 sequence", webrtc.MimeTypeAV1, []byte{0x18, 0}, true},
		{"AV1 frame", webrtc.MimeTypeAV1, []byte{0x10, 0}, false},
		{"another format", "video/VP8", []byte{0x10, 0}, false},
	} {
		if got := startsPicture(c.mime, c.payload); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func FuzzPacket(f *testing.F) {
	f.Add([]byte{0x80, 0xe0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0x67, 1}, webrtc.MimeTypeH264)
	f.Add([]byte{0xa0, 0xe0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 2}, webrtc.MimeTypeVP9)
	f.Fuzz(func(t *testing.T, raw []byte, mime string) {
		p, ok := parse(raw, mime, true)
		if ok && len(p.payload) > len(raw)-12 {
			t.Errorf("a payload of %d bytes in %d", len(p.payload), len(raw))
		}
	})
}

// wire takes what an outlet writes.
type wire struct{ headers []rtp.Header }

func (w *wire) WriteRTP(h *rtp.Header, _ []byte) (int, error) {
	w.headers = append(w.headers, *h)
	return 0, nil
}
func (w *wire) Write([]byte) (int, error) { return 0, nil }

// Whatever is left out, an observer's numbers have no hole and her clock runs on.
func TestNumbersGoOnOverJumps(t *testing.T) {
	out := &wire{}
	o := newOutlet(true)
	o.bound, o.to, o.types = true, out, []webrtc.RTPCodecParameters{{PayloadType: 102, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264}}}
	c := NewChannel(func() {})
	first, second := c.Feed(webrtc.MimeTypeH264, true), c.Feed(webrtc.MimeTypeH264, true)
	now := time.Unix(0, 0)
	put := func(f *Feed, seq uint16, at uint32, starts bool) outcome {
		p := packet{seq: seq, time: at, starts: starts, payload: []byte{1}}
		f.keep(p)
		return o.write(f, p, now)
	}
	for i, want := range []outcome{
		put(first, 65534, 1000, false), // before any key frame
		put(first, 65535, 4000, true),
		put(first, 0, 4000, false),
		put(first, 65534, 1000, false), // late, from before the beginning
	} {
		if want != []outcome{waits, begun, forwarded, ignored}[i] {
			t.Errorf("step %d: %d", i, want)
		}
	}
	now = now.Add(10 * time.Second)
	o.restart()
	if put(first, 500, 904000, false) != waits || put(first, 501, 907000, true) != begun {
		t.Error("after something was left out it does not wait for a key frame")
	}
	now = now.Add(time.Second)
	if put(second, 7, 77, true) != begun {
		t.Error("a source that came back is not forwarded")
	}
	o.again([]uint16{65535, 0, 1, 2, 3}, now) // 65535 to 1 are from before the jumps, 3 was not sent
	var seqs []uint16
	for _, h := range out.headers {
		seqs = append(seqs, h.SequenceNumber)
	}
	want := []uint16{65535, 0, 1, 2, 2}
	if len(seqs) != len(want) {
		t.Fatalf("%v", seqs)
	}
	for i := range want {
		if seqs[i] != want[i] {
			t.Errorf("%v, want %v", seqs, want)
			break
		}
	}
	if d := out.headers[2].Timestamp - out.headers[1].Timestamp; d != 900001 {
		t.Errorf("10 s are %d ticks", d)
	}
	if r := o.report(second, &report{RTP: 77}); r == nil {
		t.Error("no report of what is forwarded")
	}
	if r := o.report(first, &report{}); r != nil {
		t.Error("a report of what is not forwarded")
	}
}

// What an observer's network does not take is dropped, not kept.
func TestTheQueueIsBounded(t *testing.T) {
	asked := 0
	c := NewChannel(func() { asked++ })
	s := &Session{channel: c, wake: make(chan struct{}, 1), done: make(chan struct{})}
	f := c.Feed(webrtc.MimeTypeOpus, false)
	for range 10 * queueSize {
		s.put(item{feed: f})
	}
	if len(s.queue) > queueSize || !s.gap || s.Dropped() < 8*queueSize {
		t.Errorf("%d wait, gap %v, %d dropped", len(s.queue), s.gap, s.Dropped())
	}
	for range 100 {
		c.want()
	}
	if asked != 1 {
		t.Errorf("a key frame was asked for %d times at once", asked)
	}
	f.Push(make([]byte, 20))
	if len(c.queue) != 0 {
		t.Error("something waits though nobody watches")
	}
}
