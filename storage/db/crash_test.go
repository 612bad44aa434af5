package db

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

const childEnv = "DB_TEST_CHILD" // "INTERVIEW DSN": write acts until killed

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if args := os.Getenv(childEnv); args != "" {
		interview, dsn, _ := strings.Cut(args, " ")
		if err := writeUntilKilled(context.Background(), dsn, evidence.ID(interview)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// writeUntilKilled saves sources from four goroutines and prints the id of each
// once it was told that it is durable.
func writeUntilKilled(ctx context.Context, dsn string, interview evidence.ID) error {
	s, err := Open(ctx, dsn, time.Now)
	if err != nil {
		return err
	}
	failed := make(chan error)
	for range 4 {
		go func() {
			for {
				src := evidence.Source{ID: evidence.NewID(), Interview: interview, Role: evidence.SourceRoom, Name: string(evidence.NewID()), TokenHash: []byte(evidence.NewID())}
				e := act("source.add")
				e.Subject = src.ID
				if _, err := s.SaveSource(ctx, src, e); err != nil {
					failed <- err
					return
				}
				fmt.Printf("%s\n", src.ID)
			}
		}()
	}
	return <-failed
}

// A process that is killed in the middle of its acts leaves whole acts only, and
// all that it was told were durable.
func TestKilledWriterLeavesWholeActs(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		iv := in.interview(t, evidence.StateReady)
		acknowledged := 0
		for range 3 {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childEnv+"="+string(iv.ID)+" "+in.dsn)
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var told []string
			lines := bufio.NewScanner(out)
			for lines.Scan() {
				if told = append(told, lines.Text()); len(told) == 9 {
					if err := cmd.Process.Kill(); err != nil {
						t.Fatal(err)
					}
				}
			}
			_ = cmd.Wait() // it was killed
			if len(told) < 9 {
				t.Fatalf("the writer ended after %d acts", len(told))
			}
			s := in.open(t) // recovers, and checks the head
			in.holds(t)
			sources, err := s.Sources(t.Context(), iv.ID)
			if err != nil {
				t.Fatal(err)
			}
			there := map[string]bool{}
			for _, src := range sources {
				there[string(src.ID)] = true
			}
			for _, id := range told[:9] { // what came later may be half a line
				if !there[id] {
					t.Errorf("act %s was acknowledged and is gone", id)
				}
			}
			acknowledged += 9
			var entries []custody.Record
			for after := int64(0); ; {
				page, err := s.Entries(t.Context(), custody.Filter{Action: "source.add", After: &after, Limit: 1000})
				if err != nil {
					t.Fatal(err)
				}
				if len(page) == 0 {
					break
				}
				entries = append(entries, page...)
				after = page[len(page)-1].Position
			}
			if len(entries) != len(sources) || len(sources) < acknowledged {
				t.Fatalf("%d entries of %d sources", len(entries), len(sources))
			}
			for _, e := range entries {
				if !there[string(e.Leaf.Subject)] {
					t.Errorf("entry %d stands without its act", e.Position)
				}
			}
		}
		if err := in.AppendEntry(t.Context(), act("test.act")); err != nil {
			t.Fatal(err)
		}
		in.holds(t)
	})
}

// line is a PostgreSQL connection that is cut at a COMMIT.
type line struct {
	listener net.Listener
	server   string // path of the real server's socket
	mode     atomic.Int32
	down     atomic.Bool // no new connection gets through
	cuts     atomic.Int32
}

const (
	passing    = iota
	cutBefore  // COMMIT never reaches the server
	cutAfter   // the server commits, its answer is lost
	cutForever // as cutAfter, and nobody gets through any more
)

// cuttable returns the data source name of an installation behind such a line.
func cuttable(t *testing.T, dsn string) (string, *line) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "line-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	q := u.Query()
	l := &line{server: filepath.Join(q.Get("host"), ".s.PGSQL.5432")}
	q.Set("host", dir)
	u.RawQuery = q.Encode()
	if l.listener, err = net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432")); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.listener.Accept()
			if err != nil {
				return
			}
			if l.down.Load() {
				client.Close()
				continue
			}
			all.Go(func() { l.serve(client) })
		}
	})
	t.Cleanup(func() {
		l.listener.Close()
		all.Wait()
	})
	return u.String(), l
}

