package spool

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/internal/durable"
)

const (
	lockName   = "lock"
	keyName    = "key"
	newPrefix  = ".new-"  // an interview's directory before its key is in it
	donePrefix = ".done-" // one whose key is being destroyed

	purposePrefix = "toldonce/journal-key/v1/"
)

// Config is what a [Spool] is made of. Fields without a stated default must be set.
type Config struct {
	// Dir is the node's spool directory; it is made, mode 0700, if its parent
	// is there. It should lie on a disk of its own, or at least not on that of
	// the object store. One process at a time may use it.
	Dir     string
	Keys    envelope.Keyring // wraps the key of each interview's journals
	Objects Objects

	// Reserve is how many bytes of disk to hold allocated for when the disk is
	// full. 0: none. (64 KiB are held in any case, so that there is always room
	// to write down what may be removed.)
	Reserve int64
	// Limit is how many bytes of disk the journals and the reserve may take
	// together; beyond it writing fails as on a full disk. 0: what the disk has.
	// Keys and names, some hundred bytes an interview, are made in any case.
	Limit int64
	// Interval is how long records are collected before they are written and
	// synced together. Default 200 ms, so that with the sync itself groups are
	// at most 250 ms apart on a healthy disk.
	Interval time.Duration
	// FileSize is after how many bytes a journal file is completed; space is
	// given back by the file. Default 16 MiB.
	FileSize int64
	// Backlog bounds, per stream of an interview, the bytes that wait in memory
	// for a disk that takes nothing. Default 64 MiB, some minutes of two cameras.
	Backlog int64
	// UploadMemory bounds, per interview, the bytes of objects that are kept in
	// memory for uploading; beyond it they are read back from the outbox.
	// Default 32 MiB.
	UploadMemory int64
	// Uploads is how many objects the node uploads at a time; an interview has
	// at most two. Default 4.
	Uploads int

	// OnAlarm is told when an alarm is raised, with its cause, and when it is
	// over. It must not block or call the spool. nil: nobody is told.
	OnAlarm func(Alarm, error)
	// OnSync is told of every group: its stream ("capture", "outbox"), bytes on
	// disk, and how long it took to write and sync. It must not block. nil: nobody.
	OnSync func(stream string, bytes int, took time.Duration)
	// Clock is for the rate of writing only. Default time.Now.
	Clock evidence.Clock

	create func(root *os.Root, name string) (file, error) // default createFile
}

