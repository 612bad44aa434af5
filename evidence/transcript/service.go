package transcript

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/envelope"
)

const (
	maxName = 200 // bytes of a certifier's name and capacity
	// over is how far a cue may reach beyond the end of the recording: clocks of
	// transcribers and speech services round.
	over evidence.Offset = 5_000_000
)

// Config is what a Service is made of. Every field is required.
type Config struct {
	Store   Store
	Objects Objects
	Keys    Keys
	Access  evidence.Authorizer
	Grants  Grants
	Sealer  Sealer
}

// Service keeps transcripts. Every method asks the policy before it acts, and
// commits the custody entry with the act. Safe for concurrent use.
type Service struct{ Config }

// New returns a Service.
func New(c Config) *Service { return &Service{c} }

func on(interview evidence.ID) evidence.Resource {
	return evidence.Resource{Kind: "interview", ID: interview}
}

// Import is a WebVTT file that somebody brings.
type Import struct {
	Language string // BCP 47; empty: the interview's
	File     []byte
	// Shift is added to every time: where in the interview the file's zero lies.
	Shift evidence.Offset
}

// Import stores a WebVTT file as the next version in its language.
func (s *Service) Import(ctx context.Context, actor evidence.Actor, interview evidence.ID, in Import) (Version, error) {
	if err := s.Access.Authorize(ctx, actor, ActionWrite, on(interview)); err != nil {
		return Version{}, err
	}
	cues, err := Parse(in.File)
	if err != nil {
		return Version{}, evidence.Refuse(evidence.ErrInvalid, "transcript.file", "This is no WebVTT file that can be taken: "+strings.TrimPrefix(err.Error(), "transcript")+".", "")
	}
	for i := range cues {
		cues[i].From, cues[i].Until = cues[i].From+in.Shift, cues[i].Until+in.Shift
	}
	return s.store(ctx, actor, interview, Version{Language: in.Language, Origin: Imported}, cues)
}

// Edit stores the next version after base: in the stretches that the actor may read,
// its cues are those given; outside they stay as they are, unseen. Every cue must lie
// inside those stretches.
func (s *Service) Edit(ctx context.Context, actor evidence.Actor, base evidence.ID, cues []Cue) (Version, error) {
	was, err := s.Store.Transcript(ctx, base)
	if err != nil {
		return Version{}, err
	}
	if err := s.Access.Authorize(ctx, actor, ActionWrite, on(was.Interview)); err != nil {
		return Version{}, err
	}
	ranges, err := s.Grants.TranscriptRanges(ctx, actor, was.Interview)
	if err != nil {
		return Version{}, err
	}
	ranges = Merge(ranges)
	if cues, err = Clean(cues); err != nil {
		return Version{}, evidence.Refuse(evidence.ErrInvalid, "transcript.cues", "A line of the transcript cannot be kept: its times are out of order, or its text is too long.", "")
	}
	if len(Within(cues, ranges)) != len(cues) {
		return Version{}, evidence.Refuse(evidence.ErrRefused, "transcript.outside", "A line lies outside what you may read of the transcript.", "P28")
	}
	_, old, err := s.Text(ctx, was)
	if err != nil {
		return Version{}, err
	}
	seen := map[Cue]int{}
	for _, c := range Within(old, ranges) {
		seen[c]++
	}
	for _, c := range old {
		if seen[c] > 0 {
			seen[c]--
			continue
		}
		cues = append(cues, c)
	}
	return s.store(ctx, actor, was.Interview, Version{Language: was.Language, Origin: Edited, Base: was.ID}, cues)
}

