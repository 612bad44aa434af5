package spool

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/toldonce/toldonce/evidence"
)

// writeVectors makes testdata/v1. It is for a new version's vectors: those of a
// released version stay as they are for ever.
var writeVectors = flag.Bool("write-vectors", false, "make testdata/v1 if it is not there")

type vectorCase struct {
	Dir      string
	Stream   string
	Records  []vectorRecord
	Released Position
	Last     Position
	Torn     bool
	Closed   bool
	CutBytes int64
	Gaps     []Gap
}

type vectorRecord struct {
	Position Position
	Kind     byte
	Payload  string // hex
}

type vectorFile struct {
	Key       string // hex
	Interview evidence.ID
	Cases     []vectorCase
}

const vectorInterview = "01936b1e-7b3a-7c55-9f00-2d1c8a6b4e10"

func replayCase(t *testing.T, key journalKey, dir string, s stream) vectorCase {
	t.Helper()
	root, err := os.OpenRoot(filepath.Join("testdata/v1", dir))
	must(t, err)
	defer root.Close()
	c := vectorCase{Dir: dir, Stream: s.String(), Gaps: []Gap{}, Records: []vectorRecord{}}
	report, _, err := replay(root, key, uuid.MustParse(vectorInterview), s, func(r Record) error {
		c.Records = append(c.Records, vectorRecord{r.Position, r.Kind, hex.EncodeToString(r.Payload)})
		return nil
	})
	must(t, err)
	c.Released, c.Last, c.Torn, c.Closed, c.CutBytes = report.Released, report.Last, report.Torn, report.Closed, report.CutBytes
	c.Gaps = append(c.Gaps, report.Gaps...)
	return c
}

func TestVectors(t *testing.T) {
	if *writeVectors {
		makeVectors(t)
	}
	text, err := os.ReadFile("testdata/v1/vectors.json")
	must(t, err)
	var v vectorFile
	must(t, json.Unmarshal(text, &v))
	key, err := hex.DecodeString(v.Key)
	must(t, err)
	if len(v.Cases) < 6 {
		t.Fatal("vectors are missing")
	}
	for _, want := range v.Cases {
		t.Run(want.Dir, func(t *testing.T) {
			s := capture
			if want.Stream == outbox.String() {
				s = outbox
			}
			got, err := json.Marshal(replayCase(t, journalKey(key), want.Dir, s))
			must(t, err)
			expected, err := json.Marshal(want)
			must(t, err)
			if !bytes.Equal(got, expected) {
				t.Fatalf("got  %s\nwant %s", got, expected)
			}
		})
	}
}

func makeVectors(t *testing.T) {
	t.Helper()
	key := journalKey(bytes.Repeat([]byte{0x42}, 32))
	v := vectorFile{Key: hex.EncodeToString(key[:]), Interview: vectorInterview}
	id := uuid.MustParse(vectorInterview)
	// Three files of two records, made by hand so that they never change: the
	// salt of file n is n, n, n …
	write := func(dir string, s stream, payloads [][]byte, kind byte) {
		must(t, os.MkdirAll(filepath.Join("testdata/v1", dir), 0o755))
		var prev tag
		for n := uint64(1); n <= 3; n++ {
			h := fileHeader{stream: s, id: id, number: n, first: Position(2*n - 1), prev: prev}
			copy(h.salt[:], bytes.Repeat([]byte{byte(n)}, saltSize))
			seq, out, err := beginWithSalt(key, h)
			must(t, err)
			for _, p := range payloads[2*n-2 : 2*n] {
				out = seq.append(out, kind, p)
			}
			if n == 3 && s == capture {
				out = seq.append(out, kindRelease, binary.BigEndian.AppendUint64(nil, 1))
			}
			out = seq.append(out, kindEnd, nil)
			prev = seq.last
			must(t, os.WriteFile(filepath.Join("testdata/v1", dir, s.fileName(n)), out, 0o644))
		}
	}
	var texts, objects [][]byte
	for i := range 6 {
		texts = append(texts, fmt.Appendf(nil, "record %d", i+1))
		o := object(i)
		o.Body = fmt.Appendf(nil, "ciphertext %d", i+1)
		o.Sum = digest(o.Body)
		o.RetainUntil = time.Unix(1_800_000_000, 0)
		head, err := encodeHead(o)
		must(t, err)
		objects = append(objects, append(head, o.Body...))
	}
	write("outbox", outbox, objects, kindObject)
	for _, dir := range []string{"whole", "torn", "flipped", "first-missing", "middle-missing", "header-damaged"} {
		write(dir, capture, texts, 7)
	}
	name := func(dir string, n uint64) string {
		return filepath.Join("testdata/v1", dir, capture.fileName(n))
	}
	last, err := os.ReadFile(name("torn", 3))
	must(t, err)
	must(t, os.WriteFile(name("torn", 3), last[:headerSize+20], 0o644))
	middle, err := os.ReadFile(name("flipped", 2))
	must(t, err)
	middle[headerSize+10] ^= 1
	must(t, os.WriteFile(name("flipped", 2), middle, 0o644))
	must(t, os.Remove(name("first-missing", 1)))
	must(t, os.Remove(name("middle-missing", 2)))
	header, err := os.ReadFile(name("header-damaged", 2))
	must(t, err)
	header[40] ^= 1
	must(t, os.WriteFile(name("header-damaged", 2), header, 0o644))

	v.Cases = append(v.Cases, replayCase(t, key, "outbox", outbox))
	for _, dir := range []string{"whole", "torn", "flipped", "first-missing", "middle-missing", "header-damaged"} {
		v.Cases = append(v.Cases, replayCase(t, key, dir, capture))
	}
	text, err := json.MarshalIndent(v, "", "  ")
	must(t, err)
	f, err := os.OpenFile("testdata/v1/vectors.json", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	must(t, err)
	_, err = f.Write(append(text, '\n'))
	must(t, errors.Join(err, f.Close()))
}

// FuzzScan reads any bytes as a journal file. Whatever they are, only records
// that were written with the key come out, from the first on.
func FuzzScan(f *testing.F) {
	key := journalKey{9}
	h := fileHeader{stream: capture, id: uuid.MustParse(vectorInterview), number: 1, first: 1}
	seq, whole, err := beginWithSalt(key, h)
	if err != nil {
		f.Fatal(err)
	}
	var want [][]byte
	for i := range 5 {
		want = append(want, payload(i))
		whole = seq.append(whole, 7, payload(i))
	}
	whole = seq.append(whole, kindEnd, nil)
	f.Add(whole)
	f.Add(whole[:headerSize])
	f.Add(whole[:headerSize+40])
	huge := bytes.Clone(whole)
	binary.BigEndian.PutUint32(huge[headerSize:], 1<<26)
	f.Add(huge)
	f.Add([]byte{})
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := readHeader(key, bytes.NewReader(data))
		if err != nil {
			if !errors.Is(err, errCut) && !errors.Is(err, errVersion) {
				t.Fatalf("unexpected kind of error: %v", err)
			}
			return
		}
		if r.header != (fileHeader{stream: h.stream, id: h.id, number: 1, first: 1}) {
			t.Fatalf("accepted another header: %+v", r.header)
		}
		for n := 0; ; n++ {
			kind, got, err := r.next()
			if err != nil {
				if err != io.EOF && !errors.Is(err, errCut) {
					t.Fatalf("unexpected kind of error: %v", err)
				}
				break
			}
			if n > len(want) || n == len(want) && kind != kindEnd || n < len(want) && (kind != 7 || !bytes.Equal(got, want[n])) {
				t.Fatalf("record %d: kind %d, %q", n, kind, got)
			}
		}
		if r.good > int64(len(data)) {
			t.Fatalf("%d good bytes of %d", r.good, len(data))
		}
	})
}

