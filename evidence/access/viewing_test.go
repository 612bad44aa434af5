package access_test

import (
	"slices"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

func (s *scene) granted(change func(*access.Request)) access.Grant {
	s.t.Helper()
	in := s.ask()
	change(&in)
	g, err := s.Access.RequestGrant(ctx, s.actor(evidence.RoleProsecutor), in)
	s.Must(err)
	g, err = s.Access.ApproveGrant(ctx, s.actor(evidence.RoleCustodian), g.ID)
	s.Must(err)
	return g
}

func (s *scene) accept(g access.Grant, by evidence.Actor) error {
	_, sum := access.TermsIn("sq")
	_, err := s.Access.AcceptTerms(ctx, by, g.ID, sum)
	return err
}

func TestNothingIsDeliveredBeforeTheTermsAreAccepted(t *testing.T) {
	s := newScene(t)
	g := s.granted(func(in *access.Request) {
		in.Conditions.Viewings, in.NotAfter = 2, in.NotAfter+evidence.Instant(24*time.Hour/time.Microsecond)
	})
	if !g.Conditions.Terms {
		t.Error("a bound on viewings without terms")
	}
	prosecutor := s.actor(evidence.RoleProsecutor)
	wantCode(t, s.deliver(1, 6), "grant.terms")
	_, err := s.Access.Playback(ctx, prosecutor, s.iv.ID)
	wantCode(t, err, "grant.terms")
	_, err = s.Access.Live(ctx, prosecutor, s.iv.ID)
	wantCode(t, err, "grant.terms")
	if n := len(s.mem.Windows()); n != 0 {
		t.Fatalf("%d windows before the terms", n)
	}
	_, err = s.Access.AcceptTerms(ctx, prosecutor, g.ID, "0000")
	wantCode(t, err, "grant.terms.other")
	wantCode(t, s.accept(g, s.actor(evidence.RoleCustodian)), "access.role")

	s.Must(s.accept(g, prosecutor))
	s.Must(s.accept(g, prosecutor)) // again is the same viewing
	s.Must(s.deliver(1, 6))
	entries := s.mem.Log(access.GrantAccept)
	_, sum := access.TermsIn("sq")
	if len(entries) != 1 || entries[0].Subject != g.ID || entries[0].Details["terms"] != sum || entries[0].Details["language"] != "sq" || entries[0].Details["viewing"] == "" {
		t.Errorf("%+v", entries)
	}
	elsewhere := prosecutor
	elsewhere.Session = evidence.NewID()
	_, err = s.Access.Deliver(ctx, elsewhere, s.iv.ID, s.tracks[1].Track.ID, evidence.LeafMedia, 6)
	wantCode(t, err, "grant.terms")

	s.Advance(access.ViewingIdle - time.Second)
	s.Must(s.deliver(1, 8))
	s.Advance(access.ViewingIdle - time.Second)
	s.Must(s.deliver(1, 9)) // what is delivered keeps it open
	s.Advance(access.ViewingIdle)
	wantCode(t, s.deliver(1, 9), "grant.terms")
	s.Must(s.accept(g, prosecutor))
	s.Must(s.deliver(1, 9))
	s.Advance(access.ViewingIdle)
	wantCode(t, s.accept(g, prosecutor), "grant.viewings_used")
	wantCode(t, s.deliver(1, 9), "grant.terms")
	view, err := s.Access.Grant(ctx, prosecutor, g.ID)
	s.Must(err)
	if view.Viewings != 2 || view.Accepted {
		t.Errorf("%+v", view)
	}
	s.Advance(25 * time.Hour)
	wantCode(t, s.accept(g, prosecutor), "grant.over")
}

func TestAGrantGivesWhatItCovers(t *testing.T) {
	s := newScene(t)
	g := s.granted(func(in *access.Request) { in.Conditions.Covers = []access.Cover{access.CoverAudio, access.CoverAudio} })
	for _, b := range g.Tracks {
		if b.Kind != evidence.Audio {
			t.Errorf("sound alone holds %+v", b)
		}
	}
	if len(g.Tracks) != 2 || !slices.Equal(g.Covered(), []access.Cover{access.CoverAudio}) {
		t.Errorf("%+v", g)
	}
	s.Must(s.deliver(0, 6))
	wantCode(t, s.deliver(1, 6), "grant.outside")
	_, err := s.Access.Deliver(ctx, s.actor(evidence.RoleProsecutor), s.iv.ID, s.tracks[1].Track.ID, evidence.LeafInit, 0)
	wantCode(t, err, "grant.outside")
	_, err = s.Access.TranscriptRanges(ctx, s.actor(evidence.RoleProsecutor), s.iv.ID)
	wantCode(t, err, "transcript.no_grant")

	t.Run("all of it", func(t *testing.T) {
		s := newScene(t)
		g := s.granted(func(in *access.Request) {
			in.Conditions.Covers = []access.Cover{access.CoverDownload, access.CoverClip, access.CoverVideo, access.CoverAudio, access.CoverTranscript}
		})
		if len(g.Tracks) != 4 || !slices.Equal(g.Covered(), access.Covers) || !g.Clips || !g.Conditions.Return {
			t.Errorf("%+v", g)
		}
		log := s.mem.Log(access.GrantRequest)
		if len(log) != 1 || log[0].Details["covers"] != "transcript,audio,video,clip,download" {
			t.Errorf("%+v", log)
		}
		if _, _, err := log[0].Leaf(1, custody.Hash{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("the transcript alone", func(t *testing.T) {
		s := newScene(t)
		g := s.granted(func(in *access.Request) { in.Conditions.Covers = []access.Cover{access.CoverTranscript} })
		if len(g.Tracks) != 0 || !g.Bounds.Valid() {
			t.Errorf("%+v", g)
		}
		for track := range s.tracks {
			wantCode(t, s.deliver(track, 6), "grant.outside")
		}
		read, err := s.Access.Transcript(ctx, s.actor(evidence.RoleProsecutor), s.iv.ID, evidence.NewID())
		if err != nil || len(read) != 1 || read[0] != g.Bounds || !g.Transcript {
			t.Errorf("%+v, %v", read, err)
		}
		if log := s.mem.Log(access.EntryTranscript); len(log) != 1 || log[0].Subject != g.ID {
			t.Errorf("%+v", log)
		}
	})
}

func TestConditionsThatAreRefused(t *testing.T) {
	s := newScene(t)
	for code, change := range map[string]func(*access.Request){
		"grant.covers":         func(in *access.Request) { in.Conditions.Covers = []access.Cover{"smell"} },
		"grant.covers.nothing": func(in *access.Request) { in.Conditions.Covers = []access.Cover{access.CoverClip} },
		"grant.covers.clip": func(in *access.Request) {
			in.Conditions.Covers = []access.Cover{access.CoverTranscript, access.CoverClip}
		},
		"grant.covers.download": func(in *access.Request) {
			in.Conditions.Covers = []access.Cover{access.CoverAudio, access.CoverDownload}
		},
		"grant.viewings": func(in *access.Request) { in.Conditions.Viewings = -1 },
	} {
		in := s.ask()
		change(&in)
		_, err := s.Access.RequestGrant(ctx, s.actor(evidence.RoleProsecutor), in)
		wantCode(t, err, code)
	}
}

func TestAnExtensionIsANewRequest(t *testing.T) {
	s := newScene(t)
	g := s.granted(func(in *access.Request) {
		in.Conditions = access.Conditions{Covers: []access.Cover{access.CoverAudio}, Viewings: 3}
	})
	prosecutor, custodian := s.actor(evidence.RoleProsecutor), s.actor(evidence.RoleCustodian)
	_, err := s.Access.ExtendGrant(ctx, s.Actors[evidence.RoleObserver], g.ID)
	wantCode(t, err, "access.role")
	longer, err := s.Access.ExtendGrant(ctx, prosecutor, g.ID)
	s.Must(err)
	if longer.State != access.Proposed || longer.Extends != g.ID || longer.NotBefore != g.NotAfter || longer.NotAfter-longer.NotBefore != g.NotAfter-g.NotBefore ||
		!slices.Equal(longer.Tracks, g.Tracks) || longer.Conditions.Viewings != 3 || len(longer.Approvals) != 0 {
		t.Errorf("%+v", longer)
	}
	_, err = s.Access.ExtendGrant(ctx, prosecutor, g.ID)
	wantCode(t, err, "grant.extended")
	_, err = s.Access.ApproveGrant(ctx, prosecutor, longer.ID)
	wantCode(t, err, "grant.own_request")
	_, err = s.Access.ApproveGrant(ctx, custodian, longer.ID)
	s.Must(err)
	s.Must(s.accept(g, prosecutor))
	wantCode(t, s.accept(longer, prosecutor), "grant.not_yet")
	s.Advance(time.Hour) // the first is over, the second begins
	wantCode(t, s.deliver(0, 6), "grant.terms")
	s.Must(s.accept(longer, prosecutor))
	s.Must(s.deliver(0, 6))
	_, err = s.Access.ExtendGrant(ctx, prosecutor, g.ID)
	wantCode(t, err, "grant.extend.over")
}

func TestTheHolderSaysWhatBecameOfCopies(t *testing.T) {
	s := newScene(t)
	g := s.granted(func(in *access.Request) { in.Clips = true })
	prosecutor := s.actor(evidence.RoleProsecutor)
	_, err := s.Access.AttestGrant(ctx, prosecutor, g.ID, access.Destroyed, "")
	wantCode(t, err, "grant.attestation.none") // not while it is in force
	s.Advance(2 * time.Hour)
	view, err := s.Access.Grant(ctx, prosecutor, g.ID)
	s.Must(err)
	if !view.MayAttest {
		t.Errorf("%+v", view)
	}
	_, err = s.Access.AttestGrant(ctx, s.actor(evidence.RoleCustodian), g.ID, access.Destroyed, "")
	wantCode(t, err, "access.role")
	_, err = s.Access.AttestGrant(ctx, prosecutor, g.ID, "eaten", "")
	wantCode(t, err, "grant.attestation")
	got, err := s.Access.AttestGrant(ctx, prosecutor, g.ID, access.Destroyed, "Shredded on Monday.")
	s.Must(err)
	if got.Attested != access.Destroyed || got.AttestedAt == 0 {
		t.Errorf("%+v", got)
	}
	if log := s.mem.Log(access.GrantAttest); len(log) != 1 || log[0].Details["copies"] != "destroyed" || log[0].Why != "Shredded on Monday." {
		t.Errorf("%+v", log)
	}
	_, err = s.Access.AttestGrant(ctx, prosecutor, g.ID, access.Returned, "")
	wantCode(t, err, "grant.attestation.none")
}

func TestTheLeastThatServes(t *testing.T) {
	few, many := access.Exposure{Viewers: 1}, access.Exposure{Viewers: 5}
	for _, c := range []struct {
		need       access.Need
		e          access.Exposure
		transcript bool
		covers     []access.Cover
		whole      bool
		viewings   int
		days       float64
	}{
		{access.NeedWords, few, true, []access.Cover{access.CoverTranscript}, false, 1, 7},
		{access.NeedWords, few, false, []access.Cover{access.CoverAudio}, false, 1, 7},
		{access.NeedVoice, few, true, []access.Cover{access.CoverAudio}, false, 2, 7},
		{access.NeedSight, few, true, []access.Cover{access.CoverAudio, access.CoverVideo}, false, 2, 7},
		{access.NeedHearing, few, true, []access.Cover{access.CoverAudio, access.CoverVideo, access.CoverClip}, false, 2, 7},
		{access.NeedWhole, few, true, []access.Cover{access.CoverAudio, access.CoverVideo}, true, 3, 14},
		{access.NeedWhole, many, true, []access.Cover{access.CoverAudio, access.CoverVideo}, true, 1, 7},
		{access.NeedVoice, many, true, []access.Cover{access.CoverAudio}, false, 1, 3.5},
	} {
		p := access.Propose(c.need, c.e, c.transcript)
		if !slices.Equal(p.Covers, c.covers) || p.Whole != c.whole || p.Viewings != c.viewings || p.Time.Hours() != c.days*24 {
			t.Errorf("%s after %d viewers: %+v", c.need, c.e.Viewers, p)
		}
	}
	s := newScene(t)
	_, _, err := s.Access.ExposureFor(ctx, s.Second[evidence.RoleProsecutor], s.iv.ID, true)
	wantCode(t, err, "access: not found")
	_, proposals, err := s.Access.ExposureFor(ctx, s.actor(evidence.RoleObserver), s.iv.ID, true)
	if err != nil || len(proposals) != len(access.Needs) {
		t.Errorf("%+v, %v", proposals, err)
	}
}

func TestTermsAreInEachLanguage(t *testing.T) {
	seen := map[string]bool{}
	for _, language := range []string{"en", "sq", "sr-Latn", "sr-Cyrl"} {
		terms, sum := access.TermsIn(language)
		if seen[sum] || terms.Title == "" || len(terms.Points) != 6 || len(sum) != 64 {
			t.Errorf("%s: %+v", language, terms)
		}
		seen[sum] = true
	}
	if _, sum := access.TermsIn("de"); !seen[sum] {
		t.Error("nothing for a language without terms")
	}
}
