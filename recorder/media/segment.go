package media

import (
	"slices"
	"time"
)

// Policy says where segments are cut.
type Policy struct {
	Target   time.Duration // aimed at; a cut needs three quarters of it
	Max      time.Duration // cut regardless of random access points
	MaxBytes int           // likewise
}

// DefaultPolicy is what recordings use.
var DefaultPolicy = Policy{Target: 2 * time.Second, Max: 4 * time.Second, MaxBytes: 32 << 20}

// leap is the distance between two frames, in seconds, over which no frame is
// stretched: the segment is closed instead, and the next begins at its own time.
const leap = 1

// Segment is a stored segment before encryption: an initialisation segment if
// Config is set, media otherwise.
type Segment struct {
	Config      Config
	Init        int   // number of the initialisation segment: its own or the one to decode with
	Index       int   // number of the media segment; 0 for an initialisation segment
	Time        int64 // decode time; 0 for an initialisation segment
	Duration    int64 // in units of the timescale
	Frames      int
	Independent bool
	Data        []byte
}

// End is the media time at which the segment ends.
func (s Segment) End() int64 { return s.Time + s.Duration }

// Segmenter cuts the frames of one track into segments. What comes out depends
// on nothing but what goes in.
type Segmenter struct {
	policy Policy
	video  bool

	config Config // of the last init
	inits  int    // how many were made
	index  int    // of the next media segment

	frames []Frame // of the open segment
	bytes  int
	floor  int64 // end of the last segment: decode times never go back behind it
	last   int64 // last distance between frames

	follow bool  // wait for Cut rather than for Target
	cutAt  int64 // pending cut; 0: none
}

// NewSegmenter returns a segmenter for a track of which some segments may exist:
// inits initialisation segments, the last of them for config, and index media
// segments.
func NewSegmenter(policy Policy, video bool, inits, index int, config Config) *Segmenter {
	return &Segmenter{policy: policy, video: video, inits: inits, index: index, config: config}
}

// Follow makes an audio segmenter cut where it is told by [Segmenter.Cut], and
// by itself only at the maximum, or makes it stop doing so.
func (s *Segmenter) Follow(on bool) { s.follow = on }

// Next returns the numbers that the next initialisation and media segment get.
func (s *Segmenter) Next() (init, index int) { return s.inits, s.index }

// Open returns the media time at which the open segment begins, and whether
// there is one.
func (s *Segmenter) Open() (int64, bool) {
	if len(s.frames) == 0 {
		return 0, false
	}
	return s.frames[0].Time, true
}

func (s *Segmenter) ticks(d time.Duration) int64 {
	return int64(d) / 1000 * int64(s.config.Timescale()) / 1_000_000
}

// Add takes the next frame and returns the segments that it completes. The
// first frame of a track must carry a configuration. Media time may go back by
// the few frames that a codec reorders; where it goes back further, call
// [Segmenter.Flush] before.
func (s *Segmenter) Add(f Frame) ([]Segment, error) {
	var out []Segment
	changed := f.Config != nil && (s.config == nil || !s.config.Equal(f.Config))
	if len(s.frames) > 0 {
		if end, cut := s.cuts(f, changed); cut {
			seg, err := s.close(len(s.frames), end)
			if err != nil {
				return nil, err
			}
			out = append(out, seg)
		}
	}
	if changed {
		data, err := f.Config.Init()
		if err != nil {
			return out, err
		}
		s.config = f.Config
		out = append(out, Segment{Config: f.Config, Init: s.inits, Data: data})
		s.inits++
	}
	if n := len(s.frames); n > 0 && f.Time > s.frames[n-1].Time {
		s.last = f.Time - s.frames[n-1].Time
	}
	s.frames = append(s.frames, f)
	s.bytes += len(f.Data)
	return out, nil
}

