package web

import (
	"context"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"net/http"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/derivative"
)

func (s *Server) listDerivatives(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Derivatives], error) {
	all, err := s.derivatives.List(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	out := Derivatives{Items: make([]Derivative, 0, len(all))}
	for _, d := range all {
		one, err := s.derivative(ctx, a, d)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, one)
	}
	out.MayRequest, err = s.access.May(ctx, a, access.DerivativeRequest, evidence.Resource{Kind: access.KindInterview, ID: in.ID})
	out.MayRequest = out.MayRequest && s.derivatives.Make
	return answerErr(out, err)
}

func (s *Server) derivative(ctx context.Context, a evidence.Actor, d derivative.Derivative) (out Derivative, err error) {
	out = Derivative{ID: d.ID, Interview: d.Interview, State: string(d.State), Kind: d.Plan.Kind(), Plan: planOf(d.Plan), Watermark: d.Watermark.Value, Reason: d.Reason.Value,
		Progress: d.Progress, Bytes: d.Plain.Size, SHA256: d.Plain.SHA256, RequestedAt: d.RequestedAt.Time(), DecidedAt: when(d.DecidedAt)}
	if out.RequestedBy, err = s.accountRef(ctx, d.RequestedBy); err != nil {
		return out, err
	}
	if d.DecidedBy != "" {
		ref, err := s.accountRef(ctx, d.DecidedBy)
		if err != nil {
			return out, err
		}
		out.DecidedBy = &ref
	}
	on := evidence.Resource{Kind: access.KindDerivative, ID: d.ID}
	if d.State == derivative.Review {
		if out.MayDecide, err = s.access.May(ctx, a, access.DerivativeRelease, on); err != nil {
			return out, err
		}
	}
	if d.State == derivative.Released {
		out.MayFetch, err = s.access.May(ctx, a, access.DerivativeFetch, on)
	}
	return out, err
}

func planOf(p derivative.Plan) DerivativePlan {
	out := DerivativePlan{Span: spanOf(p.Range), Cameras: p.Cameras, Layout: p.Layout, Sounds: append([]evidence.ID{}, p.Sounds...), Voice: p.Voice, Height: p.Height, Redactions: []Redaction{}}
	for _, r := range p.Redactions {
		one := Redaction{Span: spanOf(r.Range), Kind: r.Kind, Camera: r.Camera}
		if r.From != nil {
			one.Box, one.End = (*RedactionBox)(r.From), (*RedactionBox)(r.To)
		}
		out.Redactions = append(out.Redactions, one)
	}
	return out
}

func (p DerivativePlan) plan() derivative.Plan {
	out := derivative.Plan{Range: evidence.Range{From: p.From, Until: p.Until}, Cameras: p.Cameras, Layout: p.Layout, Sounds: p.Sounds, Voice: p.Voice, Height: p.Height, Redactions: []derivative.Redaction{}}
	if out.Sounds == nil {
		out.Sounds = []evidence.ID{}
	}
	for _, r := range p.Redactions {
		one := derivative.Redaction{Kind: r.Kind, Range: evidence.Range{From: r.From, Until: r.Until}, Camera: r.Camera, From: (*derivative.Box)(r.Box), To: (*derivative.Box)(r.End)}
		if one.To == nil {
			one.To = one.From
		}
		out.Redactions = append(out.Redactions, one)
	}
	return out
}

func (s *Server) derivativeAnswer(ctx context.Context, a evidence.Actor, d derivative.Derivative, err error) (*answer[Derivative], error) {
	if err != nil {
		return nil, err
	}
	return answerErr(s.derivative(ctx, a, d))
}

func (s *Server) requestDerivative(ctx context.Context, a evidence.Actor, in *requestDerivativeInput) (*answer[Derivative], error) {
	d, err := s.derivatives.Request(ctx, a, in.ID, in.Body.plan(), in.Body.Watermark, in.Body.Reason)
	return s.derivativeAnswer(ctx, a, d, err)
}

func (s *Server) decideDerivative(ctx context.Context, a evidence.Actor, in *decideDerivativeInput) (*answer[Derivative], error) {
	d, err := s.derivatives.Decide(ctx, a, in.ID, in.Body.Release, in.Body.Reason)
	return s.derivativeAnswer(ctx, a, d, err)
}

// derivativeFile shows a copy to somebody who may see what it was made of.
func (s *Server) derivativeFile(ctx context.Context, a evidence.Actor, in *IDPath) (*huma.StreamResponse, error) {
	_, file, err := s.derivatives.Open(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", "video/mp4")
		c.SetHeader("Content-Length", strconv.Itoa(len(file)))
		_ = http.NewResponseController(humagin.Unwrap(c).Writer).SetWriteDeadline(time.Now().Add(patience))
		if _, err := c.BodyWriter().Write(file); err != nil {
			s.log.WarnContext(ctx, "a copy was not shown whole", "derivative", in.ID, "error", err)
		}
	}}, nil
}

// fetchDerivative hands a released copy over, encrypted.
func (s *Server) fetchDerivative(ctx context.Context, a evidence.Actor, in *fetchDerivativeInput) (*huma.StreamResponse, error) {
	d, err := s.derivatives.Fetch(ctx, a, in.ID, in.Body.To, in.Body.Passphrase, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", "application/age")
		c.SetHeader("Content-Disposition", `attachment; filename="`+d.Name+`"`)
		_ = http.NewResponseController(humagin.Unwrap(c).Writer).SetWriteDeadline(time.Now().Add(patience))
		if err := d.Send(c.BodyWriter()); err != nil {
			s.log.WarnContext(ctx, "a copy did not leave whole", "derivative", in.ID, "error", err)
		}
	}}, nil
}
