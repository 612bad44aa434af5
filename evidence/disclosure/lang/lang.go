// Package lang puts what is printed for people into English, Albanian and Serbian:
// the verifier's report, and the papers of a package. English is the source: a
// sentence is looked up by its English format.
package lang

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Languages are the BCP 47 tags of what there is, English first.
var Languages = []string{"en", "sq", "sr"}

// Language is one of [Languages].
type Language string

// Known reports whether tag is one of [Languages].
func Known(tag string) bool { return slices.Contains(Languages, tag) }

// T returns a sentence in the language, by its English format for [fmt.Sprintf].
// A sentence without a translation stays English; a test finds it.
func (l Language) T(format string, args ...any) string {
	if other, ok := catalog(l)[format]; ok {
		format = other
	}
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}

// Has reports whether there is a translation of an English format.
func (l Language) Has(format string) bool {
	_, ok := catalog(l)[format]
	return ok || l == "en"
}

// Formats returns the English formats that are translated, sorted.
func (l Language) Formats() []string {
	var out []string
	for f := range catalog(l) {
		out = append(out, f)
	}
	slices.Sort(out)
	return out
}

//go:embed catalog.txt
var catalogText string

// catalogs are the translations by language and English format. The file has three
// lines for each, English, Albanian and Serbian, and an empty one.
var catalogs = sync.OnceValue(func() map[Language]map[string]string {
	out := map[Language]map[string]string{"sq": {}, "sr": {}}
	for entry := range strings.SplitSeq(strings.TrimSpace(catalogText), "\n\n") {
		lines := strings.Split(entry, "\n")
		if len(lines) != 3 {
			panic("lang: malformed entry: " + entry) // a mistake in the embedded file
		}
		out["sq"][lines[0]], out["sr"][lines[0]] = lines[1], lines[2]
	}
	return out
})

func catalog(l Language) map[string]string { return catalogs()[l] }
