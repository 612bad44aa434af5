package disclosure

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/disclosure/lang"
	"github.com/toldonce/toldonce/evidence/seal"
)

// Documents that a package may hold beside what follows from its content.
const (
	CaseFile     = "data/case.jsonld"            // CASE/UCO (P25)
	ReceiptsFile = "data/consent/receipts.jsonl" // consent receipts (P36)
	PlayerFile   = "PLAYER.html"                 // plays the media with no network
	// CheckpointsFile holds what was signed of the recording while it was made.
	CheckpointsFile = "data/recording/checkpoints.jsonl"
	// LeavingFile is the signed check before the child left, of a whole recording
	// (evidence/leaving).
	LeavingFile = "data/recording/leaving-check.json"
)

// DocumentNames are the names that [Predicate].Documents may hold.
var DocumentNames = documentNames()

func documentNames() []string {
	names := []string{CaseFile, ReceiptsFile, ExhibitFile, PlayerFile, CheckpointsFile, LeavingFile}
	for _, l := range lang.Languages {
		names = append(names, ReportFile(l), CertificateFile(l))
	}
	return names
}

// RenewalFile is a timestamp that was added to the recording's seal later, by number
// from 1 (P22).
func RenewalFile(number int) string { return fmt.Sprintf("data/seal/renewals/%04d.tsr", number) }

var renewalName = regexp.MustCompile(`^data/seal/renewals/[0-9]{4}\.tsr$`)

// isDocument reports whether a package may hold a document of this name.
func isDocument(name string) bool {
	return slices.Contains(DocumentNames, name) || renewalName.MatchString(name)
}

// ReportFile is the printable report in a language.
func ReportFile(language string) string { return "data/report/report-" + language + ".pdf" }

// CertificateFile is the draft certificate for a qualified person (P26) in a
// language.
func CertificateFile(language string) string { return "data/report/certificate-" + language + ".pdf" }

// documents returns the package's documents. The media is written already.
func (p Package) documents(m evidence.Manifest, media []MediaFile, b *bag) (map[string][]byte, error) {
	paper := p.paper(m, media, b)
	files := map[string][]byte{}
	var err error
	for _, l := range lang.Languages {
		if files[ReportFile(l)], err = paper.report(lang.Language(l)); err != nil {
			return nil, err
		}
		if files[CertificateFile(l)], err = paper.certificate(lang.Language(l)); err != nil {
			return nil, err
		}
	}
	if files[CaseFile], err = p.caseGraph(m, media, b); err != nil {
		return nil, err
	}
	files[PlayerFile] = player(media)
	if p.Clip == nil && len(p.Recording.Leaving) > 0 { // of a clip it would tell of the rest
		files[LeavingFile] = p.Recording.Leaving
	}
	receipts, err := p.receipts()
	if err != nil {
		return nil, err
	}
	if receipts != nil {
		files[ReceiptsFile] = receipts
	}
	maps.Copy(files, p.Transcripts)
	exhibit, err := p.exhibit(m)
	if err != nil {
		return nil, err
	}
	if exhibit != nil {
		files[ExhibitFile] = exhibit
	}
	if p.Clip == nil && len(p.Checkpoints) > 0 {
		if files[CheckpointsFile], err = encodeCheckpoints(p.Checkpoints); err != nil {
			return nil, err
		}
	}
	for i, r := range p.Renewals {
		files[RenewalFile(i+1)] = r.Token
	}
	return files, nil
}

// facts of the papers: what a clip must not tell of the rest is left out here.
type paperFacts struct {
	pkg    Package
	m      evidence.Manifest
	media  []MediaFile
	bag    *bag
	span   evidence.Range
	whole  bool
	zone   *time.Location
	events []evidence.Event
	gaps   []evidence.Gap
	tracks map[evidence.ID]string // names
}

func (p Package) paper(m evidence.Manifest, media []MediaFile, b *bag) paperFacts {
	f := paperFacts{pkg: p, m: m, media: media, bag: b, whole: p.Clip == nil, zone: time.UTC, tracks: trackNames(m)}
	if zone, err := time.LoadLocation(m.TimeZone); err == nil {
		f.zone = zone
	}
	f.gaps = m.Gaps
	if f.whole {
		f.span = evidence.Range{From: 0, Until: evidence.Offset(m.StoppedAt - m.StartedAt)}
		f.events = slices.Clone(m.Events)
		return f
	}
	f.span, f.gaps = p.Clip.Document.Actual, p.Clip.Document.Gaps
	for _, e := range m.Events {
		if e.At >= f.span.From && e.At < f.span.Until {
			f.events = append(f.events, e)
		}
	}
	return f
}

// moment writes an offset of the interview as wall time in the room's zone.
func (f paperFacts) moment(o evidence.Offset) string {
	return (f.m.StartedAt + evidence.Instant(o)).Time().In(f.zone).Format("15:04:05")
}

func (f paperFacts) seal() string {
	key := f.pkg.Sealer.KeyID()
	if sealed, err := seal.ParseBundle(f.pkg.Recording.Bundle); err == nil {
		key = sealed.KeyID // an older one, if the seal key was rotated since
	}
	return fmt.Sprintf("%s (%s)", f.pkg.Recording.SealedAt.Time().Format(time.RFC3339), key)
}
