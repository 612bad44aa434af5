// Package retention says how long a case's recordings are kept, what keeps them
// longer, and how one is erased for good.
//
// Nothing that belongs to a case is ever deleted by the program (P34). At the end
// of a term it raises a duty to decide, with a deadline, and waits for people. The
// longest of all rules that ever applied to a case wins, so that a rule which is
// shortened or replaced brings no end nearer. A hold beats every rule. Erasure
// needs two people: it destroys the keys, proves that nothing opens any more,
// and issues a signed certificate of what was done and of what that does not reach
// (P35). The certificate's form is in FORMAT.md.
package retention

import (
	"github.com/toldonce/toldonce/evidence"
)

// Start says from when a term counts.
type Start string

const (
	// FromClosed counts from the day the case was closed; as long as it is open
	// the term has not begun.
	FromClosed Start = "closed"
	// FromSealed counts from the last seal of a recording on the case.
	FromSealed Start = "sealed"
)

// Starts lists every start, in the order in which pages show them.
var Starts = []Start{FromClosed, FromSealed}

const (
	day = evidence.Instant(24 * 60 * 60 * 1_000_000)

	// MaxDays bounds a term: 150 years.
	MaxDays = 54_800
	// DefaultDecideDays is how long people have to decide where no rule says.
	DefaultDecideDays = 30
)

// Class is a retention class of an agency, such as "Criminal case, adult": a name
// and a rule that changes by versions. Versions are never removed.
type Class struct {
	ID       evidence.ID
	Agency   evidence.ID
	Name     string
	Versions []ClassVersion // in order, the first is 1
}

// Now is the version in force.
func (c Class) Now() ClassVersion {
	if len(c.Versions) == 0 {
		return ClassVersion{}
	}
	return c.Versions[len(c.Versions)-1]
}

// ClassVersion is a class as it stood from one day on.
type ClassVersion struct {
	Number     int
	Days       int   // 1 to MaxDays
	From       Start // from when they count
	DecideDays int   // how long people have to decide at the end, 1 to 365
	Basis      string
	SetBy      evidence.ID
	SetAt      evidence.Instant
}

// Rule is what was decided for one case: a class, or a date until which it is
// kept. Rules are only ever added.
type Rule struct {
	ID     evidence.ID
	Agency evidence.ID // of the case
	Case   evidence.ID
	Class  evidence.ID // empty for a date
	// Version is the class's at that time; every later version applies too.
	Version int
	Until   evidence.Instant // 0 for a class
	Reason  string           // personal
	SetBy   evidence.ID
	SetAt   evidence.Instant
}

// TermState says where a term stands.
type TermState string

const (
	// NoRule: nobody has said how long. It is kept until somebody does.
	NoRule TermState = "no_rule"
	// NotBegun: the longest rule counts from a day that has not come.
	NotBegun TermState = "not_begun"
	// Running: it ends on a known day.
	Running TermState = "running"
	// Ended: the day has come; people must decide.
	Ended TermState = "ended"
)

// Term is how long the recordings of a case are kept.
type Term struct {
	State TermState
	// Until is when it ends, exclusive; 0 where that is not known.
	Until evidence.Instant
	// Decide is when people must have decided; 0 where Until is.
	Decide evidence.Instant
	// Rule and Version name what gives the term: the longest.
	Rule    evidence.ID
	Class   evidence.ID
	Version int
}

// Dates are the days that a term can count from.
type Dates struct {
	Closed evidence.Instant // 0 while the case is open
	Sealed evidence.Instant // the last seal on the case; 0 if there is none
}

// TermOf works out the term of a case: of every rule that was ever set for it, by
// every version of its class since, the one that ends last. A rule whose day has
// not come outlasts all others.
func TermOf(rules []Rule, classes map[evidence.ID]Class, d Dates, now evidence.Instant) Term {
	best := Term{State: NoRule}
	for _, r := range rules {
		if r.Class == "" {
			best = longer(best, Term{State: Running, Until: r.Until, Decide: r.Until + DefaultDecideDays*day, Rule: r.ID})
			continue
		}
		for _, v := range classes[r.Class].Versions {
			if v.Number < r.Version {
				continue
			}
			t := Term{State: NotBegun, Rule: r.ID, Class: r.Class, Version: v.Number}
			from := d.Closed
			if v.From == FromSealed {
				from = d.Sealed
			}
			if from != 0 {
				t.State, t.Until = Running, from+evidence.Instant(v.Days)*day
				t.Decide = t.Until + evidence.Instant(v.DecideDays)*day
			}
			best = longer(best, t)
		}
	}
	if best.State == Running && now >= best.Until {
		best.State = Ended
	}
	return best
}

// longer returns the term that ends later; a before b if both end together.
func longer(a, b Term) Term {
	switch {
	case a.State == NoRule:
		return b
	case a.State == NotBegun:
		return a
	case b.State == NotBegun, b.Until > a.Until:
		return b
	}
	return a
}
