package disclosure

import (
	"slices"
	"strings"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/disclosure/lang"
	"github.com/toldonce/toldonce/evidence/disclosure/paper"
)

// presentPrefix begins the value of a marker that says who was in the room (P10).
const presentPrefix = "present-"

// Words for codes of the manifest. A code that is not here is printed as it is.
var words = map[string]string{
	"person": "the person interviewed", "interviewer": "interviewer", "advocate": "advocate", "guardian": "guardian", "interpreter": "interpreter",
	"psychologist": "psychologist", "companion": "companion", "second-interviewer": "second interviewer",
	"start": "start", "pause": "pause", "resume": "resumed", "stop": "stop", "marker": "marker", "phase": "phase", "source-joined": "source joined",
	"source-left": "source left", "init-changed": "set-up of the picture or sound changed", "restart": "recorder restarted", "consent-ended": "consent ended",
	"storage": "storage", "clock-step": "clock was set", "packet-loss": "packets lost on the way", "capture-stall": "camera or microphone stalled",
	"source-away": "source away", "damaged": "damaged on the way", "audio": "sound", "video": "picture",
	"admitted": "admitted as it is", "excluded": "excluded", "edited": "admitted in an edited version only",
	"introduction": "introduction", "ground-rules": "ground rules", "rapport": "rapport", "substantive": "substantive phase", "closure": "closure",
}

func word(l lang.Language, code string) string {
	if w, ok := words[code]; ok {
		return l.T(w)
	}
	return code
}

// report is the printable report: who was there, what happened when, what is
// missing, and the digests that tie the paper to the files.
func (f paperFacts) report(l lang.Language) ([]byte, error) {
	m, trust := f.m, f.pkg.Sealer.Trust()
	title := l.T("Report on an interview recording")
	if !f.whole {
		title = l.T("Report on a clip of an interview recording")
	}
	p := paper.New(title, trust.Organisation+" · "+string(f.pkg.Export), string(l), f.pkg.CreatedAt.Time())
	if number := f.pkg.exhibitNumber(); number != "" {
		p.Fact(l.T("Exhibit"), number)
	}
	if ref := f.pkg.reference(); ref != "" {
		p.Fact(l.T("Case number"), ref)
	}
	p.Fact(l.T("Person interviewed"), f.pkg.person())
	p.Fact(l.T("Agency"), trust.Organisation)
	p.Fact(l.T("Package"), string(f.pkg.Export))
	p.Fact(l.T("Interview"), string(m.Interview))
	p.Fact(l.T("Recording"), string(m.Recording))
	if f.whole {
		p.Fact(l.T("Began"), f.both(m.StartedAt))
		p.Fact(l.T("Ended"), f.both(m.StoppedAt))
	} else {
		d := f.pkg.Clip.Document
		p.Fact(l.T("Asked for"), clock(d.Requested.From)+" – "+clock(d.Requested.Until))
		p.Fact(l.T("Holds"), clock(d.Actual.From)+" – "+clock(d.Actual.Until))
	}
	p.Fact(l.T("Clock"), l.T("%s, offset %d µs", m.Clock.Source, m.Clock.Offset))
	p.Fact(l.T("Sealed"), f.seal())
	p.Ln()
	if f.whole {
		p.Text(l.T("This package holds a whole recording, as it was sealed when the recording stopped."))
	} else {
		p.Text(l.T("This is a clip of whole segments of a sealed recording: nothing was encoded again, and each segment proves that it stands in the seal."))
	}

	f.exhibit(p, l)

	p.Heading(l.T("Persons present"))
	here := f.present(l)
	if len(here) == 0 {
		p.Text(l.T("The recording names nobody as present in this span."))
	}
	for _, line := range here {
		p.Point(line)
	}

	p.Heading(l.T("What happened when"))
	var rows [][]string
	slices.SortStableFunc(f.events, func(a, b evidence.Event) int { return int(a.At - b.At) })
	for _, e := range f.events {
		if e.Kind == evidence.EventMarker && strings.HasPrefix(e.Value, presentPrefix) {
			continue
		}
		rows = append(rows, []string{clock(e.At), f.moment(e.At), word(l, e.Kind), word(l, e.Value)})
	}
	p.Table([]float64{28, 24, 60, 58}, []string{l.T("Interview time"), l.T("Local time"), l.T("Event"), l.T("About")}, rows)

	p.Heading(l.T("Gaps"))
	if len(f.gaps) == 0 {
		p.Text(l.T("The recording names no gap in this span."))
	} else {
		rows = nil
		for _, g := range f.gaps {
			rows = append(rows, []string{f.tracks[g.Track], clock(g.Start), clock(g.End), word(l, g.Cause)})
		}
		p.Table([]float64{50, 28, 28, 64}, []string{l.T("Track"), l.T("From"), l.T("Until"), l.T("Cause")}, rows)
	}

	p.Heading(l.T("Media files"))
	f.hashes(p, l)

	p.Heading(l.T("Digests"))
	p.Fact(l.T("Manifest"), f.manifest())
	p.Fact(l.T("Root of the tree"), m.Tree.Root)
	p.Fact(l.T("Custody entries"), l.T("%d, in data/custody/entries.jsonl", len(f.pkg.Excerpt.Entries)))

	p.Heading(l.T("What this does not show"))
	p.Point(l.T("That what is said in the interview is true, or who held the camera."))
	p.Point(l.T("What happened before the picture and sound reached the recorder."))
	p.Point(l.T("This paper repeats what is in the files. Only checking the files shows that they are whole: see README.txt."))
	return p.Bytes()
}

