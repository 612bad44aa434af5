package custody

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/toldonce/toldonce/evidence"
)

// ErrDiscontinuous says that a checkpoint was signed of entries that this log does
// not have: an older backup was restored, or the log was changed. Viewing and sharing
// stay closed, and nothing is signed, until two people have signed a discontinuity
// entry. Recording goes on.
var ErrDiscontinuous = errors.New("the custody log does not continue what was signed before")

// Break is one contradiction between the log and a checkpoint that was signed of it.
type Break struct {
	// Source is where the checkpoint was kept: the name of a witness, SourceAnchor or
	// SourceDatabase.
	Source string
	// From is the first position that nothing vouches for, the size of the newest
	// checkpoint that the log still extends; Until the size of the one that
	// contradicts it. Entries from From to Until are lost or were replaced.
	From, Until int64
	// Root is of the contradicting checkpoint; nil where only its size is known.
	Root *Hash
}

// Where a checkpoint was kept that the log is compared with.
const (
	SourceAnchor   = "anchor"   // a file beside the database
	SourceDatabase = "database" // the database itself
)

// Discontinuity is what two people say about a break, once approved an entry of the
// log.
type Discontinuity struct {
	ID          evidence.ID
	From, Until int64  // as in [Break]; Until the largest of all breaks
	Root        string // of the contradicting checkpoint, lower-case hex; empty where only its size is known
	Source      string // as in [Break]
	ProposedBy  evidence.ID
	ProposedAt  evidence.Instant
	ApprovedBy  evidence.ID // empty until it is approved
	ApprovedAt  evidence.Instant
	Version     int64
}

// Approved reports whether a second person signed it.
func (d Discontinuity) Approved() bool { return d.ApprovedBy != "" }

// Entries of the log about discontinuities, and their details.
const (
	EntryDiscontinuityPropose = "log.discontinuity.propose"
	EntryDiscontinuityApprove = "log.discontinuity.approve"
)

// Entry is the custody entry of a step of the discontinuity. Its reason is personal
// and committed to, as any.
func (d Discontinuity) Entry(actor evidence.Actor, action, why string) Entry {
	details := map[string]string{"from": fmt.Sprint(d.From), "until": fmt.Sprint(d.Until), "source": detailOf(d.Source)}
	if d.Root != "" {
		details["root"] = d.Root
	}
	return Entry{Actor: actor, Action: action, Subject: d.ID, Why: why, Details: details}
}

// detailOf keeps of a name what may stand in an entry's details.
func detailOf(name string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && form(string(r), 1, 1, true, "._:/=,-") {
			return r
		}
		return '-'
	}, name[:min(len(name), MaxDetail)])
}

// explains reports whether the break was known when d was approved.
func (d Discontinuity) explains(b Break) bool { return d.Approved() && b.Until <= d.Until }

// whole merges breaks into what a discontinuity entry has to name.
func whole(breaks []Break) Break {
	out := breaks[0]
	for _, b := range breaks[1:] {
		from := min(out.From, b.From)
		if b.Until > out.Until || b.Until == out.Until && out.Root == nil {
			out = b
		}
		out.From = from
	}
	return out
}

// compare returns the break between the log and a checkpoint that was kept, nil if
// the log extends it. from is the size of the newest checkpoint that it does extend.
func compare(ctx context.Context, l Log, cp Checkpoint, source string, from int64) (*Break, error) {
	head, err := l.LogHead(ctx)
	if err != nil {
		return nil, err
	}
	err = extends(ctx, l, cp, head)
	if errors.Is(err, ErrForked) {
		root := cp.Root
		return &Break{Source: source, From: min(from, cp.Size), Until: cp.Size, Root: &root}, nil
	}
	return nil, err
}
