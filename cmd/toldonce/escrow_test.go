package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/envelope"
)

// TestRestoreFromShares: the restored key opens an object, with a share on paper and
// one that only its holder's age key opens, and with nothing else.
func TestRestoreFromShares(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key := envelope.NewDataKey()
	recipient, err := key.Recipient()
	must(err)
	object, _, _, err := envelope.Encrypt(recipient, []byte("what was said"))
	must(err)
	shares, err := envelope.SplitKey(evidence.NewID(), key, 2, 3)
	must(err)
	holder, err := age.GenerateHybridIdentity()
	must(err)
	sealed, err := encryptTo(holder.Recipient().String(), shares[2].Encode())
	must(err)
	for name, content := range map[string][]byte{"1.txt": shares[0].Encode(), "3.txt.age": sealed, "holder.txt": []byte(holder.String() + "\n")} {
		must(os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	run := func(args ...string) error {
		t.Helper()
		root := newRoot(console{out: io.Discard, err: io.Discard, getenv: func(string) string { return "" }})
		root.SetArgs(append([]string{"escrow", "restore", "--out", filepath.Join(dir, "key.txt")}, args...))
		return root.ExecuteContext(t.Context())
	}
	one, three := filepath.Join(dir, "1.txt"), filepath.Join(dir, "3.txt.age")
	if err := run("--share", one, "--share", one); err == nil {
		t.Error("one share, given twice, was enough")
	}
	if err := run("--share", one, "--share", three); err == nil {
		t.Error("an encrypted share was read without its holder's key")
	}
	must(run("--share", one, "--share", three, "--identity", filepath.Join(dir, "holder.txt")))
	f, err := os.Open(filepath.Join(dir, "key.txt"))
	must(err)
	defer f.Close()
	ids, err := age.ParseIdentities(f)
	must(err)
	plain, err := age.Decrypt(bytes.NewReader(object), ids...)
	must(err)
	if got, err := io.ReadAll(plain); err != nil || string(got) != "what was said" {
		t.Errorf("%q, %v", got, err)
	}
}
