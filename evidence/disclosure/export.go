package disclosure

import (
	"context"
	"regexp"
	"strings"

	"filippo.io/age"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/seal"
)

// State of an export.
type State string

const (
	// Proposed: asked for; waits for a second person.
	Proposed State = "proposed"
	// Approved: the package may be fetched, once.
	Approved State = "approved"
	// Delivered: the package left. Another copy is another export (P19).
	Delivered State = "delivered"
	// Received: the recipient said that it has the package, whole (P39).
	Received State = "received"
)

// Export is a package of an interview on its way out.
type Export struct {
	ID        evidence.ID
	Agency    evidence.ID // of the case
	Case      evidence.ID
	Interview evidence.ID
	State     State
	Recipient string // age recipient; empty for a package in the clear or under a passphrase
	// Passphrase: it leaves encrypted under a passphrase that is given when it is
	// fetched, and is kept nowhere.
	Passphrase bool
	// Content says whether the whole recording leaves, or a clip of Asked.
	Content Content
	Asked   evidence.Range // of a clip, interview time
	Outward bool           // a clip takes segments that Asked only touches
	Source  evidence.ID    // a clip of one source; empty: of all
	Grant   evidence.ID    // under which the clip is cut; empty for a custodian's
	Profile Profile
	Exhibit string // the court's number; may be empty
	// Reasons: the texts of reasons and authorities in the custody excerpt are
	// disclosed. Network addresses never are.
	Reasons     bool
	Reason      string // why it leaves, in words; personal
	RequestedBy evidence.ID
	RequestedAt evidence.Instant
	// ApprovedBy is empty until approved, and the requester where the policy lets
	// one person decide.
	ApprovedBy evidence.ID
	ApprovedAt evidence.Instant
	// Attempt counts deliveries that were begun; LeaseUntil ends the running one's
	// claim, 0 if none runs.
	Attempt    int
	LeaseUntil evidence.Instant
	// DeliveredAt, Digest and Bytes say what left: the SHA-256 of its tag
	// manifest, and how many bytes its files have.
	DeliveredAt evidence.Instant
	Digest      string
	Bytes       int64
	// ReceivedAt is when the recipient acknowledged it, ReceivedBy who wrote that
	// down; AlarmedAt when its absence was reported (P39). 0 and empty before.
	ReceivedAt evidence.Instant
	ReceivedBy evidence.ID
	AlarmedAt  evidence.Instant
	Version    int64 // row version for optimistic concurrency
}

// Clear reports whether the package leaves unencrypted.
func (e Export) Clear() bool { return e.Recipient == "" && !e.Passphrase }

// Filter chooses exports. Empty fields choose any.
type Filter struct {
	Interview evidence.ID
	Case      evidence.ID
}

// Store is what the service asks of the database. Methods that take a custody
// entry commit the change and the entry in one transaction and return after it is
// durable. Safe for concurrent use by many processes.
type Store interface {
	// Now is the server time; [evidence.ErrClockBehind] while it is behind the log.
	Now(ctx context.Context) (evidence.Instant, error)
	Interview(ctx context.Context, id evidence.ID) (evidence.Interview, error)
	// Sealed returns an error wrapping [evidence.ErrNotFound] before the seal.
	Sealed(ctx context.Context, recording evidence.ID) (evidence.SealedRecording, error)
	// Segments returns every segment by position.
	Segments(ctx context.Context, recording evidence.ID) ([]evidence.Segment, error)
	// SourceManifests returns where a recording's source manifests lie, by source
	// and number.
	SourceManifests(ctx context.Context, recording evidence.ID) ([]evidence.StoredSourceManifest, error)
	// Renewals returns the timestamps that were added to a recording's seal, by number.
	Renewals(ctx context.Context, recording evidence.ID) ([]seal.Renewal, error)
	// RecordingCheckpoints returns the signed checkpoints of a recording's tree, in
	// order of size.
	RecordingCheckpoints(ctx context.Context, recording evidence.ID) ([]string, error)
	RecordingKey(ctx context.Context, recording evidence.ID) (wrapped []byte, recipient string, err error)
	// SealedHead is Sealed without Pages.
	SealedHead(ctx context.Context, recording evidence.ID) (evidence.SealedRecording, error)
	clip.Recording
	// Facts returns the pseudonym, case number and consent receipts of an interview.
	Facts(ctx context.Context, interview evidence.ID) (Facts, error)

	CreateExport(ctx context.Context, e Export, entry custody.Entry) error
	// Export returns an error wrapping [evidence.ErrNotFound] if there is none.
	Export(ctx context.Context, id evidence.ID) (Export, error)
	// Exports returns the newest first.
	Exports(ctx context.Context, f Filter) ([]Export, error)
	// Unreceived returns the delivered exports that nobody acknowledged or was
	// alarmed about, delivered before a time; at most 1000, the oldest first.
	Unreceived(ctx context.Context, before evidence.Instant) ([]Export, error)
	// ChangeExport stores state, approval, attempt, lease, delivery, receipt and alarm if the
	// row's version is still e.Version, and grows it; [evidence.ErrConflict] otherwise.
	ChangeExport(ctx context.Context, e Export, entry custody.Entry) error
	// RenewExport moves the lease of the running attempt and leaves the version as
	// it is; [evidence.ErrConflict] if another attempt took its place or none runs.
	RenewExport(ctx context.Context, id evidence.ID, attempt int, until evidence.Instant) error
}

// Actions as the policy and the custody log name them, and the entries that
// follow from them.
const (
	ActionRequest = "export.request" // an export was asked for
	ActionAlone   = "export.alone"   // asked for and approved by one person, in a demonstration
	ActionApprove = "export.approve" // a second person approved it
	ActionRead    = "export.read"    // a delivery begins; committed before its first byte
	ActionReceive = "export.receive" // the recipient acknowledged it
	ActionClip    = "clip.request"   // a clip was asked for

	EntryDelivered   = "export.delivered"   // the whole package was handed over
	EntryInterrupted = "export.interrupted" // a delivery broke off
	EntryUnreceived  = "export.unreceived"  // nobody acknowledged it in time: an alarm
)

// EntrySealed is the recorder's custody action of a seal. Its details name the
// SHA-256 of the manifest that was sealed, as "manifest".
const EntrySealed = "interview.seal"

var recipientForm = regexp.MustCompile(`^age1[0-9a-z]{40,}$`)

// parseRecipient accepts one X25519 or hybrid age recipient.
func parseRecipient(s string) (age.Recipient, error) {
	wrong := evidence.Refuse(evidence.ErrInvalid, "export.recipient", "The recipient's key is not an age public key. It begins with age1; a secret key must never be given here.", "P39")
	if len(s) > 4096 || !recipientForm.MatchString(s) {
		return nil, wrong
	}
	all, err := age.ParseRecipients(strings.NewReader(s))
	if err != nil || len(all) != 1 {
		return nil, wrong
	}
	switch all[0].(type) {
	case *age.X25519Recipient, *age.HybridRecipient:
		return all[0], nil
	}
	return nil, wrong
}
