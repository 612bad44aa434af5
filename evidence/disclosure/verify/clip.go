package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/seal"
)

// readClip judges a clip: its description, the seal of the recording that it is
// from, its leaves, and the proof of each.
func (e *examination) readClip() {
	const check = "clip.form"
	document, ok1 := e.small(check, disclosure.ClipFile)
	bundle, ok2 := e.small("recording.bundle", disclosure.RecordingSeal+".sigstore.json")
	statement, ok3 := e.small("recording.statement", disclosure.StatementFile)
	leaves, ok4 := e.small("clip.leaves", disclosure.ClipLeavesFile)
	proofs, ok5 := e.small("clip.inclusion", disclosure.ClipProofsFile)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 {
		return
	}
	d, err := clip.ParseDocument(document)
	switch {
	case errors.Is(err, evidence.ErrUnknownFormat):
		e.add(check, seal.CannotJudge, disclosure.ClipFile, "The clip's description is of another type or version: %v.", err)
		return
	case err != nil:
		e.add(check, seal.Fails, disclosure.ClipFile, "The clip's description cannot be accepted: %v.", err)
		return
	}
	e.add(check, seal.Holds, disclosure.ClipFile, "The clip's description is in its canonical form and complete.")
	e.manifest = d.Manifest
	sealed, ok := e.recordingSeal(d, bundle, statement)
	if !ok {
		return
	}
	e.identify(subject{d.Recording, d.Interview}, sealed)
	e.report.Clip = &ClipSpan{Requested: d.Requested, Actual: d.Actual, TreeSize: d.Tree.Size}
	placed, whole := e.clipLeaves(d, leaves, proofs)
	if !whole {
		return
	}
	e.clipBounds(d, placed)
	media, err := disclosure.ClipFiles(d, placed)
	if err != nil {
		e.add("media.files", seal.Fails, disclosure.ClipFile, "The leaves do not make up media files: %v.", err)
		return
	}
	e.leaves = map[int64]evidence.Leaf{}
	for _, p := range placed {
		e.leaves[p.Position] = p.Leaf
	}
	e.media, e.planned = media, true
}

// recordingSeal judges the seal of the recording that a clip is from, by the digest
// of a manifest that the clip does not hold.
func (e *examination) recordingSeal(d clip.Document, bundle, statement []byte) (seal.Sealed, bool) {
	file := disclosure.RecordingSeal + ".sigstore.json"
	var digest [sha256.Size]byte
	raw, err := hex.DecodeString(d.Manifest)
	if err != nil || copy(digest[:], raw) != len(digest) {
		return seal.Sealed{}, false // its form was checked
	}
	sealed, findings := seal.CheckBundle(seal.BundleInput{
		Check: "recording", File: file, Bundle: bundle, Subject: seal.ManifestName, SubjectFile: disclosure.ClipFile, Digest: digest, Trust: e.trust, Claimed: e.claimed,
	})
	e.report.Findings = append(e.report.Findings, findings...)
	if sealed.Bundle == nil {
		return sealed, false
	}
	e.parts("recording.parts", disclosure.RecordingSeal, sealed)
	e.renewals(bundle)
	if string(sealed.Statement) != string(statement) {
		e.add("recording.statement", seal.Fails, disclosure.StatementFile, "The file is not the statement that was signed.")
	}
	const check = "recording.outline"
	var head seal.FileStatement[struct {
		Version int `json:"version"`
	}]
	if err := json.Unmarshal(sealed.Statement, &head); err != nil || head.PredicateType != evidence.PredicateRecording || head.Predicate.Version != 1 {
		e.add(check, seal.CannotJudge, file, "The signed outline is of the unknown type %q version %d.", shown(head.PredicateType), head.Predicate.Version)
		return sealed, true
	}
	var st evidence.Statement
	if err := evidence.DecodeCanonical(sealed.Statement, &st); err != nil {
		e.add(check, seal.Fails, file, "The signed outline cannot be read: %v.", err)
		return sealed, true
	}
	if o := st.Predicate; o.Recording != d.Recording || o.Interview != d.Interview || o.TreeSize != d.Tree.Size || o.TreeRoot != d.Tree.Root {
		e.add(check, seal.Fails, file, "The clip speaks of another recording or tree than the one that was sealed.")
		return sealed, true
	}
	e.add(check, seal.Holds, file, "The seal is of the recording and of the tree that the clip speaks of.")
	return sealed, true
}

