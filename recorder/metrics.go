package recorder

// Metrics are plain numbers since the recorder was opened. Gauges say so.
type Metrics struct {
	Sessions        int64 // gauge: WHIP sessions now
	Recordings      int64 // gauge: interviews recording, paused or stopping now
	SessionsTotal   int64
	PacketsReceived int64
	PacketsLost     int64
	PacketsAgain    int64 // recovered
	FramesWhole     int64
	FramesDamaged   int64
	BytesReceived   int64
	Segments        int64
	QueueDropped    int64 // packets that found a source's queue full
	SealedTotal     int64
	DatabaseRetries int64
}
