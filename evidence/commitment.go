package evidence

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"
)

// SaltSize is the length of a commitment's and a leaf's salt, in bytes.
const SaltSize = 32

// Commitment stands in a signed document in place of a personal value: the
// lower-case hex SHA-256 of a domain tag, a random salt and the value. Erasing
// the opening leaves every proof whole and reveals nothing.
type Commitment string

// Opening reveals one committed value. It is personal data.
type Opening struct {
	Field string `json:"field"` // which field of the document, such as "why"
	Salt  string `json:"salt"`  // 32 bytes, lower-case hex
	Value string `json:"value"` // UTF-8
}

// Commit returns a commitment to value under a fresh salt, and its opening.
// Safe for concurrent use.
func Commit(field, value string) (Commitment, Opening) {
	o := Opening{Field: field, Salt: NewSalt(), Value: value}
	return o.Commitment(), o
}

// NewSalt returns 32 random bytes as lower-case hex.
func NewSalt() string {
	var salt [SaltSize]byte
	rand.Read(salt[:]) // never fails: crypto/rand.Read ends the program instead
	return hex.EncodeToString(salt[:])
}

// Commitment recomputes the commitment that o opens. A salt of any other form
// than 64 lower-case hex digits, or a zero byte in the field, which would move the
// border to the value, yields a commitment that matches nothing.
func (o Opening) Commitment() Commitment {
	salt, err := hex.DecodeString(o.Salt)
	if err != nil || len(salt) != SaltSize || hex.EncodeToString(salt) != o.Salt || strings.ContainsRune(o.Field, 0) {
		return ""
	}
	h := sha256.New()
	h.Write([]byte("toldonce/commitment/v1\x00"))
	h.Write(salt)
	h.Write([]byte(o.Field))
	h.Write([]byte{0})
	h.Write([]byte(o.Value))
	return Commitment(hex.EncodeToString(h.Sum(nil)))
}

// Opens reports whether o is the opening of c.
func (o Opening) Opens(c Commitment) bool {
	got := o.Commitment()
	return got != "" && subtle.ConstantTimeCompare([]byte(got), []byte(c)) == 1
}
