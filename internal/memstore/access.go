package memstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/people"
)

var (
	_ access.Store  = (*Store)(nil)
	_ consent.Store = (*Store)(nil)
)

func (s *Store) Standing(_ context.Context, account evidence.ID, on evidence.Resource, now evidence.Instant) (access.Standing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.standing(account, on, now)
}

func (s *Store) standing(account evidence.ID, on evidence.Resource, now evidence.Instant) (access.Standing, error) {
	a := s.accounts[account]
	st := access.Standing{Active: a.State == people.Active, Agency: a.Agency, Role: a.Role}
	var person evidence.ID
	found := true
	switch on.Kind {
	case access.KindSystem:
	case access.KindAgency:
		_, found = s.agencies[on.ID]
		st.OwnedBy = on.ID
	case access.KindAccount:
		var other people.Account
		other, found = s.accounts[on.ID]
		st.OwnedBy, st.Own = other.Agency, other.ProposedBy == account
		if other.RecoveryBy != "" {
			st.Own = other.RecoveryBy == account
		}
	case access.KindCase:
		_, found = s.cases[on.ID]
		st.Case = on.ID
	case access.KindPerson:
		_, found = s.persons[on.ID]
		person, st.Case = on.ID, s.persons[on.ID].Case
	case access.KindConsent:
		i := slices.IndexFunc(s.consents, func(r consent.Record) bool { return r.ID == on.ID })
		if found = i >= 0; found {
			r := s.consents[i]
			person, st.Case, st.Own = r.Person, r.Case, r.RecordedBy == account
		}
	case access.KindInterview:
		var iv evidence.Interview
		iv, found = s.interviews[on.ID]
		person, st.Case, st.Interview = iv.Person, iv.Case, iv.ID
	case access.KindGrant:
		var g access.Grant
		g, found = s.grants[on.ID]
		person, st.Case, st.Interview = s.interviews[g.Interview].Person, g.Case, g.Interview
		st.Own, st.Recipient = g.RequestedBy == account, g.To == account
		st.CustodianApproved = slices.ContainsFunc(g.Approvals, func(a access.Approval) bool { return a.Role == evidence.RoleCustodian })
	case access.KindSheet:
		var sheet casefile.Sheet
		sheet, found = s.sheets[on.ID]
		st.Case, st.Interview, st.Own = sheet.Case, sheet.Interview, sheet.By == account
		person = sheet.Person
		held := slices.Contains(s.roles(account, sheet.Case, now), sheet.ForRole) || sheet.ForRole == evidence.RoleCustodian && a.Role == sheet.ForRole && a.Agency == sheet.Agency
		st.Recipient = sheet.ForAccount == account || sheet.ForAccount == "" && sheet.ForRole != "" && held
	default:
		found = false
	}
	if !found {
		return access.Standing{}, notFound(on.Kind)
	}
	if st.Case != "" {
		st.OwnedBy, st.Roles = s.cases[st.Case].Agency, s.roles(account, st.Case, now)
		st.Linked, st.Lifted = s.linked(account, st.Case, now)
	}
	if person != "" {
		st.Child = s.persons[person].TreatedAsChild()
	}
	return st, nil
}

func (s *Store) Viewing(_ context.Context, actor evidence.Actor, interview evidence.ID, now evidence.Instant) (access.Viewing, error) {
	account := actor.Account
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.standing(account, evidence.Resource{Kind: access.KindInterview, ID: interview}, now)
	if err != nil {
		return access.Viewing{}, err
	}
	v := access.Viewing{Standing: st, Recording: s.interviews[interview].Recording, Consents: map[string]bool{}, Accepted: map[evidence.ID]bool{}}
	for _, one := range s.viewings {
		if one.Viewer == account && one.Session == actor.Session && one.Open(now) {
			v.Accepted[one.Grant] = true
		}
	}
	for _, g := range sorted(s.grants) {
		if g.To == account && g.Interview == interview && g.WasActive() {
			v.Grants = append(v.Grants, g)
			if g.RestsOn == access.OnConsent {
				v.Consents[g.Consent] = s.holds(interview, g.Consent, now)
			}
		}
	}
	return v, nil
}

func (s *Store) holds(interview evidence.ID, purpose string, now evidence.Instant) bool {
	p := s.persons[s.interviews[interview].Person]
	return len(consent.Judge(p, s.consentsOf(p.ID), consent.Purpose(purpose), now)) == 0
}

