package db_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/retention"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/internal/testenv"
	"github.com/toldonce/toldonce/internal/world"
	"github.com/toldonce/toldonce/storage/db"
	"github.com/toldonce/toldonce/storage/keys"
	"github.com/toldonce/toldonce/storage/objects"
)

// archive is an agency with recordings that can really be opened: keys, objects
// under a lock, a seal.
type archive struct {
	*world.World
	db      *db.Store
	dsn     string
	keysDir string
	keys    *keys.Local
	objects objects.Store
	trust   *seal.Trust
	*retention.Service
	first, second evidence.Actor // custodians
	iv            evidence.Interview
	segment       evidence.Segment
}

// broken signs nothing as long as it is.
type broken struct {
	retention.Sealer
	is bool
}

func (b *broken) SealFile(ctx context.Context, name string, content []byte, kind string, predicate any) (seal.Sealed, error) {
	if b.is {
		return seal.Sealed{}, evidence.ErrUnavailable
	}
	return b.Sealer.SealFile(ctx, name, content, kind, predicate)
}

func openArchive(t *testing.T, database string) (*archive, *broken) {
	t.Helper()
	ctx := t.Context()
	dsn := worldDSN(t, database)
	w, s := openWorldOn(t, dsn)
	a := &archive{World: w, db: s, dsn: dsn, keysDir: filepath.Join(t.TempDir(), "keys"), first: w.Actors[evidence.RoleCustodian], second: w.Second[evidence.RoleCustodian]}
	w.Must(keys.Init(a.keysDir))
	var err error
	a.keys, err = keys.Open(a.keysDir)
	w.Must(err)
	clock := func() time.Time {
		now, err := s.Now(ctx)
		w.Must(err)
		return now.Time()
	}
	dir := filepath.Join(t.TempDir(), "seal")
	w.Must(seal.Init(ctx, dir, seal.Config{Organisation: "Policia e Kosovës", Keys: a.keys, Clock: clock}))
	authority, err := seal.Open(ctx, dir, a.keys, clock)
	w.Must(err)
	a.trust = authority.Trust()
	s3 := testenv.VersityGW(t)
	t.Setenv("AWS_ACCESS_KEY_ID", s3.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3.SecretKey)
	a.objects, err = objects.Open(ctx, "s3://"+s3.Bucket+"?"+url.Values{"endpoint": {s3.Endpoint}, "region": {s3.Region}, "ca": {s3.CAFile}}.Encode())
	w.Must(err)
	sealer := &broken{Sealer: authority}
	a.Service = retention.New(retention.Config{Store: s, Keys: a.keys, Objects: a.objects, Sealer: sealer, Access: w.Access, Logger: slog.New(slog.DiscardHandler), Software: "test"})
	w.OpenCase()
	w.Record = a.record
	a.iv, _ = w.Sealed(w.Victim.ID, 4)
	segments, err := s.Segments(ctx, a.iv.Recording)
	w.Must(err)
	a.segment = segments[0]
	return a, sealer
}

// record stores one object that the recording's key opens as every segment.
func (a *archive) record(iv evidence.Interview, tracks []world.Track) {
	ctx := context.Background()
	wrapped, recipient, err := a.keys.NewRecordingKey(ctx, iv.Recording)
	a.Must(err)
	a.Must(a.db.SaveRecordingKey(ctx, iv.ID, wrapped, recipient))
	cipher, plain, sum, err := envelope.Encrypt(recipient, []byte("what was said"))
	a.Must(err)
	version, err := a.objects.Put(ctx, "recordings/"+string(iv.Recording)+"/0.age", cipher, sum, time.Now().Add(time.Minute))
	a.Must(err)
	for i := range tracks {
		for j := range tracks[i].Leaves {
			tracks[i].Leaves[j].Plain, tracks[i].Leaves[j].Cipher = plain, sum
		}
	}
	a.Must(record(ctx, a.db, iv, tracks, evidence.Segment{ObjectKey: "recordings/" + string(iv.Recording) + "/0.age", ObjectVersion: version}))
}

// open opens the recording as a player does, with what a database and a key store say.
func (a *archive) open(ctx context.Context, s *db.Store, k *keys.Local) error {
	wrapped, _, err := s.RecordingKey(ctx, a.iv.Recording)
	if err != nil {
		return err
	}
	key, err := k.OpenRecordingKey(ctx, a.iv.Recording, wrapped)
	if err != nil {
		return err
	}
	id, err := key.Identity()
	if err != nil {
		return err
	}
	cipher, err := a.objects.Get(ctx, a.segment.ObjectKey, a.segment.ObjectVersion)
	if err != nil {
		return err
	}
	_, err = envelope.OpenLeaf(id, cipher, a.segment.Leaf)
	return err
}

func refusedFor(err error, code string) bool {
	var r *evidence.Refusal
	return errors.As(err, &r) && r.Reasons[0].Code == code
}

