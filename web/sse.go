package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/toldonce/toldonce/evidence"
)

const (
	// keepAlive is how often a silent stream says that it is alive.
	keepAlive = 15 * time.Second
	// streamLife bounds one stream, so that clients come back and are
	// authenticated anew even if nothing ever happens.
	streamLife = 10 * time.Minute
	// writeGrace is how long a slow reader may hold up one write.
	writeGrace = 10 * time.Second
	// retryAfter is how long a client waits before it comes back, milliseconds.
	retryAfter = 1000
	// maxStreams bounds the streams of one person at a time, on all her pages and
	// programs: each event costs a decision for each.
	maxStreams = 32
)

// eventWriter writes server-sent events (WHATWG HTML section 9.2).
type eventWriter struct {
	w   http.ResponseWriter
	ctl *http.ResponseController
	// still says whether the person is still signed in.
	still func() error
}

// streamEvents answers with server-sent events that run writes. run returns when
// the stream shall end; its context ends when the client goes, the server stops
// or the stream grew old. Whenever it waits, the person is authenticated anew: a
// stream does not outlive its session, lock or token.
func (s *Server) streamEvents(a evidence.Actor, run func(ctx context.Context, out *eventWriter) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		g := humagin.Unwrap(hctx)
		if !s.openStream(a.Account) {
			writeProblem(g.Writer, g.Request, newProblem(http.StatusTooManyRequests, "events.too_many", "Too many pages or programs of yours listen at the same time. Close some of them."))
			return
		}
		defer s.closeStream(a.Account)
		ctx, cancel := context.WithTimeout(g.Request.Context(), streamLife)
		defer cancel()
		stop := context.AfterFunc(s.closed, cancel)
		defer stop()
		s.metrics.streams.Inc()
		defer s.metrics.streams.Dec()

		h := g.Writer.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Accel-Buffering", "no")
		out := &eventWriter{w: g.Writer, ctl: http.NewResponseController(g.Writer)}
		out.still = func() error {
			_, err := s.authenticate(g, background)
			return err
		}
		g.Writer.WriteHeader(http.StatusOK)
		if err := out.raw(fmt.Appendf(nil, "retry: %d\n\n", retryAfter)); err != nil {
			return
		}
		err := run(ctx, out)
		var p *Problem
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.As(err, &p) && p.Status == http.StatusUnauthorized:
			_ = out.event(0, "session", map[string]string{"code": p.Code}) // the client may be gone
		default:
			s.log.WarnContext(ctx, "event stream ended", "request", requestID(ctx), "error", err)
		}
	}}
}

func (s *Server) openStream(account evidence.ID) bool {
	s.listening.Lock()
	defer s.listening.Unlock()
	if s.listeners[account] >= maxStreams {
		return false
	}
	s.listeners[account]++
	return true
}

func (s *Server) closeStream(account evidence.ID) {
	s.listening.Lock()
	defer s.listening.Unlock()
	if s.listeners[account]--; s.listeners[account] == 0 {
		delete(s.listeners, account)
	}
}

// event writes one event. id 0 leaves the client's last event id as it is.
func (e *eventWriter) event(id int64, name string, data any) error {
	body, err := json.Marshal(data) // JSON has no raw line ends
	if err != nil {
		return fmt.Errorf("event %s: %w", name, err)
	}
	var b bytes.Buffer
	if id != 0 {
		fmt.Fprintf(&b, "id: %d\n", id)
	}
	fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", name, body)
	return e.raw(b.Bytes())
}

// alive writes a comment.
func (e *eventWriter) alive() error { return e.raw([]byte(":\n\n")) }

func (e *eventWriter) raw(data []byte) error {
	// The error means that the writer knows no deadlines, as in tests.
	_ = e.ctl.SetWriteDeadline(time.Now().Add(writeGrace))
	if _, err := e.w.Write(data); err != nil {
		return err
	}
	return e.ctl.Flush()
}

// parseEventID reads a Last-Event-ID. Anything but a plain decimal number that
// this server could have sent is refused, not guessed at.
func parseEventID(s string) (int64, bool) {
	id, err := strconv.ParseInt(s, 10, 64)
	return id, err == nil && id >= 0 && strconv.FormatInt(id, 10) == s
}

// wait returns when changed receives or is closed. Until then it keeps the
// connection alive. The error is that of the context, of writing, or of no longer
// being signed in.
func (e *eventWriter) wait(ctx context.Context, changed <-chan struct{}) error {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
			return e.still()
		case <-tick.C:
			if err := e.still(); err != nil {
				return err
			}
			if err := e.alive(); err != nil {
				return err
			}
		}
	}
}
