package ingest

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/media"
	"github.com/toldonce/toldonce/recorder/signalling"
)

// Sink takes what a session receives.
type Sink interface {
	// Track is called once for each stream, before its first packet, from the
	// goroutine that then calls the Receiver. nil discards the stream.
	Track(t *Track) Receiver
	// Ended is called once, after every Receiver's End.
	Ended()
}

// Receiver takes one stream. Packet is called from one goroutine, which reads
// from the network: it must only note the packet and return.
type Receiver interface {
	// Packet takes an RTP packet, decrypted, with its header. It owns raw.
	Packet(raw []byte)
	// Report takes a sender report; it may be called while Packet is.
	Report(r SenderReport)
	// End says that no packet will follow.
	End()
}

// SenderReport ties the sender's clock to its media (RFC 3550 section 6.4.1).
type SenderReport struct {
	NTP     uint64 // seconds since 1900, 32.32 fixed point, by the sender's clock
	RTP     uint32
	Packets uint32
	Octets  uint32
	Raw     []byte // the RTCP packet as it came
}

// Track is one stream of a session.
type Track struct {
	Kind   evidence.TrackKind
	SSRC   uint32
	Format media.Format
	// Session is the id of the session that it is of.
	Session evidence.ID

	pc *webrtc.PeerConnection
}

// Ask requests packets again (RFC 4585 section 6.2.1).
func (t *Track) Ask(seqs []uint16) error {
	return t.pc.WriteRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{MediaSSRC: t.SSRC, Nacks: rtcp.NackPairsFromSequenceNumbers(seqs)}})
}

// AskKeyFrame requests a random access point (RFC 4585 section 6.3.1).
func (t *Track) AskKeyFrame() error {
	return t.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: t.SSRC}})
}

// Session is one WHIP session. It is safe for concurrent use.
type Session struct {
	ID evidence.ID

	server   *Server
	pc       *webrtc.PeerConnection
	exchange *signalling.Exchange
	sink     Sink
	done     chan struct{}
	once     sync.Once

	readers sync.WaitGroup

	mu        sync.Mutex
	ended     bool // no reader may start any more
	connected bool
}

func newSession(s *Server, pc *webrtc.PeerConnection, sink Sink) *Session {
	session := &Session{ID: evidence.NewID(), server: s, pc: pc, exchange: signalling.NewExchange(pc, finishAnswer), sink: sink, done: make(chan struct{})}
	pc.OnTrack(session.onTrack)
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			session.mu.Lock()
			session.connected = true
			session.mu.Unlock()
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			go session.Close()
		}
	})
	// A source that never connects must not hold its place.
	time.AfterFunc(failedAfter, func() {
		session.mu.Lock()
		connected := session.connected
		session.mu.Unlock()
		if !connected {
			session.Close()
		}
	})
	return session
}

// ETag names the present ICE session, with its quotes.
func (s *Session) ETag() string { return s.exchange.ETag() }

// Trickle takes an SDP fragment: see [signalling.Exchange.Trickle].
func (s *Session) Trickle(ctx context.Context, ifMatch, text string) (answer, etag string, err error) {
	return s.exchange.Trickle(ctx, ifMatch, text)
}

// Done is closed when the session is over.
func (s *Session) Done() <-chan struct{} { return s.done }

// Connected reports whether media can flow.
func (s *Session) Connected() bool {
	return s.pc.ConnectionState() == webrtc.PeerConnectionStateConnected
}

// RoundTrip is that of the last connectivity check; 0 if not measured.
func (s *Session) RoundTrip() time.Duration {
	for _, t := range s.pc.GetReceivers() {
		transport := t.Transport()
		if transport == nil {
			continue
		}
		if stats, ok := transport.ICETransport().GetSelectedCandidatePairStats(); ok {
			return time.Duration(stats.CurrentRoundTripTime * float64(time.Second))
		}
	}
	return 0
}

