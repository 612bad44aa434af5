package web

import (
	"context"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/transcript"
)

func (s *Server) listTranscripts(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Transcripts], error) {
	all, err := s.transcripts.Versions(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	out := Transcripts{Items: make([]Transcript, 0, len(all))}
	for _, v := range all {
		one, err := s.transcript(ctx, v)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, one)
	}
	on := evidence.Resource{Kind: access.KindInterview, ID: in.ID}
	if out.MayWrite, err = s.access.May(ctx, a, access.TranscriptWrite, on); err != nil {
		return nil, err
	}
	out.MayCertify, err = s.access.May(ctx, a, access.TranscriptCertify, on)
	return answerErr(out, err)
}

func (s *Server) transcript(ctx context.Context, v transcript.Version) (out Transcript, err error) {
	out = Transcript{ID: v.ID, Interview: v.Interview, Language: v.Language, Number: v.Number, Origin: string(v.Origin), Base: v.Base, Cues: v.Cues, SHA256: v.Plain.SHA256,
		CreatedAt: v.CreatedAt.Time(), Official: v.Official(), CertifiedAt: when(v.CertifiedAt), Certifier: v.Certifier.Value}
	if v.CreatedBy != "" {
		ref, err := s.accountRef(ctx, v.CreatedBy)
		if err != nil {
			return out, err
		}
		out.CreatedBy = &ref
	}
	if v.CertifiedBy != "" {
		ref, err := s.accountRef(ctx, v.CertifiedBy)
		if err != nil {
			return out, err
		}
		out.CertifiedBy = &ref
	}
	return out, nil
}

func (s *Server) transcriptAnswer(ctx context.Context, v transcript.Version, err error) (*answer[Transcript], error) {
	if err != nil {
		return nil, err
	}
	return answerErr(s.transcript(ctx, v))
}

func (s *Server) importTranscript(ctx context.Context, a evidence.Actor, in *importTranscriptInput) (*answer[Transcript], error) {
	v, err := s.transcripts.Import(ctx, a, in.ID, transcript.Import{Language: in.Body.Language, File: []byte(in.Body.VTT), Shift: in.Body.Shift})
	return s.transcriptAnswer(ctx, v, err)
}

func (s *Server) getTranscript(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[TranscriptText], error) {
	read, err := s.transcripts.Open(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	about, err := s.transcript(ctx, read.Version)
	if err != nil {
		return nil, err
	}
	out := TranscriptText{Transcript: about, Ranges: listOf(read.Ranges, spanOf).Items}
	out.Lines = listOf(read.Cues, func(c transcript.Cue) TranscriptCue {
		return TranscriptCue{From: c.From, Until: c.Until, Speaker: c.Speaker, Text: c.Text}
	}).Items
	return answerOf(out), nil
}

func (s *Server) editTranscript(ctx context.Context, a evidence.Actor, in *editTranscriptInput) (*answer[Transcript], error) {
	cues := make([]transcript.Cue, len(in.Body.Lines))
	for i, l := range in.Body.Lines {
		cues[i] = transcript.Cue{From: l.From, Until: l.Until, Speaker: l.Speaker, Text: l.Text}
	}
	v, err := s.transcripts.Edit(ctx, a, in.ID, cues)
	return s.transcriptAnswer(ctx, v, err)
}

func (s *Server) certifyTranscript(ctx context.Context, a evidence.Actor, in *certifyTranscriptInput) (*answer[Transcript], error) {
	v, err := s.transcripts.Certify(ctx, a, in.ID, in.Body.Name)
	return s.transcriptAnswer(ctx, v, err)
}
