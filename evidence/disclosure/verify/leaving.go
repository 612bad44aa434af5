package verify

import (
	"errors"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/leaving"
	"github.com/toldonce/toldonce/evidence/seal"
)

// leaving judges the check before the child left, if the package holds one: its seal,
// and that it says of this recording what follows from the manifest.
func (e *examination) leaving(m evidence.Manifest, manifest []byte) {
	const file = disclosure.LeavingFile
	if _, there := e.files.sizes[file]; !there {
		return // of a recording from before there was one; a missing file is missed by its list
	}
	data, ok := e.small("leaving.form", file)
	if !ok {
		return
	}
	f, record, err := leaving.Parse(data)
	switch {
	case errors.Is(err, evidence.ErrUnknownFormat):
		e.add("leaving.form", seal.CannotJudge, file, "The check before the child left is of another type or version: %v.", err)
		return
	case err != nil:
		e.add("leaving.form", seal.Fails, file, "The check before the child left cannot be accepted: %v.", err)
		return
	}
	e.add("leaving.form", seal.Holds, file, "The check before the child left is of version 1 and in its canonical form.")
	sealed, findings := leaving.Bundle(f, e.trust, e.claimed, file)
	e.report.Findings = append(e.report.Findings, findings...)
	if sealed.Bundle == nil {
		return
	}
	var st seal.FileStatement[leaving.Predicate]
	if err := evidence.DecodeCanonical(sealed.Statement, &st); err != nil || st.PredicateType != leaving.PredicateType || st.Predicate != leaving.PredicateOf(record) {
		e.add("leaving.outline", seal.Fails, file, "What was signed about the check before the child left does not repeat it.")
		return
	}
	e.add("leaving.outline", seal.Holds, file, "What was signed about the check before the child left repeats it.")
	if !record.Judged(m, manifest) {
		e.add("leaving.check", seal.Fails, file, "The check before the child left does not say what follows from this recording's manifest.")
		return
	}
	e.report.Leaving = record.Verdict
	if record.Verdict == leaving.Complete {
		e.add("leaving.check", seal.Holds, file, "The check before the child left says what follows from the manifest and from how loud it was heard: nothing that was measured had to be looked at.")
		return
	}
	e.add("leaving.check", seal.Holds, file, "The check before the child left says what follows from the manifest: something had to be looked at.")
}
