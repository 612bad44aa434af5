package recorder

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// BenchmarkLongRun records four streams of 720p with loss on a real database for as
// long as TOLDONCE_LONG says (default one minute), and prints memory and goroutines
// every minute. It fails if a frame was lost, or if goroutines grew. `make longrun`
// runs it for an hour; it is none of the figures.
func BenchmarkLongRun(b *testing.B) {
	length := time.Minute
	if text := os.Getenv("TOLDONCE_LONG"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			b.Fatal(err)
		}
	}
	const streams = 4
	every := min(time.Minute, length/4)
	w := newRealWorld(b)
	w.nowhere = true // where objects lie is not the recorder
	w.close()
	w.open()
	server, tokens := studioOf(b, w, streams)
	end := sendTo(b, server, loadClip(b), tokens, streams)
	begin := time.Now()
	fmt.Printf("%8s %10s %10s %12s %8s %14s\n", "time", "heap MiB", "stack MiB", "resident MiB", "routines", "frames")
	var first, last cost
	for next := every; next <= length; next += every {
		time.Sleep(time.Until(begin.Add(next)))
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		st, err := w.rec.Status(b.Context(), w.iv.ID)
		if err != nil {
			b.Fatal(err)
		}
		var whole int64
		for _, t := range st.Tracks {
			whole += t.Frames.Whole
		}
		last = cost{heap: int64(m.HeapInuse + m.StackInuse), goroutines: runtime.NumGoroutine()}
		if first.goroutines == 0 {
			first = last
		}
		fmt.Printf("%8s %10.1f %10.1f %12.1f %8d %14d\n", time.Since(begin).Round(time.Second), mib(int64(m.HeapInuse)), mib(int64(m.StackInuse)), mib(resident(b)), last.goroutines, whole)
	}
	end()
	began := time.Now()
	st := w.stop()
	fmt.Printf("sealed within %v\n", time.Since(began).Round(10*time.Millisecond))
	var whole, bad int64
	for _, t := range st.Tracks {
		whole += t.Frames.Whole
		bad += t.Frames.Damaged + t.Frames.Missing + t.Frames.Uncertain
	}
	if bad > 0 {
		b.Errorf("%d of %d frames were lost", bad, whole+bad)
	}
	if last.goroutines > first.goroutines+2 {
		b.Errorf("%d goroutines became %d", first.goroutines, last.goroutines)
	}
	b.ReportMetric(mib(last.heap-first.heap), "MiB-grown")
	b.ReportMetric(float64(last.goroutines-first.goroutines), "goroutines-grown")
	b.ReportMetric(float64(whole), "frames-intact")
	b.ReportMetric(0, "ns/op")
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// resident is what the kernel says that this process takes, in bytes.
func resident(b *testing.B) int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	var size, pages int64
	if _, err := fmt.Fscan(strings.NewReader(string(text)), &size, &pages); err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
