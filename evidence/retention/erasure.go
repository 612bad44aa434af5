package retention

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/envelope"
)

// Fields under which an erasure's texts are committed to.
const (
	FieldReason = "erasureReason"
	FieldOrder  = "erasureOrder"
)

// RequestErasure asks for the erasure of an interview's recording. The term must be
// over, or order must name the court's or authority's order to erase before it, and
// no hold may stand. Another person decides (P35).
func (s *Service) RequestErasure(ctx context.Context, actor evidence.Actor, interview evidence.ID, reason, order string) (Erasure, error) {
	if err := s.Access.Authorize(ctx, actor, access.ErasureRequest, evidence.Resource{Kind: access.KindInterview, ID: interview}); err != nil {
		return Erasure{}, err
	}
	reason, order = prose(reason), prose(order)
	if reason == "" || tooLong(reason, order) {
		return Erasure{}, invalid("erasure.reason", "Say why it shall be erased, in at most 2000 bytes.", "P35")
	}
	iv, err := s.Store.Interview(ctx, interview)
	if err != nil {
		return Erasure{}, err
	}
	if iv.State != evidence.StateSealed {
		return Erasure{}, evidence.Refuse(evidence.ErrConflict, "erasure.not_sealed", "Only a sealed recording can be erased.", "P35")
	}
	f, err := s.Store.RetentionFile(ctx, iv.Case)
	if err != nil {
		return Erasure{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Erasure{}, err
	}
	if err := mayErase(f, iv.ID, order, now); err != nil {
		return Erasure{}, err
	}
	e := Erasure{ID: evidence.NewID(), Agency: iv.Agency, Case: iv.Case, Interview: iv.ID, Recording: iv.Recording, State: ErasureProposed, RequestedBy: actor.Account, RequestedAt: now, Version: 1}
	_, e.Reason = evidence.Commit(FieldReason, reason)
	if order != "" {
		_, e.Order = evidence.Commit(FieldOrder, order)
	}
	entry := s.entry(actor, access.ErasureRequest, e)
	entry.Why, entry.Authority = reason, order
	if err := s.Store.CreateErasure(ctx, e, entry); err != nil {
		if errors.Is(err, evidence.ErrConflict) {
			return Erasure{}, evidence.Refuse(evidence.ErrConflict, "erasure.there", "The erasure of this recording was asked for already.", "")
		}
		return Erasure{}, fmt.Errorf("asking for the erasure of interview %s: %w", interview, err)
	}
	return e, nil
}

// mayErase says why a recording may not be erased now.
func mayErase(f File, interview evidence.ID, order string, now evidence.Instant) error {
	if f.Held(interview) {
		return evidence.Refuse(evidence.ErrConflict, "erasure.held", "A hold keeps this recording. It must be lifted first.", "P34")
	}
	if order == "" && f.Term(now).State != Ended {
		return evidence.Refuse(evidence.ErrConflict, "erasure.term", "The time for which this must be kept is not over. Before it is, only an order of a court or authority allows erasure; name it.", "P34")
	}
	return nil
}

// RejectErasure is the second person's no.
func (s *Service) RejectErasure(ctx context.Context, actor evidence.Actor, id evidence.ID, reason string) (Erasure, error) {
	e, reason, err := s.proposed(ctx, actor, access.ErasureReject, id, reason)
	if err != nil {
		return Erasure{}, err
	}
	if e.DecidedAt, err = s.Store.Now(ctx); err != nil {
		return Erasure{}, err
	}
	e.State, e.DecidedBy = ErasureRejected, actor.Account
	entry := s.entry(actor, access.ErasureReject, e)
	entry.Why = reason
	if err := s.Store.DecideErasure(ctx, e, entry); err != nil {
		return Erasure{}, fmt.Errorf("rejecting erasure %s: %w", id, err)
	}
	e.Version++
	return e, nil
}

// ApproveErasure is the second person's yes. The policy refuses whoever asked.
// When it returns, the keys are gone and the provisional certificate is there. If
// something fails on the way, the approval stands and the erasure is completed by
// [Service.Resume].
func (s *Service) ApproveErasure(ctx context.Context, actor evidence.Actor, id evidence.ID, reason string) (Erasure, error) {
	e, reason, err := s.proposed(ctx, actor, access.ErasureApprove, id, reason)
	if err != nil {
		return Erasure{}, err
	}
	f, err := s.Store.RetentionFile(ctx, e.Case)
	if err != nil {
		return Erasure{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Erasure{}, err
	}
	if err := mayErase(f, e.Interview, e.Order.Value, now); err != nil {
		return Erasure{}, err
	}
	e.State, e.DecidedBy, e.DecidedAt = ErasureApproved, actor.Account, now
	entry := s.entry(actor, access.ErasureApprove, e)
	entry.Why, entry.Authority = reason, e.Order.Value
	if err := s.Store.DecideErasure(ctx, e, entry); err != nil {
		if errors.Is(err, evidence.ErrConflict) {
			return Erasure{}, evidence.Refuse(evidence.ErrConflict, "erasure.changed", "Somebody decided on this, or placed a hold, at the same time. Look at it again.", "P34")
		}
		return Erasure{}, fmt.Errorf("approving erasure %s: %w", id, err)
	}
	e.Version++
	defer s.changed()
	// From here on it must be brought to its end, whoever waits for the answer.
	return s.carryOut(context.WithoutCancel(ctx), e)
}

func (s *Service) proposed(ctx context.Context, actor evidence.Actor, action string, id evidence.ID, reason string) (Erasure, string, error) {
	if err := s.Access.Authorize(ctx, actor, action, evidence.Resource{Kind: access.KindErasure, ID: id}); err != nil {
		return Erasure{}, "", err
	}
	reason = prose(reason)
	if reason == "" || tooLong(reason) {
		return Erasure{}, "", invalid("erasure.reason", "Give a reason, in at most 2000 bytes.", "P35")
	}
	e, err := s.Store.Erasure(ctx, id)
	if err == nil && e.State != ErasureProposed {
		err = evidence.Refuse(evidence.ErrConflict, "erasure.decided", "This erasure was decided on before.", "P35")
	}
	return e, reason, err
}

// carryOut destroys the keys of an approved erasure, proves that they are gone and
// issues the provisional certificate. It may be repeated at any point.
func (s *Service) carryOut(ctx context.Context, e Erasure) (Erasure, error) {
	wrapped, _, err := s.Store.RecordingKey(ctx, e.Recording)
	if err != nil && !errors.Is(err, evidence.ErrNotFound) {
		return e, fmt.Errorf("erasing recording %s: %w", e.Recording, err)
	}
	derivatives, err := s.Store.Derivatives(ctx, e.Recording)
	if err != nil {
		return e, fmt.Errorf("erasing recording %s: %w", e.Recording, err)
	}
	for _, id := range append([]evidence.ID{e.Recording}, derivatives...) {
		if err := s.Keys.EraseRecordingKey(ctx, id); err != nil {
			return e, fmt.Errorf("erasing recording %s: %w", e.Recording, err)
		}
		if _, err := s.Keys.OpenRecordingKey(ctx, id, wrapped); !errors.Is(err, envelope.ErrErased) {
			return e, fmt.Errorf("erasing recording %s: %w: the key of %s is not gone: %v", e.Recording, evidence.ErrUnavailable, id, err)
		}
	}
	if e.ErasedAt, err = s.Store.Now(ctx); err != nil {
		return e, err
	}
	if e.Certificate, e.Bundle, err = s.provisional(ctx, e, derivatives, wrapped); err != nil {
		return e, fmt.Errorf("certifying erasure %s: %w", e.ID, err)
	}
	e.State = ErasureProvisional
	entry := s.entry(evidence.System(e.Agency), access.EntryErased, e)
	entry.Details["derivatives"] = strconv.Itoa(len(derivatives))
	entry.Details["certificate"] = hexSum(e.Certificate)
	if err := s.Store.FinishErasure(ctx, e, entry); err != nil {
		return e, fmt.Errorf("finishing erasure %s: %w", e.ID, err)
	}
	e.Version++
	return e, nil
}

// Resume completes erasures that were approved and broke off, and destroys again
// the keys of those that were done: a key store that came back from a backup has
// them again. It is called at start, before anything is served.
func (s *Service) Resume(ctx context.Context) error {
	list, err := s.Store.Erasures(ctx, "", ErasureApproved, ErasureProvisional, ErasureFinal)
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.State == ErasureApproved {
			if _, err := s.carryOut(ctx, e); err != nil {
				return err
			}
			continue
		}
		derivatives, err := s.Store.Derivatives(ctx, e.Recording)
		if err != nil {
			return err
		}
		for _, id := range append([]evidence.ID{e.Recording}, derivatives...) {
			if err := s.Keys.EraseRecordingKey(ctx, id); err != nil && !errors.Is(err, evidence.ErrNotFound) {
				return err
			}
		}
	}
	return nil
}

// AttestErasure ends what was provisional: somebody vouches for each thing that the
// erasure did not reach by itself. said holds a sentence for each of the
// certificate's items, by its name.
func (s *Service) AttestErasure(ctx context.Context, actor evidence.Actor, id evidence.ID, said map[string]string) (Erasure, error) {
	if err := s.Access.Authorize(ctx, actor, access.ErasureAttest, evidence.Resource{Kind: access.KindErasure, ID: id}); err != nil {
		return Erasure{}, err
	}
	e, err := s.Store.Erasure(ctx, id)
	if err != nil {
		return Erasure{}, err
	}
	if e.State != ErasureProvisional {
		return Erasure{}, evidence.Refuse(evidence.ErrConflict, "erasure.not_provisional", "There is nothing to attest: the erasure is not done yet, or was attested before.", "P35")
	}
	if e.AttestedAt, err = s.Store.Now(ctx); err != nil {
		return Erasure{}, err
	}
	e.AttestedBy = actor.Account
	entry := s.entry(actor, access.ErasureAttest, e)
	if e.Final, e.FinalBundle, entry.Why, err = s.final(ctx, e, said); err != nil {
		return Erasure{}, err
	}
	e.State = ErasureFinal
	entry.Details["state"], entry.Details["certificate"] = string(e.State), hexSum(e.Final)
	if err := s.Store.AttestErasure(ctx, e, entry); err != nil {
		return Erasure{}, fmt.Errorf("attesting erasure %s: %w", id, err)
	}
	e.Version++
	return e, nil
}

// Erasure returns one erasure.
func (s *Service) Erasure(ctx context.Context, actor evidence.Actor, id evidence.ID) (Erasure, error) {
	if err := s.Access.Authorize(ctx, actor, access.ErasureRead, evidence.Resource{Kind: access.KindErasure, ID: id}); err != nil {
		return Erasure{}, err
	}
	return s.Store.Erasure(ctx, id)
}

// Erasures lists those that the actor may see, the newest first.
func (s *Service) Erasures(ctx context.Context, actor evidence.Actor) ([]Erasure, error) {
	if err := s.Access.Authorize(ctx, actor, access.RetentionList, evidence.Resource{Kind: access.KindSystem}); err != nil {
		return nil, err
	}
	all, err := s.Store.Erasures(ctx, actor.Agency)
	if err != nil {
		return nil, err
	}
	out := []Erasure{}
	for _, e := range all {
		may, err := s.May(ctx, actor, access.ErasureRead, access.KindErasure, e.ID)
		if err != nil {
			return nil, err
		}
		if may {
			out = append(out, e)
		}
	}
	return out, nil
}

// entry begins a custody entry about an erasure. It holds codes and ids alone.
func (s *Service) entry(actor evidence.Actor, action string, e Erasure) custody.Entry {
	return custody.Entry{Actor: actor, Action: action, Agency: e.Agency, Case: e.Case, Interview: e.Interview, Subject: e.ID,
		Details: map[string]string{"state": string(e.State), "recording": string(e.Recording), "early": strconv.FormatBool(e.Order.Value != "")}}
}
