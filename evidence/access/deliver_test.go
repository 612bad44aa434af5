package access_test

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/internal/memstore"
	"github.com/toldonce/toldonce/internal/world"
)

func TestDeliveryInsideTheBoundsAlone(t *testing.T) {
	s := newScene(t)
	g := s.grant()
	for i, tr := range s.tracks {
		b := g.Tracks[i]
		for index := range 30 {
			err := s.deliver(i, index)
			if in := index >= b.FirstIndex && index <= b.LastIndex; in != (err == nil) || !in && codeOf(err) != "grant.outside" {
				t.Errorf("%s %s segment %d: %v", tr.Source.Name, tr.Track.Kind, index, err)
			}
		}
		if err := s.deliver(i, 99); !errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("a segment that is not: %v", err)
		}
	}
	d, err := s.Access.Deliver(ctx, s.actor(evidence.RoleProsecutor), s.iv.ID, s.tracks[1].Track.ID, evidence.LeafInit, 0)
	if err != nil || d.Segment.Leaf.Kind != evidence.LeafInit || d.Grant != g.ID {
		t.Errorf("init: %+v, %v", d, err)
	}
	if _, err := s.Access.Deliver(ctx, s.actor(evidence.RoleProsecutor), s.iv.ID, s.tracks[1].Track.ID, evidence.LeafInit, 1); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("an init that is not: %v", err)
	}
}

func TestATrackOfAnotherInterviewIsNotReachedThroughAGrant(t *testing.T) {
	s := newScene(t)
	s.grant()
	in := s.PlanFor(s.Victim.ID)
	in.Necessity = "new facts"
	iv := s.Plan(in)
	others := world.Tracks(iv, 60)
	s.mem.Record(iv, others)
	for _, interview := range []evidence.ID{s.iv.ID, iv.ID} {
		if _, err := s.Access.Deliver(ctx, s.actor(evidence.RoleProsecutor), interview, others[0].Track.ID, evidence.LeafMedia, 6); !errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	}
}

// A grant that is revoked between the decision and its entry delivers nothing, and
// the log never shows a delivery behind the revocation.
func TestARevocationBetweenDecisionAndEntry(t *testing.T) {
	s := newScene(t)
	g := s.grant()
	s.mem.BeforeWindow = func() {
		s.mem.BeforeWindow = nil
		_, err := s.Access.RevokeGrant(ctx, s.actor(evidence.RoleCustodian), g.ID, "the need is over")
		s.Must(err)
	}
	if err := s.deliver(0, g.Tracks[0].FirstIndex); codeOf(err) != "grant.revoked" {
		t.Errorf("got %v", err)
	}
	if n := len(s.mem.Log(access.EntryDeliver)); n != 0 {
		t.Errorf("%d deliveries in the log", n)
	}
	if n := len(s.mem.Log(access.EntryRefuse)); n != 1 {
		t.Errorf("%d refusals in the log", n)
	}
}

