package recorder

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/prefix"
	"github.com/toldonce/toldonce/recorder/spool"
)

const (
	// attestEvery is how often a checkpoint of a growing recording is pushed off
	// the recorder.
	attestEvery = 10 * time.Second
	// askFor bounds one question to a witness.
	askFor = 5 * time.Second
	// askLast is the longest pause before a witness that does not answer is asked
	// again.
	askLast = time.Minute
)

// CheckpointSigner signs checkpoints of recordings. It takes constant time and
// touches no network. Safe for concurrent use.
type CheckpointSigner interface {
	SignRecording(c custody.RecordingCheckpoint) ([]byte, error)
}

// CheckpointStatus says how much of a recording is provable without this server.
type CheckpointStatus struct {
	// Pieces is how many leaves of the tree the newest checkpoint covers, and At
	// the interview time at which it was made, in microseconds.
	Pieces int64           `json:"pieces"`
	At     evidence.Offset `json:"at_us"`
	// Stored: the object store has it. Witnessed: how many of Witnesses cosigned it.
	Stored    bool `json:"stored"`
	Witnessed int  `json:"witnessed"`
	Witnesses int  `json:"witnesses"`
	// Acknowledged: it is stored, and if witnesses are configured at least one
	// cosigned it. AcknowledgedAt is the interview time of the newest that was, in
	// microseconds; 0 if none was.
	Acknowledged   bool            `json:"acknowledged"`
	AcknowledgedAt evidence.Offset `json:"acknowledged_at_us"`
}

// checkpointMeta accompanies a checkpoint's file in the outbox.
type checkpointMeta struct {
	Size   int64  `json:"size"`
	Signed string `json:"signed"` // the note
}

// attester pushes signed checkpoints of a recording's tree off the host. It never
// holds up the recording: what does not get away is tried again, by the outbox or
// here, for as long as the recording lasts.
type attester struct {
	k *keeper

	round sync.Mutex // one at a time

	mu        sync.Mutex
	newest    custody.RecordingCheckpoint
	at        evidence.Offset // of newest
	made      map[int64]evidence.Offset
	saved     int64            // leaves of the newest checkpoint that is durable in the outbox
	stored    int64            // of the newest that is in the object store
	witnessed map[string]int64 // the same by witness
	acked     evidence.Offset
	changed   chan struct{} // closed and replaced when newest changes
}

// newAttester continues behind a checkpoint of saved leaves, of which the store has
// those of stored.
func newAttester(k *keeper, saved, stored int64) *attester {
	return &attester{k: k, saved: saved, stored: stored, made: map[int64]evidence.Offset{}, witnessed: map[string]int64{}, changed: make(chan struct{})}
}

