package db_test

import (
	"context"
	"errors"
	"testing"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

func TestSessions(t *testing.T) {
	for _, database := range databases {
		t.Run(database, func(t *testing.T) {
			ctx := context.Background()
			w, s := openWorld(t, database)
			account := w.Actors[evidence.RoleAdvocate].Account
			w.Must(s.CreateSession(ctx, "hash-1", account, []byte(`{"a":1}`), 1000))
			w.Must(s.CreateSession(ctx, "hash-2", account, []byte(`{"a":2}`), 3000))
			if err := s.CreateSession(ctx, "hash-1", account, []byte("x"), 1); !errors.Is(err, evidence.ErrConflict) {
				t.Errorf("a hash twice: %v", err)
			}
			data, expires, err := s.Session(ctx, "hash-1")
			if err != nil || string(data) != `{"a":1}` || expires != 1000 {
				t.Errorf("%s %d %v", data, expires, err)
			}
			w.Must(s.UpdateSession(ctx, "hash-1", []byte(`{"a":3}`), 2000))
			w.Must(s.UpdateSession(ctx, "unknown", []byte(`{}`), 2000))
			if _, _, err := s.Session(ctx, "unknown"); !errors.Is(err, evidence.ErrNotFound) {
				t.Errorf("an update made a session: %v", err)
			}
			if data, expires, err = s.Session(ctx, "hash-1"); err != nil || string(data) != `{"a":3}` || expires != 2000 {
				t.Errorf("%s %d %v", data, expires, err)
			}
			w.Must(s.DeleteExpiredSessions(ctx, 2000))
			if _, _, err := s.Session(ctx, "hash-1"); err != nil {
				t.Errorf("gone at its end: %v", err)
			}
			w.Must(s.DeleteExpiredSessions(ctx, 2001))
			if _, _, err := s.Session(ctx, "hash-1"); !errors.Is(err, evidence.ErrNotFound) {
				t.Errorf("there after its end: %v", err)
			}
			mine := evidence.NewID()
			w.Must(s.CreateSession(ctx, "hash-3", mine, []byte(`{"a":9}`), 5000))
			if of, err := s.SessionsOf(ctx, mine); err != nil || len(of) != 1 || string(of["hash-3"]) != `{"a":9}` {
				t.Errorf("%v, %v", of, err)
			}
			w.Must(s.EndSession(ctx, "hash-3", custody.Entry{Actor: evidence.System(w.Agency), Action: "session.end"}))
			if err := s.EndSession(ctx, "hash-3", custody.Entry{Actor: evidence.System(w.Agency), Action: "session.end"}); !errors.Is(err, evidence.ErrConflict) {
				t.Errorf("ended twice: %v", err)
			}
			if n := len(w.Log("session.end")); n != 1 {
				t.Errorf("%d entries for one session", n)
			}
			w.Must(s.DeleteSession(ctx, "hash-2"))
			w.Must(s.DeleteSession(ctx, "hash-2"))
			if _, _, err := s.Session(ctx, "hash-2"); !errors.Is(err, evidence.ErrNotFound) {
				t.Errorf("there after it was removed: %v", err)
			}
		})
	}
}
