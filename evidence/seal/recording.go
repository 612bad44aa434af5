package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/toldonce/toldonce/evidence"
)

// RecordingInput is a sealed recording to be judged, without its media.
type RecordingInput struct {
	Manifest []byte
	Bundle   []byte
	Pages    [][]byte // in order, as many as there are
	// Trust and Claimed are as in [BundleInput].
	Trust   *Trust
	Claimed *Trust
	// ManifestFile, BundleFile and PageFile name the files in the findings.
	ManifestFile string
	BundleFile   string
	PageFile     func(i int) string
}

// Recording is what a sealed recording says.
type Recording struct {
	Seal     Sealed
	Manifest evidence.Manifest
	// Leaves are in append order. They are complete only if
	// "recording.leaves" holds; a leaf that could not be read is zero.
	Leaves []evidence.Leaf
	// Tree is the tree of the leaves, if "recording.tree" holds; otherwise nil. Its
	// owner is whoever owns the Recording.
	Tree *Tree
}

// CheckRecording judges a sealed recording: the seal over the manifest, the
// manifest's form, the pages against the tree, and whether the leaves and the
// manifest tell one story. The media itself is not looked at. It returns nil with
// the findings if the manifest cannot be read. Hostile bytes yield findings, never
// a panic. Safe for concurrent use.
func CheckRecording(in RecordingInput) (*Recording, Findings) {
	if in.PageFile == nil {
		in.PageFile = func(i int) string { return fmt.Sprintf("page %d", i) }
	}
	sealed, out := CheckBundle(BundleInput{
		Check: "recording", File: in.BundleFile, Bundle: in.Bundle,
		Subject: ManifestName, SubjectFile: in.ManifestFile, Digest: sha256.Sum256(in.Manifest), Trust: in.Trust, Claimed: in.Claimed,
	})
	m, err := ParseManifest(in.Manifest)
	if err != nil {
		status := Fails
		if errors.Is(err, evidence.ErrUnknownFormat) {
			status = CannotJudge
		}
		out.Add("recording.manifest", status, in.ManifestFile, "The manifest cannot be accepted: %v.", err)
		return nil, out
	}
	out.Add("recording.manifest", Holds, in.ManifestFile, "The manifest is in its canonical form and complete.")
	checkOutline(in, sealed, m, &out)

	leaves, tree := checkPages(in, m, &out)
	if out.Of("recording.leaves") == CannotJudge {
		for _, check := range []string{"recording.times", "recording.gaps"} {
			out.Add(check, CannotJudge, in.ManifestFile, "This rests on leaves of an unknown version.")
		}
		return &Recording{Seal: sealed, Manifest: m, Leaves: leaves, Tree: tree}, out
	}
	checkLeaves(in, m, leaves, &out)
	checkTimes(in, m, leaves, &out)
	checkGaps(in, m, leaves, &out)
	checkReplacements(in, m, leaves, &out)
	checkAccounts(in, m, &out)
	return &Recording{Seal: sealed, Manifest: m, Leaves: leaves, Tree: tree}, out
}

// checkOutline compares the statement's predicate with the manifest.
func checkOutline(in RecordingInput, s Sealed, m evidence.Manifest, out *Findings) {
	const check = "recording.outline"
	if out.Of("recording.statement") != Holds {
		out.Add(check, CannotJudge, in.BundleFile, "The signed outline rests on a statement that does not hold.")
		return
	}
	var kind FileStatement[struct {
		Version int `json:"version"`
	}]
	// Only the head, to tell another version from a wrong one.
	if err := unmarshalLoose(s.Statement, &kind); err != nil {
		out.Add(check, Fails, in.BundleFile, "The signed outline cannot be read.")
		return
	}
	if kind.PredicateType != evidence.PredicateRecording || kind.Predicate.Version != 1 {
		out.Add(check, CannotJudge, in.BundleFile, "The signed outline is of the unknown type %q version %d.", clip(kind.PredicateType), kind.Predicate.Version)
		return
	}
	var st evidence.Statement
	if err := evidence.DecodeCanonical(s.Statement, &st); err != nil {
		out.Add(check, Fails, in.BundleFile, "The signed outline cannot be read: %v.", err)
		return
	}
	if st.Predicate != PredicateOf(m) {
		out.Add(check, Fails, in.BundleFile, "The signed outline does not repeat the manifest: its recording, times or tree differ.")
		return
	}
	out.Add(check, Holds, in.BundleFile, "The signed outline repeats the manifest.")
}

