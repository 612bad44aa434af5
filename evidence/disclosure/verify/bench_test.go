package verify

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/internal/testenv"
)

// BenchmarkFigureVerify prints how fast a package of about 250 MB is verified,
// as a ratio to the time in which openssl hashes the same files once on one core.
// Every byte of media is hashed twice here: for the list of files, and for its
// segment.
func BenchmarkFigureVerify(b *testing.B) {
	w := testutil.NewWorld(b)
	// Segments of 0.7 MB of picture and 1.9 MB of sound: 2 s each.
	dir := w.Package(b, w.Record(b, testutil.Shape{Sources: 2, Parts: 1, Loops: 16, Inflate: 36_000})).WriteTo(b, b.TempDir())
	files, err := filepath.Glob(filepath.Join(dir, "data", "media", "*"))
	if err != nil || len(files) != 4 {
		b.Fatalf("%v, %v", files, err)
	}
	openssl := testenv.Tool(b, "openssl")
	fastest := func(run func() time.Duration) time.Duration {
		best := time.Hour
		for range 4 {
			best = min(best, run())
		}
		return best
	}
	hash := func() *os.ProcessState {
		cmd := exec.Command(openssl, append([]string{"dgst", "-sha256"}, files...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		return cmd.ProcessState
	}
	check := func() {
		r, err := Package(b.Context(), dir, w.Authority.Trust())
		if err != nil || r.Verdict != Verified {
			b.Fatalf("%v, %v", r, err)
		}
	}
	wall := func(run func()) time.Duration {
		start := time.Now()
		run()
		return time.Since(start)
	}
	for b.Loop() {
		// Of one core, time on it is compared: other programs do not count.
		openssl := fastest(func() time.Duration { s := hash(); return s.UserTime() + s.SystemTime() })
		cores := runtime.GOMAXPROCS(1)
		one := fastest(func() time.Duration { before := cpuTime(b); check(); return cpuTime(b) - before })
		runtime.GOMAXPROCS(cores)
		all := fastest(func() time.Duration { return wall(func() { hash() }) }).Seconds() / fastest(func() time.Duration { return wall(check) }).Seconds()
		b.ReportMetric(openssl.Seconds()/one.Seconds(), "x-openssl-one-core")
		b.ReportMetric(2*openssl.Seconds()/one.Seconds(), "x-openssl-one-core-per-hashed-byte")
		b.ReportMetric(all, "x-openssl-all-cores")
		b.ReportMetric(float64(cores), "cores")
	}
	b.ReportMetric(0, "ns/op")
}

// cpuTime is the time that this process has spent on processors.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
