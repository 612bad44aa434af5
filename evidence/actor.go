package evidence

import "context"

// ActorKind says what sort of thing acted.
type ActorKind string

const (
	ActorPerson ActorKind = "person" // an account, signed in
	ActorDevice ActorKind = "device" // a room's or source's credential
	ActorSystem ActorKind = "system" // the program itself: recovery, expiry
)

// Role is what a person does, in an agency or on a case.
type Role string

const (
	RoleAdmin       Role = "admin"
	RoleCaseManager Role = "case_manager"
	RoleInterviewer Role = "interviewer"
	RoleObserver    Role = "observer"
	RoleProsecutor  Role = "prosecutor"
	RoleAdvocate    Role = "advocate"
	RoleCustodian   Role = "custodian"
	RoleAuditor     Role = "auditor"
)

// Roles lists every role, in the order in which pages show them.
var Roles = []Role{RoleAdmin, RoleCaseManager, RoleInterviewer, RoleObserver, RoleProsecutor, RoleAdvocate, RoleCustodian, RoleAuditor}

// Actor is who does something. It is an argument of every domain call, never
// hidden in a context, because custody needs it.
type Actor struct {
	Kind    ActorKind
	Account ID     // account, room device or source; empty for the system
	Agency  ID     // the agency on whose behalf
	Role    Role   // the account's role; roles on a case are in the case's team
	Session ID     // login session or token; empty for devices and the system
	MFA     bool   // whether a second factor stands behind the session or token
	Address string // network address; personal data, only ever committed to
}

// System is the program acting for itself in an agency.
func System(agency ID) Actor { return Actor{Kind: ActorSystem, Agency: agency} }

// Resource is what an act is about. Kind is "case", "interview", "person",
// "consent", "grant", "export", "log", "account", "agency", "room" or "system";
// Case and Interview are set where the thing belongs to one.
type Resource struct {
	Kind      string
	ID        ID
	Case      ID
	Interview ID
	// Subject is the account that the act would give a part in the case to, if it
	// does: a new member, a recipient, an interviewer. It is decided with the act
	// whether she is kept apart from the case.
	Subject ID
}

// Authorizer decides whether actor may do action on a resource, by the one
// policy. It returns nil, a [*Refusal] with reasons for someone with a role in
// the case, or an error wrapping [ErrNotFound] for anyone else. Safe for
// concurrent use. Decisions are never cached.
type Authorizer interface {
	Authorize(ctx context.Context, actor Actor, action string, on Resource) error
}
