package clip

import (
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/toldonce/toldonce/evidence"
)

// TypeClip is the type that a clip's description names; its version is 1.
const TypeClip = "toldonce/clip"

// MaxTracks and MaxGaps bound what a description is read with.
const (
	MaxTracks = 64
	MaxGaps   = 10_000
)

// Document describes a clip: what was asked for, and what it truly holds.
type Document struct {
	Type      string      `json:"type"`    // TypeClip
	Version   int         `json:"version"` // 1
	Recording evidence.ID `json:"recording"`
	Interview evidence.ID `json:"interview"`
	// Requested is the range that was asked for, Actual what the segments span,
	// both in interview time. Segments are never cut, so they differ.
	Requested evidence.Range `json:"requested"`
	Actual    evidence.Range `json:"actual"`
	// Outward: segments that Requested only touches are in the clip. Otherwise
	// every segment of it lies inside Requested.
	Outward bool `json:"outward"`
	// Manifest is the SHA-256 of the recording's manifest, which the seal signs
	// and the clip does not hold. Tree is its tree, as the seal's statement says.
	Manifest string `json:"manifest"`
	Tree     Tree   `json:"tree"`
	// Tracks are in the order of the recording; each has at least one segment.
	Tracks []Track `json:"tracks"`
	// Gaps are the recording's gaps that touch Actual, of these tracks.
	Gaps []evidence.Gap `json:"gaps"`
}

// Tree is the head of the recording's tree.
type Tree struct {
	Size int64  `json:"size"`
	Root string `json:"root"` // lower-case hex
}

// Track is what a clip holds of one track.
type Track struct {
	ID        evidence.ID        `json:"id"`
	Source    evidence.ID        `json:"source"`
	Name      string             `json:"name"` // of the source; names no person
	Role      string             `json:"role"`
	Kind      evidence.TrackKind `json:"kind"`
	Codec     string             `json:"codec"` // RFC 6381
	Timescale int64              `json:"timescale"`
	// First and Last are the indexes of the media segments, both inclusive.
	First int `json:"first"`
	Last  int `json:"last"`
	// Range is from the first segment's start to the last one's end.
	Range evidence.Range `json:"range"`
}

var (
	codeForm   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)
	digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
	codecForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$`)
)

// ParseDocument reads a clip's description strictly. It returns an error that
// wraps [evidence.ErrUnknownFormat] for another type or version and
// [evidence.ErrInvalid] for all else.
func ParseDocument(data []byte) (Document, error) {
	var d Document
	if len(data) > 4<<20 {
		return d, fmt.Errorf("%w: description of %d bytes", evidence.ErrInvalid, len(data))
	}
	var head struct {
		Type    string `json:"type"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return d, fmt.Errorf("%w: %v", evidence.ErrInvalid, err)
	}
	if head.Type != TypeClip || head.Version != 1 {
		return d, fmt.Errorf("%w: %.80q version %d", evidence.ErrUnknownFormat, head.Type, head.Version)
	}
	if err := evidence.DecodeCanonical(data, &d); err != nil {
		return Document{}, err
	}
	if err := d.check(); err != nil {
		return Document{}, fmt.Errorf("%w: %w", evidence.ErrInvalid, err)
	}
	return d, nil
}

func (d Document) check() error {
	for name, id := range map[string]evidence.ID{"recording": d.Recording, "interview": d.Interview} {
		if _, err := evidence.ParseID(string(id)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	switch {
	case !d.Requested.Valid() || !d.Actual.Valid():
		return fmt.Errorf("a range is empty")
	case !digestForm.MatchString(d.Manifest) || !digestForm.MatchString(d.Tree.Root) || d.Tree.Size < 1 || d.Tree.Size > evidence.MaxInteger:
		return fmt.Errorf("the sealed tree is not described")
	case len(d.Tracks) == 0 || len(d.Tracks) > MaxTracks || d.Gaps == nil || len(d.Gaps) > MaxGaps:
		return fmt.Errorf("it has %d tracks and %d gaps", len(d.Tracks), len(d.Gaps))
	case !d.Outward && !d.Requested.Contains(d.Actual):
		return fmt.Errorf("it holds more than was asked for, although it was cut inward")
	}
	tracks := map[evidence.ID]bool{}
	span := d.Tracks[0].Range
	for i, t := range d.Tracks {
		if _, err := evidence.ParseID(string(t.ID)); err != nil || tracks[t.ID] {
			return fmt.Errorf("track %d has no id of its own", i)
		}
		tracks[t.ID] = true
		if _, err := evidence.ParseID(string(t.Source)); err != nil {
			return fmt.Errorf("track %d is of no source", i)
		}
		switch {
		case !codeForm.MatchString(t.Name) || !codeForm.MatchString(t.Role) || !codecForm.MatchString(t.Codec):
			return fmt.Errorf("track %d has no name, role or codec", i)
		case t.Kind != evidence.Audio && t.Kind != evidence.Video:
			return fmt.Errorf("track %d is neither sound nor picture", i)
		case t.Timescale < 1 || t.Timescale > 1e9 || t.First < 0 || t.Last < t.First || !t.Range.Valid():
			return fmt.Errorf("track %d is incomplete", i)
		}
		span.From, span.Until = min(span.From, t.Range.From), max(span.Until, t.Range.Until)
	}
	if span != d.Actual {
		return fmt.Errorf("its true bounds are not those of its tracks")
	}
	for i, g := range d.Gaps {
		if !tracks[g.Track] || g.Start < 0 || g.End < g.Start || !codeForm.MatchString(g.Cause) || g.Frames < -1 {
			return fmt.Errorf("gap %d is malformed", i)
		}
	}
	return nil
}
