package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	av1obu "github.com/Eyevinn/mp4ff/av1"
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
	kind, _, _ := strings.Cut(codec, ".")
	switch kind {
	case "avc1":
		return h264Sample(f)
	case "vp09":
		// As one packet: B and E set in the descriptor (RFC 9628 section 4.2).
		return asPacket(&vp9{}, f, append([]byte{0x0c}, sample...))
	case "av01":
		return av1Sample(f)
	}
	return Frame{}, fmt.Errorf("%w: back-fill of %q", evidence.ErrInvalid, codec)
}

// asPacket reads what a sample is as if it had come in one packet.
func asPacket(codec depacketiser, f Frame, payload []byte) (Frame, error) {
	got, err := codec.assemble([]Packet{{Payload: payload}})
	if err != nil || !bytes.Equal(got.Data, f.Data) {
		return Frame{}, fmt.Errorf("%w: not a sample as recordings hold it", evidence.ErrInvalid)
	}
	f.Key, f.Config = got.Key, got.Config
	return f, nil
}

func av1Sample(f Frame) (Frame, error) {
	payload := []byte{0} // an aggregation header: every element has its length
	for rest := f.Data; len(rest) > 0; {
		h, err := av1obu.ParseOBUHeader(rest)
		if err != nil || !h.HasSizeField || h.HeaderSize >= len(rest) {
			return Frame{}, fmt.Errorf("%w: torn OBU", evidence.ErrInvalid)
		}
		n, used, err := av1obu.ReadLEB128(rest[h.HeaderSize:])
		size := uint64(h.HeaderSize + used)
		if err != nil || n > uint64(len(rest)) || size+n > uint64(len(rest)) {
			return Frame{}, fmt.Errorf("%w: torn OBU", evidence.ErrInvalid)
		}
		size += n
		payload = append(binary.AppendUvarint(payload, size), rest[:size]...) // LEB128 is the same
		rest = rest[size:]
	}
	return asPacket(&av1{}, f, payload)
}

func h264Sample(f Frame) (Frame, error) {
	sample := f.Data
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
