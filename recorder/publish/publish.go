package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	"github.com/toldonce/toldonce/evidence"
)

// Frame is one frame as it went out, before any packet of it could be lost.
type Frame struct {
	Kind      evidence.TrackKind
	Timestamp uint32 // of RTP
	Key       bool   // a random access point; true for every Opus packet
	Data      []byte // Annex B with four-byte start codes, a VP9 frame, AV1 OBUs with their sizes, or one Opus packet; not to be changed
	MIME      string
	Packets   int       // how many RTP packets it was cut into
	At        time.Time // when it was captured: sender reports say the same, by the sender\'s clock
}

// Options say what to play and where. Fields without a stated default must be set.
type Options struct {
	// Signal exchanges offer and answer. See [WHIP].
	Signal Signal
	Clip   *Clip // default: Demonstration
	// Duration ends the playing; 0 plays the clip once. Longer than the clip, it loops.
	Duration time.Duration
	// Changes of the picture while it is sent, in order: to another size, or codec.
	Changes []Change
	// VideoOnly and AudioOnly leave the other track out of the offer.
	VideoOnly, AudioOnly bool
	// PlainAudio offers Opus without nack, as browsers do by themselves; PlainVideo
	// the picture, as no browser does.
	PlainAudio, PlainVideo bool
	Impairment             Impairment
	// Clock is how far the sender's clock is ahead of this machine's, in its reports.
	Clock time.Duration
	// Connected is called once when media may flow, before the first frame; nil: not.
	Connected func()
	// Sent is called for each frame before it leaves, in order for each kind,
	// from one goroutine; nil: not.
	Sent func(Frame)
	// Pace scales time: 1, the default, is as filmed, 4 four times as fast.
	Pace float64
}

// Change is another film from a time on. Its sound is not played.
type Change struct {
	At   time.Duration
	Clip *Clip
}

// Result tells what went out.
type Result struct {
	VideoFrames, AudioFrames   int
	VideoPackets, AudioPackets int // without retransmissions
	Dropped                    int // by the Impairment, retransmissions included
}

// linger is how long the session stays after the last frame, so that what was
// lost can be asked for again.
const linger = time.Second

// Run publishes until Duration is over or ctx ends, which is not an error, and
// then ends the session. It returns an error if the session cannot be made or
// breaks. Safe to call from many goroutines at once, each a session of its own.
func Run(ctx context.Context, o Options) (Result, error) {
	if o.Clip == nil {
		o.Clip = Demonstration()
	}
	if o.Duration == 0 {
		o.Duration = o.Clip.length
	}
	if o.Pace == 0 {
		o.Pace = 1
	}
	s, err := connect(ctx, o)
	if err != nil {
		return Result{}, fmt.Errorf("publishing: %w", err)
	}
	err = s.play(ctx, o)
	if closing := s.close(); err == nil {
		err = closing
	}
	if s.wire != nil {
		s.result.Dropped = int(s.wire.dropped.Load())
	}
	if err != nil {
		return s.result, fmt.Errorf("publishing: %w", err)
	}
	return s.result, nil
}

type session struct {
	peer         *webrtc.PeerConnection
	end          func(context.Context) error
	video, audio *track
	sender       *webrtc.RTPSender // of the picture
	wire         *impaired         // nil without an Impairment
	mux          interface{ Close() error }
	failed       chan struct{} // closed when the connection is lost for good
	result       Result
}

type track struct {
	kind      evidence.TrackKind
	clockRate int64
	base      uint32
	ssrc      uint32
	packets   uint32 // sent, and their bytes
	octets    uint32
	sequencer rtp.Sequencer
	encoding
	others map[string]encoding // by MIME type
}

// encoding is what a track sends one codec with.
type encoding struct {
	mime       string
	local      *webrtc.TrackLocalStaticRTP
	packetizer rtp.Packetizer
}

// packetSize bounds an RTP packet before SRTP, in bytes: what WebRTC senders use
// so that nothing on the way has to fragment it.
const packetSize = 1200

