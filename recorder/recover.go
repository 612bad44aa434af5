package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/recorder/media"
	"github.com/toldonce/toldonce/recorder/spool"
)

// found is what an earlier run left of a recording.
type found struct {
	state    savedState
	hasState bool
	frames   map[int][]savedFrame // by track, in order
	lines    map[int][]savedLine  // likewise
	segments map[int64]evidence.Segment
	lastAt   evidence.Offset
	said     said                          // of sources about their own frames
	manifest []evidence.SourceManifestFile // in the outbox
	// pendingCheckpoint is the newest one in the outbox; its Size is 0 if none is.
	pendingCheckpoint checkpointMeta
	lost              []string // records that could not be understood
}

// recover continues an interview that an earlier run left in the spool. What was
// captured becomes segments by the code that makes them live. The interview
// stays in its state; sources that come back go on in a new part.
func (r *Recorder) recover(ctx context.Context, interview evidence.ID) error {
	iv, err := r.cfg.Store.Interview(ctx, interview)
	if err != nil {
		return err
	}
	s := newSitting(r, iv)
	f := &found{frames: map[int][]savedFrame{}, lines: map[int][]savedLine{}, segments: map[int64]evidence.Segment{}}
	journal, report, err := r.spool.Recover(ctx, interview, s.confirm, spool.Replayer{Record: f.record, Pending: f.pending})
	if err != nil {
		return err
	}
	s.journal = journal
	if torn := report.Capture.Torn || report.Outbox.Torn; torn || len(report.Capture.Gaps)+len(report.Outbox.Gaps) > 0 {
		r.log.Warn("the journal was cut", "interview", interview, "torn", torn, "gaps", len(report.Capture.Gaps)+len(report.Outbox.Gaps), "bytes", report.Capture.CutBytes+report.Outbox.CutBytes)
	}
	if len(f.lost) > 0 {
		r.log.Error("records of the journal were not understood", "interview", interview, "records", f.lost)
	}
	if iv.State == evidence.StateSealed {
		// The seal was committed, and the program ended before it cleaned up.
		if err := journal.Drain(ctx); err != nil {
			return err
		}
		return journal.Destroy()
	}
	if err := s.hold(ctx); err != nil {
		return errors.Join(err, journal.Close())
	}
	if begun := f.untold(evidence.StateRecording); begun != nil && iv.State == evidence.StateReady {
		// The database went away while the recording began, and is told now.
		iv.State, iv.StartedAt = evidence.StateRecording, begun.At
	}
	if iv.State == evidence.StatePlanned || iv.State == evidence.StateReady || iv.State == evidence.StateCancelled {
		// The program ended between making the journal and the start. A journal that
		// holds anything is of a recording that the database does not know of.
		if f.hasState || len(f.frames) > 0 || len(f.segments) > 0 {
			s.giveBack(ctx)
			return errors.Join(fmt.Errorf("%w: the journal holds a recording of interview %s, which the database calls %s; restore the database's latest backup",
				evidence.ErrMissingState, interview, iv.State), journal.Close())
		}
		s.giveBack(ctx)
		return journal.Destroy()
	}
	if err := s.restore(ctx, iv, f); err != nil {
		return errors.Join(err, journal.Close())
	}
	r.mu.Lock()
	r.sittings[interview] = s
	r.mu.Unlock()
	r.metrics.recordings.Add(1)
	go s.renew()
	if s.state() == evidence.StateStopping {
		close(s.stopping)
		go s.finish()
	}
	return nil
}

// untold returns the duty to tell the database of a state, if it is open.
func (f *found) untold(to evidence.State) *duty {
	for i := range f.state.Duties {
		if f.state.Duties[i].To == to {
			return &f.state.Duties[i]
		}
	}
	return nil
}

