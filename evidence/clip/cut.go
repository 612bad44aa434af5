package clip

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/toldonce/toldonce/evidence"
)

// ErrNothing says that no whole segment lies where the clip was asked for.
var ErrNothing = errors.New("no whole segment lies there")

// Recording lends what a cut needs of a sealed recording. Safe for concurrent use.
type Recording interface {
	// SegmentsOfTrack returns the media segments of a track that touch the range,
	// by index.
	SegmentsOfTrack(ctx context.Context, track evidence.ID, r evidence.Range) ([]evidence.Segment, error)
	// SegmentAt returns the initialisation segment of a track with a number, or a
	// media segment with an index.
	SegmentAt(ctx context.Context, track evidence.ID, kind evidence.LeafKind, index int) (evidence.Segment, error)
	Nodes
}

// Asked says what to cut.
type Asked struct {
	Range   evidence.Range
	Outward bool
	// Allowed bounds what may be in the clip: indexes by track, inclusive. Tracks
	// that it lacks are left out. nil allows everything.
	Allowed map[evidence.ID]Bounds
	// Source leaves out every track but those of one source; empty takes all.
	Source evidence.ID
}

// Bounds are the first and last index of media segments, both inclusive.
type Bounds struct{ First, Last int }

// Clip is what was cut.
type Clip struct {
	Document Document
	// Pieces are the segments, inits included, by position in the tree.
	Pieces []Piece
}

// Piece is one segment with the proof that it stands in the sealed tree.
type Piece struct {
	Segment evidence.Segment
	Path    []string // lower-case hex
}

// Cut takes the whole segments of a recording that lie in a range, and proves
// each. It reads those segments' leaves, the pages that they stand in and a
// logarithmic number of inner nodes of the tree: the work grows with the clip, not
// with the recording. manifest is the sealed one's canonical bytes, m what they
// say. It returns an error that wraps [ErrNothing] if nothing fits.
func Cut(ctx context.Context, manifest []byte, m evidence.Manifest, rec Recording, asked Asked) (Clip, error) {
	sum := sha256.Sum256(manifest)
	c := Clip{Document: Document{
		Type: TypeClip, Version: 1, Recording: m.Recording, Interview: m.Interview, Requested: asked.Range, Outward: asked.Outward,
		Manifest: hex.EncodeToString(sum[:]), Tree: Tree{Size: m.Tree.Size, Root: m.Tree.Root}, Tracks: []Track{}, Gaps: []evidence.Gap{},
	}}
	sources := map[evidence.ID]evidence.ManifestSource{}
	for _, s := range m.Sources {
		sources[s.ID] = s
	}
	var segments []evidence.Segment
	for _, t := range m.Tracks {
		if asked.Source != "" && t.Source != asked.Source {
			continue
		}
		taken, err := cutTrack(ctx, rec, t.ID, asked)
		if err != nil {
			return Clip{}, fmt.Errorf("cutting track %s: %w", t.ID, err)
		}
		if len(taken) == 0 {
			continue
		}
		first, last := taken[0].Leaf, taken[len(taken)-1].Leaf
		s := sources[t.Source]
		track := Track{ID: t.ID, Source: t.Source, Name: s.Name, Role: s.Role, Kind: t.Kind, Codec: t.Codec, Timescale: t.Timescale,
			First: first.Index, Last: last.Index, Range: evidence.Range{From: first.Start, Until: last.End}}
		c.Document.Tracks = append(c.Document.Tracks, track)
		for n := first.Init; n <= last.Init; n++ {
			if !slices.ContainsFunc(taken, func(s evidence.Segment) bool { return s.Leaf.Init == n }) {
				continue
			}
			init, err := rec.SegmentAt(ctx, t.ID, evidence.LeafInit, n)
			if err != nil {
				return Clip{}, err
			}
			segments = append(segments, init)
		}
		segments = append(segments, taken...)
	}
	if len(c.Document.Tracks) == 0 {
		return Clip{}, ErrNothing
	}
	c.Document.Actual = c.Document.Tracks[0].Range
	for _, t := range c.Document.Tracks {
		c.Document.Actual.From, c.Document.Actual.Until = min(c.Document.Actual.From, t.Range.From), max(c.Document.Actual.Until, t.Range.Until)
	}
	for _, g := range m.Gaps {
		for _, t := range c.Document.Tracks {
			// What lies outside the track's own bounds is not the recipient's business.
			if g.Track == t.ID && g.Start < t.Range.Until && g.End > t.Range.From {
				g.Start, g.End = max(g.Start, t.Range.From), min(g.End, t.Range.Until)
				c.Document.Gaps = append(c.Document.Gaps, g)
			}
		}
	}
	if err := c.Document.check(); err != nil {
		return Clip{}, fmt.Errorf("%w: %w", evidence.ErrInvalid, err)
	}
	slices.SortFunc(segments, func(a, b evidence.Segment) int { return int(a.Position - b.Position) })
	prover := newProver(rec, m.Recording, m.Tree.Size)
	for _, s := range segments {
		path, err := prover.prove(ctx, s)
		if err != nil {
			return Clip{}, fmt.Errorf("proving segment %d of recording %s: %w", s.Position, m.Recording, err)
		}
		c.Pieces = append(c.Pieces, Piece{Segment: s, Path: path})
	}
	return c, nil
}

// cutTrack returns the media segments of one track, by index.
func cutTrack(ctx context.Context, rec Recording, track evidence.ID, asked Asked) ([]evidence.Segment, error) {
	all, err := rec.SegmentsOfTrack(ctx, track, asked.Range)
	if err != nil {
		return nil, err
	}
	if asked.Outward && len(all) > 0 {
		// What the first one is decoded with comes before the range.
		for !all[0].Leaf.Independent && all[0].Leaf.Index > 0 {
			before, err := rec.SegmentAt(ctx, track, evidence.LeafMedia, all[0].Leaf.Index-1)
			if err != nil {
				return nil, err
			}
			all = slices.Insert(all, 0, before)
		}
	}
	if asked.Allowed != nil {
		b, ok := asked.Allowed[track]
		if !ok {
			return nil, nil
		}
		all = slices.DeleteFunc(all, func(s evidence.Segment) bool { return s.Leaf.Index < b.First || s.Leaf.Index > b.Last })
	}
	leaves := make([]evidence.Leaf, len(all))
	for i, s := range all {
		leaves[i] = s.Leaf
	}
	first, last, ok := evidence.WholeSegments(leaves, asked.Range, asked.Outward)
	if !ok {
		return nil, nil
	}
	return slices.DeleteFunc(all, func(s evidence.Segment) bool { return s.Leaf.Index < first || s.Leaf.Index > last }), nil
}
