// Package keys keeps the keys that wrap other keys. [Local] keeps them in a
// directory:
//
//	master.key        the master key, mode 0600, made by [Init] only
//	erasable/ID.key   one erasable key per recording, wrapped by the master
//	erasable/ID.erased  says that the key of the recording was destroyed
//	retired/ID.key    a master key that is being rotated out
//
// The directory erasable may be a mount of its own: it is backed up apart from
// everything else, for a period of its own, because an erasure is complete only
// when the last backup of it that held the key has expired (P35).
//
// Whoever can read the directory can read every recording that is not erased.
// The formats are in FORMAT.md.
package keys

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/internal/durable"
)

const (
	erasableDir  = "erasable"
	keySuffix    = ".key"
	erasedSuffix = ".erased"

	// Domains of the keys derived from the master, and of what they wrap.
	domainWrap     = "toldonce/keys/wrap/v1"
	domainErasable = "toldonce/keys/erasable/v1"
	domainDataKey  = "toldonce/keys/data-key/v1"
)

// Local is an [envelope.Keyring] in a directory. Several processes may have the
// same directory open. It holds the master key in memory while it is open.
type Local struct {
	root     *os.Root
	wrap     ring // wraps by purpose
	erasable ring // wraps erasable keys

	mu sync.Mutex // serialises making and erasing keys in this process
}

var _ envelope.Keyring = (*Local)(nil)

// Init makes the key store in dir, which it creates if need be, mode 0700. It
// returns an error wrapping [evidence.ErrConflict] and changes nothing if dir
// holds a master key already.
func Init(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the key store: %w", err)
	}
	root, err := openRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := durable.MkdirAll(root, erasableDir); err != nil {
		return fmt.Errorf("making the key store: %w", err)
	}
	err = durable.Create(root, masterFile, 0o600, encodeMaster(newSecret()))
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s holds a master key already", evidence.ErrConflict, dir)
	}
	if err != nil {
		return fmt.Errorf("making the master key: %w", err)
	}
	return nil
}

// Open opens the key store that [Init] made. The error wraps
// [evidence.ErrMissingState] if a part of it is absent, [evidence.ErrRefused] if
// other users of the machine can reach it, and [evidence.ErrInvalid] if the
// master key file is damaged. An erasure that a crash interrupted, or that a
// restored backup undid, is completed first.
func Open(dir string) (*Local, error) {
	root, err := openRoot(dir)
	if err != nil {
		return nil, err
	}
	l, err := open(root)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("key store %s: %w", dir, err), root.Close())
	}
	return l, nil
}

func openRoot(dir string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no key store at %s; keys are made by init only", evidence.ErrMissingState, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the key store: %w", err)
	}
	return root, nil
}

func open(root *os.Root) (*Local, error) {
	for _, dir := range []string{".", erasableDir} {
		info, err := root.Stat(dir)
		if err != nil {
			return nil, missing(err, dir)
		}
		name := dir
		if dir == "." {
			name = "its directory"
		}
		if err := onlyOwner(info, name); err != nil {
			return nil, err
		}
	}
	text, err := readPrivate(root, masterFile)
	if err != nil {
		return nil, missing(err, masterFile)
	}
	master, err := decodeMaster(text)
	if err != nil {
		return nil, err
	}
	l := &Local{root: root}
	older, err := l.retired()
	if err != nil {
		return nil, err
	}
	l.use(master, older)
	return l, l.completeErasures()
}

func missing(err error, what string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is not there; restore it from its backup, it is never made anew", evidence.ErrMissingState, what)
	}
	return err
}

// Close releases the directory. The keyring must not be used afterwards.
func (l *Local) Close() error { return l.root.Close() }

// NewRecordingKey implements [envelope.Keyring].
func (l *Local) NewRecordingKey(_ context.Context, recording evidence.ID) (wrapped []byte, recipient string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k, err := l.erasableKey(recording)
	if errors.Is(err, fs.ErrNotExist) {
		k, err = l.makeErasable(recording)
	}
	if err != nil {
		return nil, "", fmt.Errorf("making the key of recording %s: %w", recording, err)
	}
	data := envelope.NewDataKey()
	if recipient, err = data.Recipient(); err != nil {
		return nil, "", err
	}
	return k.seal(domainDataKey, string(recording), data[:]), recipient, nil
}

// OpenRecordingKey implements [envelope.Keyring].
func (l *Local) OpenRecordingKey(_ context.Context, recording evidence.ID, wrapped []byte) (envelope.DataKey, error) {
	k, err := l.erasableKey(recording)
	if err != nil {
		return envelope.DataKey{}, fmt.Errorf("opening the key of recording %s: %w", recording,
			missing(err, path.Join(erasableDir, string(recording)+keySuffix)))
	}
	data, err := k.open(domainDataKey, string(recording), wrapped)
	if err != nil {
		return envelope.DataKey{}, fmt.Errorf("opening the key of recording %s: %w", recording, err)
	}
	if len(data) != envelope.DataKeySize {
		return envelope.DataKey{}, fmt.Errorf("opening the key of recording %s: %w: data key of %d bytes", recording, evidence.ErrInvalid, len(data))
	}
	return envelope.DataKey(data), nil
}

