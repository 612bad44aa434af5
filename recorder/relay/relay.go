// Package relay is a TURN server (RFC 8656) for closed networks: a camera or an
// observer whose network lets nothing through but one port sends its media through
// it. It relays to this program's own media address and to nothing else, for holders
// of credentials that this program gave out.
package relay

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v5"
)

const (
	// credentialFor is how long a credential is good for: an interview and the breaks
	// in it. An allocation that runs ends with it.
	credentialFor = 6 * time.Hour
	// maxAllocations bounds how many run at once. A camera needs one or two.
	maxAllocations = 256
	realm          = "toldonce"
)

// Config says where the relay listens and to what it relays. At least one of UDP and
// TCP is set.
type Config struct {
	UDP net.PacketConn // closed by the server
	TCP net.Listener   // closed by the server
	// Media is the address of the media socket. Its host may be unspecified: then every
	// address of this machine counts.
	Media netip.AddrPort
	// Public are addresses that are announced in place of Media's: media for them is
	// delivered to Media.
	Public []netip.Addr
	// Host is under which name clients reach the relay.
	Host   string
	Logger *slog.Logger // never nil
}

// Server relays. It is safe for concurrent use.
type Server struct {
	cfg    Config
	turn   *turn.Server
	secret string
	urls   []string
	open   atomic.Int32
}

// New starts to relay.
func New(cfg Config) (*Server, error) {
	s := &Server{cfg: cfg, secret: rand.Text()} // of this run: nothing outlives it
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled // it speaks of addresses
	config := turn.ServerConfig{
		Realm: realm, LoggerFactory: quiet,
		AuthHandler: turn.LongTermTURNRESTAuthHandler(s.secret, quiet.NewLogger("turn")),
	}
	if cfg.UDP != nil {
		config.PacketConnConfigs = []turn.PacketConnConfig{{PacketConn: cfg.UDP, RelayAddressGenerator: s, PermissionHandler: s.mayReach}}
		s.urls = append(s.urls, s.url("udp", cfg.UDP.LocalAddr()))
	}
	if cfg.TCP != nil {
		config.ListenerConfigs = []turn.ListenerConfig{{Listener: cfg.TCP, RelayAddressGenerator: s, PermissionHandler: s.mayReach}}
		s.urls = append(s.urls, s.url("tcp", cfg.TCP.Addr()))
	}
	var err error
	if s.turn, err = turn.NewServer(config); err != nil {
		return nil, fmt.Errorf("starting the relay: %w", err)
	}
	return s, nil
}

func (s *Server) url(transport string, at net.Addr) string {
	_, port, err := net.SplitHostPort(at.String())
	if err != nil {
		port = "3478"
	}
	return "turn:" + net.JoinHostPort(s.cfg.Host, port) + "?transport=" + transport
}

// Close stops relaying.
func (s *Server) Close() error { return s.turn.Close() }

// Credential lets its holder use the relay for some hours.
type Credential struct {
	URLs       []string // RFC 7065
	Username   string
	Credential string
}

// Credential returns a new one.
func (s *Server) Credential() (Credential, error) {
	user, password, err := turn.GenerateLongTermTURNRESTCredentials(s.secret, rand.Text(), credentialFor)
	if err != nil {
		return Credential{}, fmt.Errorf("a credential for the relay: %w", err)
	}
	return Credential{URLs: s.urls, Username: user, Credential: password}, nil
}

// mayReach admits peers that are this program's own media address.
func (s *Server) mayReach(_ net.Addr, ip net.IP) bool {
	addr, ok := netip.AddrFromSlice(ip)
	return ok && s.isMedia(netip.AddrPortFrom(addr.Unmap(), s.cfg.Media.Port()))
}

func (s *Server) isMedia(at netip.AddrPort) bool {
	if at.Port() != s.cfg.Media.Port() {
		return false
	}
	if slices.Contains(s.cfg.Public, at.Addr()) || at.Addr() == s.cfg.Media.Addr() {
		return true
	}
	return s.cfg.Media.Addr().IsUnspecified() && slices.Contains(machineAddresses(), at.Addr())
}

func machineAddresses() []netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(n.IP); ok {
				out = append(out, addr.Unmap())
			}
		}
	}
	return out
}

// Validate implements [turn.RelayAddressGenerator].
func (s *Server) Validate() error {
	if !s.cfg.Media.IsValid() {
		return errors.New("relay: no media address")
	}
	return nil
}

var errFull = errors.New("relay: as many allocations as can be")

// AllocatePacketConn implements [turn.RelayAddressGenerator].
func (s *Server) AllocatePacketConn(turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	if s.open.Add(1) > maxAllocations {
		s.open.Add(-1)
		return nil, nil, errFull
	}
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.cfg.Media.Addr(), 0)))
	if err != nil {
		s.open.Add(-1)
		return nil, nil, err
	}
	bound := conn.LocalAddr().(*net.UDPAddr)
	shown := &net.UDPAddr{IP: bound.IP, Port: bound.Port}
	if s.cfg.Media.Addr().IsUnspecified() {
		shown.IP = s.ownAddress().AsSlice()
	}
	return &leg{UDPConn: conn, server: s}, shown, nil
}

// ownAddress is one by which this machine reaches itself.
func (s *Server) ownAddress() netip.Addr {
	for _, a := range machineAddresses() {
		if !a.IsLoopback() && !a.IsLinkLocalUnicast() && a.Is4() {
			return a
		}
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// AllocateListener implements [turn.RelayAddressGenerator]: media is UDP behind the relay.
func (*Server) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errors.ErrUnsupported
}

// AllocateConn implements [turn.RelayAddressGenerator].
func (*Server) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}

// leg is one allocation's way to the media address, and to nothing else: TURN's
// permissions know addresses, but no ports.
type leg struct {
	*net.UDPConn
	server *Server
	public atomic.Pointer[netip.AddrPort] // under which the client speaks to Media; nil: under its own address
	closed atomic.Bool
}

// WriteTo drops what is not for the media address.
func (l *leg) WriteTo(b []byte, to net.Addr) (int, error) {
	at, err := netip.ParseAddrPort(to.String())
	if err != nil {
		return 0, err
	}
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	if !l.server.isMedia(at) {
		return len(b), nil
	}
	if slices.Contains(l.server.cfg.Public, at.Addr()) {
		announced := at
		l.public.Store(&announced)
		at = l.server.cfg.Media
		if at.Addr().IsUnspecified() {
			at = netip.AddrPortFrom(l.server.ownAddress(), at.Port())
		}
	}
	return l.WriteToUDPAddrPort(b, at)
}

// ReadFrom drops what is not from the media address.
func (l *leg) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := l.ReadFromUDPAddrPort(b)
		if err != nil {
			return n, nil, err
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if !l.server.isMedia(from) {
			continue
		}
		if public := l.public.Load(); public != nil {
			from = *public
		}
		return n, net.UDPAddrFromAddrPort(from), nil
	}
}

// Close frees the allocation's place.
func (l *leg) Close() error {
	if l.closed.CompareAndSwap(false, true) {
		l.server.open.Add(-1)
	}
	return l.UDPConn.Close()
}

// Links are the Link header fields by which RFC 9725 section 4.4 gives a client its
// relay.
func (c Credential) Links() []string {
	var out []string
	for _, u := range c.URLs {
		out = append(out, fmt.Sprintf(`<%s>; rel="ice-server"; username=%s; credential=%s; credential-type="password"`, u, strconv.Quote(c.Username), strconv.Quote(c.Credential)))
	}
	return out
}
