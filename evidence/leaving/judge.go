package leaving

import (
	"cmp"
	"slices"
	"strings"

	"github.com/toldonce/toldonce/evidence"
)

// Codes of the lines of After, with the unit of what is measured. Lines without a
// source come first, then those of each source in the order of the manifest.
const (
	Introduced = "introduced" // people noted as present who were not introduced on the recording (P10)
	Breaks     = "breaks"     // breaks that were begun and not ended (P12)
	Tracks     = "tracks"     // tracks of which something is recorded; sound and picture must be there
	Whole      = "whole"      // ms of a source that are missing, what was handed over later and breaks left out
	Speech     = "speech"     // seconds in which it was loud enough for a voice; nothing tells a voice from a noise
	Silence    = "silence"    // seconds for which nothing at all was heard
	Still      = "still"      // seconds for which the picture stood still or was dark
	Sync       = "sync"       // seconds for which sound and picture were apart
	Copies     = "copies"     // whether what the source made and what is recorded are the same
)

// What a line bears before it has to be looked at.
const (
	bearMissing = 1_000 // ms
	bearSilence = 60    // s
)

// Markers by which the room page notes who is there and who was introduced: what
// follows is a code for the person's part.
const (
	PresentMarker    = "present-"
	IntroducedMarker = "introduced-"
)

// Judge looks at a manifest: of version 1 of this format, so that whoever holds the
// manifest comes to the same lines.
func Judge(m evidence.Manifest, heard []Heard) []evidence.Check {
	out := []evidence.Check{introduced(m.Events), breaks(m.Events), tracks(m)}
	for _, s := range m.Sources {
		out = append(out, judgeSource(m, s, heard)...)
	}
	return out
}

func line(code string, source evidence.ID, value int64, good bool) evidence.Check {
	c := evidence.Check{Code: code, Verdict: evidence.CheckLook, Source: source, Value: &value}
	if good {
		c.Verdict = evidence.CheckGood
	}
	return c
}

func introduced(events []evidence.Event) evidence.Check {
	present, known := map[string]bool{}, map[string]bool{}
	for _, e := range events {
		if e.Kind != evidence.EventMarker {
			continue
		}
		if who, ok := strings.CutPrefix(e.Value, PresentMarker); ok {
			present[who] = true
		}
		if who, ok := strings.CutPrefix(e.Value, IntroducedMarker); ok {
			known[who] = true
		}
	}
	if len(present) == 0 {
		return evidence.Check{Code: Introduced, Verdict: evidence.CheckUnknown}
	}
	missing := int64(0)
	for who := range present {
		if !known[who] {
			missing++
		}
	}
	return line(Introduced, "", missing, missing == 0)
}

func breaks(events []evidence.Event) evidence.Check {
	open := int64(0)
	for _, e := range events {
		switch e.Kind {
		case evidence.EventPause:
			open++
		case evidence.EventResume:
			open = max(open-1, 0)
		}
	}
	return line(Breaks, "", open, open == 0)
}

func tracks(m evidence.Manifest) evidence.Check {
	n := int64(0)
	kinds := map[evidence.TrackKind]bool{}
	empty := false
	for _, s := range m.Sources {
		some := false
		for _, t := range m.Tracks {
			if t.Source == s.ID && t.Replaces == "" && t.Frames.Whole > 0 {
				n++
				some, kinds[t.Kind] = true, true
			}
		}
		empty = empty || !some
	}
	return line(Tracks, "", n, kinds[evidence.Audio] && kinds[evidence.Video] && !empty)
}

