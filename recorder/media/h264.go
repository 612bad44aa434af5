package media

import (
	"bytes"
	"encoding/binary"

	"github.com/Eyevinn/mp4ff/avc"
)

// NAL unit types of H.264 (table 7-1) and of its RTP payload (RFC 6184 table 1).
const (
	nalSlice     = 1
	nalSliceC    = 4
	nalIDR       = 5
	nalSEI       = 6
	nalSPS       = 7
	nalPPS       = 8
	nalDelimiter = 9
	nalLastUnit  = 23
	nalSTAPA     = 24
	nalFUA       = 28
)

const maxParameterSets = 32

// h264 is the depacketiser of RFC 6184, packetization modes 0 and 1.
type h264 struct {
	sps, pps [][]byte // as last sent
	config   *h264Config
	// pending are parameter sets and the like that came with a timestamp of
	// their own; they belong to the next picture.
	pending [][]byte
	// leads are the types of the first NAL unit that pictures of each kind
	// begin with: without and with a random access point.
	leads [2]byte
	arena arena
}

func newH264(sps, pps [][]byte) *h264 { return &h264{sps: sps, pps: pps} }

func (*h264) single() bool { return false }

// restarts: frame_num is 0 in every IDR picture.
func (*h264) restarts() bool { return true }

func (h *h264) configuration() Config {
	if h.config == nil {
		return nil
	}
	return h.config
}

func (h *h264) resume() { h.pending = nil }

// starts accepts a payload that begins with what pictures of this stream begin
// with: access unit delimiter, parameter sets, SEI, or else the first slice.
func (h *h264) starts(payload []byte) bool {
	unit := payload
	switch unit[0] & 31 {
	case nalSTAPA:
		if len(unit) < 4 {
			return false
		}
		unit = unit[3:]
	case nalFUA:
		if len(unit) < 3 || unit[1]&0x80 == 0 {
			return false
		}
		unit = append([]byte{unit[0]&0xe0 | unit[1]&31}, unit[2:]...)
	}
	kind := unit[0] & 31
	if h.leads[1] == 0 { // nothing is known of the stream yet
		if kind != nalSlice && kind != nalIDR && (kind < nalSEI || kind > nalDelimiter || kind == nalPPS) {
			return false
		}
	} else if kind != h.leads[0] && kind != h.leads[1] {
		return false
	}
	// A picture's first slice begins with macroblock 0: ue(v) 0 is one bit 1.
	return kind < nalSlice || kind > nalIDR || len(unit) > 1 && unit[1]&0x80 != 0
}

func (h *h264) assemble(packets []Packet) (Frame, error) {
	sample, units, err := h.nalUnits(packets)
	if err != nil {
		return Frame{}, err
	}
	var sps, pps [][]byte
	key, picture := false, false
	for _, u := range units {
		switch kind := u[0] & 31; {
		case kind == nalIDR:
			key, picture = true, true
		case kind >= nalSlice && kind <= nalSliceC:
			picture = true
		case kind == nalSPS:
			sps = append(sps, u)
		case kind == nalPPS:
			pps = append(pps, u)
		}
	}
	h.learn(sps, pps)
	if !picture {
		if len(h.pending)+len(units) <= 2*maxParameterSets {
			for _, u := range units {
				h.pending = append(h.pending, bytes.Clone(u))
			}
		}
		return Frame{}, errNotFrame
	}
	if len(h.pending) > 0 {
		units = append(h.pending, units...)
		sample = lengthPrefixed(units)
		h.pending = nil
	}
	lead := units[0][0] & 31
	if key {
		h.leads[1] = lead
	} else {
		h.leads[0] = lead
	}
	f := Frame{Key: key, Data: sample}
	if key && len(h.sps) > 0 && len(h.pps) > 0 {
		if c := (&h264Config{sps: h.sps, pps: h.pps}); !c.Equal(h.config) {
			if parsed, err := avc.ParseSPSNALUnit(h.sps[0], true); err == nil {
				c.width, c.height = int(parsed.Width), int(parsed.Height)
				c.codec = avc.CodecString("avc1", parsed)
				if parsed.FrameMbsOnlyFlag && !parsed.GapsInFrameNumValueAllowedFlag && !parsed.SeparateColourPlaneFlag {
					c.numberBits = int(parsed.Log2MaxFrameNumMinus4) + 4
				}
				h.config = c
				f.Config = c
			}
		}
	}
	f.Key = key && h.config != nil
	f.order = h.order(units, key)
	return f, nil
}

// order reads frame_num (H.264 section 7.4.3), which counts the pictures that
// others refer to: all of them, in what WebRTC sends. Where a picture is not
// referred to, or SPS or slice say that the number may leave some out or are of
// another kind, nothing is known.
func (h *h264) order(units [][]byte, key bool) order {
	if !h.config.counts() {
		return order{}
	}
	for _, u := range units {
		kind := u[0] & 31
		if kind < nalSlice || kind > nalIDR {
			continue
		}
		if u[0]&0x60 == 0 {
			return order{}
		}
		var header [24]byte
		r := bits{b: unescape(header[:0], u[1:])}
		r.ue() // first_mb_in_slice
		r.ue() // slice_type
		r.ue() // pic_parameter_set_id
		n := r.u(h.config.numberBits)
		if r.short {
			return order{}
		}
		return order{known: true, value: int64(n), mod: 1 << h.config.numberBits, restarts: key}
	}
	return order{}
}

// unescape appends to dst, as far as it has room, what a NAL unit's bytes stand
// for: without emulation prevention (H.264 section 7.4.1).
func unescape(dst, unit []byte) []byte {
	zeros := 0
	for _, b := range unit {
		if len(dst) == cap(dst) {
			break
		}
		if zeros >= 2 && b == 3 {
			zeros = 0
			continue
		}
		if b == 0 {
			zeros++
		} else {
			zeros = 0
		}
		dst = append(dst, b)
	}
	return dst
}

