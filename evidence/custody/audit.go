package custody

import (
	"context"
	"encoding/hex"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

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
	// are there and the leaf is not has a row with a nil Leaf.
	AuditRows(ctx context.Context, from int64, limit int) ([]Row, error)
	// Checkpoints returns every signed checkpoint that was saved.
	Checkpoints(ctx context.Context) ([][]byte, error)
}

// Fault is one thing that an audit found wrong.
type Fault struct {
	// Position is the entry that does not hold; -1 if none can be named.
	Position int64  `json:"position"`
	Code     string `json:"code"` // one of the Fault constants
	Text     string `json:"text"` // an English sentence
}

// Codes of faults.
const (
	FaultMissing    = "missing"    // the entry is not there
	FaultAltered    = "altered"    // the entry is not what was written
	FaultIndex      = "index"      // what is searched by does not repeat the entry
	FaultNode       = "node"       // a stored node is not that of the entries
	FaultOpening    = "opening"    // a text is not what the entry commits to
	FaultHead       = "head"       // the head is not that of the entries
	FaultCheckpoint = "checkpoint" // what was signed before is contradicted
)

// Report is what an audit found.
type Report struct {
	Size        int64   // entries that the head claims
	Root        Hash    // rebuilt from the leaves alone; without meaning if entries are missing
	Checkpoints int     // signed checkpoints that were compared
	Faults      []Fault // at most 50; the log holds if there is none
}

const (
	auditBatch = 1000
	mostFaults = 50
)

// Audit rebuilds the log from its leaves alone and compares everything that is
// stored beside them: nodes, head, index, openings, and every checkpoint that was
// signed, which v verifies. Stored nodes are no evidence: whoever rewrites a row
// can rewrite its hash. They, and the root that each leaf says it was appended to,
// only help to name the entry that was altered. What is appended while the audit
// runs is left for the next one. The error is one of reading; what does not hold is
// in the report.
func Audit(ctx context.Context, r Reader, v note.Verifier) (Report, error) {
	signed, err := r.Checkpoints(ctx) // before the head, which has to extend them all
	if err != nil {
		return Report{}, fmt.Errorf("audit: %w", err)
	}
	head, err := r.LogHead(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("audit: %w", err)
	}
	a := &audit{claimed: map[int64]Hash{}}
	for _, text := range signed {
		cp, err := OpenCheckpoint(text, v)
		switch {
		case err != nil:
			a.fault(-1, FaultCheckpoint, "A stored checkpoint does not verify with the log's key.")
		case cp.Size > head.Size:
			a.fault(head.Size, FaultMissing, "A checkpoint of %d entries was signed, and the log has %d.", cp.Size, head.Size)
		default:
			a.claimed[cp.Size] = cp.Root
		}
	}
	for next := int64(0); next < head.Size && len(a.faults) < mostFaults; {
		limit := min(auditBatch, head.Size-next)
		rows, err := r.AuditRows(ctx, next, int(limit))
		if err != nil {
			return Report{}, fmt.Errorf("audit: %w", err)
		}
		at := map[int64]Row{}
		for _, row := range rows {
			at[row.Position] = row
		}
		for position := next; position < next+limit; position++ {
			row, there := at[position]
			if !there {
				a.fault(position, FaultMissing, "Entry %d is gone.", position)
				a.lost = true
				continue
			}
			a.entry(row)
		}
		next += limit
	}
	if !a.lost && len(a.faults) < mostFaults && a.rebuilt.Root() != head.Root {
		a.fault(-1, FaultHead, "The head of the log is not the root of its entries.")
	}
	return Report{Size: head.Size, Root: a.rebuilt.Root(), Checkpoints: len(a.claimed), Faults: a.faults}, nil
}

type audit struct {
	claimed map[int64]Hash // roots of signed checkpoints by size
	rebuilt Frontier       // from the leaves: the verdict
	stored  Frontier       // from the stored nodes: helps to name what was altered
	lost    bool           // an entry is gone, so that nothing after it can be placed
	blamed  bool           // the entry before was named already
	faults  []Fault
}

func (a *audit) fault(position int64, code, format string, args ...any) {
	if len(a.faults) < mostFaults {
		a.faults = append(a.faults, Fault{Position: position, Code: code, Text: fmt.Sprintf(format, args...)})
	}
}

