package publish

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/toldonce/toldonce/evidence"
)

func TestDemonstrationClipIsWhatItSays(t *testing.T) {
	clip := Demonstration()
	if clip.Length() != 20*time.Second || len(embedded) > 1<<20 {
		t.Errorf("length %v, %d bytes", clip.Length(), len(embedded))
	}
	if len(clip.video) != 600 || len(clip.audio) < 1000 {
		t.Fatalf("%d video and %d audio samples", len(clip.video), len(clip.audio))
	}
	for i, s := range clip.video {
		if s.key != (i%60 == 0) {
			t.Errorf("sample %d: key frame %v", i, s.key)
		}
		if s.key != bytes.HasPrefix(s.data, []byte{0, 0, 0, 1, 0x67}) {
			t.Errorf("sample %d: parameter sets stand before other than key frames", i)
		}
	}
}

func TestLoadRefusesOtherFiles(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty":     nil,
		"text":      []byte("not a film"),
		"torn":      embedded[:len(embedded)/2],
		"no sample": embedded[:2000],
	} {
		if _, err := Load(data); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// receiver answers offers as a bare peer that keeps every payload.
type receiver struct {
	mu      sync.Mutex
	packets map[string][]*rtp.Packet
}

func (r *receiver) signal(t *testing.T) Signal {
	return func(ctx context.Context, offer string) (string, func(context.Context) error, error) {
		media := &webrtc.MediaEngine{}
		if err := media.RegisterDefaultCodecs(); err != nil {
			return "", nil, err
		}
		settings := webrtc.SettingEngine{}
		settings.SetIncludeLoopbackCandidate(true)
		peer, err := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
		if err != nil {
			return "", nil, err
		}
		var reading sync.WaitGroup
		peer.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
			reading.Add(1)
			defer reading.Done()
			for {
				p, _, err := track.ReadRTP()
				if err != nil {
					return
				}
				r.mu.Lock()
				r.packets[track.Kind().String()] = append(r.packets[track.Kind().String()], p.Clone())
				r.mu.Unlock()
			}
		})
		if err := peer.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
			return "", nil, err
		}
		answer, err := peer.CreateAnswer(nil)
		if err != nil {
			return "", nil, err
		}
		gathered := webrtc.GatheringCompletePromise(peer)
		if err := peer.SetLocalDescription(answer); err != nil {
			return "", nil, err
		}
		<-gathered
		return peer.LocalDescription().SDP, func(context.Context) error {
			err := peer.Close()
			reading.Wait()
			return err
		}, nil
	}
}

func TestRunSendsEveryFrameAndTellsOfIt(t *testing.T) {
	r := &receiver{packets: map[string][]*rtp.Packet{}}
	var told []Frame
	result, err := Run(t.Context(), Options{Signal: r.signal(t), Duration: 3 * time.Second, Pace: 3, Sent: func(f Frame) { told = append(told, f) }})
	if err != nil {
		t.Fatal(err)
	}
	if result.VideoFrames != 90 || result.AudioFrames != 150 || len(told) != 240 {
		t.Errorf("%+v, %d told", result, len(told))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.packets["video"]) != result.VideoPackets || len(r.packets["audio"]) != result.AudioPackets {
		t.Errorf("sent %+v, arrived %d video and %d audio packets", result, len(r.packets["video"]), len(r.packets["audio"]))
	}
	times := map[uint32]bool{}
	for _, p := range r.packets["audio"] {
		times[p.Timestamp] = true
	}
	for _, f := range told {
		if f.Kind == evidence.Audio && !times[f.Timestamp] {
			t.Errorf("no audio packet at %d", f.Timestamp)
		}
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	r := &receiver{packets: map[string][]*rtp.Packet{}}
	ctx, cancel := context.WithCancel(t.Context())
	result, err := Run(ctx, Options{Signal: r.signal(t), Duration: time.Hour, Connected: cancel})
	if err != nil || result.VideoFrames > 2 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestRefusedOffer(t *testing.T) {
	refused := errors.New("no consent")
	_, err := Run(t.Context(), Options{Signal: func(context.Context, string) (string, func(context.Context) error, error) { return "", nil, refused }})
	if !errors.Is(err, refused) {
		t.Error(err)
	}
}

func TestWHIPTellsStatusAndSentence(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" || r.Header.Get("Content-Type") != "application/sdp" {
			t.Errorf("headers %v", r.Header)
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusConflict)
		w.Write([]byte(`{"detail":"Another camera publishes here already."}`))
	}))
	defer server.Close()
	_, _, err := WHIP(server.Client(), server.URL, "secret")(t.Context(), "v=0")
	if err == nil || !strings.Contains(err.Error(), "409") || !strings.Contains(err.Error(), "Another camera") {
		t.Error(err)
	}
}

// sink is a connection that counts what is written to it.
type sink struct {
	net.PacketConn
	mu  sync.Mutex
	got []byte // first payload byte of each packet
}

func (s *sink) WriteTo(b []byte, _ net.Addr) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, b[2])
	return len(b), nil
}

func (s *sink) Close() error { return nil }

func TestImpairment(t *testing.T) {
	packet := func(i int) []byte { return append([]byte{0x80, 111, byte(i)}, make([]byte, 20)...) }
	for name, rules := range map[string]Impairment{
		"loss":      {Loss: 0.1},
		"bursts":    {Loss: 0.1, Burst: 20},
		"jitter":    {Jitter: 5 * time.Millisecond},
		"duplicate": {Duplicate: 0.5},
	} {
		out := &sink{}
		conn := impair(out, rules)
		const count = 20000
		for i := range count {
			if _, err := conn.WriteTo(packet(i), nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := conn.WriteTo([]byte{0x80, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, nil); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		got, dropped := len(out.got), int(conn.dropped.Load())
		share := float64(dropped) / count
		if rules.Loss > 0 && (share < 0.07 || share > 0.13) {
			t.Errorf("%s: lost a share of %.3f", name, share)
		}
		if rules.Duplicate == 0 && got != count+1-dropped {
			t.Errorf("%s: %d arrived, %d dropped", name, got, dropped)
		}
		if rules.Duplicate > 0 && got < count*14/10 {
			t.Errorf("%s: %d arrived", name, got)
		}
		if rules.Jitter > 0 {
			late := 0
			for i := 1; i < len(out.got); i++ {
				if out.got[i]-out.got[i-1] != 1 {
					late++
				}
			}
			if late == 0 {
				t.Errorf("%s: nothing was reordered", name)
			}
		}
	}
}
