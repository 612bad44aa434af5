package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

// Limits of texts, in bytes.
const (
	maxName = 100
	maxText = 2000
)

// Config is what a Service is made of. Every field is required.
type Config struct {
	Store   Store
	Keys    Keys
	Objects Objects
	Sealer  Sealer
	Access  evidence.Authorizer
	Logger  *slog.Logger
	// Software is the program and version, as certificates name it.
	Software string
}

// Service keeps classes, rules and holds, and erases. Every method asks the policy
// before it acts and commits the custody entry with the act. Safe for concurrent use.
type Service struct {
	Config
	nudge chan struct{} // tells the steward that something changed
}

// New returns a Service.
func New(c Config) *Service { return &Service{Config: c, nudge: make(chan struct{}, 1)} }

func (s *Service) changed() {
	select {
	case s.nudge <- struct{}{}:
	default:
	}
}

func invalid(code, text, practice string) error {
	return evidence.Refuse(evidence.ErrInvalid, code, text, practice)
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

// NewVersion is a class's rule as somebody sets it.
type NewVersion struct {
	Days       int
	From       Start
	DecideDays int // 0: DefaultDecideDays
	Basis      string
}

func (v NewVersion) version(actor evidence.Actor, number int, now evidence.Instant) (ClassVersion, error) {
	if v.DecideDays == 0 {
		v.DecideDays = DefaultDecideDays
	}
	basis := prose(v.Basis)
	switch {
	case v.Days < 1 || v.Days > MaxDays:
		return ClassVersion{}, invalid("retention.days", "A term has 1 to 54800 days.", "P34")
	case !slices.Contains(Starts, v.From):
		return ClassVersion{}, invalid("retention.from", "A term counts from the closing of the case or from the last seal.", "P34")
	case v.DecideDays < 1 || v.DecideDays > 365:
		return ClassVersion{}, invalid("retention.decide", "People have 1 to 365 days to decide at the end of a term.", "P34")
	case basis == "" || tooLong(basis):
		return ClassVersion{}, invalid("retention.basis", "Name the law or rule that the term rests on, in at most 2000 bytes.", "P34")
	}
	return ClassVersion{Number: number, Days: v.Days, From: v.From, DecideDays: v.DecideDays, Basis: basis, SetBy: actor.Account, SetAt: now}, nil
}

func (v ClassVersion) details() map[string]string {
	return map[string]string{"version": strconv.Itoa(v.Number), "days": strconv.Itoa(v.Days), "from": string(v.From), "decide": strconv.Itoa(v.DecideDays)}
}

// CreateClass makes a retention class of the actor's agency.
func (s *Service) CreateClass(ctx context.Context, actor evidence.Actor, name string, v NewVersion) (Class, error) {
	if err := s.Access.Authorize(ctx, actor, access.RetentionClass, evidence.Resource{Kind: access.KindAgency, ID: actor.Agency}); err != nil {
		return Class{}, err
	}
	name = strings.Join(strings.Fields(prose(name)), " ")
	if name == "" || len(name) > maxName || !utf8.ValidString(name) {
		return Class{}, invalid("retention.name", "Give the class a name of at most 100 bytes.", "")
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Class{}, err
	}
	first, err := v.version(actor, 1, now)
	if err != nil {
		return Class{}, err
	}
	c := Class{ID: evidence.NewID(), Agency: actor.Agency, Name: name, Versions: []ClassVersion{first}}
	entry := custody.Entry{Actor: actor, Action: access.RetentionClass, Agency: c.Agency, Subject: c.ID, Authority: first.Basis, Details: first.details()}
	if err := s.Store.CreateClass(ctx, c, entry); err != nil {
		if errors.Is(err, evidence.ErrConflict) {
			return Class{}, evidence.Refuse(evidence.ErrConflict, "retention.name.taken", "The agency has a class of this name already.", "")
		}
		return Class{}, fmt.Errorf("making retention class %s: %w", c.ID, err)
	}
	return c, nil
}

// ChangeClass gives a class a new version. Cases that are in it already keep the
// longest of all versions since they came into it (P34).
func (s *Service) ChangeClass(ctx context.Context, actor evidence.Actor, id evidence.ID, v NewVersion) (Class, error) {
	c, err := s.Store.Class(ctx, id)
	if err != nil {
		return Class{}, err
	}
	if err := s.Access.Authorize(ctx, actor, access.RetentionClass, evidence.Resource{Kind: access.KindAgency, ID: c.Agency}); err != nil {
		return Class{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Class{}, err
	}
	next, err := v.version(actor, len(c.Versions)+1, now)
	if err != nil {
		return Class{}, err
	}
	entry := custody.Entry{Actor: actor, Action: access.RetentionClass, Agency: c.Agency, Subject: c.ID, Authority: next.Basis, Details: next.details()}
	if err := s.Store.AddClassVersion(ctx, c.ID, next, entry); err != nil {
		return Class{}, fmt.Errorf("changing retention class %s: %w", c.ID, err)
	}
	s.changed()
	c.Versions = append(c.Versions, next)
	return c, nil
}

// Classes lists the classes of the actor's agency.
func (s *Service) Classes(ctx context.Context, actor evidence.Actor) ([]Class, error) {
	if err := s.Access.Authorize(ctx, actor, access.RetentionList, evidence.Resource{Kind: access.KindSystem}); err != nil {
		return nil, err
	}
	return s.Store.Classes(ctx, actor.Agency)
}

// Assign puts a case into a class. An earlier class goes on to apply: the longest
// wins.
func (s *Service) Assign(ctx context.Context, actor evidence.Actor, caseID, class evidence.ID, reason string) (File, error) {
	c, err := s.caseFor(ctx, actor, access.RetentionSet, caseID)
	if err != nil {
		return File{}, err
	}
	reason = prose(reason)
	if tooLong(reason) {
		return File{}, invalid("retention.reason", "Give a reason, in at most 2000 bytes.", "P34")
	}
	k, err := s.Store.Class(ctx, class)
	if err == nil && k.Agency != c {
		err = evidence.ErrNotFound
	}
	if errors.Is(err, evidence.ErrNotFound) {
		return File{}, invalid("retention.class", "There is no such retention class.", "P34")
	}
	if err != nil {
		return File{}, err
	}
	r := Rule{Class: k.ID, Version: k.Now().Number, Reason: reason}
	return s.add(ctx, actor, access.RetentionSet, caseID, c, r, map[string]string{"class": string(k.ID), "version": strconv.Itoa(r.Version)})
}

// Keep decides that a case is kept until a day at least: the other answer, beside
// erasure, to the duty that a term's end raises.
func (s *Service) Keep(ctx context.Context, actor evidence.Actor, caseID evidence.ID, until evidence.Instant, reason string) (File, error) {
	c, err := s.caseFor(ctx, actor, access.RetentionKeep, caseID)
	if err != nil {
		return File{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return File{}, err
	}
	reason = prose(reason)
	switch {
	case reason == "" || tooLong(reason):
		return File{}, invalid("retention.reason", "Give a reason, in at most 2000 bytes.", "P34")
	case until <= now || until > now+MaxDays*day:
		return File{}, invalid("retention.until", "Give a day to come, at most 150 years away.", "P34")
	}
	return s.add(ctx, actor, access.RetentionKeep, caseID, c, Rule{Until: until, Reason: reason}, map[string]string{"until": strconv.FormatInt(int64(until), 10)})
}

func (s *Service) add(ctx context.Context, actor evidence.Actor, action string, caseID, agency evidence.ID, r Rule, details map[string]string) (File, error) {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return File{}, err
	}
	r.ID, r.Agency, r.Case, r.SetBy, r.SetAt = evidence.NewID(), agency, caseID, actor.Account, now
	entry := custody.Entry{Actor: actor, Action: action, Agency: agency, Case: caseID, Subject: r.ID, Why: r.Reason, Details: details}
	if err := s.Store.AddRule(ctx, r, entry); err != nil {
		return File{}, fmt.Errorf("setting how long case %s is kept: %w", caseID, err)
	}
	s.changed()
	return s.Store.RetentionFile(ctx, caseID)
}

// caseFor asks the policy and returns the agency of a case.
func (s *Service) caseFor(ctx context.Context, actor evidence.Actor, action string, caseID evidence.ID) (agency evidence.ID, err error) {
	if err := s.Access.Authorize(ctx, actor, action, evidence.Resource{Kind: access.KindCase, ID: caseID}); err != nil {
		return "", err
	}
	c, err := s.Store.Case(ctx, caseID)
	return c.Agency, err
}

// File returns what retention knows of a case.
func (s *Service) File(ctx context.Context, actor evidence.Actor, caseID evidence.ID) (File, error) {
	if err := s.Access.Authorize(ctx, actor, access.RetentionRead, evidence.Resource{Kind: access.KindCase, ID: caseID}); err != nil {
		return File{}, err
	}
	return s.Store.RetentionFile(ctx, caseID)
}

// Calendar lists the cases of the actor's agency on which something is kept, those
// to be decided soonest first and those without an end last.
func (s *Service) Calendar(ctx context.Context, actor evidence.Actor) ([]File, error) {
	if err := s.Access.Authorize(ctx, actor, access.RetentionList, evidence.Resource{Kind: access.KindSystem}); err != nil {
		return nil, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := s.Store.RetentionCases(ctx, actor.Agency)
	if err != nil {
		return nil, err
	}
	files := make([]File, 0, len(ids))
	for _, id := range ids {
		switch err := s.Access.Authorize(ctx, actor, access.RetentionRead, evidence.Resource{Kind: access.KindCase, ID: id}); {
		case errors.Is(err, evidence.ErrNotFound) || errors.Is(err, evidence.ErrRefused):
			continue
		case err != nil:
			return nil, err
		}
		f, err := s.Store.RetentionFile(ctx, id)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	end := func(f File) evidence.Instant {
		if t := f.Term(now); t.Until != 0 {
			return t.Until
		}
		return 1<<62 - 1
	}
	slices.SortStableFunc(files, func(a, b File) int {
		if x, y := end(a), end(b); x != y {
			if x < y {
				return -1
			}
			return 1
		}
		return 0
	})
	return files, nil
}

// PlaceHold keeps a case, or one interview of it, whatever any rule says.
func (s *Service) PlaceHold(ctx context.Context, actor evidence.Actor, caseID, interview evidence.ID, reason, authority string) (Hold, error) {
	agency, err := s.caseFor(ctx, actor, access.HoldPlace, caseID)
	if err != nil {
		return Hold{}, err
	}
	reason, authority = prose(reason), prose(authority)
	if reason == "" || tooLong(reason, authority) {
		return Hold{}, invalid("hold.reason", "Say why it must be kept, in at most 2000 bytes.", "P34")
	}
	if interview != "" {
		iv, err := s.Store.Interview(ctx, interview)
		if err == nil && iv.Case != caseID {
			err = evidence.ErrNotFound
		}
		if errors.Is(err, evidence.ErrNotFound) {
			return Hold{}, invalid("hold.interview", "There is no such interview on this case.", "")
		}
		if err != nil {
			return Hold{}, err
		}
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Hold{}, err
	}
	h := Hold{ID: evidence.NewID(), Agency: agency, Case: caseID, Interview: interview, Reason: reason, Authority: authority, PlacedBy: actor.Account, PlacedAt: now, Version: 1}
	entry := custody.Entry{Actor: actor, Action: access.HoldPlace, Agency: agency, Case: caseID, Interview: interview, Subject: h.ID, Why: reason, Authority: authority}
	if err := s.Store.PlaceHold(ctx, h, entry); err != nil {
		if errors.Is(err, evidence.ErrConflict) {
			return Hold{}, evidence.Refuse(evidence.ErrConflict, "hold.erased", "The recording of this interview was erased; there is nothing left to hold.", "P35")
		}
		return Hold{}, fmt.Errorf("holding case %s: %w", caseID, err)
	}
	s.changed()
	return h, nil
}

// LiftHold ends a hold, with a reason.
func (s *Service) LiftHold(ctx context.Context, actor evidence.Actor, id evidence.ID, reason string) (Hold, error) {
	if err := s.Access.Authorize(ctx, actor, access.HoldLift, evidence.Resource{Kind: access.KindHold, ID: id}); err != nil {
		return Hold{}, err
	}
	reason = prose(reason)
	if reason == "" || tooLong(reason) {
		return Hold{}, invalid("hold.reason", "Say why it need not be held any longer, in at most 2000 bytes.", "P34")
	}
	h, err := s.Store.Hold(ctx, id)
	if err != nil {
		return Hold{}, err
	}
	if !h.Active() {
		return Hold{}, evidence.Refuse(evidence.ErrConflict, "hold.lifted", "This hold was lifted before.", "")
	}
	if h.LiftedAt, err = s.Store.Now(ctx); err != nil {
		return Hold{}, err
	}
	h.LiftedBy = actor.Account
	entry := custody.Entry{Actor: actor, Action: access.HoldLift, Agency: h.Agency, Case: h.Case, Interview: h.Interview, Subject: h.ID, Why: reason}
	if err := s.Store.LiftHold(ctx, h, entry); err != nil {
		return Hold{}, fmt.Errorf("lifting hold %s: %w", id, err)
	}
	s.changed()
	h.Version++
	return h, nil
}

// May reports, for a page that shows what somebody can do, whether the policy
// would allow an action now.
func (s *Service) May(ctx context.Context, actor evidence.Actor, action, kind string, id evidence.ID) (bool, error) {
	err := s.Access.Authorize(ctx, actor, action, evidence.Resource{Kind: kind, ID: id})
	if errors.Is(err, evidence.ErrRefused) || errors.Is(err, evidence.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
