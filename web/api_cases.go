package web

import (
	"context"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/casefile"
)

func (s *Server) listCases(ctx context.Context, a evidence.Actor, _ *nothing) (*answer[list[Case]], error) {
	cases, err := s.cases.Cases(ctx, a)
	return s.caseFiles(ctx, cases, err)
}

func (s *Server) findCases(ctx context.Context, a evidence.Actor, in *findCasesInput) (*answer[list[Case]], error) {
	cases, err := s.cases.Find(ctx, a, in.Body.Find)
	return s.caseFiles(ctx, cases, err)
}

func (s *Server) caseFiles(ctx context.Context, cases []casefile.Summary, err error) (*answer[list[Case]], error) {
	if err != nil {
		return nil, err
	}
	return listErr(cases, func(one casefile.Summary) (Case, error) { return s.caseFile(ctx, one) })
}

func (s *Server) caseFile(ctx context.Context, one casefile.Summary) (out Case, err error) {
	c := one.Case
	out = Case{ID: c.ID, Reference: c.Reference.Value, Stage: string(c.Stage), OpenedAt: c.OpenedAt.Time(), MyRoles: one.Roles,
		Counts: CaseCounts{People: one.People, Interviews: one.Interviews, Consents: one.Consents, OpenGrants: one.OpenGrants}}
	if out.MyRoles == nil {
		out.MyRoles = []evidence.Role{}
	}
	if out.Agency, err = s.agencyRef(ctx, c.Agency); err != nil {
		return out, err
	}
	if out.Unfilled = one.Unfilled; out.Unfilled == nil {
		out.Unfilled = []evidence.Role{}
	}
	out.Manager, err = s.accountRefOrNone(ctx, one.Manager)
	return out, err
}

func (s *Server) openCase(ctx context.Context, a evidence.Actor, in *createCaseInput) (*answer[Case], error) {
	c, err := s.cases.Open(ctx, a, in.Body.Reference)
	if err != nil {
		return nil, err
	}
	return s.caseAnswer(ctx, a, c.ID)
}

func (s *Server) getCase(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Case], error) {
	return s.caseAnswer(ctx, a, in.ID)
}

func (s *Server) caseAnswer(ctx context.Context, a evidence.Actor, id evidence.ID) (*answer[Case], error) {
	one, err := s.cases.Summary(ctx, a, id)
	if err != nil {
		return nil, err
	}
	return answerErr(s.caseFile(ctx, one))
}

func (s *Server) setStage(ctx context.Context, a evidence.Actor, in *stageInput) (*answer[Case], error) {
	if _, err := s.cases.SetStage(ctx, a, in.ID, casefile.StageChange{Stage: casefile.Stage(in.Body.Stage), Why: in.Body.Reason,
		Authority: in.Body.Authority, Next: in.Body.Next, Due: instant(in.Body.Due)}); err != nil {
		return nil, err
	}
	return s.caseAnswer(ctx, a, in.ID)
}

func (s *Server) listTeam(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[list[Member]], error) {
	team, err := s.cases.Team(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	return listErr(team, func(m casefile.Member) (Member, error) { return s.member(ctx, m) })
}

func (s *Server) member(ctx context.Context, m casefile.Member) (out Member, err error) {
	out = Member{ID: m.ID, Role: m.Role, From: m.From.Time(), Until: when(m.Until), Current: m.At(evidence.At(s.clock())), EndedAt: when(m.EndedAt)}
	if out.Account, err = s.accountRef(ctx, m.Account); err != nil {
		return out, err
	}
	if out.AddedBy, err = s.accountRef(ctx, m.AddedBy); err != nil {
		return out, err
	}
	out.EndedBy, err = s.accountRefOrNone(ctx, m.EndedBy)
	return out, err
}

func (s *Server) addMember(ctx context.Context, a evidence.Actor, in *addMemberInput) (*answer[Member], error) {
	b := in.Body
	m, err := s.cases.AddMember(ctx, a, casefile.NewMember{Case: in.ID, Account: b.AccountID, Role: b.Role, From: instant(b.From), Until: instant(b.Until)})
	if err != nil {
		return nil, err
	}
	return answerErr(s.member(ctx, m))
}

// instant is 0 for a time that was left out.
func instant(t *time.Time) evidence.Instant {
	if t == nil {
		return 0
	}
	return evidence.At(*t)
}

func (s *Server) removeMember(ctx context.Context, a evidence.Actor, in *memberPath) (*nothing, error) {
	return &nothing{}, s.cases.RemoveMember(ctx, a, in.ID, in.Member, "")
}

func (s *Server) listPeople(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[list[Person]], error) {
	people, err := s.cases.People(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	sees, err := s.seesOf(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	return listErr(people, func(p casefile.Person) (Person, error) { return s.person(ctx, p, sees) })
}

func (s *Server) person(ctx context.Context, p casefile.Person, sees sees) (Person, error) {
	by, err := s.accountRef(ctx, p.AddedBy)
	out := Person{ID: p.ID, Pseudonym: p.Pseudonym, Kind: string(p.Kind), Age: string(p.Age), Child: p.TreatedAsChild(), Language: p.Language,
		Unaccompanied: p.Unaccompanied, AddedBy: by, AddedAt: p.AddedAt.Time()}
	if p.Guardian.Name != "" {
		g := Guardian(p.Guardian)
		if !sees.words {
			g.ConflictNote = ""
		}
		out.Guardian = &g
	}
	return out, err
}

func (s *Server) addPerson(ctx context.Context, a evidence.Actor, in *addPersonInput) (*answer[Person], error) {
	b := in.Body
	made := casefile.NewPerson{Case: in.ID, Pseudonym: b.Pseudonym, Kind: casefile.PersonKind(b.Kind), Age: casefile.Age(b.Age), Language: b.Language, Unaccompanied: b.Unaccompanied}
	if b.Guardian != nil {
		made.Guardian = casefile.Guardian(*b.Guardian)
	}
	p, err := s.cases.AddPerson(ctx, a, made)
	if err != nil {
		return nil, err
	}
	return answerErr(s.person(ctx, p, sees{true, true}))
}

func (s *Server) changePerson(ctx context.Context, a evidence.Actor, in *changePersonInput) (*answer[Person], error) {
	b := in.Body
	change := casefile.PersonChange{Age: (*casefile.Age)(b.Age), Language: b.Language, Unaccompanied: b.Unaccompanied, Guardian: (*casefile.Guardian)(b.Guardian), Why: b.Reason}
	p, err := s.cases.ChangePerson(ctx, a, in.ID, change)
	if err != nil {
		return nil, err
	}
	return answerErr(s.person(ctx, p, sees{true, true}))
}

func (s *Server) linkAccount(ctx context.Context, a evidence.Actor, in *linkInput) (*nothing, error) {
	_, err := s.cases.Link(ctx, a, casefile.NewLink{Person: in.ID, Account: in.Body.AccountID, Kind: casefile.LinkKind(in.Body.Kind), Why: in.Body.Reason})
	return &nothing{}, err
}
