package casefile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/envelope"
)

// MaxDocument bounds an attached document, in bytes.
const MaxDocument = 12 << 20

// Objects keeps encrypted documents; see storage/objects for the promises.
type Objects interface {
	Put(ctx context.Context, key string, body []byte, sum evidence.Digest, retainUntil time.Time) (version string, err error)
	Get(ctx context.Context, key, version string) ([]byte, error)
}

// Keys makes and opens the key of each document; see envelope.Keyring. A document
// is to it what a recording is: a thing with an erasable key of its own (P35).
type Keys interface {
	NewRecordingKey(ctx context.Context, recording evidence.ID) (wrapped []byte, recipient string, err error)
	OpenRecordingKey(ctx context.Context, recording evidence.ID, wrapped []byte) (envelope.DataKey, error)
}

// NewDocument attaches a file to a case.
type NewDocument struct {
	Case      evidence.ID
	Person    evidence.ID // whom it concerns; may be empty
	Name      string
	MediaType string
	Bytes     []byte
}

// AttachDocument encrypts a file under a key of its own, stores it and writes a
// sheet that names it. The server keeps no copy in the clear.
func (s *Service) AttachDocument(ctx context.Context, actor evidence.Actor, in NewDocument) (Sheet, error) {
	if err := s.Access.Authorize(ctx, actor, access.FileWrite, onCase(in.Case)); err != nil {
		return Sheet{}, err
	}
	if s.Objects == nil || s.Keys == nil {
		return Sheet{}, fmt.Errorf("storing a document: %w", evidence.ErrUnavailable)
	}
	name := line(in.Name)
	switch {
	case name == "" || len(name) > 200 || strings.ContainsAny(name, `/\`):
		return Sheet{}, invalid("document.name", "Give the document a name of at most 200 bytes, without slashes.", "")
	case len(in.Bytes) == 0 || len(in.Bytes) > MaxDocument:
		return Sheet{}, invalid("document.size", "A document has at least one byte and at most 12 MiB.", "")
	case len(in.MediaType) > 100:
		return Sheet{}, invalid("document.type", "Say what kind of file it is.", "")
	}
	c, err := s.Store.Case(ctx, in.Case)
	if err != nil {
		return Sheet{}, err
	}
	doc := &Document{Name: name, MediaType: in.MediaType}
	sheet, err := s.sheet(ctx, actor, c, NewEntry{Case: in.Case, Person: in.Person, Content: Content{Document: doc}})
	if err != nil {
		return Sheet{}, err
	}
	var recipient string
	if doc.Key, recipient, err = s.Keys.NewRecordingKey(ctx, sheet.ID); err != nil {
		return Sheet{}, fmt.Errorf("making the key of document %s: %w", sheet.ID, err)
	}
	cipher, plain, sum, err := envelope.Encrypt(recipient, in.Bytes)
	if err != nil {
		return Sheet{}, err
	}
	doc.Plain, doc.Cipher, doc.Object = plain, sum, "documents/"+string(sheet.ID)+".age"
	if doc.Version, err = s.Objects.Put(ctx, doc.Object, cipher, sum, time.Time{}); err != nil {
		return Sheet{}, fmt.Errorf("storing document %s: %w", sheet.ID, err)
	}
	return sheet, s.save(ctx, actor, access.FileWrite, "", sheet)
}

// OpenDocument returns an attached file. The custody entry of the consultation is
// committed before a byte is read (P29).
func (s *Service) OpenDocument(ctx context.Context, actor evidence.Actor, id evidence.ID) (Document, []byte, error) {
	if err := s.Access.Authorize(ctx, actor, access.FileOpen, evidence.Resource{Kind: access.KindSheet, ID: id}); err != nil {
		return Document{}, nil, err
	}
	sheet, err := s.Store.Sheet(ctx, id)
	if err != nil {
		return Document{}, nil, err
	}
	doc := sheet.Content.Document
	if doc == nil {
		return Document{}, nil, fmt.Errorf("document %s: %w", id, evidence.ErrNotFound)
	}
	entry := custody.Entry{Actor: actor, Action: access.FileOpen, Agency: sheet.Agency, Case: sheet.Case, Subject: id, Details: map[string]string{"sha256": doc.Plain.SHA256}}
	if err := s.Store.AppendEntry(ctx, entry); err != nil {
		return Document{}, nil, err
	}
	if s.Objects == nil || s.Keys == nil {
		return Document{}, nil, fmt.Errorf("reading a document: %w", evidence.ErrUnavailable)
	}
	key, err := s.Keys.OpenRecordingKey(ctx, id, doc.Key)
	if err != nil {
		return Document{}, nil, fmt.Errorf("opening the key of document %s: %w", id, err)
	}
	identity, err := key.Identity()
	if err != nil {
		return Document{}, nil, err
	}
	cipher, err := s.Objects.Get(ctx, doc.Object, doc.Version)
	if err != nil {
		return Document{}, nil, fmt.Errorf("reading document %s: %w", id, err)
	}
	if envelope.Sum(cipher) != doc.Cipher {
		return Document{}, nil, fmt.Errorf("document %s: %w: the stored object was changed", id, evidence.ErrInvalid)
	}
	plain, err := envelope.Decrypt(identity, cipher)
	if err == nil && envelope.Sum(plain) != doc.Plain {
		err = errors.New("its content is another")
	}
	if err != nil {
		return Document{}, nil, fmt.Errorf("document %s: %w", id, err)
	}
	return *doc, plain, nil
}
