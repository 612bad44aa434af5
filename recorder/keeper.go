package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/recorder/media"
	"github.com/toldonce/toldonce/recorder/spool"
)

// checkpointEvery is how often space of the journal is given back.
const checkpointEvery = 10 * time.Second

// sealJob is a segment on its way into the recording's tree.
type sealJob struct {
	track      *track
	part       int
	segment    media.Segment
	start, end evidence.Offset
	positions  []spool.Position // of its frames, or lines, in the journal
	ledger     int              // page of the track's ledger; 0: it is a segment
	do         func(*keeper)    // something else that has its turn; the rest is empty
}

// keeper encrypts a recording's segments, gives them their place in its tree,
// and hands them to the spool. One goroutine does it, in the order of add.
type keeper struct {
	s      *sitting
	sealer *envelope.Sealer

	mu      sync.Mutex
	queue   []sealJob
	busy    bool
	closed  bool
	wake    *sync.Cond
	lastPut spool.Position
	full    map[int]fullPage // that the database does not have yet

	tree   *seal.Tree          // owned by run while it runs
	pages  int                 // pages that were put, from the first
	ended  bool                // something could not be put before the end: nothing may follow it
	counts map[evidence.ID]int // media segments by track; likewise
	done   chan struct{}

	attester *attester
}

// newKeeper goes on behind tree, of which a checkpoint of the first attested leaves
// is in the outbox, and of the first stored ones in the object store.
func newKeeper(s *sitting, sealer *envelope.Sealer, tree *seal.Tree, counts map[evidence.ID]int, attested, stored int64) *keeper {
	k := &keeper{s: s, sealer: sealer, tree: tree, counts: counts, full: map[int]fullPage{}, done: make(chan struct{})}
	k.wake = sync.NewCond(&k.mu)
	k.attester = newAttester(k, attested, stored)
	go k.run()
	go k.checkpoints()
	return k
}

// add takes a segment. It does not wait.
func (k *keeper) add(job sealJob) {
	k.mu.Lock()
	k.queue = append(k.queue, job)
	k.mu.Unlock()
	k.wake.Broadcast()
}

// idle returns when everything that was added is in the spool's outbox.
func (k *keeper) idle() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for (len(k.queue) > 0 || k.busy) && !k.closed {
		k.wake.Wait()
	}
}

// close ends the goroutine after what was added. The tree is then the caller's.
func (k *keeper) close() {
	k.idle()
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.wake.Broadcast()
	<-k.done
}

func (k *keeper) run() {
	defer close(k.done)
	for {
		k.mu.Lock()
		k.busy = false
		k.wake.Broadcast()
		for len(k.queue) == 0 && !k.closed {
			k.wake.Wait()
		}
		if len(k.queue) == 0 {
			k.mu.Unlock()
			return
		}
		job := k.queue[0]
		k.busy = true // it stays in the queue until it is put, for the checkpoint
		k.mu.Unlock()
		k.keep(job)
		k.mu.Lock()
		k.queue[0] = sealJob{}
		k.queue = k.queue[1:]
		k.mu.Unlock()
	}
}

func (k *keeper) keep(job sealJob) {
	if job.do != nil {
		job.do(k)
		return
	}
	k.awaitStructure()
	seg := job.segment
	cipher, plainSum, cipherSum, err := k.sealer.Encrypt(seg.Data)
	if err != nil {
		panic(fmt.Sprintf("recorder: encrypting to memory: %v", err)) // no random source, or a recipient that was checked before
	}
	leaf := evidence.Leaf{
		Type: evidence.TypeLeaf, Version: 1, Kind: evidence.LeafMedia, Salt: evidence.NewSalt(),
		Recording: k.s.iv.Recording, Track: job.track.ev.ID, Part: job.part, Init: seg.Init, Index: seg.Index,
		Start: job.start, End: job.end, DecodeTime: hexTime(seg.Time), Duration: seg.Duration,
		Frames: seg.Frames, Independent: seg.Independent, Plain: plainSum, Cipher: cipherSum,
	}
	if seg.Config != nil {
		leaf.Kind, leaf.DecodeTime, leaf.Independent = evidence.LeafInit, "0", true
	}
	if job.ledger > 0 {
		leaf.Version, leaf.Kind, leaf.Index, leaf.DecodeTime = 2, evidence.LeafLedger, job.ledger, "0"
	}
	position, err := k.tree.Append(leaf)
	if err != nil {
		k.s.r.log.Error("a segment does not fit the tree", "interview", k.s.iv.ID, "err", err)
		k.s.raise(alarmSegment, job.track.ev.Source)
		return
	}
	k.put(spool.Object{
		Key: fmt.Sprintf("recordings/%s/%s/%s.age", k.s.iv.Recording, job.track.ev.ID, evidence.NewID()),
		Sum: cipherSum, Body: cipher,
		Meta: encodeJSON(objectMeta{Segment: &evidence.Segment{Leaf: leaf, Position: position}}),
	})
	k.s.r.metrics.segments.Add(1)
	if leaf.Kind == evidence.LeafMedia {
		k.counts[job.track.ev.ID]++
	}
	k.putPages(int(k.tree.Size() / evidence.PageSize))
}

