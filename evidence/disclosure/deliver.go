package disclosure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"filippo.io/age"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/evidence/seal"
)

// A running delivery claims its export for leaseLength and renews the claim
// while it makes progress; a claim that was not renewed is open to another try.
const (
	leaseLength = 2 * time.Minute
	leaseRenew  = 30 * time.Second
)

// Delivery is a package that is about to leave: its custody entry is committed,
// its bytes are not written yet.
type Delivery struct {
	Export Export
	// ContentType is application/x-tar or application/age, Name a file name.
	ContentType string
	Name        string

	service *Service
	actor   evidence.Actor
	pkg     Package
	to      age.Recipient
}

// Deliver begins the delivery of an approved package: when it returns, the
// custody log says that the package leaves, and the excerpt inside it says so too.
// passphrase is required for an export that asks for one, and refused for any
// other. The bytes follow with [Delivery.WriteTo], which must be called. An export
// is delivered once; a delivery that broke off may be begun again.
func (s *Service) Deliver(ctx context.Context, actor evidence.Actor, export evidence.ID, passphrase string) (*Delivery, error) {
	if err := s.Access.Authorize(ctx, actor, ActionRead, evidence.Resource{Kind: "export", ID: export}); err != nil {
		return nil, err
	}
	e, err := s.Store.Export(ctx, export)
	if err != nil {
		return nil, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case e.State == Proposed:
		return nil, evidence.Refuse(evidence.ErrConflict, "export.not_approved", "A second person must approve this package first.", "P19")
	case e.State != Approved:
		return nil, evidence.Refuse(evidence.ErrConflict, "export.delivered", "This package was handed over. Ask for another one: every copy is approved and recorded.", "P19")
	case e.LeaseUntil > now:
		return nil, evidence.Refuse(evidence.ErrConflict, "export.in_delivery", "This package is being handed over at this moment.", "P19")
	}
	if fetch, err := s.mayFetch(ctx, actor, e); err != nil {
		return nil, err
	} else if !fetch {
		return nil, evidence.Refuse(evidence.ErrRefused, "export.no_download", "Your grant covers no download. The evidence custodian hands the package over.", "P28")
	}
	d := &Delivery{service: s, actor: actor, ContentType: "application/x-tar", Name: Folder(e.ID) + ".tar"}
	if d.to, err = e.recipient(passphrase); err != nil {
		return nil, err
	}
	if d.to != nil {
		d.ContentType, d.Name = "application/age", d.Name+".age"
	}
	if err := s.prepare(ctx, e, now, &d.pkg); err != nil {
		return nil, fmt.Errorf("package %s: %w", export, err)
	}
	e.Attempt++
	e.LeaseUntil = evidence.At(now.Time().Add(leaseLength))
	entry := s.entry(actor, ActionRead, e)
	entry.Details["attempt"] = strconv.Itoa(e.Attempt)
	if err := s.Store.ChangeExport(ctx, e, entry); err != nil {
		return nil, fmt.Errorf("package %s: %w", export, err)
	}
	e.Version++
	d.Export = e
	if d.pkg.Excerpt, err = s.excerpt(ctx, e); err != nil {
		return nil, errors.Join(fmt.Errorf("package %s: %w", export, err), d.interrupted(ctx))
	}
	return d, nil
}

// minPassphrase is the fewest characters of a passphrase; scrypt does the rest.
const minPassphrase = 16

// recipient is whom the package is encrypted to; nil for one in the clear.
func (e Export) recipient(passphrase string) (age.Recipient, error) {
	switch {
	case !e.Passphrase && passphrase != "":
		return nil, evidence.Refuse(evidence.ErrInvalid, "export.no_passphrase", "This package is not one under a passphrase.", "P39")
	case e.Passphrase && utf8.RuneCountInString(passphrase) < minPassphrase:
		return nil, evidence.Refuse(evidence.ErrInvalid, "export.passphrase", fmt.Sprintf("Give a passphrase of at least %d characters. Tell it to the recipient by another way than the package.", minPassphrase), "P39")
	case e.Passphrase:
		return age.NewScryptRecipient(passphrase)
	case e.Clear():
		return nil, nil
	}
	return parseRecipient(e.Recipient)
}

