package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// ExtendGrant asks for the same again, for the time after a grant that is in force,
// and for as long as that one. It is a request like any other: somebody else
// approves it. One at a time can be asked for.
func (s *Service) ExtendGrant(ctx context.Context, actor evidence.Actor, grant evidence.ID) (Grant, error) {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Grant{}, err
	}
	if _, err := s.authorize(ctx, actor, GrantExtend, evidence.Resource{Kind: KindGrant, ID: grant}, now); err != nil {
		return Grant{}, err
	}
	old, err := s.Store.Grant(ctx, grant)
	if err != nil {
		return Grant{}, err
	}
	if old.StateAt(now) != Active {
		return Grant{}, evidence.Refuse(evidence.ErrConflict, "grant.extend.over", "Only a grant that is in force is extended. Ask for a new one if the need goes on.", "P28")
	}
	on := evidence.Resource{Kind: KindInterview, ID: old.Interview, Subject: old.To}
	st, err := s.authorize(ctx, actor, GrantRequest, on, now)
	if err != nil {
		return Grant{}, err
	}
	g := old
	g.ID, g.Extends, g.State, g.Version = evidence.NewID(), old.ID, Proposed, 1
	g.NotBefore, g.NotAfter = old.NotAfter, old.NotAfter+(old.NotAfter-old.NotBefore)
	g.RequestedBy, g.RequestedAt, g.Approvals, g.Needed = actor.Account, now, nil, 1
	g.EndedBy, g.EndedAt, g.Attested, g.AttestedAt = "", 0, "", 0
	if st.Child {
		g.Needed = 2
	}
	if err := s.checkRecipient(ctx, &g, on, now); err != nil {
		return Grant{}, err
	}
	entry := custody.Entry{Actor: actor, Action: GrantExtend, Agency: g.Agency, Case: g.Case, Interview: g.Interview, Subject: g.ID,
		Why: g.Purpose, Authority: g.Basis, Details: g.details()}
	err = s.Store.CreateGrant(ctx, g, entry)
	if errors.Is(err, evidence.ErrConflict) {
		return Grant{}, evidence.Refuse(evidence.ErrConflict, "grant.extended", "An extension was asked for already.", "P28")
	}
	if err != nil {
		return Grant{}, fmt.Errorf("extending grant %s: %w", grant, err)
	}
	return g, nil
}

// attestations are what a holder can say.
var attestations = []Attestation{NothingKept, Returned, Destroyed}

// AttestGrant notes what the holder of a grant that is over says became of copies
// (P30). note says more, in words; it is personal and may be empty.
func (s *Service) AttestGrant(ctx context.Context, actor evidence.Actor, grant evidence.ID, what Attestation, note string) (Grant, error) {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Grant{}, err
	}
	if _, err := s.authorize(ctx, actor, GrantAttest, evidence.Resource{Kind: KindGrant, ID: grant}, now); err != nil {
		return Grant{}, err
	}
	note = strings.TrimSpace(note)
	if !slices.Contains(attestations, what) || len(note) > maxGrantText {
		return Grant{}, evidence.Refuse(evidence.ErrInvalid, "grant.attestation", "Say whether copies were returned or destroyed, or that there were none, in at most 500 bytes.", "P30")
	}
	g, err := s.Store.Grant(ctx, grant)
	if err != nil {
		return Grant{}, err
	}
	if !g.Owes(now) {
		return Grant{}, evidence.Refuse(evidence.ErrConflict, "grant.attestation.none", "Nothing has to be said about copies under this grant now.", "P30")
	}
	g.Attested, g.AttestedAt = what, now
	entry := custody.Entry{Actor: actor, Action: GrantAttest, Agency: g.Agency, Case: g.Case, Interview: g.Interview, Subject: g.ID, Why: note,
		Details: map[string]string{"to": string(g.To), "copies": string(what)}}
	return s.change(ctx, g, entry)
}
