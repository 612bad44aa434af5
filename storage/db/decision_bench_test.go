package db_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

// BenchmarkDecision measures the decision on one segment, with its facts read from
// the database each time, among 10,000 grants. The delivery window is committed
// before; the segment was delivered before, so that nothing is written.
func BenchmarkDecision(b *testing.B) {
	for _, database := range databases {
		b.Run(database, func(b *testing.B) {
			ctx := context.Background()
			w, _ := openWorld(b, database)
			w.OpenCase()
			iv, tracks := w.Sealed(w.Victim.ID, 60)
			grant := access.Grant{Agency: w.Agency, Case: w.Case.ID, Interview: iv.ID, Source: access.AllSources, To: w.Actors[evidence.RoleProsecutor].Account,
				Asked: evidence.Range{Until: 60_000_000}, Bounds: evidence.Range{Until: 60_000_000}, NotAfter: 1 << 60, Purpose: "p", Basis: "b", RestsOn: access.OnLaw, State: access.Active,
				Approvals: []access.Approval{{By: w.Actors[evidence.RoleCustodian].Account, Role: evidence.RoleCustodian}}, Needed: 1, Version: 1}
			for _, tr := range tracks {
				grant.Tracks = append(grant.Tracks, access.TrackBounds{Track: tr.Track.ID, Source: tr.Source.ID, Kind: tr.Track.Kind, LastIndex: 29, Range: grant.Bounds})
			}
			others := []evidence.ID{}
			for i := range 20 {
				others = append(others, w.Hire(fmt.Sprintf("other-%d", i), evidence.RoleAuditor).Account)
			}
			for i := range 10_000 {
				g := grant
				g.ID = evidence.NewID()
				if i != 5000 {
					g.To = others[i%len(others)]
				}
				w.Must(w.Store.CreateGrant(ctx, g, custody.Entry{Actor: evidence.System(w.Agency), Action: access.GrantRequest}))
			}
			actor := w.Actors[evidence.RoleProsecutor]
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				_, err := w.Access.Deliver(ctx, actor, iv.ID, tracks[0].Track.ID, evidence.LeafMedia, 5)
				took = append(took, time.Since(began))
				w.Must(err)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99-µs")
			b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "p50-µs")
		})
	}
}
