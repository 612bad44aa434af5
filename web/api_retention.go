package web

import (
	"context"
	"errors"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/retention"
)

func (s *Server) listClasses(ctx context.Context, a evidence.Actor, _ *nothing) (*answer[list[RetentionClass]], error) {
	classes, err := s.retention.Classes(ctx, a)
	if err != nil {
		return nil, err
	}
	return listErr(classes, func(c retention.Class) (RetentionClass, error) { return s.retentionClass(ctx, a, c) })
}

func (s *Server) createClass(ctx context.Context, a evidence.Actor, in *createClassInput) (*answer[RetentionClass], error) {
	c, err := s.retention.CreateClass(ctx, a, in.Body.Name, in.Body.ClassRule.version())
	return s.classAnswer(ctx, a, c, err)
}

func (s *Server) changeClass(ctx context.Context, a evidence.Actor, in *changeClassInput) (*answer[RetentionClass], error) {
	c, err := s.retention.ChangeClass(ctx, a, in.ID, in.Body.version())
	return s.classAnswer(ctx, a, c, err)
}

func (b ClassRule) version() retention.NewVersion {
	return retention.NewVersion{Days: b.Days, From: retention.Start(b.From), DecideDays: b.DecideDays, Basis: b.Basis}
}

func (s *Server) classAnswer(ctx context.Context, a evidence.Actor, c retention.Class, err error) (*answer[RetentionClass], error) {
	if err != nil {
		return nil, err
	}
	return answerErr(s.retentionClass(ctx, a, c))
}

func (s *Server) retentionClass(ctx context.Context, a evidence.Actor, c retention.Class) (out RetentionClass, err error) {
	out = RetentionClass{ID: c.ID, Name: c.Name, Versions: []RetentionClassVersion{}}
	for _, v := range c.Versions {
		one := RetentionClassVersion{Number: v.Number, Days: v.Days, From: string(v.From), DecideDays: v.DecideDays, Basis: v.Basis, SetAt: v.SetAt.Time()}
		if one.SetBy, err = s.accountRef(ctx, v.SetBy); err != nil {
			return out, err
		}
		out.Versions, out.Now = append(out.Versions, one), one
	}
	out.MayChange, err = s.retention.May(ctx, a, access.RetentionClass, access.KindAgency, c.Agency)
	return out, err
}

func (s *Server) retentionCalendar(ctx context.Context, a evidence.Actor, _ *nothing) (*answer[list[Retention]], error) {
	files, err := s.retention.Calendar(ctx, a)
	if err != nil {
		return nil, err
	}
	return listErr(files, func(f retention.File) (Retention, error) { return s.retained(ctx, a, f) })
}

func (s *Server) caseRetention(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Retention], error) {
	f, err := s.retention.File(ctx, a, in.ID)
	return s.retainedAnswer(ctx, a, f, err)
}

func (s *Server) addRule(ctx context.Context, a evidence.Actor, in *ruleInput) (*answer[Retention], error) {
	var f retention.File
	var err error
	switch b := in.Body; {
	case (b.Class == "") == (b.Until == nil):
		err = evidence.Refuse(evidence.ErrInvalid, "retention.class_or_until", "Name a class, or a day until which it is kept.", "P34")
	case b.Class != "":
		f, err = s.retention.Assign(ctx, a, in.ID, b.Class, b.Reason)
	default:
		f, err = s.retention.Keep(ctx, a, in.ID, evidence.At(*b.Until), b.Reason)
	}
	return s.retainedAnswer(ctx, a, f, err)
}

func (s *Server) placeHold(ctx context.Context, a evidence.Actor, in *holdInput) (*answer[Hold], error) {
	h, err := s.retention.PlaceHold(ctx, a, in.ID, in.Body.Interview, in.Body.Reason, in.Body.Authority)
	if err != nil {
		return nil, err
	}
	return answerErr(s.hold(ctx, a, h))
}

