package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

const (
	groupMost  = 128              // units of work that share one commit
	groupLimit = 30 * time.Second // for one transaction, once it has the head row
)

// work is one unit of work that waits for its turn.
type work struct {
	ctx     context.Context
	entries []custody.Entry
	fn      func(*tx) error // nil if the entries are all
	// attempts after serialisation failures, and whether it has to be alone in its
	// transaction because one that it shared failed; of whoever has the turn.
	attempts int
	alone    bool

	done     chan struct{} // closed once it is answered
	err      error         // valid once done is closed, as panicked
	panicked any
}

func (w *work) answer(err error) {
	w.err = err
	close(w.done)
}

// answered waits for the answer and gives it, in the goroutine of the caller.
func (w *work) answered() error {
	<-w.done
	if w.panicked != nil {
		panic(w.panicked)
	}
	return w.err
}

// queue holds the units of work that nobody has begun. Whoever has the turn takes
// from it; everyone else waits, and joins the commit that is being made.
type queue struct {
	turn chan struct{} // one place: full while somebody leads
	most int           // units of work of one commit

	mu      sync.Mutex
	waiting []*work // guarded by mu
}

func newQueue() *queue { return &queue{turn: make(chan struct{}, 1), most: groupMost} }

func (q *queue) add(w *work) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, w)
}

// back puts units of work at the front again, in their order.
func (q *queue) back(members []*work) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(slices.Clone(members), q.waiting...)
}

// withdraw removes a unit of work, unless somebody began it.
func (q *queue) withdraw(w *work) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, w)
	if i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	return i >= 0
}

// next takes the unit of work that may join those that a transaction has, or nil.
func (q *queue) next(members []*work) *work {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 || len(members) >= q.most || len(members) > 0 && (members[0].alone || q.waiting[0].alone) {
		return nil
	}
	w := q.waiting[0]
	q.waiting = q.waiting[1:]
	return w
}

// write runs fn under the log's locked head row, appends the entries with their
// events, and returns once all of that is committed. Units of work that come while
// another is under way share its successor's commit (group commit): each has a
// savepoint of its own, so that one that fails takes nothing of the others with
// it, and none is answered before the commit of all of them is on disk. See the
// package comment.
func (s *Store) write(ctx context.Context, entries []custody.Entry, fn func(*tx) error) error {
	w := &work{ctx: ctx, entries: entries, fn: fn, done: make(chan struct{})}
	s.queue.add(w)
	for {
		select {
		case <-w.done:
			return w.answered()
		case s.queue.turn <- struct{}{}:
			s.lead(w)
		case <-ctx.Done():
			if s.queue.withdraw(w) {
				return ctx.Err() // nobody began it
			}
			return w.answered()
		}
	}
}

// AppendEntry writes an entry that goes with no change of a table.
func (s *Store) AppendEntry(ctx context.Context, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, nil)
}

// lead makes one commit of what waits, with the turn, and gives the turn back.
func (s *Store) lead(w *work) {
	defer func() { <-s.queue.turn }()
	select {
	case <-w.done: // by who had the turn before
		return
	default:
	}
	// Until the head row is locked nobody is bound to this transaction: the leader
	// may go away and leave the turn to another.
	t, err := s.begin(w.ctx)
	var h head
	if err == nil {
		defer t.end()
		h, err = t.lockHead(w.ctx)
	}
	switch {
	case err == nil:
	case w.ctx.Err() != nil:
		return
	case isSerialization(err) && w.attempts+1 < attempts:
		w.attempts++
		_ = pause(w.ctx, w.attempts)
		return
	default:
		s.refuseAll(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), groupLimit)
	defer cancel()
	t.shared = ctx
	s.commitGroup(ctx, t, h)
}

// refuseAll answers everyone who waits: the database cannot be written now, and
// finding that out one after another would keep the last waiting for all.
func (s *Store) refuseAll(err error) {
	var none []*work
	for w := s.queue.next(none); w != nil; w = s.queue.next(none) {
		w.answer(err)
	}
}

// commitGroup runs what waits in t, whose head row is locked, and commits it.
func (s *Store) commitGroup(ctx context.Context, t *tx, h head) {
	var members []*work
	for w := s.queue.next(nil); w != nil; w = s.queue.next(members) {
		whole, err := t.member(ctx, w, len(members) == 0, &h)
		switch {
		case err == nil:
			members = append(members, w)
		case isSerialization(err) && w.attempts+1 < attempts:
			w.attempts++
			t.sql.Rollback()
			s.queue.back(append(members, w))
			_ = pause(ctx, w.attempts)
			return
		case whole:
			w.answer(err)
		default: // the transaction is spoilt: the others begin again without this one
			w.answer(err)
			t.sql.Rollback()
			s.queue.back(members)
			return
		}
	}
	if len(members) == 0 {
		return
	}
	err := t.flush(ctx, h)
	if err == nil {
		err = t.commit(ctx)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: the database did not answer within %v: %v", evidence.ErrUnavailable, groupLimit, err)
	}
	switch again := isSerialization(err); {
	case again && members[0].attempts+1 < attempts, // nothing was written; all begin again
		!again && err != nil && len(members) > 1 && !errors.Is(err, evidence.ErrUnknownState) && !errors.Is(err, evidence.ErrUnavailable):
		t.sql.Rollback()
		for _, w := range members {
			w.attempts++
			w.alone = !again // finds out alone whether it was the cause
		}
		s.queue.back(members)
		_ = pause(ctx, members[0].attempts)
		return
	}
	if err == nil && len(t.staged.events) > 0 {
		s.wake.all()
	}
	for _, w := range members {
		w.answer(err)
	}
}

// savepoint is the name of the one savepoint of a shared transaction.
const savepoint = `SAVEPOINT member`

// member runs one unit of work inside t and stages what it appends. After an error
// nothing of it is left; whole says whether t can go on with others.
func (t *tx) member(ctx context.Context, w *work, first bool, h *head) (whole bool, err error) {
	if err := w.ctx.Err(); err != nil {
		return true, err
	}
	t.entries, t.events, t.next = slices.Clone(w.entries), nil, h.frontier.Size()
	t.at = evidence.At(t.s.clock()) // after the lock, so that entries are in order of time
	saved := w.fn != nil && !first
	if saved {
		statement := savepoint
		if t.saved {
			statement = `RELEASE ` + savepoint + `; ` + savepoint
		}
		if _, err := t.sql.ExecContext(ctx, statement); err != nil {
			return false, fmt.Errorf("beginning a unit of work: %w", unavailable(err))
		}
		t.saved = true
	}
	if err = w.run(t); err == nil {
		err = w.ctx.Err() // of who went away meanwhile, nothing is committed
	}
	if err == nil {
		err = t.stage(h)
	}
	switch {
	case err == nil:
		return true, nil
	case w.fn == nil:
		return true, err
	case !saved:
		return false, err
	}
	if _, undo := t.sql.ExecContext(ctx, `ROLLBACK TO `+savepoint); undo != nil {
		return false, err
	}
	return true, err
}

// errPanicked stands for a unit of work that panicked; its caller panics in turn.
var errPanicked = errors.New("a unit of work panicked")

func (w *work) run(t *tx) (err error) {
	if w.fn == nil {
		return nil
	}
	defer func() {
		if w.panicked = recover(); w.panicked != nil {
			err = errPanicked
		}
	}()
	return w.fn(t)
}
