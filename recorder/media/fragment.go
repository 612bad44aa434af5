package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/Eyevinn/mp4ff/mp4"
)

// ErrFragment is returned for bytes that are no fragment as this package writes
// them: one moof box with one track run, then one mdat box.
var ErrFragment = errors.New("not a media fragment of this program")

// Sample is one frame in a fragment.
type Sample struct {
	Duration uint32 // in units of the timescale
	Shift    int32  // presentation minus decode time
	Key      bool
	Data     []byte // aliases the fragment
}

// Fragment is what a media segment holds.
type Fragment struct {
	DecodeTime uint64
	Samples    []Sample
}

// Duration is the sum of the samples' durations.
func (f Fragment) Duration() uint64 {
	var d uint64
	for _, s := range f.Samples {
		d += uint64(s.Duration)
	}
	return d
}

// encodeFragment writes a CMAF fragment: moof (mfhd, tfhd, tfdt version 1,
// trun version 1) and mdat.
func encodeFragment(sequence uint32, decodeTime int64, samples []Sample) ([]byte, error) {
	frag, err := mp4.CreateFragment(sequence, trackID)
	if err != nil {
		return nil, fmt.Errorf("fragment: %w", err)
	}
	traf := frag.Moof.Traf
	traf.Tfdt.SetBaseMediaDecodeTime(uint64(decodeTime))
	traf.Tfdt.Version = 1 // room for any time, so that Rebase never moves a byte
	size := uint64(0)
	for _, s := range samples {
		flags := uint32(mp4.NonSyncSampleFlags)
		if s.Key {
			flags = mp4.SyncSampleFlags
		}
		traf.Trun.AddSample(mp4.NewSample(flags, s.Duration, uint32(len(s.Data)), s.Shift))
		size += uint64(len(s.Data))
	}
	// The samples go straight to where they stay.
	const header = 8
	frag.SetTrunDataOffsets()
	if size+header > math.MaxUint32 {
		return nil, fmt.Errorf("fragment: %d bytes of media", size)
	}
	var out bytes.Buffer
	out.Grow(int(frag.Moof.Size() + header + size))
	if err := frag.Moof.Encode(&out); err != nil {
		return nil, fmt.Errorf("fragment: %w", err)
	}
	file := binary.BigEndian.AppendUint32(out.Bytes(), uint32(header+size))
	file = append(file, "mdat"...)
	for _, s := range samples {
		file = append(file, s.Data...)
	}
	return file, nil
}

// box is one box of an MP4 file by its bounds in the file.
type box struct {
	kind       string
	body, next int
}

// nextBox reads the box header at an offset below end. Sizes of 64 bits and
// "to the end" are not written by this package and are refused.
func nextBox(b []byte, at, end int) (box, error) {
	if end-at < 8 {
		return box{}, ErrFragment
	}
	size := int(binary.BigEndian.Uint32(b[at:]))
	if size < 8 || size > end-at {
		return box{}, ErrFragment
	}
	return box{kind: string(b[at+4 : at+8]), body: at + 8, next: at + size}, nil
}

// child finds the first box of a kind between two offsets.
func child(b []byte, at, end int, kind string) (box, error) {
	for at < end {
		x, err := nextBox(b, at, end)
		if err != nil {
			return box{}, err
		}
		if x.kind == kind {
			return x, nil
		}
		at = x.next
	}
	return box{}, fmt.Errorf("%w: no %s box", ErrFragment, kind)
}

// tfdt finds the decode time's eight bytes.
func tfdt(b []byte) (at int, traf box, err error) {
	moof, err := nextBox(b, 0, len(b))
	if err != nil || moof.kind != "moof" {
		return 0, box{}, ErrFragment
	}
	if traf, err = child(b, moof.body, moof.next, "traf"); err != nil {
		return 0, box{}, err
	}
	t, err := child(b, traf.body, traf.next, "tfdt")
	if err != nil {
		return 0, box{}, err
	}
	if t.next-t.body != 12 || b[t.body] != 1 {
		return 0, box{}, fmt.Errorf("%w: tfdt", ErrFragment)
	}
	return t.body + 4, traf, nil
}

// Rebase returns a copy of a fragment with another decode time and every other
// byte the same: the working copy that is played. It does not change fragment.
// The error wraps [ErrFragment].
func Rebase(fragment []byte, decodeTime uint64) ([]byte, error) {
	at, _, err := tfdt(fragment)
	if err != nil {
		return nil, err
	}
	out := bytes.Clone(fragment)
	binary.BigEndian.PutUint64(out[at:], decodeTime)
	return out, nil
}

// Flags of a track run (ISO 14496-12 section 8.8.8).
const (
	trunDataOffset = 0x1
	trunDuration   = 0x100
	trunSize       = 0x200
	trunFlags      = 0x400
	trunShift      = 0x800

	sampleIsNonSync = 0x10000
)

// ParseFragment reads a fragment that this package wrote, original or rebased.
// The error wraps [ErrFragment]; it never panics, and is fuzzed.
func ParseFragment(fragment []byte) (Fragment, error) {
	at, traf, err := tfdt(fragment)
	if err != nil {
		return Fragment{}, err
	}
	f := Fragment{DecodeTime: binary.BigEndian.Uint64(fragment[at:])}
	moof, _ := nextBox(fragment, 0, len(fragment))
	mdat, err := nextBox(fragment, moof.next, len(fragment))
	if err != nil || mdat.kind != "mdat" || mdat.next != len(fragment) {
		return Fragment{}, fmt.Errorf("%w: no mdat box behind the moof box", ErrFragment)
	}
	trun, err := child(fragment, traf.body, traf.next, "trun")
	if err != nil {
		return Fragment{}, err
	}
	b := fragment[trun.body:trun.next]
	if len(b) < 12 {
		return Fragment{}, fmt.Errorf("%w: trun", ErrFragment)
	}
	flags := binary.BigEndian.Uint32(b) & 0xffffff
	count := int(binary.BigEndian.Uint32(b[4:]))
	const row = 16
	if b[0] != 1 || flags != trunDataOffset|trunDuration|trunSize|trunFlags|trunShift {
		return Fragment{}, fmt.Errorf("%w: trun flags %#x", ErrFragment, flags)
	}
	if int(binary.BigEndian.Uint32(b[8:])) != mdat.body || count < 0 || count > len(b)/row || 12+count*row != len(b) {
		return Fragment{}, fmt.Errorf("%w: trun of %d samples", ErrFragment, count)
	}
	f.Samples = make([]Sample, count)
	data := fragment[mdat.body:]
	for i := range f.Samples {
		r := b[12+i*row:]
		size := int(binary.BigEndian.Uint32(r[4:]))
		if size > len(data) {
			return Fragment{}, fmt.Errorf("%w: sample %d is longer than what is there", ErrFragment, i)
		}
		f.Samples[i] = Sample{
			Duration: binary.BigEndian.Uint32(r),
			Shift:    int32(binary.BigEndian.Uint32(r[12:])),
			Key:      binary.BigEndian.Uint32(r[8:])&sampleIsNonSync == 0,
			Data:     data[:size:size],
		}
		data = data[size:]
	}
	if len(data) > 0 {
		return Fragment{}, fmt.Errorf("%w: bytes behind the last sample", ErrFragment)
	}
	return f, nil
}
