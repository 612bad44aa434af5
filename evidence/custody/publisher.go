package custody

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/toldonce/toldonce/evidence"
)

// Remote is a witness that can be asked. An error that is none of those of
// [Witness.Add] means that it does not answer. Safe for concurrent use.
type Remote interface {
	Cosigner() Cosigner
	Add(ctx context.Context, r WitnessRequest) ([]byte, error)
}

// Anchor keeps the newest checkpoint outside the database, so that a restored
// backup of the database alone is noticed. Safe for concurrent use.
type Anchor interface {
	// Last returns what was saved last, or an error wrapping [evidence.ErrNotFound].
	Last() ([]byte, error)
	// Save keeps a note of that size durably, in the place of the one before.
	Save(size int64, signed []byte) error
}

// PublisherStore is what a [Publisher] needs of the store.
type PublisherStore interface {
	Log
	// Cosignatures returns those that were saved of the checkpoint of that size.
	Cosignatures(ctx context.Context, size int64) ([]Cosignature, error)
	// SaveCosignature keeps one durably. Of one witness and size the first stays.
	SaveCosignature(ctx context.Context, size int64, c Cosignature) error
	// Discontinuities returns all, the oldest first.
	Discontinuities(ctx context.Context) ([]Discontinuity, error)
	// ProposeDiscontinuity and ApproveDiscontinuity write one with its entry. The
	// second returns [evidence.ErrConflict] unless it was proposed and not approved.
	ProposeDiscontinuity(ctx context.Context, d Discontinuity, entry Entry) error
	ApproveDiscontinuity(ctx context.Context, d Discontinuity, entry Entry) error
}

// Times of a [Publisher].
const (
	PublishEvery   = 30 * time.Second // at most so old is what witnesses saw, while they answer
	witnessTimeout = 5 * time.Second  // of one question to a witness
	inlineTimeout  = 3 * time.Second  // that a proof waits for cosignatures
	backoffMost    = 10 * time.Minute // between questions to a witness that does not answer
)

// PublisherConfig is what a [Publisher] is made of.
type PublisherConfig struct {
	Checkpoints *Checkpointer
	Store       PublisherStore
	Witnesses   []Remote
	Anchor      Anchor
	Clock       evidence.Clock
	Logger      *slog.Logger
}

// Publisher signs checkpoints, keeps the newest beside the database and has them
// cosigned by witnesses; and it compares the log with what was signed before. A
// witness that does not answer stops nothing. Safe for concurrent use.
type Publisher struct {
	PublisherConfig
	asking sync.Mutex // one round at a time

	mu        sync.Mutex
	witnesses []*witnessState // guarded by mu
	breaks    []Break         // not explained; guarded by mu
	anchored  int64           // size in the anchor; guarded by mu
	checked   bool            // whether a check came to an end; guarded by mu
}

type witnessState struct {
	remote Remote
	status WitnessStatus
	old    int64 // the size that it cosigned last, as far as is known
	fails  int
	next   time.Time // not asked before
	// broken is what it last said to contradict the log, until it cosigns again: a
	// witness that ceases to answer takes nothing back.
	broken *Break
}

// States of a witness.
const (
	WitnessNew     = "new"     // not asked yet
	WitnessGood    = "good"    // it cosigned the newest checkpoint
	WitnessPending = "pending" // it does not answer; asked again
	WitnessRefuses = "refuses" // it saw entries that this log does not have
)

// WitnessStatus is how a witness stands.
type WitnessStatus struct {
	Name  string
	Key   string
	State string
	Size  int64     // that it cosigned last; 0 if none is known
	At    time.Time // when, by its clock; zero if none is known
	// Next is when it is asked again if it did not answer.
	Next time.Time
}

// Status is the log's health.
type Status struct {
	Size            int64 // entries
	Checkpoint      int64 // entries of the newest signed checkpoint; 0 if none
	Witnesses       []WitnessStatus
	Breaks          []Break // not explained by an approved discontinuity
	Checked         bool
	Discontinuities []Discontinuity // all, the oldest first
}

// NewPublisher returns a Publisher. Nothing is asked before [Publisher.Check].
func NewPublisher(c PublisherConfig) *Publisher {
	p := &Publisher{PublisherConfig: c}
	for _, r := range c.Witnesses {
		p.witnesses = append(p.witnesses, &witnessState{remote: r, status: WitnessStatus{Name: r.Cosigner().Name, Key: r.Cosigner().Key, State: WitnessNew}})
	}
	return p
}

// Verifier returns the public half of the log's key.
func (p *Publisher) Verifier() note.Verifier { return p.Checkpoints.Verifier() }

