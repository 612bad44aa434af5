package web

import (
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// Interview is one sitting, planned or held.
type Interview struct {
	ID          evidence.ID    `json:"id" doc:"Interview."`
	Case        CaseRef        `json:"case" doc:"The case file that it hangs on (P9)."`
	Person      PersonRef      `json:"person" doc:"Who is interviewed."`
	Room        NamedRef       `json:"room" doc:"Where."`
	Number      int            `json:"number" doc:"Of this person's interviews on the case, from 1 (P3)."`
	State       evidence.State `json:"state" doc:"planned → ready → recording ⇄ paused → stopping → sealed; or cancelled." enum:"planned,ready,recording,paused,stopping,sealed,cancelled"`
	Language    string         `json:"language" doc:"Language of the interview, BCP 47."`
	PlannedAt   time.Time      `json:"planned_at" doc:"When it is planned for."`
	StartedAt   *time.Time     `json:"started_at,omitempty" doc:"When interview time was 0."`
	StoppedAt   *time.Time     `json:"stopped_at,omitempty" doc:"The final stop."`
	SealedAt    *time.Time     `json:"sealed_at,omitempty" doc:"When the seal was made."`
	RecordingID evidence.ID    `json:"recording_id" doc:"What is captured in it: one key, one tree, one seal."`
}

// InterviewDetail is an interview with what a room page needs.
type InterviewDetail struct {
	Interview
	Plan     InterviewPlan     `json:"plan" doc:"What was settled before."`
	Ready    bool              `json:"ready" doc:"Whether it may be started now: consent and everything else that the rules ask is there (P9, P40, P41)."`
	Missing  []Reason          `json:"missing" doc:"If not ready: what is missing, a sentence each."`
	Sources  []InterviewSource `json:"sources" doc:"Cameras and microphones, in order of creation."`
	Manifest string            `json:"manifest_sha256,omitempty" doc:"SHA-256 of the sealed manifest, once sealed."`
}

// InterviewPlan is what was settled before an interview.
type InterviewPlan struct {
	Interviewer AccountRef `json:"interviewer" doc:"Who conducts it."`
	Needs       string     `json:"needs" doc:"The person's needs, and what is done about them (P7)."`
	Necessity   string     `json:"necessity,omitempty" doc:"Why one more interview was needed (P3)."`
	Change      string     `json:"change,omitempty" doc:"Why the interviewer is not the same as last time (P4)."`
	Interpreter string     `json:"interpreter,omitempty" doc:"Who interprets."`
	SameSex     string     `json:"same_sex" enum:"not_asked,no_wish,met,not_met" doc:"What came of asking whether she wishes an interviewer of her own sex (P2)."`
	SameSexNote string     `json:"same_sex_note,omitempty" doc:"Why the wish was not met."`
	Reflection  string     `json:"reflection,omitempty" doc:"Why it lies inside her reflection period."`
	OwnRequest  bool       `json:"own_request,omitempty" doc:"She asked for it herself."`
	PlannedBy   AccountRef `json:"planned_by" doc:"Who planned it."`
}

// InterviewSource is a camera with its microphone, or a microphone.
type InterviewSource struct {
	SourceRef
	Tracks []InterviewTrack `json:"tracks" doc:"What it has sent; empty before it has."`
}

// InterviewTrack is one sound or one picture of a source.
type InterviewTrack struct {
	ID    evidence.ID        `json:"id" doc:"Track."`
	Kind  evidence.TrackKind `json:"kind" doc:"Sound or picture." enum:"audio,video"`
	Codec string             `json:"codec" doc:"RFC 6381." example:"avc1.42e01f"`
}

// NewSource is a source at the one moment when its token is shown.
type NewSource struct {
	SourceID   evidence.ID         `json:"source_id" doc:"Source."`
	Name       string              `json:"name" doc:"Unique in the interview."`
	Role       evidence.SourceRole `json:"role" doc:"What it shows or hears."`
	WHIP       string              `json:"whip" doc:"Where to publish: a WHIP endpoint (RFC 9725) that takes H.264 (VP9 and AV1 too) and Opus."`
	Token      string              `json:"token" doc:"Bearer token of the endpoint. It is shown once and replaces an earlier one of the same source."`
	ICEServers []ICEServer         `json:"ice_servers" doc:"Relays for networks that let nothing else through; empty where the operator set up none."`
}

// ICEServer is a TURN relay, as browsers take it.
type ICEServer struct {
	URLs       []string `json:"urls" doc:"Addresses (RFC 7065)."`
	Username   string   `json:"username" doc:"User name, good for six hours."`
	Credential string   `json:"credential" doc:"Password."`
}

type planInterviewInput struct {
	IDPath
	Body struct {
		PersonID    evidence.ID `json:"person_id" maxLength:"64" doc:"Who is interviewed; a victim or a witness on the case."`
		RoomID      evidence.ID `json:"room_id" maxLength:"64" doc:"Where."`
		PlannedAt   time.Time   `json:"planned_at" doc:"When."`
		Language    string      `json:"language" minLength:"2" maxLength:"35" doc:"Language of the interview, BCP 47."`
		Interviewer evidence.ID `json:"interviewer_id,omitempty" maxLength:"64" doc:"An interviewer of the case's team; you if left out."`
		Needs       string      `json:"needs" minLength:"1" maxLength:"2000" doc:"The person's physical, social, cognitive and linguistic needs (P7). If there are none, how that is known."`
		Necessity   string      `json:"necessity,omitempty" maxLength:"2000" doc:"Why one more interview is needed; required if the person was interviewed before (P3)."`
		Change      string      `json:"change,omitempty" maxLength:"2000" doc:"Why the interviewer is not the same as last time; required if so (P4)."`
		Interpreter string      `json:"interpreter,omitempty" maxLength:"200" doc:"Who interprets."`
		SameSex     string      `json:"same_sex,omitempty" enum:"not_asked,no_wish,met,not_met" doc:"What came of asking whether she wishes an interviewer of her own sex (P2); not_asked if left out."`
		SameSexNote string      `json:"same_sex_note,omitempty" maxLength:"2000" doc:"Why the wish is not met; required then."`
		Reflection  string      `json:"reflection,omitempty" maxLength:"2000" doc:"Why it lies inside her reflection period; required then, with own_request."`
		OwnRequest  bool        `json:"own_request,omitempty" doc:"She asked for it herself."`
	}
}

// Device is a browser of an interview room.
type Device struct {
	ID    evidence.ID `json:"id" doc:"Device."`
	KeyID string      `json:"key_id" doc:"SHA-256 of its public key, lower-case hex."`
}

type enrolDeviceInput struct {
	IDPath
	Body struct {
		PublicKey []byte `json:"public_key" doc:"P-256 public key as SubjectPublicKeyInfo (DER), base64." maxLength:"256"`
	}
}

type addSourceInput struct {
	IDPath
	Body struct {
		Role evidence.SourceRole `json:"role" enum:"close-up,wide,room,child,interpreter" doc:"What it shows or hears (P8, P17). Its name is made from it."`
	}
}

type sourcePath struct {
	IDPath
	Source evidence.ID `path:"source" maxLength:"64" doc:"Source."`
}

type pauseInput struct {
	IDPath
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"Why there is a break (P12)."`
	}
}

type markInput struct {
	IDPath
	Body struct {
		Kind  string `json:"kind" enum:"marker,phase" doc:"A mark, or the beginning of a phase of the interview (P16)."`
		Value string `json:"value,omitempty" maxLength:"64" pattern:"^[a-z0-9._-]*$" doc:"For a phase: introduction, ground-rules, rapport, substantive, closure. For a mark: a code of your own that names no person."`
		Note  string `json:"note,omitempty" maxLength:"500" doc:"Free text; the sealed document holds only a commitment to it."`
	}
}

// Status is what an interview's recording is doing now.
type Status struct {
	Interview evidence.ID     `json:"interview" doc:"Interview."`
	State     evidence.State  `json:"state" doc:"State of the interview." enum:"planned,ready,recording,paused,stopping,sealed,cancelled"`
	Sealed    bool            `json:"sealed" doc:"Whether it is sealed."`
	Elapsed   evidence.Offset `json:"elapsed_us" doc:"Interview time now, or its length once stopped, microseconds."`
	StartedAt *time.Time      `json:"started_at,omitempty" doc:"When interview time was 0."`
	Part      int             `json:"part" doc:"Which unbroken stretch is being recorded, from 1; 0 before the start."`
	Tracks    []TrackStatus   `json:"tracks" doc:"Every track that was seen, in order of appearance."`
	Storage   StorageStatus   `json:"storage" doc:"Where the segments are."`
	Alarms    []Alarm         `json:"alarms" doc:"What needs somebody's attention now."`
	Observers []Presence      `json:"observers" doc:"Who watches live now (P10, P14), in order of joining."`

	Checkpoint *CheckpointStatus `json:"checkpoint,omitempty" doc:"How much of the recording could be proved if this server were destroyed. Absent before the first checkpoint and once it is sealed."`
}

// CheckpointStatus says how much of a running recording is provable without the server.
type CheckpointStatus struct {
	Pieces         int64           `json:"pieces" doc:"How many pieces the newest signed checkpoint covers."`
	At             evidence.Offset `json:"at_us" doc:"Interview time at which it was made, microseconds."`
	Stored         bool            `json:"stored" doc:"Whether the object store has it."`
	Witnessed      int             `json:"witnessed" doc:"How many witnesses cosigned it."`
	Witnesses      int             `json:"witnesses" doc:"How many are asked."`
	Acknowledged   bool            `json:"acknowledged" doc:"Whether it is stored and, if witnesses are asked, cosigned by one at least."`
	AcknowledgedAt evidence.Offset `json:"acknowledged_at_us" doc:"Interview time of the newest one that was, microseconds; 0 if none was."`
}

// Presence is somebody who watches an interview live.
type Presence struct {
	Account  AccountRef    `json:"account" doc:"Who."`
	Role     evidence.Role `json:"role" doc:"The role on the case by which she watches." enum:"interviewer,observer,advocate"`
	Since    time.Time     `json:"since" doc:"Since when."`
	Withheld bool          `json:"withheld,omitempty" doc:"Nothing is sent to her at the moment, because it cannot be decided whether she may see it."`
}

// TrackStatus is one track: while ready what arrives, from the start on what is
// recorded.
type TrackStatus struct {
	Track     evidence.ID         `json:"track" doc:"Track."`
	SourceID  evidence.ID         `json:"source_id" doc:"Source."`
	Source    string              `json:"source" doc:"The source's name." example:"close-up"`
	Role      evidence.SourceRole `json:"role" doc:"The source's role." enum:"close-up,wide,room,child,interpreter"`
	Name      string              `json:"name" doc:"Name of source and kind."`
	Kind      evidence.TrackKind  `json:"kind" doc:"Sound or picture." enum:"audio,video"`
	Codec     string              `json:"codec" doc:"RFC 6381; empty until known." example:"avc1.42e01f"`
	Width     int                 `json:"width,omitempty" doc:"Picture only: width, pixels."`
	Height    int                 `json:"height,omitempty" doc:"Picture only: height, pixels."`
	Packets   PacketCounts        `json:"packets" doc:"RTP packets."`
	Frames    FrameCounts         `json:"frames" doc:"Frames."`
	Bytes     int64               `json:"bytes" doc:"Bytes of whole frames."`
	Live      bool                `json:"live" doc:"Whether packets arrived within the last second."`
	Level     *int                `json:"level_db,omitempty" doc:"Sound only: the loudest of the last second, dBov (RFC 6464): 0 the loudest, -127 silence."`
	RoundTrip int64               `json:"round_trip_us" doc:"Round trip to the source, microseconds; 0 if not measured."`
	// See [recorder.TrackStatus].
	Aligned       string `json:"aligned,omitempty" enum:"clock-offset,sender-report,arrival" doc:"How the track is put on interview time: by the measured offset of its device's clock, which aligns devices; by sender reports, with the other track of its device alone; by arrival, by itself. Absent before anything is recorded."`
	AlignedWithin int64  `json:"aligned_within_us,omitempty" doc:"How far off that can be by the time packets need, microseconds."`
	Rate          int    `json:"frame_rate,omitempty" doc:"Picture only: frames a second that arrive, over the last seconds; absent until known."`
	Skew          *int64 `json:"sync_us,omitempty" doc:"Picture only: by how many microseconds it comes later than its sound, by the source's own reports; absent until known."`
}

// PacketCounts counts RTP packets.
type PacketCounts struct {
	Received  int64 `json:"received" doc:"Distinct packets that arrived, recovered ones included."`
	Recovered int64 `json:"recovered" doc:"Arrived after they were asked for again."`
	Lost      int64 `json:"lost" doc:"Given up."`
	Duplicate int64 `json:"duplicate" doc:"Arrived more than once."`
	Reordered int64 `json:"reordered" doc:"Arrived late without having been asked for."`
	Padding   int64 `json:"padding" doc:"Carried no media."`
	Late      int64 `json:"late" doc:"Arrived after they were given up; counted as lost."`
}

// FrameCounts counts frames.
type FrameCounts struct {
	Whole   int64 `json:"whole" doc:"Complete."`
	Damaged int64 `json:"damaged" doc:"Seen in part; kept aside."`
	Missing int64 `json:"missing" doc:"Never seen, and certainly sent."`
	// See [recorder.FrameCounts].
	Uncertain int64 `json:"uncertain" doc:"How many more may be missing at most. 0: what was sent is whole + damaged + missing. Otherwise neither the sender's numbering nor its packets nor the spacing of its frames tells, and the bound is that every frame has at least one of the packets that were lost."`
}

// StorageStatus says where an interview's segments are.
type StorageStatus struct {
	Durable        int64 `json:"durable_segments" doc:"In the object store, and known to the database."`
	Pending        int64 `json:"pending_segments" doc:"In the encrypted journal on disk, not yet in the store."`
	FreeBytes      int64 `json:"spool_free_bytes" doc:"Free space of the journal's disk, bytes."`
	FreeMinutes    int64 `json:"spool_free_minutes" doc:"How long recording can go on if nothing is stored, minutes; -1 if not known."`
	ReserveBytes   int64 `json:"spool_reserve_bytes" doc:"What is left of the disk that is kept for recording on when it is full, bytes."`
	ReserveMinutes int64 `json:"spool_reserve_minutes" doc:"How long that reserve alone lasts, minutes; -1 if not known."`
}

// Alarm needs somebody's attention.
type Alarm struct {
	Code   string      `json:"code" doc:"Stable, dotted, lower case. Translate by it."`
	Text   string      `json:"text" doc:"The English sentence. It names no person."`
	Source evidence.ID `json:"source,omitempty" doc:"The source concerned, if one is."`
}

// Mark is a mark as it was noted.
type Mark struct {
	At    evidence.Offset `json:"at" doc:"Interview time, microseconds."`
	Kind  string          `json:"kind" doc:"marker or phase."`
	Value string          `json:"value,omitempty" doc:"The code."`
}

// Verification is the server's own check of a sealed recording.
type Verification struct {
	Interview     evidence.ID  `json:"interview" doc:"Interview."`
	Verdict       string       `json:"verdict" doc:"holds: everything that was checked holds; fails: something does not; unknown: something could not be checked." enum:"holds,fails,unknown"`
	Summary       string       `json:"summary" doc:"The verdict in one plain sentence."`
	CheckedAt     time.Time    `json:"checked_at" doc:"When it was checked."`
	Checks        []Check      `json:"checks" doc:"Each thing that was checked."`
	Manifest      string       `json:"manifest_sha256" doc:"SHA-256 of the sealed manifest."`
	SealedAt      time.Time    `json:"sealed_at" doc:"When the seal was made, by the server's clock."`
	TimestampedAt *time.Time   `json:"timestamped_at,omitempty" doc:"What the seal's timestamp says."`
	Segments      int          `json:"segments" doc:"How many stored objects were read and hashed."`
	Log           *LogPosition `json:"log,omitempty" doc:"Where the custody log holds the seal."`
}

// Check is one thing that was checked.
type Check struct {
	Code   string `json:"code" doc:"Stable, dotted, lower case."`
	Result string `json:"result" doc:"holds, fails, or unknown if it could not be judged." enum:"holds,fails,unknown"`
	Text   string `json:"text" doc:"What was checked and what came of it, in plain English."`
}

// LogPosition is a place in the custody log.
type LogPosition struct {
	Position int64 `json:"position" doc:"Position of the entry, from 0."`
	Size     int64 `json:"size" doc:"Size of the log when it was read."`
}
