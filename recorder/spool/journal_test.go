package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// plenty is a disk with room.
type plenty struct{}

func (plenty) give(int64) bool { return false }
func (plenty) giveLast() bool  { return false }
func (plenty) refill()         {}

// bench is one stream in a directory, opened again and again.
type bench struct {
	t    testing.TB
	dir  string
	root *os.Root
	cfg  journalConfig

	mu     sync.Mutex
	alarms map[string]error
}

func newBench(t testing.TB) *bench {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	must(t, err)
	t.Cleanup(func() { root.Close() })
	b := &bench{t: t, dir: dir, root: root, alarms: map[string]error{}}
	b.cfg = journalConfig{
		root: root, key: journalKey{1, 2, 3}, id: uuid.MustParse("01936b1e-0000-7000-8000-000000000001"), stream: capture,
		interval: time.Millisecond, fileSize: 600, backlog: 1 << 20,
		create: createFile, space: plenty{}, synced: func(int, time.Duration) {},
		alarm: func(code string, err error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.alarms[code] = err
		},
	}
	return b
}

func (b *bench) raised(code string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.alarms[code]
}

func payload(i int) []byte {
	return fmt.Appendf(nil, "record %d %s", i, bytes.Repeat([]byte("x"), i%50))
}

// read returns what replay gives, after checking that each record is the one that
// was appended at its position.
func (b *bench) read() (Report, tail, []Position) {
	b.t.Helper()
	var got []Position
	report, tl, err := replay(b.root, b.cfg.key, b.cfg.id, b.cfg.stream, func(r Record) error {
		if want := payload(int(r.Position)); r.Kind != 5 || !bytes.Equal(r.Payload, want) {
			b.t.Fatalf("record %d is kind %d %q, want %q", r.Position, r.Kind, r.Payload, want)
		}
		got = append(got, r.Position)
		return nil
	})
	must(b.t, err)
	return report, tl, got
}

// open continues the stream.
func (b *bench) open() *journal {
	b.t.Helper()
	report, tl, _ := b.read()
	return startJournal(b.cfg, tl, report.Released)
}

// fill appends records until a position, syncing every few so that they spread
// over files.
func (b *bench) fill(j *journal, from, to int) {
	b.t.Helper()
	for i := from; i <= to; i++ {
		at, err := j.append(5, payload(i))
		must(b.t, err)
		if at != Position(i) {
			b.t.Fatalf("position %d, want %d", at, i)
		}
		if i%4 == 0 || i == to {
			must(b.t, j.sync(context.Background()))
		}
	}
}

func upTo(n int) []Position {
	var all []Position
	for i := 1; i <= n; i++ {
		all = append(all, Position(i))
	}
	return all
}

func (b *bench) files() []string {
	b.t.Helper()
	names, err := filepath.Glob(filepath.Join(b.dir, "*.journal"))
	must(b.t, err)
	slices.Sort(names)
	return names
}

func TestJournalOverFilesAndRestarts(t *testing.T) {
	b := newBench(t)
	n := 0
	for range 4 {
		j := b.open()
		b.fill(j, n+1, n+30)
		n += 30
		must(t, j.close())
	}
	report, _, got := b.read()
	if !slices.Equal(got, upTo(n)) || report.Torn || !report.Closed || len(report.Gaps) != 0 || report.Records != n || report.Last != Position(n) {
		t.Fatalf("%+v %v", report, got)
	}
	if len(b.files()) < 8 {
		t.Fatalf("%d files", len(b.files()))
	}
}

func TestReleaseFreesFiles(t *testing.T) {
	b := newBench(t)
	j := b.open()
	b.fill(j, 1, 60)
	before := len(b.files())
	j.releaseTo(45)
	b.fill(j, 61, 62)
	must(t, j.close())
	report, _, got := b.read()
	if len(b.files()) >= before || report.Released != 45 || got[0] != 46 || got[len(got)-1] != 62 || len(report.Gaps) != 0 || report.Records != 17 {
		t.Fatalf("%d → %d files, %+v, %v", before, len(b.files()), report, got)
	}

	// Released down to nothing: one small file is left, and the positions go on.
	j = b.open()
	j.releaseTo(62)
	must(t, j.close())
	report, _, got = b.read()
	if len(got) != 0 || report.Released != 62 || report.Last != 62 || len(report.Gaps) != 0 {
		t.Fatalf("%+v %v", report, got)
	}
	j = b.open()
	b.fill(j, 63, 63)
	if r, err := j.read(63); err != nil || !bytes.Equal(r.Payload, payload(63)) {
		t.Fatalf("%q %v", r.Payload, err)
	}
	must(t, j.close())
}

