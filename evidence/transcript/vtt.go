package transcript

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/toldonce/toldonce/evidence"
)

// Bounds of a transcript. What is larger is refused, never cut.
const (
	// MaxFile bounds a WebVTT file, in bytes.
	MaxFile = 4 << 20
	// MaxCues bounds its cues: one a second for five and a half hours.
	MaxCues = 20_000
	// MaxText bounds the text of a cue, MaxSpeaker a speaker's name, in bytes.
	MaxText    = 2000
	MaxSpeaker = 100

	maxHours = 99
)

// Cue is what somebody said.
type Cue struct {
	// From and Until bound it in interview time, whole milliseconds.
	From, Until evidence.Offset
	Speaker     string // as the transcript names her; may be empty
	Text        string // lines separated by \n; no markup
}

// Range returns when it was said.
func (c Cue) Range() evidence.Range { return evidence.Range{From: c.From, Until: c.Until} }

// Header begins every file that [Format] writes. A bare copy says so what it is.
const Header = "WEBVTT - Told Once transcript, unofficial unless a signed certificate comes with it\n"

const millisecond evidence.Offset = 1000

// Parse reads a WebVTT file (W3C WebVTT, section 4) strictly: what a browser would
// skip as malformed is refused with the line's number, because a transcript that
// silently lacks a sentence is worse than none. Comments, styles, regions, cue
// settings and identifiers are left out; of the markup only the speaker (<v>) is
// kept. Cues without text are left out. The error wraps [evidence.ErrInvalid].
func Parse(data []byte) ([]Cue, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("transcript: %w: more than %d bytes", evidence.ErrInvalid, MaxFile)
	}
	if !utf8.Valid(data) || bytes.ContainsRune(data, 0) {
		return nil, fmt.Errorf("transcript: %w: it is not UTF-8 text", evidence.ErrInvalid)
	}
	p := vttParser{lines: splitLines(strings.TrimPrefix(string(data), "\ufeff"))}
	cues, err := p.file()
	if err != nil {
		return nil, fmt.Errorf("transcript, line %d: %w: %w", p.at+1, evidence.ErrInvalid, err)
	}
	return cues, nil
}

// splitLines knows the three line ends of WebVTT.
func splitLines(s string) []string {
	return strings.Split(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n"), "\n")
}

// vttParser is owned by one call.
type vttParser struct {
	lines []string
	at    int
}

func (p *vttParser) line() (string, bool) {
	if p.at >= len(p.lines) {
		return "", false
	}
	return p.lines[p.at], true
}

func (p *vttParser) file() ([]Cue, error) {
	first, _ := p.line()
	if rest, ok := strings.CutPrefix(first, "WEBVTT"); !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return nil, fmt.Errorf("it does not begin with WEBVTT")
	}
	p.skipBlock()
	cues := []Cue{}
	for {
		for {
			l, ok := p.line()
			if !ok {
				sorted := func(a, b Cue) int { return int(a.From - b.From) }
				slices.SortStableFunc(cues, sorted)
				return cues, nil
			}
			if l != "" {
				break
			}
			p.at++
		}
		c, is, err := p.block()
		if err != nil {
			return nil, err
		}
		if !is || c.Text == "" {
			continue
		}
		if len(cues) == MaxCues {
			return nil, fmt.Errorf("more than %d cues", MaxCues)
		}
		cues = append(cues, c)
	}
}

// skipBlock goes on to the next empty line.
func (p *vttParser) skipBlock() {
	for {
		l, ok := p.line()
		if !ok || l == "" {
			return
		}
		p.at++
	}
}

var notCue = regexp.MustCompile(`^(NOTE|STYLE|REGION)([ \t]|$)`)

// block reads one block and reports whether it is a cue.
func (p *vttParser) block() (Cue, bool, error) {
	l, _ := p.line()
	if !strings.Contains(l, "-->") {
		if notCue.MatchString(l) {
			p.skipBlock()
			return Cue{}, false, nil
		}
		p.at++ // an identifier
		if l, _ = p.line(); !strings.Contains(l, "-->") {
			return Cue{}, false, fmt.Errorf("a cue has no times")
		}
	}
	var c Cue
	var err error
	if c.From, c.Until, err = parseTimes(l); err != nil {
		return Cue{}, false, err
	}
	p.at++
	var text []string
	for {
		l, ok := p.line()
		if !ok || l == "" {
			break
		}
		if strings.Contains(l, "-->") {
			return Cue{}, false, fmt.Errorf("an empty line is missing before the times of a cue")
		}
		text = append(text, l)
		p.at++
	}
	c.Speaker, c.Text, err = plain(strings.Join(text, "\n"))
	return c, true, err
}

var timing = regexp.MustCompile(`^[ \t]*(?:([0-9]{2,}):)?([0-5][0-9]):([0-5][0-9])\.([0-9]{3})[ \t]*-->[ \t]*(?:([0-9]{2,}):)?([0-5][0-9]):([0-5][0-9])\.([0-9]{3})(?:[ \t].*)?$`)

func parseTimes(line string) (from, until evidence.Offset, err error) {
	m := timing.FindStringSubmatch(line)
	if m == nil {
		return 0, 0, fmt.Errorf("its times cannot be read")
	}
	if from, err = parseTime(m[1:5]); err != nil {
		return 0, 0, err
	}
	if until, err = parseTime(m[5:9]); err != nil {
		return 0, 0, err
	}
	if until <= from {
		return 0, 0, fmt.Errorf("a cue ends before it begins")
	}
	return from, until, nil
}

