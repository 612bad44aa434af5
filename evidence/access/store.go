package access

import (
	"context"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// Standing is what is true of an account and a thing at one moment. It is read
// from the database for each decision.
type Standing struct {
	Active bool // the account exists and is active
	Agency evidence.ID
	Role   evidence.Role

	// What the thing is: its owning agency, and its case and interview if it
	// belongs to one.
	OwnedBy   evidence.ID
	Case      evidence.ID
	Interview evidence.ID

	Roles             []evidence.Role // held by the account on the case, now
	Linked            bool            // the account belongs to, or is close to, a suspect on the case
	Lifted            bool            // with Linked: a decision lifts the separation now (P42)
	SubjectApart      bool            // the account that the act gives a part to is kept apart from the case
	Own               bool            // the account asked for, proposed or recorded the thing
	Recipient         bool            // the thing would be given to the account
	Child             bool            // the thing concerns somebody who is treated as a child (P6)
	CustodianApproved bool            // a custodian approved the thing already
}

// Apart reports whether the account is kept apart from the case.
func (s Standing) Apart() bool { return s.Linked && !s.Lifted }

// Viewing is what a decision about media needs.
type Viewing struct {
	Standing
	// Recording is what the interview captured.
	Recording evidence.ID
	// Grants are those of the interview to the account that were ever active, the
	// oldest first. Purpose and Basis are not loaded.
	Grants []Grant
	// Consents says which purposes of consent hold now for the person
	// interviewed. It is loaded only if a grant rests on consent.
	Consents map[string]bool
	// Accepted says under which grants that ask for terms the actor's session has an
	// open viewing.
	Accepted map[evidence.ID]bool
}

// Window is a stretch of delivery that one custody entry stands for: one viewer,
// session and grant, at most WindowLength of interview time and of wall time.
type Window struct {
	ID        evidence.ID
	Agency    evidence.ID
	Interview evidence.ID
	Grant     evidence.ID
	Viewer    evidence.ID // account
	Session   evidence.ID // login session or token
	Range     evidence.Range
	OpenedAt  evidence.Instant
	ExpiresAt evidence.Instant // exclusive
}

// Delivered is one media segment that was given to a viewer in a window.
type Delivered struct {
	Window    evidence.ID
	Interview evidence.ID
	Viewer    evidence.ID
	Track     evidence.ID
	Index     int
	Range     evidence.Range
}

// Exposure says how far an interview has been shown.
type Exposure struct {
	Viewers int // distinct accounts to which something was delivered
	// Delivered is interview time, all viewers together: for each viewer, what was
	// delivered of the track of which she was delivered most, counted once however
	// often she had it. It says "delivered", never "watched".
	Delivered evidence.Offset
	Grants    int // grants that are or were active
}

// GrantFilter chooses grants. Empty fields choose any.
type GrantFilter struct {
	Interview evidence.ID
	// Account chooses what it asked for or holds, what belongs to cases on which
	// it has a role at Now, and, with OfAgency, what belongs to that agency.
	Account  evidence.ID
	OfAgency evidence.ID
	Now      evidence.Instant
	Limit    int // newest first; 0 means 500
}

// Store keeps grants and deliveries and tells the facts of decisions. Methods
// that take a custody entry commit both in one transaction and return after it is
// durable. Lookups return an error wrapping evidence.ErrNotFound when there is
// nothing. Safe for concurrent use by many processes.
type Store interface {
	// Now is the server time; evidence.ErrClockBehind while it is behind the log.
	Now(ctx context.Context) (evidence.Instant, error)
	// Standing tells the facts about an account and a thing at a time.
	// evidence.ErrNotFound if there is no such thing.
	Standing(ctx context.Context, account evidence.ID, on evidence.Resource, now evidence.Instant) (Standing, error)
	// Viewing tells the facts about a signed-in person and an interview's media. Only
	// Account and Session of the actor are used.
	Viewing(ctx context.Context, actor evidence.Actor, interview evidence.ID, now evidence.Instant) (Viewing, error)
	// ConsentHolds reports whether the person interviewed has a valid consent for a
	// purpose, such as "share_prosecution".
	ConsentHolds(ctx context.Context, interview evidence.ID, purpose string) (bool, error)

	Interview(ctx context.Context, id evidence.ID) (evidence.Interview, error)
	Sources(ctx context.Context, interview evidence.ID) ([]evidence.Source, error)
	Tracks(ctx context.Context, interview evidence.ID) ([]evidence.Track, error)
	// SegmentsOfTrack returns the media segments of a track that touch the range,
	// by index.
	SegmentsOfTrack(ctx context.Context, track evidence.ID, r evidence.Range) ([]evidence.Segment, error)
	SegmentAt(ctx context.Context, track evidence.ID, kind evidence.LeafKind, index int) (evidence.Segment, error)

	CreateGrant(ctx context.Context, g Grant, entry custody.Entry) error
	Grant(ctx context.Context, id evidence.ID) (Grant, error)
	Grants(ctx context.Context, f GrantFilter) ([]Grant, error)
	// ChangeGrant stores state, approvals, end and attestation of a grant if its version
	// is still g.Version, and evidence.ErrConflict otherwise.
	ChangeGrant(ctx context.Context, g Grant, entry custody.Entry) error
	Exposure(ctx context.Context, interview evidence.ID) (Exposure, error)

	// OpenViewing commits a viewing with its entry, unless the same viewer, session and
	// grant have one that is open at v.AcceptedAt: then it returns that one and writes
	// nothing. It returns an error wrapping ErrViewingsUsed if the grant has had as many
	// as most, which 0 does not bound, and evidence.ErrConflict if the grant is not
	// active any more.
	OpenViewing(ctx context.Context, v ViewingSession, most int, entry custody.Entry) (ViewingSession, error)
	// Viewings returns the viewings under a grant, in order.
	Viewings(ctx context.Context, grant evidence.ID) ([]ViewingSession, error)

	// OpenWindow commits a window with its entry, and notes it in the open viewing of
	// the same viewer, session and grant if there is one, unless a committed window of the
	// same viewer, session and grant covers need and has not expired at w.OpenedAt:
	// then it returns that one and writes nothing. An empty need is covered by any.
	// A grant that is not active any more is evidence.ErrConflict, so that no
	// delivery stands in the log behind its revocation.
	OpenWindow(ctx context.Context, w Window, need evidence.Range, entry custody.Entry) (Window, error)
	// SaveDelivered notes that a segment is about to be delivered; again is no error.
	SaveDelivered(ctx context.Context, d Delivered) error
	// LogPreview commits the entry of a delivery of previews under a grant;
	// evidence.ErrConflict if the grant is not active any more.
	LogPreview(ctx context.Context, grant evidence.ID, entry custody.Entry) error
	// LogRefusal commits the entry unless one for the same account, interview and
	// code was committed after since.
	LogRefusal(ctx context.Context, account, interview evidence.ID, code string, since evidence.Instant, entry custody.Entry) error
}
