package access

import (
	"slices"

	"github.com/toldonce/toldonce/evidence"
)

// Cover is one of the things that a grant can give of its range.
type Cover string

const (
	CoverAudio      Cover = "audio"
	CoverVideo      Cover = "video"
	CoverTranscript Cover = "transcript"
	// CoverClip: its holder may ask for clips, which leave as packages (P19).
	CoverClip Cover = "clip"
	// CoverDownload: its holder may fetch such a package herself once it is approved.
	// Without it a custodian hands it over.
	CoverDownload Cover = "download"
)

// Covers are all of them, in the order in which they are shown.
var Covers = []Cover{CoverTranscript, CoverAudio, CoverVideo, CoverClip, CoverDownload}

// Conditions say what a grant covers and how it may be used.
type Conditions struct {
	// Covers is what it gives of its range. Empty, as in grants made before there was
	// a choice: sound and picture, with [Grant].Clips clips and their download, and with
	// [Grant].Transcript the transcript.
	Covers []Cover `json:"covers,omitempty"`
	// Terms asks its holder to accept the terms at each viewing; until then nothing is
	// delivered to her.
	Terms bool `json:"terms,omitempty"`
	// Viewings bounds how often; 0 is no bound. It implies Terms: a viewing is one
	// session with accepted terms, ended by [ViewingIdle].
	Viewings int `json:"viewings,omitempty"`
	// Blur keeps the picture blurred on the page until the viewer confirms.
	Blur bool `json:"blur,omitempty"`
	// Return asks its holder to say at the end what became of copies (P30).
	Return bool `json:"return,omitempty"`
}

// MaxViewings bounds [Conditions].Viewings.
const MaxViewings = 1000

// Covered is what a grant gives of its range.
func (g Grant) Covered() []Cover {
	if len(g.Conditions.Covers) > 0 {
		return g.Conditions.Covers
	}
	covers := []Cover{CoverAudio, CoverVideo}
	if g.Transcript {
		covers = []Cover{CoverTranscript, CoverAudio, CoverVideo}
	}
	if g.Clips {
		covers = append(covers, CoverClip, CoverDownload)
	}
	return covers
}

// Gives reports whether a grant covers something.
func (g Grant) Gives(c Cover) bool { return slices.Contains(g.Covered(), c) }

// check puts conditions into their form and refuses what cannot be.
func (c *Conditions) check(clips, transcript *bool) error {
	invalid := func(code, text string) error { return evidence.Refuse(evidence.ErrInvalid, code, text, "P28") }
	slices.SortFunc(c.Covers, func(a, b Cover) int { return slices.Index(Covers, a) - slices.Index(Covers, b) })
	c.Covers = slices.Compact(c.Covers)
	has := func(one Cover) bool { return slices.Contains(c.Covers, one) }
	if len(c.Covers) > 0 {
		*clips, *transcript = has(CoverClip), has(CoverTranscript)
	}
	switch {
	case slices.ContainsFunc(c.Covers, func(one Cover) bool { return !slices.Contains(Covers, one) }):
		return invalid("grant.covers", "A grant covers a transcript, sound, picture, clips and their download.")
	case len(c.Covers) > 0 && !has(CoverAudio) && !has(CoverVideo) && !has(CoverTranscript):
		return invalid("grant.covers.nothing", "Say what is to be given: the transcript, the sound or the picture.")
	case has(CoverClip) && !has(CoverAudio) && !has(CoverVideo):
		return invalid("grant.covers.clip", "A clip is cut from sound or picture: ask for one of them as well.")
	case has(CoverDownload) && !has(CoverClip):
		return invalid("grant.covers.download", "Only clips are downloaded: ask for clips as well.")
	case c.Viewings < 0 || c.Viewings > MaxViewings:
		return invalid("grant.viewings", "Between 1 and 1000 viewings, or no bound.")
	}
	c.Terms = c.Terms || c.Viewings > 0
	c.Return = c.Return || *clips
	return nil
}

// takes reports whether conditions let a kind of track into a grant.
func (c Conditions) takes(kind evidence.TrackKind) bool {
	return len(c.Covers) == 0 || slices.Contains(c.Covers, Cover(kind))
}
