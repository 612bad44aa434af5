package recorder

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/leaving"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/internal/testenv"
	"github.com/toldonce/toldonce/recorder/publish"
	"github.com/toldonce/toldonce/recorder/quality"
)

// still is a film in which nothing moves.
func still(t *testing.T) *publish.Clip {
	t.Helper()
	file := filepath.Join(t.TempDir(), "still.mp4")
	out, err := exec.Command(testenv.Tool(t, "ffmpeg"), "-v", "error",
		"-f", "lavfi", "-i", "color=gray:s=320x180:r=30:d=4", "-f", "lavfi", "-i", "sine=r=48000:d=4",
		"-pix_fmt", "yuv420p", "-c:v", "libx264", "-profile:v", "baseline", "-bf", "0", "-g", "60", "-preset", "ultrafast",
		"-video_track_timescale", "90000", "-c:a", "libopus", "-ac", "2", file).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	clip, err := publish.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	return clip
}

func alarms(code string) func(Status) bool {
	return func(st Status) bool {
		return slices.ContainsFunc(st.Alarms, func(a Alarm) bool { return a.Code == code })
	}
}

// What was looked at before the start, and what the recorder and the page found wrong
// while it ran, from when to when and why, stand in the sealed manifest.
func TestQualityIsSaidAndSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	off := cam.onAir(publish.Options{Clip: still(t)})
	w.until("both tracks arrive, and how fast", func(st Status) bool {
		return whole(10, 2)(st) && slices.ContainsFunc(st.Tracks, func(t TrackStatus) bool { return t.Rate > 0 })
	})
	lines := w.rec.CheckSources(w.iv.ID)
	for _, code := range []string{evidence.CheckReceivedRate, evidence.CheckReceivedSound, evidence.CheckSync} {
		if !slices.ContainsFunc(lines, func(c evidence.Check) bool { return c.Code == code && c.Source == cam.source.ID }) {
			t.Errorf("no line %s in %+v", code, lines)
		}
	}
	unknown := []evidence.Check{{Code: evidence.CheckPictureRate, Verdict: evidence.CheckGood, Source: evidence.NewID()}}
	if err := w.rec.NoteCheck(t.Context(), w.iv.ID, unknown, false); err == nil {
		t.Error("a line about a source that is not of this interview was taken")
	}
	checks := []evidence.Check{
		{Code: evidence.CheckPictureMoves, Verdict: evidence.CheckStop, Source: cam.source.ID},
		{Code: evidence.CheckDatabase, Verdict: evidence.CheckGood},
	}
	if err := w.rec.NoteCheck(t.Context(), w.iv.ID, checks, true); err != nil {
		t.Fatal(err)
	}
	w.start()
	if err := w.rec.NoteCheck(t.Context(), w.iv.ID, checks, false); err == nil {
		t.Error("a check was noted after the start")
	}
	if err := w.rec.ReportHealth(t.Context(), cam.source.ID, cam.token, []quality.Cause{"no-such-thing"}); err == nil {
		t.Error("an unknown cause was taken")
	}
	if err := w.rec.ReportHealth(t.Context(), cam.source.ID, "wrong", nil); err == nil {
		t.Error("a report without the source's token was taken")
	}
	if err := w.rec.ReportHealth(t.Context(), cam.source.ID, cam.token, []quality.Cause{quality.Black}); err != nil {
		t.Fatal(err)
	}
	w.until("the picture stands still", alarms("quality.picture_frozen"))
	w.until("the page says it is black", alarms("quality.picture_black"))
	if now, err := w.rec.Leaving(t.Context(), w.iv.ID); err != nil || now.File != nil || now.Record.Verdict != leaving.Look {
		t.Errorf("while it is recorded: %v, %+v", err, now)
	}
	st := w.stop()
	off()
	if len(st.Alarms) != 0 {
		t.Errorf("alarms of a sealed recording: %+v", st.Alarms)
	}
	left, err := w.rec.Leaving(t.Context(), w.iv.ID)
	if err != nil || left.File == nil || left.Record.Verdict != leaving.Look || !left.Record.Overruled || len(left.Record.Before) != 2 {
		t.Fatalf("the check before the child leaves: %v, %+v", err, left)
	}
	file, record, err := leaving.Parse(left.File)
	if err != nil {
		t.Fatal(err)
	}
	if _, findings := leaving.Bundle(file, w.seal.Trust(), nil, "check"); findings.Any(seal.Fails) || findings.Of("leaving.signature") != seal.Holds {
		t.Errorf("its seal: %+v", findings)
	}
	if !record.Judged(w.manifest(), w.store.sealed[w.iv.Recording].Manifest) {
		t.Error("it does not say what follows from the manifest")
	}
	if e := w.store.entries[len(w.store.entries)-1]; e.Action != actionLeaving || e.Details["verdict"] != leaving.Look {
		t.Errorf("custody entry: %+v", e)
	}
	var kinds []string
	began := map[string]evidence.Offset{}
	ended := map[string]evidence.Offset{}
	var stop evidence.Offset
	for _, e := range w.manifest().Events {
		switch e.Kind {
		case evidence.EventCheckStop, evidence.EventCheckGood, evidence.EventCheckOverruled:
			kinds = append(kinds, e.Kind+" "+e.Value)
		case evidence.EventQualityBegan:
			began[e.Value] = e.At
		case evidence.EventQualityEnded:
			ended[e.Value] = e.At
		case evidence.EventStop:
			stop = e.At
		}
	}
	if want := []string{"check-stop picture-moves", "check-good database", "check-overruled "}; !slices.Equal(kinds, want) {
		t.Errorf("events of the check: %q", kinds)
	}
	for _, c := range []quality.Cause{quality.Frozen, quality.Black} {
		from, until := began[string(c)], ended[string(c)]
		if until <= from || until > stop {
			t.Errorf("%s from %s until %s; stopped at %s", c, from.Duration(), until.Duration(), stop.Duration())
		}
	}
}

// After a crash nobody knows for how long it went on: what held is ended at the
// restart, once.
func TestQualityOfALostRunIsEnded(t *testing.T) {
	s := newSitting(&Recorder{}, evidence.Interview{})
	s.r.cfg.Clock = time.Now
	source := evidence.NewID()
	s.events = []evidence.Event{
		{Kind: evidence.EventQualityBegan, Source: source, Value: "sound-silent"},
		{Kind: evidence.EventQualityEnded, Source: source, Value: "sound-silent"},
		{Kind: evidence.EventQualityBegan, Source: source, Value: "sound-silent"},
		{Kind: evidence.EventQualityBegan, Source: source, Value: "picture-frozen"},
	}
	s.qualityLostLocked(7)
	s.qualityLostLocked(8)
	var got []string
	for _, e := range s.events[4:] {
		if e.Kind != evidence.EventQualityEnded || e.Source != source || e.At != 7 {
			t.Errorf("%+v", e)
		}
		got = append(got, e.Value)
	}
	if want := []string{"sound-silent", "picture-frozen"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
