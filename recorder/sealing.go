package recorder

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/seal"
)

// finish carries out the final stop: drain, store, seal. It repeats what fails
// until it succeeds or the recorder is closed; a restart continues it.
func (s *sitting) finish() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-s.r.closing:
		case <-ctx.Done():
		}
		cancel()
	}()
	s.halt()
	for _, src := range s.allSources() {
		src.do(src.farewell)
	}
	s.drainBackfill(ctx)
	unsealed := func() {
		s.sealErr = fmt.Errorf("sealing interview %s: %w", s.iv.ID, evidence.ErrUnavailable)
		close(s.finished)
	}
	if ctx.Err() != nil {
		unsealed()
		return
	}
	s.keeper.close()
	for wait := backOffFirst; ; wait = min(2*wait, backOffLast) {
		err := s.conclude(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			unsealed()
			return
		}
		s.r.log.Error("sealing", "interview", s.iv.ID, "err", err)
		s.raise(alarmSealing, "")
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
	s.mu.Lock()
	s.phase.State = evidence.StateSealed
	s.mu.Unlock()
	s.r.metrics.sealed.Add(1)
	s.r.metrics.recordings.Add(-1)
	discarding := s.r.hold()
	close(s.finished)
	if discarding {
		s.discard(ctx)
		s.r.tasks.Done()
	}
	s.retire()
	s.touch()
}

// discard removes what nobody waits for once the interview is sealed: its journals
// and its lease. What it leaves, a start of the recorder removes.
func (s *sitting) discard(ctx context.Context) {
	for wait := backOffFirst; ; wait = min(2*wait, backOffLast) {
		err := s.journal.Destroy()
		if err == nil {
			break
		}
		s.r.log.Error("removing the journals of a sealed interview", "interview", s.iv.ID, "err", err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
	s.giveBack(ctx)
}

// farewell declares what a source that is away has not sent until the stop.
func (s *source) farewell() {
	for _, t := range s.tracks() {
		if t == nil || t.part == 0 {
			continue
		}
		t.closeBook()
		if t.feed != nil {
			continue
		}
		end := s.sitting.stopOffset()
		if t.place.end < end && s.sitting.recordingAtStop() {
			s.sitting.gap(evidence.Gap{Track: t.ev.ID, Start: t.place.end, End: end, Cause: causeAway, Frames: -1})
		}
	}
}

// stopOffset is the interview time of the stop.
func (s *sitting) stopOffset() evidence.Offset {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.events) - 1; i >= 0; i-- {
		if s.events[i].Kind == evidence.EventStop {
			return s.events[i].At
		}
	}
	return s.nowLocked()
}

// recordingAtStop reports whether the interview was not paused when it was
// stopped.
func (s *sitting) recordingAtStop() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.events) - 1; i >= 0; i-- {
		switch s.events[i].Kind {
		case evidence.EventPause:
			return false
		case evidence.EventResume, evidence.EventStart, evidence.EventRestart:
			return true
		}
	}
	return true
}

// conclude stores what is left, signs the manifest, and hands all of it to the
// database. It may be repeated.
func (s *sitting) conclude(ctx context.Context) error {
	s.keeper.putPages(int((s.keeper.tree.Size() + evidence.PageSize - 1) / evidence.PageSize))
	if err := s.journal.Drain(ctx); err != nil {
		return fmt.Errorf("storing segments: %w", err)
	}
	if err := s.keeper.attester.last(ctx); err != nil {
		return fmt.Errorf("last checkpoint: %w", err)
	}
	if err := s.clerk.flush(ctx); err != nil {
		return fmt.Errorf("telling the database: %w", err)
	}
	facts, err := s.r.cfg.Facts.RecordingFacts(ctx, s.iv.ID)
	if err != nil {
		return err
	}
	status, err := s.finalStatus()
	if err != nil {
		return err
	}
	m := s.manifest(facts)
	manifest, err := evidence.Canonical(m)
	if err != nil {
		return err
	}
	predicate := seal.PredicateOf(m)
	sealed, err := s.r.cfg.Seal.Seal(ctx, manifest, predicate)
	if err != nil {
		return err
	}
	record := evidence.SealedRecording{
		Recording: s.iv.Recording, Interview: s.iv.ID, Manifest: manifest, Statement: sealed.Statement, Bundle: sealed.Bundle,
		Pages: s.keeper.tree.Pages(), Nodes: s.keeper.tree.UpperNodes(), Status: status, SealedAt: evidence.At(s.r.cfg.Clock()),
	}
	checked, err := s.leaving(ctx, m, manifest, &record)
	if err != nil {
		return err
	}
	entry := s.sealEntry(m, manifest)
	if err := s.r.cfg.Store.SaveSealed(ctx, s.iv.ID, record, *entry, *checked); err != nil {
		if !errors.Is(err, evidence.ErrConflict) && !errors.Is(err, evidence.ErrUnknownState) {
			return err
		}
		// An earlier attempt may have been committed after all.
		if _, reading := s.r.cfg.Store.SealedHead(ctx, s.iv.Recording); reading != nil {
			return errors.Join(err, reading)
		}
	}
	s.clerk.close()
	return nil
}

