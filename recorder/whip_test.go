package recorder

import (
	"errors"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/publish"
)

func TestWhatIsRefusedAtTheDoor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	offer := offerOf(t, nil)
	for _, c := range []struct {
		name  string
		token string
		offer string
		want  error
		code  string
	}{
		{"no token", "", offer, evidence.ErrUnauthenticated, "whip.token"},
		{"wrong token", "abc", offer, evidence.ErrUnauthenticated, "whip.token"},
		{"no SDP", cam.token, "hello", ErrMalformed, "whip.offer.malformed"},
		{"empty", cam.token, "", ErrMalformed, "whip.offer.malformed"},
		{"no media", cam.token, "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", ErrMalformed, "whip.offer.malformed"},
		{"VP8 alone", cam.token, onlyCodec(offer, "VP8"), ErrNotAcceptable, "whip.codec.unsupported"},
		{"receiving", cam.token, strings.ReplaceAll(offer, "a=sendonly", "a=recvonly"), ErrNotAcceptable, "whip.media.direction"},
		{"garbage in SDP", cam.token, strings.ReplaceAll(offer, "a=fingerprint", "a=fingerprunt"), ErrMalformed, "whip.offer.malformed"},
	} {
		_, err := w.rec.Publish(t.Context(), cam.source.ID, c.token, c.offer)
		var refusal *evidence.Refusal
		if !errors.Is(err, c.want) || !errors.As(err, &refusal) || refusal.Reasons[0].Code != c.code {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	other := w.camera(evidence.SourceWide)
	if _, err := w.rec.Publish(t.Context(), other.source.ID, cam.token, offer); !errors.Is(err, evidence.ErrUnauthenticated) {
		t.Errorf("token of another source: %v", err)
	}
	if n := w.rec.Metrics().Sessions; n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	w.gate.refuse(true)
	if _, err := w.rec.Publish(t.Context(), cam.source.ID, cam.token, offer); !errors.Is(err, evidence.ErrRefused) {
		t.Errorf("without consent: %v", err)
	}
	w.gate.refuse(false)

	off := cam.onAir(publish.Options{})
	w.until("it sends", whole(1, 2))
	if _, err := w.rec.Publish(t.Context(), cam.source.ID, cam.token, offer); !errors.Is(err, evidence.ErrConflict) {
		t.Errorf("second publisher: %v", err)
	}
	token, err := w.rec.RenewSource(t.Context(), w.actor, cam.source)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.rec.Publish(t.Context(), cam.source.ID, cam.token, offer); !errors.Is(err, evidence.ErrUnauthenticated) {
		t.Errorf("expired token: %v", err)
	}
	cam.token = token
	off()
	if err := w.rec.Unpublish(t.Context(), cam.source.ID, cam.token, evidence.NewID()); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("unknown session: %v", err)
	}
}

// onlyCodec takes every other video codec out of an offer.
func onlyCodec(offer, name string) string {
	var out []string
	keep := map[string]bool{}
	for line := range strings.SplitSeq(offer, "\r\n") {
		if m := regexp.MustCompile(`^a=rtpmap:(\d+) ` + name + `/`).FindStringSubmatch(line); m != nil {
			keep[m[1]] = true
		}
	}
	video := false
	for line := range strings.SplitSeq(offer, "\r\n") {
		if strings.HasPrefix(line, "m=") {
			video = strings.HasPrefix(line, "m=video")
			if video {
				parts := strings.Fields(line)
				line = strings.Join(parts[:3], " ")
				for _, pt := range parts[3:] {
					if keep[pt] {
						line += " " + pt
					}
				}
			}
		}
		if m := regexp.MustCompile(`^a=(?:rtpmap|fmtp|rtcp-fb):(\d+) `).FindStringSubmatch(line); m != nil && video && !keep[m[1]] {
			continue
		}
		out = append(out, line)
	}
	return strings.Join(out, "\r\n")
}

// client is a WHIP client with everything that pion registers by default, as a
// program of somebody else would use it.
type client struct {
	pc           *webrtc.PeerConnection
	video, audio *webrtc.TrackLocalStaticSample
}

