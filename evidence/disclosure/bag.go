package disclosure

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"time"
)

// bag writes the files of a BagIt bag into a tar, each below the folder root, and
// remembers their digests. It is owned by one goroutine.
type bag struct {
	tar   *tar.Writer
	root  string
	at    time.Time
	sums  map[string]string // SHA-256 by file name
	bytes map[string]int64
}

func newBag(w io.Writer, root string, at time.Time) *bag {
	return &bag{tar: tar.NewWriter(w), root: root, at: at.UTC().Truncate(time.Second), sums: map[string]string{}, bytes: map[string]int64{}}
}

// ustarMax is the largest file that a plain tar header can hold.
const ustarMax = 1<<33 - 1

// create begins a file of exactly size bytes.
func (b *bag) create(name string, size int64) (*bagFile, error) {
	if _, twice := b.sums[name]; twice {
		return nil, fmt.Errorf("package holds %s twice", name)
	}
	format := tar.FormatUSTAR
	if size > ustarMax {
		format = tar.FormatPAX
	}
	err := b.tar.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: b.root + "/" + name, Size: size, Mode: 0o644, ModTime: b.at, Format: format,
	})
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", name, err)
	}
	return &bagFile{bag: b, name: name, size: size, sum: sha256.New()}, nil
}

func (b *bag) write(name string, content []byte) error {
	f, err := b.create(name, int64(len(content)))
	if err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.Close()
}

func (b *bag) close() error {
	if err := b.tar.Close(); err != nil {
		return fmt.Errorf("ending the package: %w", err)
	}
	return nil
}

// checksums returns a BagIt manifest of the files that keep says yes to. It is
// what sha256sum -c reads.
func (b *bag) checksums(keep func(name string) bool) []byte {
	var names []string
	for name := range b.sums {
		if keep(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out strings.Builder
	for _, name := range names {
		fmt.Fprintf(&out, "%s  %s\n", b.sums[name], name)
	}
	return []byte(out.String())
}

// oxum is BagIt's Payload-Oxum: the bytes and the number of payload files.
func (b *bag) oxum() string {
	var bytes, files int64
	for name, n := range b.bytes {
		if isPayload(name) {
			bytes += n
			files++
		}
	}
	return fmt.Sprintf("%d.%d", bytes, files)
}

func isPayload(name string) bool { return strings.HasPrefix(name, "data/") }

// bagFile is a file being written.
type bagFile struct {
	bag     *bag
	name    string
	size    int64
	written int64
	sum     hash.Hash
}

func (f *bagFile) Write(p []byte) (int, error) {
	n, err := f.bag.tar.Write(p)
	f.sum.Write(p[:n])
	f.written += int64(n)
	if err != nil {
		return n, fmt.Errorf("writing %s: %w", f.name, err)
	}
	return n, nil
}

func (f *bagFile) Close() error {
	if f.written != f.size {
		return fmt.Errorf("writing %s: %d bytes of %d", f.name, f.written, f.size)
	}
	f.bag.sums[f.name] = hex.EncodeToString(f.sum.Sum(nil))
	f.bag.bytes[f.name] = f.size
	return nil
}
