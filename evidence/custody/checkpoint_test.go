package custody_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

func TestCheckpointsExtendEachOther(t *testing.T) {
	signer, verifier := key(t, "custody.example/log")
	c := &chain{memory: &memory{}}
	cp, err := custody.NewCheckpointer(c, signer, verifier)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		first, err := cp.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		second, err := cp.Checkpoint(t.Context())
		if err != nil || !bytes.Equal(first, second) || len(c.saved) != n+1 {
			t.Fatalf("a log that did not grow was signed anew: %v, %d saved", err, len(c.saved))
		}
		opened, err := custody.OpenCheckpoint(first, cp.Verifier())
		if err != nil || opened.Size != int64(n) || opened.Root != c.frontier.Root() || opened.Origin != "custody.example/log" {
			t.Fatalf("%+v, %v", opened, err)
		}
		c.append(t, entry())
	}
}

func TestForkedLogIsNeverSigned(t *testing.T) {
	signer, verifier := key(t, "custody.example/log")
	otherSigner, _ := key(t, "custody.example/log")
	for name, fork := range map[string]func(c *chain){
		"shorter":                 func(c *chain) { c.memory = filled(t, 3) },
		"another of its size":     func(c *chain) { c.memory = filled(t, 5) },
		"another and longer":      func(c *chain) { c.memory = filled(t, 9) },
		"a checkpoint by another": func(c *chain) { c.saved[0] = signed(t, c.head(), otherSigner, "") },
		"a checkpoint gone bad":   func(c *chain) { c.saved[0] = c.saved[0][:30] },
	} {
		c := &chain{memory: filled(t, 5)}
		cp, err := custody.NewCheckpointer(c, signer, verifier)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cp.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		fork(c)
		if _, err := cp.Checkpoint(t.Context()); !errors.Is(err, custody.ErrForked) {
			t.Errorf("%s: got %v", name, err)
		}
		if len(c.saved) != 1 {
			t.Errorf("%s: it was signed and kept", name)
		}
	}
}

// What was not kept was not given out: a checkpoint that nobody remembers could
// not be held against the next.
func TestCheckpointThatCouldNotBeKept(t *testing.T) {
	signer, verifier := key(t, "custody.example/log")
	c := &chain{memory: filled(t, 2), fails: evidence.ErrUnavailable}
	cp, err := custody.NewCheckpointer(c, signer, verifier)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := cp.Checkpoint(t.Context()); !errors.Is(err, evidence.ErrUnavailable) || out != nil {
		t.Fatalf("got %q, %v", out, err)
	}
}

func TestCheckpointThatDoesNotVerify(t *testing.T) {
	signer, verifier := key(t, "custody.example/log")
	v, err := custody.NewVerifier(verifier)
	if err != nil {
		t.Fatal(err)
	}
	foreignSigner, _ := key(t, "another.example/log")
	sameName, _ := key(t, "custody.example/log")
	h := filled(t, 3).head()
	good := string(signed(t, h, signer, ""))
	for name, text := range map[string]string{
		"nothing":             "",
		"no signature":        strings.SplitAfter(good, "\n\n")[0],
		"another log":         string(signed(t, h, foreignSigner, "")),
		"another key":         string(signed(t, h, sameName, "")),
		"another size":        strings.Replace(good, "\n3\n", "\n4\n", 1),
		"a size with a plus":  strings.Replace(good, "\n3\n", "\n+3\n", 1),
		"a line more":         string(signed(t, h, signer, "extension\n")),
		"a short root":        strings.Replace(good, h.Root.String(), "AAAA", 1),
		"bytes after the end": good + "x",
	} {
		if cp, err := custody.OpenCheckpoint([]byte(text), v); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%s: got %+v, %v", name, cp, err)
		}
	}
	// A witness may cosign; whether it is trusted is for whoever knows it.
	n, err := note.Open([]byte(good), note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	witness, err := note.NewSigner(foreignSigner)
	if err != nil {
		t.Fatal(err)
	}
	cosigned, err := note.Sign(n, witness)
	if err != nil {
		t.Fatal(err)
	}
	if cp, err := custody.OpenCheckpoint(cosigned, v); err != nil || cp.Size != 3 {
		t.Errorf("cosigned: %+v, %v", cp, err)
	}
}

func TestKeysThatCannotServe(t *testing.T) {
	for _, origin := range []string{"", "two words", "a+b", "line\nbreak"} {
		if _, _, err := custody.GenerateKey(origin); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("origin %q: %v", origin, err)
		}
	}
	signer, _ := key(t, "custody.example/log")
	_, verifier := key(t, "custody.example/log")
	if _, err := custody.NewCheckpointer(&chain{}, signer, verifier); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("keys that are no pair: %v", err)
	}
	if _, err := custody.NewCheckpointer(&chain{}, "PRIVATE+KEY+x", verifier); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("no key: %v", err)
	}
	if _, err := custody.NewVerifier("x"); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("no verifier: %v", err)
	}
}
