package evidence

import (
	"fmt"

	"github.com/google/uuid"
)

// ID identifies a row, a document or an object: a UUIDv7 (RFC 9562) as lower-case
// text, 36 characters. It carries no personal data, so it may stand in URLs,
// object keys, logs and signed documents.
type ID string

// NewID returns a fresh ID. Safe for concurrent use. It panics only if the
// system's random source fails, as crypto/rand itself does.
func NewID() ID { return ID(uuid.Must(uuid.NewV7()).String()) }

// ParseID accepts the canonical text form alone. It returns [ErrInvalid] for
// anything else, upper case and braces included.
func ParseID(s string) (ID, error) {
	u, err := uuid.Parse(s)
	if err != nil || u.String() != s {
		return "", fmt.Errorf("%w: not an identifier", ErrInvalid)
	}
	return ID(s), nil
}
