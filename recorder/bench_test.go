package recorder

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/media"
	"github.com/toldonce/toldonce/recorder/publish"
)

// The figures compare the recorder with a bare receiver in one run: the same
// streams, sent by another process so that only receiving is measured.
const (
	loadSettle  = 2 * time.Second
	loadMeasure = 8 * time.Second
	loadEnv     = "TOLDONCE_TEST_LOAD"
)

// load is what the sending process is to do.
type load struct {
	Clip  string
	URLs  []string
	Token []string
	Loss  float64
}

func TestMain(m *testing.M) {
	if text := os.Getenv(loadEnv); text != "" {
		send(text)
		return
	}
	os.Exit(m.Run())
}

// send is the sending process: it ends when its standard input does.
func send(text string) {
	var l load
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		panic(err)
	}
	data, err := os.ReadFile(l.Clip)
	if err != nil {
		panic(err)
	}
	clip, err := publish.Load(data)
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var up atomic.Int64
	for i := range l.URLs {
		all.Go(func() {
			time.Sleep(time.Duration(i) * 30 * time.Millisecond) // cameras are not in step
			_, err := publish.Run(ctx, publish.Options{
				Signal: publish.WHIP(nil, l.URLs[i], l.Token[i]), Clip: clip, Duration: 24 * time.Hour,
				Impairment: publish.Impairment{Loss: l.Loss, Seed: uint64(i)},
				Connected: func() {
					if up.Add(1) == int64(len(l.URLs)) {
						fmt.Println("up")
					}
				},
			})
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		})
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	cancel()
	all.Wait()
}

// loadClip is 720p at 30 frames and 1.5 Mb a second with sound, 8 s.
func loadClip(b *testing.B) string {
	b.Helper()
	name := filepath.Join(b.TempDir(), "load.mp4")
	out, err := exec.Command("ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=1280x720:r=30:d=8", "-f", "lavfi", "-i", "anoisesrc=color=pink:amplitude=0.05:r=48000:d=8",
		"-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "60", "-sc_threshold", "0", "-bf", "0",
		"-b:v", "1500k", "-minrate", "1500k", "-maxrate", "1500k", "-bufsize", "1500k", "-nal-hrd", "cbr", "-bsf:v", "filter_units=remove_types=6|12",
		"-c:a", "libopus", "-b:a", "64k", "-ac", "2", "-t", "8", name).CombinedOutput()
	if err != nil {
		b.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	return name
}

// whipServer answers offers as package web does.
func whipServer(b *testing.B, open func(source int, offer string) (answer string, end func(), err error)) *httptest.Server {
	var mu sync.Mutex
	ends := map[string]func(){}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			mu.Lock()
			end := ends[r.URL.Path]
			mu.Unlock()
			if end != nil {
				end()
			}
			return
		}
		var n int
		fmt.Sscanf(r.URL.Path, "/%d", &n)
		offer, _ := io.ReadAll(r.Body)
		answer, end, err := open(n, string(offer))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		location := fmt.Sprintf("/session/%d", n)
		mu.Lock()
		ends[location] = end
		mu.Unlock()
		w.Header().Set("Location", location)
		w.Header().Set("Content-Type", "application/sdp")
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, answer)
	}))
	b.Cleanup(s.Close)
	return s
}

// cost is what a receiving process needed.
type cost struct {
	cores      float64
	heap       int64 // bytes in use after a collection
	goroutines int
}

// under sends n streams to server and measures this process.
func under(b *testing.B, server *httptest.Server, clip string, tokens []string, n int) cost {
	b.Helper()
	defer sendTo(b, server, clip, tokens, n)()
	time.Sleep(loadSettle)
	before, begin := cpu(b), time.Now()
	time.Sleep(loadMeasure)
	used, took := cpu(b)-before, time.Since(begin)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return cost{cores: used.Seconds() / took.Seconds() / float64(n), heap: int64(m.HeapInuse + m.StackInuse), goroutines: runtime.NumGoroutine()}
}