// FuzzReplay spoils a journal of several files and demands that every record is
// the one that was written at its place, and that what is missing is reported.
func FuzzReplay(f *testing.F) {
	b := newBench(f)
	j := b.open()
	b.fill(j, 1, 20)
	if err := j.close(); err != nil {
		f.Fatal(err)
	}
	var files [][]byte
	for _, name := range b.files() {
		c, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		files = append(files, c)
	}
	f.Add(uint8(0), uint16(130), []byte{1})
	f.Add(uint8(1), uint16(0), []byte{})
	f.Add(uint8(2), uint16(200), []byte("any"))
	f.Fuzz(func(t *testing.T, which uint8, at uint16, bytesAt []byte) {
		dir := t.TempDir()
		n := int(which) % len(files)
		changed := false
		for i, c := range files {
			if i == n {
				spoiled := bytes.Clone(c)
				if len(bytesAt) == 0 {
					spoiled = spoiled[:min(int(at), len(spoiled))]
				} else if int(at) < len(spoiled) {
					copy(spoiled[at:], bytesAt)
				}
				changed = !bytes.Equal(spoiled, c)
				c = spoiled
			}
			must(t, os.WriteFile(filepath.Join(dir, capture.fileName(uint64(i+1))), c, 0o600))
		}
		root, err := os.OpenRoot(dir)
		must(t, err)
		defer root.Close()
		var got []Position
		report, _, err := replay(root, b.cfg.key, b.cfg.id, capture, func(r Record) error {
			if !bytes.Equal(r.Payload, payload(int(r.Position))) {
				t.Fatalf("record %d is %q", r.Position, r.Payload)
			}
			got = append(got, r.Position)
			return nil
		})
		if errors.Is(err, errVersion) {
			return
		}
		must(t, err)
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Fatalf("out of order: %v", got)
		}
		missing := len(got) != 20
		if missing && !changed || missing && len(report.Gaps) == 0 && n < len(files)-1 {
			t.Fatalf("missing and not reported: %v, %+v", got, report)
		}
	})
}

func FuzzObject(f *testing.F) {
	o := object(3)
	head, err := encodeHead(o)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(head, o.Body...))
	f.Add([]byte{0})
	f.Add(bytes.Repeat([]byte{0xff}, 100))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := decodeObject(data)
		if err != nil {
			if !errors.Is(err, evidence.ErrInvalid) {
				t.Fatalf("unexpected kind of error: %v", err)
			}
			return
		}
		head, err := encodeHead(o)
		if err != nil {
			t.Fatalf("read what could not be written: %v", err)
		}
		if !bytes.Equal(append(head, o.Body...), data) {
			t.Fatal("reads an encoding that is not the only one")
		}
	})
}
