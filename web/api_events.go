package web

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

const (
	// eventBatch is how many events are read at once.
	eventBatch = 200
	// maxReplay is how many events a client may be behind. One that was away for
	// longer reads everything again, which is cheaper for both.
	maxReplay = 10_000
)

// Event is the data of a server-sent event: that something happened, not what it
// says. Read the thing again.
type Event struct {
	ID        int64       `json:"id" doc:"Number of the event; the id of the server-sent event too."`
	At        time.Time   `json:"at" doc:"When, by the server's clock."`
	Kind      string      `json:"kind" doc:"What happened: an action of the custody log. The name of the server-sent event too." example:"grant.revoke"`
	Case      evidence.ID `json:"case,omitempty" doc:"Case file."`
	Interview evidence.ID `json:"interview,omitempty" doc:"Interview."`
	Grant     evidence.ID `json:"grant,omitempty" doc:"For grant.*: the grant."`
	Subject   evidence.ID `json:"subject,omitempty" doc:"The thing that it was done to."`
	Yours     bool        `json:"yours" doc:"For grant.*: whether it is given to you. On grant.revoke and grant.end a player goes dark."`
}

// hello is the data of the first event of a stream.
type hello struct {
	Missed bool `json:"missed"` // events before this one are not sent again: read everything anew
}

type eventsInput struct {
	LastEventID string `header:"Last-Event-ID" maxLength:"32" doc:"Go on after this event. Without it, from now on."`
}

// events sends what happens, from the durable table, filtered for one person.
// Who may know is decided for each event when it is sent.
func (s *Server) events(ctx context.Context, a evidence.Actor, in *eventsInput) (*huma.StreamResponse, error) {
	after := int64(-1)
	if in.LastEventID != "" {
		id, ok := parseEventID(in.LastEventID)
		if !ok {
			return nil, newProblem(http.StatusBadRequest, "events.last_event_id", "Last-Event-ID is not one of this server's.")
		}
		after = id
	}
	last, err := s.store.LastEvent(ctx)
	if err != nil {
		return nil, err
	}
	missed := after > last || after >= 0 && last-after > maxReplay
	if after < 0 || missed {
		after = last
	}
	return s.streamEvents(a, func(ctx context.Context, out *eventWriter) error {
		// The client learns at once where to go on after a broken connection, and
		// whether it missed anything for good.
		if err := out.event(after, "hello", hello{Missed: missed}); err != nil {
			return err
		}
		for {
			changed := s.store.Changed()
			list, err := s.store.EventsAfter(ctx, after, custody.EventFilter{}, eventBatch)
			if err != nil {
				return err
			}
			// The session may have ended since the last look, which a slow read makes long.
			if len(list) > 0 {
				if err := out.still(); err != nil {
					return err
				}
			}
			for _, e := range list {
				after = e.ID
				known, err := s.mayKnow(ctx, a, e)
				if err != nil {
					return err
				}
				if !known {
					continue
				}
				if err := out.event(e.ID, e.Kind, eventOf(a, e)); err != nil {
					return err
				}
			}
			if len(list) == eventBatch {
				continue
			}
			if err := out.wait(ctx, changed); err != nil {
				return err
			}
		}
	}), nil
}

// mayKnow decides whether a person may know that something happened: what she did
// or received, what concerns a case of hers, and the rest if she may read the log
// of the installation.
func (s *Server) mayKnow(ctx context.Context, a evidence.Actor, e custody.Event) (bool, error) {
	action, on := access.LogRead, evidence.Resource{Kind: access.KindSystem}
	switch {
	case e.Kind == access.PersonLink: // separation is known to those who read the case's log
		action, on = access.PersonLink, evidence.Resource{Kind: access.KindPerson, ID: e.Subject}
	case e.Kind == access.SeparationDecide:
		action, on = access.SeparationRead, evidence.Resource{Kind: access.KindCase, ID: e.Case}
	case e.Interview != "":
		action, on = access.InterviewRead, evidence.Resource{Kind: access.KindInterview, ID: e.Interview}
	case e.Case != "":
		action, on = access.CaseRead, evidence.Resource{Kind: access.KindCase, ID: e.Case}
	case e.Actor == a.Account || e.Subject == a.Account:
		return true, nil
	}
	return s.access.May(ctx, a, action, on)
}

func eventOf(a evidence.Actor, e custody.Event) Event {
	out := Event{ID: e.ID, At: e.At.Time(), Kind: e.Kind, Case: e.Case, Interview: e.Interview, Subject: e.Subject}
	switch e.Kind {
	case access.GrantRequest, access.GrantApprove, access.GrantReject, access.GrantRevoke, access.EntryGrantEnd:
		out.Grant = e.Subject
		out.Yours = e.Data["to"] == string(a.Account)
	}
	return out
}
