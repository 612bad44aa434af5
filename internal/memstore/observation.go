package memstore

import (
	"context"
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/observation"
)

var _ observation.Store = (*Store)(nil)

func (s *Store) CreateCall(_ context.Context, c observation.Call, e custody.Entry) error {
	return s.one(e, func() error {
		s.calls = append(s.calls, c)
		return nil
	})
}

func (s *Store) Call(_ context.Context, id evidence.ID) (observation.Call, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if c.ID == id {
			return c, nil
		}
	}
	return observation.Call{}, notFound("call")
}

func (s *Store) Calls(_ context.Context, interview evidence.ID) ([]observation.Call, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.calls), func(c observation.Call) bool { return c.Interview != interview }), nil
}

func (s *Store) SettleCall(_ context.Context, c observation.Call, e custody.Entry) error {
	return s.one(e, func() error {
		i := slices.IndexFunc(s.calls, func(x observation.Call) bool { return x.ID == c.ID && x.Outcome == observation.Open })
		if i < 0 {
			return evidence.ErrConflict
		}
		s.calls[i] = c
		return nil
	})
}

func (s *Store) CreateNote(_ context.Context, n observation.Note, e custody.Entry) error {
	return s.one(e, func() error {
		s.notes = append(s.notes, n)
		return nil
	})
}

func (s *Store) Notes(_ context.Context, interview, author evidence.ID) ([]observation.Note, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.notes), func(n observation.Note) bool { return n.Interview != interview || n.Author != author }), nil
}