func (s *Store) ConsentHolds(_ context.Context, interview evidence.ID, purpose string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.holds(interview, purpose, s.now), nil
}

func (s *Store) Sources(_ context.Context, interview evidence.ID) ([]evidence.Source, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sources[interview], nil
}

func (s *Store) Tracks(_ context.Context, interview evidence.ID) ([]evidence.Track, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tracks[interview], nil
}

// AddTrack gives an interview a source (if new) and a track with its segments.
func (s *Store) AddTrack(source evidence.Source, track evidence.Track, segments []evidence.Segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.ContainsFunc(s.sources[source.Interview], func(o evidence.Source) bool { return o.ID == source.ID }) {
		s.sources[source.Interview] = append(s.sources[source.Interview], source)
	}
	s.tracks[track.Interview] = append(s.tracks[track.Interview], track)
	s.segments[track.ID] = segments
}

func (s *Store) SegmentsOfTrack(_ context.Context, track evidence.ID, r evidence.Range) ([]evidence.Segment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []evidence.Segment
	for _, seg := range s.segments[track] {
		if seg.Leaf.Kind == evidence.LeafMedia && r.Overlaps(seg.Leaf.Range()) {
			out = append(out, seg)
		}
	}
	return out, nil
}

func (s *Store) SegmentAt(_ context.Context, track evidence.ID, kind evidence.LeafKind, index int) (evidence.Segment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range s.segments[track] {
		l := seg.Leaf
		if l.Kind == kind && (kind == evidence.LeafMedia && l.Index == index || kind == evidence.LeafInit && l.Init == index) {
			return seg, nil
		}
	}
	return evidence.Segment{}, notFound("segment")
}

func (s *Store) CreateGrant(_ context.Context, g access.Grant, e custody.Entry) error {
	return s.one(e, func() error {
		for _, have := range s.grants {
			if g.Extends != "" && have.Extends == g.Extends && (have.State == access.Proposed || have.State == access.Active) {
				return conflict("extension")
			}
		}
		s.grants[g.ID] = g
		return nil
	})
}

func (s *Store) Grant(_ context.Context, id evidence.ID) (access.Grant, error) {
	return get(s, s.grants, id, "grant")
}

func (s *Store) Grants(_ context.Context, f access.GrantFilter) ([]access.Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []access.Grant
	for _, g := range sorted(s.grants) {
		mine := g.To == f.Account || g.RequestedBy == f.Account || len(s.roles(f.Account, g.Case, f.Now)) > 0 || f.OfAgency != "" && g.Agency == f.OfAgency
		if mine && (f.Interview == "" || g.Interview == f.Interview) {
			out = append(out, g)
		}
	}
	slices.Reverse(out)
	return out, nil
}

func (s *Store) ChangeGrant(_ context.Context, g access.Grant, e custody.Entry) error {
	return s.one(e, func() error {
		have, ok := s.grants[g.ID]
		if !ok || have.Version != g.Version {
			return conflict("grant")
		}
		have.State, have.Approvals, have.Needed, have.EndedBy, have.EndedAt = g.State, g.Approvals, g.Needed, g.EndedBy, g.EndedAt
		have.Attested, have.AttestedAt = g.Attested, g.AttestedAt
		have.Version++
		s.grants[g.ID] = have
		return nil
	})
}

func (s *Store) Exposure(_ context.Context, interview evidence.ID) (access.Exposure, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var e access.Exposure
	for _, g := range s.grants {
		if g.Interview == interview && g.WasActive() {
			e.Grants++
		}
	}
	type part struct {
		viewer, track evidence.ID
		index         int
	}
	once, most, per := map[part]bool{}, map[evidence.ID]evidence.Offset{}, map[part]evidence.Offset{}
	for d := range s.gone {
		key := part{d.Viewer, d.Track, d.Index}
		if d.Interview != interview || once[key] {
			continue
		}
		once[key] = true
		key.index = 0
		per[key] += d.Range.Until - d.Range.From
		most[d.Viewer] = max(most[d.Viewer], per[key])
	}
	for _, v := range most {
		e.Viewers++
		e.Delivered += v
	}
	return e, nil
}

