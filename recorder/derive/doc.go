// Package derive makes derivatives of sealed recordings (package derivative): it has a
// confined ffmpeg decode the sealed segments over pipes, hides and composes picture and
// sound itself, sample by sample, and has a second ffmpeg encode them as H.264 and AAC.
// Plaintext lies in memory and in pipes only. What the plan hides never reaches the
// encoder.
//
// How much altering a voice hides: each stretch of sound is taken apart into sixteen
// bands, of which only the loudness is kept, fifty times a second; noise is shaped with
// it, in bands moved by a random amount that wanders and is remembered nowhere. Pitch,
// its melody, and the fine structure by which voices are told apart are gone and cannot
// be computed back. Words, dialect, pace, pauses, and manner of speaking stay: somebody
// who knows the person may know her by those.
package derive
