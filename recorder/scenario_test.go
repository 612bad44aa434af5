package recorder

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/recorder/publish"
)

// onAir publishes in the background until the returned function is called,
// which waits for the end and returns what was sent.
func (c *camera) onAir(o publish.Options) (off func() publish.Result) {
	c.w.t.Helper()
	ctx, cancel := context.WithCancel(c.w.t.Context())
	up := make(chan struct{})
	o.Connected = func() { close(up) }
	if o.Duration == 0 {
		o.Duration = time.Hour
	}
	type outcome struct {
		result publish.Result
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		r, err := c.play(ctx, o)
		done <- outcome{r, err}
	}()
	select {
	case <-up:
	case r := <-done:
		c.w.t.Fatalf("publishing: %v", r.err)
	}
	return func() publish.Result {
		cancel()
		return (<-done).result
	}
}

// until waits for a status, told by Watch.
func (w *world) until(what string, holds func(Status) bool) Status {
	w.t.Helper()
	changed, cancel := w.rec.Watch(w.iv.ID)
	defer cancel()
	deadline := time.After(20 * time.Second)
	for {
		st, err := w.rec.Status(w.t.Context(), w.iv.ID)
		if err == nil && holds(st) {
			return st
		}
		select {
		case <-changed:
		case <-deadline:
			w.t.Fatalf("never: %s; status %+v, %v", what, st, err)
		}
	}
}

// whole is satisfied when every track has recorded so many frames.
func whole(n int64, tracks int) func(Status) bool {
	return func(st Status) bool {
		return len(st.Tracks) == tracks && !slices.ContainsFunc(st.Tracks, func(t TrackStatus) bool { return t.Frames.Whole < n })
	}
}