func (l *line) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", l.server)
	if err != nil {
		return
	}
	defer server.Close()
	var mute atomic.Bool
	answered := make(chan struct{})
	go func() {
		defer client.Close()
		defer close(answered)
		buf := make([]byte, 16<<10)
		for {
			n, err := server.Read(buf)
			if err != nil || mute.Load() {
				return // an answer to COMMIT arrived: it is lost here
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	in := bufio.NewReader(client)
	for first := true; ; first = false {
		message, commit, err := readMessage(in, first)
		if err != nil {
			return
		}
		mode := l.mode.Load()
		if commit && mode != passing && l.mode.CompareAndSwap(mode, passing) {
			l.cuts.Add(1)
			if mode == cutBefore {
				return
			}
			l.down.Store(mode == cutForever)
			mute.Store(true)
			if _, err := server.Write(message); err == nil {
				<-answered
			}
			return
		}
		if _, err := server.Write(message); err != nil {
			return
		}
	}
}

// readMessage reads one message of the PostgreSQL protocol; the first of a
// connection has no type.
func readMessage(in *bufio.Reader, first bool) (message []byte, commit bool, err error) {
	kind := byte(0)
	if !first {
		if kind, err = in.ReadByte(); err != nil {
			return nil, false, err
		}
		message = append(message, kind)
	}
	var size [4]byte
	if _, err := io.ReadFull(in, size[:]); err != nil {
		return nil, false, err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:])-4)
	if _, err := io.ReadFull(in, body); err != nil {
		return nil, false, err
	}
	commit = kind == 'Q' && strings.HasPrefix(string(body), "COMMIT")
	return append(append(message, size[:]...), body...), commit, nil
}

// After an answer to COMMIT is lost, the log tells whether it happened; only if
// it cannot be asked is the state unknown.
func TestAmbiguousCommit(t *testing.T) {
	for _, c := range []struct {
		name  string
		mode  int32
		want  error
		grown int64
	}{
		{"it never arrived", cutBefore, evidence.ErrUnavailable, 0},
		{"it happened", cutAfter, nil, 1},
		{"nobody can tell", cutForever, evidence.ErrUnknownState, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := install(t, "postgres")
			dsn, l := cuttable(t, in.dsn)
			s, err := Open(t.Context(), dsn, in.clock)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.AppendEntry(t.Context(), act("test.act")); err != nil {
				t.Fatal(err)
			}
			l.mode.Store(c.mode)
			err = s.AppendEntry(t.Context(), act("test.act"))
			if l.cuts.Load() != 1 || !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
				t.Fatalf("%d cuts, %v", l.cuts.Load(), err)
			}
			if got := in.size(t) - 2; got != c.grown {
				t.Errorf("the log grew by %d", got)
			}
			l.down.Store(false)
			if err := s.AppendEntry(t.Context(), act("test.act")); err != nil {
				t.Errorf("once the line is back: %v", err)
			}
			in.holds(t)
		})
	}
}

// Progress that no entry stands for is written again by its caller, who is told
// that it may have happened.
func TestAmbiguousProgress(t *testing.T) {
	in := install(t, "postgres")
	dsn, l := cuttable(t, in.dsn)
	s, err := Open(t.Context(), dsn, in.clock)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l.mode.Store(cutAfter)
	if err := s.SaveCheckpoint(t.Context(), 1, []byte("note")); !errors.Is(err, evidence.ErrUnknownState) {
		t.Fatalf("got %v", err)
	}
	if err := s.SaveCheckpoint(t.Context(), 1, []byte("note")); err != nil || count(t, in.r, "checkpoint") != 1 {
		t.Fatalf("again: %v", err)
	}
}

// A server that was restarted costs nobody an act: pooled connections that died
// are replaced before anything is asked on them.
func TestDeadConnectionsAreReplaced(t *testing.T) {
	in := install(t, "postgres")
	var all sync.WaitGroup
	for range 6 { // fills the pool
		all.Go(func() {
			if err := in.AppendEntry(t.Context(), act("test.act")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	killer := in.open(t)
	rows, err := killer.r.QueryContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		if err := in.AppendEntry(t.Context(), act("test.act")); err != nil {
			t.Fatalf("after a restart of the server: %v", err)
		}
		if _, err := in.Now(t.Context()); err != nil {
			t.Fatalf("reading after a restart of the server: %v", err)
		}
	}
	in.holds(t)
}

// A full disk loses an act, not the log.
func TestFullDisk(t *testing.T) {
	in := install(t, "sqlite")
	iv := in.interview(t, evidence.StateReady)
	var pages int
	if err := in.w.QueryRowContext(t.Context(), `PRAGMA page_count`).Scan(&pages); err != nil {
		t.Fatal(err)
	}
	in.raw(t, fmt.Sprintf(`PRAGMA max_page_count = %d`, pages+20))
	done := 0
	var err error
	for ; err == nil && done < 1000; done++ {
		_, err = in.SaveSource(t.Context(), evidence.Source{ID: evidence.NewID(), Interview: iv.ID, Role: evidence.SourceRoom, Name: string(evidence.NewID()), TokenHash: []byte(evidence.NewID())}, act("source.add"))
	}
	if !errors.Is(err, evidence.ErrUnavailable) || done < 2 {
		t.Fatalf("after %d acts: %v", done, err)
	}
	if sources := count(t, in.r, "source"); sources != int64(done-1) || in.size(t) != 1+sources {
		t.Fatalf("%d sources and %d entries of %d acts", sources, in.size(t)-1, done-1)
	}
	in.holds(t)
	in.raw(t, `PRAGMA max_page_count = 1000000`)
	if err := in.AppendEntry(t.Context(), act("test.act")); err != nil {
		t.Fatal(err)
	}
	in.holds(t)
}
