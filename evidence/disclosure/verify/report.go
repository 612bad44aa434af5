package verify

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/toldonce/toldonce/evidence/seal"
)

// Verdict sums a report up.
type Verdict string

const (
	// Verified: everything holds, and the trust file names who signed.
	Verified Verdict = "verified"
	// Failed: something is not as it was signed.
	Failed Verdict = "failed"
	// SignerNotTrusted: the package agrees with itself, but it was signed by keys
	// that the trust file does not name. Anybody can make such a package.
	SignerNotTrusted Verdict = "signer not trusted"
	// Consistent: the package agrees with itself; without a trust file nothing
	// can be said about who made it.
	Consistent Verdict = "consistent; signer not identified"
	// Unjudged: a part is of a version that this program does not know.
	Unjudged Verdict = "cannot judge"
)

// ExitCode is what toldonce-verify ends with: 0 verified, 1 failed, 2 signer not
// trusted or not identified, 3 cannot judge.
func (v Verdict) ExitCode() int {
	switch v {
	case Verified:
		return 0
	case SignerNotTrusted, Consistent:
		return 2
	case Unjudged:
		return 3
	}
	return 1
}

// Report is what [Package] found. Its JSON form is stable; see FORMAT.md.
type Report struct {
	Verdict   Verdict       `json:"verdict"`
	Package   string        `json:"package"`             // export id, if the package says one that can be read
	Recording string        `json:"recording,omitempty"` // recording id
	Interview string        `json:"interview,omitempty"` // interview id
	Signer    string        `json:"signer,omitempty"`    // key id of the recording's seal
	SealedAt  string        `json:"sealed_at,omitempty"` // RFC 3339, as the timestamp says
	Findings  seal.Findings `json:"findings"`
	Proved    []string      `json:"proved"`
	NotProved []string      `json:"not_proved"`
	Missing   []string      `json:"missing"` // files that belong to the package and are not there
}

// required are the checks that must have been made, and hold, for [Verified].
var required = []string{
	"bag.form", "bag.complete", "bag.digest", "certificates",
	"recording.bundle", "recording.statement", "recording.signer", "recording.signature", "recording.timestamp", "recording.parts",
	"recording.manifest", "recording.pages", "recording.tree", "recording.leaves", "recording.times", "recording.gaps",
	"media.segments", "media.times",
	"package.bundle", "package.statement", "package.signer", "package.signature", "package.timestamp", "package.parts", "package.outline",
	"custody.checkpoint", "custody.entries", "custody.inclusion", "custody.openings", "custody.seal",
}

// says reports whether every one of the checks was made and holds.
func (r *Report) says(checks ...string) bool {
	return !slices.ContainsFunc(checks, func(c string) bool { return r.Findings.Of(c) != seal.Holds })
}

// judge sets the verdict and the sentences from the findings.
func (r *Report) judge(trusted *seal.Trust) {
	switch {
	case r.Findings.Any(seal.Fails):
		r.Verdict = Failed
	case r.Findings.Any(seal.CannotJudge):
		r.Verdict = Unjudged
	case r.Findings.Any(seal.NotTrusted):
		r.Verdict = SignerNotTrusted
	case trusted == nil:
		r.Verdict = Consistent
	case !r.says(required...):
		r.Verdict = Unjudged // a check that was left out is no check that holds
	default:
		r.Verdict = Verified
	}
	r.Proved, r.NotProved = []string{}, []string{}
	says := r.says
	if says("package.bundle", "package.statement", "package.signer", "package.signature", "bag.complete", "bag.digest") {
		r.Proved = append(r.Proved, "Every file is as it was when the agency's key signed this package, and none is missing or added.")
	}
	if says("recording.bundle", "recording.statement", "recording.signer", "recording.signature", "recording.manifest", "recording.pages", "recording.tree", "recording.leaves", "media.segments") {
		r.Proved = append(r.Proved, "The media is, byte for byte, what the agency's key sealed when the recording stopped: no segment was changed, dropped, added or reordered since.")
	}
	if says("recording.signer", "recording.signature", "recording.timestamp") {
		whose := "an outside timestamp authority"
		for _, f := range r.Findings {
			if f.Check == "recording.timestamp" && strings.Contains(f.Detail, "asserted by the operator") {
				whose = "the agency's own timestamp authority: time asserted by the operator"
			}
		}
		r.Proved = append(r.Proved, fmt.Sprintf("The seal existed at %s, by the word of %s.", r.SealedAt, whose))
	}
	if says("custody.checkpoint", "custody.entries", "custody.inclusion", "custody.seal") {
		r.Proved = append(r.Proved, "Each entry of the custody excerpt stands in the agency's log, as its signed checkpoint says, the sealing of this very recording among them.")
	}
	switch {
	case r.Verdict == Failed:
		r.NotProved = append(r.NotProved, "That this package is what the agency sealed: at least one check fails.")
	case r.Verdict == SignerNotTrusted:
		r.NotProved = append(r.NotProved, "Who made this package: its keys are not in the trust file. Anybody can make one that agrees with itself.")
	case r.Verdict == Consistent:
		r.NotProved = append(r.NotProved, "Who made this package: no trust file was given. Anybody can make one that agrees with itself.")
	}
	r.NotProved = append(r.NotProved,
		"That what is said in the interview is true, or who held the camera.",
		"What happened before the picture and sound reached the recorder.",
		"That the custody excerpt leaves no entry out.",
		"That the stored, encrypted objects are still there: a package holds their plaintext.",
	)
}

// WriteText writes the report in plain words. With all, checks that hold are
// listed one by one.
func (r *Report) WriteText(w io.Writer, all bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Verdict: %s\n", r.Verdict)
	if r.Interview != "" {
		fmt.Fprintf(&b, "\nPackage    %s\nInterview  %s\nRecording  %s\n", printable(r.Package), r.Interview, r.Recording)
	}
	if r.SealedAt != "" {
		fmt.Fprintf(&b, "Sealed     %s with the key %s\n", r.SealedAt, printable(r.Signer))
	}
	sections := []struct {
		title string
		show  func(seal.Finding) bool
	}{
		{"What fails", func(f seal.Finding) bool { return f.Status == seal.Fails }},
		{"Who is not trusted", func(f seal.Finding) bool { return f.Status == seal.NotTrusted }},
		{"What cannot be judged", func(f seal.Finding) bool { return f.Status == seal.CannotJudge }},
		{"What was not given", func(f seal.Finding) bool { return f.Status == seal.NotGiven }},
		{"What holds", func(f seal.Finding) bool { return all && f.Status == seal.Holds }},
	}
	for _, s := range sections {
		title := s.title
		for _, f := range r.Findings {
			if !s.show(f) {
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
	holds := 0
	for _, f := range r.Findings {
		if f.Status == seal.Holds {
			holds++
		}
	}
	fmt.Fprintf(&b, "\n%d of %d checks hold.\n", holds, len(r.Findings))
	for _, part := range []struct {
		title string
		lines []string
	}{{"Proved", r.Proved}, {"Not proved", r.NotProved}} {
		if len(part.lines) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n", part.title)
		for _, line := range part.lines {
			fmt.Fprintf(&b, "  - %s\n", line)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printable keeps what a hostile file says on its own line and off the cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

func rfc3339(micro int64) string {
	return time.UnixMicro(micro).UTC().Format(time.RFC3339)
}
