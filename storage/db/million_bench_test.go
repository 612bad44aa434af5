package db

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence/custody"
)

// BenchmarkFigureCustodyMillion grows a log to a million entries (or
// TOLDONCE_BENCH_ENTRIES) and prints what an append costs in the first and in the
// last tenth of it, how long an inclusion and a consistency proof take, and how
// long the whole log takes to be rebuilt from its leaves.
func BenchmarkFigureCustodyMillion(b *testing.B) {
	size := 1_000_000
	if n, err := strconv.Atoi(os.Getenv("TOLDONCE_BENCH_ENTRIES")); err == nil {
		size = n
	}
	for _, database := range []string{"sqlite", "postgres"} {
		b.Run(database, func(b *testing.B) {
			in := install(b, database)
			group := make([]custody.Entry, 1000)
			fill := func(until int64) time.Duration {
				start := time.Now()
				for n := in.size(b); n < until; n += int64(len(group)) {
					for i := range group {
						group[i] = act("bench.act")
						group[i].Why, group[i].Authority = "", "" // of a view there is no reason in words
					}
					if err := in.write(b.Context(), group, nil); err != nil {
						b.Fatal(err)
					}
				}
				return time.Since(start)
			}
			tenth := int64(size / 10)
			first := fill(tenth)
			fill(9 * tenth)
			last := fill(10 * tenth)
			cp, err := custody.NewCheckpointer(in, in.signer, mustInstallation(b, in).LogVerifier)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := cp.Checkpoint(b.Context()); err != nil {
				b.Fatal(err)
			}
			const proofs = 1000
			start := time.Now()
			for range proofs {
				if _, err := in.ProveInclusion(b.Context(), rand.Int64N(10*tenth), 10*tenth); err != nil {
					b.Fatal(err)
				}
			}
			inclusion := time.Since(start) / proofs
			start = time.Now()
			for range proofs {
				if _, err := in.ProveConsistency(b.Context(), 1+rand.Int64N(10*tenth-1), 10*tenth); err != nil {
					b.Fatal(err)
				}
			}
			consistency := time.Since(start) / proofs
			b.ResetTimer()
			report, err := custody.Audit(b.Context(), in, in.verifier)
			if err != nil || len(report.Faults) > 0 || report.Size < 10*tenth || report.Checkpoints != 1 {
				b.Fatalf("%+v, %v", report, err)
			}
			b.StopTimer()
			b.ReportMetric(float64(report.Size), "entries")
			b.ReportMetric(float64(first.Nanoseconds())/float64(tenth)/1e3, "µs/append-first-tenth")
			b.ReportMetric(float64(last.Nanoseconds())/float64(tenth)/1e3, "µs/append-last-tenth")
			b.ReportMetric(float64(inclusion.Nanoseconds())/1e6, "ms/inclusion")
			b.ReportMetric(float64(consistency.Nanoseconds())/1e6, "ms/consistency")
			b.ReportMetric(b.Elapsed().Seconds(), "s/audit")
			b.ReportMetric(0, "ns/op")
		})
	}
}