// excerpt is what the custody log says of an interview, as far as the recipient
// may know. A clip's recipient learns of the seal and of this export alone.
func (s *Service) excerpt(ctx context.Context, e Export) (Excerpt, error) {
	tells := e.Profile.Tells
	if e.Content == ClipOfRecording {
		tells = func(l custody.Leaf) bool { return l.Action == EntrySealed || l.Subject == e.ID }
	}
	return NewExcerpt(ctx, s.Log, s.Checkpoints, e.Interview, e.Profile.opens(e.Reasons), tells)
}

// prepare gathers everything that can be missing before anything is promised.
func (s *Service) prepare(ctx context.Context, e Export, now evidence.Instant, p *Package) error {
	iv, err := s.Store.Interview(ctx, e.Interview)
	if err != nil {
		return err
	}
	wrapped, _, err := s.Store.RecordingKey(ctx, iv.Recording)
	if err != nil {
		return err
	}
	key, err := s.Keys.OpenRecordingKey(ctx, iv.Recording, wrapped)
	if errors.Is(err, envelope.ErrErased) {
		return evidence.Refuse(evidence.ErrConflict, "export.erased", "The recording was erased; there is nothing to hand over.", "P35")
	}
	if err != nil {
		return err
	}
	id, err := key.Identity()
	if err != nil {
		return err
	}
	*p = Package{
		Export: e.ID, CreatedAt: now, Software: s.Software, Sealer: s.Sealer, Profile: e.Profile,
		Plaintext: func(ctx context.Context, seg evidence.Segment) ([]byte, error) {
			cipher, err := s.Objects.Get(ctx, seg.ObjectKey, seg.ObjectVersion)
			if err != nil {
				return nil, err
			}
			return envelope.OpenLeaf(id, cipher, seg.Leaf)
		},
		Account: func(ctx context.Context, a evidence.StoredSourceManifest) ([]byte, error) {
			cipher, err := s.Objects.Get(ctx, a.ObjectKey, a.ObjectVersion)
			if err != nil {
				return nil, err
			}
			return envelope.OpenLeaf(id, cipher, evidence.Leaf{Plain: a.File.Plain, Cipher: a.File.Cipher})
		},
	}
	if p.Facts, err = s.Store.Facts(ctx, e.Interview); err != nil {
		return err
	}
	p.Facts.Exhibit = e.Exhibit
	if p.Renewals, err = s.Store.Renewals(ctx, iv.Recording); err != nil {
		return err
	}
	p.Facts.Salt = func(label string) string { return ReceiptSalt(key[:], label) }
	if e.Content == ClipOfRecording {
		return s.prepareClip(ctx, e, iv.Recording, p)
	}
	if p.Recording, err = s.Store.Sealed(ctx, iv.Recording); err != nil {
		return err
	}
	if p.Segments, err = s.Store.Segments(ctx, iv.Recording); err != nil {
		return err
	}
	if p.Accounts, err = s.Store.SourceManifests(ctx, iv.Recording); err != nil {
		return err
	}
	if p.Checkpoints, err = s.Store.RecordingCheckpoints(ctx, iv.Recording); err != nil {
		return err
	}
	p.Transcripts, err = s.transcripts(ctx, e, nil)
	return err
}

