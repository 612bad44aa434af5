package keys

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/internal/durable"
)

// Notes that backups were made lie beside the keys, one file each, named by the
// time in microseconds: an erasure's certificate names the last (P35).
const (
	backupsDir = "backups"
	noteSuffix = ".note"
)

// LastBackup returns when the key store was last backed up as far as anybody
// noted; 0 if nobody ever did.
func (l *Local) LastBackup(context.Context) (evidence.Instant, error) {
	entries, err := fs.ReadDir(l.root.FS(), backupsDir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading when the key store was backed up: %w", err)
	}
	var last evidence.Instant
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), noteSuffix)
		if at, err := strconv.ParseInt(digits, 10, 64); ok && err == nil {
			last = max(last, evidence.Instant(at))
		}
	}
	return last, nil
}

// NoteBackup notes that the key store was backed up at a time by other means than
// [Local.Backup].
func (l *Local) NoteBackup(_ context.Context, at evidence.Instant) error {
	if err := durable.MkdirAll(l.root, backupsDir); err != nil {
		return fmt.Errorf("noting a backup of the key store: %w", err)
	}
	err := durable.Create(l.root, path.Join(backupsDir, strconv.FormatInt(int64(at), 10)+noteSuffix), 0o600, []byte("toldonce key store backup v1\n"))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("noting a backup of the key store: %w", err)
	}
	return nil
}

// Backup copies the whole key store into the new folder to, mode 0700, and notes
// it first: what failed half way is a backup too. Whoever has the copy and the
// database can open what was not erased when it was made.
func (l *Local) Backup(ctx context.Context, to string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return fmt.Errorf("backing up the key store: %w", err)
	}
	if err := l.NoteBackup(ctx, evidence.At(time.Now())); err != nil {
		return err
	}
	out, err := os.OpenRoot(to)
	if err != nil {
		return fmt.Errorf("backing up the key store: %w", err)
	}
	defer out.Close()
	err = fs.WalkDir(l.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			if errors.Is(err, fs.ErrNotExist) {
				return nil // erased in between
			}
			return err
		case name == ".":
			return nil
		case d.IsDir():
			return durable.MkdirAll(out, name)
		case !d.Type().IsRegular() || strings.HasPrefix(d.Name(), durable.TempPrefix):
			return nil
		}
		content, err := readPrivate(l.root, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return durable.Create(out, name, 0o600, content)
	})
	if err != nil {
		return fmt.Errorf("backing up the key store: %w", err)
	}
	return nil
}
