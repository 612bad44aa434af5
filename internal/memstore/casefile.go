package memstore

import (
	"context"
	"slices"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
)

var _ casefile.Store = (*Store)(nil)

func (s *Store) CreateCase(_ context.Context, c casefile.Case, manager casefile.Member, e custody.Entry) error {
	return s.one(e, func() error {
		for _, other := range s.cases {
			if other.ReferenceKey == c.ReferenceKey {
				return conflict("case")
			}
		}
		s.cases[c.ID] = c
		s.team = append(s.team, manager)
		return nil
	})
}

func (s *Store) Case(_ context.Context, id evidence.ID) (casefile.Case, error) {
	return get(s, s.cases, id, "case")
}

// SetReference overwrites a case's reference, as nothing in the domain can.
func (s *Store) SetReference(id evidence.ID, reference string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.cases[id]
	c.Reference.Value = reference
	s.cases[id] = c
}

func (s *Store) roles(account, caseID evidence.ID, now evidence.Instant) []evidence.Role {
	var roles []evidence.Role
	for _, m := range s.team {
		if m.Account == account && m.Case == caseID && m.At(now) {
			roles = append(roles, m.Role)
		}
	}
	return roles
}

// linked says whether an account is kept apart from a case, and whether a decision
// lifts that.
func (s *Store) linked(account, caseID evidence.ID, now evidence.Instant) (linked, lifted bool) {
	lifted = true
	for _, l := range s.links {
		if l.Account == account && l.Case == caseID && l.InForce(now) {
			linked, lifted = true, lifted && l.Lifted(now)
		}
	}
	return linked, linked && lifted
}

func (s *Store) apart(account, caseID evidence.ID, now evidence.Instant) bool {
	linked, lifted := s.linked(account, caseID, now)
	return linked && !lifted
}

func (s *Store) Cases(_ context.Context, account, agency evidence.ID, key string, now evidence.Instant) ([]casefile.Summary, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []casefile.Summary
	for _, c := range sorted(s.cases) {
		sum := casefile.Summary{Case: c, Roles: s.roles(account, c.ID, now)}
		if len(sum.Roles) == 0 && c.Agency != agency || s.apart(account, c.ID, now) {
			continue
		}
		named := key == "" || key == c.ReferenceKey
		for _, p := range s.persons {
			if p.Case == c.ID {
				sum.People++
				named = named || p.PseudonymKey == key
			}
		}
		if !named {
			continue
		}
		for _, m := range s.team {
			if sum.Manager == "" && m.Case == c.ID && m.Role == evidence.RoleCaseManager && m.At(now) {
				sum.Manager = m.Account
			}
		}
		for _, iv := range s.interviews {
			if iv.Case == c.ID && iv.State != evidence.StateCancelled {
				sum.Interviews++
			}
		}
		for _, r := range s.consents {
			if r.Case == c.ID && r.Decision == consent.Given && slices.ContainsFunc(r.Items, func(it consent.Item) bool { return it.WithdrawnAt == 0 && it.SupersededAt == 0 }) {
				sum.Consents++
			}
		}
		for _, g := range s.grants {
			if state := g.StateAt(now); g.Case == c.ID && (state == access.Active || state == access.Proposed) {
				sum.OpenGrants++
			}
		}
		out = append(out, sum)
	}
	slices.Reverse(out)
	return out, nil
}

func (s *Store) SetStage(_ context.Context, c casefile.Case, stage casefile.Stage, sheet casefile.Sheet, entries []custody.Entry) error {
	return s.write(entries, func() error {
		have := s.cases[c.ID]
		if have.Version != c.Version {
			return conflict("case")
		}
		have.Stage = stage
		have.Version++
		s.cases[c.ID], s.sheets[sheet.ID] = have, sheet
		return nil
	})
}

func (s *Store) AddMember(_ context.Context, m casefile.Member, e custody.Entry) error {
	return s.one(e, func() error {
		held := slices.ContainsFunc(s.team, func(o casefile.Member) bool {
			return o.Case == m.Case && o.Account == m.Account && o.Role == m.Role && o.EndedAt == 0 && (o.Until == 0 || o.Until > m.From)
		})
		if held || s.apart(m.Account, m.Case, m.AddedAt) {
			return conflict("member")
		}
		s.team = append(s.team, m)
		return nil
	})
}

func (s *Store) Team(_ context.Context, caseID evidence.ID) ([]casefile.Member, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []casefile.Member
	for _, m := range s.team {
		if m.Case == caseID {
			out = append(out, m)
		}
	}
	return out, nil
}

func (s *Store) EndMember(_ context.Context, member, by evidence.ID, at evidence.Instant, e custody.Entry) error {
	return s.one(e, func() error {
		for i, m := range s.team {
			if m.ID == member && m.EndedAt == 0 {
				s.team[i].EndedAt, s.team[i].EndedBy = at, by
				return nil
			}
		}
		return conflict("member")
	})
}

