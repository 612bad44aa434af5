package custody

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"github.com/toldonce/toldonce/evidence"
)

// Row is an entry of the log as a database holds it, unjudged.
type Row struct {
	Position int64
	Leaf     []byte
	Index    Index
	// Nodes are the stored nodes of the tree that the leaf completed, by level;
	// level 0 is the leaf's own hash.
	Nodes    map[int]Hash
	Openings []evidence.Opening
}

// Index is what a database repeats of a leaf to find it by.
type Index struct {
	ID        evidence.ID
	At        evidence.Instant
	Action    string
	Actor     evidence.ID
	Agency    evidence.ID
	Case      evidence.ID
	Interview evidence.ID
	Subject   evidence.ID
}

// Reader is what an audit reads.
type Reader interface {
	// LogHead returns the committed head.
	LogHead(ctx context.Context) (Head, error)
	// AuditRows returns the rows that are there of the limit positions from from
	// on, in order of position, as they are stored. A position of which the nodes
	// are there and the leaf is not has a row with a nil Leaf. It is called by
	// several goroutines at once.
	AuditRows(ctx context.Context, from int64, limit int) ([]Row, error)
	// Checkpoints returns every signed checkpoint that was saved.
	Checkpoints(ctx context.Context) ([][]byte, error)
}

// Fault is one thing that an audit found.
type Fault struct {
	Position int64  `json:"position"` // of the entry; -1 if no entry can be named
	Code     string `json:"code"`     // one of the Fault constants
	Text     string `json:"text"`     // an English sentence
}

// Codes of faults.
const (
	FaultMissing    = "missing"    // an entry is not there
	FaultAltered    = "altered"    // an entry is not the one that was committed
	FaultUnknown    = "unknown"    // an entry's version is not known: it cannot be judged
	FaultNode       = "node"       // a stored node of the tree is missing or wrong
	FaultIndex      = "index"      // what an entry is found by is not what it says
	FaultOpening    = "opening"    // a text is not what the entry committed to
	FaultHead       = "head"       // the head does not fit the entries
	FaultCheckpoint = "checkpoint" // a signed checkpoint does not fit the entries
	NoticeClock     = "clock"      // the clock ran backwards; a notice, not a fault
)

// MaxFaults bounds each list of a report. What is beyond is counted, not listed.
const MaxFaults = 200

// Report is the outcome of an audit. The log holds if there is no fault.
type Report struct {
	// Size and Root are of the log as rebuilt from its entries; the root means
	// nothing if entries are missing.
	Size        int64   `json:"size"`
	Root        Hash    `json:"root"`
	Checkpoints int     `json:"checkpoints"` // signed checkpoints that were compared and fit
	Erased      int64   `json:"erased"`      // personal texts that are committed to and no longer there
	Faults      []Fault `json:"faults"`      // in order of being found
	Notices     []Fault `json:"notices"`     // remarkable, but no fault
	More        int     `json:"more"`        // faults and notices beyond MaxFaults
}

const (
	auditBatch   = 1000 // positions read at a time
	auditReaders = 4    // batches that are read, parsed and hashed at once
)

// judged is a row with what can be found out about it alone.
type judged struct {
	Row
	hash   Hash
	leaf   Leaf
	err    error    // why the leaf cannot be read
	open   int      // texts that open what the leaf commits to
	broken []string // fields whose text does not
}

func judge(row Row) judged {
	j := judged{Row: row, hash: LeafHash(row.Leaf)}
	if row.Leaf == nil {
		return j
	}
	if j.leaf, j.err = ParseLeaf(row.Leaf); j.err != nil {
		return j
	}
	for _, o := range row.Openings {
		if c := j.leaf.Commitment(o.Field); c == "" || !o.Opens(c) {
			j.broken = append(j.broken, o.Field)
			continue
		}
		j.open++
	}
	return j
}

// batch is the outcome of reading one stretch of the log.
type batch struct {
	rows []judged // one for each position
	err  error
}

// batches reads size positions ahead of who takes them, in order, so that memory
// holds a few thousand rows however long the log is. It ends with ctx.
func batches(ctx context.Context, r Reader, size int64) <-chan chan batch {
	ahead := make(chan chan batch, auditReaders)
	go func() {
		defer close(ahead)
		for from := int64(0); from < size; from += auditBatch {
			next := make(chan batch, 1)
			select {
			case ahead <- next:
			case <-ctx.Done():
				return
			}
			go func() { next <- readBatch(ctx, r, from, min(auditBatch, size-from)) }()
		}
	}()
	return ahead
}

func readBatch(ctx context.Context, r Reader, from, count int64) batch {
	rows, err := r.AuditRows(ctx, from, int(count))
	if err != nil {
		return batch{err: err}
	}
	out := make([]judged, 0, count)
	for n := from; n < from+count; n++ {
		row := Row{Position: n}
		if len(rows) > 0 && rows[0].Position == n {
			row, rows = rows[0], rows[1:]
		}
		out = append(out, judge(row))
	}
	return batch{rows: out}
}

// Audit rebuilds the whole log from its entries and compares it with everything
// that is stored beside them: the head, the tree's nodes, the columns by which
// entries are found, the openings, and the checkpoints that were signed. Stored
// nodes are no evidence: whoever rewrites an entry can rewrite its hash. They, and
// the root that each entry says it was written after, only name the entry that
// was altered.
//
// v verifies the saved checkpoints and those in outside, copies that were kept
// elsewhere; without v, nil, neither is judged. Only a checkpoint can reveal a
// log that someone rewrote to its end. What is appended meanwhile is left for the
// next audit. The error is about reading; what is wrong stands in the report.
func Audit(ctx context.Context, r Reader, v note.Verifier, outside ...[]byte) (Report, error) {
	a := auditor{report: Report{Faults: []Fault{}, Notices: []Fault{}}, chained: true}
	signed, err := r.Checkpoints(ctx) // before the head, which has to extend them all
	if err != nil {
		return Report{}, fmt.Errorf("audit: %w", err)
	}
	head, err := r.LogHead(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("audit: %w", err)
	}
	if v != nil {
		a.expect(head, v, append(signed, outside...))
	}
	a.compareCheckpoints()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for next := range batches(ctx, r, head.Size) {
		read := <-next
		if read.err != nil {
			return Report{}, fmt.Errorf("audit: %w", read.err)
		}
		for _, j := range read.rows {
			a.entry(j)
			a.compareCheckpoints()
		}
	}
	if err := ctx.Err(); err != nil {
		return Report{}, fmt.Errorf("audit: %w", err)
	}
	a.end(head)
	a.report.Size, a.report.Root = a.rebuilt.Size(), a.rebuilt.Root()
	return a.report, nil
}
