package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder"
)

// Viewing shows observers what is recorded. Safe for concurrent use.
type Viewing interface {
	AdmitObserver(ctx context.Context, interview evidence.ID, o recorder.Observer) (recorder.Admission, error)
	OpenView(ctx context.Context, source evidence.ID, token, offer string) (recorder.Session, error)
	TrickleView(ctx context.Context, source evidence.ID, token string, session evidence.ID, ifMatch, fragment string) (answer, etag string, err error)
	// Remark notes in the recording what was asked from the observation room.
	Remark(ctx context.Context, actor evidence.Actor, interview evidence.ID, kind, value, note string) error
	CloseView(ctx context.Context, source evidence.ID, token string, session evidence.ID) error
}

// viewing is the other direction of WHIP: WHEP (draft-ietf-wish-whep) exchanges the
// same messages, with the offer to receive. It is a draft, and stays in this file.
type viewing struct{ Viewing }

// Publish implements [Publishing].
func (v viewing) Publish(ctx context.Context, source evidence.ID, token, offer string) (recorder.Session, error) {
	return v.OpenView(ctx, source, token, offer)
}

// Trickle implements [Publishing].
func (v viewing) Trickle(ctx context.Context, source evidence.ID, token string, session evidence.ID, ifMatch, fragment string) (answer, etag string, err error) {
	return v.TrickleView(ctx, source, token, session, ifMatch, fragment)
}

// Unpublish implements [Publishing].
func (v viewing) Unpublish(ctx context.Context, source evidence.ID, token string, session evidence.ID) error {
	return v.CloseView(ctx, source, token, session)
}

// Observation lets somebody watch an interview live.
type Observation struct {
	Token      string        `json:"token" doc:"Bearer token of the WHEP endpoints below. It is shown once, is yours alone, and is good for a first session until expires_at; then for as long as a session lasts, and a minute more."`
	ExpiresAt  time.Time     `json:"expires_at" doc:"When it ends if no session was begun."`
	Role       evidence.Role `json:"role" doc:"The role on the case by which you watch." enum:"interviewer,observer,advocate"`
	ICEServers []ICEServer   `json:"ice_servers" doc:"Relays for networks that let nothing else through; empty where the operator set up none."`
	Sources    []LiveSource  `json:"sources" doc:"Cameras and microphones, in order of creation. More may join: see the status."`
}

// LiveSource is a source as an observer gets it.
type LiveSource struct {
	SourceRef
	WHEP string `json:"whep" doc:"Where to watch: a WHEP endpoint (draft-ietf-wish-whep). POST an offer to receive, PATCH candidates, DELETE to end."`
}

// observeInterview admits somebody to watch. Whether she may is decided here, when a
// session begins, every four seconds after that, and on each event.
func (s *Server) observeInterview(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Observation], error) {
	role, err := s.access.Observe(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	asked := callerOf(ctx).request.Clone(context.WithoutCancel(ctx)) // headers, by which she is known
	admission, err := s.recording.AdmitObserver(ctx, in.ID, recorder.Observer{Actor: a, Role: role, May: func(ctx context.Context) error {
		return s.mayObserve(ctx, asked, a, in.ID)
	}})
	if err != nil {
		return nil, err
	}
	sources, err := s.store.Sources(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	relays, err := s.iceServers()
	if err != nil {
		return nil, err
	}
	out := Observation{ICEServers: relays, Token: admission.Token, ExpiresAt: admission.ExpiresAt.Time(), Role: role, Sources: make([]LiveSource, 0, len(sources))}
	for _, src := range sources {
		out.Sources = append(out.Sources, LiveSource{SourceRef: sourceRef(src), WHEP: s.baseURL + "/whep/" + string(src.ID)})
	}
	return answerOf(out), nil
}

// mayObserve decides whether somebody who was admitted may still watch: she is
// signed in still, and the policy allows it.
func (s *Server) mayObserve(ctx context.Context, asked *http.Request, a evidence.Actor, interview evidence.ID) error {
	_, err := s.authenticateRequest(ctx, asked, a.Address, background)
	var p *Problem
	if errors.As(err, &p) && p.Status == http.StatusUnauthorized {
		return evidence.Refuse(evidence.ErrUnauthenticated, p.Code, p.Detail, "P38")
	}
	if err != nil {
		return err
	}
	_, err = s.access.Observe(ctx, a, interview)
	return err
}
