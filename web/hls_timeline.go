package web

import (
	"slices"

	"github.com/toldonce/toldonce/evidence"
)

// playable is what may be played of one source, with its segments in order of
// presentation.
type playable struct {
	source SourceRef
	tracks []playableTrack
}

type playableTrack struct {
	track    evidence.Track
	segments []evidence.Segment
}

const (
	// spanHole is how long nothing at all of a source may be there before the
	// player's time skips it.
	spanHole evidence.Offset = 500_000
	// gapFloor is what the beginnings and ends of sound and picture may differ by
	// without a gap in the playlist: less than anybody hears (ITU-R BT.1359).
	gapFloor evidence.Offset = 50_000
)

// timelineOf cuts what may be played of a source into spans: stretches of
// one part in which something of it is there. All tracks of the source
// share them, which keeps sound and picture together across the discontinuities
// that players see between spans. The player's time runs through the spans and
// skips what lies between.
func timelineOf(p playable) []TimelineSpan {
	type piece struct {
		part int
		evidence.Range
	}
	var pieces []piece
	for _, t := range p.tracks {
		for _, s := range t.segments {
			pieces = append(pieces, piece{s.Leaf.Part, s.Leaf.Range()})
		}
	}
	slices.SortFunc(pieces, func(a, b piece) int {
		if a.part != b.part {
			return a.part - b.part
		}
		return int(a.From - b.From)
	})
	var spans []TimelineSpan
	for _, c := range pieces {
		last := len(spans) - 1
		if last >= 0 && spans[last].Part == c.part && c.From-spans[last].Until <= spanHole {
			spans[last].Until = max(spans[last].Until, c.Until)
			continue
		}
		spans = append(spans, TimelineSpan{Span: spanOf(c.Range), Part: c.part})
	}
	var player int64
	for i := range spans {
		spans[i].Player = player
		player += int64(spans[i].Until - spans[i].From)
	}
	return spans
}

// rangesOf joins the segments of a track that follow each other.
func rangesOf(segments []evidence.Segment) []Span {
	out := []Span{}
	for _, s := range segments {
		last := len(out) - 1
		if last >= 0 && s.Leaf.Start-out[last].Until <= gapFloor {
			out[last].Until = max(out[last].Until, s.Leaf.End)
			continue
		}
		out = append(out, spanOf(s.Leaf.Range()))
	}
	return out
}

// decodeTime is where a segment lies in the working copy: interview time in
// units of the track's timescale. The stored bytes keep their RTP time.
func decodeTime(start evidence.Offset, timescale int64) uint64 {
	seconds, rest := int64(start)/1_000_000, int64(start)%1_000_000
	return uint64(seconds*timescale + (rest*timescale+500_000)/1_000_000)
}

// leadOf is how long after the beginning of a source's time the last of its
// tracks begins.
func leadOf(p playable) evidence.Offset {
	spans := timelineOf(p)
	if len(spans) == 0 {
		return 0
	}
	var lead evidence.Offset
	for _, t := range p.tracks {
		if len(t.segments) > 0 {
			lead = max(lead, t.segments[0].Leaf.Start-spans[0].From)
		}
	}
	return lead
}
