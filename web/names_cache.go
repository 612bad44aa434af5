package web

import (
	"context"
	"sync"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// nameFor is how long a name that was read is shown without looking again.
const nameFor = time.Minute

// nameCache remembers names of accounts for what is shown many times a second. The
// zero value is empty. Safe for concurrent use.
type nameCache struct {
	mu    sync.Mutex
	known map[evidence.ID]named // guarded by mu
}

type named struct {
	ref AccountRef
	at  time.Time
}

func (c *nameCache) account(ctx context.Context, s *Server, id evidence.ID) (AccountRef, error) {
	now := s.clock()
	c.mu.Lock()
	it, ok := c.known[id]
	c.mu.Unlock()
	if ok && now.Sub(it.at) < nameFor {
		return it.ref, nil
	}
	ref, err := s.accountRef(ctx, id)
	if err != nil {
		return ref, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) > 1000 {
		c.known = map[evidence.ID]named{}
	}
	c.known[id] = named{ref, now}
	return ref, nil
}
