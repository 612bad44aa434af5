package seal

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/toldonce/toldonce/evidence"
)

// maxManifest bounds a manifest file in bytes: a day of events and gaps is less.
const maxManifest = 64 << 20

var (
	codePattern   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)
	digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
	codecPattern  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$`)
	decodePattern = regexp.MustCompile(`^(0|[1-9a-f][0-9a-f]{0,15})$`)
)

// ParseManifest reads a manifest strictly: the canonical encoding, every field in
// its form, every reference to something that is there. It returns an error that
// wraps [evidence.ErrUnknownFormat] for another type or version and [evidence.ErrInvalid]
// for all else.
func ParseManifest(data []byte) (evidence.Manifest, error) {
	var m evidence.Manifest
	if len(data) > maxManifest {
		return m, fmt.Errorf("%w: manifest of %d bytes", evidence.ErrInvalid, len(data))
	}
	if err := checkVersion(data, evidence.TypeManifest, 1, 2); err != nil {
		return m, err
	}
	if err := evidence.DecodeCanonical(data, &m); err != nil {
		return evidence.Manifest{}, err
	}
	if err := checkManifest(m); err != nil {
		return evidence.Manifest{}, fmt.Errorf("%w: %w", evidence.ErrInvalid, err)
	}
	return m, nil
}

func checkVersion(data []byte, kind string, versions ...int) error {
	var head struct {
		Type    string `json:"type"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return fmt.Errorf("%w: %v", evidence.ErrInvalid, err)
	}
	if head.Type != kind || !slices.Contains(versions, head.Version) {
		return fmt.Errorf("%w: %q version %d", evidence.ErrUnknownFormat, clip(head.Type), head.Version)
	}
	return nil
}

