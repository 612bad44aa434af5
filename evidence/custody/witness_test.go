package custody_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/transparency-dev/formats/log"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// shelf is a witness's state in memory that can fail.
type shelf struct {
	notes map[string][]byte
	fails error
}

func (s *shelf) Last(origin string) ([]byte, error) {
	if n, ok := s.notes[origin]; ok {
		return n, nil
	}
	return nil, evidence.ErrNotFound
}

func (s *shelf) Save(origin string, _ int64, signed []byte) error {
	if s.fails != nil {
		return s.fails
	}
	s.notes[origin] = bytes.Clone(signed)
	return nil
}

const origin = "custody.example/log"

func newWitness(t testing.TB, name string, logs ...string) (*custody.Witness, *shelf) {
	t.Helper()
	signer, verifier, err := custody.GenerateCosigner(name)
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{notes: map[string][]byte{}}
	w, err := custody.NewWitness(signer, logs, s)
	if err != nil {
		t.Fatal(err)
	}
	if w.Cosigner().Key != verifier || w.Cosigner().Name != name {
		t.Fatalf("the witness is %+v, not %s", w.Cosigner(), verifier)
	}
	return w, s
}

// A witness signs what extends the last that it signed, and nothing else.
func TestWitnessSignsNoForkAndNothingSmaller(t *testing.T) {
	signer, verifier := key(t, origin)
	otherSigner, _ := key(t, origin)
	w, kept := newWitness(t, "witness.court.example", verifier)
	m := filled(t, 9)
	at := func(m *memory, n int64) custody.Head {
		var f custody.Frontier
		for _, leaf := range m.leaves[:n] {
			f.Append(custody.LeafHash(leaf))
		}
		return custody.Head{Size: n, Root: f.Root()}
	}
	request := func(m *memory, old, n int64) custody.WitnessRequest {
		path, err := custody.ProveConsistency(old, n, m.nodes)
		if err != nil {
			t.Fatal(err)
		}
		return custody.WitnessRequest{Old: old, Path: path, Checkpoint: signed(t, at(m, n), signer, "")}
	}
	good := func(r custody.WitnessRequest, size int64) {
		t.Helper()
		lines, err := w.Add(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		found, err := custody.Cosignatures(custody.Cosigned(r.Checkpoint, string(lines)), w.Cosigner())
		if err != nil || len(found) != 1 || found[0].Witness != "witness.court.example" || time.Since(found[0].At) > time.Hour || found[0].Line != string(lines) {
			t.Fatalf("%+v, %v", found, err)
		}
		newest, err := w.Newest(origin)
		if err != nil || !bytes.Equal(newest, custody.Cosigned(r.Checkpoint, string(lines))) {
			t.Fatalf("newest %q, %v", newest, err)
		}
		var cp log.Checkpoint // as another implementation reads it
		if _, err := cp.Unmarshal(newest); err != nil || int64(cp.Size) != size {
			t.Fatalf("%+v, %v", cp, err)
		}
	}
	if _, err := w.Newest(origin); !errors.Is(err, evidence.ErrNotFound) {
		t.Fatalf("before anything: %v", err)
	}
	good(request(m, 0, 4), 4)
	good(request(m, 4, 4), 4) // again, for a client that lost the answer
	good(request(m, 4, 7), 7)
	fork := filled(t, 9)
	var stale *custody.StaleError
	for name, c := range map[string]struct {
		r    custody.WitnessRequest
		want error
		size int64
	}{
		"smaller":               {r: request(m, 4, 5), size: 7},
		"begins too early":      {r: request(m, 4, 9), size: 7},
		"begins anew":           {r: request(m, 0, 9), size: 7},
		"another of its size":   {r: request(fork, 7, 7), size: 7},
		"a fork":                {r: request(fork, 7, 9), want: custody.ErrNoExtension},
		"no proof":              {r: custody.WitnessRequest{Old: 7, Checkpoint: request(m, 7, 9).Checkpoint}, want: custody.ErrNoExtension},
		"old above size":        {r: custody.WitnessRequest{Old: 9, Checkpoint: request(m, 7, 7).Checkpoint}, want: evidence.ErrInvalid},
		"signed by another":     {r: custody.WitnessRequest{Old: 7, Path: request(m, 7, 9).Path, Checkpoint: signed(t, at(m, 9), otherSigner, "")}, want: custody.ErrNotSigned},
		"more than three lines": {r: custody.WitnessRequest{Old: 7, Path: request(m, 7, 9).Path, Checkpoint: signed(t, at(m, 9), signer, "extension\n")}, want: custody.ErrNotSigned},
		"another log":           {r: custody.WitnessRequest{Checkpoint: []byte("custody.elsewhere/log\n1\n")}, want: custody.ErrUnknownLog},
	} {
		lines, err := w.Add(t.Context(), c.r)
		if len(lines) > 0 || c.want != nil && !errors.Is(err, c.want) || c.want == nil && (!errors.As(err, &stale) || stale.Size != c.size) {
			t.Errorf("%s: %q, %v", name, lines, err)
		}
	}
	// What could not be kept was not signed.
	kept.fails = evidence.ErrUnavailable
	if lines, err := w.Add(t.Context(), request(m, 7, 9)); lines != nil || !errors.Is(err, evidence.ErrUnavailable) {
		t.Errorf("without a disk: %q, %v", lines, err)
	}
	kept.fails = nil
	good(request(m, 7, 9), 9)
	// A state that somebody changed ends it.
	kept.notes[origin] = signed(t, at(m, 4), signer, "")
	if _, err := w.Add(t.Context(), request(m, 4, 9)); !errors.Is(err, evidence.ErrMissingState) {
		t.Errorf("with a state that it did not sign: %v", err)
	}
}

func TestWitnessKeys(t *testing.T) {
	_, logKey := key(t, origin)
	_, good, err := custody.GenerateCosigner("w.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", logKey, good[:len(good)-4], strings.Replace(good, "w.example", "v.example", 1), good + "+", strings.Repeat("x", 2000)} {
		if _, err := custody.ParseCosigner(bad); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%.60q: %v", bad, err)
		}
	}
	for _, name := range []string{"", "a b", "a+b"} {
		if _, _, err := custody.GenerateCosigner(name); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func FuzzParseWitnessRequest(f *testing.F) {
	signer, _ := key(f, origin)
	m := filled(f, 5)
	path, err := custody.ProveConsistency(3, 5, m.nodes)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(custody.WitnessRequest{Old: 3, Path: path, Checkpoint: signed(f, m.head(), signer, "")}.Encode())
	f.Add([]byte("old 0\n\n"))
	f.Add([]byte("old 00\n\nx"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := custody.ParseWitnessRequest(data)
		if err == nil && !bytes.Equal(r.Encode(), data) {
			t.Fatal("two encodings of one request")
		}
	})
}

// ledger is a log in memory with what a publisher keeps beside it.
type ledger struct {
	*chain
	mu              sync.Mutex // guards cosignatures: witnesses are asked at the same time
	cosignatures    map[int64][]custody.Cosignature
	discontinuities []custody.Discontinuity
	anchor          []byte
}

func (l *ledger) Cosignatures(_ context.Context, size int64) ([]custody.Cosignature, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.cosignatures[size]), nil
}

func (l *ledger) SaveCosignature(_ context.Context, size int64, c custody.Cosignature) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cosignatures[size] = append(l.cosignatures[size], c)
	return nil
}