// checkPages reads the leaves and builds the tree again, which it returns if it is
// the sealed one.
func checkPages(in RecordingInput, m evidence.Manifest, out *Findings) ([]evidence.Leaf, *Tree) {
	bad := 0
	for i, want := range m.Tree.Pages {
		switch {
		case i >= len(in.Pages):
			out.Add("recording.pages", Fails, in.PageFile(i), "The page is missing.")
			bad++
		case hexDigest(in.Pages[i]) != want:
			out.Add("recording.pages", Fails, in.PageFile(i), "The page is not the one whose SHA-256 the manifest holds.")
			bad++
		}
		if bad == 20 {
			break
		}
	}
	if len(in.Pages) > len(m.Tree.Pages) {
		out.Add("recording.pages", Fails, in.PageFile(len(m.Tree.Pages)), "The manifest has only %d pages.", len(m.Tree.Pages))
		bad++
	}
	if bad == 0 {
		out.Add("recording.pages", Holds, in.ManifestFile, "All %d pages of the manifest are there and have its SHA-256.", len(m.Tree.Pages))
	}

	tree := NewTree()
	var texts [][]byte
	for i, page := range in.Pages[:min(len(in.Pages), len(m.Tree.Pages))] {
		lines := bytes.SplitAfter(page, []byte{'\n'})
		if last := len(lines) - 1; len(lines[last]) > 0 {
			out.Add("recording.pages", Fails, in.PageFile(i), "The page does not end with a line end.")
		} else {
			lines = lines[:last]
		}
		if want := min(evidence.PageSize, m.Tree.Size-int64(i)*evidence.PageSize); int64(len(lines)) != want {
			out.Add("recording.pages", Fails, in.PageFile(i), "The page holds %d leaves; it must hold %d.", len(lines), want)
		}
		if len(texts)+len(lines) > MaxLeaves {
			out.Add("recording.pages", Fails, in.PageFile(i), "The pages hold more leaves than a recording may.")
			break
		}
		for _, line := range lines {
			text := bytes.TrimSuffix(line, []byte{'\n'})
			if _, err := tree.AppendText(text); err != nil {
				out.Add("recording.pages", Fails, in.PageFile(i), "The tree cannot be built: %v.", err)
				return nil, nil
			}
			texts = append(texts, text)
		}
	}
	var sealed *Tree
	switch {
	case tree.Size() != m.Tree.Size:
		out.Add("recording.tree", Fails, in.ManifestFile, "There are %d leaves; %d were sealed.", tree.Size(), m.Tree.Size)
	case tree.Root() != m.Tree.Root:
		out.Add("recording.tree", Fails, in.ManifestFile, "The leaves do not hash to the sealed root: one was changed, swapped or replaced.")
	default:
		out.Add("recording.tree", Holds, in.ManifestFile, "The %d leaves hash to the sealed root.", tree.Size())
		sealed = tree
	}
	return parseLeaves(in, m, texts, out), sealed
}

