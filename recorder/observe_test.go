package recorder

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/recorder/publish"
)

// watcher is an observer's program: pion as somebody else would use it.
type watcher struct {
	w       *world
	account evidence.ID
	token   string
	from    evidence.ID
	session Session
	pc      *webrtc.PeerConnection

	video, audio atomic.Int64 // packets with media
	marks        atomic.Int64 // ends of pictures
	ended        chan struct{}

	mu    sync.Mutex
	jumps int // sequence numbers of pictures that never came
}

// mayWatch lets an observer watch until it is told otherwise.
type mayWatch struct{ err atomic.Pointer[error] }

func (m *mayWatch) set(err error) { m.err.Store(&err) }

func (m *mayWatch) ask(context.Context) error {
	if e := m.err.Load(); e != nil {
		return *e
	}
	return nil
}

func (w *world) admit(may *mayWatch) (evidence.ID, string) {
	w.t.Helper()
	account := evidence.NewID()
	a, err := w.rec.AdmitObserver(w.t.Context(), w.iv.ID, Observer{
		Actor: evidence.Actor{Kind: evidence.ActorPerson, Account: account, Agency: w.iv.Agency, Role: evidence.RoleObserver, MFA: true},
		Role:  evidence.RoleObserver, May: may.ask,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return account, a.Token
}

// observe watches a source; loss spoils what it receives.
func (w *world) observe(from evidence.ID, loss float64, may *mayWatch) *watcher {
	w.t.Helper()
	o := &watcher{w: w, from: from, ended: make(chan struct{})}
	o.account, o.token = w.admit(may)
	var err error
	if o.pc, err = receiver(loss); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { o.pc.Close() })
	over := sync.OnceFunc(func() { close(o.ended) })
	up := make(chan struct{})
	o.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			close(up)
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed, webrtc.PeerConnectionStateDisconnected:
			over()
		}
	})
	o.pc.OnTrack(o.receive)
	offer := recvOffer(w.t, o.pc)
	if o.session, err = w.rec.OpenView(w.t.Context(), from, o.token, offer); err != nil {
		w.t.Fatal(err)
	}
	if err := o.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: o.session.Answer}); err != nil {
		w.t.Fatal(err)
	}
	select {
	case <-up:
	case <-time.After(20 * time.Second):
		w.t.Fatal("the observer does not connect")
	}
	return o
}

func (o *watcher) receive(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
	stop := make(chan struct{})
	defer close(stop)
	seen := map[uint16]bool{}
	first, last := uint16(0), uint16(0)
	var raw [1500]byte
	for {
		n, _, err := t.Read(raw[:])
		if err != nil {
			o.mu.Lock()
			for s := first; len(seen) > 0 && s != last; s++ {
				if !seen[s] {
					o.jumps++
				}
			}
			o.mu.Unlock()
			return
		}
		var p rtp.Packet
		if p.Unmarshal(raw[:n]) != nil || len(p.Payload) == 0 {
			continue
		}
		if t.Kind() == webrtc.RTPCodecTypeAudio {
			o.audio.Add(1)
			continue
		}
		if len(seen) == 0 {
			first, last = p.SequenceNumber, p.SequenceNumber
		}
		if seen[p.SequenceNumber] {
			continue
		}
		seen[p.SequenceNumber] = true
		if int16(p.SequenceNumber-last) > 0 {
			last = p.SequenceNumber
		}
		o.video.Add(1)
		if p.Marker {
			o.marks.Add(1)
		}
	}
}

// receiver is a peer that asks again for what it misses, as browsers do.
func receiver(loss float64) (*webrtc.PeerConnection, error) {
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	registry := &interceptor.Registry{}
	asks, err := nack.NewGeneratorInterceptor(nack.GeneratorInterval(20 * time.Millisecond))
	if err != nil {
		return nil, err
	}
	registry.Add(asks)
	se := webrtc.SettingEngine{}
	se.SetIncludeLoopbackCandidate(true)
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	se.DisableSRTPReplayProtection(true)
	if loss > 0 {
		conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		se.SetICEUDPMux(webrtc.NewICEUDPMux(nil, &badLink{PacketConn: conn, loss: loss, dice: rand.New(rand.NewPCG(1, 2))}))
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(se)).NewPeerConnection(webrtc.Configuration{})
}

