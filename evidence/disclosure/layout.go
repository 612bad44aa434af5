package disclosure

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/seal"
)

// Names of the files of a package, apart from media and pages.
const (
	BagItFile       = "bagit.txt"
	BagInfoFile     = "bag-info.txt"
	ReadmeFile      = "README.txt"
	CommandsFile    = "COMMANDS.txt"
	ManifestFile    = "manifest-sha256.txt"
	TagManifestFile = "tagmanifest-sha256.txt"

	// PackageSeal and RecordingSeal begin the names of the files of a seal; see SealFiles.
	PackageSeal   = "seal/package"
	RecordingSeal = "data/seal/recording"

	RecordingFile = "data/recording/" + seal.ManifestName
	StatementFile = "data/recording/statement.json"

	EntriesFile    = "data/custody/entries.jsonl"
	ProofsFile     = "data/custody/proofs.jsonl"
	OpeningsFile   = "data/custody/openings.jsonl"
	CheckpointFile = "data/custody/checkpoint"

	// ClipFile describes a clip; ClipLeavesFile holds its leaves, one a line, and
	// ClipProofsFile for each the proof that it stands in the sealed tree.
	ClipFile       = "data/clip/clip.json"
	ClipLeavesFile = "data/clip/leaves.jsonl"
	ClipProofsFile = "data/clip/proofs.jsonl"

	CertificatesFolder = "data/certificates/"
	LogKeyFile         = CertificatesFolder + "log.vkey"
)

// BagItText is the exact content of bagit.txt.
const BagItText = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

// PredicatePackage is the in-toto predicate type of a package's seal.
const PredicatePackage = "https://toldonce.org/package/v1"

// Content is what a package is of.
type Content string

const (
	// WholeRecording: every segment, manifest and page of a recording.
	WholeRecording Content = "recording"
	// ClipOfRecording: whole segments of a recording, with proofs of descent.
	ClipOfRecording Content = "clip"
)

// Predicate is what a package's seal says beside the digest of its tag manifest.
type Predicate struct {
	Version   int              `json:"version"` // 2; 1 lacks Content and Documents
	Export    evidence.ID      `json:"export"`
	Recording evidence.ID      `json:"recording"`
	Interview evidence.ID      `json:"interview"`
	CreatedAt evidence.Instant `json:"createdAt"`
	// Manifest is the SHA-256 of the recording's manifest.
	Manifest string `json:"manifest"`
	// Profile says for whom it was put together; see [Profile].
	Profile  Profile `json:"profile"`
	Software string  `json:"software"`
	// Content says what is inside.
	Content Content `json:"content,omitempty"`
	// Documents names the files, sorted, that this package holds beside those that
	// follow from its content. Each is one of [DocumentNames], a [RenewalFile], or a file
	// of a transcript: see [TranscriptLanguage].
	Documents []string `json:"documents,omitempty"`
}

// Certificates are the files under data/certificates that repeat the public
// halves of what was signed with, so that the package agrees with itself.
var Certificates = []string{seal.SignerKeyFile, seal.SignerCertFile, seal.RootFile, seal.ChainFile, seal.TrustedRootFile}

// SealFiles names the files of a seal that begin with base and returns their
// content: the bundle, and its parts as openssl takes them.
func SealFiles(base string, s seal.Sealed) map[string][]byte {
	return map[string][]byte{
		base + ".sigstore.json": s.Bundle,
		base + ".pae":           s.Signed,
		base + ".sig":           s.Signature,
		base + ".tsr":           s.TimestampToken,
	}
}

// PageFile names a page of the manifest, from 0.
func PageFile(i int) string { return fmt.Sprintf("data/recording/pages/page-%04d.jsonl", i) }

// MediaFile is one file under data/media: an init and the media that is decoded
// with it, of one track and part, in presentation order. It plays by itself. Or it
// is a track's ledger, its pages one after another.
type MediaFile struct {
	Name  string
	Track evidence.ManifestTrack
	Part  int // 0 for an init that no media needs, and for a ledger
	Init  int
	// Ledger: see evidence/FORMAT.md.
	Ledger bool
	// Start and End bound its media in interview time.
	Start, End evidence.Offset
	// DecodeTime is that of its first media segment, as in [evidence.Leaf].
	DecodeTime string
	// Positions in the recording's tree: the init, then the media.
	Positions []int64
	// Size is the sum of the stored plaintexts, in bytes.
	Size int64
}