func judgeSource(m evidence.Manifest, s evidence.ManifestSource, heard []Heard) []evidence.Check {
	var missing int64
	kinds, timed := map[evidence.TrackKind]bool{}, false
	for _, t := range m.Tracks {
		if t.Source != s.ID || t.Replaces != "" {
			continue
		}
		missing = max(missing, missingOf(m, t.ID))
		kinds[t.Kind] = true
		timed = timed || slices.ContainsFunc(t.Anchors, func(a evidence.Anchor) bool { return a.Method != "arrival" })
	}
	out := []evidence.Check{line(Whole, s.ID, missing, missing < bearMissing)}
	if kinds[evidence.Audio] {
		silent := lasted(m.Events, s.ID, "sound-silent")
		out = append(out, speech(s.ID, heard), line(Silence, s.ID, silent, silent < bearSilence))
	}
	if kinds[evidence.Video] {
		still := lasted(m.Events, s.ID, "picture-frozen", "picture-black")
		out = append(out, line(Still, s.ID, still, still == 0))
	}
	if kinds[evidence.Audio] && kinds[evidence.Video] {
		apart := lasted(m.Events, s.ID, "sync-apart")
		c := line(Sync, s.ID, apart, apart == 0)
		if !timed {
			c = evidence.Check{Code: Sync, Verdict: evidence.CheckUnknown, Source: s.ID}
		}
		out = append(out, c)
	}
	return append(out, copies(s))
}

func speech(source evidence.ID, heard []Heard) evidence.Check {
	i := slices.IndexFunc(heard, func(h Heard) bool { return h.Source == source })
	if i < 0 {
		return evidence.Check{Code: Speech, Verdict: evidence.CheckUnknown, Source: source}
	}
	return line(Speech, source, heard[i].Seconds, heard[i].Seconds > 0)
}

func copies(s evidence.ManifestSource) evidence.Check {
	c := evidence.Check{Code: Copies, Verdict: evidence.CheckLook, Source: s.ID}
	switch s.SourceManifest {
	case evidence.SourceManifestVerified:
		c.Verdict = evidence.CheckGood
	case evidence.SourceManifestNone:
		c.Verdict = evidence.CheckUnknown
	}
	return c
}

// missingOf is how many ms of a track are in gaps that no break explains and were not
// handed over later.
func missingOf(m evidence.Manifest, track evidence.ID) int64 {
	var holes, filled []evidence.Range
	for _, g := range m.Gaps {
		if g.Track == track && g.Cause != "pause" {
			holes = append(holes, evidence.Range{From: g.Start, Until: g.End})
		}
	}
	for _, r := range m.Replacements {
		if r.Track == track {
			filled = append(filled, evidence.Range{From: r.Start, Until: r.End})
		}
	}
	holes, filled = apart(holes), apart(filled)
	var sum evidence.Offset
	for _, h := range holes {
		sum += h.Until - h.From
	}
	for i, j := 0, 0; i < len(holes) && j < len(filled); {
		sum -= max(min(holes[i].Until, filled[j].Until)-max(holes[i].From, filled[j].From), 0)
		if holes[i].Until < filled[j].Until {
			i++
		} else {
			j++
		}
	}
	return int64(sum / 1000)
}

// apart joins what overlaps, in order.
func apart(spans []evidence.Range) (out []evidence.Range) {
	slices.SortFunc(spans, func(a, b evidence.Range) int { return cmp.Compare(a.From, b.From) })
	for _, s := range spans {
		if last := len(out) - 1; last >= 0 && s.From <= out[last].Until {
			out[last].Until = max(out[last].Until, s.Until)
		} else if s.Until > s.From {
			out = append(out, s)
		}
	}
	return out
}

// lasted is for how many seconds, rounded up, any of some causes held of a source, by
// the events quality-began and quality-ended. What did not end lasts until the stop.
func lasted(events []evidence.Event, source evidence.ID, causes ...string) int64 {
	var spans []evidence.Range
	began := map[string]evidence.Offset{}
	var stop evidence.Offset
	for _, e := range events {
		if e.Kind == evidence.EventStop {
			stop = e.At
		}
		if e.Source != source || !slices.Contains(causes, e.Value) {
			continue
		}
		switch e.Kind {
		case evidence.EventQualityBegan:
			began[e.Value] = e.At
		case evidence.EventQualityEnded:
			if from, ok := began[e.Value]; ok {
				spans = append(spans, evidence.Range{From: from, Until: e.At})
				delete(began, e.Value)
			}
		}
	}
	for _, from := range began {
		spans = append(spans, evidence.Range{From: from, Until: max(stop, from)})
	}
	var sum evidence.Offset
	for _, s := range apart(spans) {
		sum += s.Until - s.From
	}
	return int64((sum + 999_999) / 1_000_000)
}
