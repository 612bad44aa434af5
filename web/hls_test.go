package web

import (
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
)

const second = 1_000_000

// run makes the segments of one stretch: bounds in microseconds, joined.
func run(part, init, index int, bounds ...evidence.Offset) []evidence.Segment {
	var out []evidence.Segment
	for i := range len(bounds) - 1 {
		out = append(out, evidence.Segment{Leaf: evidence.Leaf{Kind: evidence.LeafMedia, Part: part, Init: init, Index: index + i,
			Start: bounds[i], End: bounds[i+1], Independent: true, Plain: evidence.Digest{Size: 250_000}}})
	}
	return out
}

func source(audio, video []evidence.Segment) playable {
	for i := range audio {
		audio[i].Leaf.Track = "a"
	}
	for i := range video {
		video[i].Leaf.Track = "v"
	}
	p := playable{source: SourceRef{ID: "s", Name: "close-up"}}
	if audio != nil {
		p.tracks = append(p.tracks, playableTrack{evidence.Track{ID: "a", Source: "s", Kind: evidence.Audio, Codec: "opus", Timescale: 48000}, audio})
	}
	if video != nil {
		p.tracks = append(p.tracks, playableTrack{evidence.Track{ID: "v", Source: "s", Kind: evidence.Video, Codec: "avc1.42e01f", Timescale: 90000}, video})
	}
	return p
}

func playlistOf(p playable, track evidence.ID) string {
	for _, t := range p.tracks {
		if t.track.ID == track {
			return string(trackPlaylist(t, timelineOf(p)))
		}
	}
	return ""
}

