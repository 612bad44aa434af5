package recorder

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/prefix"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/recorder/publish"
)

// court is a witness in memory, with a switch.
type court struct {
	*custody.Witness
	mu    sync.Mutex
	notes map[string][]byte
	down  bool
}

func newCourt(t *testing.T, logKey string) *court {
	t.Helper()
	signer, _, err := custody.GenerateCosigner("witness.court.example")
	if err != nil {
		t.Fatal(err)
	}
	c := &court{notes: map[string][]byte{}}
	if c.Witness, err = custody.NewWitness(signer, []string{logKey}, c); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *court) Last(origin string) ([]byte, error) {
	if n, ok := c.notes[origin]; ok {
		return n, nil
	}
	return nil, evidence.ErrNotFound
}

func (c *court) Save(origin string, _ int64, signed []byte) error {
	c.notes[origin] = bytes.Clone(signed)
	return nil
}

func (c *court) Add(ctx context.Context, r custody.WitnessRequest) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return nil, evidence.ErrUnavailable
	}
	return c.Witness.Add(ctx, r)
}

func (c *court) setDown(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

// attest makes a checkpoint now.
func (w *world) attest() {
	w.t.Helper()
	a := w.rec.active(w.iv.ID).keeper.attester
	if err := a.attest(w.t.Context(), a.k.snapshot, a.k.s.journal.WaitObject); err != nil {
		w.t.Fatal(err)
	}
}

// left judges what reached the object store, as if the server were gone.
func (w *world) left(witnesses ...custody.Cosigner) (*prefix.Prefix, seal.Findings) {
	w.t.Helper()
	log, err := seal.ParseLog(w.logKey)
	if err != nil {
		w.t.Fatal(err)
	}
	in := prefix.Input{Trust: &seal.Trust{Organisation: "Test agency", Logs: []seal.Log{log}, Witnesses: witnesses}}
	w.objects.mu.Lock()
	defer w.objects.mu.Unlock()
	for key, body := range w.objects.data {
		if name := strings.TrimPrefix(key, prefix.Root(w.iv.Recording)); strings.HasPrefix(name, prefix.Folder) {
			in.Files = append(in.Files, prefix.File{Name: name, Data: body})
		}
	}
	return prefix.Check(in)
}

func confirmed(st Status) bool { return st.Checkpoint != nil && st.Checkpoint.Acknowledged }

// What reached the store proves a beginning of the recording, before and after the
// server was killed, and in the end the seal's own tree. A store or a witness that
// does not answer shows, and holds nothing up.
func TestCheckpointsProveABeginning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.close()
	judge := newCourt(t, w.logKey)
	w.witnesses = []custody.Remote{judge}
	w.open()
	cam := w.camera(evidence.SourceCloseUp)
	w.start()
	off := cam.onAir(publish.Options{})
	w.until("the first segments", func(st Status) bool { return st.Storage.Durable > 4 })
	if st, _ := w.rec.Status(t.Context(), w.iv.ID); st.Checkpoint != nil {
		t.Errorf("before the first checkpoint: %+v", st.Checkpoint)
	}
	w.attest()
	first := w.until("it is stored and cosigned", confirmed).Checkpoint

	judge.setDown(true)
	w.objects.setDown(true)
	w.until("more segments", func(st Status) bool { return st.Storage.Pending > 3 })
	w.attest()
	st, _ := w.rec.Status(t.Context(), w.iv.ID)
	if c := st.Checkpoint; c.Acknowledged || c.Stored || c.Pieces <= first.Pieces || c.AcknowledgedAt != first.At {
		t.Errorf("while nobody answers: %+v", c)
	}
	after := w.crash()
	p, findings := w.left(judge.Cosigner())
	if p == nil || findings.Any(seal.Fails) || p.Size != first.Pieces || p.WitnessedSize != p.Size {
		t.Errorf("of the killed server: %+v, %+v", p, findings)
	}
	w.close()
	off()

	st = after.until("the store has it, and no witness", func(st Status) bool {
		return st.Checkpoint != nil && st.Checkpoint.Stored && st.Checkpoint.Witnessed == 0
	})
	if st.Checkpoint.Pieces <= first.Pieces || st.Checkpoint.Acknowledged {
		t.Errorf("what was pending before the restart: %+v", st.Checkpoint)
	}
	judge.setDown(false)
	after.attest()
	after.until("all is confirmed after the restart", confirmed)
	after.stop()
	m := after.manifest()
	p, findings = after.left(judge.Cosigner())
	if p == nil || findings.Any(seal.Fails) || p.Size != m.Tree.Size || p.Witnessed == nil {
		t.Errorf("of the sealed recording of %d leaves: %+v, %+v", m.Tree.Size, p, findings)
	}
	// The database got them for the packages.
	tree := seal.NewTree()
	for _, l := range p.Leaves {
		if _, err := tree.Append(l); err != nil {
			t.Fatal(err)
		}
	}
	var notes [][]byte
	after.store.mu.Lock()
	for _, n := range after.store.checkpoints {
		notes = append(notes, []byte(n))
	}
	after.store.mu.Unlock()
	if n, err := prefix.Agrees(tree, w.iv.Recording, w.logKey, notes); err != nil || n < 2 || tree.Head().Root != m.Tree.Root {
		t.Errorf("%d checkpoints agree: %v", n, err)
	}
	if st, err := after.rec.Status(t.Context(), w.iv.ID); err != nil || st.Checkpoint != nil {
		t.Errorf("after the seal: %+v, %v", st.Checkpoint, err)
	}
}
