package recorder

import (
	"errors"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/publish"
)

// crash returns the world as a process finds it that starts after this one was
// killed at this moment: what was written to files is there, what was in memory
// is not.
func (w *world) crash() *world {
	w.t.Helper()
	after := &world{t: w.t, dir: w.t.TempDir(), store: newMemoryStore(), gate: w.gate, keys: w.keys, seal: w.seal, actor: w.actor, iv: w.iv, partial: w.partial, logKey: w.logKey, witnesses: w.witnesses}
	// First the spool: what reaches a store later is found there as well.
	copyTree(w.t, filepath.Join(w.dir, "spool"), filepath.Join(after.dir, "spool"))
	w.store.mu.Lock()
	s := w.store
	after.store.interviews, after.store.segments = maps.Clone(s.interviews), maps.Clone(s.segments)
	after.store.checkpoints = maps.Clone(s.checkpoints)
	after.store.keys, after.store.recipients, after.store.sealed = maps.Clone(s.keys), maps.Clone(s.recipients), maps.Clone(s.sealed)
	after.store.sources, after.store.tracks, after.store.entries = slices.Clone(s.sources), slices.Clone(s.tracks), slices.Clone(s.entries)
	after.store.devices, after.store.manifests = slices.Clone(s.devices), slices.Clone(s.manifests)
	w.store.mu.Unlock()
	w.objects.mu.Lock()
	after.objects = &memoryObjects{data: maps.Clone(w.objects.data)}
	w.objects.mu.Unlock()
	after.open()
	w.t.Cleanup(after.close)
	return after
}

func copyTree(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // released meanwhile
		}
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if d.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAKilledRecorderGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	w.start()
	off := cam.onAir(publish.Options{})
	for _, point := range []int64{1, 20, 70, 100, 150} {
		at := w.until("the next point", whole(point, 2))
		journal := w.rec.active(w.iv.ID).journal
		begin := time.Now()
		if err := journal.Wait(t.Context(), journal.Status().Appended); err != nil {
			t.Fatal(err)
		}
		t.Logf("synced after %v", time.Since(begin).Round(time.Millisecond))
		after := w.crash()
		st, err := after.rec.Status(t.Context(), w.iv.ID)
		if err != nil || st.State != evidence.StateRecording {
			t.Fatalf("after the crash: %v, %v", st.State, err)
		}
		back := &camera{w: after, source: cam.source, token: cam.token, sent: map[evidence.TrackKind][]sentFrame{}}
		offBack := back.onAir(publish.Options{})
		more := st.Tracks
		after.until("the source is back", func(st Status) bool {
			return len(st.Tracks) == 2 && !slices.ContainsFunc(st.Tracks, func(ts TrackStatus) bool {
				i := slices.IndexFunc(more, func(o TrackStatus) bool { return o.Track == ts.Track })
				return i < 0 && ts.Frames.Whole < 30 || i >= 0 && ts.Frames.Whole < more[i].Frames.Whole+30
			})
		})
		after.stop()
		offBack()
		m := after.manifest()
		files := after.recorded()
		cam.mu.Lock()
		for _, kind := range []evidence.TrackKind{evidence.Video, evidence.Audio} {
			total := int64(0)
			for _, f := range after.of(files, cam, kind) {
				total += int64(len(f.frames))
				if f.part == 1 {
					contained(t, kind, f.frames, cam.sent[kind])
					// What the journal had synced is there, to the frame.
					behind := at.Tracks[0].Frames.Whole
					if kind == evidence.Audio {
						behind = at.Tracks[1].Frames.Whole
					}
					if missing := behind - int64(len(f.frames)); missing > 0 {
						t.Errorf("point %d: %d %s frames were lost in the crash", point, missing, kind)
					}
				} else {
					contained(t, kind, f.frames, back.sent[kind])
				}
				plays(t, f.file)
			}
			for _, mt := range m.Tracks {
				if mt.Kind == kind && (mt.Frames.Whole != total || mt.Frames.Missing != 0 || mt.Frames.Damaged != 0) {
					t.Errorf("point %d: manifest says %+v, %d are there", point, mt.Frames, total)
				}
			}
		}
		cam.mu.Unlock()
		if last := m.Parts[len(m.Parts)-1]; len(m.Parts) != 2 || last.Cause != "restart" {
			t.Errorf("point %d: parts %+v", point, m.Parts)
		}
		if !slices.ContainsFunc(m.Events, func(e evidence.Event) bool { return e.Kind == evidence.EventRestart }) {
			t.Errorf("point %d: events %+v", point, m.Events)
		}
		after.close()
	}
	w.stop()
	off()
}

