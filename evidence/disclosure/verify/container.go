package verify

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/toldonce/toldonce/evidence/seal"
)

const (
	maxFiles = 200_000
	maxName  = 200
	// maxSmall bounds every file that is read whole, in bytes.
	maxSmall = 64 << 20
)

// container is the files of a package. Its methods are safe for concurrent use
// once it is open.
type container struct {
	sizes map[string]int64
	open  func(name string) (io.ReaderAt, io.Closer, error)
	close func() error
}

// ErrNotPackage says that the path is no folder and no tar, so there is nothing to judge.
var ErrNotPackage = errors.New("not a package")

// openContainer lists a folder or a tar. What must not be in a package is
// reported and left out.
func openContainer(file string, out *seal.Findings) (*container, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return openFolder(file, out)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is neither a folder nor a file", ErrNotPackage, file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	c, err := openTar(f, info.Size(), file, out)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	c.close = f.Close
	return c, nil
}

// File is one file of a package that somebody else lists: a browser, for example.
type File struct {
	Name string // relative to the package's folder, with slashes
	Size int64
	// Open returns the content. It is called from several goroutines.
	Open func() (io.ReaderAt, io.Closer, error)
}

// Files judges a package by its files, as [Package] does a folder.
func Files(ctx context.Context, files []File, trust *seal.Trust) (*Report, error) {
	report := &Report{Findings: seal.Findings{}, Missing: []string{}}
	c := &container{sizes: map[string]int64{}, close: func() error { return nil }}
	by := map[string]File{}
	c.open = func(name string) (io.ReaderAt, io.Closer, error) { return by[name].Open() }
	names := newNames(&report.Findings)
	for _, f := range files {
		if ok, full := names.take(f.Name); full {
			break
		} else if ok {
			by[f.Name], c.sizes[f.Name] = f, f.Size
		}
	}
	examine(ctx, c, trust, report)
	return report, ctx.Err()
}

// Archive judges a package that is a tar of size bytes, as [Package] does. name is
// what it is called in an error.
func Archive(ctx context.Context, in io.ReaderAt, size int64, name string, trust *seal.Trust) (*Report, error) {
	report := &Report{Findings: seal.Findings{}, Missing: []string{}}
	c, err := openTar(in, size, name, &report.Findings)
	if err != nil {
		return nil, err
	}
	examine(ctx, c, trust, report)
	return report, ctx.Err()
}

func openFolder(dir string, out *seal.Findings) (*container, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	c := &container{sizes: map[string]int64{}, close: root.Close}
	c.open = func(name string) (io.ReaderAt, io.Closer, error) {
		f, err := root.Open(name)
		if err != nil {
			return nil, nil, err
		}
		return f, f, nil
	}
	names := newNames(out)
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if strings.Count(name, "/") > 8 {
				out.Add("bag.form", seal.Fails, shown(name), "Folders are nested too deeply.")
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			out.Add("bag.form", seal.Fails, shown(name), "It is a link or a device, not a file.")
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if ok, full := names.take(name); full {
			return fs.SkipAll
		} else if ok {
			c.sizes[name] = info.Size()
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading the package: %w", err), root.Close())
	}
	return c, nil
}

// openTar lists a tar. Errors leave nothing open.
func openTar(in io.ReaderAt, size int64, file string, out *seal.Findings) (*container, error) {
	f := io.NewSectionReader(in, 0, size)
	c := &container{sizes: map[string]int64{}, close: func() error { return nil }}
	offsets := map[string]int64{}
	c.open = func(name string) (io.ReaderAt, io.Closer, error) {
		return io.NewSectionReader(in, offsets[name], c.sizes[name]), io.NopCloser(nil), nil
	}
	var magic [21]byte
	if n, _ := f.ReadAt(magic[:], 0); bytes.HasPrefix(magic[:n], []byte("age-encryption.org/")) {
		return nil, fmt.Errorf("%w: it is encrypted; open it first with: age -d -i KEYFILE %s | tar -x -C FOLDER", ErrNotPackage, file)
	}
	names := newNames(out)
	root := ""
	r := tar.NewReader(f)
	for first := true; ; first = false {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			if first {
				return nil, fmt.Errorf("%w: %s is an empty archive", ErrNotPackage, file)
			}
			if hidden, err := followed(f); err != nil {
				return nil, fmt.Errorf("reading the package: %w", err)
			} else if hidden {
				out.Add("bag.form", seal.Fails, "", "Something follows the end of the archive.")
			}
			return c, nil
		}
		if err != nil && first {
			return nil, fmt.Errorf("%w: %s is not a tar: %v", ErrNotPackage, file, err)
		}
		if err != nil {
			out.Add("bag.form", seal.Fails, "", "The archive is damaged or cut off: %v.", err)
			return c, nil
		}
		name := strings.TrimPrefix(h.Name, "./")
		if h.Typeflag == tar.TypeDir {
			continue
		}
		if h.Typeflag != tar.TypeReg || sparse(h) {
			out.Add("bag.form", seal.Fails, shown(name), "It is a link, a device or a file with holes, not a plain file.")
			continue
		}
		// The one folder that a serialised bag has (RFC 8493 section 4).
		folder, rest, nested := strings.Cut(name, "/")
		switch {
		case root == "" && nested && folder != "data" && folder != "seal":
			root = folder
		case root == "":
			root = "."
		}
		if root != "." {
			if folder != root || !nested {
				out.Add("bag.form", seal.Fails, shown(name), "It lies outside the one folder of the archive.")
				continue
			}
			name = rest
		}
		at, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		if ok, full := names.take(name); full {
			return c, nil
		} else if ok {
			offsets[name], c.sizes[name] = at, h.Size
		}
	}
}

