package envelope

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"

	"filippo.io/age"
)

// FileKeySize is the length of a file key, in bytes.
const FileKeySize = 16

// FileKey opens one object and no other: what may be handed to somebody who
// needs to know one segment and not the recording. It prints as a placeholder.
type FileKey [FileKeySize]byte

// FileKeyOf unwraps the file key of the age file that src starts with, reading
// no further than its header. The error wraps [ErrWrongKey], [ErrDamaged] or is
// that of src.
func FileKeyOf(id age.Identity, src io.Reader) (FileKey, error) {
	in := &source{r: src}
	header, err := age.ExtractHeader(in)
	if err != nil {
		return FileKey{}, in.classify(err)
	}
	raw, err := age.DecryptHeader(header, id)
	if err != nil {
		return FileKey{}, in.classify(err)
	}
	if len(raw) != FileKeySize {
		return FileKey{}, fmt.Errorf("%w: file key of %d bytes", ErrDamaged, len(raw))
	}
	return FileKey(raw), nil
}

// Identity returns an age identity that opens the file key's object. Opening
// any other object with it fails with [ErrDamaged], because the header's
// authentication fails.
func (k FileKey) Identity() age.Identity { return age.NewInjectedFileKeyIdentity(bytes.Clone(k[:])) }

// String hides the key.
func (FileKey) String() string { return "FileKey(hidden)" }

// GoString hides the key from %#v.
func (FileKey) GoString() string { return "FileKey(hidden)" }

// Format hides the key from every verb, %x included.
func (k FileKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// LogValue hides the key from slog.
func (k FileKey) LogValue() slog.Value { return slog.StringValue(k.String()) }
