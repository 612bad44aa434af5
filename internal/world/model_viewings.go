package world

import (
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
)

// conditions are random ones.
func (m *model) conditions() (c access.Conditions) {
	if m.rng.IntN(4) == 0 {
		c.Covers = []access.Cover{access.CoverAudio}
	}
	if m.rng.IntN(3) == 0 {
		c.Terms = true
		c.Viewings = m.rng.IntN(3)
	}
	return c
}

// viewing returns which viewing under a grant is open now, or -1. Everybody in the
// model has one session.
func (m *model) viewing(g *modelGrant) int {
	return slices.IndexFunc(g.viewings, func(last evidence.Instant) bool { return m.now-last < 30*60*1_000_000 })
}

// accept takes the terms of a grant, its holder most of the time.
func (m *model) accept() {
	g := m.inForce()
	if g == nil {
		return
	}
	by := m.people[slices.IndexFunc(m.people, func(a evidence.Actor) bool { return a.Account == g.To })]
	if m.rng.IntN(5) == 0 {
		by = m.someone()
	}
	open := m.viewing(g) >= 0
	want := g.To == by.Account && m.takesPart(by.Account) && g.State == access.Active && m.now >= g.NotBefore && m.now < g.NotAfter && (!g.onConsent || m.consents) &&
		(open || g.Conditions.Viewings == 0 || len(g.viewings) < g.Conditions.Viewings)
	_, sum := access.TermsIn("en")
	if _, err := m.Access.AcceptTerms(m.ctx, by, g.ID, sum); !m.expect("accept", err, want) || open {
		return
	}
	g.viewings = append(g.viewings, m.now)
	m.entries.accept++
	m.steps["accepted"]++
}

func (m *model) extend() {
	g := m.inForce()
	if g == nil {
		return
	}
	by := m.member()
	if m.rng.IntN(3) > 0 {
		by = m.people[slices.IndexFunc(m.people, func(a evidence.Actor) bool { return a.Account == g.To })]
	}
	asked := slices.ContainsFunc(m.grants, func(o *modelGrant) bool {
		return o.Extends == g.ID && (o.State == access.Proposed || o.State == access.Active)
	})
	want := m.takesPart(by.Account) && (g.To == by.Account || g.RequestedBy == by.Account) && g.State == access.Active && m.now < g.NotAfter && !asked &&
		m.takesPart(g.To) && (!g.onConsent || m.consents)
	longer, err := m.Access.ExtendGrant(m.ctx, by, g.ID)
	if !m.expect("extend", err, want) {
		return
	}
	if longer.NotBefore != g.NotAfter || longer.NotAfter != 2*g.NotAfter-g.NotBefore || !slices.Equal(longer.Tracks, g.Tracks) {
		m.T.Errorf("%+v does not go on from %+v", longer, g.Grant)
	}
	m.grants = append(m.grants, &modelGrant{Grant: longer, onConsent: g.onConsent})
}