// badLink loses RTP on its way in.
type badLink struct {
	net.PacketConn
	loss float64
	dice *rand.Rand // only the mux reads
}

func (b *badLink) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := b.PacketConn.ReadFrom(p)
		if err != nil || n < 12 || p[0] < 128 || p[0] > 191 || p[1] >= 192 && p[1] <= 223 || b.dice.Float64() >= b.loss {
			return n, from, err
		}
	}
}

func recvOffer(t testing.TB, pc *webrtc.PeerConnection) string {
	t.Helper()
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
		if _, err := pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			t.Fatal(err)
		}
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	<-gathered
	return pc.LocalDescription().SDP
}

// The recording is the same with nobody, five and twenty people watching, one of
// whom has a link that loses a fifth of everything.
func TestObserversNeverTouchTheRecording(t *testing.T) {
	t.Parallel()
	recordings := map[int]string{}
	for _, n := range []int{0, 5, 20} {
		t.Run(fmt.Sprint(n, " observers"), func(t *testing.T) {
			w := newWorld(t)
			cam := w.camera(evidence.SourceCloseUp)
			w.start()
			var watchers []*watcher
			play := publish.Options{Duration: 5 * time.Second}
			play.Connected = func() {
				for i := range n {
					loss := 0.0
					if i == n-1 {
						loss = 0.2
					}
					watchers = append(watchers, w.observe(cam.source.ID, loss, &mayWatch{}))
				}
			}
			result, err := cam.play(t.Context(), play)
			if err != nil {
				t.Fatal(err)
			}
			if st, err := w.rec.Status(t.Context(), w.iv.ID); err != nil || len(st.Observers) != n {
				t.Errorf("%d observers are shown, %v", len(st.Observers), err)
			}
			status := w.stop()
			if len(status.Observers) != 0 {
				t.Error("somebody watches a sealed recording")
			}
			files := w.recorded()
			whole := sha256.New()
			for _, kind := range []evidence.TrackKind{evidence.Video, evidence.Audio} {
				all := w.of(files, cam, kind)
				if len(all) != 1 {
					t.Fatalf("%s: %d files", kind, len(all))
				}
				same(t, kind, all[0].frames, cam.sent[kind])
				for _, f := range all[0].frames {
					fmt.Fprintf(whole, "%s %d %v %x\n", kind, f.time-all[0].frames[0].time, f.key, sha256.Sum256(f.data))
				}
			}
			recordings[n] = fmt.Sprintf("%x", whole.Sum(nil))
			if recordings[n] != recordings[0] {
				t.Error("the recording is another one than without observers")
			}
			for _, ts := range status.Tracks {
				if ts.Packets.Recovered != 0 || ts.Packets.Lost != 0 || ts.Frames.Damaged != 0 {
					t.Errorf("the publisher was asked for something: %+v", ts)
				}
			}
			for i, o := range watchers {
				<-o.ended
				video, audio, bad := o.video.Load(), o.audio.Load(), i == n-1
				if !bad && (video != int64(result.VideoPackets) || audio != int64(result.AudioPackets)) || bad && video < int64(result.VideoPackets)*9/10 { // without asking again it were 80 %
					t.Errorf("observer %d of %d (bad link: %v) got %d of %d packets of the picture, %d of %d of the sound", i+1, n, bad, video, result.VideoPackets, audio, result.AudioPackets)
				}
			}
			w.observedInLog(n)
		})
	}
}

