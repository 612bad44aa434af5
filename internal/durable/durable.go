// Package durable writes files that are either whole and on disk, or absent.
// All work goes through an [os.Root], so that no name leads out of its
// directory. Every function is safe for concurrent use.
package durable

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
)

// TempPrefix begins the name of a file that is being written. One that is left
// by a crash holds nothing that was ever acknowledged and may be removed.
const TempPrefix = ".tmp-"

// Create writes a new file of exactly the given content and mode: under a
// temporary name in the same directory, synced, then linked to its name, which
// fails with an error wrapping [fs.ErrExist] if that is taken. When it returns
// nil, the file and its name survive a power loss.
func Create(root *os.Root, name string, mode fs.FileMode, content []byte) error {
	dir := path.Dir(name)
	temp := path.Join(dir, TempPrefix+rand.Text())
	if err := write(root, temp, mode, content); err != nil {
		return errors.Join(err, removeIfThere(root, temp))
	}
	if err := root.Link(temp, name); err != nil {
		return errors.Join(err, root.Remove(temp))
	}
	if err := root.Remove(temp); err != nil {
		return err
	}
	return SyncDir(root, dir)
}

// Replace writes a file of exactly the given content and mode, in the place of one
// that may be there: a reader, or whoever comes after a crash, finds the old file
// or the new one.
func Replace(root *os.Root, name string, mode fs.FileMode, content []byte) error {
	dir := path.Dir(name)
	temp := path.Join(dir, TempPrefix+rand.Text())
	err := write(root, temp, mode, content)
	if err == nil {
		err = root.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(err, removeIfThere(root, temp))
	}
	return SyncDir(root, dir)
}

func write(root *os.Root, name string, mode fs.FileMode, content []byte) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func removeIfThere(root *os.Root, name string) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// SyncDir makes the names in a directory durable.
func SyncDir(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// MkdirAll makes a directory and its missing parents, mode 0700, and makes
// their names durable.
func MkdirAll(root *os.Root, dir string) error {
	if dir == "." {
		return nil
	}
	if info, err := root.Stat(dir); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s: %w", dir, fs.ErrExist)
		}
		return nil
	}
	parent := path.Dir(dir)
	if err := MkdirAll(root, parent); err != nil {
		return err
	}
	if err := root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return SyncDir(root, parent)
}

// Destroy overwrites a file with random bytes, removes it, and makes both
// durable. On media that remap writes (flash, copy-on-write file systems,
// snapshots) the old bytes may survive below the file system.
func Destroy(root *os.Root, name string) error {
	f, err := root.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		noise := make([]byte, info.Size())
		rand.Read(noise)
		if _, err = f.WriteAt(noise, 0); err == nil {
			err = f.Sync()
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := root.Remove(name); err != nil {
		return err
	}
	return SyncDir(root, path.Dir(name))
}
