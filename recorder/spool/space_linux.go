package spool

import (
	"errors"
	"os"
	"syscall"
)

// freeBytes is what an ordinary user may still write on the disk of f.
func freeBytes(f *os.File) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Fstatfs(int(f.Fd()), &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * s.Bsize, nil
}

// allocate gives f real blocks from off on.
func allocate(f *os.File, off, n int64) error {
	for {
		err := syscall.Fallocate(int(f.Fd()), 0, off, n)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS):
			return fillWithNoise(f, off, n)
		default:
			return err
		}
	}
}

// lockFile takes the lock of a directory for this process. It ends with it.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