// observedInLog checks that everyone who watched stands in log and manifest, in and out.
func (w *world) observedInLog(n int) {
	w.t.Helper()
	actions := w.store.actions()
	in, out := count(actions, actionObserveJoin), count(actions, actionObserveLeave)
	if in != n || out != n {
		w.t.Errorf("the log has %d joining and %d leaving, not %d", in, out, n)
	}
	in, out = 0, 0
	for _, e := range w.manifest().Events {
		switch e.Kind {
		case evidence.EventObserverJoined:
			in++
			if e.Actor == "" || e.Value != string(evidence.RoleObserver) {
				w.t.Errorf("%+v", e)
			}
		case evidence.EventObserverLeft:
			out++
		}
	}
	if in != n || out != n {
		w.t.Errorf("the manifest has %d joining and %d leaving, not %d", in, out, n)
	}
}

func count(list []string, what string) (n int) {
	for _, s := range list {
		if s == what {
			n++
		}
	}
	return n
}

// What may not be seen any more is not sent any more; what cannot be decided neither.
func TestObservationEndsWithThePermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	w.start()
	off := cam.onAir(publish.Options{})
	defer off()
	w.until("it records", whole(10, 2))
	first, second := &mayWatch{}, &mayWatch{}
	a, b := w.observe(cam.source.ID, 0, first), w.observe(cam.source.ID, 0, second)
	w.eventually("both see something", func() bool { return a.video.Load() > 20 && b.video.Load() > 20 })

	first.set(fmt.Errorf("%w: the database does not answer", evidence.ErrUnavailable))
	w.store.emit(custody.Event{Kind: "case.stage"})
	w.until("one is withheld", func(st Status) bool {
		return slices.ContainsFunc(st.Observers, func(p Presence) bool { return p.Withheld })
	})
	seen, goes := a.video.Load(), b.video.Load()
	w.eventually("the other goes on", func() bool { return b.video.Load() > goes+60 })
	if now := a.video.Load(); now > seen+5 { // what was on its way
		t.Errorf("%d packets were sent while it could not be decided", now-seen)
	}
	first.set(nil)
	w.store.emit(custody.Event{Kind: "case.stage"})
	w.eventually("it goes on once it can be decided", func() bool { return a.video.Load() > seen+20 })

	first.set(evidence.Refuse(evidence.ErrRefused, "watch.no_consent", "Withdrawn.", "P37"))
	w.store.emit(custody.Event{Kind: "interview.observe_ended", Interview: w.iv.ID})
	select {
	case <-a.ended:
	case <-time.After(20 * time.Second):
		t.Fatal("watching goes on without consent")
	}
	w.until("one is left", func(st Status) bool { return len(st.Observers) == 1 && st.Observers[0].Account == b.account })
	if _, err := w.rec.OpenView(t.Context(), cam.source.ID, a.token, recvOffer(t, must(receiver(0)))); !errors.Is(err, evidence.ErrRefused) {
		t.Errorf("coming back without consent: %v", err)
	}

	if _, err := w.rec.Pause(t.Context(), w.actor, w.iv.ID, "a break"); err != nil {
		t.Fatal(err)
	}
	seen = b.video.Load()
	cam.mu.Lock()
	sent := len(cam.sent[evidence.Video])
	cam.mu.Unlock()
	w.eventually("the camera goes on in the break", func() bool {
		cam.mu.Lock()
		defer cam.mu.Unlock()
		return len(cam.sent[evidence.Video]) > sent+30
	})
	if now := b.video.Load(); now > seen+60 { // a picture that was on its way
		t.Errorf("%d packets were shown in the break", now-seen)
	}
	if _, err := w.rec.Resume(t.Context(), w.actor, w.iv.ID); err != nil {
		t.Fatal(err)
	}
	seen = b.video.Load()
	w.eventually("it goes on after the break", func() bool { return b.video.Load() > seen+60 })
	if err := w.rec.CloseView(t.Context(), cam.source.ID, b.token, b.session.ID); err != nil {
		t.Fatal(err)
	}
	w.until("nobody is left", func(st Status) bool { return len(st.Observers) == 0 })
	w.stop()
	w.observedInLog(2)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// eventually waits for something that tells nobody.
