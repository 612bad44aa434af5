package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/disclosure/verify"
	"github.com/toldonce/toldonce/evidence/receipt"
	"github.com/toldonce/toldonce/evidence/seal"
)

// receiptReport is what the check of a consent receipt found.
type receiptReport struct {
	Verdict  verify.Verdict     `json:"verdict"`
	Code     string             `json:"code,omitempty"` // to be compared with the printed page
	Record   *receipt.Record    `json:"record,omitempty"`
	Openings []evidence.Opening `json:"openings"`
	Findings seal.Findings      `json:"findings"`
}

// readReceipt returns the file's bytes if it is a consent receipt.
func readReceipt(path string) ([]byte, bool) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > receipt.MaxSize {
		return nil, false
	}
	data, err := os.ReadFile(path)
	return data, err == nil && receipt.IsReceipt(data)
}

func checkReceipt(data []byte, trust *seal.Trust) receiptReport {
	rec, openings, findings := receipt.Check(data, trust)
	out := receiptReport{Findings: findings, Openings: openings}
	if out.Openings == nil {
		out.Openings = []evidence.Opening{}
	}
	if r, _, err := receipt.Parse(data); err == nil {
		out.Record, out.Code = &rec, receipt.Code([]byte(r.Record))
	}
	needed := []string{"receipt.form", "receipt.bundle", "receipt.statement", "receipt.signer", "receipt.signature", "receipt.timestamp", "receipt.openings"}
	switch {
	case findings.Any(seal.Fails):
		out.Verdict = verify.Failed
	case findings.Any(seal.CannotJudge):
		out.Verdict = verify.Unjudged
	case findings.Any(seal.NotTrusted):
		out.Verdict = verify.SignerNotTrusted
	case findings.Any(seal.NotGiven):
		out.Verdict = verify.Consistent
	case slices.ContainsFunc(needed, func(check string) bool { return findings.Of(check) != seal.Holds }):
		out.Verdict = verify.Unjudged // a check that was left out is no check that holds
	default:
		out.Verdict = verify.Verified
	}
	return out
}

// writeText prints the report for a person.
func (r receiptReport) writeText(out io.Writer, all bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Consent receipt: %s\n", r.Verdict)
	if r.Record != nil {
		fmt.Fprintf(&b, "\nCode on the printed page: %s\n", r.Code)
		for _, o := range r.Openings {
			fmt.Fprintf(&b, "  %-16s %s\n", o.Field, printable(o.Value))
		}
		for _, p := range r.Record.Purposes {
			fmt.Fprintf(&b, "  %-18s %s\n", p.Purpose, p.State)
		}
		fmt.Fprintf(&b, "  %-18s %s, by %s\n", r.Record.Decision, moment(r.Record.GivenAt), r.Record.GivenBy)
		fmt.Fprintf(&b, "  %-18s %s\n", "issued", moment(r.Record.IssuedAt))
		fmt.Fprint(&b, "\nA receipt says what stood on record when it was issued. A consent may have been withdrawn since.\n")
	}
	for _, f := range r.Findings {
		if all || f.Status != seal.Holds {
			fmt.Fprintf(&b, "\n%s: %s: %s", f.Status, f.Check, printable(f.Detail))
		}
	}
	fmt.Fprintln(&b)
	_, err := io.WriteString(out, b.String())
	return err
}

func moment(i evidence.Instant) string { return i.Time().UTC().Format(time.RFC3339) }

// printable keeps what a hostile file says from moving a terminal's cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x202e {
			return '?'
		}
		return r
	}, s)
}
