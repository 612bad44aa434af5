package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/prefix"
	"github.com/toldonce/toldonce/evidence/seal"
)

// Package judges the package at path, a folder or a tar, against trust; nil
// means that no trust file was given. The error, if any, says that there was
// nothing to judge: the path cannot be read, or is no package (it then wraps
// [ErrNotPackage]). Hashing uses all cores. It holds the small files and, for each
// core, one segment in memory.
func Package(ctx context.Context, path string, trust *seal.Trust) (*Report, error) {
	report := &Report{Findings: seal.Findings{}, Missing: []string{}}
	c, err := openContainer(path, &report.Findings)
	if err != nil {
		return nil, err
	}
	defer c.close()
	examine(ctx, c, trust, report)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return report, nil
}

// examine completes the report on an open container.
func examine(ctx context.Context, c *container, trust *seal.Trust, report *Report) {
	e := &examination{ctx: ctx, files: c, trust: trust, report: report}
	if prefix.Is(sorted(c.sizes)) {
		e.prefix()
	} else {
		e.run()
	}
	report.judge(trust)
}

// examination is one run; it is owned by the goroutine that runs it.
type examination struct {
	ctx     context.Context
	files   *container
	trust   *seal.Trust
	claimed *seal.Trust // from the package's own certificates; nil if unreadable
	older   []string    // certificate files of the key that sealed the recording, if it is another
	report  *Report

	outline   *disclosure.Predicate // what the package says of itself; nil if unreadable
	later     bool                  // it is of a version that is not known
	sums      map[string]string     // SHA-256 that the manifests give, by file
	subject   *subject              // what the package is of; nil if unreadable
	pages     int                   // of the recording's manifest; 0 for a clip
	manifest  string                // SHA-256 of the recording's manifest; empty if unknown
	leaves    map[int64]evidence.Leaf
	planned   bool // media says which files belong to the recording or clip
	media     []disclosure.MediaFile
	mediaSums map[string]string // SHA-256 as computed while slicing media
	sources   []evidence.ManifestSource
	tracks    []evidence.ManifestTrack
	signed    map[evidence.ID]map[[32]byte]bool // hashes of frames that each source signed
	matched   signedCount
}

// subject is what a package is of, as its manifest or its clip's description says.
type subject struct{ recording, interview evidence.ID }

func (e *examination) add(check string, status seal.Status, file, format string, args ...any) {
	e.report.Findings.Add(check, status, shown(file), format, args...)
}

// small reads a file that must be there, and reports it if it is not.
func (e *examination) small(check, name string) ([]byte, bool) {
	data, err := e.files.read(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.add(check, seal.Fails, name, "The file is missing.")
		return nil, false
	case err != nil:
		e.add(check, seal.Fails, name, "The file cannot be read: %v.", err)
		return nil, false
	}
	return data, true
}

func (e *examination) run() {
	if e.trust == nil {
		e.add("trust", seal.NotGiven, "", "No trust file was given: who signed cannot be said.")
	}
	if e.report.Findings.Of("bag.form") == "" {
		e.add("bag.form", seal.Holds, "", "The package holds plain files with plain names only.")
	}
	e.certificates()
	e.readOutline()
	if e.isClip() {
		e.readClip()
	} else {
		e.readRecording()
	}
	e.bag()
	e.packageSeal()
	e.transcripts()
	e.accounts()
	e.mediaFiles()
	e.signedFrames()
	e.digests()
	e.custody()
}

// certificates reads the public keys that came along. They are used to find out
// whether the package agrees with itself; they are never trusted.
func (e *examination) certificates() {
	const check = "certificates"
	parts := map[string][]byte{}
	for _, name := range append(slices.Clone(disclosure.Certificates), "log.vkey") {
		data, ok := e.small(check, disclosure.CertificatesFolder+name)
		if !ok {
			return
		}
		parts[name] = data
	}
	older := e.olderSigner(parts[seal.SignerKeyFile])
	for _, name := range older {
		data, ok := e.small(check, disclosure.CertificatesFolder+name)
		if !ok {
			return
		}
		parts[name] = data
	}
	var olderKey, olderCert []byte
	if len(older) == 2 {
		olderKey, olderCert = parts[older[0]], parts[older[1]]
	}
	claimed, err := seal.ClaimedWith(parts[seal.SignerKeyFile], parts[seal.SignerCertFile], parts[seal.ChainFile], string(bytes.TrimSuffix(parts["log.vkey"], []byte("\n"))), olderKey, olderCert)
	if err != nil {
		e.add(check, seal.Fails, disclosure.CertificatesFolder, "The certificates in the package cannot be read: %v.", err)
		return
	}
	want, err := claimed.Files()
	if err != nil {
		e.add(check, seal.Fails, disclosure.CertificatesFolder, "The certificates in the package cannot be read: %v.", err)
		return
	}
	want["log.vkey"] = []byte(claimed.Logs[0].Key + "\n")
	for _, name := range sorted(parts) {
		if !bytes.Equal(want[name], parts[name]) {
			e.add(check, seal.Fails, disclosure.CertificatesFolder+name, "The file does not agree with the other certificates, or is not in its one form.")
			return
		}
	}
	e.claimed, e.older = claimed, older
	e.add(check, seal.Holds, disclosure.CertificatesFolder, "The public keys that came along agree with one another. They are copies and prove nothing by themselves.")
}

