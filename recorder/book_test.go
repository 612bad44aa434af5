package recorder

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/internal/testenv"
	"github.com/toldonce/toldonce/recorder/publish"
)

// ledgers are the pages of each track's ledger, put together.
type ledgers map[evidence.ID]*ledgerBook

type ledgerBook struct {
	pages int
	sum   evidence.LedgerSum
	lines [][]byte
}

func (l ledgers) add(t testing.TB, leaf evidence.Leaf, page []byte) {
	t.Helper()
	head, sum, lines, err := evidence.ParseLedgerPage(page)
	if err != nil {
		t.Fatalf("page %d of a ledger: %v", leaf.Index, err)
	}
	b := l[leaf.Track]
	if b == nil {
		b = &ledgerBook{}
		l[leaf.Track] = b
	}
	b.pages++
	if head.Track != leaf.Track || head.Recording != leaf.Recording || head.Page != leaf.Index || leaf.Index != b.pages || lines != leaf.Frames {
		t.Errorf("page %d of a ledger: leaf %+v, page %+v of %d lines", b.pages, leaf, head, lines)
	}
	b.sum = b.sum.Plus(sum)
	b.lines = append(b.lines, bytes.Split(bytes.TrimSuffix(page, []byte{'\n'}), []byte{'\n'})[1:]...)
}

// balance fails the test unless the ledgers add up to the manifest's counts.
func (l ledgers) balance(t testing.TB, manifest []byte) {
	t.Helper()
	if manifest == nil {
		return
	}
	m, err := seal.ParseManifest(manifest)
	if err != nil {
		t.Fatal(err)
	}
	for _, mt := range m.Tracks {
		b, p := l[mt.ID], mt.Packets
		if b == nil {
			b = &ledgerBook{}
		}
		want := evidence.LedgerSum{Received: p.Received, Recovered: p.Recovered, Reordered: p.Reordered, Lost: p.Lost, Padding: p.Padding, Damaged: mt.Frames.Damaged, Reports: b.sum.Reports}
		if b.pages != mt.Ledgers || b.sum != want {
			t.Errorf("%s: %d pages of the ledger add up to %+v; the manifest has %d and counts %+v", mt.Kind, b.pages, b.sum, mt.Ledgers, want)
		}
	}
}

