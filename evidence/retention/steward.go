package retention

import (
	"context"
	"errors"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

const (
	sweepEvery = 10 * time.Minute

	// The object store's lock never runs out while a recording is kept: what has
	// less than lockFloor left is prolonged by lockStep at least.
	lockFloor = 30 * day
	lockStep  = 60 * day

	lockWorkers = 8
)

// Run keeps the object store's locks and the duties to decide in step with the
// cases until ctx ends: at once, every ten minutes, and whenever something
// changed. A failure is logged and tried again; nothing waits for it.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.Logger.WarnContext(ctx, "retention could not be brought up to date; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.nudge:
		}
	}
}

// Sweep does once what Run does. It goes on after a failure and returns all of them.
func (s *Service) Sweep(ctx context.Context) error {
	now, err := s.Store.Now(ctx)
	if err != nil {
		return err
	}
	ids, err := s.Store.RetentionCases(ctx, "")
	if err != nil {
		return err
	}
	var failed []error
	for _, id := range ids {
		f, err := s.Store.RetentionFile(ctx, id)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if f.Due(now) {
			if err := s.raise(ctx, f, f.Term(now)); err != nil {
				failed = append(failed, err)
			}
		}
		for _, r := range f.Recordings {
			if err := s.lock(ctx, f, r, now); err != nil {
				failed = append(failed, err)
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return errors.Join(failed...)
}

// raise writes, once for each end of a term, that people must decide (P34).
func (s *Service) raise(ctx context.Context, f File, t Term) error {
	if f.Raised == t.Until {
		return nil
	}
	entry := custody.Entry{Actor: evidence.System(f.Case.Agency), Action: access.EntryRetentionDue, Agency: f.Case.Agency, Case: f.Case.ID, Subject: f.Case.ID,
		Details: map[string]string{"until": strconv.FormatInt(int64(t.Until), 10), "decide": strconv.FormatInt(int64(t.Decide), 10)}}
	return s.Store.RaiseDue(ctx, f.Case.ID, t.Until, entry)
}

// Wanted is how the object store shall keep a recording: until when at least, and
// whether a legal hold stands. A lock that was asked for never gets shorter.
func (f File) Wanted(r Recorded, now evidence.Instant) (until evidence.Instant, held bool) {
	until = r.Lock.Until
	if f.Erased(r.Interview) != nil {
		return until, false
	}
	until = max(until, f.Term(now).Until)
	if until < now+lockFloor {
		until = now + lockStep
	}
	return until, f.Held(r.Interview)
}

// lock tells the object store what is wanted, if it was not told before. Objects
// that are not there any more are passed over: verification reports them.
func (s *Service) lock(ctx context.Context, f File, r Recorded, now evidence.Instant) error {
	until, held := f.Wanted(r, now)
	if r.Lock.AppliedAt != 0 && until == r.Lock.Until && held == r.Lock.Held {
		return nil
	}
	segments, err := s.Store.Segments(ctx, r.Recording)
	if err != nil {
		return err
	}
	work, working := errgroup.WithContext(ctx)
	work.SetLimit(lockWorkers)
	for _, seg := range segments {
		work.Go(func() error {
			if until != r.Lock.Until || r.Lock.AppliedAt == 0 {
				if err := s.Objects.Retain(working, seg.ObjectKey, seg.ObjectVersion, until.Time()); err != nil && !errors.Is(err, evidence.ErrNotFound) {
					return err
				}
			}
			if held == r.Lock.Held {
				return nil
			}
			if err := s.Objects.Hold(working, seg.ObjectKey, seg.ObjectVersion, held); err != nil && !errors.Is(err, evidence.ErrNotFound) {
				return err
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	l := Lock{Recording: r.Recording, Agency: f.Case.Agency, Until: until, Held: held, Objects: int64(len(segments)), AppliedAt: now}
	entry := custody.Entry{Actor: evidence.System(f.Case.Agency), Action: access.EntryRetentionLock, Agency: f.Case.Agency, Case: f.Case.ID, Interview: r.Interview, Subject: r.Recording,
		Details: map[string]string{"until": strconv.FormatInt(int64(until), 10), "held": strconv.FormatBool(held), "objects": strconv.Itoa(len(segments))}}
	return s.Store.SaveLock(ctx, l, entry)
}