// sendTo has another process send n streams to server, and returns once all are
// connected. end ends it.
func sendTo(b *testing.B, server *httptest.Server, clip string, tokens []string, n int) (end func()) {
	b.Helper()
	l := load{Clip: clip, Loss: loadLoss}
	for i := range n {
		l.URLs = append(l.URLs, fmt.Sprintf("%s/%d", server.URL, i))
		token := "x"
		if tokens != nil {
			token = tokens[i]
		}
		l.Token = append(l.Token, token)
	}
	text, err := json.Marshal(l)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), loadEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	end = func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	}
	buf := make([]byte, 2)
	if _, err := io.ReadFull(out, buf); err != nil || string(buf) != "up" {
		end()
		b.Fatalf("the sender did not connect: %v", err)
	}
	return end
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// bare is a receiver that writes nothing: pion as it comes, over one socket.
func bare(b *testing.B, clip string, n int) cost {
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	defer udp.Close()
	se := webrtc.SettingEngine{}
	se.SetICEUDPMux(webrtc.NewICEUDPMux(nil, udp))
	se.SetIncludeLoopbackCandidate(true)
	api := webrtc.NewAPI(webrtc.WithSettingEngine(se))
	server := whipServer(b, func(_ int, offer string) (string, func(), error) {
		pc, err := api.NewPeerConnection(webrtc.Configuration{})
		if err != nil {
			return "", nil, err
		}
		pc.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
			go func() {
				for {
					if _, _, err := r.ReadRTCP(); err != nil {
						return
					}
				}
			}()
			buf := make([]byte, 1500)
			for {
				if _, _, err := t.Read(buf); err != nil {
					return
				}
			}
		})
		if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
			return "", nil, err
		}
		answer, err := pc.CreateAnswer(nil)
		if err != nil {
			return "", nil, err
		}
		gathered := webrtc.GatheringCompletePromise(pc)
		if err := pc.SetLocalDescription(answer); err != nil {
			return "", nil, err
		}
		<-gathered
		return pc.LocalDescription().SDP, func() { pc.Close() }, nil
	})
	return under(b, server, clip, nil, n)
}

// nowhere is an object store that costs nothing: what is measured is the recorder.
type nowhere struct{}

func (nowhere) Put(context.Context, string, []byte, evidence.Digest, time.Time) (string, error) {
	return "", nil
}

// loadLoss is the share of packets that the load generator loses.
const loadLoss = 0.01

// studioOf starts a recording to which n streams can be sent.
func studioOf(b *testing.B, w *world, n int) (server *httptest.Server, tokens []string) {
	var cams []*camera
	for range n {
		cam := w.camera(evidence.SourceRoom)
		cams, tokens = append(cams, cam), append(tokens, cam.token)
	}
	w.start()
	return whipServer(b, func(n int, offer string) (string, func(), error) {
		s, err := w.rec.Publish(context.Background(), cams[n].source.ID, cams[n].token, offer)
		return s.Answer, func() { _ = w.rec.Unpublish(context.Background(), cams[n].source.ID, cams[n].token, s.ID) }, err
	}), tokens
}

// recordingOf records n streams in one interview and measures what it needs.
func recordingOf(b *testing.B, clip string, n int) (full cost, st Status, m Metrics) {
	b.Helper()
	w := newWorld(b)
	w.nowhere = true
	w.close()
	w.open()
	server, tokens := studioOf(b, w, n)
	full = under(b, server, clip, tokens, n)
	m = w.rec.Metrics()
	st = w.stop()
	return full, st, m
}