func (l *ledger) Discontinuities(context.Context) ([]custody.Discontinuity, error) {
	return slices.Clone(l.discontinuities), nil
}

func (l *ledger) ProposeDiscontinuity(_ context.Context, d custody.Discontinuity, _ custody.Entry) error {
	l.discontinuities = append(l.discontinuities, d)
	return nil
}

func (l *ledger) ApproveDiscontinuity(_ context.Context, d custody.Discontinuity, _ custody.Entry) error {
	for i, have := range l.discontinuities {
		if have.ID == d.ID {
			l.discontinuities[i] = d
		}
	}
	l.saved = slices.DeleteFunc(l.saved, func(note []byte) bool { return sizeOf(note) > d.From })
	return nil
}

func sizeOf(note []byte) int64 {
	var cp log.Checkpoint
	_, _ = cp.Unmarshal(note)
	return int64(cp.Size)
}

type anchorOf struct{ l *ledger }

func (a anchorOf) Last() ([]byte, error) {
	if a.l.anchor == nil {
		return nil, evidence.ErrNotFound
	}
	return a.l.anchor, nil
}

func (a anchorOf) Save(_ int64, note []byte) error { a.l.anchor = note; return nil }

// line is the way to a witness, which can be down.
type line struct {
	*custody.Witness
	down  atomic.Bool
	asked atomic.Int32
}

