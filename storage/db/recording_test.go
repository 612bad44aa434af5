package db

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence"
)

func (in *installation) state(t testing.TB, iv evidence.Interview) evidence.Interview {
	t.Helper()
	now, err := in.Interview(t.Context(), iv.ID)
	if err != nil {
		t.Fatal(err)
	}
	return now
}

func (in *installation) moved(t testing.TB, iv evidence.Interview, to evidence.State) evidence.Interview {
	t.Helper()
	out, err := in.Transition(t.Context(), iv.ID, []evidence.State{in.state(t, iv).State}, to, evidence.At(in.clock()), act("interview.move"))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestInterviewGoesThroughItsStates(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		iv := in.interview(t, evidence.StatePlanned)
		in.moved(t, iv, evidence.StateReady)
		in.pass(1_000_000)
		started := in.moved(t, iv, evidence.StateRecording)
		in.pass(1_000_000)
		in.moved(t, iv, evidence.StatePaused)
		again := in.moved(t, iv, evidence.StateRecording)
		in.pass(1_000_000)
		stopped := in.moved(t, iv, evidence.StateStopping)
		now := in.state(t, iv)
		if now != stopped || now.Version != 6 || again.StartedAt != started.StartedAt || now.StartedAt != started.StartedAt || now.StoppedAt != evidence.At(in.clock()) || now.SealedAt != 0 {
			t.Fatalf("%+v", now)
		}
		record, err := in.Entry(t.Context(), in.size(t)-1)
		if err != nil {
			t.Fatal(err)
		}
		l := record.Leaf
		if l.Interview != iv.ID || l.Case != iv.Case || l.Agency != iv.Agency || l.Details["from"] != "recording" || l.Details["to"] != "stopping" || l.Details["n"] != "1" {
			t.Fatalf("%+v", l)
		}
		size := in.size(t)
		for name, c := range map[string]struct {
			id   evidence.ID
			from []evidence.State
			to   evidence.State
			want error
		}{
			"from another state":  {iv.ID, []evidence.State{evidence.StateRecording}, evidence.StatePaused, evidence.ErrConflict},
			"backwards":           {iv.ID, []evidence.State{evidence.StateStopping}, evidence.StateRecording, evidence.ErrInvalid},
			"sealed without seal": {iv.ID, []evidence.State{evidence.StateStopping}, evidence.StateSealed, evidence.ErrInvalid},
			"skipping consent":    {iv.ID, []evidence.State{evidence.StatePlanned}, evidence.StateRecording, evidence.ErrInvalid},
			"into the unknown":    {iv.ID, []evidence.State{evidence.StateReady}, "lost", evidence.ErrInvalid},
			"no such interview":   {evidence.NewID(), []evidence.State{evidence.StateReady}, evidence.StateRecording, evidence.ErrNotFound},
		} {
			if _, err := in.Transition(t.Context(), c.id, c.from, c.to, 1, act("interview.move")); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if in.size(t) != size || in.state(t, iv) != now {
			t.Fatal("what was refused left something")
		}
		if list, err := in.InterviewsIn(t.Context(), evidence.StatePaused, evidence.StateStopping); err != nil || len(list) != 1 || list[0] != now {
			t.Fatalf("%+v, %v", list, err)
		}
		if list, err := in.InterviewsOfCase(t.Context(), iv.Case); err != nil || len(list) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		in.holds(t)
	})
}

