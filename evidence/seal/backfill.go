package seal

import (
	"encoding/hex"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/claims"
)

// versionNeeded is the lowest version of which a manifest's fields are.
func versionNeeded(m evidence.Manifest) int {
	if len(m.Replacements) > 0 {
		return 2
	}
	for _, s := range m.Sources {
		if len(s.Keys) > 0 || len(s.Files) > 0 || s.SourceManifest == evidence.SourceManifestIncomplete || s.SourceManifest == evidence.SourceManifestMismatched {
			return 2
		}
	}
	for _, t := range m.Tracks {
		if t.Replaces != "" || len(t.Ranges) > 0 {
			return 2
		}
	}
	return 1
}

func checkSourceManifest(m evidence.Manifest, s evidence.ManifestSource) error {
	switch s.SourceManifest {
	case evidence.SourceManifestNone, evidence.SourceManifestVerified:
	case evidence.SourceManifestIncomplete, evidence.SourceManifestMismatched:
		if m.Version < 2 {
			return fmt.Errorf("sourceManifest %q in a manifest of version %d", clip(s.SourceManifest), m.Version)
		}
	default:
		return fmt.Errorf("sourceManifest %q", clip(s.SourceManifest))
	}
	for _, k := range s.Keys {
		der, err := hex.DecodeString(k.Public)
		if err == nil {
			_, err = claims.PublicKey(der)
		}
		if err != nil || hex.EncodeToString(der) != k.Public {
			return fmt.Errorf("a device key is malformed")
		}
		if _, err := evidence.ParseID(string(k.Device)); err != nil {
			return fmt.Errorf("a device has no id")
		}
	}
	for i, f := range s.Files {
		if f.Source != s.ID || f.Number != i || f.Batches < 1 || f.Frames < 1 ||
			!digestPattern.MatchString(f.Plain.SHA256) || !digestPattern.MatchString(f.Cipher.SHA256) || f.Plain.Size < 1 || f.Cipher.Size < 1 {
			return fmt.Errorf("file %d of its source manifest is malformed", i)
		}
	}
	if m.Version >= 2 && s.SourceManifest != evidence.SourceManifestNone && (len(s.Keys) == 0 || len(s.Files) == 0) {
		return fmt.Errorf("its source manifest is named but not listed")
	}
	return nil
}

// checkBackfill checks what version 2 says of tracks and replacements.
func checkBackfill(m evidence.Manifest) error {
	if need := versionNeeded(m); need > m.Version {
		return fmt.Errorf("it has fields of version %d", need)
	}
	tracks := map[evidence.ID]evidence.ManifestTrack{}
	for _, t := range m.Tracks {
		tracks[t.ID] = t
	}
	for i, t := range m.Tracks {
		if t.Replaces != "" {
			of, ok := tracks[t.Replaces]
			if !ok || of.Replaces != "" || of.Source != t.Source || of.Kind != t.Kind || of.Timescale != t.Timescale || len(t.Ranges) > 0 {
				return fmt.Errorf("track %d replaces something that it cannot stand for", i)
			}
		}
		for _, r := range t.Ranges {
			switch r.State {
			case evidence.FramesLive, evidence.FramesBackfilled, evidence.FramesMissing, evidence.FramesMismatched, evidence.FramesUnclaimed:
			default:
				return fmt.Errorf("track %d has frames that are %q", i, clip(r.State))
			}
			from, ok := decodeTime(r.From)
			to, also := decodeTime(r.To)
			if _, err := evidence.ParseID(string(r.Session)); err != nil || !ok || !also || to < from || r.Frames < 1 {
				return fmt.Errorf("track %d has a malformed range of frames", i)
			}
		}
	}
	for i, r := range m.Replacements {
		by, ok := tracks[r.By]
		if !ok || by.Replaces != r.Track || r.Track == "" || r.First < 0 || r.Last < r.First || r.Start < 0 || r.End <= r.Start {
			return fmt.Errorf("replacement %d is malformed", i)
		}
	}
	return nil
}

// checkReplacements asks whether it is clear at each moment which segment plays:
// the segments of a replacement are there and fill it, no segment of the original
// crosses its bounds, and each segment of a track of replacements is of one.
func checkReplacements(in RecordingInput, m evidence.Manifest, leaves []evidence.Leaf, out *Findings) {
	const check = "recording.replacements"
	if m.Version < 2 {
		return
	}
	report := limited(out)
	byTrack := ByTrack(leaves)
	media := func(track evidence.ID) []evidence.Leaf {
		if tl := byTrack[track]; tl != nil {
			return tl.Media
		}
		return nil
	}
	used := map[evidence.ID]int{}
	for i, r := range m.Replacements {
		by := media(r.By)
		if r.Last >= len(by) || by[r.First].Start != r.Start || by[r.Last].End != r.End || r.First != used[r.By] {
			report(check, in.ManifestFile, "Replacement %d does not consist of the segments that it names.", i)
			continue
		}
		used[r.By] = r.Last + 1
		for j := r.First + 1; j <= r.Last; j++ {
			if by[j].Start-by[j-1].End > holeAllowed {
				report(check, in.ManifestFile, "Replacement %d has a hole before its segment %d.", i, j)
			}
		}
		span := evidence.Range{From: r.Start, Until: r.End}
		for _, l := range media(r.Track) {
			if l.Start < span.Until-holeAllowed && l.End > span.From+holeAllowed && (l.Start < span.From-holeAllowed || l.End > span.Until+holeAllowed) {
				report(check, in.ManifestFile, "Segment %d of track %s lies across the bounds of replacement %d.", l.Index, r.Track, i)
			}
		}
	}
	for _, t := range m.Tracks {
		if t.Replaces != "" && used[t.ID] != len(media(t.ID)) {
			report(check, in.ManifestFile, "Track %s holds segments that are of no replacement.", t.ID)
		}
	}
	if out.Of(check) == "" {
		out.Add(check, Holds, in.ManifestFile, "It is clear which segment plays at each moment: %d replacements.", len(m.Replacements))
	}
}

// checkAccounts says what the sources' own accounts of their frames come to, as the
// manifest has it.
func checkAccounts(in RecordingInput, m evidence.Manifest, out *Findings) {
	const check = "recording.sources"
	for _, s := range m.Sources {
		counts := map[string]int64{}
		for _, t := range m.Tracks {
			if t.Source != s.ID {
				continue
			}
			for _, r := range t.Ranges {
				counts[r.State] += r.Frames
			}
		}
		detail := fmt.Sprintf("%d received live, %d back-filled, %d missing, %d mismatched, %d unclaimed", counts[evidence.FramesLive],
			counts[evidence.FramesBackfilled], counts[evidence.FramesMissing], counts[evidence.FramesMismatched], counts[evidence.FramesUnclaimed])
		switch s.SourceManifest {
		case evidence.SourceManifestNone:
			out.Add(check, Holds, in.ManifestFile, "Source %s did not account for its frames.", s.Name)
		case evidence.SourceManifestMismatched:
			out.Add(check, Fails, in.ManifestFile, "Source %s signed other frames than were recorded: %s.", s.Name, detail)
		default:
			out.Add(check, Holds, in.ManifestFile, "Source %s accounted for its frames: %s.", s.Name, detail)
		}
	}
}
