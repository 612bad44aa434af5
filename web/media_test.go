package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/internal/testenv"
)

// clipTrack is one track as ffmpeg cut it from the demonstration's clip.
type clipTrack struct {
	init      []byte
	fragments [][]byte
	durations []int64 // in units of the timescale
	timescale int64
}

// clip is cut once for all tests: about two seconds a fragment.
var clip = sync.OnceValues(func() (map[evidence.TrackKind]clipTrack, error) {
	out := map[evidence.TrackKind]clipTrack{}
	dir, err := os.MkdirTemp("", "toldonce-web")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for kind, args := range map[evidence.TrackKind][]string{
		evidence.Video: {"-an", "-movflags", "frag_keyframe+empty_moov+default_base_moof"},
		evidence.Audio: {"-vn", "-movflags", "empty_moov+default_base_moof", "-frag_duration", "2000000"},
	} {
		file := filepath.Join(dir, string(kind)+".mp4")
		cmd := exec.Command("ffmpeg", slices.Concat([]string{"-v", "error", "-i", "../recorder/publish/clip.mp4", "-c", "copy"}, args, []string{file})...)
		if text, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("ffmpeg: %w: %s", err, text)
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if out[kind], err = split(raw); err != nil {
			return nil, err
		}
	}
	return out, nil
})

func split(raw []byte) (s clipTrack, err error) {
	file, err := mp4.DecodeFile(bytes.NewReader(raw))
	if err != nil {
		return s, err
	}
	var b bytes.Buffer
	if err := file.Init.Encode(&b); err != nil {
		return s, err
	}
	s.init, s.timescale = bytes.Clone(b.Bytes()), int64(file.Init.Moov.Trak.Mdia.Mdhd.Timescale)
	for _, segment := range file.Segments {
		for _, fragment := range segment.Fragments {
			b.Reset()
			if err := fragment.Encode(&b); err != nil {
				return s, err
			}
			samples, err := fragment.GetFullSamples(nil)
			if err != nil {
				return s, err
			}
			var d int64
			for _, sample := range samples {
				d += int64(sample.Dur)
			}
			s.fragments, s.durations = append(s.fragments, bytes.Clone(b.Bytes())), append(s.durations, d)
		}
	}
	return s, nil
}

// record gives an interview real, encrypted media: a camera with its sound in two
// parts, four fragments from 0 s and four from 60 s, and a microphone for the
// first part.
func (h *harness) record(t *testing.T) (iv evidence.Interview, sources []evidence.Source) {
	h.Helper()
	testenv.Tool(t, "ffmpeg")
	streams, err := clip()
	h.Must(err)
	h.OpenCase()
	iv = h.Plan(h.PlanFor(h.Victim.ID))
	h.Consents(h.WrittenConsent(h.Victim.ID, consent.ToRecord))
	recipient, err := h.store.key.Recipient()
	h.Must(err)
	for _, role := range []evidence.SourceRole{evidence.SourceCloseUp, evidence.SourceInterpreter} {
		source := evidence.Source{ID: evidence.NewID(), Interview: iv.ID, Role: role, Name: string(role)}
		sources = append(sources, source)
		for _, kind := range []evidence.TrackKind{evidence.Audio, evidence.Video} {
			if role == evidence.SourceInterpreter && kind == evidence.Video {
				continue
			}
			s := streams[kind]
			track := evidence.Track{ID: evidence.NewID(), Source: source.ID, Interview: iv.ID, Kind: kind, Codec: "Opus", Timescale: s.timescale}
			if kind == evidence.Video {
				track.Codec = "avc1.42c01f"
			}
			var segments []evidence.Segment
			add := func(l evidence.Leaf, plain []byte) {
				cipher, plainSum, cipherSum, err := envelope.Encrypt(recipient, plain)
				h.Must(err)
				l.Type, l.Version, l.Salt, l.Recording, l.Track = evidence.TypeLeaf, 1, evidence.NewSalt(), iv.Recording, track.ID
				l.Plain, l.Cipher = plainSum, cipherSum
				key := fmt.Sprintf("recordings/%s/%s/%d.age", iv.Recording, track.ID, len(segments))
				h.store.objects[key] = cipher
				segments = append(segments, evidence.Segment{Leaf: l, Position: int64(len(h.store.segments) + len(segments)), ObjectKey: key})
			}
			add(evidence.Leaf{Kind: evidence.LeafInit, Part: 1, DecodeTime: "0"}, s.init)
			parts := map[int]evidence.Offset{1: 20_000, 2: 60_000_000}
			if role == evidence.SourceInterpreter {
				delete(parts, 2)
			}
			for part := 1; part <= len(parts); part++ {
				at := parts[part]
				for n := range 4 {
					index := (part-1)*4 + n
					length := evidence.Offset(s.durations[index] * 1_000_000 / s.timescale)
					add(evidence.Leaf{Kind: evidence.LeafMedia, Part: part, Index: index, Start: at, End: at + length, Independent: true}, s.fragments[index])
					at += length
				}
			}
			h.store.AddTrack(source, track, segments)
			h.store.segments = append(h.store.segments, segments...)
		}
	}
	h.store.SetState(iv.ID, evidence.StateSealed)
	return iv, sources
}

