package web

import (
	"context"
	"errors"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
)

// accountRef names an account; one that is not there any more has no name.
func (s *Server) accountRef(ctx context.Context, id evidence.ID) (AccountRef, error) {
	a, err := s.store.Account(ctx, id)
	if errors.Is(err, evidence.ErrNotFound) {
		return AccountRef{ID: id}, nil
	}
	return AccountRef{ID: id, Name: a.Name, Role: a.Role}, err
}

// accountRefOrNone is accountRef for an account that may be absent.
func (s *Server) accountRefOrNone(ctx context.Context, id evidence.ID) (*AccountRef, error) {
	if id == "" {
		return nil, nil
	}
	ref, err := s.accountRef(ctx, id)
	return &ref, err
}

func (s *Server) agencyRef(ctx context.Context, id evidence.ID) (NamedRef, error) {
	a, err := s.store.Agency(ctx, id)
	if errors.Is(err, evidence.ErrNotFound) {
		return NamedRef{ID: id}, nil
	}
	return NamedRef{ID: id, Name: a.Name}, err
}

func (s *Server) caseRef(ctx context.Context, id evidence.ID) (CaseRef, error) {
	c, err := s.store.Case(ctx, id)
	if errors.Is(err, evidence.ErrNotFound) {
		return CaseRef{ID: id}, nil
	}
	return CaseRef{ID: id, Reference: c.Reference.Value}, err
}

func (s *Server) personRef(ctx context.Context, id evidence.ID) (PersonRef, error) {
	p, err := s.store.Person(ctx, id)
	if errors.Is(err, evidence.ErrNotFound) {
		return PersonRef{ID: id}, nil
	}
	return PersonRef{ID: id, Pseudonym: p.Pseudonym}, err
}

// sees is what somebody's role on a case lets her know of the people on it.
type sees struct {
	pseudonyms bool
	words      bool // what they said; see access.PersonWords
}

func (s *Server) seesOf(ctx context.Context, a evidence.Actor, kase evidence.ID) (out sees, err error) {
	on := evidence.Resource{Kind: access.KindCase, ID: kase}
	if out.pseudonyms, err = s.access.May(ctx, a, access.PersonRead, on); err != nil {
		return out, err
	}
	out.words, err = s.access.May(ctx, a, access.PersonWords, on)
	return out, err
}

// personRefFor is personRef without the pseudonym for whom the case's people are
// no business of.
func (s *Server) personRefFor(ctx context.Context, a evidence.Actor, kase, id evidence.ID) (PersonRef, error) {
	sees, err := s.seesOf(ctx, a, kase)
	if err != nil || !sees.pseudonyms {
		return PersonRef{ID: id}, err
	}
	return s.personRef(ctx, id)
}

func (s *Server) roomRef(ctx context.Context, id evidence.ID) (NamedRef, error) {
	r, err := s.store.Room(ctx, id)
	if errors.Is(err, evidence.ErrNotFound) {
		return NamedRef{ID: id}, nil
	}
	return NamedRef{ID: id, Name: r.Name}, err
}

// listErr maps a slice with a function that can fail.
func listErr[A, B any](in []A, f func(A) (B, error)) (*answer[list[B]], error) {
	out := list[B]{Items: make([]B, 0, len(in))}
	for _, a := range in {
		b, err := f(a)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, b)
	}
	return answerOf(out), nil
}

// answerErr wraps a body and an error.
func answerErr[T any](body T, err error) (*answer[T], error) {
	if err != nil {
		return nil, err
	}
	return answerOf(body), nil
}