func newClient(t testing.TB, settings func(*webrtc.SettingEngine)) *client {
	t.Helper()
	se := webrtc.SettingEngine{}
	se.SetIncludeLoopbackCandidate(true)
	if settings != nil {
		settings(&se)
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(se)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	c := &client{pc: pc}
	c.video, err = webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264}, "video", "x")
	if err != nil {
		t.Fatal(err)
	}
	c.audio, err = webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "audio", "x")
	if err != nil {
		t.Fatal(err)
	}
	for _, track := range []webrtc.TrackLocal{c.video, c.audio} {
		if _, err := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *client) offer(t testing.TB) string {
	t.Helper()
	offer, err := c.pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	<-gathered
	return c.pc.LocalDescription().SDP
}

func offerOf(t testing.TB, settings func(*webrtc.SettingEngine)) string {
	return newClient(t, settings).offer(t)
}

func TestTheAnswerOffersNothingThatIsNotRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	offer := offerOf(t, nil)
	// As the room page does: pion's own default lacks it.
	offer = strings.Replace(offer, "a=rtpmap:111 opus/48000/2\r\n", "a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 nack\r\n", 1)
	s, err := w.rec.Publish(t.Context(), cam.source.ID, cam.token, offer)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(s.Answer, "\r\n") {
		if m := regexp.MustCompile(`^a=rtpmap:\d+ (\S+)`).FindStringSubmatch(line); m != nil && !slices.Contains([]string{"H264/90000", "VP9/90000", "AV1/90000", "opus/48000/2"}, m[1]) {
			t.Errorf("the answer offers %s", m[1])
		}
	}
	for _, want := range []string{
		"a=fmtp:111 minptime=10;useinbandfec=1;stereo=1;maxaveragebitrate=128000;usedtx=0\r\n", "a=rtcp-fb:111 nack", "a=rtcp-fb:111 transport-cc",
		"42e01f", "a=recvonly", " typ host",
	} {
		if !strings.Contains(s.Answer, want) {
			t.Errorf("the answer lacks %q:\n%s", want, s.Answer)
		}
	}
	if strings.Count(s.Answer, "a=fmtp:111 ") != 1 {
		t.Error("the answer has several lines of Opus parameters")
	}
	if s.ETag == "" || s.ID == "" {
		t.Errorf("session %+v", s)
	}
}

// sendOn writes clip-like samples until the recorder has whole frames.
func (c *client) connect(t testing.TB, answer string) {
	t.Helper()
	up := make(chan struct{}, 4)
	c.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			up <- struct{}{}
		}
	})
	if err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-up:
	case <-time.After(10 * time.Second):
		t.Fatal("no connection")
	}
}

// cut takes the ICE credentials and candidates of a description as a fragment.
func cut(sdp string) string {
	var out []string
	media := 0
	seen := map[string]bool{}
	for line := range strings.SplitSeq(sdp, "\r\n") {
		switch {
		case strings.HasPrefix(line, "m="):
			if media++; media == 1 {
				out = append(out, line)
			}
		case strings.HasPrefix(line, "a=ice-ufrag") || strings.HasPrefix(line, "a=ice-pwd"):
			if !seen[line] {
				seen[line] = true
				out = append([]string{line}, out...)
			}
		case media == 1 && (strings.HasPrefix(line, "a=mid:") || strings.HasPrefix(line, "a=candidate:")):
			out = append(out, line)
		}
	}
	return strings.Join(out, "\r\n") + "\r\n"
}

