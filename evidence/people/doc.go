// Package people knows who acts: agencies, their accounts and rooms, and how an
// account proves itself (invitation, password, TOTP, personal bearer token).
//
// No default password exists. An account begins as a proposal; one that can ever
// reach media needs a second person's approval before its invitation can be
// used; its holder then sets a password and a second factor herself. Nobody else
// ever knows them. Names and logins are personal data: they stand in the
// database and never in the custody log.
package people
