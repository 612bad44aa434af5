package transcript

import (
	"context"
	"regexp"
	"slices"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/seal"
)

// Origin says how a version came to be.
type Origin string

const (
	Imported Origin = "import" // a WebVTT file that a person brought
	Edited   Origin = "edit"   // a person changed an earlier version
	Spoken   Origin = "speech" // a speech service wrote it
)

// Version is one version of the transcript of an interview in one language. Versions
// are never changed, and never removed but with the recording's key.
type Version struct {
	ID        evidence.ID
	Agency    evidence.ID // of the case
	Case      evidence.ID
	Interview evidence.ID
	Recording evidence.ID
	Language  string // BCP 47
	Number    int    // of the interview and language, from 1
	Origin    Origin
	Base      evidence.ID    // the version that was edited; empty for others
	Cues      int            // at least one
	Range     evidence.Range // from the first cue's start to the last one's end
	// Plain and Cipher are the file's bytes before and after encryption.
	Plain, Cipher evidence.Digest
	ObjectKey     string
	ObjectVersion string
	CreatedBy     evidence.ID // account; empty for a speech service's
	CreatedAt     evidence.Instant
	// CertifiedBy is the account that certified it, at CertifiedAt, and Certifier
	// opens the name and capacity that she certified it under; personal. Bundle is
	// the signed statement. All empty while it is unofficial.
	CertifiedBy evidence.ID
	CertifiedAt evidence.Instant
	Certifier   evidence.Opening
	Bundle      []byte
}

// Official reports whether somebody certified it.
func (v Version) Official() bool { return v.CertifiedBy != "" }

// Custody entries about transcripts; the acts among them are the policy's actions of
// the same name.
const (
	ActionWrite   = "transcript.write"   // a version was imported or edited
	ActionCertify = "transcript.certify" // a version was certified
	ActionList    = "transcript.list"    // what versions there are; no text
)

// FieldName is the field of the commitment to a certifier's name.
const FieldName = "name"

// Store keeps what is known of versions; their text lies in the object store.
// Methods that take a custody entry commit both in one transaction. Lookups return
// an error wrapping [evidence.ErrNotFound] when there is nothing. Safe for concurrent
// use by many processes.
type Store interface {
	// Now is the server time; [evidence.ErrClockBehind] while it is behind the log.
	Now(ctx context.Context) (evidence.Instant, error)
	Interview(ctx context.Context, id evidence.ID) (evidence.Interview, error)
	RecordingKey(ctx context.Context, recording evidence.ID) (wrapped []byte, recipient string, err error)

	// CreateTranscript stores a version; [evidence.ErrConflict] if its number is taken.
	CreateTranscript(ctx context.Context, v Version, entry custody.Entry) error
	Transcript(ctx context.Context, id evidence.ID) (Version, error)
	// Transcripts returns an interview's versions, by language and number.
	Transcripts(ctx context.Context, interview evidence.ID) ([]Version, error)
	// CertifyTranscript stores who certified a version; [evidence.ErrConflict] if
	// somebody did before.
	CertifyTranscript(ctx context.Context, v Version, entry custody.Entry) error
}

// Objects keeps ciphertext.
type Objects interface {
	Put(ctx context.Context, key string, body []byte, sum evidence.Digest, retainUntil time.Time) (version string, err error)
	Get(ctx context.Context, key, version string) ([]byte, error)
}

// Keys opens recordings.
type Keys interface {
	OpenRecordingKey(ctx context.Context, recording evidence.ID, wrapped []byte) (envelope.DataKey, error)
}

// Grants tells which stretches somebody may read now.
type Grants interface {
	// TranscriptRanges returns the stretches of an interview whose transcript the
	// actor may read now, or a [*evidence.Refusal].
	TranscriptRanges(ctx context.Context, actor evidence.Actor, interview evidence.ID) ([]evidence.Range, error)
	// Transcript does the same for a delivery of one version, and returns once the
	// custody entry that names stretches and version is committed.
	Transcript(ctx context.Context, actor evidence.Actor, interview, version evidence.ID) ([]evidence.Range, error)
}

// Sealer signs certificates. [seal.Authority] is one.
type Sealer interface {
	SealFile(ctx context.Context, name string, content []byte, predicateType string, predicate any) (seal.Sealed, error)
}

var languageForm = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$`)

// Chosen returns what leaves with a package: of each language the newest certified
// version, and where none is certified the newest.
func Chosen(all []Version) []Version {
	by := map[string]Version{}
	var languages []string
	for _, v := range all {
		was, known := by[v.Language]
		if !known {
			languages = append(languages, v.Language)
		}
		if !known || v.Official() && !was.Official() || v.Official() == was.Official() && v.Number > was.Number {
			by[v.Language] = v
		}
	}
	slices.Sort(languages)
	out := make([]Version, 0, len(languages))
	for _, l := range languages {
		out = append(out, by[l])
	}
	return out
}
