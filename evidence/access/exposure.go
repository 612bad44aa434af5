package access

import (
	"context"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// Need is what somebody needs a recording for, in the few words that decide how much
// of it serves.
type Need string

const (
	NeedWords   Need = "words"   // what was said
	NeedVoice   Need = "voice"   // how it was said
	NeedSight   Need = "sight"   // what can be seen at some moment
	NeedHearing Need = "hearing" // a passage is to be shown to a court
	NeedWhole   Need = "whole"   // the interview is to be judged as a whole
)

// Needs are all of them, from the one that the least serves.
var Needs = []Need{NeedWords, NeedVoice, NeedSight, NeedHearing, NeedWhole}

// Proposal is the least that serves a need (P28).
type Proposal struct {
	Need     Need
	Covers   []Cover
	Whole    bool // all of it; otherwise a stretch that the asker names
	Viewings int
	Time     time.Duration // how long the grant holds
}

// manyViewers is from how many viewers on a proposal allows one viewing and less time.
const manyViewers = 5

// Propose returns the least that serves a need. The more people an interview was
// shown to, the less.
func Propose(need Need, e Exposure, transcript bool) Proposal {
	p := Proposal{Need: need, Viewings: 2, Time: 7 * 24 * time.Hour}
	switch need {
	case NeedWords:
		p.Covers, p.Viewings = []Cover{CoverAudio}, 1
		if transcript {
			p.Covers = []Cover{CoverTranscript}
		}
	case NeedVoice:
		p.Covers = []Cover{CoverAudio}
	case NeedSight:
		p.Covers = []Cover{CoverAudio, CoverVideo}
	case NeedHearing:
		p.Covers = []Cover{CoverAudio, CoverVideo, CoverClip}
	case NeedWhole:
		p.Covers, p.Whole, p.Viewings, p.Time = []Cover{CoverAudio, CoverVideo}, true, 3, 14*24*time.Hour
	}
	if e.Viewers >= manyViewers {
		p.Viewings, p.Time = 1, p.Time/2
	}
	return p
}

// ExposureFor tells whoever may ask for a grant how far an interview was shown, and
// proposes the least for each need. transcript says whether there is one to read.
func (s *Service) ExposureFor(ctx context.Context, actor evidence.Actor, interview evidence.ID, transcript bool) (Exposure, []Proposal, error) {
	if err := s.Authorize(ctx, actor, ExposureRead, evidence.Resource{Kind: KindInterview, ID: interview}); err != nil {
		return Exposure{}, nil, err
	}
	e, err := s.Store.Exposure(ctx, interview)
	if err != nil {
		return Exposure{}, nil, err
	}
	proposals := make([]Proposal, 0, len(Needs))
	for _, need := range Needs {
		proposals = append(proposals, Propose(need, e, transcript))
	}
	return e, proposals, nil
}
