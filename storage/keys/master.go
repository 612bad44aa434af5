package keys

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/toldonce/toldonce/evidence"
)

// The master key file is three lines of text, so that it can be kept on paper
// as well. See FORMAT.md.
const (
	masterFile   = "master.key"
	masterTitle  = "toldonce master key v1"
	masterSumLen = 8 // bytes; finds a mistyped copy
)

func encodeMaster(k secret) []byte {
	return fmt.Appendf(nil, "%s\nkey %x\nsum %x\n", masterTitle, k[:], masterSum(k))
}

func masterSum(k secret) []byte {
	sum := sha256.Sum256(append([]byte("toldonce/keys/master-sum/v1\x00"), k[:]...))
	return sum[:masterSumLen]
}

// decodeMaster demands exactly what encodeMaster writes. Its errors never
// repeat what the file holds.
func decodeMaster(text []byte) (secret, error) {
	title, rest, _ := bytes.Cut(text, []byte("\n"))
	if string(title) != masterTitle {
		return secret{}, fmt.Errorf("%w: not a master key file that this program knows", evidence.ErrInvalid)
	}
	var k secret
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	digits, _ := bytes.CutPrefix(line, []byte("key "))
	if len(digits) != hex.EncodedLen(len(k)) {
		return secret{}, fmt.Errorf("%w: the master key file is damaged: its key has the wrong length", evidence.ErrInvalid)
	}
	if _, err := hex.Decode(k[:], digits); err != nil {
		return secret{}, fmt.Errorf("%w: the master key file is damaged: its key is not hexadecimal", evidence.ErrInvalid)
	}
	if !bytes.Equal(encodeMaster(k), text) {
		return secret{}, fmt.Errorf("%w: the master key file is damaged: its checksum does not fit its key", evidence.ErrInvalid)
	}
	return k, nil
}

// derive gives the key for one use of the master.
func (k secret) derive(domain string) secret {
	out, err := hkdf.Key(sha256.New, k[:], nil, domain, len(k))
	if err != nil {
		panic(err) // only for an output longer than 255 hashes
	}
	return secret(out)
}

// readPrivate reads a small file after making sure that it is a regular file
// that its owner alone can read.
func readPrivate(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	content, err := readPrivateFile(f, name)
	return content, errors.Join(err, f.Close())
}

func readPrivateFile(f *os.File, name string) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file", evidence.ErrInvalid, name)
	}
	if err := onlyOwner(info, name); err != nil {
		return nil, err
	}
	const limit = 4096
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && len(content) > limit {
		err = fmt.Errorf("%w: %s is larger than any key file", evidence.ErrInvalid, name)
	}
	return content, err
}

// onlyOwner refuses what group or others may reach, with what to do about it.
func onlyOwner(info fs.FileInfo, name string) error {
	if open := info.Mode().Perm() & 0o077; open != 0 {
		want := "600"
		if info.IsDir() {
			want = "700"
		}
		return evidence.Refuse(evidence.ErrRefused, "keys.permissions", fmt.Sprintf(
			"The key store refuses %s because other users of this machine can reach it (mode %03o): run chmod %s on it, and think about who may have read it.",
			name, info.Mode().Perm(), want), "P38")
	}
	return nil
}
