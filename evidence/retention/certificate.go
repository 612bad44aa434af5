package retention

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/disclosure"
	"github.com/toldonce/toldonce/evidence/envelope"
)

const (
	// TypeErasure is the type that a certificate names; its version is 1.
	TypeErasure = "toldonce/erasure"
	// PredicateErasure is the in-toto predicate type of a certificate's seal.
	PredicateErasure = "https://toldonce.org/erasure/v1"
	// CertificateName is the name of a certificate as the subject of its seal, and
	// of its file.
	CertificateName = "erasure.json"

	// Provisional and Final are what a certificate's status says.
	Provisional = "provisional"
	Final       = "final"

	// ItemBackup, ItemCopy and ItemShare begin the names of the things that an
	// erasure does not reach by itself.
	ItemBackup = "backup"
	ItemCopy   = "copy:"
	ItemShare  = "share:"

	sampled = 8 // objects that a proof reads
)

// Certificate says what was erased, how that was proved, and what it does not
// reach. It holds no personal data: texts are commitments. It is signed in its
// canonical form. See FORMAT.md.
type Certificate struct {
	Type    string           `json:"type"`
	Version int              `json:"version"`
	Status  string           `json:"status"` // Provisional or Final
	ID      evidence.ID      `json:"id"`
	At      evidence.Instant `json:"at"`
	// Software is the program and version that did it.
	Software  string              `json:"software"`
	Agency    evidence.ID         `json:"agency"`
	Case      evidence.ID         `json:"case"`
	Reference evidence.Commitment `json:"caseReference"`
	Interview evidence.ID         `json:"interview"`
	Recording evidence.ID         `json:"recording"`
	// Manifest is the SHA-256 of the sealed manifest, hex: it says which recording
	// this was to whoever holds the seal.
	Manifest    string              `json:"manifest"`
	Reason      evidence.Commitment `json:"reason"`
	Order       evidence.Commitment `json:"order,omitempty"` // erased before the term, by order
	RequestedBy evidence.ID         `json:"requestedBy"`
	RequestedAt evidence.Instant    `json:"requestedAt"`
	ApprovedBy  evidence.ID         `json:"approvedBy"`
	ApprovedAt  evidence.Instant    `json:"approvedAt"`
	ErasedAt    evidence.Instant    `json:"erasedAt"`
	Destroyed   Destroyed           `json:"destroyed"`
	Proof       Proof               `json:"proof"`
	// NotReached lists what the erasure does not reach by itself; never null.
	NotReached []Unreached `json:"notReached"`
	// Provisional is the SHA-256 of the provisional certificate that this one ends.
	Provisional string      `json:"provisional,omitempty"`
	AttestedBy  evidence.ID `json:"attestedBy,omitempty"`
}

// Destroyed lists the keys that are gone.
type Destroyed struct {
	Recording   evidence.ID   `json:"recording"`   // its erasable key
	WrappedKey  bool          `json:"wrappedKey"`  // the wrapped data key in the database
	Derivatives []evidence.ID `json:"derivatives"` // their erasable keys; never null
}

// Proof is what was tried after the keys were destroyed.
type Proof struct {
	// Objects is how many of the recording there are. They stay where they are,
	// under the object store's lock until LockedUntil (0: no lock is known).
	Objects     int64            `json:"objects"`
	LockedUntil evidence.Instant `json:"lockedUntil"`
	LegalHold   bool             `json:"legalHold"`
	// Opening says what came of opening the data key: always "erased".
	Opening string `json:"opening"`
	// Sample are objects that were read: each is as it was sealed, and still
	// ciphertext.
	Sample []Sampled `json:"sample"`
}

// Sampled is one object that a proof read.
type Sampled struct {
	Position int64  `json:"position"` // in the recording's tree
	SHA256   string `json:"sha256"`   // of the ciphertext, as read
	Found    string `json:"found"`    // "as sealed", "missing" or "changed"
}

