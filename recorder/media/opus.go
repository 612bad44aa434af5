package media

// opusClock is the RTP clock rate of Opus, whatever it was encoded at (RFC 7587
// section 4.1).
const opusClock = 48000

// opusDepacketiser is that of RFC 7587: a packet is a frame.
type opusDepacketiser struct {
	told  bool
	arena arena
}

func (*opusDepacketiser) single() bool       { return true }
func (*opusDepacketiser) starts([]byte) bool { return true }
func (*opusDepacketiser) restarts() bool     { return false }
func (*opusDepacketiser) configuration() Config {
	return opusConfig{}
}
func (*opusDepacketiser) resume() {}

func (o *opusDepacketiser) assemble(packets []Packet) (Frame, error) {
	n, ok := opusLength(packets[0].Payload)
	if !ok {
		return Frame{}, errDamaged
	}
	f := Frame{Key: true, Data: o.arena.keep(append(o.arena.take(len(packets[0].Payload)), packets[0].Payload...)), Length: n}
	if !o.told {
		o.told = true
		f.Config = opusConfig{}
	}
	return f, nil
}

// opusLength returns the duration of an Opus packet in samples of 48 kHz (RFC
// 6716 section 3.1), and whether the packet is well formed as far as that shows.
func opusLength(p []byte) (int64, bool) {
	if len(p) == 0 {
		return 0, false
	}
	var frame int64
	switch config := p[0] >> 3; {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		frame = [4]int64{480, 960, 1920, 2880}[config&3]
	case config < 16: // hybrid: 10, 20 ms
		frame = [2]int64{480, 960}[config&1]
	default: // CELT: 2.5, 5, 10, 20 ms
		frame = [4]int64{120, 240, 480, 960}[config&3]
	}
	count := int64(1)
	switch p[0] & 3 {
	case 1:
		if len(p)%2 == 0 { // two frames of one size
			return 0, false
		}
		count = 2
	case 2:
		count = 2
	case 3:
		if len(p) < 2 {
			return 0, false
		}
		count = int64(p[1] & 63)
	}
	n := frame * count
	return n, n > 0 && n <= 5760 // 120 ms
}
