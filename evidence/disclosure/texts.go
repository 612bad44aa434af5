package disclosure

import (
	"bytes"
	_ "embed"
	"fmt"
	"text/template"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
)

//go:embed commands.tmpl
var commandsText string

//go:embed readme.tmpl
var readmeText string

var (
	commandsTemplate = template.Must(template.New("commands").Parse(commandsText))
	readmeTemplate   = template.Must(template.New("readme").Parse(readmeText))
)

// Commands returns COMMANDS.txt: a shell script of the commands with which
// standard tools check a package with these media files, each with its reason.
func Commands(media []MediaFile) []byte {
	var names []string
	for _, f := range media {
		if f.Part > 0 {
			names = append(names, f.Name)
		}
	}
	return render(commandsTemplate, map[string]any{
		"Media": names, "Recording": evidence.PredicateRecording, "Package": PredicatePackage,
		"RecordingSeal": RecordingSeal, "PackageSeal": PackageSeal, "Certificates": CertificatesFolder[:len(CertificatesFolder)-1],
	})
}

// Readme returns README.txt: one page that says what a package is, what it shows
// and what it does not. It names no person.
func Readme(m evidence.Manifest, media []MediaFile, organisation string) []byte {
	type line struct{ Name, About string }
	var lines []line
	for _, f := range media {
		if f.Part > 0 {
			lines = append(lines, line{f.Name, fmt.Sprintf("%s, part %d of %d, %d segments", f.Track.Kind, f.Part, len(m.Parts), len(f.Positions)-1)})
		}
	}
	return render(readmeTemplate, map[string]any{
		"Organisation": organisation, "Interview": m.Interview, "Manifest": seal.ManifestName,
		"From": m.StartedAt.Time().Format(time.RFC3339), "Until": m.StoppedAt.Time().Format(time.RFC3339), "TimeZone": m.TimeZone,
		"Parts": len(m.Parts), "Gaps": len(m.Gaps), "Media": lines,
	})
}

func render(t *template.Template, data any) []byte {
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		panic(fmt.Sprintf("disclosure: template %s: %v", t.Name(), err)) // of plain values into memory: a mistake in the template
	}
	return out.Bytes()
}
