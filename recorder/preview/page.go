package preview

import (
	"encoding/json"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/envelope"
)

const (
	pageType    = "toldonce/preview"
	pageVersion = 1

	// LevelStep is the stretch of interview time that one level stands for.
	LevelStep evidence.Offset = 100_000
	// levelFloor is what level 0 stands for, dB below full scale; 255 is full scale.
	levelFloor = 72
)

// Item is the preview of one segment.
type Item struct {
	Index int `json:"index"` // of the media segment
	// Data is a JPEG, or one byte for each LevelStep from the segment's start: the
	// root mean square, from 72 dB below full scale (0) to full scale (255).
	Data []byte `json:"data"`
}

// page is what an object holds, as JSON.
type page struct {
	Type      string               `json:"type"`
	Version   int                  `json:"version"`
	Recording evidence.ID          `json:"recording"`
	Track     evidence.ID          `json:"track"`
	Kind      evidence.PreviewKind `json:"kind"`
	Items     []Item               `json:"items"`
}

// Read returns what the plain bytes of a page hold after checking that they are
// what p says. The error wraps [evidence.ErrInvalid].
func Read(p evidence.PreviewPage, plain []byte) ([]Item, error) {
	if envelope.Sum(plain) != p.Plain {
		return nil, fmt.Errorf("preview %d of track %s: %w: other bytes than were made", p.Page, p.Track, evidence.ErrInvalid)
	}
	var got page
	if err := json.Unmarshal(plain, &got); err != nil {
		return nil, fmt.Errorf("preview %d of track %s: %w: %v", p.Page, p.Track, evidence.ErrInvalid, err)
	}
	if got.Type != pageType || got.Version != pageVersion || got.Recording != p.Recording || got.Track != p.Track || got.Kind != p.Kind {
		return nil, fmt.Errorf("preview %d of track %s: %w: it is of something else", p.Page, p.Track, evidence.ErrInvalid)
	}
	return got.Items, nil
}
