package web

import (
	"context"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
)

func (s *Server) listConsents(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[list[Consent]], error) {
	records, err := s.consents.Consents(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	sees, err := s.seesOf(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	repeats, err := s.consents.Repeats(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	return listErr(records, func(r consent.Record) (Consent, error) { return s.consent(ctx, r, records, repeats, sees) })
}

func (s *Server) recordConsent(ctx context.Context, a evidence.Actor, in *recordConsentInput) (*answer[Consent], error) {
	b := in.Body
	// A person of another case is none of this one.
	if err := s.onCase(ctx, in.ID, b.PersonID); err != nil {
		return nil, err
	}
	r, err := s.consents.Record(ctx, a, consent.Statement{
		Person: b.PersonID, Purposes: purposes(b.Purposes), Decision: consent.Decision(b.Decision), GivenBy: consent.Giver(b.GivenBy), Form: consent.Form(b.Form),
		ToldWho: b.ToldWho, Signing: consent.Signing(b.Signing), ChildView: consent.View(b.ChildView), ChildWords: b.ChildWords, Document: b.Document, DocumentSHA256: b.SHA256, Language: b.Language,
		Interpreter: b.Interpreter, Basis: consent.Basis(b.Basis), Law: b.Law, GivenAt: instant(b.GivenAt), ValidUntil: instant(b.ValidUntil),
	})
	return s.consentAnswer(ctx, a, r, err)
}

// onCase makes sure that a person belongs to the case in the path.
func (s *Server) onCase(ctx context.Context, kase, person evidence.ID) error {
	p, err := s.store.Person(ctx, person)
	if err == nil && p.Case != kase {
		err = evidence.ErrNotFound
	}
	return err
}

func purposes(in []string) []consent.Purpose {
	out := make([]consent.Purpose, 0, len(in))
	for _, p := range in {
		out = append(out, consent.Purpose(p))
	}
	return out
}

func (s *Server) attestConsent(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Consent], error) {
	r, err := s.consents.Attest(ctx, a, in.ID)
	return s.consentAnswer(ctx, a, r, err)
}

func (s *Server) withdrawConsent(ctx context.Context, a evidence.Actor, in *withdrawInput) (*answer[Consent], error) {
	r, err := s.consents.Withdraw(ctx, a, in.ID, consent.Withdrawal{Purposes: purposes(in.Body.Purposes), By: consent.Giver(in.Body.By), Reason: in.Body.Reason})
	return s.consentAnswer(ctx, a, r, err)
}

func (s *Server) consentAnswer(ctx context.Context, a evidence.Actor, r consent.Record, err error) (*answer[Consent], error) {
	if err != nil {
		return nil, err
	}
	all, err := s.consents.Consents(ctx, a, r.Case)
	if err != nil {
		return nil, err
	}
	sees, err := s.seesOf(ctx, a, r.Case)
	if err != nil {
		return nil, err
	}
	repeats, err := s.consents.Repeats(ctx, a, r.Case)
	if err != nil {
		return nil, err
	}
	return answerErr(s.consent(ctx, r, all, repeats, sees))
}

// consent shows an act. all are the acts of everyone on its case, which say
// whether it is the one that counts; sees is what the reader's role needs to know.
func (s *Server) consent(ctx context.Context, r consent.Record, all []consent.Record, repeats []consent.Repeat, sees sees) (out Consent, err error) {
	out = Consent{
		ID: r.ID, State: string(r.State()), Decision: string(r.Decision), GivenBy: string(r.GivenBy), Form: string(r.Form), ChildView: string(r.ChildView),
		ToldWho: r.ToldWho, Signing: string(r.Signing), TextSHA256: r.TextSHA256, Repeats: []Repeat{}, SHA256: r.DocumentSHA256, Language: r.Language, TextVersion: r.TextVersion,
		Basis: string(r.Basis), Law: r.Law, GivenAt: r.GivenAt.Time(), ValidUntil: when(r.ValidUntil), RecordedAt: r.RecordedAt.Time(), AttestedAt: when(r.AttestedAt),
		Items: make([]ConsentItem, 0, len(r.Items)),
	}
	person, err := s.store.Person(ctx, r.Person)
	if err != nil {
		return out, err
	}
	out.Person = PersonRef{ID: person.ID}
	for _, rep := range repeats {
		if rep.Consent == r.ID {
			out.Repeats = append(out.Repeats, Repeat{Interview: rep.Interview, At: rep.At, NotedAt: rep.NotedAt.Time()})
		}
	}
	if sees.pseudonyms {
		out.Person.Pseudonym, out.Document = person.Pseudonym, r.Document
	}
	if sees.words {
		out.ChildWords, out.Interpreter = r.ChildWords, r.Interpreter
	}
	var own []consent.Record
	for _, one := range all {
		if one.Person == r.Person {
			own = append(own, one)
		}
	}
	for _, it := range r.Items {
		item := ConsentItem{Purpose: string(it.Purpose), Version: it.Version, Superseded: when(it.SupersededAt), Withdrawn: when(it.WithdrawnAt),
			WithdrawnBy: string(it.WithdrawnBy), Problems: []Reason{}}
		if it.SupersededAt == 0 {
			item.Problems = reasonsOf(consent.Judge(person, own, it.Purpose, evidence.At(s.clock())))
			item.Valid = len(item.Problems) == 0
		}
		out.Items = append(out.Items, item)
	}
	if out.RecordedBy, err = s.accountRef(ctx, r.RecordedBy); err != nil {
		return out, err
	}
	out.AttestedBy, err = s.accountRefOrNone(ctx, r.AttestedBy)
	return out, err
}

func (s *Server) consentTexts(context.Context, evidence.Actor, *nothing) (*answer[ConsentTexts], error) {
	return answerOf(ConsentTexts{Version: consent.TextVersion, Texts: consent.Texts()}), nil
}

func (s *Server) consentReceipt(ctx context.Context, a evidence.Actor, in *receiptInput) (*answer[ConsentReceipt], error) {
	file, code, err := s.consents.Receipt(ctx, a, in.ID, consent.Giver(in.Body.Holder))
	if err != nil {
		return nil, err
	}
	return answerOf(ConsentReceipt{Code: code, File: string(file)}), nil
}

func (s *Server) repeatConsent(ctx context.Context, a evidence.Actor, in *repeatInput) (*answer[Repeat], error) {
	r, err := s.consents.NoteRepeat(ctx, a, in.ID, in.Body.Interview, in.Body.At)
	if err != nil {
		return nil, err
	}
	return answerOf(Repeat{Interview: r.Interview, At: r.At, NotedAt: r.NotedAt.Time()}), nil
}
