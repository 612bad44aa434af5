package casefile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/keyed"
)

// Limits of texts, in bytes.
const (
	maxReference = 100
	maxText      = 2000
)

// Settler is told when something changed that an interview's readiness, or what
// rests on consent, depends on. It is package consent's service.
type Settler interface {
	// Settle judges a person's consents and interviews again and applies what follows.
	Settle(ctx context.Context, person evidence.ID) error
}

// Config is what a Service is made of. Every field but Objects and Keys is required;
// without those two no documents are attached.
type Config struct {
	Store   Store
	Access  evidence.Authorizer
	Index   *keyed.Index
	Settle  Settler
	Objects Objects
	Keys    Keys
}

// Service opens and keeps case files. Every method asks the policy before it acts
// and commits the custody entry with the act. Safe for concurrent use.
type Service struct{ Config }

// New returns a Service.
func New(c Config) *Service { return &Service{c} }

func onCase(id evidence.ID) evidence.Resource {
	return evidence.Resource{Kind: access.KindCase, ID: id}
}

func invalid(code, text, practice string) error {
	return evidence.Refuse(evidence.ErrInvalid, code, text, practice)
}

// line normalises a text of one line.
func line(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == 0xa0 }), " ")
}

// prose normalises a text of several lines.
func prose(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, s))
}

func tooLong(texts ...string) bool {
	return slices.ContainsFunc(texts, func(s string) bool { return len(s) > maxText || !utf8.ValidString(s) })
}

// Open opens a case file under the agency's reference (P9). The actor becomes its
// case manager.
func (s *Service) Open(ctx context.Context, actor evidence.Actor, reference string) (Case, error) {
	if err := s.Access.Authorize(ctx, actor, access.CaseOpen, evidence.Resource{Kind: access.KindSystem}); err != nil {
		return Case{}, err
	}
	reference = line(reference)
	if reference == "" || len(reference) > maxReference || !utf8.ValidString(reference) {
		return Case{}, invalid("case.reference", "Give the agency's case number, of at most 100 bytes.", "P9")
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Case{}, err
	}
	_, opening := evidence.Commit(FieldReference, reference)
	c := Case{ID: evidence.NewID(), Agency: actor.Agency, Reference: opening, ReferenceKey: s.referenceKey(actor.Agency, reference),
		Stage: Referral, OpenedBy: actor.Account, OpenedAt: now, Version: 1}
	manager := Member{ID: evidence.NewID(), Agency: c.Agency, Case: c.ID, Account: actor.Account, Role: evidence.RoleCaseManager, From: now, AddedBy: actor.Account, AddedAt: now}
	entry := custody.Entry{Actor: actor, Action: access.CaseOpen, Agency: c.Agency, Case: c.ID, Subject: c.ID,
		Details: map[string]string{"reference": string(c.Commitment()), "manager": string(actor.Account)}}
	if err := s.Store.CreateCase(ctx, c, manager, entry); err != nil {
		if errors.Is(err, evidence.ErrConflict) {
			return Case{}, evidence.Refuse(evidence.ErrConflict, "case.reference.taken", "The agency has a case file with this number already.", "P9")
		}
		return Case{}, fmt.Errorf("opening case %s: %w", c.ID, err)
	}
	return c, nil
}

func (s *Service) referenceKey(agency evidence.ID, reference string) string {
	return s.Index.Of("case.reference", string(agency), normal(reference))
}

func (s *Service) pseudonymKey(agency evidence.ID, pseudonym string) string {
	return s.Index.Of("person.pseudonym", string(agency), normal(pseudonym))
}

// Case returns a case file.
func (s *Service) Case(ctx context.Context, actor evidence.Actor, id evidence.ID) (Case, error) {
	if err := s.Access.Authorize(ctx, actor, access.CaseRead, onCase(id)); err != nil {
		return Case{}, err
	}
	return s.Store.Case(ctx, id)
}

// Cases lists the case files that the actor may know of, the newest first.
func (s *Service) Cases(ctx context.Context, actor evidence.Actor) ([]Summary, error) {
	return s.list(ctx, actor, "")
}

// Find lists, of those, the ones whose reference or one of whose pseudonyms is
// exactly text, letter case and spacing apart. There is no search by real names:
// none are stored.
func (s *Service) Find(ctx context.Context, actor evidence.Actor, text string) ([]Summary, error) {
	seen := map[evidence.ID]bool{}
	var found []Summary
	for _, key := range []string{s.referenceKey(actor.Agency, text), s.pseudonymKey(actor.Agency, text)} {
		list, err := s.list(ctx, actor, key)
		if err != nil {
			return nil, err
		}
		for _, one := range list {
			if !seen[one.Case.ID] {
				seen[one.Case.ID] = true
				found = append(found, one)
			}
		}
	}
	return found, nil
}

func (s *Service) list(ctx context.Context, actor evidence.Actor, key string) ([]Summary, error) {
	if err := s.Access.Authorize(ctx, actor, access.CaseList, evidence.Resource{Kind: access.KindSystem}); err != nil {
		return nil, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return nil, err
	}
	var agency evidence.ID
	if actor.Role == evidence.RoleCustodian || actor.Role == evidence.RoleAuditor {
		agency = actor.Agency
	}
	list, err := s.Store.Cases(ctx, actor.Account, agency, key, now)
	if err != nil {
		return nil, err
	}
	known := list[:0]
	for _, one := range list {
		switch err := s.Access.Authorize(ctx, actor, access.CaseRead, onCase(one.Case.ID)); {
		case err == nil:
			team, err := s.Store.Team(ctx, one.Case.ID)
			if err != nil {
				return nil, err
			}
			one.Unfilled = Unfilled(one.Case.Stage, team, now)
			known = append(known, one)
		case !errors.Is(err, evidence.ErrNotFound) && !errors.Is(err, evidence.ErrRefused):
			return nil, err
		}
	}
	return known, nil
}
