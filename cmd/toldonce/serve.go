package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/recorder"
	"github.com/toldonce/toldonce/recorder/derive"
	"github.com/toldonce/toldonce/recorder/ffmpeg"
	"github.com/toldonce/toldonce/recorder/preview"
	"github.com/toldonce/toldonce/recorder/rehearsal"
	"github.com/toldonce/toldonce/storage/timestamp"
	"github.com/toldonce/toldonce/web"
)

// serveOptions says how an installation is served.
type serveOptions struct {
	data      string
	db        string // overrides where the installation says its database is
	objects   string // the same for its objects
	listen    string
	publicURL string
	tlsCert   string
	tlsKey    string
	tlsLocal  bool
	mediaAddr string
	mediaTCP  string
	mediaIPs  []string
	turnAddr  string
	turnHost  string
	reserve   int64 // MiB of disk kept for recording on when it is full
	limit     int64 // MiB of disk that journals and reserve may take; 0: any
	proxies   []string
	timestamp string // address of an outside timestamp authority; empty: none
	metrics   string // bearer token of /metrics; empty: this machine only
	logFormat string
}

func newServe(opt *options) *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve --data DIR --listen ADDR",
		Short: "Serve an installation",
		Long: `Serve the installation in a data folder until the process is told to end.

As long as nobody is set up, one link is printed on standard output with which the
first administrator sets a password and a second factor.

On the machine itself (localhost) plain HTTP is enough. Beyond it TLS is needed:
--tls-cert with --tls-key, or --tls-local with the authority that
'toldonce init --tls-local' made.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.db, err = databaseAddress(opt.console, o.db); err != nil {
				return err
			}
			if o.metrics, err = secret(opt.console, "TOLDONCE_METRICS_TOKEN"); err != nil {
				return err
			}
			log, err := newLogger(opt.err, o.logFormat)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), o, time.Now, log, func(s *server) error {
				return s.announce(cmd.Context(), opt)
			})
		},
	}
	addDataFlags(opt, cmd, &o.data, &o.db, &o.objects)
	addServeFlags(opt, cmd, &o)
	return cmd
}

func addServeFlags(opt *options, cmd *cobra.Command, o *serveOptions) {
	env := func(name, fallback string) string {
		if v := opt.getenv(name); v != "" {
			return v
		}
		return fallback
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", env("TOLDONCE_LISTEN", "127.0.0.1:8080"), "address and port for browsers (TOLDONCE_LISTEN)")
	f.StringVar(&o.publicURL, "public-url", env("TOLDONCE_PUBLIC_URL", ""), "address under which browsers reach the server (TOLDONCE_PUBLIC_URL; default: made from --listen)")
	f.StringVar(&o.tlsCert, "tls-cert", env("TOLDONCE_TLS_CERT", ""), "certificate chain, a PEM file (TOLDONCE_TLS_CERT)")
	f.StringVar(&o.tlsKey, "tls-key", env("TOLDONCE_TLS_KEY", ""), "its key, a PEM file (TOLDONCE_TLS_KEY)")
	f.BoolVar(&o.tlsLocal, "tls-local", false, "use the local authority that init made")
	f.StringVar(&o.mediaAddr, "media-addr", env("TOLDONCE_MEDIA_ADDR", ""), "UDP address for cameras' media (TOLDONCE_MEDIA_ADDR; default: host and port of --listen)")
	f.StringVar(&o.mediaTCP, "media-tcp", env("TOLDONCE_MEDIA_TCP", ""), "TCP address for media from networks that block UDP (TOLDONCE_MEDIA_TCP; default: none)")
	f.StringVar(&o.turnAddr, "turn-addr", env("TOLDONCE_TURN_ADDR", ""), "UDP and TCP address of a built-in TURN relay for closed networks (TOLDONCE_TURN_ADDR; default: none)")
	f.StringVar(&o.turnHost, "turn-host", env("TOLDONCE_TURN_HOST", ""), "name or address under which cameras reach the relay (TOLDONCE_TURN_HOST; default: that of --public-url)")
	f.Int64Var(&o.reserve, "spool-reserve", 1024, "MiB of disk to keep for recording on when the disk is full: 1024 last four cameras about 20 minutes")
	f.Int64Var(&o.limit, "spool-limit", 0, "most MiB of disk that the journals and their reserve may take together, more than the reserve: beyond it the disk counts as full (default: what the disk has)")
	f.StringSliceVar(&o.proxies, "trusted-proxy", splitList(env("TOLDONCE_TRUSTED_PROXY", "")), "addresses of proxies whose word on the client's address is taken (TOLDONCE_TRUSTED_PROXY; default: none)")
	f.StringVar(&o.timestamp, "timestamp-url", env("TOLDONCE_TIMESTAMP_URL", ""), "address of an outside timestamp authority (RFC 3161), which the trust file must name: see 'toldonce trust add-authority' (TOLDONCE_TIMESTAMP_URL; default: the built-in one alone)")
	f.StringSliceVar(&o.mediaIPs, "media-ip", splitList(env("TOLDONCE_MEDIA_IP", "")), "addresses to announce to cameras in place of the machine's own (TOLDONCE_MEDIA_IP)")
	addLogFlag(opt, cmd, &o.logFormat)
}

func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
}

func addLogFlag(opt *options, cmd *cobra.Command, format *string) {
	fallback := "text"
	if v := opt.getenv("TOLDONCE_LOG_FORMAT"); v != "" {
		fallback = v
	}
	cmd.Flags().StringVar(format, "log-format", fallback, "text or json (TOLDONCE_LOG_FORMAT)")
}

func newLogger(w io.Writer, format string) (*slog.Logger, error) {
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, nil)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, nil)), nil
	}
	return nil, usagef("--log-format is text or json, not %q", format)
}

// server is a running installation.
type server struct {
	*domain
	in       installation
	url      string // address for people, without a slash at the end
	log      *slog.Logger
	recorder *recorder.Recorder
	// rehearsals makes test recordings.
	rehearsals *rehearsal.Service
}

// serve runs an installation until ctx ends or it cannot go on. ready is called
// once it answers; an error of ready ends it.
func serve(ctx context.Context, o serveOptions, clock evidence.Clock, log *slog.Logger, ready func(*server) error) (err error) {
	if o.data == "" {
		return usagef("--data is missing: name the data folder")
	}
	if o.limit != 0 && o.limit <= o.reserve {
		return usagef("--spool-limit has to be more than --spool-reserve (%d MiB), or nothing is left to record to", o.reserve)
	}
	l, err := at(o.data)
	if err != nil {
		return err
	}
	in, err := l.readInstallation()
	if err != nil {
		return err
	}
	if o.db != "" {
		in.DB = o.db
	}
	if o.objects != "" {
		in.Objects = o.objects
	}
	release, err := l.lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()

	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", o.listen, err)
	}
	defer listener.Close()
	address := listener.Addr().(*net.TCPAddr)
	if in.Demo && !address.IP.IsLoopback() {
		return usagef("%s is a demonstration, which is served on this machine only. Listen on 127.0.0.1", o.data)
	}
	config, err := o.tls(l, clock)
	if err != nil {
		return err
	}
	if config == nil && !address.IP.IsLoopback() {
		log.Warn("listening beyond this machine without TLS: other hosts are refused", "listen", address.String())
	}
	st, err := openStores(ctx, l, in, clock)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	d, err := openDomain(ctx, st, in, clock, log)
	if err != nil {
		return err
	}
	s := &server{domain: d, in: in, log: log, url: o.url(address, config)}
	return s.run(ctx, listener, o, config, clock, ready)
}

// run starts the recorder, answers requests until ctx ends, and ends in order.
func (s *server) run(ctx context.Context, listener net.Listener, o serveOptions, config *tls.Config, clock evidence.Clock, ready func(*server) error) (err error) {
	media, err := o.media(listener.Addr().(*net.TCPAddr), s.url)
	if err != nil {
		return err
	}
	media.Store, media.Objects, media.Keys, media.Seal = s.db, s.objects, s.keys, s.seal
	media.Gate, media.Facts, media.Clock = s.consent, s, clock
	media.Checkpoints, media.Witnesses = s.partial, s.witnesses
	media.SpoolDir, media.Reserve, media.Retention = s.layout.spool(), o.reserve<<20, s.in.retention()
	media.Limit = o.limit << 20
	media.Software, media.Logger = software(), s.log
	if s.recorder, err = recorder.New(ctx, media); err != nil {
		return fmt.Errorf("starting the recorder: %w", err)
	}
	defer func() { err = errors.Join(err, s.recorder.Close()) }()
	if s.rehearsals, err = rehearsal.New(rehearsal.Config{Dir: s.layout.rehearsals(), Ingest: s.recorder.Ingest(), Software: software(), Clock: clock, Logger: s.log,
		Finished: func(ctx context.Context, r rehearsal.Result) error {
			return s.people.Rehearsed(ctx, r.Actor, r.Room, r.Holds, r.Segments)
		}}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.rehearsals.Close()) }()
	keeper, err := s.timekeeper(o)
	if err != nil {
		return err
	}
	tool, noTool := ffmpeg.Find(ctx)
	s.derivatives.Make = noTool == nil
	edge, err := web.New(s.edge(o, config, clock))
	if err != nil {
		return err
	}
	if err := s.retention.Resume(ctx); err != nil {
		return fmt.Errorf("completing erasures: %w", err)
	}
	// Before anything can be seen, and never a reason not to record.
	if err := s.checkpoints.Check(ctx); err != nil {
		s.log.Error("the custody log could not be compared with what was signed of it; viewing and sharing are closed", "error", err)
	}
	s.log.Info("serving", "url", s.url, "listen", listener.Addr().String(), "version", version())
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return edge.Run(running, listener) })
	if noTool != nil {
		s.log.Warn("no small pictures and no loudness beside recordings, and no copies of them", "reason", noTool)
	} else {
		copies := derive.New(derive.Config{Store: s.db, Objects: s.objects, Keys: s.keys, Sealer: s.seal, Tool: tool, Logger: s.log})
		group.Go(func() error { return copies.Run(running) })
		maker := preview.New(preview.Config{Store: s.db, Objects: s.objects, Keys: s.keys, Tool: tool, Logger: s.log})
		group.Go(func() error { return maker.Run(running) })
	}
	group.Go(func() error { return s.retention.Run(running) })
	group.Go(func() error { return keeper.Run(running) })
	group.Go(func() error { return ready(s) })
	group.Go(func() error { return s.remind(running) })
	group.Go(func() error { s.checkpoints.Run(running); return nil })
	err = group.Wait()
	s.log.Info("ended")
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("told to end before it was ready: %w", err)
	}
	return err
}

// remindEvery is how often it is asked whether a package's receipt is overdue.
const remindEvery = 5 * time.Minute

// remind raises the alarm for packages that nobody acknowledged, until ctx ends. It
// never ends the server.
func (s *server) remind(ctx context.Context) error {
	tick := time.NewTicker(remindEvery)
	defer tick.Stop()
	for {
		n, err := s.domain.exports.Remind(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			s.log.Error("overdue receipts could not be looked for", "error", err)
		case n > 0:
			s.log.Warn("packages without a receipt", "count", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// timekeeper adds timestamps to seals, by the outside authority if there is one.
func (s *server) timekeeper(o serveOptions) (*seal.Timekeeper, error) {
	k := &seal.Timekeeper{Store: s.db, Own: s.seal, Logger: s.log}
	if o.timestamp == "" {
		return k, nil
	}
	named := false
	for _, a := range s.seal.Trust().Authorities {
		named = named || a.Assertion == seal.AssertedByThirdParty
	}
	if !named {
		return nil, usagef("--timestamp-url names an authority, but the trust file names none. Add its certificates first: toldonce trust add-authority")
	}
	client, err := timestamp.New(o.timestamp)
	if err != nil {
		return nil, usageError{err}
	}
	k.Outside = client
	return k, nil
}

// media opens the sockets that cameras send to.
func (o serveOptions) media(at *net.TCPAddr, public string) (recorder.Config, error) {
	var c recorder.Config
	for _, text := range o.mediaIPs {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return c, usagef("--media-ip: %q is not an address", text)
		}
		c.PublicIPs = append(c.PublicIPs, ip)
	}
	address := o.mediaAddr
	if address == "" {
		address = at.String()
	}
	var err error
	if c.UDP, err = net.ListenPacket("udp", address); err != nil {
		return c, fmt.Errorf("opening the UDP address for media (--media-addr): %w", err)
	}
	if o.mediaTCP != "" {
		if c.TCP, err = net.Listen("tcp", o.mediaTCP); err != nil {
			return c, errors.Join(fmt.Errorf("opening the TCP address for media (--media-tcp): %w", err), c.UDP.Close())
		}
	}
	if o.turnAddr == "" {
		return c, nil
	}
	c.RelayHost = o.turnHost
	if c.RelayHost == "" {
		if at, err := url.Parse(public); err == nil {
			c.RelayHost = at.Hostname()
		}
	}
	if c.RelayUDP, err = net.ListenPacket("udp", o.turnAddr); err == nil {
		c.RelayTCP, err = net.Listen("tcp", c.RelayUDP.LocalAddr().String())
	}
	if err != nil {
		err = fmt.Errorf("opening the address of the relay (--turn-addr): %w", err)
		for _, open := range []io.Closer{c.UDP, c.TCP, c.RelayUDP} {
			if open != nil {
				err = errors.Join(err, open.Close())
			}
		}
	}
	return c, err
}

// software is how this program names itself in what it signs.
func software() string { return "toldonce " + version() }

// edge is what the web server is made of.
func (s *server) edge(o serveOptions, config *tls.Config, clock evidence.Clock) web.Config {
	return web.Config{
		Store: s.db, People: s.people, Access: s.access, Cases: s.cases, Consents: s.consent, Exports: s.exports, Observing: s.observing, Transcripts: s.transcripts, Derivatives: s.derivatives, Retention: s.retention,
		Recording: s.recorder, Rehearsals: s.rehearsals, Objects: s.objects, Keys: s.keys, Checkpoints: s.checkpoints, Trust: s.seal.Trust(), OutsideTime: o.timestamp != "",
		BaseURL: s.url, TLS: config, TrustedProxies: o.proxies, MetricsToken: o.metrics,
		Probes: []web.Probe{
			{Name: "database", Check: func(ctx context.Context) error { _, err := s.db.Now(ctx); return err }},
			{Name: "objects", Check: s.objects.Health},
		},
		Clock: clock, Logger: s.log,
	}
}

// announce prints, once the server answers, where it is, and as long as nobody
// is set up the link with which the first administrator sets her password.
func (s *server) announce(ctx context.Context, opt *options) error {
	var out struct {
		URL  string `json:"url"`
		Link string `json:"first_administrator_link,omitempty"`
	}
	out.URL = s.url
	_, token, ok, err := s.people.FirstInvitation(ctx)
	if err != nil {
		return fmt.Errorf("inviting the first administrator: %w", err)
	}
	if ok {
		out.Link = s.url + "/welcome#" + token
	}
	switch {
	case opt.json:
		return printJSON(opt.out, out)
	case ok:
		_, err = fmt.Fprintf(opt.out, "\nNobody is set up yet. The first administrator opens this link, once, to set a\npassword and a second factor:\n\n  %s\n\n", out.Link)
	default:
		_, err = fmt.Fprintf(opt.out, "Serving at %s\n", s.url)
	}
	return err
}

// tls returns how to speak TLS, or nil for plain HTTP.
func (o serveOptions) tls(l layout, clock evidence.Clock) (*tls.Config, error) {
	switch {
	case (o.tlsCert == "") != (o.tlsKey == ""):
		return nil, usagef("--tls-cert and --tls-key go together")
	case o.tlsCert != "" && o.tlsLocal:
		return nil, usagef("give either certificate files or --tls-local")
	case o.tlsCert != "":
		return web.TLSFromFiles(o.tlsCert, o.tlsKey)
	case o.tlsLocal:
		return web.LocalTLS(l.tls(), clock)
	}
	return nil, nil
}

// url is the address that people and cameras are given.
func (o serveOptions) url(at *net.TCPAddr, config *tls.Config) string {
	if o.publicURL != "" {
		return strings.TrimRight(o.publicURL, "/")
	}
	scheme, host := "http", "localhost" // a name, not an address, so that passkeys work
	if config != nil {
		scheme = "https"
	}
	switch {
	case at.IP.IsLoopback():
	case certifiedHost(config) != "":
		host = certifiedHost(config)
	case !at.IP.IsUnspecified():
		host = at.IP.String()
	default:
		if name, err := os.Hostname(); err == nil {
			host = name
		}
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(at.Port))
}

// certifiedHost is the first name or address that the certificate vouches for and
// that other machines can use, or empty.
func certifiedHost(config *tls.Config) string {
	if config == nil || config.GetCertificate == nil {
		return ""
	}
	pair, err := config.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil || pair.Leaf == nil {
		return ""
	}
	for _, name := range pair.Leaf.DNSNames {
		if name != "localhost" && !strings.HasPrefix(name, "*") {
			return name
		}
	}
	for _, ip := range pair.Leaf.IPAddresses {
		if !ip.IsLoopback() {
			return ip.String()
		}
	}
	return ""
}
