package casefile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

// NewPerson adds somebody to a case.
type NewPerson struct {
	Case          evidence.ID
	Pseudonym     string // never the real name
	Kind          PersonKind
	Age           Age
	Language      string // BCP 47
	Unaccompanied bool
	Guardian      Guardian
}

// AddPerson adds a person to a case under a pseudonym.
func (s *Service) AddPerson(ctx context.Context, actor evidence.Actor, in NewPerson) (Person, error) {
	if err := s.Access.Authorize(ctx, actor, access.PersonAdd, onCase(in.Case)); err != nil {
		return Person{}, err
	}
	c, err := s.Store.Case(ctx, in.Case)
	if err != nil {
		return Person{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Person{}, err
	}
	p := Person{ID: evidence.NewID(), Agency: c.Agency, Case: c.ID, Pseudonym: line(in.Pseudonym), Kind: in.Kind, Age: in.Age, Language: in.Language,
		Unaccompanied: in.Unaccompanied, Guardian: in.Guardian, AddedBy: actor.Account, AddedAt: now, Version: 1}
	if p.Pseudonym == "" || len(p.Pseudonym) > maxReference || !utf8.ValidString(p.Pseudonym) {
		return Person{}, invalid("person.pseudonym", "Give a pseudonym of at most 100 bytes. Never use the real name.", "")
	}
	if !slices.Contains([]PersonKind{Victim, Witness, Suspect}, p.Kind) {
		return Person{}, invalid("person.kind", "A person on a case is a victim, a witness or a suspect.", "P42")
	}
	if err := s.checkPerson(ctx, &p); err != nil {
		return Person{}, err
	}
	p.PseudonymKey = s.pseudonymKey(c.Agency, p.Pseudonym)
	entry := custody.Entry{Actor: actor, Action: access.PersonAdd, Agency: c.Agency, Case: c.ID, Subject: p.ID, Details: p.details()}
	if err := s.Store.AddPerson(ctx, p, entry); err != nil {
		if errors.Is(err, evidence.ErrConflict) {
			return Person{}, evidence.Refuse(evidence.ErrConflict, "person.pseudonym.taken", "Somebody on this case has this pseudonym already.", "")
		}
		return Person{}, fmt.Errorf("adding a person to case %s: %w", c.ID, err)
	}
	return p, nil
}

// checkPerson is check, and refuses a guardian who belongs to a suspect and is not
// marked as having a conflict.
func (s *Service) checkPerson(ctx context.Context, p *Person) error {
	if err := p.check(); err != nil || p.Guardian.Conflict {
		return err
	}
	if err := s.notAnOutsider(ctx, p.Case, p.Guardian.Name); err != nil {
		if errors.Is(err, evidence.ErrRefused) {
			return invalid("person.guardian.apart", "This guardian cannot represent the person on this case. Enter her with a conflict of interest, or ask the case manager.", "P41")
		}
		return err
	}
	return nil
}

// check normalises and checks what can also be changed later.
func (p *Person) check() error {
	g := &p.Guardian
	g.Name, g.Relation, g.ConflictNote = line(g.Name), line(g.Relation), prose(g.ConflictNote)
	if _, err := language.Parse(p.Language); err != nil {
		return invalid("person.language", "Name the language by its BCP 47 tag, such as sq or sr-Latn.", "P7")
	}
	switch {
	case !slices.Contains([]Age{Child, Adult, Uncertain}, p.Age):
		return invalid("person.age", "Say whether the person is a child, an adult, or of uncertain age.", "P6")
	case tooLong(g.Name, g.Relation, g.ConflictNote):
		return invalid("person.guardian", "Texts about a guardian have at most 2000 bytes each.", "")
	case !p.TreatedAsChild() && (p.Unaccompanied || *g != Guardian{}):
		return invalid("person.guardian.adult", "Only a child, or somebody of uncertain age, has a guardian here.", "P41")
	case p.Unaccompanied && g.Name != "":
		return invalid("person.unaccompanied", "An unaccompanied child is represented by the guardianship authority and has no guardian here.", "P41")
	case g.Name == "" && (g.Relation != "" || g.Conflict || g.ConflictNote != ""):
		return invalid("person.guardian.name", "Say who the guardian is.", "P41")
	case g.Conflict && g.ConflictNote == "":
		return invalid("person.guardian.conflict", "Say what the guardian's conflict of interest is.", "P6")
	}
	return nil
}

func (p Person) details() map[string]string {
	return map[string]string{"kind": string(p.Kind), "age": string(p.Age), "unaccompanied": strconv.FormatBool(p.Unaccompanied),
		"guardian": strconv.FormatBool(p.Guardian.Name != ""), "guardian_conflict": strconv.FormatBool(p.Guardian.Conflict)}
}

// PersonChange changes what is known of a person. What is nil stays.
type PersonChange struct {
	Age           *Age
	Language      *string
	Unaccompanied *bool
	Guardian      *Guardian
	Why           string // reason of the change
}

// ChangePerson corrects age, language or guardianship. Consents are judged again
// at once: what a guardian gave who turns out to have a conflict is not valid (P41).
func (s *Service) ChangePerson(ctx context.Context, actor evidence.Actor, id evidence.ID, in PersonChange) (Person, error) {
	if err := s.Access.Authorize(ctx, actor, access.PersonEdit, evidence.Resource{Kind: access.KindPerson, ID: id}); err != nil {
		return Person{}, err
	}
	p, err := s.Store.Person(ctx, id)
	if err != nil {
		return Person{}, err
	}
	set(&p.Age, in.Age)
	set(&p.Language, in.Language)
	set(&p.Unaccompanied, in.Unaccompanied)
	set(&p.Guardian, in.Guardian)
	if err := s.checkPerson(ctx, &p); err != nil {
		return Person{}, err
	}
	why := prose(in.Why)
	if why == "" || tooLong(why) {
		return Person{}, invalid("person.reason", "Say why this changes, in at most 2000 bytes.", "P23")
	}
	entry := custody.Entry{Actor: actor, Action: access.PersonEdit, Agency: p.Agency, Case: p.Case, Subject: p.ID, Why: why, Details: p.details()}
	if err := s.Store.ChangePerson(ctx, p, entry); err != nil {
		return Person{}, fmt.Errorf("changing person %s: %w", id, err)
	}
	if err := s.Settle.Settle(ctx, p.ID); err != nil {
		return Person{}, fmt.Errorf("judging the consents of person %s again: %w", id, err)
	}
	return s.Store.Person(ctx, id)
}

func set[T any](into *T, value *T) {
	if value != nil {
		*into = *value
	}
}

// People lists the people on a case, in order of joining.
func (s *Service) People(ctx context.Context, actor evidence.Actor, id evidence.ID) ([]Person, error) {
	if err := s.Access.Authorize(ctx, actor, access.PersonRead, onCase(id)); err != nil {
		return nil, err
	}
	return s.Store.People(ctx, id)
}
