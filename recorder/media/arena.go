package media

// arena gives out memory for samples, many from one piece: samples that are made
// together are let go of together, and leave no holes among what lives longer.
// The zero value is ready.
type arena struct{ rest []byte }

// arenaPiece is how much is taken from the heap at once, in bytes.
const arenaPiece = 64 << 10

// take returns an empty slice with room for size bytes. What is put there stays
// valid; [arena.keep] says how much it was.
func (a *arena) take(size int) []byte {
	if size > len(a.rest) {
		if size > arenaPiece/4 {
			return make([]byte, 0, size) // a piece of its own
		}
		a.rest = make([]byte, arenaPiece)
	}
	return a.rest[:0:size]
}

// keep returns what was put into the slice last taken, and leaves the rest of it
// for others.
func (a *arena) keep(b []byte) []byte {
	if len(a.rest) > 0 && cap(b) > 0 && &b[:1][0] == &a.rest[0] {
		a.rest = a.rest[len(b):]
	}
	return b[:len(b):len(b)]
}
