package evidence

// Types and versions of the signed documents of a recording. Readers accept
// every released version; anything else is "cannot judge", never "holds".
// The formats are specified in FORMAT.md.
const (
	TypeLeaf     = "toldonce/segment"
	TypeManifest = "toldonce/manifest"

	// PredicateRecording is the in-toto predicate type of a sealed recording.
	PredicateRecording = "https://toldonce.org/recording/v1"

	// PageSize is how many leaves a full manifest page holds.
	PageSize = 256
)

// TrackKind tells sound from picture.
type TrackKind string

const (
	Audio TrackKind = "audio"
	Video TrackKind = "video"
)

// LeafKind tells an initialisation segment from media.
type LeafKind string

const (
	LeafInit  LeafKind = "init"
	LeafMedia LeafKind = "media"
	// LeafLedger is a page of the track's ledger ([LedgerPageLine] says which);
	// since version 2 of the leaf.
	LeafLedger LeafKind = "ledger"
)

// Leaf is one entry of a recording's Merkle tree (RFC 6962 hashing over its
// [Canonical] bytes), in append order. It commits to one stored object.
type Leaf struct {
	Type      string   `json:"type"`    // TypeLeaf
	Version   int      `json:"version"` // 1; 2 for kinds that version 1 does not have
	Kind      LeafKind `json:"kind"`
	Salt      string   `json:"salt"` // 32 random bytes, lower-case hex
	Recording ID       `json:"recording"`
	Track     ID       `json:"track"`
	// Part counts unbroken stretches of the interview from 1.
	Part int `json:"part"`
	// Init numbers the initialisation segments of the track from 0: this one's
	// own number for an init, the one it is decoded with for media.
	Init int `json:"init"`
	// Index numbers the media segments of the track from 0 over all parts, in
	// presentation order. It is 0 for an init. Ledger pages are numbered from 1.
	Index int `json:"index"`
	// Start and End bound the segment in interview time, half-open. Both are
	// the time of creation for an init, those of the first and last line for a
	// ledger page.
	Start Offset `json:"start"`
	End   Offset `json:"end"`
	// DecodeTime is the stored tfdt: the unwrapped RTP timestamp of the first
	// sample, in the track's timescale, as lower-case hex without prefix. "0" for an init.
	DecodeTime string `json:"decodeTime"`
	// Duration is in units of the track's timescale; 0 for an init.
	Duration int64 `json:"duration"`
	// Frames counts the samples inside; 0 for an init; lines behind the first for
	// a ledger page.
	Frames int `json:"frames"`
	// Independent: the segment starts at a random access point. False means
	// that it is played, cut and granted only with its predecessors.
	Independent bool `json:"independent"`
	// Plain and Cipher are the stored bytes before and after encryption.
	Plain  Digest `json:"plain"`
	Cipher Digest `json:"cipher"`
}

// Digest is a size and a SHA-256.
type Digest struct {
	SHA256 string `json:"sha256" doc:"64 lower-case hex digits."` // 64 lower-case hex digits
	Size   int64  `json:"size" doc:"Bytes."`                      // bytes
}

// Range is the leaf's span of interview time.
func (l Leaf) Range() Range { return Range{From: l.Start, Until: l.End} }

// Manifest is the sealed description of a recording: all that was captured in
// one interview. Its leaves are in pages of PageSize, one JSON line a leaf.
type Manifest struct {
	Type      string `json:"type"`    // TypeManifest
	Version   int    `json:"version"` // 1 or 2; fields that are new in 2 say so
	Recording ID     `json:"recording"`
	Interview ID     `json:"interview"`
	Case      ID     `json:"case"`
	Agency    ID     `json:"agency"`
	Room      ID     `json:"room"`
	// CaseReference commits to the agency's case number (P9).
	CaseReference Commitment `json:"caseReference"`
	// StartedAt is the instant at which interview time is 0; StoppedAt the final stop.
	StartedAt Instant `json:"startedAt"`
	StoppedAt Instant `json:"stoppedAt"`
	// TimeZone is the IANA name of the room's zone (P11).
	TimeZone string `json:"timeZone"`
	Clock    Clocks `json:"clock"`
	// Sources, Tracks, Parts, Events and Gaps are in order of creation.
	Sources    []ManifestSource `json:"sources"`
	Tracks     []ManifestTrack  `json:"tracks"`
	Parts      []Part           `json:"parts"`
	Events     []Event          `json:"events"`
	Gaps       []Gap            `json:"gaps"`
	Tree       Tree             `json:"tree"`
	Encryption Encryption       `json:"encryption"`
	Software   string           `json:"software"` // program and version
	// Replacements are in order of creation. They, like every field that says so
	// below, stand in manifests of version 2 alone.
	Replacements []Replacement `json:"replacements,omitempty"`
}

