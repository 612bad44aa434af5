package verify

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence/disclosure/testutil"
	"github.com/toldonce/toldonce/evidence/seal"
)

func TestFolderAndTarAreJudgedAlike(t *testing.T) {
	w := testutil.NewWorld(t)
	r := w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 2})
	var archive bytes.Buffer
	w.WritePackage(t, r, &archive)
	file := filepath.Join(t.TempDir(), "package.tar")
	if err := os.WriteFile(file, archive.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	padded, hidden := filepath.Join(t.TempDir(), "padded.tar"), filepath.Join(t.TempDir(), "hidden.tar")
	for name, more := range map[string][]byte{padded: make([]byte, 50_000), hidden: archive.Bytes()} {
		if err := os.WriteFile(name, append(bytes.Clone(archive.Bytes()), more...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Package(t.Context(), hidden, w.Authority.Trust()); err != nil || got.Verdict != Failed || got.Findings.Of("bag.form") != seal.Fails {
		t.Errorf("a second archive behind the first: %+v %v", got, err)
	}
	dir := testutil.Untar(t, &archive).WriteTo(t, t.TempDir())
	for _, path := range []string{file, padded, dir} {
		got, err := Package(t.Context(), path, w.Authority.Trust())
		if err != nil {
			t.Fatal(err)
		}
		if got.Verdict != Verified {
			t.Errorf("%s: %s %+v", path, got.Verdict, got.Findings)
		}
	}
}

func TestHostileFolders(t *testing.T) {
	w := testutil.NewWorld(t)
	files := w.Package(t, w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1}))
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, files[videoFile], 0o644); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(dir string) error{
		"link to the right content outside": func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, videoFile)), os.Symlink(outside, filepath.Join(dir, videoFile)))
		},
		"link to a file of the package": func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, videoFile)), os.Symlink("close-up-audio-part01-init0.mp4", filepath.Join(dir, videoFile)))
		},
		"folder that is a link outside": func(dir string) error {
			media := filepath.Join(dir, "data", "media")
			elsewhere := filepath.Join(t.TempDir(), "media")
			return errors.Join(os.Rename(media, elsewhere), os.Symlink(elsewhere, media))
		},
		"named pipe": func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "data", "pipe"), 0o600) },
		"names that differ by case": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "data", "media", strings.ToUpper(filepath.Base(videoFile))), files[videoFile], 0o644)
		},
		"name with a line end":   func(dir string) error { return os.WriteFile(filepath.Join(dir, "data", "a\nb"), nil, 0o644) },
		"name of another system": func(dir string) error { return os.WriteFile(filepath.Join(dir, "data", `..\x`), nil, 0o644) },
		"folders without end": func(dir string) error {
			return os.MkdirAll(filepath.Join(dir, strings.Repeat("d/", 60)), 0o755)
		},
		"folder in a file's place": func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "bagit.txt")), os.Mkdir(filepath.Join(dir, "bagit.txt"), 0o755))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := files.WriteTo(t, t.TempDir())
			if err := spoil(dir); err != nil {
				t.Fatal(err)
			}
			r, err := Package(t.Context(), dir, w.Authority.Trust())
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != Failed || r.Findings.Of("bag.form") != seal.Fails {
				t.Errorf("got %s, bag.form %q", r.Verdict, r.Findings.Of("bag.form"))
			}
			var text strings.Builder
			if err := r.WriteText(&text, "en", true); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(text.String(), "a\nb") {
				t.Error("the report prints a name with a line end")
			}
		})
	}
}

