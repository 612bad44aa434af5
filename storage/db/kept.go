package db

import (
	"sync"

	"github.com/toldonce/toldonce/evidence"
)

const (
	keepFrom = 128    // segments from which on a track's list is kept: about four minutes
	keepMost = 64_000 // segments that are kept in all: eight hours of four cameras, some 50 MB
)

// trackState tells whether segments of a track came or went.
type trackState struct {
	count int
	last  int64 // highest index
}

// trackCache keeps lists of segments of long tracks. The zero value is ready. Safe
// for concurrent use.
type trackCache struct {
	mu     sync.Mutex
	tracks map[evidence.ID]keptTrack
	total  int
}

type keptTrack struct {
	state    trackState
	segments []evidence.Segment
}

func (c *trackCache) get(track evidence.ID, state trackState) ([]evidence.Segment, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.tracks[track]
	if !ok || k.state != state {
		return nil, false
	}
	return k.segments, true
}

func (c *trackCache) put(track evidence.ID, state trackState, segments []evidence.Segment) {
	if len(segments) < keepFrom || len(segments) > keepMost {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tracks == nil {
		c.tracks = map[evidence.ID]keptTrack{}
	}
	c.total += len(segments) - len(c.tracks[track].segments)
	c.tracks[track] = keptTrack{state, segments}
	for other, k := range c.tracks {
		if c.total <= keepMost {
			return
		}
		if other != track {
			c.total -= len(k.segments)
			delete(c.tracks, other)
		}
	}
}
