package media

// FlushAt is [Segmenter.Flush] for a segment of which the end is known: the last
// frame lasts until a media time. One that is not behind the last frame counts as
// unknown.
func (s *Segmenter) FlushAt(end int64) ([]Segment, error) {
	if n := len(s.frames); n == 0 || end <= s.frames[n-1].Time || end-s.frames[n-1].Time > leap*int64(s.config.Timescale()) {
		return s.Flush()
	}
	s.cutAt = 0
	seg, err := s.close(len(s.frames), end)
	s.floor = 0
	if err != nil {
		return nil, err
	}
	return []Segment{seg}, nil
}
