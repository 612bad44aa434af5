package retention

import (
	"context"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/seal"
)

// Store keeps classes, rules, holds and erasures. Methods that take a custody
// entry commit the change and the entry in one transaction and return after it is
// durable. Lookups return an error wrapping [evidence.ErrNotFound] when there is
// nothing, changes one wrapping [evidence.ErrConflict] when what they rest on has
// changed. Safe for concurrent use by many processes.
type Store interface {
	// Now is the server time; [evidence.ErrClockBehind] while it is behind the log.
	Now(ctx context.Context) (evidence.Instant, error)
	Case(ctx context.Context, id evidence.ID) (casefile.Case, error)
	Interview(ctx context.Context, id evidence.ID) (evidence.Interview, error)
	Segments(ctx context.Context, recording evidence.ID) ([]evidence.Segment, error)
	SealedHead(ctx context.Context, recording evidence.ID) (evidence.SealedRecording, error)
	RecordingKey(ctx context.Context, recording evidence.ID) (wrapped []byte, recipient string, err error)
	Exports(ctx context.Context, f disclosure.Filter) ([]disclosure.Export, error)

	// CreateClass stores a class with its first version; [evidence.ErrConflict] if
	// the agency has one of this name.
	CreateClass(ctx context.Context, c Class, entry custody.Entry) error
	// AddClassVersion stores the next version of a class; [evidence.ErrConflict] if
	// there is one of this number.
	AddClassVersion(ctx context.Context, class evidence.ID, v ClassVersion, entry custody.Entry) error
	Class(ctx context.Context, id evidence.ID) (Class, error)
	// Classes lists those of an agency by name.
	Classes(ctx context.Context, agency evidence.ID) ([]Class, error)

	// AddRule stores a rule for a case.
	AddRule(ctx context.Context, r Rule, entry custody.Entry) error
	// RetentionFile reads a case at one moment.
	RetentionFile(ctx context.Context, caseID evidence.ID) (File, error)
	// RetentionCases lists the cases on which something was sealed, or for which
	// a rule or hold stands, the oldest first; of every agency if agency is empty.
	RetentionCases(ctx context.Context, agency evidence.ID) ([]evidence.ID, error)
	// RaiseDue notes that the duty to decide was raised for the term that ends at
	// until, unless that was noted before: then it writes nothing.
	RaiseDue(ctx context.Context, caseID evidence.ID, until evidence.Instant, entry custody.Entry) error

	// PlaceHold stores a hold; [evidence.ErrConflict] if the interview that it is for
	// is erased.
	PlaceHold(ctx context.Context, h Hold, entry custody.Entry) error
	Hold(ctx context.Context, id evidence.ID) (Hold, error)
	// LiftHold ends a hold if its version is still h.Version.
	LiftHold(ctx context.Context, h Hold, entry custody.Entry) error
	// SaveLock notes what the object store was told.
	SaveLock(ctx context.Context, l Lock, entry custody.Entry) error

	// CreateErasure stores a proposal; [evidence.ErrConflict] if the interview has
	// one that was not rejected.
	CreateErasure(ctx context.Context, e Erasure, entry custody.Entry) error
	Erasure(ctx context.Context, id evidence.ID) (Erasure, error)
	// Erasures lists those in one of some states, all if none is named, the newest
	// first; of every agency if agency is empty.
	Erasures(ctx context.Context, agency evidence.ID, states ...ErasureState) ([]Erasure, error)
	// DecideErasure stores the decision on a proposal if its version is still
	// e.Version. An approval is [evidence.ErrConflict] while a hold covers the interview:
	// a hold that was committed first wins.
	DecideErasure(ctx context.Context, e Erasure, entry custody.Entry) error
	// FinishErasure stores what was done and the provisional certificate, empties
	// the wrapped data key and ends every grant of the interview, each with its entry.
	FinishErasure(ctx context.Context, e Erasure, entry custody.Entry) error
	// AttestErasure stores the final certificate.
	AttestErasure(ctx context.Context, e Erasure, entry custody.Entry) error
	// Derivatives lists what was made from a recording and has an erasable key of
	// its own, under its id, in the key store.
	Derivatives(ctx context.Context, recording evidence.ID) ([]evidence.ID, error)
	// Shares lists the escrow shares of a recording that were ever given out.
	Shares(ctx context.Context, recording evidence.ID) ([]Share, error)
}

// Keys is what erasure asks of the key store.
type Keys interface {
	OpenRecordingKey(ctx context.Context, recording evidence.ID, wrapped []byte) (envelope.DataKey, error)
	EraseRecordingKey(ctx context.Context, recording evidence.ID) error
	// LastBackup is when the key store was last backed up as far as anybody
	// noted; 0 if nobody ever did.
	LastBackup(ctx context.Context) (evidence.Instant, error)
}

// Objects is what retention asks of the object store.
type Objects interface {
	Get(ctx context.Context, key, version string) ([]byte, error)
	// Retain keeps a version until at least until; it never shortens.
	Retain(ctx context.Context, key, version string, until time.Time) error
	// Hold puts a legal hold on a version, or takes it off. Both return an error
	// wrapping [evidence.ErrNotFound] if there is no such version.
	Hold(ctx context.Context, key, version string, on bool) error
}

// Sealer signs certificates.
type Sealer interface {
	SealFile(ctx context.Context, name string, content []byte, predicateType string, predicate any) (seal.Sealed, error)
}
