package db

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/disclosure"
)

const exportColumns = `id, agency, case_id, interview_id, state, recipient, reasons, reason, requested_by, requested_at,
	approved_by, approved_at, attempt, lease_until, delivered_at, digest, bytes, version,
	passphrase, content, asked_from, asked_until, outward, source, grant_id, profile, exhibit, received_at, received_by, alarmed_at`

func scanExport(scan func(...any) error) (disclosure.Export, error) {
	var e disclosure.Export
	err := scan(&e.ID, &e.Agency, &e.Case, &e.Interview, &e.State, &e.Recipient, &e.Reasons, &e.Reason, &e.RequestedBy, &e.RequestedAt,
		&e.ApprovedBy, &e.ApprovedAt, &e.Attempt, &e.LeaseUntil, &e.DeliveredAt, &e.Digest, &e.Bytes, &e.Version,
		&e.Passphrase, &e.Content, &e.Asked.From, &e.Asked.Until, &e.Outward, &e.Source, &e.Grant, &e.Profile, &e.Exhibit, &e.ReceivedAt, &e.ReceivedBy, &e.AlarmedAt)
	return e, err
}

// CreateExport implements [disclosure.Store].
func (s *Store) CreateExport(ctx context.Context, e disclosure.Export, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		_, err := tx.exec(ctx, `INSERT INTO export (`+exportColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30)`,
			e.ID, e.Agency, e.Case, e.Interview, e.State, e.Recipient, e.Reasons, e.Reason, e.RequestedBy, e.RequestedAt,
			e.ApprovedBy, e.ApprovedAt, e.Attempt, e.LeaseUntil, e.DeliveredAt, e.Digest, e.Bytes, 1,
			e.Passphrase, e.Content, e.Asked.From, e.Asked.Until, e.Outward, e.Source, e.Grant, e.Profile, e.Exhibit, e.ReceivedAt, e.ReceivedBy, e.AlarmedAt)
		if err != nil {
			return fmt.Errorf("storing export %s: %w", e.ID, conflict(err))
		}
		return nil
	})
}

// Export implements [disclosure.Store].
func (s *Store) Export(ctx context.Context, id evidence.ID) (disclosure.Export, error) {
	e, err := scanExport(s.row(ctx, `SELECT `+exportColumns+` FROM export WHERE id = $1`, id).Scan)
	if err != nil {
		return disclosure.Export{}, fmt.Errorf("export %s: %w", id, notFound(err))
	}
	return e, nil
}

// Exports implements [disclosure.Store].
func (s *Store) Exports(ctx context.Context, f disclosure.Filter) ([]disclosure.Export, error) {
	rows, err := s.query(ctx, `SELECT `+exportColumns+` FROM export
		WHERE ($1 = '' OR interview_id = $1) AND ($2 = '' OR case_id = $2) ORDER BY id DESC LIMIT 1000`, f.Interview, f.Case)
	list, err := collect(rows, err, scanExport)
	if err != nil {
		return nil, fmt.Errorf("listing exports: %w", err)
	}
	return list, nil
}

// Unreceived implements [disclosure.Store].
func (s *Store) Unreceived(ctx context.Context, before evidence.Instant) ([]disclosure.Export, error) {
	rows, err := s.query(ctx, `SELECT `+exportColumns+` FROM export
		WHERE state = 'delivered' AND alarmed_at = 0 AND delivered_at < $1 ORDER BY delivered_at LIMIT 1000`, before)
	list, err := collect(rows, err, scanExport)
	if err != nil {
		return nil, fmt.Errorf("listing exports without a receipt: %w", err)
	}
	return list, nil
}

// Facts implements [disclosure.Store].
func (s *Store) Facts(ctx context.Context, interview evidence.ID) (disclosure.Facts, error) {
	iv, err := s.Interview(ctx, interview)
	if err != nil {
		return disclosure.Facts{}, err
	}
	person, err := s.Person(ctx, iv.Person)
	if err != nil {
		return disclosure.Facts{}, err
	}
	kase, err := s.Case(ctx, iv.Case)
	if err != nil {
		return disclosure.Facts{}, err
	}
	records, err := s.Consents(ctx, iv.Person)
	if err != nil {
		return disclosure.Facts{}, err
	}
	f := disclosure.Facts{Person: person.Pseudonym, Reference: kase.Reference}
	for _, r := range records {
		f.Receipts = append(f.Receipts, receipt(r, interview))
	}
	slices.SortFunc(f.Receipts, func(a, b disclosure.Receipt) int { return strings.Compare(string(a.Record), string(b.Record)) })
	return f, s.exhibit(ctx, iv, &f)
}

// exhibit adds what courts decided about a recording, and which interviews belong
// with it.
func (s *Store) exhibit(ctx context.Context, iv evidence.Interview, f *disclosure.Facts) error {
	sheets, err := s.Sheets(ctx, casefile.SheetFilter{Case: iv.Case, Kinds: []casefile.SheetKind{casefile.SheetRuling, casefile.SheetSupplement}})
	if err != nil {
		return err
	}
	for _, sheet := range sheets {
		switch ruling, supplement := sheet.Content.Ruling, sheet.Content.Supplement; {
		case ruling != nil && sheet.Interview == iv.ID:
			f.Rulings = append(f.Rulings, disclosure.Ruling{ID: sheet.ID, Outcome: ruling.Outcome, Decided: ruling.Decided, Recorded: sheet.At,
				Court: ruling.Court, Reference: ruling.Reference, Exhibit: ruling.Exhibit, Terms: ruling.Terms})
		case supplement != nil && sheet.Interview == iv.ID:
			f.Supplements = append(f.Supplements, supplement.Of)
		case supplement != nil && supplement.Of == iv.ID:
			f.SupplementedBy = append(f.SupplementedBy, sheet.Interview)
		}
	}
	return nil
}

// receipt leaves out of a consent record what words say and whom they name.
func receipt(r consent.Record, interview evidence.ID) disclosure.Receipt {
	out := disclosure.Receipt{
		Record: r.ID, Controller: r.Agency, Interview: interview, Decision: string(r.Decision), Purposes: []disclosure.ReceiptPurpose{},
		GivenBy: string(r.GivenBy), Form: string(r.Form), ChildView: string(r.ChildView), Basis: string(r.Basis), Jurisdiction: r.Jurisdiction, Language: r.Language,
		TextVersion: r.TextVersion, GivenAt: r.GivenAt, RecordedAt: r.RecordedAt, AttestedAt: r.AttestedAt, ValidUntil: r.ValidUntil, DocumentSHA256: r.DocumentSHA256,
	}
	for _, i := range r.Items {
		out.Purposes = append(out.Purposes, disclosure.ReceiptPurpose{Purpose: string(i.Purpose), Version: i.Version, WithdrawnAt: i.WithdrawnAt})
	}
	return out
}

// ChangeExport implements [disclosure.Store].
func (s *Store) ChangeExport(ctx context.Context, e disclosure.Export, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		n, err := tx.exec(ctx, `UPDATE export SET state = $3, approved_by = $4, approved_at = $5, attempt = $6, lease_until = $7,
			delivered_at = $8, digest = $9, bytes = $10, received_at = $11, received_by = $12, alarmed_at = $13, version = version + 1 WHERE id = $1 AND version = $2`,
			e.ID, e.Version, e.State, e.ApprovedBy, e.ApprovedAt, e.Attempt, e.LeaseUntil, e.DeliveredAt, e.Digest, e.Bytes, e.ReceivedAt, e.ReceivedBy, e.AlarmedAt)
		if err != nil {
			return fmt.Errorf("changing export %s: %w", e.ID, err)
		}
		if n == 0 {
			return fmt.Errorf("export %s changed since it was read: %w", e.ID, evidence.ErrConflict)
		}
		return nil
	})
}

// RenewExport implements [disclosure.Store].
func (s *Store) RenewExport(ctx context.Context, id evidence.ID, attempt int, until evidence.Instant) error {
	return s.quiet(ctx, func(tx *tx) error {
		n, err := tx.exec(ctx, `UPDATE export SET lease_until = $3 WHERE id = $1 AND attempt = $2 AND lease_until > 0`, id, attempt, until)
		if err != nil {
			return fmt.Errorf("renewing the delivery of export %s: %w", id, err)
		}
		if n == 0 {
			return fmt.Errorf("the delivery of export %s was taken over: %w", id, evidence.ErrConflict)
		}
		return nil
	})
}
