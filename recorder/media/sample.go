package media

import (
	"encoding/binary"
	"fmt"

	"github.com/Eyevinn/mp4ff/avc"

	"github.com/toldonce/toldonce/evidence"
)

// SampleFrame makes a frame of a sample that did not come by RTP: one that its
// source hands over again. codec is the RFC 6381 string of its track. Whether it
// is a random access point, and the decoder's configuration with it, are read from
// the sample; nothing that the source says beside it is believed. The error wraps
// [evidence.ErrInvalid].
func SampleFrame(codec string, time int64, sample []byte) (Frame, error) {
	f := Frame{Time: time, Data: sample}
	if codec == (opusConfig{}).Codec() {
		n, ok := opusLength(sample)
		if !ok {
			return Frame{}, fmt.Errorf("%w: not an Opus packet", evidence.ErrInvalid)
		}
		f.Key, f.Length, f.Config = true, n, opusConfig{}
		return f, nil
	}
	if len(codec) < 4 || codec[:4] != "avc1" {
		return Frame{}, fmt.Errorf("%w: back-fill of %q", evidence.ErrInvalid, codec)
	}
	c := &h264Config{}
	key, picture := false, false
	for rest := sample; len(rest) > 0; {
		if len(rest) < 5 {
			return Frame{}, fmt.Errorf("%w: torn NAL unit", evidence.ErrInvalid)
		}
		n := binary.BigEndian.Uint32(rest)
		if n == 0 || uint64(n) > uint64(len(rest)-4) {
			return Frame{}, fmt.Errorf("%w: torn NAL unit", evidence.ErrInvalid)
		}
		unit := rest[4 : 4+n]
		rest = rest[4+n:]
		switch kind := unit[0] & 31; {
		case kind == nalIDR:
			key, picture = true, true
		case kind >= nalSlice && kind <= nalSliceC:
			picture = true
		case kind == nalSPS && len(c.sps) < maxParameterSets:
			c.sps = append(c.sps, append([]byte{}, unit...))
		case kind == nalPPS && len(c.pps) < maxParameterSets:
			c.pps = append(c.pps, append([]byte{}, unit...))
		}
	}
	if !picture {
		return Frame{}, fmt.Errorf("%w: no picture in it", evidence.ErrInvalid)
	}
	f.Key = key
	if key && len(c.sps) > 0 && len(c.pps) > 0 {
		parsed, err := avc.ParseSPSNALUnit(c.sps[0], true)
		if err != nil {
			return Frame{}, fmt.Errorf("%w: parameter sets: %v", evidence.ErrInvalid, err)
		}
		c.width, c.height, c.codec = int(parsed.Width), int(parsed.Height), avc.CodecString("avc1", parsed)
		f.Config = c
	}
	return f, nil
}