func (c Config) withDefaults() Config {
	if c.Interval <= 0 {
		c.Interval = 200 * time.Millisecond
	}
	if c.FileSize <= 0 {
		c.FileSize = 16 << 20
	}
	if c.Backlog <= 0 {
		c.Backlog = 64 << 20
	}
	if c.UploadMemory <= 0 {
		c.UploadMemory = 32 << 20
	}
	if c.Uploads <= 0 {
		c.Uploads = 4
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.create == nil {
		c.create = createFile
	}
	return c
}

// Spool is a node's spool directory. It is safe for concurrent use.
type Spool struct {
	config  Config
	root    *os.Root
	lock    *os.File
	reserve *reserve
	alarms  *alarms
	slots   chan struct{}

	mu   sync.Mutex
	open map[evidence.ID]*Interview

	removals sync.WaitGroup // of journals whose key is destroyed
}

// Open opens a node's spool. The error wraps [evidence.ErrConflict] if another
// process uses it. What an earlier run left stays until [Spool.Recover].
func Open(config Config) (*Spool, error) {
	config = config.withDefaults()
	if err := os.Mkdir(config.Dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("making the spool: %w", err)
	}
	root, err := os.OpenRoot(config.Dir)
	if err != nil {
		return nil, fmt.Errorf("opening the spool: %w", err)
	}
	s := &Spool{
		config: config, root: root, alarms: newAlarms(config.OnAlarm),
		slots: make(chan struct{}, config.Uploads), open: map[evidence.ID]*Interview{},
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the spool %s: %w", config.Dir, err), s.Close())
	}
	return s, nil
}

func (s *Spool) start() error {
	lock, err := s.root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	s.lock = lock
	if err := lockFile(lock); err != nil {
		return fmt.Errorf("%w: another process uses it: %v", evidence.ErrConflict, err)
	}
	limit, err := newQuota(s.root, s.config.Limit)
	if err != nil {
		return err
	}
	s.config.create = limit.under(s.config.create)
	s.reserve, err = openReserve(s.root, s.config.Reserve, limit, s.config.Clock, func(err error) {
		s.alarms.set(AlarmReserve, "", err)
	})
	if err != nil {
		return err
	}
	return s.clear()
}

// clear removes what a crash left between two steps: directories that never
// held a record, and those whose records are all safe elsewhere.
func (s *Spool) clear() error {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), newPrefix) || strings.HasPrefix(e.Name(), donePrefix) {
			if err := s.discard(e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// discard destroys a directory's key and removes the directory.
func (s *Spool) discard(name string) error {
	if err := s.destroyKey(name); err != nil {
		return err
	}
	return s.remove(name)
}

func (s *Spool) destroyKey(name string) error {
	if err := durable.Destroy(s.root, name+"/"+keyName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("destroying a journal key: %w", err)
	}
	return nil
}

func (s *Spool) remove(name string) error {
	if err := s.root.RemoveAll(name); err != nil {
		return fmt.Errorf("removing a journal: %w", err)
	}
	if err := durable.SyncDir(s.root, "."); err != nil {
		return err
	}
	s.reserve.refill()
	return nil
}

// Close releases the directory. Interviews must have been closed before.
func (s *Spool) Close() error {
	s.removals.Wait()
	var errs []error
	if s.reserve != nil {
		errs = append(errs, s.reserve.close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(append(errs, s.root.Close())...)
}

// Interviews returns the interviews that an earlier run left and that are not
// open now, oldest first. Each must be recovered.
func (s *Spool) Interviews() ([]evidence.ID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries, err := fs.ReadDir(s.root.FS(), ".") // sorted; ids sort by time
	if err != nil {
		return nil, fmt.Errorf("reading the spool: %w", err)
	}
	var ids []evidence.ID
	for _, e := range entries {
		id, err := evidence.ParseID(e.Name())
		if err != nil || !e.IsDir() || s.open[id] != nil {
			continue
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// Space says how long recording can go on.
func (s *Spool) Space() Space { return s.reserve.space() }

// Alarms returns the alarms that are raised anywhere on the node.
func (s *Spool) Alarms() []Alarm { return s.alarms.list() }

// Begin makes the journals of an interview and their key. The error wraps
// [evidence.ErrConflict] if they are there already.
func (s *Spool) Begin(ctx context.Context, interview evidence.ID, confirm Confirm) (*Interview, error) {
	if _, err := evidence.ParseID(string(interview)); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	iv, err := s.begin(ctx, interview, confirm)
	if err != nil {
		return nil, fmt.Errorf("beginning the journal of interview %s: %w", interview, err)
	}
	s.open[interview] = iv
	return iv, nil
}

func (s *Spool) begin(ctx context.Context, interview evidence.ID, confirm Confirm) (*Interview, error) {
	if _, err := s.root.Stat(string(interview)); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(evidence.ErrConflict, err)
	}
	var key journalKey
	rand.Read(key[:]) // never fails: crypto/rand.Read ends the program instead
	wrapped, err := s.config.Keys.Wrap(ctx, purposePrefix+string(interview), key[:])
	if err != nil {
		return nil, err
	}
	// The directory appears under its name only with its key in it.
	fresh := newPrefix + string(interview)
	err = s.roomy(func() error {
		if err := s.root.RemoveAll(fresh); err != nil {
			return err
		}
		if err := s.root.Mkdir(fresh, 0o700); err != nil {
			return err
		}
		return durable.Create(s.root, fresh+"/"+keyName, 0o600, wrapped)
	})
	if err != nil {
		return nil, err
	}
	if err := s.root.Rename(fresh, string(interview)); err != nil {
		return nil, err
	}
	if err := durable.SyncDir(s.root, "."); err != nil {
		return nil, err
	}
	root, err := s.root.OpenRoot(string(interview))
	if err != nil {
		return nil, err
	}
	iv := s.interview(interview, root, key)
	iv.start(confirm, found{}, found{}, nil)
	return iv, nil
}

// roomy runs fn again with a part of the reserve if the disk is full.
func (s *Spool) roomy(fn func() error) error {
	err := fn()
	if isFull(err) && s.reserve.give(0) {
		err = fn()
	}
	return err
}

// Replayer receives what an earlier run left. Its functions must not call the
// spool. A nil one is not called.
type Replayer struct {
	// Record is called with each captured record that was not released, in order.
	Record func(Record) error
	// Pending is called, in order and after all records, with each object that
	// was not confirmed, without its body. When all were seen they are uploaded.
	Pending func(Object, Position) error
}

// Recovered says what was found.
type Recovered struct {
	Capture Report
	Outbox  Report
}

// Recover reads back an interview's journals and opens them to continue. An
// error of replay ends it and changes nothing. confirm may be called before
// Recover returns. The error wraps
// [evidence.ErrNotFound] if there are none, [evidence.ErrMissingState] if their key
// is gone, and [evidence.ErrInvalid] if the keyring does not open it.
func (s *Spool) Recover(ctx context.Context, interview evidence.ID, confirm Confirm, replay Replayer) (*Interview, Recovered, error) {
	if _, err := evidence.ParseID(string(interview)); err != nil {
		return nil, Recovered{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	iv, report, err := s.recover(ctx, interview, confirm, replay)
	if err != nil {
		return nil, Recovered{}, fmt.Errorf("recovering the journal of interview %s: %w", interview, err)
	}
	s.open[interview] = iv
	return iv, report, nil
}

func (s *Spool) recover(ctx context.Context, interview evidence.ID, confirm Confirm, replayer Replayer) (*Interview, Recovered, error) {
	if s.open[interview] != nil {
		return nil, Recovered{}, fmt.Errorf("%w: it is open", evidence.ErrConflict)
	}
	root, err := s.root.OpenRoot(string(interview))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Recovered{}, evidence.ErrNotFound
	}
	if err != nil {
		return nil, Recovered{}, err
	}
	iv, report, err := s.readBack(ctx, interview, root, confirm, replayer)
	if err != nil {
		return nil, Recovered{}, errors.Join(err, root.Close())
	}
	return iv, report, nil
}

func (s *Spool) readBack(ctx context.Context, interview evidence.ID, root *os.Root, confirm Confirm, replayer Replayer) (*Interview, Recovered, error) {
	wrapped, err := root.ReadFile(keyName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Recovered{}, fmt.Errorf("%w: the journal's key is not there", evidence.ErrMissingState)
	}
	if err != nil {
		return nil, Recovered{}, err
	}
	raw, err := s.config.Keys.Unwrap(ctx, purposePrefix+string(interview), wrapped)
	if err != nil {
		return nil, Recovered{}, err
	}
	if len(raw) != len(journalKey{}) {
		return nil, Recovered{}, fmt.Errorf("%w: journal key of %d bytes", evidence.ErrInvalid, len(raw))
	}
	iv := s.interview(interview, root, journalKey(raw))
	cap, err := iv.replay(capture, replayer.Record)
	if err != nil {
		return nil, Recovered{}, err
	}
	var pending []*upload
	box, err := iv.replay(outbox, func(r Record) error {
		o, err := decodeObject(r.Payload)
		if err != nil {
			return err
		}
		o.Meta, o.Body = append([]byte(nil), o.Meta...), nil
		pending = append(pending, &upload{object: o, position: r.Position, size: o.Sum.Size})
		if replayer.Pending != nil {
			return replayer.Pending(o, r.Position)
		}
		return nil
	})
	if err != nil {
		return nil, Recovered{}, err
	}
	iv.start(confirm, cap, box, pending)
	return iv, Recovered{Capture: cap.report, Outbox: box.report}, nil
}

func (s *Spool) interview(id evidence.ID, root *os.Root, key journalKey) *Interview {
	return &Interview{id: id, uuid: uuid.MustParse(string(id)), spool: s, root: root, key: key}
}
