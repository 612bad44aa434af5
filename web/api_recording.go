package web

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/recorder"
)

// Recording is what the edge asks of the recorder. The actor was authorised
// before each call. Safe for concurrent use.
type Recording interface {
	Publishing
	Capturing
	EnrolDevice(ctx context.Context, actor evidence.Actor, interview evidence.ID, publicKey []byte) (evidence.Device, error)
	CreateSource(ctx context.Context, actor evidence.Actor, interview evidence.ID, role evidence.SourceRole) (evidence.Source, string, error)
	RenewSource(ctx context.Context, actor evidence.Actor, source evidence.Source) (string, error)
	Start(ctx context.Context, actor evidence.Actor, interview evidence.ID) (recorder.Status, error)
	Pause(ctx context.Context, actor evidence.Actor, interview evidence.ID, reason string) (recorder.Status, error)
	Resume(ctx context.Context, actor evidence.Actor, interview evidence.ID) (recorder.Status, error)
	Stop(ctx context.Context, actor evidence.Actor, interview evidence.ID) (recorder.Status, error)
	Mark(ctx context.Context, actor evidence.Actor, interview evidence.ID, kind, value, note string) (evidence.Event, error)
	Status(ctx context.Context, interview evidence.ID) (recorder.Status, error)
	Watch(interview evidence.ID) (changed <-chan struct{}, cancel func())
	NoteCheck(ctx context.Context, interview evidence.ID, checks []evidence.Check, overruled bool) error
	CheckSources(interview evidence.ID) []evidence.Check
	CheckDisk() evidence.Check
	Leaving(ctx context.Context, interview evidence.ID) (recorder.Leaving, error)
	Viewing
	// Relay returns a credential for the embedded TURN server, if there is one.
	Relay() (c recorder.Relay, ok bool, err error)
}

// allow asks the policy about an interview.
func (s *Server) allow(ctx context.Context, a evidence.Actor, action string, interview evidence.ID) error {
	return s.access.Authorize(ctx, a, action, evidence.Resource{Kind: access.KindInterview, ID: interview})
}

func (s *Server) interviewStatus(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Status], error) {
	if err := s.allow(ctx, a, access.InterviewRead, in.ID); err != nil {
		return nil, err
	}
	st, err := s.recording.Status(ctx, in.ID)
	return s.statusAnswer(ctx, st, err)
}

// watchStatus sends the status at once and whenever a person would see a
// change. Access is decided again before each one.
func (s *Server) watchStatus(ctx context.Context, a evidence.Actor, in *IDPath) (*huma.StreamResponse, error) {
	if err := s.allow(ctx, a, access.InterviewRead, in.ID); err != nil {
		return nil, err
	}
	return s.streamEvents(a, func(ctx context.Context, out *eventWriter) error {
		changed, cancel := s.recording.Watch(in.ID)
		defer cancel()
		for {
			if err := s.allow(ctx, a, access.InterviewRead, in.ID); err != nil {
				return err
			}
			status, err := s.recording.Status(ctx, in.ID)
			if err != nil {
				return err
			}
			shown, err := s.statusOf(ctx, status)
			if err != nil {
				return err
			}
			if err := out.event(0, "status", shown); err != nil {
				return err
			}
			if err := out.wait(ctx, changed); err != nil {
				return err
			}
		}
	}), nil
}

func (s *Server) startInterview(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Status], error) {
	if err := s.allow(ctx, a, access.InterviewStart, in.ID); err != nil {
		return nil, err
	}
	st, err := s.recording.Start(ctx, a, in.ID)
	return s.statusAnswer(ctx, st, err)
}

func (s *Server) pauseInterview(ctx context.Context, a evidence.Actor, in *pauseInput) (*answer[Status], error) {
	if err := s.allow(ctx, a, access.InterviewPause, in.ID); err != nil {
		return nil, err
	}
	st, err := s.recording.Pause(ctx, a, in.ID, in.Body.Reason)
	return s.statusAnswer(ctx, st, err)
}

func (s *Server) resumeInterview(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Status], error) {
	if err := s.allow(ctx, a, access.InterviewResume, in.ID); err != nil {
		return nil, err
	}
	st, err := s.recording.Resume(ctx, a, in.ID)
	return s.statusAnswer(ctx, st, err)
}

func (s *Server) stopInterview(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Status], error) {
	if err := s.allow(ctx, a, access.InterviewStop, in.ID); err != nil {
		return nil, err
	}
	st, err := s.recording.Stop(ctx, a, in.ID)
	return s.statusAnswer(ctx, st, err)
}

func (s *Server) markInterview(ctx context.Context, a evidence.Actor, in *markInput) (*answer[Mark], error) {
	if err := s.allow(ctx, a, access.InterviewMark, in.ID); err != nil {
		return nil, err
	}
	e, err := s.recording.Mark(ctx, a, in.ID, in.Body.Kind, in.Body.Value, in.Body.Note)
	return answerErr(Mark{At: e.At, Kind: e.Kind, Value: e.Value}, err)
}

func (s *Server) listSources(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[list[InterviewSource]], error) {
	if err := s.allow(ctx, a, access.InterviewRead, in.ID); err != nil {
		return nil, err
	}
	sources, err := s.sourcesOf(ctx, in.ID)
	return answerErr(list[InterviewSource]{Items: sources}, err)
}

