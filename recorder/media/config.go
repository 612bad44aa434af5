package media

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/Eyevinn/mp4ff/mp4"
)

// videoClock is the RTP clock rate of every video codec here.
const videoClock = 90000

// trackID is that of the only track of every file that is written.
const trackID = 1

// newInit returns an initialisation segment without a sample entry.
func newInit(timescale uint32, kind string) (*mp4.InitSegment, *mp4.TrakBox) {
	init := mp4.NewMP4Init()
	init.AddChild(mp4.NewFtyp("iso6", 0, []string{"iso6", "cmfc", "mp41"}))
	moov := mp4.NewMoovBox()
	init.AddChild(moov)
	moov.AddChild(mp4.CreateMvhd())
	moov.AddChild(mp4.NewMvexBox())
	return init, init.AddEmptyTrack(timescale, kind, "und")
}

func encodeInit(init *mp4.InitSegment) ([]byte, error) {
	var out bytes.Buffer
	out.Grow(int(init.Size()))
	if err := init.Encode(&out); err != nil {
		return nil, fmt.Errorf("initialisation segment: %w", err)
	}
	return out.Bytes(), nil
}

// h264Config holds the parameter sets. Frames keep those that were sent in band
// too, as they were sent.
type h264Config struct {
	sps, pps      [][]byte
	width, height int
	codec         string
	numberBits    int // of frame_num; 0: it does not count pictures
}

func (c *h264Config) Codec() string     { return c.codec }
func (c *h264Config) Timescale() uint32 { return videoClock }
func (c *h264Config) Size() (int, int)  { return c.width, c.height }

func (c *h264Config) Equal(other Config) bool {
	o, ok := other.(*h264Config)
	return ok && o != nil && slices.EqualFunc(c.sps, o.sps, bytes.Equal) && slices.EqualFunc(c.pps, o.pps, bytes.Equal)
}

func (c *h264Config) Init() ([]byte, error) {
	init, trak := newInit(videoClock, "video")
	if err := trak.SetAVCDescriptor("avc1", c.sps, c.pps, true); err != nil {
		return nil, fmt.Errorf("H.264 parameter sets: %w", err)
	}
	return encodeInit(init)
}

// opusPreSkip is the look-ahead of the reference encoder at 48 kHz, which WebRTC
// senders do not announce.
const opusPreSkip = 312

type opusConfig struct{}

func (opusConfig) Codec() string     { return "Opus" }
func (opusConfig) Timescale() uint32 { return opusClock }
func (opusConfig) Size() (int, int)  { return 0, 0 }

func (opusConfig) Equal(other Config) bool {
	_, ok := other.(opusConfig)
	return ok
}

func (opusConfig) Init() ([]byte, error) {
	init, trak := newInit(opusClock, "audio")
	// RTP says opus/48000/2 whether one or two channels were encoded (RFC 7587
	// section 7); each packet tells the decoder which.
	entry := mp4.CreateAudioSampleEntryBox("Opus", 2, 16, opusClock, &mp4.DopsBox{
		OutputChannelCount: 2, PreSkip: opusPreSkip, InputSampleRate: opusClock,
	})
	trak.Mdia.Minf.Stbl.Stsd.AddChild(entry)
	return encodeInit(init)
}

// storedConfig is a configuration read back from a journal: its initialisation
// segment and what it said of itself.
type storedConfig struct {
	codec         string
	timescale     uint32
	width, height int
	init          []byte
}

// StoredConfig returns a configuration whose initialisation segment is already
// written.
func StoredConfig(codec string, timescale uint32, width, height int, init []byte) Config {
	return &storedConfig{codec: codec, timescale: timescale, width: width, height: height, init: init}
}

func (c *storedConfig) Codec() string         { return c.codec }
func (c *storedConfig) Timescale() uint32     { return c.timescale }
func (c *storedConfig) Size() (int, int)      { return c.width, c.height }
func (c *storedConfig) Init() ([]byte, error) { return c.init, nil }

// Equal compares initialisation segments, which the same configuration always
// yields the same.
func (c *storedConfig) Equal(other Config) bool {
	if other == nil {
		return false
	}
	init, err := other.Init()
	return err == nil && bytes.Equal(init, c.init)
}
