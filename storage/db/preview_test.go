package db_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

func TestPreviewsAreMadeOnceByOneNode(t *testing.T) {
	for _, database := range databases {
		t.Run(database, func(t *testing.T) {
			w, s := openWorld(t, database)
			w.OpenCase()
			one, two := evidence.NewID(), evidence.NewID()
			claim := func(node evidence.ID) (evidence.Interview, error) {
				return s.ClaimPreviews(t.Context(), node, time.Minute)
			}
			if _, err := claim(one); !errors.Is(err, evidence.ErrNotFound) {
				t.Fatalf("nothing is sealed: %v", err)
			}
			iv, tracks := w.Sealed(w.Victim.ID, 60)
			if got, err := claim(one); err != nil || got.ID != iv.ID {
				t.Fatalf("%+v, %v", got, err)
			}
			if _, err := claim(two); !errors.Is(err, evidence.ErrNotFound) {
				t.Errorf("another node has it: %v", err)
			}
			w.Advance(2 * time.Minute)
			if _, err := claim(two); err != nil {
				t.Errorf("its time ran out: %v", err)
			}
			page := evidence.PreviewPage{Recording: iv.Recording, Track: tracks[0].Track.ID, Kind: evidence.PreviewPictures, First: 0, Last: 63,
				Plain: evidence.Digest{SHA256: "aa", Size: 1}, Cipher: evidence.Digest{SHA256: "bb", Size: 2}, ObjectKey: "previews/a", ObjectVersion: "v"}
			next := page
			next.Page, next.First, next.Last = 1, 64, 99
			entry := custody.Entry{Actor: evidence.System(iv.Agency), Action: "preview.make", Agency: iv.Agency, Case: iv.Case, Interview: iv.ID}
			save := func(node evidence.ID) error {
				return s.SavePreviews(t.Context(), node, iv.ID, []evidence.PreviewPage{page, next}, entry)
			}
			if err := save(one); !errors.Is(err, evidence.ErrConflict) {
				t.Errorf("from the node that was too late: %v", err)
			}
			w.Must(save(two))
			if err := save(two); !errors.Is(err, evidence.ErrConflict) {
				t.Errorf("a second time: %v", err)
			}
			if n := len(w.Log("preview.make")); n != 1 {
				t.Errorf("%d entries", n)
			}
			for _, c := range []struct {
				first, last int
				want        []evidence.PreviewPage
			}{{0, 5, []evidence.PreviewPage{page}}, {60, 64, []evidence.PreviewPage{page, next}}, {99, 120, []evidence.PreviewPage{next}}, {100, 120, []evidence.PreviewPage{}}} {
				if got, err := s.PreviewPages(t.Context(), page.Track, c.first, c.last); err != nil || !reflect.DeepEqual(got, c.want) {
					t.Errorf("%d to %d: %+v, %v", c.first, c.last, got, err)
				}
			}
			w.Advance(time.Hour)
			if _, err := claim(one); !errors.Is(err, evidence.ErrNotFound) {
				t.Errorf("they are made: %v", err)
			}
		})
	}
}

func TestPreviewsThatAlwaysFailAreLeft(t *testing.T) {
	w, s := openWorld(t, "sqlite")
	w.OpenCase()
	w.Sealed(w.Victim.ID, 60)
	for try := range 6 {
		_, err := s.ClaimPreviews(t.Context(), evidence.NewID(), time.Minute)
		if last := try == 5; last != errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("try %d: %v", try+1, err)
		}
		w.Advance(2 * time.Minute)
	}
}
