package world

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
)

// model is a second, simple opinion on who may see what. It knows nothing of the
// policy and keeps its own books: a random act is done both on the services and
// here, and after every step the two must agree.
type model struct {
	*World
	ctx     context.Context
	rng     *rand.Rand
	iv      evidence.Interview
	tracks  []Track
	suspect casefile.Person
	people  []evidence.Actor

	now      evidence.Instant
	onTeam   map[evidence.ID]evidence.Role
	linked   map[evidence.ID]bool
	consents bool // to share with the prosecution
	record   evidence.ID
	grants   []*modelGrant
	windows  []access.Window
	seen     map[modelSegment]bool
	refused  map[string]evidence.Instant
	entries  struct{ deliver, refuse, accept int }
	steps    map[string]int // what happened, so that a run that tests nothing shows
}

type modelGrant struct {
	access.Grant
	onConsent bool
	viewings  []evidence.Instant // when a window was last opened in each, or it began
}

type modelSegment struct {
	viewer evidence.ID
	track  int
	index  int
}

// RunModel does random acts by random people over random times on an empty world
// and fails the test at the first disagreement: media without a live grant whose
// basis holds, media refused although there is one, somebody who is kept apart let
// in, custody entries other than one for each window and each logged refusal, or
// exposure that does not add up.
func RunModel(w *World, seed uint64, steps int) {
	w.T.Helper()
	w.OpenCase()
	m := &model{World: w, ctx: context.Background(), rng: rand.New(rand.NewPCG(seed, 7)), onTeam: map[evidence.ID]evidence.Role{}, linked: map[evidence.ID]bool{},
		seen: map[modelSegment]bool{}, refused: map[string]evidence.Instant{}, steps: map[string]int{}}
	m.iv, m.tracks = w.Sealed(w.Victim.ID, 80)
	m.suspect = w.AddPerson(casefile.NewPerson{Pseudonym: "Ujku", Kind: casefile.Suspect, Age: casefile.Adult, Language: "sq"})
	for _, role := range evidence.Roles {
		m.people = append(m.people, w.Actors[role], w.Second[role])
		if slices.Contains(casefile.TeamRoles, role) {
			m.onTeam[w.Actors[role].Account] = role
		}
	}
	acts := []struct {
		weight int
		name   string
		do     func()
	}{{6, "request", m.request}, {10, "approve", m.approve}, {2, "revoke", m.revoke}, {1, "reject", m.reject}, {50, "play", m.play}, {12, "watch", m.watch},
		{4, "wait", m.wait}, {2, "join", m.join}, {2, "leave", m.leave}, {8, "accept", m.accept}, {2, "extend", m.extend}, {2, "consent", m.consent}, {2, "withdraw", m.withdraw}}
	var wheel []func()
	for _, a := range acts {
		for range a.weight {
			wheel = append(wheel, func() { m.steps[a.name]++; a.do() })
		}
	}
	for step := range steps {
		m.now, _ = w.Store.Now(m.ctx)
		if step == steps*9/10 {
			m.link() // late, because it is for ever
		}
		wheel[m.rng.IntN(len(wheel))]()
		m.agree(step)
		if w.T.Failed() {
			w.T.Fatalf("seed %d, step %d", seed, step)
		}
	}
	w.T.Logf("seed %d: %v, %d windows, %d refusals logged", seed, m.steps, m.entries.deliver, m.entries.refuse)
	if m.steps["delivered"] == 0 || m.steps["refused"] == 0 || m.steps["hidden"] == 0 || m.steps["accepted"] == 0 {
		w.T.Errorf("seed %d tested too little: %v", seed, m.steps)
	}
}

func (m *model) someone() evidence.Actor { return m.people[m.rng.IntN(len(m.people))] }

// member is one of the people most of the time on the team.
func (m *model) member() evidence.Actor {
	if m.rng.IntN(6) == 0 {
		return m.someone()
	}
	ids := slices.Sorted(maps.Keys(m.onTeam))
	if len(ids) == 0 {
		return m.someone()
	}
	id := ids[m.rng.IntN(len(ids))]
	return m.people[slices.IndexFunc(m.people, func(a evidence.Actor) bool { return a.Account == id })]
}

