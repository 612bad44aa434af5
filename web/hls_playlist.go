package web

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/toldonce/toldonce/evidence"
)

const (
	typePlaylist = "application/vnd.apple.mpegurl"
	// longestGap is the longest piece of a gap, so that gaps do not raise the
	// target duration beyond that of segments.
	longestGap evidence.Offset = 4_000_000
)

// mainPlaylist writes the multivariant playlist: a variant for each picture with
// the sound of its own source, and one for each source that has sound alone.
func mainPlaylist(sources []playable) []byte {
	var b bytes.Buffer
	b.WriteString("#EXTM3U\n#EXT-X-VERSION:7\n")
	if len(sources) == 1 {
		writeStart(&b, sources[0])
	}
	var variants bytes.Buffer
	for _, p := range sources {
		name := quoted(p.source.Name)
		var audio, video []playableTrack
		for _, t := range p.tracks {
			switch {
			case len(t.segments) == 0:
			case t.track.Kind == evidence.Audio:
				audio = append(audio, t)
			default:
				video = append(video, t)
			}
		}
		for i, t := range audio {
			if len(video) == 0 {
				variant(&variants, t, nil, "")
				continue
			}
			yes := "NO"
			if i == 0 {
				yes = "YES"
			}
			fmt.Fprintf(&b, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=%s,NAME=%s,DEFAULT=%s,AUTOSELECT=YES,URI=\"%s/index.m3u8\"\n",
				name, name, yes, t.track.ID)
		}
		for _, t := range video {
			variant(&variants, t, audio, name)
		}
	}
	b.Write(variants.Bytes())
	return b.Bytes()
}

// writeStart tells players where all tracks of a source are there, if they do not
// begin together: hls.js waits for ever on a gap that begins a playlist, unless
// it starts behind it.
func writeStart(b *bytes.Buffer, p playable) {
	if lead := leadOf(p); lead > gapFloor {
		fmt.Fprintf(b, "#EXT-X-START:TIME-OFFSET=%d.%06d,PRECISE=YES\n", lead/1_000_000, lead%1_000_000)
	}
}

func variant(b *bytes.Buffer, t playableTrack, audio []playableTrack, group string) {
	bandwidth, codecs := peak(t.segments), []string{codecOf(t.track)}
	if len(audio) > 0 {
		bandwidth += peak(audio[0].segments)
		codecs = append(codecs, codecOf(audio[0].track))
	}
	fmt.Fprintf(b, "#EXT-X-STREAM-INF:BANDWIDTH=%d,CODECS=%s", bandwidth, quoted(strings.Join(codecs, ",")))
	if len(audio) > 0 {
		fmt.Fprintf(b, ",AUDIO=%s", group)
	}
	fmt.Fprintf(b, "\n%s/index.m3u8\n", t.track.ID)
}

// codecOf names a codec as players know it. RFC 6381 has no entry for Opus; in
// MP4 the sample entry's name is used, in the case that players ask for.
func codecOf(t evidence.Track) string {
	if strings.EqualFold(t.Codec, "opus") {
		return "opus"
	}
	return t.Codec
}

// peak is the largest rate of any segment, bits a second (RFC 8216 section 4.3.4.2).
func peak(segments []evidence.Segment) int64 {
	most := int64(1)
	for _, s := range segments {
		if d := s.Leaf.End - s.Leaf.Start; d > 0 {
			most = max(most, s.Leaf.Plain.Size*8*1_000_000/int64(d))
		}
	}
	return most
}

