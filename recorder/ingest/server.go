package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"

	"github.com/toldonce/toldonce/evidence"
)

// Config is what a [Server] listens on.
type Config struct {
	UDP       net.PacketConn // all media over UDP; closed by the server
	TCP       net.Listener   // ICE-TCP; nil: none; closed by the server
	PublicIPs []netip.Addr   // advertised in place of local addresses
	Logger    *slog.Logger   // never nil
}

// Limits of the transport.
const (
	socketBuffer = 8 << 20 // bytes asked of the kernel, which may give less
	receiveMTU   = 1500
	tcpBuffer    = 4 << 20

	// ICE consent: a break shorter than disconnectedAfter is not noticed, one
	// shorter than failedAfter is survived (RFC 7675).
	disconnectedAfter = 5 * time.Second
	failedAfter       = 30 * time.Second
	keepAlive         = 2 * time.Second
)

// Server accepts sessions. It is safe for concurrent use.
type Server struct {
	cfg Config
	udp ice.UDPMux
	tcp ice.TCPMux

	mu       sync.Mutex
	sessions map[evidence.ID]*Session // nil once closed
}

// New starts to serve.
func New(cfg Config) (*Server, error) {
	if cfg.UDP == nil {
		return nil, errors.New("ingest: no UDP socket")
	}
	if c, ok := cfg.UDP.(interface{ SetReadBuffer(int) error }); ok {
		if err := c.SetReadBuffer(socketBuffer); err != nil {
			return nil, fmt.Errorf("raising the receive buffer of the media socket: %w", err)
		}
	}
	if c, ok := cfg.UDP.(interface{ SetWriteBuffer(int) error }); ok {
		if err := c.SetWriteBuffer(socketBuffer); err != nil {
			return nil, fmt.Errorf("raising the send buffer of the media socket: %w", err)
		}
	}
	s := &Server{cfg: cfg, sessions: map[evidence.ID]*Session{}}
	s.udp = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: cfg.UDP, Logger: quiet{}.NewLogger("")})
	if cfg.TCP != nil {
		s.tcp = ice.NewTCPMuxDefault(ice.TCPMuxParams{Listener: cfg.TCP, Logger: quiet{}.NewLogger(""), ReadBufferSize: 64, WriteBufferSize: tcpBuffer})
	}
	return s, nil
}

// api makes the WebRTC API for one offer: exactly the codecs that are answered.
func (s *Server) api(o offer) (*webrtc.API, error) {
	media := &webrtc.MediaEngine{}
	audio := false
	for _, c := range o.codecs {
		if err := media.RegisterCodec(c.params, c.kind); err != nil {
			return nil, err
		}
		audio = audio || c.kind == webrtc.RTPCodecTypeAudio
	}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		for _, uri := range []string{extMID, extTWCC} {
			if err := media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, kind, webrtc.RTPTransceiverDirectionRecvonly); err != nil {
				return nil, err
			}
		}
	}
	if audio {
		if err := media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: extLevel}, webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverDirectionRecvonly); err != nil {
			return nil, err
		}
	}
	registry := &interceptor.Registry{}
	if err := webrtc.ConfigureRTCPReports(registry); err != nil {
		return nil, err
	}
	if err := webrtc.ConfigureTWCCSender(media, registry); err != nil {
		return nil, err
	}
	set, err := s.Settings()
	if err != nil {
		return nil, err
	}
	// A packet that was asked for again comes later than any replay window
	// allows, and duplicates are to be counted: the ledger knows each packet.
	set.DisableSRTPReplayProtection(true)
	return webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(set)), nil
}

// Settings are those of every connection of this server, observers' included: all
// media of all of them goes over its sockets.
func (s *Server) Settings() (webrtc.SettingEngine, error) {
	set := webrtc.SettingEngine{LoggerFactory: quiet{log: s.cfg.Logger}}
	set.SetICEUDPMux(s.udp)
	types := []webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6}
	if s.tcp != nil {
		set.SetICETCPMux(s.tcp)
		types = append(types, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6)
	}
	set.SetNetworkTypes(types)
	set.SetIncludeLoopbackCandidate(true)
	set.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	set.SetICETimeouts(disconnectedAfter, failedAfter, keepAlive)
	set.SetReceiveMTU(receiveMTU)
	set.DisableActiveTCP(true)
	if len(s.cfg.PublicIPs) > 0 {
		rule := webrtc.ICEAddressRewriteRule{AsCandidateType: webrtc.ICECandidateTypeHost, Mode: webrtc.ICEAddressRewriteReplace}
		for _, ip := range s.cfg.PublicIPs {
			rule.External = append(rule.External, ip.String())
		}
		if err := set.SetICEAddressRewriteRules(rule); err != nil {
			return set, err
		}
	}
	return set, nil
}

// Open accepts an offer. The session's packets go to sink until it ends. The
// error is a refusal of kind [ErrMalformed] or [ErrNotAcceptable], or wraps
// [evidence.ErrUnavailable].
func (s *Server) Open(ctx context.Context, text string, sink Sink) (*Session, string, error) {
	o, err := parseOffer(text)
	if err != nil {
		return nil, "", err
	}
	api, err := s.api(o)
	if err != nil {
		return nil, "", fmt.Errorf("%w: preparing a session: %v", evidence.ErrUnavailable, err)
	}
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, "", fmt.Errorf("%w: preparing a session: %v", evidence.ErrUnavailable, err)
	}
	session := newSession(s, pc, sink)
	answer, err := session.exchange.Answer(ctx, o.sdp)
	if err != nil {
		session.Close()
		return nil, "", err
	}
	s.mu.Lock()
	if s.sessions == nil {
		s.mu.Unlock()
		session.Close()
		return nil, "", fmt.Errorf("%w: shutting down", evidence.ErrUnavailable)
	}
	s.sessions[session.ID] = session
	s.mu.Unlock()
	return session, answer, nil
}

func (s *Server) forget(session *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, session.ID)
}

// Sessions is how many there are.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// Close ends every session and stops listening.
func (s *Server) Close() error {
	s.mu.Lock()
	sessions := s.sessions
	s.sessions = nil
	s.mu.Unlock()
	for _, session := range sessions {
		session.Close()
	}
	err := s.udp.Close()
	if s.tcp != nil {
		err = errors.Join(err, s.tcp.Close())
	}
	return errors.Join(err, ignoreClosed(s.cfg.UDP.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// quiet passes pion's errors and warnings on at debug level: they speak of
// addresses, and of what ends in an event of the session anyway.
type quiet struct{ log *slog.Logger }

// NewLogger implements [logging.LoggerFactory].
func (q quiet) NewLogger(scope string) logging.LeveledLogger { return scoped{log: q.log, scope: scope} }

type scoped struct {
	log   *slog.Logger
	scope string
}

func (s scoped) say(msg string) {
	if s.log != nil {
		s.log.Debug(msg, "scope", s.scope)
	}
}

func (scoped) Trace(string)          {}
func (scoped) Tracef(string, ...any) {}
func (scoped) Debug(string)          {}
func (scoped) Debugf(string, ...any) {}
func (scoped) Info(string)           {}
func (scoped) Infof(string, ...any)  {}
func (s scoped) Warn(msg string)     { s.say(msg) }
func (s scoped) Error(msg string)    { s.say(msg) }
func (s scoped) Warnf(format string, args ...any) {
	if s.log != nil {
		s.say(fmt.Sprintf(format, args...))
	}
}
func (s scoped) Errorf(format string, args ...any) {
	if s.log != nil {
		s.say(fmt.Sprintf(format, args...))
	}
}
