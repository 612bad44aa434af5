// Package publish is a WHIP client (RFC 9725) that plays a short clip of H.264
// and Opus as if it were a camera with its microphone. The demonstration records
// from it, and tests and benchmarks measure with it: it tells every frame that it
// sends, and can lose, delay and reorder its own packets on the way out.
//
// The embedded clip is made by make-clip: a synthetic picture and voice, no person.
package publish
