package recorder

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/recorder/media"
)

// Kinds of capture records. FORMAT.md specifies their payloads. A number is
// never used again for something else.
const (
	recState   byte = 1  // JSON of savedState: everything but media, as of here
	recFrame   byte = 2  // binary: one whole frame
	recConfig  byte = 3  // JSON of savedConfig: decoder configuration of the frames that follow
	recEvent   byte = 4  // JSON of evidence.Event
	recPart    byte = 5  // JSON of evidence.Part: begun, or ended
	recTrack   byte = 6  // JSON of savedTrack
	recGap     byte = 7  // JSON of evidence.Gap
	recLedger  byte = 8  // JSON of savedLedger: counts of a track so far
	recDuty    byte = 9  // JSON of duty: what the database has yet to be told
	recDone    byte = 10 // text: number of the duty that it was told
	recAnchor  byte = 11 // JSON of savedAnchor
	recPhase   byte = 12 // JSON of savedPhase: the state of the interview from here on
	recSource  byte = 13 // JSON of savedSource
	recOpening byte = 14 // JSON of evidence.Opening: of an event's note; personal
	recLine    byte = 15 // binary: a line of a track's ledger

	recClaims    byte = 16 // a signed batch of a source's manifest, as it came
	recDevice    byte = 17 // JSON of savedDevice
	recBound     byte = 18 // JSON of savedBound: of which session a part of a track is
	recReplaced  byte = 19 // JSON of replaced
	recClaimFile byte = 20 // JSON of evidence.SourceManifestFile: it is in the outbox

	recChecked byte = 30 // JSON of precheck: what was looked at before the start
)

// savedVersion is that of the records that are JSON.
const savedVersion = 1

// savedState is all that is known of a recording but for its media and leaves.
type savedState struct {
	Version   int                `json:"version"`
	Interview evidence.ID        `json:"interview"`
	Recording evidence.ID        `json:"recording"`
	Phase     savedPhase         `json:"phase"`
	Sources   []savedSource      `json:"sources"`
	Tracks    []savedTrack       `json:"tracks"`
	Configs   []savedConfig      `json:"configs"`
	Ledgers   []savedLedger      `json:"ledgers"`
	Parts     []evidence.Part    `json:"parts"`
	Events    []evidence.Event   `json:"events"`
	Gaps      []evidence.Gap     `json:"gaps"`
	Anchors   []savedAnchor      `json:"anchors"`
	Duties    []duty             `json:"duties"`
	Openings  []evidence.Opening `json:"openings"`
	NextDuty  int64              `json:"nextDuty"`
	Accounts  []savedAccount     `json:"accounts,omitempty"`
	Checked   precheck           `json:"checked,omitzero"`
	// Checkpoint is how many leaves the newest checkpoint covers that the outbox
	// holds durably, or held.
	Checkpoint int64 `json:"checkpoint,omitempty"`
}

// savedPhase is where an interview stands.
type savedPhase struct {
	State     evidence.State   `json:"state"`
	StartedAt evidence.Instant `json:"startedAt"`
	StoppedAt evidence.Instant `json:"stoppedAt"`
	At        evidence.Offset  `json:"at"`   // interview time of this record
	Part      int              `json:"part"` // the part that sources are in unless they reconnected
	StoppedBy evidence.Actor   `json:"stoppedBy"`
}

type savedSource struct {
	ID   evidence.ID         `json:"id"`
	Role evidence.SourceRole `json:"role"`
	Name string              `json:"name"`
	Part int                 `json:"part"` // 0: as the interview
}

// savedTrack declares a track. Number is how frames name it.
type savedTrack struct {
	Number    int                `json:"number"`
	ID        evidence.ID        `json:"id"`
	Source    evidence.ID        `json:"source"`
	Kind      evidence.TrackKind `json:"kind"`
	Codec     string             `json:"codec"`
	Timescale int64              `json:"timescale"`
	Replaces  evidence.ID        `json:"replaces,omitempty"`
}

func (t *track) saved() savedTrack {
	return savedTrack{Number: t.number, ID: t.ev.ID, Source: t.ev.Source, Kind: t.ev.Kind, Codec: t.ev.Codec, Timescale: t.ev.Timescale, Replaces: t.ev.Replaces}
}

// savedConfig is a decoder configuration. Number counts those of a track from 1;
// frames name theirs by it.
type savedConfig struct {
	Track     int    `json:"track"`
	Number    int    `json:"number"`
	Codec     string `json:"codec"`
	Timescale uint32 `json:"timescale"`
	Width     int    `json:"width"`
	Height    int    `json:"height"`
	Init      []byte `json:"init"`
}

func (c savedConfig) config() media.Config {
	return media.StoredConfig(c.Codec, c.Timescale, c.Width, c.Height, c.Init)
}