func (l *line) Add(ctx context.Context, r custody.WitnessRequest) ([]byte, error) {
	l.asked.Add(1)
	if l.down.Load() {
		return nil, evidence.ErrUnavailable
	}
	return l.Witness.Add(ctx, r)
}

type published struct {
	*custody.Publisher
	*ledger
	now   time.Time
	court *line
	other *line
}

func publisher(t *testing.T, n int) *published {
	t.Helper()
	signer, verifier := key(t, origin)
	p := &published{ledger: &ledger{chain: &chain{memory: filled(t, n)}, cosignatures: map[int64][]custody.Cosignature{}}, now: time.Now(), court: &line{}, other: &line{}}
	p.court.Witness, _ = newWitness(t, "witness.court.example", verifier)
	p.other.Witness, _ = newWitness(t, "witness.bar.example", verifier)
	p.restart(t, signer, verifier)
	return p
}

func (p *published) restart(t *testing.T, signer, verifier string) {
	cp, err := custody.NewCheckpointer(p.ledger, signer, verifier)
	if err != nil {
		t.Fatal(err)
	}
	p.again(cp)
}

func (p *published) again(cp *custody.Checkpointer) {
	p.Publisher = custody.NewPublisher(custody.PublisherConfig{Checkpoints: cp, Store: p.ledger, Witnesses: []custody.Remote{p.court, p.other},
		Anchor: anchorOf{p.ledger}, Clock: func() time.Time { return p.now }, Logger: slog.New(slog.DiscardHandler)})
}

func (p *published) cosigned(t *testing.T, want ...string) []byte {
	t.Helper()
	note, err := p.Publisher.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found, err := custody.Cosignatures(note, p.Cosigners()...)
	var names []string
	for _, c := range found {
		names = append(names, c.Witness)
	}
	if err != nil || !slices.Equal(names, want) {
		t.Fatalf("cosigned by %v, not %v, %v", names, want, err)
	}
	if _, err := custody.OpenCheckpoint(note, p.Publisher.Verifier()); err != nil {
		t.Fatal(err)
	}
	return note
}

// Every checkpoint carries what witnesses signed; one that does not answer stops
// nothing and is asked again later and later.
func TestWitnessesCosignAndStopNothing(t *testing.T) {
	p := publisher(t, 5)
	if err := p.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.cosigned(t, "witness.court.example", "witness.bar.example")
	p.other.down.Store(true)
	p.append(t, entry())
	p.cosigned(t, "witness.court.example")
	asked := p.other.asked.Load()
	p.append(t, entry())
	p.cosigned(t, "witness.court.example")
	if p.other.asked.Load() != asked {
		t.Error("a witness that does not answer was asked again at once")
	}
	status, err := p.Status(t.Context())
	if err != nil || status.Size != 7 || status.Checkpoint != 7 || status.Witnesses[0].State != custody.WitnessGood || status.Witnesses[1].State != custody.WitnessPending ||
		status.Witnesses[1].Size != 5 || !status.Witnesses[1].Next.After(p.now) || p.Closed() != nil {
		t.Fatalf("%+v, %v", status, err)
	}
	p.other.down.Store(false)
	p.now = p.now.Add(custody.PublishEvery)
	p.cosigned(t, "witness.court.example", "witness.bar.example")
	// After a restart it knows nothing of what witnesses saw, and learns it.
	p.again(p.Checkpoints)
	if err := p.Check(t.Context()); err != nil || p.Closed() != nil {
		t.Fatal(err, p.Closed())
	}
	p.append(t, entry())
	p.cosigned(t, "witness.court.example", "witness.bar.example")
}

