package objects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/internal/durable"
)

// marker tells a directory of objects from the empty mount point that is left
// where its disk is missing.
const marker = ".toldonce-objects"

// Dir is a store in a local directory. Files are read-only, and a file system is
// all that protects them: it holds no lock against whoever owns the machine.
type Dir struct {
	root *os.Root
}

// InitDir makes an empty store. It returns an error wrapping
// [evidence.ErrConflict] if something is there already.
func InitDir(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return fmt.Errorf("object directory: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("object directory: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("object directory: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("object directory %s: %w: it is not empty", dir, evidence.ErrConflict)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("object directory: %w", err)
	}
	defer root.Close()
	if err := durable.Create(root, marker, 0o400, []byte("toldonce/objects v1\n")); err != nil {
		return fmt.Errorf("object directory: %w", err)
	}
	return nil
}

// OpenDir opens a store that InitDir made. It returns an error wrapping
// [evidence.ErrMissingState] if there is none.
func OpenDir(dir string) (*Dir, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("object directory %s: %w: %v", dir, evidence.ErrMissingState, err)
	}
	d := &Dir{root: root}
	if err := d.Health(context.Background()); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return d, nil
}

// Put is as [Store] says. retainUntil binds nothing here.
func (d *Dir) Put(_ context.Context, key string, body []byte, sum evidence.Digest, _ time.Time) (string, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	if err := checkDigest(key, body, sum); err != nil {
		return "", err
	}
	if err := durable.MkdirAll(d.root, path.Dir(key)); err != nil {
		return "", fmt.Errorf("object %s: %w", key, err)
	}
	err := durable.Create(d.root, key, 0o400, body)
	if errors.Is(err, fs.ErrExist) {
		there, err := d.root.ReadFile(key)
		if err != nil {
			return "", fmt.Errorf("object %s: %w", key, err)
		}
		if !bytes.Equal(there, body) {
			return "", conflict(key)
		}
		// Whoever wrote it first may have lost power before its name was durable.
		if err := durable.SyncDir(d.root, path.Dir(key)); err != nil {
			return "", fmt.Errorf("object %s: %w", key, err)
		}
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("object %s: %w", key, err)
	}
	return "", nil
}

// Get is as [Store] says.
func (d *Dir) Get(ctx context.Context, key, version string) ([]byte, error) {
	return readAll(d.Reader(ctx, key, version))
}

// Reader is as [Store] says. version must be empty.
func (d *Dir) Reader(_ context.Context, key, version string) (io.ReadCloser, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if version != "" {
		return nil, notFound(key)
	}
	f, err := d.root.Open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, notFound(key)
	}
	if err != nil {
		return nil, fmt.Errorf("object %s: %w", key, err)
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(notFound(key), f.Close()) // a folder of keys
	}
	return f, nil
}

// List is as [Store] says.
func (d *Dir) List(ctx context.Context, prefix string) ([]Listed, error) {
	dir, ok := strings.CutSuffix(prefix, "/")
	if !ok || checkKey(dir) != nil {
		return nil, fmt.Errorf("listing objects: %w: %q", evidence.ErrInvalid, prefix)
	}
	var out []Listed
	err := fs.WalkDir(d.root.FS(), dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return errors.Join(err, ctx.Err())
		}
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && checkKey(name) == nil { // no file that is being written
			out = append(out, Listed{Key: name, Size: info.Size()})
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing objects: %w", err)
	}
	return out, nil
}

// Retain is as [Store] says: there is no lock to prolong.
func (d *Dir) Retain(_ context.Context, key, version string, _ time.Time) error {
	return d.there(key, version)
}

// Hold is as [Store] says: there is no lock to hold.
func (d *Dir) Hold(_ context.Context, key, version string, _ bool) error {
	return d.there(key, version)
}

func (d *Dir) there(key, version string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	info, err := d.root.Stat(key)
	if version != "" || errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return notFound(key)
	}
	return err
}

// Probe proves that what is written can be read, that writing it again is no
// error, and that other bytes do not replace it. It leaves nothing.
func (d *Dir) Probe(ctx context.Context) error {
	key, body := probeKey(), []byte("toldonce probe\n")
	version, err := d.Put(ctx, key, body, digest(body), time.Time{})
	if err != nil {
		return fmt.Errorf("object store probe: %w", err)
	}
	return errors.Join(probeKept(ctx, d, key, version, body), d.root.Remove(key))
}

// Health is as [Store] says.
func (d *Dir) Health(context.Context) error {
	if _, err := d.root.Stat(marker); err != nil {
		return fmt.Errorf("object directory %s: %w: no objects were ever kept here. Is its disk mounted? `toldonce init` makes a new one", d.root.Name(), evidence.ErrMissingState)
	}
	return nil
}

// Close is as [Store] says.
func (d *Dir) Close() error { return d.root.Close() }

func readAll(r io.ReadCloser, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	return body, nil
}
