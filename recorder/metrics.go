package recorder

import (
	"sync/atomic"
	"time"
)

// Metrics are plain numbers since the recorder was opened; gauges say so.
type Metrics struct {
	Sessions        int64 // gauge: WHIP sessions now
	Recordings      int64 // gauge: interviews recording, paused or stopping now
	SessionsTotal   int64
	PacketsReceived int64
	BytesReceived   int64
	QueueDropped    int64 // gauge: packets that found the queue of a running source full
	Segments        int64
	SealedTotal     int64
	DatabaseRetries int64
	JournalErrors   int64
	JournalSyncs    int64
	JournalBytes    int64
	JournalSyncTime time.Duration // total
	JournalSlowest  time.Duration // gauge: slowest sync
	// JournalSyncP99 is the time within which 99 of 100 syncs were done, rounded
	// up to 1, 2, 3, 5, 7, 10 ms and so on. 0 before any.
	JournalSyncP99 time.Duration
}

// syncBounds are the times that syncs are sorted by.
var syncBounds = [...]time.Duration{
	time.Millisecond, 2 * time.Millisecond, 3 * time.Millisecond, 5 * time.Millisecond, 7 * time.Millisecond, 10 * time.Millisecond, 15 * time.Millisecond,
	20 * time.Millisecond, 30 * time.Millisecond, 50 * time.Millisecond, 70 * time.Millisecond, 100 * time.Millisecond, 150 * time.Millisecond,
	250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second,
}

type counters struct {
	recordings, sessionsTotal, packets, bytes  atomic.Int64
	segments, sealed, databaseRetries          atomic.Int64
	journalErrors, syncs, syncBytes, syncNanos atomic.Int64
	slowest                                    atomic.Int64
	syncTimes                                  [len(syncBounds) + 1]atomic.Int64
}

func (c *counters) packet(size int) {
	c.packets.Add(1)
	c.bytes.Add(int64(size))
}

func (c *counters) synced(_ string, bytes int, took time.Duration) {
	c.syncs.Add(1)
	c.syncBytes.Add(int64(bytes))
	c.syncNanos.Add(int64(took))
	i := 0
	for i < len(syncBounds) && took > syncBounds[i] {
		i++
	}
	c.syncTimes[i].Add(1)
	for {
		old := c.slowest.Load()
		if int64(took) <= old || c.slowest.CompareAndSwap(old, int64(took)) {
			return
		}
	}
}

// syncP99 is the bound that 99 of 100 syncs kept.
func (c *counters) syncP99() time.Duration {
	var all, below int64
	for i := range c.syncTimes {
		all += c.syncTimes[i].Load()
	}
	for i, bound := range syncBounds {
		if below += c.syncTimes[i].Load(); below*100 >= all*99 {
			if all == 0 {
				return 0
			}
			return bound
		}
	}
	return time.Duration(c.slowest.Load())
}

// Metrics returns the recorder's counters.
func (r *Recorder) Metrics() Metrics {
	c := r.metrics
	m := Metrics{
		Sessions: int64(r.ingest.Sessions()), Recordings: c.recordings.Load(), SessionsTotal: c.sessionsTotal.Load(),
		PacketsReceived: c.packets.Load(), BytesReceived: c.bytes.Load(), Segments: c.segments.Load(), SealedTotal: c.sealed.Load(),
		DatabaseRetries: c.databaseRetries.Load(), JournalErrors: c.journalErrors.Load(), JournalSyncs: c.syncs.Load(),
		JournalBytes: c.syncBytes.Load(), JournalSyncTime: time.Duration(c.syncNanos.Load()), JournalSlowest: time.Duration(c.slowest.Load()),
		JournalSyncP99: c.syncP99(),
	}
	r.mu.Lock()
	sittings := make([]*sitting, 0, len(r.sittings))
	for _, s := range r.sittings {
		sittings = append(sittings, s)
	}
	r.mu.Unlock()
	for _, s := range sittings {
		for _, src := range s.allSources() {
			m.QueueDropped += src.in.lost()
		}
	}
	return m
}