// record takes one record of the capture journal.
func (f *found) record(rec spool.Record) error {
	var err error
	switch rec.Kind {
	case recState:
		var st savedState
		if err = json.Unmarshal(rec.Payload, &st); err == nil && st.Version != savedVersion {
			err = fmt.Errorf("state of version %d", st.Version)
		}
		if err == nil {
			f.state, f.hasState = st, true
			f.said.forget(f.frames)
			f.lastAt = max(f.lastAt, st.Phase.At)
		}
	case recFrame:
		var frame savedFrame
		if frame, err = parseFrame(rec.Payload); err == nil {
			frame.data = slices.Clone(frame.data)
			f.frames[frame.track] = append(f.frames[frame.track], frame)
			f.lastAt = max(f.lastAt, frame.arrival)
		}
	case recLine:
		var line savedLine
		if line, err = parseLine(rec.Payload); err == nil {
			line.text = slices.Clone(line.text)
			f.lines[line.track] = append(f.lines[line.track], line)
		}
	case recConfig:
		var c savedConfig
		if err = json.Unmarshal(rec.Payload, &c); err == nil {
			f.state.Configs = replace(f.state.Configs, c, func(x savedConfig) bool { return x.Track == c.Track && x.Number == c.Number })
		}
	case recEvent:
		var e evidence.Event
		if err = json.Unmarshal(rec.Payload, &e); err == nil {
			f.state.Events = append(f.state.Events, e)
			f.lastAt = max(f.lastAt, e.At)
		}
	case recOpening:
		var o evidence.Opening
		if err = json.Unmarshal(rec.Payload, &o); err == nil {
			f.state.Openings = append(f.state.Openings, o)
		}
	case recPart:
		var p evidence.Part
		if err = json.Unmarshal(rec.Payload, &p); err == nil {
			f.state.Parts = replace(f.state.Parts, p, func(x evidence.Part) bool { return x.Number == p.Number })
		}
	case recTrack:
		var t savedTrack
		if err = json.Unmarshal(rec.Payload, &t); err == nil {
			f.state.Tracks = replace(f.state.Tracks, t, func(x savedTrack) bool { return x.Number == t.Number })
		}
	case recGap:
		var g evidence.Gap
		if err = json.Unmarshal(rec.Payload, &g); err == nil {
			f.state.Gaps = append(f.state.Gaps, g)
		}
	case recLedger:
		var l savedLedger
		if err = json.Unmarshal(rec.Payload, &l); err == nil {
			f.state.Ledgers = replace(f.state.Ledgers, l, func(x savedLedger) bool { return x.Track == l.Track })
		}
	case recDuty:
		var d duty
		if err = json.Unmarshal(rec.Payload, &d); err == nil {
			f.state.Duties = append(f.state.Duties, d)
			f.state.NextDuty = max(f.state.NextDuty, d.Number+1)
		}
	case recDone:
		var n int64
		if n, err = strconv.ParseInt(string(rec.Payload), 10, 64); err == nil {
			f.state.Duties = slices.DeleteFunc(f.state.Duties, func(d duty) bool { return d.Number == n })
		}
	case recAnchor:
		var a savedAnchor
		if err = json.Unmarshal(rec.Payload, &a); err == nil {
			f.state.Anchors = append(f.state.Anchors, a)
		}
	case recPhase:
		var p savedPhase
		if err = json.Unmarshal(rec.Payload, &p); err == nil {
			f.state.Phase = p
			f.lastAt = max(f.lastAt, p.At)
		}
	case recSource:
		var src savedSource
		if err = json.Unmarshal(rec.Payload, &src); err == nil {
			f.state.Sources = replace(f.state.Sources, src, func(x savedSource) bool { return x.ID == src.ID })
		}
	case recChecked:
		var c precheck
		if err = json.Unmarshal(rec.Payload, &c); err == nil {
			f.state.Checked = c
		}
	default:
		var known bool
		if known, err = f.account(rec); !known {
			err = fmt.Errorf("unknown kind")
		}
	}
	if err != nil {
		// The record is authentic: this program, or a later version, wrote it.
		// Media is not given up for it.
		f.lost = append(f.lost, fmt.Sprintf("%d (kind %d): %v", rec.Position, rec.Kind, err))
	}
	return nil
}

// replace puts v in the place of the element that same chooses, or at the end.
func replace[T any](all []T, v T, same func(T) bool) []T {
	if i := slices.IndexFunc(all, same); i >= 0 {
		all[i] = v
		return all
	}
	return append(all, v)
}

// pending takes the note of an object that is not confirmed yet.
func (f *found) pending(o spool.Object, _ spool.Position) error {
	var meta objectMeta
	if err := json.Unmarshal(o.Meta, &meta); err != nil {
		return fmt.Errorf("the spool's note of %s: %w", o.Key, err)
	}
	if meta.Claims != nil {
		f.manifest = append(f.manifest, *meta.Claims)
	}
	if c := meta.Checkpoint; c != nil && c.Size >= f.pendingCheckpoint.Size {
		f.pendingCheckpoint = *c
	}
	if meta.Segment != nil {
		f.segments[meta.Segment.Position] = *meta.Segment
	}
	return nil
}