// olderSigner names the certificate files of the key that sealed the recording, if
// that is not the package's own.
func (e *examination) olderSigner(signer []byte) []string {
	bundle, err := e.files.read(disclosure.RecordingSeal + ".sigstore.json")
	if err != nil {
		return nil
	}
	sealed, err := seal.ParseBundle(bundle)
	if err != nil {
		return nil
	}
	key, err := seal.ParsePublicKey(signer)
	if err != nil {
		return nil
	}
	if id, err := seal.KeyID(key); err != nil || id == sealed.KeyID {
		return nil
	}
	if names := disclosure.OlderSigner(sealed.KeyID); e.has(names) {
		return names
	}
	return nil
}

// has reports whether all of some certificate files are there.
func (e *examination) has(names []string) bool {
	for _, name := range names {
		if _, err := e.files.read(disclosure.CertificatesFolder + name); err != nil {
			return false
		}
	}
	return true
}

// readOutline reads what the package says of itself, to know what to expect.
// Whether that is signed is judged later.
func (e *examination) readOutline() {
	bundle, err := e.files.read(disclosure.PackageSeal + ".sigstore.json")
	if err != nil {
		return
	}
	sealed, err := seal.ParseBundle(bundle)
	if err != nil {
		return
	}
	p, err := disclosure.ParseStatement(sealed.Statement)
	if err == nil {
		e.outline = &p
		e.report.Content = string(p.Content)
	}
	e.later = errors.Is(err, evidence.ErrUnknownFormat)
}

// isClip reports whether the package is to be read as a clip.
func (e *examination) isClip() bool {
	if e.outline != nil {
		return e.outline.Content == disclosure.ClipOfRecording
	}
	_, there := e.files.sizes[disclosure.ClipFile]
	return there
}

// identify notes what the package is of.
func (e *examination) identify(s subject, sealed seal.Sealed) {
	e.subject = &s
	e.report.Recording, e.report.Interview = string(s.recording), string(s.interview)
	e.report.Signer = sealed.KeyID
	if sealed.Time != 0 {
		e.report.SealedAt = rfc3339(int64(sealed.Time))
	}
}

// readRecording judges the manifest, its seal and its pages.
func (e *examination) readRecording() {
	manifest, ok1 := e.small("recording.manifest", disclosure.RecordingFile)
	bundle, ok2 := e.small("recording.bundle", disclosure.RecordingSeal+".sigstore.json")
	statement, ok3 := e.small("recording.statement", disclosure.StatementFile)
	if !ok1 || !ok2 || !ok3 {
		return
	}
	var pages [][]byte
	for i := 0; i <= seal.MaxLeaves/evidence.PageSize; i++ {
		page, err := e.files.read(disclosure.PageFile(i))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			e.add("recording.pages", seal.Fails, disclosure.PageFile(i), "The file cannot be read: %v.", err)
			break
		}
		pages = append(pages, page)
	}
	rec, findings := seal.CheckRecording(seal.RecordingInput{
		Manifest: manifest, Bundle: bundle, Pages: pages, Trust: e.trust, Claimed: e.claimed,
		ManifestFile: disclosure.RecordingFile, BundleFile: disclosure.RecordingSeal + ".sigstore.json", PageFile: disclosure.PageFile,
	})
	e.report.Findings = append(e.report.Findings, findings...)
	sum := sha256.Sum256(manifest)
	e.manifest = hex.EncodeToString(sum[:])
	if parsed, err := seal.ParseBundle(bundle); err == nil {
		e.parts("recording.parts", disclosure.RecordingSeal, parsed)
		e.renewals(bundle)
		if !bytes.Equal(parsed.Statement, statement) {
			e.add("recording.statement", seal.Fails, disclosure.StatementFile, "The file is not the statement that was signed.")
		}
	}
	if rec == nil {
		return
	}
	e.checkpoints(rec)
	e.identify(subject{rec.Manifest.Recording, rec.Manifest.Interview}, rec.Seal)
	e.pages = len(rec.Manifest.Tree.Pages)
	e.sources, e.tracks = rec.Manifest.Sources, rec.Manifest.Tracks
	e.leaving(rec.Manifest, manifest)
	e.leaves = make(map[int64]evidence.Leaf, len(rec.Leaves))
	for i, l := range rec.Leaves {
		e.leaves[int64(i)] = l
	}
	if findings.Of("recording.leaves") == seal.Holds {
		media, err := disclosure.MediaFiles(rec.Manifest, rec.Leaves)
		if err != nil {
			e.add("media.files", seal.Fails, disclosure.RecordingFile, "The leaves do not make up media files: %v.", err)
			return
		}
		e.media, e.planned = media, true
	}
}

