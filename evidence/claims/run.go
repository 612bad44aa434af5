package claims

import (
	"encoding/binary"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
)

// Bounds of what is handed over again.
const (
	// MaxFrame is the size of the largest frame in bytes.
	MaxFrame = 8 << 20
	// MaxRun is the size of the largest run in bytes: more than the 32 MiB at which
	// a segment is closed.
	MaxRun = 48 << 20

	runMagic  = "TORF"
	runHead   = 4 + 1 + 16 + 16 + 1 + 4
	frameHead = 4 + 1 + 4
)

// Frame is one frame that is handed over again, as it was made.
type Frame struct {
	Timestamp uint32
	Key       bool
	Sample    []byte
}

// Run is consecutive frames of one kind of one session, from a random access point
// on.
type Run struct {
	Source  evidence.ID
	Session evidence.ID
	Kind    evidence.TrackKind
	Frames  []Frame
}

// Encode returns the run's bytes. The error wraps [evidence.ErrInvalid].
func (r Run) Encode() ([]byte, error) {
	source, err := binaryID(r.Source)
	if err != nil {
		return nil, err
	}
	session, err := binaryID(r.Session)
	if err != nil {
		return nil, err
	}
	out := append([]byte(runMagic), Version)
	out = append(out, source[:]...)
	out = append(out, session[:]...)
	kind := byte(entryVideo)
	if r.Kind == evidence.Audio {
		kind = entryAudio
	}
	out = append(out, kind)
	out = binary.BigEndian.AppendUint32(out, uint32(len(r.Frames)))
	for _, f := range r.Frames {
		out = binary.BigEndian.AppendUint32(out, f.Timestamp)
		flags := byte(0)
		if f.Key {
			flags = 1
		}
		out = append(out, flags)
		out = binary.BigEndian.AppendUint32(out, uint32(len(f.Sample)))
		out = append(out, f.Sample...)
	}
	return out, nil
}

// ParseRun reads a run strictly. Its samples alias data. The error wraps
// [evidence.ErrUnknownFormat] for another version, [evidence.ErrInvalid] for all
// else. It never panics, and is fuzzed.
func ParseRun(data []byte) (Run, error) {
	invalid := func(what string) (Run, error) {
		return Run{}, fmt.Errorf("run of frames: %w: %s", evidence.ErrInvalid, what)
	}
	switch {
	case len(data) < runHead || len(data) > MaxRun:
		return invalid(fmt.Sprintf("%d bytes", len(data)))
	case string(data[:4]) != runMagic:
		return invalid("it is something else")
	case data[4] != Version:
		return Run{}, fmt.Errorf("run of frames: %w: version %d", evidence.ErrUnknownFormat, data[4])
	}
	r := Run{Source: textID(data[5:21]), Session: textID(data[21:37])}
	for _, id := range []evidence.ID{r.Source, r.Session} {
		if _, err := evidence.ParseID(string(id)); err != nil {
			return invalid("an id is malformed")
		}
	}
	switch data[37] {
	case entryVideo:
		r.Kind = evidence.Video
	case entryAudio:
		r.Kind = evidence.Audio
	default:
		return invalid("it is neither sound nor picture")
	}
	count := int(binary.BigEndian.Uint32(data[38:]))
	rest := data[runHead:]
	if count == 0 || count > len(rest)/(frameHead+1) {
		return invalid("it cannot hold so many frames")
	}
	r.Frames = make([]Frame, 0, count)
	for range count {
		if len(rest) < frameHead {
			return invalid("it is cut short")
		}
		f := Frame{Timestamp: binary.BigEndian.Uint32(rest), Key: rest[4] == 1}
		size := int(binary.BigEndian.Uint32(rest[5:]))
		if rest[4] > 1 || size == 0 || size > MaxFrame || size > len(rest)-frameHead {
			return invalid("a frame is malformed")
		}
		f.Sample = rest[frameHead : frameHead+size : frameHead+size]
		rest = rest[frameHead+size:]
		r.Frames = append(r.Frames, f)
	}
	if len(rest) > 0 {
		return invalid("bytes behind the last frame")
	}
	return r, nil
}

// Sample turns an encoded frame of H.264 as browsers hand it out, NAL units with
// start codes (ITU-T H.264 annex B), into the sample that a recording holds: each
// NAL unit with its length in four bytes before it. It returns nil if there is none.
func Sample(annexB []byte) []byte {
	out := make([]byte, 0, len(annexB)+8)
	begin := -1
	unit := func(end int) {
		if begin < 0 || end <= begin {
			return
		}
		out = binary.BigEndian.AppendUint32(out, uint32(end-begin))
		out = append(out, annexB[begin:end]...)
	}
	for i := 0; i+3 <= len(annexB); {
		if annexB[i] != 0 || annexB[i+1] != 0 || annexB[i+2] != 1 {
			i++
			continue
		}
		end := i
		for end > 0 && end > begin && annexB[end-1] == 0 { // zeros before a start code are part of it
			end--
		}
		unit(end)
		i += 3
		begin = i
	}
	unit(len(annexB))
	if len(out) == 0 {
		return nil
	}
	return out
}

// File joins signed batches to what is stored: each with its length in four bytes
// before it.
func File(batches [][]byte) []byte {
	var out []byte
	for _, b := range batches {
		out = binary.BigEndian.AppendUint32(out, uint32(len(b)))
		out = append(out, b...)
	}
	return out
}

// ParseFile is the inverse of [File] and reads each batch. The errors are those of
// [Parse]. It never panics, and is fuzzed.
func ParseFile(data []byte) ([]Signed, error) {
	var out []Signed
	for len(data) > 0 {
		if len(data) < 4 {
			return nil, fmt.Errorf("source manifest: %w: cut short", evidence.ErrInvalid)
		}
		n := binary.BigEndian.Uint32(data)
		if n > MaxBatch || int(n) > len(data)-4 {
			return nil, fmt.Errorf("source manifest: %w: a batch of %d bytes", evidence.ErrInvalid, n)
		}
		b, err := Parse(data[4 : 4+n])
		if err != nil {
			return nil, err
		}
		out = append(out, b)
		data = data[4+n:]
	}
	return out, nil
}