// TestErasure walks a recording from its class to its final certificate, and tries
// to open it at every turn that an adversary or a restored backup could take.
func TestErasure(t *testing.T) {
	for _, database := range databases {
		t.Run(database, func(t *testing.T) {
			ctx := t.Context()
			a, sealer := openArchive(t, database)
			a.Must(a.open(ctx, a.db, a.keys))

			class, err := a.CreateClass(ctx, a.first, "Short", retention.NewVersion{Days: 10, From: retention.FromClosed, Basis: "Rule 1"})
			a.Must(err)
			_, err = a.Assign(ctx, a.first, a.Case.ID, class.ID, "Adult witness.")
			a.Must(err)
			_, err = a.ChangeClass(ctx, a.first, class.ID, retention.NewVersion{Days: 1, From: retention.FromClosed, Basis: "Rule 2"})
			a.Must(err)
			if _, err := a.RequestErasure(ctx, a.first, a.iv.ID, "Over.", ""); !refusedFor(err, "erasure.term") {
				t.Fatalf("erased while the case is open: %v", err)
			}
			_, err = a.Cases.SetStage(ctx, a.Actors[evidence.RoleCaseManager], a.Case.ID, casefile.StageChange{Stage: casefile.Closed, Why: "Done."})
			a.Must(err)
			a.Advance(5 * 24 * time.Hour)
			if _, err := a.RequestErasure(ctx, a.first, a.iv.ID, "Over.", ""); !refusedFor(err, "erasure.term") {
				t.Fatalf("a shortened class ended the term: %v", err)
			}
			a.Must(a.Sweep(ctx))
			if len(a.Log(access.EntryRetentionDue)) != 0 || len(a.Log(access.EntryRetentionLock)) != 1 {
				t.Fatalf("%d duties raised, %d locks told", len(a.Log(access.EntryRetentionDue)), len(a.Log(access.EntryRetentionLock)))
			}
			a.Advance(6 * 24 * time.Hour)
			a.Must(a.Sweep(ctx))
			a.Must(a.Sweep(ctx))
			if len(a.Log(access.EntryRetentionDue)) != 1 {
				t.Fatalf("%d duties raised at the end of the term", len(a.Log(access.EntryRetentionDue)))
			}
			a.Must(a.open(ctx, a.db, a.keys)) // nothing is deleted by itself

			hold, err := a.PlaceHold(ctx, a.Actors[evidence.RoleProsecutor], a.Case.ID, "", "An appeal.", "KMLC 7")
			a.Must(err)
			a.Must(a.Sweep(ctx))
			if _, err := a.RequestErasure(ctx, a.first, a.iv.ID, "Over.", "an order"); !refusedFor(err, "erasure.held") {
				t.Fatalf("erased under a hold: %v", err)
			}
			if _, err := a.LiftHold(ctx, a.Actors[evidence.RoleProsecutor], hold.ID, "No."); !errors.Is(err, evidence.ErrRefused) {
				t.Errorf("a prosecutor lifted a hold: %v", err)
			}
			_, err = a.LiftHold(ctx, a.first, hold.ID, "The appeal is over.")
			a.Must(err)
			e, err := a.RequestErasure(ctx, a.first, a.iv.ID, "The term is over.", "")
			a.Must(err)
			if _, err := a.RequestErasure(ctx, a.second, a.iv.ID, "Twice.", ""); !errors.Is(err, evidence.ErrConflict) {
				t.Errorf("asked for twice: %v", err)
			}
			if _, err := a.ApproveErasure(ctx, a.first, e.ID, "Yes."); !refusedFor(err, "erasure.own_request") {
				t.Fatalf("one person erased alone: %v", err)
			}
			hold, err = a.PlaceHold(ctx, a.first, a.Case.ID, a.iv.ID, "Wait.", "")
			a.Must(err)
			if _, err := a.ApproveErasure(ctx, a.second, e.ID, "Yes."); !refusedFor(err, "erasure.held") {
				t.Fatalf("approved under a hold: %v", err)
			}
			_, err = a.LiftHold(ctx, a.second, hold.ID, "Go on.")
			a.Must(err)
			a.Must(a.open(ctx, a.db, a.keys))

			// What an adversary may have kept: yesterday's database, and yesterday's keys.
			wrapped, _, err := a.db.RecordingKey(ctx, a.iv.Recording)
			a.Must(err)
			yesterday := a.copyOf(t)
			backup := filepath.Join(t.TempDir(), "backup")
			a.Must(a.keys.Backup(ctx, backup))

			out := retention.Share{ID: evidence.NewID(), Agency: a.Agency, Recording: a.iv.Recording, Number: 1, Needed: 2, Total: 2, Holder: "Court", IssuedAt: 7}
			back2 := out
			back2.ID, back2.Number = evidence.NewID(), 2
			a.Must(a.db.IssueShares(ctx, []retention.Share{out, back2}, custody.Entry{Actor: evidence.System(a.Agency), Action: access.EntryEscrowIssued}))
			a.Must(a.db.ReturnShare(ctx, back2.ID, 8, custody.Entry{Actor: evidence.System(a.Agency), Action: access.EntryEscrowReturned}))
			if err := a.db.ReturnShare(ctx, back2.ID, 9, custody.Entry{Actor: evidence.System(a.Agency), Action: access.EntryEscrowReturned}); !errors.Is(err, evidence.ErrConflict) {
				t.Errorf("a share came back twice: %v", err)
			}

			sealer.is = true // the certificate cannot be signed: the decision stands, the keys are gone
			if _, err := a.ApproveErasure(ctx, a.second, e.ID, "Yes."); !errors.Is(err, evidence.ErrUnavailable) {
				t.Fatalf("approved without a certificate: %v", err)
			}
			if err := a.open(ctx, a.db, a.keys); !errors.Is(err, envelope.ErrErased) {
				t.Fatalf("opened after the approval: %v", err)
			}
			if _, err := a.PlaceHold(ctx, a.first, a.Case.ID, a.iv.ID, "Too late.", ""); !refusedFor(err, "hold.erased") {
				t.Errorf("held what is being erased: %v", err)
			}
			sealer.is = false
			a.Must(a.Resume(ctx))
			e, err = a.Erasure(ctx, a.first, e.ID)
			a.Must(err)
			a.certified(t, e, e.Certificate, e.Bundle, retention.Provisional)

			if _, err := a.keys.OpenRecordingKey(ctx, a.iv.Recording, wrapped); !errors.Is(err, envelope.ErrErased) {
				t.Fatalf("the wrapped key of yesterday opens: %v", err)
			}
			if yesterday != nil {
				if err := a.open(ctx, yesterday, a.keys); !errors.Is(err, envelope.ErrErased) {
					t.Fatalf("yesterday's database opens it: %v", err)
				}
			}
			restored, err := keys.Open(backup)
			a.Must(err)
			defer restored.Close()
			back := retention.New(retention.Config{Store: a.db, Keys: restored, Objects: a.objects, Sealer: sealer, Access: a.Access, Logger: slog.New(slog.DiscardHandler)})
			a.Must(back.Resume(ctx)) // as at every start
			if _, err := restored.OpenRecordingKey(ctx, a.iv.Recording, nil); !errors.Is(err, envelope.ErrErased) {
				t.Fatalf("yesterday's key store opens it once more: %v", err)
			}
			if _, err := a.objects.Get(ctx, a.segment.ObjectKey, a.segment.ObjectVersion); err != nil {
				t.Errorf("the object is gone, though it is under lock: %v", err)
			}

			if _, err := a.AttestErasure(ctx, a.second, e.ID, map[string]string{"copy:x": "returned"}); !refusedFor(err, "erasure.attest") {
				t.Errorf("attested what is not listed: %v", err)
			}
			e, err = a.AttestErasure(ctx, a.second, e.ID, map[string]string{retention.ItemBackup: "overwritten on 3 March", retention.ItemShare + string(out.ID): retention.Unreturned})
			a.Must(err)
			a.certified(t, e, e.Final, e.FinalBundle, retention.Final)
			a.Must(a.Sweep(ctx))
			if f, err := a.File(ctx, a.first, a.Case.ID); err != nil || f.Recordings[0].Lock.Held || f.Kept() != 0 {
				t.Errorf("%+v, %v", f, err)
			}
		})
	}
}

