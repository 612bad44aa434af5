package consent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/receipt"
	"github.com/toldonce/toldonce/evidence/seal"
)

// Signer signs receipts; it is the agency's seal. What it returns was verified.
type Signer interface {
	SealFile(ctx context.Context, name string, content []byte, predicateType string, predicate any) (seal.Sealed, error)
}

// Receipt issues a signed receipt of an act as it stands now, for the person or for
// who represents her (P36). A guardian with a conflict holds none (P41). The file
// is for [receipt.Parse] and for toldonce-verify; code stands on the printed page.
func (s *Service) Receipt(ctx context.Context, actor evidence.Actor, id evidence.ID, holder Giver) (file []byte, code string, err error) {
	if err := s.Access.Authorize(ctx, actor, access.ConsentReceipt, evidence.Resource{Kind: access.KindConsent, ID: id}); err != nil {
		return nil, "", err
	}
	if s.Signer == nil {
		return nil, "", fmt.Errorf("signing a receipt: %w", evidence.ErrUnavailable)
	}
	r, err := s.Store.Consent(ctx, id)
	if err != nil {
		return nil, "", err
	}
	f, err := s.load(ctx, r.Person)
	if err != nil {
		return nil, "", err
	}
	if holder == "" {
		holder = BySelf
	}
	switch {
	case !slices.Contains([]Giver{BySelf, ByGuardian, ByAuthority}, holder), holder != BySelf && !f.person.TreatedAsChild():
		return nil, "", invalid("receipt.holder", "A receipt is for the person herself or for who represents her.", "P36")
	case holder == ByGuardian && (f.person.Guardian.Conflict || f.person.Guardian.Name == ""):
		return nil, "", invalid("guardian_conflict", "The guardian has a conflict of interest and has no part in this consent.", "P41")
	}
	agency, err := s.Store.Agency(ctx, r.Agency)
	if err != nil {
		return nil, "", err
	}
	rec := receiptOf(r, f.now, holder)
	var openings []evidence.Opening
	for field, value := range map[string]string{receipt.FieldPrincipal: f.person.Pseudonym, receipt.FieldController: agency.Name, receipt.FieldCase: f.kase.Reference.Value,
		receipt.FieldLaw: r.Law, receipt.FieldInterpreter: r.Interpreter, receipt.FieldDocument: r.Document, receipt.FieldChildWords: r.ChildWords} {
		if value != "" {
			c, o := evidence.Commit(field, value)
			rec.Personal[field], openings = c, append(openings, o)
		}
	}
	slices.SortFunc(openings, func(a, b evidence.Opening) int { return cmp.Compare(a.Field, b.Field) })
	text, err := evidence.Canonical(rec)
	if err != nil {
		return nil, "", fmt.Errorf("writing a receipt: %w", err)
	}
	sealed, err := s.Signer.SealFile(ctx, receipt.FileName, text, receipt.PredicateType, map[string]string{"record": string(r.ID)})
	if err != nil {
		return nil, "", fmt.Errorf("signing a receipt: %w", err)
	}
	file, err = receipt.Receipt{Type: receipt.Type, Version: 1, Record: string(text), Bundle: string(sealed.Bundle), Openings: openings}.Encode()
	if err != nil {
		return nil, "", fmt.Errorf("writing a receipt: %w", err)
	}
	code = receipt.Code(text)
	entry := custody.Entry{Actor: actor, Action: access.ConsentReceipt, Agency: r.Agency, Case: r.Case, Subject: r.ID,
		Details: map[string]string{"receipt": string(rec.Receipt), "holder": string(holder), "code": code}}
	if err := s.Store.AppendEntry(ctx, entry); err != nil {
		return nil, "", err
	}
	return file, code, nil
}