func (m *model) takesPart(id evidence.ID) bool { return m.onTeam[id] != "" && !m.linked[id] }

func (m *model) expect(what string, err error, want bool) bool {
	m.T.Helper()
	if (err == nil) != want {
		m.T.Errorf("%s: %v, the model says %v", what, err, want)
	}
	return err == nil && want
}

func (m *model) request() {
	by, to := m.member(), m.member()
	length := time.Duration(20+m.rng.IntN(180)) * time.Second
	if m.rng.IntN(4) == 0 {
		length += 2 * time.Hour
	}
	begin := m.now + evidence.Instant((time.Duration(m.rng.IntN(60)-20) * time.Second).Microseconds())
	in := access.Request{Interview: m.iv.ID, Source: []string{access.AllSources, "close-up", "wide"}[m.rng.IntN(3)], To: to.Account,
		NotBefore: begin, NotAfter: begin + evidence.Instant(length.Microseconds()), Purpose: "review", Basis: "decision 12", RestsOn: []access.Foundation{access.OnLaw, access.OnConsent}[m.rng.IntN(2)]}
	in.Asked.From = evidence.Offset(m.rng.IntN(90_000_000))
	in.Asked.Until = in.Asked.From + evidence.Offset(m.rng.IntN(40_000_000))
	onConsent := in.RestsOn == access.OnConsent
	in.Conditions = m.conditions()

	want := m.takesPart(by.Account) && m.takesPart(to.Account) && in.Asked.Valid() && in.NotAfter > m.now
	if onConsent {
		want = want && m.onTeam[to.Account] == evidence.RoleProsecutor && m.consents
	}
	bounds := m.bounds(in.Asked, in.Source)
	if len(in.Conditions.Covers) > 0 {
		bounds = slices.DeleteFunc(bounds, func(b access.TrackBounds) bool { return b.Kind == evidence.Video })
	}
	want = want && len(bounds) > 0
	g, err := m.Access.RequestGrant(m.ctx, by, in)
	if !m.expect("request", err, want) {
		return
	}
	if !slices.Equal(g.Tracks, bounds) {
		m.T.Errorf("the request for %v was snapped to %+v, the model says %+v", in.Asked, g.Tracks, bounds)
	}
	m.grants = append(m.grants, &modelGrant{Grant: g, onConsent: onConsent})
}

// bounds finds the longest run of whole segments inside a range by trying all.
func (m *model) bounds(asked evidence.Range, source string) []access.TrackBounds {
	var out []access.TrackBounds
	for _, t := range m.tracks {
		if source != access.AllSources && source != t.Source.Name {
			continue
		}
		media := t.Leaves[1:]
		best := access.TrackBounds{Track: t.Track.ID, Source: t.Source.ID, Kind: t.Track.Kind, FirstIndex: 1}
		for i := range media {
			for j := i; j < len(media) && media[i].Independent; j++ {
				run := evidence.Range{From: media[i].Start, Until: media[j].End}
				if asked.Contains(run) && j-i > best.LastIndex-best.FirstIndex {
					best.FirstIndex, best.LastIndex, best.Range = i, j, run
				}
			}
		}
		if best.Range.Valid() {
			out = append(out, best)
		}
	}
	return out
}

// pick chooses a grant, a recent one most of the time.
func (m *model) pick() *modelGrant {
	if len(m.grants) == 0 {
		return nil
	}
	if m.rng.IntN(3) > 0 {
		return m.grants[len(m.grants)-1-m.rng.IntN(min(3, len(m.grants)))]
	}
	return m.grants[m.rng.IntN(len(m.grants))]
}

func (m *model) custodian() evidence.Actor {
	if m.rng.IntN(4) == 0 {
		return m.someone()
	}
	return []evidence.Actor{m.Actors[evidence.RoleCustodian], m.Second[evidence.RoleCustodian]}[m.rng.IntN(2)]
}

