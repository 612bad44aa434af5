package recorder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/publish"
)

// Disk and memory fill up while a camera sends. What is lost then is declared,
// frame by frame, and the recording goes on once there is space. It needs the
// right to mount a small file system, as in a container's root.
func TestWhatNeitherDiskNorMemoryTakesIsDeclared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.close()
	spool, ok := w.smallDisk()
	if !ok {
		return
	}
	w.backlog = 256 << 10
	w.open()
	cam := w.camera(evidence.SourceCloseUp)
	w.start()
	ballast := filepath.Join(spool, "ballast")
	off := cam.onAir(publish.Options{})
	w.until("it records", whole(30, 2))
	fill(t, ballast)
	has := func(code string) func(Status) bool {
		return func(st Status) bool {
			return slices.ContainsFunc(st.Alarms, func(a Alarm) bool { return a.Code == code })
		}
	}
	w.until("memory is full", has("spool.backlog"))
	w.until("frames are refused", func(Status) bool { return w.rec.metrics.journalErrors.Load() > 60 })
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	back := w.until("memory is written down", func(st Status) bool { return !has("spool.backlog")(st) && !has("spool.write")(st) })
	w.until("it records again", func(st Status) bool { return whole(back.Tracks[0].Frames.Whole+30, 2)(st) })
	st := w.stop()
	off()
	gaps := w.manifest().Gaps
	files := w.recorded()
	for _, ts := range st.Tracks {
		var declared int64
		for _, g := range gaps {
			if g.Track == ts.Track && g.Cause == causeFull {
				declared += g.Frames
				if g.End <= g.Start {
					t.Errorf("an empty gap %+v", g)
				}
			}
		}
		if declared == 0 || declared != ts.Frames.Missing {
			t.Errorf("%s: gaps declare %d frames, the count is %d", ts.Name, declared, ts.Frames.Missing)
		}
		f := w.of(files, cam, ts.Kind)
		sent := cam.sent[ts.Kind]
		last := f[len(f)-1].frames
		from := slices.IndexFunc(sent, func(s sentFrame) bool { return s.time == f[0].frames[0].time })
		to := slices.IndexFunc(sent, func(s sentFrame) bool { return s.time == last[len(last)-1].time })
		if got, want := ts.Frames.Whole+ts.Frames.Missing, int64(to-from+1); got != want {
			t.Errorf("%s: %d whole and declared, %d sent", ts.Name, got, want)
		}
		// A picture that was built on one that is missing is kept: a decoder may complain.
		for _, file := range f {
			for _, frame := range file.frames {
				if !slices.ContainsFunc(sent, func(s sentFrame) bool { return s.time == frame.time && string(s.data) == string(frame.data) }) {
					t.Errorf("%s: a recorded frame is none that was sent", ts.Name)
				}
			}
		}
	}
}

// smallDisk puts the spool onto a file system of its own. ok is false without the
// right to mount one.
func (w *world) smallDisk() (spool string, ok bool) {
	w.t.Helper()
	spool = filepath.Join(w.dir, "spool")
	if err := syscall.Mount("tmpfs", spool, "tmpfs", 0, fmt.Sprintf("size=%d", 24<<20)); err != nil {
		if os.Geteuid() != 0 || errors.Is(err, syscall.EPERM) {
			w.t.Logf("no right to mount a small file system: %v", err)
			return "", false
		}
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		w.close()
		if err := syscall.Unmount(spool, syscall.MNT_DETACH); err != nil {
			w.t.Error(err)
		}
	})
	return spool, true
}

// A disk that is full when the interviewer stops keeps nothing from being sealed:
// what memory holds is stored, and no checkpoint waits for the disk.
func TestAStopOnAFullDiskSeals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.close()
	spool, ok := w.smallDisk()
	if !ok {
		return
	}
	w.open()
	cam := w.camera(evidence.SourceCloseUp)
	w.start()
	off := cam.onAir(publish.Options{})
	w.until("it records", whole(30, 2))
	fill(t, filepath.Join(spool, "ballast"))
	full := w.until("the disk is full", func(st Status) bool {
		return slices.ContainsFunc(st.Alarms, func(a Alarm) bool { return a.Code == "spool.write" })
	})
	w.until("it records on in memory", whole(full.Tracks[0].Frames.Whole+30, 2))
	if st := w.stop(); !st.Sealed {
		t.Errorf("after a stop on a full disk it is %s", st.State)
	}
	off()
	for _, f := range w.recorded() {
		contained(t, f.track.Kind, f.frames, cam.sent[f.track.Kind])
	}
}

// fill takes all space that is left beside a file.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); ; {
		if _, err := f.Write(block); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			return
		}
	}
}