func (s *Server) sourcesOf(ctx context.Context, interview evidence.ID) ([]InterviewSource, error) {
	sources, err := s.store.Sources(ctx, interview)
	if err != nil {
		return nil, err
	}
	tracks, err := s.store.Tracks(ctx, interview)
	if err != nil {
		return nil, err
	}
	out := make([]InterviewSource, 0, len(sources))
	for _, src := range sources {
		one := InterviewSource{SourceRef: sourceRef(src), Tracks: []InterviewTrack{}}
		for _, t := range tracks {
			if t.Source == src.ID && t.Replaces == "" {
				one.Tracks = append(one.Tracks, trackOf(t))
			}
		}
		out = append(out, one)
	}
	return out, nil
}

func sourceRef(s evidence.Source) SourceRef { return SourceRef{ID: s.ID, Name: s.Name, Role: s.Role} }

func trackOf(t evidence.Track) InterviewTrack {
	return InterviewTrack{ID: t.ID, Kind: t.Kind, Codec: t.Codec}
}

func (s *Server) addSource(ctx context.Context, a evidence.Actor, in *addSourceInput) (*answer[NewSource], error) {
	if err := s.allow(ctx, a, access.SourceAdd, in.ID); err != nil {
		return nil, err
	}
	src, token, err := s.recording.CreateSource(ctx, a, in.ID, in.Body.Role)
	if err != nil {
		return nil, err
	}
	return answerErr(s.newSource(src, token))
}

func (s *Server) renewSourceToken(ctx context.Context, a evidence.Actor, in *sourcePath) (*answer[NewSource], error) {
	if err := s.allow(ctx, a, access.SourceAdd, in.ID); err != nil {
		return nil, err
	}
	sources, err := s.store.Sources(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	for _, src := range sources {
		if src.ID == in.Source {
			token, err := s.recording.RenewSource(ctx, a, src)
			if err != nil {
				return nil, err
			}
			return answerErr(s.newSource(src, token))
		}
	}
	return nil, evidence.ErrNotFound
}

// enrolDevice makes the caller's browser a device of the interview's room.
func (s *Server) enrolDevice(ctx context.Context, a evidence.Actor, in *enrolDeviceInput) (*answer[Device], error) {
	if err := s.allow(ctx, a, access.SourceAdd, in.ID); err != nil {
		return nil, err
	}
	d, err := s.recording.EnrolDevice(ctx, a, in.ID, in.Body.PublicKey)
	return answerErr(Device{ID: d.ID, KeyID: d.KeyID}, err)
}

func (s *Server) newSource(src evidence.Source, token string) (NewSource, error) {
	relays, err := s.iceServers()
	return NewSource{SourceID: src.ID, Name: src.Name, Role: src.Role, WHIP: s.baseURL + "/whip/" + string(src.ID), Token: token, ICEServers: relays}, err
}

// iceServers are the relays that a peer may use; none if there is none.
func (s *Server) iceServers() ([]ICEServer, error) {
	c, ok, err := s.recording.Relay()
	if err != nil || !ok {
		return []ICEServer{}, err
	}
	return []ICEServer{{URLs: c.URLs, Username: c.Username, Credential: c.Credential}}, nil
}

// statusAnswer is the answer for what the recorder says.
func (s *Server) statusAnswer(ctx context.Context, st recorder.Status, err error) (*answer[Status], error) {
	if err != nil {
		return nil, err
	}
	return answerErr(s.statusOf(ctx, st))
}

func (s *Server) statusOf(ctx context.Context, st recorder.Status) (Status, error) {
	out := Status{
		Interview: st.Interview, State: st.State, Sealed: st.Sealed, Elapsed: st.Elapsed, StartedAt: when(st.StartedAt), Part: st.Part,
		Storage: StorageStatus(st.Storage), Tracks: make([]TrackStatus, 0, len(st.Tracks)), Alarms: make([]Alarm, 0, len(st.Alarms)), Observers: make([]Presence, 0, len(st.Observers)),
	}
	if c := st.Checkpoint; c != nil {
		own := CheckpointStatus(*c)
		out.Checkpoint = &own
	}
	for _, t := range st.Tracks {
		out.Tracks = append(out.Tracks, TrackStatus{
			Track: t.Track, SourceID: t.SourceID, Source: t.Source, Role: t.Role, Name: t.Name, Kind: t.Kind, Codec: t.Codec,
			Width: t.Width, Height: t.Height, Packets: PacketCounts(t.Packets), Frames: FrameCounts(t.Frames), Bytes: t.Bytes,
			Live: t.Live, Level: t.Level, RoundTrip: t.RoundTrip, Aligned: t.Aligned, AlignedWithin: t.AlignedWithin,
			Rate: t.Rate, Skew: t.Skew,
		})
	}
	for _, a := range st.Alarms {
		out.Alarms = append(out.Alarms, Alarm(a))
	}
	for _, p := range st.Observers {
		who, err := s.names.account(ctx, s, p.Account)
		if err != nil {
			return out, err
		}
		out.Observers = append(out.Observers, Presence{Account: who, Role: p.Role, Since: p.Since.Time(), Withheld: p.Withheld})
	}
	return out, nil
}
