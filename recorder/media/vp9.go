package media

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"
	vp9header "github.com/Eyevinn/mp4ff/vp9"
)

// vp9 is the depacketiser of RFC 9628. Spatial layers of a picture become one
// superframe, as a decoder wants them.
type vp9 struct{ config *vp9Config }

func (*vp9) single() bool   { return false }
func (*vp9) restarts() bool { return false } // picture ids run on over key frames
func (*vp9) resume()        {}

func (v *vp9) configuration() Config {
	if v.config == nil {
		return nil
	}
	return v.config
}

// starts reports whether the packet begins the first layer of a picture.
func (*vp9) starts(payload []byte) bool {
	d, ok := parseVP9(payload)
	return ok && d.begins && d.layer == 0
}

// vp9Descriptor is what a payload descriptor says (RFC 9628 section 4.2).
type vp9Descriptor struct {
	begins, ends bool // of a layer's frame
	layer        int  // spatial
	picture      order
	data         []byte
}

func parseVP9(b []byte) (d vp9Descriptor, ok bool) {
	if len(b) == 0 {
		return d, false
	}
	flags := b[0]
	has := func(bit byte) bool { return flags&bit != 0 }
	const (
		hasPicture, predicted, layered, flexible, begins, ends, structured = 0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02
	)
	d.begins, d.ends = has(begins), has(ends)
	at := 1
	next := func() (byte, bool) {
		if at >= len(b) {
			return 0, false
		}
		at++
		return b[at-1], true
	}
	if has(hasPicture) {
		id, ok := next()
		if !ok {
			return d, false
		}
		d.picture = order{known: true, value: int64(id & 0x7f), mod: 1 << 7}
		if id&0x80 != 0 {
			low, ok := next()
			if !ok {
				return d, false
			}
			d.picture = order{known: true, value: int64(id&0x7f)<<8 | int64(low), mod: 1 << 15}
		}
	}
	if has(layered) {
		l, ok := next()
		if !ok {
			return d, false
		}
		d.layer = int(l >> 1 & 7)
		if !has(flexible) {
			if _, ok := next(); !ok { // TL0PICIDX
				return d, false
			}
		}
	}
	if has(flexible) && has(predicted) {
		for i := 0; ; i++ {
			diff, ok := next()
			if !ok || i == 3 {
				return d, false
			}
			if diff&1 == 0 {
				break
			}
		}
	}
	if has(structured) {
		s, ok := next()
		if !ok {
			return d, false
		}
		if s&0x10 != 0 { // resolutions
			at += (int(s>>5) + 1) * 4
		}
		if s&0x08 != 0 { // a group of pictures
			n, ok := next()
			if !ok {
				return d, false
			}
			for range n {
				p, ok := next()
				if !ok {
					return d, false
				}
				at += int(p >> 2 & 3)
			}
		}
	}
	if at >= len(b) {
		return d, false
	}
	d.data = b[at:]
	return d, true
}

func (v *vp9) assemble(packets []Packet) (Frame, error) {
	size := 0
	for _, p := range packets {
		size += len(p.Payload)
	}
	data := make([]byte, 0, size+32)
	var sizes []int // of the layers' frames
	var picture order
	inside, layer := false, -1
	for i, p := range packets {
		d, ok := parseVP9(p.Payload)
		switch {
		case !ok, d.begins == inside, // begun twice, or not at all
			i > 0 && d.picture != picture,
			d.begins && d.layer <= layer, !d.begins && d.layer != layer:
			return Frame{}, errDamaged
		}
		if d.begins {
			sizes = append(sizes, 0)
		}
		data = append(data, d.data...)
		sizes[len(sizes)-1] += len(d.data)
		picture, layer, inside = d.picture, d.layer, !d.ends
	}
	if inside {
		return Frame{}, errDamaged
	}
	h, err := vp9header.ParseFrameHeader(data[:min(len(data), 32)])
	if err != nil {
		return Frame{}, errDamaged
	}
	f := Frame{Key: h.KeyFrame, order: picture}
	if len(sizes) > 1 {
		data = superframe(data, sizes)
	}
	f.Data = data
	if h.KeyFrame {
		c := vp9ConfigOf(h)
		if w, ht, ok := largestLayer(packets[0].Payload); ok && len(sizes) > 1 {
			c.width, c.height = w, ht
			c.box.Level = vp9header.Level(uint32(w), uint32(ht), vp9Rate)
		}
		if !c.Equal(v.configuration()) {
			v.config, f.Config = c, c
		}
	}
	return f, nil
}