// resume goes on from a checkpoint that an earlier run left in the outbox.
func (a *attester) resume(signed string, started evidence.Instant) {
	c, err := custody.ReadRecordingCheckpoint([]byte(signed))
	if err != nil {
		return // an earlier run wrote it; the next checkpoint takes its place
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.newest, a.at = c, evidence.Offset(c.At-started)
	a.made[c.Size] = a.at
	if c.Size <= a.stored {
		a.settleLocked()
	}
}

// run makes checkpoints until ctx ends.
func (a *attester) run(ctx context.Context) {
	if a.k.s.r.cfg.Checkpoints == nil {
		return
	}
	var tasks sync.WaitGroup
	defer tasks.Wait()
	for _, w := range a.k.s.r.cfg.Witnesses {
		tasks.Go(func() { a.ask(ctx, w) })
	}
	timer := time.NewTicker(attestEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if err := a.attest(ctx, a.k.snapshot, a.k.s.journal.WaitObject); err != nil && ctx.Err() == nil {
			a.k.s.r.log.Warn("no checkpoint of the recording could be made; it is tried again", "interview", a.k.s.iv.ID, "err", err)
		}
	}
}

// snapshot is a tree as it was between two leaves.
type snapshot struct {
	size      int64
	root      custody.Hash
	afterRoot custody.Hash
	lines     []byte
	lastPut   spool.Position
}

// snapshotNow is taken by whoever owns the tree.
func (k *keeper) snapshotNow(from int64) (snapshot, error) {
	s := snapshot{size: k.tree.Size()}
	if s.size == from {
		return s, nil
	}
	var err error
	if s.root, err = k.tree.RootAt(s.size); err != nil {
		return s, err
	}
	if s.afterRoot, err = k.tree.RootAt(from); err != nil {
		return s, err
	}
	s.lines = k.tree.Lines(from)
	k.mu.Lock()
	s.lastPut = k.lastPut
	k.mu.Unlock()
	return s, nil
}

// turn does something with the tree when the keeper comes to it.
func (k *keeper) turn(ctx context.Context, do func(*keeper)) error {
	done := make(chan struct{})
	k.add(sealJob{do: func(k *keeper) { do(k); close(done) }})
	select {
	case <-done:
		return nil
	case <-k.done:
		return evidence.ErrUnavailable
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *keeper) snapshot(ctx context.Context, from int64) (snapshot, error) {
	var s snapshot
	var failed error
	if err := k.turn(ctx, func(k *keeper) { s, failed = k.snapshotNow(from) }); err != nil {
		return snapshot{}, err
	}
	return s, failed
}

// attest signs a checkpoint of what was added since the last one and hands it to the
// outbox. It costs as much as there are new leaves. safe returns once the object at a
// position of the outbox is not lost with this process.
func (a *attester) attest(ctx context.Context, snap func(context.Context, int64) (snapshot, error), safe func(context.Context, spool.Position) error) error {
	if a.k.s.r.cfg.Checkpoints == nil {
		return nil
	}
	a.round.Lock()
	defer a.round.Unlock()
	a.mu.Lock()
	from := a.saved
	a.mu.Unlock()
	at := a.k.s.elapsed()
	s, err := snap(ctx, from)
	if err != nil || s.size == from {
		return err
	}
	// A leaf that is lost with this server must not be in a checkpoint that is not:
	// the recording would contradict it after a restart.
	if err := safe(ctx, s.lastPut); err != nil {
		return err
	}
	c := custody.RecordingCheckpoint{
		Checkpoint: custody.Checkpoint{Size: s.size, Root: s.root}, Recording: a.k.s.iv.Recording,
		At: evidence.At(a.k.s.r.cfg.Clock()), AfterSize: from, AfterRoot: s.afterRoot,
	}
	if c.Signed, err = a.k.s.r.cfg.Checkpoints.SignRecording(c); err != nil {
		return err
	}
	position, err := a.put(from, s.size, s.lines, c.Signed)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.newest, a.at = c, at
	a.made[c.Size] = at
	close(a.changed)
	a.changed = make(chan struct{})
	a.mu.Unlock()
	a.k.s.touch()
	if err := safe(ctx, position); err != nil {
		return err
	}
	a.mu.Lock()
	a.saved = c.Size
	a.mu.Unlock()
	return nil
}

func (a *attester) put(from, size int64, lines, signed []byte) (spool.Position, error) {
	body := prefix.Encode(lines, signed)
	o := spool.Object{
		Key: prefix.Key(a.k.s.iv.Recording, from, size, body), Sum: envelope.Sum(body), Body: body,
		Meta: encodeJSON(objectMeta{Checkpoint: &checkpointMeta{Size: size, Signed: string(signed)}}),
	}
	if d := a.k.s.r.cfg.Retention; d > 0 {
		o.RetainUntil = a.k.s.r.cfg.Clock().Add(d)
	}
	return a.k.s.journal.Put(o)
}

// last makes a checkpoint of the whole tree when nothing is added any more and all
// of it is stored; the tree is the caller's. It waits for the object store and for no
// disk of this node: a full one must not keep a recording from being sealed.
func (a *attester) last(ctx context.Context) error {
	return a.attest(ctx,
		func(_ context.Context, from int64) (snapshot, error) { return a.k.snapshotNow(from) },
		func(ctx context.Context, _ spool.Position) error { return a.k.s.journal.Drain(ctx) })
}

// acknowledge notes that the object store has a checkpoint.
func (a *attester) acknowledge(size int64) {
	a.mu.Lock()
	a.stored = max(a.stored, size)
	a.settleLocked()
	a.mu.Unlock()
	a.k.s.touch()
}

// durable is how many leaves the newest checkpoint covers that this server will not
// lose.
func (a *attester) durable() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.saved
}

// confirmCheckpoints notes checkpoints that are in the object store.
func (s *sitting) confirmCheckpoints(ctx context.Context, list []checkpointMeta) error {
	for _, c := range list {
		if err := s.r.cfg.Store.SaveRecordingCheckpoint(ctx, s.iv.Recording, c.Size, c.Signed); err != nil {
			s.r.metrics.databaseRetries.Add(1)
			return err
		}
	}
	s.mu.Lock()
	k := s.keeper
	s.mu.Unlock()
	for _, c := range list {
		if k != nil {
			k.attester.acknowledge(c.Size)
		}
	}
	return nil
}

// settleLocked notes up to when the recording is provable elsewhere.
func (a *attester) settleLocked() {
	size := a.stored
	if len(a.k.s.r.cfg.Witnesses) > 0 {
		cosigned := int64(0)
		for _, n := range a.witnessed {
			cosigned = max(cosigned, n)
		}
		size = min(size, cosigned)
	}
	for n, at := range a.made {
		if n <= size {
			a.acked = max(a.acked, at)
			if n < a.newest.Size {
				delete(a.made, n)
			}
		}
	}
}

// status is nil before there is a checkpoint.
func (a *attester) status() *CheckpointStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.newest.Size == 0 {
		return nil
	}
	st := &CheckpointStatus{Pieces: a.newest.Size, At: a.at, Stored: a.stored >= a.newest.Size, Witnesses: len(a.k.s.r.cfg.Witnesses), AcknowledgedAt: a.acked}
	for _, n := range a.witnessed {
		if n >= a.newest.Size {
			st.Witnessed++
		}
	}
	st.Acknowledged = st.Stored && (st.Witnesses == 0 || st.Witnessed > 0)
	return st
}

