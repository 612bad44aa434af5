package verify

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// This is a reader for exactly what is checked in an MP4 file (ISO/IEC
// 14496-12), rather than a library's, because the bytes may be hostile: it
// allocates nothing, believes no count without the bytes for it, and recurses
// into no box.

// track is what an init says.
type track struct {
	id        uint32
	timescale uint32
	handler   string // "vide" or "soun"
	codec     string // four-character code of the one sample entry
	defaults  sampleDefaults
}

type sampleDefaults struct{ duration, size, flags uint32 }

// media is what a segment says.
type media struct {
	decodeTime uint64
	duration   uint64 // from the first sample's decode time to the end of the last
	frames     uint64
	sync       bool     // the first sample is a random access point
	sizes      []uint32 // of the samples, where each says its own
}

const sampleIsNonSync = 1 << 16

var errShort = errors.New("a box is cut off")

// nextBox splits the first box off data.
func nextBox(data []byte) (kind string, body, rest []byte, err error) {
	if len(data) < 8 {
		return "", nil, nil, errShort
	}
	size := uint64(binary.BigEndian.Uint32(data))
	head := uint64(8)
	if size == 1 {
		if len(data) < 16 {
			return "", nil, nil, errShort
		}
		size, head = binary.BigEndian.Uint64(data[8:]), 16
	}
	if size < head || size > uint64(len(data)) {
		return "", nil, nil, errShort
	}
	return string(data[4:8]), data[head:size], data[size:], nil
}

// one returns the only box of a kind among the boxes of data.
func one(data []byte, kind string) ([]byte, error) {
	var found []byte
	for len(data) > 0 {
		k, body, rest, err := nextBox(data)
		if err != nil {
			return nil, err
		}
		if k == kind {
			if found != nil {
				return nil, fmt.Errorf("box %s is there twice", kind)
			}
			found = body
		}
		data = rest
	}
	if found == nil {
		return nil, fmt.Errorf("box %s is missing", kind)
	}
	return found, nil
}

