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
}

// Hole is a stretch of a stream of which frames were sent but are not whole.
type Hole struct {
	From    int64 // media time of the first frame that is not whole
	Until   int64 // media time of the next whole frame
	Damaged int64 // frames that were seen in part
	// Missing counts frames of which nothing was seen, inferred from the
	// spacing of the frames around; -1 if the spacing does not tell.
	Missing int64
	Packets int64 // given up
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
	// single reports whether each packet is a frame of its own.
	single() bool
	// resume is told that packets were lost before the next frame.
	resume()
}