// Cosigners returns the witnesses, in the order in which they are configured.
func (p *Publisher) Cosigners() []Cosigner {
	out := make([]Cosigner, len(p.Witnesses))
	for i, w := range p.Witnesses {
		out[i] = w.Cosigner()
	}
	return out
}

// Closed returns an error wrapping [ErrDiscontinuous] while the log contradicts
// what was signed of it and no two people have explained that.
func (p *Publisher) Closed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.checked {
		return fmt.Errorf("%w: it was not compared yet", ErrDiscontinuous)
	}
	if len(p.breaks) == 0 {
		return nil
	}
	b := whole(p.breaks)
	return fmt.Errorf("%w: entries from %d to %d", ErrDiscontinuous, b.From, b.Until)
}

// Check compares the log with the newest checkpoints that were kept: in the
// database, beside it, and by each witness that answers. What it finds is what
// [Publisher.Closed] says from then on. The error is about reading.
func (p *Publisher) Check(ctx context.Context) error {
	p.asking.Lock()
	defer p.asking.Unlock()
	return p.check(ctx, true)
}

func (p *Publisher) check(ctx context.Context, witnesses bool) error {
	var found []Break
	from := int64(0)
	note := func(signed []byte, source string) error {
		cp, err := OpenCheckpoint(signed, p.Verifier())
		if err != nil {
			return fmt.Errorf("the checkpoint kept in the %s: %w: %v", source, evidence.ErrMissingState, err)
		}
		b, err := compare(ctx, p.Store, cp, source, from)
		if err != nil {
			return err
		}
		if b != nil {
			found = append(found, *b)
		} else if source == SourceDatabase {
			from = cp.Size
		}
		return nil
	}
	last, err := p.Store.LastCheckpoint(ctx)
	if err == nil {
		err = note(last, SourceDatabase)
	} else if errors.Is(err, evidence.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("checking the custody log: %w", err)
	}
	kept, err := p.Anchor.Last()
	if err == nil {
		err = note(kept, SourceAnchor)
	} else if errors.Is(err, evidence.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("checking the custody log: %w", err)
	}
	if witnesses && last != nil {
		p.mu.Lock()
		for _, w := range p.witnesses {
			w.next, w.status.State = time.Time{}, WitnessNew
		}
		p.mu.Unlock()
		p.ask(ctx, last, from)
	}
	return p.judge(ctx, append(found, p.byWitnesses()...))
}

// byWitnesses returns what witnesses contradict.
func (p *Publisher) byWitnesses() []Break {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Break
	for _, w := range p.witnesses {
		if w.broken != nil {
			out = append(out, *w.broken)
		}
	}
	return out
}

// judge keeps the breaks that no approved discontinuity explains.
func (p *Publisher) judge(ctx context.Context, found []Break) error {
	known, err := p.Store.Discontinuities(ctx)
	if err != nil {
		return fmt.Errorf("checking the custody log: %w", err)
	}
	open := slices.DeleteFunc(found, func(b Break) bool {
		return slices.ContainsFunc(known, func(d Discontinuity) bool { return d.explains(b) })
	})
	p.mu.Lock()
	news := len(open) > 0 && len(p.breaks) == 0
	p.breaks, p.checked = open, true
	p.mu.Unlock()
	if news {
		b := whole(open)
		p.Logger.ErrorContext(ctx, "the custody log does not continue what was signed before; viewing and sharing are closed, recording goes on. Two people must sign a discontinuity: toldonce log discontinuity propose",
			"from", b.From, "until", b.Until, "source", b.Source)
	}
	return nil
}

// Checkpoint returns a signed checkpoint of the log as it now stands, with the
// cosignatures that could be had at once: it waits a few seconds at most for them. It
// returns an error wrapping [ErrDiscontinuous] while [Publisher.Closed] does.
func (p *Publisher) Checkpoint(ctx context.Context) ([]byte, error) {
	short, cancel := context.WithTimeout(ctx, inlineTimeout)
	defer cancel()
	return p.publish(ctx, short)
}

// Publish is Checkpoint with time for every witness; those that did not answer are
// asked only when their time has come.
func (p *Publisher) Publish(ctx context.Context) ([]byte, error) { return p.publish(ctx, ctx) }

