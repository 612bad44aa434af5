// Package disclosure writes what leaves the house: a recording with everything
// that a stranger needs to check it, as a BagIt 1.0 bag (RFC 8493) that standard
// tools can check too, and keeps the record of who asked for it, who approved it
// and what was delivered (P19, P21, P29, P39).
//
// [Package.Write] streams a bag as a tar; no more than a few segments are in
// memory. [Service] decides who may have one. The layout is specified in
// FORMAT.md; package verify reads it.
package disclosure