// Unreached is something that the destruction of keys does not reach.
type Unreached struct {
	// Item names it: "backup" is the key store's last backup, "copy:ID" a package
	// that was handed over, "share:ID" an escrow share that was not returned.
	Item string           `json:"item"`
	At   evidence.Instant `json:"at"` // when it was made or left; 0 if nobody noted
	// Digest is the SHA-256 of a copy's tag manifest; empty otherwise.
	Digest string `json:"digest,omitempty"`
	Clear  bool   `json:"clear,omitempty"` // a copy that is not encrypted
	// Attested commits to what was said of it; empty while it is provisional.
	Attested evidence.Commitment `json:"attested,omitempty"`
	// Unreturned says, in a final certificate, that nobody could vouch for it.
	Unreturned bool `json:"unreturned,omitempty"`
}

// ParseCertificate reads a certificate strictly. It returns an error that wraps
// [evidence.ErrUnknownFormat] for another type or version, and
// [evidence.ErrInvalid] for all else. Hostile bytes yield an error, never a panic.
func ParseCertificate(data []byte) (Certificate, error) {
	var c Certificate
	if err := evidence.DecodeCanonical(data, &c); err != nil {
		return Certificate{}, err
	}
	switch {
	case c.Type != TypeErasure || c.Version != 1:
		return Certificate{}, fmt.Errorf("%w: %q version %d", evidence.ErrUnknownFormat, c.Type, c.Version)
	case c.Status != Provisional && c.Status != Final, c.NotReached == nil, c.Destroyed.Derivatives == nil, c.Proof.Sample == nil,
		c.Status == Final && c.Provisional == "":
		return Certificate{}, fmt.Errorf("%w: not a whole certificate", evidence.ErrInvalid)
	}
	return c, nil
}

// certPredicate is what a certificate's seal repeats of it.
type certPredicate struct {
	Version   int         `json:"version"`
	Status    string      `json:"status"`
	Erasure   evidence.ID `json:"erasure"`
	Recording evidence.ID `json:"recording"`
}

func (s *Service) sign(ctx context.Context, c Certificate) (doc, bundle []byte, err error) {
	if doc, err = evidence.Canonical(c); err != nil {
		return nil, nil, err
	}
	sealed, err := s.Sealer.SealFile(ctx, CertificateName, doc, PredicateErasure, certPredicate{Version: 1, Status: c.Status, Erasure: c.ID, Recording: c.Recording})
	return doc, sealed.Bundle, err
}

// provisional proves the erasure and certifies it.
func (s *Service) provisional(ctx context.Context, e Erasure, derivatives []evidence.ID, wrapped []byte) (doc, bundle []byte, err error) {
	kase, err := s.Store.Case(ctx, e.Case)
	if err != nil {
		return nil, nil, err
	}
	sealed, err := s.Store.SealedHead(ctx, e.Recording)
	if err != nil {
		return nil, nil, err
	}
	f, err := s.Store.RetentionFile(ctx, e.Case)
	if err != nil {
		return nil, nil, err
	}
	c := Certificate{Type: TypeErasure, Version: 1, Status: Provisional, ID: e.ID, At: e.ErasedAt, Software: s.Software, Agency: e.Agency, Case: e.Case, Reference: kase.Commitment(),
		Interview: e.Interview, Recording: e.Recording, Manifest: hexSum(sealed.Manifest), Reason: e.Reason.Commitment(), RequestedBy: e.RequestedBy, RequestedAt: e.RequestedAt,
		ApprovedBy: e.DecidedBy, ApprovedAt: e.DecidedAt, ErasedAt: e.ErasedAt,
		Destroyed: Destroyed{Recording: e.Recording, WrappedKey: true, Derivatives: append([]evidence.ID{}, derivatives...)}}
	if e.Order.Value != "" {
		c.Order = e.Order.Commitment()
	}
	if c.Proof, err = s.prove(ctx, e, f, wrapped); err != nil {
		return nil, nil, err
	}
	if c.NotReached, err = s.unreached(ctx, e); err != nil {
		return nil, nil, err
	}
	return s.sign(ctx, c)
}

