package consent

import (
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/casefile"
)

// Judge says why a person's consent for a purpose is not valid now, a sentence for
// each thing that is missing; nothing if it is valid. records are the person's
// acts, in any order; the latest on the purpose alone counts, but one that waits
// for its second person takes the place of no earlier one that is valid. It is a
// pure function: the gate, withdrawal and every decision on a grant ask it.
func Judge(person casefile.Person, records []Record, purpose Purpose, now evidence.Instant) []evidence.Reason {
	rec, item, ok := inForce(records, purpose)
	if !ok || item.WithdrawnAt != 0 || rec.Decision == Refused || rec.expired(now) {
		// What waits says best what is to be done next.
		rec, item, ok = latest(records, purpose)
	}
	if !ok {
		return []evidence.Reason{missing(purpose)}
	}
	var why []evidence.Reason
	add := func(code, text, practice string) {
		why = append(why, evidence.Reason{Code: "consent." + code, Text: text, Practice: practice})
	}
	switch {
	case item.WithdrawnAt != 0:
		add("withdrawn", "Consent "+toPhrase(purpose)+" was withdrawn. It can only be given anew.", "P37")
		return why
	case rec.Decision == Refused:
		add("refused", "Consent "+toPhrase(purpose)+" was refused.", "P40")
		return why
	}
	if rec.GivenAt > now {
		add("future", "The consent is dated in the future.", "P40")
	}
	if rec.expired(now) {
		add("expired", "The consent has run out. Ask for it again.", "P36")
	}
	switch {
	case rec.Form == Written && rec.Document == "" && rec.DocumentSHA256 == "":
		add("document", "The consent is said to be in writing, but no signed form is named.", "P40")
	case rec.Form == Attested && (rec.AttestedBy == "" || rec.AttestedBy == rec.RecordedBy):
		add("unattested", "The consent was given by word of mouth: a second, different person must attest it.", "P40")
	case rec.Form != Written && rec.Form != Attested:
		add("form", "The consent must be given in writing, or attested by two people.", "P40")
	}
	if person.TreatedAsChild() {
		judgeChild(person, rec, add)
	} else if rec.GivenBy != BySelf {
		add("giver", "An adult gives consent herself.", "P41")
	}
	return why
}

// judgeChild applies the rules for a child or a person of uncertain age (P1, P6, P41).
func judgeChild(person casefile.Person, rec Record, add func(code, text, practice string)) {
	switch rec.ChildView {
	case ViewYes:
	case ViewNo:
		add("child_no", "The child said no. That holds, whatever anybody else says.", "P41")
	default:
		add("child_view", "The child must be asked for her own view, and it must be written down.", "P1")
	}
	g := person.Guardian
	switch {
	case rec.GivenBy == ByAuthority:
	case rec.GivenBy == BySelf:
		add("giver", "A child, or somebody of uncertain age, is represented: a guardian or the guardianship authority must consent too.", "P41")
	case person.Unaccompanied:
		add("authority", "The child is unaccompanied: the guardianship authority must consent.", "P41")
	case g.Name == "":
		add("guardian", "It is not on file who the guardian is. Add her, or ask the guardianship authority.", "P41")
	case g.Conflict:
		add("guardian_conflict", "The guardian has a conflict of interest and cannot consent. Ask the guardianship authority.", "P41")
	}
}

// Ends says why what runs on a person's consent for a purpose must end now; nothing
// if it may go on, also where it rests on law (P37). Running out is no reason: what
// began under a valid consent is finished, because a child that is cut off would
// have to tell it again. It ends by withdrawal, by a no and by what makes the
// consent void. Nothing new begins on a consent that has run out, and nobody is
// shown anything on it; see [Judge].
func Ends(person casefile.Person, records []Record, purpose Purpose, now evidence.Instant) []evidence.Reason {
	if rec, _, ok := inForce(records, purpose); ok && rec.Basis == OnLaw {
		return nil
	}
	return slices.DeleteFunc(Judge(person, records, purpose, now), func(r evidence.Reason) bool { return r.Code == "consent.expired" })
}

func (r Record) expired(now evidence.Instant) bool { return r.ValidUntil != 0 && now >= r.ValidUntil }

// Waits reports whether the act is a consent that a second person has not attested
// yet (P40). It replaces no earlier act until then, so that writing it down cannot
// stop what runs on an earlier one. A no needs nobody's word but the person's own:
// a refusal, and an act that notes a child's no, count at once.
func (r Record) Waits() bool {
	return r.Decision == Given && r.Form == Attested && r.AttestedBy == "" && r.ChildView != ViewNo
}

// inForce finds the act that counts for a purpose: the latest that does not wait.
func inForce(records []Record, purpose Purpose) (rec Record, item Item, ok bool) {
	return latest(slices.DeleteFunc(slices.Clone(records), Record.Waits), purpose)
}

// latest finds the latest act on a purpose.
func latest(records []Record, purpose Purpose) (rec Record, item Item, ok bool) {
	for _, r := range records {
		if it, has := r.Item(purpose); has && (!ok || it.Version > item.Version) {
			rec, item, ok = r, it, true
		}
	}
	return rec, item, ok
}

func missing(purpose Purpose) evidence.Reason {
	if purpose == ToRecord {
		return evidence.Reason{Code: "consent.record.missing", Text: "There is no consent to be recorded. Record one, in writing or attested by two people, before the start.", Practice: "P40"}
	}
	return evidence.Reason{Code: "consent.missing", Text: "There is no consent " + toPhrase(purpose) + ".", Practice: "P40"}
}

func toPhrase(p Purpose) string {
	switch p {
	case ToRecord:
		return "to be recorded"
	case ToObserveLive:
		return "to be observed live"
	case ToTraining:
		return "to use the recording for training"
	default:
		return "to share the recording for this purpose"
	}
}
