package consent_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/receipt"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/internal/memstore"
	"github.com/toldonce/toldonce/internal/world"
)

// authority makes an agency's seal for a test.
func authority(t *testing.T) *seal.Authority {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "seal")
	clock := func() time.Time { return time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC) }
	if err := seal.Init(t.Context(), dir, seal.Config{Organisation: "Policia e Kosovës", Keys: world.Keys{}, Clock: clock}); err != nil {
		t.Fatal(err)
	}
	a, err := seal.Open(t.Context(), dir, world.Keys{}, clock)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestAReceiptIsCheckedOffline: who holds it needs the agency's trust file and
// nothing else; what she does not want to show she leaves out.
func TestAReceiptIsCheckedOffline(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	signer := authority(t)
	w.Consent.Signer = signer
	in := w.WrittenConsent(w.Victim.ID, consent.ToRecord, consent.ToTraining)
	in.Interpreter = "Drita"
	rec := w.Consents(in)
	file, code, err := w.Consent.Receipt(ctx, w.Actors[evidence.RoleAdvocate], rec.ID, consent.BySelf)
	w.Must(err)
	if e := s.Log(access.ConsentReceipt); len(e) != 1 || e[0].Details["code"] != code {
		t.Errorf("entries %+v", e)
	}
	got, opened, findings := receipt.Check(file, signer.Trust())
	if findings.Any(seal.Fails) || findings.Any(seal.NotTrusted) || findings.Of("receipt.signature") != seal.Holds || findings.Of("receipt.signer") != seal.Holds {
		t.Fatalf("%+v", findings)
	}
	if got.RecordID != rec.ID || got.SchemaVersion != consent.SchemaVersion || got.TextSHA256 == "" || len(got.Purposes) != 2 || got.Purposes[0].State != "given" || len(opened) != 5 {
		t.Errorf("%+v, opened %+v", got, opened)
	}
	if strings.Contains(string(mustRecord(t, file).Record), "Drita") || strings.Contains(string(mustRecord(t, file).Record), "Lulja") {
		t.Error("a name stands in what is signed")
	}

	for name, c := range map[string]struct {
		change func(*receipt.Receipt)
		trust  *seal.Trust
		want   seal.Status
	}{
		"no trust file":         {func(*receipt.Receipt) {}, nil, seal.NotGiven},
		"somebody else's key":   {func(*receipt.Receipt) {}, authority(t).Trust(), seal.NotTrusted},
		"another purpose":       {func(r *receipt.Receipt) { r.Record = strings.Replace(r.Record, "training", "share_ngo", 1) }, signer.Trust(), seal.Fails},
		"another name":          {func(r *receipt.Receipt) { r.Openings[0].Value = "Somebody" }, signer.Trust(), seal.Fails},
		"a name twice":          {func(r *receipt.Receipt) { r.Openings = append(r.Openings, r.Openings[0]) }, signer.Trust(), seal.Fails},
		"a version to come":     {func(r *receipt.Receipt) { r.Version = 2 }, signer.Trust(), seal.CannotJudge},
		"a later record inside": {func(r *receipt.Receipt) { r.Record = strings.Replace(r.Record, `"version":1}`, `"version":2}`, 1) }, signer.Trust(), seal.CannotJudge},
	} {
		t.Run(name, func(t *testing.T) {
			r := mustRecord(t, file)
			c.change(&r)
			changed, err := r.Encode()
			w.Must(err)
			if _, _, findings := receipt.Check(changed, c.trust); !findings.Any(c.want) {
				t.Errorf("want %s: %+v", c.want, findings)
			}
		})
	}
	t.Run("openings may be withheld", func(t *testing.T) {
		r := mustRecord(t, file)
		r.Openings = r.Openings[:1]
		less, err := r.Encode()
		w.Must(err)
		if _, opened, findings := receipt.Check(less, signer.Trust()); findings.Any(seal.Fails) || len(opened) != 1 {
			t.Errorf("%+v", findings)
		}
	})
	_, err = w.Consent.Withdraw(ctx, w.Actors[evidence.RoleAdvocate], rec.ID, consent.Withdrawal{Purposes: []consent.Purpose{consent.ToTraining}})
	w.Must(err)
	file, again, err := w.Consent.Receipt(ctx, w.Actors[evidence.RoleInterviewer], rec.ID, "")
	w.Must(err)
	if got, _, _ := receipt.Check(file, signer.Trust()); again == code || got.Purposes[1].State != "withdrawn" || got.Purposes[1].WithdrawnAt == 0 {
		t.Errorf("after withdrawal: %+v", got.Purposes)
	}
	for _, role := range []evidence.Role{evidence.RoleObserver, evidence.RoleProsecutor, evidence.RoleCustodian, evidence.RoleAuditor} {
		if _, _, err := w.Consent.Receipt(ctx, w.Actors[role], rec.ID, ""); !errors.Is(err, evidence.ErrRefused) {
			t.Errorf("%s: %v", role, err)
		}
	}
	_, _, err = w.Consent.Receipt(ctx, w.Actors[evidence.RoleAdvocate], rec.ID, consent.ByGuardian)
	wantCodes(t, err, "receipt.holder")
	if want := receipt.Code([]byte(mustRecord(t, file).Record)); again != want || len(again) != 19 {
		t.Errorf("code %q, want %q", again, want)
	}
}