func (s *Store) AddPerson(_ context.Context, p casefile.Person, e custody.Entry) error {
	return s.one(e, func() error {
		for _, other := range s.persons {
			if other.Case == p.Case && other.PseudonymKey == p.PseudonymKey {
				return conflict("pseudonym")
			}
		}
		s.persons[p.ID] = p
		return nil
	})
}

func (s *Store) Person(_ context.Context, id evidence.ID) (casefile.Person, error) {
	return get(s, s.persons, id, "person")
}

func (s *Store) People(_ context.Context, caseID evidence.ID) ([]casefile.Person, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []casefile.Person
	for _, p := range sorted(s.persons) {
		if p.Case == caseID {
			out = append(out, p)
		}
	}
	return out, nil
}

func (s *Store) ChangePerson(_ context.Context, p casefile.Person, e custody.Entry) error {
	return s.one(e, func() error {
		if s.persons[p.ID].Version != p.Version {
			return conflict("person")
		}
		p.Version++
		s.persons[p.ID] = p
		return nil
	})
}

func (s *Store) AddLink(_ context.Context, l casefile.Link, duty casefile.Sheet, entries []custody.Entry) error {
	return s.write(entries, func() error {
		if slices.ContainsFunc(s.links, func(o casefile.Link) bool { return o.Person == l.Person && o.Account == l.Account }) {
			return conflict("link")
		}
		s.links, s.sheets[duty.ID] = append(s.links, l), duty
		return nil
	})
}

func (s *Store) Link(_ context.Context, id evidence.ID) (casefile.Link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.links, func(l casefile.Link) bool { return l.ID == id }); i >= 0 {
		return s.links[i], nil
	}
	return casefile.Link{}, notFound("link")
}

func (s *Store) DecideLink(_ context.Context, before, l casefile.Link, sheets []casefile.Sheet, entries []custody.Entry) error {
	return s.write(entries, func() error {
		i := slices.Index(s.links, before)
		if i < 0 {
			return conflict("link")
		}
		s.links[i] = l
		for _, sheet := range sheets {
			s.sheets[sheet.ID] = sheet
		}
		if l.State != casefile.LinkUpheld || l.LiftedUntil != 0 {
			return nil
		}
		for i, m := range s.team {
			if m.Case == l.Case && m.Account == l.Account && m.EndedAt == 0 {
				s.team[i].EndedAt, s.team[i].EndedBy = l.DecidedAt, l.DecidedBy
			}
		}
		for id, g := range s.grants {
			if g.Case == l.Case && g.To == l.Account && (g.State == access.Proposed || g.State == access.Active) {
				g.State, g.EndedAt = access.Ended, l.DecidedAt
				g.Version++
				s.grants[id] = g
			}
		}
		return nil
	})
}

func (s *Store) Links(_ context.Context, caseID evidence.ID) ([]casefile.Link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []casefile.Link
	for _, l := range s.links {
		if l.Case == caseID {
			out = append(out, l)
		}
	}
	return out, nil
}

func (s *Store) PlanInterview(_ context.Context, iv evidence.Interview, p casefile.Plan, earlier int, e custody.Entry) (evidence.Interview, error) {
	err := s.one(e, func() error {
		have, number := 0, 0
		for _, other := range s.interviews {
			if other.Case == iv.Case && other.Person == iv.Person {
				number = max(number, other.Number)
				if other.State != evidence.StateCancelled {
					have++
				}
			}
		}
		if have != earlier {
			return conflict("interview")
		}
		iv.Number = number + 1
		s.interviews[iv.ID], s.plans[iv.ID] = iv, p
		return nil
	})
	return iv, err
}

func (s *Store) Plan(_ context.Context, interview evidence.ID) (casefile.Plan, error) {
	return get(s, s.plans, interview, "plan")
}

func (s *Store) Interview(_ context.Context, id evidence.ID) (evidence.Interview, error) {
	return get(s, s.interviews, id, "interview")
}

func (s *Store) InterviewsOfCase(_ context.Context, caseID evidence.ID) ([]evidence.Interview, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []evidence.Interview
	for _, iv := range sorted(s.interviews) {
		if iv.Case == caseID {
			out = append(out, iv)
		}
	}
	return out, nil
}

func (s *Store) Transition(_ context.Context, id evidence.ID, from []evidence.State, to evidence.State, at evidence.Instant, e custody.Entry) (evidence.Interview, error) {
	var iv evidence.Interview
	err := s.one(e, func() error {
		iv = s.interviews[id]
		if !slices.Contains(from, iv.State) {
			return conflict("interview")
		}
		s.setState(&iv, to)
		return nil
	})
	return iv, err
}

func (s *Store) setState(iv *evidence.Interview, to evidence.State) {
	iv.State = to
	iv.Version++
	s.interviews[iv.ID] = *iv
}

// SetState moves an interview without an entry, as a recorder would.
func (s *Store) SetState(id evidence.ID, to evidence.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	iv := s.interviews[id]
	if to == evidence.StateSealed && iv.StoppedAt == 0 {
		iv.StartedAt, iv.StoppedAt = s.now, s.now+300_000_000
	}
	s.setState(&iv, to)
}
