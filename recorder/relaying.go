package recorder

import (
	"fmt"
	"net"

	"github.com/toldonce/toldonce/recorder/relay"
)

// Relay lets a peer use the embedded TURN server for some hours: addresses (RFC 7065),
// user name and password.
type Relay = relay.Credential

// Relay returns a new credential for a peer that may publish or watch; ok is false
// where there is no embedded TURN server.
func (r *Recorder) Relay() (c Relay, ok bool, err error) {
	if r.relay == nil {
		return Relay{}, false, nil
	}
	c, err = r.relay.Credential()
	return c, err == nil, err
}

// openRelay starts the embedded TURN server. It reaches the media socket alone.
func (r *Recorder) openRelay() error {
	media, ok := r.cfg.UDP.LocalAddr().(*net.UDPAddr)
	if !ok {
		return fmt.Errorf("the relay needs a UDP socket for media, not %T", r.cfg.UDP.LocalAddr())
	}
	var err error
	r.relay, err = relay.New(relay.Config{UDP: r.cfg.RelayUDP, TCP: r.cfg.RelayTCP, Media: media.AddrPort(), Public: r.cfg.PublicIPs, Host: r.cfg.RelayHost, Logger: r.log})
	return err
}
