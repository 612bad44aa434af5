package custody

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/toldonce/toldonce/evidence"
)

// cosignatureV1 is the algorithm of an Ed25519 cosignature's key (C2SP
// tlog-cosignature).
const cosignatureV1 = 4

// MaxCosignatures bounds the witnesses of one checkpoint.
const MaxCosignatures = 16

// Cosigner is a witness as others know it: its name and public key. It is
// immutable and safe for concurrent use.
type Cosigner struct {
	Name string
	// Key is the text form of signed notes: name+hash+base64 of 0x04 and the
	// Ed25519 public key.
	Key string
	v   note.Verifier
}

// GenerateCosigner makes a witness's key. The signer's key is secret; the verifier's
// key is what logs and verifiers are configured with. It returns
// [evidence.ErrInvalid] if name is empty or holds spaces or plus signs.
func GenerateCosigner(name string) (signer, verifier string, err error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := rand.Read(seed); err != nil {
		return "", "", fmt.Errorf("witness key: %w", err)
	}
	verifier = verifierKey(name, seed)
	hash := strings.Split(strings.TrimPrefix(verifier, name+"+"), "+")[0]
	signer = "PRIVATE+KEY+" + name + "+" + hash + "+" + base64.StdEncoding.EncodeToString(append([]byte{cosignatureV1}, seed...))
	if _, err := ParseCosigner(verifier); err != nil {
		return "", "", err
	}
	return signer, verifier, nil
}

// verifierKey is the public half of an Ed25519 seed in the text form of signed notes.
func verifierKey(name string, seed []byte) string {
	key := append([]byte{cosignatureV1}, ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)...)
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	return fmt.Sprintf("%s+%08x+%s", name, binary.BigEndian.Uint32(sum[:]), base64.StdEncoding.EncodeToString(key))
}

// ParseCosigner reads a witness's verifier key: an Ed25519 cosignature/v1 key in the
// text form of signed notes. It returns [evidence.ErrInvalid] for anything else.
func ParseCosigner(key string) (Cosigner, error) {
	bad := func(why any) (Cosigner, error) {
		return Cosigner{}, fmt.Errorf("witness key: %w: %v", evidence.ErrInvalid, why)
	}
	if len(key) > 1024 {
		return bad("too long")
	}
	name, rest, _ := strings.Cut(key, "+")
	hash, text, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != cosignatureV1 {
		return bad("not an Ed25519 cosignature/v1 key")
	}
	v, err := fnote.NewVerifierForCosignatureV1(key)
	if err != nil {
		return bad(err)
	}
	if fmt.Sprintf("%08x", v.KeyHash()) != hash {
		return bad("its hash does not belong to it")
	}
	return Cosigner{Name: name, Key: key, v: v}, nil
}

// Verifier checks cosignatures of this witness on a note.
func (c Cosigner) Verifier() note.Verifier { return c.v }

// Cosignature is a witness's statement that a checkpoint extends all that it saw of
// the log before.
type Cosignature struct {
	Witness string
	// At is when the witness signed, by its own clock, in seconds.
	At time.Time
	// Line is the signature line of the note, with its final newline.
	Line string
}

// Cosignatures returns the good cosignatures of the witnesses on a signed
// checkpoint, in the order of the lines. It returns [evidence.ErrInvalid] if one of
// them is wrong. Signatures of others are left unjudged.
func Cosignatures(signed []byte, witnesses ...Cosigner) ([]Cosignature, error) {
	if len(witnesses) == 0 {
		return nil, nil
	}
	known := make([]note.Verifier, len(witnesses))
	for i, w := range witnesses {
		known[i] = w.v
	}
	n, err := note.Open(signed, note.VerifierList(known...))
	if unverified := (*note.UnverifiedNoteError)(nil); errors.As(err, &unverified) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cosignature: %w: %v", evidence.ErrInvalid, err)
	}
	out := make([]Cosignature, 0, len(n.Sigs))
	for _, s := range n.Sigs {
		at, err := fnote.CoSigV1Timestamp(s)
		if err != nil {
			return nil, fmt.Errorf("cosignature: %w: %v", evidence.ErrInvalid, err)
		}
		out = append(out, Cosignature{Witness: s.Name, At: at.UTC(), Line: "— " + s.Name + " " + s.Base64 + "\n"})
	}
	return out, nil
}

// Cosigned returns the checkpoint with the lines added that it does not have.
func Cosigned(signed []byte, lines ...string) []byte {
	out := bytes.Clone(signed)
	for _, line := range lines {
		if !bytes.Contains(out, []byte("\n"+line)) {
			out = append(out, line...)
		}
	}
	return out
}

// SignedBy returns the names in the signature lines of a note, in their order, the
// log's own first. They are claims.
func SignedBy(signed []byte) []string {
	_, signatures, _ := strings.Cut(string(signed), "\n\n")
	var out []string
	for line := range strings.Lines(signatures) {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "— "), " ")
		out = append(out, name)
	}
	return out
}

// Bare returns the checkpoint with its first signature, the log's own, alone.
func Bare(signed []byte) []byte {
	text, signatures, ok := bytes.Cut(signed, []byte("\n\n"))
	first, _, more := bytes.Cut(signatures, []byte("\n"))
	if !ok || !more {
		return signed
	}
	return signed[:len(text)+2+len(first)+1]
}

// received reads what a witness answered to a checkpoint and returns its own
// cosignature on it.
func received(signed, answer []byte, w Cosigner) (Cosignature, error) {
	found, err := Cosignatures(append(bytes.Clone(Bare(signed)), answer...), w)
	if err != nil {
		return Cosignature{}, err
	}
	if len(found) != 1 {
		return Cosignature{}, fmt.Errorf("cosignature: %w: the answer holds %d by %s", evidence.ErrInvalid, len(found), w.Name)
	}
	return found[0], nil
}