// Placed is a leaf with its position in the recording's tree.
type Placed struct {
	Leaf     evidence.Leaf
	Position int64
}

// MediaFiles says which media files a recording has. It depends on the manifest
// and the leaves alone, so that writer and verifier agree. No name holds anything
// but the source's name, kind and numbers. It returns an error wrapping
// [evidence.ErrInvalid] if the leaves do not belong together.
func MediaFiles(m evidence.Manifest, leaves []evidence.Leaf) ([]MediaFile, error) {
	placed := make([]Placed, len(leaves))
	for i, l := range leaves {
		placed[i] = Placed{l, int64(i)}
	}
	names := trackNames(m)
	var files []MediaFile
	for _, t := range m.Tracks {
		more, err := trackFiles(t, names[t.ID], 0, placed)
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	return files, nil
}

// ClipFiles says which media files a clip has, as [MediaFiles] does of a
// recording.
func ClipFiles(d clip.Document, leaves []Placed) ([]MediaFile, error) {
	m := evidence.Manifest{}
	for _, t := range d.Tracks {
		m.Sources = append(m.Sources, evidence.ManifestSource{ID: t.Source, Name: t.Name})
		m.Tracks = append(m.Tracks, evidence.ManifestTrack{ID: t.ID, Source: t.Source, Kind: t.Kind, Codec: t.Codec, Timescale: t.Timescale, Segments: t.Last - t.First + 1})
	}
	names := trackNames(m)
	var files []MediaFile
	for i, t := range m.Tracks {
		more, err := trackFiles(t, names[t.ID], d.Tracks[i].First, leaves)
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	return files, nil
}

// trackFiles are the media files of one track, whose first media segment is first.
func trackFiles(t evidence.ManifestTrack, name string, first int, leaves []Placed) ([]MediaFile, error) {
	inits, media := map[int]Placed{}, make([]Placed, 0, min(max(t.Segments, 0), len(leaves)))
	var ledger []Placed
	for _, p := range leaves {
		switch {
		case p.Leaf.Track != t.ID:
		case p.Leaf.Kind == evidence.LeafInit:
			inits[p.Leaf.Init] = p
		case p.Leaf.Kind == evidence.LeafLedger:
			ledger = append(ledger, p)
		default:
			media = append(media, p)
		}
	}
	byIndex := make([]Placed, len(media))
	for _, p := range media {
		at := p.Leaf.Index - first
		if at < 0 || at >= len(byIndex) || byIndex[at].Leaf.Type != "" {
			return nil, fmt.Errorf("%w: track %s lacks a segment or has one twice", evidence.ErrInvalid, t.ID)
		}
		byIndex[at] = p
	}
	var files []MediaFile
	used := map[int]bool{}
	var file *MediaFile
	for _, p := range byIndex {
		if file == nil || file.Part != p.Leaf.Part || file.Init != p.Leaf.Init {
			init, ok := inits[p.Leaf.Init]
			if !ok || file != nil && (p.Leaf.Part < file.Part || p.Leaf.Init < file.Init) {
				return nil, fmt.Errorf("%w: segment %d of track %s has no init, or goes back", evidence.ErrInvalid, p.Leaf.Index, t.ID)
			}
			files = append(files, MediaFile{
				Name:  fmt.Sprintf("data/media/%s-part%02d-init%d.mp4", name, p.Leaf.Part, p.Leaf.Init),
				Track: t, Part: p.Leaf.Part, Init: p.Leaf.Init, Start: p.Leaf.Start, DecodeTime: p.Leaf.DecodeTime,
				Positions: []int64{init.Position}, Size: init.Leaf.Plain.Size,
			})
			file = &files[len(files)-1]
			used[p.Leaf.Init] = true
		}
		file.Positions = append(file.Positions, p.Position)
		file.Size += p.Leaf.Plain.Size
		file.End = p.Leaf.End
	}
	if len(ledger) > 0 {
		f := MediaFile{Name: fmt.Sprintf("data/recording/ledger/%s.jsonl", name), Track: t, Ledger: true}
		slices.SortStableFunc(ledger, func(a, b Placed) int { return a.Leaf.Index - b.Leaf.Index })
		for i, p := range ledger {
			if p.Leaf.Index != i+1 {
				return nil, fmt.Errorf("%w: the ledger of track %s lacks a page or has one twice", evidence.ErrInvalid, t.ID)
			}
			f.Positions = append(f.Positions, p.Position)
			f.Size += p.Leaf.Plain.Size
		}
		files = append(files, f)
	}
	for _, n := range slices.Sorted(maps.Keys(inits)) {
		if !used[n] {
			files = append(files, MediaFile{
				Name:  fmt.Sprintf("data/recording/unused/%s-init%d.mp4", name, n),
				Track: t, Init: n, Positions: []int64{inits[n].Position}, Size: inits[n].Leaf.Plain.Size,
			})
		}
	}
	return files, nil
}

// AccountFile names a file of what a source signed of its frames, from 0.
func AccountFile(source string, number int) string {
	return fmt.Sprintf("data/recording/source/%s-%04d.tosm", source, number)
}

// trackNames names each track by its source and kind; a second track of the
// same source and kind gets -2.
func trackNames(m evidence.Manifest) map[evidence.ID]string {
	sources := map[evidence.ID]string{}
	for _, s := range m.Sources {
		sources[s.ID] = s.Name
	}
	seen, names := map[string]int{}, map[evidence.ID]string{}
	for _, t := range m.Tracks {
		name := sources[t.Source] + "-" + string(t.Kind)
		if t.Replaces != "" {
			name += "-backfill"
		}
		if seen[name]++; seen[name] > 1 {
			names[t.ID] = fmt.Sprintf("%s-%d", name, seen[name])
			continue
		}
		names[t.ID] = name
	}
	return names
}

// ParseStatement reads the statement of a package's seal. It returns an error
// that wraps [evidence.ErrUnknownFormat] for another type or version and
// [evidence.ErrInvalid] for all else. Of version 1, Content is set to what it
// always was.
func ParseStatement(statement []byte) (Predicate, error) {
	var head seal.FileStatement[struct {
		Version int `json:"version"`
	}]
	if err := json.Unmarshal(statement, &head); err != nil {
		return Predicate{}, fmt.Errorf("%w: %v", evidence.ErrInvalid, err)
	}
	if head.PredicateType != PredicatePackage || head.Predicate.Version != 1 && head.Predicate.Version != 2 {
		return Predicate{}, fmt.Errorf("%w: %.80q version %d", evidence.ErrUnknownFormat, head.PredicateType, head.Predicate.Version)
	}
	var st seal.FileStatement[Predicate]
	if err := evidence.DecodeCanonical(statement, &st); err != nil {
		return Predicate{}, err
	}
	p := st.Predicate
	switch {
	case p.Version == 1 && (p.Content != "" || p.Documents != nil):
		return Predicate{}, fmt.Errorf("%w: version 1 holds fields of version 2", evidence.ErrInvalid)
	case p.Version == 1:
		p.Content = WholeRecording
	case p.Content == "" || p.Documents == nil:
		return Predicate{}, fmt.Errorf("%w: version 2 says what is inside", evidence.ErrInvalid)
	case p.Content != WholeRecording && p.Content != ClipOfRecording:
		return Predicate{}, fmt.Errorf("%w: content %.80q", evidence.ErrUnknownFormat, p.Content)
	case !slices.IsSorted(p.Documents) || len(slices.Compact(slices.Clone(p.Documents))) != len(p.Documents):
		return Predicate{}, fmt.Errorf("%w: its documents are out of order", evidence.ErrInvalid)
	}
	for _, name := range p.Documents {
		if _, ok := TranscriptLanguage(name); !ok && !isDocument(name) {
			return Predicate{}, fmt.Errorf("%w: document %.80q", evidence.ErrUnknownFormat, name)
		}
	}
	return p, nil
}
