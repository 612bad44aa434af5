package custody

import "github.com/toldonce/toldonce/evidence"

// Head is the state of the log.
type Head struct {
	Size   int64 // entries
	Root   Hash
	LastAt evidence.Instant // the latest time in any entry; 0 for an empty log
}

// Record is a committed entry with what is left of its openings.
type Record struct {
	Position int64 // in the log, from 0
	Leaf     Leaf
	Raw      []byte // the leaf's canonical bytes, as hashed
	// Openings reveal the leaf's commitments, those apart that were erased. They
	// are personal data and are disclosed one by one.
	Openings []evidence.Opening
}

// Opened returns the text behind a commitment of the record's leaf. Known is
// false if the leaf commits to none or its opening was erased.
func (r Record) Opened(field string) (text string, known bool) {
	for _, o := range r.Openings {
		if o.Field == field && o.Opens(r.Leaf.Commitment(field)) {
			return o.Value, true
		}
	}
	return "", false
}

// Filter chooses records. Its zero value means the first of all.
type Filter struct {
	Agency    evidence.ID // empty: any
	Case      evidence.ID // empty: any
	Interview evidence.ID // empty: any
	Actor     evidence.ID // the acting account or device; empty: any
	Subject   evidence.ID // empty: any
	Action    string      // exact; empty: any. A trailing dot means all that start so: "grant."
	// After excludes positions up to and including it, Before those from it on.
	// Nil means no bound.
	After, Before *int64
	// Newest returns the last records first instead of the first.
	Newest bool
	Limit  int // at most so many; 0 means 100, and 1000 is the most
}

// Event is a durable notice that something happened, for those who wait: pages
// through server-sent events, the recorder for a withdrawal. It carries no
// personal data. Events are numbered in the order in which they were committed,
// without gaps, over all nodes.
type Event struct {
	ID        int64 // from 1
	At        evidence.Instant
	Kind      string // the entry's action, or a code of its own
	Agency    evidence.ID
	Case      evidence.ID
	Interview evidence.ID
	Subject   evidence.ID
	Actor     evidence.ID
	Position  int64             // of the custody entry; -1 if none
	Data      map[string]string // codes, identifiers and numbers, as [Entry].Details
}

// EventFilter chooses events. Empty fields choose any.
type EventFilter struct {
	Agency    evidence.ID
	Case      evidence.ID
	Interview evidence.ID
	Kinds     []string // exact, any of them
}
