package ingest

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/toldonce/toldonce/evidence"
)

// maxOffer bounds an offer, in bytes.
const maxOffer = 64 << 10

// opusAnswer are the Opus parameters of every answer: constant quality, no
// gaps where nobody speaks, forward error correction (RFC 7587 section 6.1).
const opusAnswer = "minptime=10;useinbandfec=1;stereo=1;maxaveragebitrate=128000;usedtx=0"

// Extensions of the RTP header that are negotiated where offered.
const (
	extMID       = sdp.SDESMidURI
	extTWCC      = sdp.TransportCCURI
	extLevel     = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
	feedbackNACK = "nack"
)

// offer is what a source offers and is accepted of it.
type offer struct {
	sdp    string // without what is not negotiated, such as simulcast
	codecs []offeredCodec
}

type offeredCodec struct {
	kind   webrtc.RTPCodecType
	params webrtc.RTPCodecParameters
}

// parseOffer checks an offer and chooses codecs. The error is a refusal of kind
// [ErrMalformed] or [ErrNotAcceptable].
func parseOffer(text string) (offer, error) {
	if len(text) > maxOffer {
		return offer{}, malformed("The offer is longer than any session description needs to be.")
	}
	var desc sdp.SessionDescription
	if err := desc.UnmarshalString(text); err != nil {
		return offer{}, malformed("The body is not a session description (SDP).")
	}
	var out offer
	kinds := map[string]int{}
	for _, m := range desc.MediaDescriptions {
		kind := strings.ToLower(m.MediaName.Media)
		switch kind {
		case "audio", "video":
		case "application":
			continue
		default:
			return offer{}, evidence.Refuse(ErrNotAcceptable, "whip.media.unsupported", "A source may send sound and picture only.", "")
		}
		if kinds[kind]++; kinds[kind] > 1 {
			return offer{}, evidence.Refuse(ErrNotAcceptable, "whip.media.several", "A session carries one picture and one sound track at most. Use one source for each camera.", "P8")
		}
		if !sends(m) {
			return offer{}, evidence.Refuse(ErrNotAcceptable, "whip.media.direction", "A source must offer to send, not to receive.", "")
		}
		codecs := acceptable(kind, codecsOf(m))
		if len(codecs) == 0 {
			text := "The picture must be offered as H.264, VP9 or AV1, in a form that can be recorded and played: 8 bits or 10, and no colours beyond 4:2:0."
			if kind == "audio" {
				text = "The sound must be offered as Opus with 48 kHz."
			}
			return offer{}, evidence.Refuse(ErrNotAcceptable, "whip.codec.unsupported", text, "")
		}
		out.codecs = append(out.codecs, codecs...)
	}
	if len(out.codecs) == 0 {
		return offer{}, malformed("The offer has neither a picture nor a sound track.")
	}
	for _, m := range desc.MediaDescriptions {
		// One stream a track: simulcast layers are copies in lesser quality.
		m.Attributes = slices.DeleteFunc(m.Attributes, func(a sdp.Attribute) bool { return a.Key == "simulcast" || a.Key == "rid" })
	}
	cleaned, err := desc.Marshal()
	if err != nil {
		return offer{}, malformed("The offer cannot be read as a session description (SDP).")
	}
	out.sdp = string(cleaned)
	return out, nil
}

func sends(m *sdp.MediaDescription) bool {
	for _, a := range m.Attributes {
		switch a.Key {
		case "recvonly", "inactive":
			return false
		}
	}
	return m.MediaName.Port.Value != 0 || hasAttribute(m, "bundle-only")
}

func hasAttribute(m *sdp.MediaDescription, key string) bool {
	_, ok := m.Attribute(key)
	return ok
}

// codecsOf reads rtpmap, fmtp and rtcp-fb in order of preference.
func codecsOf(m *sdp.MediaDescription) []webrtc.RTPCodecParameters {
	byType := map[string]*webrtc.RTPCodecParameters{}
	for _, a := range m.Attributes {
		pt, rest, ok := strings.Cut(a.Value, " ")
		if a.Key != "rtpmap" || !ok {
			continue
		}
		n, err := strconv.ParseUint(pt, 10, 7)
		if err != nil {
			continue
		}
		parts := strings.Split(rest, "/")
		if len(parts) < 2 {
			continue
		}
		clock, err := strconv.ParseUint(parts[1], 10, 32)
		if err != nil {
			continue
		}
		c := &webrtc.RTPCodecParameters{PayloadType: webrtc.PayloadType(n)}
		c.MimeType = strings.ToLower(m.MediaName.Media) + "/" + parts[0]
		c.ClockRate = uint32(clock)
		if len(parts) > 2 {
			channels, err := strconv.ParseUint(parts[2], 10, 16)
			if err != nil {
				continue
			}
			c.Channels = uint16(channels)
		}
		byType[pt] = c
	}
	for _, a := range m.Attributes {
		pt, rest, _ := strings.Cut(a.Value, " ")
		switch a.Key {
		case "fmtp":
			if c := byType[pt]; c != nil {
				c.SDPFmtpLine = rest
			}
		case "rtcp-fb":
			kind, parameter, _ := strings.Cut(rest, " ")
			fb := webrtc.RTCPFeedback{Type: kind, Parameter: parameter}
			if c := byType[pt]; c != nil {
				c.RTCPFeedback = append(c.RTCPFeedback, fb)
			} else if pt == "*" {
				for _, c := range byType {
					c.RTCPFeedback = append(c.RTCPFeedback, fb)
				}
			}
		}
	}
	var out []webrtc.RTPCodecParameters
	for _, pt := range m.MediaName.Formats {
		if c := byType[pt]; c != nil {
			out = append(out, *c)
		}
	}
	return out
}

