package monitor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pion/interceptor"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/signalling"
)

// maxOffer bounds an offer, in bytes.
const maxOffer = 64 << 10

// Server answers observers. It is safe for concurrent use.
type Server struct {
	// Settings are those of every connection; the media sockets belong to it.
	Settings func() (webrtc.SettingEngine, error)
}

// Open answers an observer's offer to receive a channel. The session sends nothing
// before it is connected. The error is a refusal of kind
// [signalling.ErrMalformed] or [signalling.ErrNotAcceptable], or wraps
// [evidence.ErrUnavailable].
func (s *Server) Open(ctx context.Context, offer string, c *Channel) (*Session, string, error) {
	audio, video, err := wanted(offer)
	if err != nil {
		return nil, "", err
	}
	api, err := s.api()
	if err != nil {
		return nil, "", fmt.Errorf("%w: preparing a session: %v", evidence.ErrUnavailable, err)
	}
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, "", fmt.Errorf("%w: preparing a session: %v", evidence.ErrUnavailable, err)
	}
	session := newSession(pc, c)
	for _, o := range []struct{ is, video bool }{{video, true}, {audio, false}} {
		if !o.is {
			continue
		}
		if err := session.add(newOutlet(o.video)); err != nil {
			session.Close()
			return nil, "", fmt.Errorf("%w: preparing a session: %v", evidence.ErrUnavailable, err)
		}
	}
	answer, err := session.exchange.Answer(ctx, offer)
	if err != nil {
		session.Close()
		return nil, "", err
	}
	if !c.join(session) {
		session.Close()
		return nil, "", evidence.Refuse(evidence.ErrConflict, "whep.over", "There is nothing to be seen any more.", "")
	}
	go session.run()
	return session, answer, nil
}

// wanted reads what an offer would receive.
func wanted(offer string) (audio, video bool, err error) {
	if len(offer) > maxOffer {
		return false, false, signalling.Malformed("The offer is longer than any session description needs to be.")
	}
	var desc sdp.SessionDescription
	if err := desc.UnmarshalString(offer); err != nil {
		return false, false, signalling.Malformed("The body is not a session description (SDP).")
	}
	for _, m := range desc.MediaDescriptions {
		kind := strings.ToLower(m.MediaName.Media)
		var into *bool
		switch kind {
		case "audio":
			into = &audio
		case "video":
			into = &video
		default:
			continue
		}
		for _, a := range m.Attributes {
			if a.Key == "sendonly" || a.Key == "inactive" {
				return false, false, evidence.Refuse(signalling.ErrNotAcceptable, "whep.media.direction", "An observer must offer to receive, not to send.", "P14")
			}
		}
		if !plays(kind, m) {
			return false, false, evidence.Refuse(signalling.ErrNotAcceptable, "whep.codec", "Offer to receive H.264, VP9 or AV1, and Opus: cameras send nothing else.", "")
		}
		if *into {
			return false, false, evidence.Refuse(signalling.ErrNotAcceptable, "whep.media.several", "A session shows one camera: offer one picture and one sound track at most.", "")
		}
		*into = true
	}
	if !audio && !video {
		return false, false, signalling.Malformed("The offer has neither a picture nor a sound track.")
	}
	return audio, video, nil
}

// sent are the formats that cameras send.
var sent = map[string][]string{"audio": {"opus"}, "video": {"H264", "VP9", "AV1"}}

// plays reports whether a section names a format that may be sent.
func plays(kind string, m *sdp.MediaDescription) bool {
	for _, a := range m.Attributes {
		_, format, _ := strings.Cut(a.Value, " ")
		name, _, _ := strings.Cut(format, "/")
		if a.Key == "rtpmap" && slices.ContainsFunc(sent[kind], func(s string) bool { return strings.EqualFold(s, name) }) {
			return true
		}
	}
	return false
}

func (s *Server) api() (*webrtc.API, error) {
	media := &webrtc.MediaEngine{}
	repairs := []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}}
	next := webrtc.PayloadType(96)
	register := func(kind webrtc.RTPCodecType, mime string, clock uint32, channels uint16, line string, feedback []webrtc.RTCPFeedback) error {
		next++
		return media.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: next, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: mime, ClockRate: clock, Channels: channels, SDPFmtpLine: line, RTCPFeedback: feedback}}, kind)
	}
	if err := register(webrtc.RTPCodecTypeAudio, webrtc.MimeTypeOpus, 48000, 2, "minptime=10;useinbandfec=1", repairs[:1]); err != nil {
		return nil, err
	}
	for _, mode := range []string{"1", "0"} {
		for _, profile := range []string{"42e01f", "42001f", "4d001f", "64001f"} {
			line := "level-asymmetry-allowed=1;packetization-mode=" + mode + ";profile-level-id=" + profile
			if err := register(webrtc.RTPCodecTypeVideo, webrtc.MimeTypeH264, 90000, 0, line, repairs); err != nil {
				return nil, err
			}
		}
	}
	for _, c := range []struct{ mime, line string }{{webrtc.MimeTypeVP9, "profile-id=0"}, {webrtc.MimeTypeAV1, "level-idx=5;profile=0;tier=0"}} {
		if err := register(webrtc.RTPCodecTypeVideo, c.mime, 90000, 0, c.line, repairs); err != nil {
			return nil, err
		}
	}
	set, err := s.Settings()
	if err != nil {
		return nil, err
	}
	// No interceptors: what is sent again, reported and counted is decided here.
	return webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(&interceptor.Registry{}), webrtc.WithSettingEngine(set)), nil
}
