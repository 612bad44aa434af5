package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// maxPackageFiles bounds how many files a package may hold. A three-hour
// interview with four sources and a thousand parts stays far below it.
const maxPackageFiles = 100_000

// untar writes a package's files into dir, which must not hold anything yet. A
// package is a tar stream of one folder (a serialised bag, RFC 8493 section 4.2);
// dir takes that folder's place. Everything goes through an os.Root, so that no
// name, link or device in the stream can reach outside; at the first of those it
// stops, and leaves nothing behind. It returns how many files were written.
func untar(stream io.Reader, dir string) (files int, err error) {
	root, err := emptyFolder(dir)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, emptyOut(root))
		}
		root.Close()
	}()
	folder := "" // the one at the top, once it is known
	for r := tar.NewReader(stream); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			// What follows the end of the archive is read so that a cut
			// connection is noticed.
			if _, err := io.Copy(io.Discard, stream); err != nil {
				return files, fmt.Errorf("the package was cut off: %w", err)
			}
			return files, nil
		}
		if err != nil {
			return files, fmt.Errorf("the package is not a whole tar archive: %w", err)
		}
		name := path.Clean(h.Name)
		if !fs.ValidPath(name) || name == "." {
			return files, fmt.Errorf("the package names a file %q outside its folder; nothing of it was kept", h.Name)
		}
		top, name, below := strings.Cut(name, "/")
		if folder == "" {
			folder = top
		}
		if top != folder || !below && h.Typeflag != tar.TypeDir {
			return files, fmt.Errorf("the package holds %q beside its one folder; nothing of it was kept", h.Name)
		}
		if !below {
			continue // the folder itself
		}
		switch h.Typeflag {
		case tar.TypeDir:
			if err := root.MkdirAll(name, 0o700); err != nil {
				return files, err
			}
		case tar.TypeReg:
			if files++; files > maxPackageFiles {
				return files, fmt.Errorf("the package holds more than %d files", maxPackageFiles)
			}
			if err := writeNew(root, name, r); err != nil {
				return files, fmt.Errorf("writing %s: %w", name, err)
			}
		default:
			return files, fmt.Errorf("the package holds %q, which is neither a file nor a folder; nothing of it was kept", h.Name)
		}
	}
}

// emptyFolder makes dir, or takes it if it is empty.
func emptyFolder(dir string) (*os.Root, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, usagef("%s is not empty; name a new folder", dir)
	}
	return os.OpenRoot(dir)
}

// writeNew creates a file that must not exist, with its folders. What a package
// holds in the clear is for the one who fetched it alone.
func writeNew(root *os.Root, name string, content io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}

// emptyOut removes everything in a folder.
func emptyOut(root *os.Root) error {
	entries, err := fs.ReadDir(root.FS(), ".")
	for _, e := range entries {
		err = errors.Join(err, root.RemoveAll(e.Name()))
	}
	return err
}
