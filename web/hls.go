package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/recorder/media"
)

// Objects reads ciphertext.
type Objects interface {
	// Get returns an object's bytes; an error wrapping evidence.ErrNotFound or
	// evidence.ErrUnavailable.
	Get(ctx context.Context, key, version string) ([]byte, error)
}

// Keys opens recordings.
type Keys interface {
	OpenRecordingKey(ctx context.Context, recording evidence.ID, wrapped []byte) (envelope.DataKey, error)
}

type hlsMainInput struct {
	IDPath
	Source string `query:"source" maxLength:"64" doc:"Only this source: its identifier or name. A page plays one source in each player."`
}

type hlsFileInput struct {
	IDPath
	Track evidence.ID `path:"track" maxLength:"64" doc:"Track."`
	File  string      `path:"file" maxLength:"64" doc:"index.m3u8, init-N.mp4 or N.m4s."`
}

func (s *Server) hlsMain(ctx context.Context, a evidence.Actor, in *hlsMainInput) (*huma.StreamResponse, error) {
	_, sources, err := s.playables(ctx, a, in.ID, in.Source)
	if err != nil {
		return nil, err
	}
	return sendBytes(typePlaylist, mainPlaylist(sources)), nil
}

func (s *Server) hlsFile(ctx context.Context, a evidence.Actor, in *hlsFileInput) (*huma.StreamResponse, error) {
	name, ok := parseHLSName(in.File)
	if !ok {
		return nil, evidence.ErrNotFound
	}
	switch {
	case name.playlist:
		return s.hlsIndex(ctx, a, in)
	case name.gap:
		if _, err := s.access.Live(ctx, a, in.ID); err != nil {
			return nil, err
		}
		return sendBytes("video/mp4", gapBody), nil
	case callerOf(ctx).request.Method == head:
		return s.hlsHead(ctx, a, in, name)
	}
	return s.hlsSegment(ctx, a, in, name)
}

func (s *Server) hlsIndex(ctx context.Context, a evidence.Actor, in *hlsFileInput) (*huma.StreamResponse, error) {
	// A track that is not there is asked for as any other: the decision comes first.
	source := "-"
	track, err := s.track(ctx, in.ID, in.Track)
	switch {
	case err == nil:
		source = string(track.Source)
	case !errors.Is(err, evidence.ErrNotFound):
		return nil, err
	}
	_, sources, err := s.playables(ctx, a, in.ID, source)
	if err != nil {
		return nil, err
	}
	for _, one := range sources {
		for _, t := range one.tracks {
			if t.track.ID == in.Track {
				return sendBytes(typePlaylist, trackPlaylist(t, timelineOf(one))), nil
			}
		}
	}
	return nil, evidence.ErrNotFound
}

// hlsSegment delivers. The order is the point: decide, commit the custody entry
// (both in Deliver), and only then read, open, look again and send.
func (s *Server) hlsSegment(ctx context.Context, a evidence.Actor, in *hlsFileInput, name hlsName) (*huma.StreamResponse, error) {
	d, err := s.access.Deliver(ctx, a, in.ID, in.Track, name.kind, name.index)
	if err != nil {
		s.metrics.refused.Inc()
		return nil, err
	}
	track, err := s.track(ctx, in.ID, in.Track)
	if err != nil {
		return nil, err
	}
	body, err := s.open(ctx, d.Segment)
	if errors.Is(err, envelope.ErrErased) {
		return nil, evidence.Refuse(evidence.ErrConflict, "recording.erased", "The recording was erased. Nothing opens it any more.", "P35")
	}
	if err != nil {
		return nil, fmt.Errorf("opening segment %d of recording %s: %w", d.Segment.Position, d.Segment.Leaf.Recording, fault(err))
	}
	if name.kind == evidence.LeafMedia {
		body, err = media.Rebase(body, decodeTime(d.Segment.Leaf.Start, track.Timescale))
		if err != nil {
			return nil, fmt.Errorf("rebasing segment %d of recording %s: %w", d.Segment.Position, d.Segment.Leaf.Recording, fault(err))
		}
	}
	// Reading may have taken long: what was revoked meanwhile is not sent.
	if err := s.access.Still(ctx, a, in.ID, d); err != nil {
		s.metrics.refused.Inc()
		return nil, err
	}
	s.metrics.delivered.Inc()
	return sendBytes(mp4Type(track.Kind), body), nil
}

// fault keeps a damaged or missing object from looking like the client's mistake.
func fault(err error) error {
	if errors.Is(err, evidence.ErrUnavailable) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: %v", errFault, err)
}

// hlsHead says what a GET would send, and delivers nothing.
func (s *Server) hlsHead(ctx context.Context, a evidence.Actor, in *hlsFileInput, name hlsName) (*huma.StreamResponse, error) {
	p, err := s.access.Playback(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	for _, t := range p.Tracks {
		if t.Track.ID != in.Track {
			continue
		}
		for _, segment := range t.Segments {
			l := segment.Leaf
			if name.kind == evidence.LeafMedia && l.Index == name.index {
				return sendLength(mp4Type(t.Track.Kind), l.Plain.Size), nil
			}
			if name.kind == evidence.LeafInit && l.Init == name.index {
				return sendLength(mp4Type(t.Track.Kind), -1), nil
			}
		}
	}
	return nil, evidence.Refuse(evidence.ErrRefused, "grant.outside", "This lies outside what the grant gives.", "P28")
}

func (s *Server) track(ctx context.Context, interview, id evidence.ID) (evidence.Track, error) {
	tracks, err := s.store.Tracks(ctx, interview)
	if err != nil {
		return evidence.Track{}, err
	}
	for _, t := range tracks {
		if t.ID == id {
			return t, nil
		}
	}
	return evidence.Track{}, evidence.ErrNotFound
}

// open reads a stored object and opens it, checking both digests.
func (s *Server) open(ctx context.Context, segment evidence.Segment) ([]byte, error) {
	id, err := s.identity(ctx, segment.Leaf.Recording)
	if err != nil {
		return nil, err
	}
	cipher, err := s.objects.Get(ctx, segment.ObjectKey, segment.ObjectVersion)
	if err != nil {
		return nil, err
	}
	return envelope.OpenLeaf(id, cipher, segment.Leaf)
}

func mp4Type(kind evidence.TrackKind) string {
	if kind == evidence.Audio {
		return "audio/mp4"
	}
	return "video/mp4"
}

// sendBytes answers with a body, or with the ranges of it that were asked for.
// There is no entity tag and no date: nothing may be kept, so nothing can be asked for again conditionally.
func sendBytes(contentType string, body []byte) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		g := humagin.Unwrap(ctx)
		g.Writer.Header().Set("Content-Type", contentType)
		http.ServeContent(g.Writer, g.Request, "", time.Time{}, bytes.NewReader(body))
	}}
}

// sendLength answers a HEAD; size -1 is not told.
func sendLength(contentType string, size int64) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		g := humagin.Unwrap(ctx)
		h := g.Writer.Header()
		h.Set("Content-Type", contentType)
		h.Set("Accept-Ranges", "bytes")
		if size >= 0 {
			h.Set("Content-Length", strconv.FormatInt(size, 10))
		}
		g.Writer.WriteHeader(http.StatusOK)
		g.Writer.WriteHeaderNow()
	}}
}