// entry judges one entry and adds it to both trees.
func (a *audit) entry(row Row) {
	position := row.Position
	hash := LeafHash(row.Leaf)
	blamed := false
	leaf, err := ParseLeaf(row.Leaf)
	if err != nil {
		a.fault(position, FaultAltered, "Entry %d cannot be read as an entry.", position)
		blamed = true
	}
	if !a.lost && err == nil {
		before := a.stored.Root()
		if leaf.Before != hex.EncodeToString(before[:]) && !a.blamed && position > 0 {
			// Its own hash agrees with it, but the entry after it was appended to
			// another tree.
			a.fault(position-1, FaultAltered, "Entry %d is not the one that entry %d was written after: it, or its place in the log, was altered.", position-1, position)
		}
	}
	if err == nil {
		if row.Index != (Index{ID: leaf.ID, At: leaf.At, Action: leaf.Action, Actor: leaf.Actor.Account, Agency: leaf.Agency,
			Case: leaf.Case, Interview: leaf.Interview, Subject: leaf.Subject}) {
			a.fault(position, FaultIndex, "What entry %d is searched by is not what it says.", position)
		}
		for _, o := range row.Openings {
			if c := leaf.Commitment(o.Field); c == "" || !o.Opens(c) {
				a.fault(position, FaultOpening, "The text kept for %q of entry %d is not the one that it commits to.", o.Field, position)
			}
		}
	}
	if a.lost {
		a.blamed = blamed
		return
	}
	if kept, ok := row.Nodes[0]; !ok || kept != hash {
		if !blamed {
			a.fault(position, FaultAltered, "Entry %d does not have the hash that was stored with it.", position)
			blamed = true
		}
	}
	nodes := a.rebuilt.Append(hash)
	for level, node := range nodes {
		if kept, ok := row.Nodes[level]; level > 0 && (!ok || kept != node) && !blamed && !a.altered() {
			a.fault(position, FaultNode, "A stored node of the tree above entry %d is not that of its entries.", position)
			blamed = true
		}
	}
	a.stored.appendStored(row.Nodes, hash)
	a.blamed = blamed
	if root, ok := a.claimed[position+1]; ok && root != a.rebuilt.Root() {
		a.fault(-1, FaultCheckpoint, "The first %d entries are not those of the checkpoint that was signed over them.", position+1)
	}
}

// altered reports whether an entry was found altered: every node above it differs
// then, which needs no further words.
func (a *audit) altered() bool {
	for _, f := range a.faults {
		if f.Code == FaultAltered {
			return true
		}
	}
	return false
}

// appendStored appends a leaf as the stored nodes have it: after an altered entry
// the tree goes on as it was written, not as it would be rebuilt.
func (f *Frontier) appendStored(nodes map[int]Hash, leaf Hash) {
	subs := append([]Hash(nil), f.subs...)
	top, level := leaf, 0
	if kept, ok := nodes[0]; ok {
		top = kept
	}
	for n := f.size; n&1 == 1; n >>= 1 {
		last := len(subs) - 1
		top = tlog.NodeHash(subs[last], top)
		subs = subs[:last]
		level++
		if kept, ok := nodes[level]; ok {
			top = kept
		}
	}
	f.subs = append(subs, top)
	f.size++
}

// Codes of findings.
const (
	FindingMissing    = "missing"    // an entry is not there
	FindingAltered    = "altered"    // an entry is not the one that was committed
	FindingNode       = "node"       // a stored node of the tree is missing or wrong
	FindingEncoding   = "encoding"   // an entry is not a leaf in its canonical encoding
	FindingUnknown    = "unknown"    // an entry's version is not known: it cannot be judged
	FindingIndex      = "index"      // what an entry is found by is not what it says
	FindingOpening    = "opening"    // a text is not what the entry committed to
	FindingHead       = "head"       // the head does not fit the entries
	FindingCheckpoint = "checkpoint" // a signed checkpoint does not fit the entries
	FindingClock      = "clock"      // the clock ran backwards; a notice, not a fault
)

// MaxFindings bounds a report. Findings beyond are counted, not listed.
const MaxFindings = 1000

// Finding is one thing that an audit found.
type Finding struct {
	Position int64  `json:"position"` // of the entry; -1 if it concerns the log as a whole
	Code     string `json:"code"`     // one of the Finding constants
	Text     string `json:"text"`     // an English sentence
}

// Report is the outcome of an audit.
type Report struct {
	Holds bool `json:"holds"` // no fault was found; notices may have been
	// Size and Root are of the log as rebuilt from its entries.
	Size int64 `json:"size"`
	Root Hash  `json:"root"`
	// Checkpoints is how many signed checkpoints were compared and fit.
	Checkpoints int       `json:"checkpoints"`
	Erased      int64     `json:"erased"` // personal texts that are committed to and no longer there
	Findings    []Finding `json:"findings"`
	More        int       `json:"more"` // findings beyond MaxFindings
}

