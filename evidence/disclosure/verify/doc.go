// Package verify judges a disclosure package: a folder or a tar that may come
// from anybody. It reads nothing but the package, writes nothing, opens no network
// connection, and trusts only what it is given from outside.
//
// [Package] returns a [Report] of one finding for each thing checked. Hostile
// input yields findings: sizes and counts are bounded before they are believed, no
// link is followed, and no name leads outside. The formats are specified in
// evidence/disclosure/FORMAT.md and evidence/FORMAT.md.
package verify