func checkManifest(m evidence.Manifest) error {
	for name, id := range map[string]evidence.ID{"recording": m.Recording, "interview": m.Interview, "case": m.Case, "agency": m.Agency, "room": m.Room} {
		if _, err := evidence.ParseID(string(id)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	switch {
	case m.Sources == nil || m.Tracks == nil || m.Parts == nil || m.Events == nil || m.Gaps == nil || m.Tree.Pages == nil:
		return fmt.Errorf("a list is null; an empty one is []")
	case !digestPattern.MatchString(string(m.CaseReference)):
		return fmt.Errorf("caseReference is not a commitment")
	case m.StartedAt <= 0 || m.StoppedAt < m.StartedAt:
		return fmt.Errorf("it stopped before it started")
	case m.TimeZone == "" || m.Clock.Source == "" || m.Clock.Uncertainty < -1:
		return fmt.Errorf("the clock is not described")
	case m.Encryption.Scheme == "" || m.Encryption.Recipient == "":
		return fmt.Errorf("the encryption is not described")
	case m.Software == "":
		return fmt.Errorf("the software is not named")
	}
	if err := checkHead(m.Tree); err != nil {
		return err
	}
	if err := checkSources(m); err != nil {
		return err
	}
	if m.Version < 2 && onlySince2(m) {
		return fmt.Errorf("a field of version 2 in a manifest of version 1")
	}
	return checkTimeline(m)
}

// onlySince2 reports whether the manifest has a field that version 1 does not know.
func onlySince2(m evidence.Manifest) bool {
	return slices.ContainsFunc(m.Tracks, func(t evidence.ManifestTrack) bool {
		return t.Ledgers != 0 || t.Packets.Reordered != 0 || t.Packets.Late != 0 || t.Frames.Uncertain != 0
	}) || slices.ContainsFunc(m.Gaps, func(g evidence.Gap) bool { return g.Uncertain != 0 || g.Ledger != 0 })
}

func checkHead(t evidence.Tree) error {
	if t.Size < 0 || t.Size > MaxLeaves {
		return fmt.Errorf("a tree of %d leaves; at most %d are read", t.Size, MaxLeaves)
	}
	if want := (t.Size + evidence.PageSize - 1) / evidence.PageSize; int64(len(t.Pages)) != want {
		return fmt.Errorf("%d pages for %d leaves", len(t.Pages), t.Size)
	}
	for _, sum := range append([]string{t.Root}, t.Pages...) {
		if !digestPattern.MatchString(sum) {
			return fmt.Errorf("the tree's head holds something that is no digest")
		}
	}
	return nil
}

func checkSources(m evidence.Manifest) error {
	sources, names := map[evidence.ID]bool{}, map[string]bool{}
	for i, s := range m.Sources {
		if _, err := evidence.ParseID(string(s.ID)); err != nil || sources[s.ID] {
			return fmt.Errorf("source %d has no id of its own", i)
		}
		if !codePattern.MatchString(s.Name) || !codePattern.MatchString(s.Role) || names[s.Name] {
			return fmt.Errorf("source %d has no name or role of its own", i)
		}
		if err := checkSourceManifest(m, s); err != nil {
			return fmt.Errorf("source %d: %w", i, err)
		}
		sources[s.ID], names[s.Name] = true, true
	}
	tracks, ledgers := map[evidence.ID]bool{}, map[evidence.ID]int{}
	for i, t := range m.Tracks {
		ledgers[t.ID] = t.Ledgers
		if _, err := evidence.ParseID(string(t.ID)); err != nil || tracks[t.ID] {
			return fmt.Errorf("track %d has no id of its own", i)
		}
		tracks[t.ID] = true
		switch {
		case !sources[t.Source]:
			return fmt.Errorf("track %d is of no source", i)
		case t.Kind != evidence.Audio && t.Kind != evidence.Video:
			return fmt.Errorf("track %d is neither sound nor picture", i)
		case !codecPattern.MatchString(t.Codec):
			return fmt.Errorf("track %d names no codec", i)
		case t.Timescale < 1 || t.Timescale > 1e9:
			return fmt.Errorf("track %d has timescale %d", i, t.Timescale)
		case t.Segments < 0 || t.Anchors == nil:
			return fmt.Errorf("track %d is incomplete", i)
		}
		for _, a := range t.Anchors {
			if !decodePattern.MatchString(a.DecodeTime) || a.At < 0 || a.Uncertainty < 0 || !codePattern.MatchString(a.Method) || a.Part < 1 || a.Part > len(m.Parts) {
				return fmt.Errorf("track %d has a malformed anchor", i)
			}
		}
		p, f := t.Packets, t.Frames
		if m.Version > 1 && f.Missing < 0 {
			return fmt.Errorf("track %d has a negative count", i)
		}
		for _, n := range []int64{p.Received, p.Recovered, p.Lost, p.Duplicate, p.Padding, p.Reordered, p.Late, f.Whole, f.Damaged, f.Missing + 1, f.Uncertain, int64(t.Ledgers)} {
			if n < 0 {
				return fmt.Errorf("track %d has a negative count", i)
			}
		}
	}
	if err := checkBackfill(m); err != nil {
		return err
	}
	for i, g := range m.Gaps {
		if !tracks[g.Track] || g.Start < 0 || g.End < g.Start || !codePattern.MatchString(g.Cause) || g.Frames < -1 || g.Uncertain < 0 || g.Ledger < 0 || g.Ledger > ledgers[g.Track] {
			return fmt.Errorf("gap %d is malformed", i)
		}
	}
	for i, e := range m.Events {
		switch {
		case !codePattern.MatchString(e.Kind) || e.Instant <= 0:
			return fmt.Errorf("event %d is malformed", i)
		case e.Source != "" && !sources[e.Source], e.Track != "" && !tracks[e.Track]:
			return fmt.Errorf("event %d is about something that is not there", i)
		case e.Note != "" && !digestPattern.MatchString(string(e.Note)):
			return fmt.Errorf("event %d: note is not a commitment", i)
		}
	}
	return nil
}

func checkTimeline(m evidence.Manifest) error {
	// Parts may overlap: one source reconnects while the others go on.
	var start evidence.Offset
	for i, p := range m.Parts {
		if p.Number != i+1 || p.Start < start || p.End < p.Start || !codePattern.MatchString(p.Cause) {
			return fmt.Errorf("part %d is out of sequence", i+1)
		}
		start = p.Start
	}
	return nil
}

// decodeTime reads a decode time: lower-case hex without prefix or leading zero.
func decodeTime(text string) (uint64, bool) {
	if !decodePattern.MatchString(text) {
		return 0, false
	}
	v, err := strconv.ParseUint(text, 16, 64)
	return v, err == nil
}
