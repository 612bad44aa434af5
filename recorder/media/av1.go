package media

import (
	"bytes"
	"fmt"

	av1obu "github.com/Eyevinn/mp4ff/av1"
	"github.com/Eyevinn/mp4ff/mp4"
)

// av1 is the depacketiser of "RTP Payload Format For AV1 (v1.0)" of the Alliance
// for Open Media. A sample is a temporal unit without its delimiter, every OBU with
// its size.
type av1 struct {
	config   *av1Config
	sequence *av1obu.SequenceHeader // of config
	// several: temporal units of this stream hold more than one frame, so that a
	// packet that begins with a frame need not be a unit's first.
	several bool
	resumed bool // packets were lost before the next unit
}

func (*av1) single() bool   { return false }
func (*av1) restarts() bool { return false }
func (a *av1) resume()      { a.resumed = true }

func (a *av1) configuration() Config {
	if a.config == nil {
		return nil
	}
	return a.config
}

// starts reports whether the packet is certainly a temporal unit's first: it
// begins an OBU, and one that begins a unit.
func (a *av1) starts(payload []byte) bool {
	if payload[0]&0x80 != 0 { // Z: it continues an OBU
		return false
	}
	parts, ok := av1Elements(payload)
	if !ok || len(parts) == 0 || len(parts[0]) == 0 {
		return false
	}
	switch kind := av1obu.OBUType(parts[0][0] >> 3 & 15); kind {
	case av1obu.OBUTemporalDelimiter, av1obu.OBUSequenceHeader:
		return true
	case av1obu.OBUFrame, av1obu.OBUFrameHeader:
		return !a.several
	}
	return false
}

// av1Elements takes a payload apart behind its aggregation header (section 4.4).
func av1Elements(payload []byte) ([][]byte, bool) {
	count, rest := int(payload[0]>>4&3), payload[1:]
	var out [][]byte
	for len(rest) > 0 {
		if count > 0 && len(out) == count-1 { // the last has no length
			out, rest = append(out, rest), nil
			break
		}
		n, used, err := av1obu.ReadLEB128(rest)
		if err != nil || n > uint64(len(rest)-used) {
			return nil, false
		}
		out, rest = append(out, rest[used:used+int(n)]), rest[used+int(n):]
	}
	return out, len(out) > 0 && (count == 0 || len(out) == count)
}

func (a *av1) assemble(packets []Packet) (Frame, error) {
	resumed := a.resumed
	a.resumed = false
	obus, err := av1Units(packets)
	if err != nil {
		return Frame{}, err
	}
	var f Frame
	var sequence *av1obu.SequenceHeader
	var raw []byte // of sequence
	frames, key := 0, false
	for _, o := range obus {
		switch o.Header.Type {
		case av1obu.OBUTemporalDelimiter:
			continue // not in a sample
		case av1obu.OBUSequenceHeader:
			if sequence, err = av1obu.ParseSequenceHeader(o.Payload); err != nil {
				return Frame{}, errDamaged
			}
			raw = o.Encode()
		case av1obu.OBUFrame, av1obu.OBUFrameHeader:
			known := sequence
			if known == nil {
				known = a.sequence
			}
			if frames++; frames == 1 && known != nil {
				info, err := av1obu.ParseFrameHeaderStart(o.Payload[:min(len(o.Payload), 16)], known)
				if err != nil {
					return Frame{}, errDamaged
				}
				key = !info.ShowExistingFrame && info.FrameType == av1obu.FrameTypeKey && info.ShowFrame
			}
		}
		f.Data = append(f.Data, o.Encode()...)
	}
	switch {
	case frames == 0:
		return Frame{}, errNotFrame
	case key && sequence == nil && resumed:
		return Frame{}, errDamaged // what was lost before it may have been its sequence header
	}
	a.several = a.several || frames > 1
	f.Key = key && sequence != nil
	if f.Key {
		if c := newAV1Config(sequence, raw); !c.Equal(a.configuration()) {
			a.config, f.Config = c, c
		}
		a.sequence = sequence
	}
	return f, nil
}

// av1Units puts fragments together and takes sizes off.
func av1Units(packets []Packet) ([]av1obu.OBU, error) {
	var out []av1obu.OBU
	var fragment []byte
	add := func(b []byte) bool {
		h, err := av1obu.ParseOBUHeader(b)
		if err != nil {
			return false
		}
		o := av1obu.OBU{Header: h, Payload: b[h.HeaderSize:]}
		if h.HasSizeField {
			n, used, err := av1obu.ReadLEB128(o.Payload)
			if err != nil || n != uint64(len(o.Payload)-used) {
				return false
			}
			o.Payload = o.Payload[used:]
		}
		out = append(out, o)
		return true
	}
	for _, p := range packets {
		continues, continued := p.Payload[0]&0x80 != 0, p.Payload[0]&0x40 != 0
		parts, ok := av1Elements(p.Payload)
		if !ok || continues != (fragment != nil) {
			return nil, errDamaged
		}
		for i, part := range parts {
			switch first, last := i == 0 && continues, i == len(parts)-1 && continued; {
			case first && last:
				fragment = append(fragment, part...)
			case first:
				if !add(append(fragment, part...)) {
					return nil, errDamaged
				}
				fragment = nil
			case last:
				fragment = bytes.Clone(part)
				if fragment == nil {
					fragment = []byte{}
				}
			default:
				if !add(part) {
					return nil, errDamaged
				}
			}
		}
	}
	if fragment != nil || len(out) == 0 {
		return nil, errDamaged
	}
	return out, nil
}

// av1Config is an AV1CodecConfigurationRecord with its sequence header.
type av1Config struct {
	sequence *av1obu.SequenceHeader
	raw      []byte // its OBU, with size
}

func newAV1Config(s *av1obu.SequenceHeader, raw []byte) *av1Config {
	return &av1Config{sequence: s, raw: raw}
}

// Codec is as the AV1 Codec ISO Media File Format Binding has it.
func (c *av1Config) Codec() string     { return c.sequence.CodecString("av01") }
func (c *av1Config) Timescale() uint32 { return videoClock }

func (c *av1Config) Size() (int, int) { return int(c.sequence.Width()), int(c.sequence.Height()) }

func (c *av1Config) Equal(other Config) bool {
	o, ok := other.(*av1Config)
	return ok && o != nil && bytes.Equal(c.raw, o.raw)
}

func (c *av1Config) Init() ([]byte, error) {
	width, height := c.Size()
	if width > 1<<16-1 || height > 1<<16-1 {
		return nil, fmt.Errorf("AV1 of %dx%d pixels", width, height)
	}
	init, trak := newInit(videoClock, "video")
	box := &mp4.Av1CBox{CodecConfRec: av1obu.CodecConfRecFromSequenceHeader(c.sequence, c.raw)}
	if err := trak.SetAV1Descriptor("av01", box, uint16(width), uint16(height)); err != nil {
		return nil, fmt.Errorf("AV1 configuration: %w", err)
	}
	return encodeInit(init)
}