type savedLedger struct {
	Track  int            `json:"track"`
	Counts evidenceCounts `json:"counts"`
	// Lines of the ledger so far, and what they add up to.
	Lines int                `json:"lines"`
	Noted evidence.LedgerSum `json:"noted"`
}

// evidenceCounts is what a track came to, in the words of the manifest.
type evidenceCounts struct {
	Packets   evidence.Packets `json:"packets"`
	Whole     int64            `json:"whole"`
	Damaged   int64            `json:"damaged"`
	Missing   int64            `json:"missing"`
	Uncertain int64            `json:"uncertain"`
	Bytes     int64            `json:"bytes"`
}

// add returns the counts with a tally added.
func (c evidenceCounts) add(t media.Tally) evidenceCounts {
	c.Packets.Received += t.Packets.Received
	c.Packets.Recovered += t.Packets.Recovered
	c.Packets.Lost += t.Packets.Lost
	c.Packets.Duplicate += t.Packets.Duplicate
	c.Packets.Padding += t.Packets.Padding
	c.Packets.Reordered += t.Packets.Reordered
	c.Packets.Late += t.Packets.Late
	c.Whole += t.Whole
	c.Damaged += t.Damaged
	c.Missing += t.Missing
	c.Uncertain += t.Uncertain
	c.Bytes += t.Bytes
	return c
}

type savedAnchor struct {
	Track  int             `json:"track"`
	Anchor evidence.Anchor `json:"anchor"`
}

// duty is something that the database must be told, in order, however long it
// does not answer.
type duty struct {
	Number int64 `json:"number"`
	// To is the state to move to from From; empty: an entry alone.
	From  []evidence.State `json:"from,omitempty"`
	To    evidence.State   `json:"to,omitempty"`
	At    evidence.Instant `json:"at"`
	Entry *custody.Entry   `json:"entry,omitempty"`
	Track *evidence.Track  `json:"track,omitempty"` // a track to save, without an entry
}

// Frame flags.
const (
	flagKey = 1 << iota
)

const frameHeader = 2 + 1 + 2 + 4 + 8 + 8 + 4

// savedFrame is a frame as it is journalled.
type savedFrame struct {
	track   int
	config  int
	part    int
	key     bool
	time    int64
	arrival evidence.Offset
	length  int64
	data    []byte
}

// appendTo writes the frame: track, flags, configuration, part, media time,
// arrival, length.
func (f savedFrame) appendTo(b []byte) []byte {
	var flags byte
	if f.key {
		flags |= flagKey
	}
	b = binary.BigEndian.AppendUint16(b, uint16(f.track))
	b = append(b, flags)
	b = binary.BigEndian.AppendUint16(b, uint16(f.config))
	b = binary.BigEndian.AppendUint32(b, uint32(f.part))
	b = binary.BigEndian.AppendUint64(b, uint64(f.time))
	b = binary.BigEndian.AppendUint64(b, uint64(f.arrival))
	b = binary.BigEndian.AppendUint32(b, uint32(f.length))
	return append(b, f.data...)
}

// parseFrame is the inverse. data aliases b.
func parseFrame(b []byte) (savedFrame, error) {
	if len(b) <= frameHeader {
		return savedFrame{}, fmt.Errorf("%w: frame record of %d bytes", evidence.ErrInvalid, len(b))
	}
	return savedFrame{
		track:   int(binary.BigEndian.Uint16(b)),
		key:     b[2]&flagKey != 0,
		config:  int(binary.BigEndian.Uint16(b[3:])),
		part:    int(binary.BigEndian.Uint32(b[5:])),
		time:    int64(binary.BigEndian.Uint64(b[9:])),
		arrival: evidence.Offset(binary.BigEndian.Uint64(b[17:])),
		length:  int64(binary.BigEndian.Uint32(b[25:])),
		data:    b[frameHeader:],
	}, nil
}

func encodeJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("recorder: a record of its own types cannot be written: %v", err))
	}
	return b
}

// hexTime writes a media time as signed documents have it.
func hexTime(t int64) string { return strconv.FormatUint(uint64(t), 16) }

// objectMeta accompanies an object in the spool's outbox.
type objectMeta struct {
	// Segment is set for a segment; its ObjectVersion is filled in once stored.
	Segment *evidence.Segment `json:"segment,omitempty"`
	// Claims is set for a file of signed batches.
	Claims *evidence.SourceManifestFile `json:"claims,omitempty"`
	// Checkpoint is set for a signed checkpoint of the tree.
	Checkpoint *checkpointMeta `json:"checkpoint,omitempty"`
	Page       int             `json:"page"` // of the manifest, where nothing else is set
}
