package web

import (
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// Transcript is one version of an interview's transcript, without its text.
type Transcript struct {
	ID          evidence.ID `json:"id" doc:"Version of a transcript."`
	Interview   evidence.ID `json:"interview_id" doc:"Interview."`
	Language    string      `json:"language" doc:"BCP 47." example:"sq"`
	Number      int         `json:"number" doc:"Of the interview and language, from 1."`
	Origin      string      `json:"origin" doc:"How it came to be." enum:"import,edit,speech"`
	Base        evidence.ID `json:"base,omitempty" doc:"The version that was edited."`
	Cues        int         `json:"cues" doc:"How many lines it has."`
	SHA256      string      `json:"sha256" doc:"Of the WebVTT file, lower-case hex."`
	CreatedBy   *AccountRef `json:"created_by,omitempty" doc:"Who brought or edited it; nobody for a speech service."`
	CreatedAt   time.Time   `json:"created_at" doc:"When."`
	Official    bool        `json:"official" doc:"Whether a person certified it. Every other version is unofficial."`
	CertifiedBy *AccountRef `json:"certified_by,omitempty" doc:"Whose account certified it."`
	CertifiedAt *time.Time  `json:"certified_at,omitempty" doc:"When."`
	Certifier   string      `json:"certifier,omitempty" doc:"Name and capacity under which it was certified."`
}

// Transcripts are the versions of an interview's transcripts and what you may do.
type Transcripts struct {
	Items      []Transcript `json:"items" doc:"By language and number."`
	MayWrite   bool         `json:"may_write" doc:"Whether you may import and edit."`
	MayCertify bool         `json:"may_certify" doc:"Whether you may certify a version, if you can read all of it."`
}

// TranscriptCue is what somebody said.
type TranscriptCue struct {
	From    evidence.Offset `json:"from" minimum:"0" doc:"Start, interview time in microseconds, whole milliseconds."`
	Until   evidence.Offset `json:"until" minimum:"1" doc:"End, exclusive."`
	Speaker string          `json:"speaker,omitempty" maxLength:"100" doc:"Who speaks, as the transcript names her."`
	Text    string          `json:"text" maxLength:"2000" doc:"What is said."`
}

// TranscriptText is a version as far as you may read it.
type TranscriptText struct {
	Transcript
	Ranges []Span          `json:"ranges" doc:"The stretches that your grants give."`
	Lines  []TranscriptCue `json:"lines" doc:"The lines that lie wholly inside them."`
}

type importTranscriptInput struct {
	IDPath
	Body struct {
		Language string          `json:"language,omitempty" maxLength:"35" doc:"BCP 47; the interview's if left out."`
		VTT      string          `json:"vtt" minLength:"6" maxLength:"4194304" doc:"The WebVTT file."`
		Shift    evidence.Offset `json:"shift_us,omitempty" doc:"Added to every time: where in the interview the file's zero lies, microseconds."`
	}
}

type editTranscriptInput struct {
	IDPath
	Body struct {
		Lines []TranscriptCue `json:"lines" maxItems:"20000" doc:"All lines inside the stretches that you may read; outside them nothing changes."`
	}
}

type certifyTranscriptInput struct {
	IDPath
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"200" doc:"Your name and capacity, such as a sworn interpreter's licence."`
	}
}
