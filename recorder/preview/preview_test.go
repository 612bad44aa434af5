package preview

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/recorder/ffmpeg"
)

// shelf is a store, an object store and a keyring for one interview.
type shelf struct {
	iv       evidence.Interview
	tracks   []evidence.Track
	segments []evidence.Segment
	key      envelope.DataKey
	erased   bool
	objects  map[string][]byte
	pages    []evidence.PreviewPage
	entry    custody.Entry
	claims   int
	saved    chan struct{}
}

func (s *shelf) ClaimPreviews(context.Context, evidence.ID, time.Duration) (evidence.Interview, error) {
	if s.claims++; s.claims > 1 {
		return evidence.Interview{}, evidence.ErrNotFound
	}
	return s.iv, nil
}

func (s *shelf) SavePreviews(_ context.Context, _, _ evidence.ID, pages []evidence.PreviewPage, entry custody.Entry) error {
	s.pages, s.entry = pages, entry
	close(s.saved)
	return nil
}
func (s *shelf) Tracks(context.Context, evidence.ID) ([]evidence.Track, error) { return s.tracks, nil }
func (s *shelf) Segments(context.Context, evidence.ID) ([]evidence.Segment, error) {
	return s.segments, nil
}
func (s *shelf) RecordingKey(context.Context, evidence.ID) ([]byte, string, error) {
	recipient, err := s.key.Recipient()
	return nil, recipient, err
}
func (s *shelf) EventsAfter(context.Context, int64, custody.EventFilter, int) ([]custody.Event, error) {
	return nil, nil
}
func (s *shelf) LastEvent(context.Context) (int64, error) { return 0, nil }
func (s *shelf) Changed() <-chan struct{}                 { return nil }
func (s *shelf) OpenRecordingKey(context.Context, evidence.ID, []byte) (envelope.DataKey, error) {
	if s.erased {
		return envelope.DataKey{}, envelope.ErrErased
	}
	return s.key, nil
}

func (s *shelf) Put(_ context.Context, key string, body []byte, sum evidence.Digest, retain time.Time) (string, error) {
	if envelope.Sum(body) != sum || !retain.IsZero() {
		return "", evidence.ErrInvalid
	}
	s.objects[key] = body
	return "v1", nil
}

func (s *shelf) Get(_ context.Context, key, _ string) ([]byte, error) {
	if body, ok := s.objects[key]; ok {
		return body, nil
	}
	return nil, evidence.ErrNotFound
}

func (s *shelf) add(t *testing.T, l evidence.Leaf, plain []byte) {
	t.Helper()
	recipient, err := s.key.Recipient()
	if err != nil {
		t.Fatal(err)
	}
	cipher, p, c, err := envelope.Encrypt(recipient, plain)
	if err != nil {
		t.Fatal(err)
	}
	l.Plain, l.Cipher, l.Recording = p, c, s.iv.Recording
	key := string(evidence.NewID())
	s.objects[key] = cipher
	s.segments = append(s.segments, evidence.Segment{Leaf: l, Position: int64(len(s.segments)), ObjectKey: key})
}

