package verify

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/disclosure/lang"
	"github.com/toldonce/toldonce/evidence/leaving"
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
	Verdict   Verdict `json:"verdict"`
	Package   string  `json:"package"`             // export id, if the package says one that can be read
	Recording string  `json:"recording,omitempty"` // recording id
	Interview string  `json:"interview,omitempty"` // interview id
	Signer    string  `json:"signer,omitempty"`    // key id of the recording's seal
	SealedAt  string  `json:"sealed_at,omitempty"` // RFC 3339, as the timestamp says
	// Content is "recording", "clip" or "derivation"; Kind says it in one sentence.
	Content string    `json:"content,omitempty"`
	Kind    string    `json:"kind,omitempty"`
	Profile string    `json:"profile,omitempty"`
	Clip    *ClipSpan `json:"clip,omitempty"`
	Prefix  *Span     `json:"prefix,omitempty"`
	// Digest is the SHA-256 of the package's tag manifest: what its receipt is
	// acknowledged with.
	Digest string `json:"sha256,omitempty"`
	// Leaving is the verdict of the check before the child left, "complete" or "look";
	// empty if the package holds none or it does not hold.
	Leaving   string        `json:"leaving,omitempty"`
	Findings  seal.Findings `json:"findings"`
	Proved    []string      `json:"proved"`
	NotProved []string      `json:"not_proved"`
	Missing   []string      `json:"missing"` // files that belong to the package and are not there

	outside string // RFC 3339, of an added timestamp by an outside authority
}

// ClipSpan says where a clip lies in its recording.
type ClipSpan struct {
	Requested evidence.Range `json:"requested"` // interview time, microseconds
	Actual    evidence.Range `json:"actual"`
	TreeSize  int64          `json:"tree_size"` // segments of the whole recording
}

// Span says how much of a recording that was not sealed is proved.
type Span struct {
	Pieces    int64  `json:"pieces"`    // that the newest checkpoint covers
	SignedAt  string `json:"signed_at"` // RFC 3339, by the recorder's clock
	Witnessed int64  `json:"witnessed"` // of them, by a witness that the trust file names
	Present   int64  `json:"present"`   // whose objects are here, byte for byte
	Uncovered int64  `json:"uncovered"` // objects that no checkpoint covers
	Until     int64  `json:"until_us"`  // interview time that the pieces reach to, microseconds
}

// The checks that must have been made, and hold, for [Verified].
var (
	requiredOfAll = []string{
		"bag.form", "bag.complete", "bag.digest", "certificates",
		"recording.bundle", "recording.statement", "recording.signer", "recording.signature", "recording.timestamp", "recording.parts", "recording.outline",
		"media.segments", "media.times",
		"package.bundle", "package.statement", "package.signer", "package.signature", "package.timestamp", "package.parts", "package.outline",
		"custody.checkpoint", "custody.entries", "custody.inclusion", "custody.openings", "custody.seal",
	}
	requiredOfRecording = []string{"recording.manifest", "recording.pages", "recording.tree", "recording.leaves", "recording.times", "recording.gaps"}
	requiredOfClip      = []string{"clip.form", "clip.leaves", "clip.inclusion", "clip.bounds", "clip.times"}
)

// required returns the checks that a thing of a kind is verified by.
func required(content string) []string {
	switch content {
	case derived:
		return requiredOfDerivation
	case unsealed:
		return requiredOfPrefix
	case string(disclosure.ClipOfRecording):
		return append(slices.Clone(requiredOfAll), requiredOfClip...)
	}
	return append(slices.Clone(requiredOfAll), requiredOfRecording...)
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
	case !r.says(required(r.Content)...):
		r.Verdict = Unjudged // a check that was left out is no check that holds
	default:
		r.Verdict = Verified
	}
	r.tell("en")
}