func (m *model) approve() {
	g := m.pick()
	if g == nil {
		return
	}
	by := m.custodian()
	want := by.Role == evidence.RoleCustodian && g.State == access.Proposed && m.now < g.NotAfter && m.takesPart(g.To) && (!g.onConsent || m.consents)
	if _, err := m.Access.ApproveGrant(m.ctx, by, g.ID); m.expect("approve", err, want) {
		g.State = access.Active
	}
}

func (m *model) reject() {
	g := m.pick()
	if g == nil {
		return
	}
	by := m.custodian()
	want := by.Role == evidence.RoleCustodian && g.State == access.Proposed
	if _, err := m.Access.RejectGrant(m.ctx, by, g.ID, "no"); m.expect("reject", err, want) {
		g.State = access.Rejected
	}
}

func (m *model) revoke() {
	g := m.pick()
	if g == nil {
		return
	}
	by := m.custodian()
	if m.rng.IntN(3) == 0 {
		by = m.member()
	}
	// Whoever left the case can still give up what she holds.
	party := !m.linked[by.Account] && (g.To == by.Account || g.RequestedBy == by.Account)
	may := by.Role == evidence.RoleCustodian || party || m.takesPart(by.Account) && m.onTeam[by.Account] == evidence.RoleCaseManager
	live := g.State == access.Proposed || g.State == access.Active && m.now < g.NotAfter
	if _, err := m.Access.RevokeGrant(m.ctx, by, g.ID, "over"); m.expect("revoke", err, may && live) {
		if g.State == access.Proposed {
			g.State = access.Rejected
		} else {
			g.State = access.Revoked
		}
	}
}

func (m *model) wait() {
	d := time.Duration(m.rng.IntN(20)) * time.Second
	if m.rng.IntN(10) == 0 {
		d += time.Minute
	}
	if m.rng.IntN(25) == 0 {
		d += access.ViewingIdle
	}
	m.Advance(d)
	m.now, _ = m.Store.Now(m.ctx)
}

func (m *model) join() {
	a := m.someone()
	want := m.onTeam[a.Account] == "" && !m.linked[a.Account] && slices.Contains(casefile.TeamRoles, a.Role)
	_, err := m.Cases.AddMember(m.ctx, m.Actors[evidence.RoleCaseManager], casefile.NewMember{Case: m.Case.ID, Account: a.Account, Role: a.Role})
	if m.expect("join", err, want) {
		m.onTeam[a.Account] = a.Role
	}
}

func (m *model) leave() {
	a := m.member()
	if a.Account == m.Actors[evidence.RoleCaseManager].Account || a.Account == m.Actors[evidence.RoleInterviewer].Account || m.onTeam[a.Account] == "" {
		return
	}
	team, err := m.Cases.Team(m.ctx, m.Actors[evidence.RoleCaseManager], m.Case.ID)
	m.Must(err)
	for _, member := range team {
		if member.Account == a.Account && member.EndedAt == 0 {
			m.Must(m.Cases.RemoveMember(m.ctx, m.Actors[evidence.RoleCaseManager], m.Case.ID, member.ID, "moved"))
		}
	}
	delete(m.onTeam, a.Account)
}

func (m *model) link() {
	a := m.Actors[evidence.RoleProsecutor]
	_, err := m.Cases.Link(m.ctx, m.Actors[evidence.RoleCaseManager], casefile.NewLink{Person: m.suspect.ID, Account: a.Account, Kind: casefile.LinkKin, Why: "brother"})
	m.Must(err)
	m.linked[a.Account] = true
	delete(m.onTeam, a.Account)
}

func (m *model) consent() {
	r := m.Consents(m.WrittenConsent(m.Victim.ID, consent.ToShareProsecution))
	m.record, m.consents = r.ID, true
}