// acceptable chooses what is answered, the best first: every H.264 that is offered
// in packetization mode 1 (else mode 0), constrained baseline first, because it
// plays everywhere; then VP9, then AV1, each in its main profiles; and Opus.
func acceptable(kind string, offered []webrtc.RTPCodecParameters) []offeredCodec {
	var out []offeredCodec
	take := func(typ webrtc.RTPCodecType, fit func(webrtc.RTPCodecParameters) bool) {
		for _, c := range offered {
			if fit(c) {
				c.RTCPFeedback = feedbackFor(c)
				out = append(out, offeredCodec{kind: typ, params: c})
			}
		}
	}
	if kind == "audio" {
		take(webrtc.RTPCodecTypeAudio, func(c webrtc.RTPCodecParameters) bool {
			return strings.EqualFold(c.MimeType, webrtc.MimeTypeOpus) && c.ClockRate == 48000 && c.Channels == 2
		})
		return out
	}
	for _, mode := range []string{"1", "0"} {
		take(webrtc.RTPCodecTypeVideo, func(c webrtc.RTPCodecParameters) bool {
			return strings.EqualFold(c.MimeType, webrtc.MimeTypeH264) && c.ClockRate == 90000 &&
				h264Profile(c) < unknownProfile && parameter(c.SDPFmtpLine, "packetization-mode", "0") == mode
		})
		if len(out) > 0 {
			break
		}
	}
	slices.SortStableFunc(out, func(a, b offeredCodec) int { return h264Profile(a.params) - h264Profile(b.params) })
	for _, profile := range []string{"0", "2"} { // 8 bits; 10 (RFC 9628 section 6)
		take(webrtc.RTPCodecTypeVideo, func(c webrtc.RTPCodecParameters) bool {
			return strings.EqualFold(c.MimeType, webrtc.MimeTypeVP9) && c.ClockRate == 90000 && parameter(c.SDPFmtpLine, "profile-id", "0") == profile
		})
	}
	take(webrtc.RTPCodecTypeVideo, func(c webrtc.RTPCodecParameters) bool {
		return strings.EqualFold(c.MimeType, webrtc.MimeTypeAV1) && c.ClockRate == 90000 && parameter(c.SDPFmtpLine, "profile", "0") == "0"
	})
	return out
}

const unknownProfile = 4

// h264Profile ranks profile_idc and constraint flags: constrained baseline,
// baseline, main, high. Profiles with other chroma formats are not accepted.
func h264Profile(c webrtc.RTPCodecParameters) int {
	id := strings.ToLower(parameter(c.SDPFmtpLine, "profile-level-id", "42001f"))
	if len(id) != 6 {
		return unknownProfile
	}
	flags, err := strconv.ParseUint(id[2:4], 16, 8)
	if err != nil {
		return unknownProfile
	}
	switch id[:2] {
	case "42":
		if flags&0x40 != 0 { // constraint_set1_flag
			return 0
		}
		return 1
	case "4d", "58":
		if id[:2] == "58" && flags&0x40 == 0 {
			return unknownProfile
		}
		return 2
	case "64":
		return 3
	}
	return unknownProfile
}

// parameter reads one parameter of a format line; names do not differ by case.
func parameter(line, name, missing string) string {
	for part := range strings.SplitSeq(line, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return missing
}

// feedbackFor keeps the feedback that is used: generic NACK, picture loss,
// full intra request, and transport-wide congestion control.
func feedbackFor(c webrtc.RTPCodecParameters) []webrtc.RTCPFeedback {
	return slices.DeleteFunc(slices.Clone(c.RTCPFeedback), func(f webrtc.RTCPFeedback) bool {
		switch f {
		case webrtc.RTCPFeedback{Type: feedbackNACK}, webrtc.RTCPFeedback{Type: feedbackNACK, Parameter: "pli"},
			webrtc.RTCPFeedback{Type: "ccm", Parameter: "fir"}, webrtc.RTCPFeedback{Type: "transport-cc"}:
			return false
		}
		return true
	})
}

// parameterSets reads sprop-parameter-sets (RFC 6184 section 8.1).
func parameterSets(line string) (sps, pps [][]byte) {
	for text := range strings.SplitSeq(parameter(line, "sprop-parameter-sets", ""), ",") {
		unit, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(unit) < 4 || len(unit) > 1<<10 {
			continue
		}
		switch unit[0] & 31 {
		case 7:
			sps = append(sps, unit)
		case 8:
			pps = append(pps, unit)
		}
	}
	return sps, pps
}

// finishAnswer sets the Opus parameters of an answer.
func finishAnswer(answer string) string {
	lines := strings.Split(answer, "\r\n")
	opus := map[string]bool{}
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, "a=rtpmap:"); ok {
			if pt, name, ok := strings.Cut(rest, " "); ok && strings.HasPrefix(strings.ToLower(name), "opus/") {
				opus[pt] = true
			}
		}
	}
	out := make([]string, 0, len(lines)+1)
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, "a=fmtp:"); ok {
			if pt, _, _ := strings.Cut(rest, " "); opus[pt] {
				continue
			}
		}
		out = append(out, line)
		if rest, ok := strings.CutPrefix(line, "a=rtpmap:"); ok {
			if pt, _, _ := strings.Cut(rest, " "); opus[pt] {
				out = append(out, "a=fmtp:"+pt+" "+opusAnswer)
			}
		}
	}
	return strings.Join(out, "\r\n")
}