// cuts decides whether the open segment ends before f, and at which media time;
// 0 means after the usual duration of its last frame.
func (s *Segmenter) cuts(f Frame, changed bool) (end int64, cut bool) {
	first, last := s.frames[0].Time, s.frames[len(s.frames)-1].Time
	if f.Time-last > leap*int64(s.config.Timescale()) {
		return 0, true
	}
	length := f.Time - first
	enough := length >= s.ticks(s.policy.Target*3/4)
	switch {
	case changed,
		length >= s.ticks(s.policy.Max),
		s.bytes+len(f.Data) > s.policy.MaxBytes,
		s.video && f.Key && enough,
		!s.video && s.cutAt != 0 && f.Time >= s.cutAt,
		!s.video && !s.follow && length >= s.ticks(s.policy.Target):
	default:
		return 0, false
	}
	if f.Time <= first {
		return 0, changed || s.bytes+len(f.Data) > s.policy.MaxBytes
	}
	return f.Time, true
}

// Cut asks for a cut at a media time, so that tracks of one source are cut in
// step. It returns the segment that ends there if its frames are all in.
func (s *Segmenter) Cut(at int64) ([]Segment, error) {
	n := len(s.frames)
	if n == 0 || at <= s.frames[0].Time {
		return nil, nil
	}
	i := slices.IndexFunc(s.frames, func(f Frame) bool { return f.Time >= at })
	if i < 0 {
		s.cutAt = at
		return nil, nil
	}
	if i == 0 {
		return nil, nil
	}
	seg, err := s.close(i, s.frames[i].Time)
	if err != nil {
		return nil, err
	}
	return []Segment{seg}, nil
}

// Flush closes the open segment, if there is one. The next frame may begin
// anywhere in media time.
func (s *Segmenter) Flush() ([]Segment, error) {
	s.cutAt = 0
	if len(s.frames) == 0 {
		s.floor = 0
		return nil, nil
	}
	seg, err := s.close(len(s.frames), 0)
	s.floor = 0
	if err != nil {
		return nil, err
	}
	return []Segment{seg}, nil
}

// close makes a segment of the first n open frames, ending at end.
func (s *Segmenter) close(n int, end int64) (Segment, error) {
	frames := s.frames[:n]
	// Decode times are the presentation times in order, so that pictures which
	// are sent in another order than they are shown keep both (the distance is
	// the sample's shift); without such pictures both are the RTP timestamp.
	decode := make([]int64, n)
	for i, f := range frames {
		decode[i] = f.Time
	}
	slices.Sort(decode)
	floor := s.floor
	for i := range decode {
		decode[i] = max(decode[i], floor)
		floor = decode[i] + 1
	}
	if end == 0 {
		end = decode[n-1] + s.usual(frames[n-1])
	}
	end = max(end, floor)
	samples := make([]Sample, n)
	for i, f := range frames {
		next := end
		if i+1 < n {
			next = decode[i+1]
		}
		samples[i] = Sample{Duration: uint32(next - decode[i]), Shift: int32(f.Time - decode[i]), Key: f.Key, Data: f.Data}
	}
	data, err := encodeFragment(uint32(s.index+1), decode[0], samples)
	if err != nil {
		return Segment{}, err
	}
	seg := Segment{
		Init: s.inits - 1, Index: s.index, Time: decode[0], Duration: end - decode[0],
		Frames: n, Independent: frames[0].Key, Data: data,
	}
	s.index++
	s.floor = end
	s.cutAt = 0
	rest := len(s.frames) - n
	copy(s.frames, s.frames[n:])
	clear(s.frames[rest:])
	s.frames = s.frames[:rest]
	s.bytes = 0
	for _, f := range s.frames {
		s.bytes += len(f.Data)
	}
	return seg, nil
}

// usual is how long a frame lasts when nothing follows it.
func (s *Segmenter) usual(f Frame) int64 {
	switch {
	case f.Length > 0:
		return f.Length
	case s.last > 0:
		return s.last
	}
	return int64(s.config.Timescale()) / 30
}
