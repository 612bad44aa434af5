package db_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/disclosure"
)

// TestExportConformance holds both databases to what [disclosure.Store] promises.
func TestExportConformance(t *testing.T) {
	for _, database := range databases {
		t.Run(database, func(t *testing.T) {
			ctx := context.Background()
			w, s := openWorld(t, database)
			var store disclosure.Store = s
			w.OpenCase()
			iv, _ := w.Sealed(w.Victim.ID, 4)
			now, err := store.Now(ctx)
			w.Must(err)
			by := w.Actors[evidence.RoleCustodian]
			entry := func(action string, e disclosure.Export) custody.Entry {
				return custody.Entry{Actor: by, Action: action, Case: e.Case, Interview: e.Interview, Subject: e.ID, Why: "arsyeja"}
			}
			e := disclosure.Export{ID: evidence.NewID(), Agency: iv.Agency, Case: iv.Case, Interview: iv.ID, State: disclosure.Proposed,
				Content: disclosure.ClipOfRecording, Asked: evidence.Range{From: 2_000_000, Until: 6_000_000}, Outward: true, Grant: evidence.NewID(),
				Profile: disclosure.ProfileDefence, Exhibit: "P-3", Recipient: "age1x", Reasons: true, Reason: "për gjykatën", RequestedBy: by.Account, RequestedAt: now, Version: 1}
			w.Must(store.CreateExport(ctx, e, entry(disclosure.ActionRequest, e)))
			if err := store.CreateExport(ctx, e, entry("export.twice", e)); !errors.Is(err, evidence.ErrConflict) {
				t.Errorf("the same export twice: %v", err)
			}
			if got, err := store.Export(ctx, e.ID); err != nil || got != e {
				t.Errorf("got %+v, %v, want %+v", got, err, e)
			}
			if _, err := store.Export(ctx, evidence.NewID()); !errors.Is(err, evidence.ErrNotFound) {
				t.Errorf("an export that there is not: %v", err)
			}

			// Of two changes of one version, one wins and the other leaves no entry.
			changed := e
			changed.State, changed.ApprovedBy, changed.ApprovedAt = disclosure.Approved, w.Second[evidence.RoleCustodian].Account, now+1
			var group sync.WaitGroup
			errs := make([]error, 2)
			for i := range errs {
				group.Go(func() { errs[i] = store.ChangeExport(ctx, changed, entry(disclosure.ActionApprove, e)) })
			}
			group.Wait()
			if won, lost := errs[0], errs[1]; won == nil == (lost == nil) || !errors.Is(errors.Join(won, lost), evidence.ErrConflict) {
				t.Errorf("two approvals of one version: %v, %v", won, lost)
			}
			if log := w.Log(disclosure.ActionApprove); len(log) != 1 || log[0].Subject != e.ID || log[0].Why != "arsyeja" {
				t.Errorf("log of approvals: %+v", log)
			}
			changed.Version = 2
			if got, err := store.Export(ctx, e.ID); err != nil || got != changed {
				t.Errorf("got %+v, %v, want %+v", got, err, changed)
			}

			// A lease belongs to one attempt.
			if err := store.RenewExport(ctx, e.ID, 0, now+9); !errors.Is(err, evidence.ErrConflict) {
				t.Errorf("renewing what does not run: %v", err)
			}
			changed.Attempt, changed.LeaseUntil = 1, now+5
			w.Must(store.ChangeExport(ctx, changed, entry(disclosure.ActionRead, e)))
			w.Must(store.RenewExport(ctx, e.ID, 1, now+50))
			if err := store.RenewExport(ctx, e.ID, 2, now+60); !errors.Is(err, evidence.ErrConflict) {
				t.Errorf("renewing another's attempt: %v", err)
			}
			if got, err := store.Export(ctx, e.ID); err != nil || got.LeaseUntil != now+50 || got.Version != 3 {
				t.Errorf("after renewal: %+v, %v", got, err)
			}
			changed.Version, changed.State, changed.LeaseUntil, changed.DeliveredAt, changed.Digest, changed.Bytes = 3, disclosure.Delivered, 0, now+7, "ab", 1<<40
			w.Must(store.ChangeExport(ctx, changed, entry(disclosure.EntryDelivered, e)))
			changed.Version = 4
			if got, err := store.Export(ctx, e.ID); err != nil || got != changed {
				t.Errorf("got %+v, %v, want %+v", got, err, changed)
			}

			// Newest first, and only what was asked for.
			second := e
			second.ID, second.Recipient = evidence.NewID(), ""
			w.Must(store.CreateExport(ctx, second, entry(disclosure.ActionRequest, second)))
			for f, want := range map[disclosure.Filter]int{{}: 2, {Interview: iv.ID}: 2, {Case: iv.Case}: 2, {Interview: evidence.NewID()}: 0, {Case: evidence.NewID()}: 0} {
				if list, err := store.Exports(ctx, f); err != nil || len(list) != want || want == 2 && list[0].ID != second.ID {
					t.Errorf("list %+v: %d, %v, want %d", f, len(list), err, want)
				}
			}

			// Who asked may not approve: the policy knows it from the row.
			on := evidence.Resource{Kind: access.KindExport, ID: second.ID}
			if err := w.Access.Authorize(ctx, by, access.ExportApprove, on); !errors.Is(err, evidence.ErrRefused) {
				t.Errorf("approving one's own: %v", err)
			}
			if err := w.Access.Authorize(ctx, w.Second[evidence.RoleCustodian], access.ExportApprove, on); err != nil {
				t.Errorf("approving another's: %v", err)
			}
			if err := w.Access.Authorize(ctx, w.Second[evidence.RoleObserver], access.ExportRead, on); !errors.Is(err, evidence.ErrNotFound) {
				t.Errorf("somebody who is not on the case: %v", err)
			}
		})
	}
}
