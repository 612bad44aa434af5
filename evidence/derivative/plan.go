// Package derivative keeps what is made of a sealed recording for those who may not
// have the recording itself: a courtroom copy, trimmed, with spans hidden, faces
// blurred, voices altered and a visible watermark (P33). The master is never touched.
// A derivative is made by a job, encrypted under a data key of its own, signed as a
// [clip.Derivation], and given to nobody before a second person has looked at it and
// released it.
package derivative

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/clip"
)

// Kinds of redaction.
const (
	Hide    = "hide"     // every picture black, every sound silent
	Black   = "black"    // every picture black; sound stays
	Mute    = "mute"     // every sound silent
	Bleep   = "bleep"    // a tone in the place of every sound
	Blur    = "blur"     // a box of one camera's picture is averaged away
	BlurAll = "blur-all" // every picture is averaged away, whole
)

// Layouts of two cameras.
const (
	Single = "single" // one camera
	Side   = "side"   // side by side
	Inset  = "inset"  // the second in a corner of the first
)

// Bounds of a plan.
const (
	// MaxSpan is the longest stretch of one derivative.
	MaxSpan       evidence.Offset = 3_600_000_000
	maxRedactions int             = 500
	maxWatermark  int             = 120 // bytes
)

// Heights of the picture that may be asked for, in lines.
var Heights = []int{360, 540, 720}

// Plan says what to make.
type Plan struct {
	Range evidence.Range `json:"range"`
	// Cameras are one source with a picture, or two for Side and Inset.
	Cameras []evidence.ID `json:"cameras"`
	Layout  string        `json:"layout"`
	// Sounds are the sources whose sound is mixed; none for a silent copy.
	Sounds []evidence.ID `json:"sounds"`
	// Voice alters every voice; see package recorder/derive for what that hides.
	Voice      bool        `json:"voice"`
	Height     int         `json:"height"`
	Redactions []Redaction `json:"redactions"`
}

// Redaction hides something over a span of interview time.
type Redaction struct {
	Kind  string         `json:"kind"`
	Range evidence.Range `json:"range"`
	// Camera, From and To are of Blur alone: a box that moves in a straight line from
	// From at the start to To at the end.
	Camera evidence.ID `json:"camera,omitempty"`
	From   *Box        `json:"from,omitempty"`
	To     *Box        `json:"to,omitempty"`
}

// Box is a part of a picture, in thousandths of its width and height.
type Box struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

func (b Box) valid() bool {
	return b.X >= 0 && b.Y >= 0 && b.W >= 10 && b.H >= 10 && b.X+b.W <= 1000 && b.Y+b.H <= 1000
}

// HidesSound reports whether nothing that is said in its span may be heard or read.
func (r Redaction) HidesSound() bool { return r.Kind == Hide || r.Kind == Mute || r.Kind == Bleep }

// HidesPictures reports whether every picture is hidden over its span.
func (r Redaction) HidesPictures() bool {
	return r.Kind == Hide || r.Kind == Black || r.Kind == BlurAll
}

// Kind is the kind of the derivation that the plan makes.
func (p Plan) Kind() string {
	switch {
	case len(p.Redactions) > 0 || p.Voice:
		return clip.Redacted
	default:
		return clip.Trimmed
	}
}

func (p Plan) check(watermark string) error {
	cameras := map[string]int{Single: 1, Side: 2, Inset: 2}[p.Layout]
	switch {
	case !p.Range.Valid() || p.Range.Until-p.Range.From > MaxSpan:
		return evidence.Refuse(evidence.ErrInvalid, "derivative.range", "Give a range with a start and a later end, at most an hour long.", "")
	case cameras == 0 || len(p.Cameras) != cameras || cameras == 2 && p.Cameras[0] == p.Cameras[1] || len(p.Sounds) > 8 || !slices.Contains(Heights, p.Height):
		return evidence.Refuse(evidence.ErrInvalid, "derivative.layout", "Choose one camera, or two different ones for pictures side by side or in a corner.", "")
	case len(p.Redactions) > maxRedactions:
		return evidence.Refuse(evidence.ErrInvalid, "derivative.many", "A copy can have at most 500 redactions.", "")
	case watermark == "" || len(watermark) > maxWatermark || !utf8.ValidString(watermark) || strings.ContainsFunc(watermark, func(r rune) bool { return r < ' ' }):
		return evidence.Refuse(evidence.ErrInvalid, "derivative.watermark", "Name the recipient and the order or grant: they stand in the picture. At most 120 bytes.", "")
	}
	for i, r := range p.Redactions {
		if err := p.checkRedaction(r); err != nil {
			return evidence.Refuse(evidence.ErrInvalid, "derivative.redaction", fmt.Sprintf("Redaction %d cannot be made: it lies outside the range, or its box outside the picture.", i+1), "")
		}
	}
	return p.checkOtherCameras()
}

func (p Plan) checkRedaction(r Redaction) error {
	wrong := fmt.Errorf("%w: redaction", evidence.ErrInvalid)
	if !r.Range.Valid() || !p.Range.Overlaps(r.Range) {
		return wrong
	}
	switch r.Kind {
	case Hide, Black, Mute, Bleep, BlurAll:
		if r.Camera != "" || r.From != nil || r.To != nil {
			return wrong
		}
	case Blur:
		if !slices.Contains(p.Cameras, r.Camera) || r.From == nil || r.To == nil || !r.From.valid() || !r.To.valid() {
			return wrong
		}
	default:
		return wrong
	}
	return nil
}

// checkOtherCameras refuses a plan in which a face is blurred for one camera and seen
// by another: a redaction applies to every track over its span.
func (p Plan) checkOtherCameras() error {
	for _, r := range p.Redactions {
		if r.Kind != Blur {
			continue
		}
		span := evidence.Range{From: max(r.Range.From, p.Range.From), Until: min(r.Range.Until, p.Range.Until)}
		for _, camera := range p.Cameras {
			if camera != r.Camera && !p.covered(camera, span) {
				return evidence.Refuse(evidence.ErrInvalid, "derivative.other_camera", "What is blurred for one camera is seen by the other. Draw a box there too, or hide its picture over the same span.", "P33")
			}
		}
	}
	return nil
}

// covered reports whether something of a camera's picture is hidden all through a span.
func (p Plan) covered(camera evidence.ID, span evidence.Range) bool {
	at := span.From
	for again := true; again && at < span.Until; {
		again = false
		for _, r := range p.Redactions {
			if (r.HidesPictures() || r.Kind == Blur && r.Camera == camera) && r.Range.From <= at && r.Range.Until > at {
				at, again = r.Range.Until, true
			}
		}
	}
	return at >= span.Until
}
