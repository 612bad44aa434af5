// Package rehearsal makes test recordings: ten seconds of a room with nobody
// interviewed in it, taken by the same recorder as an interview, sealed, verified,
// played back once by whoever made them, and forgotten.
//
// A test recording can never be evidence. It hangs on no case (P9) and no person; its
// interview, segments and seal are known to no database and no object store, but to
// this process's memory; it is sealed by an authority of its own that dies with it and
// that no trust file names. The consent gate of interviews is neither asked nor opened:
// a rehearsal has a recorder of its own, whose gate knows this one rehearsal alone, and
// that recorder can reach no interview. What it journals on disk is encrypted under a
// key in memory and removed when it ends, and again when the program starts.
package rehearsal
