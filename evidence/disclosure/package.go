package disclosure

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/seal"
)

// Sealer seals a package's tag manifest. [seal.Authority] is one.
type Sealer interface {
	SealFile(ctx context.Context, name string, content []byte, predicateType string, predicate any) (seal.Sealed, error)
	Trust() *seal.Trust
	KeyID() string
}

// Plaintext returns a segment's stored plaintext, already found to be the one
// that its leaf commits to. It is called from several goroutines.
type Plaintext func(ctx context.Context, s evidence.Segment) ([]byte, error)

// Package is what goes into one.
type Package struct {
	Export    evidence.ID
	CreatedAt evidence.Instant
	Software  string // program and version
	Profile   Profile
	// Recording is the sealed recording; its Pages are not needed for a clip.
	Recording evidence.SealedRecording
	// Segments are all of the recording's, by position from 0; nil for a clip.
	Segments []evidence.Segment
	// Clip is what the package holds instead of the whole recording; nil for that.
	Clip      *clip.Clip
	Plaintext Plaintext
	// Accounts are the files of the recording's source manifests, by source and
	// number, and Account returns the plaintext of one, already found to be the one
	// that the manifest names. Neither is needed for a clip, or without such files.
	Accounts []evidence.StoredSourceManifest
	Account  func(ctx context.Context, a evidence.StoredSourceManifest) ([]byte, error)
	// Transcripts are the files of transcripts, by name; see [TranscriptLanguage].
	Transcripts map[string][]byte
	// Checkpoints are the signed notes of the recording's tree while it was made, in
	// order of size; they are not told to a clip's recipient.
	Checkpoints []string
	// Renewals are the timestamps that were added to the recording's seal, by number.
	Renewals []seal.Renewal
	Excerpt  Excerpt
	Facts    Facts
	Sealer   Sealer
	// Progress, if not nil, is told how many bytes of media are written and how
	// many there are in all. It is called from the writing goroutine and must not block.
	Progress func(done, all int64)
}

// Written says what was written.
type Written struct {
	// TagManifest is the SHA-256 of the tag manifest, which covers every other
	// file: it identifies the package. Lower-case hex.
	TagManifest string
	Files       int
	Bytes       int64 // of all files together
}

// Folder is the name of the one folder in a package's tar.
func Folder(export evidence.ID) string { return "toldonce-" + string(export) }

// readAhead is how many segments are fetched and decrypted before they are
// needed. Each is at most a few megabytes.
const readAhead = 4

// Write streams the package as a tar with one folder to w. It holds the small
// files and a few segments in memory. When it returns an error, w has received a
// part of a package, which nothing accepts as a whole one.
func (p Package) Write(ctx context.Context, w io.Writer) (Written, error) {
	out, err := p.write(ctx, w)
	if err != nil {
		return Written{}, fmt.Errorf("writing package %s: %w", p.Export, err)
	}
	return out, nil
}

func (p Package) write(ctx context.Context, w io.Writer) (Written, error) {
	m, err := seal.ParseManifest(p.Recording.Manifest)
	if err != nil {
		return Written{}, err
	}
	sealed, err := seal.ParseBundle(p.Recording.Bundle)
	if err != nil {
		return Written{}, err
	}
	media, err := p.files(m)
	if err != nil {
		return Written{}, err
	}
	b := newBag(w, Folder(p.Export), p.CreatedAt.Time())
	payload, err := p.payload(sealed)
	if err != nil {
		return Written{}, err
	}
	// The small things first: whoever reads the stream knows what to expect.
	if err := b.write(BagItFile, []byte(BagItText)); err != nil {
		return Written{}, err
	}
	if err := writeAll(b, payload); err != nil {
		return Written{}, err
	}
	if err := p.accounts(ctx, b, m); err != nil {
		return Written{}, err
	}
	var done, all int64
	for _, f := range media {
		all += f.Size
	}
	told := func(n int) {
		done += int64(n)
		if p.Progress != nil {
			p.Progress(done, all)
		}
	}
	for _, f := range media {
		if err := p.media(ctx, b, f, told); err != nil {
			return Written{}, err
		}
	}
	// What repeats the hashes of the media comes after it.
	documents, err := p.documents(m, media, b)
	if err != nil {
		return Written{}, err
	}
	if err := writeAll(b, documents); err != nil {
		return Written{}, err
	}
	if err := p.tags(ctx, b, m, media, documents, sealed.KeyID); err != nil {
		return Written{}, err
	}
	out := Written{TagManifest: b.sums[TagManifestFile], Files: len(b.sums)}
	for _, n := range b.bytes {
		out.Bytes += n
	}
	return out, b.close()
}

// accounts writes what the sources signed of their frames.
func (p Package) accounts(ctx context.Context, b *bag, m evidence.Manifest) error {
	if p.Clip != nil {
		return nil // it names frames outside the clip
	}
	for _, s := range m.Sources {
		for _, f := range s.Files {
			i := slices.IndexFunc(p.Accounts, func(a evidence.StoredSourceManifest) bool { return a.File == f })
			if i < 0 {
				return fmt.Errorf("%w: file %d of the source manifest of %s", evidence.ErrMissingState, f.Number, s.Name)
			}
			data, err := p.Account(ctx, p.Accounts[i])
			if err != nil {
				return err
			}
			if err := b.write(AccountFile(s.Name, f.Number), data); err != nil {
				return err
			}
		}
	}
	return nil
}

