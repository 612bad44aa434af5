package web

import (
	"context"
	"mime"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/disclosure"
)

func (s *Server) requestExport(ctx context.Context, a evidence.Actor, in *requestExportInput) (*answer[Export], error) {
	b := in.Body
	e, err := s.exports.Request(ctx, a, in.ID, disclosure.Request{To: b.To, Clear: b.Clear, Reason: b.Reason, Reasons: b.Reasons,
		Passphrase: b.Passphrase, Profile: disclosure.Profile(b.Profile), Exhibit: b.Exhibit, Authority: b.Authority})
	return s.exportAnswer(ctx, a, e, err)
}

// requestClip asks for a package of a clip: whole segments with proofs of descent.
func (s *Server) requestClip(ctx context.Context, a evidence.Actor, in *requestClipInput) (*answer[Export], error) {
	b := in.Body
	e, err := s.exports.Request(ctx, a, in.ID, disclosure.Request{To: b.To, Clear: b.Clear, Reason: b.Reason,
		Passphrase: b.Passphrase, Profile: disclosure.Profile(b.Profile), Exhibit: b.Exhibit, Authority: b.Authority,
		Clip: &disclosure.ClipRequest{Range: evidence.Range{From: b.From, Until: b.Until}, Outward: b.Outward, Source: b.Source}})
	return s.exportAnswer(ctx, a, e, err)
}

// receiveExport notes that the recipient acknowledged a package (P39).
func (s *Server) receiveExport(ctx context.Context, a evidence.Actor, in *receiveExportInput) (*answer[Export], error) {
	e, err := s.exports.Receive(ctx, a, in.ID, in.Body.Digest)
	return s.exportAnswer(ctx, a, e, err)
}

func (s *Server) approveExport(ctx context.Context, a evidence.Actor, in *approveExportInput) (*answer[Export], error) {
	var reason, authority string
	if in.Body != nil {
		reason, authority = in.Body.Reason, in.Body.Authority
	}
	e, err := s.exports.Approve(ctx, a, in.ID, reason, authority)
	return s.exportAnswer(ctx, a, e, err)
}

// exportAnswer shows a package after an act on it. Who asked and may neither
// approve nor fetch it yet is shown it all the same.
func (s *Server) exportAnswer(ctx context.Context, a evidence.Actor, e disclosure.Export, err error) (*answer[Export], error) {
	if err != nil {
		return nil, err
	}
	view, err := s.exports.View(ctx, a, e.ID)
	if ProblemOf(err).Status == http.StatusNotFound && err != nil {
		view, err = disclosure.View{Export: e}, nil
	}
	if err != nil {
		return nil, err
	}
	return answerErr(s.export(ctx, view))
}

func (s *Server) listExports(ctx context.Context, a evidence.Actor, in *listExportsInput) (*answer[list[Export]], error) {
	views, err := s.exports.Exports(ctx, a, disclosure.Filter{Interview: in.Interview})
	if err != nil {
		return nil, err
	}
	return listErr(views, func(v disclosure.View) (Export, error) { return s.export(ctx, v) })
}

func (s *Server) export(ctx context.Context, v disclosure.View) (out Export, err error) {
	e := v.Export
	out = Export{ID: e.ID, Interview: e.Interview, State: string(e.State), Clear: e.Clear(), To: e.Recipient, Reasons: e.Reasons, Reason: e.Reason,
		RequestedAt: e.RequestedAt.Time(), ApprovedAt: when(e.ApprovedAt), DeliveredAt: when(e.DeliveredAt), Digest: e.Digest, Bytes: e.Bytes,
		MayApprove: v.MayApprove, MayFetch: v.MayFetch, MayReceive: v.MayReceive, NeedsAuthority: v.NeedsAuthority, ReceivedAt: when(e.ReceivedAt), Overdue: v.Overdue,
		Content: string(e.Content), Profile: string(e.Profile), Exhibit: e.Exhibit, Passphrase: e.Passphrase}
	if e.Content == disclosure.ClipOfRecording {
		asked := spanOf(e.Asked)
		out.Asked = &asked
	}
	if v.MayFetch {
		out.Package = apiPrefix + "/exports/" + string(e.ID) + "/package"
	}
	if out.Case, err = s.caseRef(ctx, e.Case); err != nil {
		return out, err
	}
	if out.RequestedBy, err = s.accountRef(ctx, e.RequestedBy); err != nil {
		return out, err
	}
	out.ApprovedBy, err = s.accountRefOrNone(ctx, e.ApprovedBy)
	return out, err
}

// exportPackage hands a package over. Deliver committed the custody entry before
// the first byte is written; what breaks off is cut off, so that nobody takes
// it for whole, and is recorded as broken off.
func (s *Server) exportPackage(ctx context.Context, a evidence.Actor, in *IDPath) (*huma.StreamResponse, error) {
	return s.deliver(ctx, a, in.ID, "")
}

// exportUnderPassphrase is exportPackage for a package under a passphrase.
func (s *Server) exportUnderPassphrase(ctx context.Context, a evidence.Actor, in *exportPassphraseInput) (*huma.StreamResponse, error) {
	return s.deliver(ctx, a, in.ID, in.Body.Passphrase)
}

func (s *Server) deliver(ctx context.Context, a evidence.Actor, id evidence.ID, passphrase string) (*huma.StreamResponse, error) {
	d, err := s.exports.Deliver(ctx, a, id, passphrase)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		g := humagin.Unwrap(hctx)
		h := g.Writer.Header()
		h.Set("Content-Type", d.ContentType)
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": d.Name}))
		if _, err := d.WriteTo(ctx, newPatientWriter(g.Writer)); err != nil {
			s.log.ErrorContext(ctx, "package broke off", "request", requestID(ctx), "error", err)
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

// patientWriter lets a long answer take as long as it makes progress.
type patientWriter struct {
	w   http.ResponseWriter
	ctl *http.ResponseController
}

func newPatientWriter(w http.ResponseWriter) patientWriter {
	return patientWriter{w: w, ctl: http.NewResponseController(w)}
}

// Write gives each piece its own deadline.
func (p patientWriter) Write(data []byte) (int, error) {
	// The error means that the writer knows no deadlines, as in tests.
	_ = p.ctl.SetWriteDeadline(time.Now().Add(answerTimeout))
	return p.w.Write(data)
}
