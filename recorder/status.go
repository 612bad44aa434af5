package recorder

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/quality"
)

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
	// Observers are those who watch now (P10, P14).
	Observers []Presence `json:"observers"`
	// Checkpoint says how much is provable without this server; absent before the
	// first one is made, and once the recording is sealed.
	Checkpoint *CheckpointStatus `json:"checkpoint,omitempty"`
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
	// Aligned says how the track is put on interview time: "clock-offset", by the
	// measured offset of the source's clock, as all its tracks and those of other
	// sources are; "sender-report", with the other track of its source alone;
	// "arrival", by itself. Empty before anything is recorded. AlignedWithin is how far
	// off that can be by the time packets need, in microseconds.
	Aligned       string `json:"aligned,omitempty"`
	AlignedWithin int64  `json:"aligned_within_us,omitempty"`
	// Rate is how many frames a second arrive, over the last five seconds; 0 for sound
	// and until it is known.
	Rate int `json:"frame_rate,omitempty"`
	// Skew is by how many microseconds the picture comes later than its sound, by the
	// source's own sender reports; negative: earlier. Absent until both are known.
	Skew *int64 `json:"sync_us,omitempty"`
}

// PacketCounts counts RTP packets of a track.
type PacketCounts struct {
	Received  int64 `json:"received"`  // distinct packets that arrived, recovered included
	Recovered int64 `json:"recovered"` // arrived after they were asked for again
	Lost      int64 `json:"lost"`      // given up
	Duplicate int64 `json:"duplicate"`
	Reordered int64 `json:"reordered"` // arrived late without having been asked for
	Padding   int64 `json:"padding"`   // carried no media
	Late      int64 `json:"late"`      // arrived after they were given up; in Lost
}

// FrameCounts counts frames of a track.
type FrameCounts struct {
	Whole   int64 `json:"whole"`
	Damaged int64 `json:"damaged"` // seen in part
	Missing int64 `json:"missing"` // never seen, and certainly sent
	// Uncertain is how many more may be missing at most: 0 where the sender's
	// numbering, its packets or the spacing of its frames tell, so that what was
	// sent is Whole + Damaged + Missing. Else every frame has at least one packet,
	// and the packets that were lost bound it.
	Uncertain int64 `json:"uncertain"`
}

// StorageStatus says where segments are.
type StorageStatus struct {
	Durable   int64 `json:"durable_segments"` // stored and known to the database
	Pending   int64 `json:"pending_segments"` // encrypted in the spool
	FreeBytes int64 `json:"spool_free_bytes"` // on the spool's disk
	// FreeMinutes is how long recording can go on if nothing is uploaded; -1 if
	// not known.
	FreeMinutes int64 `json:"spool_free_minutes"`
	// ReserveBytes is what is left of the disk that is kept for when it is full, and
	// ReserveMinutes how long that alone lasts; -1 if not known.
	ReserveBytes   int64 `json:"spool_reserve_bytes"`
	ReserveMinutes int64 `json:"spool_reserve_minutes"`
}

// Alarm is something that a person must know now. Code is stable and pages
// translate by it; Text is the English sentence and names no person.
type Alarm struct {
	Code   string      `json:"code"`
	Text   string      `json:"text"`
	Source evidence.ID `json:"source,omitempty"`
}

// Codes of alarms that the recorder raises itself; those of the spool keep theirs.
const (
	alarmSegment  = "recorder.segment"
	alarmDatabase = "recorder.database"
	alarmSealing  = "recorder.sealing"
	alarmSource   = "recorder.source_away"
	alarmSilent   = "recorder.no_picture"
	alarmQueue    = "recorder.overload"
	alarmNone     = "recorder.no_source"
	alarmLease    = "recorder.lease"
	// Those of package quality are in qualityAlarm.
)

var alarmTexts = map[string]string{
	alarmSegment:  "A piece of the recording could not be written. Note the time and tell the administrator.",
	alarmDatabase: "The database does not answer. The recording goes on; what it has to know is kept on this server.",
	alarmSealing:  "The recording is safe but could not be sealed yet. It is tried again.",
	alarmSource:   "A camera or microphone stopped sending.",
	alarmSilent:   "A camera is connected but no picture of it can be recorded yet.",
	alarmQueue:    "The server is overloaded: packets of a source were dropped and are asked for again.",
	alarmLease:    "Another server took this interview over. What is recorded here is kept on this server; tell the administrator.",
	alarmNone:     "Nothing is being sent: no camera or microphone is connected.",

	qualityAlarm(quality.Frozen):   "The picture stands still.",
	qualityAlarm(quality.Black):    "The picture is dark, or shows nothing.",
	qualityAlarm(quality.Slow):     "The picture comes more seldom than before.",
	qualityAlarm(quality.Silent):   "Nothing at all is heard: the microphone may be off.",
	qualityAlarm(quality.Clipping): "The sound is too loud and is cut off.",
	qualityAlarm(quality.Apart):    "Sound and picture come apart.",
}