// files says which media files the package holds.
func (p Package) files(m evidence.Manifest) ([]MediaFile, error) {
	if p.Clip != nil {
		return ClipFiles(p.Clip.Document, placedPieces(p.Clip.Pieces))
	}
	if int64(len(p.Segments)) != m.Tree.Size {
		return nil, fmt.Errorf("%w: %d of %d segments of recording %s are known", evidence.ErrMissingState, len(p.Segments), m.Tree.Size, p.Recording.Recording)
	}
	leaves := make([]evidence.Leaf, len(p.Segments))
	for i, s := range p.Segments {
		if s.Position != int64(i) {
			return nil, fmt.Errorf("%w: segment %d of recording %s", evidence.ErrMissingState, i, p.Recording.Recording)
		}
		leaves[i] = s.Leaf
	}
	return MediaFiles(m, leaves)
}

// segment returns the segment at a position of the recording's tree.
func (p Package) segment(position int64) evidence.Segment {
	if p.Clip == nil {
		return p.Segments[position]
	}
	i, _ := slices.BinarySearchFunc(p.Clip.Pieces, position, func(x clip.Piece, at int64) int { return int(x.Segment.Position - at) })
	return p.Clip.Pieces[i].Segment
}

// payload returns the payload files that are not media.
func (p Package) payload(sealed seal.Sealed) (map[string][]byte, error) {
	files := SealFiles(RecordingSeal, sealed)
	files[StatementFile] = sealed.Statement
	if p.Clip != nil {
		more, err := clipFiles(*p.Clip)
		if err != nil {
			return nil, err
		}
		maps.Copy(files, more)
	} else {
		files[RecordingFile] = p.Recording.Manifest
		for i, page := range p.Recording.Pages {
			files[PageFile(i)] = page
		}
	}
	trust, err := p.Sealer.Trust().Own().Files()
	if err != nil {
		return nil, err
	}
	for _, name := range Certificates {
		files[CertificatesFolder+name] = trust[name]
	}
	if err := olderSigner(files, p.Sealer.Trust(), sealed.KeyID); err != nil {
		return nil, err
	}
	if len(p.Sealer.Trust().Logs) == 0 {
		return nil, fmt.Errorf("%w: the trust file names no custody log", evidence.ErrMissingState)
	}
	files[LogKeyFile] = []byte(p.Sealer.Trust().Logs[0].Key + "\n")
	excerpt, err := p.Excerpt.files()
	if err != nil {
		return nil, err
	}
	for name, content := range excerpt {
		files[name] = content
	}
	return files, nil
}

// media writes one media file, fetching segments ahead of need.
func (p Package) media(ctx context.Context, b *bag, f MediaFile, told func(int)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type fetched struct {
		data []byte
		err  error
	}
	queue := make(chan chan fetched, readAhead)
	go func() {
		defer close(queue)
		for _, pos := range f.Positions {
			one := make(chan fetched, 1)
			select {
			case queue <- one:
			case <-ctx.Done():
				return
			}
			go func() {
				data, err := p.Plaintext(ctx, p.segment(pos))
				one <- fetched{data, err}
			}()
		}
	}()
	out, err := b.create(f.Name, f.Size)
	if err != nil {
		return err
	}
	for one := range queue {
		got := <-one
		if got.err != nil {
			return fmt.Errorf("%s: %w", f.Name, got.err)
		}
		if _, err := out.Write(got.data); err != nil {
			return err
		}
		told(len(got.data))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return out.Close()
}

// tags writes the tag files, the manifests and the seal over them.
func (p Package) tags(ctx context.Context, b *bag, m evidence.Manifest, media []MediaFile, documents map[string][]byte, keyID string) error {
	trust := p.Sealer.Trust()
	content := WholeRecording
	readme, commands := Readme(m, media, trust.Organisation), Commands(media)
	if p.Clip != nil {
		content = ClipOfRecording
		readme, commands = ClipReadme(p.Clip.Document, media, trust.Organisation), ClipCommands(media)
	}
	tags := map[string][]byte{
		BagInfoFile: []byte(fmt.Sprintf("Source-Organization: %s\nBagging-Date: %s\nExternal-Identifier: %s\nPayload-Oxum: %s\nBag-Software-Agent: %s\n",
			trust.Organisation, p.CreatedAt.Time().Format(time.DateOnly), p.Export, b.oxum(), p.Software)),
		ReadmeFile:   readme,
		CommandsFile: forSigner(commands, trust, keyID),
		ManifestFile: b.checksums(isPayload),
	}
	if err := writeAll(b, tags); err != nil {
		return err
	}
	tagManifest := b.checksums(func(name string) bool { return !isPayload(name) })
	if err := b.write(TagManifestFile, tagManifest); err != nil {
		return err
	}
	sum := sha256.Sum256(p.Recording.Manifest)
	sealed, err := p.Sealer.SealFile(ctx, TagManifestFile, tagManifest, PredicatePackage, Predicate{
		Version: 2, Export: p.Export, Recording: m.Recording, Interview: m.Interview, CreatedAt: p.CreatedAt,
		Manifest: hex.EncodeToString(sum[:]), Profile: p.Profile, Software: p.Software,
		Content: content, Documents: slices.Sorted(maps.Keys(documents)),
	})
	if err != nil {
		return err
	}
	return writeAll(b, SealFiles(PackageSeal, sealed))
}

// writeAll writes files in the order of their names.
func writeAll(b *bag, files map[string][]byte) error {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.SortFunc(names, strings.Compare)
	for _, name := range names {
		if err := b.write(name, files[name]); err != nil {
			return err
		}
	}
	return nil
}
