package derivative

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"filippo.io/age"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/transcript"
)

const maxReason = 500 // bytes

// Transcripts lends an interview's transcripts. [transcript.Service] does.
type Transcripts interface {
	Leaving(ctx context.Context, interview evidence.ID) ([]transcript.Version, error)
	Text(ctx context.Context, v transcript.Version) (file []byte, cues []transcript.Cue, err error)
}

// Config is what a Service is made of. Every field is required.
type Config struct {
	Store       Store
	Objects     Objects
	Keys        Keys
	Access      evidence.Authorizer
	Grants      Grants
	Transcripts Transcripts
	// Make says that ffmpeg is there to make them with; without it none is asked for.
	Make bool
}

// Service keeps derivatives. Every method asks the policy before it acts, and commits
// the custody entry with the act. Safe for concurrent use.
type Service struct{ Config }

// New returns a Service.
func New(c Config) *Service { return &Service{c} }

func onInterview(id evidence.ID) evidence.Resource {
	return evidence.Resource{Kind: "interview", ID: id}
}

func onDerivative(id evidence.ID) evidence.Resource {
	return evidence.Resource{Kind: "derivative", ID: id}
}

func (s *Service) entry(actor evidence.Actor, action string, d Derivative) custody.Entry {
	return custody.Entry{Actor: actor, Action: action, Agency: d.Agency, Case: d.Case, Interview: d.Interview, Subject: d.ID, Details: map[string]string{
		"state": string(d.State), "kind": d.Plan.Kind(), "from": strconv.FormatInt(int64(d.Plan.Range.From), 10), "until": strconv.FormatInt(int64(d.Plan.Range.Until), 10)}}
}

func reasonOf(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxReason || !utf8.ValidString(text) {
		return "", evidence.Refuse(evidence.ErrInvalid, "derivative.reason", "Give a reason, in at most 500 bytes.", "P23")
	}
	return text, nil
}

// Request queues a derivative. Whoever asks must be allowed to see all of its stretch
// of the recording: who redacts has to look at what is redacted.
func (s *Service) Request(ctx context.Context, actor evidence.Actor, interview evidence.ID, p Plan, watermark, reason string) (Derivative, error) {
	if err := s.Access.Authorize(ctx, actor, ActionRequest, onInterview(interview)); err != nil {
		return Derivative{}, err
	}
	if !s.Make {
		return Derivative{}, evidence.Refuse(evidence.ErrConflict, "derivative.no_ffmpeg", "This server has no ffmpeg, so no copies are made on it. Tell your administrator.", "")
	}
	watermark = strings.Join(strings.Fields(watermark), " ")
	if err := p.check(watermark); err != nil {
		return Derivative{}, err
	}
	reason, err := reasonOf(reason)
	if err != nil {
		return Derivative{}, err
	}
	iv, err := s.Store.Interview(ctx, interview)
	if err != nil {
		return Derivative{}, err
	}
	if iv.State != evidence.StateSealed {
		return Derivative{}, evidence.Refuse(evidence.ErrConflict, "derivative.not_sealed", "The recording is not sealed yet. A copy is made of what is sealed.", "P18")
	}
	if _, err := s.Grants.CoveredBy(ctx, actor, interview, p.Range); err != nil {
		return Derivative{}, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Derivative{}, err
	}
	d := Derivative{ID: evidence.NewID(), Agency: iv.Agency, Case: iv.Case, Interview: iv.ID, Recording: iv.Recording, State: Queued, Plan: p,
		Watermark: evidence.Opening{Field: FieldWatermark, Salt: evidence.NewSalt(), Value: watermark}, Reason: evidence.Opening{Field: FieldReason, Salt: evidence.NewSalt(), Value: reason},
		RequestedBy: actor.Account, RequestedAt: now, Version: 1}
	if d.Wrapped, d.Recipient, err = s.Keys.NewRecordingKey(ctx, d.ID); err != nil {
		return Derivative{}, fmt.Errorf("the key of derivative %s: %w", d.ID, err)
	}
	entry := s.entry(actor, ActionRequest, d)
	entry.Why = reason
	job := evidence.Job{ID: evidence.NewID(), Agency: d.Agency, Kind: Job, Key: string(d.ID), RunAt: now, Payload: map[string]string{"derivative": string(d.ID)}}
	err = s.Store.CreateDerivative(ctx, d, job, entry)
	if errors.Is(err, evidence.ErrConflict) {
		return Derivative{}, evidence.Refuse(evidence.ErrConflict, "derivative.erased", "The recording was erased, and its copies with it.", "P35")
	}
	if err != nil {
		return Derivative{}, fmt.Errorf("asking for derivative %s: %w", d.ID, err)
	}
	return d, nil
}

