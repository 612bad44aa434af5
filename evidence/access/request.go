package access

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

const (
	// MaxGrantTracks bounds how many tracks one grant can give, so that one
	// custody entry can name them all.
	MaxGrantTracks = 24
	maxGrantText   = 500 // bytes of purpose and of basis
	allLimit       = 500 // grants in one list
)

// Request asks for a grant.
type Request struct {
	Interview evidence.ID
	Source    string         // AllSources, or a source's name or ID
	To        evidence.ID    // account of the recipient
	Asked     evidence.Range // interview time
	// Outward snaps to segment bounds outward instead of inward: a little more
	// than asked, and the approver sees the true bounds.
	Outward   bool
	NotBefore evidence.Instant // 0: now
	NotAfter  evidence.Instant
	// Transcript asks that the recipient may read the transcript of what the grant gives.
	Transcript bool
	// Clips asks that the recipient may have clips of what the grant gives. With
	// Conditions.Covers it follows from those.
	Clips      bool
	Conditions Conditions
	Purpose    string
	Basis      string
	// RestsOn is OnLaw or OnConsent. It is never guessed from the words of Basis: what
	// ends with a withdrawal depends on it (P37).
	RestsOn Foundation
	// Consent is the purpose of consent that must hold, with OnConsent; empty: the
	// one for the recipient's role on the case.
	Consent string
}

// consentFor is the purpose of consent that sharing with a role on the case
// rests on, where the basis is consent.
var consentFor = map[evidence.Role]string{
	evidence.RoleProsecutor: "share_prosecution",
	evidence.RoleAdvocate:   "share_advocate",
}

// consentPurposes are the purposes of consent that a grant can rest on.
var consentPurposes = []string{"share_prosecution", "share_defence", "share_court", "share_advocate", "share_ngo", "training"}

// RequestGrant asks for a grant. Its range is snapped to whole segments now, and
// the grant holds exactly those for ever. It is refused, with a sentence, when
// nothing fits, when the recording is not sealed, or when the recipient has no
// role on the case.
func (s *Service) RequestGrant(ctx context.Context, actor evidence.Actor, in Request) (Grant, error) {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Grant{}, err
	}
	on := evidence.Resource{Kind: KindInterview, ID: in.Interview, Subject: in.To}
	st, err := s.authorize(ctx, actor, GrantRequest, on, now)
	if err != nil {
		return Grant{}, err
	}
	g := Grant{ID: evidence.NewID(), Agency: st.OwnedBy, Case: st.Case, Interview: in.Interview, To: in.To, Asked: in.Asked,
		NotBefore: in.NotBefore, NotAfter: in.NotAfter, Clips: in.Clips, Transcript: in.Transcript, Conditions: in.Conditions, Purpose: strings.TrimSpace(in.Purpose), Basis: strings.TrimSpace(in.Basis),
		RestsOn: in.RestsOn, Consent: in.Consent, State: Proposed, RequestedBy: actor.Account, RequestedAt: now, Needed: 1, Version: 1}
	if st.Child {
		g.Needed = 2
	}
	if g.NotBefore == 0 {
		g.NotBefore = now
	}
	if err := g.check(now); err != nil {
		return Grant{}, err
	}
	if err := s.checkRecipient(ctx, &g, on, now); err != nil {
		return Grant{}, err
	}
	if err := s.bound(ctx, &g, in); err != nil {
		return Grant{}, err
	}
	entry := custody.Entry{Actor: actor, Action: GrantRequest, Agency: g.Agency, Case: g.Case, Interview: g.Interview, Subject: g.ID,
		Why: g.Purpose, Authority: g.Basis, Details: g.details()}
	if err := s.Store.CreateGrant(ctx, g, entry); err != nil {
		return Grant{}, fmt.Errorf("requesting grant %s: %w", g.ID, err)
	}
	return g, nil
}

