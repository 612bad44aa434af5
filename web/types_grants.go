package web

import (
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
)

// Grant is who may see which range of what, for which purpose, on which basis,
// from when until when (P28).
type Grant struct {
	ID          evidence.ID   `json:"id" doc:"Grant."`
	Interview   evidence.ID   `json:"interview_id" doc:"Interview."`
	Case        CaseRef       `json:"case" doc:"Case file."`
	Source      string        `json:"source" doc:"The source's name, or all." example:"close-up"`
	To          AccountRef    `json:"to" doc:"Who may see it: a person, never a link."`
	Asked       Span          `json:"asked" doc:"The range that was asked for."`
	Bounds      Span          `json:"bounds" doc:"The range that it truly gives: snapped inward to whole segments when it was made."`
	Tracks      []TrackBounds `json:"tracks" doc:"The exact segments, per track."`
	NotBefore   time.Time     `json:"not_before" doc:"From when, by the server's clock."`
	NotAfter    time.Time     `json:"not_after" doc:"Until when, exclusive, by the server's clock."`
	Clips       bool          `json:"clips" doc:"Whether its holder may have clips of it, which leave as packages."`
	Transcript  bool          `json:"transcript" doc:"Whether its holder may read the transcript of it."`
	Purpose     string        `json:"purpose" doc:"What for (P28)."`
	Basis       string        `json:"basis" doc:"The legal basis or order (P28)."`
	RestsOn     string        `json:"rests_on" doc:"Whether the basis is law or the person's consent (P37)." enum:"law,consent"`
	Consent     string        `json:"consent,omitempty" doc:"If it rests on consent: the purpose of consent that must hold."`
	State       string        `json:"state" doc:"Where it stands now: ended means with what it rested on." enum:"proposed,active,rejected,revoked,expired,ended"`
	RequestedBy AccountRef    `json:"requested_by" doc:"Who asked."`
	RequestedAt time.Time     `json:"requested_at" doc:"When."`
	Approvals   []Approval    `json:"approvals" doc:"Who approved it, and when."`
	Needed      int           `json:"approvals_needed" doc:"How many different people must approve: two for a child's recording."`
	EndedBy     *AccountRef   `json:"ended_by,omitempty" doc:"Who revoked or rejected it."`
	EndedAt     *time.Time    `json:"ended_at,omitempty" doc:"When it was revoked, rejected or ended."`
	GrantConditions
	Viewings   int          `json:"viewings_used" doc:"How many viewings there were under it."`
	Accepted   bool         `json:"terms_accepted" doc:"Whether you accepted the terms in this session, within 30 idle minutes."`
	Extends    *evidence.ID `json:"extends,omitempty" doc:"The grant that it goes on from."`
	Attested   string       `json:"copies,omitempty" enum:"nothing_kept,returned,destroyed" doc:"What its holder said became of copies (P30)."`
	AttestedAt *time.Time   `json:"copies_at,omitempty" doc:"When she said so."`
	Owes       bool         `json:"owes_copies" doc:"Whether its holder has yet to say what became of copies."`
	MayExtend  bool         `json:"may_extend" doc:"Whether you may ask for an extension now."`
	MayAttest  bool         `json:"may_attest" doc:"Whether it is for you to say now what became of copies."`
	MayApprove bool         `json:"may_approve" doc:"Whether you may approve or reject it now."`
	MayRevoke  bool         `json:"may_revoke" doc:"Whether you may revoke it now."`
	Exposure   *Exposure    `json:"exposure,omitempty" doc:"How far the interview has been shown already; for those who decide."`
}

// GrantConditions say what a grant covers and how it may be used.
type GrantConditions struct {
	Covers []access.Cover `json:"covers,omitempty" enum:"transcript,audio,video,clip,download" maxItems:"5" doc:"What it gives of its range. With sound alone no byte of a picture is ever delivered. A request that leaves it out asks for sound and picture."`
	Terms  bool           `json:"terms,omitempty" doc:"The holder accepts the terms at each viewing; nothing is delivered before."`
	Most   int            `json:"viewings,omitempty" minimum:"0" maximum:"1000" doc:"How many viewings it allows; 0: no bound. A viewing is one session with accepted terms, ended by 30 idle minutes; a bound implies terms."`
	Blur   bool           `json:"blur,omitempty" doc:"The page keeps the picture blurred until the viewer confirms."`
	Return bool           `json:"return,omitempty" doc:"At the end the holder says what became of copies (P30). Clips imply it."`
}

