package people

import (
	"regexp"
	"slices"
	"strings"

	"github.com/toldonce/toldonce/evidence"
)

// AccountState is where an account stands in its life.
type AccountState string

const (
	// Proposed: made by one person; waits for a second person's approval.
	Proposed AccountState = "proposed"
	// Invited: approved, or needing no approval; its holder has not come yet.
	Invited AccountState = "invited"
	// Active: its holder has set a password and a second factor.
	Active AccountState = "active"
	// Disabled: ended for good. The account stays, because custody refers to it.
	Disabled AccountState = "disabled"
)

// Account is one person's login.
type Account struct {
	ID         evidence.ID
	Agency     evidence.ID
	Login      string // unique in the installation, lower case; see ValidLogin
	Name       string // as shown to colleagues; personal data
	Role       evidence.Role
	Language   string // one of Languages
	State      AccountState
	ProposedBy evidence.ID // account; empty for the first administrator
	ApprovedBy evidence.ID // account; empty when none was needed or given
	CreatedAt  evidence.Instant
	ApprovedAt evidence.Instant // 0 when none
	ActiveAt   evidence.Instant // 0 until the invitation was accepted
	DisabledAt evidence.Instant // 0 while not disabled
	// RecoveryBy proposed, at RecoveryAt, that the holder sets new credentials;
	// empty and 0 while nobody does. See [Service.ProposeRecovery].
	RecoveryBy evidence.ID
	RecoveryAt evidence.Instant
	Version    int64 // row version for optimistic concurrency
}

// NeedsSecondPerson reports whether an account of this role can ever reach media
// or decide who does, so that two people must have made it. Administrators and
// auditors never reach media: one administrator can make such an account.
func NeedsSecondPerson(role evidence.Role) bool {
	return role != evidence.RoleAdmin && role != evidence.RoleAuditor
}

// Credentials is what an active account proves itself by.
type Credentials struct {
	Account      evidence.ID
	PasswordHash string // argon2id, PHC string
	TOTP         []byte // secret, wrapped by the keyring for purpose "totp"
	// Counter is the TOTP time step that was last accepted; a code of this or an
	// earlier step is never accepted again.
	Counter int64
}

// Invitation lets the holder of a token set an account's credentials, once.
type Invitation struct {
	ID        evidence.ID
	Account   evidence.ID
	TokenHash []byte // SHA-256 of the token; the token itself is never stored
	TOTP      []byte // wrapped secret shown when the invitation was first opened; nil before
	CreatedBy evidence.ID
	CreatedAt evidence.Instant
	ExpiresAt evidence.Instant
	UsedAt    evidence.Instant // 0 while unused
}

// Token is a personal bearer token for programs.
type Token struct {
	ID        evidence.ID
	Account   evidence.ID
	Name      string // what the holder calls it
	Hash      []byte // SHA-256 of the token
	MFA       bool   // made in a session with a second factor
	CreatedAt evidence.Instant
	ExpiresAt evidence.Instant
	RevokedAt evidence.Instant // 0 while valid
}

var loginPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,62}[a-z0-9]$`)

// NormalLogin returns login as it is stored and compared: trimmed, lower case.
func NormalLogin(login string) string { return strings.ToLower(strings.TrimSpace(login)) }

// ValidLogin reports whether a normal login can be given to an account: 3 to 64
// of a-z, 0-9, dot, dash and underscore, with a letter or digit at both ends.
func ValidLogin(login string) bool { return loginPattern.MatchString(login) }

func validLanguage(tag string) bool { return slices.Contains(Languages, tag) }
