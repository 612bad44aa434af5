package web

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/disclosure/verify"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/internal/testenv"
	"github.com/toldonce/toldonce/recorder"
	"github.com/toldonce/toldonce/recorder/publish"
	"github.com/toldonce/toldonce/storage/db"
)

// facts tells the recorder what a manifest repeats of the case file.
type facts struct{ db *db.Store }

func (f facts) RecordingFacts(ctx context.Context, interview evidence.ID) (recorder.RecordingFacts, error) {
	iv, err := f.db.Interview(ctx, interview)
	if err != nil {
		return recorder.RecordingFacts{}, err
	}
	c, err := f.db.Case(ctx, iv.Case)
	return recorder.RecordingFacts{CaseReference: c.Commitment(), TimeZone: "Europe/Belgrade"}, err
}

// The whole thread through the edge: a camera publishes over WHIP, the interview
// is recorded and sealed, a grant is asked for and approved, a stock player plays
// exactly what it gives, the recording is verified, and a package leaves.
func TestThread(t *testing.T) {
	t.Run("H.264", func(t *testing.T) {
		t.Parallel()
		thread(t, publish.Demonstration(), "h264")
	})
	for codec, encoder := range map[string][]string{
		"vp9": {"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-lag-in-frames", "0"},
		"av1": {"-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-lag-in-frames", "0"},
	} {
		t.Run(codec, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "clip.mp4")
			args := append([]string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=4", "-f", "lavfi", "-i", "anoisesrc=color=pink:amplitude=0.05:r=48000", "-shortest",
				"-pix_fmt", "yuv420p", "-g", "60", "-video_track_timescale", "90000", "-c:a", "libopus", "-ac", "2"}, encoder...)
			if out, err := exec.Command(testenv.Tool(t, "ffmpeg"), append(args, file)...).CombinedOutput(); err != nil {
				t.Fatalf("ffmpeg: %v: %s", err, out)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			clip, err := publish.Load(data)
			if err != nil {
				t.Fatal(err)
			}
			thread(t, clip, codec)
		})
	}
}

