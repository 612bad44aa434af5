package monitor

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// outlet is one track of a session: a [webrtc.TrackLocal] that writes what the
// source sent under this session's own numbers, so that a source that reconnects,
// a break, and whatever was dropped leave no hole that the observer would wait for.
// All but Bind and Unbind is used by the session's goroutine alone.
type outlet struct {
	name  string
	video bool
	clock int64 // of the timestamps, a second

	mu    sync.Mutex // guards what follows
	bound bool
	ssrc  uint32
	types []webrtc.RTPCodecParameters
	to    webrtc.TrackLocalWriter

	feed    *Feed // what is being forwarded; nil: nothing yet
	kind    uint8 // payload type
	begins  bool  // the next packet begins anew
	shift   uint16
	shiftAt uint16 // first number of ours under shift
	late    uint16 // source's numbers before this one belong to what was left out
	skew    uint32
	last    uint16
	lastAt  time.Time
	lastTS  uint32
	sent    bool
	packets uint32
	octets  uint32
}

func newOutlet(video bool) *outlet {
	if video {
		return &outlet{name: "video", video: true, clock: 90000, begins: true}
	}
	return &outlet{name: "audio", clock: 48000, begins: true}
}

// Bind implements [webrtc.TrackLocal].
func (o *outlet) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.types = c.CodecParameters()
	if len(o.types) == 0 {
		return webrtc.RTPCodecParameters{}, errors.New("no codec was agreed on")
	}
	o.bound, o.ssrc, o.to = true, uint32(c.SSRC()), c.WriteStream()
	return o.types[0], nil
}

// Unbind implements [webrtc.TrackLocal].
func (o *outlet) Unbind(webrtc.TrackLocalContext) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bound = false
	return nil
}

// ID, RID, StreamID and Kind implement [webrtc.TrackLocal]. Picture and sound of a
// source are one stream, so that browsers keep them together.
func (o *outlet) ID() string       { return o.name }
func (o *outlet) RID() string      { return "" }
func (o *outlet) StreamID() string { return "source" }
func (o *outlet) Kind() webrtc.RTPCodecType {
	if o.video {
		return webrtc.RTPCodecTypeVideo
	}
	return webrtc.RTPCodecTypeAudio
}

// outcome of a packet.
type outcome int

const (
	forwarded outcome = iota
	begun             // forwarded, as the first after a jump
	waits             // left out: a key frame must come first
	ignored
)

// write forwards a packet.
func (o *outlet) write(f *Feed, p packet, now time.Time) outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.bound {
		return ignored
	}
	if f != o.feed {
		kind, ok := o.typeFor(f)
		if !ok {
			return ignored // a codec that this observer did not offer
		}
		o.feed, o.kind, o.begins = f, kind, true
	}
	switch {
	case o.begins && !p.starts:
		return waits
	case o.begins:
		o.begin(p, now)
		o.send(p, now)
		return begun
	case after(o.late, p.seq):
		return ignored
	}
	o.send(p, now)
	return forwarded
}

// begin makes a packet follow what was sent before, however long ago that was.
func (o *outlet) begin(p packet, now time.Time) {
	o.begins = false
	if o.sent {
		o.shift = o.last + 1 - p.seq
		passed := max(now.Sub(o.lastAt), 0)
		o.skew = o.lastTS + uint32(int64(passed)*o.clock/int64(time.Second)) + 1 - p.time
	}
	o.shiftAt, o.late = p.seq+o.shift, p.seq
}

func (o *outlet) send(p packet, now time.Time) {
	h := rtp.Header{Version: 2, Marker: p.marker, PayloadType: o.kind, SequenceNumber: p.seq + o.shift, Timestamp: p.time + o.skew, SSRC: o.ssrc}
	if _, err := o.to.WriteRTP(&h, p.payload); err != nil {
		return // the connection is not there yet or no more; a real-time packet is not worth keeping
	}
	o.packets++
	o.octets += uint32(len(p.payload))
	if !o.sent || after(h.SequenceNumber, o.last) {
		o.last, o.lastTS, o.lastAt, o.sent = h.SequenceNumber, h.Timestamp, now, true
	}
}

// again sends what the observer says that it missed.
func (o *outlet) again(seqs []uint16, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.bound || o.feed == nil || o.begins {
		return
	}
	for _, seq := range seqs {
		if after(o.shiftAt, seq) || after(seq, o.last) {
			continue // from before a jump, or not sent yet
		}
		if p, ok := o.feed.find(seq - o.shift); ok {
			o.send(p, now)
		}
	}
}

// restart makes the next packet begin anew: something was left out.
func (o *outlet) restart() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.begins = true
}

// report translates a sender report into this session's numbers; nil if the feed is
// not the one that is forwarded.
func (o *outlet) report(f *Feed, r *report) rtcp.Packet {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.bound || f != o.feed || o.begins || !o.sent {
		return nil
	}
	return &rtcp.SenderReport{SSRC: o.ssrc, NTPTime: r.NTP, RTPTime: r.RTP + o.skew, PacketCount: o.packets, OctetCount: o.octets}
}

// typeFor chooses the payload type under which a feed is forwarded: for H.264 one
// of packetization mode 1 if there is one, which lets every stream through.
func (o *outlet) typeFor(f *Feed) (kind uint8, found bool) {
	for _, c := range o.types {
		if !strings.EqualFold(c.MimeType, f.MIME) {
			continue
		}
		if strings.Contains(c.SDPFmtpLine, "packetization-mode=1") {
			return uint8(c.PayloadType), true
		}
		if !found {
			kind, found = uint8(c.PayloadType), true
		}
	}
	return kind, found
}
