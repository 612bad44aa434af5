package disclosure

import (
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// Profile says for whom a package is put together, which decides what it tells.
// None tells a network address.
type Profile string

const (
	// ProfileFull is for a court: everything.
	ProfileFull Profile = "full"
	// ProfileProsecution leaves out what the defence viewed, and when.
	ProfileProsecution Profile = "prosecution"
	// ProfileDefence is for the defence: everything, what it viewed itself included.
	ProfileDefence Profile = "defence"
	// ProfileProtected is for whoever is bound by a protective order (P32): no
	// picture taken out of the media, consent receipts as commitments, no text that
	// a person wrote, the person under a pseudonym made for this package.
	ProfileProtected Profile = "protected"
)

// Profiles lists every profile.
var Profiles = []Profile{ProfileFull, ProfileProsecution, ProfileDefence, ProfileProtected}

// Valid reports whether p is one of [Profiles].
func (p Profile) Valid() bool { return slices.Contains(Profiles, p) }

// RoleDefence is the role of somebody who acts for a suspect.
const RoleDefence evidence.Role = "defence"

// viewing are the actions that say what somebody looked at.
var viewing = []string{"media.deliver", "media.preview", "media.refuse", "transcript.deliver"}

// Tells reports whether a package of this profile may hold a custody entry.
func (p Profile) Tells(l custody.Leaf) bool {
	return p != ProfileProsecution || l.Actor.Role != RoleDefence || !slices.Contains(viewing, l.Action)
}

// opens names the commitments of the custody log that may be opened, of those that
// were asked for.
func (p Profile) opens(asked bool) []string {
	if !asked || p == ProfileProtected {
		return nil
	}
	return []string{custody.FieldWhy, custody.FieldAuthority}
}