func TestReadBack(t *testing.T) {
	b := newBench(t)
	j := b.open()
	b.fill(j, 1, 40)
	for i := 1; i <= 40; i++ {
		r, err := j.read(Position(i))
		if err != nil || !bytes.Equal(r.Payload, payload(i)) || r.Kind != 5 || r.Position != Position(i) {
			t.Fatalf("record %d: %q, %v", i, r.Payload, err)
		}
	}
	if _, err := j.read(41); err == nil {
		t.Fatal("read what was never written")
	}
	must(t, j.close())
}

// TestTruncatedAnywhere cuts the last file at every offset, as a power loss may:
// what is left is a prefix, the cut is reported, and the stream goes on.
func TestTruncatedAnywhere(t *testing.T) {
	b := newBench(t)
	j := b.open()
	b.fill(j, 1, 20)
	must(t, j.close())
	names := b.files()
	last := names[len(names)-1]
	whole, err := os.ReadFile(last)
	must(t, err)
	full, _, _ := b.read()

	var previous int
	for cut := range len(whole) {
		must(t, os.WriteFile(last, whole[:cut], 0o600))
		report, _, got := b.read()
		if !slices.Equal(got, upTo(len(got))) || len(got) < previous || len(report.Gaps) != 0 || report.Closed {
			t.Fatalf("cut at %d: %v %+v", cut, got, report)
		}
		previous = len(got)
		atBoundary := report.CutBytes == 0
		if report.Torn == atBoundary {
			t.Fatalf("cut at %d: torn %v with %d bytes cut", cut, report.Torn, report.CutBytes)
		}
		if cut%7 != 0 {
			continue
		}
		// Continue, and read again: the cut bytes stay cut.
		j := b.open()
		b.fill(j, len(got)+1, len(got)+5)
		must(t, j.close())
		report, _, again := b.read()
		if !slices.Equal(again, upTo(len(got)+5)) || len(report.Gaps) != 0 || report.Torn {
			t.Fatalf("cut at %d, continued: %v %+v", cut, again, report)
		}
		for _, name := range b.files() {
			if name > last {
				must(t, os.Remove(name))
			}
		}
	}
	must(t, os.WriteFile(last, whole, 0o600))
	if report, _, _ := b.read(); report.Last != full.Last {
		t.Fatalf("%+v", report)
	}
}

// TestFlippedAnywhere flips each byte of each file. Every record that is given is
// one that was written, at its place (read checks it), and what is missing is
// reported, as torn in the last file and as a gap in any other.
func TestFlippedAnywhere(t *testing.T) {
	b := newBench(t)
	j := b.open()
	b.fill(j, 1, 18)
	must(t, j.close())
	names := b.files()
	for n, name := range names {
		whole, err := os.ReadFile(name)
		must(t, err)
		for i := range whole {
			bad := bytes.Clone(whole)
			bad[i] ^= 0x40
			must(t, os.WriteFile(name, bad, 0o600))
			var got []Position
			report, _, err := replay(b.root, b.cfg.key, b.cfg.id, b.cfg.stream, func(r Record) error {
				if !bytes.Equal(r.Payload, payload(int(r.Position))) {
					t.Fatalf("%s byte %d: record %d is %q", name, i, r.Position, r.Payload)
				}
				got = append(got, r.Position)
				return nil
			})
			if errors.Is(err, errVersion) { // the version itself was flipped
				continue
			}
			must(t, err)
			if n < len(names)-1 && len(report.Gaps) == 0 {
				t.Fatalf("%s byte %d: %v without a gap: %+v", name, i, got, report)
			}
			if n == len(names)-1 && !report.Torn && len(report.Gaps) == 0 {
				t.Fatalf("%s byte %d: not reported: %+v", name, i, report)
			}
			if !slices.IsSorted(got) {
				t.Fatalf("%s byte %d: out of order: %v", name, i, got)
			}
		}
		must(t, os.WriteFile(name, whole, 0o600))
	}
}