// quoted writes an attribute value as a quoted string, which can hold neither
// quotes nor line ends.
func quoted(s string) string {
	return `"` + strings.Map(func(r rune) rune {
		if r == '"' || r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s) + `"`
}

// trackPlaylist writes the media playlist of one track: exactly its segments, on
// the spans of its source. At every span all tracks of the source are at the
// same player time, which gaps make up for where one lacks something.
func trackPlaylist(t playableTrack, spans []TimelineSpan) []byte {
	w := playlistWriter{track: t.track.ID, independent: true}
	if len(t.segments) > 0 {
		w.nextInit = w.initOf(t.segments[0])
	}
	next := 0
	for k, span := range spans {
		w.discontinuity = k > 0
		at := span.From
		for ; next < len(t.segments) && inSpan(t.segments[next], span); next++ {
			s := t.segments[next]
			if s.Leaf.Start-at > gapFloor {
				w.gap(s.Leaf.Start - at)
				at = s.Leaf.Start
			}
			w.segment(s, s.Leaf.End-at)
			at = s.Leaf.End
		}
		// After the last span nothing must follow: a gap at the very end would keep
		// players waiting.
		if k == len(spans)-1 {
			break
		}
		if rest := span.Until - at; rest > gapFloor {
			w.gap(rest)
		} else {
			w.stretch(rest)
		}
	}
	return w.bytes()
}

func inSpan(s evidence.Segment, span TimelineSpan) bool {
	return s.Leaf.Part == span.Part && s.Leaf.Start >= span.From && s.Leaf.End <= span.Until
}

// playlistWriter collects the entries of a media playlist.
type playlistWriter struct {
	entries       []playlistEntry
	track         evidence.ID
	init          string // address of the initialisation segment in force; empty: none yet
	nextInit      string // of the one that the next entry needs
	discontinuity bool
	independent   bool
}

type playlistEntry struct {
	before   string // lines before EXTINF
	duration evidence.Offset
	uri      string
}

func (w *playlistWriter) segment(s evidence.Segment, duration evidence.Offset) {
	w.nextInit = w.initOf(s)
	w.independent = w.independent && s.Leaf.Independent
	w.entries = append(w.entries, playlistEntry{w.mark(), max(duration, 1), w.folder(s) + strconv.Itoa(s.Leaf.Index) + ".m4s"})
}

// folder is where a segment lies, as the playlist sees it: one that plays in place
// of others is of a track of its own.
func (w *playlistWriter) folder(s evidence.Segment) string {
	if s.Leaf.Track == w.track {
		return ""
	}
	return "../" + string(s.Leaf.Track) + "/"
}

func (w *playlistWriter) initOf(s evidence.Segment) string {
	return fmt.Sprintf("%sinit-%d.mp4", w.folder(s), s.Leaf.Init)
}

// gap adds what is not there, in pieces of about equal length.
func (w *playlistWriter) gap(length evidence.Offset) {
	pieces := (length + longestGap - 1) / longestGap
	for i := range pieces {
		piece := length*(i+1)/pieces - length*i/pieces
		w.entries = append(w.entries, playlistEntry{w.mark() + "#EXT-X-GAP\n", piece, gapFile})
	}
}

// stretch adds to the last entry's length.
func (w *playlistWriter) stretch(by evidence.Offset) {
	if last := len(w.entries) - 1; last >= 0 && !w.discontinuity {
		w.entries[last].duration = max(w.entries[last].duration+by, 1)
	}
}

// mark writes what must stand before the next entry.
func (w *playlistWriter) mark() string {
	var lines string
	if w.discontinuity {
		w.discontinuity = false
		lines = "#EXT-X-DISCONTINUITY\n"
	}
	if w.init != w.nextInit {
		w.init = w.nextInit
		lines += fmt.Sprintf("#EXT-X-MAP:URI=%q\n", w.init)
	}
	return lines
}

func (w *playlistWriter) bytes() []byte {
	var longest evidence.Offset
	for _, e := range w.entries {
		longest = max(longest, e.duration)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:%d\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n",
		max(int64(math.Round(longest.Duration().Seconds())), 1))
	if w.independent {
		b.WriteString("#EXT-X-INDEPENDENT-SEGMENTS\n")
	}
	for _, e := range w.entries {
		fmt.Fprintf(&b, "%s#EXTINF:%d.%06d,\n%s\n", e.before, e.duration/1_000_000, e.duration%1_000_000, e.uri)
	}
	b.WriteString("#EXT-X-ENDLIST\n")
	return b.Bytes()
}
