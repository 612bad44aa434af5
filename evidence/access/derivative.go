package access

import (
	"context"

	"github.com/toldonce/toldonce/evidence"
)

// CoveredBy returns the grant in force that gives the actor all of a range, of every
// source: who makes or reviews a copy of it sees what it hides. It refuses, with the
// reason, if none does.
func (s *Service) CoveredBy(ctx context.Context, actor evidence.Actor, interview evidence.ID, r evidence.Range) (evidence.ID, error) {
	_, live, err := s.live(ctx, actor, interview)
	if err != nil {
		return "", err
	}
	for _, g := range live {
		spoken, err := s.spoken(ctx, g)
		if err != nil {
			return "", err
		}
		if g.Source == AllSources && spoken.Contains(r) {
			return g.ID, nil
		}
	}
	return "", evidence.Refuse(evidence.ErrRefused, "derivative.no_grant", "No grant of yours gives all cameras and microphones of this stretch. Ask for one: whoever makes or reviews a copy must see what it hides.", "P28")
}
