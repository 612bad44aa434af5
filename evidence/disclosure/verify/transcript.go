package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/evidence/transcript"
)

// transcripts judges the transcripts that a package holds beside its content.
func (e *examination) transcripts() {
	if e.outline == nil {
		return
	}
	var languages []string
	for _, name := range e.outline.Documents {
		if l, ok := disclosure.TranscriptLanguage(name); ok && !slices.Contains(languages, l) {
			languages = append(languages, l)
		}
	}
	for _, l := range languages {
		e.transcript(l)
	}
}

func (e *examination) transcript(language string) {
	const check = "transcript.form"
	file := disclosure.TranscriptFile(language)
	text, ok1 := e.small(check, file)
	description, ok2 := e.small(check, disclosure.TranscriptAboutFile(language))
	if !ok1 || !ok2 {
		return
	}
	about, err := transcript.ParseAbout(description)
	switch {
	case errors.Is(err, evidence.ErrUnknownFormat):
		e.add(check, seal.CannotJudge, disclosure.TranscriptAboutFile(language), "The transcript's description is of another type or version: %v.", err)
		return
	case err != nil:
		e.add(check, seal.Fails, disclosure.TranscriptAboutFile(language), "The transcript's description cannot be accepted: %v.", err)
		return
	}
	cues, err := transcript.ParseFile(text)
	if err != nil {
		e.add(check, seal.Fails, file, "The transcript cannot be accepted: %v.", err)
		return
	}
	sum := sha256.Sum256(text)
	if about.Language != language || about.SHA256 != hex.EncodeToString(sum[:]) || about.Cues != len(cues) ||
		e.subject != nil && (about.Recording != e.subject.recording || about.Interview != e.subject.interview) {
		e.add(check, seal.Fails, file, "The transcript and its description do not belong together, or not to this recording.")
		return
	}
	if whole := e.outline.Content == disclosure.WholeRecording; whole != (about.Whole == "") {
		e.add(check, seal.Fails, file, "The transcript is an extract where it should be whole, or whole where it should be an extract.")
		return
	}
	if c := e.report.Clip; c != nil {
		for _, cue := range cues {
			if !c.Actual.Contains(cue.Range()) {
				e.add(check, seal.Fails, file, "A line of the transcript lies outside the clip.")
				return
			}
		}
	}
	_, certified := e.files.sizes[disclosure.TranscriptSealFile(language)]
	switch {
	case certified:
		e.add(check, seal.Holds, file, "The transcript (%s, version %d) has %d lines, in its one form.", about.Language, about.Number, len(cues))
		e.certificate(about, language, sum)
	case about.Certified && about.Whole != "":
		e.add(check, seal.Holds, file, "The transcript (%s, version %d) has %d lines: an extract of a version that was certified. The extract itself is unofficial.", about.Language, about.Number, len(cues))
	case about.Certified:
		e.add(check, seal.Fails, file, "The transcript is said to be certified, but its certificate is missing.")
	default:
		e.add(check, seal.Holds, file, "The transcript (%s, version %d) has %d lines. It is unofficial: nobody certified it.", about.Language, about.Number, len(cues))
	}
}

// certificate judges the signed statement that makes a transcript official.
func (e *examination) certificate(about transcript.About, language string, sum [sha256.Size]byte) {
	const check = "transcript.certificate"
	file := disclosure.TranscriptSealFile(language)
	bundle, ok := e.small(check, file)
	if !ok {
		return
	}
	sealed, findings := seal.CheckBundle(seal.BundleInput{Check: "transcript", File: file, Bundle: bundle, Subject: transcript.FileName,
		SubjectFile: disclosure.TranscriptFile(language), Digest: sum, Trust: e.trust, Claimed: e.claimed})
	e.report.Findings = append(e.report.Findings, findings...)
	if sealed.Bundle == nil {
		return
	}
	c, err := transcript.ParseCertificate(sealed.Statement)
	switch {
	case errors.Is(err, evidence.ErrUnknownFormat):
		e.add(check, seal.CannotJudge, file, "The transcript's certificate is of another type or version: %v.", err)
		return
	case err != nil:
		e.add(check, seal.Fails, file, "The transcript's certificate cannot be accepted: %v.", err)
		return
	case c.Transcript != about.ID || c.Recording != about.Recording || c.Interview != about.Interview || c.Language != about.Language || c.Number != about.Number || !about.Certified:
		e.add(check, seal.Fails, file, "The certificate speaks of another transcript than this one.")
		return
	}
	e.add(check, seal.Holds, file, "The transcript (%s, version %d) was certified on %s from the account %s.", c.Language, c.Number, rfc3339(int64(c.At)), c.Account)
	name := disclosure.TranscriptNameFile(language)
	if _, there := e.files.sizes[name]; !there {
		return
	}
	data, ok := e.small(check, name)
	if !ok {
		return
	}
	var opening evidence.Opening
	if err := evidence.DecodeCanonical(data, &opening); err != nil || opening.Field != transcript.FieldName || !opening.Opens(c.Name) {
		e.add(check, seal.Fails, name, "The name is not the one that the transcript was certified under.")
		return
	}
	e.add(check, seal.Holds, name, "It was certified under the name and capacity that stand in this file.")
}

// transcriptEntries asks whether the log says that the transcripts in a package of a
// whole recording were written, and certified, with these bytes.
func (e *examination) transcriptEntries(entries []*entry) {
	if e.outline == nil || e.outline.Content != disclosure.WholeRecording {
		return // of a clip the excerpt tells the seal alone
	}
	const check, file = "custody.transcript", disclosure.EntriesFile
	for _, name := range e.outline.Documents {
		language, ok := disclosure.TranscriptLanguage(name)
		if !ok || name != disclosure.TranscriptFile(language) {
			continue
		}
		text, err := e.files.read(name)
		if err != nil {
			continue // reported with the transcript
		}
		wanted := []string{transcript.ActionWrite}
		if _, there := e.files.sizes[disclosure.TranscriptSealFile(language)]; there {
			wanted = append(wanted, transcript.ActionCertify)
		}
		sum, good := sum256(text), true
		for _, action := range wanted {
			good = good && slices.ContainsFunc(entries, func(x *entry) bool {
				return x != nil && x.readable && x.leaf.Action == action && x.leaf.Details["sha256"] == sum
			})
		}
		if !good {
			e.add(check, seal.Fails, file, "The log does not say that the transcript %s was written, or certified, as it is here.", shown(name))
			continue
		}
		e.add(check, seal.Holds, file, "The log says that the transcript %s was written, and certified if it is, with exactly these bytes.", shown(name))
	}
}
