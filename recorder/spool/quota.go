package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
)

// quota bounds what a spool takes of its disk: beyond it, writing fails as on a
// full disk. A nil quota bounds nothing. The order of locks is reserve.mu, mu.
type quota struct {
	root  *os.Root
	limit int64

	mu   sync.Mutex
	used int64 // at most what the files hold: removed ones are noticed when it matters
}

func newQuota(root *os.Root, limit int64) (*quota, error) {
	if limit <= 0 {
		return nil, nil
	}
	q := &quota{root: root, limit: limit}
	return q, q.count()
}

// count sums the sizes of all files. The caller holds mu, or is the only one.
func (q *quota) count() error {
	q.used = 0
	return fs.WalkDir(q.root.FS(), ".", func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return gone(err)
		}
		info, err := e.Info()
		if err == nil {
			q.used += info.Size()
		}
		return gone(err)
	})
}

// gone ignores what was removed while it was counted.
func gone(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

// add runs do, which makes files longer by n bytes, unless there is no room for
// them.
func (q *quota) add(n int64, do func() error) error {
	if q == nil || n <= 0 {
		return do()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.used+n > q.limit {
		if err := q.count(); err != nil {
			return fmt.Errorf("counting what the spool takes: %w", err)
		}
	}
	if q.used+n > q.limit {
		return fmt.Errorf("the spool's limit of %d bytes: %w", q.limit, syscall.ENOSPC)
	}
	err := do()
	if err == nil {
		q.used += n
		return nil
	}
	return errors.Join(err, q.count())
}

// free is what may still be written of a disk that has so much.
func (q *quota) free(disk int64) (int64, error) {
	if q == nil {
		return disk, nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.count(); err != nil {
		return 0, err
	}
	return max(0, min(disk, q.limit-q.used)), nil
}

// bounded is a journal's file under a quota. It is written in order.
type bounded struct {
	file
	quota *quota
	size  int64
}

func (b *bounded) WriteAt(p []byte, off int64) (n int, err error) {
	grown := max(0, off+int64(len(p))-b.size)
	err = b.quota.add(grown, func() (err error) {
		n, err = b.file.WriteAt(p, off)
		return err
	})
	b.size = max(b.size, off+int64(n))
	return n, err
}

// under returns create with its files bound by the quota.
func (q *quota) under(create func(*os.Root, string) (file, error)) func(*os.Root, string) (file, error) {
	if q == nil {
		return create
	}
	return func(root *os.Root, name string) (file, error) {
		f, err := create(root, name)
		if err != nil {
			return nil, err
		}
		return &bounded{file: f, quota: q}, nil
	}
}
