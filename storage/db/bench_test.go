package db

import (
	"sync"
	"testing"
)

// BenchmarkFigureCustodyAppends measures durable acts a second: each is a
// transaction with its leaf, nodes, openings and event, and returns after the
// commit is on disk. "one" is a single writer, "many" are 16 at once.
func BenchmarkFigureCustodyAppends(b *testing.B) {
	const acts = 1600
	for _, database := range []string{"sqlite", "postgres"} {
		for name, writers := range map[string]int{"one": 1, "many": 16} {
			b.Run(database+"/"+name, func(b *testing.B) {
				in := install(b, database)
				b.ResetTimer()
				for range b.N {
					var all sync.WaitGroup
					for range writers {
						all.Go(func() {
							for range acts / writers {
								if err := in.AppendEntry(b.Context(), act("bench.act")); err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					all.Wait()
				}
				b.StopTimer()
				b.ReportMetric(float64(acts*b.N)/b.Elapsed().Seconds(), "appends/s")
				b.ReportMetric(0, "ns/op")
				in.holds(b)
			})
		}
	}
}
