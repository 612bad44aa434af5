package objects

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/internal/testenv"
)

func openDir(t *testing.T) Store {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "objects")
	if err := InitDir(dir); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), "dir:"+dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func spec(s3 testenv.S3) string {
	return "s3://" + s3.Bucket + "?" + url.Values{"endpoint": {s3.Endpoint}, "region": {s3.Region}, "ca": {s3.CAFile}, "prefix": {"agency"}}.Encode()
}

func openS3(t *testing.T) Store {
	t.Helper()
	s3 := testenv.VersityGW(t)
	t.Setenv("AWS_ACCESS_KEY_ID", s3.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3.SecretKey)
	s, err := Open(t.Context(), spec(s3))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestConformance holds every store to the one contract.
func TestConformance(t *testing.T) {
	for name, open := range map[string]func(*testing.T) Store{"directory": openDir, "S3": openS3} {
		t.Run(name, func(t *testing.T) { conformance(t, open(t)) })
	}
}

func conformance(t *testing.T, s Store) {
	ctx := t.Context()
	if err := s.Probe(ctx); err != nil {
		t.Fatalf("probe: %v", err)
	}
	if err := s.Health(ctx); err != nil {
		t.Fatalf("health: %v", err)
	}
	for _, size := range []int{0, 1, 300_000, 6 << 20} {
		key, body := "recordings/a/"+string(evidence.NewID())+".age", make([]byte, size)
		rand.Read(body)
		version, err := s.Put(ctx, key, body, digest(body), time.Now().Add(2*time.Second))
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		got, err := s.Get(ctx, key, version)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes: got %d bytes, %v", size, len(got), err)
		}
		again, err := s.Put(ctx, key, body, digest(body), time.Time{})
		if err != nil || again != version {
			t.Errorf("%d bytes again: version %q, %v; want %q", size, again, err, version)
		}
		other := append([]byte("other"), body...)
		if _, err := s.Put(ctx, key, other, digest(other), time.Time{}); !errors.Is(err, evidence.ErrConflict) {
			t.Errorf("%d bytes: other bytes under the key: %v", size, err)
		}
		r, err := s.Reader(ctx, key, version)
		if err != nil {
			t.Fatal(err)
		}
		got, err = io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes after the conflict: %d bytes, %v", size, len(got), err)
		}
		listed, err := s.List(ctx, "recordings/a/")
		if i := slices.IndexFunc(listed, func(l Listed) bool { return l.Key == key }); err != nil || i < 0 || listed[i] != (Listed{key, version, int64(size)}) {
			t.Errorf("%d bytes: not listed among %v, %v", size, listed, err)
		}
		for _, on := range []bool{true, false} {
			if err := errors.Join(s.Hold(ctx, key, version, on), s.Retain(ctx, key, version, time.Now().Add(3*time.Second))); err != nil {
				t.Errorf("%d bytes: holding and keeping: %v", size, err)
			}
		}
		if _, err := s.Get(ctx, key, "no-such-version"); !errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("a version that is not there: %v", err)
		}
	}
	if listed, err := s.List(ctx, "recordings/none/"); err != nil || len(listed) > 0 {
		t.Errorf("listing a folder that is not there: %v, %v", listed, err)
	}
	if listed, err := s.List(ctx, "recordings/a/"); err != nil || len(listed) != 4 || !slices.IsSortedFunc(listed, func(a, b Listed) int { return strings.Compare(a.Key, b.Key) }) {
		t.Errorf("listing: %v, %v", listed, err)
	}
	for _, prefix := range []string{"", "/", "recordings", "../", "a/../"} {
		if _, err := s.List(ctx, prefix); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("listing %q: %v", prefix, err)
		}
	}
	if _, err := s.Get(ctx, "recordings/none", "00000000000000000000000000"); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("an object that is not there: %v", err)
	}
	if err := s.Retain(ctx, "recordings/none", "00000000000000000000000000", time.Now()); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("keeping an object that is not there: %v", err)
	}
	if err := s.Hold(ctx, "recordings/none", "00000000000000000000000000", true); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("holding an object that is not there: %v", err)
	}
	if _, err := s.Get(ctx, "recordings/none", ""); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("an object that is not there, without version: %v", err)
	}
	body := []byte("x")
	wrong := digest([]byte("y"))
	if _, err := s.Put(ctx, "recordings/wrong", body, wrong, time.Time{}); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("a wrong digest: %v", err)
	}
	if _, err := s.Put(ctx, "recordings/folder/a", body, digest(body), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(ctx, "recordings/folder", ""); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("a folder of keys: %v", err)
	}
	for _, key := range []string{"", "/a", "a/", "a//b", "../a", "a/../b", ".hidden", "a/.hidden", "A", "ä", "a b", "a\x00", strings.Repeat("a", maxKey+1)} {
		if _, err := s.Put(ctx, key, body, digest(body), time.Time{}); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("key %q: %v", key, err)
		}
		if _, err := s.Get(ctx, key, ""); err == nil {
			t.Errorf("key %q was read", key)
		}
	}
}

