package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/derivative"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/observation"
	"github.com/toldonce/toldonce/evidence/people"
	"github.com/toldonce/toldonce/evidence/retention"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/evidence/transcript"
	"github.com/toldonce/toldonce/web/login"
	"github.com/toldonce/toldonce/web/ui"
)

// Config is what a [Server] is made of. Fields without a default are required.
type Config struct {
	Store       Store
	People      *people.Service
	Access      *access.Service
	Cases       *casefile.Service
	Consents    *consent.Service
	Exports     *disclosure.Service
	Retention   *retention.Service
	Observing   *observation.Service
	Transcripts *transcript.Service
	Derivatives *derivative.Service
	Recording   Recording
	// Rehearsals makes test recordings. nil: none are made here.
	Rehearsals Rehearsals
	Objects    Objects
	Keys       Keys
	// Checkpoints signs the custody log's head and has it witnessed.
	Checkpoints *custody.Publisher
	// Trust is what this installation seals with, by which it verifies itself.
	Trust *seal.Trust
	// OutsideTime says that an outside timestamp authority is asked for each seal.
	OutsideTime bool

	// BaseURL is how browsers reach the server, such as "https://localhost:8443",
	// without a final slash. Links and WHIP addresses begin with it.
	BaseURL string
	// TLS, if set, is what Run serves with. Without it only this machine and
	// trusted proxies are answered.
	TLS *tls.Config
	// TrustedProxies are the addresses or prefixes of proxies whose
	// X-Forwarded-For and X-Forwarded-Proto are believed. None by default.
	TrustedProxies []string
	// MetricsToken, if set, is the bearer token that /metrics asks for. Without
	// it /metrics answers this machine alone.
	MetricsToken string
	// Probes are what /readyz checks beside the log's head and the clock.
	Probes []Probe
	// Registry gathers metrics; the server registers its own there. Default: a new one.
	Registry *prometheus.Registry
	// Pages holds the interface. Default: what was built into the program.
	Pages fs.FS
	// Clock tells wall time. Default: time.Now.
	Clock evidence.Clock
	// Logger gets structured logs without personal data.
	Logger *slog.Logger
}

// Server is the HTTP edge. It is an http.Handler; Run serves it. Safe for
// concurrent use.
type Server struct {
	store       Store
	people      *people.Service
	access      *access.Service
	cases       *casefile.Service
	consents    *consent.Service
	exports     *disclosure.Service
	retention   *retention.Service
	observing   *observation.Service
	transcripts *transcript.Service
	derivatives *derivative.Service
	recording   Recording
	rehearsals  Rehearsals
	objects     Objects
	keys        Keys
	checkpoints *custody.Publisher
	trust       *seal.Trust
	outsideTime bool
	verifying   chan struct{} // bounds verifications

	listening    sync.Mutex
	listeners    map[evidence.ID]int // event streams of an account; guarded by listening
	sessions     *login.Manager
	passkeys     *login.Passkeys // nil: not under this address
	origins      *http.CrossOriginProtection
	proxies      []netip.Prefix
	probes       []Probe
	metrics      *metrics
	gatherer     prometheus.Gatherer
	metricsToken string
	baseURL      string
	tls          *tls.Config
	clock        evidence.Clock
	log          *slog.Logger
	names        nameCache
	engine       *gin.Engine

	closed context.Context // ends when Run ends, so that streams end
	close  context.CancelFunc
}

