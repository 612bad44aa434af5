package db

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// A node that was thought dead and comes back cannot write what another node
// took over.
func TestRecorderThatLostItsLeaseCannotWrite(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		iv, track, segments := in.recording(t, 2)
		one, two := evidence.NewID(), evidence.NewID()
		second := in.open(t) // the other node's process
		first, err := in.AcquireLease(t.Context(), iv.ID, one, time.Minute)
		if err != nil || first.Epoch != 1 {
			t.Fatalf("%+v, %v", first, err)
		}
		if _, err := second.AcquireLease(t.Context(), iv.ID, two, time.Minute); !errors.Is(err, evidence.ErrConflict) {
			t.Fatalf("while it runs: %v", err)
		}
		if err := second.SaveSegments(t.Context(), iv.Recording, segments); !errors.Is(err, evidence.ErrConflict) {
			t.Fatalf("without a lease: %v", err)
		}
		in.pass(50 * time.Second)
		if first, err = in.RenewLease(t.Context(), first, time.Minute); err != nil {
			t.Fatal(err)
		}
		in.pass(59 * time.Second)
		if _, err := second.AcquireLease(t.Context(), iv.ID, two, time.Minute); !errors.Is(err, evidence.ErrConflict) {
			t.Fatalf("after it was renewed: %v", err)
		}
		in.pass(2 * time.Second)
		// It ran out, but nobody took it: what is recorded is still written.
		if err := in.SaveSegments(t.Context(), iv.Recording, segments[:1]); err != nil {
			t.Fatal(err)
		}
		taken, err := second.AcquireLease(t.Context(), iv.ID, two, time.Minute)
		if err != nil || taken.Epoch != 2 {
			t.Fatalf("%+v, %v", taken, err)
		}
		size := in.size(t)
		for name, write := range map[string]func(s *Store) error{
			"segments": func(s *Store) error { return s.SaveSegments(t.Context(), iv.Recording, segments) },
			"a track": func(s *Store) error {
				other := track
				other.ID = evidence.NewID()
				return s.SaveTrack(t.Context(), other)
			},
			"the stop": func(s *Store) error {
				_, err := s.Transition(t.Context(), iv.ID, []evidence.State{evidence.StateRecording}, evidence.StateStopping, 1, act("interview.stop"))
				return err
			},
		} {
			if err := write(in.Store); !errors.Is(err, evidence.ErrConflict) {
				t.Errorf("the first node wrote %s: %v", name, err)
			}
		}
		if in.size(t) != size || in.state(t, iv).State != evidence.StateRecording {
			t.Error("the first node left something")
		}
		if _, err := in.RenewLease(t.Context(), first, time.Minute); !errors.Is(err, evidence.ErrConflict) {
			t.Errorf("the first node renewed: %v", err)
		}
		if err := in.ReleaseLease(t.Context(), first); err != nil {
			t.Errorf("the first node gave back what it lost: %v", err)
		}
		if err := second.SaveSegments(t.Context(), iv.Recording, segments); err != nil {
			t.Errorf("the second node: %v", err)
		}
		if err := second.ReleaseLease(t.Context(), taken); err != nil {
			t.Fatal(err)
		}
		if again, err := in.AcquireLease(t.Context(), iv.ID, one, time.Minute); err != nil || again.Epoch != 3 {
			t.Errorf("after it was given back: %+v, %v", again, err)
		}
		if _, err := in.AcquireLease(t.Context(), evidence.NewID(), one, time.Minute); !errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("no such interview: %v", err)
		}
	})
}

func TestOneOfManyRecordersGetsAnInterview(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		iv := in.interview(t, evidence.StateReady)
		other := in.open(t)
		var won atomic.Int32
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				_, err := []*Store{in.Store, other}[i%2].AcquireLease(t.Context(), iv.ID, evidence.NewID(), time.Minute)
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, evidence.ErrConflict) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d got it", won.Load())
		}
	})
}