func TestTrackPlaylist(t *testing.T) {
	const begin = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-INDEPENDENT-SEGMENTS\n"
	for _, c := range []struct {
		name  string
		p     playable
		track evidence.ID
		want  string
	}{
		{
			// A few milliseconds between sound and picture are folded into the length.
			"one stretch", source(run(1, 0, 5, 10_020_000, 12_000_000, 14_000_000), run(1, 0, 5, 10_000_000, 12_000_000, 14_010_000)), "a",
			begin + "#EXT-X-MAP:URI=\"init-0.mp4\"\n#EXTINF:2.000000,\n5.m4s\n#EXTINF:2.000000,\n6.m4s\n#EXT-X-ENDLIST\n",
		},
		{
			// A break: the next part begins with a discontinuity on every track.
			"two parts", source(nil, append(run(1, 0, 0, 0, 2*second), run(2, 0, 1, 60*second, 62*second)...)), "v",
			begin + "#EXT-X-MAP:URI=\"init-0.mp4\"\n#EXTINF:2.000000,\n0.m4s\n#EXT-X-DISCONTINUITY\n#EXTINF:2.000000,\n1.m4s\n#EXT-X-ENDLIST\n",
		},
		{
			// What ends a part early is filled up, so that both tracks enter the next one together.
			"ragged part", source(
				append(run(1, 0, 0, 0, 2*second, 4*second), run(2, 0, 2, 60*second, 62*second)...),
				append(run(1, 0, 0, 0, 2*second), run(2, 0, 1, 60*second, 62*second)...)), "v",
			begin + "#EXT-X-MAP:URI=\"init-0.mp4\"\n#EXTINF:2.000000,\n0.m4s\n#EXT-X-GAP\n#EXTINF:2.000000,\ngap.m4s\n#EXT-X-DISCONTINUITY\n#EXTINF:2.000000,\n1.m4s\n#EXT-X-ENDLIST\n",
		},
		{
			"new init", source(nil, append(run(1, 0, 0, 0, 2*second), run(1, 1, 1, 2*second, 4*second)...)), "v",
			begin + "#EXT-X-MAP:URI=\"init-0.mp4\"\n#EXTINF:2.000000,\n0.m4s\n#EXT-X-MAP:URI=\"init-1.mp4\"\n#EXTINF:2.000000,\n1.m4s\n#EXT-X-ENDLIST\n",
		},
		{
			// Two grants of one part: what lies between is neither delivered nor waited for.
			"disjoint", source(run(1, 0, 3, 6*second, 8*second), append(run(1, 0, 3, 6*second, 8*second), run(1, 0, 9, 18*second, 20*second)...)), "v",
			begin + "#EXT-X-MAP:URI=\"init-0.mp4\"\n#EXTINF:2.000000,\n3.m4s\n#EXT-X-DISCONTINUITY\n#EXTINF:2.000000,\n9.m4s\n#EXT-X-ENDLIST\n",
		},
		{
			"picture lost in between", source(run(1, 0, 0, 0, 2*second, 4*second, 6*second), append(run(1, 0, 0, 0, 2*second), run(1, 0, 1, 4*second, 6*second)...)), "v",
			begin + "#EXT-X-MAP:URI=\"init-0.mp4\"\n#EXTINF:2.000000,\n0.m4s\n#EXT-X-GAP\n#EXTINF:2.000000,\ngap.m4s\n#EXTINF:2.000000,\n1.m4s\n#EXT-X-ENDLIST\n",
		},
		{
			"picture begins later", source(run(1, 0, 0, 0, 2*second, 4*second), run(1, 0, 0, 1_400_000, 3_400_000)), "v",
			begin + "#EXT-X-MAP:URI=\"init-0.mp4\"\n#EXT-X-GAP\n#EXTINF:1.400000,\ngap.m4s\n#EXTINF:2.000000,\n0.m4s\n#EXT-X-ENDLIST\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := playlistOf(c.p, c.track); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// Whatever is granted, every segment stands in its playlist exactly once, and all
// tracks of a source enter each span at the same player time.
func TestPlaylistsAgree(t *testing.T) {
	p := source(
		append(append(run(1, 0, 0, 20_000, 2_010_000, 4_020_000), run(1, 0, 2, 9*second, 11*second)...), run(3, 1, 3, 100*second, 102*second, 103*second)...),
		append(append(run(1, 0, 0, 0, 2*second, 4_100_000, 6*second), run(2, 0, 3, 50*second, 54*second)...), run(3, 0, 4, 100_300_000, 102*second)...))
	var starts [2][]evidence.Offset
	for i, track := range []evidence.ID{"a", "v"} {
		text := playlistOf(p, track)
		var at evidence.Offset
		discontinuities := 0
		seen := map[string]int{}
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			switch {
			case line == "#EXT-X-DISCONTINUITY":
				discontinuities++
				starts[i] = append(starts[i], at)
			case strings.HasPrefix(line, "#EXTINF:"):
				at += duration(t, line)
			case strings.HasSuffix(line, ".m4s") && line != gapFile:
				seen[line]++
			}
		}
		if want := len(timelineOf(p)) - 1; discontinuities != want {
			t.Errorf("%s: %d discontinuities, want %d\n%s", track, discontinuities, want, text)
		}
		for j := range p.tracks {
			if p.tracks[j].track.ID != track {
				continue
			}
			if len(seen) != len(p.tracks[j].segments) {
				t.Errorf("%s: %d segments listed, want %d", track, len(seen), len(p.tracks[j].segments))
			}
		}
		for name, n := range seen {
			if n != 1 {
				t.Errorf("%s: %s listed %d times", track, name, n)
			}
		}
	}
	for k := range starts[0] {
		if starts[0][k] != starts[1][k] {
			t.Errorf("span %d begins at %v for sound and %v for picture", k+1, starts[0][k], starts[1][k])
		}
		if want := evidence.Offset(timelineOf(p)[k+1].Player); starts[0][k] != want {
			t.Errorf("span %d begins at %v, the timeline says %v", k+1, starts[0][k], want)
		}
	}
}

func duration(t *testing.T, line string) evidence.Offset {
	t.Helper()
	number := strings.TrimSuffix(strings.TrimPrefix(line, "#EXTINF:"), ",")
	whole, frac, _ := strings.Cut(number, ".")
	var out evidence.Offset
	for _, d := range whole + frac {
		out = out*10 + evidence.Offset(d-'0')
	}
	return out
}

func TestMainPlaylist(t *testing.T) {
	camera := source(run(1, 0, 0, 0, 2*second), run(1, 0, 0, 0, 2*second))
	microphone := source(run(1, 0, 0, 0, 2*second), nil)
	microphone.source.Name = "interpreter\n\""
	got := string(mainPlaylist([]playable{camera, microphone}))
	want := "#EXTM3U\n#EXT-X-VERSION:7\n" +
		"#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"close-up\",NAME=\"close-up\",DEFAULT=YES,AUTOSELECT=YES,URI=\"a/index.m3u8\"\n" +
		"#EXT-X-STREAM-INF:BANDWIDTH=2000000,CODECS=\"avc1.42e01f,opus\",AUDIO=\"close-up\"\nv/index.m3u8\n" +
		"#EXT-X-STREAM-INF:BANDWIDTH=1000000,CODECS=\"opus\"\na/index.m3u8\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	late := source(run(1, 0, 0, 0, 2*second), run(1, 0, 0, 700_000, 2*second))
	if got := string(mainPlaylist([]playable{late})); !strings.Contains(got, "#EXT-X-START:TIME-OFFSET=0.700000,PRECISE=YES\n") {
		t.Errorf("no start behind the gap:\n%s", got)
	}
}

func TestDecodeTime(t *testing.T) {
	for _, c := range []struct {
		start     evidence.Offset
		timescale int64
		want      uint64
	}{
		{0, 90000, 0}, {1, 90000, 0}, {6, 90000, 1}, {2_000_000, 90000, 180000}, {33_366, 90000, 3003},
		{3 * 3600 * second, 90000, 972_000_000}, {3*3600*second + 21, 48000, 518_400_001},
	} {
		if got := decodeTime(c.start, c.timescale); got != c.want {
			t.Errorf("decodeTime(%d, %d) = %d, want %d", c.start, c.timescale, got, c.want)
		}
	}
	// Interview time is whole microseconds; every tick survives the way there and back.
	for tick := int64(0); tick < 200_000; tick += 7 {
		for _, scale := range []int64{48000, 90000} {
			if got := decodeTime(evidence.Offset(tick*1_000_000/scale), scale); got != uint64(tick) {
				t.Fatalf("tick %d of %d became %d", tick, scale, got)
			}
		}
	}
}

func FuzzHLSName(f *testing.F) {
	for _, s := range []string{"index.m3u8", "init-0.mp4", "12.m4s", "gap.m4s", "-1.m4s", "01.m4s", "init-99999999999.mp4", "../index.m3u8", "init-.mp4", "+1.m4s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := parseHLSName(s)
		if !ok {
			if n != (hlsName{}) {
				t.Errorf("%q: refused, yet %+v", s, n)
			}
			return
		}
		if n.index < 0 {
			t.Errorf("%q: index %d", s, n.index)
		}
		if !n.playlist && !n.gap && n.kind == evidence.LeafMedia && !strings.HasSuffix(s, ".m4s") {
			t.Errorf("%q is not a segment", s)
		}
	})
}

func FuzzEventID(f *testing.F) {
	for _, s := range []string{"0", "17", "-1", "+1", "007", "9223372036854775808", " 1", "1\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if id, ok := parseEventID(s); ok && (id < 0 || strings.TrimLeft(s, "0123456789") != "") {
			t.Errorf("%q became %d", s, id)
		}
	})
}

