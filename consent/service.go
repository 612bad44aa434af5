package consent

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
)

// maxText bounds every text, in bytes.
const maxText = 2000

// attempts is how often an act is worked out anew when something that it rests on
// changed under it.
const attempts = 5

// Config is what a Service is made of. Every field but Signer is required.
type Config struct {
	Store  Store
	Access evidence.Authorizer
	// Jurisdiction is the ISO 3166 code of the law that applies, such as "XK".
	Jurisdiction string
	// Signer signs receipts. Without one there are none.
	Signer Signer
}

// Service records consents and their withdrawal and is the gate that every start
// of a recording passes. Every method but Check and Settle asks the policy before
// it acts. Safe for concurrent use.
type Service struct{ Config }

// New returns a Service.
func New(c Config) *Service { return &Service{c} }

// Statement is what somebody decided, to be recorded.
type Statement struct {
	Person         evidence.ID
	Purposes       []Purpose
	Decision       Decision // empty: Given
	GivenBy        Giver
	Form           Form
	ChildView      View
	ChildWords     string
	ToldWho        bool
	Signing        Signing // empty: OnPaper for a written consent
	Document       string
	DocumentSHA256 string
	Language       string // BCP 47
	Interpreter    string
	Basis          Basis // empty: OnConsent
	Law            string
	GivenAt        evidence.Instant // 0: now
	ValidUntil     evidence.Instant // 0: until withdrawn
}

func invalid(code, text, practice string) error {
	return evidence.Refuse(evidence.ErrInvalid, "consent."+code, text, practice)
}

// Record records what a person, or who represents her, decided. A consent that can
// never become valid is refused with the reasons (P41: a guardian with a conflict
// cannot consent). What needs a second person's attestation waits for [Service.Attest].
// A child's no is recorded like everything else, and blocks.
func (s *Service) Record(ctx context.Context, actor evidence.Actor, in Statement) (Record, error) {
	on := evidence.Resource{Kind: access.KindPerson, ID: in.Person}
	if err := s.Access.Authorize(ctx, actor, access.ConsentRecord, on); err != nil {
		return Record{}, err
	}
	rec, err := s.record(ctx, actor, in)
	if err != nil {
		return Record{}, err
	}
	err = s.apply(ctx, rec.Person, func(f *file) error {
		r := rec
		r.Items = slices.Clone(rec.Items)
		for i := range r.Items {
			_, last, _ := latest(f.records, r.Items[i].Purpose)
			r.Items[i].Version = last.Version + 1
		}
		rec = r
		if why := fatal(Judge(f.person, []Record{r}, r.Items[0].Purpose, f.now)); r.Decision == Given && len(why) > 0 {
			return &evidence.Refusal{Kind: evidence.ErrInvalid, Reasons: why}
		}
		f.change.Insert = &r
		f.records = append(f.records, r)
		f.entries = append(f.entries, custody.Entry{Actor: actor, Action: access.ConsentRecord, Agency: r.Agency, Case: r.Case, Subject: r.ID,
			Authority: r.Law, Details: r.details()})
		return nil
	})
	if err != nil {
		return Record{}, err
	}
	return s.Store.Consent(ctx, rec.ID)
}

// fatal keeps the reasons that no later act can mend. The second attestation is
// still to come, and a child's no must be recorded.
func fatal(why []evidence.Reason) []evidence.Reason {
	return slices.DeleteFunc(why, func(r evidence.Reason) bool {
		return r.Code == "consent.unattested" || r.Code == "consent.child_no"
	})
}