// of returns the lines of a kind.
func (b *ledgerBook) of(t testing.TB, kind string, v func() any) {
	t.Helper()
	for _, line := range b.lines {
		var k struct {
			Kind string `json:"kind"`
		}
		if err := json.Unmarshal(line, &k); err != nil {
			t.Fatal(err)
		}
		if k.Kind == kind {
			if err := json.Unmarshal(line, v()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Encoders as cameras have them: no frame refers to a later one.
var (
	h264Like = []string{"-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast", "-sc_threshold", "0", "-bf", "0"}
	vp9Like  = []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-lag-in-frames", "0"}
	av1Like  = []string{"-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-lag-in-frames", "0"}
)

// clipOf makes a film of a lavfi picture with sound, as cameras encode it.
func clipOf(t testing.TB, picture string, encoder []string, options ...string) *publish.Clip {
	t.Helper()
	file := filepath.Join(t.TempDir(), "clip.mp4")
	args := append([]string{"-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "anoisesrc=color=pink:amplitude=0.05:r=48000", "-shortest", "-pix_fmt", "yuv420p"}, append(encoder, options...)...)
	out, err := exec.Command(testenv.Tool(t, "ffmpeg"), append(args, "-video_track_timescale", "90000", "-c:a", "libopus", "-ac", "2", file)...).CombinedOutput()
	if err != nil {
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
	return clip
}

// A sender that repeats no picture packets: what arrived of the damaged pictures is
// in the ledger, the gaps point there, and no sample holds a byte of them.
func TestDamagedFramesAreKeptAside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	w.start()
	result, err := cam.play(t.Context(), publish.Options{Clip: clipOf(t, "testsrc2=s=640x360:r=30:d=5,noise=alls=20", h264Like, "-g", "30", "-b:v", "1500k"), Duration: 4 * time.Second, PlainVideo: true, Impairment: publish.Impairment{Loss: 0.03, Delay: 10 * time.Millisecond, Jitter: 10 * time.Millisecond, Duplicate: 0.05, Seed: 4}})
	if err != nil {
		t.Fatal(err)
	}
	st := w.stop()
	m := w.manifest()
	if m.Version != 2 {
		t.Errorf("manifest of version %d", m.Version)
	}
	files := w.recorded()
	var video evidence.ManifestTrack
	for _, mt := range m.Tracks {
		if mt.Kind == evidence.Video {
			video = mt
		}
	}
	t.Logf("%+v %+v of %+v", video.Packets, video.Frames, result)
	f := video.Frames
	whole := w.of(files, cam, evidence.Video)
	// Without key frames again after a loss, what is sent between is still recorded.
	sent := cam.sent[evidence.Video]
	from := slices.IndexFunc(sent, func(s sentFrame) bool { return s.time == whole[0].frames[0].time })
	lastFile := whole[len(whole)-1].frames
	to := slices.IndexFunc(sent, func(s sentFrame) bool { return s.time == lastFile[len(lastFile)-1].time })
	if f.Damaged == 0 || f.Uncertain != 0 || f.Whole+f.Damaged+f.Missing < int64(to-from+1) || f.Whole+f.Damaged+f.Missing > int64(len(sent)-from) {
		t.Errorf("%+v, but %d were sent, %d of them between the first and the last", f, len(sent), to-from+1)
	}
	if video.Packets.Reordered == 0 || video.Packets.Duplicate == 0 || video.Packets.Recovered != 0 {
		t.Errorf("packets %+v", video.Packets)
	}
	b := w.ledgers[video.ID]
	damaged := 0
	b.of(t, evidence.LedgerDamaged, func() any {
		damaged++
		return &evidence.LedgerDamagedLine{}
	})
	if int64(damaged) != f.Damaged {
		t.Errorf("%d damaged frames in the ledger, %d counted", damaged, f.Damaged)
	}
	// Every missing interval is declared, with its cause, and the damaged point to the ledger.
	var declared int64
	for _, g := range m.Gaps {
		if g.Track != video.ID || g.Frames < 0 {
			continue
		}
		declared += g.Frames
		if (g.Cause == causeDamaged) != (g.Ledger > 0) {
			t.Errorf("gap %+v", g)
		}
	}
	if declared != f.Damaged+f.Missing {
		t.Errorf("gaps declare %d frames, counted are %+v", declared, f)
	}
	for _, ts := range st.Tracks {
		if ts.Kind == evidence.Video && (ts.Frames.Missing != f.Missing || ts.Frames.Uncertain != 0) {
			t.Errorf("status %+v, manifest %+v", ts.Frames, f)
		}
	}
}

func TestSenderReportsAreKeptVerbatim(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	w.start()
	if _, err := cam.play(t.Context(), publish.Options{Duration: 4 * time.Second}); err != nil {
		t.Fatal(err)
	}
	w.stop()
	w.recorded()
	for track, b := range w.ledgers {
		var reports []*evidence.LedgerReportLine
		b.of(t, evidence.LedgerReport, func() any {
			r := &evidence.LedgerReportLine{}
			reports = append(reports, r)
			return r
		})
		if len(reports) < 3 {
			t.Fatalf("track %s: %d reports", track, len(reports))
		}
		var before rtcp.SenderReport
		for i, r := range reports {
			var sr rtcp.SenderReport
			if err := sr.Unmarshal(r.RTCP); err != nil {
				t.Fatalf("%v: %s", err, base64.StdEncoding.EncodeToString(r.RTCP))
			}
			if i > 0 && (sr.SSRC != before.SSRC || sr.NTPTime <= before.NTPTime || sr.PacketCount < before.PacketCount) {
				t.Errorf("report %d is %+v, before it %+v", i, sr, before)
			}
			before = sr
			if i == 0 || r.Offset == nil {
				continue
			}
			// Both ends have one clock here, so the sender's time is the server's.
			started := time.UnixMicro(int64(w.store.interviews[w.iv.ID].StartedAt))
			ntp := int64(sr.NTPTime>>32-2_208_988_800)*1_000_000 + int64(sr.NTPTime&0xffffffff)*1_000_000>>32
			at := time.UnixMicro(ntp).Sub(started) - time.Duration(ntp+*r.Offset)*time.Microsecond
			if at < -50*time.Millisecond || at > 50*time.Millisecond {
				t.Errorf("report %d: the sender's clock is off by %s", i, at)
			}
		}
		streams := 0
		b.of(t, evidence.LedgerStream, func() any { streams++; return &evidence.LedgerStreamLine{} })
		if streams != 1 {
			t.Errorf("%d streams in the ledger", streams)
		}
	}
}
