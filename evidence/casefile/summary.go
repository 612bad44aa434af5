package casefile

import (
	"context"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
)

// Summary returns one case file as [Service.Cases] lists it.
func (s *Service) Summary(ctx context.Context, actor evidence.Actor, id evidence.ID) (Summary, error) {
	c, err := s.Case(ctx, actor, id)
	if err != nil {
		return Summary{}, err
	}
	list, err := s.list(ctx, actor, c.ReferenceKey)
	if err != nil {
		return Summary{}, err
	}
	for _, one := range list {
		if one.Case.ID == id {
			return one, nil
		}
	}
	return Summary{}, fmt.Errorf("case %s: %w", id, evidence.ErrNotFound)
}
