package people

import (
	"context"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// Store keeps agencies, rooms, accounts and credentials. Methods that take a
// custody entry commit the change and the entry in one transaction and return
// after it is durable. Lookups return an error wrapping evidence.ErrNotFound when
// there is nothing; updates return one wrapping evidence.ErrConflict when what
// they rest on has changed. Safe for concurrent use by many processes.
type Store interface {
	// Now is the server time by which everything is judged. It fails with
	// evidence.ErrClockBehind while the clock is behind the custody log.
	Now(ctx context.Context) (evidence.Instant, error)
	// AppendEntry adds an entry that goes with no other change.
	AppendEntry(ctx context.Context, entry custody.Entry) error

	CreateAgency(ctx context.Context, a Agency, entry custody.Entry) error
	Agency(ctx context.Context, id evidence.ID) (Agency, error)
	Agencies(ctx context.Context) ([]Agency, error)
	CreateRoom(ctx context.Context, r Room, entry custody.Entry) error
	Room(ctx context.Context, id evidence.ID) (Room, error)
	Rooms(ctx context.Context) ([]Room, error)
	SaveRoomCheck(ctx context.Context, c RoomCheck, entry custody.Entry) error
	// RoomChecks returns the latest check of each room that has one.
	RoomChecks(ctx context.Context) (map[evidence.ID]RoomCheck, error)
	// RoomAssigned reports whether an interview that is neither sealed nor cancelled
	// is assigned to a room.
	RoomAssigned(ctx context.Context, room evidence.ID) (bool, error)
	SaveRehearsal(ctx context.Context, r Rehearsal, entry custody.Entry) error
	// Rehearsals returns the latest rehearsal of each room that has one.
	Rehearsals(ctx context.Context) (map[evidence.ID]Rehearsal, error)

	// Devices returns a room's devices in order of their enrolment, those that were
	// revoked too.
	Devices(ctx context.Context, room evidence.ID) ([]evidence.Device, error)
	// RevokeDevice ends a device, and every token that it asked for by its signature;
	// evidence.ErrConflict if it is not there or was revoked before.
	RevokeDevice(ctx context.Context, device evidence.ID, at evidence.Instant, entry custody.Entry) error

	// CreateAccount stores a new account; evidence.ErrConflict if the login is taken.
	CreateAccount(ctx context.Context, a Account, entry custody.Entry) error
	// CreateFirstAccount stores the agency, its first administrator and the
	// invitation in one transaction; evidence.ErrConflict if any account exists.
	CreateFirstAccount(ctx context.Context, agency Agency, a Account, inv Invitation, entry custody.Entry) error
	Account(ctx context.Context, id evidence.ID) (Account, error)
	AccountByLogin(ctx context.Context, login string) (Account, error)
	Accounts(ctx context.Context) ([]Account, error)
	// ApproveAccount moves a proposed account that by did not propose to Invited.
	ApproveAccount(ctx context.Context, account, by evidence.ID, at evidence.Instant, entry custody.Entry) error
	// DisableAccount ends an account, its tokens and its invitations.
	DisableAccount(ctx context.Context, account evidence.ID, at evidence.Instant, entry custody.Entry) error

	// ProposeRecovery notes that by asks for new credentials of an active account.
	ProposeRecovery(ctx context.Context, account, by evidence.ID, at evidence.Instant, entry custody.Entry) error
	// RecoverAccount moves an active account whose recovery somebody other than by
	// proposed to Invited and ends its credentials, passkeys, tokens, invitations
	// and sessions.
	RecoverAccount(ctx context.Context, account, by evidence.ID, at evidence.Instant, entry custody.Entry) error

	// SaveInvitation stores an invitation and ends the account's earlier ones.
	SaveInvitation(ctx context.Context, inv Invitation, entry custody.Entry) error
	InvitationByHash(ctx context.Context, hash []byte) (Invitation, error)
	// SetInvitationTOTP stores the wrapped secret if none is stored yet and
	// returns the one that is stored now.
	SetInvitationTOTP(ctx context.Context, invitation evidence.ID, wrapped []byte) ([]byte, error)
	// AcceptInvitation marks the invitation used, stores the credentials and makes
	// the account Active; evidence.ErrConflict if it was used or the account is not Invited.
	AcceptInvitation(ctx context.Context, invitation evidence.ID, c Credentials, at evidence.Instant, entry custody.Entry) error

	Credentials(ctx context.Context, account evidence.ID) (Credentials, error)
	// CountAttempt adds one attempt under each key before anything is checked, so
	// that attempts made at the same time cannot slip past a limit, and returns
	// what each key then holds. A count that is older than window begins anew.
	CountAttempt(ctx context.Context, keys []string, at evidence.Instant, window int64) ([]Attempts, error)
	// SignedIn consumes a TOTP step (evidence.ErrConflict unless it is later than
	// the last), clears pair's attempts, notes its success, takes this attempt off
	// the other key, and ends a proposed recovery.
	SignedIn(ctx context.Context, account evidence.ID, counter int64, pair, other string, at evidence.Instant, entry custody.Entry) error

	// SavePasskey stores a new passkey; evidence.ErrConflict if it is there.
	SavePasskey(ctx context.Context, p Passkey, entry custody.Entry) error
	// Passkeys returns an account's passkeys, oldest first.
	Passkeys(ctx context.Context, account evidence.ID) ([]Passkey, error)
	// DeletePasskey removes one of the account's passkeys.
	DeletePasskey(ctx context.Context, account evidence.ID, id []byte, entry custody.Entry) error
	// PasskeySignedIn replaces the record of an active account's passkey, notes
	// its use and ends a proposed recovery; evidence.ErrConflict if it is gone.
	PasskeySignedIn(ctx context.Context, p Passkey, entry custody.Entry) error

	SaveToken(ctx context.Context, t Token, entry custody.Entry) error
	TokenByHash(ctx context.Context, hash []byte) (Token, error)
	Tokens(ctx context.Context, account evidence.ID) ([]Token, error)
	// RevokeToken ends one of the account's tokens.
	RevokeToken(ctx context.Context, account, token evidence.ID, at evidence.Instant, entry custody.Entry) error
}

// Attempts counts sign-in attempts under one key.
type Attempts struct {
	Count       int
	Since       evidence.Instant // when the count began
	LastSuccess evidence.Instant // 0: never
}