// writeTar writes the files below folder, each by h if that is not nil.
func writeTar(t *testing.T, files testutil.Files, folder string, more ...*tar.Header) string {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for name, data := range files {
		if err := errors.Join(w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: folder + name, Size: int64(len(data)), Mode: 0o644, ModTime: time.Unix(0, 0)}), second(w.Write(data))); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range more {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write(make([]byte, h.Size)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "package.tar")
	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func second(_ int, err error) error { return err }

func TestHostileArchives(t *testing.T) {
	w := testutil.NewWorld(t)
	files := w.Package(t, w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1}))
	for name, h := range map[string]*tar.Header{
		"file outside the folder":     {Typeflag: tar.TypeReg, Name: "elsewhere/x", Size: 1},
		"file that climbs out":        {Typeflag: tar.TypeReg, Name: "bag/../../etc/passwd", Size: 1},
		"file with an absolute name":  {Typeflag: tar.TypeReg, Name: "/etc/passwd", Size: 1},
		"name twice":                  {Typeflag: tar.TypeReg, Name: "bag/bagit.txt", Size: 1},
		"symbolic link":               {Typeflag: tar.TypeSymlink, Name: "bag/data/link", Linkname: "/etc/passwd"},
		"hard link":                   {Typeflag: tar.TypeLink, Name: "bag/data/link", Linkname: "bag/bagit.txt"},
		"device":                      {Typeflag: tar.TypeChar, Name: "bag/data/dev"},
		"file that fills the disk":    {Typeflag: tar.TypeReg, Name: "bag/data/zeros", Size: 1 << 20},
		"name longer than any system": {Typeflag: tar.TypeReg, Name: "bag/data/" + strings.Repeat("n", 5000)},
	} {
		t.Run(name, func(t *testing.T) {
			file := writeTar(t, files, "bag/", h)
			r, err := Package(t.Context(), file, w.Authority.Trust())
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != Failed {
				t.Errorf("got %s", r.Verdict)
			}
		})
	}
	t.Run("cut off", func(t *testing.T) {
		file := writeTar(t, files, "bag/")
		if err := os.Truncate(file, 30_000); err != nil {
			t.Fatal(err)
		}
		r, err := Package(t.Context(), file, w.Authority.Trust())
		if err != nil {
			t.Fatal(err)
		}
		if r.Verdict != Failed {
			t.Errorf("got %s", r.Verdict)
		}
	})
	t.Run("without a folder", func(t *testing.T) {
		r, err := Package(t.Context(), writeTar(t, files, ""), w.Authority.Trust())
		if err != nil {
			t.Fatal(err)
		}
		if r.Verdict != Verified {
			t.Errorf("got %s %+v", r.Verdict, r.Findings)
		}
	})
	t.Run("size beyond the file", func(t *testing.T) {
		// A header that claims far more than follows.
		var out bytes.Buffer
		tw := tar.NewWriter(&out)
		if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "bag/bagit.txt", Size: 1 << 40, Format: tar.FormatGNU}); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "package.tar")
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := Package(t.Context(), file, w.Authority.Trust())
		if err != nil {
			t.Fatal(err)
		}
		if r.Verdict != Failed {
			t.Errorf("got %s", r.Verdict)
		}
	})
}

// Go writes no file with holes, so only the judgement is tested.
func TestFilesWithHolesAreToldApart(t *testing.T) {
	if !sparse(&tar.Header{PAXRecords: map[string]string{"GNU.sparse.major": "1"}}) || sparse(&tar.Header{PAXRecords: map[string]string{"size": "9"}}) {
		t.Error("a file with holes is not recognised")
	}
}

func TestWhatIsNoPackageIsRefused(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{
		"text":      "hello",
		"empty":     "",
		"encrypted": "age-encryption.org/v1\n-> X25519 x\n",
		"zeros":     strings.Repeat("\x00", 2048),
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Package(t.Context(), file, nil); !errors.Is(err, ErrNotPackage) {
			t.Errorf("%s: got %v, want ErrNotPackage", name, err)
		}
	}
	if _, err := Package(t.Context(), filepath.Join(dir, "absent"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: got %v", err)
	}
	r, err := Package(t.Context(), t.TempDir(), nil)
	if err != nil || r.Verdict != Failed {
		t.Errorf("an empty folder: got %v, %v", r, err)
	}
}

func TestCountsAreBoundedBeforeTheyAreBelieved(t *testing.T) {
	w := testutil.NewWorld(t)
	good := w.Package(t, w.Record(t, testutil.Shape{Sources: 1, Parts: 1, Loops: 1}))
	for name, content := range map[string]struct {
		file string
		data []byte
	}{
		"deep JSON manifest": {"data/recording/recording.json", []byte(strings.Repeat(`{"a":`, 200_000))},
		"deep JSON bundle":   {"seal/package.sigstore.json", []byte(strings.Repeat("[", 500_000))},
		"deep JSON entry":    {"data/custody/entries.jsonl", []byte(strings.Repeat("[", 500_000) + "\n")},
		"empty lines":        {"data/recording/pages/page-0000.jsonl", bytes.Repeat([]byte("\n"), 2_000_000)},
		"endless list":       {"manifest-sha256.txt", bytes.Repeat([]byte(strings.Repeat("0", 64)+"  data/x\n"), 300_000)},
		"many proofs":        {"data/custody/proofs.jsonl", bytes.Repeat([]byte("{}\n"), 300_000)},
	} {
		t.Run(name, func(t *testing.T) {
			f := good.Clone()
			f[content.file] = content.data
			if r := judge(t, f, w.Authority.Trust()); r.Verdict != Failed {
				t.Errorf("got %s", r.Verdict)
			} else if n := len(r.Findings); n > 300 {
				t.Errorf("%d findings", n)
			}
		})
	}
}

func TestSameFindingsEachTime(t *testing.T) {
	w := testutil.NewWorld(t)
	f := w.Package(t, w.Record(t, testutil.Shape{Sources: 2, Parts: 1, Loops: 1}))
	delete(f, audioFile)
	f["data/x"], f["data/y"] = []byte("x"), []byte("y")
	f[videoFile][10] ^= 1
	want := fmt.Sprint(judge(t, f, w.Authority.Trust()).Findings)
	for range 20 {
		if got := fmt.Sprint(judge(t, f, w.Authority.Trust()).Findings); got != want {
			t.Fatalf("findings differ between runs:\n%s\n%s", got, want)
		}
	}
}
