package web

import (
	"context"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/seal"
)

// leaseTime is how long a player may go on after the last good heartbeat. With
// one heartbeat a second, revocation or a lost server darkens it within 2 s.
const leaseTime = 2 * time.Second

// playables gathers what the actor may play now, per source. only, if not empty,
// names one source by identifier or name.
func (s *Server) playables(ctx context.Context, a evidence.Actor, interview evidence.ID, only string) (access.Playback, []playable, error) {
	sources, err := s.store.Sources(ctx, interview)
	if err != nil {
		return access.Playback{}, nil, err
	}
	var chosen []evidence.ID
	if only != "" {
		chosen = []evidence.ID{""} // none, so that a name that is not there chooses nothing
		for _, src := range sources {
			if only == string(src.ID) || only == src.Name {
				chosen = append(chosen, src.ID)
			}
		}
	}
	p, err := s.access.Playback(ctx, a, interview, chosen...)
	if err != nil {
		return p, nil, err
	}
	tracks, err := s.replaced(ctx, p)
	if err != nil {
		return p, nil, err
	}
	out := []playable{}
	for _, src := range sources {
		one := playable{source: sourceRef(src)}
		for _, t := range tracks {
			if t.Track.Source == src.ID {
				one.tracks = append(one.tracks, playableTrack{track: t.Track, segments: t.Segments})
			}
		}
		if len(one.tracks) > 0 {
			out = append(out, one)
		}
	}
	if only != "" && len(out) == 0 {
		return p, nil, evidence.ErrNotFound
	}
	return p, out, nil
}

func playlistPath(interview evidence.ID) string {
	return apiPrefix + "/interviews/" + string(interview) + "/hls/"
}

func (s *Server) playback(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Playback], error) {
	p, sources, err := s.playables(ctx, a, in.ID, "")
	if err != nil {
		return nil, err
	}
	out := Playback{Interview: in.ID, Playlist: playlistPath(in.ID) + "main.m3u8", LiveUntil: p.Until.Time(),
		Grants: make([]evidence.ID, 0, len(p.Grants)), Sources: make([]PlaybackSource, 0, len(sources)), Parts: []PlaybackPart{}, Events: []PlaybackEvent{}, Gaps: []PlaybackGap{}}
	for _, g := range p.Grants {
		out.Grants = append(out.Grants, g.ID)
	}
	var spans []TimelineSpan
	for _, one := range sources {
		timeline := timelineOf(one)
		spans = append(spans, timeline...)
		src := PlaybackSource{SourceRef: one.source, Playlist: playlistPath(in.ID) + "main.m3u8?source=" + string(one.source.ID), Timeline: timeline,
			Tracks: make([]PlaybackTrack, 0, len(one.tracks))}
		for _, t := range one.tracks {
			src.Tracks = append(src.Tracks, PlaybackTrack{InterviewTrack: trackOf(t.track), Ranges: rangesOf(t.segments)})
		}
		out.Sources = append(out.Sources, src)
	}
	sealed, err := s.store.SealedHead(ctx, p.Recording)
	if err != nil {
		return nil, err
	}
	m, err := seal.ParseManifest(sealed.Manifest)
	if err != nil {
		return nil, err
	}
	out.describe(m, spans)
	return answerOf(out), nil
}

// describe adds what the manifest says of the recording, as far as it lies inside
// what may be played.
func (p *Playback) describe(m evidence.Manifest, spans []TimelineSpan) {
	within := func(r evidence.Range) bool {
		for _, span := range spans {
			if r.Overlaps(evidence.Range{From: span.From, Until: span.Until}) {
				return true
			}
		}
		return false
	}
	for _, part := range m.Parts {
		p.Duration = max(p.Duration, part.End)
		if within(evidence.Range{From: part.Start, Until: part.End}) {
			p.Parts = append(p.Parts, PlaybackPart{Number: part.Number, Span: Span{From: part.Start, Until: part.End}, Cause: part.Cause})
		}
	}
	for _, e := range m.Events {
		if within(evidence.Range{From: e.At, Until: e.At + 1}) {
			p.Events = append(p.Events, PlaybackEvent{At: e.At, Kind: e.Kind, Value: e.Value})
		}
	}
	for _, g := range m.Gaps {
		if g.End > g.Start && p.tells(g.Track) && within(evidence.Range{From: g.Start, Until: g.End}) {
			p.Gaps = append(p.Gaps, PlaybackGap{Span: Span{From: g.Start, Until: g.End}, Track: g.Track, Cause: g.Cause})
		}
	}
}

// tells reports whether a track is among those that may be played.
func (p *Playback) tells(track evidence.ID) bool {
	for _, src := range p.Sources {
		for _, t := range src.Tracks {
			if t.ID == track {
				return true
			}
		}
	}
	return false
}

func (s *Server) heartbeat(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Heartbeat], error) {
	until, err := s.access.Live(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	lease := s.clock().Add(leaseTime)
	if end := until.Time(); end.Before(lease) {
		lease = end
	}
	return answerOf(Heartbeat{Live: true, Until: lease.UTC()}), nil
}