func (w *world) start() {
	w.t.Helper()
	if _, err := w.rec.Start(w.t.Context(), w.actor, w.iv.ID); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stop() Status {
	w.t.Helper()
	st, err := w.rec.Stop(w.t.Context(), w.actor, w.iv.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

// contained fails the test unless got is a stretch of want without a hole.
func contained(t testing.TB, kind evidence.TrackKind, got, want []sentFrame) {
	t.Helper()
	if len(got) == 0 {
		t.Errorf("%s: nothing was recorded", kind)
		return
	}
	at := slices.IndexFunc(want, func(f sentFrame) bool { return f.time == got[0].time })
	if at < 0 || at+len(got) > len(want) {
		t.Errorf("%s: what was recorded is not what was sent", kind)
		return
	}
	same(t, kind, got, want[at:at+len(got)])
}

func TestNothingFromBeforeTheStartIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	off := cam.onAir(publish.Options{})
	w.until("frames are measured while ready", whole(20, 2))
	cam.mu.Lock()
	before := map[evidence.TrackKind]int{evidence.Video: len(cam.sent[evidence.Video]), evidence.Audio: len(cam.sent[evidence.Audio])}
	cam.mu.Unlock()
	w.objects.mu.Lock()
	if len(w.objects.data) != 0 {
		t.Error("something was stored before the start")
	}
	w.objects.mu.Unlock()
	w.start()
	w.until("frames are recorded", whole(60, 2))
	w.stop()
	off()
	files := w.recorded()
	if len(files) != 2 {
		t.Fatalf("%d files", len(files))
	}
	for _, kind := range []evidence.TrackKind{evidence.Video, evidence.Audio} {
		f := w.of(files, cam, kind)[0]
		contained(t, kind, f.frames, cam.sent[kind])
		if i := slices.IndexFunc(cam.sent[kind], func(s sentFrame) bool { return s.time == f.frames[0].time }); i < before[kind] {
			t.Errorf("%s: frame %d was kept, but %d had been sent before the start", kind, i, before[kind])
		}
		plays(t, f.file)
	}
	v, a := w.of(files, cam, evidence.Video)[0], w.of(files, cam, evidence.Audio)[0]
	if !v.frames[0].key {
		t.Error("the recording does not begin with a key frame")
	}
	for i := range min(len(v.leaves), len(a.leaves)) - 1 {
		if d := v.leaves[i].End - a.leaves[i].End; d > 40_000 || d < -40_000 {
			t.Errorf("segment %d: picture ends at %d, sound at %d", i, v.leaves[i].End, a.leaves[i].End)
		}
	}
	if d := v.leaves[0].Start - a.leaves[0].Start; d > 45_000 || d < -45_000 {
		t.Errorf("picture begins at %d, sound at %d", v.leaves[0].Start, a.leaves[0].Start)
	}
	want := []string{actionSourceAdd, actionStart, actionSourceJoined, actionStop, actionSeal, actionLeaving}
	if got := w.store.actions(); !slices.Equal(got, want) {
		t.Errorf("custody entries %v, want %v", got, want)
	}
}

func TestABreakBeginsANewPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	w.start()
	off := cam.onAir(publish.Options{})
	w.until("part 1", whole(75, 2))
	st, err := w.rec.Pause(t.Context(), w.actor, w.iv.ID, "the child needs a rest")
	if err != nil || st.State != evidence.StatePaused {
		t.Fatalf("%v %v", st.State, err)
	}
	if _, err := w.rec.Pause(t.Context(), w.actor, w.iv.ID, ""); !errors.Is(err, evidence.ErrConflict) {
		t.Errorf("paused twice: %v", err)
	}
	count := st.Tracks[0].Frames.Whole
	if _, err := w.rec.Mark(t.Context(), w.actor, w.iv.ID, evidence.EventPhase, "rapport", "note"); err != nil {
		t.Error(err)
	}
	if _, err := w.rec.Resume(t.Context(), w.actor, w.iv.ID); err != nil {
		t.Fatal(err)
	}
	w.until("part 2", whole(count+90, 2))
	w.stop()
	off()
	m := w.manifest()
	if len(m.Parts) != 2 || m.Parts[1].Cause != "resume" || m.Parts[0].End > m.Parts[1].Start+50_000 { // its last frame lasts
		t.Errorf("parts %+v", m.Parts)
	}
	var kinds []string
	for _, e := range m.Events {
		kinds = append(kinds, e.Kind)
	}
	if want := []string{"start", "source-joined", "pause", "phase", "resume", "stop"}; !slices.Equal(kinds, want) {
		t.Errorf("events %v, want %v", kinds, want)
	}
	files := w.recorded()
	if len(files) != 4 {
		t.Errorf("%d files, not one for each kind and part", len(files))
	}
	total := map[evidence.TrackKind]int64{}
	for _, f := range files {
		contained(t, f.track.Kind, f.frames, cam.sent[f.track.Kind])
		plays(t, f.file)
		total[f.track.Kind] += int64(len(f.frames))
	}
	for _, mt := range m.Tracks {
		if mt.Frames.Whole != total[mt.Kind] || mt.Frames.Damaged != 0 || mt.Frames.Missing != 0 {
			t.Errorf("%s: manifest %+v, files hold %d", mt.Kind, mt.Frames, total[mt.Kind])
		}
	}
	pauses := 0
	for _, g := range m.Gaps {
		if g.Cause == causePause {
			pauses++
		}
	}
	if pauses != 2 {
		t.Errorf("gaps %+v", m.Gaps)
	}
}

func TestASourceJoinsLateAndComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.camera(evidence.SourceCloseUp), w.camera(evidence.SourceWide)
	w.start()
	off := first.onAir(publish.Options{})
	w.until("the first camera records", whole(30, 2))
	off2 := second.onAir(publish.Options{})
	w.until("the second too", whole(30, 4))
	off2()
	lost := w.until("the second camera left", func(st Status) bool {
		return slices.ContainsFunc(st.Alarms, func(a Alarm) bool { return a.Code == alarmSource && a.Source == second.source.ID })
	})
	sentBefore := len(second.sent[evidence.Video])
	off3 := second.onAir(publish.Options{})
	w.until("it is back", func(st Status) bool {
		return whole(lost.Tracks[0].Frames.Whole+60, 4)(st) || st.Tracks[2].Frames.Whole > lost.Tracks[2].Frames.Whole+40
	})
	w.stop()
	off()
	off3()
	m := w.manifest()
	if len(m.Parts) != 2 || m.Parts[1].Cause != "reconnect" {
		t.Errorf("parts %+v", m.Parts)
	}
	files := w.recorded()
	if got := w.of(files, first, evidence.Video); len(got) != 1 || got[0].part != 1 {
		t.Errorf("the camera that never left has %d files", len(got))
	}
	v := w.of(files, second, evidence.Video)
	if len(v) != 2 || v[1].part != 2 || v[0].track.ID != v[1].track.ID {
		t.Fatalf("the camera that came back has %d files", len(v))
	}
	same(t, evidence.Video, v[0].frames, second.sent[evidence.Video][:sentBefore])
	contained(t, evidence.Video, v[1].frames, second.sent[evidence.Video][sentBefore:])
	if v[1].frames[0].time != second.sent[evidence.Video][sentBefore].time {
		t.Error("the first frame after the return is missing")
	}
	contained(t, evidence.Video, w.of(files, first, evidence.Video)[0].frames, first.sent[evidence.Video])
	for _, f := range files {
		plays(t, f.file)
	}
	away := 0
	for _, g := range m.Gaps {
		if g.Cause == causeAway {
			away++
		}
	}
	if away != 2 {
		t.Errorf("gaps %+v", m.Gaps)
	}
}

func TestRecordingStopsWhenConsentEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	w.start()
	off := cam.onAir(publish.Options{})
	defer off()
	w.until("it records", whole(30, 2))
	w.gate.refuse(true)
	w.store.emit(custody.Event{At: evidence.At(time.Now()), Kind: eventConsentEnded, Interview: w.iv.ID})
	w.until("it is sealed", func(st Status) bool { return st.Sealed })
	m := w.manifest()
	if !slices.ContainsFunc(m.Events, func(e evidence.Event) bool { return e.Kind == evidence.EventConsentEnded }) {
		t.Errorf("events %+v", m.Events)
	}
	if _, err := w.rec.Publish(t.Context(), cam.source.ID, cam.token, ""); !errors.Is(err, evidence.ErrConflict) {
		t.Errorf("publishing afterwards: %v", err)
	}
}

