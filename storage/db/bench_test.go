package db

import (
	"sync/atomic"
	"testing"
)

// BenchmarkCustodyAppend measures durable acts a second: each is a transaction
// with its leaf, nodes, openings and event, returned after the commit is on disk.
// "one" is a single writer, "many" are 16 at once.
func BenchmarkCustodyAppend(b *testing.B) {
	for _, database := range []string{"sqlite", "postgres"} {
		b.Run(database+"/one", func(b *testing.B) {
			in := install(b, database)
			for b.Loop() {
				if err := in.AppendEntry(b.Context(), act("bench.act")); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
			in.holds(b)
		})
		b.Run(database+"/many", func(b *testing.B) {
			in := install(b, database)
			var failed atomic.Pointer[error]
			b.SetParallelism(8) // times two processors
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := in.AppendEntry(b.Context(), act("bench.act")); err != nil {
						failed.Store(&err)
						return
					}
				}
			})
			b.StopTimer()
			if err := failed.Load(); err != nil {
				b.Fatal(*err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
			in.holds(b)
		})
	}
}