func (p *Publisher) publish(ctx, asking context.Context) ([]byte, error) {
	p.asking.Lock()
	defer p.asking.Unlock()
	if err := p.check(ctx, false); err != nil {
		return nil, err
	}
	if err := p.Closed(); err != nil {
		return nil, err
	}
	signed, err := p.Checkpoints.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	cp, err := OpenCheckpoint(signed, p.Verifier())
	if err != nil {
		return nil, err
	}
	if err := p.keep(cp); err != nil {
		return nil, err
	}
	p.ask(asking, signed, cp.Size)
	if found := p.byWitnesses(); len(found) > 0 {
		if err := p.judge(ctx, found); err != nil {
			return nil, err
		}
		if err := p.Closed(); err != nil {
			return nil, err
		}
	}
	return p.withCosignatures(ctx, cp)
}

// keep puts the checkpoint beside the database.
func (p *Publisher) keep(cp Checkpoint) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.anchored == cp.Size {
		return nil
	}
	if err := p.Anchor.Save(cp.Size, cp.Signed); err != nil {
		return fmt.Errorf("keeping the checkpoint beside the database: %w", err)
	}
	p.anchored = cp.Size
	return nil
}

// withCosignatures returns the checkpoint with what witnesses added to it, in the
// order of the witnesses.
func (p *Publisher) withCosignatures(ctx context.Context, cp Checkpoint) ([]byte, error) {
	saved, err := p.Store.Cosignatures(ctx, cp.Size)
	if err != nil {
		return nil, err
	}
	out := Bare(cp.Signed)
	for _, w := range p.Cosigners() {
		for _, c := range saved {
			if c.Witness != w.Name {
				continue
			}
			// One that does not fit is of a log that was abandoned.
			if good, err := received(out, []byte(c.Line), w); err == nil {
				out = Cosigned(out, good.Line)
			}
		}
	}
	return out, nil
}

// ask has the checkpoint cosigned by every witness whose turn it is, all at once.
// from is as in compare.
func (p *Publisher) ask(ctx context.Context, signed []byte, from int64) {
	cp, err := OpenCheckpoint(signed, p.Verifier())
	if err != nil {
		return
	}
	now := p.Clock()
	var all sync.WaitGroup
	for _, w := range p.witnesses {
		p.mu.Lock()
		due := (w.status.State != WitnessGood || w.status.Size != cp.Size) && !w.next.After(now)
		p.mu.Unlock()
		if due {
			all.Go(func() { p.askOne(ctx, w, cp, from) })
		}
	}
	all.Wait()
}