const auditBatch = 500

// Audit rebuilds the whole log from its entries and compares it with everything
// that is stored beside them: the head, the tree's nodes, the columns by which
// entries are found, the openings, and the checkpoints that were signed. It does
// not trust stored nodes: an entry that was rewritten together with its hash is
// reported at its position, because the next entry names the root that it was
// written after and the nodes above no longer fit.
//
// v verifies the saved checkpoints and those in outside, copies that were kept
// elsewhere; without v, nil, neither is judged. Only a checkpoint can reveal a
// log that someone rewrote to its end. Entries appended meanwhile are left out.
// The error is about reading; what is wrong with the log stands in the report.
func Audit(ctx context.Context, r Reader, v note.Verifier, outside ...[]byte) (Report, error) {
	head, err := r.LogHead(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("audit: %w", err)
	}
	a := auditor{report: Report{Holds: true, Findings: []Finding{}}, chained: true}
	if v != nil {
		if err := a.readCheckpoints(ctx, r, v, head, outside); err != nil {
			return Report{}, err
		}
	}
	a.compareCheckpoints()
	for from := int64(0); from < head.Size; from += auditBatch {
		rows, err := r.AuditRows(ctx, from, int(min(auditBatch, head.Size-from)))
		if err != nil {
			return Report{}, fmt.Errorf("audit: %w", err)
		}
		for n := from; n < min(from+auditBatch, head.Size); n++ {
			row := Row{Position: n}
			if len(rows) > 0 && rows[0].Position == n {
				row, rows = rows[0], rows[1:]
			}
			a.entry(row)
			a.compareCheckpoints()
		}
	}
	a.end(head)
	a.report.Size, a.report.Root = a.rebuilt.Size(), a.rebuilt.Root()
	return a.report, nil
}

// auditor walks the log from its first entry to its last.
type auditor struct {
	report Report
	// rebuilt is the tree of the entries as they are: the verdict. stored is the
	// tree that the stored nodes make; it locates what is wrong, because above an
	// altered entry the nodes are still those of the original.
	rebuilt, stored Frontier
	chained         bool // the entry before was in its place after those before it
	altered         bool // the entry before was reported already
	lastAt          evidence.Instant
	checkpoints     []Checkpoint // still to be compared, the smallest first
}

func (a *auditor) fault(position int64, code, format string, args ...any) {
	a.report.Holds = false
	a.find(position, code, format, args...)
}

func (a *auditor) find(position int64, code, format string, args ...any) {
	if len(a.report.Findings) == MaxFindings {
		a.report.More++
		return
	}
	a.report.Findings = append(a.report.Findings, Finding{Position: position, Code: code, Text: fmt.Sprintf(format, args...)})
}

func (a *auditor) entry(row Row) {
	n := row.Position
	hash := LeafHash(row.Leaf)
	leaf, parsed := a.parse(row)
	altered, chained := false, a.chained
	if row.Leaf == nil {
		altered = true
		a.fault(n, FindingMissing, "Entry %d is missing.", n)
	} else if own, ok := row.Nodes[0]; ok && own != hash {
		altered = true
		a.fault(n, FindingAltered, "Entry %d is not the one that was committed: its stored hash is another's.", n)
	}
	if parsed && !altered {
		root := a.stored.Root()
		chained = leaf.Before == hex.EncodeToString(root[:])
		if !chained && a.chained && !a.altered {
			a.fault(n-1, FindingAltered, "Entry %d is not the one after which entry %d was written.", n-1, n)
		}
	}
	altered = a.nodes(row, hash, altered, chained) || altered
	if parsed {
		a.content(row, leaf)
	}
	a.rebuilt.Append(hash)
	a.chained, a.altered = chained, altered
}

func (a *auditor) parse(row Row) (Leaf, bool) {
	if row.Leaf == nil {
		return Leaf{}, false
	}
	leaf, err := ParseLeaf(row.Leaf)
	switch {
	case errors.Is(err, evidence.ErrUnknownFormat):
		a.fault(row.Position, FindingUnknown, "Entry %d is of a type or version that this program does not know; it cannot be judged.", row.Position)
	case err != nil:
		a.fault(row.Position, FindingEncoding, "Entry %d cannot be read: it is not in the log's encoding.", row.Position)
	}
	return leaf, err == nil
}

