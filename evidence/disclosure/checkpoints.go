package disclosure

import (
	"bytes"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
)

// CheckpointLine is one line of [CheckpointsFile], canonical.
type CheckpointLine struct {
	Note string `json:"note"` // signed (C2SP signed-note)
}

func encodeCheckpoints(notes []string) ([]byte, error) {
	var out []byte
	for _, n := range notes {
		line, err := evidence.Canonical(CheckpointLine{n})
		if err != nil {
			return nil, err
		}
		out = append(append(out, line...), '\n')
	}
	return out, nil
}

// ParseCheckpoints reads [CheckpointsFile] strictly. It returns an error wrapping
// [evidence.ErrInvalid] for anything but canonical lines, and judges no signature.
func ParseCheckpoints(data []byte) ([][]byte, error) {
	var out [][]byte
	for line := range bytes.Lines(data) {
		var l CheckpointLine
		text, ended := bytes.CutSuffix(line, []byte("\n"))
		if err := evidence.DecodeCanonical(text, &l); err != nil || !ended {
			return nil, fmt.Errorf("line %d: %w", len(out)+1, evidence.ErrInvalid)
		}
		out = append(out, []byte(l.Note))
	}
	return out, nil
}
