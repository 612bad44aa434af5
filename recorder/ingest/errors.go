package ingest

import "github.com/toldonce/toldonce/recorder/signalling"

// How a session can be refused: see package signalling.
var (
	ErrMalformed     = signalling.ErrMalformed
	ErrNotAcceptable = signalling.ErrNotAcceptable
	ErrStale         = signalling.ErrStale
	ErrUnconditional = signalling.ErrUnconditional
)

func malformed(text string) error { return signalling.Malformed(text) }