func receiptOf(r Record, now evidence.Instant, holder Giver) receipt.Record {
	rec := receipt.Record{Type: receipt.Type, Version: 1, SchemaVersion: SchemaVersion, Receipt: evidence.NewID(), IssuedAt: now, Holder: string(holder),
		RecordID: r.ID, Controller: r.Agency, Principal: r.Person, Case: r.Case, Decision: string(r.Decision), GivenBy: string(r.GivenBy), Form: string(r.Form),
		Signing: string(r.Signing), ChildView: string(r.ChildView), ToldWho: r.ToldWho, Language: r.Language, TextVersion: r.TextVersion, TextSHA256: r.TextSHA256,
		LegalBasis: string(r.Basis), Jurisdiction: r.Jurisdiction, GivenAt: r.GivenAt, RecordedAt: r.RecordedAt, AttestedAt: r.AttestedAt, ValidUntil: r.ValidUntil,
		FormSHA256: r.DocumentSHA256, Personal: map[string]receipt.Personal{}}
	for _, it := range r.Items {
		state := string(r.Decision)
		switch {
		case it.WithdrawnAt != 0:
			state = string(StateWithdrawn)
		case it.SupersededAt != 0:
			state = string(StateSuperseded)
		case r.Waits():
			state = string(StatePending)
		}
		rec.Purposes = append(rec.Purposes, receipt.Purpose{Purpose: string(it.Purpose), Version: it.Version, State: state, WithdrawnAt: it.WithdrawnAt})
	}
	return rec
}

// Repeat is where on a recording a consent was said again. It shows what was
// agreed; it never opens the gate (P40).
type Repeat struct {
	Consent   evidence.ID
	Interview evidence.ID
	At        evidence.Offset // interview time
	By        evidence.ID
	NotedAt   evidence.Instant
}

// NoteRepeat notes that a consent was repeated on the recording of an interview.
func (s *Service) NoteRepeat(ctx context.Context, actor evidence.Actor, id, interview evidence.ID, at evidence.Offset) (Repeat, error) {
	if err := s.Access.Authorize(ctx, actor, access.InterviewMark, evidence.Resource{Kind: access.KindInterview, ID: interview}); err != nil {
		return Repeat{}, err
	}
	r, err := s.Store.Consent(ctx, id)
	if err != nil {
		return Repeat{}, err
	}
	iv, err := s.Store.Interview(ctx, interview)
	if err != nil {
		return Repeat{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Repeat{}, err
	}
	switch {
	case r.Person != iv.Person:
		return Repeat{}, fmt.Errorf("consent %s of another person: %w", id, evidence.ErrNotFound)
	case r.Decision != Given || iv.StartedAt == 0 && iv.State != evidence.StateRecording && iv.State != evidence.StatePaused:
		return Repeat{}, invalid("repeat", "What was agreed can be repeated once the recording has begun.", "P40")
	case at < 0 || iv.StoppedAt != 0 && at > evidence.Offset(iv.StoppedAt-iv.StartedAt):
		return Repeat{}, invalid("repeat.time", "Give the time in the interview at which it was said.", "P40")
	}
	rep := Repeat{Consent: id, Interview: interview, At: at, By: actor.Account, NotedAt: now}
	entry := custody.Entry{Actor: actor, Action: access.EntryRepeat, Agency: r.Agency, Case: r.Case, Interview: interview, Subject: id,
		Details: map[string]string{"at": strconv.FormatInt(int64(at), 10)}}
	if err := s.Store.SaveRepeat(ctx, rep, entry); err != nil {
		if errors.Is(err, evidence.ErrConflict) {
			return Repeat{}, evidence.Refuse(evidence.ErrConflict, "consent.repeat.twice", "It is noted already where this consent was repeated.", "P40")
		}
		return Repeat{}, err
	}
	return rep, nil
}

// Repeats lists where consents of a case were repeated on recordings.
func (s *Service) Repeats(ctx context.Context, actor evidence.Actor, caseID evidence.ID) ([]Repeat, error) {
	if err := s.Access.Authorize(ctx, actor, access.ConsentRead, evidence.Resource{Kind: access.KindCase, ID: caseID}); err != nil {
		return nil, err
	}
	return s.Store.Repeats(ctx, caseID)
}
