package web

import (
	"context"
	"fmt"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
	"github.com/toldonce/toldonce/recorder/media"
	"github.com/toldonce/toldonce/recorder/rehearsal"
)

// Rehearsals makes test recordings, which are known to it alone and only to whoever
// began them: for anyone else the error wraps evidence.ErrNotFound. See package
// rehearsal. Safe for concurrent use.
type Rehearsals interface {
	Publishing
	Begin(ctx context.Context, actor evidence.Actor, at rehearsal.Place) (rehearsal.Take, evidence.Source, string, error)
	Start(ctx context.Context, actor evidence.Actor, id evidence.ID) (rehearsal.Take, error)
	Take(actor evidence.Actor, id evidence.ID) (rehearsal.Take, error)
	Media(ctx context.Context, actor evidence.Actor, id evidence.ID) (rehearsal.Media, error)
	Forget(actor evidence.Actor, id evidence.ID) error
}

// rehearsing returns what makes test recordings, if anything here does.
func (s *Server) rehearsing() (Rehearsals, error) {
	if s.rehearsals == nil {
		return nil, fmt.Errorf("test recordings: %w", evidence.ErrUnavailable)
	}
	return s.rehearsals, nil
}

func (s *Server) beginRehearsal(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[NewRehearsal], error) {
	stage, err := s.rehearsing()
	if err != nil {
		return nil, err
	}
	room, err := s.people.Rehearse(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	take, source, token, err := stage.Begin(ctx, a, rehearsal.Place{Room: room.ID, Agency: room.Agency, TimeZone: room.TimeZone})
	if err != nil {
		return nil, err
	}
	out, err := s.newSource(source, token)
	if err != nil {
		return nil, err
	}
	out.WHIP = s.baseURL + "/rehearsals/" + string(source.ID)
	return answerOf(NewRehearsal{Rehearsal: rehearsalOf(take), Source: out}), nil
}

func rehearsalOf(t rehearsal.Take) Rehearsal {
	out := Rehearsal{ID: t.ID, RoomID: t.Room, State: string(t.State), Elapsed: int64(t.Elapsed), Length: rehearsal.Length.Microseconds(),
		Until: t.Until.Time(), Segments: t.Segments, Checks: []Check{}, Tracks: []InterviewTrack{}}
	if t.State != rehearsal.Done {
		return out
	}
	var v Verification
	v.judge(t.Findings)
	out.Checks = v.Checks
	out.Holds = t.Segments > 0 && !t.Findings.Any(seal.Fails) && !t.Findings.Any(seal.NotTrusted)
	out.Playlist = rehearsalPath(t.ID) + "main.m3u8"
	return out
}

func rehearsalPath(id evidence.ID) string { return apiPrefix + "/rehearsals/" + string(id) + "/hls/" }

func (s *Server) getRehearsal(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Rehearsal], error) {
	stage, err := s.rehearsing()
	if err != nil {
		return nil, err
	}
	take, err := stage.Take(a, in.ID)
	if err != nil {
		return nil, err
	}
	out := rehearsalOf(take)
	if take.State == rehearsal.Done {
		m, err := stage.Media(ctx, a, in.ID)
		if err != nil {
			return nil, err
		}
		for _, t := range m.Tracks {
			out.Tracks = append(out.Tracks, trackOf(t))
		}
	}
	return answerOf(out), nil
}

func (s *Server) startRehearsal(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Rehearsal], error) {
	stage, err := s.rehearsing()
	if err != nil {
		return nil, err
	}
	take, err := stage.Start(ctx, a, in.ID)
	return answerErr(rehearsalOf(take), err)
}

func (s *Server) forgetRehearsal(_ context.Context, a evidence.Actor, in *IDPath) (*answer[nothing], error) {
	stage, err := s.rehearsing()
	if err != nil {
		return nil, err
	}
	return nil, stage.Forget(a, in.ID)
}

// rehearsed returns what a test recording consists of, as playlists are made from it.
func (s *Server) rehearsed(ctx context.Context, a evidence.Actor, id evidence.ID) (rehearsal.Media, playable, error) {
	stage, err := s.rehearsing()
	if err != nil {
		return rehearsal.Media{}, playable{}, err
	}
	m, err := stage.Media(ctx, a, id)
	if err != nil {
		return rehearsal.Media{}, playable{}, err
	}
	out := playable{source: sourceRef(m.Source)}
	for _, t := range m.Tracks {
		one := playableTrack{track: t}
		for _, segment := range m.Segments {
			if segment.Leaf.Track == t.ID && segment.Leaf.Kind == evidence.LeafMedia {
				one.segments = append(one.segments, segment)
			}
		}
		slices.SortFunc(one.segments, func(x, y evidence.Segment) int { return int(x.Leaf.Start - y.Leaf.Start) })
		out.tracks = append(out.tracks, one)
	}
	return m, out, nil
}

func (s *Server) rehearsalMain(ctx context.Context, a evidence.Actor, in *IDPath) (*huma.StreamResponse, error) {
	_, p, err := s.rehearsed(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	return sendBytes(typePlaylist, mainPlaylist([]playable{p})), nil
}

// rehearsalFile sends a piece of a test recording to whoever made it. Nobody is on it
// whom the rules of delivery protect, and it stands in the log that it was made.
func (s *Server) rehearsalFile(ctx context.Context, a evidence.Actor, in *rehearsalFileInput) (*huma.StreamResponse, error) {
	name, ok := parseHLSName(in.File)
	if !ok {
		return nil, evidence.ErrNotFound
	}
	m, p, err := s.rehearsed(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	for _, t := range p.tracks {
		switch {
		case t.track.ID != in.Track:
		case name.playlist:
			return sendBytes(typePlaylist, trackPlaylist(t, timelineOf(p))), nil
		case name.gap:
			return sendBytes("video/mp4", gapBody), nil
		default:
			return sendRehearsed(m, t.track, name)
		}
	}
	return nil, evidence.ErrNotFound
}

func sendRehearsed(m rehearsal.Media, track evidence.Track, name hlsName) (*huma.StreamResponse, error) {
	for _, segment := range m.Segments {
		l := segment.Leaf
		if l.Track != track.ID || l.Kind != name.kind || name.kind == evidence.LeafMedia && l.Index != name.index || name.kind == evidence.LeafInit && l.Init != name.index {
			continue
		}
		body, err := m.Open(segment)
		if err == nil && name.kind == evidence.LeafMedia {
			body, err = media.Rebase(body, decodeTime(l.Start, track.Timescale))
		}
		if err != nil {
			return nil, fmt.Errorf("opening a piece of a test recording: %w", fault(err))
		}
		return sendBytes(mp4Type(track.Kind), body), nil
	}
	return nil, evidence.ErrNotFound
}
