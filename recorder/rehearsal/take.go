package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/recorder"
)

// take is one rehearsal. The fields up to mu are fixed before it is known to others.
type take struct {
	service   *Service
	id        evidence.ID
	room      evidence.ID
	actor     evidence.Actor
	interview evidence.ID
	recording evidence.ID
	source    evidence.Source
	store     *memory
	keys      *ring
	authority *seal.Authority
	recorder  *recorder.Recorder
	dir       string
	until     evidence.Instant
	expiry    *time.Timer

	mu        sync.Mutex
	state     State
	startedAt evidence.Instant
	stop      *time.Timer // ends the recording; nil before the start
	findings  seal.Findings
	segments  int
	ended     bool
}

func (t *take) status() Take {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.statusLocked()
}

func (t *take) statusLocked() Take {
	out := Take{ID: t.id, Room: t.room, State: t.state, Until: t.until, Segments: t.segments, Findings: t.findings}
	if t.startedAt != 0 {
		out.Elapsed = min(evidence.Offset(evidence.At(t.service.cfg.Clock())-t.startedAt), evidence.Offset(t.service.cfg.Length.Microseconds()))
	}
	return out
}

// finish stops the recording, seals and verifies it, and closes its recorder.
func (t *take) finish() {
	t.mu.Lock()
	if t.ended {
		t.mu.Unlock()
		return
	}
	t.state = Sealing
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), sealWithin)
	defer cancel()
	_, err := t.recorder.Stop(ctx, t.actor, t.interview)
	var findings seal.Findings
	segments := 0
	if err == nil {
		findings, segments, err = t.verify(ctx)
	}
	closing := errors.Join(t.recorder.Close(), os.RemoveAll(t.dir))
	t.service.logged(closing)
	t.mu.Lock()
	t.findings, t.segments, t.state = findings, segments, Done
	if err != nil {
		t.state = Failed
		t.service.cfg.Logger.Error("a test recording failed", "err", err)
	}
	ended := t.ended
	t.mu.Unlock()
	if ended {
		return
	}
	holds := err == nil && segments > 0 && !findings.Any(seal.Fails) && !findings.Any(seal.NotTrusted)
	if err := t.service.cfg.Finished(ctx, Result{Room: t.room, Actor: t.actor, Holds: holds, Segments: segments}); err != nil {
		t.service.cfg.Logger.Error("what came of a test recording could not be noted", "err", err)
	}
}

// verify judges the recording as one that is evidence is judged: the seal, the manifest,
// the tree, and every object read, hashed and opened.
func (t *take) verify(ctx context.Context) (seal.Findings, int, error) {
	sealed, err := t.store.SealedHead(ctx, t.recording)
	if err != nil {
		return nil, 0, err
	}
	rec, findings := seal.CheckRecording(seal.RecordingInput{Manifest: sealed.Manifest, Bundle: sealed.Bundle, Pages: sealed.Pages, Trust: t.authority.Trust()})
	if rec == nil {
		return findings, 0, nil
	}
	segments, err := t.store.Segments(ctx, t.recording)
	if err != nil {
		return nil, 0, err
	}
	const check = "storage.objects"
	if len(segments) != len(rec.Leaves) {
		findings.Add(check, seal.Fails, "", "The seal is over %d objects; %d are kept.", len(rec.Leaves), len(segments))
		return findings, 0, nil
	}
	bad := 0
	for i, segment := range segments {
		if segment.Leaf != rec.Leaves[i] {
			bad++
			findings.Add(check, seal.Fails, "", "Object %d of the recording: it is described otherwise than the seal.", i)
		} else if _, err := t.open(segment); err != nil {
			bad++
			findings.Add(check, seal.Fails, "", "Object %d of the recording: its content is not what was sealed.", i)
		}
	}
	if bad == 0 {
		findings.Add(check, seal.Holds, "", "All %d stored objects were read. Each is what the seal commits to, encrypted and opened.", len(segments))
	}
	return findings, len(segments), nil
}

// open reads an object and checks it against its leaf.
func (t *take) open(segment evidence.Segment) ([]byte, error) {
	body, ok := t.store.object(segment.ObjectKey)
	if !ok {
		return nil, fmt.Errorf("object %d: %w", segment.Position, evidence.ErrNotFound)
	}
	id, err := t.keys.data.Identity()
	if err != nil {
		return nil, err
	}
	return envelope.OpenLeaf(id, body, segment.Leaf)
}

// end forgets everything. It may be called more than once.
func (t *take) end() error {
	t.mu.Lock()
	t.ended = true
	if t.stop != nil {
		t.stop.Stop()
	}
	t.mu.Unlock()
	if t.expiry != nil {
		t.expiry.Stop()
	}
	return errors.Join(t.recorder.Close(), os.RemoveAll(t.dir))
}
