package envelope_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"filippo.io/age"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/internal/testenv"
)

func recording(t testing.TB) (envelope.DataKey, *age.HybridIdentity, *envelope.Sealer) {
	t.Helper()
	key := envelope.NewDataKey()
	id, err := key.Identity()
	if err != nil {
		t.Fatal(err)
	}
	recipient, err := key.Recipient()
	if err != nil {
		t.Fatal(err)
	}
	s, err := envelope.NewSealer(recipient)
	if err != nil {
		t.Fatal(err)
	}
	return key, id, s
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func TestRoundTrip(t *testing.T) {
	_, id, s := recording(t)
	for _, size := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 300_000} {
		plain := noise(size)
		cipher, plainSum, cipherSum, err := s.Encrypt(plain)
		if err != nil {
			t.Fatal(err)
		}
		if plainSum != envelope.Sum(plain) || cipherSum != envelope.Sum(cipher) {
			t.Fatalf("%d bytes: digests do not fit", size)
		}
		if got, err := envelope.Decrypt(id, cipher); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if again, _, _, _ := s.Encrypt(plain); bytes.Equal(again, cipher) {
			t.Fatal("encryption is deterministic")
		}
	}
}

func TestWriterStreams(t *testing.T) {
	_, id, s := recording(t)
	plain := noise(200_000)
	var out bytes.Buffer
	w, err := s.Writer(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, iotest.HalfReader(bytes.NewReader(plain))); err != nil {
		t.Fatal(err)
	}
	if w.Plain() != (evidence.Digest{}) {
		t.Fatal("a digest before Close")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w.Plain() != envelope.Sum(plain) || w.Cipher() != envelope.Sum(out.Bytes()) {
		t.Fatal("digests do not fit")
	}
	r, err := envelope.NewReader(id, iotest.OneByteReader(&out))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

type brokenWriter struct{ after int }

var errDisk = errors.New("disk full")

func (b *brokenWriter) Write(p []byte) (int, error) {
	if b.after -= len(p); b.after < 0 {
		return 0, errDisk
	}
	return len(p), nil
}

func TestWriterReportsTheDestination(t *testing.T) {
	_, _, s := recording(t)
	for _, after := range []int{0, 100, 3000, 100_000} {
		w, err := s.Writer(&brokenWriter{after})
		if err == nil {
			if _, err = w.Write(noise(90_000)); err == nil {
				err = w.Close()
			}
		}
		if after < 90_000 && !errors.Is(err, errDisk) || after > 95_000 && err != nil {
			t.Fatalf("room for %d: %v", after, err)
		}
	}
}

func TestWhatDoesNotOpen(t *testing.T) {
	_, id, s := recording(t)
	_, stranger, other := recording(t)
	plain := noise(70_000)
	cipher, _, _, err := s.Encrypt(plain)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := envelope.Decrypt(stranger, cipher); !errors.Is(err, envelope.ErrWrongKey) || !errors.Is(err, evidence.ErrInvalid) || got != nil {
		t.Fatalf("another key: %v", err)
	}
	for _, cut := range []int{0, 1, 20, 1000, len(cipher) / 2, len(cipher) - 1} {
		if _, err := envelope.Decrypt(id, cipher[:cut]); !errors.Is(err, envelope.ErrDamaged) {
			t.Fatalf("cut to %d: %v", cut, err)
		}
	}
	for at := 0; at < len(cipher); at += 97 {
		bad := bytes.Clone(cipher)
		bad[at] ^= 1
		if got, err := envelope.Decrypt(id, bad); err == nil || got != nil {
			t.Fatalf("byte %d flipped: opened", at)
		}
	}
	if _, err := envelope.Decrypt(id, append(bytes.Clone(cipher), 0)); !errors.Is(err, envelope.ErrDamaged) {
		t.Fatalf("longer: %v", err)
	}
	broken := iotest.ErrReader(errDisk)
	if _, err := envelope.NewReader(id, broken); !errors.Is(err, errDisk) || errors.Is(err, envelope.ErrDamaged) {
		t.Fatalf("a failing disk is not a damaged object: %v", err)
	}
	r, err := envelope.NewReader(id, io.MultiReader(bytes.NewReader(cipher[:30_000]), broken))
	if err == nil {
		_, err = io.ReadAll(r)
	}
	if !errors.Is(err, errDisk) || errors.Is(err, envelope.ErrDamaged) {
		t.Fatalf("a failing disk half way: %v", err)
	}

	leaf := evidence.Leaf{Plain: envelope.Sum(plain), Cipher: envelope.Sum(cipher)}
	if got, err := envelope.OpenLeaf(id, cipher, leaf); err != nil || !bytes.Equal(got, plain) {
		t.Fatal(err)
	}
	// Somebody with the public recipient encrypts something else: it opens, and
	// only the manifest tells.
	forged, _, forgedSum, err := s.Encrypt([]byte("forged"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := envelope.OpenLeaf(id, forged, leaf); !errors.Is(err, envelope.ErrDamaged) {
		t.Fatalf("another object in its place: %v", err)
	}
	leaf.Cipher = forgedSum
	if _, err := envelope.OpenLeaf(id, forged, leaf); !errors.Is(err, envelope.ErrDamaged) {
		t.Fatalf("another content: %v", err)
	}
	_ = other
}

func TestFileKeyOpensOneObject(t *testing.T) {
	_, id, s := recording(t)
	_, stranger, _ := recording(t)
	a, b := noise(100_000), noise(5_000)
	ca, _, _, _ := s.Encrypt(a)
	cb, _, _, _ := s.Encrypt(b)
	header := bytes.NewReader(ca)
	key, err := envelope.FileKeyOf(id, header)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := envelope.Decrypt(key.Identity(), ca); err != nil || !bytes.Equal(got, a) {
		t.Fatal(err)
	}
	if _, err := envelope.Decrypt(key.Identity(), cb); !errors.Is(err, envelope.ErrDamaged) {
		t.Fatalf("opened another object: %v", err)
	}
	if _, err := envelope.FileKeyOf(stranger, bytes.NewReader(ca)); !errors.Is(err, envelope.ErrWrongKey) {
		t.Fatal(err)
	}
	if _, err := envelope.FileKeyOf(id, bytes.NewReader(ca[:100])); !errors.Is(err, envelope.ErrDamaged) {
		t.Fatal(err)
	}
}

func TestOnlyHybridRecipients(t *testing.T) {
	classic, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []string{"", "age1", classic.Recipient().String(), "AGE-SECRET-KEY-PQ-1"} {
		if _, err := envelope.NewSealer(r); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%q: %v", r, err)
		}
	}
	key, _, _ := recording(t)
	if _, err := envelope.NewSealer(key.IdentityString()); err == nil || strings.Contains(err.Error(), key.IdentityString()) {
		t.Errorf("an identity as recipient: %v", err)
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	key := envelope.NewDataKey()
	file := envelope.FileKey(noise(envelope.FileKeySize))
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", key, "file", file)
	text := fmt.Sprintf("%v %+v %#v %s %x %d %q %v %x %v", key, key, key, key, key, key, key, file, file, struct{ K envelope.DataKey }{key}) + log.String()
	for _, secret := range [][]byte{key[:], file[:]} {
		for _, form := range []string{fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), strings.Trim(fmt.Sprint(secret), "[]"), string(secret)} {
			if strings.Contains(text, form) {
				t.Fatalf("the key is printed: %s", text)
			}
		}
	}
	if _, err := json.Marshal(key); err == nil {
		t.Fatal("a data key was written as JSON")
	}
}

// TestStockAge opens a segment with the age program, and shows that it does not
// open with another recording's key.
func TestStockAge(t *testing.T) {
	program := testenv.Tool(t, "age")
	key, _, s := recording(t)
	other, _, _ := recording(t)
	dir := t.TempDir()
	plain := noise(300_000)
	cipher, _, _, err := s.Encrypt(plain)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	segment := write("segment.age", cipher)
	right := write("right.key", []byte(key.IdentityString()+"\n"))
	wrong := write("wrong.key", []byte(other.IdentityString()+"\n"))
	out := filepath.Join(dir, "segment")
	if text, err := exec.Command(program, "-d", "-i", right, "-o", out, segment).CombinedOutput(); err != nil {
		t.Fatalf("age: %v: %s", err, text)
	}
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("age wrote something else: %v", err)
	}
	if text, err := exec.Command(program, "-d", "-i", wrong, "-o", filepath.Join(dir, "none"), segment).CombinedOutput(); err == nil {
		t.Fatalf("age opened it with another key: %s", text)
	}
	// And what age encrypts to the recipient, we open.
	theirs := filepath.Join(dir, "theirs.age")
	if text, err := exec.Command(program, "-r", s.Recipient(), "-o", theirs, out).CombinedOutput(); err != nil {
		t.Fatalf("age: %v: %s", err, text)
	}
	content, err := os.ReadFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	id, _ := key.Identity()
	if got, err := envelope.Decrypt(id, content); err != nil || !bytes.Equal(got, plain) {
		t.Fatal(err)
	}
}

func FuzzDecrypt(f *testing.F) {
	var key envelope.DataKey
	id, err := key.Identity()
	if err != nil {
		f.Fatal(err)
	}
	recipient, _ := key.Recipient()
	good, _, _, err := envelope.Encrypt(recipient, []byte("told once"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("age-encryption.org/v1\n-> X25519 a\nb\n--- c\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, cipher []byte) {
		plain, err := envelope.Decrypt(id, cipher)
		if err != nil && !errors.Is(err, envelope.ErrWrongKey) && !errors.Is(err, envelope.ErrDamaged) {
			t.Fatalf("unexpected kind of error: %v", err)
		}
		if err != nil && plain != nil {
			t.Fatal("content with an error")
		}
		if _, err := envelope.FileKeyOf(id, bytes.NewReader(cipher)); err != nil && !errors.Is(err, envelope.ErrWrongKey) && !errors.Is(err, envelope.ErrDamaged) {
			t.Fatalf("unexpected kind of error: %v", err)
		}
	})
}

func FuzzRecipient(f *testing.F) {
	recipient, _ := envelope.DataKey{}.Recipient()
	f.Add(recipient)
	f.Add(strings.ToUpper(recipient))
	f.Add("age1pq1")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := envelope.NewSealer(text)
		if err != nil {
			if !errors.Is(err, evidence.ErrInvalid) {
				t.Fatalf("unexpected kind of error: %v", err)
			}
			return
		}
		if _, _, _, err := s.Encrypt([]byte("x")); err != nil {
			t.Fatalf("accepted a recipient that cannot be encrypted to: %v", err)
		}
	})
}

func BenchmarkEncrypt(b *testing.B) {
	_, _, s := recording(b)
	plain := noise(400_000) // two seconds of 1.5 Mb/s
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		if _, _, _, err := s.Encrypt(plain); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncryptLarge(b *testing.B) {
	_, _, s := recording(b)
	plain := noise(16 << 20)
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		if _, _, _, err := s.Encrypt(plain); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecrypt(b *testing.B) {
	_, id, s := recording(b)
	plain := noise(400_000)
	cipher, _, _, _ := s.Encrypt(plain)
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		if _, err := envelope.Decrypt(id, cipher); err != nil {
			b.Fatal(err)
		}
	}
}
