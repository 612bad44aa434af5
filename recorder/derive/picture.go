package derive

import (
	"image"
	"image/draw"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/toldonce/toldonce/evidence/derivative"
)

// picture is one frame, YUV 4:2:0 in three planes one after another (BT.601, studio range).
// Both sides are even.
type picture struct {
	w, h int
	pix  []byte
}

func newPicture(w, h int) *picture {
	p := &picture{w: w, h: h, pix: make([]byte, w*h*3/2)}
	p.black()
	return p
}

// black hides everything.
func (p *picture) black() {
	for i := range p.pix {
		if p.pix[i] = 128; i < p.w*p.h {
			p.pix[i] = 16
		}
	}
}

// plane returns a plane with its width and height.
func (p *picture) plane(i int) ([]byte, int, int) {
	n := p.w * p.h
	switch i {
	case 0:
		return p.pix[:n], p.w, p.h
	case 1:
		return p.pix[n : n+n/4], p.w / 2, p.h / 2
	}
	return p.pix[n+n/4:], p.w / 2, p.h / 2
}

// put copies a picture to an even place.
func (p *picture) put(q *picture, x, y int) {
	for i := range 3 {
		to, tw, _ := p.plane(i)
		from, fw, fh := q.plane(i)
		dx, dy := x, y
		if i > 0 {
			dx, dy = x/2, y/2
		}
		for row := range fh {
			copy(to[(dy+row)*tw+dx:][:fw], from[row*fw:][:fw])
		}
	}
}

// cellsAcross is in how many cells the shorter side of a hidden box is averaged.
const cellsAcross = 4

// average replaces a rectangle by the means of a few large cells: what was finer is
// not in the picture any more, so no sharpening brings it back.
func (p *picture) average(x, y, w, h int) {
	x, y = max(0, x)&^1, max(0, y)&^1
	w, h = min(p.w-x, w+1)&^1, min(p.h-y, h+1)&^1
	if w <= 0 || h <= 0 {
		return
	}
	cell := max(16, min(w, h)/cellsAcross) &^ 1
	for cy := y; cy < y+h; cy += cell {
		for cx := x; cx < x+w; cx += cell {
			p.mean(cx, cy, min(cell, x+w-cx), min(cell, y+h-cy))
		}
	}
}

func (p *picture) mean(x, y, w, h int) {
	for i := range 3 {
		pix, stride, _ := p.plane(i)
		x, y, w, h := x, y, w, h
		if i > 0 {
			x, y, w, h = x/2, y/2, w/2, h/2
		}
		if w == 0 || h == 0 {
			continue
		}
		sum := 0
		for row := y; row < y+h; row++ {
			for _, v := range pix[row*stride+x:][:w] {
				sum += int(v)
			}
		}
		mean := byte(sum / (w * h))
		for row := y; row < y+h; row++ {
			line := pix[row*stride+x:][:w]
			for j := range line {
				line[j] = mean
			}
		}
	}
}

// fit returns the size, in even numbers, at which a picture fits into a place.
func fit(w, h, intoW, intoH int) (int, int) {
	if w <= 0 || h <= 0 {
		return intoW, intoH
	}
	if w*intoH >= h*intoW {
		return intoW, max(2, (intoW*h/w)&^1)
	}
	return max(2, (intoH*w/h)&^1), intoH
}

// between returns the box of a redaction a share of the way through its span.
func between(a, b derivative.Box, share float64) derivative.Box {
	mix := func(x, y int) int { return x + int(float64(y-x)*share) }
	return derivative.Box{X: mix(a.X, b.X), Y: mix(a.Y, b.Y), W: mix(a.W, b.W), H: mix(a.H, b.H)}
}

// watermark is a text as a mask that is laid over each picture.
type watermark struct {
	w, h int
	mask []byte
}

// newWatermark writes a text for a picture of a width and height, in lines if it is long.
func newWatermark(text string, w, h int) (*watermark, error) {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, err
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: float64(max(12, h/28)), DPI: 72})
	if err != nil {
		return nil, err
	}
	defer face.Close()
	var lines []string
	for word := range strings.FieldsSeq(text) {
		if n := len(lines); n > 0 && font.MeasureString(face, lines[n-1]+" "+word).Ceil() < w*9/10 {
			lines[n-1] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	step := face.Metrics().Height.Ceil()
	out := &watermark{w: w, h: min(h, step*len(lines)+step/2)}
	img := image.NewAlpha(image.Rect(0, 0, out.w, out.h))
	d := font.Drawer{Dst: img, Src: image.Opaque, Face: face}
	for i, line := range lines {
		d.Dot = fixed.P(w/40, step*(i+1)-step/4)
		d.DrawString(line)
	}
	plain := image.NewAlpha(img.Bounds())
	draw.Draw(plain, plain.Bounds(), img, image.Point{}, draw.Src)
	out.mask = plain.Pix
	return out, nil
}

// lay writes the text into a picture at a height, light on a darkened band.
func (m *watermark) lay(p *picture, top int) {
	luma, stride, _ := p.plane(0)
	top = min(max(0, top), p.h-m.h)
	for y := range m.h {
		line := luma[(top+y)*stride:][:stride]
		for x := range min(m.w, stride) {
			v := int(line[x]) * 6 / 10
			line[x] = byte(v + (235-v)*int(m.mask[y*m.w+x])/255)
		}
	}
}
