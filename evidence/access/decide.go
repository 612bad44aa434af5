package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// ApproveGrant is one person's yes. The policy refuses whoever asked or would
// receive it. What shows a child becomes active with the second approval, by
// somebody else (P6: an age that became uncertain since counts).
func (s *Service) ApproveGrant(ctx context.Context, actor evidence.Actor, grant evidence.ID) (Grant, error) {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Grant{}, err
	}
	st, err := s.authorize(ctx, actor, GrantApprove, evidence.Resource{Kind: KindGrant, ID: grant}, now)
	if err != nil {
		return Grant{}, err
	}
	g, err := s.Store.Grant(ctx, grant)
	if err != nil {
		return Grant{}, err
	}
	if g.State != Proposed {
		return Grant{}, evidence.Refuse(evidence.ErrConflict, "grant.not_proposed", "This grant does not wait for approval.", "")
	}
	if slices.ContainsFunc(g.Approvals, func(a Approval) bool { return a.By == actor.Account }) {
		return Grant{}, evidence.Refuse(evidence.ErrRefused, "grant.approved_by_you", "You approved this already. A second, different person must approve what shows a child.", "P28")
	}
	if now >= g.NotAfter {
		return Grant{}, evidence.Refuse(evidence.ErrConflict, "grant.over", "The time of this grant is over. Ask for a new one if the need goes on.", "P28")
	}
	if err := s.checkRecipient(ctx, &g, evidence.Resource{Kind: KindInterview, ID: g.Interview}, now); err != nil {
		return Grant{}, err
	}
	if st.Child {
		g.Needed = 2
	}
	g.Approvals = append(slices.Clone(g.Approvals), Approval{By: actor.Account, Role: st.Role, At: now})
	if len(g.Approvals) >= g.Needed {
		g.State = Active
	}
	details := g.details()
	details["state"] = string(g.State)
	details["approvals"] = strconv.Itoa(len(g.Approvals))
	entry := custody.Entry{Actor: actor, Action: GrantApprove, Agency: g.Agency, Case: g.Case, Interview: g.Interview, Subject: g.ID,
		Why: g.Purpose, Authority: g.Basis, Details: details}
	return s.change(ctx, g, entry)
}

// RejectGrant is a no to a proposed grant, with a reason.
func (s *Service) RejectGrant(ctx context.Context, actor evidence.Actor, grant evidence.ID, reason string) (Grant, error) {
	return s.end(ctx, actor, grant, reason, GrantReject, Proposed, Rejected)
}

// RevokeGrant ends an active grant, with a reason. It takes effect on the next
// decision of every node, and its entry is the event by which players go dark. A
// proposed grant is withdrawn in the same way.
func (s *Service) RevokeGrant(ctx context.Context, actor evidence.Actor, grant evidence.ID, reason string) (Grant, error) {
	return s.end(ctx, actor, grant, reason, GrantRevoke, Active, Revoked)
}

func (s *Service) end(ctx context.Context, actor evidence.Actor, grant evidence.ID, reason, action string, from, to GrantState) (Grant, error) {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Grant{}, err
	}
	if _, err := s.authorize(ctx, actor, action, evidence.Resource{Kind: KindGrant, ID: grant}, now); err != nil {
		return Grant{}, err
	}
	g, err := s.Store.Grant(ctx, grant)
	if err != nil {
		return Grant{}, err
	}
	if reason = strings.TrimSpace(reason); reason == "" || len(reason) > maxGrantText {
		return Grant{}, evidence.Refuse(evidence.ErrInvalid, "grant.reason", "Give a reason, in at most 500 bytes.", "P23")
	}
	switch {
	case g.StateAt(now) == from:
	case action == GrantRevoke && g.State == Proposed:
		to = Rejected // it never was in force
	default:
		text := "This grant does not wait for a decision."
		if action == GrantRevoke {
			text = "This grant is not in force; there is nothing to revoke."
		}
		return Grant{}, evidence.Refuse(evidence.ErrConflict, "grant.state", text, "")
	}
	g.State, g.EndedBy, g.EndedAt = to, actor.Account, now
	entry := custody.Entry{Actor: actor, Action: action, Agency: g.Agency, Case: g.Case, Interview: g.Interview, Subject: g.ID, Why: reason,
		Details: map[string]string{"to": string(g.To), "state": string(to)}}
	return s.change(ctx, g, entry)
}

func (s *Service) change(ctx context.Context, g Grant, entry custody.Entry) (Grant, error) {
	err := s.Store.ChangeGrant(ctx, g, entry)
	if errors.Is(err, evidence.ErrConflict) {
		return Grant{}, evidence.Refuse(evidence.ErrConflict, "grant.changed", "Somebody else decided on this grant at the same time. Look at it again.", "")
	}
	if err != nil {
		return Grant{}, fmt.Errorf("changing grant %s: %w", g.ID, err)
	}
	g.Version++
	return g, nil
}