// awaitStructure makes what a segment belongs to durable before the segment is,
// for as long as the disk takes anything.
func (k *keeper) awaitStructure() {
	at := spool.Position(k.s.structure.Load())
	if at <= k.s.journal.Synced() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleFor)
	defer cancel()
	if err := k.s.journal.Wait(ctx, at); err != nil {
		k.s.r.log.Warn("going on before the journal is synced", "interview", k.s.iv.ID, "err", err)
	}
}

// fullPage is a full page of the manifest, with the nodes that it completed.
type fullPage struct {
	data  []byte
	nodes [][32]byte
}

// putPages stores the manifest's pages up to a number, in clear: they hold
// nothing but numbers and hashes. The name holds the content's hash, because the
// last page may be written twice, around a crash.
func (k *keeper) putPages(until int) {
	for ; k.pages < until; k.pages++ {
		page := k.tree.Page(k.pages)
		if int64(k.pages+1)*evidence.PageSize <= k.tree.Size() {
			k.mu.Lock()
			k.full[k.pages] = fullPage{page, k.tree.NodesOf(k.pages)}
			k.mu.Unlock()
		}
		sum := envelope.Sum(page)
		k.put(spool.Object{
			Key: fmt.Sprintf("recordings/%s/pages/%06d-%s.jsonl", k.s.iv.Recording, k.pages, sum.SHA256[:16]),
			Sum: sum, Body: page, Meta: encodeJSON(objectMeta{Page: k.pages}),
		})
	}
}

// put hands an object to the outbox, again and again while disk and memory are
// both full: the segment is not given up. What waits behind it is bounded, for
// then the journal takes no frames either, of which more could be made.
//
// What follows an object that could not be put until the recorder was closed is
// not put either: the outbox never has a leaf without those before it. The
// journal still holds the frames.
func (k *keeper) put(o spool.Object) {
	if k.ended {
		return
	}
	if d := k.s.r.cfg.Retention; d > 0 {
		o.RetainUntil = k.s.r.cfg.Clock().Add(d)
	}
	for {
		at, err := k.s.journal.Put(o)
		if err == nil {
			k.mu.Lock()
			k.lastPut = at
			k.mu.Unlock()
			return
		}
		if !errors.Is(err, spool.ErrBacklog) { // the spool's alarm says so, once
			k.s.r.log.Error("spool", "interview", k.s.iv.ID, "err", err)
		}
		if errors.Is(err, spool.ErrClosed) {
			k.ended = true
			return
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-k.s.r.closing:
			k.ended = true
			return
		}
	}
}

// confirm writes stored segments into the database. The spool calls it, in order,
// until it succeeds.
func (s *sitting) confirm(ctx context.Context, stored []spool.Stored) error {
	segments := make([]evidence.Segment, 0, len(stored))
	var pages []int
	var manifests []evidence.StoredSourceManifest
	var checkpoints []checkpointMeta
	for _, o := range stored {
		var meta objectMeta
		if err := json.Unmarshal(o.Meta, &meta); err != nil {
			return fmt.Errorf("the spool's note of %s: %w", o.Key, err)
		}
		if meta.Claims != nil {
			manifests = append(manifests, evidence.StoredSourceManifest{File: *meta.Claims, ObjectKey: o.Key, ObjectVersion: o.Version})
			continue
		}
		if meta.Checkpoint != nil {
			checkpoints = append(checkpoints, *meta.Checkpoint)
			continue
		}
		if meta.Segment == nil {
			pages = append(pages, meta.Page)
			continue
		}
		seg := *meta.Segment
		seg.ObjectKey, seg.ObjectVersion = o.Key, o.Version
		segments = append(segments, seg)
	}
	if len(segments) > 0 {
		if err := s.r.cfg.Store.SaveSegments(ctx, s.iv.Recording, segments); err != nil {
			s.r.metrics.databaseRetries.Add(1)
			return err
		}
		s.touch()
	}
	if len(manifests) > 0 {
		if err := s.r.cfg.Store.SaveSourceManifests(ctx, s.iv.Recording, manifests); err != nil {
			s.r.metrics.databaseRetries.Add(1)
			return err
		}
	}
	if err := s.confirmCheckpoints(ctx, checkpoints); err != nil {
		return err
	}
	// A page comes behind its leaves, which the database has by now.
	for _, i := range pages {
		if err := s.savePage(ctx, i); err != nil {
			s.r.metrics.databaseRetries.Add(1)
			return err
		}
	}
	return nil
}