func (m *model) withdraw() {
	if m.record == "" {
		return
	}
	_, err := m.Consent.Withdraw(m.ctx, m.Actors[evidence.RoleInterviewer], m.record, consent.Withdrawal{})
	if !m.expect("withdraw", err, m.consents) {
		return
	}
	m.consents = false
	for _, g := range m.grants {
		if g.onConsent && (g.State == access.Active || g.State == access.Proposed) {
			if g.State == access.Proposed {
				g.Needed = 99 // it ended before it was ever in force
			}
			g.State = access.Ended
		}
	}
}

// play asks for one segment.
func (m *model) play() {
	by := m.member()
	track, index := m.rng.IntN(len(m.tracks)), m.rng.IntN(42)-1
	if g := m.inForce(); g != nil && m.rng.IntN(4) > 0 {
		b := g.Tracks[m.rng.IntN(len(g.Tracks))]
		track = slices.IndexFunc(m.tracks, func(t Track) bool { return t.Track.ID == b.Track })
		index = b.FirstIndex - 1 + m.rng.IntN(b.LastIndex-b.FirstIndex+3)
		if m.rng.IntN(4) > 0 {
			by = m.people[slices.IndexFunc(m.people, func(a evidence.Actor) bool { return a.Account == g.To })]
		}
	}
	m.ask(by, track, index)
}

// inForce chooses a grant that can be played now, if there is one.
func (m *model) inForce() *modelGrant {
	var live []*modelGrant
	for _, g := range m.grants {
		if g.State == access.Active && m.now >= g.NotBefore && m.now < g.NotAfter {
			live = append(live, g)
		}
	}
	if len(live) == 0 || m.rng.IntN(3) == 0 {
		return m.pick()
	}
	return live[m.rng.IntN(len(live))]
}

// watch plays a grant as a player does, side by side on its tracks.
func (m *model) watch() {
	g := m.inForce()
	if g == nil {
		return
	}
	by := m.people[slices.IndexFunc(m.people, func(a evidence.Actor) bool { return a.Account == g.To })]
	from := g.Tracks[0].FirstIndex + m.rng.IntN(g.Tracks[0].LastIndex-g.Tracks[0].FirstIndex+1)
	for index := from; index < from+4; index++ {
		for i := range m.tracks {
			if _, ok := bounded(g.Grant, m.tracks[i].Track.ID); ok {
				m.ask(by, i, index)
			}
		}
	}
}

func bounded(g access.Grant, track evidence.ID) (access.TrackBounds, bool) {
	i := slices.IndexFunc(g.Tracks, func(b access.TrackBounds) bool { return b.Track == track })
	if i < 0 {
		return access.TrackBounds{}, false
	}
	return g.Tracks[i], true
}

// ask requests one segment and keeps the model's books.
func (m *model) ask(by evidence.Actor, track, index int) {
	t := m.tracks[track]
	interview := m.iv.ID
	if m.rng.IntN(40) == 0 {
		interview = evidence.NewID()
	}
	d, err := m.Access.Deliver(m.ctx, by, interview, t.Track.ID, evidence.LeafMedia, index)
	live, any := m.live(by.Account, t.Track.ID, index, interview)
	exists := index >= 0 && index < len(t.Leaves)-1
	what := fmt.Sprintf("%s %s asks for track %d segment %d", by.Role, by.Account, track, index)
	switch {
	case live != nil && exists:
		m.steps["delivered"]++
		if err != nil || d.Grant != live.ID || d.Segment.Leaf.Index != index || d.Segment.Leaf.Track != t.Track.ID {
			m.T.Errorf("%s: %+v, %v; the model delivers under %s", what, d, err, live.ID)
			return
		}
		m.delivered(by, live, t.Leaves[index+1])
		m.seen[modelSegment{by.Account, track, index}] = true
	case any && exists:
		m.steps["refused"]++
		var r *evidence.Refusal
		if !errors.As(err, &r) || errors.Is(err, evidence.ErrNotFound) {
			m.T.Errorf("%s: %v, the model refuses with a reason", what, err)
			return
		}
		m.refusal(by, interview, r.Reasons[0].Code)
	default:
		m.steps["hidden"]++
		if !errors.Is(err, evidence.ErrNotFound) || errors.Is(err, evidence.ErrRefused) {
			m.T.Errorf("%s: %v, the model hides it", what, err)
			return
		}
		if interview != m.iv.ID {
			interview = ""
		}
		m.refusal(by, interview, "not_found")
	}
}