// clipLeaves reads the leaves and checks each against the sealed root. whole says
// that all of them could be read.
func (e *examination) clipLeaves(d clip.Document, leaves, proofs []byte) (placed []disclosure.Placed, whole bool) {
	const check, file = "clip.leaves", disclosure.ClipLeavesFile
	lines, err := splitLines(leaves)
	if err != nil {
		e.add(check, seal.Fails, file, "The file %v.", err)
		return nil, false
	}
	paths, err := splitLines(proofs)
	if err != nil {
		e.add("clip.inclusion", seal.Fails, disclosure.ClipProofsFile, "The file %v.", err)
		return nil, false
	}
	if len(paths) != len(lines) {
		e.add("clip.inclusion", seal.Fails, disclosure.ClipProofsFile, "There are %d proofs for %d leaves.", len(paths), len(lines))
		return nil, false
	}
	whole = true
	last, bad := int64(-1), 0
	salts := map[string]bool{}
	for i, line := range lines {
		l, err := seal.ParseLeaf(line)
		switch {
		case errors.Is(err, evidence.ErrUnknownFormat):
			e.add(check, seal.CannotJudge, file, "Leaf %d is of another type or version: %v.", i, err)
			whole = false
		case err != nil:
			e.add(check, seal.Fails, file, "Leaf %d cannot be accepted: %v.", i, err)
			whole = false
		case l.Recording != d.Recording:
			e.add(check, seal.Fails, file, "Leaf %d is of another recording.", i)
			whole = false
		case salts[l.Salt]:
			e.add(check, seal.Fails, file, "Leaf %d has the salt of another.", i)
			whole = false
		}
		salts[l.Salt] = true
		var p disclosure.ClipProof
		if err := evidence.DecodeCanonical(paths[i], &p); err != nil || p.Path == nil || p.Position <= last {
			e.add("clip.inclusion", seal.Fails, disclosure.ClipProofsFile, "Proof %d is malformed or out of order.", i)
			return nil, false
		}
		last = p.Position
		if err := seal.CheckInclusion(p.Path, d.Tree.Size, d.Tree.Root, p.Position, line); err != nil {
			e.add("clip.inclusion", seal.Fails, disclosure.ClipProofsFile, "Leaf %d does not stand at position %d of the sealed tree: it was changed, or its proof was.", i, p.Position)
			bad++
		}
		placed = append(placed, disclosure.Placed{Leaf: l, Position: p.Position})
		if bad == maxReported {
			break
		}
	}
	if bad == 0 && whole {
		e.add("clip.inclusion", seal.Holds, disclosure.ClipProofsFile, "Each of the %d segments stands in the tree of %d that was sealed.", len(lines), d.Tree.Size)
	}
	return placed, whole && bad == 0
}

// clipBounds asks whether the description tells the truth about the leaves: which
// tracks, from where to where, in one stretch.
func (e *examination) clipBounds(d clip.Document, placed []disclosure.Placed) {
	const file = disclosure.ClipFile
	before := len(e.report.Findings)
	tracks := map[evidence.ID][]evidence.Leaf{}
	inits := map[evidence.ID]map[int]bool{}
	for _, p := range placed {
		if p.Leaf.Kind == evidence.LeafInit {
			if inits[p.Leaf.Track] == nil {
				inits[p.Leaf.Track] = map[int]bool{}
			}
			inits[p.Leaf.Track][p.Leaf.Init] = true
			continue
		}
		tracks[p.Leaf.Track] = append(tracks[p.Leaf.Track], p.Leaf)
	}
	known := 0
	for _, t := range d.Tracks {
		leaves := tracks[t.ID]
		known += len(leaves) + len(inits[t.ID])
		e.clipTrack(d, t, leaves, inits[t.ID])
	}
	if known != len(placed) {
		e.add("clip.leaves", seal.Fails, file, "There are segments of tracks that the clip's description does not name.")
	}
	if len(e.report.Findings) > before {
		return
	}
	e.add("clip.leaves", seal.Holds, file, "Between the first and the last segment of each track none is missing.")
	e.add("clip.bounds", seal.Holds, file, "Asked for: %s to %s. Truly inside: %s to %s, as whole segments.",
		offset(d.Requested.From), offset(d.Requested.Until), offset(d.Actual.From), offset(d.Actual.Until))
	e.add("clip.times", seal.Holds, file, "The segments follow one another, and every hole between them is named.")
}

func (e *examination) clipTrack(d clip.Document, t clip.Track, leaves []evidence.Leaf, inits map[int]bool) {
	const file = disclosure.ClipFile
	if len(leaves) != t.Last-t.First+1 {
		e.add("clip.leaves", seal.Fails, file, "Track %s has %d segments; the description says %d.", t.ID, len(leaves), t.Last-t.First+1)
		return
	}
	for i, l := range leaves {
		if l.Index != t.First+i {
			e.add("clip.leaves", seal.Fails, file, "Segment %d of track %s is missing, or there twice.", t.First+i, t.ID)
			return
		}
		if !inits[l.Init] {
			e.add("clip.leaves", seal.Fails, file, "Segment %d of track %s lacks its init.", l.Index, t.ID)
			return
		}
		if i > 0 {
			e.clipStep(d, t, leaves[i-1], l)
		}
	}
	if span := (evidence.Range{From: leaves[0].Start, Until: leaves[len(leaves)-1].End}); span != t.Range {
		e.add("clip.bounds", seal.Fails, file, "Track %s truly goes from %s to %s; the description says otherwise.", t.ID, offset(span.From), offset(span.Until))
	}
	if !leaves[0].Independent {
		e.add("clip.bounds", seal.Fails, file, "Track %s begins with a segment that cannot be decoded by itself.", t.ID)
	}
}

// sameClock is how far, in microseconds, the interview time of two segments may
// differ from what their decode times say: an anchor's drift.
const sameClock = 40_000

// clipStep compares two segments that follow one another.
func (e *examination) clipStep(d clip.Document, t clip.Track, a, b evidence.Leaf) {
	const file = disclosure.ClipFile
	from, err1 := strconv.ParseUint(a.DecodeTime, 16, 64)
	to, err2 := strconv.ParseUint(b.DecodeTime, 16, 64)
	if err1 != nil || err2 != nil || b.Start < a.End-sameClock || b.Part < a.Part || b.Part == a.Part && to < from+uint64(a.Duration) {
		e.add("clip.times", seal.Fails, file, "Segment %d of track %s does not follow the one before it.", b.Index, t.ID)
		return
	}
	if b.Part != a.Part || b.Start <= a.End+sameClock {
		return
	}
	for _, g := range d.Gaps {
		if g.Track == t.ID && g.Start < b.Start && g.End > a.End {
			return
		}
	}
	e.add("clip.times", seal.Fails, file, "There is a hole before segment %d of track %s that no gap names.", b.Index, t.ID)
}
