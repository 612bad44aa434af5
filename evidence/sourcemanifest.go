package evidence

// Device is a browser of an interview room. Its key, which never leaves it, signs
// what its encoders made, and lets it go on for its room's interviews when nobody
// is signed in any more.
type Device struct {
	ID     ID
	Agency ID
	Room   ID
	// PublicKey is a P-256 SubjectPublicKeyInfo in DER; KeyID its SHA-256 in
	// lower-case hex, by which signed batches name it.
	PublicKey  []byte
	KeyID      string
	EnrolledAt Instant
	EnrolledBy ID      // the account; empty for those of before it was noted
	RevokedAt  Instant // 0: in force
}

// SourceManifestFile is a stored piece of a source manifest: some signed batches
// of one source, encrypted like media.
type SourceManifestFile struct {
	Source ID `json:"source"`
	// Number counts the source's files from 0.
	Number int `json:"number"`
	// Batches and Frames are how many it holds.
	Batches int    `json:"batches"`
	Frames  int64  `json:"frames"`
	Plain   Digest `json:"plain"`
	Cipher  Digest `json:"cipher"`
}

// StoredSourceManifest says where a piece of a source manifest lies.
type StoredSourceManifest struct {
	File          SourceManifestFile
	ObjectKey     string
	ObjectVersion string
}

// What a source manifest comes to, in [ManifestSource.SourceManifest].
const (
	// SourceManifestNone: the source did not account for its frames.
	SourceManifestNone = "none"
	// SourceManifestVerified: every frame that the source claimed while recording
	// ran is in the recording, byte for byte.
	SourceManifestVerified = "verified"
	// SourceManifestIncomplete: all that is in the recording is as the source
	// claimed, but frames that it claimed are missing.
	SourceManifestIncomplete = "incomplete"
	// SourceManifestMismatched: something in the recording is not what the source
	// claimed, or was not claimed.
	SourceManifestMismatched = "mismatched"
)

// SourceKey is a device key that signed batches of a source.
type SourceKey struct {
	Device ID     `json:"device"`
	Public string `json:"public"` // SubjectPublicKeyInfo, lower-case hex
}

// States of frames in a [FrameRange].
const (
	FramesLive       = "live"        // received as they were sent, and as the source claimed
	FramesBackfilled = "back-filled" // handed over later, and as the source claimed
	FramesMissing    = "missing"     // claimed, and in the recording nowhere
	FramesMismatched = "mismatched"  // received, and not what the source claimed
	FramesUnclaimed  = "unclaimed"   // received, and claimed by nothing that was signed
)

// FrameRange is a stretch of a track of which the recorder and the source say the
// same kind of thing, in order of media time within a session.
type FrameRange struct {
	Session ID     `json:"session"`
	State   string `json:"state"`
	// From and To are the media times of the first and the last frame, as decode
	// times are written.
	From   string `json:"from"`
	To     string `json:"to"`
	Frames int64  `json:"frames"`
}

// Replacement says that segments of another track play in place of what a track
// holds, or lacks, between two moments. The original stays.
type Replacement struct {
	Track ID `json:"track"` // the original
	By    ID `json:"by"`    // the track that plays; it names Track in Replaces
	// First and Last are the indices of its segments.
	First int `json:"first"`
	Last  int `json:"last"`
	// Start and End bound them in interview time. No segment of the original
	// crosses a bound by more than clocks may err: those inside are kept and not
	// played. See [Replacement.Instead].
	Start Offset `json:"start"`
	End   Offset `json:"end"`
}

// Instead reports whether the replacement plays in place of a segment of the
// original: the segment's middle lies within its bounds. Ends would not tell: two
// frames of sound beside a replacement are shorter than clocks may err.
func (r Replacement) Instead(l Leaf) bool {
	middle := l.Start + (l.End-l.Start)/2
	return l.Track == r.Track && l.Kind == LeafMedia && middle >= r.Start && middle < r.End
}
