package seal

import "fmt"

// Status of one check.
type Status string

const (
	// Holds: checked, and as it must be.
	Holds Status = "holds"
	// Fails: checked, and not as it must be.
	Fails Status = "fails"
	// NotTrusted: agrees with itself, but the key or authority behind it is
	// not in the trust file.
	NotTrusted Status = "not-trusted"
	// CannotJudge: of a version or algorithm that this program does not know,
	// or resting on something that failed. It never counts as holding.
	CannotJudge Status = "cannot-judge"
	// NotGiven: withheld, erased, or not asked for.
	NotGiven Status = "not-given"
)

// Finding is the outcome of one check. Check is a stable dotted name; Detail is
// one English sentence that names no person.
type Finding struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	File   string `json:"file,omitempty"`
	Detail string `json:"detail"`

	format string // of Detail, in English
	args   []any
}

// In returns Detail as tell says it in another language, by its English format
// for [fmt.Sprintf]. A finding that was not made by [Findings.Add] stays English.
func (f Finding) In(tell func(format string, args ...any) string) string {
	if f.format == "" {
		return f.Detail
	}
	args := make([]any, len(f.args))
	for i, a := range f.args {
		if term, ok := a.(Term); ok {
			a = tell(term.Format, term.Args...)
		}
		args[i] = a
	}
	return tell(f.format, args...)
}

// Term is an argument of a finding that is words too, and is translated with it.
type Term struct {
	Format string
	Args   []any
}

// String returns the term in English.
func (t Term) String() string { return fmt.Sprintf(t.Format, t.Args...) }

// Findings is a list of findings in the order in which things were checked.
type Findings []Finding

// Add appends a finding.
func (f *Findings) Add(check string, status Status, file, format string, args ...any) {
	*f = append(*f, Finding{Check: check, Status: status, File: file, Detail: fmt.Sprintf(format, args...), format: format, args: args})
}

// Any reports whether a finding has the status.
func (f Findings) Any(status Status) bool {
	for _, x := range f {
		if x.Status == status {
			return true
		}
	}
	return false
}

// Of reports the worst status among the findings of a check: Fails, then
// NotTrusted, CannotJudge, NotGiven, Holds; empty if there are none.
func (f Findings) Of(check string) Status {
	rank := map[Status]int{Holds: 1, NotGiven: 2, CannotJudge: 3, NotTrusted: 4, Fails: 5}
	var worst Status
	for _, x := range f {
		if x.Check == check && rank[x.Status] > rank[worst] {
			worst = x.Status
		}
	}
	return worst
}
