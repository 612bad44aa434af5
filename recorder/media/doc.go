// Package media turns RTP packets into frames and frames into CMAF fragments.
// It does no I/O, starts no goroutine and reads no clock: time is an argument,
// so that a journal replayed through it yields what was recorded live.
//
//	raw packet → [Ledger] → in order → assembler → [Frame] → [Segmenter] → [Segment]
//
// [Stream] joins the first half for one RTP stream. A frame is passed on only if
// every packet from its first to its last is there and the codec agrees; what is
// not passed on is counted, so that what was sent is what is whole plus what is
// declared damaged or missing.
//
// Times: media time is the RTP timestamp unwrapped to 64 bits ([Epoch] is added,
// so that it is never negative); it becomes the decode time of a fragment and is
// never changed. Arrival times are [time.Duration] since any fixed moment of a
// monotonic clock.
//
// No type here is safe for concurrent use.
package media
