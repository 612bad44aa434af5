// Package notes keeps the newest signed checkpoint of a log in a folder of its own,
// beside the database or at a witness. The note is on disk before it counts, and the
// one before is removed only then.
package notes

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/internal/durable"
)

const maxNote = 1 << 20

// Folder is an open folder of notes. Safe for concurrent use by one process.
type Folder struct {
	root *os.Root
	mu   sync.Mutex
}

// Open opens a folder that is there. The caller closes it.
func Open(dir string) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: the folder %s", evidence.ErrMissingState, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("folder of checkpoints: %w", err)
	}
	return &Folder{root: root}, nil
}

// Close lets go of the folder.
func (f *Folder) Close() error { return f.root.Close() }

// of is the folder of one log. A log's name may hold anything, its hash may not.
func of(origin string) string {
	sum := sha256.Sum256([]byte(origin))
	return hex.EncodeToString(sum[:])
}

// sizes lists what is kept of a log, the largest first.
func (f *Folder) sizes(dir string) ([]int64, error) {
	entries, err := fs.ReadDir(f.root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("folder of checkpoints: %w", err)
	}
	var out []int64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".note")
		if n, err := strconv.ParseInt(name, 10, 64); ok && err == nil && n >= 0 {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b int64) int { return int(max(-1, min(1, b-a))) })
	return out, nil
}

func file(dir string, size int64) string { return path.Join(dir, fmt.Sprintf("%020d.note", size)) }

// Last returns the note that was saved last for the log named origin; of two, after
// a crash between writing one and removing the other, the larger. It returns
// [evidence.ErrNotFound] if none was ever saved.
func (f *Folder) Last(origin string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir := of(origin)
	sizes, err := f.sizes(dir)
	if err != nil {
		return nil, err
	}
	if len(sizes) == 0 {
		return nil, fmt.Errorf("checkpoint of %s: %w", origin, evidence.ErrNotFound)
	}
	note, err := f.root.ReadFile(file(dir, sizes[0]))
	if err == nil && len(note) > maxNote {
		err = evidence.ErrInvalid
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint of %s: %w", origin, err)
	}
	return note, nil
}

// Save keeps a note of that size and then removes the others of the log. When it
// returns nil, the note survives a power loss.
func (f *Folder) Save(origin string, size int64, note []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir := of(origin)
	if err := durable.MkdirAll(f.root, dir); err != nil {
		return fmt.Errorf("checkpoint of %s: %w", origin, err)
	}
	before, err := f.sizes(dir)
	if err != nil {
		return err
	}
	err = durable.Replace(f.root, file(dir, size), 0o600, note)
	for _, n := range before {
		if err == nil && n != size {
			err = f.root.Remove(file(dir, n))
		}
	}
	if err != nil {
		return fmt.Errorf("checkpoint of %s: %w", origin, err)
	}
	return nil
}

// Forget puts what was kept of a log aside, where it stays, so that the log can begin
// anew, and returns the names of the files. Only a person decides that.
func (f *Folder) Forget(origin string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir := of(origin)
	sizes, err := f.sizes(dir)
	if err != nil {
		return nil, err
	}
	if len(sizes) == 0 {
		return nil, fmt.Errorf("checkpoint of %s: %w", origin, evidence.ErrNotFound)
	}
	var out []string
	for _, n := range sizes {
		aside := path.Join(dir, fmt.Sprintf("forgotten-%020d-%s", n, evidence.NewID()))
		if err := f.root.Rename(file(dir, n), aside); err != nil {
			return out, fmt.Errorf("checkpoint of %s: %w", origin, err)
		}
		out = append(out, aside)
	}
	return out, durable.SyncDir(f.root, dir)
}

// Anchor is the folder for one log alone.
type Anchor struct {
	Folder *Folder
	Origin string
}

// Last is [Folder.Last] of the log.
func (a Anchor) Last() ([]byte, error) { return a.Folder.Last(a.Origin) }

// Save is [Folder.Save] of the log.
func (a Anchor) Save(size int64, note []byte) error { return a.Folder.Save(a.Origin, size, note) }
