// Package custody is the append-only log of everything that was done with an
// interview: who, when, where, why, what changed and by what authority (P23,
// P29). Each entry is a leaf of an RFC 6962 Merkle tree, so that anyone who holds
// a signed checkpoint can be shown that an entry is in the log, and that nothing
// before the checkpoint was changed or removed since.
//
// The package does no I/O of its own. A store appends leaves in the same
// transaction as the acts they record; see [Reader] and [Log] for what it lends.
// The formats are specified in FORMAT.md. Everything here is safe for
// concurrent use unless it says otherwise.
package custody

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/toldonce/toldonce/evidence"
)

// TypeLeaf is the type that every leaf of the log names.
const TypeLeaf = "toldonce/custody"

// Limits of an entry. An entry beyond one is refused, never shortened.
const (
	MaxDetails = 32   // details of one entry
	MaxDetail  = 256  // bytes of one detail's value
	MaxText    = 4096 // bytes of one personal text
)

// Fields of a leaf that are commitments, and the names in their openings.
const (
	FieldWhere     = "where"
	FieldWhy       = "why"
	FieldAuthority = "authority"
)

// Entry is an act as it is handed to the log, before it has a time and a place.
type Entry struct {
	Actor     evidence.Actor
	Action    string      // what was done, a stable code: lower case, dotted, such as "grant.approved"
	Agency    evidence.ID // whose record it belongs to; the actor's agency if empty
	Case      evidence.ID // empty if it concerns no case
	Interview evidence.ID // empty if it concerns no interview
	Subject   evidence.ID // the thing acted on: a grant, consent, account, source …; may be empty
	Why       string      // reason in words, personal: committed to, erasable; may be empty
	Authority string      // order, decision or legal basis, personal as Why; may be empty
	// Details are what changed: codes, identifiers and numbers only, never words
	// that a person chose. Keys are lower-case codes; values hold letters, digits
	// and . _ : / + = , - and at most MaxDetail bytes.
	Details map[string]string
}

// Leaf is one entry of the log as it is hashed: a signed document of type
// [TypeLeaf], version 1, in its [evidence.Canonical] form.
type Leaf struct {
	Type    string           `json:"type"`
	Version int              `json:"version"`
	ID      evidence.ID      `json:"id"`
	Salt    string           `json:"salt"` // 32 random bytes: the hash of a leaf that is withheld reveals nothing
	At      evidence.Instant `json:"at"`   // by the server's clock, as it stood; may run backwards if the clock did
	Actor   LeafActor        `json:"actor"`
	Action  string           `json:"action"`
	// Agency, Case, Interview and Subject are as in [Entry].
	Agency    evidence.ID `json:"agency,omitempty"`
	Case      evidence.ID `json:"case,omitempty"`
	Interview evidence.ID `json:"interview,omitempty"`
	Subject   evidence.ID `json:"subject,omitempty"`
	// Where commits to the network address of the actor, Why and Authority to
	// the texts of the entry. Empty where there was none.
	Where     evidence.Commitment `json:"where,omitempty"`
	Why       evidence.Commitment `json:"why,omitempty"`
	Authority evidence.Commitment `json:"authority,omitempty"`
	Details   map[string]string   `json:"details,omitempty"`
	// Before is the root of the log as it stood before this entry, lower-case
	// hex. It lets an audit say which entry was altered, not only that one was.
	Before string `json:"before"`
}

// LeafActor is who acted, without anything personal.
type LeafActor struct {
	Kind    evidence.ActorKind `json:"kind"`
	Account evidence.ID        `json:"account,omitempty"`
	Agency  evidence.ID        `json:"agency,omitempty"`
	Role    evidence.Role      `json:"role,omitempty"`
	Session evidence.ID        `json:"session,omitempty"`
	MFA     bool               `json:"mfa,omitempty"`
}

// Leaf gives the entry an identity, a time, its commitments and its place after
// the log whose root is before. It returns the openings of what it committed to,
// which are personal data, and [evidence.ErrInvalid] for an entry that must not
// be written.
func (e Entry) Leaf(at evidence.Instant, before Hash) (Leaf, []evidence.Opening, error) {
	l := Leaf{
		Type: TypeLeaf, Version: 1, ID: evidence.NewID(), Salt: evidence.NewSalt(), At: at,
		Actor:  LeafActor{Kind: e.Actor.Kind, Account: e.Actor.Account, Agency: e.Actor.Agency, Role: e.Actor.Role, Session: e.Actor.Session, MFA: e.Actor.MFA},
		Action: e.Action, Agency: e.Agency, Case: e.Case, Interview: e.Interview, Subject: e.Subject,
		Details: e.Details, Before: hex.EncodeToString(before[:]),
	}
	if l.Agency == "" {
		l.Agency = e.Actor.Agency
	}
	var openings []evidence.Opening
	for _, f := range []struct {
		name, value string
		into        *evidence.Commitment
	}{{FieldWhere, e.Actor.Address, &l.Where}, {FieldWhy, e.Why, &l.Why}, {FieldAuthority, e.Authority, &l.Authority}} {
		if f.value == "" {
			continue
		}
		if len(f.value) > MaxText || !printable(f.value) {
			return Leaf{}, nil, fmt.Errorf("custody entry %s: %w: %s must be text of at most %d bytes", e.Action, evidence.ErrInvalid, f.name, MaxText)
		}
		c, o := evidence.Commit(f.name, f.value)
		*f.into = c
		openings = append(openings, o)
	}
	if err := l.check(); err != nil {
		return Leaf{}, nil, fmt.Errorf("custody entry %q: %w", e.Action, err)
	}
	return l, openings, nil
}

