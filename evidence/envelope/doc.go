// Package envelope encrypts what a recording stores, under the scheme "age-v1".
//
// Each recording has one 32-byte data key. It gives, through HKDF-SHA256, the
// seed of a hybrid ML-KEM-768 + X25519 age identity; every segment is an
// ordinary age file to that identity's recipient, so that a stock age 1.3 opens
// it with the key and nothing of this program. Whoever records needs the public
// recipient alone.
//
// age authenticates neither who encrypted nor in which order: the signed
// manifest does, by the digests that this package computes while it encrypts.
// [OpenLeaf] checks them again.
//
// The format is specified in FORMAT.md, with vectors.
package envelope
