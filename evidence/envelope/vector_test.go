package envelope_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/toldonce/toldonce/evidence/envelope"
)

// writeVectors makes testdata/v1.json. It is for a new version's vectors: those
// of a released version stay as they are for ever.
var writeVectors = flag.Bool("write-vectors", false, "make testdata/v1.json if it is not there")

type vectors struct {
	DataKey   string // hex
	Identity  string
	Recipient string
	Objects   []vector
}

type vector struct {
	What    string
	Object  []byte // base64
	Plain   []byte `json:",omitempty"` // base64
	FileKey string `json:",omitempty"` // hex
	Error   string `json:",omitempty"` // "wrong key" or "damaged"
}

func TestVectors(t *testing.T) {
	if *writeVectors {
		makeVectors(t)
	}
	text, err := os.ReadFile("testdata/v1.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	raw, err := hex.DecodeString(v.DataKey)
	if err != nil || len(v.Objects) < 5 {
		t.Fatalf("%d objects, %v", len(v.Objects), err)
	}
	key := envelope.DataKey(raw)
	recipient, err := key.Recipient()
	if err != nil || recipient != v.Recipient || key.IdentityString() != v.Identity {
		t.Fatalf("derived %s, %v", recipient, err)
	}
	id, err := key.Identity()
	if err != nil || id.String() != v.Identity {
		t.Fatal("age writes the identity differently")
	}
	for _, o := range v.Objects {
		t.Run(o.What, func(t *testing.T) {
			got, err := envelope.Decrypt(id, o.Object)
			switch o.Error {
			case "wrong key":
				if !errors.Is(err, envelope.ErrWrongKey) {
					t.Fatalf("%v", err)
				}
			case "damaged":
				if !errors.Is(err, envelope.ErrDamaged) {
					t.Fatalf("%v", err)
				}
			default:
				if err != nil || !bytes.Equal(got, o.Plain) {
					t.Fatalf("%q, %v", got, err)
				}
				fileKey, err := envelope.FileKeyOf(id, bytes.NewReader(o.Object))
				if err != nil || hex.EncodeToString(fileKey[:]) != o.FileKey {
					t.Fatalf("file key: %v", err)
				}
			}
		})
	}
}

func makeVectors(t *testing.T) {
	t.Helper()
	key := envelope.DataKey(bytes.Repeat([]byte{0x17}, envelope.DataKeySize))
	id, err := key.Identity()
	if err != nil {
		t.Fatal(err)
	}
	recipient, _ := key.Recipient()
	v := vectors{DataKey: hex.EncodeToString(key[:]), Identity: key.IdentityString(), Recipient: recipient}
	add := func(what string, plain []byte) []byte {
		cipher, _, _, err := envelope.Encrypt(recipient, plain)
		if err != nil {
			t.Fatal(err)
		}
		fileKey, err := envelope.FileKeyOf(id, bytes.NewReader(cipher))
		if err != nil {
			t.Fatal(err)
		}
		v.Objects = append(v.Objects, vector{What: what, Object: cipher, Plain: plain, FileKey: hex.EncodeToString(fileKey[:])})
		return cipher
	}
	whole := add("short", []byte("told once"))
	add("empty", nil)
	fail := func(what, kind string, object []byte) {
		v.Objects = append(v.Objects, vector{What: what, Object: object, Error: kind})
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-1] ^= 1
	fail("last byte flipped", "damaged", flipped)
	fail("last byte missing", "damaged", whole[:len(whole)-1])
	fail("one byte more", "damaged", append(bytes.Clone(whole), 0))
	stranger, _ := envelope.NewDataKey().Recipient()
	other, _, _, err := envelope.Encrypt(stranger, []byte("told once"))
	if err != nil {
		t.Fatal(err)
	}
	fail("another key", "wrong key", other)
	fail("no age file", "damaged", []byte("told once"))
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile("testdata/v1.json", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(append(text, '\n')); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
