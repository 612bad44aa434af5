package web

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
)

// Each line of a case's log can be proved with nothing but the verifier's key.
func TestCustodyProofs(t *testing.T) {
	h, r := newRealHarness(t)
	h.OpenCase()
	installation, err := r.db.Installation(t.Context())
	h.Must(err)
	verifier, err := custody.NewVerifier(installation.LogVerifier)
	h.Must(err)
	before := h.as(evidence.RoleAuditor, "GET", "/log/checkpoint", nil).Body.String()

	path := "/cases/" + string(h.Case.ID) + "/custody"
	entries := want[list[Entry]](h, h.as(evidence.RoleAdvocate, "GET", path, nil), 200).Items
	if len(entries) < 6 || entries[0].Action != "case.open" || entries[0].Actor.Name != "Name of case_manager" {
		t.Fatalf("entries %+v", entries)
	}
	for _, e := range entries {
		proof := want[EntryProof](h, h.as(evidence.RoleAdvocate, "GET", fmt.Sprintf("%s/%d/proof", path, e.Position), nil), 200)
		leaf, err := base64.StdEncoding.DecodeString(proof.Leaf)
		h.Must(err)
		parsed, err := custody.ParseProof([]byte(proof.Proof))
		h.Must(err)
		l, cp, err := parsed.Verify(leaf, nil, verifier)
		if err != nil || l.ID != e.ID || cp.Size != proof.Size || hex.EncodeToString(cp.Root[:]) != proof.Root || string(parsed.Checkpoint) != proof.Checkpoint {
			t.Errorf("entry %d: %v", e.Position, err)
		}
	}
	// An entry of another case is none of this one.
	if w := h.as(evidence.RoleAdvocate, "GET", path+"/0/proof", nil); w.Code != 404 {
		t.Errorf("position 0: %s", describe(w))
	}

	// The log only grew.
	after := h.as(evidence.RoleAuditor, "GET", "/log/checkpoint", nil).Body.String()
	older, err := custody.OpenCheckpoint([]byte(before), verifier)
	h.Must(err)
	newer, err := custody.OpenCheckpoint([]byte(after), verifier)
	h.Must(err)
	grown := want[Consistency](h, h.as(evidence.RoleAuditor, "GET", fmt.Sprintf("/log/consistency?from=%d&to=%d", older.Size, newer.Size), nil), 200)
	hashes := make([]custody.Hash, len(grown.Path))
	for i, x := range grown.Path {
		raw, err := hex.DecodeString(x)
		h.Must(err)
		copy(hashes[i][:], raw)
	}
	h.Must(custody.VerifyConsistency(older, newer, hashes))
	if w := h.as(evidence.RoleAuditor, "GET", "/log/consistency?from=5&to=2", nil); w.Code != 422 {
		t.Errorf("backwards: %s", describe(w))
	}
	if w := h.as(evidence.RoleAuditor, "GET", "/log/entries/999999", nil); w.Code != 404 {
		t.Errorf("beyond the log: %s", describe(w))
	}
}

// Filters, pages and who sees what of an entry.
func TestCustodyEntries(t *testing.T) {
	h, _ := newRealHarness(t)
	h.OpenCase()
	path := "/cases/" + string(h.Case.ID) + "/custody"
	h.as(evidence.RoleCaseManager, "POST", "/cases/"+string(h.Case.ID)+"/stage", map[string]string{"stage": "protection", "reason": "She needs shelter.", "authority": "Order 7"})
	moved := want[list[Entry]](h, h.as(evidence.RoleInterviewer, "GET", path+"?action=case.stage", nil), 200).Items
	if len(moved) != 1 || moved[0].Why != "She needs shelter." || moved[0].Authority != "Order 7" || moved[0].Where != "" {
		t.Errorf("an interviewer sees %+v", moved)
	}
	checked := want[list[Entry]](h, h.as(evidence.RoleCustodian, "GET", path+"?action=case.stage", nil), 200).Items
	if checked[0].Where != "127.0.0.1" {
		t.Errorf("a custodian sees %+v", checked)
	}
	first := want[list[Entry]](h, h.as(evidence.RoleInterviewer, "GET", path+"?limit=2", nil), 200).Items
	second := want[list[Entry]](h, h.as(evidence.RoleInterviewer, "GET", fmt.Sprintf("%s?limit=2&after=%d", path, first[1].Position), nil), 200).Items
	if len(second) != 2 || second[0].Position <= first[1].Position {
		t.Errorf("pages %+v %+v", first, second)
	}
	newest := want[list[Entry]](h, h.as(evidence.RoleInterviewer, "GET", path+"?newest=true&limit=1", nil), 200).Items
	if len(newest) != 1 || newest[0].Action != "case.stage" {
		t.Errorf("newest %+v", newest)
	}
	// Names and reasons are for those with a part in the case.
	all := h.as(evidence.RoleAuditor, "GET", "/log/entries?action=case.", nil).Body.String()
	if !strings.Contains(all, "case.stage") || strings.Contains(all, "shelter") || strings.Contains(all, "Name of") {
		t.Errorf("the installation's log: %s", all)
	}

	// Who is kept apart, and why, is not for the whole team (P42).
	suspect := h.AddPerson(casefile.NewPerson{Pseudonym: "X", Kind: casefile.Suspect, Age: casefile.Adult, Language: "sq"})
	w := h.as(evidence.RoleCaseManager, "POST", "/people/"+string(suspect.ID)+"/links", map[string]any{"account_id": h.Second[evidence.RoleObserver].Account, "kind": "kin", "reason": "His cousin."})
	if w.Code != 204 {
		t.Fatal(describe(w))
	}
	for role, sees := range map[evidence.Role]bool{evidence.RoleCaseManager: true, evidence.RoleCustodian: true, evidence.RoleAuditor: true, evidence.RoleInterviewer: false, evidence.RoleAdvocate: false} {
		w := h.as(role, "GET", path+"?action=person.link", nil)
		body := w.Body.String()
		if strings.Contains(body, "cousin") != sees || strings.Contains(body, string(h.Second[evidence.RoleObserver].Account)) != sees {
			t.Errorf("%s: %s", role, body)
		}
		position := want[list[Entry]](h, w, 200).Items[0].Position
		if w := h.as(role, "GET", fmt.Sprintf("%s/%d/proof", path, position), nil); (w.Code == 200) != sees {
			t.Errorf("%s: proof %d", role, w.Code)
		}
	}
}

func TestAudit(t *testing.T) {
	h, _ := newRealHarness(t)
	h.OpenCase()
	signed := h.as(evidence.RoleAuditor, "GET", "/log/checkpoint", nil).Body.String()
	report := want[Audit](h, h.as(evidence.RoleAuditor, "POST", "/log/audit", map[string]any{"checkpoints": []string{signed}}), 200)
	if !report.Holds || report.Size == 0 || len(report.Faults) != 0 || report.Checkpoints == 0 {
		t.Errorf("%+v", report)
	}
	// A checkpoint that somebody kept and that this log did not sign.
	forged := strings.Replace(signed, "\n", "x\n", 1)
	report = want[Audit](h, h.as(evidence.RoleAuditor, "POST", "/log/audit", map[string]any{"checkpoints": []string{forged}}), 200)
	if report.Holds {
		t.Errorf("a forged checkpoint fits: %+v", report)
	}
}