func connect(ctx context.Context, o Options) (_ *session, err error) {
	s := &session{failed: make(chan struct{})}
	api, err := s.api(o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.peer, err = api.NewPeerConnection(webrtc.Configuration{}); err != nil {
		return nil, err
	}
	if !o.AudioOnly {
		if s.video, err = s.add(evidence.Video, o.Clip.mime, 90000); err != nil {
			return nil, err
		}
	}
	if !o.VideoOnly && o.Clip.audio != nil {
		if s.audio, err = s.add(evidence.Audio, webrtc.MimeTypeOpus, 48000); err != nil {
			return nil, err
		}
	}
	connected := make(chan struct{})
	up, down := sync.OnceFunc(func() { close(connected) }), sync.OnceFunc(func() { close(s.failed) })
	s.peer.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			up()
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			down()
		}
	})
	offer, err := s.peer.CreateOffer(nil)
	if err != nil {
		return nil, err
	}
	gathered := webrtc.GatheringCompletePromise(s.peer)
	if err = s.peer.SetLocalDescription(offer); err != nil {
		return nil, err
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	answer, end, err := o.Signal(ctx, s.peer.LocalDescription().SDP)
	if err != nil {
		return nil, err
	}
	s.end = end
	if err = s.peer.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		return nil, err
	}
	select {
	case <-connected:
	case <-s.failed:
		return nil, errors.New("no connection to the media address")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if o.Connected != nil {
		o.Connected()
	}
	return s, nil
}

func (s *session) api(o Options) (*webrtc.API, error) {
	media := &webrtc.MediaEngine{}
	audio := webrtc.RTPCodecParameters{PayloadType: 111, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1;stereo=1"}}
	if !o.PlainAudio {
		audio.RTCPFeedback = []webrtc.RTCPFeedback{{Type: webrtc.TypeRTCPFBNACK}}
	}
	if err := media.RegisterCodec(audio, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	clips := []*Clip{o.Clip}
	for _, c := range o.Changes {
		clips = append(clips, c.Clip)
	}
	offered := map[string]bool{}
	for _, clip := range clips {
		video := pictures[clip.mime]
		if offered[clip.mime] {
			continue
		}
		offered[clip.mime] = true
		video.ClockRate = 90000
		video.RTCPFeedback = []webrtc.RTCPFeedback{{Type: webrtc.TypeRTCPFBNACK, Parameter: "pli"}}
		if !o.PlainVideo {
			video.RTCPFeedback = append(video.RTCPFeedback, webrtc.RTCPFeedback{Type: webrtc.TypeRTCPFBNACK})
		}
		if err := media.RegisterCodec(video, webrtc.RTPCodecTypeVideo); err != nil {
			return nil, err
		}
	}
	// A retransmission comes from this buffer: 4096 packets are more than 10 s
	// of the clip.
	responder, err := nack.NewResponderInterceptor(nack.ResponderSize(4096))
	if err != nil {
		return nil, err
	}
	registry := &interceptor.Registry{}
	registry.Add(responder)
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	if !o.Impairment.none() {
		// An impaired session runs over one connection of ours, on loopback only.
		conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		s.wire = impair(conn, o.Impairment)
		mux := webrtc.NewICEUDPMux(nil, s.wire)
		s.mux = mux
		settings.SetICEUDPMux(mux)
		settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(settings)), nil
}

// pictures are the formats of pictures as they are offered.
var pictures = map[string]webrtc.RTPCodecParameters{
	webrtc.MimeTypeH264: {PayloadType: 102, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeH264, SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"}},
	webrtc.MimeTypeVP9: {PayloadType: 98, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP9, SDPFmtpLine: "profile-id=0"}},
	webrtc.MimeTypeAV1: {PayloadType: 45, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeAV1, SDPFmtpLine: "level-idx=5;profile=0;tier=0"}},
}

func payloader(mime string) rtp.Payloader {
	switch mime {
	case webrtc.MimeTypeVP9:
		return &codecs.VP9Payloader{}
	case webrtc.MimeTypeAV1:
		return &codecs.AV1Payloader{}
	case webrtc.MimeTypeOpus:
		return &codecs.OpusPayloader{}
	}
	return &codecs.H264Payloader{}
}

// encode makes what the track sends a codec with.
func (t *track) encode(mime string) (encoding, error) {
	local, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, string(t.kind), "toldonce")
	return encoding{mime: mime, local: local, packetizer: rtp.NewPacketizer(packetSize, 0, 0, payloader(mime), t.sequencer, uint32(t.clockRate))}, err
}

// change makes the track send another codec, in the same stream.
func (s *session) change(t *track, mime string) (err error) {
	if t.mime == mime {
		return nil
	}
	next, there := t.others[mime]
	if !there {
		if next, err = t.encode(mime); err != nil {
			return err
		}
	}
	t.others[t.mime] = t.encoding
	t.encoding = next
	return s.sender.ReplaceTrack(next.local)
}

func (s *session) add(kind evidence.TrackKind, mime string, clockRate uint32) (*track, error) {
	t := &track{kind: kind, clockRate: int64(clockRate), base: rand.Uint32(), sequencer: rtp.NewRandomSequencer(), others: map[string]encoding{}}
	var err error
	if t.encoding, err = t.encode(mime); err != nil {
		return nil, err
	}
	transceiver, err := s.peer.AddTransceiverFromTrack(t.local, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return nil, err
	}
	t.ssrc = uint32(transceiver.Sender().GetParameters().Encodings[0].SSRC)
	go func() { // drains RTCP so that the interceptors see it
		for {
			if _, _, err := transceiver.Sender().ReadRTCP(); err != nil {
				return
			}
		}
	}()
	if kind == evidence.Video {
		s.sender = transceiver.Sender()
	}
	return t, nil
}