func (g *Grant) check(now evidence.Instant) error {
	invalid := func(code, text string) error { return evidence.Refuse(evidence.ErrInvalid, code, text, "P28") }
	switch {
	case !g.Asked.Valid():
		return invalid("grant.range", "Give a range with a start and a later end.")
	case g.NotAfter <= g.NotBefore:
		return invalid("grant.times", "The end of the grant must lie after its beginning.")
	case g.NotAfter <= now:
		return invalid("grant.times.past", "The end of the grant lies in the past.")
	case g.Purpose == "" || len(g.Purpose) > maxGrantText:
		return invalid("grant.purpose", "Say what the recording is needed for, in at most 500 bytes.")
	case g.Basis == "" || len(g.Basis) > maxGrantText:
		return invalid("grant.basis", "Name the legal basis: the provision, decision, order or consent, in at most 500 bytes.")
	case g.RestsOn != OnLaw && g.RestsOn != OnConsent:
		return evidence.Refuse(evidence.ErrInvalid, "grant.rests_on", "Say whether the grant rests on law or on the person's consent. What rests on consent ends with it.", "P37")
	}
	return g.Conditions.check(&g.Clips, &g.Transcript)
}

// checkRecipient makes sure that the recipient belongs to the case and, where the
// basis is consent, that it is valid now.
func (s *Service) checkRecipient(ctx context.Context, g *Grant, on evidence.Resource, now evidence.Instant) error {
	// One sentence for an unknown account, one that is disabled, one without a
	// role and one kept apart: who belongs to a suspect is nobody's business here.
	const text = "The recipient has no role on this case. The case manager can add her to the team."
	st, err := s.Store.Standing(ctx, g.To, on, now)
	if err != nil {
		return err
	}
	if !st.Active || len(st.Roles) == 0 || st.Apart() {
		return evidence.Refuse(evidence.ErrInvalid, "grant.recipient", text, "P28")
	}
	if g.RestsOn == OnLaw {
		g.Consent = ""
		return nil
	}
	for _, role := range st.Roles {
		if g.Consent == "" {
			g.Consent = consentFor[role]
		}
	}
	if !slices.Contains(consentPurposes, g.Consent) {
		return evidence.Refuse(evidence.ErrInvalid, "grant.consent.purpose", "There is no consent that could be the basis for this recipient; name the provision, decision or order.", "P37")
	}
	return s.checkConsent(ctx, *g)
}

func (s *Service) checkConsent(ctx context.Context, g Grant) error {
	if g.RestsOn != OnConsent {
		return nil
	}
	valid, err := s.Store.ConsentHolds(ctx, g.Interview, g.Consent)
	if err != nil {
		return err
	}
	if !valid {
		return evidence.Refuse(evidence.ErrRefused, "grant.consent.missing", "There is no valid consent for this sharing. Record one, or name another legal basis.", "P37")
	}
	return nil
}

// bound snaps the asked range on each track that the request names.
func (s *Service) bound(ctx context.Context, g *Grant, in Request) error {
	interview, err := s.Store.Interview(ctx, g.Interview)
	if err != nil {
		return err
	}
	if interview.State != evidence.StateSealed {
		return evidence.Refuse(evidence.ErrConflict, "grant.not_sealed", "The recording is not sealed yet. A grant can be asked for once it is.", "P18")
	}
	sources, err := s.Store.Sources(ctx, g.Interview)
	if err != nil {
		return err
	}
	g.Source = AllSources
	for _, source := range sources {
		if in.Source == source.Name || in.Source == string(source.ID) {
			g.Source = string(source.ID)
		}
	}
	if g.Source == AllSources && in.Source != AllSources {
		return evidence.Refuse(evidence.ErrInvalid, "grant.source", `The interview has no such source. Name one of its sources, or "all".`, "")
	}
	tracks, err := s.Store.Tracks(ctx, g.Interview)
	if err != nil {
		return err
	}
	for _, track := range tracks {
		if g.Source != AllSources && g.Source != string(track.Source) || track.Replaces != "" || !g.Conditions.takes(track.Kind) && !g.Gives(CoverTranscript) {
			continue
		}
		b, ok, err := s.boundTrack(ctx, track, in)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if !g.Bounds.Valid() {
			g.Bounds = b.Range
		}
		g.Bounds.From, g.Bounds.Until = min(g.Bounds.From, b.Range.From), max(g.Bounds.Until, b.Range.Until)
		// A grant of the transcript alone has a range of time and no track.
		if g.Conditions.takes(track.Kind) {
			g.Tracks = append(g.Tracks, b)
		}
	}
	if err := s.boundReplacements(ctx, g, tracks, in.Asked); err != nil {
		return err
	}
	switch {
	case len(g.Tracks) == 0 && (!g.Gives(CoverTranscript) || !g.Bounds.Valid()):
		return evidence.Refuse(evidence.ErrInvalid, "grant.nothing_fits", "No whole segment of the recording lies inside this range. Segments are about two seconds long; ask for a wider range.", "P28")
	case len(g.Tracks) > MaxGrantTracks:
		return evidence.Refuse(evidence.ErrInvalid, "grant.too_many_tracks", "This would give more than 24 tracks at once. Ask for one source at a time.", "P28")
	}
	return nil
}