func descend(data []byte, kinds ...string) ([]byte, error) {
	for _, k := range kinds {
		var err error
		if data, err = one(data, k); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// fields reads big-endian numbers off the front of a box; the first failure
// stays.
type fields struct {
	data []byte
	err  error
}

func (f *fields) skip(n int) {
	if len(f.data) < n {
		f.data, f.err = nil, errShort
		return
	}
	f.data = f.data[n:]
}

func (f *fields) u32() uint32 {
	if len(f.data) < 4 {
		f.data, f.err = nil, errShort
		return 0
	}
	v := binary.BigEndian.Uint32(f.data)
	f.data = f.data[4:]
	return v
}

func (f *fields) u64() uint64 {
	hi := uint64(f.u32())
	return hi<<32 | uint64(f.u32())
}

func (f *fields) text4() string {
	if len(f.data) < 4 {
		f.data, f.err = nil, errShort
		return ""
	}
	v := string(f.data[:4])
	f.data = f.data[4:]
	return v
}

// parseInit reads an initialisation segment of one track.
func parseInit(data []byte) (track, error) {
	var t track
	moov, err := one(data, "moov")
	if err != nil {
		return t, err
	}
	trak, err := one(moov, "trak")
	if err != nil {
		return t, err
	}
	tkhd, err := one(trak, "tkhd")
	if err != nil {
		return t, err
	}
	f := fields{data: tkhd}
	if version := f.u32() >> 24; version == 1 {
		f.skip(16)
	} else {
		f.skip(8)
	}
	t.id = f.u32()
	mdhd, err := descend(trak, "mdia", "mdhd")
	if err != nil {
		return t, err
	}
	g := fields{data: mdhd}
	if version := g.u32() >> 24; version == 1 {
		g.skip(16)
	} else {
		g.skip(8)
	}
	t.timescale = g.u32()
	hdlr, err := descend(trak, "mdia", "hdlr")
	if err != nil {
		return t, err
	}
	h := fields{data: hdlr}
	h.skip(8)
	t.handler = h.text4()
	stsd, err := descend(trak, "mdia", "minf", "stbl", "stsd")
	if err != nil {
		return t, err
	}
	s := fields{data: stsd}
	s.skip(4)
	if n := s.u32(); n != 1 && s.err == nil {
		return t, fmt.Errorf("%d sample entries; there must be one", n)
	}
	if s.err == nil {
		kind, _, rest, err := nextBox(s.data)
		if err != nil || len(rest) > 0 {
			return t, errors.New("the sample entry is malformed")
		}
		t.codec = kind
	}
	trex, err := descend(moov, "mvex", "trex")
	if err != nil {
		return t, err
	}
	x := fields{data: trex}
	x.skip(4)
	id := x.u32()
	x.skip(4)
	t.defaults = sampleDefaults{duration: x.u32(), size: x.u32(), flags: x.u32()}
	if err := errors.Join(f.err, g.err, h.err, s.err, x.err); err != nil {
		return t, err
	}
	if id != t.id || t.timescale == 0 {
		return t, errors.New("its track is not described")
	}
	return t, nil
}

// parseMedia reads a media segment: movie fragments of the one track, each with
// its data. Every byte of the data must belong to a sample.
func parseMedia(data []byte, t track) (media, error) {
	var out media
	var end, samples, payload uint64
	fragments := 0
	for len(data) > 0 {
		kind, body, rest, err := nextBox(data)
		if err != nil {
			return out, err
		}
		data = rest
		switch kind {
		case "moof":
			m, size, err := parseFragment(body, t)
			if err != nil {
				return out, err
			}
			if fragments == 0 {
				out.decodeTime, out.sync = m.decodeTime, m.sync
			} else if m.decodeTime < end {
				return out, errors.New("its fragments overlap")
			}
			if m.decodeTime > math.MaxUint64-m.duration {
				return out, errors.New("its times overflow")
			}
			end = m.decodeTime + m.duration
			out.frames += m.frames
			out.sizes = append(out.sizes, m.sizes...)
			samples += size
			fragments++
		case "mdat":
			payload += uint64(len(body))
		case "styp", "prft", "sidx":
		default:
			return out, fmt.Errorf("box %q has no place in a segment", kind)
		}
	}
	if fragments == 0 {
		return out, errors.New("it has no movie fragment")
	}
	if samples != payload {
		return out, fmt.Errorf("its samples have %d bytes and its data %d", samples, payload)
	}
	out.duration = end - out.decodeTime
	return out, nil
}

// parseFragment reads a moof box and returns the bytes of its samples too.
func parseFragment(moof []byte, t track) (m media, size uint64, err error) {
	traf, err := one(moof, "traf")
	if err != nil {
		return m, 0, err
	}
	tfhd, err := one(traf, "tfhd")
	if err != nil {
		return m, 0, err
	}
	def := t.defaults
	f := fields{data: tfhd}
	flags := f.u32()
	if id := f.u32(); id != t.id {
		return m, 0, fmt.Errorf("it is of track %d", id)
	}
	if flags&0x01 != 0 {
		f.skip(8)
	}
	if flags&0x02 != 0 {
		f.skip(4)
	}
	if flags&0x08 != 0 {
		def.duration = f.u32()
	}
	if flags&0x10 != 0 {
		def.size = f.u32()
	}
	if flags&0x20 != 0 {
		def.flags = f.u32()
	}
	if f.err != nil {
		return m, 0, f.err
	}
	tfdt, err := one(traf, "tfdt")
	if err != nil {
		return m, 0, err
	}
	d := fields{data: tfdt}
	if version := d.u32() >> 24; version == 1 {
		m.decodeTime = d.u64()
	} else {
		m.decodeTime = uint64(d.u32())
	}
	if d.err != nil {
		return m, 0, d.err
	}
	for first := true; len(traf) > 0; {
		kind, body, rest, err := nextBox(traf)
		if err != nil {
			return m, 0, err
		}
		traf = rest
		if kind != "trun" {
			continue
		}
		r, bytes, err := parseRun(body, def)
		if err != nil {
			return m, 0, err
		}
		if r.frames > 0 && first {
			m.sync, first = r.sync, false
		}
		m.frames += r.frames
		m.sizes = append(m.sizes, r.sizes...)
		m.duration += r.duration
		size += bytes
	}
	if m.frames == 0 {
		return m, 0, errors.New("a fragment has no sample")
	}
	return m, size, nil
}

// parseRun adds up a trun box. Counts and sums fit: a run's fields lie in the
// box, and one without fields multiplies two 32-bit numbers.
func parseRun(trun []byte, def sampleDefaults) (m media, size uint64, err error) {
	f := fields{data: trun}
	flags := f.u32()
	count := uint64(f.u32())
	if flags&0x01 != 0 {
		f.skip(4)
	}
	first := def.flags
	if flags&0x04 != 0 {
		first = f.u32()
	}
	each := 0
	for bit := uint32(0x100); bit <= 0x800; bit <<= 1 {
		if flags&bit != 0 {
			each += 4
		}
	}
	if f.err != nil || uint64(len(f.data)) != count*uint64(each) {
		return m, 0, errors.New("a run of samples has not the length that it says")
	}
	m.frames = count
	if flags&0x100 == 0 {
		m.duration = count * uint64(def.duration)
	}
	if flags&0x200 == 0 {
		size = count * uint64(def.size)
	}
	m.sync = first&sampleIsNonSync == 0
	if each == 0 {
		return m, size, nil
	}
	for i := range count {
		if flags&0x100 != 0 {
			m.duration += uint64(f.u32())
		}
		if flags&0x200 != 0 {
			own := f.u32()
			size += uint64(own)
			m.sizes = append(m.sizes, own)
		}
		if flags&0x400 != 0 {
			if own := f.u32(); i == 0 && flags&0x04 == 0 {
				m.sync = own&sampleIsNonSync == 0
			}
		}
		if flags&0x800 != 0 {
			f.skip(4)
		}
	}
	return m, size, f.err
}
