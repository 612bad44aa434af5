package db_test

import (
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

// BenchmarkFigureLongPlayback measures what a player asks first of a recording of
// three hours from two cameras: what may be played, decided and listed. The first
// time by a process, and again.
func BenchmarkFigureLongPlayback(b *testing.B) {
	for _, database := range databases {
		b.Run(database, func(b *testing.B) {
			w, _ := openWorld(b, database)
			w.OpenCase()
			const length = 3 * 3600
			iv, tracks := w.Sealed(w.Victim.ID, length)
			all := evidence.Range{Until: length * 1_000_000}
			g := access.Grant{ID: evidence.NewID(), Agency: w.Agency, Case: w.Case.ID, Interview: iv.ID, Source: access.AllSources, To: w.Actors[evidence.RoleProsecutor].Account,
				Asked: all, Bounds: all, NotAfter: 1 << 60, Purpose: "p", Basis: "b", RestsOn: access.OnLaw, State: access.Active,
				Approvals: []access.Approval{{By: w.Actors[evidence.RoleCustodian].Account, Role: evidence.RoleCustodian}}, Needed: 1, Version: 1}
			for _, tr := range tracks {
				g.Tracks = append(g.Tracks, access.TrackBounds{Track: tr.Track.ID, Source: tr.Source.ID, Kind: tr.Track.Kind, LastIndex: length, Range: all})
			}
			w.Must(w.Store.CreateGrant(b.Context(), g, custody.Entry{Actor: evidence.System(w.Agency), Action: access.GrantRequest}))
			var took []time.Duration
			segments := 0
			for len(took) < 6 {
				began := time.Now()
				p, err := w.Access.Playback(b.Context(), w.Actors[evidence.RoleProsecutor], iv.ID)
				took = append(took, time.Since(began))
				w.Must(err)
				segments = 0
				for _, t := range p.Tracks {
					segments += len(t.Segments)
				}
			}
			for b.Loop() { // what is measured was measured above
			}
			b.ReportMetric(float64(segments), "segments")
			b.ReportMetric(float64(took[0].Microseconds())/1e3, "first-ms")
			b.ReportMetric(float64(took[len(took)-1].Microseconds())/1e3, "again-ms")
		})
	}
}
