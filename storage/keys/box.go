package keys

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/toldonce/toldonce/evidence"
)

// A box is a wrapped secret: version, id of the wrapping key, nonce and
// XChaCha20-Poly1305 ciphertext. See FORMAT.md.
const (
	boxVersion = 1
	keyIDSize  = 8
	boxHeader  = 1 + keyIDSize + chacha20poly1305.NonceSizeX
	boxSize    = boxHeader + chacha20poly1305.Overhead // of an empty secret
)

// secret is a 256-bit wrapping key.
type secret [chacha20poly1305.KeySize]byte

func newSecret() secret {
	var k secret
	rand.Read(k[:]) // never fails: crypto/rand.Read ends the program instead
	return k
}

// id names the key without revealing it, so that a box wrapped under another
// key is told from a damaged one, and so that several keys can be kept at once
// while they are rotated.
func (k secret) id() []byte {
	sum := sha256.Sum256(append([]byte("toldonce/keys/id/v1\x00"), k[:]...))
	return sum[:keyIDSize]
}

// seal wraps plain. domain separates uses of one key; what it is bound to.
func (k secret) seal(domain, what string, plain []byte) []byte {
	box := make([]byte, boxHeader, boxSize+len(plain))
	box[0] = boxVersion
	copy(box[1:], k.id())
	nonce := box[1+keyIDSize : boxHeader]
	rand.Read(nonce)
	aead, err := chacha20poly1305.NewX(k[:])
	if err != nil {
		panic(err) // only for a key of another length
	}
	return aead.Seal(box, nonce, plain, associated(box[:1+keyIDSize], domain, what))
}

// open unwraps a box that seal made with the same domain and what.
func (k secret) open(domain, what string, box []byte) ([]byte, error) {
	switch {
	case len(box) < boxSize:
		return nil, fmt.Errorf("%w: wrapped secret of %d bytes is too short", evidence.ErrInvalid, len(box))
	case box[0] != boxVersion:
		return nil, fmt.Errorf("%w: wrapped secret of version %d, which this program does not know", evidence.ErrInvalid, box[0])
	case !bytes.Equal(box[1:1+keyIDSize], k.id()):
		return nil, fmt.Errorf("%w: secret is wrapped under key %x, not under %x", evidence.ErrInvalid, box[1:1+keyIDSize], k.id())
	}
	aead, err := chacha20poly1305.NewX(k[:])
	if err != nil {
		panic(err) // only for a key of another length
	}
	nonce := box[1+keyIDSize : boxHeader]
	plain, err := aead.Open(nil, nonce, box[boxHeader:], associated(box[:1+keyIDSize], domain, what))
	if err != nil {
		return nil, fmt.Errorf("%w: wrapped secret was changed, or made for another purpose", evidence.ErrInvalid)
	}
	return plain, nil
}

// associated is unambiguous because domain holds no zero byte.
func associated(header []byte, domain, what string) []byte {
	ad := make([]byte, 0, len(header)+len(domain)+1+len(what))
	ad = append(ad, header...)
	ad = append(ad, domain...)
	ad = append(ad, 0)
	return append(ad, what...)
}
