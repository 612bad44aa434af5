package recorder

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

// clerk tells the database what happened to a running recording, in order, for
// as long as it takes. Duties survive a restart in the journal. A duty may be
// done twice if the program ends between doing it and noting so: a custody entry
// then stands twice, with the same number among its details.
type clerk struct {
	s *sitting

	mu     sync.Mutex
	duties []duty
	next   int64
	wake   chan struct{}
	failed error // of the last attempt; nil: all is well
	idle   []chan struct{}
	done   chan struct{}
	ended  bool
}

func newClerk(s *sitting, duties []duty, next int64) *clerk {
	c := &clerk{s: s, duties: duties, next: max(next, 1), wake: make(chan struct{}, 1), done: make(chan struct{})}
	go c.run()
	return c
}

// add takes a duty. The caller may hold sitting.mu.
func (c *clerk) add(d duty) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d.Number = c.next
	c.next++
	if d.Entry != nil {
		if d.Entry.Details == nil {
			d.Entry.Details = map[string]string{}
		}
		d.Entry.Details["duty"] = strconv.FormatInt(d.Number, 10)
	}
	c.duties = append(c.duties, d)
	c.s.write(recDuty, encodeJSON(d))
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// flush returns when every duty until now is done, or ctx is.
func (c *clerk) flush(ctx context.Context) error {
	c.mu.Lock()
	if len(c.duties) == 0 {
		c.mu.Unlock()
		return nil
	}
	ready := make(chan struct{})
	c.idle = append(c.idle, ready)
	c.mu.Unlock()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		return errors.Join(ctx.Err(), c.failed)
	case <-c.done:
		return evidence.ErrUnavailable
	}
}

// close ends the goroutine; what is not done stays in the journal.
func (c *clerk) close() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *clerk) run() {
	defer close(c.done)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-c.s.r.closing:
		case <-ctx.Done():
		}
		cancel()
	}()
	wait := backOffFirst
	for {
		c.mu.Lock()
		if c.ended || ctx.Err() != nil {
			c.mu.Unlock()
			return
		}
		var d *duty
		if len(c.duties) > 0 {
			copied := c.duties[0]
			d = &copied
		} else {
			for _, ready := range c.idle {
				close(ready)
			}
			c.idle = nil
		}
		c.mu.Unlock()
		if d == nil {
			select {
			case <-c.wake:
			case <-ctx.Done():
			}
			continue
		}
		err := c.do(ctx, *d)
		c.mu.Lock()
		c.failed = err
		if err == nil {
			c.duties = c.duties[1:]
			c.s.write(recDone, strconv.AppendInt(nil, d.Number, 10))
		}
		c.mu.Unlock()
		if err == nil {
			if wait > backOffFirst {
				c.s.clear(alarmDatabase, "")
			}
			wait = backOffFirst
			c.s.touch()
			continue
		}
		if ctx.Err() != nil {
			return
		}
		c.s.r.metrics.databaseRetries.Add(1)
		c.s.r.log.Warn("the database was not told yet", "interview", c.s.iv.ID, "err", err)
		c.s.raise(alarmDatabase, "")
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		wait = min(wait*2, backOffLast)
	}
}

const (
	backOffFirst = 100 * time.Millisecond
	backOffLast  = 5 * time.Second
)

// do does one duty. A change of state that was made already is done.
func (c *clerk) do(ctx context.Context, d duty) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	store := c.s.r.cfg.Store
	switch {
	case d.Track != nil:
		return store.SaveTrack(ctx, *d.Track)
	case d.To == "":
		return store.AppendEntry(ctx, *d.Entry)
	}
	_, err := store.Transition(ctx, c.s.iv.ID, d.From, d.To, d.At, *d.Entry)
	if err == nil || !errors.Is(err, evidence.ErrConflict) && !errors.Is(err, evidence.ErrUnknownState) {
		return err
	}
	iv, reading := store.Interview(ctx, c.s.iv.ID)
	if reading != nil {
		return errors.Join(err, reading)
	}
	if iv.State == d.To || iv.State == evidence.StateSealed {
		return nil
	}
	return err
}

// Actions in the custody log that the recorder writes.
const (
	actionStart        = "interview.start"
	actionPause        = "interview.pause"
	actionResume       = "interview.resume"
	actionStop         = "interview.stop"
	actionSeal         = "interview.seal"
	actionMark         = "interview.mark"
	actionRestart      = "interview.restart"
	actionConsentStop  = "interview.consent_stop"
	actionSourceAdd    = "source.add"
	actionSourceToken  = "source.token"
	actionSourceJoined = "source.joined"
	actionSourceLeft   = "source.left"
	actionObserveJoin  = access.EntryObserveJoin
	actionObserveLeave = access.EntryObserveLeave
)

func deviceActor(agency, source evidence.ID) evidence.Actor {
	return evidence.Actor{Kind: evidence.ActorDevice, Account: source, Agency: agency}
}

// entry is a custody entry about this interview.
func (s *sitting) entry(actor evidence.Actor, action string, subject evidence.ID, details map[string]string) *custody.Entry {
	if subject == "" {
		subject = s.iv.ID
	}
	return &custody.Entry{
		Actor: actor, Action: action, Agency: s.iv.Agency, Case: s.iv.Case, Interview: s.iv.ID, Subject: subject, Details: details,
	}
}
