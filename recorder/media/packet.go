package media

import (
	"errors"
	"time"

	"github.com/pion/rtp"
)

// Packet is one RTP packet in its place in the stream.
type Packet struct {
	Seq     int64 // unwrapped sequence number
	Time    int64 // unwrapped timestamp
	Arrival time.Duration
	Marker  bool
	Type    uint8  // payload type
	Payload []byte // without padding; empty for a packet of padding alone
	Again   bool   // arrived after it was asked for again
	Late    bool   // arrived after a later one, without having been asked for
	// Gap is how many packets directly before this one were given up.
	Gap int64
	// Break: the sender began its numbering anew here, so that nothing is
	// known of what came directly before.
	Break bool
}

var errShort = errors.New("RTP packet is cut short")

// parse reads the header of raw into h and returns the payload, which aliases
// raw, without padding (RFC 3550 section 5.1).
func parse(h *rtp.Header, raw []byte) ([]byte, error) {
	n, err := h.Unmarshal(raw)
	if err != nil {
		return nil, err
	}
	end := len(raw)
	if h.Padding {
		if end <= n {
			return nil, errShort
		}
		if end -= int(raw[end-1]); end < n || raw[len(raw)-1] == 0 {
			return nil, errShort
		}
	}
	if n > end {
		return nil, errShort
	}
	return raw[n:end], nil
}