// parseTime reads hours, minutes, seconds and milliseconds whose form is checked.
func parseTime(parts []string) (evidence.Offset, error) {
	var n [4]int64
	for i, s := range parts {
		if s == "" {
			continue
		}
		v, err := strconv.ParseInt(s, 10, 32)
		if err != nil || i == 0 && v > maxHours {
			return 0, fmt.Errorf("a time lies beyond %d hours", maxHours)
		}
		n[i] = v
	}
	return millisecond * evidence.Offset(((n[0]*60+n[1])*60+n[2])*1000+n[3]), nil
}

var (
	tag      = regexp.MustCompile(`<[^<>]*>`)
	voice    = regexp.MustCompile(`^<v(?:\.[^\s<>]*)?[ \t]+([^<>]*)>`)
	entities = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">", "&nbsp;", " ", "&lrm;", "", "&rlm;", "", "&quot;", `"`, "&#39;", "'")
	escapes  = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
)

// plain takes the markup out of a cue's text and returns who speaks and what.
func plain(s string) (speaker, text string, err error) {
	if m := voice.FindStringSubmatch(s); m != nil {
		speaker = m[1]
	}
	c := Cue{Until: 1, Speaker: entities.Replace(speaker), Text: entities.Replace(tag.ReplaceAllString(s, ""))}
	c.clean()
	return c.Speaker, c.Text, c.checkText()
}

// clean puts text and speaker into their one form.
func (c *Cue) clean() {
	c.Speaker = strings.Join(strings.Fields(c.Speaker), " ")
	lines := splitLines(c.Text)
	kept := lines[:0]
	for _, l := range lines {
		if l = strings.Join(strings.Fields(l), " "); l != "" {
			kept = append(kept, l)
		}
	}
	c.Text = strings.Join(kept, "\n")
}

func (c Cue) checkText() error {
	switch {
	case len(c.Text) > MaxText:
		return fmt.Errorf("a cue has more than %d bytes of text", MaxText)
	case len(c.Speaker) > MaxSpeaker:
		return fmt.Errorf("a speaker's name has more than %d bytes", MaxSpeaker)
	case !utf8.ValidString(c.Text + c.Speaker):
		return fmt.Errorf("it is not UTF-8 text")
	case strings.ContainsFunc(c.Text+c.Speaker, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }):
		return fmt.Errorf("a cue holds a control character")
	}
	return nil
}

// Clean puts cues into the one form in which they are kept: by start, times in whole
// milliseconds, text without surplus space. It returns an error that wraps
// [evidence.ErrInvalid] for what cannot be kept.
func Clean(cues []Cue) ([]Cue, error) {
	out := make([]Cue, 0, len(cues))
	for i, c := range cues {
		c.From, c.Until = c.From/millisecond*millisecond, c.Until/millisecond*millisecond
		c.clean()
		if err := c.checkText(); err != nil {
			return nil, fmt.Errorf("cue %d: %w: %w", i, evidence.ErrInvalid, err)
		}
		if c.From < 0 || c.Until <= c.From || c.Until > maxHours*3_600_000*millisecond {
			return nil, fmt.Errorf("cue %d: %w: its times are out of order", i, evidence.ErrInvalid)
		}
		if c.Text != "" {
			out = append(out, c)
		}
	}
	if len(out) > MaxCues {
		return nil, fmt.Errorf("%w: more than %d cues", evidence.ErrInvalid, MaxCues)
	}
	slices.SortStableFunc(out, func(a, b Cue) int { return int(a.From - b.From) })
	return out, nil
}

// Format writes cleaned cues as WebVTT, in exactly one way: [Parse] of it returns
// them, and a transcript that [Parse] and Format do not return unchanged is none.
func Format(cues []Cue) []byte {
	var b bytes.Buffer
	b.WriteString(Header)
	for _, c := range cues {
		fmt.Fprintf(&b, "\n%s --> %s\n", stamp(c.From), stamp(c.Until))
		if c.Speaker != "" {
			fmt.Fprintf(&b, "<v %s>", escapes.Replace(c.Speaker))
		}
		b.WriteString(escapes.Replace(c.Text))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func stamp(o evidence.Offset) string {
	ms := int64(o / millisecond)
	return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}

// Within returns the cues that lie wholly inside one of some ranges: what begins
// before or ends after may say what lies outside.
func Within(cues []Cue, ranges []evidence.Range) []Cue {
	out := []Cue{}
	for _, c := range cues {
		if slices.ContainsFunc(ranges, func(r evidence.Range) bool { return r.Contains(c.Range()) }) {
			out = append(out, c)
		}
	}
	return out
}

// Merge joins ranges that touch or overlap.
func Merge(ranges []evidence.Range) []evidence.Range {
	all := slices.Clone(ranges)
	slices.SortFunc(all, func(a, b evidence.Range) int { return int(a.From - b.From) })
	out := []evidence.Range{}
	for _, r := range all {
		if n := len(out); n > 0 && r.From <= out[n-1].Until {
			out[n-1].Until = max(out[n-1].Until, r.Until)
			continue
		}
		out = append(out, r)
	}
	return out
}
