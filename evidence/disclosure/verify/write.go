package verify

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/disclosure/lang"
	"github.com/toldonce/toldonce/evidence/disclosure/paper"
	"github.com/toldonce/toldonce/evidence/seal"
)

// In returns the report with its sentences and the findings' details in another
// language. Codes, and what other programs said, stay as they are.
func (r *Report) In(l lang.Language) *Report {
	out := *r
	out.Findings = make(seal.Findings, len(r.Findings))
	for i, f := range r.Findings {
		out.Findings[i] = f
		out.Findings[i].Detail = f.In(l.T)
	}
	// The sentences look at the English details.
	out.Proved, out.NotProved, out.Kind = nil, nil, ""
	english := *r
	english.tell(l)
	out.Proved, out.NotProved, out.Kind = english.Proved, english.NotProved, english.Kind
	return &out
}

// sections are the findings by what they mean, the worst first.
var sections = []struct {
	title  string
	status seal.Status
}{
	{"What fails", seal.Fails},
	{"Who is not trusted", seal.NotTrusted},
	{"What cannot be judged", seal.CannotJudge},
	{"What was not given", seal.NotGiven},
	{"What holds", seal.Holds},
}

// WriteText writes the report in plain words. With all, checks that hold are
// listed one by one.
func (r *Report) WriteText(w io.Writer, l lang.Language, all bool) error {
	t := r.In(l)
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", l.T("Verdict"), l.T(string(r.Verdict)))
	if t.Kind != "" {
		fmt.Fprintf(&b, "%s\n", t.Kind)
	}
	facts := t.facts(l)
	if len(facts) > 0 {
		b.WriteByte('\n')
	}
	for _, f := range facts {
		fmt.Fprintf(&b, "%-11s %s\n", f[0], printable(f[1]))
	}
	for _, s := range sections {
		title := l.T(s.title)
		if s.status == seal.Holds && !all {
			continue
		}
		for _, f := range t.Findings {
			if f.Status != s.status {
				continue
			}
			if title != "" {
				fmt.Fprintf(&b, "\n%s\n", title)
				title = ""
			}
			fmt.Fprintf(&b, "  %-22s ", f.Check)
			if f.File != "" {
				fmt.Fprintf(&b, "%s: ", printable(f.File))
			}
			fmt.Fprintf(&b, "%s\n", printable(f.Detail))
		}
	}
	fmt.Fprintf(&b, "\n%s\n", l.T("%d of %d checks hold.", r.holding(), len(r.Findings)))
	for _, part := range t.lists(l) {
		fmt.Fprintf(&b, "\n%s\n", part.title)
		for _, line := range part.lines {
			fmt.Fprintf(&b, "  - %s\n", printable(line))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

type titled struct {
	title string
	lines []string
}

// lists are what is proved, what is not, and what is missing; empty ones are left out.
func (r *Report) lists(l lang.Language) []titled {
	var out []titled
	for _, part := range []titled{{l.T("Proved"), r.Proved}, {l.T("Not proved"), r.NotProved}, {l.T("Missing"), r.Missing}} {
		if len(part.lines) > 0 {
			out = append(out, part)
		}
	}
	return out
}

func (r *Report) holding() int {
	n := 0
	for _, f := range r.Findings {
		if f.Status == seal.Holds {
			n++
		}
	}
	return n
}

// facts are the names of what was looked at.
func (r *Report) facts(l lang.Language) [][2]string {
	var out [][2]string
	add := func(name, value string) {
		if value != "" {
			out = append(out, [2]string{l.T(name), value})
		}
	}
	add("Package", r.Package)
	add("Interview", r.Interview)
	add("Recording", r.Recording)
	if r.SealedAt != "" {
		add("Sealed", l.T("%s with the key %s", r.SealedAt, r.Signer))
	}
	if r.Clip != nil {
		add("Asked for", offset(r.Clip.Requested.From)+" – "+offset(r.Clip.Requested.Until))
		add("Holds", offset(r.Clip.Actual.From)+" – "+offset(r.Clip.Actual.Until))
	}
	add("SHA-256", r.Digest)
	return out
}

// WritePDF writes the report as a PDF, with every check. at stands at its foot.
func (r *Report) WritePDF(w io.Writer, l lang.Language, at time.Time) error {
	t := r.In(l)
	p := paper.New(l.T("Verification report"), "toldonce-verify · "+at.UTC().Format(time.RFC3339), string(l), at)
	p.Strong(l.T("Verdict") + ": " + l.T(string(r.Verdict)))
	if t.Kind != "" {
		p.Text(t.Kind)
	}
	for _, f := range t.facts(l) {
		p.Fact(f[0], printable(f[1]))
	}
	for _, part := range t.lists(l) {
		p.Heading(part.title)
		for _, line := range part.lines {
			p.Point(printable(line))
		}
	}
	for _, s := range sections {
		var rows [][]string
		for _, f := range t.Findings {
			if f.Status == s.status {
				rows = append(rows, []string{f.Check, printable(f.File), printable(f.Detail)})
			}
		}
		if len(rows) > 0 {
			p.Heading(l.T(s.title))
			p.Table([]float64{38, 44, paper.Width - 82}, []string{l.T("Check"), l.T("File"), l.T("Finding")}, rows)
		}
	}
	p.Text(l.T("%d of %d checks hold.", r.holding(), len(r.Findings)))
	data, err := p.Bytes()
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// offset writes interview time as h:mm:ss.mmm.
func offset(o evidence.Offset) string {
	ms := int64(o) / 1000
	return fmt.Sprintf("%d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}