// thread does it with a picture of one codec, by ffprobe's name of it.
func thread(t *testing.T, clip *publish.Clip, codec string) {
	ffprobe := testenv.Tool(t, "ffprobe")
	h, r := newRealHarness(t)
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	h.Must(err)
	rec, err := recorder.New(t.Context(), recorder.Config{
		Store: r.db, Objects: r.objects, Keys: r.keys, Seal: r.seal, Gate: h.Consent, Facts: facts{r.db}, Clock: time.Now,
		SpoolDir: filepath.Join(r.dir, "spool"), UDP: udp, PublicIPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Software: "test",
	})
	h.Must(err)
	t.Cleanup(func() { h.Must(rec.Close()) })
	server := httptest.NewUnstartedServer(nil)
	h.cfg.Recording, h.cfg.BaseURL = rec, "http://"+server.Listener.Addr().String()
	h.build(h.cfg)
	server.Config.Handler = h.server
	server.Start()
	defer server.Close()

	h.OpenCase()
	iv := h.Plan(h.PlanFor(h.Victim.ID))
	path := "/interviews/" + string(iv.ID)
	// P40: no recording before consent.
	refused := want[Problem](h, h.as(evidence.RoleInterviewer, "POST", path+"/start", nil), 403)
	if len(refused.Reasons) == 0 || !slices.ContainsFunc(refused.Reasons, func(x Reason) bool { return x.Code == "consent.record.missing" && x.Practice == "P40" }) {
		t.Errorf("without consent: %+v", refused)
	}
	detail := want[InterviewDetail](h, h.as(evidence.RoleInterviewer, "GET", path, nil), 200)
	if detail.Ready || len(detail.Missing) == 0 {
		t.Errorf("ready without consent: %+v", detail)
	}
	source := want[NewSource](h, h.as(evidence.RoleInterviewer, "POST", path+"/sources", map[string]string{"role": "close-up"}), 201)
	h.Consents(h.WrittenConsent(h.Victim.ID, consent.ToRecord))

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	connected, published := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := publish.Run(ctx, publish.Options{Clip: clip, Signal: publish.WHIP(http.DefaultClient, source.WHIP, source.Token), Duration: time.Minute, Connected: func() { close(connected) }})
		published <- err
	}()
	select {
	case <-connected:
	case err := <-published:
		t.Fatalf("publishing: %v", err)
	}
	status := want[Status](h, h.as(evidence.RoleInterviewer, "POST", path+"/start", nil), 200)
	if status.State != evidence.StateRecording || status.Sealed {
		t.Errorf("started: %+v", status)
	}
	h.await(rec, iv.ID, func(s recorder.Status) bool { return s.Elapsed > 9_000_000 })
	status = want[Status](h, h.as(evidence.RoleInterviewer, "POST", path+"/stop", nil), 200)
	if status.State != evidence.StateSealed || !status.Sealed || len(status.Tracks) != 2 {
		t.Fatalf("stopped: %+v", status)
	}
	cancel()
	<-published // the recorder ended the session, or we did
	for _, track := range status.Tracks {
		if track.Frames.Whole == 0 || track.Packets.Received == 0 || track.Source != "close-up" {
			t.Errorf("track %+v", track)
		}
	}

	verified := want[Verification](h, h.as(evidence.RoleAdvocate, "GET", path+"/verification", nil), 200)
	if found, err := r.db.Entries(t.Context(), custody.Filter{Interview: iv.ID, Action: entryVerify, Limit: 10}); err != nil || len(found) != 1 {
		t.Errorf("%d entries of the verification, %v", len(found), err)
	}
	if verified.Verdict != "holds" || verified.Segments == 0 || verified.Log == nil {
		t.Errorf("verification: %s, %d segments, log %v", verified.Verdict, verified.Segments, verified.Log)
	}
	for _, c := range verified.Checks {
		if c.Result != "holds" {
			t.Errorf("%s %s: %s", c.Code, c.Result, c.Text)
		}
	}

	g := want[Grant](h, h.as(evidence.RoleProsecutor, "POST", path+"/grants", map[string]any{"source": "close-up", "to": "prosecutor", "from": 1_000_000, "until": 8_000_000,
		"not_after": time.Now().Add(time.Hour), "purpose": "Charging review.", "basis": "CPC art. 212", "rests_on": "law"}), 201)
	want[Grant](h, h.as(evidence.RoleCustodian, "POST", "/grants/"+string(g.ID)+"/approve", nil), 200)
	h.playsExactly(ffprobe, server.URL, iv.ID, g, codec)

	e := want[Export](h, h.as(evidence.RoleProsecutor, "POST", path+"/exports", map[string]any{"clear": true, "reason": "The court asked."}), 201)
	if e.State != "proposed" {
		t.Errorf("export %+v", e)
	}
	if w := h.as(evidence.RoleProsecutor, "GET", "/exports/"+string(e.ID)+"/package", nil); w.Code != 409 {
		t.Errorf("not approved: %s", describe(w))
	}
	e = want[Export](h, h.as(evidence.RoleCustodian, "POST", "/exports/"+string(e.ID)+"/approve", nil), 200)
	if e.State != "approved" {
		t.Errorf("approved: %+v", e)
	}
	w := h.as(evidence.RoleProsecutor, "GET", "/exports/"+string(e.ID)+"/package", nil)
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/x-tar" || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment; filename=") {
		t.Fatalf("package: %d %v", w.Code, w.Header())
	}
	pack := filepath.Join(t.TempDir(), "package.tar")
	h.Must(os.WriteFile(pack, w.Body.Bytes(), 0o600))
	judged, err := verify.Package(t.Context(), pack, r.seal.Trust())
	h.Must(err)
	if judged.Verdict != verify.Verified {
		t.Errorf("the package is %s: %+v", judged.Verdict, judged.Findings)
	}
	for _, check := range []string{"media.segments", "media.times", "media.ledger"} {
		if judged.Findings.Of(check) != seal.Holds {
			t.Errorf("%s: %s", check, judged.Findings.Of(check))
		}
	}
	if files := untar(t, w.Body); !slices.ContainsFunc(files, func(f string) bool { return strings.HasSuffix(f, "/bagit.txt") }) ||
		!slices.ContainsFunc(files, func(f string) bool { return strings.Contains(f, "/data/media/") }) {
		t.Errorf("files %v", files)
	}
	if w := h.as(evidence.RoleProsecutor, "GET", "/exports/"+string(e.ID)+"/package", nil); w.Code != 409 {
		t.Errorf("a second copy: %s", describe(w))
	}

	h.changedObjectsShow(r, path)
}

