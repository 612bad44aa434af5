package people_test

import (
	"errors"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/people"
	"github.com/toldonce/toldonce/internal/memstore"
)

// Two people give a third one new credentials; one alone cannot, and not against
// somebody who can still sign in.
func TestRecoveryNeedsTwoPeople(t *testing.T) {
	w, s := memstore.World(t)
	admin, other, custodian := w.Actors[evidence.RoleAdmin], w.Second[evidence.RoleAdmin], w.Actors[evidence.RoleCustodian]
	holder := w.Actors[evidence.RoleProsecutor].Account
	_, err := w.People.ProposeRecovery(ctx, custodian, holder, "Lost the phone.")
	if !errors.Is(err, evidence.ErrRefused) {
		t.Fatalf("proposed by a custodian: %v", err)
	}
	_, err = w.People.ProposeRecovery(ctx, admin, holder, "  ")
	refusedWith(t, err, evidence.ErrInvalid, "account.recover.reason")
	_, err = w.People.ApproveRecovery(ctx, other, holder)
	refusedWith(t, err, evidence.ErrConflict, "account.recover.none")
	if _, err := w.People.ProposeRecovery(ctx, admin, holder, "Lost the phone; known in person."); err != nil {
		t.Fatal(err)
	}
	_, err = w.People.ApproveRecovery(ctx, admin, holder)
	refusedWith(t, err, evidence.ErrRefused, "account.own_proposal")
	w.Advance(people.RecoveryLife)
	_, err = w.People.ApproveRecovery(ctx, other, holder)
	refusedWith(t, err, evidence.ErrConflict, "account.recover.none")
	if _, err := w.People.ProposeRecovery(ctx, admin, holder, "Still lost."); err != nil {
		t.Fatal(err)
	}
	a, err := w.People.ApproveRecovery(ctx, other, holder)
	if err != nil || a.State != people.Invited || a.RecoveryBy != "" {
		t.Fatalf("%+v, %v", a, err)
	}
	if _, _, err := w.People.ActorFor(ctx, holder, "", true); !errors.Is(err, evidence.ErrUnauthenticated) {
		t.Errorf("the old session still works: %v", err)
	}
	if _, _, err := w.People.Invite(ctx, admin, holder); err != nil {
		t.Errorf("inviting anew: %v", err)
	}
	if n := len(s.Log("account.recover")) + len(s.Log("account.recover_approve")); n != 3 {
		t.Errorf("%d entries", n)
	}
}
