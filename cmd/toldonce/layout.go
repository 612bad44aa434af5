package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/internal/durable"
)

// layout is where the parts of an installation lie in its data folder.
type layout struct{ dir string } // absolute

// at lays out the data folder dir.
func at(dir string) (layout, error) {
	whole, err := filepath.Abs(dir)
	return layout{whole}, err
}

func (l layout) path(name string) string { return filepath.Join(l.dir, name) }
func (l layout) settings() string        { return l.path("installation.json") }
func (l layout) keys() string            { return l.path("keys") }
func (l layout) seal() string            { return l.path("seal") }
func (l layout) spool() string           { return l.path("spool") }
func (l layout) log() string             { return l.path("log") }
func (l layout) rehearsals() string      { return l.path("rehearsals") }
func (l layout) tls() string             { return l.path("tls") }
func (l layout) demo() string            { return l.path("demo.json") }
func (l layout) defaultDB() string       { return "sqlite:" + l.path("toldonce.db") }
func (l layout) defaultObjects() string  { return "dir:" + l.path("objects") }

// installation is the file that `init` writes last. Its presence says that the
// data folder is whole; serving without it is refused. It holds no secret.
type installation struct {
	Version      int       `json:"version"` // 1
	CreatedAt    time.Time `json:"created_at"`
	Organisation string    `json:"organisation"`
	// DB and Objects are the stores that were initialised. Empty means the
	// default inside the data folder, which can then be moved as a whole. A
	// password is not part of them.
	DB      string `json:"db,omitempty"`
	Objects string `json:"objects,omitempty"`
	// Jurisdiction is the ISO 3166 code of the law that consents are recorded under.
	Jurisdiction string `json:"jurisdiction"`
	// RetentionDays is how long the object store must keep what is written.
	RetentionDays int `json:"retention_days"`
	// Demo marks a demonstration: loopback only, and its custodian may export
	// in the clear alone.
	Demo bool `json:"demo,omitempty"`
}

const installationVersion = 1

func (in installation) retention() time.Duration {
	return time.Duration(in.RetentionDays) * 24 * time.Hour
}

// readInstallation returns the settings of a whole data folder, or an error
// wrapping evidence.ErrMissingState that says what to do.
func (l layout) readInstallation() (installation, error) {
	var in installation
	b, err := os.ReadFile(l.settings())
	if errors.Is(err, fs.ErrNotExist) {
		return in, fmt.Errorf("%w: %s is not an initialised data folder. Run 'toldonce init --data %s' once to create one; if there was one, restore it from its backup",
			evidence.ErrMissingState, l.dir, l.dir)
	}
	if err != nil {
		return in, err
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return in, fmt.Errorf("%s cannot be read: %w", l.settings(), err)
	}
	if in.Version != installationVersion {
		return in, fmt.Errorf("%s was written by another version of this program (format %d; this one reads %d)", l.settings(), in.Version, installationVersion)
	}
	return in, nil
}

// create writes a file of the data folder that must not exist: whole and on
// disk, or absent.
func (l layout) create(name string, mode fs.FileMode, content []byte) error {
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return durable.Create(root, name, mode, content)
}

// lock takes the data folder for this process. It is released when the process
// ends, however it ends.
func (l layout) lock() (release func() error, err error) {
	f, err := os.OpenFile(l.path("lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: another toldonce is using %s. End it first", evidence.ErrConflict, l.dir)
	}
	return f.Close, nil
}

// isEmpty reports whether the folder is absent or holds nothing but what a file
// system puts at its own root, our lock, and the files named by except.
func (l layout) isEmpty(except ...string) (bool, error) {
	entries, err := os.ReadDir(l.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	for _, e := range entries {
		if e.Name() != "lost+found" && e.Name() != "lock" && !slices.Contains(except, e.Name()) {
			return false, err
		}
	}
	return true, err
}

// withoutPassword takes the password out of a database's address, to be kept in
// a file. had says whether there was one.
func withoutPassword(dsn string) (clean string, had bool) {
	u, err := url.Parse(dsn)
	if err != nil || !strings.HasPrefix(u.Scheme, "postgres") {
		return dsn, false
	}
	if _, set := u.User.Password(); set {
		u.User = url.User(u.User.Username())
		had = true
	}
	q := u.Query()
	if q.Has("password") {
		q.Del("password")
		u.RawQuery = q.Encode()
		had = true
	}
	return u.String(), had
}

// clear removes what `init` makes in the data folder, and nothing else.
func (l layout) clear() error {
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range []string{"installation.json", "demo.json", "keys", "seal", "tls", "log", "spool", "rehearsals", "objects", "toldonce.db", "toldonce.db-wal", "toldonce.db-shm", "toldonce.db.lock"} {
		if err := root.RemoveAll(name); err != nil {
			return err
		}
	}
	return nil
}
