package media

// Epoch is added to the first timestamp and the first sequence number of a
// stream, so that packets from before the first one that arrived keep positive
// numbers.
const Epoch = 1 << 32

// seqUnwrapper extends 16-bit sequence numbers (RFC 3550 appendix A.1).
type seqUnwrapper struct {
	last    int64
	started bool
}

// peek returns the extended number nearest to the last one that was noted.
func (u *seqUnwrapper) peek(n uint16) int64 {
	if !u.started {
		return Epoch + int64(n)
	}
	return u.last + int64(int16(n-uint16(u.last)))
}

// note makes n the number that others are extended against.
func (u *seqUnwrapper) note(n int64) { u.last, u.started = n, true }

// timeUnwrapper extends 32-bit RTP timestamps.
type timeUnwrapper struct {
	last    int64
	started bool
}

func (u *timeUnwrapper) peek(t uint32) int64 {
	if !u.started {
		return Epoch + int64(t)
	}
	return u.last + int64(int32(t-uint32(u.last)))
}

func (u *timeUnwrapper) note(t int64) { u.last, u.started = t, true }
