package signalling

import (
	"fmt"

	"github.com/toldonce/toldonce/evidence"
)

// How a session can be refused. Each is the Kind of a [*evidence.Refusal] with a
// sentence for the person who set up the other end.
var (
	// ErrMalformed: the offer or fragment is not what RFC 8866, 9725 or 8840 say.
	ErrMalformed = fmt.Errorf("%w: malformed session description", evidence.ErrInvalid)
	// ErrNotAcceptable: a sound offer, of which nothing can be used.
	ErrNotAcceptable = fmt.Errorf("%w: nothing offered that can be used", evidence.ErrInvalid)
	// ErrStale: If-Match names another ICE session than the present one.
	ErrStale = fmt.Errorf("%w: another ICE session", evidence.ErrConflict)
	// ErrUnconditional: If-Match is missing.
	ErrUnconditional = fmt.Errorf("%w: If-Match is missing", evidence.ErrInvalid)
)

// Malformed is a refusal of kind [ErrMalformed] with a sentence.
func Malformed(text string) error {
	return evidence.Refuse(ErrMalformed, "whip.offer.malformed", text, "")
}