// prepareClip cuts the clip, under the grant as it is now.
func (s *Service) prepareClip(ctx context.Context, e Export, recording evidence.ID, p *Package) error {
	var allowed map[evidence.ID]clip.Bounds
	var err error
	if e.Grant != "" {
		if allowed, err = s.Grants.ClipBounds(ctx, e.Grant); err != nil {
			return err
		}
	}
	if p.Recording, err = s.Store.SealedHead(ctx, recording); err != nil {
		return err
	}
	m, err := seal.ParseManifest(p.Recording.Manifest)
	if err != nil {
		return err
	}
	c, err := s.cut(ctx, p.Recording.Manifest, m, e, allowed)
	if err != nil {
		return err
	}
	p.Clip = &c
	p.Transcripts, err = s.transcripts(ctx, e, &c.Document.Actual)
	return err
}

// WriteTo writes the package to w and records how that ended. It returns an error
// if the package did not leave whole, or if that it left could not be recorded.
// It may be called once.
func (d *Delivery) WriteTo(ctx context.Context, w io.Writer) (Written, error) {
	out := io.Writer(&leased{d: d, ctx: ctx, w: w, renewAt: time.Now().Add(leaseRenew)})
	var sealed io.WriteCloser
	if d.to != nil {
		var err error
		if sealed, err = age.Encrypt(out, d.to); err != nil {
			return Written{}, errors.Join(fmt.Errorf("encrypting package %s: %w", d.Export.ID, err), d.interrupted(ctx))
		}
		out = sealed
	}
	written, err := d.pkg.Write(ctx, out)
	if err == nil && sealed != nil {
		// Without this the recipient's age refuses the file as cut off.
		err = sealed.Close()
	}
	if err != nil {
		return Written{}, errors.Join(err, d.interrupted(ctx))
	}
	return written, d.delivered(ctx, written)
}

// bookkeeping outlives the request: what happened is recorded even if the
// recipient hung up.
func bookkeeping(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
}

func (d *Delivery) delivered(ctx context.Context, w Written) error {
	ctx, cancel := bookkeeping(ctx)
	defer cancel()
	e := d.Export
	e.State, e.LeaseUntil, e.Digest, e.Bytes = Delivered, 0, w.TagManifest, w.Bytes
	now, err := d.service.Store.Now(ctx)
	if err != nil {
		return fmt.Errorf("recording the delivery of package %s: %w", e.ID, err)
	}
	e.DeliveredAt = now
	entry := d.service.entry(d.actor, EntryDelivered, e)
	entry.Details["attempt"] = strconv.Itoa(e.Attempt)
	entry.Details["sha256"] = w.TagManifest
	entry.Details["bytes"] = strconv.FormatInt(w.Bytes, 10)
	entry.Details["files"] = strconv.Itoa(w.Files)
	if err := d.service.Store.ChangeExport(ctx, e, entry); err != nil {
		return fmt.Errorf("recording the delivery of package %s: %w", e.ID, err)
	}
	e.Version++
	d.Export = e
	return nil
}

func (d *Delivery) interrupted(ctx context.Context) error {
	ctx, cancel := bookkeeping(ctx)
	defer cancel()
	e := d.Export
	e.LeaseUntil = 0
	entry := d.service.entry(d.actor, EntryInterrupted, e)
	entry.Details["attempt"] = strconv.Itoa(e.Attempt)
	if err := d.service.Store.ChangeExport(ctx, e, entry); err != nil {
		return fmt.Errorf("recording that package %s broke off: %w", e.ID, err)
	}
	e.Version++
	d.Export = e
	return nil
}

// leased renews the delivery's claim while bytes flow.
type leased struct {
	d       *Delivery
	ctx     context.Context
	w       io.Writer
	renewAt time.Time // by the monotonic clock
}

func (l *leased) Write(p []byte) (int, error) {
	if time.Now().After(l.renewAt) {
		now, err := l.d.service.Store.Now(l.ctx)
		if err != nil {
			return 0, err
		}
		if err := l.d.service.Store.RenewExport(l.ctx, l.d.Export.ID, l.d.Export.Attempt, evidence.At(now.Time().Add(leaseLength))); err != nil {
			return 0, err
		}
		l.renewAt = time.Now().Add(leaseRenew)
	}
	return l.w.Write(p)
}