func (in *installation) source(t testing.TB, iv evidence.Interview, role evidence.SourceRole, token string) evidence.Source {
	t.Helper()
	src, err := in.SaveSource(t.Context(), evidence.Source{ID: evidence.NewID(), Interview: iv.ID, Role: role, TokenHash: []byte(token)}, act("source.add"))
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func TestSources(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		iv, other := in.interview(t, evidence.StateReady), in.interview(t, evidence.StateReady)
		for _, want := range []string{"close-up", "close-up-2", "close-up-3"} {
			if src := in.source(t, iv, evidence.SourceCloseUp, want); src.Name != want {
				t.Errorf("named %q, not %q", src.Name, want)
			}
		}
		wide := in.source(t, iv, evidence.SourceWide, "w")
		if src := in.source(t, other, evidence.SourceWide, "o"); src.Name != "wide" {
			t.Errorf("named %q in another interview", src.Name)
		}
		size := in.size(t)
		for name, src := range map[string]evidence.Source{
			"a name that is taken":  {ID: evidence.NewID(), Interview: iv.ID, Role: evidence.SourceWide, Name: "wide", TokenHash: []byte("1")},
			"a token that is taken": {ID: evidence.NewID(), Interview: other.ID, Role: evidence.SourceRoom, TokenHash: []byte("w")},
			"an id that is taken":   {ID: wide.ID, Interview: iv.ID, Role: evidence.SourceRoom, TokenHash: []byte("2")},
		} {
			if _, err := in.SaveSource(t.Context(), src, act("source.add")); !errors.Is(err, evidence.ErrConflict) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := in.SaveSource(t.Context(), evidence.Source{ID: evidence.NewID(), Interview: evidence.NewID(), TokenHash: []byte("3")}, act("source.add")); !errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("in no interview: %v", err)
		}
		if in.size(t) != size {
			t.Error("what was refused left an entry")
		}
		if err := in.ReplaceSourceToken(t.Context(), wide.ID, "", []byte("new"), act("source.token")); err != nil {
			t.Fatal(err)
		}
		if _, err := in.SourceByToken(t.Context(), []byte("w")); !errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("the old token: %v", err)
		}
		if src, err := in.SourceByToken(t.Context(), []byte("new")); err != nil || src.ID != wide.ID || src.Name != "wide" {
			t.Errorf("the new token: %+v, %v", src, err)
		}
		if err := in.ReplaceSourceToken(t.Context(), evidence.NewID(), "", []byte("x"), act("source.token")); !errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("no such source: %v", err)
		}
		if list, err := in.Sources(t.Context(), iv.ID); err != nil || len(list) != 4 || list[3].ID != wide.ID {
			t.Errorf("%+v, %v", list, err)
		}
		in.holds(t)
	})
}

func leafOf(iv evidence.Interview, track evidence.ID, index int) evidence.Leaf {
	return evidence.Leaf{Type: evidence.TypeLeaf, Version: 1, Kind: evidence.LeafMedia, Salt: strings.Repeat("ab", 32), Recording: iv.Recording, Track: track, Part: 1, Index: index,
		Start: evidence.Offset(index * 2_000_000), End: evidence.Offset((index + 1) * 2_000_000), DecodeTime: "0", Duration: 180000, Frames: 60, Independent: true,
		Plain: evidence.Digest{SHA256: strings.Repeat("0", 64), Size: 9}, Cipher: evidence.Digest{SHA256: strings.Repeat("1", 64), Size: 99}}
}

// recording is an interview being recorded with one track, an init and n segments.
func (in *installation) recording(t testing.TB, n int) (evidence.Interview, evidence.Track, []evidence.Segment) {
	t.Helper()
	iv := in.interview(t, evidence.StateReady)
	src := in.source(t, iv, evidence.SourceWide, string(evidence.NewID()))
	iv = in.moved(t, iv, evidence.StateRecording)
	track := evidence.Track{ID: evidence.NewID(), Source: src.ID, Interview: iv.ID, Kind: evidence.Video, Codec: "avc1.42E01F", Timescale: 90000}
	if err := in.SaveTrack(t.Context(), track); err != nil {
		t.Fatal(err)
	}
	start := leafOf(iv, track.ID, 0)
	start.Kind, start.End, start.Duration, start.Frames = evidence.LeafInit, 0, 0, 0
	segments := []evidence.Segment{{Leaf: start, Position: 0, ObjectKey: "recordings/init"}}
	for i := range n {
		segments = append(segments, evidence.Segment{Leaf: leafOf(iv, track.ID, i), Position: int64(i + 1), ObjectKey: "recordings/" + string(evidence.NewID()), ObjectVersion: "v1"})
	}
	return iv, track, segments
}

