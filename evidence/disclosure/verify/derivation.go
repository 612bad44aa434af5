package verify

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/seal"
)

// derived is the Content of the report on a derived file.
const derived = "derivation"

// maxBundle bounds the bundle of a derivation, in bytes.
const maxBundle = 32 << 20

// Derivation judges a file that was trimmed, redacted or transcoded, by the seal
// over its derivation: the bundle beside it. name is the file's name as it was
// sealed. The error, if any, says that there was nothing to judge.
func Derivation(ctx context.Context, file, bundleFile, name string, trust *seal.Trust) (*Report, error) {
	in, err := os.Open(bundleFile)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	bundle, err := io.ReadAll(io.LimitReader(in, maxBundle+1))
	if err != nil {
		return nil, err
	}
	if len(bundle) > maxBundle {
		return nil, fmt.Errorf("%w: a bundle of more than %d bytes", ErrNotPackage, maxBundle)
	}
	content, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	h := sha256.New()
	if _, err := io.Copy(h, content); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return judgeDerivation(bundle, name, [sha256.Size]byte(h.Sum(nil)), trust), nil
}

func judgeDerivation(bundle []byte, name string, digest [sha256.Size]byte, trust *seal.Trust) *Report {
	r := &Report{Findings: seal.Findings{}, Missing: []string{}, Content: derived}
	if trust == nil {
		r.Findings.Add("trust", seal.NotGiven, "", "No trust file was given: who signed cannot be said.")
	}
	sealed, findings := seal.CheckBundle(seal.BundleInput{Check: derived, File: "the bundle", Bundle: bundle, Subject: name, SubjectFile: shown(name), Digest: digest, Trust: trust})
	r.Findings = append(r.Findings, findings...)
	if sealed.Bundle != nil {
		r.Signer = sealed.KeyID
		if sealed.Time != 0 {
			r.SealedAt = rfc3339(int64(sealed.Time))
		}
		r.derivation(sealed)
	}
	r.judge(trust)
	return r
}

func (r *Report) derivation(sealed seal.Sealed) {
	const check, file = "derivation.outline", "the bundle"
	d, err := clip.ParseDerivation(sealed.Statement)
	switch {
	case errors.Is(err, evidence.ErrUnknownFormat):
		r.Findings.Add(check, seal.CannotJudge, file, "The derivation is of another type or version: %v.", err)
		return
	case err != nil:
		r.Findings.Add(check, seal.Fails, file, "The derivation cannot be accepted: %v.", err)
		return
	}
	r.Recording, r.Interview = string(d.Recording), string(d.Interview)
	how := map[string]string{
		clip.Trimmed:    "Trimmed to the frame from %s to %s of the interview's time with %s %s, out of %d sealed files, on %s.",
		clip.Redacted:   "Redacted, from %s to %s of the interview's time, with %s %s, out of %d sealed files, on %s.",
		clip.Transcoded: "Transcoded, from %s to %s of the interview's time, with %s %s, out of %d sealed files, on %s.",
	}
	r.Findings.Add(check, seal.Holds, file, how[d.Kind], offset(d.Range.From), offset(d.Range.Until), shown(d.Tool.Name), shown(d.Tool.Version), len(d.Sources), rfc3339(int64(d.CreatedAt)))
}

// requiredOfDerivation are the checks that a derived file is verified by.
var requiredOfDerivation = []string{
	"derivation.bundle", "derivation.statement", "derivation.signer", "derivation.signature", "derivation.timestamp", "derivation.outline",
}