// An older log is noticed by whoever kept a newer checkpoint, and stays closed until
// two people signed what was lost.
func TestLostEntriesNeedTwoPeople(t *testing.T) {
	for name, forget := range map[string]func(p *published){
		"all remember":              func(*published) {},
		"only the witnesses":        func(p *published) { p.anchor = nil },
		"only the file beside it":   func(p *published) { p.court.down.Store(true); p.other.down.Store(true) },
		"after entries of its own":  func(p *published) { p.anchor = nil; p.appendMany(t, 20) },
		"as long as before exactly": func(p *published) { p.anchor = nil; p.appendMany(t, 4) },
	} {
		t.Run(name, func(t *testing.T) {
			p := publisher(t, 6)
			p.cosigned(t, "witness.court.example", "witness.bar.example") // 6
			backup := *p.memory
			backup.leaves, backup.nodes = slices.Clone(p.leaves), slices.Clone(p.nodes)
			saved := slices.Clone(p.saved)
			p.appendMany(t, 4)
			p.cosigned(t, "witness.court.example", "witness.bar.example") // 10
			*p.memory, p.saved = backup, saved                            // a backup is restored
			p.cosignatures = map[int64][]custody.Cosignature{6: p.cosignatures[6]}
			forget(p)
			p.again(p.Checkpoints)
			if err := p.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := p.Closed(); !errors.Is(err, custody.ErrDiscontinuous) {
				t.Fatalf("closed: %v", err)
			}
			if note, err := p.Publisher.Checkpoint(t.Context()); !errors.Is(err, custody.ErrDiscontinuous) || note != nil || len(p.saved) != 1 {
				t.Fatalf("a fork was signed: %v", err)
			}
			status, err := p.Status(t.Context())
			if err != nil || len(status.Breaks) == 0 || status.Breaks[0].From != 6 || status.Breaks[0].Until != 10 {
				t.Fatalf("%+v, %v", status, err)
			}
			p.append(t, entry()) // recording goes on
			one := evidence.Actor{Kind: evidence.ActorPerson, Account: evidence.NewID()}
			two := evidence.Actor{Kind: evidence.ActorPerson, Account: evidence.NewID()}
			d, err := p.Propose(t.Context(), one, "The disk broke; the backup of the night was restored.")
			if err != nil || d.From != 6 || d.Until != 10 {
				t.Fatalf("%+v, %v", d, err)
			}
			if p.Closed() == nil {
				t.Fatal("one person opened it")
			}
			if _, err := p.Approve(t.Context(), one, d.ID, ""); !errors.Is(err, evidence.ErrRefused) {
				t.Fatalf("approved by the one who proposed it: %v", err)
			}
			if _, err := p.Approve(t.Context(), two, evidence.NewID(), ""); !errors.Is(err, evidence.ErrNotFound) {
				t.Fatalf("approved what is not there: %v", err)
			}
			if _, err := p.Approve(t.Context(), two, d.ID, ""); err != nil || p.Closed() != nil {
				t.Fatal(err, p.Closed())
			}
			if _, err := p.Approve(t.Context(), two, d.ID, ""); !errors.Is(err, evidence.ErrConflict) {
				t.Fatalf("approved twice: %v", err)
			}
			if _, err := p.Propose(t.Context(), one, ""); !errors.Is(err, evidence.ErrConflict) {
				t.Fatalf("a second one about nothing: %v", err)
			}
			// The log is signed again. Witnesses refuse it until their own people decide.
			if _, err := p.Publisher.Checkpoint(t.Context()); err != nil || sizeOf(p.anchor) != p.frontier.Size() {
				t.Fatalf("%v, anchored %d of %d", err, sizeOf(p.anchor), p.frontier.Size())
			}
			p.again(p.Checkpoints)
			if err := p.Check(t.Context()); err != nil || p.Closed() != nil {
				t.Fatalf("after a restart: %v, %v", err, p.Closed())
			}
		})
	}
}

func (p *published) appendMany(t *testing.T, n int) {
	for range n {
		p.append(t, entry())
	}
}
