package evidence

// State of an interview. Changes go planned → ready → recording ⇄ paused →
// stopping → sealed; a planned or ready one may be cancelled.
type State string

const (
	StatePlanned   State = "planned"
	StateReady     State = "ready"
	StateRecording State = "recording"
	StatePaused    State = "paused"
	StateStopping  State = "stopping"
	StateSealed    State = "sealed"
	StateCancelled State = "cancelled"
)

// Interview is one sitting, planned or held.
type Interview struct {
	ID        ID
	Agency    ID
	Case      ID
	Recording ID // id of what is captured; set when planned, so that keys can be made before the start
	Person    ID // the victim or witness on the case who is interviewed
	Room      ID
	Number    int // of this person's interviews on the case, from 1 (P3)
	State     State
	PlannedAt Instant
	Language  string  // BCP 47
	StartedAt Instant // 0 until started
	StoppedAt Instant // 0 until stopped
	SealedAt  Instant // 0 until sealed
	Version   int64   // row version for optimistic concurrency
}

// SourceRole says what a source shows or hears (P8, P17).
type SourceRole string

const (
	SourceCloseUp     SourceRole = "close-up"
	SourceWide        SourceRole = "wide"
	SourceRoom        SourceRole = "room"
	SourceChild       SourceRole = "child"
	SourceInterpreter SourceRole = "interpreter"
)

// SourceRoles lists every role of a source, in the order in which pages show them.
var SourceRoles = []SourceRole{SourceCloseUp, SourceWide, SourceRoom, SourceChild, SourceInterpreter}

// Source is one WHIP session's place in an interview: a camera with its
// microphone, or a microphone.
type Source struct {
	ID        ID
	Interview ID
	Role      SourceRole
	Name      string // unique in the interview: the role, with -2, -3 … if repeated
	TokenHash []byte // SHA-256 of its bearer token
}

// Track is one audio or one video of a source.
type Track struct {
	ID        ID
	Source    ID
	Interview ID
	Kind      TrackKind
	Codec     string // RFC 6381
	Timescale int64
	Replaces  ID // the track of which this one holds back-filled stretches; empty for one received live
}

// Segment is a stored leaf: where its ciphertext lies.
type Segment struct {
	Leaf          Leaf
	Position      int64  // in the recording's tree, from 0
	ObjectKey     string // in the object store
	ObjectVersion string // version id there; empty for a local directory
}

// Lease says which recorder node has an interview. Its epoch grows with each
// acquisition, and each write of the recording checks it, so that a node that was
// thought dead cannot write after another took over.
type Lease struct {
	Interview ID
	Node      ID
	Epoch     int64
	Until     Instant // another node may take it from then on
}
