package db

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence"
)

func TestDevicesAndSourceManifests(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		iv := in.interview(t, evidence.StateReady)
		in.moved(t, iv, evidence.StateRecording)
		src, err := in.SaveSource(t.Context(), evidence.Source{ID: evidence.NewID(), Interview: iv.ID, Role: evidence.SourceCloseUp, TokenHash: []byte("hash")}, act("source.add"))
		if err != nil {
			t.Fatal(err)
		}
		d := evidence.Device{ID: evidence.NewID(), Agency: iv.Agency, Room: iv.Room, PublicKey: []byte{1, 2, 3}, KeyID: strings.Repeat("ab", 32), EnrolledAt: 7}
		if err := in.SaveDevice(t.Context(), d, act("device.enrol")); err != nil {
			t.Fatal(err)
		}
		got, err := in.Device(t.Context(), iv.Room, d.KeyID)
		if err != nil || got.ID != d.ID || got.EnrolledAt != 7 || !slices.Equal(got.PublicKey, d.PublicKey) {
			t.Errorf("%+v, %v", got, err)
		}
		again := d
		again.ID = evidence.NewID()
		if err := in.SaveDevice(t.Context(), again, act("device.enrol")); !errors.Is(err, evidence.ErrConflict) {
			t.Errorf("the same key twice: %v", err)
		}
		if _, err := in.Device(t.Context(), evidence.NewID(), d.KeyID); !errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("a device of another room: %v", err)
		}
		// What a device asked for by its signature ends with it, and what a person did not.
		if err := in.ReplaceSourceToken(t.Context(), src.ID, d.ID, []byte("by signature"), act("source.token")); err != nil {
			t.Fatal(err)
		}
		if got, err := in.SourceByToken(t.Context(), []byte("by signature")); err != nil || got.ID != src.ID {
			t.Errorf("%+v, %v", got, err)
		}
		if err := in.RevokeDevice(t.Context(), d.ID, 9, act("device.revoke")); err != nil {
			t.Fatal(err)
		}
		if _, err := in.SourceByToken(t.Context(), []byte("by signature")); !errors.Is(err, evidence.ErrNotFound) {
			t.Errorf("the token of a revoked device: %v", err)
		}
		if err := in.ReplaceSourceToken(t.Context(), src.ID, d.ID, []byte("again"), act("source.token")); !errors.Is(err, evidence.ErrConflict) {
			t.Errorf("a token for a revoked device: %v", err)
		}
		if err := in.ReplaceSourceToken(t.Context(), src.ID, "", []byte("by login"), act("source.token")); err != nil {
			t.Fatal(err)
		}
		if got, err := in.Device(t.Context(), iv.Room, d.KeyID); err != nil || got.RevokedAt != 9 {
			t.Errorf("%+v, %v", got, err)
		}
		file := evidence.StoredSourceManifest{ObjectKey: "k", File: evidence.SourceManifestFile{Source: src.ID, Batches: 2, Frames: 9,
			Plain: evidence.Digest{SHA256: strings.Repeat("0", 64), Size: 5}, Cipher: evidence.Digest{SHA256: strings.Repeat("1", 64), Size: 6}}}
		next := file
		next.File.Number = 1
		for range 2 { // the same again changes nothing
			if err := in.SaveSourceManifests(t.Context(), iv.Recording, []evidence.StoredSourceManifest{file, next}); err != nil {
				t.Fatal(err)
			}
		}
		other := next
		other.ObjectKey = "elsewhere"
		if err := in.SaveSourceManifests(t.Context(), iv.Recording, []evidence.StoredSourceManifest{other}); !errors.Is(err, evidence.ErrConflict) {
			t.Errorf("another in its place: %v", err)
		}
		if list, err := in.SourceManifests(t.Context(), iv.Recording); err != nil || !slices.Equal(list, []evidence.StoredSourceManifest{file, next}) {
			t.Errorf("%+v, %v", list, err)
		}
		track := evidence.Track{ID: evidence.NewID(), Source: src.ID, Interview: iv.ID, Kind: evidence.Video, Codec: "avc1.42c01f", Timescale: 90000}
		fills := track
		fills.ID, fills.Replaces = evidence.NewID(), track.ID
		for _, one := range []evidence.Track{track, fills, fills} {
			if err := in.SaveTrack(t.Context(), one); err != nil {
				t.Fatal(err)
			}
		}
		if list, err := in.Tracks(t.Context(), iv.ID); err != nil || !slices.Equal(list, []evidence.Track{track, fills}) {
			t.Errorf("%+v, %v", list, err)
		}
		in.holds(t)
	})
}