// restore rebuilds the sitting from what was found.
func (s *sitting) restore(ctx context.Context, iv evidence.Interview, f *found) error {
	stored, err := s.r.cfg.Store.Segments(ctx, iv.Recording)
	if err != nil {
		return err
	}
	for _, seg := range stored {
		f.segments[seg.Position] = seg
	}
	tree := seal.NewTree()
	counts := map[evidence.ID]int{}
	ends := map[evidence.ID]*leafEnd{}
	for position := int64(0); position < int64(len(f.segments)); position++ {
		seg, ok := f.segments[position]
		if !ok {
			return fmt.Errorf("%w: leaf %d of recording %s is nowhere", evidence.ErrMissingState, position, iv.Recording)
		}
		if _, err := tree.Append(seg.Leaf); err != nil {
			return err
		}
		end := ends[seg.Leaf.Track]
		if end == nil {
			end = &leafEnd{}
			ends[seg.Leaf.Track] = end
		}
		if err := end.add(seg.Leaf); err != nil {
			return err
		}
		if seg.Leaf.Kind == evidence.LeafMedia {
			counts[seg.Leaf.Track]++
		}
		f.lastAt = max(f.lastAt, seg.Leaf.End)
	}
	_, recipient, err := s.r.cfg.Store.RecordingKey(ctx, iv.Recording)
	if err != nil {
		return err
	}
	sealer, err := envelope.NewSealer(recipient)
	if err != nil {
		return err
	}
	s.restoreState(iv, f)
	for _, seg := range f.segments {
		if n := seg.Leaf.Part; n <= len(s.parts) {
			if seg.Leaf.Kind != evidence.LeafLedger {
				s.partReaches(n, seg.Leaf.End)
			}
		} else {
			return fmt.Errorf("%w: part %d of recording %s", evidence.ErrMissingState, n, iv.Recording)
		}
	}
	// A checkpoint that is pending is one that the object store lacks.
	attested := max(f.state.Checkpoint, f.pendingCheckpoint.Size)
	confirmed := attested
	if f.pendingCheckpoint.Size > 0 {
		confirmed = 0
	}
	keeper := newKeeper(s, sealer, tree, counts, min(attested, tree.Size()), confirmed)
	if f.pendingCheckpoint.Size > 0 {
		keeper.attester.resume(f.pendingCheckpoint.Signed, s.phase.StartedAt)
	}
	s.mu.Lock()
	s.keeper = keeper
	s.mu.Unlock()
	s.clerk = newClerk(s, f.state.Duties, f.state.NextDuty)
	known, err := s.r.cfg.Store.SourceManifests(ctx, iv.Recording)
	if err != nil {
		return err
	}
	files := make([]evidence.SourceManifestFile, 0, len(known)+len(f.manifest))
	for _, m := range known {
		files = append(files, m.File)
	}
	if err := s.restoreTracks(f, ends, append(files, f.manifest...)); err != nil {
		return err
	}
	s.restart()
	return nil
}

// leafEnd is how far a track's stored segments reach.
type leafEnd struct {
	inits, index int
	initSum      string // of the last init, before encryption
	part         int
	media        int64 // where the last segment ends
	end          evidence.Offset
	frames       int64
	pages, lines int // of the ledger
}

func (e *leafEnd) add(l evidence.Leaf) error {
	if l.Kind == evidence.LeafInit {
		e.inits, e.initSum = l.Init+1, l.Plain.SHA256
		e.end = max(e.end, l.End)
		return nil
	}
	if l.Kind == evidence.LeafLedger {
		e.pages, e.lines = l.Index, e.lines+l.Frames
		return nil
	}
	start, err := mediaTime(l.DecodeTime)
	if err != nil {
		return err
	}
	e.index, e.part, e.media, e.end = l.Index+1, l.Part, start+l.Duration, l.End
	e.frames += int64(l.Frames)
	return nil
}

// mediaTime is the inverse of hexTime.
func mediaTime(text string) (int64, error) {
	t, err := strconv.ParseUint(text, 16, 63)
	if err != nil {
		return 0, fmt.Errorf("%w: decode time of a stored leaf", evidence.ErrInvalid)
	}
	return int64(t), nil
}