// counts reports whether frame_num has to be one more in each picture.
func (c *h264Config) counts() bool { return c != nil && c.numberBits > 0 }

// learn keeps the parameter sets that a picture brings. Sets that come without
// an SPS are additions and replacements by identifier.
func (h *h264) learn(sps, pps [][]byte) {
	if len(sps) > maxParameterSets || len(pps) > maxParameterSets {
		return
	}
	if len(sps) > 0 {
		h.sps = cloneAll(sps)
		if len(pps) > 0 {
			h.pps = cloneAll(pps)
		}
		return
	}
	for _, p := range pps {
		h.pps = replacePPS(h.pps, bytes.Clone(p))
	}
}

// replacePPS puts p in the place of the one with the same identifier.
func replacePPS(all [][]byte, p []byte) [][]byte {
	out := make([][]byte, 0, len(all)+1)
	replaced := false
	for _, old := range all {
		if !replaced && samePPS(old, p) {
			out, replaced = append(out, p), true
			continue
		}
		out = append(out, old)
	}
	if !replaced && len(out) < maxParameterSets {
		out = append(out, p)
	}
	return out
}

// samePPS compares pic_parameter_set_id, the first ue(v) of a PPS.
func samePPS(a, b []byte) bool {
	x, okX := firstUE(a)
	y, okY := firstUE(b)
	return okX && okY && x == y
}

// firstUE reads the unsigned Exp-Golomb code right after a NAL unit's header
// (H.264 section 9.1). Codes of up to 15 bits suffice for identifiers.
func firstUE(unit []byte) (uint32, bool) {
	if len(unit) < 3 {
		return 0, false
	}
	bits := uint32(unit[1])<<8 | uint32(unit[2])
	for zeros := range 8 {
		if bits&(1<<(15-zeros)) != 0 {
			return bits>>(15-2*zeros)&(1<<(zeros+1)-1) - 1, true
		}
	}
	return 0, false
}

func cloneAll(in [][]byte) [][]byte {
	out := make([][]byte, len(in))
	for i, b := range in {
		out[i] = bytes.Clone(b)
	}
	return out
}

// nalUnits takes the packets of one access unit apart. It returns the units, each
// with its length in four bytes before it, as an MP4 sample has them (ISO 14496-15),
// and where they are in there. Any packet that is not exactly as RFC 6184 says makes
// the frame damaged.
func (h *h264) nalUnits(packets []Packet) (sample []byte, units [][]byte, err error) {
	size := 0
	for _, p := range packets {
		size += len(p.Payload) + 8 // more is needed only for many units in one packet
	}
	sample = h.arena.take(size)
	ends := make([]int, 0, 8) // of the units in sample
	begin := func() { sample = append(sample, 0, 0, 0, 0) }
	end := func() {
		from := 0
		if n := len(ends); n > 0 {
			from = ends[n-1]
		}
		binary.BigEndian.PutUint32(sample[from:], uint32(len(sample)-from-4))
		ends = append(ends, len(sample))
	}
	open, header := false, byte(0) // a unit that is sent in fragments
	for _, p := range packets {
		b := p.Payload
		if b[0]&0x80 != 0 { // forbidden_zero_bit: the sender itself says it is damaged
			return nil, nil, errDamaged
		}
		kind := b[0] & 31
		if open && kind != nalFUA {
			return nil, nil, errDamaged
		}
		switch {
		case kind >= 1 && kind <= nalLastUnit:
			begin()
			sample = append(sample, b...)
			end()
		case kind == nalSTAPA:
			rest := b[1:]
			if len(rest) == 0 {
				return nil, nil, errDamaged
			}
			for len(rest) > 0 {
				if len(rest) < 2 {
					return nil, nil, errDamaged
				}
				n := int(binary.BigEndian.Uint16(rest))
				if n == 0 || n > len(rest)-2 {
					return nil, nil, errDamaged
				}
				unit := rest[2 : 2+n]
				if k := unit[0] & 31; unit[0]&0x80 != 0 || k == 0 || k > nalLastUnit {
					return nil, nil, errDamaged
				}
				begin()
				sample = append(sample, unit...)
				end()
				rest = rest[2+n:]
			}
		case kind == nalFUA:
			if len(b) < 3 {
				return nil, nil, errDamaged
			}
			first, last, reserved := b[1]&0x80 != 0, b[1]&0x40 != 0, b[1]&0x20 != 0
			of := b[0]&0xe0 | b[1]&31
			if first == open || first && last || reserved || of&31 == 0 || of&31 > nalLastUnit || !first && of != header {
				return nil, nil, errDamaged
			}
			if first {
				begin()
				sample = append(sample, of)
				open, header = true, of
			}
			sample = append(sample, b[2:]...)
			if last {
				end()
				open = false
			}
		default:
			return nil, nil, errDamaged
		}
	}
	if open || len(ends) == 0 {
		return nil, nil, errDamaged
	}
	sample = h.arena.keep(sample)
	units = make([][]byte, len(ends))
	from := 0
	for i, to := range ends {
		units[i] = sample[from+4 : to : to]
		from = to
	}
	return sample, units, nil
}

// lengthPrefixed writes NAL units as an MP4 sample has them (ISO 14496-15).
func lengthPrefixed(units [][]byte) []byte {
	n := 0
	for _, u := range units {
		n += 4 + len(u)
	}
	out := make([]byte, 0, n)
	for _, u := range units {
		out = binary.BigEndian.AppendUint32(out, uint32(len(u)))
		out = append(out, u...)
	}
	return out
}