func TestWindows(t *testing.T) {
	s := newScene(t)
	in := s.ask()
	in.Asked = evidence.Range{From: 0, Until: 60 * second}
	g, err := s.Access.RequestGrant(ctx, s.actor(evidence.RoleProsecutor), in)
	s.Must(err)
	_, err = s.Access.ApproveGrant(ctx, s.actor(evidence.RoleCustodian), g.ID)
	s.Must(err)
	entries := func() int { return len(s.mem.Log(access.EntryDeliver)) }

	// Half a minute as a player asks for it: four tracks side by side.
	for index := range 12 {
		for track := range s.tracks {
			s.Must(s.deliver(track, index))
		}
	}
	if entries() != 1 {
		t.Fatalf("%d entries for one window", entries())
	}
	e := s.mem.Log(access.EntryDeliver)[0]
	if e.Subject != g.ID || e.Interview != s.iv.ID || e.Case != s.Case.ID || e.Details["from"] != "0" || e.Details["until"] != "30000000" || e.Details["track.3"] != string(s.tracks[3].Track.ID) {
		t.Errorf("entry %+v", e)
	}
	s.Must(s.deliver(0, 3)) // seeking back inside it
	if entries() != 1 {
		t.Error("seeking inside a window opened another")
	}
	s.Must(s.deliver(0, 20)) // and forward, beyond it
	if entries() != 2 {
		t.Errorf("%d entries after seeking out of the window", entries())
	}
	s.mem.Advance(access.WindowLength)
	s.Must(s.deliver(0, 20))
	if entries() != 3 {
		t.Errorf("%d entries after the window ran out", entries())
	}
	for _, w := range s.mem.Windows() {
		if w.Range.Until-w.Range.From > 30*second || w.ExpiresAt-w.OpenedAt > evidence.Instant(30*second) {
			t.Errorf("window %+v is longer than 30 s", w)
		}
	}

	t.Run("another session has its own", func(t *testing.T) {
		again := s.World.Actor(s.actor(evidence.RoleProsecutor).Account)
		_, err := s.Access.Deliver(ctx, again, s.iv.ID, s.tracks[0].Track.ID, evidence.LeafMedia, 20)
		s.Must(err)
		if entries() != 4 {
			t.Errorf("%d entries", entries())
		}
	})
	t.Run("another node uses a committed one", func(t *testing.T) {
		node, err := access.New(access.Config{Store: s.Store, Logger: slog.New(slog.DiscardHandler)})
		s.Must(err)
		before := entries()
		_, err = node.Deliver(ctx, s.actor(evidence.RoleProsecutor), s.iv.ID, s.tracks[0].Track.ID, evidence.LeafMedia, 20)
		s.Must(err)
		if entries() != before {
			t.Error("the node logged a window that was committed")
		}
	})
	t.Run("an init alone opens an empty one", func(t *testing.T) {
		s.mem.Advance(access.WindowLength)
		before := entries()
		deliver := func(kind evidence.LeafKind, index int) {
			_, err := s.Access.Deliver(ctx, s.actor(evidence.RoleProsecutor), s.iv.ID, s.tracks[0].Track.ID, kind, index)
			s.Must(err)
		}
		deliver(evidence.LeafInit, 0)
		if e := s.mem.Log(access.EntryDeliver); len(e) != before+1 || e[before].Details["from"] != e[before].Details["until"] {
			t.Errorf("%+v", e[before:])
		}
		deliver(evidence.LeafMedia, 9)
		deliver(evidence.LeafInit, 0)
		if entries() != before+2 {
			t.Errorf("%d entries for init, media, init", entries()-before)
		}
	})
}

func TestOneMomentsRequestsOpenOneWindow(t *testing.T) {
	s := newScene(t)
	s.grant()
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if err := s.deliver(i%4, 7+i/8); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(s.mem.Log(access.EntryDeliver)); n != 1 {
		t.Errorf("%d entries for requests of one moment", n)
	}
}

// TestNothingIsDeliveredUnlogged: no failure of the log lets media out.
func TestNothingIsDeliveredUnlogged(t *testing.T) {
	for _, fault := range []string{"entry", "entry, but persisted", "exposure"} {
		t.Run(fault, func(t *testing.T) {
			s := newScene(t)
			s.grant()
			switch fault {
			case "entry":
				s.mem.FailBefore[access.EntryDeliver] = true
			case "entry, but persisted":
				s.mem.FailAfter[access.EntryDeliver] = true
			case "exposure":
				s.mem.FailBefore["delivered"] = true
			}
			if err := s.deliver(0, 6); !errors.Is(err, memstore.ErrInjected) {
				t.Fatalf("delivered, or hid the failure: %v", err)
			}
			clear(s.mem.FailBefore)
			clear(s.mem.FailAfter)
			s.Must(s.deliver(0, 6))
			if n := len(s.mem.Log(access.EntryDeliver)); n != 1 {
				t.Errorf("%d entries after recovery, want 1", n)
			}
		})
	}
}