// record checks a statement's form.
func (s *Service) record(ctx context.Context, actor evidence.Actor, in Statement) (Record, error) {
	person, err := s.Store.Person(ctx, in.Person)
	if err != nil {
		return Record{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Record{}, err
	}
	r := Record{ID: evidence.NewID(), Agency: person.Agency, Case: person.Case, Person: person.ID, Decision: in.Decision, GivenBy: in.GivenBy, Form: in.Form,
		ChildView: in.ChildView, ChildWords: prose(in.ChildWords), Document: prose(in.Document), DocumentSHA256: in.DocumentSHA256,
		ToldWho: in.ToldWho, Signing: in.Signing, RecordedBy: actor.Account, RecordedAt: now, Language: in.Language, Interpreter: prose(in.Interpreter), TextVersion: TextVersion,
		Basis: in.Basis, Law: prose(in.Law), Jurisdiction: s.Jurisdiction, GivenAt: in.GivenAt, ValidUntil: in.ValidUntil}
	if r.Decision == "" {
		r.Decision = Given
	}
	if r.Basis == "" {
		r.Basis = OnConsent
	}
	if r.Signing == "" && r.Form == Written {
		r.Signing = OnPaper
	}
	_, r.TextSHA256 = TextFor(r.Language)
	if r.GivenAt == 0 {
		r.GivenAt = now
	}
	for _, p := range Purposes {
		if slices.Contains(in.Purposes, p) {
			r.Items = append(r.Items, Item{Purpose: p})
		}
	}
	if person.Kind == casefile.Suspect {
		return Record{}, invalid("suspect", "Consent is that of a victim or a witness.", "P42")
	}
	if err := casefile.NotAnOutsider(ctx, s.Store, r.Case, r.Interpreter); err != nil {
		return Record{}, err
	}
	return r, r.check(person, len(in.Purposes), now)
}

func (r Record) check(person casefile.Person, asked int, now evidence.Instant) error {
	if _, err := language.Parse(r.Language); err != nil {
		return invalid("language", "Name the language in which it was explained by its BCP 47 tag, such as sq or sr-Latn.", "P36")
	}
	sum, err := hex.DecodeString(r.DocumentSHA256)
	switch {
	case len(r.Items) == 0 || len(r.Items) != asked:
		return invalid("purposes", "Name what was agreed to, each purpose once.", "P36")
	case r.Decision != Given && r.Decision != Refused:
		return invalid("decision", "A consent is given or refused.", "P36")
	case !slices.Contains([]Giver{BySelf, ByGuardian, ByAuthority}, r.GivenBy):
		return invalid("giver", "Say who decided: the person herself, a guardian, or the guardianship authority.", "P41")
	case r.Form != Written && r.Form != Attested:
		return invalid("form", "The consent must be given in writing, or attested by two people.", "P40")
	case !person.TreatedAsChild() && (r.ChildView != "" || r.ChildWords != ""):
		return invalid("child_view", "The child's own view is noted for a child only.", "P1")
	case person.TreatedAsChild() && !slices.Contains([]View{ViewYes, ViewNo, ViewNotAsked}, r.ChildView):
		return invalid("child_view", "Note the child's own view: yes, no, or not asked yet.", "P1")
	case r.Form == Attested && r.Signing != "" || r.Form == Written && r.Signing != OnPaper && r.Signing != Scanned && r.Signing != OnScreen:
		return invalid("signing", "Say how the form was signed: on paper, on paper with a scan, or on the screen.", "P40")
	case (r.Signing == Scanned || r.Signing == OnScreen) && r.DocumentSHA256 == "":
		return invalid("signing.document", "Attach the scan or the signature to the case file and name its SHA-256.", "P40")
	case r.DocumentSHA256 != "" && (err != nil || len(sum) != 32 || hex.EncodeToString(sum) != r.DocumentSHA256):
		return invalid("document", "The SHA-256 of the form is 64 lower-case hex digits.", "P40")
	case r.Basis != OnConsent && r.Basis != OnLaw:
		return invalid("basis", "The processing rests on consent or on law.", "P37")
	case r.Basis == OnLaw && r.Law == "":
		return invalid("law", "Name the provision that the processing rests on.", "P37")
	case r.ValidUntil != 0 && (r.ValidUntil <= r.GivenAt || r.ValidUntil <= now):
		return invalid("until", "The end of the consent must lie in the future and after it was given.", "P36")
	case slices.ContainsFunc([]string{r.ChildWords, r.Document, r.Interpreter, r.Law}, func(t string) bool { return len(t) > maxText || !utf8.ValidString(t) }):
		return invalid("text", "Texts have at most 2000 bytes each.", "")
	}
	return nil
}

func (r Record) details() map[string]string {
	d := map[string]string{"person": string(r.Person), "decision": string(r.Decision), "given_by": string(r.GivenBy), "form": string(r.Form), "basis": string(r.Basis),
		"language": r.Language, "text_version": strconv.Itoa(r.TextVersion), "given_at": strconv.FormatInt(int64(r.GivenAt), 10)}
	for _, it := range r.Items {
		d["purpose."+string(it.Purpose)] = strconv.Itoa(it.Version)
	}
	if r.ChildView != "" {
		d["child_view"] = string(r.ChildView)
	}
	if r.Signing != "" {
		d["signing"] = string(r.Signing)
	}
	if r.ChildView != "" {
		d["told_who"] = strconv.FormatBool(r.ToldWho)
	}
	if r.TextSHA256 != "" {
		d["text_sha256"] = r.TextSHA256
	}
	if r.DocumentSHA256 != "" {
		d["document_sha256"] = r.DocumentSHA256
	}
	return d
}

func prose(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\x00", "")) }

// Attest is the second person's word for a consent that is not in writing (P40).
// The policy refuses whoever recorded it.
func (s *Service) Attest(ctx context.Context, actor evidence.Actor, id evidence.ID) (Record, error) {
	if err := s.Access.Authorize(ctx, actor, access.ConsentAttest, evidence.Resource{Kind: access.KindConsent, ID: id}); err != nil {
		return Record{}, err
	}
	rec, err := s.Store.Consent(ctx, id)
	if err != nil {
		return Record{}, err
	}
	if rec.State() != StatePending {
		return Record{}, evidence.Refuse(evidence.ErrConflict, "consent.not_pending", "This consent does not wait for a second person.", "P40")
	}
	err = s.apply(ctx, rec.Person, func(f *file) error {
		i := slices.IndexFunc(f.records, func(r Record) bool { return r.ID == id })
		f.records[i].AttestedBy, f.records[i].AttestedAt = actor.Account, f.now
		f.change.Attest = &Attestation{Record: id, By: actor.Account, At: f.now}
		f.entries = append(f.entries, custody.Entry{Actor: actor, Action: access.ConsentAttest, Agency: rec.Agency, Case: rec.Case, Subject: id,
			Details: map[string]string{"person": string(rec.Person), "first": string(rec.RecordedBy)}})
		return nil
	})
	if err != nil {
		return Record{}, err
	}
	return s.Store.Consent(ctx, id)
}

// Withdrawal ends a consent.
type Withdrawal struct {
	Purposes []Purpose // empty: every purpose that is not withdrawn or superseded
	By       Giver     // who withdraws; empty: the person herself
	Reason   string    // what was said, personal; nobody has to give a reason: may be empty
}

// Withdraw ends a consent for some or all of its purposes. In one transaction with
// its entries it ends the grants that rest on it, makes interviews that were ready
// planned again, and tells the recorder to stop what runs on it. Nothing that
// exists is deleted (P37). A person can always withdraw; a guardian only without a
// conflict (P41).
func (s *Service) Withdraw(ctx context.Context, actor evidence.Actor, id evidence.ID, in Withdrawal) (Record, error) {
	if err := s.Access.Authorize(ctx, actor, access.ConsentWithdraw, evidence.Resource{Kind: access.KindConsent, ID: id}); err != nil {
		return Record{}, err
	}
	rec, err := s.Store.Consent(ctx, id)
	if err != nil {
		return Record{}, err
	}
	if in.By == "" {
		in.By = BySelf
	}
	if in.Reason = prose(in.Reason); len(in.Reason) > maxText {
		return Record{}, invalid("reason", "The reason has at most 2000 bytes.", "")
	}
	err = s.apply(ctx, rec.Person, func(f *file) error { return f.withdraw(actor, id, in) })
	if err != nil {
		return Record{}, err
	}
	return s.Store.Consent(ctx, id)
}

func (f *file) withdraw(actor evidence.Actor, id evidence.ID, in Withdrawal) error {
	switch {
	case in.By == BySelf || in.By == ByAuthority && f.person.TreatedAsChild():
	case in.By != ByGuardian || f.person.Guardian.Name == "":
		return invalid("withdraw.giver", "Say who withdraws: the person herself, her guardian, or the guardianship authority.", "P41")
	case f.person.Guardian.Conflict:
		return invalid("guardian_conflict", "The guardian has a conflict of interest and has no part in this consent.", "P41")
	}
	i := slices.IndexFunc(f.records, func(r Record) bool { return r.ID == id })
	rec := f.records[i]
	var ended []Purpose
	for _, it := range rec.Items {
		if rec.Decision == Given && it.WithdrawnAt == 0 && it.SupersededAt == 0 && (len(in.Purposes) == 0 || slices.Contains(in.Purposes, it.Purpose)) {
			ended = append(ended, it.Purpose)
		}
	}
	if len(ended) == 0 {
		return evidence.Refuse(evidence.ErrConflict, "consent.nothing_to_withdraw", "There is nothing in force here that could be withdrawn.", "P37")
	}
	details := map[string]string{"person": string(rec.Person), "by": string(in.By)}
	for _, p := range ended {
		details["purpose."+string(p)] = "withdrawn"
	}
	f.entries = append(f.entries, custody.Entry{Actor: actor, Action: access.ConsentWithdraw, Agency: rec.Agency, Case: rec.Case, Subject: id, Why: in.Reason, Details: details})
	if f.recorded {
		f.decideOnTheRest(actor, rec)
	}
	// What was written down before she withdrew and waits for its second person must
	// not take effect afterwards.
	for i := range f.records {
		if f.records[i].ID == id || f.records[i].Waits() {
			f.end(i, ended, Withdrawn{By: in.By, RecordedBy: actor.Account, At: f.now})
		}
	}
	return nil
}

// end withdraws purposes of the act at i, as far as they are open.
func (f *file) end(i int, purposes []Purpose, w Withdrawn) {
	w.Record = f.records[i].ID
	items := slices.Clone(f.records[i].Items)
	for j, it := range items {
		if it.WithdrawnAt == 0 && it.SupersededAt == 0 && slices.Contains(purposes, it.Purpose) {
			items[j].WithdrawnAt = w.At
			w.Purposes = append(w.Purposes, it.Purpose)
		}
	}
	if len(w.Purposes) > 0 {
		f.records[i].Items = items
		f.change.Withdraw = append(f.change.Withdraw, w)
	}
}

// Consents lists the acts of everyone on a case, the newest first.
func (s *Service) Consents(ctx context.Context, actor evidence.Actor, caseID evidence.ID) ([]Record, error) {
	if err := s.Access.Authorize(ctx, actor, access.ConsentRead, evidence.Resource{Kind: access.KindCase, ID: caseID}); err != nil {
		return nil, err
	}
	return s.Store.ConsentsOfCase(ctx, caseID)
}

// Settle judges a person's consents and interviews again after something else
// changed, such as a guardian's conflict, and applies what follows.
func (s *Service) Settle(ctx context.Context, person evidence.ID) error {
	return s.apply(ctx, person, func(*file) error { return nil })
}

// apply works out an act and its effects from what is stored now, and applies both
// in one transaction; again if something changed in between.
func (s *Service) apply(ctx context.Context, person evidence.ID, act func(*file) error) error {
	for try := 1; ; try++ {
		f, err := s.load(ctx, person)
		if err != nil {
			return err
		}
		if err := act(f); err != nil {
			return err
		}
		f.effects()
		if len(f.entries) == 0 {
			return nil
		}
		err = s.Store.ApplyConsent(ctx, f.change, f.entries)
		if errors.Is(err, evidence.ErrConflict) && try < attempts {
			continue
		}
		if err != nil {
			return fmt.Errorf("applying a change of consent of person %s: %w", person, err)
		}
		return nil
	}
}
