package disclosure

import (
	"bytes"
	_ "embed"
	"fmt"
	"text/template"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/seal"
)

//go:embed commands.tmpl
var commandsText string

//go:embed readme.tmpl
var readmeText string

//go:embed clip.tmpl
var clipText string

var (
	commandsTemplate = template.Must(template.New("commands").Parse(commandsText))
	readmeTemplate   = template.Must(template.New("readme").Parse(readmeText))
	clipTemplate     = template.Must(template.New("clip").Parse(clipText))
)

// Commands returns COMMANDS.txt: a shell script of the commands with which
// standard tools check a package with these media files, each with its reason.
func Commands(media []MediaFile) []byte { return commands(media, false) }

// ClipCommands is [Commands] for the package of a clip.
func ClipCommands(media []MediaFile) []byte { return commands(media, true) }

func commands(media []MediaFile, ofClip bool) []byte {
	var names []string
	for _, f := range media {
		if f.Part > 0 {
			names = append(names, f.Name)
		}
	}
	return render(commandsTemplate, map[string]any{
		"Clip": ofClip, "Media": names, "Recording": evidence.PredicateRecording, "Package": PredicatePackage,
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

// ClipReadme is [Readme] for the package of a clip.
func ClipReadme(d clip.Document, media []MediaFile, organisation string) []byte {
	type line struct{ Name, About string }
	var lines []line
	for _, f := range media {
		if f.Part > 0 {
			lines = append(lines, line{f.Name, fmt.Sprintf("%s, %s to %s, %d segments", f.Track.Kind, clock(f.Start), clock(f.End), len(f.Positions)-1)})
		}
	}
	return render(clipTemplate, map[string]any{
		"Organisation": organisation, "Interview": d.Interview, "Size": d.Tree.Size, "Media": lines, "Gaps": len(d.Gaps),
		"AskedFrom": clock(d.Requested.From), "AskedUntil": clock(d.Requested.Until), "From": clock(d.Actual.From), "Until": clock(d.Actual.Until),
	})
}

// clock writes interview time as h:mm:ss.mmm.
func clock(o evidence.Offset) string {
	ms := int64(o) / 1000
	return fmt.Sprintf("%d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}

func render(t *template.Template, data any) []byte {
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		panic(fmt.Sprintf("disclosure: template %s: %v", t.Name(), err)) // of plain values into memory: a mistake in the template
	}
	return out.Bytes()
}