func TestRefusalsAreLoggedAtALimitedRate(t *testing.T) {
	s := newScene(t)
	s.grant()
	for range 50 {
		wantCode(t, s.deliver(0, 1), "grant.outside")
	}
	log := s.mem.Log(access.EntryRefuse)
	if len(log) != 1 || log[0].Details["reason"] != "grant.outside" || log[0].Interview != s.iv.ID || log[0].Actor.Account != s.actor(evidence.RoleProsecutor).Account {
		t.Fatalf("log %+v", log)
	}
	stranger := s.Second[evidence.RoleProsecutor]
	for range 10 {
		for _, iv := range []evidence.ID{s.iv.ID, evidence.NewID()} {
			if _, err := s.Access.Deliver(ctx, stranger, iv, s.tracks[0].Track.ID, evidence.LeafMedia, 6); !errors.Is(err, evidence.ErrNotFound) {
				t.Fatal(err)
			}
		}
	}
	if log = s.mem.Log(access.EntryRefuse); len(log) != 3 {
		t.Errorf("%d refusals in the log, want the prosecutor's, the stranger's and her guesses", len(log))
	}
	s.mem.Advance(30 * time.Second)
	wantCode(t, s.deliver(0, 1), "grant.outside")
	if log = s.mem.Log(access.EntryRefuse); len(log) != 4 {
		t.Errorf("%d refusals in the log after half a minute", len(log))
	}
	s.mem.FailBefore[access.EntryRefuse] = true
	s.mem.Advance(time.Minute)
	wantCode(t, s.deliver(0, 1), "grant.outside")
}

func TestTheClockBehindTheLogDeniesEverything(t *testing.T) {
	s := newScene(t)
	s.grant()
	s.Must(s.deliver(0, 6))
	s.mem.Advance(-time.Minute)
	if err := s.deliver(0, 6); !errors.Is(err, evidence.ErrClockBehind) {
		t.Errorf("media: %v", err)
	}
	if _, err := s.Access.Playback(ctx, s.actor(evidence.RoleProsecutor), s.iv.ID); !errors.Is(err, evidence.ErrClockBehind) {
		t.Errorf("playback: %v", err)
	}
	if err := s.Access.Authorize(ctx, s.actor(evidence.RoleCaseManager), access.CaseRead, evidence.Resource{Kind: access.KindCase, ID: s.Case.ID}); !errors.Is(err, evidence.ErrClockBehind) {
		t.Errorf("anything else: %v", err)
	}
}

func TestPlaybackIsTheUnionOfLiveGrants(t *testing.T) {
	s := newScene(t)
	grant := func(from, until evidence.Offset, source string) access.Grant {
		in := s.ask()
		in.Asked, in.Source = evidence.Range{From: from * second, Until: until * second}, source
		g, err := s.Access.RequestGrant(ctx, s.actor(evidence.RoleProsecutor), in)
		s.Must(err)
		g, err = s.Access.ApproveGrant(ctx, s.actor(evidence.RoleCustodian), g.ID)
		s.Must(err)
		return g
	}
	grant(0, 6, "close-up")
	b := grant(4, 10, "close-up")
	grant(40, 44, "all")
	want := func(counts ...int) {
		t.Helper()
		p, err := s.Access.Playback(ctx, s.actor(evidence.RoleProsecutor), s.iv.ID)
		s.Must(err)
		var got []int
		seen := 0
		for _, tr := range p.Tracks {
			got = append(got, len(tr.Segments))
			for _, seg := range tr.Segments {
				seen++
				if _, err := s.Access.Deliver(ctx, s.actor(evidence.RoleProsecutor), s.iv.ID, tr.Track.ID, evidence.LeafMedia, seg.Leaf.Index); err != nil {
					t.Errorf("listed and not delivered: %v", err)
				}
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(counts) {
			t.Errorf("segments per track %v, want %v", got, counts)
		}
	}
	want(6, 7, 1, 1)
	_, err := s.Access.RevokeGrant(ctx, s.actor(evidence.RoleCustodian), b.ID, "over")
	s.Must(err)
	want(4, 5, 1, 1)
	until, err := s.Access.Live(ctx, s.actor(evidence.RoleProsecutor), s.iv.ID)
	if now, _ := s.Store.Now(ctx); err != nil || until != now+evidence.Instant(time.Hour.Microseconds()) {
		t.Errorf("live until %d, %v", until, err)
	}
}
