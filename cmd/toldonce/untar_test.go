package main

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func archive(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		content := []byte("content of " + h.Name)
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(content))
		}
		h.Mode = 0o644
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			w.Write(content)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUntarWritesFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	n, err := untar(bytes.NewReader(archive(t,
		tar.Header{Name: "package/", Typeflag: tar.TypeDir},
		tar.Header{Name: "package/data/media/a.mp4", Typeflag: tar.TypeReg},
		tar.Header{Name: "./package/bagit.txt", Typeflag: tar.TypeReg},
	)), dir)
	if err != nil || n != 2 {
		t.Fatalf("untar = %d, %v; want 2 files", n, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "data/media/a.mp4")); err != nil || string(b) != "content of package/data/media/a.mp4" {
		t.Errorf("data/media/a.mp4 = %q, %v", b, err)
	}
	// What is in the clear is for its owner alone.
	for _, name := range []string{".", "data", "data/media", "data/media/a.mp4", "bagit.txt"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestUntarStaysInside(t *testing.T) {
	for _, h := range []tar.Header{
		{Name: "../escaped", Typeflag: tar.TypeReg},
		{Name: "/escaped", Typeflag: tar.TypeReg},
		{Name: "p/../../escaped", Typeflag: tar.TypeReg},
		{Name: "..", Typeflag: tar.TypeDir},
		{Name: ".", Typeflag: tar.TypeReg},
		{Name: "beside", Typeflag: tar.TypeReg},
		{Name: "p/link", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink},
		{Name: "p/hard", Linkname: "../escaped", Typeflag: tar.TypeLink},
		{Name: "p/pipe", Typeflag: tar.TypeFifo},
		{Name: "p/dev", Typeflag: tar.TypeChar},
	} {
		parent := t.TempDir()
		if _, err := untar(bytes.NewReader(archive(t, h)), filepath.Join(parent, "out")); err == nil {
			t.Errorf("%s %q was accepted", string(h.Typeflag), h.Name)
		}
		if _, err := os.Lstat(filepath.Join(parent, "escaped")); err == nil {
			t.Errorf("%q escaped", h.Name)
		}
		entries, _ := os.ReadDir(filepath.Join(parent, "out"))
		if len(entries) > 0 {
			t.Errorf("%q left %s behind", h.Name, entries[0].Name())
		}
	}
}

func TestUntarRefusesTwoFilesOfOneName(t *testing.T) {
	twice := tar.Header{Name: "p/a", Typeflag: tar.TypeReg}
	if _, err := untar(bytes.NewReader(archive(t, twice, twice)), t.TempDir()); err == nil {
		t.Error("the second file replaced the first")
	}
}

func TestUntarRefusesTwoFolders(t *testing.T) {
	if _, err := untar(bytes.NewReader(archive(t, tar.Header{Name: "p/a", Typeflag: tar.TypeReg}, tar.Header{Name: "q/a", Typeflag: tar.TypeReg})), t.TempDir()); err == nil {
		t.Error("a second folder was merged into the first")
	}
}

func TestUntarNoticesACutStream(t *testing.T) {
	whole := archive(t, tar.Header{Name: "p/a", Typeflag: tar.TypeReg})
	for _, length := range []int{100, 513, 520} {
		dir := t.TempDir()
		if _, err := untar(bytes.NewReader(whole[:length]), dir); err == nil {
			t.Errorf("a stream cut at %d of %d bytes was accepted", length, len(whole))
		}
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			t.Errorf("a stream cut at %d bytes left a part behind", length)
		}
	}
}

func TestUntarLeavesAFilledFolderAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := untar(bytes.NewReader(archive(t, tar.Header{Name: "p/a", Typeflag: tar.TypeReg})), dir)
	if err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("untar into a filled folder = %v", err)
	}
}

func FuzzUntar(f *testing.F) {
	f.Add(archive(f, tar.Header{Name: "p/data/media/a.mp4", Typeflag: tar.TypeReg}))
	f.Add(archive(f, tar.Header{Name: "../a", Typeflag: tar.TypeReg}))
	f.Add(archive(f, tar.Header{Name: "p/l", Linkname: "..", Typeflag: tar.TypeSymlink}, tar.Header{Name: "p/l/a", Typeflag: tar.TypeReg}))
	f.Fuzz(func(t *testing.T, stream []byte) {
		parent := t.TempDir()
		untar(bytes.NewReader(stream), filepath.Join(parent, "out")) // must not write anywhere else, nor panic
		entries, err := os.ReadDir(parent)
		if err != nil || len(entries) > 1 {
			t.Fatalf("outside the folder: %v, %v", entries, err)
		}
	})
}