// token makes a bearer token for a role.
func (h *harness) token(role evidence.Role) string {
	h.Helper()
	return want[NewToken](h, h.as(role, "POST", "/tokens", map[string]any{"name": "player"}), 201).Token
}

func (h *harness) grantRange(interview evidence.ID, source string, from, until evidence.Offset) Grant {
	h.Helper()
	now, err := h.store.Now(context.Background())
	h.Must(err)
	g := want[Grant](h, h.as(evidence.RoleProsecutor, "POST", "/interviews/"+string(interview)+"/grants", map[string]any{"source": source, "to": "prosecutor", "from": from, "until": until,
		"not_after": now.Time().Add(time.Hour), "purpose": "Charging review.", "basis": "CPC art. 212", "rests_on": "law"}), 201)
	return want[Grant](h, h.as(evidence.RoleCustodian, "POST", "/grants/"+string(g.ID)+"/approve", nil), 200)
}

// A player gets exactly what the grant gives, and the entry stands in the log
// before the bytes leave.
func TestHLSDelivers(t *testing.T) {
	h := newHarness(t)
	iv, _ := h.record(t)
	base := "/interviews/" + string(iv.ID) + "/hls/"
	if w := h.as(evidence.RoleProsecutor, "GET", base+"main.m3u8", nil); w.Code != 404 {
		t.Fatalf("without a grant: %s", describe(w))
	}
	g := h.grantRange(iv.ID, "close-up", 0, 6_500_000)
	main := h.as(evidence.RoleProsecutor, "GET", base+"main.m3u8", nil)
	if main.Code != 200 || main.Header().Get("Content-Type") != typePlaylist || main.Header().Get("Cache-Control") != "no-store" || main.Header().Get("Etag") != "" || main.Header().Get("Last-Modified") != "" {
		t.Fatalf("main: %d %v", main.Code, main.Header())
	}
	if strings.Count(main.Body.String(), "#EXT-X-STREAM-INF") != 1 || strings.Contains(main.Body.String(), "interpreter") {
		t.Errorf("more than the grant gives:\n%s", main.Body)
	}
	streams, _ := clip()
	for _, b := range g.Tracks {
		index := h.as(evidence.RoleProsecutor, "GET", base+string(b.Track)+"/index.m3u8", nil).Body.String()
		var listed []int
		for _, m := range regexp.MustCompile(`(?m)^(\d+)\.m4s$`).FindAllStringSubmatch(index, -1) {
			n, _ := strconv.Atoi(m[1])
			listed = append(listed, n)
		}
		if want := []int{0, 1, 2}; !slices.Equal(listed, want) || b.FirstIndex != 0 || b.LastIndex != 2 {
			t.Errorf("%s: %v of %+v\n%s", b.Kind, listed, b, index)
		}
		init := h.as(evidence.RoleProsecutor, "GET", base+string(b.Track)+"/init-0.mp4", nil)
		if init.Code != 200 || !bytes.Equal(init.Body.Bytes(), streams[b.Kind].init) {
			t.Errorf("init: %d, %d bytes", init.Code, init.Body.Len())
		}
		for n := range 3 {
			w := h.as(evidence.RoleProsecutor, "GET", fmt.Sprintf("%s%s/%d.m4s", base, b.Track, n), nil)
			if w.Code != 200 {
				t.Fatalf("segment %d: %s", n, describe(w))
			}
			at := float64(decoded(t, w.Body.Bytes()).Moof.Traf.Tfdt.BaseMediaDecodeTime()) / float64(streams[b.Kind].timescale)
			if wantAt := 0.02 + float64(n)*2; at < wantAt-0.05 || at > wantAt+0.05 {
				t.Errorf("%s segment %d begins at %.3f s of interview time, want about %.3f", b.Kind, n, at, wantAt)
			}
		}
		for _, outside := range []string{"3.m4s", "4.m4s", "100.m4s", "init-1.mp4"} {
			w := h.as(evidence.RoleProsecutor, "GET", base+string(b.Track)+"/"+outside, nil)
			if w.Code != 403 && w.Code != 404 {
				t.Errorf("%s: %s", outside, describe(w))
			}
		}
	}
	if len(h.store.Log("media.deliver")) == 0 || len(h.store.Log("media.refuse")) == 0 {
		t.Error("the log lacks deliveries or refusals")
	}
}

