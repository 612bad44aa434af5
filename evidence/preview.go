package evidence

// PreviewKind tells small pictures from loudness.
type PreviewKind string

// Kinds of preview.
const (
	PreviewPictures PreviewKind = "pictures" // of a video track: one small JPEG a segment
	PreviewLevels   PreviewKind = "levels"   // of an audio track: loudness, ten times a second
)

// PreviewPage is where the previews of some segments of one track lie, encrypted
// to their recording's recipient: they end with its key (P35). Previews are made
// for finding one's way; they are no evidence and no leaf of the recording's tree.
type PreviewPage struct {
	Recording ID
	Track     ID
	Page      int // of the track, from 0
	Kind      PreviewKind
	// First and Last are the indexes of the first and last media segment whose
	// preview the page may hold.
	First, Last int
	// Plain and Cipher are the object's bytes before and after encryption.
	Plain, Cipher Digest
	ObjectKey     string
	ObjectVersion string
}
