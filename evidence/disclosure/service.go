package disclosure

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/envelope"
)

// Objects reads stored ciphertext.
type Objects interface {
	Get(ctx context.Context, key, version string) ([]byte, error)
}

// Keys opens recordings.
type Keys interface {
	OpenRecordingKey(ctx context.Context, recording evidence.ID, wrapped []byte) (envelope.DataKey, error)
}

// Grants tells under which grants somebody may have a clip of an interview now.
type Grants interface {
	// Clippable returns, for a source or for all, what may be in a clip that the
	// actor asks for of a range: indexes by track, and the grant that allows it. It
	// returns a [*evidence.Refusal] if no grant in force allows clips there.
	Clippable(ctx context.Context, actor evidence.Actor, interview evidence.ID, r evidence.Range) (evidence.ID, map[evidence.ID]clip.Bounds, error)
	// ClipBounds returns what a grant allows in a clip, or a [*evidence.Refusal] if it
	// is not in force any more.
	ClipBounds(ctx context.Context, grant evidence.ID) (map[evidence.ID]clip.Bounds, error)
	// IncludesTranscript reports whether a grant includes the transcript.
	IncludesTranscript(ctx context.Context, grant evidence.ID) (bool, error)
	// Downloadable reports whether who asked for a clip under a grant may fetch it
	// herself.
	Downloadable(ctx context.Context, grant evidence.ID) (bool, error)
}

// Config is what a Service is made of. Every field but Transcripts is required.
type Config struct {
	Store       Store
	Objects     Objects
	Keys        Keys
	Log         Log
	Checkpoints Checkpointer
	Sealer      Sealer
	Access      evidence.Authorizer
	Grants      Grants
	Software    string // program and version, as packages name it
	// Transcripts lends what leaves of them; nil: none leave.
	Transcripts Transcripts
}

// Service decides who may have a package and hands it over. Every method asks the
// policy before it acts, and commits the custody entry with the act. Safe for
// concurrent use.
type Service struct{ Config }

// NewService returns a Service.
func NewService(c Config) *Service { return &Service{c} }

// Request is what somebody asks for.
type Request struct {
	// To is the age recipient that the package is encrypted to; empty with Clear.
	To string
	// Clear asks for a package that anybody can read. It needs a reason.
	Clear bool
	// Reason says why the package leaves, in words; personal.
	Reason string
	// Reasons discloses the reasons and authorities in the custody excerpt.
	Reasons bool
	// Passphrase asks for a package under a passphrase, which is given when it is
	// fetched. One of To, Passphrase and Clear is set.
	Passphrase bool
	// Profile says for whom; empty: [ProfileFull].
	Profile Profile
	// Exhibit is the number under which a court knows the recording.
	Exhibit string
	// Clip asks for a clip instead of the whole recording.
	Clip *ClipRequest
	// Authority names who above the custodian ordered it, with the order; personal.
	// From the third copy of an interview on, whoever approves names one (P19).
	Authority string
}

// ClipRequest asks for a clip.
type ClipRequest struct {
	Range evidence.Range // interview time
	// Outward takes segments that the range only touches.
	Outward bool
	// Source is one source's name or id; empty or "all" takes every one.
	Source string
}

