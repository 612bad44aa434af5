package media

import "fmt"

// FirstFrame returns a fragment that holds only the first frame of a fragment
// that this package wrote, at a decode time and with a duration in units of the
// timescale: what a decoder needs for one picture of an independent segment. The
// error wraps [ErrFragment].
func FirstFrame(fragment []byte, sequence uint32, decodeTime int64, duration uint32) ([]byte, error) {
	f, err := ParseFragment(fragment)
	if err != nil {
		return nil, err
	}
	if len(f.Samples) == 0 || !f.Samples[0].Key {
		return nil, fmt.Errorf("%w: it does not begin with a key frame", ErrFragment)
	}
	return encodeFragment(sequence, decodeTime, []Sample{{Duration: duration, Key: true, Data: f.Samples[0].Data}})
}