// parseLeaves decodes in parallel and reports the first few that are wrong.
func parseLeaves(in RecordingInput, m evidence.Manifest, texts [][]byte, out *Findings) []evidence.Leaf {
	leaves := make([]evidence.Leaf, len(texts))
	errs := make([]error, len(texts))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for from := 0; from < len(texts); from += evidence.PageSize {
		group.Go(func() error {
			for i := from; i < min(from+evidence.PageSize, len(texts)); i++ {
				leaves[i], errs[i] = ParseLeaf(texts[i])
			}
			return nil
		})
	}
	group.Wait() // the functions return nil
	bad := 0
	for i, err := range errs {
		if err == nil {
			continue
		}
		status := Fails
		if errors.Is(err, evidence.ErrUnknownFormat) {
			status = CannotJudge
		}
		leaves[i] = evidence.Leaf{}
		out.Add("recording.leaves", status, in.PageFile(i/evidence.PageSize), "Leaf %d cannot be accepted: %v.", i, err)
		if bad++; bad == 20 {
			break
		}
	}
	return leaves
}

// ParseLeaf reads the canonical bytes of one leaf strictly. It returns an error
// that wraps [evidence.ErrUnknownFormat] for another type or version and
// [evidence.ErrInvalid] for all else.
func ParseLeaf(data []byte) (evidence.Leaf, error) {
	var l evidence.Leaf
	if len(data) > 4096 {
		return l, fmt.Errorf("%w: leaf of %d bytes", evidence.ErrInvalid, len(data))
	}
	if err := evidence.DecodeCanonical(data, &l); err != nil {
		if other := checkVersion(data, evidence.TypeLeaf, 1, 2); other != nil {
			return evidence.Leaf{}, other
		}
		return evidence.Leaf{}, err
	}
	if l.Type != evidence.TypeLeaf || l.Version < 1 || l.Version > 2 {
		return evidence.Leaf{}, fmt.Errorf("%w: %q version %d", evidence.ErrUnknownFormat, clip(l.Type), l.Version)
	}
	if err := checkLeaf(l); err != nil {
		if !errors.Is(err, evidence.ErrUnknownFormat) {
			err = fmt.Errorf("%w: %w", evidence.ErrInvalid, err)
		}
		return evidence.Leaf{}, err
	}
	return l, nil
}

func checkLeaf(l evidence.Leaf) error {
	if !digestPattern.MatchString(l.Salt) {
		return errors.New("its salt is malformed")
	}
	for _, d := range []evidence.Digest{l.Plain, l.Cipher} {
		if !digestPattern.MatchString(d.SHA256) || d.Size < 1 {
			return errors.New("a digest is malformed")
		}
	}
	for _, id := range []evidence.ID{l.Recording, l.Track} {
		if _, err := evidence.ParseID(string(id)); err != nil {
			return errors.New("an id is malformed")
		}
	}
	if _, ok := decodeTime(l.DecodeTime); !ok {
		return errors.New("its decode time is malformed")
	}
	switch {
	case l.Part < 1 || l.Init < 0 || l.Index < 0 || l.Start < 0:
		return errors.New("a number is out of range")
	case l.Kind == evidence.LeafInit && (l.Index != 0 || l.DecodeTime != "0" || l.Duration != 0 || l.Frames != 0 || l.End != l.Start):
		return errors.New("an init has no index, times or frames")
	case l.Kind == evidence.LeafMedia && (l.Duration < 1 || l.Frames < 1 || l.End <= l.Start):
		return errors.New("a segment has frames and lasts")
	}
	if l.Version == 2 {
		return checkLeaf2(l)
	}
	if l.Kind != evidence.LeafInit && l.Kind != evidence.LeafMedia {
		return fmt.Errorf("its kind is %q", clip(string(l.Kind)))
	}
	return nil
}

// checkLeaf2 checks a leaf of a kind that version 1 does not have.
func checkLeaf2(l evidence.Leaf) error {
	switch {
	case l.Kind != evidence.LeafLedger:
		return fmt.Errorf("%w: leaf of kind %q, version 2", evidence.ErrUnknownFormat, clip(string(l.Kind)))
	case l.Index < 1 || l.Init != 0 || l.DecodeTime != "0" || l.Duration != 0 || l.Frames < 1 || l.End < l.Start || !l.Independent:
		return errors.New("a ledger page has a number, lines and times, and nothing else")
	}
	return nil
}

func hexDigest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
