package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/receipt"
	"github.com/toldonce/toldonce/evidence/seal"
)

type plainKeys struct{}

func (plainKeys) Wrap(_ context.Context, _ string, plain []byte) ([]byte, error) { return plain, nil }
func (plainKeys) Unwrap(_ context.Context, _ string, wrapped []byte) ([]byte, error) {
	return wrapped, nil
}

// TestReceipt: an advocate with a file and the agency's trust file needs nothing else.
func TestReceipt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "seal")
	clock := func() time.Time { return time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC) }
	if err := seal.Init(t.Context(), dir, seal.Config{Organisation: "Policia", Keys: plainKeys{}, Clock: clock}); err != nil {
		t.Fatal(err)
	}
	authority, err := seal.Open(t.Context(), dir, plainKeys{}, clock)
	if err != nil {
		t.Fatal(err)
	}
	name, opening := evidence.Commit(receipt.FieldPrincipal, "Lulja\x1b[2J")
	rec := receipt.Record{Type: receipt.Type, Version: 1, Receipt: evidence.NewID(), RecordID: evidence.NewID(), Controller: evidence.NewID(), Principal: evidence.NewID(), Case: evidence.NewID(),
		Decision: "given", GivenBy: "self", Purposes: []receipt.Purpose{{Purpose: "record", Version: 1, State: "given"}}, Personal: map[string]receipt.Personal{receipt.FieldPrincipal: name}}
	text, err := evidence.Canonical(rec)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := authority.SealFile(t.Context(), receipt.FileName, text, receipt.PredicateType, map[string]string{})
	if err != nil {
		t.Fatal(err)
	}
	write := func(record string) string {
		data, err := receipt.Receipt{Type: receipt.Type, Version: 1, Record: record, Bundle: string(sealed.Bundle), Openings: []evidence.Opening{opening}}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "receipt.json")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, bad := write(string(text)), write(strings.Replace(string(text), `"purpose":"record"`, `"purpose":"share_ngo"`, 1))
	trust := seal.TrustPath(dir)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{good, "--trust", trust}, 0, receipt.Code(text)},
		{[]string{good}, 2, "consistent; signer not identified"},
		{[]string{bad, "--trust", trust}, 1, "failed"},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), c.args, &out, &errs); code != c.code || !strings.Contains(out.String(), c.says) || strings.Contains(out.String(), "\x1b") {
			t.Errorf("%v: exit %d, want %d\n%s%s", c.args, code, c.code, out.String(), errs.String())
		}
	}
	var out, errs bytes.Buffer
	run(t.Context(), []string{good, "--trust", trust, "--json"}, &out, &errs)
	var report receiptReport
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || report.Verdict != "verified" || report.Code != receipt.Code(text) || report.Record.RecordID != rec.RecordID {
		t.Errorf("%s %v", out.String(), err)
	}
}