// printable reports whether s is UTF-8 that both databases and JSON keep as is.
func printable(s string) bool {
	for _, r := range s {
		if r == 0 {
			return false
		}
	}
	return utf8.ValidString(s)
}

// check returns [evidence.ErrInvalid] if the leaf breaks the format's rules.
func (l Leaf) check() error {
	bad := func(what string) error { return fmt.Errorf("%w: %s", evidence.ErrInvalid, what) }
	if _, err := evidence.ParseID(string(l.ID)); err != nil {
		return bad("id")
	}
	for _, f := range [...]struct {
		name string
		id   evidence.ID
	}{{"agency", l.Agency}, {"case", l.Case}, {"interview", l.Interview}, {"subject", l.Subject},
		{"actor.account", l.Actor.Account}, {"actor.agency", l.Actor.Agency}, {"actor.session", l.Actor.Session}} {
		if f.id == "" {
			continue
		}
		if _, err := evidence.ParseID(string(f.id)); err != nil {
			return bad(f.name + " is not an identifier")
		}
	}
	switch l.Actor.Kind {
	case evidence.ActorPerson, evidence.ActorDevice, evidence.ActorSystem:
	default:
		return bad("actor.kind")
	}
	if l.Actor.Role != "" && (!lower(string(l.Actor.Role)) || !form(string(l.Actor.Role), 1, 64, false, "_-")) {
		return bad("actor.role")
	}
	if !lower(l.Action) || !form(l.Action, 1, 64, false, "_.-") {
		return bad("action is not a code")
	}
	if len(l.Salt) != 64 || !lowerHex(l.Salt) || len(l.Before) != 64 || !lowerHex(l.Before) {
		return bad("salt or before is not 64 lower-case hex digits")
	}
	for _, c := range []evidence.Commitment{l.Where, l.Why, l.Authority} {
		if c != "" && (len(c) != 64 || !lowerHex(string(c))) {
			return bad("a commitment is not 64 lower-case hex digits")
		}
	}
	if len(l.Details) > MaxDetails {
		return bad("too many details")
	}
	for key, value := range l.Details {
		if !lower(key) || !form(key, 1, 64, true, "_.-") {
			return bad("a detail's key is not a code")
		}
		if !form(value, 0, MaxDetail, true, "._:/+=,-") {
			return bad("detail " + key + " is not a code, identifier or number")
		}
	}
	return nil
}

func lowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Encode returns the canonical bytes that are hashed into the tree.
func (l Leaf) Encode() ([]byte, error) {
	if l.direct() {
		return l.appendCanonical(make([]byte, 0, 1024)), nil
	}
	return evidence.Canonical(l)
}

// Commitment returns the leaf's commitment to a field, empty if it has none.
func (l Leaf) Commitment(field string) evidence.Commitment {
	switch field {
	case FieldWhere:
		return l.Where
	case FieldWhy:
		return l.Why
	case FieldAuthority:
		return l.Authority
	}
	return ""
}

// ParseLeaf reads the canonical bytes of a leaf. It returns
// [evidence.ErrUnknownFormat] for a document of another type or version, which
// cannot be judged, and [evidence.ErrInvalid] for anything that is not exactly
// the canonical encoding of a leaf.
func ParseLeaf(data []byte) (Leaf, error) {
	if l, ok := readCanonical(data); ok {
		return l, nil
	}
	return parseLeaf(data)
}

// parseLeaf is the general reader, which says what is wrong.
func parseLeaf(data []byte) (Leaf, error) {
	var named struct {
		Type    string `json:"type"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(data, &named); err != nil {
		return Leaf{}, fmt.Errorf("custody leaf: %w: %v", evidence.ErrInvalid, err)
	}
	if named.Type != TypeLeaf || named.Version != 1 {
		return Leaf{}, fmt.Errorf("custody leaf: %w: %q version %d", evidence.ErrUnknownFormat, named.Type, named.Version)
	}
	var l Leaf
	if err := evidence.DecodeCanonical(data, &l); err != nil {
		return Leaf{}, fmt.Errorf("custody leaf: %w", err)
	}
	if err := l.check(); err != nil {
		return Leaf{}, fmt.Errorf("custody leaf: %w", err)
	}
	return l, nil
}