// TestOneWinner: of many that put different bytes under one key at once, one wins
// and its bytes are what is read.
func TestOneWinner(t *testing.T) {
	s := openDir(t)
	var winners sync.Map
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			body := []byte{byte(i)}
			if _, err := s.Put(t.Context(), "a/race", body, digest(body), time.Time{}); err == nil {
				winners.Store(i, body)
			} else if !errors.Is(err, evidence.ErrConflict) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	count := 0
	winners.Range(func(_, body any) bool {
		count++
		if got, err := s.Get(t.Context(), "a/race", ""); err != nil || !bytes.Equal(got, body.([]byte)) {
			t.Errorf("got %v, %v", got, err)
		}
		return true
	})
	if count != 1 {
		t.Errorf("%d winners", count)
	}
}

func TestDirMissingOrForeign(t *testing.T) {
	empty := t.TempDir()
	if _, err := OpenDir(empty); !errors.Is(err, evidence.ErrMissingState) {
		t.Errorf("an empty mount point: %v", err)
	}
	if _, err := OpenDir(filepath.Join(empty, "none")); !errors.Is(err, evidence.ErrMissingState) {
		t.Errorf("no directory: %v", err)
	}
	if err := os.WriteFile(filepath.Join(empty, "thesis.txt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := InitDir(empty); !errors.Is(err, evidence.ErrConflict) {
		t.Errorf("a directory of something else: %v", err)
	}
	out := t.TempDir()
	dir := filepath.Join(t.TempDir(), "objects")
	if err := InitDir(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(out, filepath.Join(dir, "recordings")); err != nil {
		t.Fatal(err)
	}
	s, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	body := []byte("x")
	if _, err := s.Put(t.Context(), "recordings/a", body, digest(body), time.Time{}); err == nil {
		t.Error("followed a link out of the directory")
	}
	if _, err := s.Put(t.Context(), "safe/a", body, digest(body), time.Time{}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "safe", "a"))
	if err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestLockHolds: what was put with a retention outlives every right of the
// credentials that wrote it (P21), also behind a delete marker.
func TestLockHolds(t *testing.T) {
	s := openS3(t).(*S3)
	ctx := t.Context()
	body := []byte("locked")
	version, err := s.Put(ctx, "a/locked", body, digest(body), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.client.StatObject(ctx, s.bucket, s.prefix+"a/locked", minio.StatObjectOptions{VersionID: version})
	if err != nil {
		t.Fatal(err)
	}
	until, err := time.Parse(time.RFC3339, info.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date"))
	if mode := info.Metadata.Get("X-Amz-Object-Lock-Mode"); err != nil || mode != "COMPLIANCE" || time.Until(until) < 59*time.Minute {
		t.Errorf("retention %q until %v, %v", mode, until, err)
	}
	if err := s.client.RemoveObject(ctx, s.bucket, s.prefix+"a/locked", minio.RemoveObjectOptions{VersionID: version, GovernanceBypass: true}); err == nil {
		t.Error("a locked version was deleted")
	}
	governance, sooner := minio.Governance, time.Now().Add(time.Minute)
	if err := s.client.PutObjectRetention(ctx, s.bucket, s.prefix+"a/locked", minio.PutObjectRetentionOptions{
		GovernanceBypass: true, Mode: &governance, RetainUntilDate: &sooner, VersionID: version}); err == nil {
		t.Error("a retention was shortened")
	}
	if err := s.client.RemoveObject(ctx, s.bucket, s.prefix+"a/locked", minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(ctx, "a/locked", version); err != nil || !bytes.Equal(got, body) {
		t.Errorf("behind a delete marker: %q, %v", got, err)
	}
}

// TestRetentionAndHoldFollow: a version's retention is prolonged and never
// shortened, and a legal hold keeps what no retention keeps until it is taken off
// (P34).
func TestRetentionAndHoldFollow(t *testing.T) {
	s := openS3(t).(*S3)
	ctx := t.Context()
	body := []byte("held")
	version, err := s.Put(ctx, "a/held", body, digest(body), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	remove := func() error {
		return s.client.RemoveObject(ctx, s.bucket, s.prefix+"a/held", minio.RemoveObjectOptions{VersionID: version, GovernanceBypass: true})
	}
	if err := s.Hold(ctx, "a/held", version, true); err != nil {
		t.Fatal(err)
	}
	if remove() == nil {
		t.Fatal("a version under a legal hold was deleted")
	}
	until := time.Now().Add(2 * time.Hour)
	for _, at := range []time.Time{until, until.Add(-time.Hour)} {
		if err := s.Retain(ctx, "a/held", version, at); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := s.retained(ctx, "a/held", version); err != nil || kept.Before(until) {
		t.Errorf("kept until %v, %v; want %v", kept, err, until)
	}
	if err := s.Hold(ctx, "a/held", version, false); err != nil {
		t.Fatal(err)
	}
	if remove() == nil {
		t.Error("a version under retention was deleted once its hold was lifted")
	}
	other, err := s.Put(ctx, "a/free", body, digest(body), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for _, on := range []bool{true, false} {
		if err := s.Hold(ctx, "a/free", other, on); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.client.RemoveObject(ctx, s.bucket, s.prefix+"a/free", minio.RemoveObjectOptions{VersionID: other}); err != nil {
		t.Errorf("a lifted hold still holds: %v", err)
	}
}

// TestPutAgainExtendsRetention: the same content asked for again with a longer
// retention, or put before without one, is kept for as long as was asked last.
func TestPutAgainExtendsRetention(t *testing.T) {
	s := openS3(t).(*S3)
	ctx := t.Context()
	body := []byte("kept longer")
	first, err := s.Put(ctx, "a/extended", body, digest(body), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for _, hours := range []int{1, 3, 2} {
		asked := time.Now().Add(time.Duration(hours) * time.Hour)
		again, err := s.Put(ctx, "a/extended", body, digest(body), asked)
		if err != nil || again != first {
			t.Fatalf("version %q, %v; want %q", again, err, first)
		}
		if until, err := s.retained(ctx, "a/extended", first); err != nil || until.Before(asked) {
			t.Errorf("%d hours: until %v, %v", hours, until, err)
		}
	}
}

// TestProbeRefusesABucketWithoutLock: a bucket that protects nothing is not used.
func TestProbeRefusesABucketWithoutLock(t *testing.T) {
	s := openS3(t).(*S3)
	s.bucket = "plain-" + string(evidence.NewID())
	if err := s.client.MakeBucket(t.Context(), s.bucket, minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	err := s.Probe(t.Context())
	if err == nil || !strings.Contains(err.Error(), "versioning is off") && !strings.Contains(err.Error(), "Object Lock is off") {
		t.Errorf("probe: %v", err)
	}
}

func TestUnreachableS3IsUnavailable(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	s, err := Open(t.Context(), "s3://bucket?endpoint=https://127.0.0.1:1&region=us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	body := []byte("x")
	if _, err := s.Put(ctx, "a", body, digest(body), time.Time{}); !errors.Is(err, evidence.ErrUnavailable) {
		t.Errorf("put: %v", err)
	}
	if err := s.Health(ctx); !errors.Is(err, evidence.ErrUnavailable) {
		t.Errorf("health: %v", err)
	}
}

func TestOpenRefusesWhatItDoesNotUnderstand(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	for _, spec := range []string{"", "/path", "file:/path", "s3://", "s3://bucket", "s3://bucket?endpoint=http://127.0.0.1:1",
		"s3://bucket?endpoint=https://h&bogus=1", "s3://bucket/path?endpoint=https://h", "s3://bucket?endpoint=https://h&prefix=../x", "s3://k:s@bucket?endpoint=https://h"} {
		if _, err := Open(t.Context(), spec); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%q: %v", spec, err)
		}
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	if _, err := Open(t.Context(), "s3://bucket?endpoint=https://h"); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("without a secret: %v", err)
	}
}
