package web

import (
	"context"
	"errors"

	"github.com/toldonce/toldonce/evidence"
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