// Whatever takes a ready interview its readiness ends what is received of it,
// which is kept in memory only.
func TestSourcesAreLetGoWhenReadinessEnds(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{eventNotReady, eventCancel} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			cam := w.camera(evidence.SourceCloseUp)
			off := cam.onAir(publish.Options{})
			defer off()
			w.until("it sends", func(st Status) bool { return len(st.Tracks) == 2 })
			before := w.rec.active(w.iv.ID)
			session := before.allSources()[0].session
			if kind == eventNotReady {
				// Lost and given again before the recorder looks: nothing ends.
				w.rec.consentEnded(t.Context(), custody.Event{Kind: kind, Interview: w.iv.ID})
				if w.rec.active(w.iv.ID) != before {
					t.Error("let go although everything is there")
				}
				w.gate.refuse(true)
			}
			w.store.emit(custody.Event{At: evidence.At(time.Now()), Kind: kind, Interview: w.iv.ID})
			select {
			case <-session.Done():
			case <-time.After(20 * time.Second):
				t.Fatal("the session goes on")
			}
			if w.rec.active(w.iv.ID) != nil {
				t.Error("the sitting is still there")
			}
			// A start that waited for its turn must not go on with it.
			w.gate.refuse(false)
			if before.over() != true {
				t.Error("the sitting could still be started")
			}
		})
	}
}

func TestStoresThatAreDownStopNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	w.start()
	off := cam.onAir(publish.Options{})
	w.until("it records", whole(30, 2))
	w.store.setDown(true)
	w.objects.setDown(true)
	st := w.until("segments pile up", func(st Status) bool { return st.Storage.Pending >= 3 })
	if _, err := w.rec.Pause(t.Context(), w.actor, w.iv.ID, ""); err != nil {
		t.Errorf("pausing without a database: %v", err)
	}
	if _, err := w.rec.Resume(t.Context(), w.actor, w.iv.ID); err != nil {
		t.Errorf("resuming without a database: %v", err)
	}
	st = w.until("alarms are raised", func(st Status) bool {
		has := func(code string) bool {
			return slices.ContainsFunc(st.Alarms, func(a Alarm) bool { return a.Code == code })
		}
		return has(alarmDatabase) && has("spool.store")
	})
	w.until("it still records", whole(st.Tracks[0].Frames.Whole+60, 2))
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := w.rec.Stop(ctx, w.actor, w.iv.ID); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("sealed without a database: %v", err)
	}
	w.store.setDown(false)
	w.objects.setDown(false)
	w.stop()
	off()
	m := w.manifest()
	if len(m.Parts) != 2 {
		t.Errorf("parts %+v", m.Parts)
	}
	for _, f := range w.recorded() {
		contained(t, f.track.Kind, f.frames, cam.sent[f.track.Kind])
	}
}

// A sender that repeats nothing loses what the network loses. Then what was sent
// is what is whole plus what is declared missing.
func TestTheAccountBalances(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	w.start()
	result, err := cam.play(t.Context(), publish.Options{Duration: 8 * time.Second, PlainAudio: true, Impairment: publish.Impairment{Loss: 0.05, Delay: 20 * time.Millisecond, Seed: 11}})
	if err != nil {
		t.Fatal(err)
	}
	st := w.stop()
	for _, ts := range st.Tracks {
		t.Logf("%s %+v %+v", ts.Name, ts.Packets, ts.Frames)
		if ts.Kind != evidence.Audio {
			continue
		}
		// What is lost before the first and after the last packet nobody can see.
		f := w.of(w.recorded(), cam, evidence.Audio)[0]
		sent := cam.sent[evidence.Audio]
		from := slices.IndexFunc(sent, func(s sentFrame) bool { return s.time == f.frames[0].time })
		to := slices.IndexFunc(sent, func(s sentFrame) bool { return s.time == f.frames[len(f.frames)-1].time })
		if got, want := ts.Frames.Whole+ts.Frames.Missing+ts.Frames.Damaged, int64(to-from+1); got != want {
			t.Errorf("%d whole and declared, %d of %d sent in between", got, want, result.AudioFrames)
		}
		if ts.Packets.Lost == 0 {
			t.Error("the network lost nothing")
		}
		var declared int64
		for _, g := range w.manifest().Gaps {
			if g.Track == ts.Track && g.Cause == causeLoss {
				declared += g.Frames
			}
		}
		if declared != ts.Frames.Missing {
			t.Errorf("gaps declare %d frames, the count is %d", declared, ts.Frames.Missing)
		}
		plays(t, f.file)
	}
}