func (s *sitting) restoreState(iv evidence.Interview, f *found) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = f.state.Phase
	if !f.hasState && s.phase.State == "" {
		s.phase = savedPhase{State: iv.State, StartedAt: iv.StartedAt, StoppedAt: iv.StoppedAt}
	}
	if s.phase.StartedAt == 0 {
		s.phase.StartedAt = iv.StartedAt
	}
	told := true // whether the database knows all that the journal does
	for _, d := range f.state.Duties {
		told = told && d.To == ""
	}
	if told && iv.State != s.phase.State {
		// The database was told, and the journal's last moments are lost.
		s.phase.State, s.phase.StoppedAt = iv.State, iv.StoppedAt
	}
	s.parts, s.events, s.gaps, s.opened = f.state.Parts, f.state.Events, f.state.Gaps, f.state.Openings
	s.checked = f.state.Checked
	for _, a := range f.state.Anchors {
		s.anchors[a.Track] = append(s.anchors[a.Track], a.Anchor)
	}
	for _, c := range f.state.Configs {
		s.configs[c.Track] = append(s.configs[c.Track], c)
	}
	// Between two runs only the wall clock passes; if it was set back, interview
	// time goes on from where it was.
	passed := evidence.Offset(evidence.At(s.r.cfg.Clock()) - s.phase.StartedAt)
	if passed < f.lastAt {
		s.events = append(s.events, evidence.Event{At: f.lastAt, Instant: evidence.At(s.r.cfg.Clock()), Kind: evidence.EventClockStep})
		passed = f.lastAt
	}
	s.lastAt = f.lastAt
	s.origin = s.r.now() - passed.Duration()
	s.wallAt = s.wallLocked() - evidence.Instant(passed)
	if s.phase.Part == 0 && len(s.parts) == 0 {
		s.phase.Part = s.partLocked("start", 0)
	}
}

// restoreTracks makes tracks and their open segments again.
func (s *sitting) restoreTracks(f *found, ends map[evidence.ID]*leafEnd, manifests []evidence.SourceManifestFile) error {
	slices.SortFunc(f.state.Tracks, func(a, b savedTrack) int { return a.Number - b.Number })
	for i, saved := range f.state.Tracks {
		if saved.Number != i+1 {
			return fmt.Errorf("%w: track %d of the journal", evidence.ErrMissingState, i+1)
		}
	}
	s.mu.Lock()
	for _, saved := range f.state.Sources {
		src := newSource(s, evidence.Source{ID: saved.ID, Interview: s.iv.ID, Role: saved.Role, Name: saved.Name})
		src.ownPart = saved.Part
		s.sources = append(s.sources, src)
	}
	sources := slices.Clone(s.sources)
	s.mu.Unlock()
	if err := s.restoreAccounts(f, manifests); err != nil {
		return err
	}
	for _, saved := range f.state.Tracks {
		i := slices.IndexFunc(sources, func(x *source) bool { return x.ev.ID == saved.Source })
		if i < 0 {
			return fmt.Errorf("%w: source %s of the journal", evidence.ErrMissingState, saved.Source)
		}
		end := ends[saved.ID]
		if end == nil {
			end = &leafEnd{}
		}
		var ledger savedLedger
		for _, l := range f.state.Ledgers {
			if l.Track == saved.Number {
				ledger = l
			}
		}
		src := sources[i]
		src.do(func() { src.restore(saved, end, ledger, f) })
	}
	return nil
}