// record cuts the demonstration's clip into fragments as the recorder writes them.
// damage may change the frames of a fragment before it is written.
func record(t *testing.T, damage func(kind evidence.TrackKind, index int, frame []byte)) *shelf {
	t.Helper()
	raw, err := os.ReadFile("../publish/clip.mp4")
	if err != nil {
		t.Fatal(err)
	}
	file, err := mp4.DecodeFile(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{iv: evidence.Interview{ID: evidence.NewID(), Recording: evidence.NewID(), Agency: evidence.NewID()}, key: envelope.NewDataKey(),
		objects: map[string][]byte{}, saved: make(chan struct{})}
	for _, trak := range file.Moov.Traks {
		kind, label := evidence.Video, "video"
		if trak.Mdia.Minf.Stbl.Stsd.Opus != nil {
			kind, label = evidence.Audio, "audio"
		}
		scale := int64(trak.Mdia.Mdhd.Timescale)
		track := evidence.Track{ID: evidence.NewID(), Interview: s.iv.ID, Kind: kind, Timescale: scale}
		s.tracks = append(s.tracks, track)
		init := mp4.CreateEmptyInit()
		init.AddEmptyTrack(uint32(scale), label, "und")
		for _, entry := range trak.Mdia.Minf.Stbl.Stsd.Children {
			init.Moov.Trak.Mdia.Minf.Stbl.Stsd.AddChild(entry)
		}
		var b bytes.Buffer
		if err := init.Encode(&b); err != nil {
			t.Fatal(err)
		}
		s.add(t, evidence.Leaf{Kind: evidence.LeafInit, Track: track.ID}, bytes.Clone(b.Bytes()))
		meta, err := trak.GetSampleData(1, trak.GetNrSamples())
		if err != nil {
			t.Fatal(err)
		}
		var fragment *mp4.Fragment
		var body []byte
		var at, from int64
		index := 0
		flush := func() {
			if fragment == nil {
				return
			}
			if damage != nil {
				damage(kind, index, body)
			}
			fragment.Moof.Traf.Tfdt.SetBaseMediaDecodeTime(uint64(from))
			fragment.Moof.Traf.Tfdt.Version = 1
			fragment.Mdat.Data = body
			b.Reset()
			if err := fragment.Encode(&b); err != nil {
				t.Fatal(err)
			}
			s.add(t, evidence.Leaf{Kind: evidence.LeafMedia, Track: track.ID, Index: index, Independent: true, Duration: at - from,
				Start: evidence.Offset(from * 1_000_000 / scale), End: evidence.Offset(at * 1_000_000 / scale)}, bytes.Clone(b.Bytes()))
			fragment, body, from = nil, nil, at
			index++
		}
		for i, sample := range meta {
			if kind == evidence.Video && mp4.IsSyncSampleFlags(sample.Flags) || kind == evidence.Audio && at-from >= 2*scale {
				flush()
			}
			if fragment == nil {
				if fragment, err = mp4.CreateFragment(uint32(index+1), 1); err != nil {
					t.Fatal(err)
				}
			}
			ranges, err := trak.GetRangesForSampleInterval(uint32(i+1), uint32(i+1))
			if err != nil {
				t.Fatal(err)
			}
			frame := raw[ranges[0].Offset : ranges[0].Offset+ranges[0].Size]
			flags := mp4.NonSyncSampleFlags
			if mp4.IsSyncSampleFlags(sample.Flags) || kind == evidence.Audio {
				flags = mp4.SyncSampleFlags
			}
			fragment.Moof.Traf.Trun.AddSample(mp4.NewSample(flags, sample.Dur, uint32(len(frame)), 0))
			body = append(body, frame...)
			at += int64(sample.Dur)
		}
		flush()
		// What else a track has is neither seen nor heard.
		s.add(t, evidence.Leaf{Kind: evidence.LeafLedger, Track: track.ID}, []byte("{}"))
	}
	return s
}

func tool(t *testing.T) *ffmpeg.Tool {
	t.Helper()
	tool, err := ffmpeg.Find(t.Context())
	if err != nil {
		t.Fatalf("%v: run scripts/setup", err)
	}
	return tool
}

func (s *shelf) make(t *testing.T) map[evidence.PreviewKind]map[int][]byte {
	t.Helper()
	m := New(Config{Store: s, Objects: s, Keys: s, Tool: tool(t), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err := m.Make(t.Context(), s.iv); err != nil {
		t.Fatal(err)
	}
	id, err := s.key.Identity()
	if err != nil {
		t.Fatal(err)
	}
	out := map[evidence.PreviewKind]map[int][]byte{evidence.PreviewPictures: {}, evidence.PreviewLevels: {}}
	for _, p := range s.pages {
		plain, err := envelope.Decrypt(id, s.objects[p.ObjectKey])
		if err != nil {
			t.Fatal(err)
		}
		items, err := Read(p, plain)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			out[p.Kind][item.Index] = item.Data
		}
	}
	return out
}

func TestEachSegmentHasItsPictureAndItsLoudness(t *testing.T) {
	s := record(t, nil)
	made := s.make(t)
	if n := len(made[evidence.PreviewPictures]); n != 10 {
		t.Errorf("%d pictures of 10 segments", n)
	}
	for index, data := range made[evidence.PreviewPictures] {
		picture, err := jpeg.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("picture %d: %v", index, err)
		}
		if size := picture.Bounds().Size(); size.X != 192 || size.Y != 108 {
			t.Errorf("picture %d is %v, not 192x108", index, size)
		}
	}
	loudest := byte(0)
	for index, data := range made[evidence.PreviewLevels] {
		if index < 9 && (len(data) < 19 || len(data) > 21) {
			t.Errorf("segment %d of 2 s has %d levels", index, len(data))
		}
		for _, level := range data {
			loudest = max(loudest, level)
		}
	}
	if loudest < 100 {
		t.Errorf("the loudest moment of the clip is %d", loudest)
	}
	if s.entry.Action != EntryMade || s.entry.Details["pictures"] != "1" || s.entry.Details["levels"] != "1" || len(s.entry.Details["digests"]) != 64 {
		t.Errorf("the entry is %+v", s.entry)
	}
}

func TestADamagedFrameCostsItsOwnPictureOnly(t *testing.T) {
	whole := record(t, nil).make(t)
	hurt := record(t, func(kind evidence.TrackKind, index int, frames []byte) {
		if kind == evidence.Video && index == 4 {
			for i := 4; i < 400; i++ {
				frames[i] = 0xff
			}
		}
	}).make(t)
	for index, data := range whole[evidence.PreviewPictures] {
		got, there := hurt[evidence.PreviewPictures][index]
		if index == 4 {
			if there && bytes.Equal(got, data) {
				t.Error("the damaged segment shows the picture of the whole one")
			}
			continue
		}
		if !bytes.Equal(got, data) {
			t.Errorf("segment %d does not show its own picture", index)
		}
	}
}

func TestAnErasedRecordingHasNoPreviews(t *testing.T) {
	s := record(t, nil)
	s.erased = true
	if err := New(Config{Store: s, Objects: s, Keys: s, Tool: tool(t)}).Make(t.Context(), s.iv); err != nil {
		t.Fatal(err)
	}
	if len(s.pages) != 0 || s.entry.Action != EntryMade {
		t.Errorf("%d pages, entry %+v", len(s.pages), s.entry)
	}
}

func TestRunMakesWhatIsSealedAndEnds(t *testing.T) {
	s := record(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- New(Config{Store: s, Objects: s, Keys: s, Tool: tool(t), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}).Run(ctx)
	}()
	<-s.saved
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestReadRefusesWhatItIsNot(t *testing.T) {
	recording, track := evidence.NewID(), evidence.NewID()
	is := func(body string) evidence.PreviewPage {
		return evidence.PreviewPage{Recording: recording, Track: track, Kind: evidence.PreviewLevels, Plain: envelope.Sum([]byte(body))}
	}
	good := `{"type":"toldonce/preview","version":1,"recording":"` + string(recording) + `","track":"` + string(track) + `","kind":"levels","items":[{"index":3,"data":"AQI="}]}`
	if items, err := Read(is(good), []byte(good)); err != nil || len(items) != 1 || items[0].Index != 3 || !bytes.Equal(items[0].Data, []byte{1, 2}) {
		t.Errorf("%+v, %v", items, err)
	}
	for name, body := range map[string]string{
		"a later version": bytesReplace(good, `"version":1`, `"version":2`), "another track": bytesReplace(good, string(track), string(recording)),
		"another kind": bytesReplace(good, "levels", "pictures"), "no JSON": "{",
	} {
		if _, err := Read(is(body), []byte(body)); !errors.Is(err, evidence.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Read(is(good), []byte(good+" ")); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("other bytes: %v", err)
	}
}

func bytesReplace(s, old, new string) string {
	return string(bytes.ReplaceAll([]byte(s), []byte(old), []byte(new)))
}

func FuzzSplitJPEG(f *testing.F) {
	f.Add([]byte{0xff, 0xd8, 0xff, 0xda, 0, 2, 1, 0xff, 0, 2, 0xff, 0xd9, 0xff, 0xd8, 0xff, 0xd9})
	f.Add([]byte{0xff, 0xd8, 0xff, 0xe0, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		var joined []byte
		for _, file := range splitJPEG(b) {
			if len(file) < 4 || file[len(file)-1] != 0xd9 {
				t.Fatalf("no JPEG: %x", file)
			}
			joined = append(joined, file...)
		}
		if !bytes.HasPrefix(b, joined) {
			t.Fatal("what was cut apart is not what came")
		}
	})
}