// EraseRecordingKey implements [envelope.Keyring]. The intent is made durable
// first, so that an erasure that a crash interrupts is completed at the next
// Open, and so that a key that comes back with a restored backup is destroyed
// again. On flash memory and copy-on-write file systems the overwritten bytes
// may survive below the file system, wrapped by the master key.
func (l *Local) EraseRecordingKey(_ context.Context, recording evidence.ID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.erase(recording); err != nil {
		return fmt.Errorf("erasing the key of recording %s: %w", recording, err)
	}
	return nil
}

func (l *Local) erase(recording evidence.ID) error {
	key, erased, err := l.names(recording)
	if err != nil {
		return err
	}
	if _, err := l.root.Stat(erased); errors.Is(err, fs.ErrNotExist) {
		if _, err := l.root.Stat(key); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: the recording never had a key here", evidence.ErrNotFound)
		}
		note := fmt.Appendf(nil, "toldonce erased key v1\nat %d\n", evidence.At(time.Now()))
		if err := durable.Create(l.root, erased, 0o600, note); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := durable.Destroy(l.root, key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// completeErasures destroys every key that stands beside the note of its
// erasure, and clears away what a crash left half made.
func (l *Local) completeErasures() error {
	entries, err := fs.ReadDir(l.root.FS(), erasableDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), erasedSuffix); ok {
			if err := l.erase(evidence.ID(id)); err != nil {
				return fmt.Errorf("completing an erasure: %w", err)
			}
		}
		if strings.HasPrefix(e.Name(), durable.TempPrefix) {
			if err := l.clearTemp(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// clearTemp removes a file that was being written when a process died. One that
// is younger than an hour may belong to a process that lives.
func (l *Local) clearTemp(e fs.DirEntry) error {
	info, err := e.Info()
	if err == nil && time.Since(info.ModTime()) > time.Hour {
		err = durable.Destroy(l.root, path.Join(erasableDir, e.Name()))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Wrap implements [envelope.Keyring].
func (l *Local) Wrap(_ context.Context, purpose string, plain []byte) ([]byte, error) {
	if err := checkPurpose(purpose); err != nil {
		return nil, err
	}
	return l.wrap.seal(domainWrap, purpose, plain), nil
}

// Unwrap implements [envelope.Keyring].
func (l *Local) Unwrap(_ context.Context, purpose string, wrapped []byte) ([]byte, error) {
	if err := checkPurpose(purpose); err != nil {
		return nil, err
	}
	plain, err := l.wrap.open(domainWrap, purpose, wrapped)
	if err != nil {
		return nil, fmt.Errorf("unwrapping for %s: %w", purpose, err)
	}
	return plain, nil
}

func checkPurpose(purpose string) error {
	if purpose == "" || len(purpose) > 255 {
		return fmt.Errorf("%w: a purpose has 1 to 255 bytes", evidence.ErrInvalid)
	}
	return nil
}

// erasableKey reads a recording's erasable key. The error wraps
// [fs.ErrNotExist] if there is none and [envelope.ErrErased] if it was erased.
func (l *Local) erasableKey(recording evidence.ID) (secret, error) {
	key, erased, err := l.names(recording)
	if err != nil {
		return secret{}, err
	}
	// Asked first: erasure writes the note before it destroys the key, and a key
	// beside its note is one that came back.
	if _, err := l.root.Stat(erased); err == nil {
		return secret{}, envelope.ErrErased
	} else if !errors.Is(err, fs.ErrNotExist) {
		return secret{}, err
	}
	box, err := readPrivate(l.root, key)
	if err != nil {
		if _, again := l.root.Stat(erased); again == nil {
			return secret{}, envelope.ErrErased // in between
		}
		return secret{}, err
	}
	raw, err := l.erasable.open(domainErasable, string(recording), box)
	if err != nil {
		return secret{}, err
	}
	if len(raw) != len(secret{}) {
		return secret{}, fmt.Errorf("%w: erasable key of %d bytes", evidence.ErrInvalid, len(raw))
	}
	return secret(raw), nil
}

func (l *Local) makeErasable(recording evidence.ID) (secret, error) {
	key, _, err := l.names(recording)
	if err != nil {
		return secret{}, err
	}
	k := newSecret()
	err = durable.Create(l.root, key, 0o600, l.erasable.seal(domainErasable, string(recording), k[:]))
	if errors.Is(err, fs.ErrExist) { // another process was first
		return l.erasableKey(recording)
	}
	return k, err
}

// names returns the paths of a recording's key and of the note of its erasure.
func (l *Local) names(recording evidence.ID) (key, erased string, err error) {
	id, err := evidence.ParseID(string(recording))
	if err != nil {
		return "", "", fmt.Errorf("recording: %w", err)
	}
	base := path.Join(erasableDir, string(id))
	return base + keySuffix, base + erasedSuffix, nil
}
