// Package clip cuts a clip out of a sealed recording and proves where it comes
// from, and says how a file that was changed descends from its source.
//
// A clip consists of whole segments, byte for byte as they were sealed. Each
// carries a proof (RFC 6962 section 2.1.1) that it stands in the recording's
// tree, whose root the recording's own seal signs. Whoever holds a clip learns of
// the rest of the recording how many segments there are, where these stand among
// them, and what the seal's statement itself says: when the recording began and
// ended. The recording's data key never goes along.
//
// A file that is trimmed to the frame, redacted or transcoded holds no sealed
// bytes any more. It carries a signed [Derivation] instead: which file it was
// made from, by which tool, how, by whom and why.
//
// The package does no I/O; package disclosure writes clips and package verify
// reads them. The formats are specified in FORMAT.md.
package clip
