package recorder

import "github.com/toldonce/toldonce/evidence"

// Status is the state of an interview's recording as people and scripts see
// it. Its JSON is stable: fields are added, never changed.
type Status struct {
	Interview evidence.ID    `json:"interview"`
	State     evidence.State `json:"state"`
	Sealed    bool           `json:"sealed"`
	// Elapsed is interview time in microseconds; 0 before the start.
	Elapsed evidence.Offset `json:"elapsed_us"`
	// StartedAt is the first start in microseconds since the Unix epoch; 0 before.
	StartedAt evidence.Instant `json:"started_at"`
	// Part is the number of the running or last part; 0 before the start.
	Part    int           `json:"part"`
	Tracks  []TrackStatus `json:"tracks"`
	Storage StorageStatus `json:"storage"`
	Alarms  []Alarm       `json:"alarms"`
}

// TrackStatus is one track: while ready what arrives, from the start on what is
// recorded.
type TrackStatus struct {
	Track    evidence.ID         `json:"track"`
	SourceID evidence.ID         `json:"source_id"`
	Source   string              `json:"source"` // the source's name
	Role     evidence.SourceRole `json:"role"`
	Name     string              `json:"name"` // source name and kind
	Kind     evidence.TrackKind  `json:"kind"`
	Codec    string              `json:"codec"` // RFC 6381; empty until known
	Width    int                 `json:"width,omitempty"`
	Height   int                 `json:"height,omitempty"`
	Packets  PacketCounts        `json:"packets"`
	Frames   FrameCounts         `json:"frames"`
	Bytes    int64               `json:"bytes"` // of whole frames
	// Live: packets arrived within the last second.
	Live bool `json:"live"`
	// Level is the loudest of the last second in dBov, -127 to 0 (RFC 6464);
	// absent for video and for a source that does not send it.
	Level *int `json:"level_db,omitempty"`
	// RoundTrip to the source in microseconds; 0 if not measured.
	RoundTrip int64 `json:"round_trip_us"`
}

// PacketCounts counts RTP packets of a track.
type PacketCounts struct {
	Received  int64 `json:"received"`  // distinct packets that arrived, recovered included
	Recovered int64 `json:"recovered"` // arrived after they were asked for again
	Lost      int64 `json:"lost"`      // given up
	Duplicate int64 `json:"duplicate"`
	Reordered int64 `json:"reordered"` // arrived late without having been asked for
	Padding   int64 `json:"padding"`   // carried no media
}

// FrameCounts counts frames of a track.
type FrameCounts struct {
	Whole   int64 `json:"whole"`
	Damaged int64 `json:"damaged"` // seen in part
	Missing int64 `json:"missing"` // never seen; -1: cannot be known
}

// StorageStatus says where segments are.
type StorageStatus struct {
	Durable   int64 `json:"durable_segments"` // stored and known to the database
	Pending   int64 `json:"pending_segments"` // encrypted in the spool
	FreeBytes int64 `json:"spool_free_bytes"` // on the spool's disk
	// FreeMinutes is how long recording can go on if nothing is uploaded; -1 if
	// not known.
	FreeMinutes int64 `json:"spool_free_minutes"`
}

// Alarm is something that a person must know now. Code is stable and pages
// translate by it; Text is the English sentence and names no person.
type Alarm struct {
	Code   string      `json:"code"`
	Text   string      `json:"text"`
	Source evidence.ID `json:"source,omitempty"`
}