// store encrypts the cues and commits the version that v begins.
func (s *Service) store(ctx context.Context, actor evidence.Actor, interview evidence.ID, v Version, cues []Cue) (Version, error) {
	iv, err := s.sealed(ctx, interview)
	if err != nil {
		return Version{}, err
	}
	if v.Language == "" {
		v.Language = iv.Language
	}
	if !languageForm.MatchString(v.Language) {
		return Version{}, evidence.Refuse(evidence.ErrInvalid, "transcript.language", "Name the language by its code, such as sq, sr-Latn or en.", "")
	}
	if cues, err = Clean(cues); err != nil || len(cues) == 0 {
		return Version{}, evidence.Refuse(evidence.ErrInvalid, "transcript.cues", "A line of the transcript cannot be kept: its times are out of order, or its text is too long.", "")
	}
	last := evidence.Offset(iv.StoppedAt - iv.StartedAt)
	v.Range = evidence.Range{From: cues[0].From, Until: cues[0].Until}
	for _, c := range cues {
		v.Range.Until = max(v.Range.Until, c.Until)
	}
	if v.Range.Until > last+over {
		return Version{}, evidence.Refuse(evidence.ErrInvalid, "transcript.beyond", "A line lies beyond the end of the recording. Say where in the interview the file begins.", "")
	}
	all, err := s.Store.Transcripts(ctx, interview)
	if err != nil {
		return Version{}, err
	}
	for _, other := range all {
		if other.Language == v.Language {
			v.Number = max(v.Number, other.Number)
		}
	}
	v.Number++
	if v.CreatedAt, err = s.Store.Now(ctx); err != nil {
		return Version{}, err
	}
	v.ID, v.Agency, v.Case, v.Interview, v.Recording, v.Cues, v.CreatedBy = evidence.NewID(), iv.Agency, iv.Case, iv.ID, iv.Recording, len(cues), actor.Account
	_, recipient, err := s.Store.RecordingKey(ctx, iv.Recording)
	if err != nil {
		return Version{}, err
	}
	cipher, plain, sum, err := envelope.Encrypt(recipient, Format(cues))
	if err != nil {
		return Version{}, fmt.Errorf("transcript of interview %s: %w", interview, err)
	}
	v.Plain, v.Cipher, v.ObjectKey = plain, sum, fmt.Sprintf("transcripts/%s/%s.age", iv.Recording, v.ID)
	if v.ObjectVersion, err = s.Objects.Put(ctx, v.ObjectKey, cipher, sum, time.Time{}); err != nil {
		return Version{}, fmt.Errorf("storing a transcript of interview %s: %w", interview, err)
	}
	err = s.Store.CreateTranscript(ctx, v, s.entry(actor, ActionWrite, v))
	if errors.Is(err, evidence.ErrConflict) {
		return Version{}, evidence.Refuse(evidence.ErrConflict, "transcript.changed", "Somebody else stored a version of this transcript at the same time. Look at it first.", "")
	}
	if err != nil {
		return Version{}, fmt.Errorf("a transcript of interview %s: %w", interview, err)
	}
	return v, nil
}

func (s *Service) sealed(ctx context.Context, interview evidence.ID) (evidence.Interview, error) {
	iv, err := s.Store.Interview(ctx, interview)
	if err == nil && iv.State != evidence.StateSealed {
		err = evidence.Refuse(evidence.ErrConflict, "transcript.not_sealed", "The recording is not sealed yet. A transcript is made of what is sealed.", "P18")
	}
	return iv, err
}

// entry begins a custody entry about a version: codes, numbers and digests only.
func (s *Service) entry(actor evidence.Actor, action string, v Version) custody.Entry {
	details := map[string]string{"language": v.Language, "number": strconv.Itoa(v.Number), "origin": string(v.Origin), "sha256": v.Plain.SHA256, "cues": strconv.Itoa(v.Cues)}
	if v.Base != "" {
		details["base"] = string(v.Base)
	}
	return custody.Entry{Actor: actor, Action: action, Agency: v.Agency, Case: v.Case, Interview: v.Interview, Subject: v.ID, Details: details}
}

// Leaving returns what leaves with a package; see [Chosen]. It asks nobody.
func (s *Service) Leaving(ctx context.Context, interview evidence.ID) ([]Version, error) {
	all, err := s.Store.Transcripts(ctx, interview)
	return Chosen(all), err
}

// Versions lists an interview's versions, without any text.
func (s *Service) Versions(ctx context.Context, actor evidence.Actor, interview evidence.ID) ([]Version, error) {
	if err := s.Access.Authorize(ctx, actor, ActionList, on(interview)); err != nil {
		return nil, err
	}
	return s.Store.Transcripts(ctx, interview)
}

// Read is a version as far as somebody may read it.
type Read struct {
	Version Version
	// Ranges are the stretches that were given, in order; Cues those wholly inside.
	Ranges []evidence.Range
	Cues   []Cue
}

// Open returns the cues of a version that the actor's grants give. The custody entry
// is committed before the text is opened.
func (s *Service) Open(ctx context.Context, actor evidence.Actor, id evidence.ID) (Read, error) {
	v, err := s.Store.Transcript(ctx, id)
	if err != nil {
		return Read{}, err
	}
	ranges, err := s.Grants.Transcript(ctx, actor, v.Interview, v.ID)
	if err != nil {
		return Read{}, err
	}
	_, cues, err := s.Text(ctx, v)
	if err != nil {
		return Read{}, err
	}
	ranges = Merge(ranges)
	return Read{Version: v, Ranges: ranges, Cues: Within(cues, ranges)}, nil
}

