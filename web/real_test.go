package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/derivative"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/observation"
	"github.com/toldonce/toldonce/evidence/retention"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/evidence/transcript"
	"github.com/toldonce/toldonce/internal/world"
	"github.com/toldonce/toldonce/storage/db"
	"github.com/toldonce/toldonce/storage/keys"
	"github.com/toldonce/toldonce/storage/notes"
	"github.com/toldonce/toldonce/storage/objects"
)

// real is what stands behind a harness on a database, a directory of objects,
// real keys and a real seal.
type real struct {
	dir     string
	db      *db.Store
	keys    *keys.Local
	objects objects.Store
	seal    *seal.Authority
	clock   evidence.Clock

	checkpoints *custody.Publisher
	signer      string // of the log
}

// newRealHarness is newHarness on SQLite and files.
func newRealHarness(t *testing.T, change ...func(*Config)) (*harness, *real) {
	t.Helper()
	ctx := context.Background()
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(keys.Init(filepath.Join(dir, "keys")))
	k, err := keys.Open(filepath.Join(dir, "keys"))
	must(err)
	must(objects.InitDir(filepath.Join(dir, "objects")))
	o, err := objects.Open(ctx, "dir:"+filepath.Join(dir, "objects"))
	must(err)
	signer, verifier, err := custody.GenerateKey("log.test")
	must(err)
	must(db.Init(ctx, "sqlite:"+filepath.Join(dir, "toldonce.db"), db.InitConfig{Origin: "log.test", LogVerifier: verifier, LogKey: []byte("wrapped")}))
	var now atomic.Int64 // microseconds; the log's first entry has the machine's time
	now.Store(time.Now().Add(time.Second).UnixMicro())
	clock := func() time.Time { return time.UnixMicro(now.Load()) }
	must(seal.Init(ctx, filepath.Join(dir, "seal"), seal.Config{Organisation: "Policia e Kosovës", Keys: k, Clock: clock, LogKeys: []string{verifier}}))
	authority, err := seal.Open(ctx, filepath.Join(dir, "seal"), k, clock)
	must(err)
	s, err := db.Open(ctx, "sqlite:"+filepath.Join(dir, "toldonce.db"), clock)
	must(err)
	t.Cleanup(func() { s.Close() })
	checkpointer, err := custody.NewCheckpointer(s, signer, verifier)
	must(err)
	anchor, err := notes.Open(t.TempDir())
	must(err)
	t.Cleanup(func() { anchor.Close() })
	checkpoints := custody.NewPublisher(custody.PublisherConfig{Checkpoints: checkpointer, Store: s, Anchor: notes.Anchor{Folder: anchor, Origin: "log.test"},
		Clock: clock, Logger: slog.New(slog.DiscardHandler)})
	must(checkpoints.Check(ctx))

	w := world.New(t, s, func(d time.Duration) { now.Add(d.Microseconds()) })
	w.Access.Closed = checkpoints.Closed
	r := &real{dir: dir, checkpoints: checkpoints, signer: signer, clock: clock, db: s, keys: k, objects: o, seal: authority}
	w.Record = func(iv evidence.Interview, tracks []world.Track) { must(r.record(ctx, iv, tracks)) }
	h := &harness{T: t, World: w, studio: studio{changed: make(chan struct{})}, logs: &lockedBuffer{}, cookies: map[evidence.Role]*http.Cookie{}}
	h.build(Config{
		Store: s, People: w.People, Access: w.Access, Cases: w.Cases, Consents: w.Consent, Observing: &observation.Service{Store: s, Access: w.Access}, Recording: h.studio, Objects: o, Keys: k,
		Exports: disclosure.NewService(disclosure.Config{Store: s, Objects: o, Keys: k, Log: s, Checkpoints: checkpoints, Sealer: authority, Access: w.Access, Grants: w.Access, Software: "test",
			Transcripts: transcript.New(transcript.Config{Store: s, Objects: o, Keys: k, Access: w.Access, Grants: w.Access, Sealer: authority})}),
		Retention:   retention.New(retention.Config{Store: s, Keys: k, Objects: o, Sealer: authority, Access: w.Access, Logger: slog.New(slog.DiscardHandler), Software: "test"}),
		Transcripts: transcript.New(transcript.Config{Store: s, Objects: o, Keys: k, Access: w.Access, Grants: w.Access, Sealer: authority}),
		Derivatives: derivative.New(derivative.Config{Store: s, Objects: o, Keys: k, Access: w.Access, Grants: w.Access, Make: true,
			Transcripts: transcript.New(transcript.Config{Store: s, Objects: o, Keys: k, Access: w.Access, Grants: w.Access, Sealer: authority})}),
		Checkpoints: checkpoints, Trust: authority.Trust(), Clock: clock,
	}, change...)
	return h, r
}

// record writes a recording that has no media as the recorder does, sealed with
// nonsense: for what is decided before anybody looks inside.
func (r *real) record(ctx context.Context, iv evidence.Interview, tracks []world.Track) error {
	entry := func(action string) custody.Entry {
		return custody.Entry{Actor: evidence.System(iv.Agency), Action: action, Case: iv.Case, Interview: iv.ID}
	}
	now, err := r.db.Now(ctx)
	if err != nil {
		return err
	}
	if _, err := r.db.Transition(ctx, iv.ID, []evidence.State{evidence.StateReady}, evidence.StateRecording, now, entry("interview.start")); err != nil {
		return err
	}
	var sources []evidence.ID
	var segments []evidence.Segment
	for _, t := range tracks {
		if !slices.Contains(sources, t.Source.ID) {
			sources = append(sources, t.Source.ID)
			if _, err := r.db.SaveSource(ctx, t.Source, entry("source.add")); err != nil {
				return err
			}
		}
		if err := r.db.SaveTrack(ctx, t.Track); err != nil {
			return err
		}
		for _, l := range t.Leaves {
			segments = append(segments, evidence.Segment{Leaf: l, Position: int64(len(segments)), ObjectKey: "recordings/test"})
		}
	}
	if err := r.db.SaveSegments(ctx, iv.Recording, segments); err != nil {
		return err
	}
	if _, err := r.db.Transition(ctx, iv.ID, []evidence.State{evidence.StateRecording}, evidence.StateStopping, now, entry("interview.stop")); err != nil {
		return err
	}
	return r.db.SaveSealed(ctx, iv.ID, evidence.SealedRecording{Recording: iv.Recording, Interview: iv.ID, Manifest: []byte("m"), Statement: []byte("s"), Bundle: []byte("b"),
		Status: []byte("{}"), Pages: [][]byte{[]byte("p")}, SealedAt: now}, entry(disclosure.EntrySealed))
}

// forge puts a checkpoint of size entries, signed with the log's key, beside the
// database, as if the database were older.
func (r *real) forge(t *testing.T, size int64) {
	t.Helper()
	s, err := note.NewSigner(r.signer)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", s.Name(), size, custody.Hash{1})}, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.checkpoints.Anchor.Save(size, signed); err != nil {
		t.Fatal(err)
	}
}