// Close ends the session and returns when every Receiver was told.
func (s *Session) Close() {
	s.once.Do(func() {
		s.mu.Lock()
		s.ended = true
		s.mu.Unlock()
		if err := s.pc.Close(); err != nil {
			s.server.cfg.Logger.Debug("closing a session", "err", err)
		}
		s.readers.Wait()
		s.server.forget(s)
		s.sink.Ended()
		close(s.done)
	})
	<-s.done
}

func (s *Session) onTrack(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.readers.Add(1)
	s.mu.Unlock()
	defer s.readers.Done()
	s.read(remote, receiver)
}

// slab is how much memory packets share, in bytes: reading is then one copy,
// from the decryption into its place.
const slab = 32 << 10

// read copies packets to the sink until the stream ends. Nothing else happens
// on this goroutine: the buffer in front of it drops what it has no room for.
func (s *Session) read(remote *webrtc.TrackRemote, rtpReceiver *webrtc.RTPReceiver) {
	var to Receiver
	// The first packet is read before the track is named, so that its codec is known.
	buf := make([]byte, slab)
	reports := make(chan struct{})
	for {
		if len(buf) < receiveMTU {
			buf = make([]byte, slab)
		}
		n, _, err := remote.Read(buf)
		if err != nil {
			break
		}
		if to == nil {
			if to = s.sink.Track(s.track(remote, rtpReceiver)); to == nil {
				to = discard{}
			}
			go s.readReports(rtpReceiver, to, reports)
		}
		to.Packet(buf[:n:n])
		buf = buf[n:]
	}
	if to != nil {
		<-reports
		to.End()
	}
}

// track describes a stream of which a packet arrived.
func (s *Session) track(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) *Track {
	codec := remote.Codec()
	t := &Track{Kind: evidence.Audio, SSRC: uint32(remote.SSRC()), Session: s.ID, pc: s.pc, Format: media.Format{MIME: codec.MimeType}}
	if remote.Kind() == webrtc.RTPCodecTypeVideo {
		t.Kind, t.Format.Video = evidence.Video, true
	}
	t.Format.SPS, t.Format.PPS = parameterSets(codec.SDPFmtpLine)
	t.Format.Repairs = slices.Contains(codec.RTCPFeedback, webrtc.RTCPFeedback{Type: feedbackNACK})
	parameters := receiver.GetParameters()
	// The sender may change between all that was answered, in the middle of a stream.
	for _, c := range parameters.Codecs {
		other := media.Codec{Type: uint8(c.PayloadType), MIME: c.MimeType}
		other.SPS, other.PPS = parameterSets(c.SDPFmtpLine)
		t.Format.Codecs = append(t.Format.Codecs, other)
	}
	for _, ext := range parameters.HeaderExtensions {
		if ext.URI == extLevel {
			t.Format.LevelID = uint8(ext.ID)
		}
	}
	return t
}

func (s *Session) readReports(receiver *webrtc.RTPReceiver, to Receiver, done chan<- struct{}) {
	defer close(done)
	buf := make([]byte, receiveMTU)
	for {
		n, _, err := receiver.Read(buf)
		if err != nil {
			return
		}
		for _, r := range senderReports(buf[:n]) {
			to.Report(r)
		}
	}
}

// senderReports takes those of a compound RTCP packet (RFC 3550 section 6.1).
func senderReports(compound []byte) (out []SenderReport) {
	for len(compound) >= 4 {
		size := (int(binary.BigEndian.Uint16(compound[2:])) + 1) * 4
		if size > len(compound) {
			return out
		}
		var sr rtcp.SenderReport
		if raw := compound[:size]; raw[1] == byte(rtcp.TypeSenderReport) && sr.Unmarshal(raw) == nil {
			out = append(out, SenderReport{NTP: sr.NTPTime, RTP: sr.RTPTime, Packets: sr.PacketCount, Octets: sr.OctetCount, Raw: bytes.Clone(raw)})
		}
		compound = compound[size:]
	}
	return out
}

type discard struct{}

func (discard) Packet([]byte)       {}
func (discard) Report(SenderReport) {}
func (discard) End()                {}
