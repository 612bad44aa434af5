package verify

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/seal"
)

// pieces returns the inits and media segments of a recording.
func pieces(t testing.TB) (inits, media [][]byte) {
	t.Helper()
	r := testutil.NewWorld(t).Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1})
	for i, s := range r.Segments {
		if s.Leaf.Kind == evidence.LeafInit {
			inits = append(inits, r.Plain[i])
		} else {
			media = append(media, r.Plain[i])
		}
	}
	return inits, media
}

// The reader for hostile files and the library agree about files that are whole.
func TestMediaReaderAgreesWithTheLibrary(t *testing.T) {
	r := testutil.NewWorld(t).Record(t, testutil.Shape{Sources: 1, Parts: 2, Loops: 1})
	inits := map[evidence.ID]track{}
	for i, s := range r.Segments {
		file, err := mp4.DecodeFile(bytes.NewReader(r.Plain[i]))
		if err != nil {
			t.Fatal(err)
		}
		if s.Leaf.Kind == evidence.LeafInit {
			got, err := parseInit(r.Plain[i])
			if err != nil {
				t.Fatal(err)
			}
			trak := file.Init.Moov.Trak
			if got.id != trak.Tkhd.TrackID || got.timescale != trak.Mdia.Mdhd.Timescale || got.handler != trak.Mdia.Hdlr.HandlerType || got.codec != trak.Mdia.Minf.Stbl.Stsd.Children[0].Type() {
				t.Errorf("init %d: got %+v", i, got)
			}
			inits[s.Leaf.Track] = got
			continue
		}
		got, err := parseMedia(r.Plain[i], inits[s.Leaf.Track])
		if err != nil {
			t.Fatal(err)
		}
		traf := file.Segments[0].Fragments[0].Moof.Traf
		var duration, frames uint64
		for _, run := range traf.Truns {
			run.AddSampleDefaultValues(traf.Tfhd, nil)
			for _, sample := range run.Samples {
				duration += uint64(sample.Dur)
				frames++
			}
		}
		if got.decodeTime != traf.Tfdt.BaseMediaDecodeTime() || got.duration != duration || got.frames != frames {
			t.Errorf("segment %d: got %+v, the library says %d %d %d", i, got, traf.Tfdt.BaseMediaDecodeTime(), duration, frames)
		}
	}
}

func FuzzMediaReader(f *testing.F) {
	inits, media := pieces(f)
	for i := range inits {
		f.Add(inits[i], media[i])
		f.Add(inits[i], append(bytes.Clone(media[i]), media[i]...))
	}
	f.Add([]byte("\x00\x00\x00\x01moov\x00\x00\x00\x00\x00\x00\x00\x08"), []byte("\x00\x00\x00\x01moof\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, init, segment []byte) {
		tr, err := parseInit(init)
		if err != nil {
			tr = track{id: 1, timescale: 90000}
		}
		m, err := parseMedia(segment, tr)
		if err == nil && (m.frames == 0 || len(segment) < 16) {
			t.Errorf("%d bytes are a segment of %d frames", len(segment), m.frames)
		}
	})
}

func FuzzChecksums(f *testing.F) {
	f.Add([]byte("0000000000000000000000000000000000000000000000000000000000000000  data/a\n"), true)
	f.Add([]byte("0000000000000000000000000000000000000000000000000000000000000000  ../a\n"), false)
	f.Fuzz(func(t *testing.T, data []byte, payload bool) {
		sums, err := parseChecksums(data, payload)
		if err != nil {
			return
		}
		lines := 0
		for name := range sums {
			if !plainName(name) {
				t.Errorf("accepted the name %q", name)
			}
			lines++
		}
		if lines != bytes.Count(data, []byte("\n")) {
			t.Errorf("%d names in %d lines", lines, bytes.Count(data, []byte("\n")))
		}
	})
}

// Whatever bytes stand in whichever file of a package, it is judged, and holds
// only if they are the ones that were sealed.
func FuzzFileOfAPackage(f *testing.F) {
	w := testutil.NewWorld(f)
	files := w.Package(f, w.Record(f, testutil.Shape{Sources: 1, Parts: 1, Loops: 1}), "why")
	names := sorted(files)
	for i, name := range names {
		if len(files[name]) < 4096 {
			f.Add(uint8(i), files[name])
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		name := names[int(which)%len(names)]
		changed := testutil.Files{}
		for n, d := range files {
			changed[n] = d
		}
		changed[name] = data
		r := judge(t, changed, w.Authority.Trust())
		if (r.Verdict == Verified) != bytes.Equal(data, files[name]) {
			t.Errorf("%s = %q: %s", name, data, r.Verdict)
		}
	})
}

// Any bytes as an archive are listed or refused; nothing outside is touched.
func FuzzArchive(f *testing.F) {
	w := testutil.NewWorld(f)
	var out bytes.Buffer
	w.WritePackage(f, w.Record(f, testutil.Shape{Sources: 1, Parts: 1, Loops: 1}), &out)
	f.Add(out.Bytes()[:3000])
	f.Add(make([]byte, 1024))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "x.tar")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		var findings seal.Findings
		c, err := openContainer(file, &findings)
		if err != nil {
			return
		}
		defer c.close()
		for name := range c.sizes {
			if !plainName(name) {
				t.Errorf("listed %q", name)
			}
		}
		if _, err := c.read(disclosure.BagItFile); err != nil {
			return
		}
	})
}