// play sends both tracks in the order of their times from one goroutine.
func (s *session) play(ctx context.Context, o Options) error {
	began := time.Now()
	reported := began // the next report
	timer := time.NewTimer(0)
	defer timer.Stop()
	video, audio := cursor{samples: o.Clip.video, loop: o.Clip.length}, cursor{samples: o.Clip.audio, loop: o.Clip.length}
	for {
		next, on := &video, s.video
		if s.video == nil || s.audio != nil && audio.at() < video.at() {
			next, on = &audio, s.audio
		}
		at := next.at()
		if at >= o.Duration {
			break
		}
		if on == s.video && len(o.Changes) > 0 && at >= o.Changes[0].At {
			if err := s.change(on, o.Changes[0].Clip.mime); err != nil {
				return err
			}
			video = cursor{samples: o.Changes[0].Clip.video, loop: o.Changes[0].Clip.length, from: at}
			o.Changes = o.Changes[1:]
		}
		timer.Reset(time.Until(began.Add(time.Duration(float64(at) / o.Pace))))
		select {
		case <-timer.C:
		case <-s.failed:
			return errors.New("the connection was lost")
		case <-ctx.Done():
			return nil
		}
		captured := began.Add(time.Duration(float64(at) / o.Pace))
		if !reported.After(captured) {
			if err := s.report(began, o); err != nil {
				return err
			}
			reported = captured.Add(reportEvery)
		}
		if err := s.send(on, next.sample(), at, captured, o.Sent); err != nil {
			return err
		}
		next.i++
	}
	timer.Reset(linger)
	select {
	case <-timer.C:
	case <-s.failed:
	case <-ctx.Done():
	}
	return nil
}

// reportEvery is how often sender reports are sent.
const reportEvery = time.Second

// report sends a sender report of each track (RFC 3550 section 6.4.1): what its
// media clock reads now, as it runs when films are captured.
func (s *session) report(began time.Time, o Options) error {
	now := time.Now()
	wall := now.Add(o.Clock)
	const since1900 = 2_208_988_800
	ntp := uint64(wall.Unix()+since1900)<<32 | uint64(wall.Nanosecond())<<32/1_000_000_000
	for _, t := range []*track{s.video, s.audio} {
		if t == nil {
			continue
		}
		elapsed := time.Duration(float64(now.Sub(began)) * o.Pace)
		if err := s.peer.WriteRTCP([]rtcp.Packet{&rtcp.SenderReport{
			SSRC: t.ssrc, NTPTime: ntp, RTPTime: t.base + uint32(int64(elapsed)*t.clockRate/int64(time.Second)), PacketCount: t.packets, OctetCount: t.octets,
		}}); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			return err
		}
	}
	return nil
}

// cursor walks a track's samples round and round.
type cursor struct {
	samples []sample
	loop    time.Duration
	from    time.Duration // when it begins
	i       int
}

func (c *cursor) sample() sample { return c.samples[c.i%len(c.samples)] }

func (c *cursor) at() time.Duration {
	return c.from + c.sample().at + time.Duration(c.i/len(c.samples))*c.loop
}

func (s *session) send(t *track, frame sample, at time.Duration, captured time.Time, sent func(Frame)) error {
	timestamp := t.base + uint32(int64(at)*t.clockRate/int64(time.Second))
	packets := t.packetizer.Packetize(frame.data, 0)
	if sent != nil {
		sent(Frame{Kind: t.kind, Timestamp: timestamp, Key: frame.key, Data: frame.data, MIME: t.mime, Packets: len(packets), At: captured})
	}
	for _, p := range packets {
		p.Timestamp = timestamp
		if err := t.local.WriteRTP(p); err != nil {
			return err
		}
		t.packets++
		t.octets += uint32(len(p.Payload))
	}
	if t.kind == evidence.Video {
		s.result.VideoFrames++
		s.result.VideoPackets += len(packets)
	} else {
		s.result.AudioFrames++
		s.result.AudioPackets += len(packets)
	}
	return nil
}

func (s *session) close() error {
	var errs []error
	if s.end != nil {
		// The session is ended even when the caller's context is over.
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		errs = append(errs, s.end(ctx))
	}
	if s.peer != nil {
		errs = append(errs, s.peer.Close())
	}
	if s.mux != nil {
		errs = append(errs, s.mux.Close())
	}
	return errors.Join(errs...)
}
