package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/disclosure"
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
	e.run()
	report.judge(trust)
}

// examination is one run; it is owned by the goroutine that runs it.
type examination struct {
	ctx     context.Context
	files   *container
	trust   *seal.Trust
	claimed *seal.Trust // from the package's own certificates; nil if unreadable
	report  *Report

	sums      map[string]string // SHA-256 that the manifests give, by file
	recording *seal.Recording   // nil if unreadable
	planned   bool              // media says which files belong to the recording
	media     []disclosure.MediaFile
	mediaSums map[string]string // SHA-256 as computed while slicing media
}

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
	e.readRecording()
	e.bag()
	e.packageSeal()
	e.mediaFiles()
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
	claimed, err := seal.Claimed(parts[seal.SignerKeyFile], parts[seal.SignerCertFile], parts[seal.ChainFile], string(bytes.TrimSuffix(parts["log.vkey"], []byte("\n"))))
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
	e.claimed = claimed
	e.add(check, seal.Holds, disclosure.CertificatesFolder, "The public keys that came along agree with one another. They are copies and prove nothing by themselves.")
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
	e.recording = rec
	if parsed, err := seal.ParseBundle(bundle); err == nil {
		e.parts("recording.parts", disclosure.RecordingSeal, parsed)
		if !bytes.Equal(parsed.Statement, statement) {
			e.add("recording.statement", seal.Fails, disclosure.StatementFile, "The file is not the statement that was signed.")
		}
	}
	if rec == nil {
		return
	}
	e.report.Recording, e.report.Interview = string(rec.Manifest.Recording), string(rec.Manifest.Interview)
	e.report.Signer = rec.Seal.KeyID
	if rec.Seal.Time != 0 {
		e.report.SealedAt = rfc3339(int64(rec.Seal.Time))
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
	if e.recording == nil {
		e.add(check, seal.CannotJudge, file, "The package's outline cannot be compared: the recording's manifest cannot be read.")
		return
	}
	m := e.recording.Manifest
	manifest, _ := e.files.read(disclosure.RecordingFile)
	sum := sha256.Sum256(manifest)
	if p.Recording != m.Recording || p.Interview != m.Interview || p.Manifest != hex.EncodeToString(sum[:]) {
		e.add(check, seal.Fails, file, "The package was sealed for another recording than the one inside.")
		return
	}
	e.add(check, seal.Holds, file, "The package was made for this recording on %s (profile %q).", rfc3339(int64(p.CreatedAt)), p.Profile)
}

// expected lists the files that a package of this recording has, but for the tag
// manifest and its seal.
func (e *examination) expected() map[string]bool {
	want := map[string]bool{
		disclosure.BagItFile: true, disclosure.BagInfoFile: true, disclosure.ReadmeFile: true, disclosure.CommandsFile: true, disclosure.ManifestFile: true,
		disclosure.RecordingFile: true, disclosure.StatementFile: true,
		disclosure.EntriesFile: true, disclosure.ProofsFile: true, disclosure.OpeningsFile: true, disclosure.CheckpointFile: true,
		disclosure.LogKeyFile: true,
	}
	for _, name := range disclosure.Certificates {
		want[disclosure.CertificatesFolder+name] = true
	}
	for name := range disclosure.SealFiles(disclosure.RecordingSeal, seal.Sealed{}) {
		want[name] = true
	}
	for i := range e.recording.Manifest.Tree.Pages {
		want[disclosure.PageFile(i)] = true
	}
	for _, f := range e.media {
		want[f.Name] = true
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

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
