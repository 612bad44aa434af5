package media

import (
	"bytes"
	"testing"
)

// What was given out is never given out again, whatever its size and whatever of it
// was used.
func TestAnArenaGivesOutEachByteOnce(t *testing.T) {
	var a arena
	type given struct {
		b    []byte
		mark byte
	}
	var all []given
	for i := range 3000 {
		size := (i*i*7)%2000 + 1
		if i%100 == 0 {
			size = arenaPiece/4 + i
		}
		b := a.take(size)
		if len(b) != 0 || cap(b) < size {
			t.Fatalf("%d bytes with room for %d, asked for %d", len(b), cap(b), size)
		}
		if i%5 == 0 {
			continue // given up: the next may have it
		}
		used := size
		if i%3 == 0 {
			used = size / 2
		}
		if i%7 == 0 {
			used = size + 10 // more than was asked for moves elsewhere
		}
		mark := byte(i)
		b = a.keep(append(b, bytes.Repeat([]byte{mark}, used)...))
		if len(b) != used || cap(b) != used {
			t.Fatalf("%d of %d bytes are kept", len(b), used)
		}
		all = append(all, given{b, mark})
	}
	for i, g := range all {
		if !bytes.Equal(g.b, bytes.Repeat([]byte{g.mark}, len(g.b))) {
			t.Fatalf("piece %d was overwritten", i)
		}
	}
}
