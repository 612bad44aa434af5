package web

import (
	"context"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/people"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/web/login"
)

// Store is what the edge reads by itself: names that stand beside identifiers,
// what a playlist and a verification consist of, the log and its events. It
// decides nothing; that was done by a service before. Lookups return an error
// wrapping evidence.ErrNotFound. Safe for concurrent use.
type Store interface {
	login.Store
	login.Ceremonies

	Now(ctx context.Context) (evidence.Instant, error)
	Account(ctx context.Context, id evidence.ID) (people.Account, error)
	Agency(ctx context.Context, id evidence.ID) (people.Agency, error)
	Room(ctx context.Context, id evidence.ID) (people.Room, error)
	Case(ctx context.Context, id evidence.ID) (casefile.Case, error)
	Person(ctx context.Context, id evidence.ID) (casefile.Person, error)
	Interview(ctx context.Context, id evidence.ID) (evidence.Interview, error)
	InterviewsOfCase(ctx context.Context, id evidence.ID) ([]evidence.Interview, error)
	Sources(ctx context.Context, interview evidence.ID) ([]evidence.Source, error)
	Tracks(ctx context.Context, interview evidence.ID) ([]evidence.Track, error)
	Segments(ctx context.Context, recording evidence.ID) ([]evidence.Segment, error)
	RecordingKey(ctx context.Context, recording evidence.ID) (wrapped []byte, recipient string, err error)
	// PreviewPages returns the previews of a track that may hold media segments
	// from first to last, in order; none if they were not made.
	PreviewPages(ctx context.Context, track evidence.ID, first, last int) ([]evidence.PreviewPage, error)
	Sealed(ctx context.Context, recording evidence.ID) (evidence.SealedRecording, error)
	SealedHead(ctx context.Context, recording evidence.ID) (evidence.SealedRecording, error)

	Renewals(ctx context.Context, recording evidence.ID) ([]seal.Renewal, error)

	custody.Reader
	// AppendEntry writes a custody entry of an act that changes nothing.
	AppendEntry(ctx context.Context, entry custody.Entry) error
	Entries(ctx context.Context, f custody.Filter) ([]custody.Record, error)
	ProveInclusion(ctx context.Context, position, size int64) ([]custody.Hash, error)
	ProveConsistency(ctx context.Context, from, to int64) ([]custody.Hash, error)
	// Tile returns width hashes of the tile with that number at that level, each of
	// 256^level leaves, or an error wrapping evidence.ErrNotFound beyond the log.
	Tile(ctx context.Context, level int, number int64, width int) ([]custody.Hash, error)
	// Leaves returns the canonical bytes of count entries from from on, or an error
	// wrapping evidence.ErrNotFound beyond the log.
	Leaves(ctx context.Context, from int64, count int) ([][]byte, error)
	EventsAfter(ctx context.Context, after int64, f custody.EventFilter, limit int) ([]custody.Event, error)
	// LastEvent returns the number of the newest event; 0 if there is none.
	LastEvent(ctx context.Context) (int64, error)
	Changed() <-chan struct{}
}
