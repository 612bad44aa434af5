// Package ingest takes what sources publish: WHIP offers in (RFC 9725), RTP out.
//
// One UDP socket serves every session, and one TCP listener those that cannot
// use UDP. Each session carries at most one audio and one video track. H.264 is
// preferred to every other video codec; sound is Opus; an answer offers nothing
// that could not be recorded. RTX is never negotiated: lost packets are asked for
// in the stream itself, where the ledger of package media sees them.
package ingest