func TestACrashWhileStoppingStillSeals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	w.start()
	off := cam.onAir(publish.Options{})
	w.until("it records", whole(80, 2))
	w.objects.setDown(true)
	sealed := make(chan error, 1)
	go func() {
		_, err := w.rec.Stop(t.Context(), w.actor, w.iv.ID)
		sealed <- err
	}()
	before := w.until("it is stopping", func(st Status) bool { return st.State == evidence.StateStopping })
	if err := w.rec.active(w.iv.ID).journal.Sync(t.Context()); err != nil { // so that the phase is there
		t.Fatal(err)
	}
	after := w.crash()
	after.objects.setDown(false)
	st := after.until("it is sealed", func(st Status) bool { return st.Sealed })
	for i := range st.Tracks {
		if d := before.Tracks[i].Frames.Whole - st.Tracks[i].Frames.Whole; d > 25 {
			t.Errorf("%d frames were lost", d)
		}
	}
	after.manifest()
	w.objects.setDown(false)
	if err := <-sealed; err != nil {
		t.Error(err)
	}
	off()
}

// Closing the recorder ends no recording either, and loses nothing.
func TestAnOrderlyRestartLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	w.start()
	off := cam.onAir(publish.Options{})
	w.until("it records", whole(45, 2))
	w.close()
	off()
	w.open()
	st, err := w.rec.Status(t.Context(), w.iv.ID)
	if err != nil || st.State != evidence.StateRecording {
		t.Fatalf("%v %v", st.State, err)
	}
	w.stop()
	m := w.manifest()
	for _, f := range w.recorded() {
		contained(t, f.track.Kind, f.frames, cam.sent[f.track.Kind])
		plays(t, f.file)
	}
	if len(m.Tracks) != 2 {
		t.Errorf("tracks %+v", m.Tracks)
	}
}

// A database that was set back knows nothing of a recording whose journal is
// there. The journal is the only copy: it is not thrown away.
func TestAJournalThatTheDatabaseDoesNotKnowIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cam := w.camera(evidence.SourceCloseUp)
	w.start()
	off := cam.onAir(publish.Options{})
	w.until("it records", whole(20, 2))
	off()
	w.close()
	w.store.mu.Lock()
	iv := w.store.interviews[w.iv.ID]
	started := iv
	iv.State, iv.StartedAt = evidence.StateReady, 0
	w.store.interviews[w.iv.ID] = iv
	w.store.mu.Unlock()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(t.Context(), Config{Store: w.store, Objects: w.objects, Keys: w.keys, Seal: w.seal, Gate: w.gate, Facts: fixedFacts{},
		SpoolDir: filepath.Join(w.dir, "spool"), UDP: udp, Software: "toldonce test"})
	if !errors.Is(err, evidence.ErrMissingState) {
		t.Fatalf("opened with a journal that the database does not know: %v", err)
	}
	w.store.mu.Lock()
	w.store.interviews[w.iv.ID] = started
	w.store.mu.Unlock()
	w.open()
	defer w.close()
	if st := w.stop(); !st.Sealed || st.Tracks[0].Frames.Whole < 20 {
		t.Errorf("%+v", st)
	}
}
