// Package evidence holds the nouns of the field: case file, interview, source,
// track, segment, manifest, identifiers and time. It does no I/O and imports
// no other package of this module, so that the server, the recorder and the
// offline verifier speak of exactly the same things.
//
// Signed documents name their type and version and are written as JCS bytes
// (RFC 8785) by [Canonical]. Personal data never stands in one: it is replaced
// by a [Commitment] whose [Opening] lives in an erasable table.
package evidence
