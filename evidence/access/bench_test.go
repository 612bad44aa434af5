package access

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// indexed is a store of grants that finds those of one person on one interview as
// a database's index does. The rest of Store is not used.
type indexed struct {
	Store
	grants   map[[2]evidence.ID][]Grant
	standing Standing
	segment  evidence.Segment
}

func (s *indexed) Viewing(_ context.Context, actor evidence.Actor, interview evidence.ID, _ evidence.Instant) (Viewing, error) {
	grants := s.grants[[2]evidence.ID{actor.Account, interview}]
	accepted := make(map[evidence.ID]bool, len(grants))
	for _, g := range grants {
		accepted[g.ID] = true
	}
	return Viewing{Standing: s.standing, Recording: here, Grants: grants, Accepted: accepted}, nil
}

func (s *indexed) SegmentAt(context.Context, evidence.ID, evidence.LeafKind, int) (evidence.Segment, error) {
	return s.segment, nil
}

// BenchmarkFigureDecision prints how long one decision on one segment takes, lookup
// of the grant among 10,000 in memory included, with terms accepted at a viewing;
// nothing is cached between decisions. The same with a database is BenchmarkDecision
// of package storage/db.
func BenchmarkFigureDecision(b *testing.B) {
	const grants, decisions = 10_000, 50_000
	store := &indexed{grants: map[[2]evidence.ID][]Grant{}, standing: Standing{Active: true, Agency: here, Role: evidence.RoleProsecutor, OwnedBy: here, Case: here,
		Roles: []evidence.Role{evidence.RoleProsecutor}}, segment: evidence.Segment{Leaf: evidence.Leaf{Recording: here, Kind: evidence.LeafMedia, Index: 5}}}
	s, err := New(Config{Store: store, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	var keys [][2]evidence.ID
	for range grants {
		key := [2]evidence.ID{evidence.NewID(), evidence.NewID()}
		keys = append(keys, key)
		store.grants[key] = []Grant{{ID: evidence.NewID(), To: key[0], Interview: key[1], State: Active, NotBefore: 1, NotAfter: 3, Needed: 1,
			Conditions: Conditions{Terms: true}, Tracks: []TrackBounds{{Track: thing, FirstIndex: 0, LastIndex: 9}}}}
	}
	took := make([]time.Duration, 0, decisions)
	for b.Loop() {
		took = took[:0]
		for i := range decisions {
			key := keys[i*7919%len(keys)]
			actor := evidence.Actor{Kind: evidence.ActorPerson, Account: key[0], MFA: true}
			began := time.Now()
			v, err := s.viewing(b.Context(), actor, key[1], 2)
			if err == nil {
				_, _, err = s.decide(b.Context(), actor, v, key[1], thing, evidence.LeafMedia, 5, 2)
			}
			took = append(took, time.Since(began))
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99-µs")
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "p50-µs")
}