// Clocks says which clock the times were read from (P11).
type Clocks struct {
	Source string `json:"source"` // "server", "ntp:HOST"
	// Offset and Uncertainty against the reference, microseconds. Uncertainty
	// -1 means that it was not measured.
	Offset      int64 `json:"offset"`
	Uncertainty int64 `json:"uncertainty"`
}

// ManifestSource is one WHIP source as sealed.
type ManifestSource struct {
	ID   ID     `json:"id"`
	Role string `json:"role"` // close-up, wide, room, child, interpreter
	Name string `json:"name"` // unique in the interview, names no person: "close-up", "wide-2"
	// SourceManifest says what the source's own account of its frames comes to, one
	// of the SourceManifest constants; in version 1 "none" or "verified".
	SourceManifest string `json:"sourceManifest"`
	// Keys signed the source's batches, and Files are where those are stored, in
	// order; version 2.
	Keys  []SourceKey          `json:"keys,omitempty"`
	Files []SourceManifestFile `json:"files,omitempty"`
}

// ManifestTrack is one audio or video of a source with its ledger's summary.
type ManifestTrack struct {
	ID        ID        `json:"id"`
	Source    ID        `json:"source"`
	Kind      TrackKind `json:"kind"`
	Codec     string    `json:"codec"`     // RFC 6381 string of the first init
	Timescale int64     `json:"timescale"` // units a second
	Segments  int       `json:"segments"`
	Anchors   []Anchor  `json:"anchors"`
	Packets   Packets   `json:"packets"`
	Frames    Frames    `json:"frames"`
	// Ledgers counts the pages of the track's ledger; since version 2.
	Ledgers int `json:"ledgers,omitempty"`
	// Replaces is the track of which this one holds back-filled stretches; empty
	// for one that was received live. Version 2.
	Replaces ID `json:"replaces,omitempty"`
	// Ranges say what became of each frame that the source claimed; version 2.
	Ranges []FrameRange `json:"ranges,omitempty"`
}

// Anchor ties a track's media time to interview time. Between anchors media
// time runs at the timescale.
type Anchor struct {
	Part int `json:"part"`
	// DecodeTime is unwrapped RTP as lower-case hex without prefix.
	DecodeTime string `json:"decodeTime"`
	At         Offset `json:"at"`
	// Uncertainty is in microseconds.
	Uncertainty int64 `json:"uncertainty"`
	// Method says how: "arrival", "sender-report", or "clock-offset": by the measured
	// offset of the source's clock, which aligns sources with one another.
	Method string `json:"method"`
}

// Packets counts RTP packets of a track.
type Packets struct {
	Received  int64 `json:"received"`  // distinct packets that arrived, Recovered included
	Recovered int64 `json:"recovered"` // arrived after they were asked for again
	Lost      int64 `json:"lost"`      // never arrived
	Duplicate int64 `json:"duplicate"`
	Padding   int64 `json:"padding"` // carried no media
	// Since version 2, absent if 0: Reordered arrived after a later one without
	// having been asked for; Late arrived after they were given up, and are in Lost.
	Reordered int64 `json:"reordered,omitempty"`
	Late      int64 `json:"late,omitempty"`
}

// Frames counts frames of a track.
type Frames struct {
	Whole   int64 `json:"whole"`
	Damaged int64 `json:"damaged"` // seen in part; kept aside in the ledger, not in the samples
	// Missing were never seen. In version 1, -1 says that the number cannot be known.
	Missing int64 `json:"missing"`
	// Uncertain is how many more may be missing at most, since version 2; absent if
	// 0: Missing is exact. What the source sent is Whole + Damaged + Missing, and at
	// most Uncertain more.
	Uncertain int64 `json:"uncertain,omitempty"`
}

// Part is an unbroken stretch of an interview.
type Part struct {
	Number int    `json:"number"` // from 1
	Start  Offset `json:"start"`
	End    Offset `json:"end"`
	// Cause of its beginning: "start", "resume", "reconnect", "restart".
	Cause string `json:"cause"`
}

// Event is something that happened during an interview (P12, P13, P16).
type Event struct {
	At      Offset  `json:"at"`
	Instant Instant `json:"instant"`
	// Kind is one of the Event constants.
	Kind string `json:"kind"`
	// Actor is the account or device; empty for the program.
	Actor ID `json:"actor,omitempty"`
	// Source or Track concerned; empty if none.
	Source ID `json:"source,omitempty"`
	Track  ID `json:"track,omitempty"`
	// Value is a code that names no person, such as a phase or a cause.
	Value string `json:"value,omitempty"`
	// Note commits to free text.
	Note Commitment `json:"note,omitempty"`
}

