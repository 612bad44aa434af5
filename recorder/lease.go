package recorder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/internal/durable"
)

// leaseFor is how long an interview stays this node's without being renewed; it
// is renewed three times as often. A database that does not answer ends nothing:
// the lease is lost only if another node takes it.
const leaseFor = 30 * time.Second

// nodeFile names the node. It lies in the spool, because whoever has the spool
// has the interviews that are being recorded.
const nodeFile = "node"

// nodeOf returns the name of the node that a spool belongs to, giving it one the
// first time.
func nodeOf(dir string) (evidence.ID, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	for range 2 {
		text, err := root.ReadFile(nodeFile)
		if err == nil {
			return evidence.ParseID(strings.TrimSpace(string(text)))
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if err := durable.Create(root, nodeFile, 0o600, []byte(evidence.NewID()+"\n")); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("%w: the node's name", evidence.ErrMissingState)
}

// hold takes the interview for this node.
func (s *sitting) hold(ctx context.Context) error {
	lease, err := s.r.cfg.Store.AcquireLease(ctx, s.iv.ID, s.r.node, leaseFor)
	if errors.Is(err, evidence.ErrConflict) {
		return errors.Join(elsewhere(), err)
	}
	s.lease = lease
	return err
}

// giveBack ends the lease. If that fails, it ends by itself.
func (s *sitting) giveBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	if err := s.r.cfg.Store.ReleaseLease(ctx, s.lease); err != nil {
		s.r.log.Warn("giving back a lease", "interview", s.iv.ID, "err", err)
	}
}

// elsewhere refuses an act on an interview that another node records.
func elsewhere() error {
	return evidence.Refuse(evidence.ErrUnavailable, "interview.elsewhere", "The recording of this interview is not held by this server.", "")
}

// renew keeps the lease until the recording is sealed or the recorder closed.
func (s *sitting) renew() {
	timer := time.NewTicker(leaseFor / 3)
	defer timer.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	lease := s.lease
	for {
		select {
		case <-timer.C:
		case <-s.r.closing:
			return // the journal is still here: nobody else may have it
		case <-s.finished:
			return
		}
		asking, done := context.WithTimeout(ctx, leaseFor/3)
		renewed, err := s.r.cfg.Store.RenewLease(asking, lease, leaseFor)
		done()
		switch {
		case err == nil:
			lease = renewed
			s.clear(alarmLease, "")
		case errors.Is(err, evidence.ErrConflict):
			s.r.log.Error("another node took the interview", "interview", s.iv.ID, "err", err)
			s.raise(alarmLease, "")
		default:
			s.r.log.Warn("renewing a lease", "interview", s.iv.ID, "err", err)
		}
	}
}