// Text opens a version without asking anybody: for the program itself, which asked.
func (s *Service) Text(ctx context.Context, v Version) (file []byte, cues []Cue, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("opening transcript %s: %w", v.ID, err)
		}
	}()
	wrapped, _, err := s.Store.RecordingKey(ctx, v.Recording)
	if err != nil {
		return nil, nil, err
	}
	key, err := s.Keys.OpenRecordingKey(ctx, v.Recording, wrapped)
	if errors.Is(err, envelope.ErrErased) {
		return nil, nil, evidence.Refuse(evidence.ErrConflict, "transcript.erased", "The recording was erased, and its transcripts with it.", "P35")
	}
	if err != nil {
		return nil, nil, err
	}
	id, err := key.Identity()
	if err != nil {
		return nil, nil, err
	}
	cipher, err := s.Objects.Get(ctx, v.ObjectKey, v.ObjectVersion)
	if err != nil {
		return nil, nil, err
	}
	if envelope.Sum(cipher) != v.Cipher {
		return nil, nil, fmt.Errorf("%w: the stored object was changed", evidence.ErrInvalid)
	}
	if file, err = envelope.Decrypt(id, cipher); err != nil {
		return nil, nil, err
	}
	if envelope.Sum(file) != v.Plain {
		return nil, nil, fmt.Errorf("%w: it holds other bytes than were stored", evidence.ErrInvalid)
	}
	cues, err = ParseFile(file)
	return file, cues, err
}

// Certify makes a version official: the actor, who can read all of it, says under a
// name and capacity that it is a true transcript. The statement is signed with the
// seal key and timestamped. It cannot be taken back; a later version can be certified
// in its place.
func (s *Service) Certify(ctx context.Context, actor evidence.Actor, id evidence.ID, name string) (Version, error) {
	v, err := s.Store.Transcript(ctx, id)
	if err != nil {
		return Version{}, err
	}
	if err := s.Access.Authorize(ctx, actor, ActionCertify, on(v.Interview)); err != nil {
		return Version{}, err
	}
	name = strings.Join(strings.Fields(name), " ")
	if name == "" || len(name) > maxName || !utf8.ValidString(name) {
		return Version{}, evidence.Refuse(evidence.ErrInvalid, "transcript.name", "Say under which name and in which capacity you certify it, in at most 200 bytes.", "")
	}
	if v.Official() {
		return Version{}, evidence.Refuse(evidence.ErrConflict, "transcript.certified", "This version is certified already.", "")
	}
	ranges, err := s.Grants.TranscriptRanges(ctx, actor, v.Interview)
	if err != nil {
		return Version{}, err
	}
	file, cues, err := s.Text(ctx, v)
	if err != nil {
		return Version{}, err
	}
	if len(Within(cues, Merge(ranges))) != len(cues) {
		return Version{}, evidence.Refuse(evidence.ErrRefused, "transcript.not_whole", "You may not read all of this transcript, so you cannot certify it.", "P28")
	}
	if v.CertifiedAt, err = s.Store.Now(ctx); err != nil {
		return Version{}, err
	}
	var commitment evidence.Commitment
	commitment, v.Certifier = evidence.Commit(FieldName, name)
	v.CertifiedBy = actor.Account
	sealed, err := s.Sealer.SealFile(ctx, FileName, file, PredicateCertificate, Certificate{Version: 1, Transcript: v.ID, Recording: v.Recording, Interview: v.Interview,
		Language: v.Language, Number: v.Number, Account: actor.Account, At: v.CertifiedAt, Name: commitment})
	if err != nil {
		return Version{}, fmt.Errorf("certifying transcript %s: %w", id, err)
	}
	v.Bundle = sealed.Bundle
	entry := s.entry(actor, ActionCertify, v)
	entry.Details["name"] = string(commitment)
	entry.Details["certificate"] = sum256(sealed.Bundle)
	err = s.Store.CertifyTranscript(ctx, v, entry)
	if errors.Is(err, evidence.ErrConflict) {
		return Version{}, evidence.Refuse(evidence.ErrConflict, "transcript.certified", "This version is certified already.", "")
	}
	if err != nil {
		return Version{}, fmt.Errorf("certifying transcript %s: %w", id, err)
	}
	return v, nil
}

func sum256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
