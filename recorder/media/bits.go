package media

// bits reads a header bit by bit, most significant first. Once the bytes are
// used up it yields zeros and is short.
type bits struct {
	b     []byte
	at    int // of the next bit
	short bool
}

func (r *bits) u(n int) (v uint64) {
	for range n {
		v <<= 1
		if r.at>>3 >= len(r.b) {
			r.short = true
			continue
		}
		v |= uint64(r.b[r.at>>3]>>(7-r.at&7)) & 1
		r.at++
	}
	return v
}

func (r *bits) flag() bool { return r.u(1) == 1 }

// ue reads an unsigned Exp-Golomb code (H.264 section 9.1) of up to 32 bits.
func (r *bits) ue() uint64 {
	zeros := 0
	for !r.flag() {
		if zeros++; zeros > 32 || r.short {
			r.short = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.u(zeros)
}
