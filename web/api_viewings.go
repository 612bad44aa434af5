package web

import (
	"context"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
)

func (s *Server) exposure(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[InterviewExposure], error) {
	if err := s.access.Authorize(ctx, a, access.ExposureRead, evidence.Resource{Kind: access.KindInterview, ID: in.ID}); err != nil {
		return nil, err
	}
	versions, err := s.transcripts.Versions(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	e, proposals, err := s.access.ExposureFor(ctx, a, in.ID, len(versions) > 0)
	if err != nil {
		return nil, err
	}
	out := InterviewExposure{Transcript: len(versions) > 0, Exposure: Exposure{Viewers: e.Viewers, Delivered: e.Delivered, Grants: e.Grants}, Proposals: make([]Proposal, 0, len(proposals))}
	iv, err := s.store.Interview(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	held, err := s.cases.Interviews(ctx, a, iv.Case)
	if err != nil {
		return nil, err
	}
	for _, one := range held {
		if one.Person == iv.Person && one.State == evidence.StateSealed {
			out.Interviews++
		}
	}
	for _, p := range proposals {
		out.Proposals = append(out.Proposals, Proposal{Need: p.Need, Covers: p.Covers, Whole: p.Whole, Viewings: p.Viewings, Hours: int(p.Time.Hours())})
	}
	return answerOf(out), nil
}

func (s *Server) terms(_ context.Context, _ evidence.Actor, in *termsInput) (*answer[Terms], error) {
	t, sum := access.TermsIn(in.Language)
	return answerOf(Terms{Terms: t, Version: access.TermsVersion, SHA256: sum}), nil
}

func (s *Server) acceptTerms(ctx context.Context, a evidence.Actor, in *acceptTermsInput) (*answer[Grant], error) {
	v, err := s.access.AcceptTerms(ctx, a, in.ID, in.Body.Terms)
	return s.grantAnswer(ctx, a, access.Grant{ID: v.Grant}, err)
}

func (s *Server) extendGrant(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Grant], error) {
	g, err := s.access.ExtendGrant(ctx, a, in.ID)
	return s.grantAnswer(ctx, a, g, err)
}

func (s *Server) attestGrant(ctx context.Context, a evidence.Actor, in *attestGrantInput) (*answer[Grant], error) {
	g, err := s.access.AttestGrant(ctx, a, in.ID, in.Body.Copies, in.Body.Note)
	return s.grantAnswer(ctx, a, g, err)
}