func (c evidenceCounts) packets() PacketCounts {
	p := c.Packets
	return PacketCounts{Received: p.Received, Recovered: p.Recovered, Lost: p.Lost, Duplicate: p.Duplicate, Reordered: p.Reordered, Padding: p.Padding, Late: p.Late}
}

func (c evidenceCounts) frames() FrameCounts {
	return FrameCounts{Whole: c.Whole, Damaged: c.Damaged, Missing: c.Missing, Uncertain: c.Uncertain}
}

// Status says how the recording stands. For an interview that is sealed it is
// the status that was sealed with it.
func (r *Recorder) Status(ctx context.Context, interview evidence.ID) (Status, error) {
	if s := r.active(interview); s != nil {
		return s.status(), nil
	}
	iv, err := r.cfg.Store.Interview(ctx, interview)
	if err != nil {
		return Status{}, err
	}
	if iv.State == evidence.StateSealed {
		sealed, err := r.cfg.Store.SealedHead(ctx, iv.Recording)
		if err != nil {
			return Status{}, err
		}
		var st Status
		if err := json.Unmarshal(sealed.Status, &st); err != nil {
			return Status{}, fmt.Errorf("status of interview %s: %w", interview, err)
		}
		return st, nil
	}
	st := Status{Interview: interview, State: iv.State, StartedAt: iv.StartedAt, Tracks: []TrackStatus{}, Alarms: []Alarm{}, Observers: []Presence{}}
	st.Storage = r.storage()
	return st, nil
}

func (r *Recorder) storage() StorageStatus {
	space := r.spool.Space()
	return StorageStatus{FreeBytes: space.FreeBytes, FreeMinutes: space.Minutes, ReserveBytes: space.ReserveBytes, ReserveMinutes: space.ReserveMinutes}
}

// status puts together what can be seen now.
func (s *sitting) status() Status {
	s.mu.Lock()
	st := Status{
		Interview: s.iv.ID, State: s.phase.State, Sealed: s.phase.State == evidence.StateSealed,
		StartedAt: s.phase.StartedAt, Part: len(s.parts), Tracks: []TrackStatus{}, Alarms: []Alarm{},
	}
	if s.startedLocked() {
		st.Elapsed = s.nowLocked()
		for i := len(s.events) - 1; i >= 0 && s.phase.StoppedAt != 0; i-- {
			if s.events[i].Kind == evidence.EventStop {
				st.Elapsed = s.events[i].At
				break
			}
		}
	}
	journal, k := s.journal, s.keeper
	sources := slices.Clone(s.sources)
	for a := range s.alarms {
		st.Alarms = append(st.Alarms, a)
	}
	s.mu.Unlock()

	live := 0
	for _, src := range sources {
		shown := src.shown()
		lively := false
		for _, t := range shown {
			t.mu.Lock()
			ts, pictured := t.status, t.pictured
			t.mu.Unlock()
			if !pictured && st.State == evidence.StateRecording {
				st.Alarms = append(st.Alarms, Alarm{Code: alarmSilent, Text: alarmTexts[alarmSilent], Source: src.ev.ID})
			}
			lively = lively || ts.Live
			st.Tracks = append(st.Tracks, ts)
		}
		if lively {
			live++
		} else if len(shown) > 0 && st.State == evidence.StateRecording {
			st.Alarms = append(st.Alarms, Alarm{Code: alarmSource, Text: alarmTexts[alarmSource], Source: src.ev.ID})
		}
		if src.in.lost() > 0 {
			st.Alarms = append(st.Alarms, Alarm{Code: alarmQueue, Text: alarmTexts[alarmQueue], Source: src.ev.ID})
		}
	}
	if live == 0 && st.State == evidence.StateRecording {
		st.Alarms = append(st.Alarms, Alarm{Code: alarmNone, Text: alarmTexts[alarmNone]})
	}
	st.Observers = s.presences()
	st.Storage = s.r.storage()
	if k != nil {
		st.Checkpoint = k.attester.status()
	}
	if journal != nil {
		j := journal.Status()
		st.Storage.Durable, st.Storage.Pending = j.Durable, j.Pending
		for _, a := range j.Alarms {
			st.Alarms = append(st.Alarms, Alarm{Code: a.Code, Text: a.Text})
		}
	}
	slices.SortFunc(st.Alarms, func(a, b Alarm) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Source, b.Source))
	})
	return st
}

// finalStatus is what is sealed beside the manifest.
func (s *sitting) finalStatus() ([]byte, error) {
	st := s.status()
	st.State, st.Sealed, st.Alarms, st.Observers = evidence.StateSealed, true, []Alarm{}, []Presence{}
	st.Checkpoint = nil // the seal covers all
	for i := range st.Tracks {
		st.Tracks[i].Live, st.Tracks[i].Level, st.Tracks[i].RoundTrip = false, nil, 0
		st.Tracks[i].Aligned, st.Tracks[i].AlignedWithin = "", 0 // the manifest's anchors say it for every moment
		st.Tracks[i].Rate, st.Tracks[i].Skew = 0, nil
	}
	out, err := json.Marshal(st)
	if err != nil {
		return nil, errors.Join(errors.New("final status"), err)
	}
	return out, nil
}