// superframe appends the index that tells a decoder where each frame ends (VP9
// bitstream specification, annex B).
func superframe(data []byte, sizes []int) []byte {
	marker := byte(0xc0 | 3<<3 | len(sizes) - 1) // four bytes each
	data = append(data, marker)
	for _, n := range sizes {
		data = binary.LittleEndian.AppendUint32(data, uint32(n))
	}
	return append(data, marker)
}

// largestLayer reads the size of the highest spatial layer from the scalability
// structure of a picture's first packet.
func largestLayer(b []byte) (width, height int, ok bool) {
	if b[0]&0x02 == 0 {
		return 0, 0, false
	}
	d, ok := parseVP9(b)
	if !ok {
		return 0, 0, false
	}
	// The structure stands right before the data; its first byte says how long it is.
	header := b[:len(b)-len(d.data)]
	at := 1
	if b[0]&0x80 != 0 {
		if at++; header[at-1]&0x80 != 0 {
			at++
		}
	}
	if b[0]&0x20 != 0 {
		if at++; b[0]&0x10 == 0 {
			at++
		}
	}
	if b[0]&0x50 == 0x50 {
		for header[at]&1 != 0 {
			at++
		}
		at++
	}
	s := header[at]
	if s&0x10 == 0 {
		return 0, 0, false
	}
	last := at + 1 + int(s>>5)*4
	return int(binary.BigEndian.Uint16(header[last:])), int(binary.BigEndian.Uint16(header[last+2:])), true
}

// vp9Rate is the frame rate that levels are stated for: what WebRTC sends at most.
const vp9Rate = 60

// vp9Config is a VPCodecConfigurationRecord with the picture's size.
type vp9Config struct {
	box           mp4.VppCBox
	width, height int
}

func vp9ConfigOf(h *vp9header.Header) *vp9Config {
	c := &vp9Config{width: int(h.Width), height: int(h.Height)}
	c.box = mp4.VppCBox{
		Version: 1, Profile: h.Profile, Level: vp9header.Level(h.Width, h.Height, vp9Rate),
		BitDepth: h.BitDepth, ChromaSubsampling: h.VpcCChromaSubsampling(),
	}
	c.box.ColourPrimaries, c.box.TransferCharacteristics, c.box.MatrixCoefficients = h.CICP()
	if h.ColorRange {
		c.box.VideoFullRangeFlag = 1
	}
	return c
}

// Codec is as "Codecs Parameter String" of the VP Codec ISO Media File Format Binding.
func (c *vp9Config) Codec() string {
	return fmt.Sprintf("vp09.%02d.%02d.%02d", c.box.Profile, c.box.Level, c.box.BitDepth)
}

func (c *vp9Config) Timescale() uint32 { return videoClock }
func (c *vp9Config) Size() (int, int)  { return c.width, c.height }

func (c *vp9Config) Equal(other Config) bool {
	o, ok := other.(*vp9Config)
	if !ok || o == nil || c.width != o.width || c.height != o.height {
		return false
	}
	var a, b bytes.Buffer
	return c.box.Encode(&a) == nil && o.box.Encode(&b) == nil && bytes.Equal(a.Bytes(), b.Bytes())
}

func (c *vp9Config) Init() ([]byte, error) {
	if c.width > 1<<16-1 || c.height > 1<<16-1 {
		return nil, fmt.Errorf("VP9 of %dx%d pixels", c.width, c.height)
	}
	init, trak := newInit(videoClock, "video")
	box := c.box
	if err := trak.SetVPxDescriptor("vp09", &box, uint16(c.width), uint16(c.height)); err != nil {
		return nil, fmt.Errorf("VP9 configuration: %w", err)
	}
	return encodeInit(init)
}