// stopper is who stopped the recording.
func (s *sitting) stopper() evidence.Actor {
	s.mu.Lock()
	defer s.mu.Unlock()
	if by := s.phase.StoppedBy; by.Kind != "" {
		return by
	}
	return evidence.System(s.iv.Agency)
}

func (s *sitting) sealEntry(m evidence.Manifest, manifest []byte) *custody.Entry {
	return s.entry(s.stopper(), actionSeal, s.iv.Recording, map[string]string{
		"manifest": envelope.Sum(manifest).SHA256, "root": m.Tree.Root, "leaves": strconv.FormatInt(m.Tree.Size, 10),
	})
}

// manifest describes the whole recording.
func (s *sitting) manifest(facts RecordingFacts) evidence.Manifest {
	s.mu.Lock()
	defer s.mu.Unlock()
	zone := facts.TimeZone
	if zone == "" {
		zone = "UTC"
	}
	m := s.outlineLocked()
	m.CaseReference, m.TimeZone = facts.CaseReference, zone
	m.Tree = s.keeper.tree.Head()
	m.Encryption = evidence.Encryption{Scheme: envelope.Scheme, Recipient: s.keeper.sealer.Recipient()}
	for i := range m.Tracks {
		t := s.tracks[i]
		m.Tracks[i].Segments, m.Tracks[i].Ledgers = s.keeper.counts[t.ev.ID], t.book.pages
	}
	return m
}

// outlineLocked is what of a manifest is known while it is recorded, with mu held: all
// but what case file and keeper add. Its tracks are in the order of the sitting's.
func (s *sitting) outlineLocked() evidence.Manifest {
	m := evidence.Manifest{
		Type: evidence.TypeManifest, Version: 2,
		Recording: s.iv.Recording, Interview: s.iv.ID, Case: s.iv.Case, Agency: s.iv.Agency, Room: s.iv.Room,
		StartedAt: s.phase.StartedAt, StoppedAt: s.phase.StoppedAt,
		Clock:   evidence.Clocks{Source: "server", Uncertainty: -1},
		Sources: []evidence.ManifestSource{}, Tracks: []evidence.ManifestTrack{},
		Parts: append([]evidence.Part{}, s.parts...), Events: append([]evidence.Event{}, s.events...), Gaps: append([]evidence.Gap{}, s.gaps...),
		Software: s.r.cfg.Software,
	}
	for _, src := range s.sources {
		used := false
		for _, t := range s.tracks {
			used = used || t.ev.Source == src.ev.ID
		}
		if !used && !s.mentionedLocked(src.ev.ID) {
			continue
		}
		m.Sources = append(m.Sources, evidence.ManifestSource{ID: src.ev.ID, Role: string(src.ev.Role), Name: src.ev.Name})
	}
	for _, t := range s.tracks {
		t.mu.Lock()
		c := t.counts
		t.mu.Unlock()
		m.Tracks = append(m.Tracks, evidence.ManifestTrack{
			ID: t.ev.ID, Source: t.ev.Source, Kind: t.ev.Kind, Codec: t.ev.Codec, Timescale: t.ev.Timescale,
			Anchors: append([]evidence.Anchor{}, s.anchors[t.number]...),
			Packets: c.Packets, Frames: evidence.Frames{Whole: c.Whole, Damaged: c.Damaged, Missing: c.Missing, Uncertain: c.Uncertain},
			Replaces: t.ev.Replaces,
		})
	}
	for i := range m.Sources {
		for _, src := range s.sources {
			if src.ev.ID == m.Sources[i].ID {
				m.Replacements = src.account.describe(&m.Sources[i], m.Tracks, m.Replacements)
			}
		}
	}
	return m
}

func (s *sitting) mentionedLocked(source evidence.ID) bool {
	for _, e := range s.events {
		if e.Source == source {
			return true
		}
	}
	return false
}

// retire removes the sitting and ends its goroutines; whoever asks for it later
// is answered from the database.
func (s *sitting) retire() {
	s.r.mu.Lock()
	if s.r.sittings[s.iv.ID] == s {
		delete(s.r.sittings, s.iv.ID)
	}
	s.r.mu.Unlock()
	s.mu.Lock()
	s.retired = true
	s.dismissLocked("over")
	sources := s.sources
	s.mu.Unlock()
	for _, src := range sources {
		src.leave()
	}
}

// leave ends a source's session and its goroutine.
func (s *source) leave() {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	s.sitting.mu.Lock()
	session := s.session
	s.session = nil
	s.sitting.mu.Unlock()
	if session != nil {
		session.Close()
	}
	s.in.close()
	<-s.done
}
