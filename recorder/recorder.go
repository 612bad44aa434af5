package recorder

import (
	"context"

	"github.com/toldonce/toldonce/evidence"
)

// Recorder runs all recordings of one node. It is safe for concurrent use.
type Recorder struct {
	cfg Config
}

// New opens the spool, recovers what an earlier run left in it, and starts to
// accept sources. ctx bounds the opening only. The caller ends it with Close.
func New(ctx context.Context, cfg Config) (*Recorder, error) {
	return &Recorder{cfg: cfg}, nil
}

// Close stops without ending any recording: what was captured is synced, and
// the next New goes on.
func (r *Recorder) Close() error { return nil }

// CreateSource adds a source to an interview that is not over and returns it
// with its bearer token, which is shown once: only its hash is kept.
func (r *Recorder) CreateSource(ctx context.Context, actor evidence.Actor, interview evidence.ID, role evidence.SourceRole) (evidence.Source, string, error) {
	return evidence.Source{}, "", evidence.ErrUnavailable
}

// RenewSource gives a source a new token; the old one ends at once.
func (r *Recorder) RenewSource(ctx context.Context, actor evidence.Actor, source evidence.Source) (string, error) {
	return "", evidence.ErrUnavailable
}

// Session is a publishing source's WHIP session.
type Session struct {
	ID     evidence.ID
	Answer string // SDP
	ETag   string // strong entity tag with its quotes: the ICE session
}

// Publish accepts an offer (RFC 9725 section 4.2). The token must be that of
// the source.
func (r *Recorder) Publish(ctx context.Context, source evidence.ID, token, offer string) (Session, error) {
	return Session{}, evidence.ErrUnavailable
}

// Trickle takes an SDP fragment (RFC 8840) for a session: more candidates, or
// with ifMatch `"*"` (or *) an ICE restart, which returns the server's fragment
// and the new entity tag. Fragment and tag are empty where nothing is returned:
// answer 204 then, and 200 otherwise.
func (r *Recorder) Trickle(ctx context.Context, source evidence.ID, token string, session evidence.ID, ifMatch, fragment string) (answer, etag string, err error) {
	return "", "", evidence.ErrUnavailable
}

// Unpublish ends a session (RFC 9725 section 4.2, DELETE), after what is still
// missing of it was asked for once more.
func (r *Recorder) Unpublish(ctx context.Context, source evidence.ID, token string, session evidence.ID) error {
	return evidence.ErrUnavailable
}

// Start begins the recording: everything that a source sends from its first key
// frame on is kept, nothing from before. It asks the Gate.
func (r *Recorder) Start(ctx context.Context, actor evidence.Actor, interview evidence.ID) (Status, error) {
	return Status{}, evidence.ErrUnavailable
}

// Pause interrupts the recording for a break (P12). reason is free text,
// personal data; it may be empty.
func (r *Recorder) Pause(ctx context.Context, actor evidence.Actor, interview evidence.ID, reason string) (Status, error) {
	return Status{}, evidence.ErrUnavailable
}

// Resume goes on after a break, in a new part.
func (r *Recorder) Resume(ctx context.Context, actor evidence.Actor, interview evidence.ID) (Status, error) {
	return Status{}, evidence.ErrUnavailable
}

// Stop ends the recording and returns when it is sealed. If ctx ends first, the
// sealing goes on by itself; Stop may be called again to wait for it.
func (r *Recorder) Stop(ctx context.Context, actor evidence.Actor, interview evidence.ID) (Status, error) {
	return Status{}, evidence.ErrUnavailable
}

// Mark notes an event of kind [evidence.EventMarker] or [evidence.EventPhase]
// (P16). value is a code; note is free text, personal data, and may be empty.
func (r *Recorder) Mark(ctx context.Context, actor evidence.Actor, interview evidence.ID, kind, value, note string) (evidence.Event, error) {
	return evidence.Event{}, evidence.ErrUnavailable
}

// Status says how the recording stands.
func (r *Recorder) Status(ctx context.Context, interview evidence.ID) (Status, error) {
	return Status{}, evidence.ErrUnavailable
}

// Watch returns a channel that receives whenever the status changed in a way
// that a person would see, at most four times a second. cancel ends it.
func (r *Recorder) Watch(interview evidence.ID) (changed <-chan struct{}, cancel func()) {
	return nil, func() {}
}

// Metrics are the recorder's counters since New.
func (r *Recorder) Metrics() Metrics { return Metrics{} }
