package observation_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/toldonce/toldonce/consent"
	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/observation"
	"github.com/toldonce/toldonce/internal/memstore"
)

func TestWhatObserversAskAndWhatComesOfIt(t *testing.T) {
	w, store := memstore.World(t)
	w.OpenCase()
	iv := w.Plan(w.PlanFor(w.Victim.ID))
	w.Consents(w.WrittenConsent(w.Victim.ID, consent.ToRecord))
	s := &observation.Service{Store: store, Access: w.Access}
	ctx := t.Context()
	observer, interviewer, prosecutor, auditor := w.Actors[evidence.RoleObserver], w.Actors[evidence.RoleInterviewer], w.Actors[evidence.RoleProsecutor], w.Actors[evidence.RoleAuditor]

	if _, err := s.Propose(ctx, observer, iv.ID, observation.Question, "Which door?", 0); !errors.Is(err, evidence.ErrConflict) {
		t.Errorf("before the start: %v", err)
	}
	store.SetState(iv.ID, evidence.StateRecording)
	q, err := s.Propose(ctx, observer, iv.ID, observation.Question, " Which door? ", 61_000_000)
	if err != nil || q.Text != "Which door?" {
		t.Fatalf("%+v %v", q, err)
	}
	d, err := s.Propose(ctx, observer, iv.ID, observation.Distress, "not taken", 62_000_000)
	if err != nil || d.Text != "" {
		t.Fatalf("%+v %v", d, err)
	}
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"a question without words", second(s.Propose(ctx, observer, iv.ID, observation.Question, " ", 0)), evidence.ErrInvalid},
		{"a long one", second(s.Propose(ctx, observer, iv.ID, observation.Question, strings.Repeat("x", 1001), 0)), evidence.ErrInvalid},
		{"another kind", second(s.Propose(ctx, observer, iv.ID, "shout", "x", 0)), evidence.ErrInvalid},
		{"by a prosecutor who does not observe", second(s.Propose(ctx, prosecutor, iv.ID, observation.Question, "x", 0)), evidence.ErrRefused},
		{"answered by an observer", second(s.Settle(ctx, observer, q.ID, observation.Relayed, 0)), evidence.ErrRefused},
		{"an outcome of another kind", second(s.Settle(ctx, interviewer, q.ID, observation.Taken, 0)), evidence.ErrInvalid},
		{"no outcome", second(s.Settle(ctx, interviewer, q.ID, observation.Open, 0)), evidence.ErrInvalid},
		{"read by an auditor", second(s.Calls(ctx, auditor, iv.ID)), evidence.ErrRefused},
		{"notes of an auditor", second(s.Notes(ctx, auditor, iv.ID)), evidence.ErrRefused},
		{"a note without words", second(s.Write(ctx, observer, iv.ID, "", 0)), evidence.ErrInvalid},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v", c.name, c.err)
		}
	}
	if q, err = s.Settle(ctx, interviewer, q.ID, observation.Relayed, 90_000_000); err != nil || q.SettledAt != 90_000_000 {
		t.Errorf("%+v %v", q, err)
	}
	if _, err = s.Settle(ctx, interviewer, q.ID, observation.NotRelayed, 91_000_000); !errors.Is(err, evidence.ErrConflict) {
		t.Errorf("answered twice: %v", err)
	}
	calls, err := s.Calls(ctx, prosecutor, iv.ID)
	if err != nil || len(calls) != 2 || calls[0] != q || calls[1] != d {
		t.Errorf("%+v %v", calls, err)
	}
	for range 9 {
		if _, err := s.Propose(ctx, observer, iv.ID, observation.Break, "", 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Propose(ctx, observer, iv.ID, observation.Break, "", 0); !errors.Is(err, evidence.ErrConflict) {
		t.Errorf("an eleventh: %v", err)
	}

	n, err := s.Write(ctx, observer, iv.ID, "She looked at the door.", 95_000_000)
	if err != nil {
		t.Fatal(err)
	}
	if mine, err := s.Notes(ctx, observer, iv.ID); err != nil || len(mine) != 1 || mine[0] != n {
		t.Errorf("%+v %v", mine, err)
	}
	if hers, err := s.Notes(ctx, interviewer, iv.ID); err != nil || len(hers) != 0 {
		t.Errorf("another reads them: %+v %v", hers, err)
	}
	entries := store.Log(access.InterviewPropose)
	if len(entries) != 11 || entries[0].Why != "Which door?" || entries[0].Details["kind"] != "question" || entries[0].Subject != q.ID {
		t.Errorf("%+v", entries)
	}
	if e := store.Log(access.InterviewNote); len(e) != 1 || e[0].Why != "" {
		t.Errorf("%+v", e)
	}
	if e := store.Log(access.InterviewSettle); len(e) != 1 || e[0].Details["outcome"] != "relayed" {
		t.Errorf("%+v", e)
	}
}

func second[T any](_ T, err error) error { return err }