// TestInterference does to whole files what somebody with the disk could do.
func TestInterference(t *testing.T) {
	other := newBench(t)
	other.cfg.id = uuid.MustParse("01936b1e-0000-7000-8000-00000000000f")
	oj := other.open()
	other.fill(oj, 1, 80)
	must(t, oj.close())
	for name, act := range map[string]func(t *testing.T, files []string){
		"first file removed":  func(t *testing.T, f []string) { must(t, os.Remove(f[0])) },
		"middle file removed": func(t *testing.T, f []string) { must(t, os.Remove(f[2])) },
		"two files swapped": func(t *testing.T, f []string) {
			must(t, os.Rename(f[1], f[1]+"x"))
			must(t, os.Rename(f[2], f[1]))
			must(t, os.Rename(f[1]+"x", f[2]))
		},
		"file replaced by an earlier one": func(t *testing.T, f []string) {
			c, err := os.ReadFile(f[0])
			must(t, err)
			must(t, os.WriteFile(f[2], c, 0o600))
		},
		"file of another interview": func(t *testing.T, f []string) {
			c, err := os.ReadFile(other.files()[2])
			must(t, err)
			must(t, os.WriteFile(f[2], c, 0o600))
		},
		"middle file cut": func(t *testing.T, f []string) {
			info, err := os.Stat(f[2])
			must(t, err)
			must(t, os.Truncate(f[2], info.Size()-60))
		},
		"record dropped from the middle": func(t *testing.T, f []string) {
			c, err := os.ReadFile(f[2])
			must(t, err)
			n := 4 + int(c[headerSize+2])<<8 + int(c[headerSize+3])
			must(t, os.WriteFile(f[2], append(c[:headerSize:headerSize], c[headerSize+n:]...), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			j := b.open()
			b.fill(j, 1, 80)
			must(t, j.close())
			files := b.files()
			if len(files) < 5 {
				t.Fatalf("%d files are too few", len(files))
			}
			act(t, files)
			report, _, got := b.read()
			if len(report.Gaps) == 0 {
				t.Fatalf("not noticed: %+v, %d records", report, len(got))
			}
			if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) || len(got) == 0 {
				t.Fatalf("records %v", got)
			}
			// What is left is read, and the stream can go on.
			j = b.open()
			last := j.durable
			b.fill(j, int(last)+1, int(last)+3)
			must(t, j.close())
		})
	}
}

func TestLaterVersionIsNotTorn(t *testing.T) {
	b := newBench(t)
	j := b.open()
	b.fill(j, 1, 3)
	must(t, j.close())
	name := b.files()[0]
	c, err := os.ReadFile(name)
	must(t, err)
	c[len(magic)+1] = 2
	must(t, os.WriteFile(name, c, 0o600))
	if _, _, err := replay(b.root, b.cfg.key, b.cfg.id, capture, nil); !errors.Is(err, errVersion) {
		t.Fatalf("%v, want that the version is not known", err)
	}
}

func TestAppendIsConcurrent(t *testing.T) {
	b := newBench(t)
	b.cfg.fileSize = 4000
	j := b.open()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				at, err := j.append(9, []byte{1, 2, 3})
				if err != nil {
					t.Error(err)
					return
				}
				if i%50 == 0 {
					if err := j.wait(context.Background(), at); err != nil {
						t.Error(err)
					}
					j.releaseTo(at / 2)
				}
			}
		})
	}
	wg.Wait()
	must(t, j.close())
	report, _, err := replay(b.root, b.cfg.key, b.cfg.id, capture, nil)
	must(t, err)
	if report.Last != 1600 || len(report.Gaps) != 0 || report.Torn {
		t.Fatalf("%+v", report)
	}
	if _, err := j.append(1, nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("append after close: %v", err)
	}
	if err := j.wait(context.Background(), 1700); err == nil {
		t.Fatal("waited for what was never given out")
	}
}

func TestNothingIsWrittenInTheClear(t *testing.T) {
	b := newBench(t)
	j := b.open()
	secret := []byte("what the child said, word for word")
	_, err := j.append(5, secret)
	must(t, err)
	must(t, j.close())
	for _, name := range b.files() {
		c, err := os.ReadFile(name)
		must(t, err)
		if bytes.Contains(c, secret[:8]) {
			t.Fatalf("%s holds the record in the clear", name)
		}
	}
}
