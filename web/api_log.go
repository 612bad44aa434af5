package web

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/danielgtaylor/huma/v2"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
)

type logEntriesInput struct {
	Page
	Action string `query:"action" maxLength:"64" doc:"Only this action; with a final dot all that begin so, such as grant."`
}

type positionPath struct {
	Position int64 `path:"position" minimum:"0" doc:"Position in the log, from 0."`
}

// filter is the page as the log takes it.
func (p Page) filter() custody.Filter {
	f := custody.Filter{Limit: p.Limit, Newest: p.Newest}
	if p.After >= 0 {
		f.After = &p.After
	}
	if p.Before > 0 {
		f.Before = &p.Before
	}
	return f
}

func (s *Server) system(ctx context.Context, a evidence.Actor, action string) error {
	return s.access.Authorize(ctx, a, action, evidence.Resource{Kind: access.KindSystem})
}

func (s *Server) caseCustody(ctx context.Context, a evidence.Actor, in *custodyInput) (*answer[list[Entry]], error) {
	if err := s.access.Authorize(ctx, a, access.CaseLogRead, evidence.Resource{Kind: access.KindCase, ID: in.ID}); err != nil {
		return nil, err
	}
	f := in.filter()
	f.Case, f.Interview, f.Action = in.ID, in.Interview, in.Action
	records, err := s.store.Entries(ctx, f)
	if err != nil {
		return nil, err
	}
	separation, err := s.maySeeSeparation(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	return listErr(records, func(r custody.Record) (Entry, error) {
		e := entryOf(r)
		if casefile.OfSeparation(r.Leaf.Action, r.Leaf.Details) && !separation {
			e.Details, e.Subject = nil, ""
		} else {
			e.Why, e.Authority = opened(r, custody.FieldWhy), opened(r, custody.FieldAuthority)
		}
		if checks(a) {
			e.Where = opened(r, custody.FieldWhere)
		}
		return s.named(ctx, e)
	})
}

// maySeeSeparation reports whether somebody may see who is kept apart from a case,
// and why: those who manage it and those who check (P42).
func (s *Server) maySeeSeparation(ctx context.Context, a evidence.Actor, kase evidence.ID) (bool, error) {
	if checks(a) {
		return true, nil
	}
	return s.access.May(ctx, a, access.SeparationRead, evidence.Resource{Kind: access.KindCase, ID: kase})
}

// checks reports whether it is somebody's task to check what others did. Only they
// see from where it was done.
func checks(a evidence.Actor) bool {
	return a.Role == evidence.RoleCustodian || a.Role == evidence.RoleAuditor
}

func opened(r custody.Record, field string) string {
	text, _ := r.Opened(field)
	return text
}

// entryOf shows an entry without what its commitments hide.
func entryOf(r custody.Record) Entry {
	l := r.Leaf
	return Entry{Position: r.Position, ID: l.ID, At: l.At.Time(), Action: l.Action, Case: l.Case, Interview: l.Interview, Subject: l.Subject, Details: l.Details,
		Actor: EntryActor{Kind: l.Actor.Kind, Account: l.Actor.Account, Agency: l.Actor.Agency, Role: l.Actor.Role}}
}

// named adds the name of who acted.
func (s *Server) named(ctx context.Context, e Entry) (Entry, error) {
	if e.Actor.Kind != evidence.ActorPerson || e.Actor.Account == "" {
		return e, nil
	}
	ref, err := s.accountRef(ctx, e.Actor.Account)
	e.Actor.Name = ref.Name
	return e, err
}

func (s *Server) custodyProof(ctx context.Context, a evidence.Actor, in *proofPath) (*answer[EntryProof], error) {
	if err := s.access.Authorize(ctx, a, access.CaseLogRead, evidence.Resource{Kind: access.KindCase, ID: in.ID}); err != nil {
		return nil, err
	}
	r, err := s.entryAt(ctx, in.Position)
	if err != nil {
		return nil, err
	}
	if r.Leaf.Case != in.ID {
		return nil, evidence.ErrNotFound
	}
	if casefile.OfSeparation(r.Leaf.Action, r.Leaf.Details) {
		if ok, err := s.maySeeSeparation(ctx, a, in.ID); err != nil || !ok {
			return nil, errors.Join(err, evidence.ErrNotFound)
		}
	}
	signed, err := s.checkpoints.Checkpoint(ctx)
	if err != nil {
		return nil, fault(err)
	}
	cp, err := custody.OpenCheckpoint(signed, s.checkpoints.Verifier())
	if err != nil {
		return nil, fault(err)
	}
	path, err := s.store.ProveInclusion(ctx, in.Position, cp.Size)
	if err != nil {
		return nil, err
	}
	proof := custody.Proof{Position: in.Position, Path: path, Checkpoint: signed}
	return answerOf(EntryProof{Position: in.Position, Size: cp.Size, Root: hexes([]custody.Hash{cp.Root})[0], Leaf: base64.StdEncoding.EncodeToString(r.Raw),
		Path: hexes(path), Checkpoint: string(signed), Proof: string(proof.Encode())}), nil
}

func hexes(path []custody.Hash) []string {
	out := make([]string, 0, len(path))
	for _, h := range path {
		out = append(out, fmt.Sprintf("%x", h[:]))
	}
	return out
}

func (s *Server) entryAt(ctx context.Context, position int64) (custody.Record, error) {
	before := position - 1
	records, err := s.store.Entries(ctx, custody.Filter{After: &before, Limit: 1})
	if err != nil {
		return custody.Record{}, err
	}
	if len(records) != 1 || records[0].Position != position {
		return custody.Record{}, evidence.ErrNotFound
	}
	return records[0], nil
}

func (s *Server) logCheckpoint(ctx context.Context, a evidence.Actor, _ *nothing) (*huma.StreamResponse, error) {
	if err := s.system(ctx, a, access.LogHead); err != nil {
		return nil, err
	}
	signed, err := s.checkpoints.Checkpoint(ctx)
	if err != nil {
		return nil, fault(err)
	}
	return sendBytes("text/plain; charset=utf-8", signed), nil
}

func (s *Server) logEntry(ctx context.Context, a evidence.Actor, in *positionPath) (*answer[Entry], error) {
	if err := s.system(ctx, a, access.LogRead); err != nil {
		return nil, err
	}
	r, err := s.entryAt(ctx, in.Position)
	return answerErr(entryOf(r), err)
}

func (s *Server) logEntries(ctx context.Context, a evidence.Actor, in *logEntriesInput) (*answer[list[Entry]], error) {
	if err := s.system(ctx, a, access.LogRead); err != nil {
		return nil, err
	}
	f := in.filter()
	f.Action = in.Action
	records, err := s.store.Entries(ctx, f)
	if err != nil {
		return nil, err
	}
	return answerOf(listOf(records, entryOf)), nil
}

func (s *Server) logConsistency(ctx context.Context, a evidence.Actor, in *consistencyInput) (*answer[Consistency], error) {
	if err := s.system(ctx, a, access.LogHead); err != nil {
		return nil, err
	}
	head, err := s.store.LogHead(ctx)
	if err != nil {
		return nil, err
	}
	if in.To == 0 {
		in.To = head.Size
	}
	if in.From > in.To || in.To > head.Size {
		text := fmt.Sprintf("Give from <= to <= %d, the size of the log.", head.Size)
		return nil, evidence.Refuse(evidence.ErrInvalid, "log.consistency", text, "")
	}
	path, err := s.store.ProveConsistency(ctx, in.From, in.To)
	if err != nil {
		return nil, err
	}
	return answerOf(Consistency{From: in.From, To: in.To, Path: hexes(path)}), nil
}

func (s *Server) logAudit(ctx context.Context, a evidence.Actor, in *auditInput) (*answer[Audit], error) {
	if err := s.system(ctx, a, access.LogAudit); err != nil {
		return nil, err
	}
	var outside [][]byte
	if in.Body != nil {
		for _, text := range in.Body.Checkpoints {
			outside = append(outside, []byte(text))
		}
	}
	r, err := custody.Audit(ctx, s.store, s.checkpoints.Verifier(), outside...)
	if err != nil {
		return nil, err
	}
	out := Audit{Holds: len(r.Faults) == 0, Size: r.Size, Root: hexes([]custody.Hash{r.Root})[0], Checkpoints: r.Checkpoints, Erased: r.Erased, More: r.More,
		Faults: listOf(r.Faults, func(f custody.Fault) Fault { return Fault(f) }).Items, Notices: listOf(r.Notices, func(f custody.Fault) Fault { return Fault(f) }).Items}
	out.Summary = fmt.Sprintf("The log of %d entries is what was committed, and %d signed checkpoints fit it.", r.Size, r.Checkpoints)
	if !out.Holds {
		out.Summary = fmt.Sprintf("The log is not what was committed: %s", r.Faults[0].Text)
	}
	return answerOf(out), nil
}
