package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/claims"
)

type requestKey struct{}

// requestID names the request in the server's log and in the X-Request-Id header
// of its answer; empty outside a request.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// identify gives each request an id of the server's own: one that a client sends
// could be anything, a name included.
func (s *Server) identify(c *gin.Context) {
	id := string(evidence.NewID())
	c.Header("X-Request-Id", id)
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), requestKey{}, id))
	c.Next()
}

// observe logs and counts each request by its route. No address, account, path
// or query is written: the custody log says who did what.
func (s *Server) observe(c *gin.Context) {
	begun := time.Now()
	s.metrics.inFlight.Inc()
	defer func() {
		s.metrics.inFlight.Dec()
		route := c.FullPath()
		if route == "" {
			route = "other"
		}
		took := time.Since(begun)
		status := c.Writer.Status()
		s.metrics.observe(c.Request.Method, route, status, took)
		level := slog.LevelInfo
		if c.GetBool(routine) && status < http.StatusBadRequest {
			level = slog.LevelDebug
		}
		s.log.Log(c.Request.Context(), level, "request", "request", requestID(c.Request.Context()), "method", methodLabel(c.Request.Method),
			"route", route, "status", status, "bytes", max(c.Writer.Size(), 0), "ms", took.Milliseconds())
	}()
	c.Next()
}

// routine marks requests that pages and players make by themselves, many times a
// minute. Those that succeed are logged for debugging only; all are counted.
const routine = "toldonce.routine"

// methodLabel bounds what a client can make us write as a method.
func methodLabel(method string) string {
	switch method {
	case get, head, post, remove, http.MethodPatch, http.MethodPut, http.MethodOptions:
		return method
	}
	return "other"
}

// recover turns a panic into a 500 and logs its stack.
func (s *Server) recoverPanic(c *gin.Context) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v == http.ErrAbortHandler {
			panic(v) // the way to cut an answer short; net/http knows it
		}
		s.log.ErrorContext(c.Request.Context(), "panic", "request", requestID(c.Request.Context()), "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		c.Abort()
		if !c.Writer.Written() {
			writeProblem(c.Writer, c.Request, ProblemOf(fmt.Errorf("panic: %v", v)))
		}
	}()
	c.Next()
}

// answerTimeout bounds how long an ordinary answer may take to be written.
// Streams set their own deadlines.
const answerTimeout = 60 * time.Second

// limit caps what a request may make us read and how long a slow reader may
// hold an answer. stop answers once sealed, and so takes longer.
func (s *Server) limit(c *gin.Context) {
	if c.Request.Body != nil {
		most := int64(maxRequest)
		if c.FullPath() == captureFrames {
			most = claims.MaxRun
		}
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, most)
	}
	// The error means that the writer knows no deadlines, as in tests.
	_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(answerTimeout))
	c.Next()
}

// maxRequest is the most that any request may carry, in bytes, but for frames that
// a source hands over again. Operations of the
// API take less (defaultBody); an SDP offer is at most maxSDP.
const maxRequest = 1 << 20

// fromTrustedProxy reports whether a request came through a proxy that the
// configuration names.
func (s *Server) fromTrustedProxy(r *http.Request) bool {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	for _, p := range s.proxies {
		if p.Contains(ap.Addr().Unmap()) {
			return true
		}
	}
	return false
}