// live returns the oldest grant under which somebody may have a segment now, and
// whether she ever had one and may know of the case.
func (m *model) live(account, track evidence.ID, index int, interview evidence.ID) (live *modelGrant, any bool) {
	if interview != m.iv.ID || !m.takesPart(account) {
		return nil, false
	}
	for _, g := range m.grants {
		if g.To != account || g.State == access.Proposed || g.State == access.Rejected || g.Needed == 99 {
			continue
		}
		any = true
		b, ok := bounded(g.Grant, track)
		if ok && live == nil && g.State == access.Active && m.now >= g.NotBefore && m.now < g.NotAfter && index >= b.FirstIndex && index <= b.LastIndex && (!g.onConsent || m.consents) &&
			(!g.Conditions.Terms || m.viewing(g) >= 0) {
			live = g
		}
	}
	return live, any
}

func (m *model) delivered(by evidence.Actor, g *modelGrant, l evidence.Leaf) {
	for _, w := range m.windows {
		if w.Viewer == by.Account && w.Grant == g.ID && m.now < w.ExpiresAt && w.Range.Contains(l.Range()) {
			return
		}
	}
	from := max(g.Bounds.From, l.Start-5_000_000)
	m.windows = append(m.windows, access.Window{Viewer: by.Account, Grant: g.ID, ExpiresAt: m.now + 30_000_000,
		Range: evidence.Range{From: from, Until: max(l.End, min(g.Bounds.Until, from+30_000_000))}})
	m.entries.deliver++
	if i := m.viewing(g); i >= 0 {
		g.viewings[i] = m.now
	}
}

func (m *model) refusal(by evidence.Actor, interview evidence.ID, code string) {
	key := fmt.Sprint(by.Account, interview, code)
	if at, ok := m.refused[key]; ok && at > m.now-30_000_000 {
		return
	}
	m.refused[key] = m.now
	m.entries.refuse++
}

// agree compares the books.
func (m *model) agree(step int) {
	if step%10 != 0 && !m.T.Failed() {
		return // reading the whole log each time would dominate
	}
	if n := len(m.Log(access.EntryDeliver)); n != m.entries.deliver {
		m.T.Errorf("%d windows in the log, the model has %d", n, m.entries.deliver)
	}
	if n := len(m.Log(access.GrantAccept)); n != m.entries.accept {
		m.T.Errorf("%d viewings in the log, the model has %d", n, m.entries.accept)
	}
	if n := len(m.Log(access.EntryRefuse)); n != m.entries.refuse {
		m.T.Errorf("%d refusals in the log, the model has %d", n, m.entries.refuse)
	}
	sum := map[evidence.ID]map[int]evidence.Offset{}
	for s := range m.seen {
		if sum[s.viewer] == nil {
			sum[s.viewer] = map[int]evidence.Offset{}
		}
		l := m.tracks[s.track].Leaves[s.index+1]
		sum[s.viewer][s.track] += l.End - l.Start
	}
	want := access.Exposure{Viewers: len(sum)}
	for _, tracks := range sum {
		most := evidence.Offset(0)
		for _, n := range tracks {
			most = max(most, n)
		}
		want.Delivered += most
	}
	for _, g := range m.grants {
		if g.State != access.Proposed && g.State != access.Rejected && g.Needed != 99 {
			want.Grants++
		}
	}
	got, err := m.Store.Exposure(m.ctx, m.iv.ID)
	m.Must(err)
	if got != want {
		m.T.Errorf("exposure %+v, the model has %+v", got, want)
	}
}
