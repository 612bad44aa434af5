package web

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

// Probe is one thing that the server needs in order to work.
type Probe struct {
	// Name is short and stable: "database", "objects", "keys", "spool".
	Name string
	// Check returns nil if it works. Its context ends after [probeTimeout].
	Check func(ctx context.Context) error
}

// builtIn are the probes that need nothing but the store: that the log's head can
// be read, and that the clock is not behind it.
func (s *Server) builtIn() []Probe {
	return []Probe{
		{Name: "log", Check: func(ctx context.Context) error { _, err := s.store.LogHead(ctx); return err }},
		{Name: "clock", Check: func(ctx context.Context) error { _, err := s.store.Now(ctx); return err }},
	}
}

const probeTimeout = 3 * time.Second

// healthz says that the process answers; nothing else.
func (s *Server) healthz(c *gin.Context) { c.String(http.StatusOK, "ok\n") }

type readiness struct {
	Ready  bool         `json:"ready"`
	Checks []probeState `json:"checks"`
}

type probeState struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
}

// readyz runs every probe at once. It answers 200 if all are well and 503
// otherwise, with names alone: why goes to the log.
func (s *Server) readyz(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), probeTimeout)
	defer cancel()
	out := readiness{Ready: true, Checks: make([]probeState, len(s.probes))}
	var wg sync.WaitGroup
	for i, p := range s.probes {
		wg.Go(func() {
			err := p.Check(ctx)
			if err != nil {
				s.log.WarnContext(ctx, "not ready", "probe", p.Name, "error", err)
			}
			out.Checks[i] = probeState{Name: p.Name, OK: err == nil}
		})
	}
	wg.Wait()
	status := http.StatusOK
	for _, check := range out.Checks {
		if !check.OK {
			out.Ready, status = false, http.StatusServiceUnavailable
		}
	}
	c.JSON(status, out)
}