// BenchmarkFigureRecordedStreams prints what recording needs at 1, 5 and 20 streams of
// 720p (H.264 at 1.5 Mb/s with Opus) with loss: encrypting, hashing, accounting and
// syncing included, and the ratio to a receiver that writes nothing in the same run.
func BenchmarkFigureRecordedStreams(b *testing.B) {
	clip := loadClip(b)
	var one cost
	for _, n := range []int{1, 5, 20} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				plain := bare(b, clip, n)
				full, st, m := recordingOf(b, clip, n)
				if n == 1 {
					one = full
				}
				var whole, bad int64
				for _, t := range st.Tracks {
					whole += t.Frames.Whole
					bad += t.Frames.Damaged + t.Frames.Missing + t.Frames.Uncertain
				}
				b.ReportMetric(full.cores*float64(n), "cores")
				b.ReportMetric(full.cores, "cores/stream")
				b.ReportMetric(plain.cores, "cores/bare-stream")
				b.ReportMetric(full.cores/plain.cores, "x-bare")
				b.ReportMetric(float64(full.heap)/(1<<20), "MiB")
				b.ReportMetric(float64(plain.heap)/(1<<20), "MiB-bare")
				if n > 1 {
					b.ReportMetric(float64(full.heap-one.heap)/float64(n-1)/(1<<20), "MiB/added-stream")
				}
				b.ReportMetric(float64(full.goroutines), "goroutines")
				b.ReportMetric(float64(whole), "frames-intact")
				b.ReportMetric(float64(bad), "frames-lost")
				b.ReportMetric(float64(m.JournalSyncP99.Microseconds())/1000, "ms-sync-p99")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// stopAfter records a simulated length with two cameras on a real database and
// returns how long the stop takes.
func stopAfter(b *testing.B, length time.Duration) time.Duration {
	w := newRealWorld(b)
	cams := []*camera{w.camera(evidence.SourceCloseUp), w.camera(evidence.SourceWide)}
	w.start()
	s := w.rec.active(w.iv.ID)
	var tracks []*track
	for _, cam := range cams {
		src := s.source(cam.source)
		src.do(func() {
			for _, kind := range []evidence.TrackKind{evidence.Video, evidence.Audio} {
				t := newTrack(src, kind)
				t.ev.Codec, t.ev.Timescale, t.part = "avc1.42C01F", 90000, 1
				if kind == evidence.Audio {
					t.ev.Codec, t.ev.Timescale = "Opus", 48000
				}
				s.declare(t)
				tracks = append(tracks, t)
			}
		})
	}
	config := media.StoredConfig("avc1.42C01F", 90000, 1280, 720, make([]byte, 700))
	for _, t := range tracks {
		s.seal(sealJob{track: t, part: 1, segment: media.Segment{Config: config, Data: make([]byte, 700)}})
	}
	const every = 2 * time.Second
	body := make([]byte, 4096) // uploads happen while recording; a stop waits for the last alone
	for i := range int(length / every) {
		start := evidence.OffsetOf(time.Duration(i) * every)
		for _, t := range tracks {
			n := t.ev.Timescale * 2
			s.seal(sealJob{track: t, part: 1, start: start, end: start + 2_000_000, segment: media.Segment{
				Index: i, Time: media.Epoch + int64(i)*n, Duration: n, Frames: 60, Independent: true, Data: body,
			}})
			s.partReaches(1, start+2_000_000)
		}
	}
	s.keeper.idle()
	// In three real hours a checkpoint had been made ten seconds before.
	a := s.keeper.attester
	if err := a.attest(b.Context(), s.keeper.snapshot, s.journal.WaitObject); err != nil {
		b.Fatal(err)
	}
	if err := s.journal.Drain(b.Context()); err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	w.stop()
	took := time.Since(begin)
	sealed, err := w.real.Sealed(b.Context(), w.iv.Recording)
	if err != nil || !strings.Contains(string(sealed.Manifest), fmt.Sprintf(`"size":%d`, 4+4*int(length/every))) {
		b.Fatalf("not sealed as it should: %v", err)
	}
	return took
}

// BenchmarkFigureStopToSealed prints the time from stop to sealed for one minute
// and for a simulated three hours with two cameras: the medians of five each, in
// turn, because both are a few synced writes.
func BenchmarkFigureStopToSealed(b *testing.B) {
	for range b.N {
		var shorts, longs []time.Duration
		for range 5 {
			shorts, longs = append(shorts, stopAfter(b, time.Minute)), append(longs, stopAfter(b, 3*time.Hour))
		}
		slices.Sort(shorts)
		slices.Sort(longs)
		short, long := shorts[2], longs[2]
		b.ReportMetric(short.Seconds(), "s-to-seal-1min")
		b.ReportMetric(long.Seconds(), "s-to-seal-3h")
		b.ReportMetric(long.Seconds()/short.Seconds(), "x-1min")
		b.ReportMetric(0, "ns/op")
	}
}