// nodes compares the nodes that the entry completed with those computed from the
// stored ones below, and moves the stored tree on. It reports whether it found
// the entry altered.
func (a *auditor) nodes(row Row, hash Hash, altered, chained bool) bool {
	n, found := row.Position, false
	computed := a.stored.Append(hash)
	for level, want := range computed {
		got, ok := row.Nodes[level]
		switch {
		case !ok:
			a.fault(n, FindingNode, "A stored node of the tree that entry %d completed is missing.", n)
			continue
		case got != want && !altered && !found && chained:
			found = true
			a.fault(n, FindingAltered, "Entry %d, or a node of the tree above it, is not the one that was committed.", n)
		}
		if level == len(computed)-1 {
			a.stored.subs[len(a.stored.subs)-1] = got
		}
	}
	return found
}

// content compares what is stored beside the leaf with what the leaf says.
func (a *auditor) content(row Row, l Leaf) {
	n := row.Position
	want := Index{ID: l.ID, At: l.At, Action: l.Action, Actor: l.Actor.Account, Agency: l.Agency, Case: l.Case, Interview: l.Interview, Subject: l.Subject}
	if row.Index != want {
		a.fault(n, FindingIndex, "Entry %d is filed under something else than it says, so that a search may miss it.", n)
	}
	open := 0
	for _, o := range row.Openings {
		if c := l.Commitment(o.Field); c == "" || !o.Opens(c) {
			a.fault(n, FindingOpening, "The text kept for %q of entry %d is not what was committed to.", o.Field, n)
			continue
		}
		open++
	}
	for _, field := range []string{FieldWhere, FieldWhy, FieldAuthority} {
		if l.Commitment(field) != "" {
			open--
		}
	}
	a.report.Erased -= int64(min(open, 0))
	if l.At < a.lastAt {
		a.find(n, FindingClock, "At entry %d the server's clock was %v behind an entry before it.", n, a.lastAt.Time().Sub(l.At.Time()))
	}
	a.lastAt = max(a.lastAt, l.At)
}

func (a *auditor) readCheckpoints(ctx context.Context, r Reader, v note.Verifier, head Head, outside [][]byte) error {
	saved, err := r.Checkpoints(ctx)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	for i, signed := range append(saved, outside...) {
		cp, err := OpenCheckpoint(signed, v)
		switch {
		case err != nil:
			a.fault(-1, FindingCheckpoint, "Checkpoint %d of those that were kept is not signed by the log's key.", i)
		case cp.Size > head.Size && i < len(saved):
			// One that was signed since the head was read says nothing about it.
			if head, err = r.LogHead(ctx); err != nil {
				return fmt.Errorf("audit: %w", err)
			}
			if cp.Size > head.Size {
				a.shorter(cp, head)
			}
		case cp.Size > head.Size:
			a.shorter(cp, head)
		default:
			a.checkpoints = append(a.checkpoints, cp)
		}
	}
	slices.SortStableFunc(a.checkpoints, func(x, y Checkpoint) int { return cmp.Compare(x.Size, y.Size) })
	return nil
}

func (a *auditor) shorter(cp Checkpoint, head Head) {
	a.fault(-1, FindingCheckpoint, "A checkpoint of %d entries was signed and the log has %d: entries were removed.", cp.Size, head.Size)
}

// compareCheckpoints judges the checkpoints of the size that was reached.
func (a *auditor) compareCheckpoints() {
	for len(a.checkpoints) > 0 && a.checkpoints[0].Size == a.rebuilt.Size() {
		cp := a.checkpoints[0]
		a.checkpoints = a.checkpoints[1:]
		if cp.Root == a.rebuilt.Root() {
			a.report.Checkpoints++
			continue
		}
		a.fault(-1, FindingCheckpoint, "The first %d entries are not those of the checkpoint that was signed over them.", cp.Size)
	}
}

func (a *auditor) end(head Head) {
	if head.Root != a.rebuilt.Root() {
		if head.Size > 0 && a.chained && !a.altered && a.stored.Root() != head.Root {
			a.fault(head.Size-1, FindingAltered, "Entry %d, the last, is not the one that was committed, or the head is not.", head.Size-1)
		}
		a.fault(-1, FindingHead, "The root of the log's head is not that of its entries.")
	}
	if head.LastAt != a.lastAt {
		a.fault(-1, FindingHead, "The latest time in the log's head is not that of its entries.")
	}
}
