package memstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/transcript"
)

func (s *Store) CreateTranscript(_ context.Context, v transcript.Version, e custody.Entry) error {
	return s.one(e, func() error {
		for _, x := range s.transcripts {
			if x.Interview == v.Interview && x.Language == v.Language && x.Number == v.Number {
				return conflict("transcript")
			}
		}
		s.transcripts = append(s.transcripts, v)
		return nil
	})
}

func (s *Store) Transcript(_ context.Context, id evidence.ID) (transcript.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.transcripts {
		if v.ID == id {
			return v, nil
		}
	}
	return transcript.Version{}, notFound("transcript")
}

func (s *Store) Transcripts(_ context.Context, interview evidence.ID) ([]transcript.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.DeleteFunc(slices.Clone(s.transcripts), func(v transcript.Version) bool { return v.Interview != interview })
	slices.SortFunc(out, func(a, b transcript.Version) int {
		return cmp.Or(cmp.Compare(a.Language, b.Language), a.Number-b.Number)
	})
	return out, nil
}

func (s *Store) CertifyTranscript(_ context.Context, v transcript.Version, e custody.Entry) error {
	return s.one(e, func() error {
		i := slices.IndexFunc(s.transcripts, func(x transcript.Version) bool { return x.ID == v.ID && !x.Official() })
		if i < 0 {
			return conflict("transcript")
		}
		s.transcripts[i] = v
		return nil
	})
}

// AddJob implements transcript.Store.
func (s *Store) AddJob(_ context.Context, j evidence.Job) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.ContainsFunc(s.jobs, func(x evidence.Job) bool { return x.Kind == j.Kind && x.Key == j.Key }) {
		s.jobs = append(s.jobs, j)
	}
	return nil
}

// Jobs returns what was queued.
func (s *Store) Jobs() []evidence.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.jobs)
}
