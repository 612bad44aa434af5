package custody

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"github.com/toldonce/toldonce/evidence"
)

// auditor walks the log from its first entry to its last.
type auditor struct {
	report Report
	// rebuilt is the tree of the entries as they are: the verdict. stored is the
	// tree that the stored nodes make; it locates what is wrong, because above an
	// altered entry the nodes are still those of the original.
	rebuilt, stored Frontier
	chained         bool // the entry before was in its place after those before it
	altered         bool // the entry before was reported already
	// doubtful is an entry that was not written after those before it, while it is
	// open whether it or the one before was altered; 0 for none.
	doubtful    int64
	lastAt      evidence.Instant
	checkpoints []Checkpoint // still to be compared, the smallest first
}

func (a *auditor) fault(position int64, code, format string, args ...any) {
	a.add(&a.report.Faults, position, code, format, args...)
}

func (a *auditor) add(to *[]Fault, position int64, code, format string, args ...any) {
	if len(*to) == MaxFaults {
		a.report.More++
		return
	}
	*to = append(*to, Fault{Position: position, Code: code, Text: fmt.Sprintf(format, args...)})
}

func (a *auditor) entry(j judged) {
	row, n, hash, leaf := j.Row, j.Position, j.hash, j.leaf
	parsed := a.parse(j)
	altered, chained := false, a.chained
	if row.Leaf == nil {
		altered = true
		a.fault(n, FaultMissing, "Entry %d is missing.", n)
	} else if own, ok := row.Nodes[0]; ok && own != hash {
		altered = true
		a.fault(n, FaultAltered, "Entry %d is not the one that was committed: its stored hash is another's.", n)
	}
	if parsed && !altered {
		root := a.stored.Root()
		chained = leaf.Before == hex.EncodeToString(root[:])
		a.place(n, chained)
	}
	altered = a.nodes(row, hash, altered, chained) || altered
	if parsed {
		a.content(j)
	}
	a.rebuilt.Append(hash)
	a.chained, a.altered = chained, altered
}

// place judges an entry by whether it was written after those before it. Above
// an entry that was altered together with its hash, the stored nodes are still
// those of the original, so that the chain closes again with the next complete
// pair. What does not close again starts with the entry that was altered.
func (a *auditor) place(n int64, chained bool) {
	switch {
	case a.doubtful > 0 && n == a.doubtful+1 && !chained:
		return // the pair of the doubtful entry is not complete yet
	case a.doubtful > 0 && n == a.doubtful+2 && chained:
		a.fault(a.doubtful, FaultAltered, "Entry %d is not the one that was committed: it was not written after entry %d.", a.doubtful, a.doubtful-1)
		a.doubtful = 0
	case a.doubtful > 0:
		a.settle()
	case !chained && a.chained && !a.altered && n > 0 && n%2 == 0:
		a.doubtful = n
	case !chained && a.chained && !a.altered:
		a.fault(n-1, FaultAltered, "Entry %d is not the one after which entry %d was written.", n-1, n)
	}
}

// settle blames the entry before the doubtful one.
func (a *auditor) settle() {
	if a.doubtful > 0 {
		a.fault(a.doubtful-1, FaultAltered, "Entry %d is not the one after which entry %d was written.", a.doubtful-1, a.doubtful)
	}
	a.doubtful = 0
}

func (a *auditor) parse(j judged) bool {
	switch {
	case j.Leaf == nil:
		return false
	case errors.Is(j.err, evidence.ErrUnknownFormat):
		a.fault(j.Position, FaultUnknown, "Entry %d is of a type or version that this program does not know; it cannot be judged.", j.Position)
	case j.err != nil:
		a.fault(j.Position, FaultAltered, "Entry %d cannot be read: it is not in the log's encoding.", j.Position)
	}
	return j.err == nil
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
			a.fault(n, FaultNode, "A stored node of the tree that entry %d completed is missing.", n)
			continue
		case got != want && !altered && !found && chained:
			found = true
			a.fault(n, FaultAltered, "Entry %d, or a node of the tree above it, is not the one that was committed.", n)
		}
		if level == len(computed)-1 {
			a.stored.subs[len(a.stored.subs)-1] = got
		}
	}
	return found
}

// content compares what is stored beside the leaf with what the leaf says.
func (a *auditor) content(j judged) {
	n, l := j.Position, j.leaf
	want := Index{ID: l.ID, At: l.At, Action: l.Action, Actor: l.Actor.Account, Agency: l.Agency, Case: l.Case, Interview: l.Interview, Subject: l.Subject}
	if j.Index != want {
		a.fault(n, FaultIndex, "Entry %d is filed under something else than it says, so that a search may miss it.", n)
	}
	for _, field := range j.broken {
		a.fault(n, FaultOpening, "The text kept for %q of entry %d is not what was committed to.", field, n)
	}
	open := j.open
	for _, field := range []string{FieldWhere, FieldWhy, FieldAuthority} {
		if l.Commitment(field) != "" {
			open--
		}
	}
	a.report.Erased -= int64(min(open, 0))
	if l.At < a.lastAt {
		a.add(&a.report.Notices, n, NoticeClock, "At entry %d the server's clock was %v behind an entry before it.", n, a.lastAt.Time().Sub(l.At.Time()))
	}
	a.lastAt = max(a.lastAt, l.At)
}

// expect takes the checkpoints to compare, and reports those that cannot be.
func (a *auditor) expect(head Head, v note.Verifier, signed [][]byte) {
	for _, text := range signed {
		cp, err := OpenCheckpoint(text, v)
		switch {
		case err != nil:
			a.fault(-1, FaultCheckpoint, "A checkpoint that was kept is not signed by the log's key.")
		case cp.Size > head.Size:
			a.fault(head.Size, FaultCheckpoint, "A checkpoint of %d entries was signed and the log has %d: entries were removed.", cp.Size, head.Size)
		default:
			a.checkpoints = append(a.checkpoints, cp)
		}
	}
	slices.SortStableFunc(a.checkpoints, func(x, y Checkpoint) int { return cmp.Compare(x.Size, y.Size) })
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
		a.fault(-1, FaultCheckpoint, "The first %d entries are not those of the checkpoint that was signed over them.", cp.Size)
	}
}

func (a *auditor) end(head Head) {
	a.settle()
	if head.Root != a.rebuilt.Root() {
		if head.Size > 0 && a.chained && !a.altered && a.stored.Root() != head.Root {
			a.fault(head.Size-1, FaultAltered, "Entry %d, the last, is not the one that was committed, or the head is not.", head.Size-1)
		}
		a.fault(-1, FaultHead, "The root of the log's head is not that of its entries.")
	}
	if head.LastAt != a.lastAt {
		a.fault(-1, FaultHead, "The latest time in the log's head is not that of its entries.")
	}
}