func (s *Store) OpenWindow(_ context.Context, w access.Window, need evidence.Range, e custody.Entry) (access.Window, error) {
	if s.BeforeWindow != nil {
		s.BeforeWindow()
	}
	opened := w
	err := s.one(e, func() error {
		if s.grants[w.Grant].State != access.Active {
			return evidence.ErrConflict
		}
		for _, have := range s.windows {
			if have.Viewer == w.Viewer && have.Session == w.Session && have.Grant == w.Grant && w.OpenedAt >= have.OpenedAt && w.OpenedAt < have.ExpiresAt &&
				(need == evidence.Range{} || have.Range.Contains(need)) {
				opened = have
				return errCovered
			}
		}
		for i, one := range s.viewings {
			if one.Grant == w.Grant && one.Viewer == w.Viewer && one.Session == w.Session && one.Open(w.OpenedAt) {
				s.viewings[i].LastAt = w.OpenedAt
			}
		}
		s.windows = append(s.windows, w)
		return nil
	})
	if err == errCovered {
		err = nil
	}
	return opened, err
}

func (s *Store) OpenViewing(_ context.Context, v access.ViewingSession, most int, e custody.Entry) (access.ViewingSession, error) {
	opened := v
	err := s.one(e, func() error {
		if s.grants[v.Grant].State != access.Active {
			return conflict("grant")
		}
		had := 0
		for _, one := range s.viewings {
			if one.Grant != v.Grant {
				continue
			}
			if had++; one.Viewer == v.Viewer && one.Session == v.Session && one.Open(v.AcceptedAt) {
				opened = one
				return errCovered
			}
		}
		if most > 0 && had >= most {
			return access.ErrViewingsUsed
		}
		s.viewings = append(s.viewings, v)
		return nil
	})
	if err == errCovered {
		err = nil
	}
	return opened, err
}

func (s *Store) Viewings(_ context.Context, grant evidence.ID) ([]access.ViewingSession, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.viewings), func(v access.ViewingSession) bool { return v.Grant != grant }), nil
}

func (s *Store) LogPreview(_ context.Context, grant evidence.ID, e custody.Entry) error {
	if s.BeforeWindow != nil {
		s.BeforeWindow()
	}
	return s.one(e, func() error {
		if s.grants[grant].State != access.Active {
			return evidence.ErrConflict
		}
		return nil
	})
}

var errCovered = fmt.Errorf("covered by a committed entry")

func (s *Store) SaveDelivered(_ context.Context, d access.Delivered) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.FailBefore["delivered"] {
		return ErrInjected
	}
	s.gone[d] = true
	return nil
}

func (s *Store) LogRefusal(_ context.Context, account, interview evidence.ID, code string, since evidence.Instant, e custody.Entry) error {
	key := fmt.Sprint(account, interview, code)
	err := s.one(e, func() error {
		if at, ok := s.refusals[key]; ok && at > since {
			return errCovered
		}
		s.refusals[key] = s.now
		return nil
	})
	if err == errCovered {
		err = nil
	}
	return err
}

// Windows returns the committed delivery windows, in order.
func (s *Store) Windows() []access.Window {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.windows)
}

func (s *Store) Consent(_ context.Context, id evidence.ID) (consent.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.consents {
		if r.ID == id {
			return cloned(r), nil
		}
	}
	return consent.Record{}, notFound("consent")
}

func cloned(r consent.Record) consent.Record {
	r.Items = slices.Clone(r.Items)
	return r
}

func (s *Store) consentsOf(person evidence.ID) []consent.Record {
	var out []consent.Record
	for _, r := range slices.Backward(s.consents) {
		if r.Person == person {
			out = append(out, cloned(r))
		}
	}
	return out
}

func (s *Store) Consents(_ context.Context, person evidence.ID) ([]consent.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.consentsOf(person), nil
}

func (s *Store) ConsentsOfCase(_ context.Context, caseID evidence.ID) ([]consent.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []consent.Record
	for _, r := range slices.Backward(s.consents) {
		if r.Case == caseID {
			out = append(out, cloned(r))
		}
	}
	return out, nil
}

func (s *Store) GrantsOnConsent(_ context.Context, person evidence.ID) ([]consent.Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grantsOnConsent(person), nil
}

func (s *Store) grantsOnConsent(person evidence.ID) []consent.Grant {
	var out []consent.Grant
	for _, g := range sorted(s.grants) {
		if s.interviews[g.Interview].Person == person && g.RestsOn == access.OnConsent && (g.State == access.Proposed || g.State == access.Active) {
			out = append(out, consent.Grant{ID: g.ID, Interview: g.Interview, To: g.To, Purpose: consent.Purpose(g.Consent), Version: g.Version})
		}
	}
	return out
}

