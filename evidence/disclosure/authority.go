package disclosure

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/toldonce/toldonce/evidence"
)

// freeCopies is how many copies of an interview leave on a custodian's word. Further
// ones need a named higher authority (P19).
const freeCopies = 2

// needsAuthority reports whether another copy of an interview needs a named higher
// authority: two were approved before. Clips count as copies. In a demonstration,
// where the policy lets the actor export alone, none is needed.
func (s *Service) needsAuthority(ctx context.Context, actor evidence.Actor, e Export) (bool, error) {
	all, err := s.Store.Exports(ctx, Filter{Interview: e.Interview})
	if err != nil {
		return false, err
	}
	copies := 0
	for _, other := range all {
		if other.ID != e.ID && other.State != Proposed {
			copies++
		}
	}
	if copies < freeCopies {
		return false, nil
	}
	err = s.Access.Authorize(ctx, actor, ActionAlone, evidence.Resource{Kind: "interview", ID: e.Interview})
	if err == nil {
		return false, nil
	}
	if errors.Is(err, evidence.ErrRefused) || errors.Is(err, evidence.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// authority checks the name of a higher authority, and that there is one where one is
// needed.
func (s *Service) authority(ctx context.Context, actor evidence.Actor, e Export, named string) (string, error) {
	named = strings.TrimSpace(named)
	if len(named) > maxReason || !utf8.ValidString(named) || strings.ContainsRune(named, 0) {
		return "", evidence.Refuse(evidence.ErrInvalid, "export.reason_long", "The reason may have at most 2000 bytes.", "")
	}
	if named != "" {
		return named, nil
	}
	needs, err := s.needsAuthority(ctx, actor, e)
	if err == nil && needs {
		err = evidence.Refuse(evidence.ErrRefused, "export.authority", "Two copies of this interview were approved already. Name the higher authority that orders a further one, and its order.", "P19")
	}
	return "", err
}

// mayFetch reports whether what a clip was asked for under lets the one who asked
// fetch it herself. A custodian hands over any package.
func (s *Service) mayFetch(ctx context.Context, actor evidence.Actor, e Export) (bool, error) {
	if e.Grant == "" || actor.Account != e.RequestedBy || actor.Role == evidence.RoleCustodian {
		return true, nil
	}
	return s.Grants.Downloadable(ctx, e.Grant)
}
