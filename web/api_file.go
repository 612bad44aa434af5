package web

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/people"
)

func (s *Server) listSheets(ctx context.Context, a evidence.Actor, in *listSheetsInput) (*answer[list[Sheet]], error) {
	sheets, err := s.cases.Sheets(ctx, a, in.ID, in.Interview)
	if err != nil {
		return nil, err
	}
	return listErr(sheets, func(one casefile.Sheet) (Sheet, error) { return s.sheet(ctx, a, one) })
}

func (s *Server) listDuties(ctx context.Context, a evidence.Actor, _ *nothing) (*answer[list[Sheet]], error) {
	sheets, err := s.cases.Duties(ctx, a)
	if err != nil {
		return nil, err
	}
	return listErr(sheets, func(one casefile.Sheet) (Sheet, error) { return s.sheet(ctx, a, one) })
}

func (s *Server) writeSheet(ctx context.Context, a evidence.Actor, in *writeSheetInput) (*answer[Sheet], error) {
	b := in.Body
	one, err := s.cases.Write(ctx, a, casefile.NewEntry{Case: in.ID, Person: b.PersonID, Interview: b.InterviewID, Content: b.Content,
		ForAccount: b.ForAccount, ForRole: b.ForRole, Due: instant(b.Due)})
	if err != nil {
		return nil, err
	}
	return answerErr(s.sheet(ctx, a, one))
}

func (s *Server) closeSheet(ctx context.Context, a evidence.Actor, in *closeSheetInput) (*answer[Sheet], error) {
	one, err := s.cases.Close(ctx, a, in.ID, in.Body.Outcome)
	if err != nil {
		return nil, err
	}
	return answerErr(s.sheet(ctx, a, one))
}

func (s *Server) sheet(ctx context.Context, a evidence.Actor, one casefile.Sheet) (out Sheet, err error) {
	out = Sheet{ID: one.ID, Interview: one.Interview, Kind: string(one.Kind), Content: one.Content, ForRole: one.ForRole, Due: when(one.Due),
		At: one.At.Time(), ClosedAt: when(one.ClosedAt), Outcome: one.Outcome, Overdue: one.Open() && one.Due != 0 && one.Due <= evidence.At(s.clock())}
	if d := one.Content.Document; d != nil {
		shown := *d
		shown.Key, shown.Object, shown.Version = nil, "", ""
		out.Content.Document = &shown
	}
	if out.Case, err = s.caseRef(ctx, one.Case); err != nil {
		return out, err
	}
	if one.Person != "" {
		ref, err := s.personRefFor(ctx, a, one.Case, one.Person)
		if err != nil {
			return out, err
		}
		out.Person = &ref
	}
	if one.Open() {
		if out.MayClose, err = s.access.May(ctx, a, access.FileClose, evidence.Resource{Kind: access.KindSheet, ID: one.ID}); err != nil {
			return out, err
		}
	}
	if out.ForAccount, err = s.accountRefOrNone(ctx, one.ForAccount); err != nil {
		return out, err
	}
	if out.By, err = s.accountRef(ctx, one.By); err != nil {
		return out, err
	}
	out.ClosedBy, err = s.accountRefOrNone(ctx, one.ClosedBy)
	return out, err
}

func (s *Server) listLinks(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[list[Link]], error) {
	links, err := s.cases.Links(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	return listErr(links, func(l casefile.Link) (Link, error) { return s.link(ctx, a, l) })
}

func (s *Server) decideLink(ctx context.Context, a evidence.Actor, in *decideLinkInput) (*answer[Link], error) {
	b := in.Body
	l, err := s.cases.DecideLink(ctx, a, casefile.LinkDecision{Link: in.ID, State: casefile.LinkState(b.State), LiftedUntil: instant(b.LiftedUntil), Why: b.Reason, Authority: b.Authority})
	if err != nil {
		return nil, err
	}
	return answerErr(s.link(ctx, a, l))
}

func (s *Server) link(ctx context.Context, a evidence.Actor, l casefile.Link) (out Link, err error) {
	now := evidence.At(s.clock())
	out = Link{ID: l.ID, Kind: string(l.Kind), State: string(l.State), InForce: l.InForce(now) && !l.Lifted(now), Lapses: l.Lapses, At: l.At.Time(),
		DecidedAt: when(l.DecidedAt), LiftedUntil: when(l.LiftedUntil)}
	if l.State == casefile.LinkClaimed {
		out.Due = when(l.Due)
	}
	if l.By != a.Account && l.Account != a.Account {
		if out.MayDecide, err = s.access.May(ctx, a, access.SeparationDecide, evidence.Resource{Kind: access.KindCase, ID: l.Case}); err != nil {
			return out, err
		}
	}
	if out.Person, err = s.personRefFor(ctx, a, l.Case, l.Person); err != nil {
		return out, err
	}
	if out.Account, err = s.accountRef(ctx, l.Account); err != nil {
		return out, err
	}
	if out.By, err = s.accountRef(ctx, l.By); err != nil {
		return out, err
	}
	out.DecidedBy, err = s.accountRefOrNone(ctx, l.DecidedBy)
	return out, err
}

func (s *Server) attachDocument(ctx context.Context, a evidence.Actor, in *attachInput) (*answer[Sheet], error) {
	b := in.Body
	one, err := s.cases.AttachDocument(ctx, a, casefile.NewDocument{Case: in.ID, Person: b.PersonID, Name: b.Name, MediaType: b.MediaType, Bytes: b.Bytes})
	if err != nil {
		return nil, err
	}
	return answerErr(s.sheet(ctx, a, one))
}

// openDocument never lets a browser show what was attached: it is saved, under a
// name that tells nothing.
func (s *Server) openDocument(ctx context.Context, a evidence.Actor, in *IDPath) (*huma.StreamResponse, error) {
	_, plain, err := s.cases.OpenDocument(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		hctx.SetHeader("Content-Type", "application/octet-stream")
		hctx.SetHeader("Content-Disposition", `attachment; filename="document"`)
		_, _ = hctx.BodyWriter().Write(plain) // an error means that the client went away
	}}, nil
}

func (s *Server) raiseDanger(ctx context.Context, a evidence.Actor, in *dangerInput) (*answer[Sheet], error) {
	b := in.Body
	one, err := s.cases.RaiseDanger(ctx, a, casefile.NewDanger{Interview: in.ID, Recipients: b.Recipients, Action: b.Action, Within: time.Duration(b.Minutes) * time.Minute})
	if err != nil {
		return nil, err
	}
	return answerErr(s.sheet(ctx, a, one))
}

func (s *Server) checkRoom(ctx context.Context, a evidence.Actor, in *checkRoomInput) (*answer[RoomCheck], error) {
	b := in.Body
	c, err := s.people.CheckRoom(ctx, a, people.RoomCheck{Room: in.ID, Private: b.Private, Furniture: b.Furniture, Sound: b.Sound, WholeRoom: b.WholeRoom, NoSymbols: b.NoSymbols, Note: b.Note})
	if err != nil {
		return nil, err
	}
	return answerErr(s.roomCheck(ctx, c))
}

func (s *Server) roomCheck(ctx context.Context, c people.RoomCheck) (RoomCheck, error) {
	by, err := s.accountRef(ctx, c.By)
	return RoomCheck{Private: c.Private, Furniture: c.Furniture, Sound: c.Sound, WholeRoom: c.WholeRoom, NoSymbols: c.NoSymbols, Note: c.Note, Fit: c.Fit(), By: by, At: c.At.Time()}, err
}
