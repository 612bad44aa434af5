// Package seal turns a recording's manifest into a sealed one and checks such a
// seal: an in-toto Statement v1 in a DSSE envelope in a Sigstore bundle v0.3,
// signed with ECDSA P-256 and timestamped after RFC 3161 (P18, P21, P22).
//
// [Init] makes an agency's keys once, [Open] opens them, [Authority] seals. Private
// keys lie on disk wrapped, by functions that the caller brings. What others need
// to check a seal is the trust file, read into a [Trust]; it must reach a verifier
// by another way than the sealed thing does.
//
// [Tree] builds a recording's Merkle tree (RFC 6962) while it is recorded.
// [CheckBundle] and [CheckRecording] judge bytes that may be hostile, offline,
// against given trust only, and return one [Finding] for each thing checked. The
// formats are specified in evidence/FORMAT.md.
package seal