func (p *Publisher) askOne(ctx context.Context, w *witnessState, cp Checkpoint, from int64) {
	p.mu.Lock()
	old := min(w.old, cp.Size)
	p.mu.Unlock()
	var answer []byte
	var err error
	stale := &StaleError{Size: -1}
	for range 3 { // the second time with the size that the witness named; the third if another node was faster
		var path []Hash
		if path, err = p.Store.ProveConsistency(ctx, old, cp.Size); err != nil {
			break
		}
		short, cancel := context.WithTimeout(ctx, witnessTimeout)
		answer, err = w.remote.Add(short, WitnessRequest{Old: old, Path: path, Checkpoint: Bare(cp.Signed)})
		cancel()
		if !errors.As(err, &stale) || stale.Size > cp.Size || stale.Size == old {
			break
		}
		old = stale.Size
	}
	if err == nil {
		var c Cosignature
		if c, err = received(cp.Signed, answer, w.remote.Cosigner()); err == nil {
			if err = p.Store.SaveCosignature(ctx, cp.Size, c); err == nil {
				p.mu.Lock()
				defer p.mu.Unlock()
				w.old, w.fails, w.next, w.broken = cp.Size, 0, time.Time{}, nil
				w.status.State, w.status.Size, w.status.At, w.status.Next = WitnessGood, cp.Size, c.At, time.Time{}
				return
			}
		}
	}
	until := int64(-1)
	switch {
	case errors.As(err, &stale) && stale.Size > cp.Size:
		// Another node may have published since. But no checkpoint goes to a witness
		// before it is in the database.
		if last, known := p.lastSize(ctx); known && stale.Size > last {
			until = stale.Size
		}
	case errors.As(err, &stale) && stale.Size == cp.Size, errors.Is(err, ErrNoExtension):
		until = old
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if until < 0 {
		w.fails++
		pause := min(backoffMost, PublishEvery<<min(w.fails-1, 10))
		w.next = p.Clock().Add(pause)
		w.status.State, w.status.Next = WitnessPending, w.next
		p.Logger.WarnContext(ctx, "a witness did not cosign; it is asked again", "witness", w.status.Name, "error", err, "after", pause)
		return
	}
	w.old, w.next = until, p.Clock().Add(backoffMost)
	w.status.State, w.status.Size, w.status.Next = WitnessRefuses, until, w.next
	w.broken = &Break{Source: w.status.Name, From: min(from, until), Until: until}
}

// lastSize is the size of the newest checkpoint in the database.
func (p *Publisher) lastSize(ctx context.Context) (int64, bool) {
	signed, err := p.Store.LastCheckpoint(ctx)
	if err != nil {
		return 0, false
	}
	cp, err := OpenCheckpoint(signed, p.Verifier())
	return cp.Size, err == nil
}

// Run checks the log and publishes it every [PublishEvery] until ctx ends. A log
// that is closed is looked at again, so that what two people signed on another node
// opens it here too.
func (p *Publisher) Run(ctx context.Context) {
	tick := time.NewTicker(PublishEvery)
	defer tick.Stop()
	for {
		if _, err := p.Publish(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, ErrDiscontinuous) {
			p.Logger.ErrorContext(ctx, "the custody log's checkpoint could not be published", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Status returns the log's health as it is known now; it asks nobody.
func (p *Publisher) Status(ctx context.Context) (Status, error) {
	head, err := p.Store.LogHead(ctx)
	if err != nil {
		return Status{}, err
	}
	out := Status{Size: head.Size}
	if out.Discontinuities, err = p.Store.Discontinuities(ctx); err != nil {
		return Status{}, err
	}
	last, err := p.Store.LastCheckpoint(ctx)
	if err == nil {
		var cp Checkpoint
		if cp, err = OpenCheckpoint(last, p.Verifier()); err == nil {
			out.Checkpoint = cp.Size
		}
	}
	if err != nil && !errors.Is(err, evidence.ErrNotFound) {
		return Status{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	out.Breaks, out.Checked = slices.Clone(p.breaks), p.checked
	for _, w := range p.witnesses {
		out.Witnesses = append(out.Witnesses, w.status)
	}
	return out, nil
}

// Propose is the first of two signatures under a discontinuity: that the person
// knows that entries were lost or replaced, and why. It returns
// [evidence.ErrConflict] if nothing contradicts the log.
func (p *Publisher) Propose(ctx context.Context, actor evidence.Actor, why string) (Discontinuity, error) {
	if err := p.Check(ctx); err != nil {
		return Discontinuity{}, err
	}
	p.mu.Lock()
	breaks := slices.Clone(p.breaks)
	p.mu.Unlock()
	if len(breaks) == 0 {
		return Discontinuity{}, evidence.Refuse(evidence.ErrConflict, "log.continuous", "The log continues everything that was signed of it: there is no discontinuity to sign.", "")
	}
	b := whole(breaks)
	d := Discontinuity{ID: evidence.NewID(), From: b.From, Until: b.Until, Source: b.Source, ProposedBy: actor.Account, ProposedAt: evidence.At(p.Clock()), Version: 1}
	if b.Root != nil {
		d.Root = fmt.Sprintf("%x", b.Root[:])
	}
	return d, p.Store.ProposeDiscontinuity(ctx, d, d.Entry(actor, EntryDiscontinuityPropose, why))
}

// Approve is the second signature, by another person. The log is open, and signed
// again, once it returns nil, unless something else contradicts it meanwhile.
func (p *Publisher) Approve(ctx context.Context, actor evidence.Actor, id evidence.ID, why string) (Discontinuity, error) {
	known, err := p.Store.Discontinuities(ctx)
	if err != nil {
		return Discontinuity{}, err
	}
	i := slices.IndexFunc(known, func(d Discontinuity) bool { return d.ID == id })
	if i < 0 {
		return Discontinuity{}, evidence.ErrNotFound
	}
	d := known[i]
	switch {
	case d.Approved():
		return Discontinuity{}, evidence.Refuse(evidence.ErrConflict, "log.discontinuity.approved", "This discontinuity was approved already.", "")
	case d.ProposedBy == actor.Account:
		return Discontinuity{}, evidence.Refuse(evidence.ErrRefused, "log.discontinuity.own", "You proposed this. Somebody else must approve it.", "P23")
	}
	d.ApprovedBy, d.ApprovedAt = actor.Account, evidence.At(p.Clock())
	if err := p.Store.ApproveDiscontinuity(ctx, d, d.Entry(actor, EntryDiscontinuityApprove, why)); err != nil {
		return Discontinuity{}, err
	}
	if err := p.Check(ctx); err != nil {
		return Discontinuity{}, err
	}
	p.mu.Lock()
	p.anchored = -1 // the next one takes the place of the one that is explained now
	p.mu.Unlock()
	if _, err := p.Publish(ctx); err != nil && !errors.Is(err, ErrDiscontinuous) {
		return Discontinuity{}, err
	}
	return d, nil
}
