// Package spool is the recorder's memory on disk: what was received and is not
// yet safe elsewhere.
//
// A [Spool] is one node's directory. In it each [Interview] that is being
// recorded has two streams of records, encrypted under a key of its own:
//
//   - capture holds what the recorder needs to build the segments that are
//     still open: frames and events, in its own encoding;
//   - the outbox holds finished ciphertext objects until they are in the object
//     store and the database knows it.
//
// [Interview.Append] and [Interview.Put] only copy into memory. One goroutine per
// stream encrypts, writes and syncs what came together, at most 250 ms after it
// came; [Interview.Wait] and [Interview.WaitObject] tell when something is safe
// from a power loss. Objects are uploaded in the background, again and again
// until they are stored.
//
// A full disk, a failing disk, an object store or a database that does not
// answer stop none of this: they raise an [Alarm]. A reserve of disk, allocated
// beforehand, is used up last. When memory too is full, Append returns
// [ErrBacklog]: nothing is dropped in silence.
//
// After a crash [Spool.Recover] reads back every record that was synced. A torn
// tail is cut and reported, never trusted; records that were changed, reordered,
// dropped or spliced in from elsewhere are found out, because each is bound to
// its place by the encryption. The format is specified in FORMAT.md.
package spool