func TestTrickleAndRestartOfICE(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	c := newClient(t, nil)
	full := c.offer(t)
	var bare []string // the first offer carries no candidates
	for line := range strings.SplitSeq(full, "\r\n") {
		if !strings.HasPrefix(line, "a=candidate") && line != "a=end-of-candidates" {
			bare = append(bare, line)
		}
	}
	s, err := w.rec.Publish(t.Context(), cam.source.ID, cam.token, strings.Join(bare, "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	patch := func(ifMatch, fragment string) (string, string, error) {
		return w.rec.Trickle(t.Context(), cam.source.ID, cam.token, s.ID, ifMatch, fragment)
	}
	if _, _, err := patch("", cut(full)); !errors.Is(err, ErrPreconditionRequired) {
		t.Errorf("without If-Match: %v", err)
	}
	if _, _, err := patch(`"other"`, cut(full)); !errors.Is(err, ErrPreconditionFailed) {
		t.Errorf("of another ICE session: %v", err)
	}
	if _, _, err := patch(s.ETag, "hello"); !errors.Is(err, ErrMalformed) {
		t.Errorf("no fragment: %v", err)
	}
	if answer, etag, err := patch(s.ETag, cut(full)); err != nil || answer != "" || etag != "" {
		t.Errorf("trickle: %q %q %v", answer, etag, err)
	}
	c.connect(t, s.Answer)

	again, err := c.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	if err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(again); err != nil {
		t.Fatal(err)
	}
	<-gathered
	answer, etag, err := patch("*", cut(c.pc.LocalDescription().SDP))
	if err != nil {
		t.Fatal(err)
	}
	if etag == "" || etag == s.ETag || !strings.Contains(answer, "a=ice-ufrag:") || !strings.Contains(answer, "a=candidate:") {
		t.Errorf("restart: %q %q", etag, answer)
	}
	// The client puts the new credentials into the answer that it has.
	ufrag := regexp.MustCompile(`a=ice-ufrag:(\S+)`).FindStringSubmatch(answer)[1]
	pwd := regexp.MustCompile(`a=ice-pwd:(\S+)`).FindStringSubmatch(answer)[1]
	renewed := regexp.MustCompile(`a=ice-ufrag:\S+`).ReplaceAllString(s.Answer, "a=ice-ufrag:"+ufrag)
	renewed = regexp.MustCompile(`a=ice-pwd:\S+`).ReplaceAllString(renewed, "a=ice-pwd:"+pwd)
	connected := make(chan struct{}, 1)
	c.pc.OnICEConnectionStateChange(func(st webrtc.ICEConnectionState) {
		if st == webrtc.ICEConnectionStateConnected || st == webrtc.ICEConnectionStateCompleted {
			select {
			case connected <- struct{}{}:
			default:
			}
		}
	})
	if err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: renewed}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-connected:
	case <-time.After(10 * time.Second):
		t.Fatal("no connection after the restart")
	}
	if _, _, err := patch(s.ETag, cut(full)); !errors.Is(err, ErrPreconditionFailed) {
		t.Errorf("with the old entity tag: %v", err)
	}
	if err := w.rec.Unpublish(t.Context(), cam.source.ID, cam.token, s.ID); err != nil {
		t.Error(err)
	}
}

// A source whose network lets no UDP through uses ICE-TCP.
func TestMediaOverTCP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.close()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.tcp = listener
	w.open()
	cam := w.camera(evidence.SourceCloseUp)
	c := newClient(t, func(se *webrtc.SettingEngine) {
		se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	})
	s, err := w.rec.Publish(t.Context(), cam.source.ID, cam.token, c.offer(t))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.Answer, "tcptype passive") {
		t.Fatalf("no TCP candidate in the answer:\n%s", s.Answer)
	}
	c.connect(t, s.Answer)
}

// A source that reaches nothing but the relay publishes through it.
func TestMediaThroughTheRelay(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.close()
			w.turn = true
			w.open()
			relay, ok, err := w.rec.Relay()
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			cam := w.camera(evidence.SourceCloseUp)
			c := newClient(t, nil)
			i := slices.IndexFunc(relay.URLs, func(u string) bool { return strings.HasSuffix(u, "transport="+transport) })
			if err := c.pc.SetConfiguration(webrtc.Configuration{
				ICETransportPolicy: webrtc.ICETransportPolicyRelay,
				ICEServers:         []webrtc.ICEServer{{URLs: relay.URLs[i : i+1], Username: relay.Username, Credential: relay.Credential}},
			}); err != nil {
				t.Fatal(err)
			}
			offer := c.offer(t)
			if strings.Contains(offer, "typ host") || !strings.Contains(offer, "typ relay") {
				t.Fatalf("the client has other ways than the relay:\n%s", offer)
			}
			s, err := w.rec.Publish(t.Context(), cam.source.ID, cam.token, offer)
			if err != nil {
				t.Fatal(err)
			}
			c.connect(t, s.Answer)
			if err := w.rec.Unpublish(t.Context(), cam.source.ID, cam.token, s.ID); err != nil {
				t.Error(err)
			}
		})
	}
	w := newWorld(t)
	if _, ok, err := w.rec.Relay(); ok || err != nil {
		t.Errorf("a relay that nobody set up: %v %v", ok, err)
	}
}
