package db

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lib/pq"

	"github.com/toldonce/toldonce/evidence/custody"
)

// EventsAfter returns up to limit events with a number above after that the
// filter chooses, in order; 0 means 100, and 1000 is the most. Because numbers are
// given out under the log's lock, no event appears later below one that was seen.
func (s *Store) EventsAfter(ctx context.Context, after int64, f custody.EventFilter, limit int) ([]custody.Event, error) {
	var w where
	w.and("id > $", after)
	w.equal("agency", f.Agency)
	w.equal("case_id", f.Case)
	w.equal("interview_id", f.Interview)
	if len(f.Kinds) > 0 {
		w.and("kind IN ("+strings.TrimSuffix(strings.Repeat("$, ", len(f.Kinds)), ", ")+")", anys(f.Kinds)...)
	}
	if limit <= 0 {
		limit = 100
	}
	rows, err := s.query(ctx, `SELECT id, at, kind, agency, case_id, interview_id, subject, actor, position, data FROM event`+
		w.String()+` ORDER BY id LIMIT `+strconv.Itoa(min(limit, 1000)), w.args...)
	out, err := collect(rows, err, func(scan func(...any) error) (e custody.Event, err error) {
		var data string
		if err := scan(&e.ID, &e.At, &e.Kind, &e.Agency, &e.Case, &e.Interview, &e.Subject, &e.Actor, &e.Position, &data); err != nil {
			return e, err
		}
		return e, json.Unmarshal([]byte(data), &e.Data)
	})
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	return out, nil
}

// LastEvent returns the number of the last event, 0 if there was none.
func (s *Store) LastEvent(ctx context.Context) (int64, error) {
	h, err := scanHead(s.row(ctx, headColumns))
	return h.events, err
}

// Changed returns a channel that is closed once there may be new events. Take it
// before reading events, then wait on it. It only wakes: what happened stands in
// the events. On PostgreSQL it hears of other processes too, and wakes when it
// had to connect again; on SQLite it hears of this process alone.
func (s *Store) Changed() <-chan struct{} { return s.wake.next() }

// wake is a broadcast: everyone who waits gets the same channel.
type wake struct {
	mu sync.Mutex
	ch chan struct{} // guarded by mu
}

func newWake() *wake { return &wake{ch: make(chan struct{})} }

func (w *wake) next() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ch
}

func (w *wake) all() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.ch)
	w.ch = make(chan struct{})
}

// listen starts to hear what other processes write, on PostgreSQL.
func (s *Store) listen(dsn string) error {
	if s.dialect != postgresDialect {
		return nil
	}
	listener := pq.NewListener(dsn, 100*time.Millisecond, 10*time.Second, nil)
	if err := listener.Listen("toldonce_event"); err != nil {
		listener.Close()
		return fmt.Errorf("listening for events: %w", unavailable(err))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range listener.Notify { // nil after a reconnection, when something may have been missed
			s.wake.all()
		}
	}()
	s.stop = func() {
		listener.Close()
		<-done
	}
	return nil
}