// No entry, no bytes.
func TestHLSWithoutLog(t *testing.T) {
	h := newHarness(t)
	iv, _ := h.record(t)
	g := h.grantRange(iv.ID, "close-up", 0, 6_500_000)
	h.store.FailBefore["media.deliver"] = true
	w := h.as(evidence.RoleProsecutor, "GET", "/interviews/"+string(iv.ID)+"/hls/"+string(g.Tracks[0].Track)+"/0.m4s", nil)
	if w.Code != 500 || w.Header().Get("Content-Type") != problemType {
		t.Errorf("%s", describe(w))
	}
}

// A stored object that was changed is a fault that is logged, and nothing of it
// is sent.
func TestHLSDamagedObject(t *testing.T) {
	h := newHarness(t)
	iv, _ := h.record(t)
	g := h.grantRange(iv.ID, "close-up", 0, 6_500_000)
	for _, object := range h.store.objects {
		object[len(object)/2] ^= 1
	}
	w := h.as(evidence.RoleProsecutor, "GET", "/interviews/"+string(iv.ID)+"/hls/"+string(g.Tracks[0].Track)+"/0.m4s", nil)
	if p := want[Problem](h, w, 500); p.Code != "internal" || !strings.Contains(h.logs.String(), "damaged") {
		t.Errorf("%+v", p)
	}
}