func TestTracksAndSegments(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		iv, track, segments := in.recording(t, 5)
		if err := in.SaveTrack(t.Context(), track); err != nil {
			t.Errorf("the same track again: %v", err)
		}
		changed := track
		changed.Codec = "vp09"
		if err := in.SaveTrack(t.Context(), changed); !errors.Is(err, evidence.ErrConflict) {
			t.Errorf("another track under its id: %v", err)
		}
		if tracks, err := in.Tracks(t.Context(), iv.ID); err != nil || !slices.Equal(tracks, []evidence.Track{track}) {
			t.Errorf("%+v, %v", tracks, err)
		}
		if err := in.SaveSegments(t.Context(), iv.Recording, segments[:3]); err != nil {
			t.Fatal(err)
		}
		if err := in.SaveSegments(t.Context(), iv.Recording, segments); err != nil {
			t.Fatalf("some of them again: %v", err)
		}
		if got, err := in.Segments(t.Context(), iv.Recording); err != nil || !slices.Equal(got, segments) {
			t.Fatalf("%+v, %v", got, err)
		}
		another := leafOf(iv, track.ID, 9)
		foreign := another
		foreign.Recording = evidence.NewID()
		same := leafOf(iv, track.ID, 2)
		same.Salt = strings.Repeat("cd", 32)
		for name, c := range map[string]struct {
			seg  evidence.Segment
			want error
		}{
			"another leaf at its position":    {evidence.Segment{Leaf: another, Position: 2, ObjectKey: "k"}, evidence.ErrConflict},
			"another object for its leaf":     {evidence.Segment{Leaf: segments[2].Leaf, Position: 2, ObjectKey: "k", ObjectVersion: "v1"}, evidence.ErrConflict},
			"another version of its object":   {evidence.Segment{Leaf: segments[2].Leaf, Position: 2, ObjectKey: segments[2].ObjectKey, ObjectVersion: "v2"}, evidence.ErrConflict},
			"its index at another position":   {evidence.Segment{Leaf: same, Position: 20, ObjectKey: "k"}, evidence.ErrConflict},
			"a leaf of another recording":     {evidence.Segment{Leaf: foreign, Position: 20, ObjectKey: "k"}, evidence.ErrInvalid},
			"a track that was never saved":    {evidence.Segment{Leaf: leafOf(iv, evidence.NewID(), 0), Position: 20, ObjectKey: "k"}, evidence.ErrConflict},
			"a position before the first":     {evidence.Segment{Leaf: another, Position: -1, ObjectKey: "k"}, evidence.ErrInvalid},
			"a number that no JSON can carry": {evidence.Segment{Leaf: func() evidence.Leaf { l := another; l.Duration = 1 << 60; return l }(), Position: 20, ObjectKey: "k"}, evidence.ErrInvalid},
		} {
			fresh := evidence.Segment{Leaf: leafOf(iv, track.ID, 7), Position: 15, ObjectKey: "k"}
			if err := in.SaveSegments(t.Context(), iv.Recording, []evidence.Segment{fresh, c.seg}); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
			if n := count(t, in.r, "segment"); n != int64(len(segments)) {
				t.Errorf("%s: %d segments", name, n)
			}
		}
		if err := in.SaveSegments(t.Context(), evidence.NewID(), segments); !errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("no such recording: %v", err)
		}
		for r, want := range map[evidence.Range][]int{
			{From: 0, Until: 10_000_000}:          {0, 1, 2, 3, 4},
			{From: 2_000_000, Until: 4_000_000}:   {1},
			{From: 3_999_999, Until: 4_000_001}:   {1, 2},
			{From: 20_000_000, Until: 30_000_000}: nil,
		} {
			got, err := in.SegmentsOfTrack(t.Context(), track.ID, r)
			var indexes []int
			for _, seg := range got {
				indexes = append(indexes, seg.Leaf.Index)
			}
			if err != nil || !slices.Equal(indexes, want) {
				t.Errorf("%+v: %v, %v", r, indexes, err)
			}
		}
		if seg, err := in.SegmentAt(t.Context(), track.ID, evidence.LeafInit, 0); err != nil || seg != segments[0] {
			t.Errorf("%+v, %v", seg, err)
		}
		if seg, err := in.SegmentAt(t.Context(), track.ID, evidence.LeafMedia, 3); err != nil || seg != segments[4] {
			t.Errorf("%+v, %v", seg, err)
		}
		if _, err := in.SegmentAt(t.Context(), track.ID, evidence.LeafMedia, 5); !errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("beyond the end: %v", err)
		}
		planned := in.interview(t, evidence.StatePlanned)
		if err := in.SaveSegments(t.Context(), planned.Recording, []evidence.Segment{{Leaf: leafOf(planned, track.ID, 40), ObjectKey: "k"}}); !errors.Is(err, evidence.ErrConflict) {
			t.Errorf("of an interview that was not started: %v", err)
		}
	})
}