// prove tries to open the recording, and reads some objects, the first and the last
// among them.
func (s *Service) prove(ctx context.Context, e Erasure, f File, wrapped []byte) (Proof, error) {
	if _, err := s.Keys.OpenRecordingKey(ctx, e.Recording, wrapped); !errors.Is(err, envelope.ErrErased) {
		return Proof{}, fmt.Errorf("%w: the data key was not found erased: %v", evidence.ErrUnavailable, err)
	}
	p := Proof{Opening: "erased", Sample: []Sampled{}}
	for _, r := range f.Recordings {
		if r.Recording == e.Recording {
			p.LockedUntil, p.LegalHold = r.Lock.Until, r.Lock.Held
		}
	}
	segments, err := s.Store.Segments(ctx, e.Recording)
	if err != nil {
		return Proof{}, err
	}
	p.Objects = int64(len(segments))
	last := -1
	for i := range sampled {
		at := i * (len(segments) - 1) / (sampled - 1)
		if at <= last || at >= len(segments) {
			continue
		}
		last = at
		seg := segments[at]
		body, err := s.Objects.Get(ctx, seg.ObjectKey, seg.ObjectVersion)
		found := Sampled{Position: seg.Position, Found: "as sealed"}
		switch {
		case errors.Is(err, evidence.ErrNotFound):
			found.Found = "missing"
		case err != nil:
			return Proof{}, err
		default:
			found.SHA256 = hexSum(body)
			if envelope.Sum(body) != seg.Leaf.Cipher {
				found.Found = "changed"
			}
		}
		p.Sample = append(p.Sample, found)
	}
	return p, nil
}

// unreached lists what is out of reach: the last backup of the key store always,
// every escrow share that is out, every package that was handed over.
func (s *Service) unreached(ctx context.Context, e Erasure) ([]Unreached, error) {
	at, err := s.Keys.LastBackup(ctx)
	if err != nil {
		return nil, err
	}
	out := []Unreached{{Item: ItemBackup, At: at}}
	shares, err := s.Store.Shares(ctx, e.Recording)
	if err != nil {
		return nil, err
	}
	for _, x := range shares {
		if x.ReturnedAt == 0 {
			out = append(out, Unreached{Item: ItemShare + string(x.ID), At: x.IssuedAt})
		}
	}
	exports, err := s.Store.Exports(ctx, disclosure.Filter{Interview: e.Interview})
	if err != nil {
		return nil, err
	}
	for _, x := range exports {
		if x.Attempt > 0 { // a delivery that broke off left bytes too
			out = append(out, Unreached{Item: ItemCopy + string(x.ID), At: max(x.DeliveredAt, x.ApprovedAt), Digest: x.Digest, Clear: x.Clear()})
		}
	}
	return out, nil
}

// Unreturned is said of an item that nobody can vouch for.
const Unreturned = "unreturned"

// final is the provisional certificate with what was said of each item, and the
// words themselves, which go into the custody log as a commitment.
func (s *Service) final(ctx context.Context, e Erasure, said map[string]string) (doc, bundle []byte, words string, err error) {
	c, err := ParseCertificate(e.Certificate)
	if err != nil {
		return nil, nil, "", err
	}
	var all strings.Builder
	known := 0
	for i := range c.NotReached {
		u := &c.NotReached[i]
		text, ok := said[u.Item]
		if text = prose(text); text == "" || len(text) > 300 || tooLong(text) {
			return nil, nil, "", invalid("erasure.attest", "Say of each thing that the erasure does not reach what became of it, in at most 300 bytes.", "P35")
		}
		if ok {
			known++
		}
		if text == Unreturned {
			u.Unreturned = true
		}
		u.Attested, _ = evidence.Commit(u.Item, text)
		fmt.Fprintf(&all, "%s: %s\n", u.Item, text)
	}
	if known != len(said) {
		return nil, nil, "", invalid("erasure.attest.unknown", "The certificate does not list all that you speak of.", "P35")
	}
	c.Status, c.At, c.Provisional, c.AttestedBy = Final, e.AttestedAt, hexSum(e.Certificate), e.AttestedBy
	doc, bundle, err = s.sign(ctx, c)
	words = strings.TrimSpace(all.String())
	if len(words) > maxText {
		words = string(bytes.ToValidUTF8([]byte(words[:maxText]), nil))
	}
	return doc, bundle, words, err
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
