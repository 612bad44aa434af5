package spool

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// BenchmarkAppend is what a caller pays for a frame of video.
func BenchmarkAppend(b *testing.B) {
	c := testConfig(b, newStore())
	c.Interval, c.FileSize, c.Backlog = 0, 0, 1<<40
	sp := openSpool(b, c)
	iv, err := sp.Begin(context.Background(), evidence.NewID(), (&ledger{}).confirm)
	must(b, err)
	frame := make([]byte, 6000)
	rand.Read(frame)
	b.SetBytes(int64(len(frame)))
	b.ResetTimer()
	for b.Loop() {
		at, err := iv.Append(1, frame)
		must(b, err)
		iv.Release(at)
	}
	b.StopTimer()
	must(b, iv.Destroy())
	must(b, sp.Close())
}

// BenchmarkEncode is encryption alone, as the journal's goroutine does it.
func BenchmarkEncode(b *testing.B) {
	seq, _, err := begin(journalKey{1}, fileHeader{stream: capture, first: 1, number: 1})
	must(b, err)
	frame := make([]byte, 6000)
	buf := make([]byte, 0, 8000)
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		buf = seq.append(buf[:0], 1, frame)
	}
}

// BenchmarkFigureSync measures how long records of two cameras and two microphones
// wait until they survive a power loss, and how long a sync of a group takes.
func BenchmarkFigureSync(b *testing.B) {
	var mu sync.Mutex
	var syncs []time.Duration
	c := testConfig(b, newStore())
	c.Interval, c.FileSize = 0, 0
	c.OnSync = func(_ string, _ int, took time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		syncs = append(syncs, took)
	}
	sp := openSpool(b, c)
	iv, err := sp.Begin(context.Background(), evidence.NewID(), (&ledger{}).confirm)
	must(b, err)
	frame := make([]byte, 6250) // 1.5 Mb/s at 30 frames a second
	var waits []time.Duration
	for b.Loop() {
		start := time.Now()
		var at Position
		for range 15 { // a quarter of a second of two cameras
			at, err = iv.Append(1, frame)
			must(b, err)
		}
		must(b, iv.Wait(context.Background(), at))
		waits = append(waits, time.Since(start))
		iv.Release(at)
	}
	must(b, iv.Destroy())
	must(b, sp.Close())
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(waits)
	slices.Sort(syncs)
	b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1000, "p99-ms-to-durable")
	b.ReportMetric(float64(syncs[len(syncs)*99/100].Microseconds())/1000, "p99-ms-of-sync")
}
