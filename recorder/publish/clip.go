package publish

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/pion/webrtc/v4"

	"github.com/toldonce/toldonce/evidence"
)

//go:embed clip.mp4
var embedded []byte

// Clip is a short film in memory: one H.264, VP9 or AV1 track without reordered
// frames and one Opus track. It is never changed after loading, so it may be shared.
type Clip struct {
	mime         string // of the picture
	video, audio []sample
	length       time.Duration // after which a loop begins again
}

type sample struct {
	at   time.Duration // since the clip's beginning
	data []byte        // as of [Frame]
	key  bool
}

// Length is how long the clip plays before it ends or loops.
func (c *Clip) Length() time.Duration { return c.length }

// Demonstration is the embedded clip: 20 s, 1280x720 at 30 frames a second with
// a key frame every 2 s, H.264 Constrained Baseline, and Opus in stereo.
func Demonstration() *Clip { return demonstration() }

var demonstration = sync.OnceValue(func() *Clip {
	clip, err := Load(embedded)
	if err != nil {
		panic("embedded clip: " + err.Error())
	}
	return clip
})

// Load reads a progressive MP4 with one H.264, VP9 or AV1 and at most one Opus track.
// The error wraps [evidence.ErrInvalid] for anything else.
func Load(data []byte) (*Clip, error) {
	file, err := mp4.DecodeFile(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("clip: %w: %v", evidence.ErrInvalid, err)
	}
	if file.Moov == nil || file.IsFragmented() {
		return nil, fmt.Errorf("clip: %w: not a progressive MP4", evidence.ErrInvalid)
	}
	clip := &Clip{}
	for _, track := range file.Moov.Traks {
		description := track.Mdia.Minf.Stbl.Stsd
		switch {
		case description.AvcX != nil && clip.video == nil:
			clip.mime = webrtc.MimeTypeH264
			clip.video, err = videoSamples(data, track)
		case description.VpXX != nil && description.VpXX.Type() == "vp09" && clip.video == nil:
			clip.mime = webrtc.MimeTypeVP9
			clip.video, err = readSamples(data, track)
		case description.Av01 != nil && clip.video == nil:
			clip.mime = webrtc.MimeTypeAV1
			clip.video, err = readSamples(data, track)
		case description.Opus != nil && clip.audio == nil:
			clip.audio, err = readSamples(data, track)
		default:
			err = fmt.Errorf("%w: a track that is neither the only picture nor the only Opus", evidence.ErrInvalid)
		}
		if err != nil {
			return nil, fmt.Errorf("clip: %w", err)
		}
		timescale := int64(track.Mdia.Mdhd.Timescale)
		length := time.Duration(int64(track.Mdia.Mdhd.Duration) * int64(time.Second) / timescale)
		if description.Opus == nil || clip.length == 0 {
			clip.length = length
		}
	}
	if len(clip.video) == 0 || !clip.video[0].key {
		return nil, fmt.Errorf("clip: %w: no picture that begins with a key frame", evidence.ErrInvalid)
	}
	// What begins at the end or behind it would overlap with the next round.
	clip.audio = slices.DeleteFunc(clip.audio, func(s sample) bool { return s.at >= clip.length })
	return clip, nil
}

func readSamples(data []byte, track *mp4.TrakBox) ([]sample, error) {
	count := track.GetNrSamples()
	meta, err := track.GetSampleData(1, count)
	if err != nil {
		return nil, err
	}
	timescale := int64(track.Mdia.Mdhd.Timescale)
	samples := make([]sample, 0, count)
	var ticks int64
	for i, m := range meta {
		ranges, err := track.GetRangesForSampleInterval(uint32(i+1), uint32(i+1))
		if err != nil {
			return nil, err
		}
		var body []byte
		for _, r := range ranges {
			if r.Offset+r.Size > uint64(len(data)) {
				return nil, fmt.Errorf("%w: %v", evidence.ErrInvalid, io.ErrUnexpectedEOF)
			}
			body = append(body, data[r.Offset:r.Offset+r.Size]...)
		}
		samples = append(samples, sample{
			at:   time.Duration(ticks * int64(time.Second) / timescale),
			data: body,
			key:  m.IsSync(),
		})
		ticks += int64(m.Dur)
	}
	return samples, nil
}

func videoSamples(data []byte, track *mp4.TrakBox) ([]sample, error) {
	samples, err := readSamples(data, track)
	if err != nil {
		return nil, err
	}
	config := track.Mdia.Minf.Stbl.Stsd.AvcX.AvcC
	var parameters []byte
	for _, unit := range append(config.SPSnalus, config.PPSnalus...) {
		parameters = appendUnit(parameters, unit)
	}
	for i := range samples {
		s := &samples[i]
		var out []byte
		if s.key {
			out = append(out, parameters...)
		}
		for rest := s.data; len(rest) > 0; {
			if len(rest) < 4 {
				return nil, fmt.Errorf("%w: torn NAL unit", evidence.ErrInvalid)
			}
			size := int(uint32(rest[0])<<24 | uint32(rest[1])<<16 | uint32(rest[2])<<8 | uint32(rest[3]))
			if size == 0 || size > len(rest)-4 {
				return nil, fmt.Errorf("%w: torn NAL unit", evidence.ErrInvalid)
			}
			out = appendUnit(out, rest[4:4+size])
			rest = rest[4+size:]
		}
		s.data = out
	}
	return samples, nil
}

func appendUnit(to, unit []byte) []byte {
	return append(append(to, 0, 0, 0, 1), unit...)
}
