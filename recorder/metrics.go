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
}

type counters struct {
	recordings, sessionsTotal, packets, bytes  atomic.Int64
	segments, sealed, databaseRetries          atomic.Int64
	journalErrors, syncs, syncBytes, syncNanos atomic.Int64
	slowest                                    atomic.Int64
}

func (c *counters) packet(size int) {
	c.packets.Add(1)
	c.bytes.Add(int64(size))
}

func (c *counters) synced(_ string, bytes int, took time.Duration) {
	c.syncs.Add(1)
	c.syncBytes.Add(int64(bytes))
	c.syncNanos.Add(int64(took))
	for {
		old := c.slowest.Load()
		if int64(took) <= old || c.slowest.CompareAndSwap(old, int64(took)) {
			return
		}
	}
}

// Metrics returns the recorder's counters.
func (r *Recorder) Metrics() Metrics {
	c := r.metrics
	m := Metrics{
		Sessions: int64(r.ingest.Sessions()), Recordings: c.recordings.Load(), SessionsTotal: c.sessionsTotal.Load(),
		PacketsReceived: c.packets.Load(), BytesReceived: c.bytes.Load(), Segments: c.segments.Load(), SealedTotal: c.sealed.Load(),
		DatabaseRetries: c.databaseRetries.Load(), JournalErrors: c.journalErrors.Load(), JournalSyncs: c.syncs.Load(),
		JournalBytes: c.syncBytes.Load(), JournalSyncTime: time.Duration(c.syncNanos.Load()), JournalSlowest: time.Duration(c.slowest.Load()),
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
