package db

import (
	"errors"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/internal/testenv"
	"github.com/toldonce/toldonce/storage/notes"
)

// backup takes a backup as an operator does and returns the data source name of a
// database that it was restored into.
func (in *installation) backup(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "backup")
	if in.dialect == sqliteDialect {
		in.raw(t, `VACUUM INTO '`+file+`'`)
		return sqlitePrefix + file
	}
	empty := testenv.Postgres(t)
	for _, args := range [][]string{{"pg_dump", "--format=custom", "--file=" + file, in.dsn}, {"pg_restore", "--dbname=" + empty, "--exit-on-error", file}} {
		cmd := exec.Command(testenv.Program(t, args[0]), args[1:]...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", args[0], err, out)
		}
	}
	return empty
}

// A backup that is older than what a witness, or the file beside the database, saw is
// noticed when it is opened, also after more was appended to it than was lost; and
// goes on, signed by two, under the same key.
func TestRestoredBackupIsNoticed(t *testing.T) {
	for _, remembers := range []string{"the witness", "the file beside it"} {
		t.Run(remembers, func(t *testing.T) {
			each(t, func(t *testing.T, in *installation) {
				folder := func() *notes.Folder {
					f, err := notes.Open(t.TempDir())
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { f.Close() })
					return f
				}
				key, _, err := custody.GenerateCosigner("witness.court.example")
				if err != nil {
					t.Fatal(err)
				}
				court, err := custody.NewWitness(key, []string{mustInstallation(t, in).LogVerifier}, folder())
				if err != nil {
					t.Fatal(err)
				}
				beside := notes.Anchor{Folder: folder(), Origin: in.verifier.Name()}
				publisher := func(s *Store) *custody.Publisher {
					cp, err := custody.NewCheckpointer(s, in.signer, mustInstallation(t, in).LogVerifier)
					if err != nil {
						t.Fatal(err)
					}
					return custody.NewPublisher(custody.PublisherConfig{Checkpoints: cp, Store: s, Witnesses: []custody.Remote{court}, Anchor: beside,
						Clock: in.clock, Logger: slog.New(slog.DiscardHandler)})
				}
				appendMany := func(s *Store, n int) {
					for range n {
						if err := s.AppendEntry(t.Context(), act("test.act")); err != nil {
							t.Fatal(err)
						}
					}
				}
				p := publisher(in.Store)
				appendMany(in.Store, 4)
				if _, err := p.Checkpoint(t.Context()); err != nil { // 5 entries
					t.Fatal(err)
				}
				appendMany(in.Store, 2)
				older := in.backup(t) // 7 entries
				appendMany(in.Store, 5)
				note, err := p.Checkpoint(t.Context()) // 12 entries
				if err != nil {
					t.Fatal(err)
				}
				if found, err := custody.Cosignatures(note, court.Cosigner()); err != nil || len(found) != 1 {
					t.Fatalf("not cosigned: %v, %v", found, err)
				}
				saved, err := in.Cosignatures(t.Context(), 12)
				if err != nil || len(saved) != 1 || saved[0].Witness != "witness.court.example" || !strings.HasSuffix(string(note), saved[0].Line) {
					t.Fatalf("%+v, %v", saved, err)
				}

				if remembers == "the witness" {
					beside = notes.Anchor{Folder: folder(), Origin: in.verifier.Name()}
				} else if court, err = custody.NewWitness(key, []string{mustInstallation(t, in).LogVerifier}, folder()); err != nil {
					t.Fatal(err)
				}
				restored := &installation{dsn: older, signer: in.signer, verifier: in.verifier}
				restored.now.Store(in.now.Load())
				restored.Store = restored.open(t)
				p = publisher(restored.Store)
				if remembers == "the witness" {
					appendMany(restored.Store, 9) // what was recorded before anybody looked
				}
				if err := p.Check(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := p.Closed(); !errors.Is(err, custody.ErrDiscontinuous) {
					t.Fatalf("a restored backup was not noticed: %v", err)
				}
				if note, err := p.Publish(t.Context()); err == nil || note != nil {
					t.Fatal("a fork was signed")
				}
				appendMany(restored.Store, 1) // recording goes on
				one, two := person, person
				two.Account = evidence.NewID()
				d, err := p.Propose(t.Context(), one, "The disk broke.")
				if err != nil || d.From != 5 || d.Until != 12 {
					t.Fatalf("%+v, %v", d, err)
				}
				own := d
				own.ApprovedBy = d.ProposedBy
				if err := restored.ApproveDiscontinuity(t.Context(), own, act(custody.EntryDiscontinuityApprove)); !errors.Is(err, evidence.ErrConflict) {
					t.Fatalf("the database let one person sign twice: %v", err)
				}
				if _, err := p.Approve(t.Context(), two, d.ID, "Seen."); err != nil {
					t.Fatal(err)
				}
				if _, err := p.Checkpoint(t.Context()); err != nil || p.Closed() != nil {
					t.Fatalf("signed by two: %v, %v", err, p.Closed())
				}
				restored.holds(t)
				entries, err := restored.Entries(t.Context(), custody.Filter{Action: "log.discontinuity."})
				if err != nil || len(entries) != 2 || entries[1].Leaf.Details["from"] != "5" || entries[1].Leaf.Details["until"] != "12" || entries[1].Leaf.Actor.Account != two.Account {
					t.Fatalf("%+v, %v", entries, err)
				}
				// Another process finds it so.
				p = publisher(restored.open(t))
				if err := p.Check(t.Context()); err != nil || p.Closed() != nil {
					t.Fatalf("after a restart: %v, %v", err, p.Closed())
				}
			})
		})
	}
}

// An in-database contradiction, a log that was rewritten with the checkpoints left as
// they were, is one too; once explained, the given up checkpoints are not compared any
// more, and one of the same size takes the place of such a one.
func TestAbandonedCheckpoints(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		for n := range int64(3) {
			if err := in.SaveCheckpoint(t.Context(), n+1, []byte{byte(n)}); err != nil {
				t.Fatal(err)
			}
			if err := in.SaveCosignature(t.Context(), n+1, custody.Cosignature{Witness: "w", At: in.clock(), Line: "line"}); err != nil {
				t.Fatal(err)
			}
		}
		d := custody.Discontinuity{ID: evidence.NewID(), From: 1, Until: 3, ProposedBy: evidence.NewID(), Version: 1}
		if err := in.ProposeDiscontinuity(t.Context(), d, act(custody.EntryDiscontinuityPropose)); err != nil {
			t.Fatal(err)
		}
		d.ApprovedBy = evidence.NewID()
		if err := in.ApproveDiscontinuity(t.Context(), d, act(custody.EntryDiscontinuityApprove)); err != nil {
			t.Fatal(err)
		}
		if err := in.ApproveDiscontinuity(t.Context(), d, act(custody.EntryDiscontinuityApprove)); !errors.Is(err, evidence.ErrConflict) {
			t.Errorf("approved twice: %v", err)
		}
		if last, err := in.LastCheckpoint(t.Context()); err != nil || last[0] != 0 {
			t.Errorf("last %v, %v", last, err)
		}
		if err := in.SaveCheckpoint(t.Context(), 3, []byte{9}); err != nil {
			t.Fatal(err)
		}
		if all, err := in.Checkpoints(t.Context()); err != nil || len(all) != 2 || all[1][0] != 9 || count(t, in.r, "checkpoint") != 3 || count(t, in.r, "cosignature") != 1 {
			t.Errorf("%v, %v", all, err)
		}
	})
}
