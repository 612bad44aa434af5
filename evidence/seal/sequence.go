package seal

import (
	"math/big"
	"slices"

	"github.com/toldonce/toldonce/evidence"
)

const (
	// slack is how far a segment's times may lie from what its anchor gives, beside
	// the anchor's own uncertainty, in microseconds: a recorder takes the drift of
	// a source's clock into the segments, a few milliseconds at a time, and sets
	// the next anchor when that adds up.
	slack = 20_000
	// rounding of offsets on both sides, in microseconds.
	rounding = 2
	// holeAllowed is how much of a track may be absent between two segments of a
	// part before the manifest must name a gap: a picture at 25 frames a second.
	holeAllowed evidence.Offset = 40_000
)

// TrackLeaves are the leaves of one track: inits by number, media by index, pages
// of the ledger by theirs.
type TrackLeaves struct {
	Inits   []evidence.Leaf
	Media   []evidence.Leaf
	Ledgers []evidence.Leaf
}

// ByTrack sorts leaves by track: inits by their number, media by index, which is
// presentation order. Zero leaves are left out.
func ByTrack(leaves []evidence.Leaf) map[evidence.ID]*TrackLeaves {
	tracks := map[evidence.ID]*TrackLeaves{}
	for _, l := range leaves {
		if l.Type == "" {
			continue
		}
		t := tracks[l.Track]
		if t == nil {
			t = new(TrackLeaves)
			tracks[l.Track] = t
		}
		switch l.Kind {
		case evidence.LeafInit:
			t.Inits = append(t.Inits, l)
		case evidence.LeafMedia:
			t.Media = append(t.Media, l)
		case evidence.LeafLedger:
			t.Ledgers = append(t.Ledgers, l)
		}
	}
	for _, t := range tracks {
		slices.SortStableFunc(t.Inits, func(a, b evidence.Leaf) int { return a.Init - b.Init })
		slices.SortStableFunc(t.Media, func(a, b evidence.Leaf) int { return a.Index - b.Index })
		slices.SortStableFunc(t.Ledgers, func(a, b evidence.Leaf) int { return a.Index - b.Index })
	}
	return tracks
}

// checkLeaves asks whether the leaves belong together and are all there.
func checkLeaves(in RecordingInput, m evidence.Manifest, leaves []evidence.Leaf, out *Findings) {
	const check = "recording.leaves"
	report := limited(out)
	tracks := map[evidence.ID]bool{}
	for _, t := range m.Tracks {
		tracks[t.ID] = true
	}
	salts := make(map[string]bool, len(leaves))
	inits := map[evidence.ID]int{}
	for i, l := range leaves {
		if l.Type == "" {
			continue
		}
		file := in.PageFile(i / evidence.PageSize)
		switch {
		case l.Recording != m.Recording:
			report(check, file, "Leaf %d is of another recording.", i)
		case !tracks[l.Track]:
			report(check, file, "Leaf %d is of a track that the manifest does not name.", i)
		case l.Part > len(m.Parts):
			report(check, file, "Leaf %d is of part %d, which the manifest does not name.", i, l.Part)
		case salts[l.Salt]:
			report(check, file, "Leaf %d repeats the salt of another.", i)
		case l.Kind == evidence.LeafInit && l.Init != inits[l.Track]:
			report(check, file, "Leaf %d is init %d of its track; the next one is %d.", i, l.Init, inits[l.Track])
		case l.Kind == evidence.LeafMedia && l.Init >= inits[l.Track]:
			report(check, file, "Leaf %d needs init %d of its track, which was not written before it.", i, l.Init)
		}
		salts[l.Salt] = true
		if l.Kind == evidence.LeafInit {
			inits[l.Track]++
		}
	}
	byTrack := ByTrack(leaves)
	for _, t := range m.Tracks {
		tl := byTrack[t.ID]
		if tl == nil {
			tl = new(TrackLeaves)
		}
		if len(tl.Media) != t.Segments {
			report(check, in.ManifestFile, "Track %s has %d segments; the manifest counts %d.", t.ID, len(tl.Media), t.Segments)
		}
		for i, l := range tl.Media {
			if l.Index != i {
				report(check, in.ManifestFile, "Track %s has no segment %d, or has it twice.", t.ID, i)
				break
			}
		}
		if len(tl.Ledgers) != t.Ledgers {
			report(check, in.ManifestFile, "The ledger of track %s has %d pages; the manifest counts %d.", t.ID, len(tl.Ledgers), t.Ledgers)
		}
		for i, l := range tl.Ledgers {
			if l.Index != i+1 {
				report(check, in.ManifestFile, "The ledger of track %s has no page %d, or has it twice.", t.ID, i+1)
				break
			}
		}
	}
	if out.Of(check) == "" {
		out.Add(check, Holds, in.ManifestFile, "Every leaf belongs to this recording, and no segment number is missing or there twice.")
	}
}