func (s *Server) liftHold(ctx context.Context, a evidence.Actor, in *decideErasureInput) (*answer[Hold], error) {
	h, err := s.retention.LiftHold(ctx, a, in.ID, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return answerErr(s.hold(ctx, a, h))
}

func (s *Server) retainedAnswer(ctx context.Context, a evidence.Actor, f retention.File, err error) (*answer[Retention], error) {
	if err != nil {
		return nil, err
	}
	return answerErr(s.retained(ctx, a, f))
}

// retained shows a case as retention sees it, with what the actor may do.
func (s *Server) retained(ctx context.Context, a evidence.Actor, f retention.File) (out Retention, err error) {
	now, err := s.store.Now(ctx)
	if err != nil {
		return out, err
	}
	term := f.Term(now)
	out = Retention{Case: CaseRef{ID: f.Case.ID, Reference: f.Case.Reference.Value}, Stage: string(f.Case.Stage), ClosedAt: when(f.ClosedAt), Term: string(term.State),
		Until: when(term.Until), Decide: when(term.Decide), Due: f.Due(now), Held: f.Held(""), Rules: []RetentionRule{}, Holds: []Hold{}, Recordings: []RetainedRecording{}}
	out.Overdue = out.Due && now >= term.Decide
	className := func(id evidence.ID) *NamedRef {
		if id == "" {
			return nil
		}
		return &NamedRef{ID: id, Name: f.Classes[id].Name}
	}
	out.Class = className(term.Class)
	for _, r := range f.Rules {
		one := RetentionRule{ID: r.ID, Class: className(r.Class), Until: when(r.Until), Reason: r.Reason, SetAt: r.SetAt.Time()}
		if one.SetBy, err = s.accountRef(ctx, r.SetBy); err != nil {
			return out, err
		}
		out.Rules = append(out.Rules, one)
	}
	for _, h := range f.Holds {
		one, err := s.hold(ctx, a, h)
		if err != nil {
			return out, err
		}
		out.Holds = append(out.Holds, one)
	}
	if err := s.recordings(ctx, a, f, now, &out); err != nil {
		return out, err
	}
	if out.MaySet, err = s.retention.May(ctx, a, access.RetentionSet, access.KindCase, f.Case.ID); err != nil {
		return out, err
	}
	out.MayHold, err = s.retention.May(ctx, a, access.HoldPlace, access.KindCase, f.Case.ID)
	return out, err
}

func (s *Server) recordings(ctx context.Context, a evidence.Actor, f retention.File, now evidence.Instant, out *Retention) error {
	knowsPeople, err := s.retention.May(ctx, a, access.PersonRead, access.KindCase, f.Case.ID)
	if err != nil {
		return err
	}
	for _, r := range f.Recordings {
		until, held := f.Wanted(r, now)
		one := RetainedRecording{Interview: r.Interview, Number: r.Number, Person: PersonRef{ID: r.Person}, SealedAt: r.SealedAt.Time(),
			Lock: ObjectLock{Until: when(r.Lock.Until), Held: r.Lock.Held, Objects: r.Lock.Objects, AppliedAt: when(r.Lock.AppliedAt),
				Pending: r.Lock.AppliedAt == 0 || until != r.Lock.Until || held != r.Lock.Held}}
		if knowsPeople {
			if one.Person, err = s.personRef(ctx, r.Person); err != nil {
				return err
			}
		}
		for _, e := range f.Erasures {
			if e.Interview != r.Interview || e.State == retention.ErasureRejected {
				continue
			}
			view, err := s.erasure(ctx, a, e)
			if err != nil {
				return err
			}
			one.Erasure, one.ErasedAt = &view, when(e.ErasedAt)
		}
		if one.Erasure == nil {
			if one.MayErase, err = s.retention.May(ctx, a, access.ErasureRequest, access.KindInterview, r.Interview); err != nil {
				return err
			}
		}
		out.Recordings = append(out.Recordings, one)
	}
	return nil
}

func (s *Server) hold(ctx context.Context, a evidence.Actor, h retention.Hold) (out Hold, err error) {
	out = Hold{ID: h.ID, Interview: h.Interview, Reason: h.Reason, Authority: h.Authority, PlacedAt: h.PlacedAt.Time(), LiftedAt: when(h.LiftedAt)}
	if out.PlacedBy, err = s.accountRef(ctx, h.PlacedBy); err != nil {
		return out, err
	}
	if out.LiftedBy, err = s.accountRefOrNone(ctx, h.LiftedBy); err != nil || !h.Active() {
		return out, err
	}
	out.MayLift, err = s.retention.May(ctx, a, access.HoldLift, access.KindHold, h.ID)
	return out, err
}

func (s *Server) requestErasure(ctx context.Context, a evidence.Actor, in *eraseInput) (*answer[Erasure], error) {
	e, err := s.retention.RequestErasure(ctx, a, in.ID, in.Body.Reason, in.Body.Order)
	return s.erasureAnswer(ctx, a, e, err)
}

func (s *Server) approveErasure(ctx context.Context, a evidence.Actor, in *decideErasureInput) (*answer[Erasure], error) {
	e, err := s.retention.ApproveErasure(ctx, a, in.ID, in.Body.Reason)
	return s.erasureAnswer(ctx, a, e, err)
}

func (s *Server) rejectErasure(ctx context.Context, a evidence.Actor, in *decideErasureInput) (*answer[Erasure], error) {
	e, err := s.retention.RejectErasure(ctx, a, in.ID, in.Body.Reason)
	return s.erasureAnswer(ctx, a, e, err)
}

func (s *Server) attestErasure(ctx context.Context, a evidence.Actor, in *attestErasureInput) (*answer[Erasure], error) {
	said := map[string]string{}
	for _, item := range in.Body.Items {
		said[item.Item] = item.Said
	}
	e, err := s.retention.AttestErasure(ctx, a, in.ID, said)
	return s.erasureAnswer(ctx, a, e, err)
}

func (s *Server) getErasure(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Erasure], error) {
	e, err := s.retention.Erasure(ctx, a, in.ID)
	return s.erasureAnswer(ctx, a, e, err)
}