// followed reports whether anything but zeros follows the end of an archive, which
// some programs would unpack and others not.
func followed(f io.Reader) (bool, error) {
	buf := make([]byte, 32<<10)
	for {
		n, err := f.Read(buf)
		if len(bytes.Trim(buf[:n], "\x00")) > 0 {
			return true, nil
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}

func sparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// names accepts each file name once.
type names struct {
	out  *seal.Findings
	seen map[string]bool
	fold map[string]bool
}

func newNames(out *seal.Findings) *names {
	return &names{out: out, seen: map[string]bool{}, fold: map[string]bool{}}
}

// take reports whether the name may be used; full ends the listing.
func (n *names) take(name string) (ok, full bool) {
	fold := strings.ToLower(name)
	switch {
	case len(n.seen) >= maxFiles:
		n.out.Add("bag.form", seal.Fails, "", "The package holds more than %d files; the rest was not looked at.", maxFiles)
		return false, true
	case !plainName(name):
		n.out.Add("bag.form", seal.Fails, shown(name), "The name is not a plain relative path.")
		return false, len(*n.out) > 1000
	case n.seen[name]:
		n.out.Add("bag.form", seal.Fails, shown(name), "The package holds this name twice.")
		return false, len(*n.out) > 1000
	case n.fold[fold]:
		n.out.Add("bag.form", seal.Fails, shown(name), "The name differs from another by upper and lower case alone.")
		return false, len(*n.out) > 1000
	}
	n.seen[name], n.fold[fold] = true, true
	return true, false
}

// plainName reports whether name is a clean relative path of printable
// characters that means the same on every system.
func plainName(name string) bool {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || path.Clean(name) != name || !fs.ValidPath(name) || name == "." {
		return false
	}
	for _, r := range name {
		if !unicode.IsPrint(r) || strings.ContainsRune(`\:*?"<>|%`, r) {
			return false
		}
	}
	return true
}

// shown makes a name from outside safe to print.
func shown(name string) string {
	if len(name) > maxName {
		name = name[:maxName] + "…"
	}
	return printable(name)
}

// read returns a small file whole.
func (c *container) read(name string) ([]byte, error) {
	size, ok := c.sizes[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	if size > maxSmall {
		return nil, fmt.Errorf("it has %d bytes; at most %d are read", size, maxSmall)
	}
	r, closer, err := c.open(name)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	data := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(r, 0, size), data); err != nil {
		return nil, fmt.Errorf("it is shorter than %d bytes: %w", size, err)
	}
	return data, nil
}