// restore makes one track again and closes what was open of it.
func (s *source) restore(saved savedTrack, end *leafEnd, ledger savedLedger, f *found) {
	t := &track{source: s, number: saved.Number, ev: evidence.Track{
		ID: saved.ID, Source: saved.Source, Interview: s.sitting.iv.ID, Kind: saved.Kind, Codec: saved.Codec, Timescale: saved.Timescale,
		Replaces: saved.Replaces,
	}}
	if saved.Replaces != "" {
		// It is complete: what is handed over from now on goes to another.
		t.counts.Whole = end.frames
		s.sitting.mu.Lock()
		s.sitting.tracks = append(s.sitting.tracks, t)
		s.sitting.mu.Unlock()
		return
	}
	t.clock = trackClock{timescale: saved.Timescale, source: newSourceClock(nil)}
	t.part, t.closed = end.part, ledger.Counts
	t.place = placement{started: end.index > 0, media: end.media, end: end.end}
	configs := map[int]media.Config{}
	var last media.Config // of the last init that is stored
	for _, c := range f.state.Configs {
		if c.Track != saved.Number {
			continue
		}
		t.config, t.configID = c.config(), c.Number
		configs[c.Number] = t.config
		if envelope.Sum(c.Init).SHA256 == end.initSum {
			last = t.config
		}
	}
	t.segments = media.NewSegmenter(media.DefaultPolicy, saved.Kind == evidence.Video, end.inits, end.index, last)
	s.sitting.mu.Lock()
	s.sitting.tracks = append(s.sitting.tracks, t)
	s.sitting.mu.Unlock()
	if saved.Kind == evidence.Video {
		s.video = t
	} else {
		s.audio = t
	}
	t.init()
	sum := t.reopenBook(f.lines[saved.Number], end, ledger)
	t.replay(f.frames[saved.Number], end, configs, sum)
	t.flush()
	t.place.newPart()
	t.broken = true
}

// replay feeds journalled frames that no stored segment holds.
func (t *track) replay(frames []savedFrame, end *leafEnd, configs map[int]media.Config, ledger evidence.LedgerSum) {
	whole := end.frames
	config := 0
	for _, saved := range frames {
		if saved.part < end.part || saved.part == end.part && end.index > 0 && saved.time < end.media {
			continue
		}
		if saved.part != t.part {
			t.flush()
			t.place.newPart()
			t.part = saved.part
		}
		frame := media.Frame{Time: saved.time, Key: saved.key, Data: saved.data, Length: saved.length}
		if saved.config != config {
			config, frame.Config = saved.config, configs[saved.config]
		}
		t.clock.note(saved.arrival, saved.time)
		segments, err := t.segments.Add(frame)
		t.store(segments, err)
		whole++
	}
	// Packets are those of which the ledger tells; of frames everything is known.
	c := &t.closed
	p := &c.Packets
	p.Received, p.Recovered, p.Reordered, p.Lost, p.Padding = ledger.Received, ledger.Recovered, ledger.Reordered, ledger.Lost, ledger.Padding
	c.Whole, c.Damaged, c.Missing, c.Uncertain = whole, ledger.Damaged, 0, 0
	for _, g := range t.source.sitting.gapsOf(t.ev.ID) {
		switch {
		case g.Cause == causeLoss && g.Frames < 0: // of an earlier version of this program
		case g.Cause == causeLoss || g.Cause == causeFull:
			c.Missing += g.Frames
			c.Uncertain += g.Uncertain
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts = *c
	t.status.Packets, t.status.Frames, t.status.Bytes = c.packets(), c.frames(), c.Bytes
	if t.config != nil {
		t.status.Width, t.status.Height = t.config.Size()
	}
}

func (s *sitting) gapsOf(track evidence.ID) []evidence.Gap {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []evidence.Gap
	for _, g := range s.gaps {
		if g.Track == track {
			out = append(out, g)
		}
	}
	return out
}

// restart notes the interruption and begins the part that follows it.
func (s *sitting) restart() {
	s.mu.Lock()
	at := s.nowLocked()
	if s.phase.State == evidence.StateRecording {
		ended := evidence.Offset(0)
		for _, t := range s.tracks {
			ended = max(ended, t.place.end)
		}
		s.endPartsLocked(ended)
		s.beginPartLocked("restart", at)
	}
	s.observersLostLocked(at)
	s.qualityLostLocked(at)
	s.eventLocked(evidence.Event{At: at, Kind: evidence.EventRestart, Value: string(s.phase.State)}, "")
	if s.phase.State == evidence.StateStopping {
		if s.phase.StoppedAt == 0 {
			s.phase.StoppedAt = max(s.wallLocked(), s.phase.StartedAt)
		}
		if !slices.ContainsFunc(s.events, func(e evidence.Event) bool { return e.Kind == evidence.EventStop }) {
			s.eventLocked(evidence.Event{At: at, Kind: evidence.EventStop}, "")
		}
	}
	s.phaseLocked()
	s.clerk.add(duty{Entry: s.entry(evidence.System(s.iv.Agency), actionRestart, "", nil)})
	recording := s.phase.State == evidence.StateRecording
	sources := slices.Clone(s.sources)
	s.mu.Unlock()
	s.saveState()
	if recording {
		for _, src := range sources {
			src.do(src.begin)
		}
	}
}