// New builds the server. It returns an error wrapping evidence.ErrInvalid for a
// configuration that cannot be used.
func New(cfg Config) (*Server, error) {
	s := &Server{
		store: cfg.Store, people: cfg.People, access: cfg.Access, cases: cfg.Cases, consents: cfg.Consents, exports: cfg.Exports, observing: cfg.Observing, transcripts: cfg.Transcripts, derivatives: cfg.Derivatives, retention: cfg.Retention, recording: cfg.Recording, rehearsals: cfg.Rehearsals,
		objects: cfg.Objects, keys: cfg.Keys, checkpoints: cfg.Checkpoints, trust: cfg.Trust, outsideTime: cfg.OutsideTime, verifying: make(chan struct{}, 1), listeners: map[evidence.ID]int{},
		probes: cfg.Probes, metricsToken: cfg.MetricsToken, baseURL: cfg.BaseURL, tls: cfg.TLS,
		clock: cfg.Clock, log: cfg.Logger, origins: http.NewCrossOriginProtection(),
	}
	s.closed, s.close = context.WithCancel(context.Background())
	s.probes = append(s.builtIn(), s.probes...)
	if s.clock == nil {
		s.clock = time.Now
	}
	if cfg.Registry == nil {
		cfg.Registry = prometheus.NewRegistry()
	}
	s.gatherer, s.metrics = cfg.Registry, newMetrics(cfg.Registry)
	if cfg.Pages == nil {
		cfg.Pages = ui.Files()
	}
	pages, err := newPages(cfg.Pages)
	if err != nil {
		return nil, err
	}
	for _, p := range cfg.TrustedProxies {
		prefix, err := parsePrefix(p)
		if err != nil {
			return nil, fmt.Errorf("trusted proxy %q: %w: %v", p, evidence.ErrInvalid, err)
		}
		s.proxies = append(s.proxies, prefix)
	}
	if s.passkeys, err = login.NewPasskeys(cfg.Store, s.clock, cfg.BaseURL, cfg.People.Issuer); err != nil {
		return nil, err
	}
	s.sessions = login.New(cfg.Store, s.clock, cfg.TLS != nil || hasTLS(cfg.BaseURL))

	s.engine = gin.New()
	s.engine.HandleMethodNotAllowed = true
	s.engine.RedirectTrailingSlash = false
	if err := s.engine.SetTrustedProxies(cfg.TrustedProxies); err != nil {
		return nil, fmt.Errorf("trusted proxies: %w: %v", evidence.ErrInvalid, err)
	}
	s.engine.Use(s.identify, s.observe, s.recoverPanic, s.securityHeaders, s.requireTLS, s.limit)
	if err := s.routeRest(pages); err != nil {
		return nil, err
	}
	s.register(newAPI(s.engine))
	return s, nil
}

// routeRest adds what is not an operation of the API.
func (s *Server) routeRest(p *pages) error {
	doc, err := OpenAPI()
	if err != nil {
		return err
	}
	s.engine.GET("/api/openapi.json", func(c *gin.Context) { c.Data(http.StatusOK, "application/openapi+json", doc) })
	s.engine.GET("/healthz", s.healthz)
	s.engine.GET("/readyz", s.readyz)
	s.engine.GET("/metrics", s.metricsHandler())
	whip{s, s.recording, "/whip/", "this source"}.route(s.engine)
	capture{s, s.recording}.route(s.engine)
	if s.rehearsals != nil {
		whip{s, s.rehearsals, "/rehearsals/", "this test recording"}.route(s.engine)
	}
	whip{s, viewing{s.recording}, "/whep/", "this observer"}.route(s.engine)
	s.engine.NoRoute(p.serve)
	s.engine.NoMethod(func(c *gin.Context) {
		writeProblem(c.Writer, c.Request, methodNotAllowed(c.Writer.Header().Get("Allow")))
	})
	return nil
}

func methodNotAllowed(allow string) *Problem {
	return newProblem(http.StatusMethodNotAllowed, "method_not_allowed", "This cannot be done here.").with("Allow", allow)
}

func hasTLS(base string) bool { return len(base) > 8 && base[:8] == "https://" }

func parsePrefix(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Prefix(addr.BitLen())
	}
	return netip.ParsePrefix(s)
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.engine.ServeHTTP(w, r) }

// drain is how long Run waits for requests that are being answered.
const drain = 10 * time.Second

// Run serves on ln until ctx ends, then ends event streams, waits for what is
// being answered, and returns nil. It speaks HTTP/1.1 and HTTP/2 over TLS if TLS
// is configured, and HTTP/1.1 otherwise. It closes ln.
func (s *Server) Run(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler: s, TLSConfig: s.tls,
		// What net/http logs by itself are failed handshakes, with addresses.
		ErrorLog:          log.New(io.Discard, "", 0),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
	}
	srv.RegisterOnShutdown(s.close)
	served := make(chan error, 1)
	go func() {
		if s.tls != nil {
			served <- srv.ServeTLS(ln, "", "")
		} else {
			served <- srv.Serve(ln)
		}
	}()
	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	err := srv.Shutdown(wait)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	<-served
	if err != nil {
		return fmt.Errorf("stopping: %w", err)
	}
	return nil
}