func TestHLSHeadAndRanges(t *testing.T) {
	h := newHarness(t)
	iv, _ := h.record(t)
	g := h.grantRange(iv.ID, "close-up", 0, 6_500_000)
	path := "/api/v1/interviews/" + string(iv.ID) + "/hls/" + string(g.Tracks[0].Track) + "/1.m4s"
	cookie := h.signIn(h.Second[evidence.RoleProsecutor])
	if w := h.do(call{method: "HEAD", path: path, cookie: cookie}); w.Code != 404 {
		t.Errorf("HEAD by a stranger: %d", w.Code)
	}
	cookie = h.cookies[evidence.RoleProsecutor]
	before := len(h.store.Log("media.deliver"))
	ask := h.do(call{method: "HEAD", path: path, cookie: cookie})
	if ask.Code != 200 || ask.Body.Len() != 0 || len(h.store.Log("media.deliver")) != before {
		t.Errorf("HEAD: %d, %d bytes, %d entries more", ask.Code, ask.Body.Len(), len(h.store.Log("media.deliver"))-before)
	}
	whole := h.do(call{method: "GET", path: path, cookie: cookie})
	if got := ask.Header().Get("Content-Length"); got != strconv.Itoa(whole.Body.Len()) {
		t.Errorf("HEAD says %s bytes, GET sends %d", got, whole.Body.Len())
	}
	size := whole.Body.Len()
	for _, x := range []struct {
		header string
		status int
		want   []byte
	}{
		{"bytes=0-99", 206, whole.Body.Bytes()[:100]},
		{"bytes=100-", 206, whole.Body.Bytes()[100:]},
		{"bytes=-10", 206, whole.Body.Bytes()[size-10:]},
		{fmt.Sprintf("bytes=%d-", size), 416, nil},
		{"bytes=5-2", 416, nil},
		{"nonsense", 416, nil},
	} {
		w := h.do(call{method: "GET", path: path, cookie: cookie, header: map[string]string{"Range": x.header}})
		if w.Code != x.status || x.want != nil && !bytes.Equal(w.Body.Bytes(), x.want) {
			t.Errorf("%s: %d, %d bytes", x.header, w.Code, w.Body.Len())
		}
	}
}

// Revoked: the next request is refused, with the reason, and so is the heartbeat.
func TestRevocation(t *testing.T) {
	h := newHarness(t)
	iv, _ := h.record(t)
	h.store.sealed.Manifest = nil
	g := h.grantRange(iv.ID, "all", 0, 6_500_000)
	segment := "/interviews/" + string(iv.ID) + "/hls/" + string(g.Tracks[0].Track) + "/0.m4s"
	beat := "/interviews/" + string(iv.ID) + "/heartbeat"
	if w := h.as(evidence.RoleProsecutor, "GET", segment, nil); w.Code != 200 {
		t.Fatal(describe(w))
	}
	live := want[Heartbeat](h, h.as(evidence.RoleProsecutor, "POST", beat, nil), 200)
	now, _ := h.store.Now(context.Background())
	if lease := live.Until.Sub(now.Time()); !live.Live || lease <= 0 || lease > leaseTime {
		t.Errorf("heartbeat %+v", live)
	}
	if w := h.as(evidence.RoleCustodian, "POST", "/grants/"+string(g.ID)+"/revoke", map[string]string{"reason": "Order lifted."}); w.Code != 200 {
		t.Fatal(describe(w))
	}
	for _, x := range [][2]string{{"GET", segment}, {"POST", beat}, {"GET", "/interviews/" + string(iv.ID) + "/hls/main.m3u8"}} {
		p := want[Problem](h, h.as(evidence.RoleProsecutor, x[0], x[1], nil), 403)
		if len(p.Reasons) == 0 || p.Reasons[0].Code != "grant.revoked" {
			t.Errorf("%s: %+v", x[1], p)
		}
	}
}

// slow runs something while an object is being read.
type slow struct {
	Objects
	during func()
}

func (o *slow) Get(ctx context.Context, key, version string) ([]byte, error) {
	if during := o.during; during != nil {
		o.during = nil
		during()
	}
	return o.Objects.Get(ctx, key, version)
}

// Revoked between the decision and the last byte, while the object store takes
// its time: nothing is sent.
func TestRevocationWhileASegmentIsRead(t *testing.T) {
	var objects *slow
	h := newHarness(t, func(c *Config) {
		objects = &slow{Objects: c.Objects}
		c.Objects = objects
	})
	iv, _ := h.record(t)
	g := h.grantRange(iv.ID, "all", 0, 6_500_000)
	for _, file := range []string{"/0.m4s", "/init-0.mp4"} {
		path := "/interviews/" + string(iv.ID) + "/hls/" + string(g.Tracks[0].Track) + file
		if w := h.as(evidence.RoleProsecutor, "GET", path, nil); w.Code != 200 {
			t.Fatal(describe(w))
		}
		objects.during = func() {
			if w := h.as(evidence.RoleCustodian, "POST", "/grants/"+string(g.ID)+"/revoke", map[string]string{"reason": "Order lifted."}); w.Code != 200 {
				t.Error(describe(w))
			}
		}
		p := want[Problem](h, h.as(evidence.RoleProsecutor, "GET", path, nil), 403)
		if len(p.Reasons) == 0 || p.Reasons[0].Code != "grant.revoked" {
			t.Errorf("%s: %+v", file, p)
		}
		g = h.grantRange(iv.ID, "all", 0, 6_500_000)
	}
}