func (s *Server) listErasures(ctx context.Context, a evidence.Actor, _ *nothing) (*answer[list[Erasure]], error) {
	all, err := s.retention.Erasures(ctx, a)
	if err != nil {
		return nil, err
	}
	return listErr(all, func(e retention.Erasure) (Erasure, error) { return s.erasure(ctx, a, e) })
}

func (s *Server) erasureCertificates(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[ErasureCertificates], error) {
	e, err := s.retention.Erasure(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	if len(e.Certificate) == 0 {
		return nil, evidence.Refuse(evidence.ErrConflict, "erasure.no_certificate", "There is no certificate yet: nothing was erased.", "P35")
	}
	out := ErasureCertificates{Provisional: SignedDocument{Name: retention.CertificateName, Document: string(e.Certificate), Bundle: string(e.Bundle)}}
	if len(e.Final) > 0 {
		out.Final = &SignedDocument{Name: retention.CertificateName, Document: string(e.Final), Bundle: string(e.FinalBundle)}
	}
	return answerOf(out), nil
}

func (s *Server) erasureAnswer(ctx context.Context, a evidence.Actor, e retention.Erasure, err error) (*answer[Erasure], error) {
	if err != nil {
		return nil, err
	}
	return answerErr(s.erasure(ctx, a, e))
}

func (s *Server) erasure(ctx context.Context, a evidence.Actor, e retention.Erasure) (out Erasure, err error) {
	out = Erasure{ID: e.ID, Interview: e.Interview, State: string(e.State), Reason: e.Reason.Value, Order: e.Order.Value, RequestedAt: e.RequestedAt.Time(), DecidedAt: when(e.DecidedAt),
		ErasedAt: when(e.ErasedAt), AttestedAt: when(e.AttestedAt), NotReached: []NotReached{}}
	document := e.Certificate
	if len(e.Final) > 0 {
		document = e.Final
	}
	if len(document) > 0 {
		c, err := retention.ParseCertificate(document)
		if err != nil {
			return out, errors.Join(errFault, err)
		}
		for _, u := range c.NotReached {
			out.NotReached = append(out.NotReached, NotReached{Item: u.Item, At: when(u.At), Digest: u.Digest, Clear: u.Clear, Unreturned: u.Unreturned})
		}
	}
	if out.Case, err = s.caseRef(ctx, e.Case); err != nil {
		return out, err
	}
	if out.RequestedBy, err = s.accountRef(ctx, e.RequestedBy); err != nil {
		return out, err
	}
	if out.DecidedBy, err = s.accountRefOrNone(ctx, e.DecidedBy); err != nil {
		return out, err
	}
	if out.AttestedBy, err = s.accountRefOrNone(ctx, e.AttestedBy); err != nil {
		return out, err
	}
	switch e.State {
	case retention.ErasureProposed:
		out.MayDecide, err = s.retention.May(ctx, a, access.ErasureApprove, access.KindErasure, e.ID)
	case retention.ErasureProvisional:
		out.MayAttest, err = s.retention.May(ctx, a, access.ErasureAttest, access.KindErasure, e.ID)
	}
	return out, err
}
