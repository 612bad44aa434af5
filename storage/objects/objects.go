package objects

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// Store keeps objects. Every method is safe for concurrent use.
type Store interface {
	// Put writes body under key, create-only, and returns once it is durable. sum
	// is the digest of body; the error wraps [evidence.ErrInvalid] if it is not.
	// version is what Get needs besides the key; it is empty in a directory.
	// The same content again is no error and returns the version that is there;
	// other content under the key wraps [evidence.ErrConflict]. A store with
	// Object Lock keeps the version until at least retainUntil, in COMPLIANCE
	// mode; the zero time asks for no retention. Any other error leaves open
	// whether the object was written: Put it again.
	Put(ctx context.Context, key string, body []byte, sum evidence.Digest, retainUntil time.Time) (version string, err error)
	// Get returns a whole object, or an error wrapping [evidence.ErrNotFound]. It
	// vouches for nothing: whoever reads compares digests.
	Get(ctx context.Context, key, version string) ([]byte, error)
	// Reader is Get for reading piece by piece. The caller closes it.
	Reader(ctx context.Context, key, version string) (io.ReadCloser, error)
	// List returns what is kept under keys that begin with prefix, which ends with a
	// slash: every version, in order of key and, of one key, from the oldest on. It is
	// for people who look at what is left, not for serving.
	List(ctx context.Context, prefix string) ([]Listed, error)
	// Retain keeps a version, under COMPLIANCE retention, until at least until; it
	// never shortens. In a directory, which has no lock, it does nothing.
	Retain(ctx context.Context, key, version string, until time.Time) error
	// Hold puts a legal hold on a version, or takes it off: as long as it stands
	// the version cannot be deleted, whatever its retention. In a directory it does
	// nothing. Both return an error wrapping [evidence.ErrNotFound] if there is no
	// such version.
	Hold(ctx context.Context, key, version string, on bool) error
	// Probe proves at start that the store does what is promised of it: on S3
	// that a locked version cannot be deleted, where it leaves one small object.
	Probe(ctx context.Context) error
	// Health reports whether the store answers now. It writes nothing.
	Health(ctx context.Context) error
	// Close releases what the store holds open.
	Close() error
}

// Listed is an object that a store keeps.
type Listed struct {
	Key     string
	Version string // what Get needs beside the key; empty in a directory
	Size    int64
}

// Open opens the store that spec names:
//
//	dir:/path
//	s3://BUCKET?endpoint=https://HOST:PORT&region=REGION&ca=FILE&prefix=PREFIX
//
// For S3 see [OpenS3]. Open neither creates nor writes anything; call Probe
// before relying on the store.
func Open(ctx context.Context, spec string) (Store, error) {
	if path, ok := strings.CutPrefix(spec, "dir:"); ok {
		return OpenDir(path)
	}
	if strings.HasPrefix(spec, "s3://") {
		return OpenS3(ctx, spec)
	}
	return nil, fmt.Errorf("object store %q: %w: say dir:/path or s3://bucket?endpoint=…", spec, evidence.ErrInvalid)
}

const maxKey = 512

var keyForm = regexp.MustCompile(`^[a-z0-9_-][a-z0-9._-]*(/[a-z0-9_-][a-z0-9._-]*)*$`)

func checkKey(key string) error {
	if len(key) > maxKey || !keyForm.MatchString(key) {
		return fmt.Errorf("object key: %w: not of the form that package objects takes", evidence.ErrInvalid)
	}
	return nil
}

func checkDigest(key string, body []byte, sum evidence.Digest) error {
	got := sha256.Sum256(body)
	if hex.EncodeToString(got[:]) != sum.SHA256 || int64(len(body)) != sum.Size {
		return fmt.Errorf("object %s: %w: the bytes do not have the digest that they came with", key, evidence.ErrInvalid)
	}
	return nil
}

func conflict(key string) error {
	return fmt.Errorf("object %s: %w: other bytes are kept under this key", key, evidence.ErrConflict)
}

func notFound(key string) error {
	return fmt.Errorf("object %s: %w", key, evidence.ErrNotFound)
}