func TestRecordingKey(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		iv := in.interview(t, evidence.StateReady)
		if _, _, err := in.RecordingKey(t.Context(), iv.Recording); !errors.Is(err, evidence.ErrNotFound) {
			t.Fatalf("none yet: %v", err)
		}
		for range 2 {
			if err := in.SaveRecordingKey(t.Context(), iv.ID, []byte{1, 0, 255}, "age1pq"); err != nil {
				t.Fatal(err)
			}
		}
		if err := in.SaveRecordingKey(t.Context(), iv.ID, []byte{2}, "age1other"); !errors.Is(err, evidence.ErrConflict) {
			t.Errorf("another: %v", err)
		}
		if wrapped, recipient, err := in.RecordingKey(t.Context(), iv.Recording); err != nil || !bytes.Equal(wrapped, []byte{1, 0, 255}) || recipient != "age1pq" {
			t.Errorf("%v, %q, %v", wrapped, recipient, err)
		}
	})
}

func TestSealIsOneActAndFinal(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		iv, track, segments := in.recording(t, 300)
		if err := in.SaveSegments(t.Context(), iv.Recording, segments[:280]); err != nil {
			t.Fatal(err)
		}
		var pages [][]byte
		for i, seg := range segments {
			leaf, err := evidence.Canonical(seg.Leaf)
			if err != nil {
				t.Fatal(err)
			}
			if i%evidence.PageSize == 0 {
				pages = append(pages, nil)
			}
			pages[len(pages)-1] = append(append(pages[len(pages)-1], leaf...), '\n')
		}
		sealed := evidence.SealedRecording{Recording: iv.Recording, Interview: iv.ID, Manifest: []byte("manifest"), Statement: []byte("statement"), Bundle: []byte("bundle"),
			Pages: pages, Status: []byte("{}"), Leaving: []byte("check"), SealedAt: evidence.At(in.clock()) + 5}
		if err := in.SaveSealed(t.Context(), iv.ID, sealed, act("interview.seal")); !errors.Is(err, evidence.ErrConflict) {
			t.Fatalf("while recording: %v", err)
		}
		if _, err := in.Sealed(t.Context(), iv.Recording); !errors.Is(err, evidence.ErrNotFound) {
			t.Fatalf("before the seal: %v", err)
		}
		in.moved(t, iv, evidence.StateStopping)
		foreign := sealed
		foreign.Recording = evidence.NewID()
		if err := in.SaveSealed(t.Context(), iv.ID, foreign, act("interview.seal")); !errors.Is(err, evidence.ErrInvalid) || in.state(t, iv).State != evidence.StateStopping {
			t.Fatalf("with another recording's seal: %v", err)
		}
		size := in.size(t)
		for range 2 { // a recorder that was restarted says it again
			if err := in.SaveSealed(t.Context(), iv.ID, sealed, act("interview.seal")); err != nil {
				t.Fatal(err)
			}
		}
		other := sealed
		other.Manifest = []byte("another")
		if err := in.SaveSealed(t.Context(), iv.ID, other, act("interview.seal")); !errors.Is(err, evidence.ErrConflict) {
			t.Errorf("a second seal: %v", err)
		}
		if in.size(t) != size+1 {
			t.Errorf("%d entries of one seal", in.size(t)-size)
		}
		got, err := in.Sealed(t.Context(), iv.Recording)
		if err != nil || string(got.Manifest) != "manifest" || string(got.Bundle) != "bundle" || string(got.Statement) != "statement" || got.SealedAt != sealed.SealedAt ||
			got.Interview != iv.ID || string(got.Leaving) != "check" || !slices.EqualFunc(got.Pages, pages, bytes.Equal) {
			t.Fatalf("%+v, %v", got, err)
		}
		now := in.state(t, iv)
		if now.State != evidence.StateSealed || now.SealedAt != sealed.SealedAt {
			t.Fatalf("%+v", now)
		}
		// Uploads that were late arrive; anything else does not.
		if err := in.SaveSegments(t.Context(), iv.Recording, segments[270:]); err != nil {
			t.Errorf("segments that the seal holds: %v", err)
		}
		for name, seg := range map[string]evidence.Segment{
			"one more":           {Leaf: leafOf(iv, track.ID, 300), Position: 301, ObjectKey: "k"},
			"far beyond":         {Leaf: leafOf(iv, track.ID, 300), Position: 9999, ObjectKey: "k"},
			"at another's place": {Leaf: segments[4].Leaf, Position: 5, ObjectKey: "k"},
		} {
			if err := in.SaveSegments(t.Context(), iv.Recording, []evidence.Segment{seg}); !errors.Is(err, evidence.ErrConflict) {
				t.Errorf("after the seal, %s: %v", name, err)
			}
		}
		if n := count(t, in.r, "segment"); n != int64(len(segments)) {
			t.Errorf("%d segments", n)
		}
		in.holds(t)
	})
}