// checkTimes asks whether the segments of each track follow one another, lie in
// their parts, and have the interview times that the anchors give.
func checkTimes(in RecordingInput, m evidence.Manifest, leaves []evidence.Leaf, out *Findings) {
	const check = "recording.times"
	report := limited(out)
	byTrack := ByTrack(leaves)
	for _, t := range m.Tracks {
		tl := byTrack[t.ID]
		if tl == nil {
			continue
		}
		for i, l := range tl.Media {
			if l.Part > len(m.Parts) {
				continue // reported among the leaves
			}
			part := m.Parts[l.Part-1]
			if l.Start < part.Start || l.End > part.End {
				report(check, in.ManifestFile, "Segment %d of track %s lies outside part %d.", l.Index, t.ID, l.Part)
			}
			if !anchored(t, l) {
				report(check, in.ManifestFile, "Segment %d of track %s has not the time that its decode time gives.", l.Index, t.ID)
			}
			if i == 0 {
				continue
			}
			before := tl.Media[i-1]
			switch {
			case l.Part < before.Part || l.Init < before.Init:
				report(check, in.ManifestFile, "Segment %d of track %s goes back to an earlier part or init.", l.Index, t.ID)
			case l.Start < before.End-rounding:
				report(check, in.ManifestFile, "Segment %d of track %s begins before the one before it ends.", l.Index, t.ID)
			case l.Part == before.Part && !follows(before, l):
				report(check, in.ManifestFile, "Segment %d of track %s is decoded before the one before it ends.", l.Index, t.ID)
			}
		}
	}
	if out.Of(check) == "" {
		out.Add(check, Holds, in.ManifestFile, "The segments follow one another and have the times that the sealed anchors give.")
	}
}

func follows(before, l evidence.Leaf) bool {
	a, _ := decodeTime(before.DecodeTime)
	b, _ := decodeTime(l.DecodeTime)
	return b >= a && b-a >= uint64(before.Duration)
}

// anchored reports whether the leaf's start and end are those that the track's
// anchors give for its decode time, within the anchor's uncertainty and slack.
func anchored(t evidence.ManifestTrack, l evidence.Leaf) bool {
	at, _ := decodeTime(l.DecodeTime)
	var anchor *evidence.Anchor
	var from uint64
	for i := range t.Anchors {
		a := &t.Anchors[i]
		dt, _ := decodeTime(a.DecodeTime)
		if a.Part == l.Part && (anchor == nil || dt <= at && dt >= from) {
			anchor, from = a, dt
		}
	}
	if anchor == nil {
		return false
	}
	near := func(decode *big.Int, got evidence.Offset) bool {
		// at + (decode-from) / timescale, in microseconds
		us := new(big.Int).Sub(decode, new(big.Int).SetUint64(from))
		us.Mul(us, big.NewInt(1_000_000))
		us.Div(us, big.NewInt(t.Timescale))
		us.Add(us, big.NewInt(int64(anchor.At)))
		us.Sub(us, big.NewInt(int64(got)))
		return us.CmpAbs(big.NewInt(anchor.Uncertainty+slack)) <= 0
	}
	start := new(big.Int).SetUint64(at)
	return near(start, l.Start) && near(new(big.Int).Add(start, big.NewInt(l.Duration)), l.End)
}

// checkGaps asks whether every hole between two segments of a part is a gap that
// the manifest names.
func checkGaps(in RecordingInput, m evidence.Manifest, leaves []evidence.Leaf, out *Findings) {
	const check = "recording.gaps"
	report := limited(out)
	gaps := map[evidence.ID][]evidence.Gap{}
	for _, g := range m.Gaps {
		gaps[g.Track] = append(gaps[g.Track], g)
	}
	byTrack := ByTrack(leaves)
	for _, t := range m.Tracks {
		tl := byTrack[t.ID]
		if tl == nil || t.Replaces != "" { // a track of replacements is nothing but stretches
			continue
		}
		for i, l := range tl.Media {
			if i == 0 || l.Part != tl.Media[i-1].Part || l.Start-tl.Media[i-1].End <= holeAllowed {
				continue
			}
			hole := evidence.Range{From: tl.Media[i-1].End, Until: l.Start}
			if !slices.ContainsFunc(gaps[t.ID], func(g evidence.Gap) bool {
				return hole.Overlaps(evidence.Range{From: g.Start, Until: max(g.End, g.Start+1)})
			}) {
				report(check, in.ManifestFile, "Track %s has a hole before segment %d that the manifest does not name.", t.ID, l.Index)
			}
		}
	}
	if out.Of(check) == "" {
		out.Add(check, Holds, in.ManifestFile, "What is missing between segments is named: %d gaps.", len(m.Gaps))
	}
}

// limited returns a reporter of failures that stops after 20 of a check, so that
// a hostile package cannot fill the report.
func limited(out *Findings) func(check, file, format string, args ...any) {
	n := 0
	return func(check, file, format string, args ...any) {
		if n++; n <= 20 {
			out.Add(check, Fails, file, format, args...)
		}
	}
}
