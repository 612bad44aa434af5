package disclosure

import (
	"context"
	"fmt"
	"regexp"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/transcript"
)

// transcriptFolder holds transcripts: for each language the text, its description,
// the certificate if somebody certified it, and the certifier's name if it is told.
const transcriptFolder = "data/transcript/"

// TranscriptFile is the text in a language, WebVTT.
func TranscriptFile(language string) string { return transcriptFolder + language + ".vtt" }

// TranscriptAboutFile describes it; see [transcript.About].
func TranscriptAboutFile(language string) string { return transcriptFolder + language + ".json" }

// TranscriptSealFile is the certificate: a bundle over the text.
func TranscriptSealFile(language string) string {
	return transcriptFolder + language + ".sigstore.json"
}

// TranscriptNameFile opens the certificate's commitment to the certifier's name.
func TranscriptNameFile(language string) string {
	return transcriptFolder + language + ".certifier.json"
}

var transcriptForm = regexp.MustCompile(`^data/transcript/([a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3})\.(vtt|json|sigstore\.json|certifier\.json)$`)

// TranscriptLanguage returns the language of a file of a transcript, and whether
// name is one.
func TranscriptLanguage(name string) (string, bool) {
	m := transcriptForm.FindStringSubmatch(name)
	if m == nil {
		return "", false
	}
	return m[1], true
}

// Transcripts lends an interview's transcripts. [transcript.Service] does.
type Transcripts interface {
	// Leaving returns the versions that leave with a package, one a language.
	Leaving(ctx context.Context, interview evidence.ID) ([]transcript.Version, error)
	// Text opens one.
	Text(ctx context.Context, v transcript.Version) (file []byte, cues []transcript.Cue, err error)
}

// transcripts returns the files of an export's transcripts: of a whole recording the
// versions as they are, of a clip the lines that lie inside it. Under a protective
// order there are none: names are spoken in them (P30, P32).
func (s *Service) transcripts(ctx context.Context, e Export, within *evidence.Range) (map[string][]byte, error) {
	if e.Profile == ProfileProtected || s.Transcripts == nil {
		return nil, nil
	}
	if e.Grant != "" {
		if included, err := s.Grants.IncludesTranscript(ctx, e.Grant); err != nil || !included {
			return nil, err
		}
	}
	versions, err := s.Transcripts.Leaving(ctx, e.Interview)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, v := range versions {
		file, cues, err := s.Transcripts.Text(ctx, v)
		if err != nil {
			return nil, err
		}
		about := transcript.AboutOf(v)
		if within != nil {
			about, file = transcript.Extract(v, transcript.Within(cues, []evidence.Range{*within}), 0, false)
		}
		if err := addTranscript(files, about, file, v); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// addTranscript adds the files of one transcript. The certificate goes along only
// with the bytes that it is about.
func addTranscript(files map[string][]byte, about transcript.About, file []byte, v transcript.Version) error {
	description, err := evidence.Canonical(about)
	if err != nil {
		return fmt.Errorf("transcript %s: %w", v.ID, err)
	}
	files[TranscriptFile(v.Language)], files[TranscriptAboutFile(v.Language)] = file, description
	if !v.Official() || about.Whole != "" {
		return nil
	}
	name, err := evidence.Canonical(v.Certifier)
	if err != nil {
		return fmt.Errorf("transcript %s: %w", v.ID, err)
	}
	files[TranscriptSealFile(v.Language)], files[TranscriptNameFile(v.Language)] = v.Bundle, name
	return nil
}