// ask has each newest checkpoint cosigned by one witness, until ctx ends.
func (a *attester) ask(ctx context.Context, w custody.Remote) {
	name := w.Cosigner().Name
	wait := time.Second
	for {
		a.mu.Lock()
		newest, changed, old := a.newest, a.changed, a.witnessed[name]
		a.mu.Unlock()
		if newest.Size <= old {
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
			continue
		}
		err := a.cosign(ctx, w, newest, old)
		if err == nil {
			wait = time.Second
			continue
		}
		if ctx.Err() != nil {
			return
		}
		a.k.s.r.log.Warn("a witness has not confirmed the recording so far; it is asked again", "interview", a.k.s.iv.ID, "witness", name, "err", err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		wait = min(2*wait, askLast)
	}
}

// cosign asks a witness for one checkpoint and keeps what it signed.
func (a *attester) cosign(ctx context.Context, w custody.Remote, c custody.RecordingCheckpoint, old int64) error {
	asking, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	line, err := custody.CosignRecording(asking, w, c.Signed, c.Size, old, func(old int64) ([]custody.Hash, error) {
		var path []custody.Hash
		var failed error
		if err := a.k.turn(asking, func(k *keeper) { path, failed = k.tree.ProveExtends(old, c.Size) }); err != nil {
			return nil, err
		}
		return path, failed
	})
	if err != nil {
		return fmt.Errorf("checkpoint of %d pieces: %w", c.Size, err)
	}
	if _, err := a.put(c.Size, c.Size, nil, custody.Cosigned(c.Signed, line)); err != nil {
		return err
	}
	a.mu.Lock()
	a.witnessed[w.Cosigner().Name] = c.Size
	a.settleLocked()
	a.mu.Unlock()
	a.k.s.touch()
	return nil
}
