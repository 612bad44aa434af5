package disclosure

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/toldonce/toldonce/evidence"
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

	CertificatesFolder = "data/certificates/"
	LogKeyFile         = CertificatesFolder + "log.vkey"
)

// BagItText is the exact content of bagit.txt.
const BagItText = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

// PredicatePackage is the in-toto predicate type of a package's seal.
const PredicatePackage = "https://toldonce.org/package/v1"

// Predicate is what a package's seal says beside the digest of its tag manifest.
type Predicate struct {
	Version   int              `json:"version"` // 1
	Export    evidence.ID      `json:"export"`
	Recording evidence.ID      `json:"recording"`
	Interview evidence.ID      `json:"interview"`
	CreatedAt evidence.Instant `json:"createdAt"`
	// Manifest is the SHA-256 of the recording's manifest.
	Manifest string `json:"manifest"`
	// Profile says what was put in: "full" is the whole recording.
	Profile  string `json:"profile"`
	Software string `json:"software"`
}

// ProfileFull is the profile of a package with the whole recording.
const ProfileFull = "full"

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
	// Positions in the recording's tree: the init, then the media.
	Positions []int64
	// Size is the sum of the stored plaintexts, in bytes.
	Size int64
}

// MediaFiles says which media files a recording has. It depends on the manifest
// and the leaves alone, so that writer and verifier agree. No name holds anything
// but the source's name, kind and numbers. It returns an error wrapping
// [evidence.ErrInvalid] if the leaves do not belong together.
func MediaFiles(m evidence.Manifest, leaves []evidence.Leaf) ([]MediaFile, error) {
	type place struct {
		leaf     evidence.Leaf
		position int64
	}
	inits, media, ledgers := map[evidence.ID]map[int]place{}, map[evidence.ID][]place{}, map[evidence.ID][]place{}
	for i, l := range leaves {
		if l.Kind == evidence.LeafLedger {
			ledgers[l.Track] = append(ledgers[l.Track], place{l, int64(i)})
			continue
		}
		if l.Kind == evidence.LeafInit {
			if inits[l.Track] == nil {
				inits[l.Track] = map[int]place{}
			}
			inits[l.Track][l.Init] = place{l, int64(i)}
			continue
		}
		media[l.Track] = append(media[l.Track], place{l, int64(i)})
	}
	var files []MediaFile
	names := trackNames(m)
	for _, t := range m.Tracks {
		byIndex := make([]place, len(media[t.ID]))
		for _, p := range media[t.ID] {
			if p.leaf.Index >= len(byIndex) || byIndex[p.leaf.Index].leaf.Type != "" {
				return nil, fmt.Errorf("%w: track %s lacks a segment or has one twice", evidence.ErrInvalid, t.ID)
			}
			byIndex[p.leaf.Index] = p
		}
		used := map[int]bool{}
		var file *MediaFile
		for _, p := range byIndex {
			if file == nil || file.Part != p.leaf.Part || file.Init != p.leaf.Init {
				init, ok := inits[t.ID][p.leaf.Init]
				if !ok || file != nil && (p.leaf.Part < file.Part || p.leaf.Init < file.Init) {
					return nil, fmt.Errorf("%w: segment %d of track %s has no init, or goes back", evidence.ErrInvalid, p.leaf.Index, t.ID)
				}
				files = append(files, MediaFile{
					Name:  fmt.Sprintf("data/media/%s-part%02d-init%d.mp4", names[t.ID], p.leaf.Part, p.leaf.Init),
					Track: t, Part: p.leaf.Part, Init: p.leaf.Init,
					Positions: []int64{init.position}, Size: init.leaf.Plain.Size,
				})
				file = &files[len(files)-1]
				used[p.leaf.Init] = true
			}
			file.Positions = append(file.Positions, p.position)
			file.Size += p.leaf.Plain.Size
		}
		if pages := ledgers[t.ID]; len(pages) > 0 {
			f := MediaFile{Name: fmt.Sprintf("data/recording/ledger/%s.jsonl", names[t.ID]), Track: t, Ledger: true}
			slices.SortStableFunc(pages, func(a, b place) int { return a.leaf.Index - b.leaf.Index })
			for i, p := range pages {
				if p.leaf.Index != i+1 {
					return nil, fmt.Errorf("%w: the ledger of track %s lacks a page or has one twice", evidence.ErrInvalid, t.ID)
				}
				f.Positions = append(f.Positions, p.position)
				f.Size += p.leaf.Plain.Size
			}
			files = append(files, f)
		}
		for n := range len(inits[t.ID]) {
			init, ok := inits[t.ID][n]
			if !ok {
				return nil, fmt.Errorf("%w: track %s lacks init %d", evidence.ErrInvalid, t.ID, n)
			}
			if !used[n] {
				files = append(files, MediaFile{
					Name:  fmt.Sprintf("data/recording/unused/%s-init%d.mp4", names[t.ID], n),
					Track: t, Init: n, Positions: []int64{init.position}, Size: init.leaf.Plain.Size,
				})
			}
		}
	}
	return files, nil
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
// [evidence.ErrInvalid] for all else.
func ParseStatement(statement []byte) (Predicate, error) {
	var head seal.FileStatement[struct {
		Version int `json:"version"`
	}]
	if err := json.Unmarshal(statement, &head); err != nil {
		return Predicate{}, fmt.Errorf("%w: %v", evidence.ErrInvalid, err)
	}
	if head.PredicateType != PredicatePackage || head.Predicate.Version != 1 {
		return Predicate{}, fmt.Errorf("%w: %.80q version %d", evidence.ErrUnknownFormat, head.PredicateType, head.Predicate.Version)
	}
	var st seal.FileStatement[Predicate]
	if err := evidence.DecodeCanonical(statement, &st); err != nil {
		return Predicate{}, err
	}
	return st.Predicate, nil
}
