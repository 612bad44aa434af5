package relay

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v5"
)

func listen(t *testing.T) net.PacketConn {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func addrOf(c net.PacketConn) netip.AddrPort { return netip.MustParseAddrPort(c.LocalAddr().String()) }

func start(t *testing.T, media net.PacketConn, public ...netip.Addr) (*Server, string) {
	t.Helper()
	udp := listen(t)
	s, err := New(Config{UDP: udp, Media: addrOf(media), Public: public, Host: "127.0.0.1", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, udp.LocalAddr().String()
}

func client(t *testing.T, server string, c Credential) (*turn.Client, error) {
	t.Helper()
	client, err := turn.NewClient(&turn.ClientConfig{STUNServerAddr: server, TURNServerAddr: server, Conn: listen(t), Username: c.Username, Password: c.Credential, Realm: realm,
		RTO: 100 * time.Millisecond, LoggerFactory: logging.NewDefaultLoggerFactory()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client, client.Listen()
}

// allocate returns an allocation of a client with a credential of the server's.
func allocate(t *testing.T, s *Server, at string) net.PacketConn {
	t.Helper()
	c, err := s.Credential()
	if err != nil {
		t.Fatal(err)
	}
	cl, err := client(t, at, c)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := cl.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestOnlyTheMediaAddressIsReached(t *testing.T) {
	media, other := listen(t), listen(t)
	s, at := start(t, media)
	conn := allocate(t, s, at)
	if _, err := conn.WriteTo([]byte("elsewhere"), other.LocalAddr()); err != nil {
		t.Fatal(err) // the address is permitted, the port is not
	}
	if _, err := conn.WriteTo([]byte("media"), media.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, from, err := media.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "media" {
		t.Fatalf("%q %v", buf[:n], err)
	}
	// What was sent before to the other port is not there, or it would have come first.
	if err := other.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if n, _, err := other.ReadFrom(buf); err == nil {
		t.Errorf("another port got %q", buf[:n])
	}
	if _, err := other.WriteTo([]byte("intruder"), from); err != nil {
		t.Fatal(err)
	}
	if _, err := media.WriteTo([]byte("answer"), from); err != nil {
		t.Fatal(err)
	}
	if n, _, err = conn.ReadFrom(buf); err != nil || string(buf[:n]) != "answer" {
		t.Errorf("%q %v", buf[:n], err)
	}
	if _, err := conn.WriteTo([]byte("out"), &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: int(addrOf(media).Port())}); err == nil {
		t.Error("an address that is not this machine's is permitted")
	}
}

// Behind address translation the announced address is delivered to the media socket.
func TestThePublicAddressIsTheMediaAddress(t *testing.T) {
	media := listen(t)
	public := netip.MustParseAddr("203.0.113.7")
	s, at := start(t, media, public)
	conn := allocate(t, s, at)
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(public, addrOf(media).Port()))
	if _, err := conn.WriteTo([]byte("media"), to); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	_, from, err := media.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := media.WriteTo([]byte("answer"), from); err != nil {
		t.Fatal(err)
	}
	n, who, err := conn.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "answer" || who.String() != to.String() {
		t.Errorf("%q from %v, %v", buf[:n], who, err)
	}
}

func TestOnlyWithACredential(t *testing.T) {
	s, at := start(t, listen(t))
	good, err := s.Credential()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Credential{
		"none": {Username: "1", Credential: "x"}, "wrong": {Username: good.Username, Credential: "x"},
		"of another run": {Username: "99999999999:x", Credential: good.Credential},
	} {
		cl, err := client(t, at, c)
		if err == nil {
			_, err = cl.Allocate()
		}
		if err == nil {
			t.Errorf("%s: allocated", name)
		}
	}
	links := good.Links()
	if len(links) != 1 || !strings.HasPrefix(links[0], "<turn:127.0.0.1:") || !strings.Contains(links[0], `rel="ice-server"`) || !strings.Contains(links[0], `credential-type="password"`) {
		t.Errorf("%v", links)
	}
	if _, err := s.AllocateConn(turn.AllocateConnConfig{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
}