// Approval is one person's approval.
type Approval struct {
	By AccountRef `json:"by" doc:"Who."`
	At time.Time  `json:"at" doc:"When."`
}

// TrackBounds is the exact part of a track that a grant gives.
type TrackBounds struct {
	Track      evidence.ID        `json:"track_id" doc:"Track."`
	Source     string             `json:"source" doc:"The source's name."`
	Kind       evidence.TrackKind `json:"kind" doc:"Sound or picture." enum:"audio,video"`
	Range      Span               `json:"range" doc:"True bounds, of whole segments."`
	FirstIndex int                `json:"first_index" doc:"First segment, inclusive."`
	LastIndex  int                `json:"last_index" doc:"Last segment, inclusive."`
}

// Exposure says how far an interview has been shown already.
type Exposure struct {
	Viewers   int             `json:"viewers" doc:"Distinct people to whom something was delivered."`
	Delivered evidence.Offset `json:"delivered_us" doc:"Interview time delivered, all viewers together, microseconds. Delivered, which is not watched."`
	Grants    int             `json:"grants" doc:"Grants that are or were active."`
}

// InterviewExposure is what whoever asks for a grant is shown first.
type InterviewExposure struct {
	Exposure
	Interviews int        `json:"interviews" doc:"Interviews of the same person that were recorded."`
	Transcript bool       `json:"has_transcript" doc:"Whether there is a transcript to ask for."`
	Proposals  []Proposal `json:"proposals" doc:"The least that serves, for each need (P28)."`
}

// Proposal is the least that serves a need.
type Proposal struct {
	Need     access.Need    `json:"need" enum:"words,voice,sight,hearing,whole" doc:"What was said; how it was said; what can be seen; a passage for a hearing; the interview as a whole."`
	Covers   []access.Cover `json:"covers" enum:"transcript,audio,video,clip,download" doc:"What to ask for."`
	Whole    bool           `json:"whole" doc:"All of it; otherwise only the stretch that is needed."`
	Viewings int            `json:"viewings" doc:"How many viewings."`
	Hours    int            `json:"hours" doc:"For how long, in hours."`
}

// Terms are the terms of viewing.
type Terms struct {
	access.Terms
	Version int    `json:"version" doc:"Version of the terms."`
	SHA256  string `json:"sha256" doc:"SHA-256 of the terms in this language; whoever accepts them names it."`
}

type termsInput struct {
	Language string `query:"language" maxLength:"16" doc:"BCP 47 tag; English where there are none." example:"sq"`
}

type acceptTermsInput struct {
	IDPath
	Body struct {
		Terms string `json:"terms_sha256" minLength:"64" maxLength:"64" doc:"The hash of the terms that you were shown."`
	}
}

type attestGrantInput struct {
	IDPath
	Body struct {
		Copies access.Attestation `json:"copies" enum:"nothing_kept,returned,destroyed" doc:"What became of copies."`
		Note   string             `json:"note,omitempty" maxLength:"500" doc:"More, in words."`
	}
}

type requestGrantInput struct {
	IDPath
	Body struct {
		Source     string          `json:"source" minLength:"1" maxLength:"64" doc:"The source's name or identifier, or all."`
		To         string          `json:"to" minLength:"1" maxLength:"128" doc:"Login or account of who shall see it."`
		From       evidence.Offset `json:"from" minimum:"0" doc:"Start, inclusive, microseconds of interview time."`
		Until      evidence.Offset `json:"until" minimum:"1" doc:"End, exclusive, microseconds of interview time."`
		Outward    bool            `json:"outward,omitempty" doc:"Snap to segment bounds outward in place of inward: a little more than asked, and the true bounds are shown to the approver."`
		NotBefore  *time.Time      `json:"not_before,omitempty" doc:"From when; now if left out."`
		NotAfter   time.Time       `json:"not_after" doc:"Until when, exclusive."`
		Clips      bool            `json:"clips,omitempty" doc:"Ask that the recipient may have clips of it, and their download. With covers it follows from those."`
		Transcript bool            `json:"transcript,omitempty" doc:"Ask that the recipient may read the transcript of it. With covers it follows from those."`
		GrantConditions
		Purpose string `json:"purpose" minLength:"1" maxLength:"500" doc:"What for (P28)."`
		Basis   string `json:"basis" minLength:"1" maxLength:"500" doc:"The legal basis or order (P28)."`
		RestsOn string `json:"rests_on" enum:"law,consent" doc:"Whether the basis is law or the person's consent (P37). It is never guessed: what rests on consent ends when that is withdrawn."`
		Consent string `json:"consent,omitempty" enum:"share_prosecution,share_defence,share_court,share_advocate,share_ngo,training" doc:"If it rests on consent: the purpose of consent; that of the recipient's role if left out."`
	}
}