// savePage writes a full page into the database. The last one, and any that a
// restart left out, go there with the seal.
func (s *sitting) savePage(ctx context.Context, i int) error {
	s.mu.Lock()
	k := s.keeper
	s.mu.Unlock()
	if k == nil {
		return nil
	}
	k.mu.Lock()
	page, waits := k.full[i]
	k.mu.Unlock()
	if !waits {
		return nil
	}
	if err := s.r.cfg.Store.SavePage(ctx, s.iv.Recording, i, page.data, page.nodes); err != nil {
		return err
	}
	k.mu.Lock()
	delete(k.full, i)
	k.mu.Unlock()
	return nil
}

// checkpoints gives back the journal's space: what is in the outbox on disk is
// not needed there any more.
func (k *keeper) checkpoints() {
	timer := time.NewTicker(checkpointEvery)
	defer timer.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	var attesting sync.WaitGroup
	defer attesting.Wait()
	defer cancel()
	attesting.Go(func() { k.attester.run(ctx) })
	go func() {
		select {
		case <-k.done:
		case <-k.s.r.closing:
		case <-ctx.Done():
		}
		cancel()
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			k.checkpoint(ctx)
		}
	}
}

func (k *keeper) checkpoint(ctx context.Context) {
	// Records behind this one are not released now, whatever they are.
	limit := k.s.journal.Status().Appended
	needed := spool.Position(0)
	need := func(p []spool.Position) {
		for _, at := range p {
			if at != 0 && (needed == 0 || at < needed) {
				needed = at
			}
		}
	}
	k.s.mu.Lock()
	tracks := k.s.tracks
	k.s.mu.Unlock()
	// Tracks before the queue: frames move from the one to the other.
	for _, t := range tracks {
		t.mu.Lock()
		need(t.positions)
		need(t.noted.positions)
		t.mu.Unlock()
	}
	k.mu.Lock()
	for _, job := range k.queue {
		need(job.positions)
	}
	lastPut := k.lastPut
	k.mu.Unlock()
	state := k.s.saveState()
	if lastPut != 0 && k.s.journal.WaitObject(ctx, lastPut) != nil {
		return
	}
	if state == 0 || k.s.journal.Wait(ctx, state) != nil {
		return
	}
	release := min(limit, state-1)
	if needed != 0 {
		release = min(release, needed-1)
	}
	if release > 0 {
		k.s.journal.Release(release)
	}
}

// saveState writes the whole state, so that nothing before it is needed but
// frames.
func (s *sitting) saveState() spool.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := savedState{
		Version: savedVersion, Interview: s.iv.ID, Recording: s.iv.Recording, Phase: s.phase,
		Parts: s.parts, Events: s.events, Gaps: s.gaps, Openings: s.opened, Checked: s.checked,
	}
	st.Phase.At = s.nowLocked()
	for _, src := range s.sources {
		if src.joined || src.ownPart != 0 {
			st.Sources = append(st.Sources, src.saved())
		}
	}
	for _, src := range s.sources {
		if account, ok := src.account.saved(); ok {
			st.Accounts = append(st.Accounts, account)
		}
	}
	for _, t := range s.tracks {
		st.Tracks = append(st.Tracks, t.saved())
		st.Configs = append(st.Configs, s.configs[t.number]...)
		t.mu.Lock()
		st.Ledgers = append(st.Ledgers, t.savedLocked())
		t.mu.Unlock()
		for _, a := range s.anchors[t.number] {
			st.Anchors = append(st.Anchors, savedAnchor{Track: t.number, Anchor: a})
		}
	}
	// Under its lock: a duty that is added after this is behind the record.
	s.clerk.mu.Lock()
	defer s.clerk.mu.Unlock()
	if s.keeper != nil {
		st.Checkpoint = s.keeper.attester.durable()
	}
	st.Duties, st.NextDuty = s.clerk.duties, s.clerk.next
	return s.write(recState, encodeJSON(st))
}