// certified checks a certificate as an outsider does.
func (a *archive) certified(t *testing.T, e retention.Erasure, doc, bundle []byte, status string) {
	t.Helper()
	_, findings := seal.CheckBundle(seal.BundleInput{Check: "erasure", Bundle: bundle, Subject: retention.CertificateName, Digest: sha256.Sum256(doc), Trust: a.trust})
	for _, f := range findings {
		if f.Status != seal.Holds {
			t.Errorf("the certificate's seal: %+v", f)
		}
	}
	c, err := retention.ParseCertificate(doc)
	if err != nil {
		t.Fatal(err)
	}
	if c.Status != status || c.RequestedBy == c.ApprovedBy || c.Recording != a.iv.Recording || c.Proof.Opening != "erased" || len(c.Proof.Sample) == 0 || c.Proof.LockedUntil == 0 ||
		c.Proof.Sample[0].Found != "as sealed" || len(c.NotReached) != 2 || c.NotReached[1].Unreturned != (status == retention.Final) || c.NotReached[0].Item != retention.ItemBackup || c.NotReached[0].At == 0 ||
		!e.Reason.Opens(c.Reason) || (c.NotReached[0].Attested != "") != (status == retention.Final) {
		t.Errorf("%s", doc)
	}
}

// copyOf restores a backup of the database: for SQLite, its files. For PostgreSQL,
// whose backup would hold the same rows, it returns nil.
func (a *archive) copyOf(t *testing.T) *db.Store {
	t.Helper()
	file, isFile := strings.CutPrefix(a.dsn, "sqlite:")
	if !isFile {
		return nil
	}
	to := filepath.Join(t.TempDir(), "toldonce.db")
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(file + suffix)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		a.Must(err)
		a.Must(os.WriteFile(to+suffix, content, 0o600))
	}
	s, err := db.Open(t.Context(), "sqlite:"+to, func() time.Time { return time.Now().AddDate(1, 0, 0) })
	a.Must(err)
	t.Cleanup(func() { s.Close() })
	return s
}