func TestReplacementsPlayInPlace(t *testing.T) {
	original := run(1, 0, 0, 0, 2*second, 4*second, 6*second)
	original = append(original, run(2, 0, 3, 20*second, 22*second)...)
	late := run(1, 0, 0, 2*second, 4*second)
	late = append(late, run(1, 0, 1, 6*second, 9*second, 12*second)...)
	for i := range late {
		late[i].Leaf.Track = "late"
	}
	v := evidence.Track{ID: "v", Source: "s", Kind: evidence.Video, Codec: "avc1.42e01f", Timescale: 90000}
	by := v
	by.ID, by.Replaces = "late", "v"
	for i := range original {
		original[i].Leaf.Track = "v"
	}
	got := playedTracks([]access.PlaybackTrack{{Track: v, Segments: original}, {Track: by, Segments: late}}, []evidence.Replacement{
		{Track: "v", By: "late", First: 0, Last: 0, Start: 2 * second, End: 4 * second},
		{Track: "v", By: "late", First: 1, Last: 2, Start: 6 * second, End: 12 * second},
	})
	if len(got) != 1 {
		t.Fatalf("%d tracks", len(got))
	}
	p := playable{source: SourceRef{ID: "s"}, tracks: []playableTrack{{got[0].Track, got[0].Segments}}}
	want := "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:3\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-INDEPENDENT-SEGMENTS\n" +
		"#EXT-X-MAP:URI=\"init-0.mp4\"\n#EXTINF:2.000000,\n0.m4s\n" +
		"#EXT-X-MAP:URI=\"../late/init-0.mp4\"\n#EXTINF:2.000000,\n../late/0.m4s\n" +
		"#EXT-X-MAP:URI=\"init-0.mp4\"\n#EXTINF:2.000000,\n2.m4s\n" +
		"#EXT-X-MAP:URI=\"../late/init-0.mp4\"\n#EXTINF:3.000000,\n../late/1.m4s\n#EXTINF:3.000000,\n../late/2.m4s\n" +
		"#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init-0.mp4\"\n#EXTINF:2.000000,\n3.m4s\n#EXT-X-ENDLIST\n"
	if text := playlistOf(p, "v"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	// Without a grant of what replaces it, the original plays.
	if got := playedTracks([]access.PlaybackTrack{{Track: v, Segments: original}}, []evidence.Replacement{{Track: "v", By: "late", First: 0, Last: 0, Start: 2 * second, End: 4 * second}}); len(got[0].Segments) != 4 {
		t.Errorf("%d segments play", len(got[0].Segments))
	}
}