// List returns an interview's derivatives, the newest first.
func (s *Service) List(ctx context.Context, actor evidence.Actor, interview evidence.ID) ([]Derivative, error) {
	if err := s.Access.Authorize(ctx, actor, ActionList, onInterview(interview)); err != nil {
		return nil, err
	}
	return s.Store.DerivativesOf(ctx, interview)
}

// Open returns the file for looking at it. Only somebody who may see that stretch of
// the recording itself gets it; the custody entry is committed first.
func (s *Service) Open(ctx context.Context, actor evidence.Actor, id evidence.ID) (Derivative, []byte, error) {
	d, err := s.Store.Derivative(ctx, id)
	if err != nil {
		return d, nil, err
	}
	grant, err := s.Grants.CoveredBy(ctx, actor, d.Interview, d.Plan.Range)
	if err != nil {
		return d, nil, err
	}
	if d.MadeAt == 0 {
		return d, nil, evidence.Refuse(evidence.ErrConflict, "derivative.not_made", "This copy is not made yet.", "")
	}
	entry := s.entry(actor, EntryOpened, d)
	entry.Details["grant"] = string(grant)
	if err := s.Store.LogOpened(ctx, d.ID, actor.Account, entry); err != nil {
		return d, nil, err
	}
	file, err := s.file(ctx, d)
	return d, file, err
}

func (s *Service) file(ctx context.Context, d Derivative) ([]byte, error) {
	key, err := s.Keys.OpenRecordingKey(ctx, d.ID, d.Wrapped)
	if errors.Is(err, envelope.ErrErased) {
		return nil, evidence.Refuse(evidence.ErrConflict, "derivative.erased", "The recording was erased, and its copies with it.", "P35")
	}
	if err != nil {
		return nil, fmt.Errorf("opening derivative %s: %w", d.ID, err)
	}
	id, err := key.Identity()
	if err != nil {
		return nil, err
	}
	cipher, err := s.Objects.Get(ctx, d.ObjectKey, d.ObjectVersion)
	if err != nil {
		return nil, fmt.Errorf("opening derivative %s: %w", d.ID, err)
	}
	plain, err := envelope.Decrypt(id, cipher)
	if err == nil && envelope.Sum(plain) != d.Plain {
		err = fmt.Errorf("%w: it is not what was made", evidence.ErrInvalid)
	}
	if err != nil {
		return nil, fmt.Errorf("opening derivative %s: %w", d.ID, err)
	}
	return plain, nil
}

// Decide is the second person's yes or no. The policy refuses whoever asked for it,
// and nobody releases what was not shown to her.
func (s *Service) Decide(ctx context.Context, actor evidence.Actor, id evidence.ID, release bool, reason string) (Derivative, error) {
	action, state := ActionRefuse, Refused
	if release {
		action, state = ActionRelease, Released
	}
	if err := s.Access.Authorize(ctx, actor, action, onDerivative(id)); err != nil {
		return Derivative{}, err
	}
	d, err := s.Store.Derivative(ctx, id)
	if err != nil {
		return d, err
	}
	if d.State != Review {
		return d, evidence.Refuse(evidence.ErrConflict, "derivative.decided", "This copy does not wait for review.", "")
	}
	if reason, err = reasonOf(reason); err != nil {
		return d, err
	}
	if release {
		seen, err := s.Store.Opened(ctx, id, actor.Account)
		if err != nil {
			return d, err
		}
		if !seen {
			return d, evidence.Refuse(evidence.ErrConflict, "derivative.not_seen", "Look at the copy before you release it.", "P33")
		}
	}
	if d.DecidedAt, err = s.Store.Now(ctx); err != nil {
		return d, err
	}
	d.State, d.DecidedBy = state, actor.Account
	entry := s.entry(actor, action, d)
	entry.Why = reason
	if err := s.Store.ChangeDerivative(ctx, d, entry); err != nil {
		return d, fmt.Errorf("deciding on derivative %s: %w", id, err)
	}
	d.Version++
	return d, nil
}

// Delivery is a released derivative on its way out.
type Delivery struct {
	Derivative Derivative
	Name       string // of the file

	files map[string][]byte
	to    age.Recipient
}

