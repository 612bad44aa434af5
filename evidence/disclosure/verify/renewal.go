package verify

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/seal"
)

// renewals judges the timestamps that were added to the recording's seal later, each
// over the seal and all that were added before it (P22).
func (e *examination) renewals(bundle []byte) {
	const check = "recording.renewal"
	if e.outline == nil {
		return
	}
	var names []string
	for _, name := range e.outline.Documents {
		if strings.HasPrefix(name, "data/seal/renewals/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var earlier []seal.Renewal
	for i, name := range names {
		if name != disclosure.RenewalFile(i+1) {
			e.add(check, seal.Fails, name, "Added timestamp %d is missing: those after it cannot hold without it.", i+1)
			return
		}
		token, ok := e.small(check, name)
		if !ok {
			return
		}
		e.renewal(name, i+1, seal.Covered(bundle, earlier), token)
		earlier = append(earlier, seal.Renewal{Token: token})
	}
}

func (e *examination) renewal(name string, number int, covered, token []byte) {
	const check = "recording.renewal"
	judged, status := e.trust, seal.Holds
	if judged == nil {
		judged, status = e.claimed, seal.NotGiven
	}
	if judged == nil {
		e.add(check, seal.NotGiven, name, "Whose added timestamp %d is cannot be said.", number)
		return
	}
	got, err := seal.CheckRenewal(judged, covered, token)
	switch {
	case errors.Is(err, seal.ErrUnknownAuthority):
		e.add(check, seal.NotGiven, name, "Added timestamp %d is by an authority that the trust file does not name: it adds nothing.", number)
	case err != nil:
		e.add(check, seal.Fails, name, "Added timestamp %d does not hold: %v.", number, err)
	case status == seal.NotGiven:
		e.add(check, status, name, "Added timestamp %d says %s. No trust file was given, so nobody can say whose clock that is.", number, got.At.Time().Format(time.RFC3339))
	case got.Assertion == seal.AssertedByThirdParty:
		if e.report.outside == "" {
			e.report.outside = got.At.Time().Format(time.RFC3339)
		}
		e.add(check, seal.Holds, name, "The seal existed at %s (an outside authority: %s).", got.At.Time().Format(time.RFC3339), got.Authority)
	default:
		e.add(check, seal.Holds, name, "The seal was timestamped anew at %s (time asserted by the operator: %s).", got.At.Time().Format(time.RFC3339), got.Authority)
	}
}
