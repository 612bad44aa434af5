// Package paper sets plain A4 pages as PDF: headings, paragraphs, facts, lists and
// tables, in any language written with Latin or Cyrillic letters. The fonts (Go's,
// BSD licence) are embedded, so that a page looks the same everywhere and for
// decades (P27). The same content and time give the same bytes.
package paper

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
)

const (
	text = "text"
	code = "code"

	margin = 20.0 // mm
	width  = 210 - 2*margin
	line   = 5.0
)

// Page is a document being set. It is owned by one goroutine.
type Page struct{ pdf *fpdf.Fpdf }

// New begins a document. title stands in its properties and at its head; footer
// at the foot of each page, with the page number. at is its date of creation;
// language is a BCP 47 tag.
func New(title, footer, language string, at time.Time) *Page {
	pdf := fpdf.New("P", "mm", "A4", "")
	// fpdf writes into the bytes it is given, and papers are made at the same time.
	pdf.AddUTF8FontFromBytes(text, "", bytes.Clone(goregular.TTF))
	pdf.AddUTF8FontFromBytes(text, "B", bytes.Clone(gobold.TTF))
	pdf.AddUTF8FontFromBytes(code, "", bytes.Clone(gomono.TTF))
	pdf.SetMargins(margin, margin, margin)
	pdf.SetAutoPageBreak(true, margin)
	pdf.SetCreationDate(at.UTC())
	pdf.SetModificationDate(at.UTC())
	pdf.SetCatalogSort(true)
	pdf.SetTitle(title, true)
	pdf.SetLang(language)
	pdf.SetFooterFunc(func() {
		pdf.SetY(-14)
		pdf.SetFont(text, "", 8)
		pdf.SetTextColor(110, 110, 110)
		pdf.CellFormat(width-20, 4, clean(footer), "", 0, "L", false, 0, "")
		pdf.CellFormat(20, 4, fmt.Sprint(pdf.PageNo()), "", 0, "R", false, 0, "")
		pdf.SetTextColor(0, 0, 0)
	})
	pdf.AddPage()
	pdf.SetFont(text, "B", 17)
	pdf.MultiCell(width, 8, clean(title), "", "L", false)
	pdf.Ln(3)
	return &Page{pdf}
}

// Heading begins a section.
func (p *Page) Heading(s string) {
	p.room(4 * line)
	p.pdf.Ln(3)
	p.pdf.SetFont(text, "B", 12)
	p.pdf.MultiCell(width, 6, clean(s), "", "L", false)
	p.pdf.Ln(1)
}

// Text sets a paragraph.
func (p *Page) Text(s string) {
	p.pdf.SetFont(text, "", 10)
	p.pdf.MultiCell(width, line, clean(s), "", "L", false)
	p.pdf.Ln(1)
}

// Strong sets a paragraph in bold.
func (p *Page) Strong(s string) {
	p.pdf.SetFont(text, "B", 11)
	p.pdf.MultiCell(width, line+0.5, clean(s), "", "L", false)
	p.pdf.Ln(1)
}

// Ln leaves a line free.
func (p *Page) Ln() { p.pdf.Ln(line / 2) }

// Point sets an item of a list.
func (p *Page) Point(s string) {
	p.pdf.SetFont(text, "", 10)
	p.pdf.CellFormat(5, line, "–", "", 0, "L", false, 0, "")
	p.pdf.MultiCell(width-5, line, clean(s), "", "L", false)
}

// Fact sets a name with its value.
func (p *Page) Fact(name, value string) {
	p.pdf.SetFont(text, "", 10)
	p.pdf.SetTextColor(90, 90, 90)
	p.room(line)
	p.pdf.CellFormat(45, line, clean(name), "", 0, "L", false, 0, "")
	p.pdf.SetTextColor(0, 0, 0)
	if isCode(value) {
		p.pdf.SetFont(code, "", 8)
	}
	p.pdf.MultiCell(width-45, line, breakable(p.pdf, clean(value), width-45), "", "L", false)
}

// Table sets rows under heads. widths are in millimetres and add up to at most
// [Width]; a cell is wrapped.
func (p *Page) Table(widths []float64, heads []string, rows [][]string) {
	p.row(widths, heads, "B")
	for _, r := range rows {
		p.row(widths, r, "")
	}
	p.pdf.Ln(1)
}

// Width is the width of the text, in millimetres.
const Width = width

func (p *Page) row(widths []float64, cells []string, style string) {
	const height = 4.2
	set := func(s string) {
		if style == "" && isCode(s) {
			p.pdf.SetFont(code, "", 7)
			return
		}
		p.pdf.SetFont(text, style, 8.5)
	}
	texts, tall := make([]string, len(cells)), 1
	for i, c := range cells {
		set(c)
		texts[i] = breakable(p.pdf, clean(c), widths[i]-2)
		tall = max(tall, len(p.pdf.SplitText(texts[i], widths[i]-2)))
	}
	p.room(float64(tall)*height + 1)
	x, y := p.pdf.GetXY()
	for i := range cells {
		set(cells[i])
		p.pdf.SetXY(x, y)
		p.pdf.MultiCell(widths[i], height, texts[i], "", "L", false)
		x += widths[i]
	}
	p.pdf.SetXY(margin, y+float64(tall)*height)
	p.pdf.SetDrawColor(205, 205, 205)
	p.pdf.Line(margin, p.pdf.GetY()+0.3, margin+width, p.pdf.GetY()+0.3)
	p.pdf.SetY(p.pdf.GetY() + 0.8)
}

// Rule leaves room for something to be written by hand, over a line with a caption.
func (p *Page) Rule(caption string) {
	p.room(16)
	p.pdf.Ln(11)
	y := p.pdf.GetY()
	p.pdf.SetDrawColor(60, 60, 60)
	p.pdf.Line(margin, y, margin+90, y)
	p.pdf.SetFont(text, "", 8)
	p.pdf.CellFormat(90, 4, clean(caption), "", 1, "L", false, 0, "")
}

// room begins a new page unless there is height left on this one.
func (p *Page) room(height float64) {
	_, bottom := p.pdf.GetPageSize()
	if p.pdf.GetY()+height > bottom-margin {
		p.pdf.AddPage()
	}
}

// Bytes ends the document and returns the PDF.
func (p *Page) Bytes() ([]byte, error) {
	var out bytes.Buffer
	if err := p.pdf.Output(&out); err != nil {
		return nil, fmt.Errorf("setting a page: %w", err)
	}
	return out.Bytes(), nil
}

// clean leaves out what has no shape, and letters beyond the fonts' plane.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r > 0xffff || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// isCode reports whether s is a digest, key or identifier.
func isCode(s string) bool {
	if len(s) < 32 {
		return false
	}
	for _, r := range s {
		if !strings.ContainsRune("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/=-_.", r) {
			return false
		}
	}
	return true
}

// breakable puts spaces into words that do not fit a line.
func breakable(pdf *fpdf.Fpdf, s string, room float64) string {
	words := strings.Fields(s)
	for i, w := range words {
		if pdf.GetStringWidth(w) <= room-2.5 {
			continue
		}
		var out strings.Builder
		part := ""
		for _, r := range w {
			if pdf.GetStringWidth(part+string(r)) > room-2.5 {
				out.WriteString(part + " ")
				part = ""
			}
			part += string(r)
		}
		words[i] = out.String() + part
	}
	return strings.Join(words, " ")
}