type listGrantsInput struct {
	State string `query:"state" enum:"proposed,active,rejected,revoked,expired,ended" doc:"Only those in this state."`
}

type reasonInput struct {
	IDPath
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"Why. It goes into the custody log as a commitment; those with a role in the case can read it."`
	}
}

// Playback says what you may play of an interview now.
type Playback struct {
	Interview evidence.ID      `json:"interview_id" doc:"Interview."`
	Playlist  string           `json:"playlist" doc:"Path of the HLS multivariant playlist of all sources."`
	Duration  evidence.Offset  `json:"duration_us" doc:"Length of the interview, microseconds; what lies outside your ranges is not delivered."`
	Grants    []evidence.ID    `json:"grants" doc:"The grants that it rests on."`
	LiveUntil time.Time        `json:"live_until" doc:"When the last of them ends if nothing changes."`
	Sources   []PlaybackSource `json:"sources" doc:"What may be played, per source."`
	Parts     []PlaybackPart   `json:"parts" doc:"The unbroken stretches of the recording that your ranges touch."`
	Events    []PlaybackEvent  `json:"events" doc:"Breaks, phases and marks inside your ranges."`
	Gaps      []PlaybackGap    `json:"gaps" doc:"Stretches inside your ranges of which a track has nothing, as sealed."`
}

// PlaybackGap is a stretch of which a track has nothing.
type PlaybackGap struct {
	Span
	Track evidence.ID `json:"track_id" doc:"Track."`
	Cause string      `json:"cause" doc:"Why: packet-loss, capture-stall, source-away, pause, restart, damaged." example:"packet-loss"`
}

// PlaybackSource is what may be played of a source.
type PlaybackSource struct {
	SourceRef
	Playlist string          `json:"playlist" doc:"Path of the HLS multivariant playlist of this source alone."`
	Tracks   []PlaybackTrack `json:"tracks" doc:"Its tracks."`
	Timeline []TimelineSpan  `json:"timeline" doc:"How the player's time in this source's playlist maps to interview time, in order."`
}

// PlaybackTrack is what may be played of a track.
type PlaybackTrack struct {
	InterviewTrack
	Ranges []Span `json:"ranges" doc:"Interview time that the granted segments cover, in order."`
}

// TimelineSpan maps a stretch of player time to interview time. Both run at the
// same speed inside it.
type TimelineSpan struct {
	Span
	Player int64 `json:"player_us" doc:"Player time at the start of the span, microseconds from the beginning of the playlist."`
	Part   int   `json:"part" doc:"The part of the recording that it lies in."`
}

// PlaybackPart is an unbroken stretch of the recording.
type PlaybackPart struct {
	Number int `json:"number" doc:"From 1."`
	Span
	Cause string `json:"cause" doc:"Why it began." enum:"start,resume,reconnect,restart"`
}

// PlaybackEvent is something that happened during the interview.
type PlaybackEvent struct {
	At    evidence.Offset `json:"at" doc:"Interview time, microseconds."`
	Kind  string          `json:"kind" doc:"What happened, such as phase, marker, pause, resume."`
	Value string          `json:"value,omitempty" doc:"A code that names no person."`
}

// Heartbeat is the answer to a viewer's heartbeat.
type Heartbeat struct {
	Live  bool      `json:"live" doc:"Whether anything of the interview may be played now. On false go dark and empty every buffer."`
	Until time.Time `json:"until" doc:"Send the next heartbeat before this; without an answer by then go dark."`
}