// tell sets the sentences in a language.
func (r *Report) tell(l lang.Language) {
	r.Kind = ""
	switch disclosure.Content(r.Content) {
	case disclosure.WholeRecording:
		r.Kind = l.T("This is a whole recording, with every segment that was sealed.")
	case disclosure.ClipOfRecording:
		r.Kind = l.T("This is a clip of whole segments of a sealed recording, cut without encoding anything again.")
	case unsealed:
		r.Kind = l.T("This is the beginning of a recording that is not sealed here: as much of it as was signed and kept elsewhere while it was being made.")
	case derived:
		r.Kind = l.T("This is a derived file: it was encoded again from a sealed recording and holds no sealed bytes.")
	}
	r.Proved, r.NotProved = []string{}, []string{}
	proved := func(format string, args ...any) { r.Proved = append(r.Proved, l.T(format, args...)) }
	not := func(format string, args ...any) { r.NotProved = append(r.NotProved, l.T(format, args...)) }
	if r.says("package.bundle", "package.statement", "package.signer", "package.signature", "bag.complete", "bag.digest") {
		proved("Every file is as it was when the agency's key %s signed this package, and none is missing or added.", r.Signer)
	}
	if r.says("recording.bundle", "recording.statement", "recording.signer", "recording.signature", "recording.manifest", "recording.pages", "recording.tree", "recording.leaves", "media.segments") {
		proved("The media is, byte for byte, what the agency's key sealed when the recording stopped: no segment was changed, dropped, added or reordered since.")
	}
	if r.says("recording.bundle", "recording.statement", "recording.signer", "recording.signature", "recording.outline", "clip.form", "clip.leaves", "clip.inclusion", "media.segments") {
		proved("Each segment of the clip is, byte for byte, one that the agency's key sealed when the recording stopped, and between the first and the last of a track none is missing.")
	}
	if r.says("recording.signer", "recording.signature", "recording.timestamp") {
		own := slices.ContainsFunc(r.Findings, func(f seal.Finding) bool {
			return f.Check == "recording.timestamp" && strings.Contains(f.Detail, "asserted by the operator")
		})
		if own {
			proved("The seal existed at %s, by the word of the agency's own timestamp authority: time asserted by the operator.", r.SealedAt)
		} else {
			proved("The seal existed at %s, by the word of an outside timestamp authority.", r.SealedAt)
		}
		if r.outside != "" {
			proved("The seal existed at %s, by the word of an outside timestamp authority.", r.outside)
		}
	}
	if r.says("custody.checkpoint", "custody.entries", "custody.inclusion", "custody.seal") {
		proved("Each entry of the custody excerpt stands in the agency's log, as its signed checkpoint says, the sealing of this very recording among them.")
	}
	if r.says("custody.checkpoint", "custody.inclusion") && slices.ContainsFunc(r.Findings, func(f seal.Finding) bool { return f.Check == "custody.witness" && f.Status == seal.Holds }) {
		proved("A witness outside the agency saw the log with these entries, and that nothing before them had been changed or removed since it first looked.")
	}
	if r.says("leaving.form", "leaving.bundle", "leaving.statement", "leaving.signer", "leaving.signature", "leaving.outline", "leaving.check") {
		if r.Leaving == leaving.Complete {
			proved("Right after the stop, before the child left, the recorder found nothing that had to be looked at in what it could measure: people introduced, breaks ended, picture and sound there, less than a second missing, live and in step. What it could not measure stands in the check.")
		} else {
			proved("Right after the stop, before the child left, the recorder said that something had to be looked at; the check itself says what.")
		}
	}
	if r.says("derivation.bundle", "derivation.statement", "derivation.signer", "derivation.signature", "derivation.outline") {
		proved("The agency's key %s signed that this file was made from the recording in the way that is stated.", r.Signer)
	}
	if r.Content == unsealed {
		r.tellPrefix(proved, not)
		return
	}
	switch r.Verdict {
	case Failed:
		not("That this package is what the agency sealed: at least one check fails.")
	case SignerNotTrusted:
		not("Who made this package: its keys are not in the trust file. Anybody can make one that agrees with itself.")
	case Consistent:
		not("Who made this package: no trust file was given. Anybody can make one that agrees with itself.")
	}
	not("That what is said in the interview is true, or who held the camera.")
	if r.Content == derived {
		not("That the file shows what the sealed recording shows: only comparing the two does. The agency's word stands for it.")
		return
	}
	not("What happened before the picture and sound reached the recorder.")
	if r.Content == string(disclosure.ClipOfRecording) {
		not("What the rest of the recording holds: of it, only the number of its segments and when it began and ended are known.")
	}
	not("That the custody excerpt leaves no entry out.")
	not("That the stored, encrypted objects are still there: a package holds their plaintext.")
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
