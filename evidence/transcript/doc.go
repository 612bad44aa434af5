// Package transcript keeps what was said in an interview as text: imported from
// WebVTT, written by a speech service of the agency's own choice, or corrected by a
// person. Every version stays, encrypted to the recording's own recipient, so that it
// ends with the recording's key (P35). A transcript is unofficial until a person,
// by name, certifies one version of it; the certificate is a signed statement over
// that version's bytes. Nobody reads one but under a grant that includes the
// transcript, within the granted range (P28, P30).
//
// The formats are specified in FORMAT.md.
package transcript