// parts compares the files that openssl reads with the bundle they came from.
func (e *examination) parts(check, base string, s seal.Sealed) {
	good := true
	want := disclosure.SealFiles(base, s)
	for _, ext := range []string{".pae", ".sig", ".tsr"} {
		data, ok := e.small(check, base+ext)
		if !ok {
			good = false
		} else if !bytes.Equal(data, want[base+ext]) {
			e.add(check, seal.Fails, base+ext, "The file is not the part of the bundle that it should be.")
			good = false
		}
	}
	if good {
		e.add(check, seal.Holds, base+".sigstore.json", "The files for openssl are the parts of the bundle.")
	}
}

// packageSeal judges the seal over the tag manifest, which no manifest covers.
func (e *examination) packageSeal() {
	bundle, ok1 := e.small("package.bundle", disclosure.PackageSeal+".sigstore.json")
	tags, ok2 := e.small("bag.complete", disclosure.TagManifestFile)
	if !ok1 || !ok2 {
		return
	}
	e.report.Digest = sum256(tags)
	sealed, findings := seal.CheckBundle(seal.BundleInput{
		Check: "package", File: disclosure.PackageSeal + ".sigstore.json", Bundle: bundle,
		Subject: disclosure.TagManifestFile, SubjectFile: disclosure.TagManifestFile, Digest: sha256.Sum256(tags), Trust: e.trust, Claimed: e.claimed,
	})
	e.report.Findings = append(e.report.Findings, findings...)
	if sealed.Bundle == nil {
		return
	}
	e.parts("package.parts", disclosure.PackageSeal, sealed)
	const check = "package.outline"
	file := disclosure.PackageSeal + ".sigstore.json"
	p, err := disclosure.ParseStatement(sealed.Statement)
	switch {
	case errors.Is(err, evidence.ErrUnknownFormat):
		e.add(check, seal.CannotJudge, file, "The package's outline is of another type or version: %v.", err)
		return
	case err != nil:
		e.add(check, seal.Fails, file, "The package's outline cannot be read: %v.", err)
		return
	}
	e.report.Package = string(p.Export)
	e.report.Profile = string(p.Profile)
	if e.subject == nil || e.manifest == "" {
		e.add(check, seal.CannotJudge, file, "The package's outline cannot be compared: what it is of cannot be read.")
		return
	}
	if p.Recording != e.subject.recording || p.Interview != e.subject.interview || p.Manifest != e.manifest {
		e.add(check, seal.Fails, file, "The package was sealed for another recording than the one inside.")
		return
	}
	if _, clip := e.files.sizes[disclosure.ClipFile]; clip != (p.Content == disclosure.ClipOfRecording) {
		e.add(check, seal.Fails, file, "The package was sealed as another kind of thing than the one inside.")
		return
	}
	e.add(check, seal.Holds, file, "The package was made for this recording on %s (profile %q).", rfc3339(int64(p.CreatedAt)), p.Profile)
}

// expected lists the files that a package of this recording has, but for the tag
// manifest and its seal.
func (e *examination) expected() map[string]bool {
	want := map[string]bool{
		disclosure.BagItFile: true, disclosure.BagInfoFile: true, disclosure.ReadmeFile: true, disclosure.CommandsFile: true, disclosure.ManifestFile: true,
		disclosure.StatementFile: true,
		disclosure.EntriesFile:   true, disclosure.ProofsFile: true, disclosure.OpeningsFile: true, disclosure.CheckpointFile: true,
		disclosure.LogKeyFile: true,
	}
	for _, name := range disclosure.Certificates {
		want[disclosure.CertificatesFolder+name] = true
	}
	for _, name := range e.older {
		want[disclosure.CertificatesFolder+name] = true
	}
	for name := range disclosure.SealFiles(disclosure.RecordingSeal, seal.Sealed{}) {
		want[name] = true
	}
	if e.isClip() {
		want[disclosure.ClipFile], want[disclosure.ClipLeavesFile], want[disclosure.ClipProofsFile] = true, true, true
	} else {
		want[disclosure.RecordingFile] = true
	}
	for i := range e.pages {
		want[disclosure.PageFile(i)] = true
	}
	if e.outline != nil {
		for _, name := range e.outline.Documents {
			want[name] = true
		}
	}
	for _, f := range e.media {
		want[f.Name] = true
	}
	for _, s := range e.sources {
		for _, f := range s.Files {
			want[disclosure.AccountFile(s.Name, f.Number)] = true
		}
	}
	return want
}

// sealedApart are the files that no manifest lists: the tag manifest, which the
// package's seal covers, and that seal.
func sealedApart(name string) bool {
	if name == disclosure.TagManifestFile {
		return true
	}
	_, ok := disclosure.SealFiles(disclosure.PackageSeal, seal.Sealed{})[name]
	return ok
}

func (e *examination) missing(name string) {
	if !slices.Contains(e.report.Missing, name) && len(e.report.Missing) < 100 {
		e.report.Missing = append(e.report.Missing, shown(name))
	}
}
