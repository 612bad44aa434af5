package disclosure

import (
	"cmp"
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/disclosure/lang"
	"github.com/toldonce/toldonce/evidence/disclosure/paper"
)

// ExhibitFile says what courts decided about the recording, and which interviews
// belong with it.
const ExhibitFile = "data/exhibit.json"

// TypeExhibit is the type of the exhibit document; its version is 1.
const TypeExhibit = "toldonce/exhibit"

// Ruling is what a court decided about a recording, as whoever was told wrote it
// down: the agency says so, not the court.
type Ruling struct {
	ID       evidence.ID      `json:"id"`
	Outcome  string           `json:"outcome"` // "admitted", "excluded" or "edited"
	Decided  evidence.Instant `json:"decided"`
	Recorded evidence.Instant `json:"recorded"`
	// What follows is personal, and absent under a protective order.
	Court     string `json:"court,omitempty"`
	Reference string `json:"reference,omitempty"`
	Exhibit   string `json:"exhibit,omitempty"`
	Terms     string `json:"terms,omitempty"` // what an order to edit leaves out or changes
	// Texts commits to the ruling with its texts, where they are absent.
	Texts evidence.Commitment `json:"texts,omitempty"`
}

// Exhibit is the content of [ExhibitFile], canonical.
type Exhibit struct {
	Type      string      `json:"type"`
	Version   int         `json:"version"`
	Interview evidence.ID `json:"interview"`
	Recording evidence.ID `json:"recording"`
	Exhibit   string      `json:"exhibit,omitempty"`
	Rulings   []Ruling    `json:"rulings"` // by date of the decision
	// Supplements are the earlier interviews that this one adds to, SupplementedBy
	// the later ones that add to it.
	Supplements    []evidence.ID `json:"supplements"`
	SupplementedBy []evidence.ID `json:"supplementedBy"`
}

// exhibitNumber is the number under which a court knows the recording: the one
// asked for, else that of the newest ruling which gives one.
func (p Package) exhibitNumber() string {
	if p.Facts.Exhibit != "" || p.Profile == ProfileProtected {
		return p.Facts.Exhibit
	}
	for _, r := range slices.Backward(p.rulings()) {
		if r.Exhibit != "" {
			return r.Exhibit
		}
	}
	return ""
}

func (p Package) rulings() []Ruling {
	return slices.SortedStableFunc(slices.Values(p.Facts.Rulings), func(a, b Ruling) int {
		return cmp.Or(cmp.Compare(a.Decided, b.Decided), cmp.Compare(a.ID, b.ID))
	})
}

// exhibit returns the exhibit document, or nil if there is nothing to say.
func (p Package) exhibit(m evidence.Manifest) ([]byte, error) {
	if len(p.Facts.Rulings)+len(p.Facts.Supplements)+len(p.Facts.SupplementedBy) == 0 {
		return nil, nil
	}
	x := Exhibit{Type: TypeExhibit, Version: 1, Interview: m.Interview, Recording: m.Recording, Exhibit: p.exhibitNumber(), Rulings: p.rulings(),
		Supplements: append([]evidence.ID{}, p.Facts.Supplements...), SupplementedBy: append([]evidence.ID{}, p.Facts.SupplementedBy...)}
	for i, r := range x.Rulings {
		if p.Profile != ProfileProtected {
			continue
		}
		text, err := evidence.Canonical(r)
		if err != nil {
			return nil, err
		}
		o := evidence.Opening{Field: "ruling", Salt: p.Facts.Salt("ruling " + string(r.ID)), Value: string(text)}
		x.Rulings[i] = Ruling{ID: r.ID, Outcome: r.Outcome, Decided: r.Decided, Recorded: r.Recorded, Texts: o.Commitment()}
	}
	if x.Rulings == nil {
		x.Rulings = []Ruling{}
	}
	return evidence.Canonical(x)
}

// exhibit writes what courts decided onto the report.
func (f paperFacts) exhibit(p *paper.Page, l lang.Language) {
	facts, secret := f.pkg.Facts, f.pkg.Profile == ProfileProtected
	if len(facts.Rulings) > 0 {
		p.Heading(l.T("What courts decided"))
	}
	for _, r := range f.pkg.rulings() {
		day := r.Decided.Time().In(f.zone).Format("2006-01-02")
		if secret {
			p.Point(day + ": " + word(l, r.Outcome))
			continue
		}
		p.Point(day + ": " + word(l, r.Outcome) + " (" + r.Court + ", " + r.Reference + ")")
		if r.Terms != "" {
			p.Text(r.Terms)
		}
	}
	if len(facts.Supplements)+len(facts.SupplementedBy) > 0 {
		p.Heading(l.T("Interviews that belong together"))
	}
	for _, id := range facts.Supplements {
		p.Point(l.T("This interview supplements interview %s.", string(id)))
	}
	for _, id := range facts.SupplementedBy {
		p.Point(l.T("Interview %s supplements this one.", string(id)))
	}
}