func (s *Service) boundTrack(ctx context.Context, track evidence.Track, in Request) (TrackBounds, bool, error) {
	reach := in.Asked
	if in.Outward {
		reach.From = 0 // predecessors of a dependent segment lie before the range
	}
	segments, err := s.Store.SegmentsOfTrack(ctx, track.ID, reach)
	if err != nil {
		return TrackBounds{}, false, err
	}
	leaves := make([]evidence.Leaf, 0, len(segments))
	for _, segment := range segments {
		if segment.Leaf.Kind == evidence.LeafMedia {
			leaves = append(leaves, segment.Leaf)
		}
	}
	slices.SortFunc(leaves, func(a, b evidence.Leaf) int { return a.Index - b.Index })
	first, last, ok := evidence.WholeSegments(leaves, in.Asked, in.Outward)
	if !ok {
		return TrackBounds{}, false, nil
	}
	b := TrackBounds{Track: track.ID, Source: track.Source, Kind: track.Kind, FirstIndex: first, LastIndex: last}
	for _, leaf := range leaves {
		if leaf.Index == first {
			b.Range.From = leaf.Start
		}
		if leaf.Index == last {
			b.Range.Until = leaf.End
		}
	}
	return b, true, nil
}

// details are what the custody entry says of a grant: codes and numbers only.
func (g Grant) details() map[string]string {
	d := map[string]string{
		"to": string(g.To), "source": g.Source, "rests_on": string(g.RestsOn), "needed": strconv.Itoa(g.Needed),
		"asked_from": number(g.Asked.From), "asked_until": number(g.Asked.Until), "from": number(g.Bounds.From), "until": number(g.Bounds.Until),
		"not_before": number(g.NotBefore), "not_after": number(g.NotAfter), "tracks": strconv.Itoa(len(g.Tracks)),
	}
	if g.Consent != "" {
		d["consent"] = g.Consent
	}
	if g.Clips {
		d["clips"] = "true"
	}
	if g.Transcript {
		d["transcript"] = "true"
	}
	if len(g.Conditions.Covers) > 0 {
		covers := make([]string, len(g.Conditions.Covers))
		for i, c := range g.Conditions.Covers {
			covers[i] = string(c)
		}
		d["covers"] = strings.Join(covers, ",")
	}
	for name, on := range map[string]bool{"terms": g.Conditions.Terms, "blur": g.Conditions.Blur, "return": g.Conditions.Return} {
		if on {
			d[name] = "true"
		}
	}
	if g.Conditions.Viewings > 0 {
		d["viewings"] = strconv.Itoa(g.Conditions.Viewings)
	}
	if g.Extends != "" {
		d["extends"] = string(g.Extends)
	}
	return d
}

func number[N ~int64](n N) string { return strconv.FormatInt(int64(n), 10) }