// await waits until a recording's status is as asked.
func (h *harness) await(rec *recorder.Recorder, interview evidence.ID, done func(recorder.Status) bool) {
	h.Helper()
	changed, cancel := rec.Watch(interview)
	defer cancel()
	limit := time.After(time.Minute)
	for {
		s, err := rec.Status(h.Context(), interview)
		h.Must(err)
		if done(s) {
			return
		}
		select {
		case <-changed:
		case <-limit:
			h.Fatalf("still %+v", s)
		}
	}
}

// playsExactly plays a grant as the prosecutor with ffprobe, and compares what it
// got with what the grant gives.
func (h *harness) playsExactly(ffprobe, url string, interview evidence.ID, g Grant, codec string) {
	h.Helper()
	base := "/interviews/" + string(interview) + "/hls/"
	frames := map[evidence.TrackKind]int{}
	for _, b := range g.Tracks {
		index := h.as(evidence.RoleProsecutor, "GET", base+string(b.Track)+"/index.m3u8", nil).Body.String()
		listed := regexp.MustCompile(`(?m)^(\d+)\.m4s$`).FindAllStringSubmatch(index, -1)
		if len(listed) != b.LastIndex-b.FirstIndex+1 || listed[0][1] != strconv.Itoa(b.FirstIndex) {
			h.Errorf("%s: %v of %+v", b.Kind, listed, b)
		}
		for n := b.FirstIndex; n <= b.LastIndex; n++ {
			w := h.as(evidence.RoleProsecutor, "GET", fmt.Sprintf("%s%s/%d.m4s", base, b.Track, n), nil)
			if w.Code != 200 {
				h.Fatalf("segment %d: %s", n, describe(w))
			}
			frames[b.Kind] += int(decoded(h.T, w.Body.Bytes()).Moof.Traf.Trun.SampleCount())
		}
		for _, n := range []int{b.FirstIndex - 1, b.LastIndex + 1} {
			if w := h.as(evidence.RoleProsecutor, "GET", fmt.Sprintf("%s%s/%d.m4s", base, b.Track, n), nil); n >= 0 && w.Code != 403 {
				h.Errorf("segment %d outside: %s", n, describe(w))
			}
		}
	}
	cmd := exec.Command(ffprobe, "-v", "warning", "-headers", "Authorization: Bearer "+h.token(evidence.RoleProsecutor)+"\r\n", "-count_packets",
		"-show_entries", "stream=codec_name,nb_read_packets:packet=codec_type,pts_time,stream_index", "-of", "json", url+apiPrefix+base+"main.m3u8")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		h.Fatalf("ffprobe: %v\n%s", err, stderr.String())
	}
	got := parseProbe(h.T, out)
	if got[codec].packets != frames[evidence.Video] || got["opus"].packets != frames[evidence.Audio] || frames[evidence.Video] == 0 || frames[evidence.Audio] == 0 {
		h.Errorf("played %v, the grant gives %v", got, frames)
	}
	if apart := got[codec].first - got["opus"].first; apart < -0.1 || apart > 0.1 {
		h.Errorf("picture begins %.3f s after sound", apart)
	}
	playback := want[Playback](h, h.as(evidence.RoleProsecutor, "GET", "/interviews/"+string(interview)+"/playback", nil), 200)
	if len(playback.Sources) != 1 || len(playback.Sources[0].Tracks) != 2 || len(playback.Sources[0].Timeline) != 1 || len(playback.Parts) != 1 || !slices.Contains(playback.Grants, g.ID) {
		h.Errorf("playback %+v", playback)
	}
}

// changedObjectsShow changes one stored byte, which the verification must find.
func (h *harness) changedObjectsShow(r *real, path string) {
	h.Helper()
	var name string
	h.Must(filepath.WalkDir(filepath.Join(r.dir, "objects"), func(file string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(file, ".age") {
			name = file
		}
		return err
	}))
	data, err := os.ReadFile(name)
	h.Must(err)
	data[len(data)-1] ^= 1
	h.Must(os.Chmod(name, 0o600))
	h.Must(os.WriteFile(name, data, 0o600))
	verified := want[Verification](h, h.as(evidence.RoleAdvocate, "GET", path+"/verification", nil), 200)
	if verified.Verdict != "fails" || !slices.ContainsFunc(verified.Checks, func(c Check) bool { return c.Code == "storage.objects" && c.Result == "fails" }) {
		h.Errorf("a changed byte: %+v", verified)
	}
}

func untar(t *testing.T, r io.Reader) (names []string) {
	t.Helper()
	files := tar.NewReader(r)
	for {
		f, err := files.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, f.Name)
	}
}
