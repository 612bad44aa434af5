package monitor

import (
	"github.com/pion/rtp"

	"github.com/toldonce/toldonce/recorder/ingest"
)

// packet is one RTP packet of a source. It is never changed, so everyone may hold it.
type packet struct {
	seq     uint16
	time    uint32
	marker  bool
	starts  bool // a decoder can begin here
	payload []byte
}

// parse reads what is forwarded of a packet; header extensions are the source's own
// and stay behind. raw stays referenced.
func parse(raw []byte, mime string, video bool) (packet, bool) {
	var h rtp.Header
	n, err := h.Unmarshal(raw)
	if err != nil {
		return packet{}, false
	}
	payload := raw[n:]
	if h.Padding {
		if len(payload) == 0 || int(payload[len(payload)-1]) > len(payload) {
			return packet{}, false
		}
		payload = payload[:len(payload)-int(payload[len(payload)-1])]
	}
	return packet{seq: h.SequenceNumber, time: h.Timestamp, marker: h.Marker, payload: payload, starts: !video || startsPicture(mime, payload)}, true
}

// after reports whether a is newer than b (RFC 3550 appendix A.1).
func after(a, b uint16) bool { return int16(a-b) > 0 }

// ring keeps a feed's newest packets for observers who missed one.
type ring struct {
	at []packet // by sequence number; a packet without payload and time is none
	ok []bool
}

// ringSize is how many packets are kept: about 2 s of a camera. It is a power of two.
const ringSize = 512

func newRing() *ring { return &ring{at: make([]packet, ringSize), ok: make([]bool, ringSize)} }

func (r *ring) put(p packet) {
	r.at[p.seq%ringSize], r.ok[p.seq%ringSize] = p, true
}

func (r *ring) get(seq uint16) (packet, bool) {
	p := r.at[seq%ringSize]
	return p, r.ok[seq%ringSize] && p.seq == seq
}

// report is a source's sender report.
type report = ingest.SenderReport