func (f paperFacts) both(at evidence.Instant) string {
	return at.Time().Format(time.RFC3339) + " · " + at.Time().In(f.zone).Format("2006-01-02 15:04:05 MST")
}

// present says who was in the room, by role, and from when.
func (f paperFacts) present(l lang.Language) []string {
	var lines []string
	seen := map[string]bool{}
	for _, e := range f.m.Events {
		role, ok := strings.CutPrefix(e.Value, presentPrefix)
		if e.Kind != evidence.EventMarker || !ok || seen[role] || e.At >= f.span.Until {
			continue
		}
		seen[role] = true
		name := word(l, role)
		if role == "person" {
			name += " (" + f.pkg.person() + ")"
		}
		if f.whole {
			name = l.T("%s, from %s", name, clock(e.At))
		}
		lines = append(lines, name)
	}
	return lines
}

func (f paperFacts) hashes(p *paper.Page, l lang.Language) {
	var rows [][]string
	for _, m := range f.media {
		if m.Part > 0 {
			rows = append(rows, []string{strings.TrimPrefix(m.Name, "data/media/"), word(l, string(m.Track.Kind)), clock(m.Start), f.bag.sums[m.Name]})
		}
	}
	p.Table([]float64{52, 18, 24, 76}, []string{l.T("File"), l.T("Kind"), l.T("From"), "SHA-256"}, rows)
}

// manifest is the SHA-256 of the recording's manifest.
func (f paperFacts) manifest() string { return digest(f.pkg.Recording.Manifest) }

// certificate is a draft for a qualified person to sign (P26; Federal Rules of
// Evidence 902(13) and (14) are the model): how the record was made, and that the
// copy's digests match.
func (f paperFacts) certificate(l lang.Language) ([]byte, error) {
	trust := f.pkg.Sealer.Trust()
	p := paper.New(l.T("Draft: certificate of a qualified person"), trust.Organisation+" · "+string(f.pkg.Export), string(l), f.pkg.CreatedAt.Time())
	p.Strong(l.T("This is a draft. It certifies nothing until a qualified person has checked it, corrected it and signed it."))
	p.Heading(l.T("The record"))
	if number := f.pkg.exhibitNumber(); number != "" {
		p.Fact(l.T("Exhibit"), number)
	}
	p.Fact(l.T("Package"), string(f.pkg.Export))
	p.Fact(l.T("Recording"), string(f.m.Recording))
	p.Fact(l.T("Manifest"), f.manifest())
	p.Heading(l.T("How the record was made"))
	p.Text(l.T("The recorder (%s) receives encoded picture and sound from cameras and microphones in the interview room, and stores them in segments of about two seconds, each encrypted, with its time and its SHA-256, as they arrive and without encoding them again.", f.m.Software))
	p.Text(l.T("When the recording stops, the recorder signs the list of all segments with the agency's key and has the signature time-stamped. From then on no segment can be changed, left out, added or put in another order without the check failing."))
	p.Text(l.T("Every act on the recording is an entry in a log that can only grow, signed with another key."))
	p.Heading(l.T("That the copy matches"))
	p.Text(l.T("I compared the SHA-256 of each file below with that of the file before me, and they are the same:"))
	f.hashes(p, l)
	p.Heading(l.T("Declaration"))
	p.Text(l.T("I am qualified to say this by reason of my training and work, as follows:"))
	p.Rule("")
	p.Text(l.T("What is said above is true to the best of my knowledge. I know that a false statement can be punished."))
	p.Rule(l.T("Name and function"))
	p.Rule(l.T("Place and date"))
	p.Rule(l.T("Signature"))
	return p.Bytes()
}
