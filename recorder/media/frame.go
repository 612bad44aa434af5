package media

import (
	"errors"
	"time"
)

// Frame is one whole access unit of video, or one packet of sound, as a sample
// of an MP4 track.
type Frame struct {
	Time    int64         // media time
	Arrival time.Duration // of its first packet
	Key     bool          // a decoder can begin here
	Data    []byte        // sample bytes
	// Config is set where the track's decoder configuration differs from that
	// of the frame before; the first frame always has one.
	Config Config
	First  int64 // unwrapped sequence number of its first packet
	Last   int64 // of its last
	// Length is the frame's own duration in units of the timescale, if the codec
	// says it; 0 if not.
	Length int64

	order order
}

// Hole is a stretch of a stream of which frames were sent but are not whole.
type Hole struct {
	From    int64 // media time of the first frame that is not whole
	Until   int64 // media time of the next whole frame
	Damaged int64 // frames that were seen in part
	// Missing counts frames of which nothing was seen. The sender's own numbering
	// tells, where the codec has one; else, where every packet is a frame, the
	// packets do; else the spacing of the frames around.
	Missing int64
	// Uncertain is how many more may be missing at most, where none of those
	// tells: every frame has at least one packet, so there are no more than
	// packets were given up. 0: Missing is exact.
	Uncertain int64
	Packets   int64 // given up
}

// Damaged is a frame that was seen in part: what arrived of it.
type Damaged struct {
	Time    int64 // media time
	Packets []Packet
	// Omitted is how many packets of it are left out because it is too large.
	Omitted int
}

// order is a sender's own numbering of its frames, which tells how many are
// missing between two.
type order struct {
	known bool
	value int64
	mod   int64 // the numbers run below it
	// restarts: the numbering began anew with this frame.
	restarts bool
}

// Config is the decoder configuration of a track: what an initialisation
// segment holds.
type Config interface {
	// Codec is the RFC 6381 string.
	Codec() string
	// Timescale is in units a second.
	Timescale() uint32
	// Size of the picture in pixels; 0, 0 for sound.
	Size() (width, height int)
	// Init returns the bytes of the CMAF initialisation segment. The same
	// configuration yields the same bytes.
	Init() ([]byte, error)
	// Equal reports whether both describe the same decoder.
	Equal(Config) bool
}

// errDamaged says that the packets of a frame do not make up a frame.
var errDamaged = errors.New("not a whole frame")

// errNotFrame says that a group of packets is in order but holds no picture,
// such as parameter sets alone.
var errNotFrame = errors.New("no picture in it")

// depacketiser turns the packets of one frame into a sample. It keeps decoder
// configuration from frame to frame and nothing else: a damaged frame leaves no
// trace in it.
type depacketiser interface {
	// starts reports whether a payload, found after lost packets, is certainly
	// the first of its frame.
	starts(payload []byte) bool
	// assemble builds a frame from all packets of it. The error is errDamaged
	// or errNotFrame. It sets Key, Data, Config, Length.
	assemble(packets []Packet) (Frame, error)
	// configuration is the newest; nil before any.
	configuration() Config
	// single reports whether each packet is a frame of its own.
	single() bool
	// restarts reports whether the sender's numbering of frames begins anew at
	// random access points.
	restarts() bool
	// resume is told that packets were lost before the next frame.
	resume()
}
