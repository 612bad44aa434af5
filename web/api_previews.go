package web

import (
	"context"
	"errors"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/recorder/preview"
)

// picturesAtOnce is the longest stretch of interview time whose pictures one
// request gives: what a look along the timeline needs.
const picturesAtOnce evidence.Offset = 300_000_000

// PreviewPicture is a small picture of a moment.
type PreviewPicture struct {
	Span
	JPEG []byte `json:"jpeg" doc:"JPEG, 108 lines high: the first picture of this stretch."`
}

// PreviewLevels is how loud a stretch is.
type PreviewLevels struct {
	Span
	Levels []byte `json:"levels" doc:"One byte for each 100 ms from the start: 0 is 72 dB below full scale or less, 255 full scale, even in decibels (root mean square)."`
}

type picturesInput struct {
	IDPath
	Track evidence.ID `path:"track" maxLength:"64" doc:"Track of a picture."`
	From  int64       `query:"from" minimum:"0" required:"true" doc:"Interview time, microseconds, inclusive."`
	Until int64       `query:"until" minimum:"1" required:"true" doc:"Interview time, microseconds, exclusive; at most five minutes after from."`
}

type levelsInput struct {
	IDPath
	Track evidence.ID `path:"track" maxLength:"64" doc:"Track of a sound."`
}

// trackPictures gives small pictures of what may be played, for finding one's way.
func (s *Server) trackPictures(ctx context.Context, a evidence.Actor, in *picturesInput) (*answer[list[PreviewPicture]], error) {
	r := evidence.Range{From: evidence.Offset(in.From), Until: evidence.Offset(in.Until)}
	if r.Until <= r.From || r.Until-r.From > picturesAtOnce {
		return nil, fmt.Errorf("%w: a range of more than five minutes, or none", evidence.ErrInvalid)
	}
	out := list[PreviewPicture]{Items: []PreviewPicture{}}
	err := s.previews(ctx, a, in.ID, in.Track, evidence.PreviewPictures, r, func(at Span, data []byte) {
		out.Items = append(out.Items, PreviewPicture{Span: at, JPEG: data})
	})
	return answerErr(out, err)
}

// trackLevels gives how loud all that may be played of a track is.
func (s *Server) trackLevels(ctx context.Context, a evidence.Actor, in *levelsInput) (*answer[list[PreviewLevels]], error) {
	const always evidence.Offset = 1<<53 - 1
	out := list[PreviewLevels]{Items: []PreviewLevels{}}
	err := s.previews(ctx, a, in.ID, in.Track, evidence.PreviewLevels, evidence.Range{Until: always}, func(at Span, data []byte) {
		out.Items = append(out.Items, PreviewLevels{Span: at, Levels: data})
	})
	return answerErr(out, err)
}

// previews decides and commits the custody entry, and only then reads, opens and
// gives the previews of exactly the segments that are granted.
func (s *Server) previews(ctx context.Context, a evidence.Actor, interview, track evidence.ID, kind evidence.PreviewKind, r evidence.Range, give func(Span, []byte)) error {
	segments, err := s.access.Preview(ctx, a, interview, track, kind, r)
	if err != nil {
		s.metrics.refused.Inc()
		return err
	}
	pages, err := s.store.PreviewPages(ctx, track, segments[0].Leaf.Index, segments[len(segments)-1].Leaf.Index)
	if err != nil || len(pages) == 0 {
		return err
	}
	id, err := s.identity(ctx, pages[0].Recording)
	if err != nil {
		return fault(err)
	}
	found := map[int][]byte{}
	for _, p := range pages {
		if p.Kind != kind {
			continue
		}
		cipher, err := s.objects.Get(ctx, p.ObjectKey, p.ObjectVersion)
		if err == nil && envelope.Sum(cipher) != p.Cipher {
			err = errors.New("it is not the object that was made")
		}
		var plain []byte
		if err == nil {
			plain, err = envelope.Decrypt(id, cipher)
		}
		var items []preview.Item
		if err == nil {
			items, err = preview.Read(p, plain)
		}
		if err != nil {
			return fmt.Errorf("opening preview %d of track %s: %w", p.Page, track, fault(err))
		}
		for _, item := range items {
			found[item.Index] = item.Data
		}
	}
	for _, segment := range segments {
		if data, ok := found[segment.Leaf.Index]; ok {
			give(spanOf(segment.Leaf.Range()), data)
		}
	}
	return nil
}
