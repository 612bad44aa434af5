package web

import (
	"context"
	"errors"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
)

func (s *Server) listGrants(ctx context.Context, a evidence.Actor, in *listGrantsInput) (*answer[list[Grant]], error) {
	return s.grants(ctx, a, "", access.GrantState(in.State))
}

func (s *Server) interviewGrants(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[list[Grant]], error) {
	return s.grants(ctx, a, in.ID, "")
}

func (s *Server) grants(ctx context.Context, a evidence.Actor, interview evidence.ID, state access.GrantState) (*answer[list[Grant]], error) {
	views, err := s.access.Grants(ctx, a, interview, state)
	if err != nil {
		return nil, err
	}
	return listErr(views, func(v access.GrantView) (Grant, error) { return s.grant(ctx, v) })
}

func (s *Server) requestGrant(ctx context.Context, a evidence.Actor, in *requestGrantInput) (*answer[Grant], error) {
	b := in.Body
	to, err := s.recipient(ctx, a, b.To)
	if err != nil {
		return nil, err
	}
	g, err := s.access.RequestGrant(ctx, a, access.Request{
		Interview: in.ID, Source: b.Source, To: to, Asked: evidence.Range{From: b.From, Until: b.Until}, Outward: b.Outward, Clips: b.Clips, Transcript: b.Transcript,
		NotBefore: instant(b.NotBefore), NotAfter: evidence.At(b.NotAfter), Purpose: b.Purpose, Basis: b.Basis,
		RestsOn: access.Foundation(b.RestsOn), Consent: b.Consent,
		Conditions: access.Conditions{Covers: b.Covers, Terms: b.Terms, Viewings: b.Most, Blur: b.Blur, Return: b.Return},
	})
	return s.grantAnswer(ctx, a, g, err)
}

// recipient finds an account by login or identifier. One that is not found is
// left empty: the request is refused with a sentence, but only after it was
// decided that the asker may know of the interview.
func (s *Server) recipient(ctx context.Context, a evidence.Actor, to string) (evidence.ID, error) {
	if id, err := evidence.ParseID(to); err == nil {
		return id, nil
	}
	account, err := s.people.ByLogin(ctx, a, to)
	if errors.Is(err, evidence.ErrNotFound) {
		return "", nil
	}
	return account.ID, err
}

func (s *Server) approveGrant(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Grant], error) {
	g, err := s.access.ApproveGrant(ctx, a, in.ID)
	return s.grantAnswer(ctx, a, g, err)
}

func (s *Server) rejectGrant(ctx context.Context, a evidence.Actor, in *reasonInput) (*answer[Grant], error) {
	g, err := s.access.RejectGrant(ctx, a, in.ID, in.Body.Reason)
	return s.grantAnswer(ctx, a, g, err)
}

func (s *Server) revokeGrant(ctx context.Context, a evidence.Actor, in *reasonInput) (*answer[Grant], error) {
	g, err := s.access.RevokeGrant(ctx, a, in.ID, in.Body.Reason)
	return s.grantAnswer(ctx, a, g, err)
}

// grantAnswer shows a grant after an act on it, as the actor may see it. Who may
// act on a grant and not read it is shown it as it was changed.
func (s *Server) grantAnswer(ctx context.Context, a evidence.Actor, g access.Grant, err error) (*answer[Grant], error) {
	if err != nil {
		return nil, err
	}
	view, err := s.access.Grant(ctx, a, g.ID)
	if errors.Is(err, evidence.ErrRefused) || errors.Is(err, evidence.ErrNotFound) {
		view, err = access.GrantView{Grant: g, StateNow: g.StateAt(evidence.At(s.clock()))}, nil
	}
	if err != nil {
		return nil, err
	}
	return answerErr(s.grant(ctx, view))
}

func (s *Server) grant(ctx context.Context, v access.GrantView) (out Grant, err error) {
	g := v.Grant
	out = Grant{
		ID: g.ID, Interview: g.Interview, Asked: spanOf(g.Asked), Bounds: spanOf(g.Bounds), NotBefore: g.NotBefore.Time(), NotAfter: g.NotAfter.Time(),
		Clips: g.Clips, Transcript: g.Transcript, Purpose: g.Purpose, Basis: g.Basis, RestsOn: string(g.RestsOn), Consent: g.Consent, State: string(v.StateNow), RequestedAt: g.RequestedAt.Time(),
		Needed: g.Needed, MayApprove: v.MayApprove, MayRevoke: v.MayRevoke, EndedAt: when(g.EndedAt),
		GrantConditions: GrantConditions{Covers: g.Covered(), Terms: g.Conditions.Terms, Most: g.Conditions.Viewings, Blur: g.Conditions.Blur, Return: g.Conditions.Return},
		Viewings:        v.Viewings, Accepted: v.Accepted, Attested: string(g.Attested), AttestedAt: when(g.AttestedAt), MayExtend: v.MayExtend, MayAttest: v.MayAttest,
		Owes:   g.Owes(evidence.At(s.clock())),
		Tracks: make([]TrackBounds, 0, len(g.Tracks)), Approvals: make([]Approval, 0, len(g.Approvals)),
	}
	if g.Extends != "" {
		out.Extends = &g.Extends
	}
	if v.Exposure != nil {
		out.Exposure = &Exposure{Viewers: v.Exposure.Viewers, Delivered: v.Exposure.Delivered, Grants: v.Exposure.Grants}
	}
	sources, err := s.store.Sources(ctx, g.Interview)
	if err != nil {
		return out, err
	}
	name := func(id evidence.ID) string {
		for _, src := range sources {
			if src.ID == id {
				return src.Name
			}
		}
		return string(id)
	}
	out.Source = name(evidence.ID(g.Source)) // "all" names itself
	for _, b := range g.Tracks {
		out.Tracks = append(out.Tracks, TrackBounds{Track: b.Track, Source: name(b.Source), Kind: b.Kind, Range: spanOf(b.Range), FirstIndex: b.FirstIndex, LastIndex: b.LastIndex})
	}
	for _, one := range g.Approvals {
		by, err := s.accountRef(ctx, one.By)
		if err != nil {
			return out, err
		}
		out.Approvals = append(out.Approvals, Approval{By: by, At: one.At.Time()})
	}
	if out.Case, err = s.caseRef(ctx, g.Case); err != nil {
		return out, err
	}
	if out.To, err = s.accountRef(ctx, g.To); err != nil {
		return out, err
	}
	if out.RequestedBy, err = s.accountRef(ctx, g.RequestedBy); err != nil {
		return out, err
	}
	out.EndedBy, err = s.accountRefOrNone(ctx, g.EndedBy)
	return out, err
}
