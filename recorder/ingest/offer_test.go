package ingest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

// browser is the media part of what Chromium offers, shortened.
const browser = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=mid:0\r\na=sendonly\r\n" +
	"a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=rtcp-fb:111 nack\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\n" +
	"m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 127 108 39\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=mid:1\r\na=sendonly\r\n" +
	"a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n" +
	"a=rtpmap:102 H264/90000\r\na=rtcp-fb:102 goog-remb\r\na=rtcp-fb:102 nack\r\na=rtcp-fb:102 nack pli\r\na=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f\r\n" +
	"a=rtpmap:103 rtx/90000\r\na=fmtp:103 apt=102\r\n" +
	"a=rtpmap:127 H264/90000\r\na=fmtp:127 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f\r\n" +
	"a=rtpmap:108 H264/90000\r\na=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n" +
	"a=rtpmap:39 H264/90000\r\na=fmtp:39 packetization-mode=1;profile-level-id=f4001f\r\n" +
	"a=rid:h send\r\na=simulcast:send h\r\n"

func TestTheBestH264IsChosen(t *testing.T) {
	o, err := parseOffer(browser)
	if err != nil {
		t.Fatal(err)
	}
	var got []webrtc.PayloadType
	for _, c := range o.codecs {
		got = append(got, c.params.PayloadType)
		for _, f := range c.params.RTCPFeedback {
			if f.Type == "goog-remb" {
				t.Error("feedback that is not used is answered")
			}
		}
	}
	if len(got) != 3 || got[0] != 111 || got[1] != 108 || got[2] != 102 { // constrained baseline before high
		t.Errorf("payload types %v", got)
	}
	if strings.Contains(o.sdp, "simulcast") || strings.Contains(o.sdp, "a=rid") {
		t.Error("simulcast is left in the offer")
	}
}

func TestOtherPicturesAreTakenBehindH264(t *testing.T) {
	others := "a=rtpmap:98 VP9/90000\r\na=fmtp:98 profile-id=0\r\na=rtpmap:99 VP9/90000\r\na=fmtp:99 profile-id=1\r\na=rtpmap:100 VP9/90000\r\na=fmtp:100 profile-id=2\r\n" +
		"a=rtpmap:45 AV1/90000\r\na=fmtp:45 level-idx=5;profile=0;tier=0\r\na=rtpmap:46 AV1/90000\r\na=fmtp:46 profile=1\r\n"
	all := strings.Replace(browser, "96 97 102", "45 100 96 98 46 99 97 102", 1)
	all = strings.Replace(all, "a=rid:h", others+"a=rid:h", 1)
	for _, c := range []struct {
		name, offer string
		want        []webrtc.PayloadType
	}{
		{"all", all, []webrtc.PayloadType{111, 108, 102, 98, 100, 45}},
		{"no H.264", strings.ReplaceAll(all, "H264/", "H265/"), []webrtc.PayloadType{111, 98, 100, 45}},
		{"AV1 alone", strings.ReplaceAll(strings.ReplaceAll(all, "H264/", "H265/"), "VP9/", "VP8/"), []webrtc.PayloadType{111, 45}},
	} {
		o, err := parseOffer(c.offer)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var got []webrtc.PayloadType
		for _, codec := range o.codecs {
			got = append(got, codec.params.PayloadType)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: payload types %v, want %v", c.name, got, c.want)
		}
	}
}

func TestOffersThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, offer string
		want        error
	}{
		{"nothing", "", ErrMalformed},
		{"too long", strings.Repeat("a", maxOffer+1), ErrMalformed},
		{"two pictures", browser + browser[strings.Index(browser, "m=video"):], ErrNotAcceptable},
		{"text", browser + "m=text 9 UDP/TLS/RTP/SAVPF 98\r\n", ErrNotAcceptable},
		{"mono Opus", strings.ReplaceAll(browser, "opus/48000/2", "opus/48000"), ErrNotAcceptable},
		{"VP8", strings.ReplaceAll(browser, "H264/", "H265/"), ErrNotAcceptable},
		{"receiving", strings.ReplaceAll(browser, "sendonly", "recvonly"), ErrNotAcceptable},
	} {
		if _, err := parseOffer(c.offer); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	zero := strings.ReplaceAll(browser, "packetization-mode=1", "packetization-mode=0")
	if o, err := parseOffer(zero); err != nil || len(o.codecs) != 4 {
		t.Errorf("packetization mode 0 alone: %v", err)
	}
}

func TestTheAnswersOpusParameters(t *testing.T) {
	for _, in := range []string{
		"m=audio 9 X 111\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;usedtx=1\r\n",
		"m=audio 9 X 111\r\na=rtpmap:111 OPUS/48000/2\r\n",
	} {
		if got := finishAnswer(in); strings.Count(got, "a=fmtp:111 "+opusAnswer+"\r\n") != 1 || strings.Contains(got, "usedtx=1") {
			t.Errorf("%q", got)
		}
	}
}

func FuzzOffer(f *testing.F) {
	f.Add(browser)
	f.Add("v=0\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := parseOffer(text)
		if err == nil && len(o.codecs) == 0 {
			t.Error("accepted without a codec")
		}
		if err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrNotAcceptable) {
			t.Errorf("%v", err)
		}
		finishAnswer(text)
	})
}
