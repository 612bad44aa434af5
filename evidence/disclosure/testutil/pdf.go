package testutil

import (
	"bytes"
	"compress/zlib"
	"io"
	"strings"
	"testing"
	"unicode/utf16"
)

// PDFText returns the text that a PDF of package paper shows, line by line. It reads
// the strings of the content streams, which are UTF-16 there, in the order in which
// they are set.
func PDFText(t testing.TB, pdf []byte) string {
	t.Helper()
	var out strings.Builder
	for rest := pdf; ; {
		_, after, ok := bytes.Cut(rest, []byte("stream\n"))
		if !ok {
			return out.String()
		}
		packed, tail, _ := bytes.Cut(after, []byte("\nendstream"))
		rest = tail
		r, err := zlib.NewReader(bytes.NewReader(packed))
		if err != nil {
			continue // a font
		}
		content, err := io.ReadAll(r)
		if err != nil {
			continue
		}
		if bytes.Contains(content, []byte(" Tj")) || bytes.Contains(content, []byte(")Tj")) {
			out.WriteString(shownText(content))
		}
	}
}

func shownText(content []byte) string {
	var out strings.Builder
	for i := 0; i < len(content); i++ {
		if content[i] != '(' {
			continue
		}
		var raw []byte
		for i++; i < len(content) && content[i] != ')'; i++ {
			if content[i] == '\\' && i+1 < len(content) {
				i++
				if c := strings.IndexByte("nrtbf", content[i]); c >= 0 {
					raw = append(raw, "\n\r\t\b\f"[c])
					continue
				}
			}
			raw = append(raw, content[i])
		}
		var units []uint16
		for j := 0; j+1 < len(raw); j += 2 {
			units = append(units, uint16(raw[j])<<8|uint16(raw[j+1]))
		}
		out.WriteString(string(utf16.Decode(units)) + "\n")
	}
	return out.String()
}
