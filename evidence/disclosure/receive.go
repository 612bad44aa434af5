package disclosure

import (
	"context"
	"fmt"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// ReceiptDue is how long after delivery a package's receipt is expected (P39).
const ReceiptDue = 72 * time.Hour

// Receive notes that the recipient has acknowledged a package: that it arrived,
// and that sha256, which is the digest of its tag manifest and printed by the
// verifier, is that of what was sent. Another digest is refused: something else
// arrived.
func (s *Service) Receive(ctx context.Context, actor evidence.Actor, export evidence.ID, sha256 string) (Export, error) {
	if err := s.Access.Authorize(ctx, actor, ActionReceive, evidence.Resource{Kind: "export", ID: export}); err != nil {
		return Export{}, err
	}
	e, err := s.Store.Export(ctx, export)
	if err != nil {
		return Export{}, err
	}
	switch {
	case e.State == Received:
		return Export{}, evidence.Refuse(evidence.ErrConflict, "export.received", "This package was acknowledged before.", "P39")
	case e.State != Delivered:
		return Export{}, evidence.Refuse(evidence.ErrConflict, "export.not_delivered", "This package was not handed over yet.", "P39")
	case sha256 != e.Digest:
		return Export{}, evidence.Refuse(evidence.ErrInvalid, "export.other_digest", "This is not the digest of the package that was sent. If the recipient reads it from its package, something else arrived.", "P39")
	}
	if e.ReceivedAt, err = s.Store.Now(ctx); err != nil {
		return Export{}, err
	}
	e.State, e.ReceivedBy = Received, actor.Account
	entry := s.entry(actor, ActionReceive, e)
	entry.Details["sha256"] = e.Digest
	if err := s.Store.ChangeExport(ctx, e, entry); err != nil {
		return Export{}, fmt.Errorf("acknowledging package %s: %w", export, err)
	}
	e.Version++
	return e, nil
}

// Overdue reports whether the package's receipt should have come by now.
func (e Export) Overdue(now evidence.Instant) bool {
	return e.State == Delivered && now >= e.DeliveredAt+evidence.Instant(ReceiptDue/time.Microsecond)
}

// Remind writes an alarm into the log, once, for each package whose receipt is
// overdue, and returns how many it was for. The entry is an event too, so that
// pages show it. Callers call it every few minutes; several may.
func (s *Service) Remind(ctx context.Context) (int, error) {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return 0, err
	}
	late, err := s.Store.Unreceived(ctx, now-evidence.Instant(ReceiptDue/time.Microsecond))
	if err != nil {
		return 0, err
	}
	for i, e := range late {
		e.AlarmedAt = now
		if err := s.Store.ChangeExport(ctx, e, s.entry(evidence.System(e.Agency), EntryUnreceived, e)); err != nil {
			return i, fmt.Errorf("alarm for package %s: %w", e.ID, err)
		}
	}
	return len(late), nil
}
