// Package monitor shows a running interview live to observers, over WHEP
// (draft-ietf-wish-whep). It forwards the RTP that a source sent, packet by packet,
// and never decodes or changes what is in it.
//
// What it is built for is to touch nothing else. The goroutine that reads from a
// source hands a packet over and goes on; a goroutine for each [Channel] spreads it;
// each [Session] has a bounded queue and a goroutine of its own, which alone waits
// for that observer's network. What an observer misses is repaired from a ring that
// all share, never from the source. Key frames that observers need are asked for at
// most once in half a second, through the recorder, which asks every two seconds anyway.
//
// WHEP is a draft: all that depends on it is here, in recorder/observe.go and in
// web/whep.go.
package monitor
