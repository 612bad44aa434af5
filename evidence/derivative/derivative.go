package derivative

import (
	"context"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/envelope"
)

// State of a derivative.
type State string

const (
	Queued   State = "queued"   // waits to be made, or is being made
	Review   State = "review"   // made; waits for a second person
	Released State = "released" // may be handed over
	Refused  State = "refused"  // the second person said no
	Failed   State = "failed"   // could not be made
)

// Derivative is one copy that was asked for.
type Derivative struct {
	ID        evidence.ID
	Agency    evidence.ID // of the case
	Case      evidence.ID
	Interview evidence.ID
	Recording evidence.ID
	State     State
	Plan      Plan
	// Watermark stands in the picture, Reason in the custody log; both are personal
	// and committed to in the derivation.
	Watermark evidence.Opening
	Reason    evidence.Opening
	// Wrapped and Recipient are its own data key, made when it is asked for, so that
	// an erasure of the recording reaches it at any time (P35).
	Wrapped     []byte
	Recipient   string
	Progress    int // percent
	RequestedBy evidence.ID
	RequestedAt evidence.Instant
	// What was made; empty before.
	MadeAt        evidence.Instant
	Plain, Cipher evidence.Digest
	ObjectKey     string
	ObjectVersion string
	Bundle        []byte // over the signed derivation
	// DecidedBy released or refused it, for a reason that the custody log commits to.
	DecidedBy evidence.ID
	DecidedAt evidence.Instant
	Code      string // why it failed
	Version   int64
}

// Job is the kind of job that makes a derivative; its payload names it.
const Job = "derivative.make"

// FileName is the name under which a derivation's statement knows its file.
const FileName = "derivative.mp4"

// Actions as the policy and the custody log name them, and the entries that follow.
const (
	ActionRequest = "derivative.request" // interview
	ActionList    = "derivative.list"    // interview
	ActionRelease = "derivative.release" // derivative: a second person's yes
	ActionRefuse  = "derivative.refuse"  // derivative: her no
	ActionFetch   = "derivative.fetch"   // derivative: it leaves, encrypted
	EntryMade     = "derivative.made"
	EntryFailed   = "derivative.failed"
	EntryOpened   = "derivative.deliver" // it was shown to somebody
)

// Fields of the commitments.
const (
	FieldWatermark = "watermark"
	FieldReason    = "why"
)

// Store keeps derivatives. Methods that take a custody entry commit both in one
// transaction. Lookups return an error wrapping [evidence.ErrNotFound] when there is
// nothing. Safe for concurrent use by many processes.
type Store interface {
	Now(ctx context.Context) (evidence.Instant, error)
	Interview(ctx context.Context, id evidence.ID) (evidence.Interview, error)
	// CreateDerivative stores a derivative, its key for erasure and the job that makes
	// it; [evidence.ErrConflict] once the recording's erasure was approved.
	CreateDerivative(ctx context.Context, d Derivative, job evidence.Job, entry custody.Entry) error
	Derivative(ctx context.Context, id evidence.ID) (Derivative, error)
	// DerivativesOf returns an interview's, the newest first.
	DerivativesOf(ctx context.Context, interview evidence.ID) ([]Derivative, error)
	// ChangeDerivative stores state, result, decision and code if the row's version is
	// still d.Version, and grows it; [evidence.ErrConflict] otherwise.
	ChangeDerivative(ctx context.Context, d Derivative, entry custody.Entry) error
	// SaveProgress notes how far a queued one is, in percent.
	SaveProgress(ctx context.Context, id evidence.ID, percent int) error
	// LogOpened commits the entry of a showing and notes that the account saw it.
	LogOpened(ctx context.Context, id, account evidence.ID, entry custody.Entry) error
	// Opened reports whether it was shown to an account.
	Opened(ctx context.Context, id, account evidence.ID) (bool, error)
	AppendEntry(ctx context.Context, e custody.Entry) error
}

// Objects keeps ciphertext.
type Objects interface {
	Put(ctx context.Context, key string, body []byte, sum evidence.Digest, retainUntil time.Time) (version string, err error)
	Get(ctx context.Context, key, version string) ([]byte, error)
}

// Keys makes and opens data keys; to it a derivative is what a recording is.
type Keys interface {
	NewRecordingKey(ctx context.Context, recording evidence.ID) (wrapped []byte, recipient string, err error)
	OpenRecordingKey(ctx context.Context, recording evidence.ID, wrapped []byte) (envelope.DataKey, error)
}

// Grants tells whether somebody may see a stretch of the recording itself.
type Grants interface {
	// CoveredBy returns the grant in force that gives the actor all of a range, or a
	// [*evidence.Refusal].
	CoveredBy(ctx context.Context, actor evidence.Actor, interview evidence.ID, r evidence.Range) (evidence.ID, error)
}