// GrantView is a grant as one person sees it.
type GrantView struct {
	Grant
	StateNow   GrantState // by server time; may be Expired
	MayApprove bool       // approve or reject, now
	MayRevoke  bool
	MayExtend  bool
	// MayAttest says that the actor holds it, that it is over, and that she has yet to
	// say what became of copies.
	MayAttest bool
	// Viewings counts those under the grant, and Accepted says that the actor's session
	// has one that is open.
	Viewings int
	Accepted bool
	Exposure *Exposure // of the interview; nil for those who do not decide
}

// Grant returns one grant.
func (s *Service) Grant(ctx context.Context, actor evidence.Actor, id evidence.ID) (GrantView, error) {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return GrantView{}, err
	}
	g, err := s.Store.Grant(ctx, id)
	if errors.Is(err, evidence.ErrNotFound) {
		return GrantView{}, errHidden
	}
	if err != nil {
		return GrantView{}, err
	}
	return s.view(ctx, actor, g, now, map[evidence.ID]*Exposure{})
}

// Grants lists what the actor may see, the newest first: what she asked for or
// holds, and what she may see by her role on the case or in its agency. An
// interview that she may not know of is evidence.ErrNotFound. state is empty for any.
func (s *Service) Grants(ctx context.Context, actor evidence.Actor, interview evidence.ID, state GrantState) ([]GrantView, error) {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return nil, err
	}
	on, action := evidence.Resource{Kind: KindSystem}, GrantList
	if interview != "" {
		on, action = evidence.Resource{Kind: KindInterview, ID: interview}, InterviewRead
	}
	st, err := s.authorize(ctx, actor, action, on, now)
	if err != nil {
		return nil, err
	}
	filter := GrantFilter{Interview: interview, Account: actor.Account, Now: now, Limit: allLimit}
	if st.Role == evidence.RoleCustodian || st.Role == evidence.RoleAuditor {
		filter.OfAgency = st.Agency
	}
	list, err := s.Store.Grants(ctx, filter)
	if err != nil {
		return nil, err
	}
	views, exposures := []GrantView{}, map[evidence.ID]*Exposure{}
	for _, g := range list {
		if state != "" && g.StateAt(now) != state {
			continue
		}
		view, err := s.view(ctx, actor, g, now, exposures)
		if errors.Is(err, evidence.ErrRefused) || errors.Is(err, evidence.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		views = append(views, view)
	}
	return views, nil
}

func (s *Service) view(ctx context.Context, actor evidence.Actor, g Grant, now evidence.Instant, exposures map[evidence.ID]*Exposure) (GrantView, error) {
	on := evidence.Resource{Kind: KindGrant, ID: g.ID}
	st, err := s.authorize(ctx, actor, GrantRead, on, now)
	if err != nil {
		return GrantView{}, err
	}
	v := GrantView{Grant: g, StateNow: g.StateAt(now)}
	facts := s.facts(actor, st, now)
	may := func(action string) bool { return s.judge(ctx, actor, action, on, st, facts, nil) == nil }
	mine := slices.ContainsFunc(g.Approvals, func(a Approval) bool { return a.By == actor.Account })
	v.MayApprove = v.StateNow == Proposed && now < g.NotAfter && !mine && may(GrantApprove)
	v.MayRevoke = (v.StateNow == Active || v.StateNow == Proposed) && may(GrantRevoke)
	v.MayExtend = v.StateNow == Active && may(GrantExtend)
	v.MayAttest = g.Owes(now) && may(GrantAttest)
	if g.Conditions.Terms {
		sessions, err := s.Store.Viewings(ctx, g.ID)
		if err != nil {
			return GrantView{}, err
		}
		v.Viewings = len(sessions)
		v.Accepted = slices.ContainsFunc(sessions, func(one ViewingSession) bool {
			return one.Viewer == actor.Account && one.Session == actor.Session && one.Open(now)
		})
	}
	if !may(GrantReject) && !holds(st.Roles, evidence.RoleCaseManager) && st.Role != evidence.RoleAuditor && !holds(st.Roles, evidence.RoleAdvocate) {
		return v, nil
	}
	if exposures[g.Interview] == nil {
		e, err := s.Store.Exposure(ctx, g.Interview)
		if err != nil {
			return GrantView{}, err
		}
		exposures[g.Interview] = &e
	}
	v.Exposure = exposures[g.Interview]
	return v, nil
}
