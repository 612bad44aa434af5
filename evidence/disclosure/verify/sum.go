package verify

import (
	"crypto/sha256"
	"encoding/hex"
)

func sum256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