func mustRecord(t *testing.T, file []byte) receipt.Receipt {
	t.Helper()
	var r receipt.Receipt
	if err := json.NewDecoder(bytes.NewReader(file)).Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

// P41: a guardian with a conflict holds no receipt.
func TestAConflictedGuardianHoldsNoReceipt(t *testing.T) {
	w, _ := memstore.World(t)
	w.OpenCase()
	w.Consent.Signer = authority(t)
	child := w.AddPerson(casefile.NewPerson{Pseudonym: "Zogu", Kind: casefile.Victim, Age: casefile.Child, Language: "sq", Guardian: casefile.Guardian{Name: "Nëna", Conflict: true, ConflictNote: "x"}})
	rec := w.Consents(consent.Statement{Person: child.ID, Purposes: []consent.Purpose{consent.ToRecord}, GivenBy: consent.ByAuthority, Form: consent.Written, Document: "form", Language: "sq", ChildView: consent.ViewYes, ToldWho: true})
	_, _, err := w.Consent.Receipt(ctx, w.Actors[evidence.RoleAdvocate], rec.ID, consent.ByGuardian)
	wantCodes(t, err, "guardian_conflict")
	file, _, err := w.Consent.Receipt(ctx, w.Actors[evidence.RoleAdvocate], rec.ID, consent.ByAuthority)
	w.Must(err)
	if _, got, err := receipt.Parse(file); err != nil || !got.ToldWho || got.Holder != "guardianship_authority" {
		t.Errorf("%+v, %v", got, err)
	}
}

// P40: the spoken repeat is linked by its time, and opens no gate.
func TestTheRepeatOnTheRecordingOpensNothing(t *testing.T) {
	w, s := memstore.World(t)
	w.OpenCase()
	iv := w.Plan(w.PlanFor(w.Victim.ID))
	in := w.WrittenConsent(w.Victim.ID, consent.ToRecord)
	in.Form, in.Document = consent.Attested, ""
	rec := w.Consents(in)
	note := func() error {
		_, err := w.Consent.NoteRepeat(ctx, w.Actors[evidence.RoleInterviewer], rec.ID, iv.ID, 5_000_000)
		return err
	}
	wantCodes(t, note(), "repeat")
	s.SetState(iv.ID, evidence.StateRecording)
	w.Must(note())
	wantCodes(t, note(), "repeat.twice")
	wantCodes(t, w.Consent.Check(ctx, iv.ID), "unattested")
	list, err := w.Consent.Repeats(ctx, w.Actors[evidence.RoleAdvocate], w.Case.ID)
	if err != nil || len(list) != 1 || list[0].At != 5_000_000 || list[0].Consent != rec.ID {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestTextsAreWholeInEachLanguage(t *testing.T) {
	for _, language := range []string{"en", "sq", "sr-Latn", "sr-Cyrl", "sr"} {
		text, sum := consent.TextFor(language)
		if len(sum) != 64 || text.Title == "" || text.Intro.Child == "" || len(text.Rights.Child) < 3 || len(text.Rights.Adult) < 3 {
			t.Errorf("%s: %+v", language, text)
		}
		for _, p := range consent.Purposes {
			if w := text.Purposes[p]; w == nil || w.Adult == "" || w.Child == "" {
				t.Errorf("%s says nothing of %s", language, p)
			}
		}
	}
	// Released texts never change: records name their digest.
	if _, sum := consent.TextFor("sq"); sum != sqV1 {
		t.Errorf("the Albanian text of version 1 has digest %s", sum)
	}
	if _, sum := consent.TextFor("tr"); sum != "" {
		t.Error("a text where there is none")
	}
}

const sqV1 = "569c5ef1ed12476ce18e09ae3c6478daa6c2200689266c0ce6f4018dcf2c402d"