// Fetch hands a released derivative over, encrypted to a recipient's age key or under
// a passphrase (P39): a tar with the file, its signed derivation and the redacted
// transcripts. The custody entry is committed before the first byte.
func (s *Service) Fetch(ctx context.Context, actor evidence.Actor, id evidence.ID, to, passphrase, reason string) (*Delivery, error) {
	if err := s.Access.Authorize(ctx, actor, ActionFetch, onDerivative(id)); err != nil {
		return nil, err
	}
	d, err := s.Store.Derivative(ctx, id)
	if err != nil {
		return nil, err
	}
	if d.State != Released {
		return nil, evidence.Refuse(evidence.ErrConflict, "derivative.not_released", "A second person must look at this copy and release it first.", "P33")
	}
	if reason, err = reasonOf(reason); err != nil {
		return nil, err
	}
	out := &Delivery{Derivative: d, Name: "toldonce-copy-" + string(d.ID) + ".tar.age"}
	if out.to, err = recipient(to, passphrase); err != nil {
		return nil, err
	}
	file, err := s.file(ctx, d)
	if err != nil {
		return nil, err
	}
	out.files = map[string][]byte{FileName: file, "derivation.sigstore.json": d.Bundle, "README.txt": []byte(readme)}
	if err := s.transcripts(ctx, d, out.files); err != nil {
		return nil, err
	}
	entry := s.entry(actor, ActionFetch, d)
	entry.Why = reason
	entry.Details["sha256"] = d.Plain.SHA256
	if to != "" {
		entry.Details["recipient"] = envelope.Sum([]byte(to)).SHA256
	}
	return out, s.Store.AppendEntry(ctx, entry)
}

const readme = `derivative.mp4 was made from a sealed recording of Told Once: it was encoded again and holds no sealed bytes. What
was done to it, from which sealed files, by whom and with which tool, stands in derivation.sigstore.json, signed by
the agency. Check it, with the agency's trust file from a source of your own:

    toldonce-verify derivative.mp4 --derivation derivation.sigstore.json --trust trust.json

Transcripts beside it are extracts, unofficial, and say less where something was hidden.
`

func recipient(to, passphrase string) (age.Recipient, error) {
	switch {
	case (to == "") == (passphrase == ""):
		return nil, evidence.Refuse(evidence.ErrInvalid, "derivative.recipient", "Name the recipient's age key, or give a passphrase of at least 16 characters.", "P39")
	case passphrase != "":
		if utf8.RuneCountInString(passphrase) < 16 {
			return nil, evidence.Refuse(evidence.ErrInvalid, "derivative.recipient", "Name the recipient's age key, or give a passphrase of at least 16 characters.", "P39")
		}
		return age.NewScryptRecipient(passphrase)
	}
	all, err := age.ParseRecipients(strings.NewReader(to))
	if err != nil || len(all) != 1 {
		return nil, evidence.Refuse(evidence.ErrInvalid, "derivative.recipient", "Name the recipient's age key, or give a passphrase of at least 16 characters.", "P39")
	}
	return all[0], nil
}

// hidden stands in a transcript for what was hidden.
const hidden = "[…]"

// Redact returns the lines of a transcript that a derivative shows, in interview time:
// those wholly inside its range, without a word, or who said it, of any that touches a
// span whose sound is hidden.
func Redact(cues []transcript.Cue, p Plan) (out []transcript.Cue, redacted bool) {
	for _, c := range transcript.Within(cues, []evidence.Range{p.Range}) {
		for _, r := range p.Redactions {
			if r.HidesSound() && r.Range.Overlaps(c.Range()) {
				c.Speaker, c.Text, redacted = "", hidden, true
			}
		}
		out = append(out, c)
	}
	return out, redacted
}

func (s *Service) transcripts(ctx context.Context, d Derivative, files map[string][]byte) error {
	versions, err := s.Transcripts.Leaving(ctx, d.Interview)
	if err != nil {
		return err
	}
	for _, v := range versions {
		_, cues, err := s.Transcripts.Text(ctx, v)
		if err != nil {
			return err
		}
		lines, redacted := Redact(cues, d.Plan)
		about, file := transcript.Extract(v, lines, d.Plan.Range.From, redacted)
		description, err := evidence.Canonical(about)
		if err != nil {
			return err
		}
		files["transcript-"+v.Language+".vtt"], files["transcript-"+v.Language+".json"] = file, description
	}
	return nil
}

// Send writes the encrypted tar to w. It may be called once.
func (d *Delivery) Send(w io.Writer) error {
	sealed, err := age.Encrypt(w, d.to)
	if err != nil {
		return err
	}
	out := tar.NewWriter(sealed)
	for _, name := range []string{"README.txt", FileName, "derivation.sigstore.json"} {
		if err := writeFile(out, name, d.files[name], d.Derivative.MadeAt); err != nil {
			return err
		}
		delete(d.files, name)
	}
	for name, data := range d.files {
		if err := writeFile(out, name, data, d.Derivative.MadeAt); err != nil {
			return err
		}
	}
	return errors.Join(out.Close(), sealed.Close())
}

func writeFile(out *tar.Writer, name string, data []byte, at evidence.Instant) error {
	if err := out.WriteHeader(&tar.Header{Name: "toldonce-copy/" + name, Mode: 0o600, Size: int64(len(data)), ModTime: at.Time(), Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err := out.Write(data)
	return err
}
