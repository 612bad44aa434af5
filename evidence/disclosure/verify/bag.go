package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/seal"
)

var manifestLine = regexp.MustCompile(`^([0-9a-f]{64})  (.+)$`)

// parseChecksums reads a BagIt manifest as it is written here: sorted by name,
// no name twice, a line end after each line.
func parseChecksums(data []byte, payload bool) (map[string]string, error) {
	sums := map[string]string{}
	last := ""
	for i := 1; len(data) > 0; i++ {
		line, rest, ended := bytes.Cut(data, []byte{'\n'})
		data = rest
		m := manifestLine.FindSubmatch(line)
		if !ended || m == nil {
			return nil, fmt.Errorf("%w: line %d is malformed", evidence.ErrInvalid, i)
		}
		name := string(m[2])
		switch {
		case !plainName(name):
			return nil, fmt.Errorf("%w: line %d names no plain path", evidence.ErrInvalid, i)
		case strings.HasPrefix(name, "data/") != payload:
			return nil, fmt.Errorf("%w: line %d names a file that belongs to the other manifest", evidence.ErrInvalid, i)
		case name <= last:
			return nil, fmt.Errorf("%w: line %d is out of order", evidence.ErrInvalid, i)
		case len(sums) >= maxFiles:
			return nil, fmt.Errorf("%w: more than %d lines", evidence.ErrInvalid, maxFiles)
		}
		sums[name], last = string(m[1]), name
	}
	return sums, nil
}

// bag judges the BagIt form: the declaration, the manifests, and that exactly
// the listed files are there.
func (e *examination) bag() {
	if data, ok := e.small("bag.form", disclosure.BagItFile); ok && string(data) != disclosure.BagItText {
		e.add("bag.form", seal.Fails, disclosure.BagItFile, "It does not declare a BagIt 1.0 bag.")
	}
	e.sums = map[string]string{}
	listed := true
	for _, m := range []struct {
		file    string
		payload bool
	}{{disclosure.ManifestFile, true}, {disclosure.TagManifestFile, false}} {
		data, ok := e.small("bag.complete", m.file)
		if !ok {
			e.missing(m.file)
			listed = false
			continue
		}
		sums, err := parseChecksums(data, m.payload)
		if err != nil {
			e.add("bag.complete", seal.Fails, m.file, "The list of files cannot be accepted: %v.", err)
			listed = false
			continue
		}
		for name, sum := range sums {
			if sealedApart(name) {
				e.add("bag.complete", seal.Fails, m.file, "It lists %s, which the package's seal covers instead.", name)
				continue
			}
			e.sums[name] = sum
		}
	}
	n := 0
	report := func(name, format string, args ...any) {
		if n++; n <= 50 {
			e.add("bag.complete", seal.Fails, name, format, args...)
		}
	}
	for _, name := range sorted(e.sums) {
		if _, there := e.files.sizes[name]; !there {
			report(name, "The file is listed, but missing.")
			e.missing(name)
		}
	}
	for _, name := range sorted(e.files.sizes) {
		if _, ok := e.sums[name]; !ok && !sealedApart(name) && listed {
			report(name, "The file is not listed: it was added.")
		}
	}
	if e.planned {
		want := e.expected()
		for _, name := range sorted(want) {
			if _, there := e.files.sizes[name]; !there {
				report(name, "The file belongs to this recording's package, but is missing.")
				e.missing(name)
			}
		}
		for _, name := range sorted(e.files.sizes) {
			if !want[name] && !sealedApart(name) && !e.later {
				report(name, "The file has no place in this recording's package.")
			}
		}
	}
	e.bagInfo()
	if e.report.Findings.Of("bag.complete") == "" {
		e.add("bag.complete", seal.Holds, "", "Exactly the listed %d files are there, and they are the ones that such a package has.", len(e.sums))
	}
}

func (e *examination) bagInfo() {
	data, ok := e.small("bag.complete", disclosure.BagInfoFile)
	if !ok {
		return
	}
	var bytes, files int64
	for name, size := range e.files.sizes {
		if strings.HasPrefix(name, "data/") {
			bytes += size
			files++
		}
	}
	if !slices.Contains(strings.Split(string(data), "\n"), fmt.Sprintf("Payload-Oxum: %d.%d", bytes, files)) {
		e.add("bag.complete", seal.Fails, disclosure.BagInfoFile, "Its count of payload bytes and files is not %d.%d.", bytes, files)
	}
}

// digests compares every listed file that is there with its SHA-256. Media was
// hashed while it was sliced.
func (e *examination) digests() {
	var (
		mu    sync.Mutex
		bad   = map[string]string{}
		group errgroup.Group
		done  int
	)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, name := range sorted(e.sums) {
		if _, there := e.files.sizes[name]; !there {
			continue
		}
		done++
		if sum, ok := e.mediaSums[name]; ok {
			if sum != e.sums[name] {
				mu.Lock()
				bad[name] = "Its SHA-256 is not the listed one: the file was changed."
				mu.Unlock()
			}
			continue
		}
		group.Go(func() error {
			sum, err := e.hash(name)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				bad[name] = fmt.Sprintf("The file cannot be read: %v.", err)
			} else if sum != e.sums[name] {
				bad[name] = "Its SHA-256 is not the listed one: the file was changed."
			}
			return nil
		})
	}
	group.Wait() // the functions return nil
	for _, name := range sorted(bad) {
		e.add("bag.digest", seal.Fails, name, "%s", bad[name])
	}
	if len(bad) == 0 && done > 0 {
		e.add("bag.digest", seal.Holds, "", "All %d listed files that are there have their SHA-256.", done)
	}
}

func (e *examination) hash(name string) (string, error) {
	r, closer, err := e.files.open(name)
	if err != nil {
		return "", err
	}
	defer closer.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(h, &cancellable{e, io.NewSectionReader(r, 0, e.files.sizes[name])}, make([]byte, min(256<<10, e.files.sizes[name]+1)))
	if err != nil {
		return "", err
	}
	if n != e.files.sizes[name] {
		return "", io.ErrUnexpectedEOF
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

type cancellable struct {
	e *examination
	r io.Reader
}

func (c *cancellable) Read(p []byte) (int, error) {
	if err := c.e.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