func TestJobs(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		now := evidence.At(in.clock())
		job := func(kind, key string, at evidence.Instant) evidence.Job {
			return evidence.Job{ID: evidence.NewID(), Agency: person.Agency, Kind: kind, Key: key, Payload: map[string]string{"case": key}, RunAt: at}
		}
		one, two := evidence.NewID(), evidence.NewID()
		for _, j := range []evidence.Job{job("a.kind", "late", now+10), job("a.kind", "early", now-10), job("a.kind", "early", now-99), job("b.kind", "early", now-50)} {
			if err := in.AddJob(t.Context(), j); err != nil {
				t.Fatal(err)
			}
		}
		claimed, err := in.ClaimJob(t.Context(), one, time.Minute, "a.kind")
		if err != nil || claimed.Key != "early" || claimed.Payload["case"] != "early" || claimed.RunAt != now-10 || claimed.Attempt != 1 || claimed.Epoch != 1 {
			t.Fatalf("%+v, %v", claimed, err)
		}
		if j, err := in.ClaimJob(t.Context(), two, time.Minute, "a.kind"); !errors.Is(err, evidence.ErrNotFound) {
			t.Fatalf("nothing else is due: %+v, %v", j, err)
		}
		if j, err := in.ClaimJob(t.Context(), two, time.Minute, "a.kind", "b.kind"); err != nil || j.Kind != "b.kind" {
			t.Fatalf("%+v, %v", j, err)
		} else if err := in.FailJob(t.Context(), j, "no.such.case"); err != nil {
			t.Fatal(err)
		}
		if claimed, err = in.KeepJob(t.Context(), claimed, 2*time.Minute); err != nil {
			t.Fatal(err)
		}
		in.pass(90 * time.Second)
		late, err := in.ClaimJob(t.Context(), two, time.Second, "a.kind")
		if err != nil || late.Key != "late" {
			t.Fatalf("kept beyond its first term: %+v, %v", late, err)
		}
		in.pass(time.Minute)
		again, err := in.ClaimJob(t.Context(), two, time.Minute, "a.kind")
		if err != nil || again.ID != claimed.ID || again.Epoch != 2 || again.Attempt != 2 {
			t.Fatalf("after its node died: %+v, %v", again, err)
		}
		for name, err := range map[string]error{
			"finish": in.FinishJob(t.Context(), claimed), "fail": in.FailJob(t.Context(), claimed, "x"), "retry": in.RetryJob(t.Context(), claimed, now, "x"),
		} {
			if !errors.Is(err, evidence.ErrConflict) {
				t.Errorf("the dead node could %s it: %v", name, err)
			}
		}
		if err := in.RetryJob(t.Context(), again, evidence.At(in.clock())+5, "store.away"); err != nil {
			t.Fatal(err)
		}
		in.pass(10 * time.Second)
		for range 2 {
			j, err := in.ClaimJob(t.Context(), one, time.Minute, "a.kind")
			if err != nil {
				t.Fatal(err)
			}
			if err := in.FinishJob(t.Context(), j); err != nil {
				t.Fatal(err)
			}
			if err := in.FinishJob(t.Context(), j); !errors.Is(err, evidence.ErrConflict) {
				t.Errorf("finished twice: %v", err)
			}
		}
		if _, err := in.ClaimJob(t.Context(), one, time.Minute, "a.kind", "b.kind"); !errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("all are done: %v", err)
		}
		if err := in.AddJob(t.Context(), job("a.kind", "early", now)); err != nil {
			t.Fatal(err)
		}
		if j, err := in.ClaimJob(t.Context(), one, time.Minute, "a.kind"); err != nil || j.Key != "early" {
			t.Errorf("a new one of a key that is done: %+v, %v", j, err)
		}
	})
}

func TestEachJobIsGivenToOneNode(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		const jobs = 12
		for i := range jobs {
			if err := in.AddJob(t.Context(), evidence.Job{ID: evidence.NewID(), Kind: "a.kind", Key: string(rune('a' + i))}); err != nil {
				t.Fatal(err)
			}
		}
		other := in.open(t)
		var given sync.Map
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				for {
					j, err := []*Store{in.Store, other}[i%2].ClaimJob(t.Context(), evidence.NewID(), time.Minute, "a.kind")
					if errors.Is(err, evidence.ErrNotFound) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					if _, twice := given.LoadOrStore(j.ID, true); twice {
						t.Errorf("job %s was given twice", j.Key)
					}
				}
			})
		}
		all.Wait()
		n := 0
		given.Range(func(any, any) bool { n++; return true })
		if n != jobs {
			t.Errorf("%d of %d jobs were given", n, jobs)
		}
	})
}