// Stock players play it with nothing but the token.
func TestHLSStockPlayer(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.BaseURL = "http://localhost" })
	iv, sources := h.record(t)
	probe := testenv.Tool(t, "ffprobe")
	h.grantRange(iv.ID, "all", 0, 70_000_000)
	server := httptest.NewServer(h.server)
	defer server.Close()
	token := h.token(evidence.RoleProsecutor)
	run := func(query string) map[string]probed {
		t.Helper()
		cmd := exec.Command(probe, "-v", "warning", "-headers", "Authorization: Bearer "+token+"\r\n", "-count_packets",
			"-show_entries", "stream=codec_name,nb_read_packets:packet=codec_type,pts_time,stream_index", "-of", "json",
			server.URL+"/api/v1/interviews/"+string(iv.ID)+"/hls/main.m3u8"+query)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil || stderr.Len() > 0 {
			t.Fatalf("ffprobe: %v\n%s", err, stderr.String())
		}
		return parseProbe(t, out)
	}
	streams, _ := clip()
	frames := func(kind evidence.TrackKind) int {
		n := 0
		for _, f := range streams[kind].fragments[:8] {
			n += int(decoded(t, f).Moof.Traf.Trun.SampleCount())
		}
		return n
	}
	camera := run("?source=" + string(sources[0].ID))
	for kind, codec := range map[evidence.TrackKind]string{evidence.Video: "h264", evidence.Audio: "opus"} {
		got := camera[codec]
		if got.packets != frames(kind) {
			t.Errorf("%s: %d packets, want %d", codec, got.packets, frames(kind))
		}
		// Interview time: the break stays in the timestamps.
		if got.first < 0 || got.first > 0.1 || got.last < 67.8 || got.last > 68.1 {
			t.Errorf("%s: from %.3f to %.3f s", codec, got.first, got.last)
		}
	}
	if all := run(""); len(all) < 2 {
		t.Errorf("all sources: %v", all)
	}
	// Without the token there is nothing.
	r, err := http.Get(server.URL + "/api/v1/interviews/" + string(iv.ID) + "/hls/main.m3u8")
	h.Must(err)
	defer r.Body.Close()
	if r.StatusCode != 401 {
		t.Errorf("without a token: %d", r.StatusCode)
	}
}

// decoded reads one fragment.
func decoded(t *testing.T, raw []byte) *mp4.Fragment {
	t.Helper()
	f, err := mp4.DecodeFile(bytes.NewReader(raw))
	if err != nil || len(f.Segments) != 1 || len(f.Segments[0].Fragments) != 1 {
		t.Fatalf("not one fragment: %v", err)
	}
	return f.Segments[0].Fragments[0]
}

type probed struct {
	packets     int
	first, last float64
}

func parseProbe(t *testing.T, raw []byte) map[string]probed {
	t.Helper()
	var doc struct {
		Packets []struct {
			Stream int    `json:"stream_index"`
			PTS    string `json:"pts_time"`
		}
		Streams []struct {
			Codec   string `json:"codec_name"`
			Packets string `json:"nb_read_packets"`
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	out := map[string]probed{}
	for i, s := range doc.Streams {
		n, _ := strconv.Atoi(s.Packets)
		p := probed{packets: n, first: -1}
		for _, packet := range doc.Packets {
			if packet.Stream != i {
				continue
			}
			at, _ := strconv.ParseFloat(packet.PTS, 64)
			if p.first < 0 {
				p.first = at
			}
			p.last = max(p.last, at)
		}
		out[s.Codec] = p
	}
	return out
}