var exhibitForm = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N} ./_-]{0,39}$`)

const maxReason = 2000

// Request asks for a package of a sealed interview, or of a clip of it. What a
// custodian asks for, encrypted to a recipient, is approved at once; what anybody
// else asks for, and every package in the clear, waits for another custodian (P19,
// P39), unless the policy lets the actor decide alone. A clip is asked for within a
// grant that allows clips, or by a custodian.
func (s *Service) Request(ctx context.Context, actor evidence.Actor, interview evidence.ID, r Request) (Export, error) {
	on := evidence.Resource{Kind: "interview", ID: interview}
	action := ActionRequest
	if r.Clip != nil {
		action = ActionClip
	}
	if err := s.Access.Authorize(ctx, actor, action, on); err != nil {
		return Export{}, err
	}
	if err := r.check(); err != nil {
		return Export{}, err
	}
	iv, err := s.Store.Interview(ctx, interview)
	if err != nil {
		return Export{}, err
	}
	if iv.State != evidence.StateSealed {
		return Export{}, evidence.Refuse(evidence.ErrConflict, "export.not_sealed", "The interview is not sealed yet; only a sealed recording can be handed over.", "P18")
	}
	alone := false
	if r.Clear {
		switch err := s.Access.Authorize(ctx, actor, ActionAlone, on); {
		case err == nil:
			alone = true
		case !errors.Is(err, evidence.ErrRefused) && !errors.Is(err, evidence.ErrNotFound):
			return Export{}, err
		}
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return Export{}, err
	}
	e := Export{
		ID: evidence.NewID(), Agency: iv.Agency, Case: iv.Case, Interview: iv.ID, State: Proposed, Content: WholeRecording, Profile: r.Profile, Exhibit: r.Exhibit,
		Recipient: r.To, Passphrase: r.Passphrase, Reasons: r.Reasons, Reason: r.Reason, RequestedBy: actor.Account, RequestedAt: now, Version: 1,
	}
	if r.Clip != nil {
		if err := s.askClip(ctx, actor, iv, *r.Clip, &e); err != nil {
			return Export{}, err
		}
	}
	entry := s.entry(actor, action, e)
	entry.Why = r.Reason
	if alone || !r.Clear && actor.Role == evidence.RoleCustodian {
		if entry.Authority, err = s.authority(ctx, actor, e, r.Authority); err != nil {
			return Export{}, err
		}
		e.State, e.ApprovedBy, e.ApprovedAt = Approved, actor.Account, now
	}
	if alone {
		entry.Action = ActionAlone
	}
	entry.Details["state"] = string(e.State)
	if err := s.Store.CreateExport(ctx, e, entry); err != nil {
		return Export{}, fmt.Errorf("asking for a package of interview %s: %w", interview, err)
	}
	return e, nil
}

// check puts a request into its form and refuses what cannot be.
func (r *Request) check() error {
	r.Reason, r.Exhibit = strings.TrimSpace(r.Reason), strings.TrimSpace(r.Exhibit)
	if r.Profile == "" {
		r.Profile = ProfileFull
	}
	ways := 0
	for _, way := range []bool{r.Clear, r.Passphrase, r.To != ""} {
		if way {
			ways++
		}
	}
	switch {
	case ways != 1:
		return evidence.Refuse(evidence.ErrInvalid, "export.recipient_or_clear", "Name the recipient's age key, or ask for a package under a passphrase or in the clear.", "P39")
	case r.Clear && r.Reason == "":
		return evidence.Refuse(evidence.ErrInvalid, "export.reason", "Say why the package must leave unencrypted.", "P39")
	case len(r.Reason) > maxReason || !utf8.ValidString(r.Reason) || strings.ContainsRune(r.Reason, 0):
		return evidence.Refuse(evidence.ErrInvalid, "export.reason_long", fmt.Sprintf("The reason may have at most %d bytes.", maxReason), "")
	case !r.Profile.Valid():
		return evidence.Refuse(evidence.ErrInvalid, "export.profile", "There is no such profile. Choose full, prosecution, defence or protected.", "P32")
	case r.Profile == ProfileProtected && r.Reasons:
		return evidence.Refuse(evidence.ErrInvalid, "export.protected_reasons", "Under a protective order no texts of the custody log are disclosed.", "P32")
	case r.Exhibit != "" && !exhibitForm.MatchString(r.Exhibit):
		return evidence.Refuse(evidence.ErrInvalid, "export.exhibit", "An exhibit number has letters, digits and . / _ - and at most 40 of them.", "P25")
	case r.Clip != nil && !r.Clip.Range.Valid():
		return evidence.Refuse(evidence.ErrInvalid, "clip.range", "Give a range with a start and a later end.", "P28")
	}
	if r.To != "" {
		if _, err := parseRecipient(r.To); err != nil {
			return err
		}
	}
	return nil
}

// Approve lets a package leave. The policy wants another custodian than who asked.
// authority names who above her ordered it; it may be empty for the first two copies
// of an interview (P19).
func (s *Service) Approve(ctx context.Context, actor evidence.Actor, export evidence.ID, reason, authority string) (Export, error) {
	if err := s.Access.Authorize(ctx, actor, ActionApprove, evidence.Resource{Kind: "export", ID: export}); err != nil {
		return Export{}, err
	}
	reason = strings.TrimSpace(reason)
	if len(reason) > maxReason || !utf8.ValidString(reason) || strings.ContainsRune(reason, 0) {
		return Export{}, evidence.Refuse(evidence.ErrInvalid, "export.reason_long", fmt.Sprintf("The reason may have at most %d bytes.", maxReason), "")
	}
	e, err := s.Store.Export(ctx, export)
	if err != nil {
		return Export{}, err
	}
	if e.State != Proposed {
		return Export{}, evidence.Refuse(evidence.ErrConflict, "export.decided", "This package was decided on before.", "P19")
	}
	if authority, err = s.authority(ctx, actor, e, authority); err != nil {
		return Export{}, err
	}
	if e.ApprovedAt, err = s.Store.Now(ctx); err != nil {
		return Export{}, err
	}
	e.State, e.ApprovedBy = Approved, actor.Account
	entry := s.entry(actor, ActionApprove, e)
	entry.Why, entry.Authority = reason, authority
	if err := s.Store.ChangeExport(ctx, e, entry); err != nil {
		return Export{}, fmt.Errorf("approving package %s: %w", export, err)
	}
	e.Version++
	return e, nil
}

// View is an export with what the asking actor may do with it now.
type View struct {
	Export
	MayApprove bool
	MayFetch   bool
	MayReceive bool // acknowledge that it was received
	// NeedsAuthority says that whoever approves it must name a higher authority (P19).
	NeedsAuthority bool
	Overdue        bool // its receipt should have come by now
}

// Exports lists the packages that match, those apart that the actor may neither
// approve nor fetch nor did ask for.
func (s *Service) Exports(ctx context.Context, actor evidence.Actor, f Filter) ([]View, error) {
	all, err := s.Store.Exports(ctx, f)
	if err != nil {
		return nil, err
	}
	out := []View{}
	for _, e := range all {
		v, known, err := s.view(ctx, actor, e)
		if err != nil {
			return nil, err
		}
		if known {
			out = append(out, v)
		}
	}
	return out, nil
}

// View returns one export as the actor sees it, or an error wrapping
// [evidence.ErrNotFound].
func (s *Service) View(ctx context.Context, actor evidence.Actor, export evidence.ID) (View, error) {
	e, err := s.Store.Export(ctx, export)
	if err != nil {
		return View{}, err
	}
	v, known, err := s.view(ctx, actor, e)
	if err == nil && !known {
		err = fmt.Errorf("export: %w", evidence.ErrNotFound)
	}
	return v, err
}

func (s *Service) view(ctx context.Context, actor evidence.Actor, e Export) (v View, known bool, err error) {
	on := evidence.Resource{Kind: "export", ID: e.ID}
	may := func(action string) bool {
		if err != nil {
			return false
		}
		denied := s.Access.Authorize(ctx, actor, action, on)
		if denied != nil && !errors.Is(denied, evidence.ErrRefused) && !errors.Is(denied, evidence.ErrNotFound) {
			err = denied
		}
		return denied == nil
	}
	read, approve := may(ActionRead), may(ActionApprove)
	now, clockErr := s.Store.Now(ctx)
	if clockErr != nil {
		return View{}, false, clockErr
	}
	fetch := read && e.State == Approved
	if fetch {
		fetch, err = s.mayFetch(ctx, actor, e)
	}
	needs := false
	if err == nil && approve && e.State == Proposed {
		needs, err = s.needsAuthority(ctx, actor, e)
	}
	v = View{Export: e, NeedsAuthority: needs, MayFetch: fetch, MayApprove: approve && e.State == Proposed, MayReceive: e.State == Delivered && may(ActionReceive), Overdue: e.Overdue(now)}
	return v, read || approve, err
}

// entry begins a custody entry about an export. It holds codes and ids alone: the
// recipient stands as a hash of its key.
func (s *Service) entry(actor evidence.Actor, action string, e Export) custody.Entry {
	details := map[string]string{"clear": strconv.FormatBool(e.Clear()), "content": string(e.Content), "profile": string(e.Profile)}
	if e.Content == ClipOfRecording {
		details["from"], details["until"] = strconv.FormatInt(int64(e.Asked.From), 10), strconv.FormatInt(int64(e.Asked.Until), 10)
		if e.Grant != "" {
			details["grant"] = string(e.Grant)
		}
	}
	if e.Passphrase {
		details["passphrase"] = "true"
	}
	if e.Recipient != "" {
		sum := sha256.Sum256([]byte(e.Recipient))
		details["recipient"] = hex.EncodeToString(sum[:])
	}
	return custody.Entry{Actor: actor, Action: action, Agency: e.Agency, Case: e.Case, Interview: e.Interview, Subject: e.ID, Details: details}
}
