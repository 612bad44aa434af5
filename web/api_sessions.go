package web

import (
	"context"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

// AccountSession is somebody signed in, seen from outside: nothing of what is done in it.
type AccountSession struct {
	ID        evidence.ID `json:"id" doc:"Session, as the custody log names it."`
	StartedAt time.Time   `json:"started_at" doc:"When it began."`
	ActiveAt  time.Time   `json:"active_at" doc:"When its person last did something, to within a minute."`
	EndsAt    time.Time   `json:"ends_at" doc:"When it ends, whatever is done."`
	Locked    bool        `json:"locked" doc:"Whether it is locked after 30 idle minutes (P38)."`
	This      bool        `json:"this" doc:"Whether it is the one that asks."`
}

type endSessionInput struct {
	IDPath
	Session evidence.ID `path:"session" maxLength:"64" doc:"Session."`
}

func (s *Server) listSessions(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[list[AccountSession]], error) {
	if err := s.access.Authorize(ctx, a, access.SessionList, evidence.Resource{Kind: access.KindAccount, ID: in.ID}); err != nil {
		return nil, err
	}
	all, err := s.sessions.Sessions(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := list[AccountSession]{Items: make([]AccountSession, 0, len(all))}
	for _, one := range all {
		out.Items = append(out.Items, AccountSession{ID: one.ID, StartedAt: one.Started.Time(), ActiveAt: one.Active.Time(), EndsAt: one.EndsAt().Time(),
			Locked: evidence.At(s.clock()) >= one.LocksAt(), This: one.ID == a.Session})
	}
	return answerOf(out), nil
}

// endSession ends one session. A recording that runs in its room goes on: the room
// has a credential of its own.
func (s *Server) endSession(ctx context.Context, a evidence.Actor, in *endSessionInput) (*nothing, error) {
	if err := s.access.Authorize(ctx, a, access.SessionEnd, evidence.Resource{Kind: access.KindAccount, ID: in.ID}); err != nil {
		return nil, err
	}
	account, err := s.store.Account(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	entry := custody.Entry{Actor: a, Action: access.SessionEnd, Agency: account.Agency, Subject: in.ID, Details: map[string]string{"session": string(in.Session)}}
	return &nothing{}, s.sessions.EndOf(ctx, in.ID, in.Session, entry)
}
