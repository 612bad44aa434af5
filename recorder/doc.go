// Package recorder runs the recording of interviews: who may publish, when
// recording begins, pauses and ends, what was received and lost, and the seal.
//
// A source publishes by WHIP (RFC 9725) through package ingest. Packets become
// frames and fragments in package media, which is pure. Frames are journalled
// encrypted by package spool, segments are sealed with age and uploaded by it.
// The server never writes media in the clear.
//
// A running recording never stops because a database, log or object store does
// not answer: what they have to be told waits in the spool. It stops when a
// person stops it, or when the consent it rests on ends.
//
// What a recording consists of is specified in FORMAT.md.
package recorder