func (w *world) eventually(what string, holds func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			w.t.Fatalf("not in 20 s: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// An observer who is there before the start stands in the recording from its start.
func TestObserverBeforeTheStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	off := cam.onAir(publish.Options{})
	defer off()
	w.until("frames are measured while ready", whole(20, 2))
	o := w.observe(cam.source.ID, 0, &mayWatch{})
	w.until("it is shown", func(st Status) bool { return len(st.Observers) == 1 })
	if n := o.video.Load() + o.audio.Load(); n != 0 {
		t.Errorf("%d packets were shown before the recording began", n)
	}
	w.start()
	w.eventually("it sees the recording", func() bool { return o.video.Load() > 60 && o.marks.Load() > 5 && o.audio.Load() > 20 })
	w.stop()
	w.observedInLog(1)
	if e := w.manifest().Events[1]; e.Kind != evidence.EventObserverJoined || e.At > 1000 {
		t.Errorf("%+v", e)
	}
}

func TestWhatIsRefusedToAnObserver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	w.start()
	off := cam.onAir(publish.Options{})
	defer off()
	w.until("it records", whole(10, 2))
	_, token := w.admit(&mayWatch{})
	offer := recvOffer(t, must(receiver(0)))
	no := &mayWatch{}
	no.set(evidence.Refuse(evidence.ErrRefused, "watch.no_consent", "No.", "P37"))
	_, refused := w.admit(no)
	for _, c := range []struct {
		name, token, offer string
		source             evidence.ID
		want               error
	}{
		{"no token", "", offer, cam.source.ID, evidence.ErrUnauthenticated},
		{"a source's token", cam.token, offer, cam.source.ID, evidence.ErrUnauthenticated},
		{"without permission", refused, offer, cam.source.ID, evidence.ErrRefused},
		{"another source", token, offer, evidence.NewID(), evidence.ErrNotFound},
		{"no SDP", token, "hello", cam.source.ID, ErrMalformed},
		{"sending", token, strings.ReplaceAll(offer, "a=recvonly", "a=sendonly"), cam.source.ID, ErrNotAcceptable},
		{"nothing that is sent", token, onlyVP8(offer), cam.source.ID, ErrNotAcceptable},
	} {
		if _, err := w.rec.OpenView(t.Context(), c.source, c.token, c.offer); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	w.store.setDown(true)
	if _, err := w.rec.OpenView(t.Context(), cam.source.ID, token, offer); !errors.Is(err, evidence.ErrUnavailable) {
		t.Errorf("joining without a log: %v", err)
	}
	w.store.setDown(false)
	if st, err := w.rec.Status(t.Context(), w.iv.ID); err != nil || len(st.Observers) != 0 {
		t.Errorf("%+v %v", st.Observers, err)
	}
	if n := len(w.rec.observe.present); n != 0 {
		t.Errorf("%d presences are left", n)
	}
}

// onlyVP8 leaves of an offer its picture alone, in a codec that nothing sends.
func onlyVP8(offer string) string {
	offer = onlyCodec(offer, "VP8")
	if i := strings.Index(offer, "m=audio"); i >= 0 {
		offer = offer[:i]
	}
	return strings.ReplaceAll(offer, "a=group:BUNDLE 0 1", "a=group:BUNDLE 0")
}

// A source that reconnects goes on for its observers, under the same numbers.
func TestObserversSeeASourceComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	w.start()
	off := cam.onAir(publish.Options{})
	w.until("it records", whole(10, 2))
	o := w.observe(cam.source.ID, 0, &mayWatch{})
	w.eventually("it is seen", func() bool { return o.video.Load() > 30 })
	off()
	before := o.marks.Load()
	off = cam.onAir(publish.Options{})
	w.eventually("it is seen again", func() bool { return o.marks.Load() > before+30 })
	off()
	w.stop()
	<-o.ended
	if o.jumps > 0 {
		t.Errorf("%d numbers were left out: the observer waits for them", o.jumps)
	}
}