func (s *Store) ApplyConsent(_ context.Context, c consent.Change, entries []custody.Entry) error {
	return s.write(entries, func() error {
		if !s.asSeen(c) {
			return conflict("consent")
		}
		before := make([]consent.Record, len(s.consents))
		for i, r := range s.consents {
			before[i] = cloned(r)
		}
		if err := s.applyActs(c); err != nil {
			s.consents = before
			return err
		}
		for _, duty := range c.Duties {
			s.sheets[duty.ID] = duty
		}
		for _, id := range c.Ready {
			iv := s.interviews[id]
			s.setState(&iv, evidence.StateReady)
		}
		for _, id := range c.NotReady {
			iv := s.interviews[id]
			s.setState(&iv, evidence.StatePlanned)
		}
		for _, id := range c.EndGrants {
			g := s.grants[id]
			g.State, g.EndedAt = access.Ended, c.At
			g.Version++
			s.grants[id] = g
		}
		return nil
	})
}

func (s *Store) asSeen(c consent.Change) bool {
	live := 0
	for _, iv := range s.interviews {
		if iv.Person != c.Person {
			continue
		}
		switch iv.State {
		case evidence.StatePlanned, evidence.StateReady, evidence.StateRecording, evidence.StatePaused:
			live++
			if v, ok := c.Seen.Interviews[iv.ID]; !ok || v != iv.Version {
				return false
			}
		}
	}
	grants := s.grantsOnConsent(c.Person)
	for _, g := range grants {
		if v, ok := c.Seen.Grants[g.ID]; !ok || v != g.Version {
			return false
		}
	}
	return live == len(c.Seen.Interviews) && len(grants) == len(c.Seen.Grants)
}

func (s *Store) insert(r consent.Record) bool {
	for _, item := range r.Items {
		last := 0
		for i := range s.consents {
			for j, it := range s.consents[i].Items {
				if s.consents[i].Person == r.Person && it.Purpose == item.Purpose {
					last = max(last, it.Version)
					if it.SupersededAt == 0 && !r.Waits() {
						s.consents[i].Items[j].SupersededAt = r.RecordedAt
					}
				}
			}
		}
		if item.Version != last+1 {
			return false
		}
	}
	s.consents = append(s.consents, cloned(r))
	return true
}

// applyActs changes the acts themselves; a conflict leaves them half changed.
func (s *Store) applyActs(c consent.Change) error {
	if c.Insert != nil && !s.insert(*c.Insert) {
		return conflict("consent version")
	}
	for i := range s.consents {
		r := &s.consents[i]
		if c.Attest != nil && r.ID == c.Attest.Record {
			if r.AttestedBy != "" || r.RecordedBy == c.Attest.By || r.Form != consent.Attested {
				return conflict("attestation")
			}
			r.AttestedBy, r.AttestedAt = c.Attest.By, c.Attest.At
			s.replaceBy(*r, c.Attest.At)
		}
		for _, w := range c.Withdraw {
			if r.ID != w.Record {
				continue
			}
			for j, it := range r.Items {
				if slices.Contains(w.Purposes, it.Purpose) {
					if it.WithdrawnAt != 0 || it.SupersededAt != 0 {
						return conflict("withdrawal")
					}
					r.Items[j].WithdrawnAt, r.Items[j].WithdrawnBy, r.Items[j].RecordedBy = w.At, w.By, w.RecordedBy
				}
			}
		}
	}
	return nil
}

// replaceBy marks what an act replaces once it is attested.
func (s *Store) replaceBy(r consent.Record, at evidence.Instant) {
	for i := range s.consents {
		for j, it := range s.consents[i].Items {
			if mine, has := r.Item(it.Purpose); has && s.consents[i].Person == r.Person && it.Version < mine.Version && it.SupersededAt == 0 {
				s.consents[i].Items[j].SupersededAt = at
			}
		}
	}
}

func (s *Store) SaveRepeat(_ context.Context, r consent.Repeat, e custody.Entry) error {
	return s.one(e, func() error {
		if slices.ContainsFunc(s.repeats, func(o consent.Repeat) bool { return o.Consent == r.Consent && o.Interview == r.Interview }) {
			return conflict("repeat")
		}
		s.repeats = append(s.repeats, r)
		return nil
	})
}

func (s *Store) Repeats(_ context.Context, caseID evidence.ID) ([]consent.Repeat, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.repeats), func(r consent.Repeat) bool { return s.interviews[r.Interview].Case != caseID }), nil
}