// Kinds of events.
const (
	EventStart        = "start"
	EventPause        = "pause"
	EventResume       = "resume"
	EventStop         = "stop"
	EventMarker       = "marker"
	EventPhase        = "phase"
	EventSourceJoined = "source-joined"
	EventSourceLeft   = "source-left"
	EventInitChanged  = "init-changed"
	EventRestart      = "restart"
	EventConsentEnded = "consent-ended"
	EventStorage      = "storage"
	// EventObserverJoined and EventObserverLeft: the actor watches live from there to
	// there (P10, P14). Value is the actor's role, or why the observation ended.
	EventObserverJoined = "observer-joined"
	EventObserverLeft   = "observer-left"
	// EventQuestion, EventTeamBreak and EventDistress are what observers asked of the
	// interviewer (P14, P15): Value is "proposed", by the actor, or what came of it.
	EventQuestion  = "question"
	EventTeamBreak = "team-break"
	EventDistress  = "distress"
	// EventClockStep: a wall clock was set, the source's if there is a source, else the
	// recorder's: Value is then by how much, as "-1h0m0s", or empty over a restart.
	// Interview time does not move.
	EventClockStep = "clock-step"
	// EventBackfilled: a stretch that was missing was handed over by the source.
	EventBackfilled = "back-filled"
	// EventQualityBegan and EventQualityEnded: from the one to the other something was
	// wrong with what a source sent. Value is the cause, a Cause of recorder/quality.
	EventQualityBegan = "quality-began"
	EventQualityEnded = "quality-ended"
	// EventCheckGood, EventCheckLook, EventCheckStop and EventCheckUnknown are what came of
	// what was looked at before the start, one event a line: it was good, was to be
	// looked at, was a reason not to start, or could not be measured. Value is what was
	// looked at, [Check] says more. EventCheckOverruled: the actor started all the same.
	EventCheckGood      = "check-good"
	EventCheckLook      = "check-look"
	EventCheckStop      = "check-stop"
	EventCheckUnknown   = "check-unknown"
	EventCheckOverruled = "check-overruled"
)

// Gap is a stretch of a track that is not in the recording.
type Gap struct {
	Track ID     `json:"track"`
	Start Offset `json:"start"`
	End   Offset `json:"end"`
	// Cause: "packet-loss", "capture-stall", "source-away", "pause", "restart", "damaged",
	// "storage-full": neither disk nor memory of the recorder took more.
	Cause string `json:"cause"`
	// Frames is how many frames are missing; -1: nothing was received from which
	// it could be counted.
	Frames int64 `json:"frames"`
	// Since version 2, absent if 0. Uncertain is how many more may be missing at
	// most, by the packets that were lost: see [Frames]. Ledger is the page of the
	// track's ledger in which what arrived of damaged frames begins.
	Uncertain int64 `json:"uncertain,omitempty"`
	Ledger    int   `json:"ledger,omitempty"`
}

// Tree is the head of the recording's Merkle tree.
type Tree struct {
	Size int64  `json:"size"`
	Root string `json:"root"` // lower-case hex
	// Pages are the SHA-256 of each page file, in order.
	Pages []string `json:"pages"`
}

// Encryption names how the stored objects are encrypted.
type Encryption struct {
	Scheme    string `json:"scheme"`    // "age-v1"
	Recipient string `json:"recipient"` // the recording's public age recipient
}

// Statement is the in-toto Statement v1 that a seal signs. Its only subject is
// the manifest file.
type Statement struct {
	Type          string             `json:"_type"` // https://in-toto.io/Statement/v1
	Subject       []Subject          `json:"subject"`
	PredicateType string             `json:"predicateType"`
	Predicate     RecordingPredicate `json:"predicate"`
}

// Subject is a file by digest.
type Subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// RecordingPredicate repeats what a reader wants without opening the manifest.
type RecordingPredicate struct {
	Version   int     `json:"version"` // 1
	Recording ID      `json:"recording"`
	Interview ID      `json:"interview"`
	StartedAt Instant `json:"startedAt"`
	StoppedAt Instant `json:"stoppedAt"`
	TreeSize  int64   `json:"treeSize"`
	TreeRoot  string  `json:"treeRoot"`
}

// SealedRecording is what the final stop leaves: every byte that a verifier
// needs but for the segments themselves.
type SealedRecording struct {
	Recording ID
	Interview ID
	Manifest  []byte   // canonical [Manifest]
	Statement []byte   // canonical [Statement]
	Bundle    []byte   // Sigstore bundle v0.3 JSON
	Pages     [][]byte // canonical leaves, one a line, PageSize a page
	// Nodes are the nodes of the tree over the full pages, in tlog's storage order.
	// A store computes them from the pages where they are not given.
	Nodes    [][32]byte
	Status   []byte // the recorder's last status, JSON
	Leaving  []byte // the signed check before the child leaves ([evidence/leaving]); empty if there is none
	SealedAt Instant
}
